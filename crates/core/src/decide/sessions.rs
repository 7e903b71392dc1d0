//! Sessions: opened by a service, taken by their handle, held to what they are for, ended by a success.

use super::Decider;
use super::outcome::Outcome;
use crate::Number;
use crate::account::Account;
use crate::command::{Change, Which};
use crate::refusal::Refusal;
use crate::session::{NewSession, Session};

impl Decider<'_> {
    /// Opens a session, which then stands last in the account.
    pub(super) fn open_session(
        &mut self,
        account: &mut Account,
        new: &NewSession,
    ) -> Result<Outcome, Refusal> {
        let number = match &new.number {
            None => None,
            Some(text) => Some(self.read(text)?),
        };
        let session = Session::new(self.ids.id(), new, number.as_ref(), self.at);
        account.keep_session(session, self.at.now);
        Ok(Outcome::default())
    }

    /// Takes the caller's session by its handle, which works once.
    pub(super) fn take_session(&self, account: &mut Account) -> Result<Outcome, Refusal> {
        let id = self
            .command
            .caller
            .session
            .ok_or(Refusal::PermissionDenied)?;
        let session = account.session_mut(id, self.at.now);
        let session = session.filter(|session| !session.taken);
        session.ok_or(Refusal::TokenInvalid)?.taken = true;
        Ok(Outcome::default())
    }

    /// Whether the caller's session, if it acts by one, has not ended and is for the number that is meant.
    pub(super) fn in_session(&self, account: &Account, change: &Change) -> Result<(), Refusal> {
        let Some(id) = self.command.caller.session else {
            return Ok(());
        };
        let session = account.session(id, self.at.now);
        let session = session.filter(|session| session.proven.is_none());
        let session = session.ok_or(Refusal::TokenInvalid)?;
        let Some(only) = session.number(self.at.keys) else {
            return Ok(());
        };
        let held = |which: &Which| -> Result<Option<Number>, Refusal> {
            let id = self.find(account, which, |phone| !phone.verified())?;
            let phone = id.and_then(|id| account.phone(id));
            Ok(phone.map(|phone| phone.number.clone()))
        };
        let meant = match change {
            Change::Set(set) => Some(self.spelt(&set.number)?),
            Change::Replace { number } => Some(self.spelt(number)?),
            Change::Resend { which, .. } | Change::Verify { which, .. } => held(which)?,
            _ => None,
        };
        match meant {
            Some(meant) if meant != only => Err(Refusal::PermissionDenied),
            _ => Ok(()),
        }
    }

    /// Ends the caller's session, if it acts by one, once it has brought about what it is for: a number is
    /// proven, or was already.
    pub(super) fn end_session(&self, account: &mut Account, change: &Change, outcome: &Outcome) {
        let Some(id) = self.command.caller.session else {
            return;
        };
        let proven = match change {
            Change::Verify { .. } | Change::Replace { .. } => outcome.phone,
            _ => None,
        };
        let proven = proven.filter(|id| account.phone(*id).is_some_and(|phone| phone.verified()));
        if let (Some(proven), Some(session)) = (proven, account.session_mut(id, self.at.now)) {
            session.proven = Some(proven);
        }
    }
}
