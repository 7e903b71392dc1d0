//! What a caller may wish for, in terms of no particular door.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::account::Profile;
use crate::code::Code;
use crate::moment::{Id, Time};
use crate::number::NumberError;
use crate::rights::Rights;
use crate::{Account, Keys, Number};

/// Who asks, as proven by a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The token's subject.
    pub user: String,
    /// The organisation that the user belongs to: the caller's own account is nowhere else.
    pub home: String,
    /// The organisation that the caller acts in.
    pub organization: String,
    /// The rights that hold in every organisation.
    pub everywhere: Rights,
    /// The rights that hold in one organisation, besides those that hold in every one.
    pub local: Arc<[(String, Rights)]>,
    /// The languages that the caller's client asked for, in the form of an Accept-Language header.
    pub language: String,
    /// When the token was issued, if it says so.
    pub issued_at: Option<Time>,
    /// The scopes that the token names.
    pub scopes: Arc<[String]>,
    /// Whether a service speaks for the user, so that there is no token of the user's.
    pub spoken_for: bool,
}

/// One wish of one caller about one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Who asks.
    pub caller: Caller,
    /// The account's id.
    pub account: String,
    /// What to do.
    pub action: Action,
}

/// What to do with an account. `Debug` does not show a submitted code.
#[derive(Clone, PartialEq, Eq)]
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
    /// Change what the account says of its user.
    Update {
        /// Only what shall change.
        profile: Box<ProfileChange>,
        /// What shall become of the primary number.
        phone: PhoneChange,
    },
    /// Set the primary number.
    SetPhone(SetPhone),
    /// Send or return the open challenge's code again.
    ResendCode(Delivery),
    /// Submit a code for the primary number.
    VerifyPhone {
        /// As the user typed it.
        code: String,
    },
    /// Remove the primary number.
    RemovePhone,
    /// Add a number. The first one becomes the primary one.
    AddPhone {
        /// The number.
        number: Result<Number, NumberError>,
        /// How it shall be proven; `None` for later.
        verification: Option<Verification>,
    },
    /// Send a code to a number that becomes the account's once it is proven, or again to one that is the
    /// account's and not proven.
    PreverifyPhone {
        /// The number.
        number: Result<Number, NumberError>,
    },
    /// Change the primary number: at once while it is not proven, else once the new one is.
    ChangePhone {
        /// The number.
        number: Result<Number, NumberError>,
    },
    /// Send the code again that proves the number that [`Action::ChangePhone`] announced, or else the
    /// primary one.
    ResendChange,
    /// Submit a code for a number that is not necessarily the primary one.
    ConfirmPhone {
        /// Which number.
        which: Which,
        /// As the user typed it.
        code: String,
    },
    /// Send a code to a number whose answer removes it.
    RequestRemoval {
        /// The number's name.
        phone: Id,
    },
    /// Submit the code that removes a number.
    ConfirmRemoval {
        /// The number's name.
        phone: Id,
        /// The challenge that [`Action::RequestRemoval`] opened.
        challenge: Id,
        /// As the user typed it.
        code: String,
    },
    /// Remove a number at once.
    DropPhone {
        /// The number's name.
        phone: Id,
    },
    /// Remove a proven number at once, whichever of the account's it is.
    RemoveNumber {
        /// The number.
        number: Result<Number, NumberError>,
    },
    /// Make a proven number the primary one.
    MakePrimary {
        /// The number's name.
        phone: Id,
    },
    /// Forget wrong guesses and pauses, for every number.
    Unlock,
    /// Delete the account.
    Delete,
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Register {
                organization,
                profile,
                phone,
            } => f
                .debug_struct("Register")
                .field("organization", organization)
                .field("profile", profile)
                .field("phone", phone)
                .finish(),
            Action::Update { profile, phone } => f
                .debug_struct("Update")
                .field("profile", profile)
                .field("phone", phone)
                .finish(),
            Action::SetPhone(set) => f.debug_tuple("SetPhone").field(set).finish(),
            Action::ResendCode(delivery) => f.debug_tuple("ResendCode").field(delivery).finish(),
            Action::VerifyPhone { code: _ } => {
                f.debug_struct("VerifyPhone").finish_non_exhaustive()
            }
            Action::RemovePhone => f.write_str("RemovePhone"),
            Action::AddPhone {
                number,
                verification,
            } => f
                .debug_struct("AddPhone")
                .field("number", number)
                .field("verification", verification)
                .finish(),
            Action::PreverifyPhone { number } => {
                f.debug_tuple("PreverifyPhone").field(number).finish()
            }
            Action::ChangePhone { number } => f.debug_tuple("ChangePhone").field(number).finish(),
            Action::ResendChange => f.write_str("ResendChange"),
            Action::ConfirmPhone { which, code: _ } => f
                .debug_struct("ConfirmPhone")
                .field("which", which)
                .finish_non_exhaustive(),
            Action::RequestRemoval { phone } => {
                f.debug_tuple("RequestRemoval").field(phone).finish()
            }
            Action::ConfirmRemoval {
                phone,
                challenge,
                code: _,
            } => f
                .debug_struct("ConfirmRemoval")
                .field("phone", phone)
                .field("challenge", challenge)
                .finish_non_exhaustive(),
            Action::DropPhone { phone } => f.debug_tuple("DropPhone").field(phone).finish(),
            Action::RemoveNumber { number } => f.debug_tuple("RemoveNumber").field(number).finish(),
            Action::MakePrimary { phone } => f.debug_tuple("MakePrimary").field(phone).finish(),
            Action::Unlock => f.write_str("Unlock"),
            Action::Delete => f.write_str("Delete"),
        }
    }
}

