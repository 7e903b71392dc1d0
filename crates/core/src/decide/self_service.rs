//! What users may do by themselves, whichever way they come.

use std::time::Duration;

use super::Decider;
use crate::account::Deleted;
use crate::policy::Removal;
use crate::refusal::Refusal;
use crate::rights::{Call, Capacity};

/// How far an issuer's clock may be from ours.
const CLOCKS_APART: Duration = Duration::from_secs(30);

impl Decider<'_> {
    /// Whether a change is allowed to who makes it by self-service. Services are asked for nothing, nor is
    /// one that speaks for a user.
    pub(super) fn self_service(&self, capacity: Capacity) -> Result<(), Refusal> {
        let (caller, rules) = (&self.command.caller, &self.policy.self_service);
        // A service that opened a session has vouched for its user.
        if capacity == Capacity::Service || caller.spoken_for || caller.session.is_some() {
            return Ok(());
        }
        let required = &rules.required_scope;
        if !required.is_empty() && !caller.scopes.contains(required) {
            return Err(Refusal::ScopeMissing(required.clone()));
        }
        let limit = Duration::from_secs(rules.fresh_token_seconds);
        // A token that does not say its age, or is from the future, may be of any.
        let fresh = caller.issued_at.is_some_and(|issued_at| {
            issued_at <= self.at.now + CLOCKS_APART && self.at.now.since(issued_at) < limit
        });
        if !limit.is_zero() && !fresh {
            return Err(Refusal::TokenStale);
        }
        if rules.removal == Removal::Confirmed && self.plan.call == Call::Remove {
            return Err(Refusal::RemovalUnconfirmed);
        }
        Ok(())
    }

    /// Whether the caller's token may be from before the account was deleted. One that does not say when it
    /// was issued may be of any age; a service that speaks for the user does so now.
    pub(super) fn is_from_before(&self, deleted: Option<Deleted>) -> bool {
        let remembered = deleted.filter(|deleted| self.at.now < deleted.until);
        !self.command.caller.spoken_for
            && remembered.is_some_and(|deleted| {
                let issued_at = self.command.caller.issued_at;
                issued_at.is_none_or(|issued_at| issued_at <= deleted.at + CLOCKS_APART)
            })
    }
}
