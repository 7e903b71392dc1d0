//! What a route tells over its own line: receipts, and who asks for no more messages.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use ringback_core::Refusal;
use ringback_sms::{ProviderEvent, Receipt, UnackedEvent};
use ringback_store::Store;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::receipts::{count_receipt, note_keyword, note_receipt};

/// A receipt may come before it was noted what the route calls its message: it is looked for again, after twice
/// the pause each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// After so many times the message is none of ours: another program may use the same account.
const MOST_LOOKS: u32 = 9;
/// So many are looked for again at most; of more, those that have waited longest are given up.
const MOST_EARLY: usize = 1_000;

/// Hears one route.
pub(super) struct Hearing {
    store: Store,
    route: Arc<str>,
    early: VecDeque<Early>,
}

/// A receipt of a message that nobody has heard of yet.
struct Early {
    reference: String,
    receipt: Receipt,
    looks: u32,
    next: Instant,
}

impl Hearing {
    pub(super) fn new(store: Store, route: Arc<str>) -> Hearing {
        Hearing {
            store,
            route,
            early: VecDeque::new(),
        }
    }

    /// Hears until told to stop (`true`, or the sender is gone), or until the route is closed. What was not noted by
    /// then is told again by the provider.
    pub(super) async fn run(
        mut self,
        mut events: mpsc::Receiver<UnackedEvent>,
        mut shutdown: watch::Receiver<bool>,
    ) {
        loop {
            let next = self.early.iter().map(|early| early.next).min();
            let told = tokio::select! {
                told = events.recv() => told,
                () = at(next) => {
                    self.look_again(Instant::now()).await;
                    continue;
                }
                () = stopped(&mut shutdown) => return,
            };
            match told {
                Some(told) => self.hear(told).await,
                None => return,
            }
        }
    }

    async fn hear(&mut self, told: UnackedEvent) {
        let noted = match &told.event {
            ProviderEvent::Receipt { reference, receipt } => self.receipt(reference, receipt).await,
            ProviderEvent::Keyword { number, keyword } => {
                note_keyword(&self.store, &self.route, number, *keyword).await
            }
        };
        // The store has said why it was not; the provider tells it again.
        if noted.is_ok() {
            told.noted();
        }
    }

    async fn receipt(&mut self, reference: &str, receipt: &Receipt) -> Result<(), Refusal> {
        // Where nothing is kept there is nothing to be found.
        if !self.store.keeps_messages() || self.note(reference, receipt).await? {
            return Ok(());
        }
        if self.early.len() == MOST_EARLY {
            self.early.pop_front();
            count_receipt(&self.route, "unknown");
        }
        self.early.push_back(Early {
            reference: reference.to_owned(),
            receipt: receipt.clone(),
            looks: 1,
            next: Instant::now() + FIRST_PAUSE,
        });
        Ok(())
    }

    /// Whether it is known which message it is about.
    async fn note(&self, reference: &str, receipt: &Receipt) -> Result<bool, Refusal> {
        let found = self.store.message_of_reference(&self.route, reference);
        let Some(attempt) = found.await? else {
            return Ok(false);
        };
        note_receipt(&self.store, &self.route, attempt, receipt).await?;
        Ok(true)
    }

    /// Stops where the database is away: nothing can be known then.
    async fn look_again(&mut self, now: Instant) {
        for _ in 0..self.early.len() {
            let Some(mut early) = self.early.pop_front() else {
                return;
            };
            if early.next > now {
                self.early.push_back(early);
                continue;
            }
            let known = self.note(&early.reference, &early.receipt).await;
            match known {
                Ok(true) => continue,
                Ok(false) if early.looks == MOST_LOOKS => {
                    count_receipt(&self.route, "unknown");
                    continue;
                }
                Ok(false) => early.looks += 1,
                Err(_) => {}
            }
            early.next = now + FIRST_PAUSE * 2_u32.pow(early.looks - 1);
            self.early.push_back(early);
            if known.is_err() {
                return;
            }
        }
    }
}

async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}

async fn at(next: Option<Instant>) {
    match next {
        Some(next) => sleep_until(next).await,
        None => pending().await,
    }
}
