//! Every refusal in Zitadel's words.

use ringback_core::number::NumberKind;
use ringback_core::refusal::CodeFailure;

use prost::Message;

use super::*;

fn details(status: &Status) -> Vec<prost_types::Any> {
    if status.details().is_empty() {
        return Vec::new();
    }
    let whole = rpc::Status::decode(status.details()).unwrap();
    assert_eq!(whole.code, status.code() as i32);
    assert_eq!(whole.message, status.message());
    whole.details
}

fn named(status: &Status) -> Option<(String, String)> {
    let all = details(status);
    let first = all.first()?;
    assert_eq!(first.type_url, "type.googleapis.com/zitadel.v1.ErrorDetail");
    let detail = ErrorDetail::decode(first.value.as_slice()).unwrap();
    Some((detail.id, detail.message))
}

#[test]
fn every_refusal_has_its_code_text_and_id() {
    let limited = Refusal::Limited {
        limit: Limit::CoolDown,
        retry_after: Duration::from_millis(59_001),
    };
    let unsupported = Refusal::Unsupported {
        what: "human.password".into(),
    };
    let international = "Phone is invalid: the phone number is not in international form: begin with + and \
         the country code, such as +41791234567";
    let table: &[(Refusal, Code, &str, &str)] = &[
        (
            Refusal::TokenMalformed,
            Code::Unauthenticated,
            "AUTH-toLo1",
            "invalid auth header",
        ),
        (
            Refusal::TokenInvalid,
            Code::Unauthenticated,
            "AUTH-7fs1e",
            "Token is invalid",
        ),
        (
            Refusal::IssuerUnavailable,
            Code::Unavailable,
            "RINGBACK-issuer_unavailable",
            "the keys of the token's issuer cannot be read now; try again",
        ),
        (
            Refusal::OrganizationDenied,
            Code::PermissionDenied,
            "AUTH-Bs7Ds",
            "Organisation doesn't exist",
        ),
        (
            Refusal::PermissionDenied,
            Code::PermissionDenied,
            "AUTH-AWfge",
            "No matching permissions found",
        ),
        (
            Refusal::TokenStale,
            Code::Unauthenticated,
            "RINGBACK-token_stale",
            "the token was issued too long ago to change something with it; sign in again",
        ),
        (
            Refusal::ScopeMissing("phone".into()),
            Code::PermissionDenied,
            "RINGBACK-scope_missing",
            "the token has not the scope phone, which changes ask for; ask for it at sign-in",
        ),
        (
            Refusal::RemovalUnconfirmed,
            Code::FailedPrecondition,
            "RINGBACK-removal_unconfirmed",
            "a number is removed with a code that is sent to it: ask for one with RequestUserPhoneRemoval and \
             hand it in with ConfirmUserPhoneRemoval, or DELETE the number at the Frontegg API and confirm at \
             its /delete/verify",
        ),
        (
            Refusal::AccountNotFound,
            Code::NotFound,
            "COMMAND-ieJ2e",
            "User could not be found",
        ),
        (
            Refusal::AccountExists,
            Code::FailedPrecondition,
            "COMMAND-7yiox1isql",
            "User already exists",
        ),
        (
            Refusal::PhoneNotFound,
            Code::FailedPrecondition,
            "COMMAND-ieJ2e",
            "Phone not found",
        ),
        (
            Refusal::PhoneUnchanged,
            Code::FailedPrecondition,
            "COMMAND-Uch5e",
            "Phone not changed",
        ),
        (
            Refusal::PhoneUnverified,
            Code::FailedPrecondition,
            "RINGBACK-phone_unverified",
            "the phone number is not verified; verify it first",
        ),
        (
            Refusal::TooManyNumbers,
            Code::FailedPrecondition,
            "RINGBACK-too_many_numbers",
            "the user holds as many phone numbers as it may; remove one first",
        ),
        (
            Refusal::NumberInvalid(NumberError::Empty),
            Code::InvalidArgument,
            "PHONE-Zt0NV",
            "Phone is empty",
        ),
        (
            Refusal::NumberInvalid(NumberError::NotInternational),
            Code::InvalidArgument,
            "PHONE-so0wa",
            international,
        ),
        (
            Refusal::NumberInvalid(NumberError::Length),
            Code::InvalidArgument,
            "PHONE-so0wa",
            "Phone is invalid: the phone number is too short or too long",
        ),
        (
            Refusal::NumberKindNotServed(NumberKind::PremiumRate),
            Code::InvalidArgument,
            "RINGBACK-number_kind_not_served",
            "no codes are sent to premium-rate numbers; use a number of another kind",
        ),
        (
            Refusal::NumberOptedOut,
            Code::FailedPrecondition,
            "RINGBACK-number_opted_out",
            "the owner of the phone number has opted out of messages; have them text START to the sender, or use \
             another number",
        ),
        (
            Refusal::Guarded(ringback_core::guard::Reason::Country),
            Code::FailedPrecondition,
            "RINGBACK-guarded",
            "no codes are sent to numbers of this country; use a number of another country",
        ),
        (
            Refusal::CodeAbsent,
            Code::FailedPrecondition,
            "PHONE-5xrra88eq8",
            "Code is empty",
        ),
        (
            limited,
            Code::ResourceExhausted,
            "RINGBACK-limited",
            "limit cool_down reached; try again in 60 s",
        ),
        (
            unsupported,
            Code::InvalidArgument,
            "RINGBACK-unsupported",
            "human.password is not supported; leave it out",
        ),
        (
            Refusal::UnderWay,
            Code::Aborted,
            "RINGBACK-under_way",
            "a request with this idempotency-key is under way; send it again in a moment",
        ),
        (
            Refusal::Overloaded,
            Code::ResourceExhausted,
            "RINGBACK-overloaded",
            "more is waiting than can be done soon; try again in a moment",
        ),
        (
            Refusal::DeadlineExceeded,
            Code::DeadlineExceeded,
            "RINGBACK-deadline_exceeded",
            "the deadline passed; what was asked for may have been done",
        ),
        (
            Refusal::Unavailable,
            Code::Unavailable,
            "RINGBACK-unavailable",
            "the database cannot be reached; whether a change was made is unknown",
        ),
        (
            Refusal::Internal,
            Code::Internal,
            "RINGBACK-internal",
            "An internal error occurred",
        ),
    ];
    for (refusal, code, id, text) in table {
        let status = status(refusal);
        assert_eq!(status.code(), *code, "{refusal:?}");
        assert_eq!(status.message(), format!("{text} ({id})"));
        assert_eq!(
            named(&status),
            Some(((*id).to_owned(), (*text).to_owned())),
            "{refusal:?}"
        );
    }
}