/// Which number a code is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// The one that this challenge is about.
    Challenge(Id),
    /// This one.
    Number(Result<Number, NumberError>),
    /// The one that was asked about last.
    Latest,
}

/// A number to be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetPhone {
    /// The number, or why the text is none: whether the caller may know is decided first.
    pub number: Result<Number, NumberError>,
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

/// Parts of a profile that shall change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// The name to log in with.
    pub username: Option<String>,
    /// First name.
    pub given_name: Option<String>,
    /// Last name.
    pub family_name: Option<String>,
    /// Nickname.
    pub nick_name: Option<String>,
    /// The name to show.
    pub display_name: Option<String>,
    /// BCP 47 tag.
    pub preferred_language: Option<String>,
    /// Number of the wire's gender enumeration.
    pub gender: Option<i32>,
    /// E-mail address and whether the caller vouches for it.
    pub email: Option<(String, bool)>,
}

impl ProfileChange {
    pub(crate) fn apply(&self, profile: &mut Profile) {
        // Taken apart so that a new part cannot be forgotten here.
        let ProfileChange {
            username,
            given_name,
            family_name,
            nick_name,
            display_name,
            preferred_language,
            gender,
            email,
        } = self.clone();
        let texts = [
            (username, &mut profile.username),
            (given_name, &mut profile.given_name),
            (family_name, &mut profile.family_name),
            (nick_name, &mut profile.nick_name),
            (display_name, &mut profile.display_name),
            (preferred_language, &mut profile.preferred_language),
        ];
        for (change, part) in texts {
            if let Some(text) = change {
                *part = text;
            }
        }
        if let Some(gender) = gender {
            profile.gender = gender;
        }
        if let Some((address, verified)) = email {
            // The same address again says nothing against it.
            profile.email_verified =
                verified || (profile.email_verified && profile.email == address);
            profile.email = address;
        }
    }
}

impl Command {
    /// The number that the command itself names.
    pub fn number(&self) -> Option<&Number> {
        match &self.action {
            Action::SetPhone(set)
            | Action::Register {
                phone: Some(set), ..
            }
            | Action::Update {
                phone: PhoneChange::Set(set),
                ..
            } => set.number.as_ref().ok(),
            Action::AddPhone { number, .. }
            | Action::PreverifyPhone { number }
            | Action::ChangePhone { number } => number.as_ref().ok(),
            Action::Register { phone: None, .. }
            | Action::Update {
                phone: PhoneChange::Keep | PhoneChange::Remove,
                ..
            }
            | Action::ResendCode(_)
            | Action::ResendChange
            | Action::VerifyPhone { .. }
            | Action::ConfirmPhone { .. }
            | Action::RequestRemoval { .. }
            | Action::ConfirmRemoval { .. }
            | Action::DropPhone { .. }
            | Action::RemoveNumber { .. }
            | Action::MakePrimary { .. }
            | Action::RemovePhone
            | Action::Unlock
            | Action::Delete => None,
        }
    }

