//! Every reason for which a caller can be refused, once; each API says them in its own words.

use std::time::Duration;

use crate::guard::Reason;
use crate::limit::Limit;
use crate::number::{NumberError, NumberKind};

/// Why a request was refused. [`Refusal::code`] is stable; the text is for logs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No token came along.
    #[error("no token")]
    TokenMissing,
    /// The authorization header is not a bearer token.
    #[error("malformed authorization header")]
    TokenMalformed,
    /// The token is not valid here.
    #[error("invalid token")]
    TokenInvalid,
    /// The keys that would tell whether the token is valid cannot be had now.
    #[error("the issuer's keys cannot be read")]
    IssuerUnavailable,
    /// The caller may not act in the organisation that the request names.
    #[error("organisation not allowed")]
    OrganizationDenied,
    /// The caller may not do this.
    #[error("permission denied")]
    PermissionDenied,
    /// The caller's token is too old to change something.
    #[error("the token was issued too long ago to change something with it; sign in again")]
    TokenStale,
    /// The caller's token has not the scope that changes ask for.
    #[error("the token has not the scope {0}, which changes ask for; ask for it at sign-in")]
    ScopeMissing(String),
    /// No such account, or one that must not be told from none.
    #[error("account not found")]
    AccountNotFound,
    /// An account of this id exists.
    #[error("account exists")]
    AccountExists,
    /// Several organisations have a user of this id, and none was named.
    #[error(
        "users of several organisations have this id; name the organisation, in the header x-zitadel-orgid or \
         frontegg-tenant-id"
    )]
    AccountAmbiguous,
    /// The account has no number to remove.
    #[error("phone not found")]
    PhoneNotFound,
    /// The number is the account's already.
    #[error("phone unchanged")]
    PhoneUnchanged,
    /// The number would have to be proven first.
    #[error("phone not verified")]
    PhoneUnverified,
    /// A user's number would have to be removed with a code.
    #[error(
        "a number is removed with a code that is sent to it: ask for one with RequestUserPhoneRemoval and hand it \
         in with ConfirmUserPhoneRemoval, or DELETE the number at the Frontegg API and confirm at its \
         /delete/verify"
    )]
    RemovalUnconfirmed,
    /// The account holds as many numbers as it may.
    #[error("too many numbers")]
    TooManyNumbers,
    /// The text is no number that we take.
    #[error(transparent)]
    NumberInvalid(#[from] NumberError),
    /// A code would have to be sent to a number of a kind that `numbers.kinds` does not list.
    #[error("no codes are sent to {0} numbers; use a number of another kind")]
    NumberKindNotServed(NumberKind),
    /// A code would have to be sent to a number whose owner has told every route that serves it to stop.
    #[error(
        "the owner of the phone number has opted out of messages; have them text START to the sender, or use \
         another number"
    )]
    NumberOptedOut,
    /// A code would have to be sent where the guard lets none go, and waiting does not help.
    #[error("no codes are sent to {}", not_served(*.0))]
    Guarded(Reason),
    /// There is no challenge whose code could be sent again.
    #[error("no code to send again")]
    CodeAbsent,
    /// The code was not accepted. Why is for logs and events, never for the wire.
    #[error("code refused: {}", .0.code())]
    CodeRefused(CodeFailure),
    /// Too much, too soon.
    #[error("{}", reached(*.limit))]
    Limited {
        /// Which limit.
        limit: Limit,
        /// When to try again.
        retry_after: Duration,
    },
    /// A field of the request breaks a rule of its form.
    #[error("invalid field {field}: {rule}")]
    FieldInvalid {
        /// The field as its API spells it.
        field: String,
        /// The rule that it breaks.
        rule: String,
    },
    /// The request asks for something that is not kept here.
    #[error("not supported: {what}")]
    Unsupported {
        /// What was asked for, as its API spells it.
        what: String,
    },
    /// The same call of the same caller is under way, and has been for longer than this one could wait.
    #[error("a request with this idempotency-key is under way; send it again in a moment")]
    UnderWay,
    /// More is waiting than can be done soon.
    #[error("overloaded")]
    Overloaded,
    /// The caller's time was up. A command that was still in line is not decided; one that was not may be.
    #[error("the deadline passed; what was asked for may have been done")]
    DeadlineExceeded,
    /// The database cannot be reached, or was lost while committing: whether the change was made is unknown.
    #[error("unavailable")]
    Unavailable,
    /// A fault of ours. Logged where it was found.
    #[error("internal error")]
    Internal,
}

/// What the guard refuses for good is where a number is, or what it is.
fn not_served(reason: Reason) -> &'static str {
    match reason {
        Reason::Kind => "numbers of this kind; use a number of another kind",
        _ => "numbers of this country; use a number of another country",
    }
}

