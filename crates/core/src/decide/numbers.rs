//! Several numbers: added, announced, put in the primary one's place, made the primary one, removed.

use super::Decider;
use super::limits::no_wait;
use super::outcome::{Outcome, reply_about};
use crate::Number;
use crate::account::{Account, NEXT, Pending, Phone, PhoneState};
use crate::challenge::Purpose;
use crate::command::{Delivery, NumberText, SetPhone, Verification, Which};
use crate::event::{EventKind, MessageKind};
use crate::moment::Id;
use crate::refusal::Refusal;
use crate::rights::Capacity;

const SENT: Verification = Verification::Code(Delivery::Send);

impl Decider<'_> {
    pub(super) fn add(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
        number: &NumberText,
        verification: Option<Verification>,
    ) -> Result<Outcome, Refusal> {
        let number = self.read(number)?;
        let present = account.phone_of(&number).cloned();
        match &present {
            Some(phone) if phone.verified() => return Err(Refusal::PhoneUnchanged),
            Some(phone) if phone.state != NEXT => {}
            Some(_) | None => self.has_room(account, &number)?,
        }
        let mut waits: Vec<_> = self.set_wait(account, capacity).into_iter().collect();
        match (&present, verification) {
            (Some(phone), Some(Verification::Code(delivery))) => {
                let (id, purpose) = (phone.id, Purpose::Verify);
                waits.extend(self.issue_waits(account, capacity, id, purpose, delivery)?);
            }
            (None, Some(SENT)) => {
                waits.extend(self.send_waits(account, &number, Purpose::Verify)?)
            }
            (Some(_), Some(Verification::Trusted) | None) | (None, _) => {}
        }
        no_wait(waits)?;

        self.take_set(account, capacity);
        let (id, joins) = match present {
            // Added again before it was proven: it is the account's from now on.
            Some(phone) => (
                phone.id,
                self.set_state(account, phone.id, PhoneState::Unverified),
            ),
            None => (
                self.insert_phone(account, &number, PhoneState::Unverified),
                true,
            ),
        };
        if account.primary.is_none() {
            account.primary = Some(id);
        }
        if joins {
            self.record(account, EventKind::PhoneAdded, Some(&number));
        }
        match verification {
            Some(Verification::Code(delivery)) => {
                self.issue_code(account, id, Purpose::Verify, delivery)
            }
            Some(Verification::Trusted) => {
                self.mark_verified(account, id);
                Ok(reply_about(id))
            }
            None => Ok(reply_about(id)),
        }
    }

    pub(super) fn preverify(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
        number: &NumberText,
    ) -> Result<Outcome, Refusal> {
        let number = self.read(number)?;
        self.announce(account, capacity, number, Pending::Joins)
    }

    pub(super) fn replace(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
        text: &NumberText,
    ) -> Result<Outcome, Refusal> {
        let number = self.read(text)?;
        let proven = account.phone_of(&number).filter(|phone| phone.verified());
        if let Some(proven) = proven.map(|phone| phone.id) {
            if account.primary == Some(proven) {
                // Whoever wants the present number wants no other one any more.
                account.drop_next(None);
            } else {
                self.replace_primary(account, proven);
            }
            return Ok(reply_about(proven));
        }
        match account.primary_phone().cloned() {
            Some(primary) if primary.verified() => {
                self.announce(account, capacity, number, Pending::Replaces)
            }
            Some(primary) if primary.number == number => {
                let (id, purpose) = (primary.id, Purpose::Verify);
                self.check_issue(account, capacity, id, purpose, Delivery::Send)?;
                self.issue_code(account, id, purpose, Delivery::Send)
            }
            Some(_) | None => {
                let set = SetPhone {
                    number: text.clone(),
                    verification: SENT,
                };
                self.check_set(account, capacity, &set)?;
                self.set(account, capacity, &set)
            }
        }
    }

    /// Sends a code to a number that becomes the account's once it is proven.
    fn announce(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
        number: Number,
        pending: Pending,
    ) -> Result<Outcome, Refusal> {
        let (id, waits_anew) = match account.phone_of(&number).cloned() {
            Some(phone) if phone.verified() => return Err(Refusal::PhoneUnchanged),
            Some(phone) => {
                if phone.state == NEXT && pending == Pending::Joins {
                    self.has_room(account, &number)?;
                }
                self.check_issue(account, capacity, phone.id, Purpose::Verify, Delivery::Send)?;
                // A number that is the account's already stays so while it waits to be proven.
                let waits = phone.pending() || pending == Pending::Replaces;
                let state = PhoneState::Pending(pending);
                (phone.id, waits && self.set_state(account, phone.id, state))
            }
            None => {
                // The one that is to replace the primary number needs no room of its own.
                if pending == Pending::Joins {
                    self.has_room(account, &number)?;
                }
                let mut waits = self.send_waits(account, &number, Purpose::Verify)?;
                waits.extend(self.set_wait(account, capacity));
                no_wait(waits)?;
                self.take_set(account, capacity);
                let id = self.insert_phone(account, &number, PhoneState::Pending(pending));
                (id, true)
            }
        };
        if pending == Pending::Replaces {
            // Only one number can be the next one.
            account.drop_next(Some(id));
        }
        if waits_anew {
            self.record(account, EventKind::PhonePending, Some(&number));
        }
        self.issue_code(account, id, Purpose::Verify, Delivery::Send)
    }

    pub(super) fn request_removal(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
        phone: Id,
    ) -> Result<Outcome, Refusal> {
        phone_or_refuse(account, phone)?;
        self.check_issue(account, capacity, phone, Purpose::Remove, Delivery::Send)?;
        self.issue_code(account, phone, Purpose::Remove, Delivery::Send)
    }

    /// By its text only a proven number is removed: no more than a user may do to the primary number, which
    /// may become any proven one.
    pub(super) fn remove(
        &mut self,
        account: &mut Account,
        which: &Which,
    ) -> Result<Outcome, Refusal> {
        let phone = self.find(account, which, Phone::verified)?;
        self.remove_phone(account, phone.ok_or(Refusal::PhoneNotFound)?)
    }

    pub(super) fn make_primary(
        &mut self,
        account: &mut Account,
        phone: Id,
    ) -> Result<Outcome, Refusal> {
        let phone = phone_or_refuse(account, phone)?;
        if !phone.verified() {
            return Err(Refusal::PhoneUnverified);
        }
        if account.primary != Some(phone.id) {
            account.drop_next(None);
            account.primary = Some(phone.id);
            self.record(account, EventKind::PrimaryChanged, Some(&phone.number));
        }
        Ok(reply_about(phone.id))
    }

    /// Takes a number out and tells its owner.
    pub(super) fn remove_phone(
        &mut self,
        account: &mut Account,
        phone: Id,
    ) -> Result<Outcome, Refusal> {
        let phone = phone_or_refuse(account, phone)?;
        if account.primary == Some(phone.id) {
            account.drop_next(None);
        }
        account.drop_phone(phone.id);
        self.record(account, EventKind::PhoneRemoved, Some(&phone.number));
        self.notify(account, &phone, MessageKind::Removed);
        Ok(reply_about(phone.id))
    }

    /// The number is proven; its challenge is answered and gone. Nothing happens to a proven one.
    pub(super) fn mark_verified(&mut self, account: &mut Account, id: Id) {
        account
            .challenges
            .retain(|challenge| challenge.phone != id || challenge.purpose != Purpose::Verify);
        let unproven = account.phone(id).filter(|phone| !phone.verified()).cloned();
        if let Some(phone) = unproven {
            self.set_state(account, id, PhoneState::Verified { at: self.at.now });
            self.record_verified(account, &phone.number);
        }
    }

    /// Another number takes the place of the primary one, which goes.
    pub(super) fn replace_primary(&mut self, account: &mut Account, next: Id) {
        if let Some(old) = account.primary_phone().cloned() {
            account.drop_phone(old.id);
            self.notify(account, &old, MessageKind::Replaced);
        }
        account.drop_next(None);
        account.primary = Some(next);
        let number = account.phone(next).map(|phone| phone.number.clone());
        self.record(account, EventKind::PrimaryChanged, number.as_ref());
    }

    /// Puts a number into the account and says its id.
    pub(super) fn insert_phone(
        &mut self,
        account: &mut Account,
        number: &Number,
        state: PhoneState,
    ) -> Id {
        account.drop_stale(self.at.now, None);
        let id = self.ids.id();
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
    fn set_state(&self, account: &mut Account, id: Id, state: PhoneState) -> bool {
        // It may take up the room of one that can no longer be proven: `has_room` does not count those.
        account.drop_stale(self.at.now, Some(id));
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
        if others.count() >= self.policy.numbers.most_per_account {
            return Err(Refusal::TooManyNumbers);
        }
        Ok(())
    }

    /// A number as the rules of the account's organisation read it.
    pub(super) fn read(&self, text: &NumberText) -> Result<Number, Refusal> {
        let number = self.spelt(text)?;
        self.policy.test_numbers.check(&number, self.at.now)?;
        Ok(number)
    }

    /// The same, of a number that the account may hold already.
    pub(super) fn spelt(&self, text: &NumberText) -> Result<Number, Refusal> {
        Ok(self
            .policy
            .test_numbers
            .read(&text.0, &self.policy.numbers)?)
    }

    /// Which of the account's numbers is meant. By its text only one is found that `fits`.
    pub(super) fn find(
        &self,
        account: &Account,
        which: &Which,
        fits: impl Fn(&Phone) -> bool,
    ) -> Result<Option<Id>, Refusal> {
        let mut verifying = account
            .challenges
            .iter()
            .filter(|challenge| challenge.purpose == Purpose::Verify);
        Ok(match which {
            Which::Primary => account.primary,
            Which::Next => {
                let next = account.phones.iter().find(|phone| phone.state == NEXT);
                next.map(|phone| phone.id).or(account.primary)
            }
            Which::Phone(id) => account.phone(*id).map(|phone| phone.id),
            Which::Number(text) => {
                let number = self.spelt(text)?;
                let phone = account.phone_of(&number).filter(|phone| fits(phone));
                phone.map(|phone| phone.id)
            }
            Which::Challenge(id) => {
                let challenge = verifying.find(|challenge| challenge.id == *id);
                challenge.map(|challenge| challenge.phone)
            }
            Which::Latest => verifying.next_back().map(|challenge| challenge.phone),
        })
    }
}

/// A number by its id, where a command names one that must exist.
pub(super) fn phone_or_refuse(account: &Account, phone: Id) -> Result<Phone, Refusal> {
    account.phone(phone).cloned().ok_or(Refusal::PhoneNotFound)
}
