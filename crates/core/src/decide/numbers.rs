//! Several numbers: added, announced, changed once proven, removed once confirmed.

use super::limits::no_wait;
use super::{SameNumber, Turn, held, trusts};
use crate::Number;
use crate::account::{Account, Pending, Phone, PhoneState};
use crate::challenge::Purpose;
use crate::command::{Delivery, SetPhone, Told, Verification, Which};
use crate::event::{EventKind, MessageKind};
use crate::moment::Id;
use crate::number::NumberError;
use crate::refusal::{CodeFailure, Refusal};
use crate::rights::Capacity;

type Named = Result<Number, NumberError>;

const SENT: Verification = Verification::Code(Delivery::Send);

/// The state of the number that is to replace the primary one.
pub(super) const NEXT: PhoneState = PhoneState::Pending(Pending::Replaces);

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
        let present = account
            .phones
            .iter()
            .find(|phone| phone.number == number)
            .cloned();
        match &present {
            Some(phone) if phone.verified() => return Err(Refusal::PhoneUnchanged),
            Some(phone) if phone.state != NEXT => {}
            Some(_) | None => self.has_room(account, &number)?,
        }
        let mut waits: Vec<_> = self.set_wait(account, capacity).into_iter().collect();
        match (&present, verification) {
            (Some(phone), Some(Verification::Code(delivery))) => {
                let (id, purpose) = (phone.id, Purpose::Verify);
                waits.extend(self.ask_waits(account, capacity, id, purpose, delivery)?);
            }
            (None, Some(SENT)) => waits.extend(self.send_waits(account, &number)?),
            (Some(_), Some(Verification::Trusted) | None) | (None, _) => {}
        }
        no_wait(waits)?;

        self.take_set(account, capacity);
        let (id, joins) = match present {
            // Added again before it was proven: it is the account's from now on.
            Some(phone) => (
                phone.id,
                self.settle(account, phone.id, PhoneState::Unverified),
            ),
            None => (self.put(account, &number, PhoneState::Unverified), true),
        };
        if account.primary.is_none() {
            account.primary = Some(id);
        }
        if joins {
            self.record(account, EventKind::PhoneAdded, Some(&number));
        }
        match verification {
            Some(Verification::Code(delivery)) => self.ask(account, id, Purpose::Verify, delivery),
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
        let proven = |phone: &&Phone| phone.number == number && phone.verified();
        if let Some(proven) = account.phones.iter().find(proven).map(|phone| phone.id) {
            if account.primary == Some(proven) {
                // Whoever wants the present number wants no other one any more.
                forget_next(account);
            } else {
                self.replace_primary(account, proven);
            }
            return Ok(about(proven));
        }
        match account.primary_phone().cloned() {
            Some(primary) if primary.verified() => {
                self.announce(account, capacity, number, Pending::Replaces)
            }
            Some(primary) if primary.number == number => {
                self.may_ask(
                    account,
                    capacity,
                    primary.id,
                    Purpose::Verify,
                    Delivery::Send,
                )?;
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
        let present = account
            .phones
            .iter()
            .find(|phone| phone.number == number)
            .cloned();
        let (id, waits_anew) = match present {
            Some(phone) if phone.verified() => return Err(Refusal::PhoneUnchanged),
            Some(phone) => {
                if phone.state == NEXT && pending == Pending::Joins {
                    self.has_room(account, &number)?;
                }
                self.may_ask(account, capacity, phone.id, Purpose::Verify, Delivery::Send)?;
                // A number that is the account's already stays so while it waits to be proven.
                let waits = phone.pending() || pending == Pending::Replaces;
                let state = PhoneState::Pending(pending);
                (phone.id, waits && self.settle(account, phone.id, state))
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
                let id = self.put(account, &number, PhoneState::Pending(pending));
                (id, true)
            }
        };
        if pending == Pending::Replaces {
            // Only one number can be the next one.
            forget_next_but(account, Some(id));
        }
        if waits_anew {
            self.record(account, EventKind::PhonePending, Some(&number));
        }
        self.ask(account, id, Purpose::Verify, Delivery::Send)
    }

    pub(super) fn resend_change(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
    ) -> Result<Told, Refusal> {
        let next = account.phones.iter().find(|phone| phone.state == NEXT);
        let next = next.map(|phone| phone.id);
        let phone = next.or(account.primary).ok_or(Refusal::CodeAbsent)?;
        if held(account, phone)?.verified() {
            return Err(Refusal::CodeAbsent);
        }
        self.may_ask(account, capacity, phone, Purpose::Verify, Delivery::Send)?;
        self.ask(account, phone, Purpose::Verify, Delivery::Send)
    }

    pub(super) fn confirm(
        &mut self,
        account: &mut Account,
        which: &Which,
        guess: &str,
    ) -> Result<Told, Refusal> {
        let asked = |challenge: &&crate::Challenge| challenge.purpose == Purpose::Verify;
        let mut questions = account.challenges.iter().filter(asked);
        let phone = match which {
            Which::Challenge(id) => questions
                .find(|question| question.id == *id)
                .map(|q| q.phone),
            Which::Number(number) => {
                let number = number.clone()?;
                let waiting = |phone: &&Phone| phone.number == number && !phone.verified();
                account.phones.iter().find(waiting).map(|phone| phone.id)
            }
            Which::Latest => questions.next_back().map(|question| question.phone),
        };
        self.answer(account, phone, Purpose::Verify, guess)?;
        // An answer that was accepted was about a number.
        let phone = phone.ok_or(Refusal::Internal)?;
        let replaces = held(account, phone)?.state == NEXT;
        self.mark_verified(account, phone);
        if replaces {
            self.replace_primary(account, phone);
        } else if account.primary.is_none() {
            account.primary = Some(phone);
        }
        Ok(about(phone))
    }

    pub(super) fn request_removal(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
        phone: Id,
    ) -> Result<Told, Refusal> {
        held(account, phone)?;
        self.may_ask(account, capacity, phone, Purpose::Remove, Delivery::Send)?;
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
        let standing = account
            .challenge_for(phone, Purpose::Remove)
            .map(|standing| standing.id);
        if standing != Some(challenge) {
            let number = account.phone(phone).map(|phone| phone.number.clone());
            self.record_refused(account, CodeFailure::Absent, number.as_ref());
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

    /// No more than a user may do to the primary number, which may become any proven one.
    pub(super) fn remove_number(
        &mut self,
        account: &mut Account,
        number: &Named,
    ) -> Result<Told, Refusal> {
        let number = number.clone()?;
        let proven = |phone: &&Phone| phone.number == number && phone.verified();
        let phone = account.phones.iter().find(proven);
        let phone = phone.ok_or(Refusal::PhoneNotFound)?.id;
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
            forget_next(account);
            account.primary = Some(phone.id);
            self.record(account, EventKind::PrimaryChanged, Some(&phone.number));
        }
        Ok(about(phone.id))
    }

    /// Takes a number out and tells its owner.
    pub(super) fn take_out(&mut self, account: &mut Account, phone: Id) -> Result<Told, Refusal> {
        let phone = held(account, phone)?;
        if account.primary == Some(phone.id) {
            forget_next(account);
        }
        account.drop_phone(phone.id);
        self.record(account, EventKind::PhoneRemoved, Some(&phone.number));
        self.notify(account, &phone, MessageKind::Removed);
        Ok(about(phone.id))
    }

    /// The number is proven; the question is answered and gone. Nothing happens to a proven one.
    pub(super) fn mark_verified(&mut self, account: &mut Account, id: Id) {
        account
            .challenges
            .retain(|challenge| challenge.phone != id || challenge.purpose != Purpose::Verify);
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
        forget_next(account);
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

    /// Brings a number into a state, and says whether it was in another one.
    fn settle(&self, account: &mut Account, id: Id, state: PhoneState) -> bool {
        let mut phones = account.phones.iter_mut();
        let phone = phones.find(|phone| phone.id == id && phone.state != state);
        let changes = phone.is_some();
        if let Some(phone) = phone {
            phone.state = state;
            phone.changed_at = self.at.now;
        }
        changes
    }

    /// Whether the account may hold one more number.
    pub(super) fn has_room(&self, account: &Account, number: &Number) -> Result<(), Refusal> {
        let others = account.phones.iter().filter(|phone| {
            phone.number != *number && phone.state != NEXT && !account.is_stale(phone, self.at.now)
        });
        if others.count() >= self.at.policy.numbers.most_per_account {
            return Err(Refusal::TooManyNumbers);
        }
        Ok(())
    }
}

/// What was to replace a primary number has nothing left to replace when another one takes its place or
/// it goes.
pub(super) fn forget_next(account: &mut Account) {
    forget_next_but(account, None);
}

fn forget_next_but(account: &mut Account, kept: Option<Id>) {
    let next = |phone: &&Phone| phone.state == NEXT && Some(phone.id) != kept;
    let next: Vec<Id> = account
        .phones
        .iter()
        .filter(next)
        .map(|phone| phone.id)
        .collect();
    for phone in next {
        account.drop_phone(phone);
    }
}

/// A reply about one number.
fn about(phone: Id) -> Told {
    Told {
        phone: Some(phone),
        ..Told::default()
    }
}
