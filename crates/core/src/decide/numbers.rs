//! Several numbers: added, announced, changed once proven, removed once confirmed.

use std::time::Duration;

use super::codes::no_wait;
use super::{SameNumber, Turn, held, trusts};
use crate::Number;
use crate::account::{Account, Pending, Phone, PhoneState};
use crate::challenge::Purpose;
use crate::command::{Delivery, SetPhone, Told, Verification, Which};
use crate::event::{EventKind, MessageKind};
use crate::limit::Limit;
use crate::moment::Id;
use crate::number::NumberError;
use crate::refusal::{CodeFailure, Refusal};
use crate::rights::Capacity;

type Named = Result<Number, NumberError>;

const SENT: Verification = Verification::Code(Delivery::Send);

impl Turn<'_> {
    pub(super) fn add(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
        number: &Named,
        verification: Option<Verification>,
    ) -> Result<Told, Refusal> {
        if !verification.is_none_or(|verification| trusts(capacity, verification)) {
            return Err(Refusal::PermissionDenied);
        }
        let number = number.clone()?;
        let present = account.phones.iter().find(|phone| phone.number == number).cloned();
        match &present {
            Some(phone) if phone.verified() => return Err(Refusal::PhoneUnchanged),
            Some(_) => {}
            None => self.has_room(account, &number)?,
        }
        let mut waits: Vec<_> = self.set_wait(account, capacity).into_iter().collect();
        let sends = verification == Some(SENT);
        if let (Some(phone), true) = (&present, sends) {
            self.may_ask(account, phone.id, Purpose::Verify, Delivery::Send)?;
        } else if sends {
            waits.extend(self.send_waits(account, &number)?);
        }
        no_wait(waits)?;

        self.take_set(account, capacity);
        let id = match present {
            // Added again before it was proven: it is the account's from now on.
            Some(phone) => {
                self.settle(account, phone.id, PhoneState::Unverified);
                phone.id
            }
            None => self.put(account, &number, PhoneState::Unverified),
        };
        if account.primary.is_none() {
            account.primary = Some(id);
        }
        self.record(account, EventKind::PhoneAdded, Some(&number));
        match verification {
            Some(Verification::Code(delivery)) => {
                self.ask(account, id, Purpose::Verify, delivery)
            }
            Some(Verification::Trusted) => {
                self.mark_verified(account, id);
                Ok(about(id))
            }
            None => Ok(about(id)),
        }
    }

    pub(super) fn preverify(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
        number: &Named,
    ) -> Result<Told, Refusal> {
        self.announce(account, capacity, number.clone()?, Pending::Joins)
    }

    pub(super) fn change_phone(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
        number: &Named,
    ) -> Result<Told, Refusal> {
        let number = number.clone()?;
        let primary = account.primary_phone().cloned();
        match primary {
            Some(primary) if primary.verified() => {
                if primary.number == number {
                    return Ok(about(primary.id));
                }
                let proven = |phone: &&Phone| phone.number == number && phone.verified();
                if let Some(other) = account.phones.iter().find(proven).map(|phone| phone.id) {
                    self.replace_primary(account, other);
                    return Ok(about(other));
                }
                self.announce(account, capacity, number, Pending::Replaces)
            }
            Some(primary) if primary.number == number => {
                self.may_ask(account, primary.id, Purpose::Verify, Delivery::Send)?;
                self.ask(account, primary.id, Purpose::Verify, Delivery::Send)
            }
            Some(_) | None => {
                let set = SetPhone {
                    number: Ok(number),
                    verification: SENT,
                };
                self.may_set_other(account, capacity, &set, SameNumber::Refused)?;
                self.set(account, capacity, &set)
            }
        }
    }

    /// Asks a number that becomes the account's once it is proven.
    fn announce(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
        number: Number,
        pending: Pending,
    ) -> Result<Told, Refusal> {
        let present = account.phones.iter().find(|phone| phone.number == number).cloned();
        let id = match present {
            Some(phone) if phone.verified() => return Err(Refusal::PhoneUnchanged),
            Some(phone) => {
                self.may_ask(account, phone.id, Purpose::Verify, Delivery::Send)?;
                // A number that is the account's already stays so while it waits to be proven.
                if phone.pending() || pending == Pending::Replaces {
                    self.settle(account, phone.id, PhoneState::Pending(pending));
                }
                phone.id
            }
            None => {
                // The one that is to replace the primary number needs no room of its own.
                if pending == Pending::Joins {
                    self.has_room(account, &number)?;
                }
                let mut waits = self.send_waits(account, &number)?;
                waits.extend(self.set_wait(account, capacity));
                no_wait(waits)?;
                self.take_set(account, capacity);
                self.put(account, &number, PhoneState::Pending(pending))
            }
        };
        if pending == Pending::Replaces {
            // Only one number can be the next one.
            let state = PhoneState::Pending(Pending::Replaces);
            let others = account.phones.iter().filter(|p| p.state == state && p.id != id);
            for other in others.map(|phone| phone.id).collect::<Vec<_>>() {
                account.drop_phone(other);
            }
        }
        self.record(account, EventKind::PhonePending, Some(&number));
        self.ask(account, id, Purpose::Verify, Delivery::Send)
    }

    pub(super) fn resend_change(&mut self, account: &mut Account) -> Result<Told, Refusal> {
        let next = |phone: &&Phone| phone.state == PhoneState::Pending(Pending::Replaces);
        let next = account.phones.iter().find(next).map(|phone| phone.id);
        let phone = next.or(account.primary).ok_or(Refusal::CodeAbsent)?;
        if held(account, phone)?.verified() {
            return Err(Refusal::CodeAbsent);
        }
        self.may_ask(account, phone, Purpose::Verify, Delivery::Send)?;
        self.ask(account, phone, Purpose::Verify, Delivery::Send)
    }

    pub(super) fn confirm(
        &mut self,
        account: &mut Account,
        which: &Which,
        guess: &str,
    ) -> Result<Told, Refusal> {
        let asked = |challenge: &&crate::Challenge| challenge.purpose == Purpose::Verify;
        let questions = account.challenges.iter().filter(asked);
        let phone = match which {
            Which::Challenge(id) => {
                questions.into_iter().find(|question| question.id == *id).map(|q| q.phone)
            }
            Which::Number(number) => {
                let number = number.clone()?;
                let waiting = |phone: &&Phone| phone.number == number && !phone.verified();
                account.phones.iter().find(waiting).map(|phone| phone.id)
            }
            Which::Latest => questions.max_by_key(|question| question.id).map(|q| q.phone),
        };
        self.answer(account, phone, Purpose::Verify, guess)?;
        // An answer that was accepted was about a number.
        let phone = phone.ok_or(Refusal::Internal)?;
        let replaces = PhoneState::Pending(Pending::Replaces);
        if account.phone(phone).is_some_and(|phone| phone.state == replaces) {
            self.mark_verified(account, phone);
            self.replace_primary(account, phone);
        } else {
            self.mark_verified(account, phone);
            if account.primary.is_none() {
                account.primary = Some(phone);
            }
        }
        Ok(about(phone))
    }

    pub(super) fn request_removal(
        &mut self,
        account: &mut Account,
        phone: Id,
    ) -> Result<Told, Refusal> {
        held(account, phone)?;
        self.may_ask(account, phone, Purpose::Remove, Delivery::Send)?;
        self.ask(account, phone, Purpose::Remove, Delivery::Send)
    }

    pub(super) fn confirm_removal(
        &mut self,
        account: &mut Account,
        phone: Id,
        challenge: Id,
        guess: &str,
    ) -> Result<Told, Refusal> {
        held(account, phone)?;
        let standing = account.challenge_for(phone, Purpose::Remove).map(|standing| standing.id);
        if standing != Some(challenge) {
            let number = account.phone(phone).map(|phone| phone.number.clone());
            let kind = EventKind::VerificationFailed(CodeFailure::Absent);
            self.record(account, kind, number.as_ref());
            return Err(Refusal::CodeRefused(CodeFailure::Absent));
        }
        self.answer(account, Some(phone), Purpose::Remove, guess)?;
        self.take_out(account, phone)
    }

    /// A removal that nobody confirms is for services: whoever holds a stolen token could otherwise take
    /// away the number that would warn its owner.
    pub(super) fn drop_at_once(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
        phone: Id,
    ) -> Result<Told, Refusal> {
        if capacity == Capacity::Own {
            return Err(Refusal::PermissionDenied);
        }
        self.take_out(account, phone)
    }

    pub(super) fn make_primary(
        &mut self,
        account: &mut Account,
        phone: Id,
    ) -> Result<Told, Refusal> {
        let phone = held(account, phone)?;
        if !phone.verified() {
            return Err(Refusal::PhoneUnverified);
        }
        if account.primary != Some(phone.id) {
            account.primary = Some(phone.id);
            self.record(account, EventKind::PrimaryChanged, Some(&phone.number));
        }
        Ok(about(phone.id))
    }

    /// Takes a number out and tells its owner.
    pub(super) fn take_out(&mut self, account: &mut Account, phone: Id) -> Result<Told, Refusal> {
        let phone = held(account, phone)?;
        account.drop_phone(phone.id);
        self.record(account, EventKind::PhoneRemoved, Some(&phone.number));
        self.notify(account, &phone, MessageKind::Removed);
        Ok(about(phone.id))
    }

    /// The number is proven; the question is answered and gone. Nothing happens to a proven one.
    pub(super) fn mark_verified(&mut self, account: &mut Account, id: Id) {
        account.challenges.retain(|challenge| {
            challenge.phone != id || challenge.purpose != Purpose::Verify
        });
        let unproven = account.phone(id).filter(|phone| !phone.verified()).cloned();
        if let Some(phone) = unproven {
            self.settle(account, id, PhoneState::Verified { at: self.at.now });
            self.record(account, EventKind::PhoneVerified, Some(&phone.number));
        }
    }

    /// Another number takes the place of the primary one, which goes.
    fn replace_primary(&mut self, account: &mut Account, next: Id) {
        if let Some(old) = account.primary_phone().cloned() {
            account.drop_phone(old.id);
            self.notify(account, &old, MessageKind::Replaced);
        }
        account.primary = Some(next);
        let number = account.phone(next).map(|phone| phone.number.clone());
        self.record(account, EventKind::PrimaryChanged, number.as_ref());
    }

    /// Puts a number into the account and says its name.
    pub(super) fn put(&mut self, account: &mut Account, number: &Number, state: PhoneState) -> Id {
        account.drop_stale(self.at.now);
        let id = self.draw.id();
        account.phones.push(Phone {
            id,
            number: number.clone(),
            state,
            created_at: self.at.now,
            changed_at: self.at.now,
        });
        id
    }

    fn settle(&self, account: &mut Account, id: Id, state: PhoneState) {
        let phone = account.phones.iter_mut().find(|phone| phone.id == id && phone.state != state);
        if let Some(phone) = phone {
            phone.state = state;
            phone.changed_at = self.at.now;
        }
    }

    /// Whether the account may hold one more number.
    pub(super) fn has_room(&self, account: &Account, number: &Number) -> Result<(), Refusal> {
        let others = account.phones.iter().filter(|phone| {
            phone.number != *number
                && phone.state != PhoneState::Pending(Pending::Replaces)
                && !account.is_stale(phone, self.at.now)
        });
        if others.count() >= self.at.policy.numbers.most_per_account {
            return Err(Refusal::TooManyNumbers);
        }
        Ok(())
    }

    /// What another number set by self-service has to wait for. Spends nothing.
    pub(super) fn set_wait(
        &self,
        account: &Account,
        capacity: Capacity,
    ) -> Option<(Limit, Duration)> {
        let windows = &self.at.policy.limits.sets_per_account;
        let wait = account.limits.sets.wait(windows, self.at.now)?;
        (capacity == Capacity::Own).then_some((Limit::AccountSets, wait))
    }

    pub(super) fn take_set(&self, account: &mut Account, capacity: Capacity) {
        if capacity == Capacity::Own {
            let windows = &self.at.policy.limits.sets_per_account;
            account.limits.sets.take(windows, self.at.now);
        }
    }
}

/// A reply about one number.
fn about(phone: Id) -> Told {
    Told {
        phone: Some(phone),
        ..Told::default()
    }
}
