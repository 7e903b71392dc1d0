//! Refusals in Frontegg's form: `{"errors": [...], "errorCode": "ER-..."}`.

use std::time::Duration;

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use ringback_core::Refusal;
use ringback_core::limit::Limit;
use ringback_core::number::NumberError;
use serde::Serialize;

use super::vendor::VendorRefusal;
use crate::api::shared;
use crate::http::Unread;

/// Codes that Frontegg publishes, where one fits; it sends errors without a code, too.
/// The limit of those who ask for environment tokens.
const WRONG_SECRETS: &str = "wrong_secrets";
const INVALID_JSON: &str = "ER-00006";
const INVALID_CODE: &str = "ER-01011";
const INVALID_AUTHENTICATION: &str = "ER-01013";
const NUMBER_INVALID: &str = "ER-005a0fec63";
/// Its codes for broken rules of form name the sentence.
const FORM_CODES: [(&str, &str); 2] = [
    ("phoneNumber should not be empty", "ER-000b32220f"),
    ("each value in userIds must be a string", "ER-00062905ab"),
];

/// Why a request got no answer.
#[derive(Debug)]
pub(super) enum Failure {
    Refused(Refusal),
    /// The same for a request that only reads.
    Unread(Refusal),
    Vendor(VendorRefusal),
    /// The body could not be had.
    Body(Unread),
    /// The body says to be something else than JSON.
    MediaType,
    /// The body is no JSON object.
    Malformed,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        Failure::Refused(refusal)
    }
}

impl From<VendorRefusal> for Failure {
    fn from(refusal: VendorRefusal) -> Failure {
        Failure::Vendor(refusal)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Failure::Unread(Refusal::Unavailable) => error(
                StatusCode::SERVICE_UNAVAILABLE,
                None,
                [shared::READ_UNAVAILABLE],
            ),
            Failure::Refused(refusal) | Failure::Unread(refusal) => reply(&refusal),
            Failure::Vendor(VendorRefusal::Wrong) => reply(&Refusal::TokenInvalid),
            Failure::Vendor(VendorRefusal::Limited { retry_after }) => {
                let text = "too many wrong secrets; wait as Retry-After says";
                let mut response = error(StatusCode::TOO_MANY_REQUESTS, None, [text]);
                shared::name_limit(Some((WRONG_SECRETS, None)), response.headers_mut());
                wait(response, retry_after)
            }
            Failure::Body(unread) => error(unread.http(), None, [unread.to_string()]),
            Failure::MediaType => error(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                None,
                ["the body must be JSON: send it with content-type application/json"],
            ),
            Failure::Malformed => error(
                StatusCode::BAD_REQUEST,
                Some(INVALID_JSON),
                ["Invalid input json"],
            ),
        }
    }
}

/// The same with how to authenticate (RFC 9110, section 15.5.2).
fn bearing(mut response: Response) -> Response {
    let scheme = HeaderValue::from_static("Bearer");
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, scheme);
    response
}

/// A refusal, with the limit that was met named for programs.
pub(super) fn reply(refusal: &Refusal) -> Response {
    let mut response = unnamed(refusal);
    shared::name_limit(refusal.limit(), response.headers_mut());
    response
}

