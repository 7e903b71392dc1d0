//! Searches, their page tokens, and refusals in ringback's words.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prost::Message;
use ringback_core::account::{AccountLimits, Profile};
use ringback_core::limit::Limit;
use ringback_core::number::{NumberError, NumberKind};
use ringback_core::refusal::CodeFailure;
use ringback_core::rights::{Rights, Scope};
use ringback_core::{Account, Caller, Id, Keys, Number, Phone, PhoneState, Policies, Time};
use tonic::Code;

use super::search::last_of;
use super::*;
use crate::proto::google::rpc::{self, ErrorInfo};

const LAST: &str = "0190a5d2-0000-7000-8000-000000000001";

fn caller(user: &str, everywhere: bool, may_read: bool) -> Caller {
    let rights = Rights {
        read: may_read,
        ..Rights::NONE
    };
    let caller = Caller::new(user, "acme");
    match everywhere {
        true => Caller {
            everywhere: rights,
            ..caller
        },
        false => caller.with_rights(rights),
    }
}

fn search(request: SearchPhonesRequest, caller: &Caller) -> Result<Search, Refusal> {
    Search::of(request, caller, &Policies::default(), &Keys::for_tests())
}

fn field_of(refusal: Refusal) -> String {
    match refusal {
        Refusal::FieldInvalid { field, .. } => field,
        other => panic!("not about a field: {other:?}"),
    }
}

#[test]
fn conditions_reach_the_query() {
    let request = SearchPhonesRequest {
        user_ids: vec!["ann".into()],
        phone: "0041 79 123 45 67".into(),
        phone_prefix: "+4179".into(),
        is_verified: Some(false),
        organization_id: "acme".into(),
        page_size: 7,
        page_token: String::new(),
    };
    let query = search(request, &caller("svc", true, true)).unwrap().query;
    assert_eq!(query.scope, Scope::Organization("acme".into()));
    assert_eq!(query.accounts, ["ann"]);
    assert_eq!(
        query.number.as_ref().map(Number::as_str),
        Some("+41791234567")
    );
    assert_eq!(query.prefix.as_deref(), Some("+4179"));
    assert_eq!(query.verified, Some(false));
    assert_eq!((query.limit, query.after), (7, None));

    let all = search(SearchPhonesRequest::default(), &caller("svc", true, true)).unwrap();
    assert_eq!(all.query.scope, Scope::Everywhere);
    assert_eq!((all.query.number, all.query.prefix), (None, None));
    assert_eq!(all.query.limit, 100);
}

#[test]
fn bad_fields_are_named() {
    let ask = |change: fn(&mut SearchPhonesRequest)| {
        let mut request = SearchPhonesRequest::default();
        change(&mut request);
        search(request, &caller("svc", true, true)).map(|_| ())
    };
    let field = |change| field_of(ask(change).unwrap_err());
    assert_eq!(field(|r| r.page_size = 1_001), "page_size");
    assert_eq!(field(|r| r.phone_prefix = "4179".into()), "phone_prefix");
    assert_eq!(field(|r| r.phone_prefix = "+41x".into()), "phone_prefix");
    let long = |r: &mut SearchPhonesRequest| r.phone_prefix = format!("+{}", "1".repeat(16));
    assert_eq!(field(long), "phone_prefix");
    assert_eq!(
        field(|r| r.user_ids = vec!["a".into(), "".into()]),
        "user_ids[1]"
    );
    assert_eq!(field(|r| r.user_ids = vec!["a".into(); 1_001]), "user_ids");
    assert_eq!(field(|r| r.page_token = "!".into()), "page_token");
    assert_eq!(
        ask(|r| r.phone = "not a number".into()),
        Err(Refusal::NumberInvalid(NumberError::Malformed))
    );
    assert_eq!(ask(|r| r.page_size = 1_000), Ok(()));
    assert_eq!(
        ask(|r| r.phone_prefix = format!("+{}", "1".repeat(15))),
        Ok(())
    );
}

