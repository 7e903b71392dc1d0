//! A refusal in Zitadel's words: gRPC code, text, id and details.

use std::time::Duration;

use ringback_core::Refusal;
use ringback_core::limit::Limit;
use ringback_core::number::NumberError;
use tonic::{Code, Status};

use crate::api::shared::{self, detail};
use crate::proto::google::rpc;
use crate::proto::google::rpc::quota_failure::Violation;
use crate::proto::zitadel::v1::ErrorDetail;

/// What a method calls missing when the account is: Zitadel's ids differ from method to method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// The methods about the phone number.
    Phone,
    /// The methods that read a user.
    UserToRead,
    /// The methods that change a user.
    UserToChange,
    /// The method that deletes a user.
    UserToDelete,
}

impl Missing {
    fn id_and_text(self) -> (&'static str, &'static str) {
        const USER: &str = "User could not be found";
        match self {
            Missing::Phone => ("COMMAND-ieJ2e", USER),
            Missing::UserToRead => ("QUERY-Dfbg2", USER),
            Missing::UserToChange => ("COMMAND-ugjs0upun6", USER),
            Missing::UserToDelete => ("COMMAND-bd4ir1mblj", USER),
        }
    }
}

/// How long a shed caller shall wait: the lanes are empty again long before.
const OVERLOAD_PAUSE: Duration = Duration::from_secs(1);

/// A refusal outside of any method, or of a method about the phone number.
pub(super) fn status(refusal: &Refusal) -> Status {
    status_of(refusal, Missing::Phone)
}

/// A refusal of a method that calls a missing account `missing`.
pub(super) fn status_of(refusal: &Refusal, missing: Missing) -> Status {
    shared::named(refusal, unnamed(refusal, missing))
}

#[deny(clippy::wildcard_enum_match_arm)]
fn unnamed(refusal: &Refusal, missing: Missing) -> Status {
    let ours = |code, text: &str, retry_after, limit| {
        let id = format!("RINGBACK-{}", refusal.code());
        identified(code, &id, text, retry_after, limit)
    };
    match refusal {
        Refusal::TokenMissing => Status::new(Code::Unauthenticated, "auth header missing"),
        Refusal::TokenMalformed => {
            zitadels(Code::Unauthenticated, "AUTH-toLo1", "invalid auth header")
        }
        Refusal::TokenInvalid => zitadels(Code::Unauthenticated, "AUTH-7fs1e", "Token is invalid"),
        Refusal::IssuerUnavailable => ours(
            Code::Unavailable,
            "the keys of the token's issuer cannot be read now; try again",
            None,
            None,
        ),
        Refusal::OrganizationDenied => zitadels(
            Code::PermissionDenied,
            "AUTH-Bs7Ds",
            "Organisation doesn't exist",
        ),
        Refusal::PermissionDenied => zitadels(
            Code::PermissionDenied,
            "AUTH-AWfge",
            "No matching permissions found",
        ),
        Refusal::TokenStale => ours(Code::Unauthenticated, &refusal.to_string(), None, None),
        Refusal::ScopeMissing(_) => ours(Code::PermissionDenied, &refusal.to_string(), None, None),
        Refusal::RemovalUnconfirmed
        | Refusal::AccountAmbiguous
        | Refusal::NumberOptedOut
        | Refusal::Guarded(_) => ours(Code::FailedPrecondition, &refusal.to_string(), None, None),
        Refusal::AccountNotFound => {
            let (id, text) = missing.id_and_text();
            zitadels(Code::NotFound, id, text)
        }
        Refusal::AccountExists => zitadels(
            Code::FailedPrecondition,
            "COMMAND-7yiox1isql",
            "User already exists",
        ),
        Refusal::PhoneNotFound => {
            zitadels(Code::FailedPrecondition, "COMMAND-ieJ2e", "Phone not found")
        }
        Refusal::PhoneUnchanged => zitadels(
            Code::FailedPrecondition,
            "COMMAND-Uch5e",
            "Phone not changed",
        ),
        Refusal::PhoneUnverified => ours(
            Code::FailedPrecondition,
            "the phone number is not verified; verify it first",
            None,
            None,
        ),
        Refusal::TooManyNumbers => ours(
            Code::FailedPrecondition,
            "the user holds as many phone numbers as it may; remove one first",
            None,
            None,
        ),
        Refusal::NumberInvalid(NumberError::Empty) => {
            zitadels(Code::InvalidArgument, "PHONE-Zt0NV", "Phone is empty")
        }
        Refusal::NumberInvalid(
            reason @ (NumberError::Extension
            | NumberError::Malformed
            | NumberError::NotInternational
            | NumberError::Length
            | NumberError::Nonexistent
            | NumberError::TestOver),
        ) => zitadels(
            Code::InvalidArgument,
            "PHONE-so0wa",
            &format!("Phone is invalid: {reason}"),
        ),
        Refusal::NumberKindNotServed(_) => {
            ours(Code::InvalidArgument, &refusal.to_string(), None, None)
        }
        Refusal::CodeAbsent => zitadels(
            Code::FailedPrecondition,
            "PHONE-5xrra88eq8",
            "Code is empty",
        ),
        // One answer for every cause: a guesser must not learn which it was.
        Refusal::CodeRefused(_) => {
            zitadels(Code::InvalidArgument, "COMMAND-eis9R", "Code is invalid")
        }
        Refusal::Limited { limit, retry_after } => ours(
            Code::ResourceExhausted,
            &limited(*limit, *retry_after),
            Some(*retry_after),
            Some(*limit),
        ),
        Refusal::FieldInvalid { field, rule } => {
            Status::new(Code::InvalidArgument, format!("invalid {field}: {rule}"))
        }
        Refusal::Unsupported { what } => ours(
            Code::InvalidArgument,
            &format!("{what} is not supported; leave it out"),
            None,
            None,
        ),
        Refusal::UnderWay => ours(
            Code::Aborted,
            "a request with this idempotency-key is under way; send it again in a moment",
            Some(OVERLOAD_PAUSE),
            None,
        ),
        Refusal::Overloaded => ours(
            Code::ResourceExhausted,
            "more is waiting than can be done soon; try again in a moment",
            Some(OVERLOAD_PAUSE),
            None,
        ),
        Refusal::DeadlineExceeded => ours(
            Code::DeadlineExceeded,
            "the deadline passed; what was asked for may have been done",
            None,
            None,
        ),
        Refusal::Unavailable if missing == Missing::UserToRead => {
            ours(Code::Unavailable, shared::READ_UNAVAILABLE, None, None)
        }
        Refusal::Unavailable => ours(
            Code::Unavailable,
            "the database cannot be reached; whether a change was made is unknown",
            None,
            None,
        ),
        Refusal::Internal => ours(Code::Internal, "An internal error occurred", None, None),
    }
}