/// What a refusal is here. Statuses are ours where Frontegg publishes none.
#[deny(clippy::wildcard_enum_match_arm)]
fn unnamed(refusal: &Refusal) -> Response {
    let none: Option<&'static str> = None;
    match refusal {
        Refusal::TokenMissing | Refusal::TokenMalformed | Refusal::TokenInvalid => {
            let text = ["Invalid authentication"];
            bearing(error(
                StatusCode::UNAUTHORIZED,
                Some(INVALID_AUTHENTICATION),
                text,
            ))
        }
        Refusal::TokenStale => {
            bearing(error(StatusCode::UNAUTHORIZED, none, [refusal.to_string()]))
        }
        Refusal::ScopeMissing(_) => error(StatusCode::FORBIDDEN, none, [refusal.to_string()]),
        Refusal::RemovalUnconfirmed => error(StatusCode::BAD_REQUEST, none, [refusal.to_string()]),
        Refusal::IssuerUnavailable => {
            let text = ["the keys of the token's issuer cannot be read now; try again"];
            error(StatusCode::SERVICE_UNAVAILABLE, none, text)
        }
        Refusal::OrganizationDenied => error(
            StatusCode::FORBIDDEN,
            none,
            ["the token does not allow to act in this tenant"],
        ),
        Refusal::PermissionDenied => error(
            StatusCode::FORBIDDEN,
            none,
            ["the token does not allow this"],
        ),
        Refusal::AccountNotFound => error(StatusCode::NOT_FOUND, none, ["user not found"]),
        Refusal::AccountExists => error(StatusCode::CONFLICT, none, ["the user exists already"]),
        Refusal::AccountAmbiguous => error(
            StatusCode::CONFLICT,
            none,
            ["users of several tenants have this id; name the tenant in frontegg-tenant-id"],
        ),
        Refusal::PhoneNotFound => error(StatusCode::NOT_FOUND, none, ["phone number not found"]),
        Refusal::PhoneUnchanged => {
            let text = ["the user has this phone number already, and it is verified"];
            error(StatusCode::CONFLICT, none, text)
        }
        Refusal::PhoneUnverified => error(
            StatusCode::CONFLICT,
            none,
            ["the phone number must be verified first"],
        ),
        Refusal::TooManyNumbers => {
            let text = ["the user has as many phone numbers as allowed; remove one first"];
            error(StatusCode::BAD_REQUEST, none, text)
        }
        Refusal::NumberInvalid(NumberError::Empty) => error(
            StatusCode::BAD_REQUEST,
            form_code(FORM_CODES[0].0),
            [FORM_CODES[0].0],
        ),
        Refusal::NumberInvalid(reason) => {
            let texts = ["Phone number must be valid".to_owned(), reason.to_string()];
            error(StatusCode::BAD_REQUEST, Some(NUMBER_INVALID), texts)
        }
        Refusal::NumberKindNotServed(_) => {
            let texts = [refusal.to_string()];
            error(StatusCode::BAD_REQUEST, Some(NUMBER_INVALID), texts)
        }
        Refusal::NumberOptedOut | Refusal::Guarded(_) => {
            error(StatusCode::BAD_REQUEST, none, [refusal.to_string()])
        }
        Refusal::CodeAbsent => {
            let text = ["there is no code to send again; ask for a new one"];
            error(StatusCode::BAD_REQUEST, none, text)
        }
        // Wrong, expired, spent, absent and locked look the same: see policy.
        Refusal::CodeRefused(_) => error(
            StatusCode::BAD_REQUEST,
            Some(INVALID_CODE),
            ["Invalid code"],
        ),
        Refusal::Limited { limit, retry_after } => wait(
            error(StatusCode::TOO_MANY_REQUESTS, none, [limited(*limit)]),
            *retry_after,
        ),
        Refusal::FieldInvalid { field, rule } => {
            let text = format!("{field} {rule}");
            error(StatusCode::BAD_REQUEST, form_code(&text), [text])
        }
        Refusal::Unsupported { what } => error(
            StatusCode::BAD_REQUEST,
            none,
            [format!("{what} is not supported")],
        ),
        Refusal::UnderWay => {
            let text = ["a request with this idempotency-key is under way; try again"];
            wait(
                error(StatusCode::CONFLICT, none, text),
                Duration::from_secs(1),
            )
        }
        Refusal::Overloaded => {
            let text = ["more is waiting than can be done soon; try again"];
            wait(
                error(StatusCode::TOO_MANY_REQUESTS, none, text),
                Duration::from_secs(1),
            )
        }
        Refusal::DeadlineExceeded => error(
            StatusCode::GATEWAY_TIMEOUT,
            none,
            ["the time was up before the work began"],
        ),
        Refusal::Unavailable => {
            let text = ["not available now; whether anything was changed is unknown"];
            error(StatusCode::SERVICE_UNAVAILABLE, none, text)
        }
        Refusal::Internal => error(
            StatusCode::INTERNAL_SERVER_ERROR,
            none,
            ["an internal error occurred"],
        ),
    }
}

/// A path of Frontegg's that is not served here.
pub(super) async fn unknown() -> Response {
    error(StatusCode::NOT_FOUND, None, ["no such path"])
}

pub(super) async fn method_not_allowed(method: Method) -> Response {
    wrong_method(&method)
}

/// A path of Frontegg's that has no such method.
pub(super) fn wrong_method(method: &Method) -> Response {
    let text = format!("this path does not take {method}");
    error(StatusCode::METHOD_NOT_ALLOWED, None, [text])
}

