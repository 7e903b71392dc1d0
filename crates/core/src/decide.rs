//! The decision: one command, one account, one moment.

use crate::account::{Account, AccountLimits, Phone, PhoneState, Profile};
use crate::challenge::Purpose;
use crate::command::{
    Action, Command, Delivery, PhoneChange, ProfileChange, Reply, SetPhone, Told, Verification,
};
use crate::event::{Event, EventKind, Message, MessageKind};
use crate::limit::Budgets;
use crate::moment::{Draw, Id, Moment};
use crate::policy::Registration;
use crate::refusal::Refusal;
use crate::rights::{Capacity, Right};

/// What comes of a command. `events` and `messages` count also beside a refusal, and so does whatever
/// changed in the account and the budgets: a wrong guess is spent although it is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What the caller is told.
    pub result: Result<Reply, Refusal>,
    /// What goes on record.
    pub events: Vec<Event>,
    /// What is sent.
    pub messages: Vec<Message>,
}

/// Decides a command. `account` is `None` for an id that is not registered, before and after. `budgets`
/// must hold an entry for each name that [`Command::budgets`] gave. The same arguments decide the same.
pub fn decide(
    account: &mut Option<Account>,
    budgets: &mut Budgets,
    command: &Command,
    at: &Moment<'_>,
) -> Decision {
    let mut turn = Turn {
        command,
        at,
        budgets,
        draw: Draw::new(at),
        events: Vec::new(),
        messages: Vec::new(),
    };
    let result = turn.act(account);
    let Turn {
        events, messages, ..
    } = turn;
    Decision {
        result,
        events,
        messages,
    }
}

use limits::no_wait;

/// One command's turn: what it may use, and what it leaves behind.
struct Turn<'a> {
    command: &'a Command,
    at: &'a Moment<'a>,
    budgets: &'a mut Budgets,
    draw: Draw,
    events: Vec<Event>,
    messages: Vec<Message>,
}

/// What a number that is set twice means.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SameNumber {
    Refused,
    Accepted,
}

