//! What a decision leaves behind: events for the record, messages for the outbox.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::challenge::Purpose;
use crate::moment::{Id, Time};
use crate::number::NumberKind;
use crate::refusal::CodeFailure;
use crate::{Keys, Number};

/// Something that happened to an account, for the append-only record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id.
    pub id: Id,
    /// The account.
    pub account: String,
    /// The account's organisation.
    pub organization: String,
    /// The account's event counter, 1 for its first; 0 for what does not count as a change of the account, such as
    /// what became of a message.
    pub sequence: u64,
    /// When.
    pub at: Time,
    /// Whose token asked for it; empty where nobody asked, such as of what became of a message.
    pub actor: String,
    /// What happened.
    pub kind: EventKind,
    /// Which number it was about, in a form that does not tell the number.
    pub number: Option<MaskedNumber>,
    /// How often it happened since an event last told of it; 1 unless guesses were refused unseen.
    pub count: u32,
    /// What more there is to know, where there is more.
    pub detail: Option<EventDetail>,
}

/// What more there is to know of an event. It is kept as a JSON object of the fields that are there, and holds no
/// code and no whole number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventDetail {
    /// The message that it is about: of a code, the one that carries it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Id>,
    /// The route that had the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The region of the number: ISO 3166-1, two capital letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// Why, in the words of whoever says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the guard was asked.
    #[serde(flatten)]
    pub guard: GuardRecord,
}

/// What the guard was asked of a code and what it found: enough to ask it again by other rules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GuardRecord {
    /// The number's kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<NumberKind>,
    /// What stands for the number without its last four digits ([`Keys::prefix_pseudonym`]).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// What stands for the client's address, where a user asked who acts alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Whether the account had proven a number before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub known: bool,
    /// What there was against it ([`crate::guard::Reason::code`]).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

impl EventDetail {
    /// The message that it is about, and nothing else yet.
    pub fn of_message(message: Id) -> EventDetail {
        EventDetail {
            message: Some(message),
            ..EventDetail::default()
        }
    }
}

/// A number that can be recognised and not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaskedNumber {
    /// [`Keys::pseudonym`].
    pub pseudonym: String,
    /// [`Number::masked`].
    pub mask: String,
}

impl MaskedNumber {
    pub(crate) fn of(number: &Number, keys: &Keys) -> MaskedNumber {
        MaskedNumber {
            pseudonym: keys.pseudonym(number),
            mask: number.masked(),
        }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// The account came to be.
    Registered,
    /// Profile, username or e-mail address changed.
    ProfileChanged,
    /// A number was set.
    PhoneSet,
    /// A number was added beside the primary one.
    PhoneAdded,
    /// A number waits to be proven before it becomes the account's.
    PhonePending,
    /// Another number of the account became the primary one.
    PrimaryChanged,
    /// A code goes out by message.
    CodeSent,
    /// A code was given to the caller.
    CodeReturned,
    /// A number was proven, by a code or by a trusted caller.
    PhoneVerified,
    /// A code was submitted and refused.
    VerificationFailed(CodeFailure),
    /// A number was removed.
    PhoneRemoved,
    /// So many guesses were wrong that the account guesses for the number, or for numbers that it has not yet guessed
    /// for, no more until an operator has unlocked it.
    Locked,
    /// An operator made the account forget wrong guesses and pauses.
    Unlocked,
    /// The account was deleted.
    Deleted,
    /// A route took a message.
    MessageTaken,
    /// A receipt says that a message arrived.
    MessageDelivered,
    /// A message did not arrive: no route could bring it, or a receipt says so.
    MessageFailed,
    /// A message was not tried any more: it was too late, or its code no longer of use.
    MessageGivenUp,
    /// The guard did not let a code be sent.
    GuardRefused,
    /// The account was deleted, and all that is kept of its user with it.
    Erased,
    /// The account was brought over from elsewhere, by [`crate::Account::sequence`] as it was there.
    Imported,
}

impl EventKind {
    /// Every one, with any cause.
    pub const ALL: [EventKind; 21] = [
        EventKind::Registered,
        EventKind::ProfileChanged,
        EventKind::PhoneSet,
        EventKind::PhoneAdded,
        EventKind::PhonePending,
        EventKind::PrimaryChanged,
        EventKind::CodeSent,
        EventKind::CodeReturned,
        EventKind::PhoneVerified,
        EventKind::VerificationFailed(CodeFailure::Wrong),
        EventKind::PhoneRemoved,
        EventKind::Locked,
        EventKind::Unlocked,
        EventKind::Deleted,
        EventKind::MessageTaken,
        EventKind::MessageDelivered,
        EventKind::MessageFailed,
        EventKind::MessageGivenUp,
        EventKind::GuardRefused,
        EventKind::Erased,
        EventKind::Imported,
    ];