#[test]
fn a_search_stays_within_what_the_caller_may_see() {
    let own = search(SearchPhonesRequest::default(), &caller("ann", false, false)).unwrap();
    assert_eq!(
        own.query.scope,
        Scope::Own {
            account: "ann".into(),
            organization: "acme".into()
        }
    );
    let other = SearchPhonesRequest {
        organization_id: "other".into(),
        ..SearchPhonesRequest::default()
    };
    assert_eq!(
        search(other, &caller("svc", false, true)).map(|_| ()),
        Err(Refusal::OrganizationDenied)
    );
}

#[test]
fn a_page_token_continues_its_own_search_only() {
    let keys = Keys::for_tests();
    let last = Id::parse(LAST).unwrap();
    let reader = caller("svc", true, true);
    let base = SearchPhonesRequest {
        user_ids: vec!["ann".into()],
        ..SearchPhonesRequest::default()
    };
    let first = search(base.clone(), &reader).unwrap();
    let token = page_token(&keys, last, &first.bound);
    let with = |change: fn(&mut SearchPhonesRequest), caller: &Caller| {
        let mut request = base.clone();
        change(&mut request);
        request.page_token.clone_from(&token);
        search(request, caller).map(|search| search.query.after)
    };
    assert_eq!(with(|_| {}, &reader), Ok(Some(last)));
    assert_eq!(with(|r| r.page_size = 5, &reader), Ok(Some(last)));
    let changes: [fn(&mut SearchPhonesRequest); 6] = [
        |r| r.user_ids.push("bob".into()),
        |r| r.user_ids = vec!["a".into(), "nn".into()],
        |r| r.phone = "+41791234567".into(),
        |r| r.phone_prefix = "+41".into(),
        |r| r.is_verified = Some(false),
        |r| r.organization_id = "acme".into(),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let refusal = with(change, &reader).expect_err(&format!("change {index}"));
        assert_eq!(field_of(refusal), "page_token");
    }
    let narrower = caller("svc", false, true);
    assert_eq!(field_of(with(|_| {}, &narrower).unwrap_err()), "page_token");
}

#[test]
fn a_page_token_cannot_be_altered() {
    let keys = Keys::for_tests();
    let last = Id::parse(LAST).unwrap();
    let token = page_token(&keys, last, b"bound");
    assert_eq!(last_of(&keys, &token, b"bound"), Ok(last));
    let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
    for index in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[index] ^= 1;
        let altered = URL_SAFE_NO_PAD.encode(altered);
        assert!(last_of(&keys, &altered, b"bound").is_err(), "byte {index}");
    }
    for short in ["", "AAAA", &token[..22], &token[..token.len() - 4]] {
        assert!(last_of(&keys, short, b"bound").is_err(), "{short}");
    }
}

#[test]
fn the_primary_number_comes_first() {
    let phone = |id: &str, number: &str, state| Phone {
        id: Id::parse(id).unwrap(),
        number: Number::from_stored(number),
        state,
        created_at: Time(1_000_000),
        changed_at: Time(2_000_000),
    };
    let second = "0190a5d2-0000-7000-8000-000000000002";
    let proven = PhoneState::Verified {
        at: Time(3_000_000),
    };
    let account = Account {
        id: "ann".into(),
        organization: "acme".into(),
        sequence: 1,
        created_at: Time(0),
        changed_at: Time(0),
        profile: Profile::default(),
        phones: vec![
            phone(LAST, "+41791234567", PhoneState::Unverified),
            phone(second, "+41791234568", proven),
        ],
        primary: Id::parse(second),
        challenges: Vec::new(),
        limits: AccountLimits::default(),
    };
    let listed = numbers(&account);
    assert_eq!(listed.len(), 2);
    assert_eq!(
        (listed[0].id.as_str(), listed[0].is_primary),
        (second, true)
    );
    assert!(listed[0].is_verified);
    assert_eq!(listed[0].verification_date.map(|t| t.seconds), Some(3));
    assert_eq!(
        (listed[1].phone.as_str(), listed[1].is_primary),
        ("+41791234567", false)
    );
    assert_eq!(listed[1].verification_date, None);
    assert_eq!(listed[1].organization_id, "acme");
}

