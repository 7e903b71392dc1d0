//! What users may do by themselves, whichever way they come.

use std::time::Duration;

use super::Turn;
use crate::command::{Action, PhoneChange};
use crate::policy::Removal;
use crate::refusal::Refusal;
use crate::rights::Capacity;

impl Turn<'_> {
    /// Whether a change is allowed to who makes it by self-service. Services are asked for nothing, nor is
    /// one that speaks for a user.
    pub(super) fn self_service(&self, capacity: Capacity) -> Result<(), Refusal> {
        let (caller, rules) = (&self.command.caller, &self.at.policy.self_service);
        if capacity == Capacity::Service || caller.spoken_for {
            return Ok(());
        }
        let required = &rules.required_scope;
        if !required.is_empty() && !caller.scopes.contains(required) {
            return Err(Refusal::ScopeMissing(required.clone()));
        }
        let limit = Duration::from_secs(rules.fresh_token_seconds);
        // A token that does not say its age may be of any.
        let age = caller.issued_at.map(|at| self.at.now.since(at));
        if !limit.is_zero() && age.is_none_or(|age| age >= limit) {
            return Err(Refusal::TokenStale);
        }
        if rules.removal == Removal::Confirmed && removes_at_once(&self.command.action) {
            return Err(Refusal::RemovalUnconfirmed);
        }
        Ok(())
    }
}

fn removes_at_once(action: &Action) -> bool {
    match action {
        Action::RemovePhone
        | Action::RemoveNumber { .. }
        | Action::DropPhone { .. }
        | Action::Update {
            phone: PhoneChange::Remove,
            ..
        } => true,
        Action::Update { .. }
        | Action::Register { .. }
        | Action::SetPhone(_)
        | Action::ResendCode(_)
        | Action::VerifyPhone { .. }
        | Action::AddPhone { .. }
        | Action::PreverifyPhone { .. }
        | Action::ChangePhone { .. }
        | Action::ResendChange
        | Action::ConfirmPhone { .. }
        | Action::RequestRemoval { .. }
        | Action::ConfirmRemoval { .. }
        | Action::MakePrimary { .. }
        | Action::Unlock
        | Action::Delete => false,
    }
}
