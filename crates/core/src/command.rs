//! What a caller may ask for, in terms of no particular API.

use std::fmt;
use std::time::Duration;

use crate::account::{Profile, ProfileChange};
use crate::code::Code;
use crate::moment::{Id, Time};
use crate::session::NewSession;
use crate::target::Target;
use crate::{Account, Caller};

/// One request of one caller about one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Who asks.
    pub caller: Caller,
    /// The account's user id. Its organisation follows from the caller: see [`Command::target`].
    pub account: String,
    /// What to do.
    pub action: Action,
}

impl Command {
    /// Which account is meant.
    pub fn target(&self) -> Target<'_> {
        match &self.action {
            Action::Register { organization, .. } => {
                let organization = organization.as_ref().unwrap_or(&self.caller.organization);
                Target {
                    id: &self.account,
                    organization: Some(organization),
                    otherwise: organization,
                }
            }
            Action::Delete | Action::Erase | Action::Change(_) => self.caller.target(&self.account),
        }
    }
}

/// What to do with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Bring the account into being.
    Register {
        /// Where; the caller's organisation when `None`.
        organization: Option<String>,
        /// Who the user is.
        profile: Box<Profile>,
        /// Its first number.
        phone: Option<SetPhone>,
    },
    /// Delete the account.
    Delete,
    /// Delete the account, if there is one, because all that is kept of its user goes.
    Erase,
    /// Change it.
    Change(Change),
}

impl From<Change> for Action {
    fn from(change: Change) -> Action {
        Action::Change(change)
    }
}

/// What to change of an account. Numbers are read by the rules of the account's organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// What the account says of its user, and the primary number beside it.
    Update {
        /// Only what shall change.
        profile: Box<ProfileChange>,
        /// What shall become of the primary number.
        phone: PhoneChange,
    },
    /// Set the primary number.
    Set(SetPhone),
    /// Add a number. The first one becomes the primary one.
    Add {
        /// The number.
        number: NumberText,
        /// How it shall be proven; `None` for later.
        verification: Option<Verification>,
    },
    /// Send a code to a number that becomes the account's once it is proven, or again to one that is the
    /// account's and not proven.
    Preverify {
        /// The number.
        number: NumberText,
    },
    /// Put a number in the place of the primary one: at once while that is not proven, else once the new one
    /// is.
    Replace {
        /// The number.
        number: NumberText,
    },
    /// Send or return the code of a number that is not proven again.
    Resend {
        /// Which number.
        which: Which,
        /// Which way the code takes.
        delivery: Delivery,
    },
    /// Submit a code that proves a number.
    Verify {
        /// Which number.
        which: Which,
        /// The code.
        guess: Guess,
    },
    /// Send a code to a number whose answer removes it.
    RequestRemoval {
        /// The number.
        phone: Id,
    },
    /// Submit the code that removes a number.
    ConfirmRemoval {
        /// The number.
        phone: Id,
        /// The challenge that [`Change::RequestRemoval`] opened.
        challenge: Id,
        /// The code.
        guess: Guess,
    },
    /// Remove a number at once: by its id any, by its text a proven one.
    Remove {
        /// Which number.
        which: Which,
    },
    /// Make a proven number the primary one.
    MakePrimary {
        /// The number.
        phone: Id,
    },
    /// Forget wrong guesses and pauses, for every number.
    Unlock,
    /// Open a session for the account's user.
    OpenSession(NewSession),
    /// Take the caller's session by its handle.
    TakeSession,
    /// Forget numbers that wait to be proven and can no longer be.
    Tidy,
}

/// Which of an account's numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The primary one.
    Primary,
    /// The one that is to take the primary one's place, or else the primary one.
    Next,
    /// The one of this id.
    Phone(Id),
    /// This one.
    Number(NumberText),
    /// The one that this challenge is to prove.
    Challenge(Id),
    /// The one whose code was asked for last.
    Latest,
}

/// A number as somebody wrote it. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct NumberText(pub String);

impl fmt::Debug for NumberText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NumberText(…)")
    }
}

impl From<&str> for NumberText {
    fn from(text: &str) -> NumberText {
        NumberText(text.to_owned())
    }
}

impl From<String> for NumberText {
    fn from(text: String) -> NumberText {
        NumberText(text)
    }
}

/// A code as somebody typed it. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Guess(pub String);

impl fmt::Debug for Guess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guess(…)")
    }
}

/// A number to be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetPhone {
    /// The number.
    pub number: NumberText,
    /// How it shall be proven.
    pub verification: Verification,
}

/// How a number is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// By a code.
    Code(Delivery),
    /// By the caller's word.
    Trusted,
}

/// Which way a code takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// By message to the number.
    Send,
    /// In the reply, to a caller with `user.write`.
    Return,
}

/// What shall become of the primary number in an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhoneChange {
    /// It stays.
    Keep,
    /// It is replaced; the same number again is no error.
    Set(SetPhone),
    /// It is removed.
    Remove,
}

/// What a caller learns when a command was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The account after the command; of a deleted one, before it; of one that is to be erased and is not there, an
    /// empty one.
    pub account: Account,
    /// The number that it was about, where the command did not mean the primary one.
    pub phone: Option<Id>,
    /// The challenge that stands now, where the command opened or repeated one.
    pub challenge: Option<Id>,
    /// The code, for a caller with `user.write` who asked for it.
    pub code: Option<Code>,
    /// When its code ends and when the next may be asked for.
    pub times: Option<CodeTimes>,
}

/// The times of a code that was handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeTimes {
    /// From this time on the code is not accepted.
    pub expires_at: Time,
    /// How long until the next message with a code may be asked for.
    pub resend_after: Duration,
}
