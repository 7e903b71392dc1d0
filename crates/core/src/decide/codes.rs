//! Codes handed out: by message or in the reply, anew or again.

use std::time::Duration;

use super::Decider;
use super::limits::no_wait;
use super::numbers::phone_or_refuse;
use super::outcome::Outcome;
use crate::Number;
use crate::account::{Account, Phone};
use crate::challenge::{Challenge, Purpose};
use crate::code::Code;
use crate::command::{CodeTimes, Delivery, Which};
use crate::event::{EventDetail, EventKind, MessageKind};
use crate::limit::Limit;
use crate::moment::Id;
use crate::refusal::Refusal;
use crate::rights::Capacity;

impl Decider<'_> {
    /// The code of a number that is not proven again; of the primary one only where there is one.
    pub(super) fn resend(
        &mut self,
        account: &mut Account,
        capacity: Capacity,
        which: &Which,
        delivery: Delivery,
    ) -> Result<Outcome, Refusal> {
        let unproven = |phone: &Phone| !phone.verified();
        let phone = self.find(account, which, unproven)?;
        let phone = phone.ok_or(Refusal::CodeAbsent)?;
        let asked = account.challenge_for(phone, Purpose::Verify).is_some();
        let proven = !account.phone(phone).is_some_and(unproven);
        if proven || (*which == Which::Primary && !asked) {
            return Err(Refusal::CodeAbsent);
        }
        self.check_issue(account, capacity, phone, Purpose::Verify, delivery)?;
        self.issue_code(account, phone, Purpose::Verify, delivery)
    }

    /// Whether [`Decider::issue_code`] may be called. Spends nothing.
    pub(super) fn check_issue(
        &self,
        account: &mut Account,
        capacity: Capacity,
        phone: Id,
        purpose: Purpose,
        delivery: Delivery,
    ) -> Result<(), Refusal> {
        no_wait(self.issue_waits(account, capacity, phone, purpose, delivery)?)
    }

    /// What [`Decider::issue_code`] has to wait for: after a spent code only a service gets a fresh one before the
    /// spent one has ended. Spends nothing.
    pub(super) fn issue_waits(
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
        let phone = phone_or_refuse(account, phone)?;
        self.policy.test_numbers.check(&phone.number, self.at.now)?;
        if delivery == Delivery::Send {
            waits.extend(self.send_waits(account, &phone.number, purpose)?);
        }
        Ok(waits)
    }

    /// Hands out the code of the challenge that stands, or of a new one when none stands, too little of it
    /// remains or its guesses are used up. Call it after [`Decider::check_issue`].
    pub(super) fn issue_code(
        &mut self,
        account: &mut Account,
        phone: Id,
        purpose: Purpose,
        delivery: Delivery,
    ) -> Result<Outcome, Refusal> {
        let number = phone_or_refuse(account, phone)?.number;
        let sent = delivery == Delivery::Send;
        let challenge = self.stand_challenge(account, phone, purpose, sent);
        let mut outcome = Outcome {
            code: None,
            phone: Some(phone),
            challenge: Some(challenge.id),
            times: None,
        };
        match delivery {
            Delivery::Return => {
                self.record(account, EventKind::CodeReturned, Some(&number));
                let code = self.code_of(&challenge, &number);
                outcome.code = Some(code.ok_or(Refusal::Internal)?);
            }
            // Nothing goes to a number for tests, and nothing is counted.
            Delivery::Send if self.policy.test_numbers.of(&number).is_some() => {
                self.record(account, EventKind::CodeSent, Some(&number));
            }
            Delivery::Send => {
                let kind = MessageKind::of(purpose, challenge.id);
                let detail = self.take_send(account, &number, kind)?;
                let (round, now) = (challenge.sends, self.at.now);
                let expires_at = challenge.expires_at;
                let message = self.enqueue(account, &number, kind, round, now, expires_at);
                let detail = EventDetail {
                    message: Some(message),
                    ..detail
                };
                self.record_sent(account, &number, detail);
            }
        }
        outcome.times = Some(CodeTimes {
            expires_at: challenge.expires_at,
            resend_after: self.resend_after(account, &number, purpose),
        });
        Ok(outcome)
    }

    /// The code that answers a challenge about a number; a number for tests has one of its own.
    pub(super) fn code_of(&self, challenge: &Challenge, number: &Number) -> Option<Code> {
        match self.policy.test_numbers.of(number) {
            Some(test) => test.code(self.at.now).cloned(),
            None => challenge.code(self.at.keys),
        }
    }

    /// The challenge that stands or a new one, now the account's last, as it was before its code is `sent`.
    fn stand_challenge(
        &mut self,
        account: &mut Account,
        phone: Id,
        purpose: Purpose,
        sent: bool,
    ) -> Challenge {
        let codes = &self.policy.codes;
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
                // A new code of an open challenge brings no new guesses; after its end it does.
                let open = present.filter(|present| present.is_open(self.at.now));
                let guesses = open
                    .as_ref()
                    .map_or(codes.guesses, |open| open.guesses_left);
                let mut new =
                    Challenge::open(phone, purpose, guesses, codes, self.at, &mut self.ids);
                new.sends = open.map_or(0, |open| open.sends);
                new
            }
        };
        // The one that was asked last stands last.
        account
            .challenges
            .retain(|challenge| Some(challenge.id) != old);
        let mut standing = challenge.clone();
        standing.sends = standing.sends.saturating_add(sent.into());
        account.challenges.push(standing);
        challenge
    }

    /// How long until the next message to the number may be asked for. A reply that returned its code has
    /// not read what others have sent to the number, and speaks of the account alone.
    fn resend_after(&self, account: &Account, number: &Number, purpose: Purpose) -> Duration {
        let (now, limits) = (self.at.now, &self.policy.limits);
        let waits = self
            .send_waits(account, number, purpose)
            .unwrap_or_else(|_| {
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
}
