//! Putting events on record, signing what is there, and forgetting what is old. Each process does it; one at a time
//! gets its way.

use std::time::Duration;

use ringback_store::Store;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::config::AuditSection;

/// How long until it is looked for events again although no commit of this process said so.
const POLL: Duration = Duration::from_secs(1);
/// How long whoever was too late leaves it to the one who was faster.
const LOST: Duration = Duration::from_secs(3);
/// Events of so long are put on record together.
const TURN: Duration = Duration::from_millis(100);
/// The database is left alone for so many times as long as it was kept busy: what a turn leaves to be copied and synced
/// takes about as long again, and all of it together must not be felt.
const REST: u32 = 30;
/// The same while nobody wants anything.
const SHORT_REST: u32 = 2;
/// The longest rest.
const LONGEST: Duration = Duration::from_secs(10);
/// How often it is looked whether something is to be signed or forgotten.
const TIDY: Duration = Duration::from_secs(10);

/// Puts events on record.
#[derive(Clone)]
pub struct Recorder {
    store: Store,
    sign_every: Duration,
    keep: Option<Duration>,
}

impl Recorder {
    /// For a store, as the configuration says.
    pub fn new(store: Store, section: &AuditSection) -> Recorder {
        Recorder {
            store,
            sign_every: Duration::from_secs(section.checkpoint_seconds),
            keep: section.keep(),
        }
    }

    /// Works until told to stop (`true`, or the sender is gone).
    pub async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let mut next_tidy = Instant::now() + TIDY;
        while !*shutdown.borrow() {
            let turn = Instant::now();
            // What cannot be done now is done next time; the store has said why.
            let done = self.store.sequence().await.ok();
            let (rest, wait) = match done {
                None => (POLL, false),
                Some(done) if done.lost => (LOST, false),
                Some(done) => {
                    let times = if done.wanted { REST } else { SHORT_REST };
                    let least = if done.more { Duration::ZERO } else { TURN };
                    ((done.took * times).clamp(least, LONGEST), !done.more)
                }
            };
            if turn >= next_tidy {
                let forgotten = self.tidy().await;
                next_tidy = turn + if forgotten > 0 { POLL } else { TIDY };
            }
            let rested = async {
                sleep_until(turn + rest).await;
                if wait {
                    let poll = tokio::time::timeout(POLL, self.store.wait_for_events());
                    let _ = poll.await;
                }
            };
            tokio::select! {
                () = rested => {}
                _ = shutdown.wait_for(|stop| *stop) => {}
            }
        }
        // What the last requests left is on record soon, too.
        let _ = self.store.sequence().await;
    }

    /// Says how many events it has forgotten.
    async fn tidy(&self) -> u64 {
        let _ = self.store.checkpoint(self.sign_every).await;
        match self.keep {
            Some(keep) => {
                let forgotten = self.store.forget_events(self.store.now() - keep).await;
                forgotten.unwrap_or(0)
            }
            None => 0,
        }
    }
}
