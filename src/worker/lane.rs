//! A lane: claims the messages that wait for one route, sends them all at once, and settles each. No lane waits
//! for another one's route.

use std::sync::Arc;
use std::time::Duration;

use ringback_core::Refusal;
use ringback_core::delivery::{RouteFault, Verdict};
use ringback_store::{Claimed, Settlement, Store};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tracing::{error, warn};

use super::carrier::Carrier;
use super::delivery::DeliverySettings;
use super::pace::Pace;

/// What a lease adds to the time that the route may take: room for writing down how it went.
const LEASE_MARGIN: Duration = Duration::from_secs(5);
/// The database is asked for more at most this often, so that what is claimed and what is settled is
/// grouped under load. Nobody waits for it: a message that comes alone is claimed at once.
const TURN: Duration = Duration::from_millis(10);

/// Carries the messages of one route. Any number of these may work on one database.
#[derive(Clone)]
pub(super) struct Lane {
    pub(super) store: Store,
    pub(super) carrier: Arc<Carrier>,
    pub(super) settings: DeliverySettings,
}

impl Lane {
    /// One round: claims a batch, sends it, settles it. Says how many messages it claimed.
    pub(super) async fn run_once(&self) -> Result<usize, Refusal> {
        let mut work = self.work();
        let most = self.settings.batch.min(self.in_flight());
        let claimed = self.claim(&mut work, most).await?;
        let mut failure = None;
        while work.next().await {
            // What could not be settled is settled together with the next ones.
            failure = self.settle(&mut work).await.err();
        }
        failure.map_or(Ok(claimed), Err)
    }

    /// Works until told to stop (`true`, or the sender is gone); then claims nothing more, finishes what is
    /// under way, settles it, ends what the route keeps open and returns.
    pub(super) async fn run(self, mut shutdown: watch::Receiver<bool>) {
        let route = &*self.carrier.route.name;
        let mut work = self.work();
        // Whether messages may be waiting.
        let mut look = true;
        let mut stopping = false;
        let mut next_poll = Instant::now() + self.settings.poll;
        loop {
            let turn = Instant::now();
            stopping |= *shutdown.borrow();

            work.collect();
            let settled = self.settle(&mut work).await.ok();
            if stopping && work.sending.is_empty() {
                if settled.is_none() {
                    warn!(
                        route,
                        messages = work.finished.len(),
                        "stopped before it could be noted that messages were sent: they may be sent again"
                    );
                }
                self.carrier.route.provider.close().await;
                return;
            }
            let room = self.room(&mut work, turn);
            if look && !stopping && room > 0 {
                let claimed = self.claim(&mut work, room.min(self.settings.batch)).await;
                look = claimed.is_ok_and(|claimed| claimed > 0);
            }
            let room = self.room(&mut work, turn);
            if !look || stopping || room == 0 {
                let full = work.len() >= self.in_flight();
                let paced = work.pace.next().filter(|_| look && !full);
                let next_look = paced.map_or(next_poll, |paced| paced.min(next_poll));
                tokio::select! {
                    _ = work.next(), if !work.sending.is_empty() => {}
                    () = self.store.wait_for_messages(route), if !look && !stopping => look = true,
                    () = sleep_until(next_look) => {
                        if Instant::now() >= next_poll {
                            look = true;
                            next_poll = Instant::now() + self.settings.poll;
                        }
                    }
                    _ = shutdown.wait_for(|stop| *stop), if !stopping => stopping = true,
                }
            }
            if !stopping {
                sleep_until(turn + TURN).await;
            }
        }
    }

    fn work(&self) -> Work {
        Work {
            sending: JoinSet::new(),
            finished: Vec::new(),
            pace: Pace::new(self.carrier.route.per_second, Instant::now()),
        }
    }

    fn in_flight(&self) -> usize {
        self.carrier.route.max_in_flight.max(1)
    }

    /// How many messages more may be on their way.
    fn room(&self, work: &mut Work, now: Instant) -> usize {
        let free = self.in_flight().saturating_sub(work.len());
        work.pace.room(free, now)
    }

    /// Claims messages and starts to send each of them at once.
    async fn claim(&self, work: &mut Work, most: usize) -> Result<usize, Refusal> {
        let lease = self.carrier.route.provider.timeout() + LEASE_MARGIN;
        let claimed = self
            .store
            .claim(&self.carrier.route.name, most, lease)
            .await?;
        let count = claimed.len();
        work.pace.take(count, Instant::now());
        for claimed in claimed {
            work.sending.spawn(deliver(self.clone(), claimed));
        }
        Ok(count)
    }

    /// Settles what has finished, in one call. What cannot be settled now stays for the next time.
    async fn settle(&self, work: &mut Work) -> Result<(), Refusal> {
        if work.finished.is_empty() {
            return Ok(());
        }
        self.store.settle(&work.finished).await?;
        work.finished.clear();
        Ok(())
    }
}

async fn deliver(lane: Lane, claimed: Claimed) -> Settlement {
    lane.carrier.deliver(claimed, || lane.store.now()).await
}

/// The messages that are claimed and not settled.
struct Work {
    sending: JoinSet<Settlement>,
    finished: Vec<Settlement>,
    pace: Pace,
}

impl Work {
    fn len(&self) -> usize {
        self.sending.len() + self.finished.len()
    }

    /// Waits until a message was sent or not; false when none is under way.
    async fn next(&mut self) -> bool {
        let Some(joined) = self.sending.join_next().await else {
            return false;
        };
        self.keep(joined);
        self.collect();
        true
    }

    /// Takes along what has finished by now.
    fn collect(&mut self) {
        while let Some(joined) = self.sending.try_join_next() {
            self.keep(joined);
        }
    }

    fn keep(&mut self, joined: Result<Settlement, JoinError>) {
        match joined {
            Ok(settlement) => {
                let last = settlement.trail.last().map(|last| last.verdict);
                let throttled = RouteFault::Throttled;
                if matches!(last, Some(Verdict::NotNow { fault, .. }) if fault == throttled) {
                    self.pace.slow_down(Instant::now());
                }
                self.finished.push(settlement);
            }
            // Its lease runs out and the message is claimed again.
            Err(error) => error!(panicked = error.is_panic(), "sending a message broke off"),
        }
    }
}
