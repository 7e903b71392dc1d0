//! Questions and answers: codes handed out, repeated, submitted and counted.

use std::time::Duration;

use super::limits::no_wait;
use super::{Turn, trusts};
use crate::Number;
use crate::account::Account;
use crate::challenge::{Challenge, Purpose};
use crate::command::{CodeTimes, Delivery, Told, Verification};
use crate::event::{EventKind, MessageKind};
use crate::limit::{Guessing, Limit};
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
        self.may_ask(account, capacity, phone, Purpose::Verify, delivery)?;
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
        capacity: Capacity,
        phone: Id,
        purpose: Purpose,
        delivery: Delivery,
    ) -> Result<(), Refusal> {
        no_wait(self.ask_waits(account, capacity, phone, purpose, delivery)?)
    }

    /// What [`Turn::ask`] has to wait for: after a spent code only a service gets a fresh one before the
    /// spent one has ended. Spends nothing.
    pub(super) fn ask_waits(
        &self,
        account: &mut Account,
        capacity: Capacity,
        phone: Id,
        purpose: Purpose,
        delivery: Delivery,
    ) -> Result<Vec<(Limit, Duration)>, Refusal> {
        let mut waits = Vec::new();
        if let Some(present) = account.challenge_for(phone, purpose) {
            let remaining = present.expires_at.since(self.at.now);
            let spent = !remaining.is_zero() && present.guesses_left == 0;
            if spent && capacity == Capacity::Own {
                waits.push((Limit::Guesses, remaining));
            }
        }
        if delivery == Delivery::Send {
            let phone = super::held(account, phone)?;
            waits.extend(self.send_waits(account, &phone.number)?);
        }
        Ok(waits)
    }

    /// Hands out the code of the question that stands, or of a new one when none stands, too little of it
    /// remains or its guesses are used up. Call it after [`Turn::may_ask`].
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
                && challenge.guesses_left > 0
                && challenge.code(self.at.keys).is_some()
        };
        let old = present.as_ref().map(|present| present.id);
        let challenge = match present {
            Some(present) if repeats(&present) => present,
            present => {
                // A new code for the same question brings no new guesses; a new question does.
                let guesses = match &present {
                    Some(present) if present.is_open(self.at.now) => present.guesses_left,
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
            times: None,
        };
        match delivery {
            Delivery::Return => {
                self.record(account, EventKind::CodeReturned, Some(&number));
                told.code = Some(challenge.code(self.at.keys).ok_or(Refusal::Internal)?);
            }
            Delivery::Send => {
                self.take_send(account, &number)?;
                let id = challenge.id;
                let kind = match purpose {
                    Purpose::Verify => MessageKind::Code { challenge: id },
                    Purpose::Remove => MessageKind::RemovalCode { challenge: id },
                };
                let now = self.at.now;
                self.enqueue(account, &number, kind, now, challenge.expires_at);
                self.record(account, EventKind::CodeSent, Some(&number));
            }
        }
        told.times = Some(CodeTimes {
            expires_at: challenge.expires_at,
            resend_after: self.resend_after(account, &number),
        });
        Ok(told)
    }

    /// How long until the next message to the number may be asked for. A reply that returned its code has
    /// not read what others have sent to the number, and speaks of the account alone.
    fn resend_after(&self, account: &Account, number: &Number) -> Duration {
        let (now, limits) = (self.at.now, &self.at.policy.limits);
        let waits = self.send_waits(account, number).unwrap_or_else(|_| {
            let pseudonym = self.at.keys.pseudonym(number);
            let cool_down = account.limits.of_number(&pseudonym).cool_down.wait(now);
            let of_account = account.limits.sent.wait(&limits.sends_per_account, now);
            let waits = [
                cool_down.map(|wait| (Limit::CoolDown, wait)),
                of_account.map(|wait| (Limit::AccountSends, wait)),
            ];
            waits.into_iter().flatten().collect()
        });
        let waits = waits.into_iter().map(|(_, wait)| wait);
        waits.max().unwrap_or_default()
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
        let pseudonym = number.as_ref().map(|number| self.at.keys.pseudonym(number));
        let guessing = pseudonym.as_ref().map(|pseudonym| {
            let failures = account.limits.of_number(pseudonym).failures;
            failures.guessing(&self.at.policy.limits, self.at.now)
        });
        let asked = phone.zip(guessing);
        match self.examine(account, asked, pseudonym.as_deref(), purpose, guess) {
            Ok(challenge) => {
                account.challenges.retain(|other| other.id != challenge);
                if let Some(pseudonym) = &pseudonym {
                    account.limits.numbers.remove(pseudonym);
                }
                Ok(())
            }
            Err(failure) => {
                self.record_refused(account, failure, number.as_ref());
                // A caller who has to wait is told so, as with every other limit.
                let told = match (failure, asked) {
                    (CodeFailure::Waiting, Some((phone, Guessing::Waits(wait)))) => {
                        let challenge = account.challenge_for(phone, purpose);
                        challenge.map(|it| wait.min(it.expires_at.since(self.at.now)))
                    }
                    _ => None,
                };
                Err(match told {
                    Some(retry_after) => Refusal::Limited {
                        limit: Limit::WrongCodes,
                        retry_after,
                    },
                    None => Refusal::CodeRefused(failure),
                })
            }
        }
    }

    fn examine(
        &self,
        account: &mut Account,
        asked: Option<(Id, Guessing)>,
        pseudonym: Option<&str>,
        purpose: Purpose,
        guess: &str,
    ) -> Result<Id, CodeFailure> {
        let (now, limits) = (self.at.now, &self.at.policy.limits);
        let ((phone, guessing), pseudonym) = asked.zip(pseudonym).ok_or(CodeFailure::Absent)?;
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
        match guessing {
            Guessing::Open => {}
            Guessing::Waits(_) => return Err(CodeFailure::Waiting),
            Guessing::Locked => return Err(CodeFailure::Locked),
        }
        let code = challenge.code(self.at.keys).ok_or(CodeFailure::Expired)?;
        if code.matches(&guess) {
            return Ok(challenge.id);
        }
        challenge.guesses_left -= 1;
        let ends = challenge.expires_at;
        let of_number = account.limits.of_number_mut(pseudonym, now);
        of_number.failures.add(limits, now, ends);
        Err(CodeFailure::Wrong)
    }
}
