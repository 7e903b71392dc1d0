//! Why tokens are refused, in the log: once for each reason of each issuer, then now and then.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ringback_core::Time;

use super::fault::Fault;

/// The same reason is said at most so often.
const QUIET: Duration = Duration::from_secs(10);

/// What was said last. As large as the issuers of the configuration and the reasons that there are, whatever
/// tokens come.
#[derive(Default)]
pub(super) struct Refusals(Mutex<HashMap<(Option<String>, &'static str), Said>>);

struct Said {
    at: Time,
    /// How often it was kept back since.
    more: u64,
}

impl Refusals {
    /// Says why a token is refused. `issuer` is the name of the entry in the configuration that the token
    /// claims to be of, if it names one; of the token itself nothing is said.
    pub(super) fn say(&self, issuer: Option<&str>, fault: &Fault, now: Time) {
        let reason = fault.reason();
        let Some(more) = self.pass(issuer, reason, now) else {
            tracing::debug!(issuer, reason, "token refused");
            return;
        };
        tracing::info!(
            issuer,
            reason,
            more,
            "token refused; `ringback check --token` says more of one"
        );
    }

    /// How many were kept back since the last one; none for one that is kept back too.
    fn pass(&self, issuer: Option<&str>, reason: &'static str, now: Time) -> Option<u64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (issuer.map(str::to_owned), reason);
        match all.get_mut(&key) {
            Some(said) if now.since(said.at) < QUIET => {
                said.more += 1;
                None
            }
            last => {
                let more = last.map_or(0, |said| said.more);
                all.insert(key, Said { at: now, more: 0 });
                Some(more)
            }
        }
    }
}

#[cfg(test)]
impl Refusals {
    pub(super) fn remembered(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}
