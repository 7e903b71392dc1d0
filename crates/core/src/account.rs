//! An account: one user's numbers, open challenges and counters, loaded whole and saved whole.

use serde::{Deserialize, Serialize};

use crate::Number;
use crate::challenge::{Challenge, Purpose};
use crate::limit::{Buckets, Failures};
use crate::moment::{Id, Time};

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

/// Who a user is. Kept and given back; nothing is decided by it but the language of messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// The name to log in with; the user id where none was given.
    pub username: String,
    /// First name.
    pub given_name: String,
    /// Last name.
    pub family_name: String,
    /// Nickname.
    pub nick_name: String,
    /// The name to show.
    pub display_name: String,
    /// BCP 47 tag of the language that messages are written in.
    pub preferred_language: String,
    /// Number of the wire's gender enumeration.
    pub gender: i32,
    /// E-mail address.
    pub email: String,
    /// Whether whoever registered the user vouched for the address.
    pub email_verified: bool,
}

/// One number of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phone {
    /// Its name, which stays while the number stays.
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
    pub sends: Buckets,
    /// Numbers set by self-service.
    pub sets: Buckets,
    /// Wrong guesses.
    pub failures: Failures,
}

impl Account {
    /// The number that "the phone" means.
    pub fn primary_phone(&self) -> Option<&Phone> {
        self.primary.and_then(|id| self.phone(id))
    }

    /// A number by its name.
    pub fn phone(&self, id: Id) -> Option<&Phone> {
        self.phones.iter().find(|phone| phone.id == id)
    }

    /// A challenge by its name.
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
        let question = self
            .challenges
            .iter()
            .find(|challenge| challenge.phone == phone.id && challenge.purpose == Purpose::Verify);
        phone.pending() && question.is_none_or(|question| question.expires_at <= now)
    }

    /// Forgets such numbers.
    pub(crate) fn drop_stale(&mut self, now: Time) {
        let stale = self.phones.iter().filter(|phone| self.is_stale(phone, now));
        for phone in stale.map(|phone| phone.id).collect::<Vec<_>>() {
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
