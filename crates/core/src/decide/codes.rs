//! Questions and answers: codes handed out, repeated, submitted and counted.

use std::time::Duration;

use super::{Turn, trusts};
use crate::Number;
use crate::account::Account;
use crate::challenge::{Challenge, Purpose};
use crate::command::{Delivery, Told, Verification};
use crate::event::{EventKind, MessageKind};
use crate::limit::{Budget, Failures, Limit};
use crate::moment::Id;
use crate::refusal::{CodeFailure, Refusal};
use crate::rights::Capacity;

impl Turn<'_> {
    /// The code of the primary number's question again.
    pub(super) fn resend(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
        delivery: Delivery,
    ) -> Result<Told, Refusal> {
        if !trusts(capacity, Verification::Code(delivery)) {
            return Err(Refusal::PermissionDenied);
        }
        let phone = account.primary.ok_or(Refusal::CodeAbsent)?;
        if account.challenge_for(phone, Purpose::Verify).is_none() {
            return Err(Refusal::CodeAbsent);
        }
        self.may_ask(account, phone, Purpose::Verify, delivery)?;
        self.ask(account, phone, Purpose::Verify, delivery)
    }

    /// The code of the primary number.
    pub(super) fn verify(&mut self, account: &mut Account, guess: &str) -> Result<Told, Refusal> {
        self.answer(account, account.primary, Purpose::Verify, guess)?;
        if let Some(phone) = account.primary {
            self.mark_verified(account, phone);
        }
        Ok(Told::default())
    }

    /// Whether [`Turn::ask`] may be called. Spends nothing.
    pub(super) fn may_ask(
        &self,
        account: &mut Account,
        phone: Id,
        purpose: Purpose,
        delivery: Delivery,
    ) -> Result<(), Refusal> {
        no_wait(self.ask_waits(account, phone, purpose, delivery)?)
    }

    /// What [`Turn::ask`] has to wait for. Spends nothing.
    pub(super) fn ask_waits(
        &self,
        account: &mut Account,
        phone: Id,
        purpose: Purpose,
        delivery: Delivery,
    ) -> Result<Vec<(Limit, Duration)>, Refusal> {
        let mut waits = Vec::new();
        if let Some(present) = account.challenge_for(phone, purpose) {
            let remaining = present.expires_at.since(self.at.now);
            if !remaining.is_zero() && present.guesses_left == 0 {
                waits.push((Limit::Guesses, remaining));
            }
        }
        if delivery == Delivery::Send {
            let phone = super::held(account, phone)?;
            waits.extend(self.send_waits(account, &phone.number)?);
        }
        Ok(waits)
    }

    /// Hands out the code of the question that stands, or of a new one when none stands or too little of
    /// it remains. Call it after [`Turn::may_ask`].
    pub(super) fn ask(
        &mut self,
        account: &mut Account,
        phone: Id,
        purpose: Purpose,
        delivery: Delivery,
    ) -> Result<Told, Refusal> {
        let number = super::held(account, phone)?.number;
        let codes = &self.at.policy.codes;
        let present = account
            .challenge_for(phone, purpose)
            .map(|present| present.clone());
        let remaining = |challenge: &Challenge| challenge.expires_at.since(self.at.now);
        let repeats = |challenge: &Challenge| {
            remaining(challenge) >= Duration::from_secs(codes.reuse_seconds)
                && challenge.code(self.at.keys).is_some()
        };
        let old = present.as_ref().map(|present| present.id);
        let challenge = match present {
            Some(present) if repeats(&present) => present,
            present => {
                // A new code for the same question brings no new guesses; a new question does.
                let guesses = match &present {
                    Some(present) if !remaining(present).is_zero() => present.guesses_left,
                    Some(_) | None => codes.guesses,
                };
                Challenge::open(phone, purpose, guesses, self.at, &mut self.draw)
            }
        };
        // The one that was asked last stands last.
        account
            .challenges
            .retain(|challenge| Some(challenge.id) != old);
        account.challenges.push(challenge.clone());
        let mut told = Told {
            code: None,
            phone: Some(phone),
            challenge: Some(challenge.id),
        };
        match delivery {
            Delivery::Return => {
                self.record(account, EventKind::CodeReturned, Some(&number));
                told.code = Some(challenge.code(self.at.keys).ok_or(Refusal::Internal)?);
            }
            Delivery::Send => {
                let (now, limits) = (self.at.now, &self.at.policy.limits);
                self.budget(&number)?.take(limits, now);
                account.limits.sends.take(&limits.sends_per_account, now);
                let id = challenge.id;
                let kind = match purpose {
                    Purpose::Verify => MessageKind::Code { challenge: id },
                    Purpose::Remove => MessageKind::RemovalCode { challenge: id },
                };
                self.enqueue(account, &number, kind, challenge.expires_at);
                self.record(account, EventKind::CodeSent, Some(&number));
            }
        }
        Ok(told)
    }

    /// Looks at a guess: counted when it is wrong, the end of all counting and of the question when it is
    /// right. `None` is a number that does not exist, which is told like any other wrong guess.
    pub(super) fn answer(
        &mut self,
        account: &mut Account,
        phone: Option<Id>,
        purpose: Purpose,
        guess: &str,
    ) -> Result<(), Refusal> {
        let number = phone
            .and_then(|id| account.phone(id))
            .map(|phone| phone.number.clone());
        match self.examine(account, phone, number.as_ref(), purpose, guess) {
            Ok(challenge) => {
                account.challenges.retain(|other| other.id != challenge);
                account.limits.failures = Failures::default();
                if let Some(number) = &number {
                    self.budget(number)?.succeed();
                }
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

    fn examine(
        &mut self,
        account: &mut Account,
        phone: Option<Id>,
        number: Option<&Number>,
        purpose: Purpose,
        guess: &str,
    ) -> Result<Id, CodeFailure> {
        let (now, limits) = (self.at.now, &self.at.policy.limits);
        let (phone, number) = phone.zip(number).ok_or(CodeFailure::Absent)?;
        // Without its budget the number's wrong guesses are unknown, so nothing may be looked at.
        let pseudonym = self.at.keys.pseudonym(number);
        let budget = self
            .budgets
            .get_mut(&pseudonym)
            .ok_or(CodeFailure::Locked)?;
        let waits =
            !account.limits.failures.allow(limits, now) || !budget.failures.allow(limits, now);
        let challenge = account
            .challenge_for(phone, purpose)
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
            return Ok(challenge.id);
        }
        challenge.guesses_left -= 1;
        account.limits.failures.add(now);
        budget.failures.add(now);
        Err(CodeFailure::Wrong)
    }

    /// What a code sent to the number has to wait for. Refuses a kind of number that is not served. Spends
    /// nothing.
    pub(super) fn send_waits(
        &self,
        account: &Account,
        number: &Number,
    ) -> Result<Vec<(Limit, Duration)>, Refusal> {
        let kind = number.kind();
        if !self.at.policy.numbers.kinds.contains(&kind) {
            return Err(Refusal::NumberKindNotServed(kind));
        }
        let (now, limits) = (self.at.now, &self.at.policy.limits);
        let pseudonym = self.at.keys.pseudonym(number);
        let budget = self.budgets.get(&pseudonym).ok_or(Refusal::Internal)?;
        let wait = account.limits.sends.wait(&limits.sends_per_account, now);
        let mut waits = budget.waits(limits, now);
        waits.extend(wait.map(|wait| (Limit::AccountSends, wait)));
        Ok(waits)
    }

    fn budget(&mut self, number: &Number) -> Result<&mut Budget, Refusal> {
        let pseudonym = self.at.keys.pseudonym(number);
        self.budgets.get_mut(&pseudonym).ok_or(Refusal::Internal)
    }
}

/// Refuses for the limit that holds longest, so that whoever waits as told meets none of the others.
pub(super) fn no_wait(waits: Vec<(Limit, Duration)>) -> Result<(), Refusal> {
    match waits.into_iter().max_by_key(|(_, wait)| *wait) {
        None => Ok(()),
        Some((limit, retry_after)) => Err(Refusal::Limited { limit, retry_after }),
    }
}
