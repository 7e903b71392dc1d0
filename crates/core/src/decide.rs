//! The decision: one command, one account, one moment.

use crate::Number;
use crate::account::{Account, AccountLimits, Phone, PhoneState, Profile};
use crate::challenge::{Challenge, Purpose};
use crate::code::Code;
use crate::command::{
    Action, Command, Delivery, PhoneChange, ProfileChange, Reply, SetPhone, Verification,
};
use crate::event::{Event, EventKind, Message, MessageKind, Shadow};
use crate::limit::{Budget, Budgets, Limit};
use crate::moment::{Draw, Id, Moment};
use crate::policy::Registration;
use crate::refusal::{CodeFailure, Refusal};
use crate::rights::{Capacity, Right};

use std::time::Duration;

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

/// How long a notice to an old number is worth sending.
const NOTICE_LIFE: Duration = Duration::from_secs(86_400);

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
            | Action::VerifyPhone { .. }
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
            let reply = Reply::of(account, None);
            *slot = None;
            return Ok(reply);
        }
        let code = self.change(account, capacity)?;
        Ok(Reply::of(account, code))
    }

    fn register(
        &mut self,
        slot: &mut Option<Account>,
        organization: Option<&str>,
        profile: &Profile,
        phone: Option<&SetPhone>,
    ) -> Result<Reply, Refusal> {
        let caller = &self.command.caller;
        if !caller.may_write {
            return Err(Refusal::PermissionDenied);
        }
        let organization = organization.unwrap_or(&caller.organization);
        if !caller.everywhere && organization != caller.organization {
            return Err(Refusal::OrganizationDenied);
        }
        if slot.is_some() {
            return Err(Refusal::AccountExists);
        }
        let mut account = self.fresh(organization, profile.clone());
        let code = match phone {
            Some(set) => {
                self.may_set(&account, Capacity::Service, set)?;
                self.record(&mut account, EventKind::Registered, None);
                self.set(&mut account, Capacity::Service, set)?
            }
            None => {
                self.record(&mut account, EventKind::Registered, None);
                None
            }
        };
        let reply = Reply::of(&account, code);
        *slot = Some(account);
        Ok(reply)
    }

    /// The first self-service call of a user that the token's issuer vouches for.
    fn register_self(&mut self, slot: &mut Option<Account>) -> Result<Reply, Refusal> {
        let (command, caller) = (self.command, &self.command.caller);
        let changes_something = matches!(
            command.action,
            Action::SetPhone(_)
                | Action::Update {
                    phone: PhoneChange::Set(_),
                    ..
                }
        );
        let allowed = self.at.policy.accounts.register == Registration::OnFirstToken
            && caller.user == command.account
            && changes_something;
        if !allowed {
            return Err(Refusal::AccountNotFound);
        }
        let capacity = if caller.may_write {
            Capacity::Service
        } else {
            Capacity::Own
        };
        let mut account = self.fresh(&caller.organization, Profile::default());
        self.record(&mut account, EventKind::Registered, None);
        match self.change(&mut account, capacity) {
            Ok(code) => {
                let reply = Reply::of(&account, code);
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

    fn change(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
    ) -> Result<Option<Code>, Refusal> {
        match &self.command.action {
            Action::SetPhone(set) => {
                self.may_set_other(account, capacity, set, SameNumber::Refused)?;
                self.set(account, capacity, set)
            }
            Action::Update { profile, phone } => self.update(account, capacity, profile, phone),
            Action::ResendCode(delivery) => self.resend(account, capacity, *delivery),
            Action::VerifyPhone { code } => self.verify(account, code).map(|()| None),
            Action::RemovePhone => self.remove(account).map(|()| None),
            Action::Register { .. } | Action::Delete => Err(Refusal::Internal),
        }
    }

    fn update(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
        profile: &ProfileChange,
        phone: &PhoneChange,
    ) -> Result<Option<Code>, Refusal> {
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
            PhoneChange::Keep => Ok(None),
            PhoneChange::Remove => self.remove(account).map(|()| None),
            PhoneChange::Set(set) => match (unchanged(account, set), set.verification) {
                (None, _) => self.set(account, capacity, set),
                (Some(_), Verification::Code(_)) => Ok(None),
                (Some(phone), Verification::Trusted) => {
                    self.mark_verified(account, phone);
                    Ok(None)
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
        let adds =
            account.primary.is_none() && account.phones.iter().all(|phone| phone.number != *number);
        if adds && account.phones.len() >= self.at.policy.numbers.most_per_account {
            return Err(Refusal::TooManyNumbers);
        }
        let mut waits = Vec::new();
        if set.verification == Verification::Code(Delivery::Send) {
            waits.extend(self.send_waits(account, number)?);
        }
        if capacity == Capacity::Own {
            let windows = &self.at.policy.limits.sets_per_account;
            let wait = account.limits.sets.wait(windows, self.at.now);
            waits.extend(wait.map(|wait| (Limit::AccountSets, wait)));
        }
        no_wait(waits)
    }

    /// Sets the primary number. Call it after [`Turn::may_set`].
    fn set(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
        set: &SetPhone,
    ) -> Result<Option<Code>, Refusal> {
        let number = set.number.clone()?;
        let (now, policy) = (self.at.now, self.at.policy);
        if capacity == Capacity::Own {
            account
                .limits
                .sets
                .take(&policy.limits.sets_per_account, now);
        }
        if let Some(old) = account.primary_phone().cloned() {
            account.drop_phone(old.id);
            if old.number != number {
                self.notify(account, &old, MessageKind::Replaced);
            }
        }
        let held = account
            .phones
            .iter()
            .find(|phone| phone.number == number)
            .map(|p| p.id);
        if let Some(secondary) = held {
            account.drop_phone(secondary);
        }
        let phone = Phone {
            id: self.draw.id(),
            number: number.clone(),
            state: PhoneState::Unverified,
            created_at: now,
            changed_at: now,
        };
        let id = phone.id;
        account.phones.push(phone);
        account.primary = Some(id);
        self.record(account, EventKind::PhoneSet, Some(&number));
        match set.verification {
            Verification::Trusted => {
                self.mark_verified(account, id);
                Ok(None)
            }
            Verification::Code(delivery) => {
                let guesses = policy.codes.guesses;
                let challenge =
                    Challenge::open(id, Purpose::Verify, guesses, self.at, &mut self.draw);
                account.challenges.push(challenge.clone());
                self.hand_out(account, &challenge, &number, delivery)
            }
        }
    }

    fn resend(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
        delivery: Delivery,
    ) -> Result<Option<Code>, Refusal> {
        if !trusts(capacity, Verification::Code(delivery)) {
            return Err(Refusal::PermissionDenied);
        }
        let phone = account
            .primary_phone()
            .cloned()
            .ok_or(Refusal::CodeAbsent)?;
        let present = account
            .challenge_for(phone.id, Purpose::Verify)
            .map(|challenge| challenge.clone())
            .ok_or(Refusal::CodeAbsent)?;
        let (now, codes) = (self.at.now, &self.at.policy.codes);
        let remaining = present.expires_at.since(now);
        let mut waits = Vec::new();
        if !remaining.is_zero() && present.guesses_left == 0 {
            waits.push((Limit::Guesses, remaining));
        }
        if delivery == Delivery::Send {
            waits.extend(self.send_waits(account, &phone.number)?);
        }
        no_wait(waits)?;
        let repeats = remaining >= Duration::from_secs(codes.reuse_seconds)
            && present.code(self.at.keys).is_some();
        let challenge = if repeats {
            present
        } else {
            // A new code for the same question brings no new guesses; a new question does.
            let guesses = if remaining.is_zero() {
                codes.guesses
            } else {
                present.guesses_left
            };
            let challenge =
                Challenge::open(phone.id, Purpose::Verify, guesses, self.at, &mut self.draw);
            account.challenges.retain(|old| old.id != present.id);
            account.challenges.push(challenge.clone());
            challenge
        };
        self.hand_out(account, &challenge, &phone.number, delivery)
    }

    fn verify(&mut self, account: &mut Account, guess: &str) -> Result<(), Refusal> {
        let number = account.primary_phone().map(|phone| phone.number.clone());
        match self.examine(account, guess) {
            Ok(phone) => {
                account.limits.failures = Default::default();
                if let Some(number) = &number {
                    self.budget(number)?.succeed();
                }
                self.mark_verified(account, phone);
                Ok(())
            }
            Err(failure) => {
                // A guess that cannot be a code is a slip of the hand, not an event.
                if failure != CodeFailure::Shape {
                    let kind = EventKind::VerificationFailed(failure);
                    self.record(account, kind, number.as_ref());
                }
                Err(Refusal::CodeRefused(failure))
            }
        }
    }

    /// Looks at a guess, counts it when it is wrong, and says whose number it verifies when it is right.
    fn examine(&mut self, account: &mut Account, guess: &str) -> Result<Id, CodeFailure> {
        let (now, limits) = (self.at.now, &self.at.policy.limits);
        let phone = account
            .primary_phone()
            .cloned()
            .ok_or(CodeFailure::Absent)?;
        // Without its budget the number's wrong guesses are unknown, so nothing may be looked at.
        let pseudonym = self.at.keys.pseudonym(&phone.number);
        let budget = self
            .budgets
            .get_mut(&pseudonym)
            .ok_or(CodeFailure::Locked)?;
        let waits =
            !account.limits.failures.allow(limits, now) || !budget.failures.allow(limits, now);
        let challenge = account
            .challenge_for(phone.id, Purpose::Verify)
            .ok_or(CodeFailure::Absent)?;
        let guess = challenge.shape.normalise(guess).ok_or(CodeFailure::Shape)?;
        if now >= challenge.expires_at {
            return Err(CodeFailure::Expired);
        }
        if challenge.guesses_left == 0 {
            return Err(CodeFailure::Spent);
        }
        if waits {
            return Err(CodeFailure::Locked);
        }
        let code = challenge.code(self.at.keys).ok_or(CodeFailure::Expired)?;
        if code.matches(&guess) {
            return Ok(phone.id);
        }
        challenge.guesses_left -= 1;
        account.limits.failures.add(now);
        budget.failures.add(now);
        Err(CodeFailure::Wrong)
    }

    fn remove(&mut self, account: &mut Account) -> Result<(), Refusal> {
        let phone = account
            .primary_phone()
            .cloned()
            .ok_or(Refusal::PhoneNotFound)?;
        account.drop_phone(phone.id);
        self.record(account, EventKind::PhoneRemoved, Some(&phone.number));
        self.notify(account, &phone, MessageKind::Removed);
        Ok(())
    }

    /// The number is proven; the question is answered and gone. Nothing happens to a proven one.
    fn mark_verified(&mut self, account: &mut Account, id: Id) {
        let now = self.at.now;
        account.challenges.retain(|challenge| challenge.phone != id);
        let phone = account
            .phones
            .iter_mut()
            .find(|phone| phone.id == id && !phone.verified());
        if let Some(phone) = phone {
            phone.state = PhoneState::Verified { at: now };
            phone.changed_at = now;
            let number = phone.number.clone();
            self.record(account, EventKind::PhoneVerified, Some(&number));
        }
    }

    fn hand_out(
        &mut self,
        account: &mut Account,
        challenge: &Challenge,
        number: &Number,
        delivery: Delivery,
    ) -> Result<Option<Code>, Refusal> {
        match delivery {
            Delivery::Return => {
                self.record(account, EventKind::CodeReturned, Some(number));
                challenge
                    .code(self.at.keys)
                    .map(Some)
                    .ok_or(Refusal::Internal)
            }
            Delivery::Send => {
                let (now, limits) = (self.at.now, &self.at.policy.limits);
                self.budget(number)?.take(limits, now);
                account.limits.sends.take(&limits.sends_per_account, now);
                let challenge_id = challenge.id;
                self.enqueue(
                    account,
                    number,
                    MessageKind::Code {
                        challenge: challenge_id,
                    },
                    challenge.expires_at,
                );
                self.record(account, EventKind::CodeSent, Some(number));
                Ok(None)
            }
        }
    }

    /// What a message to the number has to wait for. Spends nothing.
    fn send_waits(
        &self,
        account: &Account,
        number: &Number,
    ) -> Result<Vec<(Limit, Duration)>, Refusal> {
        let (now, limits) = (self.at.now, &self.at.policy.limits);
        let pseudonym = self.at.keys.pseudonym(number);
        let budget = self.budgets.get(&pseudonym).ok_or(Refusal::Internal)?;
        let wait = account.limits.sends.wait(&limits.sends_per_account, now);
        let mut waits = budget.waits(limits, now);
        waits.extend(wait.map(|wait| (Limit::AccountSends, wait)));
        Ok(waits)
    }

    fn budget(&mut self, number: &Number) -> Result<&mut Budget, Refusal> {
        self.budgets
            .get_mut(&self.at.keys.pseudonym(number))
            .ok_or(Refusal::Internal)
    }

    /// Tells a verified number what became of it.
    fn notify(&mut self, account: &Account, phone: &Phone, kind: MessageKind) {
        if phone.verified() && self.at.policy.notify.old_number {
            self.enqueue(account, &phone.number, kind, self.at.now + NOTICE_LIFE);
        }
    }

    fn enqueue(
        &mut self,
        account: &Account,
        number: &Number,
        kind: MessageKind,
        expires_at: crate::Time,
    ) {
        let languages = [
            &account.profile.preferred_language,
            &self.command.caller.language,
        ];
        let language: Vec<&str> = languages
            .iter()
            .map(|text| text.as_str())
            .filter(|text| !text.is_empty())
            .collect();
        self.messages.push(Message {
            id: self.draw.id(),
            account: account.id.clone(),
            number: number.clone(),
            kind,
            language: language.join(","),
            created_at: self.at.now,
            expires_at,
        });
    }

    fn record(&mut self, account: &mut Account, kind: EventKind, number: Option<&Number>) {
        account.sequence += 1;
        account.changed_at = self.at.now;
        self.events.push(Event {
            id: self.draw.id(),
            account: account.id.clone(),
            organization: account.organization.clone(),
            sequence: account.sequence,
            at: self.at.now,
            actor: self.command.caller.user.clone(),
            kind,
            number: number.map(|number| Shadow::of(number, self.at.keys)),
        });
    }
}

/// Refuses for the limit that holds longest, so that whoever waits as told meets none of the others.
fn no_wait(waits: Vec<(Limit, Duration)>) -> Result<(), Refusal> {
    match waits.into_iter().max_by_key(|(_, wait)| *wait) {
        None => Ok(()),
        Some((limit, retry_after)) => Err(Refusal::Limited { limit, retry_after }),
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

#[cfg(test)]
mod tests;
