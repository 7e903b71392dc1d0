//! Whether the database can be reached and written to: said once, and known to every connection.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use ringback_core::Refusal;

use crate::fault::Fault;

/// Shared by every connection of a store.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// Connections that were made in an earlier epoch are not used any more.
    epoch: AtomicU64,
    /// While the database is away: what is made from this epoch on may show that it is back.
    away_until: Mutex<Option<u64>>,
}

impl Health {
    /// The epoch that a connection made now belongs to.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
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
        let mut away = self.away_until();
        if away.is_some_and(|first| epoch >= first) {
            *away = None;
            tracing::info!("the database can be reached again");
        }
    }

    fn away_until(&self) -> std::sync::MutexGuard<'_, Option<u64>> {
        self.away_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs a fault once, where it was met, and says what the caller is told. That the database is away is
    /// said once in each outage.
    pub(crate) fn report(&self, fault: &Fault, doing: &str) -> Refusal {
        match fault {
            Fault::Unavailable(reason) => {
                let now = self.epoch();
                let mut away = self.away_until();
                let before = *away;
                *away = Some(now.max(before.unwrap_or(0)));
                match before {
                    Some(_) => tracing::debug!(doing, reason, "the database is still away"),
                    None => tracing::warn!(doing, reason, "the database is away"),
                }
            }
            Fault::TooSlow(reason) => tracing::warn!(doing, reason, "a statement was ended"),
            Fault::Busy(reason) => tracing::debug!(doing, reason, "refused"),
            Fault::Conflict(_) | Fault::Failed(_) => {
                tracing::error!(doing, %fault, "the database refused");
            }
        }
        fault.refusal()
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
        assert!(health.away_until().is_some());
        health.wrote(health.epoch());
        assert!(health.away_until().is_none());
    }

    #[test]
    fn one_failure_ends_one_epoch() {
        let health = Health::default();
        let epoch = health.epoch();
        health.lost(epoch);
        health.lost(epoch);
        assert_eq!(health.epoch(), epoch + 1);
    }
}