    /// The stable name.
    pub fn code(self) -> &'static str {
        match self {
            EventKind::Registered => "account.registered",
            EventKind::ProfileChanged => "account.profile_changed",
            EventKind::PhoneSet => "phone.set",
            EventKind::PhoneAdded => "phone.added",
            EventKind::PhonePending => "phone.pending",
            EventKind::PrimaryChanged => "phone.primary_changed",
            EventKind::CodeSent => "phone.code_sent",
            EventKind::CodeReturned => "phone.code_returned",
            EventKind::PhoneVerified => "phone.verified",
            EventKind::VerificationFailed(_) => "phone.verification_failed",
            EventKind::PhoneRemoved => "phone.removed",
            EventKind::Locked => "account.locked",
            EventKind::Unlocked => "account.unlocked",
            EventKind::Deleted => "account.deleted",
            EventKind::MessageTaken => "message.taken",
            EventKind::MessageDelivered => "message.delivered",
            EventKind::MessageFailed => "message.failed",
            EventKind::MessageGivenUp => "message.given_up",
            EventKind::GuardRefused => "guard.refused",
            EventKind::Erased => "account.erased",
            EventKind::Imported => "account.imported",
        }
    }

    /// Why, where there is a why.
    pub fn cause(self) -> Option<&'static str> {
        match self {
            EventKind::VerificationFailed(failure) => Some(failure.code()),
            EventKind::Registered
            | EventKind::ProfileChanged
            | EventKind::PhoneSet
            | EventKind::PhoneAdded
            | EventKind::PhonePending
            | EventKind::PrimaryChanged
            | EventKind::CodeSent
            | EventKind::CodeReturned
            | EventKind::PhoneVerified
            | EventKind::PhoneRemoved
            | EventKind::Locked
            | EventKind::Unlocked
            | EventKind::Deleted
            | EventKind::MessageTaken
            | EventKind::MessageDelivered
            | EventKind::MessageFailed
            | EventKind::MessageGivenUp
            | EventKind::GuardRefused
            | EventKind::Erased
            | EventKind::Imported => None,
        }
    }
}

/// How long a notice to an old number is worth sending.
pub(crate) const NOTICE_LIFE: Duration = Duration::from_secs(86_400);

/// A text message that shall go out. It holds no code: delivery derives it from the challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its id, which stays over retries: the provider's idempotency key.
    pub id: Id,
    /// The account that it is about.
    pub account: String,
    /// The account's organisation.
    pub organization: String,
    /// Where it goes.
    pub number: Number,
    /// What it says.
    pub kind: MessageKind,
    /// BCP 47 tags of the languages to write it in, best first; may be empty.
    pub language: String,
    /// The route that it waits for; `None` when no route serves its number.
    pub route: Option<String>,
    /// How many messages with the same code went before it: each goes over another route.
    pub round: u32,
    /// When it was asked for.
    pub created_at: Time,
    /// No earlier it goes out: a notice waits for room in its number's budget.
    pub due_at: Time,
    /// From this time on it is dropped instead of sent.
    pub expires_at: Time,
    /// The routes that serve its number and that the number's owner has told to stop.
    pub opted_out: Vec<String>,
}

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// The code of a challenge.
    Code {
        /// The challenge.
        challenge: Id,
    },
    /// The code of a challenge whose answer removes the number.
    RemovalCode {
        /// The challenge.
        challenge: Id,
    },
    /// To a verified number: it was replaced.
    Replaced,
    /// To a verified number: it was removed.
    Removed,
}

impl MessageKind {
    /// The message that carries the code of a challenge.
    pub(crate) fn of(purpose: Purpose, challenge: Id) -> MessageKind {
        match purpose {
            Purpose::Verify => MessageKind::Code { challenge },
            Purpose::Remove => MessageKind::RemovalCode { challenge },
        }
    }

    /// The challenge whose code it carries, if it carries one.
    pub fn challenge(self) -> Option<Id> {
        match self {
            MessageKind::Code { challenge } | MessageKind::RemovalCode { challenge } => {
                Some(challenge)
            }
            MessageKind::Replaced | MessageKind::Removed => None,
        }
    }

    /// The stable name.
    pub fn code(self) -> &'static str {
        match self {
            MessageKind::Code { .. } => "code",
            MessageKind::RemovalCode { .. } => "removal_code",
            MessageKind::Replaced => "replaced",
            MessageKind::Removed => "removed",
        }
    }
}
