//! Whether the database can be reached and written to: said once, and known to every connection.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ringback_core::Refusal;

use crate::fault::Fault;

/// Shared by every connection of a store.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// Connections that were made in an earlier epoch are not used any more.
    epoch: AtomicU64,
    away: AtomicBool,
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

    /// Something was written, so the database is there.
    pub(crate) fn wrote(&self) {
        if self.away.load(Ordering::Relaxed) && self.away.swap(false, Ordering::SeqCst) {
            tracing::info!("the database can be reached again");
        }
    }

    /// Logs a fault once, where it was met, and says what the caller is told. That the database is away is
    /// said once in each outage.
    pub(crate) fn report(&self, fault: &Fault, doing: &str) -> Refusal {
        match fault {
            Fault::Unavailable(reason) => {
                if self.away.swap(true, Ordering::SeqCst) {
                    tracing::debug!(doing, reason, "the database is still away");
                } else {
                    tracing::warn!(doing, reason, "the database is away");
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

    #[test]
    fn one_failure_ends_one_epoch() {
        let health = Health::default();
        let epoch = health.epoch();
        health.lost(epoch);
        health.lost(epoch);
        assert_eq!(health.epoch(), epoch + 1);
    }
}
