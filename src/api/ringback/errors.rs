//! A refusal in ringback's own words: gRPC code, text, and its reason for programs.

use std::time::Duration;

use prost_types::Any;
use ringback_core::Refusal;
use tonic::{Code, Status};

use crate::api::shared::{self, detail};
use crate::proto::google::rpc::bad_request::FieldViolation;
use crate::proto::google::rpc::{BadRequest, ErrorInfo};

/// Whose reasons they are.
const DOMAIN: &str = "ringback";

/// A refusal, with its stable name as the reason.
#[deny(clippy::wildcard_enum_match_arm)]
pub(super) fn status(refusal: &Refusal) -> Status {
    let (code, retry_after) = match refusal {
        Refusal::TokenMissing
        | Refusal::TokenMalformed
        | Refusal::TokenInvalid
        | Refusal::TokenStale => (Code::Unauthenticated, None),
        Refusal::OrganizationDenied | Refusal::PermissionDenied | Refusal::ScopeMissing(_) => {
            (Code::PermissionDenied, None)
        }
        Refusal::AccountNotFound => (Code::NotFound, None),
        Refusal::AccountExists => (Code::AlreadyExists, None),
        Refusal::PhoneNotFound
        | Refusal::PhoneUnchanged
        | Refusal::PhoneUnverified
        | Refusal::RemovalUnconfirmed
        | Refusal::TooManyNumbers
        | Refusal::NumberOptedOut
        | Refusal::Guarded(_)
        | Refusal::CodeAbsent
        | Refusal::AccountAmbiguous => (Code::FailedPrecondition, None),
        Refusal::NumberInvalid(_)
        | Refusal::NumberKindNotServed(_)
        | Refusal::CodeRefused(_)
        | Refusal::FieldInvalid { .. }
        | Refusal::Unsupported { .. } => (Code::InvalidArgument, None),
        Refusal::Limited { retry_after, .. } => (Code::ResourceExhausted, Some(*retry_after)),
        Refusal::UnderWay => (Code::Aborted, Some(Duration::from_secs(1))),
        Refusal::Overloaded => (Code::ResourceExhausted, Some(Duration::from_secs(1))),
        Refusal::DeadlineExceeded => (Code::DeadlineExceeded, None),
        Refusal::IssuerUnavailable | Refusal::Unavailable => (Code::Unavailable, None),
        Refusal::Internal => (Code::Internal, None),
    };
    // Its own text says why the code was refused, which is for logs only.
    let message = if matches!(refusal, Refusal::CodeRefused(_)) {
        "code refused".to_owned()
    } else {
        refusal.to_string()
    };
    let status = shared::status(code, message, details(refusal, retry_after));
    shared::named(refusal, status)
}

/// A refusal of a method that only reads.
pub(super) fn status_of_read(refusal: &Refusal) -> Status {
    match refusal {
        Refusal::Unavailable => {
            let text = shared::READ_UNAVAILABLE.to_owned();
            shared::status(Code::Unavailable, text, details(refusal, None))
        }
        other => status(other),
    }
}

/// A reason of this service's own, as a detail.
pub(super) fn info(reason: &str) -> Any {
    let info = ErrorInfo {
        reason: reason.to_owned(),
        domain: DOMAIN.to_owned(),
        ..ErrorInfo::default()
    };
    detail("google.rpc.ErrorInfo", &info)
}

/// The reason, when to come again, and which field it is about.
fn details(refusal: &Refusal, retry_after: Option<Duration>) -> Vec<Any> {
    let mut info = ErrorInfo {
        reason: refusal.code().to_ascii_uppercase(),
        domain: DOMAIN.to_owned(),
        ..ErrorInfo::default()
    };
    if let Some((limit, reason)) = refusal.limit() {
        let metadata = &mut info.metadata;
        metadata.insert("limit".to_owned(), limit.to_owned());
        metadata.extend(reason.map(|reason| ("reason".to_owned(), reason.to_owned())));
    }
    let mut details = vec![detail("google.rpc.ErrorInfo", &info)];
    details.extend(retry_after.map(shared::retry_info));
    if let Refusal::FieldInvalid { field, rule } = refusal {
        let violation = FieldViolation {
            field: field.clone(),
            description: rule.clone(),
        };
        let bad = BadRequest {
            field_violations: vec![violation],
        };
        details.push(detail("google.rpc.BadRequest", &bad));
    }
    details
}
