//! An account: one user's numbers, open challenges and counters, loaded whole and saved whole.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Number;
use crate::challenge::{Challenge, Purpose};
use crate::limit::{CoolDown, Failures, Guessing, LimitRules, RefusedGuesses, Times};
use crate::moment::{Id, Time};
pub use crate::profile::{Profile, ProfileChange};
use crate::session::Session;

/// One user, as far as ringback knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The user's id, 1 to 200 characters, the same that the login system uses.
    pub id: String,
    /// The organisation that the user belongs to.
    pub organization: String,
    /// How many events the account has had.
    pub sequence: u64,
    /// When it was registered.
    pub created_at: Time,
    /// When its last event was.
    pub changed_at: Time,
    /// Who the user is, as told by whoever registered it.
    pub profile: Profile,
    /// The numbers, oldest first.
    pub phones: Vec<Phone>,
    /// Which of `phones` is the one that "the phone" means.
    pub primary: Option<Id>,
    /// Open and ended challenges, at most one for each number and purpose; the one asked last stands last.
    pub challenges: Vec<Challenge>,
    /// What the account has used up.
    pub limits: AccountLimits,
}

/// What is kept under one organisation and user id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The organisation.
    pub organization: String,
    /// The account, while there is one.
    pub account: Option<Account>,
    /// That there was one.
    pub deleted: Option<Deleted>,
}

/// That an account was deleted, remembered for as long as a token from before may still be valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// When.
    pub at: Time,
    /// From this time on it says nothing any more.
    pub until: Time,
}

impl Slot {
    /// Where nothing is kept.
    pub fn empty(organization: impl Into<String>) -> Slot {
        Slot {
            organization: organization.into(),
            account: None,
            deleted: None,
        }
    }
}

/// One number of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phone {
    /// Its id, which stays while the number stays.
    pub id: Id,
    /// The number.
    pub number: Number,
    /// Whether the user has proven to own it.
    pub state: PhoneState,
    /// When it was added.
    pub created_at: Time,
    /// When its state last changed.
    pub changed_at: Time,
}

/// Whether the user has proven to own a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhoneState {
    /// Not yet.
    Unverified,
    /// By the right code, or by the word of a service with `user.write`.
    Verified {
        /// When.
        at: Time,
    },
    /// Not yet, and until then it is not the account's number at all: it waits beside the others.
    Pending(Pending),
}

/// What becomes of a pending number once it is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    /// It joins the account's numbers.
    Joins,
    /// It takes the place of the primary number.
    Replaces,
}

impl Phone {
    /// Whether the user has proven to own it.
    pub fn verified(&self) -> bool {
        matches!(self.state, PhoneState::Verified { .. })
    }

    /// Whether it waits to become the account's number.
    pub fn pending(&self) -> bool {
        matches!(self.state, PhoneState::Pending(_))
    }
}

/// What an account has used up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AccountLimits {
    /// Messages sent.
    pub sent: Times,
    /// Numbers set by self-service.
    pub set: Times,
    /// Changes of any kind made by self-service.
    pub changed: Times,
    /// What is remembered of each number, by [`crate::Keys::pseudonym`]: also of those that the account
    /// holds no longer.
    pub numbers: BTreeMap<String, NumberLimits>,
    /// Guesses that were refused without being looked at.
    pub refused: RefusedGuesses,
    /// What services have opened for its user, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<Session>,
}

/// What an account has used up for one number. A success forgets it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NumberLimits {
    /// Wrong guesses.
    pub failures: Failures,
    /// The pause after the last message.
    pub cool_down: CoolDown,
}

/// For so many numbers an account may have guessed wrong without a success since; then it guesses for no other one,
/// or it could make the oldest be forgotten by guessing for new ones.
const MOST_FAILED: usize = 100;
/// How many numbers an account remembers something of: those, and pauses after messages.
const MOST_REMEMBERED: usize = 2 * MOST_FAILED;

impl AccountLimits {
    /// What is remembered of a number.
    pub fn of_number(&self, pseudonym: &str) -> NumberLimits {
        self.numbers.get(pseudonym).cloned().unwrap_or_default()
    }

    /// Whether a guess for a number may be looked at now.
    pub(crate) fn guessing(&self, pseudonym: &str, rules: &LimitRules, now: Time) -> Guessing {
        let own = self.of_number(pseudonym).failures;
        let failed = self.numbers.values().filter(|one| one.failures.count > 0);
        match own.count == 0 && failed.count() >= MOST_FAILED {
            true => Guessing::Locked,
            false => own.guessing(rules, now),
        }
    }

    /// Whether a wrong guess for a number that was just counted is the one that locks it, or all that the account has
    /// not guessed for.
    pub(crate) fn locks(&self, pseudonym: &str, rules: &LimitRules, now: Time) -> bool {
        let own = self.of_number(pseudonym).failures;
        let failed = self.numbers.values().filter(|one| one.failures.count > 0);
        own.guessing(rules, now) == Guessing::Locked
            || (own.count == 1 && failed.count() == MOST_FAILED)
    }