    /// Which budgets the command may touch: pseudonyms of numbers. `known` are the numbers that the
    /// account may hold when the command's turn comes: those that it holds now and those that commands
    /// decided together with this one name.
    pub fn budgets<'a>(&self, known: impl Iterator<Item = &'a Number>, keys: &Keys) -> Vec<String> {
        let sends = Some(Verification::Code(Delivery::Send));
        let (named, known_too) = match &self.action {
            // A number that is replaced or removed is told, which counts like a code.
            Action::SetPhone(set)
            | Action::Update {
                phone: PhoneChange::Set(set),
                ..
            } => (Some(set.verification) == sends, true),
            Action::Register {
                phone: Some(set), ..
            } => (Some(set.verification) == sends, false),
            Action::AddPhone { verification, .. } => (*verification == sends, false),
            Action::PreverifyPhone { .. } => (true, false),
            Action::ChangePhone { .. } => (true, true),
            Action::ResendCode(Delivery::Send)
            | Action::ResendChange
            | Action::ConfirmPhone { .. }
            | Action::RequestRemoval { .. }
            | Action::ConfirmRemoval { .. }
            | Action::DropPhone { .. }
            | Action::RemoveNumber { .. }
            | Action::RemovePhone
            | Action::Update {
                phone: PhoneChange::Remove,
                ..
            } => (false, true),
            Action::Register { phone: None, .. }
            | Action::Update {
                phone: PhoneChange::Keep,
                ..
            }
            | Action::ResendCode(Delivery::Return)
            | Action::VerifyPhone { .. }
            | Action::MakePrimary { .. }
            | Action::Unlock
            | Action::Delete => (false, false),
        };
        let named = self.number().filter(|_| named);
        let named = named.map(|number| keys.pseudonym(number));
        let known = known.filter(|_| known_too);
        let known = known.map(|number| keys.pseudonym(number));
        named.into_iter().chain(known).collect()
    }

    /// The stable name of the action: in metrics, spans and logs.
    pub fn name(&self) -> &'static str {
        match &self.action {
            Action::Register { .. } => "register",
            Action::Update { .. } => "update",
            Action::SetPhone(_) => "set",
            Action::ResendCode(_) => "resend",
            Action::VerifyPhone { .. } => "verify",
            Action::RemovePhone => "remove",
            Action::AddPhone { .. } => "add",
            Action::PreverifyPhone { .. } => "preverify",
            Action::ChangePhone { .. } => "change",
            Action::ResendChange => "resend",
            Action::ConfirmPhone { .. } => "verify",
            Action::RequestRemoval { .. } => "request_removal",
            Action::ConfirmRemoval { .. }
            | Action::DropPhone { .. }
            | Action::RemoveNumber { .. } => "remove",
            Action::MakePrimary { .. } => "make_primary",
            Action::Unlock => "unlock",
            Action::Delete => "delete",
        }
    }
}

/// What a caller learns when a command was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The account's id.
    pub account: String,
    /// Its organisation.
    pub organization: String,
    /// Its event counter after the command.
    pub sequence: u64,
    /// When it was registered.
    pub created_at: Time,
    /// When it last changed.
    pub changed_at: Time,
    /// The code, for a caller with `user.write` who asked for it.
    pub code: Option<Code>,
    /// The number that it was about, where the command did not mean the primary one.
    pub phone: Option<Id>,
    /// The challenge that stands now, where the command opened or repeated one.
    pub challenge: Option<Id>,
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

impl Reply {
    pub(crate) fn of(account: &Account, told: Told) -> Reply {
        Reply {
            account: account.id.clone(),
            organization: account.organization.clone(),
            sequence: account.sequence,
            created_at: account.created_at,
            changed_at: account.changed_at,
            code: told.code,
            phone: told.phone,
            challenge: told.challenge,
            times: told.times,
        }
    }
}

/// What a reply says besides the account's state.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) code: Option<Code>,
    pub(crate) phone: Option<Id>,
    pub(crate) challenge: Option<Id>,
    pub(crate) times: Option<CodeTimes>,
}
