//! Every refusal in ReachFive's words.

use super::*;
use ringback_core::number::{NumberError, NumberKind};
use ringback_core::refusal::CodeFailure;

fn told(problem: Problem) -> serde_json::Value {
    serde_json::from_str(&problem.body_named("0123456789")).unwrap()
}

#[test]
fn published_texts_are_told_letter_by_letter() {
    let code = reply(&Refusal::CodeRefused(CodeFailure::Expired));
    assert_eq!(code.status, 400);
    assert_eq!(
        told(code),
        serde_json::json!({
            "error_id": "0123456789",
            "error": "invalid_grant",
            "error_description": "Invalid Verification Code",
            "error_message_key": "error.invalidVerificationCode",
            "error_user_msg": CODE,
        })
    );
}

#[test]
fn every_refusal_has_a_reply() {
    let text = || "x".to_owned();
    let all = [
        Refusal::TokenMissing,
        Refusal::TokenMalformed,
        Refusal::TokenInvalid,
        Refusal::IssuerUnavailable,
        Refusal::OrganizationDenied,
        Refusal::PermissionDenied,
        Refusal::AccountNotFound,
        Refusal::AccountExists,
        Refusal::AccountAmbiguous,
        Refusal::PhoneNotFound,
        Refusal::PhoneUnchanged,
        Refusal::PhoneUnverified,
        Refusal::TokenStale,
        Refusal::ScopeMissing("phone".into()),
        Refusal::RemovalUnconfirmed,
        Refusal::TooManyNumbers,
        Refusal::NumberInvalid(NumberError::Length),
        Refusal::NumberKindNotServed(NumberKind::PremiumRate),
        Refusal::NumberOptedOut,
        Refusal::Guarded(ringback_core::guard::Reason::Country),
        Refusal::CodeAbsent,
        Refusal::CodeRefused(CodeFailure::Wrong),
        Refusal::Limited {
            limit: Limit::CoolDown,
            retry_after: Duration::from_millis(59_001),
        },
        Refusal::FieldInvalid {
            field: text(),
            rule: "must be y".into(),
        },
        Refusal::Unsupported { what: text() },
        Refusal::UnderWay,
        Refusal::Overloaded,
        Refusal::DeadlineExceeded,
        Refusal::Unavailable,
        Refusal::Internal,
    ];
    let told: serde_json::Map<_, _> = all
        .iter()
        .map(|refusal| {
            let problem = reply(refusal);
            let (status, wait) = (problem.status.as_u16(), problem.retry_after.map(seconds));
            let reply = serde_json::json!({
                "status": status, "retry-after": wait, "body": told(problem),
            });
            (refusal.code().to_owned(), reply)
        })
        .collect();
    assert_eq!(told.len(), all.len(), "each has a name of its own");
    insta::assert_json_snapshot!(told);
}

#[test]
fn why_a_code_was_refused_is_not_told() {
    let all = [
        CodeFailure::Shape,
        CodeFailure::Absent,
        CodeFailure::Expired,
        CodeFailure::Spent,
        CodeFailure::Locked,
    ];
    let wrong = told(reply(&Refusal::CodeRefused(CodeFailure::Wrong)));
    for failure in all {
        assert_eq!(
            told(reply(&Refusal::CodeRefused(failure))),
            wrong,
            "{failure:?}"
        );
    }
}

#[test]
fn whoever_waits_as_told_has_waited_long_enough() {
    assert_eq!(seconds(Duration::from_millis(1)), 1);
    assert_eq!(seconds(Duration::from_secs(60)), 60);
    assert_eq!(seconds(Duration::from_millis(60_001)), 61);
}