    /// The same, to be changed. Of other numbers is forgotten what says nothing, and, of too many, those
    /// with the fewest wrong guesses.
    pub(crate) fn of_number_mut(&mut self, pseudonym: &str, now: Time) -> &mut NumberLimits {
        self.numbers.retain(|other, limits| {
            other == pseudonym || limits.failures.count > 0 || !limits.cool_down.is_over(now)
        });
        let is_new = !self.numbers.contains_key(pseudonym);
        if is_new && self.numbers.len() >= MOST_REMEMBERED {
            let least = self
                .numbers
                .iter()
                .min_by_key(|(_, limits)| (limits.failures.count, limits.cool_down.forgotten_at));
            if let Some(least) = least.map(|(pseudonym, _)| pseudonym.clone()) {
                self.numbers.remove(&least);
            }
        }
        self.numbers.entry(pseudonym.to_owned()).or_default()
    }
}

/// The state of the number that is to replace the primary one.
pub(crate) const NEXT: PhoneState = PhoneState::Pending(Pending::Replaces);

impl AsRef<Account> for Account {
    fn as_ref(&self) -> &Account {
        self
    }
}

impl Account {
    /// The number that "the phone" means.
    pub fn primary_phone(&self) -> Option<&Phone> {
        self.primary.and_then(|id| self.phone(id))
    }

    /// A number by its id.
    pub fn phone(&self, id: Id) -> Option<&Phone> {
        self.phones.iter().find(|phone| phone.id == id)
    }

    pub(crate) fn phone_of(&self, number: &Number) -> Option<&Phone> {
        self.phones.iter().find(|phone| phone.number == *number)
    }

    /// A challenge by its id.
    pub fn challenge(&self, id: Id) -> Option<&Challenge> {
        self.challenges.iter().find(|challenge| challenge.id == id)
    }

    pub(crate) fn challenge_for(&mut self, phone: Id, purpose: Purpose) -> Option<&mut Challenge> {
        self.challenges
            .iter_mut()
            .find(|challenge| challenge.phone == phone && challenge.purpose == purpose)
    }

    /// Whether a number waits to be proven and can no longer be.
    pub(crate) fn is_stale(&self, phone: &Phone, now: Time) -> bool {
        let challenge = self
            .challenges
            .iter()
            .find(|challenge| challenge.phone == phone.id && challenge.purpose == Purpose::Verify);
        phone.pending() && challenge.is_none_or(|challenge| challenge.expires_at <= now)
    }

    /// Forgets such numbers, but for the one to be kept.
    pub(crate) fn drop_stale(&mut self, now: Time, kept: Option<Id>) {
        let stale = |phone: &&Phone| Some(phone.id) != kept && self.is_stale(phone, now);
        let stale = self.phones.iter().filter(stale);
        for phone in stale.map(|phone| phone.id).collect::<Vec<_>>() {
            self.drop_phone(phone);
        }
    }

    /// Forgets the number that was to replace the primary one, unless it is the one to be kept: it has nothing
    /// left to replace when another number takes that place or the primary one goes.
    pub(crate) fn drop_next(&mut self, kept: Option<Id>) {
        let next = |phone: &&Phone| phone.state == NEXT && Some(phone.id) != kept;
        let next: Vec<Id> = self
            .phones
            .iter()
            .filter(next)
            .map(|phone| phone.id)
            .collect();
        for phone in next {
            self.drop_phone(phone);
        }
    }

    /// Takes a number out, with every challenge about it.
    pub(crate) fn drop_phone(&mut self, id: Id) {
        self.phones.retain(|phone| phone.id != id);
        self.challenges.retain(|challenge| challenge.phone != id);
        if self.primary == Some(id) {
            self.primary = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_row_can_be_read() {
        let old = r#"{"sends":[1700000120000000],"sets":[1],"failures":{"count":3,"last_at":4}}"#;
        let limits: AccountLimits = serde_json::from_str(old).unwrap();
        assert_eq!(limits, AccountLimits::default());
        let none: AccountLimits = serde_json::from_str("{}").unwrap();
        assert_eq!(none, AccountLimits::default());
    }

    #[test]
    fn the_numbers_with_the_most_wrong_guesses_are_remembered() {
        let mut limits = AccountLimits::default();
        for n in 0..300_u32 {
            let failures = &mut limits.of_number_mut(&format!("n{n:03}"), Time(1)).failures;
            failures.count = if n == 7 { 99 } else { 1 };
        }
        assert_eq!(limits.numbers.len(), MOST_REMEMBERED);
        assert_eq!(limits.of_number("n007").failures.count, 99);
        assert_eq!(limits.of_number("n299").failures.count, 1);
    }
}