#[test]
fn two_refusals_have_a_text_only() {
    let missing = status(&Refusal::TokenMissing);
    assert_eq!(
        (missing.code(), missing.message(), missing.details()),
        (Code::Unauthenticated, "auth header missing", &[][..])
    );
    let field = status(&Refusal::FieldInvalid {
        field: "SetPhoneRequest.Phone".into(),
        rule: "value length must be between 1 and 200 runes, inclusive".into(),
    });
    assert_eq!(field.code(), Code::InvalidArgument);
    assert_eq!(
        field.message(),
        "invalid SetPhoneRequest.Phone: value length must be between 1 and 200 runes, inclusive"
    );
    assert!(field.details().is_empty());
}

#[test]
fn every_refused_code_looks_the_same() {
    let failures = [
        CodeFailure::Shape,
        CodeFailure::Absent,
        CodeFailure::Expired,
        CodeFailure::Spent,
        CodeFailure::Locked,
        CodeFailure::Wrong,
    ];
    for failure in failures {
        let status = status(&Refusal::CodeRefused(failure));
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.message(), "Code is invalid (COMMAND-eis9R)");
        assert_eq!(
            named(&status),
            Some(("COMMAND-eis9R".into(), "Code is invalid".into()))
        );
    }
}

#[test]
fn a_missing_user_is_called_as_the_method_calls_it() {
    let said = |missing| {
        status_of(&Refusal::AccountNotFound, missing)
            .message()
            .to_owned()
    };
    assert_eq!(
        said(Missing::Phone),
        "User could not be found (COMMAND-ieJ2e)"
    );
    assert_eq!(
        said(Missing::UserToRead),
        "User could not be found (QUERY-Dfbg2)"
    );
    assert_eq!(
        said(Missing::UserToChange),
        "User could not be found (COMMAND-ugjs0upun6)"
    );
    assert_eq!(
        said(Missing::UserToDelete),
        "User could not be found (COMMAND-bd4ir1mblj)"
    );
    assert_eq!(
        removal_verified().message(),
        "Verifying phone removal is not supported (USERv2-4f3d6)"
    );
}

#[test]
fn limits_say_when_to_come_back_and_which_they_are() {
    let status = status(&Refusal::Limited {
        limit: Limit::AccountSends,
        retry_after: Duration::new(41, 5_000),
    });
    let all = details(&status);
    assert_eq!(all[1].type_url, "type.googleapis.com/google.rpc.RetryInfo");
    let retry = rpc::RetryInfo::decode(all[1].value.as_slice()).unwrap();
    assert_eq!(
        retry.retry_delay,
        Some(prost_types::Duration {
            seconds: 41,
            nanos: 5_000
        })
    );
    assert_eq!(
        all[2].type_url,
        "type.googleapis.com/google.rpc.QuotaFailure"
    );
    let quota = rpc::QuotaFailure::decode(all[2].value.as_slice()).unwrap();
    assert_eq!(quota.violations[0].subject, "user");
    assert_eq!(quota.violations[0].description, "sends_per_account");
    assert_eq!(all.len(), 3);
}

#[test]
fn overload_asks_for_a_second() {
    let all = details(&status(&Refusal::Overloaded));
    let retry = rpc::RetryInfo::decode(all[1].value.as_slice()).unwrap();
    assert_eq!(
        retry.retry_delay,
        Some(prost_types::Duration {
            seconds: 1,
            nanos: 0
        })
    );
    assert_eq!(all.len(), 2);
}

#[test]
fn a_read_is_not_told_that_something_may_have_changed() {
    let read = status_of(&Refusal::Unavailable, Missing::UserToRead);
    assert_eq!(read.code(), Code::Unavailable);
    assert!(!read.message().contains("change"), "{}", read.message());
    let write = status_of(&Refusal::Unavailable, Missing::UserToChange);
    assert!(write.message().contains("change"), "{}", write.message());
}