impl Turn<'_> {
    fn act(&mut self, slot: &mut Option<Account>) -> Result<Reply, Refusal> {
        let command = self.command;
        if let Action::Register {
            organization,
            profile,
            phone,
        } = &command.action
        {
            return self.register(slot, organization.as_deref(), profile, phone.as_ref());
        }
        let Some(account) = slot else {
            return self.register_self(slot);
        };
        let right = match &command.action {
            Action::Delete => Right::Delete,
            Action::Register { .. }
            | Action::Update { .. }
            | Action::SetPhone(_)
            | Action::ResendCode(_)
            | Action::ResendChange
            | Action::VerifyPhone { .. }
            | Action::AddPhone { .. }
            | Action::PreverifyPhone { .. }
            | Action::ChangePhone { .. }
            | Action::ConfirmPhone { .. }
            | Action::RequestRemoval { .. }
            | Action::ConfirmRemoval { .. }
            | Action::DropPhone { .. }
            | Action::RemoveNumber { .. }
            | Action::MakePrimary { .. }
            | Action::Unlock
            | Action::RemovePhone => Right::Write,
        };
        let capacity = command
            .caller
            .capacity(&account.id, &account.organization, right)?;
        if command.action == Action::Delete {
            // To delete an account is no self-service: it would let a limit be shed with it.
            if capacity == Capacity::Own {
                return Err(Refusal::PermissionDenied);
            }
            self.record(account, EventKind::Deleted, None);
            let reply = Reply::of(account, Told::default());
            *slot = None;
            return Ok(reply);
        }
        self.self_service(capacity)?;
        self.may_change(account, capacity)?;
        let told = self.change_counted(account, capacity)?;
        Ok(Reply::of(account, told))
    }

    fn register(
        &mut self,
        slot: &mut Option<Account>,
        organization: Option<&str>,
        profile: &Profile,
        phone: Option<&SetPhone>,
    ) -> Result<Reply, Refusal> {
        let caller = &self.command.caller;
        let organization = organization.unwrap_or(&caller.organization);
        let rights = caller.rights_at(organization);
        if !rights.write {
            // Whoever has no right at all in another organisation may not even act there.
            let foreign = organization != caller.home && !rights.any();
            return Err(if foreign {
                Refusal::OrganizationDenied
            } else {
                Refusal::PermissionDenied
            });
        }
        if slot.is_some() {
            return Err(Refusal::AccountExists);
        }
        let mut account = self.fresh(organization, profile.clone());
        let told = match phone {
            Some(set) => {
                self.may_set(&account, Capacity::Service, set)?;
                self.record(&mut account, EventKind::Registered, None);
                self.set(&mut account, Capacity::Service, set)?
            }
            None => {
                self.record(&mut account, EventKind::Registered, None);
                Told::default()
            }
        };
        let reply = Reply::of(&account, told);
        *slot = Some(account);
        Ok(reply)
    }

    /// The first self-service call of a user that the token's issuer vouches for.
    fn register_self(&mut self, slot: &mut Option<Account>) -> Result<Reply, Refusal> {
        let (command, caller) = (self.command, &self.command.caller);
        let changes_something = matches!(
            command.action,
            Action::SetPhone(_)
                | Action::AddPhone { .. }
                | Action::PreverifyPhone { .. }
                | Action::ChangePhone { .. }
                | Action::Update {
                    phone: PhoneChange::Set(_),
                    ..
                }
        );
        let capacity = if caller.may(Right::Write) {
            Capacity::Service
        } else {
            Capacity::Own
        };
        let allowed = self.at.policy.accounts.register == Registration::OnFirstToken
            && caller.user == command.account
            && (caller.is_home() || capacity == Capacity::Service)
            && changes_something;
        if !allowed {
            return Err(Refusal::AccountNotFound);
        }
        self.self_service(capacity)?;
        let mut account = self.fresh(&caller.organization, Profile::default());
        self.record(&mut account, EventKind::Registered, None);
        match self.change_counted(&mut account, capacity) {
            Ok(told) => {
                let reply = Reply::of(&account, told);
                *slot = Some(account);
                Ok(reply)
            }
            Err(refusal) => {
                self.events.clear();
                Err(refusal)
            }
        }
    }

    fn fresh(&self, organization: &str, mut profile: Profile) -> Account {
        let id = self.command.account.clone();
        if profile.username.is_empty() {
            profile.username.clone_from(&id);
        }
        Account {
            id,
            organization: organization.to_owned(),
            sequence: 0,
            created_at: self.at.now,
            changed_at: self.at.now,
            profile,
            phones: Vec::new(),
            primary: None,
            challenges: Vec::new(),
            limits: AccountLimits::default(),
        }
    }

    fn change(&mut self, account: &mut Account, capacity: Capacity) -> Result<Told, Refusal> {
        match &self.command.action {
            Action::SetPhone(set) => self.set_phone(account, capacity, set),
            Action::Update { profile, phone } => self.update(account, capacity, profile, phone),
            Action::ResendCode(delivery) => self.resend(account, capacity, *delivery),
            Action::VerifyPhone { code } => self.verify(account, code),
            Action::RemovePhone => self.remove(account),
            Action::AddPhone {
                number,
                verification,
            } => self.add(account, capacity, number, *verification),
            Action::PreverifyPhone { number } => self.preverify(account, capacity, number),
            Action::ChangePhone { number } => self.change_phone(account, capacity, number),
            Action::ResendChange => self.resend_change(account, capacity),
            Action::ConfirmPhone { which, code } => self.confirm(account, which, code),
            Action::RequestRemoval { phone } => self.request_removal(account, capacity, *phone),
            Action::ConfirmRemoval {
                phone,
                challenge,
                code,
            } => self.confirm_removal(account, *phone, *challenge, code),
            Action::DropPhone { phone } => self.drop_at_once(account, capacity, *phone),
            Action::RemoveNumber { number } => self.remove_number(account, number),
            Action::MakePrimary { phone } => self.make_primary(account, *phone),
            Action::Unlock => self.unlock(account, capacity),
            Action::Register { .. } | Action::Delete => Err(Refusal::Internal),
        }
    }

    /// The same number again is refused, unless a service vouches for one that is not proven yet.
    fn set_phone(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
        set: &SetPhone,
    ) -> Result<Told, Refusal> {
        let unproven = unchanged(account, set)
            .filter(|id| account.phone(*id).is_some_and(|phone| !phone.verified()));
        let vouched = set.verification == Verification::Trusted && capacity == Capacity::Service;
        if let Some(phone) = unproven.filter(|_| vouched) {
            self.mark_verified(account, phone);
            return Ok(Told::default());
        }
        self.may_set_other(account, capacity, set, SameNumber::Refused)?;
        self.set(account, capacity, set)
    }

    fn update(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
        profile: &ProfileChange,
        phone: &PhoneChange,
    ) -> Result<Told, Refusal> {
        if capacity == Capacity::Own && matches!(profile.email, Some((_, true))) {
            return Err(Refusal::PermissionDenied);
        }
        // Everything that can be refused comes before anything that changes.
        match phone {
            PhoneChange::Keep => {}
            PhoneChange::Set(set) => {
                self.may_set_other(account, capacity, set, SameNumber::Accepted)?;
            }
            PhoneChange::Remove if account.primary.is_none() => return Err(Refusal::PhoneNotFound),
            PhoneChange::Remove => {}
        }
        let before = account.profile.clone();
        profile.apply(&mut account.profile);
        if account.profile != before {
            self.record(account, EventKind::ProfileChanged, None);
        }
        match phone {
            PhoneChange::Keep => Ok(Told::default()),
            PhoneChange::Remove => self.remove(account),
            PhoneChange::Set(set) => match (unchanged(account, set), set.verification) {
                (None, _) => self.set(account, capacity, set),
                (Some(_), Verification::Code(_)) => Ok(Told::default()),
                (Some(phone), Verification::Trusted) => {
                    self.mark_verified(account, phone);
                    Ok(Told::default())
                }
            },
        }
    }

    /// [`Turn::may_set`] for a number that may be the present one.
    fn may_set_other(
        &self,
        account: &Account,
        capacity: Capacity,
        set: &SetPhone,
        same: SameNumber,
    ) -> Result<(), Refusal> {
        match unchanged(account, set) {
            Some(_) if !trusts(capacity, set.verification) => Err(Refusal::PermissionDenied),
            Some(_) if same == SameNumber::Refused => Err(Refusal::PhoneUnchanged),
            Some(_) => Ok(()),
            None => self.may_set(account, capacity, set),
        }
    }

    /// Whether [`Turn::set`] would succeed. Spends nothing.
    fn may_set(
        &self,
        account: &Account,
        capacity: Capacity,
        set: &SetPhone,
    ) -> Result<(), Refusal> {
        if !trusts(capacity, set.verification) {
            return Err(Refusal::PermissionDenied);
        }
        let number = set.number.as_ref().map_err(|error| Refusal::from(*error))?;
        if account.primary.is_none() {
            self.has_room(account, number)?;
        }
        let mut waits = Vec::new();
        if set.verification == Verification::Code(Delivery::Send) {
            waits.extend(self.send_waits(account, number)?);
        }
        waits.extend(self.set_wait(account, capacity));
        no_wait(waits)
    }

    /// Sets the primary number. Call it after [`Turn::may_set`].
    fn set(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
        set: &SetPhone,
    ) -> Result<Told, Refusal> {
        let number = set.number.clone()?;
        self.take_set(account, capacity);
        if let Some(old) = account.primary_phone().cloned() {
            account.drop_phone(old.id);
            if old.number != number {
                self.notify(account, &old, MessageKind::Replaced);
            }
        }
        numbers::forget_next(account);
        let same = account.phones.iter().find(|phone| phone.number == number);
        if let Some(same) = same.map(|phone| phone.id) {
            account.drop_phone(same);
        }
        let id = self.put(account, &number, PhoneState::Unverified);
        account.primary = Some(id);
        self.record(account, EventKind::PhoneSet, Some(&number));
        match set.verification {
            Verification::Trusted => {
                self.mark_verified(account, id);
                Ok(Told::default())
            }
            Verification::Code(delivery) => self.ask(account, id, Purpose::Verify, delivery),
        }
    }

    fn remove(&mut self, account: &mut Account) -> Result<Told, Refusal> {
        let phone = account.primary.ok_or(Refusal::PhoneNotFound)?;
        self.take_out(account, phone)
    }
}

/// Whether a caller's word or eyes may stand in for the owner's phone: a code in the reply and a number
/// taken for verified are for services only. Self-service could otherwise prove numbers it does not own.
fn trusts(capacity: Capacity, verification: Verification) -> bool {
    match verification {
        Verification::Code(Delivery::Send) => true,
        Verification::Code(Delivery::Return) | Verification::Trusted => {
            capacity == Capacity::Service
        }
    }
}

/// The primary number, when it is the one that shall be set.
fn unchanged(account: &Account, set: &SetPhone) -> Option<Id> {
    let number = set.number.as_ref().ok()?;
    let phone = account.primary_phone()?;
    (phone.number == *number).then_some(phone.id)
}

/// A number by its name, where a command names one that must exist.
fn held(account: &Account, phone: Id) -> Result<Phone, Refusal> {
    account.phone(phone).cloned().ok_or(Refusal::PhoneNotFound)
}

mod codes;
mod limits;
mod numbers;
mod own;
mod records;
#[cfg(test)]
mod tests;
