//! The primary number: set, replaced at once, updated beside the profile.

use super::Decider;
use super::limits::no_wait;
use super::outcome::Outcome;
use crate::Number;
use crate::account::{Account, Phone, PhoneState, ProfileChange};
use crate::challenge::Purpose;
use crate::command::{Delivery, PhoneChange, SetPhone, Verification};
use crate::event::{EventKind, MessageKind};
use crate::refusal::Refusal;
use crate::rights::Capacity;

impl Decider<'_> {
    /// The same number again is refused, unless a service vouches for one that is not proven yet.
    pub(super) fn set_primary(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
        set: &SetPhone,
    ) -> Result<Outcome, Refusal> {
        match (self.unchanged(account, set).cloned(), set.verification) {
            (Some(phone), Verification::Trusted) if !phone.verified() => {
                self.mark_verified(account, phone.id);
                Ok(Outcome::default())
            }
            (Some(_), _) => Err(Refusal::PhoneUnchanged),
            (None, _) => {
                self.check_set(account, capacity, set)?;
                self.set(account, capacity, set)
            }
        }
    }

    pub(super) fn update(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
        profile: &ProfileChange,
        phone: &PhoneChange,
    ) -> Result<Outcome, Refusal> {
        // Everything that can be refused comes before anything that changes.
        match phone {
            PhoneChange::Keep => {}
            PhoneChange::Set(set) if self.unchanged(account, set).is_some() => {}
            PhoneChange::Set(set) => self.check_set(account, capacity, set)?,
            PhoneChange::Remove if account.primary.is_none() => return Err(Refusal::PhoneNotFound),
            PhoneChange::Remove => {}
        }
        let before = account.profile.clone();
        profile.apply(&mut account.profile);
        if account.profile != before {
            self.record(account, EventKind::ProfileChanged, None);
        }
        match phone {
            PhoneChange::Keep => Ok(Outcome::default()),
            PhoneChange::Remove => {
                let phone = account.primary.ok_or(Refusal::PhoneNotFound)?;
                self.remove_phone(account, phone)
            }
            PhoneChange::Set(set) => {
                let present = self.unchanged(account, set).map(|phone| phone.id);
                match (present, set.verification) {
                    (None, _) => self.set(account, capacity, set),
                    (Some(_), Verification::Code(_)) => Ok(Outcome::default()),
                    (Some(phone), Verification::Trusted) => {
                        self.mark_verified(account, phone);
                        Ok(Outcome::default())
                    }
                }
            }
        }
    }

    /// The primary number, when it is the one that shall be set.
    fn unchanged<'a>(&self, account: &'a Account, set: &SetPhone) -> Option<&'a Phone> {
        let number = self.spelt(&set.number).ok()?;
        let primary = account.primary_phone();
        primary.filter(|phone| phone.number == number)
    }

    /// Whether [`Decider::set`] would succeed. Spends nothing.
    pub(super) fn check_set(
        &self,
        account: &Account,
        capacity: Capacity,
        set: &SetPhone,
    ) -> Result<(), Refusal> {
        let number = self.read(&set.number)?;
        if account.primary.is_none() {
            self.has_room(account, &number)?;
        }
        let mut waits = Vec::new();
        if set.verification == Verification::Code(Delivery::Send) {
            waits.extend(self.send_waits(account, &number, Purpose::Verify)?);
        }
        waits.extend(self.set_wait(account, capacity));
        no_wait(waits)
    }

    /// Sets the primary number. Call it after [`Decider::check_set`].
    pub(super) fn set(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
        set: &SetPhone,
    ) -> Result<Outcome, Refusal> {
        let number = self.read(&set.number)?;
        self.take_set(account, capacity);
        self.give_up_primary(account, &number);
        let id = self.insert_phone(account, &number, PhoneState::Unverified);
        account.primary = Some(id);
        self.record(account, EventKind::PhoneSet, Some(&number));
        match set.verification {
            Verification::Trusted => {
                self.mark_verified(account, id);
                Ok(Outcome::default())
            }
            Verification::Code(delivery) => self.issue_code(account, id, Purpose::Verify, delivery),
        }
    }

    /// Makes way for a number: the primary one goes, and so does that number where it is another one.
    fn give_up_primary(&mut self, account: &mut Account, number: &Number) {
        if let Some(old) = account.primary_phone().cloned() {
            account.drop_phone(old.id);
            if old.number != *number {
                self.notify(account, &old, MessageKind::Replaced);
            }
        }
        account.drop_next(None);
        let same = account.phones.iter().find(|phone| phone.number == *number);
        if let Some(same) = same.map(|phone| phone.id) {
            account.drop_phone(same);
        }
    }
}
