//! Codes submitted: what a right one brings about, and what a wrong one costs.

use std::time::Duration;

use super::Decider;
use super::limits::no_wait;
use super::numbers::phone_or_refuse;
use super::outcome::{Outcome, reply_about};
use crate::Number;
use crate::account::{Account, NEXT};
use crate::challenge::Purpose;
use crate::command::{Guess, Which};
use crate::guard::Heard;
use crate::limit::{AddressUse, Guessing, Limit};
use crate::moment::Id;
use crate::refusal::{CodeFailure, Refusal};

impl Decider<'_> {
    pub(super) fn verify(
        &mut self,
        account: &mut Account,
        which: &Which,
        guess: &Guess,
    ) -> Result<Outcome, Refusal> {
        let phone = self.find(account, which, |phone| !phone.verified())?;
        self.submit_code(account, phone, Purpose::Verify, guess)?;
        // A code that was accepted was about a number.
        let phone = phone.ok_or(Refusal::Internal)?;
        let replaces = phone_or_refuse(account, phone)?.state == NEXT;
        self.mark_verified(account, phone);
        if replaces {
            self.replace_primary(account, phone);
        } else if account.primary.is_none() {
            account.primary = Some(phone);
        }
        Ok(reply_about(phone))
    }

    pub(super) fn confirm_removal(
        &mut self,
        account: &mut Account,
        phone: Id,
        challenge: Id,
        guess: &Guess,
    ) -> Result<Outcome, Refusal> {
        phone_or_refuse(account, phone)?;
        let standing = account
            .challenge_for(phone, Purpose::Remove)
            .map(|standing| standing.id);
        if standing != Some(challenge) {
            let number = account.phone(phone).map(|phone| phone.number.clone());
            self.record_refused(account, CodeFailure::Absent, number.as_ref());
            return Err(Refusal::CodeRefused(CodeFailure::Absent));
        }
        self.submit_code(account, Some(phone), Purpose::Remove, guess)?;
        self.remove_phone(account, phone)
    }

    /// Looks at a guess: counted when it is wrong, the end of all counting and of the challenge when it is
    /// right. `None` is a number that does not exist, which is answered like any other wrong guess.
    pub(super) fn submit_code(
        &mut self,
        account: &mut Account,
        phone: Option<Id>,
        purpose: Purpose,
        guess: &Guess,
    ) -> Result<(), Refusal> {
        let number = phone
            .and_then(|id| account.phone(id))
            .map(|phone| phone.number.clone());
        let pseudonym = number.as_ref().map(|number| self.at.keys.pseudonym(number));
        let guessing = pseudonym.as_ref().map(|pseudonym| {
            let rules = &self.policy.limits;
            account.limits.guessing(pseudonym, rules, self.at.now)
        });
        let asked = phone.zip(guessing);
        if let Some(of_address) = self.address_wait(AddressUse::Verification)? {
            let own = self.guess_wait(account, asked, purpose);
            let told = no_wait([of_address].into_iter().chain(own).collect());
            let of_guesses = |refusal: &Refusal| {
                matches!(
                    refusal,
                    Refusal::Limited {
                        limit: Limit::WrongCodes,
                        ..
                    }
                )
            };
            if told.as_ref().is_err_and(of_guesses) {
                self.record_refused(account, CodeFailure::Waiting, number.as_ref());
            }
            return told;
        }
        match self.check_code(
            account,
            asked,
            number.as_ref().zip(pseudonym.as_deref()),
            purpose,
            guess,
        ) {
            Ok(challenge) => {
                if purpose == Purpose::Verify {
                    self.proven = number.clone().map(|number| (challenge, number));
                }
                account.challenges.retain(|other| other.id != challenge);
                if let (Some(number), Some(pseudonym)) = (&number, &pseudonym) {
                    account.limits.numbers.remove(pseudonym);
                    self.hear_answered(number, pseudonym);
                }
                let to = match &self.heard {
                    Some(Heard::Answered { to, .. }) => Some(to.clone()),
                    _ => None,
                };
                self.take_address(AddressUse::Verification, to.as_ref())
            }
            Err(failure) => {
                self.record_refused(account, failure, number.as_ref());
                match failure {
                    CodeFailure::Wrong => {
                        self.record_locked(account, number.as_ref(), pseudonym.as_deref());
                        self.take_address(AddressUse::Verification, None)?;
                    }
                    // A caller who has to wait is told so, as with every other limit.
                    CodeFailure::Waiting => {
                        no_wait(Vec::from_iter(self.guess_wait(account, asked, purpose)))?;
                    }
                    CodeFailure::Shape
                    | CodeFailure::Absent
                    | CodeFailure::Expired
                    | CodeFailure::Spent
                    | CodeFailure::Locked => {}
                }
                Err(Refusal::CodeRefused(failure))
            }
        }
    }

    /// What wrong guesses make the next one wait for: never longer than there is a code to guess.
    fn guess_wait(
        &self,
        account: &mut Account,
        asked: Option<(Id, Guessing)>,
        purpose: Purpose,
    ) -> Option<(Limit, Duration)> {
        let Some((phone, Guessing::Waits(wait))) = asked else {
            return None;
        };
        let challenge = account.challenge_for(phone, purpose)?;
        let left = challenge.expires_at.since(self.at.now);
        Some((Limit::WrongCodes, wait.min(left)))
    }

    fn check_code(
        &self,
        account: &mut Account,
        asked: Option<(Id, Guessing)>,
        number: Option<(&Number, &str)>,
        purpose: Purpose,
        guess: &Guess,
    ) -> Result<Id, CodeFailure> {
        let (now, limits) = (self.at.now, &self.policy.limits);
        let ((phone, guessing), (number, pseudonym)) =
            asked.zip(number).ok_or(CodeFailure::Absent)?;
        let challenge = account
            .challenge_for(phone, purpose)
            .ok_or(CodeFailure::Absent)?;
        let guess = challenge
            .shape
            .normalise(&guess.0)
            .ok_or(CodeFailure::Shape)?;
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
        let code = self
            .code_of(challenge, number)
            .ok_or(CodeFailure::Expired)?;
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