/// UpdateUser takes an empty number for a removal, which nothing can prove.
pub(super) fn removal_verified() -> Status {
    zitadels(
        Code::InvalidArgument,
        "USERv2-4f3d6",
        "Verifying phone removal is not supported",
    )
}

fn zitadels(code: Code, id: &str, text: &str) -> Status {
    identified(code, id, text, None, None)
}

fn identified(
    code: Code,
    id: &str,
    text: &str,
    retry_after: Option<Duration>,
    limit: Option<Limit>,
) -> Status {
    let message = format!("{text} ({id})");
    let named = ErrorDetail {
        id: id.to_owned(),
        message: text.to_owned(),
    };
    let mut details = vec![detail("zitadel.v1.ErrorDetail", &named)];
    details.extend(retry_after.map(shared::retry_info));
    details.extend(limit.map(|limit| detail("google.rpc.QuotaFailure", &quota_failure(limit))));
    shared::status(code, message, details)
}

fn quota_failure(limit: Limit) -> rpc::QuotaFailure {
    let subject = match limit {
        Limit::CoolDown | Limit::NumberSends => "phone number",
        Limit::Others => "request",
        Limit::AccountSends | Limit::AccountSets | Limit::AccountChanges => "user",
        Limit::AddressSends | Limit::AddressVerifications => "client address",
        Limit::OrganizationSends | Limit::CountrySends | Limit::OrganizationSpend => "organization",
        Limit::Guard(_) => "phone number",
        Limit::Guesses | Limit::WrongCodes => "code",
    };
    rpc::QuotaFailure {
        violations: vec![Violation {
            subject: subject.to_owned(),
            description: limit.code().to_owned(),
        }],
    }
}

/// A limit that others have filled is not named: whoever asks shall not learn of them.
fn limited(limit: Limit, retry_after: Duration) -> String {
    let wait = whole_seconds(retry_after);
    match limit {
        Limit::Others => format!("try again later, in {wait} s"),
        Limit::Guard(_) => format!("codes are held back for now; try again in {wait} s"),
        Limit::CoolDown
        | Limit::NumberSends
        | Limit::AccountSends
        | Limit::AccountSets
        | Limit::AccountChanges
        | Limit::AddressSends
        | Limit::AddressVerifications
        | Limit::OrganizationSends
        | Limit::CountrySends
        | Limit::OrganizationSpend
        | Limit::Guesses
        | Limit::WrongCodes => format!("limit {} reached; try again in {wait} s", limit.code()),
    }
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests;