fn limited(limit: Limit) -> &'static str {
    match limit {
        Limit::CoolDown => "a code was sent to this number just now; wait as Retry-After says",
        Limit::NumberSends => "too many codes were sent to this number; wait as Retry-After says",
        Limit::Others => "try again later; wait as Retry-After says",
        Limit::AccountSends => "too many codes were sent for this user; wait as Retry-After says",
        Limit::AccountSets => "the user set too many phone numbers; wait as Retry-After says",
        Limit::AccountChanges => "the user changed too much; wait as Retry-After says",
        Limit::AddressSends => {
            "too many codes were sent to users at this address; wait as Retry-After says"
        }
        Limit::AddressVerifications => {
            "too many codes were tried from this address; wait as Retry-After says"
        }
        Limit::OrganizationSends => {
            "too many messages were sent for this organization; wait as Retry-After says"
        }
        Limit::CountrySends => {
            "too many messages were sent to this country; wait as Retry-After says"
        }
        Limit::OrganizationSpend => {
            "messages of this organization cost too much; wait as Retry-After says"
        }
        Limit::Guard(_) => "codes are held back for now; wait as Retry-After says",
        Limit::Guesses => "too many wrong codes for this number; wait as Retry-After says",
        Limit::WrongCodes => "the last codes were wrong; wait as Retry-After says",
    }
}

fn form_code(text: &str) -> Option<&'static str> {
    FORM_CODES
        .iter()
        .find(|(known, _)| *known == text)
        .map(|(_, code)| *code)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody {
    errors: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
}

fn error<const N: usize>(
    status: StatusCode,
    error_code: Option<&'static str>,
    errors: [impl Into<String>; N],
) -> Response {
    let errors = errors.into_iter().map(Into::into).collect();
    (status, Json(ErrorBody { errors, error_code })).into_response()
}

/// Whoever waits the whole seconds that are told has waited long enough.
fn wait(mut response: Response, retry_after: Duration) -> Response {
    let seconds = retry_after.as_millis().div_ceil(1_000).max(1);
    let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use ringback_core::number::NumberKind;
    use ringback_core::refusal::CodeFailure;
    use serde_json::{Map, Value, json};

    use super::*;

    fn every_refusal() -> Vec<Refusal> {
        let limited = |limit| Refusal::Limited {
            limit,
            retry_after: Duration::from_millis(1_001),
        };
        let limits = Limit::ALL.map(limited);
        let others = vec![
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
            Refusal::NumberInvalid(NumberError::Empty),
            Refusal::NumberInvalid(NumberError::Extension),
            Refusal::NumberInvalid(NumberError::Malformed),
            Refusal::NumberInvalid(NumberError::NotInternational),
            Refusal::NumberInvalid(NumberError::Length),
            Refusal::NumberInvalid(NumberError::Nonexistent),
            Refusal::NumberInvalid(NumberError::TestOver),
            Refusal::NumberKindNotServed(NumberKind::PremiumRate),
            Refusal::NumberOptedOut,
            Refusal::Guarded(ringback_core::guard::Reason::Country),
            Refusal::CodeAbsent,
            Refusal::CodeRefused(CodeFailure::Locked),
            Refusal::FieldInvalid {
                field: "field".into(),
                rule: "breaks a rule".into(),
            },
            Refusal::Unsupported {
                what: "something".into(),
            },
            Refusal::UnderWay,
            Refusal::Overloaded,
            Refusal::DeadlineExceeded,
            Refusal::Unavailable,
            Refusal::Internal,
        ];
        others.into_iter().chain(limits).collect()
    }

    #[tokio::test]
    async fn every_refusal_has_its_words() {
        let mut shown = Map::new();
        for refusal in every_refusal() {
            let response = reply(&refusal);
            let status = response.status().as_u16();
            let wait = response.headers().get(header::RETRY_AFTER).cloned();
            let waits = status == 429 || refusal == Refusal::UnderWay;
            assert_eq!(wait.is_some(), waits, "{refusal:?}");
            let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            let name = match &refusal {
                Refusal::Limited { limit, .. } => format!("{}: {}", refusal.code(), limit.code()),
                _ => refusal.code().to_owned(),
            };
            shown.insert(name, json!({ "status": status, "body": body }));
        }
        insta::with_settings!({
            omit_expression => true,
            prepend_module_to_snapshot => false,
            snapshot_path => "../../../tests/it/api/frontegg/snapshots",
        }, {
            insta::assert_json_snapshot!("frontegg_every_refusal", shown);
        });
    }
}
