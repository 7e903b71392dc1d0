//! Messages that go straight from the batch that commits them to whoever sends them in this process.
//!
//! Such a message is written as claimed, so that nobody has to find, change and read it again before it goes out.
//! Whoever sends has a place for each message on its way; without a free place, or without anybody who sends in this
//! process, a message is written as waiting and is claimed. If the process ends before it has gone out, its lease
//! runs out and it is claimed again.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ringback_core::delivery::Trail;
use ringback_core::{Code, Message, Time};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::changes::NewMessage;
use crate::{Claimed, Store};

/// Room for one message on its way over a route, from its claim until it is settled.
pub type Place = OwnedSemaphorePermit;

/// Who sends over which route in this process: the last who said so.
#[derive(Default)]
pub(crate) struct Senders(Mutex<HashMap<String, Arc<Desk>>>);

/// What batches know of one who sends.
struct Desk {
    open: AtomicBool,
    places: Arc<Semaphore>,
    lease: Duration,
    queue: Sender<(Claimed, Place)>,
}

/// The messages that batches of this process hand over for one route. Nothing more is, once it is dropped.
pub struct Direct {
    desk: Arc<Desk>,
    queue: Receiver<(Claimed, Place)>,
}

/// A place for a message that is about to be committed.
pub(crate) struct Reserved {
    desk: Arc<Desk>,
    place: Place,
}

/// A message that has been handed over unless its batch is undone.
pub(crate) struct Handed {
    reserved: Reserved,
    claimed: Claimed,
}

impl Store {
    /// From now on batches may hand over messages for a route, as long as there are `places`, each claimed for `lease`
    /// from its commit at least. None are before [`Direct::offer`].
    pub fn hand_over(&self, route: &str, places: Arc<Semaphore>, lease: Duration) -> Direct {
        let (sender, queue) = channel(places.available_permits().max(1));
        let desk = Arc::new(Desk {
            open: AtomicBool::new(false),
            places,
            // The commit comes after the claim, and may take its time.
            lease: lease + self.shared.dialer.limits.statement,
            queue: sender,
        });
        let mut senders = self.shared.senders.lock();
        senders.insert(route.to_owned(), desk.clone());
        Direct { desk, queue }
    }
}

impl Direct {
    /// Whether messages may be handed over from now on. Those with a place already may follow.
    pub fn offer(&self, open: bool) {
        self.desk.open.store(open, Ordering::Relaxed);
    }

    /// The next message, when there is one.
    pub async fn next(&mut self) -> Option<(Claimed, Place)> {
        self.queue.recv().await
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        self.offer(false);
    }
}

impl Senders {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Desk>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a message that is due, if whoever sends over its route has one free.
    pub(crate) fn reserve(&self, message: &Message, now: Time) -> Option<Reserved> {
        let route = message.route.as_ref().filter(|_| message.due_at <= now)?;
        let desk = self.lock().get(route)?.clone();
        if !desk.open.load(Ordering::Relaxed) {
            return None;
        }
        let place = desk.places.clone().try_acquire_owned().ok()?;
        Some(Reserved { desk, place })
    }
}

impl Reserved {
    /// Makes the row one that is claimed, for the message with this code.
    pub(crate) fn claim(
        self,
        row: &mut NewMessage,
        mut message: Message,
        code: Option<Code>,
        trail: Trail,
        now: Time,
    ) -> Handed {
        message.due_at = now + self.desk.lease;
        row.due_at = message.due_at.0;
        row.attempts = 1;
        let claimed = Claimed {
            message,
            code,
            attempt: 1,
            trail,
        };
        Handed {
            reserved: self,
            claimed,
        }
    }
}

impl Handed {
    /// Hands it over, now that it is committed. Where nobody takes it any more it waits for its lease to run out.
    pub(crate) fn send(self) {
        let Reserved { desk, place } = self.reserved;
        // There are no more places than the queue has room for.
        let _ = desk.queue.try_send((self.claimed, place));
    }
}