#[test]
fn every_refusal_has_its_code_and_its_stable_name() {
    let field = Refusal::FieldInvalid {
        field: "page_size".into(),
        rule: "must not be more than 1000".into(),
    };
    let what = "x".to_owned();
    let table = [
        (Refusal::TokenMissing, Code::Unauthenticated),
        (Refusal::TokenMalformed, Code::Unauthenticated),
        (Refusal::TokenInvalid, Code::Unauthenticated),
        (Refusal::IssuerUnavailable, Code::Unavailable),
        (Refusal::OrganizationDenied, Code::PermissionDenied),
        (Refusal::PermissionDenied, Code::PermissionDenied),
        (Refusal::AccountNotFound, Code::NotFound),
        (Refusal::AccountExists, Code::AlreadyExists),
        (Refusal::AccountAmbiguous, Code::FailedPrecondition),
        (Refusal::PhoneNotFound, Code::FailedPrecondition),
        (Refusal::PhoneUnchanged, Code::FailedPrecondition),
        (Refusal::TooManyNumbers, Code::FailedPrecondition),
        (
            Refusal::NumberInvalid(NumberError::Length),
            Code::InvalidArgument,
        ),
        (
            Refusal::NumberKindNotServed(NumberKind::TollFree),
            Code::InvalidArgument,
        ),
        (Refusal::NumberOptedOut, Code::FailedPrecondition),
        (
            Refusal::Guarded(ringback_core::guard::Reason::Country),
            Code::FailedPrecondition,
        ),
        (Refusal::CodeAbsent, Code::FailedPrecondition),
        (field, Code::InvalidArgument),
        (Refusal::Unsupported { what }, Code::InvalidArgument),
        (Refusal::UnderWay, Code::Aborted),
        (Refusal::Overloaded, Code::ResourceExhausted),
        (Refusal::DeadlineExceeded, Code::DeadlineExceeded),
        (Refusal::Unavailable, Code::Unavailable),
        (Refusal::Internal, Code::Internal),
    ];
    for (refusal, code) in table {
        let (status, named) = told(&refusal);
        assert_eq!(status.code(), code, "{refusal:?}");
        assert_eq!(status.message(), refusal.to_string());
        assert_eq!(named.reason, refusal.code().to_ascii_uppercase());
        assert_eq!(named.domain, "ringback");
    }
}

#[test]
fn why_a_code_was_refused_is_not_told() {
    let expired = told(&Refusal::CodeRefused(CodeFailure::Expired)).0;
    let wrong = told(&Refusal::CodeRefused(CodeFailure::Wrong)).0;
    assert_eq!(expired.code(), Code::InvalidArgument);
    assert_eq!(expired.message(), wrong.message());
    assert_eq!(expired.details(), wrong.details());
}

#[test]
fn limits_say_when_to_come_back() {
    let (status, _) = told(&Refusal::Limited {
        limit: Limit::NumberSends,
        retry_after: Duration::from_secs(90),
    });
    assert_eq!(status.code(), Code::ResourceExhausted);
    let whole = rpc::Status::decode(status.details()).unwrap();
    let retry = rpc::RetryInfo::decode(whole.details[1].value.as_slice()).unwrap();
    assert_eq!(retry.retry_delay.map(|d| d.seconds), Some(90));
}

#[test]
fn a_field_that_is_wrong_is_named_for_programs() {
    let (status, _) = told(&Refusal::FieldInvalid {
        field: "page_size".into(),
        rule: "must not be more than 1000".into(),
    });
    let whole = rpc::Status::decode(status.details()).unwrap();
    let bad = rpc::BadRequest::decode(whole.details[1].value.as_slice()).unwrap();
    assert_eq!(bad.field_violations[0].field, "page_size");
}

fn told(refusal: &Refusal) -> (Status, ErrorInfo) {
    let status = status(refusal);
    let whole = rpc::Status::decode(status.details()).unwrap();
    assert_eq!(whole.code, status.code() as i32);
    let named = ErrorInfo::decode(whole.details[0].value.as_slice()).unwrap();
    (status, named)
}