/// A limit that others have filled is not named: whoever asks shall not learn of them.
fn reached(limit: Limit) -> String {
    match limit {
        Limit::Others => "try again later".to_owned(),
        Limit::Guard(_) => "codes are held back for now; try again later".to_owned(),
        named => format!("limit {} reached", named.code()),
    }
}

/// Why a code was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeFailure {
    /// It has not the form of a code.
    Shape,
    /// Nothing was asked.
    Absent,
    /// Too late.
    Expired,
    /// The challenge has had all its wrong guesses.
    Spent,
    /// After wrong guesses of the account for the number the next one has to wait. Answered as a limit.
    Waiting,
    /// After too many of them only an operator helps.
    Locked,
    /// Another code was sent.
    Wrong,
}

impl CodeFailure {
    /// The stable name.
    pub fn code(self) -> &'static str {
        match self {
            CodeFailure::Shape => "shape",
            CodeFailure::Absent => "absent",
            CodeFailure::Expired => "expired",
            CodeFailure::Spent => "spent",
            CodeFailure::Waiting => "waiting",
            CodeFailure::Locked => "locked",
            CodeFailure::Wrong => "wrong",
        }
    }
}

impl Refusal {
    /// The limit that a caller has met, by its stable name, and why where there is more to say.
    pub fn limit(&self) -> Option<(&'static str, Option<&'static str>)> {
        match self {
            Refusal::Limited { limit, .. } => Some((limit.code(), limit.reason())),
            Refusal::Guarded(reason) => {
                let limit = Limit::Guard(*reason);
                Some((limit.code(), limit.reason()))
            }
            _ => None,
        }
    }

    /// Whether what was refused has cost something all the same: a wrong code is one guess. Asked again, it would cost
    /// another one.
    #[deny(clippy::wildcard_enum_match_arm)]
    pub fn costs(&self) -> bool {
        match self {
            Refusal::CodeRefused(failure) => *failure == CodeFailure::Wrong,
            Refusal::TokenMissing
            | Refusal::TokenMalformed
            | Refusal::TokenInvalid
            | Refusal::IssuerUnavailable
            | Refusal::OrganizationDenied
            | Refusal::PermissionDenied
            | Refusal::TokenStale
            | Refusal::ScopeMissing(_)
            | Refusal::AccountNotFound
            | Refusal::AccountExists
            | Refusal::AccountAmbiguous
            | Refusal::PhoneNotFound
            | Refusal::PhoneUnchanged
            | Refusal::PhoneUnverified
            | Refusal::RemovalUnconfirmed
            | Refusal::TooManyNumbers
            | Refusal::NumberInvalid(_)
            | Refusal::NumberKindNotServed(_)
            | Refusal::NumberOptedOut
            | Refusal::Guarded(_)
            | Refusal::CodeAbsent
            | Refusal::Limited { .. }
            | Refusal::FieldInvalid { .. }
            | Refusal::Unsupported { .. }
            | Refusal::UnderWay
            | Refusal::Overloaded
            | Refusal::DeadlineExceeded
            | Refusal::Unavailable
            | Refusal::Internal => false,
        }
    }

    /// The stable name of the reason: in metrics, in logs and at APIs that have room for one.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::TokenMissing => "token_missing",
            Refusal::TokenMalformed => "token_malformed",
            Refusal::TokenInvalid => "token_invalid",
            Refusal::IssuerUnavailable => "issuer_unavailable",
            Refusal::OrganizationDenied => "organization_denied",
            Refusal::PermissionDenied => "permission_denied",
            Refusal::TokenStale => "token_stale",
            Refusal::ScopeMissing(_) => "scope_missing",
            Refusal::AccountNotFound => "account_not_found",
            Refusal::AccountExists => "account_exists",
            Refusal::AccountAmbiguous => "account_ambiguous",
            Refusal::PhoneNotFound => "phone_not_found",
            Refusal::PhoneUnchanged => "phone_unchanged",
            Refusal::PhoneUnverified => "phone_unverified",
            Refusal::RemovalUnconfirmed => "removal_unconfirmed",
            Refusal::TooManyNumbers => "too_many_numbers",
            Refusal::NumberInvalid(error) => error.code(),
            Refusal::NumberKindNotServed(_) => "number_kind_not_served",
            Refusal::NumberOptedOut => "number_opted_out",
            Refusal::Guarded(_) => "guarded",
            Refusal::CodeAbsent => "code_absent",
            Refusal::CodeRefused(_) => "code_refused",
            Refusal::Limited { .. } => "limited",
            Refusal::FieldInvalid { .. } => "field_invalid",
            Refusal::Unsupported { .. } => "unsupported",
            Refusal::UnderWay => "under_way",
            Refusal::Overloaded => "overloaded",
            Refusal::DeadlineExceeded => "deadline_exceeded",
            Refusal::Unavailable => "unavailable",
            Refusal::Internal => "internal",
        }
    }
}
