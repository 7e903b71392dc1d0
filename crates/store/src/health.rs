//! Whether the database can be reached and written to: said once, and known to every connection.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ringback_core::Refusal;

use crate::fault::Fault;

/// The same thing is said at most so often: a bad day must not fill the disk with its own story.
const QUIET: Duration = Duration::from_secs(10);

/// Shared by every connection of a store.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// Connections that were made in an earlier epoch are not used any more.
    epoch: AtomicU64,
    outage: Mutex<Option<Outage>>,
    outages: Throttle,
    slow: Throttle,
    failed: Throttle,
}

/// While the database is away.
#[derive(Clone, Copy, Debug)]
struct Outage {
    /// What is made from this epoch on may show that it is back.
    until: u64,
    /// Whether the log knows of it.
    said: bool,
}

/// Lets a line into the log now and then, and counts the others.
#[derive(Debug, Default)]
pub struct Throttle(Mutex<(Option<Instant>, u64)>);

impl Throttle {
    /// How many were kept back since the last one; none for one that is kept back too, as the last one was within
    /// `quiet`.
    pub fn pass(&self, quiet: Duration) -> Option<u64> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0.is_some_and(|at| at.elapsed() < quiet) {
            last.1 += 1;
            return None;
        }
        Some(std::mem::replace(&mut *last, (Some(Instant::now()), 0)).1)
    }
}

impl Health {
    /// The epoch that a connection made now belongs to.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// Whether nothing was found to be away since this epoch.
    pub(crate) fn is_well_since(&self, epoch: u64) -> bool {
        self.epoch() == epoch && self.outage().is_none()
    }

    /// A connection of this epoch failed in a way that its contemporaries may share: a server that was shut
    /// down, that became a standby, that fell silent. Ends the epoch, unless it has ended already.
    pub(crate) fn lost(&self, epoch: u64) {
        let ended =
            self.epoch
                .compare_exchange(epoch, epoch + 1, Ordering::SeqCst, Ordering::SeqCst);
        if ended.is_ok() {
            tracing::debug!(
                epoch,
                "connections of this time to the database are given up"
            );
        }
    }

    /// Something was written over a connection of this epoch, so the database is there; unless the
    /// connection is older than the outage, when it was only the last to get through.
    pub(crate) fn wrote(&self, epoch: u64) {
        let mut outage = self.outage();
        if outage.is_some_and(|outage| epoch >= outage.until)
            && outage.take().is_some_and(|outage| outage.said)
        {
            tracing::info!("the database can be reached again");
        }
    }

    fn outage(&self) -> MutexGuard<'_, Option<Outage>> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs a fault once, where it was met, and says what the caller is told. That the database is away is
    /// said once in each outage, and what comes often is said now and then.
    pub(crate) fn report(&self, fault: &Fault, doing: &str) -> Refusal {
        match fault {
            Fault::Unavailable(reason) => self.away(reason, doing),
            Fault::Busy(reason) => tracing::debug!(doing, reason, "refused"),
            Fault::TooSlow(reason) => match self.slow.pass(QUIET) {
                Some(more) => tracing::warn!(doing, reason, more, "a statement was ended"),
                None => tracing::debug!(doing, reason, "a statement was ended"),
            },
            Fault::Conflict(_) | Fault::Failed(_) => match self.failed.pass(QUIET) {
                Some(more) => tracing::error!(doing, %fault, more, "the database refused"),
                None => tracing::debug!(doing, %fault, "the database refused"),
            },
        }
        fault.refusal()
    }

    fn away(&self, reason: &str, doing: &str) {
        let now = self.epoch();
        let mut outage = self.outage();
        let said = match *outage {
            Some(outage) => outage.said,
            None => false,
        };
        let begins = outage.is_none();
        let more = if begins {
            self.outages.pass(QUIET)
        } else {
            None
        };
        *outage = Some(Outage {
            until: now.max(outage.map_or(0, |outage| outage.until)),
            said: said || more.is_some(),
        });
        match more {
            Some(_) => tracing::warn!(doing, reason, "the database is away"),
            None => tracing::debug!(doing, reason, "the database is still away"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A log that flaps tells nobody anything.
    #[test]
    fn what_is_older_than_an_outage_does_not_end_it() {
        let health = Health::default();
        let old = health.epoch();
        health.lost(old);
        health.report(&Fault::Unavailable("shut down".into()), "testing");
        health.wrote(old);
        assert!(health.outage().is_some());
        health.wrote(health.epoch());
        assert!(health.outage().is_none());
    }

    #[test]
    fn one_failure_ends_one_epoch() {
        let health = Health::default();
        let epoch = health.epoch();
        health.lost(epoch);
        health.lost(epoch);
        assert_eq!(health.epoch(), epoch + 1);
    }

    #[test]
    fn what_comes_often_is_said_now_and_then() {
        let throttle = Throttle::default();
        assert_eq!(throttle.pass(QUIET), Some(0));
        assert_eq!(throttle.pass(QUIET), None);
        assert_eq!(throttle.pass(QUIET), None);
    }
}
