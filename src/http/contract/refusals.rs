//! What operations can be refused with, in groups; each with a sample of what it holds.

use std::time::Duration;

use ringback_core::Refusal;
use ringback_core::guard::Reason;
use ringback_core::limit::Limit;
use ringback_core::number::{NumberError, NumberKind};
use ringback_core::refusal::CodeFailure;

/// Every operation that needs a token.
pub fn any() -> Vec<Refusal> {
    vec![
        Refusal::TokenMissing,
        Refusal::TokenMalformed,
        Refusal::TokenInvalid,
        Refusal::OrganizationDenied,
        Refusal::PermissionDenied,
        Refusal::IssuerUnavailable,
        Refusal::Overloaded,
        Refusal::DeadlineExceeded,
        Refusal::Unavailable,
        Refusal::Internal,
    ]
}

/// One account is named.
pub fn account() -> Vec<Refusal> {
    [
        any(),
        vec![Refusal::AccountNotFound, Refusal::AccountAmbiguous],
    ]
    .concat()
}

/// One account is changed, by a service or by its user.
pub fn change() -> Vec<Refusal> {
    let own = vec![
        Refusal::UnderWay,
        field("idempotency-key", "was used for another request"),
        Refusal::TokenStale,
        Refusal::ScopeMissing("phone".into()),
        limited(Limit::AccountChanges),
    ];
    [account(), own].concat()
}

/// A number is read.
pub fn number() -> Vec<Refusal> {
    let errors = [
        NumberError::Empty,
        NumberError::Extension,
        NumberError::Malformed,
        NumberError::NotInternational,
        NumberError::Length,
        NumberError::Nonexistent,
        NumberError::TestOver,
    ];
    errors.map(Refusal::NumberInvalid).into()
}

/// A number may become the account's, with a code that is sent to it.
pub fn new_number() -> Vec<Refusal> {
    let joins = vec![
        Refusal::PhoneUnchanged,
        Refusal::TooManyNumbers,
        limited(Limit::AccountSets),
    ];
    [number(), joins, sent()].concat()
}

/// A code is sent.
pub fn sent() -> Vec<Refusal> {
    let limits = [
        Limit::CoolDown,
        Limit::NumberSends,
        Limit::AccountSends,
        Limit::Others,
        Limit::AddressSends,
        Limit::OrganizationSends,
        Limit::CountrySends,
        Limit::OrganizationSpend,
        Limit::Guard(Reason::Prefix),
        Limit::Guesses,
    ];
    let kind = Refusal::NumberKindNotServed(NumberKind::PremiumRate);
    let guarded = Refusal::Guarded(Reason::Country);
    let number = [kind, Refusal::NumberOptedOut, guarded];
    limits.map(limited).into_iter().chain(number).collect()
}

/// A code is submitted.
pub fn guess() -> Vec<Refusal> {
    vec![
        Refusal::CodeRefused(CodeFailure::Wrong),
        limited(Limit::WrongCodes),
        limited(Limit::AddressVerifications),
    ]
}

/// A field breaks a rule of its form.
pub fn field(field: &str, rule: &str) -> Refusal {
    Refusal::FieldInvalid {
        field: field.into(),
        rule: rule.into(),
    }
}

fn limited(limit: Limit) -> Refusal {
    Refusal::Limited {
        limit,
        retry_after: Duration::from_secs(60),
    }
}

/// What an example of a refusal is called.
pub fn name(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Limited { limit, .. } => format!("{}_{}", refusal.code(), limit.code()),
        other => other.code().to_owned(),
    }
}
