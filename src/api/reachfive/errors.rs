//! What went wrong, in ReachFive's error form.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use ringback_core::Refusal;
use ringback_core::limit::Limit;
use serde::Serialize;

use super::PHONE_NUMBER;
use crate::api::shared;
use crate::http::Unread;

const SIGN_IN: &str = "Please sign in again";
const NOT_ALLOWED: &str = "You are not allowed to do this";
const NUMBER: &str = "Please check the phone number";
const CODE: &str = "The code is not right, or no longer valid";
const LATER: &str = "Please try again later";
const WRONG: &str = "Something went wrong";

/// A reply that is missing nothing but its `error_id`, which its API adds.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    status: StatusCode,
    pub(super) error: &'static str,
    /// For developers. The texts that ReachFive publishes are ReachFive's.
    description: Box<str>,
    /// For end users.
    user_msg: &'static str,
    /// Only where ReachFive publishes one: its clients look translations up by it.
    key: Option<&'static str>,
    details: Vec<Detail>,
    retry_after: Option<Duration>,
    /// As [`Refusal::limit`].
    limit: Option<Box<(&'static str, Option<&'static str>)>>,
}

/// What is wrong with one field.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Detail {
    field: String,
    message: String,
    code: &'static str,
}

impl Detail {
    pub(super) fn missing(field: &str) -> Detail {
        Detail {
            field: field.to_owned(),
            message: "is missing".into(),
            code: "missing",
        }
    }

    pub(super) fn invalid(field: &str, message: String) -> Detail {
        Detail {
            field: field.to_owned(),
            message,
            code: "invalid",
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    error_id: &'a str,
    error: &'a str,
    error_description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message_key: Option<&'a str>,
    error_user_msg: &'a str,
    #[serde(skip_serializing_if = "<[Detail]>::is_empty")]
    error_details: &'a [Detail],
}

impl Problem {
    fn new(
        status: StatusCode,
        error: &'static str,
        description: impl Into<String>,
        user_msg: &'static str,
    ) -> Problem {
        Problem {
            status,
            error,
            description: description.into().into_boxed_str(),
            user_msg,
            key: None,
            details: Vec::new(),
            retry_after: None,
            limit: None,
        }
    }

    fn keyed(self, key: &'static str) -> Problem {
        Problem {
            key: Some(key),
            ..self
        }
    }

    fn detailed(self, details: Vec<Detail>) -> Problem {
        Problem { details, ..self }
    }

    fn after(self, wait: Duration) -> Problem {
        Problem {
            retry_after: Some(wait),
            ..self
        }
    }

    fn request(description: impl Into<String>, user_msg: &'static str) -> Problem {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            description,
            user_msg,
        )
    }

    /// The token was issued too long ago, or does not say when.
    pub(super) fn stale() -> Problem {
        let text = "Access token is not fresh enough.";
        Problem::new(StatusCode::UNAUTHORIZED, "invalid_grant", text, SIGN_IN)
            .keyed("error.accessToken.freshness")
    }

    /// The token has not the scope that changes ask for. (RFC 6750, section 3.1, for the status, which
    /// ReachFive does not publish.)
    pub(super) fn scope(required: &str) -> Problem {
        let text = format!("the access token has not the scope {required}; ask for it at sign-in");
        Problem::new(
            StatusCode::FORBIDDEN,
            "insufficient_scope",
            text,
            NOT_ALLOWED,
        )
    }

    pub(super) fn unknown_path() -> Problem {
        let text = "there is no such path here";
        Problem::new(StatusCode::NOT_FOUND, "resource_not_found", text, WRONG)
    }

    pub(super) fn wrong_method() -> Problem {
        let text = "this path has no such method; the Allow header names those that it has";
        Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "invalid_request",
            text,
            WRONG,
        )
    }

    pub(super) fn media_type() -> Problem {
        let text = "the body must be JSON; send it with Content-Type: application/json";
        Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "invalid_request",
            text,
            WRONG,
        )
    }

    pub(super) fn unread(unread: Unread) -> Problem {
        Problem::new(unread.http(), "invalid_request", unread.to_string(), WRONG)
    }

    /// A refusal of a request that only reads.
    pub(super) fn of_read(refusal: Refusal) -> Problem {
        match refusal {
            Refusal::Unavailable => Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "temporarily_unavailable",
                shared::READ_UNAVAILABLE,
                LATER,
            ),
            other => reply(&other),
        }
    }

    pub(super) fn body(reason: &str) -> Problem {
        Problem::request(format!("the body cannot be read: {reason}"), WRONG)
    }

    /// A field that must be there is not.
    pub(super) fn missing(field: &str) -> Problem {
        Problem::fields(vec![Detail::missing(field)])
    }

    /// The whole reply under a name that none has, for the contract.
    pub(super) fn told(self) -> Response {
        let body = self.body_named("8aea6c4b61");
        let mut response = self.into_response();
        *response.body_mut() = body.into();
        response
    }

    pub(super) fn fields(wrong: Vec<Detail>) -> Problem {
        let told: Vec<String> = wrong
            .iter()
            .map(|detail| format!("{} {}", detail.field, detail.message))
            .collect();
        Problem::request(told.join(", "), "Please check what you entered").detailed(wrong)
    }

    /// The whole reply as JSON.
    pub(super) fn body_named(&self, id: &str) -> String {
        let body = Body {
            error_id: id,
            error: self.error,
            error_description: &self.description,
            error_message_key: self.key,
            error_user_msg: self.user_msg,
            error_details: &self.details,
        };
        // Texts under names that are texts: there is nothing in it that JSON could not hold.
        serde_json::to_string(&body).unwrap_or_default()
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Problem {
        reply(&refusal)
    }
}

/// Everything but the body, which has to wait for its `error_id`.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 9110, section 15.5.2.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(wait) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds(wait).into());
        }
        shared::name_limit(self.limit.as_deref().copied(), headers);
        response.extensions_mut().insert(self);
        response
    }
}

/// Whole seconds after which the wait is over.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

/// A refusal in ReachFive's words where it has published them, in ours where not.
#[deny(clippy::wildcard_enum_match_arm)]
fn reply(refusal: &Refusal) -> Problem {
    let problem = match refusal {
        Refusal::TokenMissing => {
            let text = "Access token missing";
            Problem::new(StatusCode::UNAUTHORIZED, "invalid_request", text, SIGN_IN)
                .keyed("error.accessToken.missing")
        }
        Refusal::TokenMalformed => {
            let text = "the Authorization header must be Bearer and an access token";
            Problem::new(StatusCode::UNAUTHORIZED, "invalid_request", text, SIGN_IN)
        }
        Refusal::TokenInvalid => {
            let text = "the access token is not valid here, or no longer; get a new one";
            Problem::new(StatusCode::UNAUTHORIZED, "invalid_grant", text, SIGN_IN)
        }
        Refusal::OrganizationDenied => {
            let text = "the access token is not for the organisation that the request names";
            Problem::new(StatusCode::FORBIDDEN, "access_denied", text, NOT_ALLOWED)
        }
        Refusal::PermissionDenied => {
            let text = "the access token does not allow this";
            Problem::new(StatusCode::FORBIDDEN, "access_denied", text, NOT_ALLOWED)
        }
        Refusal::TokenStale => Problem::stale(),
        Refusal::ScopeMissing(required) => Problem::scope(required),
        Refusal::RemovalUnconfirmed => {
            let user_msg = "This number can only be removed with a code";
            let (status, text) = (StatusCode::BAD_REQUEST, refusal.to_string());
            Problem::new(status, "invalid_state", text, user_msg)
        }
        Refusal::AccountNotFound => {
            let text = "there is no such user";
            Problem::new(StatusCode::NOT_FOUND, "resource_not_found", text, WRONG)
        }
        Refusal::AccountExists => {
            let text = "there is such a user already";
            Problem::new(StatusCode::CONFLICT, "invalid_state", text, WRONG)
        }
        Refusal::AccountAmbiguous => {
            let (status, text) = (StatusCode::CONFLICT, refusal.to_string());
            Problem::new(status, "invalid_state", text, WRONG)
        }
        Refusal::PhoneNotFound => {
            let text = "the user has no such verified phone number";
            Problem::new(StatusCode::NOT_FOUND, "resource_not_found", text, NUMBER)
        }
        Refusal::PhoneUnchanged => {
            let text = "the phone number is the user's and verified already";
            Problem::new(StatusCode::BAD_REQUEST, "invalid_state", text, NUMBER)
        }
        Refusal::PhoneUnverified => {
            let text = "the phone number must be verified first";
            Problem::new(StatusCode::BAD_REQUEST, "invalid_state", text, NUMBER)
        }
        Refusal::TooManyNumbers => {
            let text = "the user has as many phone numbers as are allowed; remove one first";
            let user_msg = "You have too many phone numbers";
            Problem::new(StatusCode::BAD_REQUEST, "invalid_state", text, user_msg)
        }
        Refusal::NumberInvalid(_) | Refusal::NumberKindNotServed(_) | Refusal::Guarded(_) => {
            let detail = Detail::invalid(PHONE_NUMBER, refusal.to_string());
            Problem::request(refusal.to_string(), NUMBER).detailed(vec![detail])
        }
        Refusal::NumberOptedOut => {
            let user_msg = "You have stopped messages to this number: text START to their sender";
            let (status, text) = (StatusCode::BAD_REQUEST, refusal.to_string());
            Problem::new(status, "invalid_state", text, user_msg)
        }
        Refusal::CodeAbsent => {
            let text = "no phone number of the user waits to be verified";
            Problem::new(StatusCode::BAD_REQUEST, "invalid_state", text, NUMBER)
        }
        Refusal::CodeRefused(_) => {
            let text = "Invalid Verification Code";
            Problem::new(StatusCode::BAD_REQUEST, "invalid_grant", text, CODE)
                .keyed("error.invalidVerificationCode")
        }
        Refusal::Limited { limit, retry_after } => {
            let wait = seconds(*retry_after);
            // Whoever asks shall not learn of others.
            let text = if *limit == Limit::Others {
                format!("try again later, in {wait} s")
            } else if matches!(limit, Limit::Guard(_)) {
                format!("codes are held back for now; try again in {wait} s")
            } else {
                format!("limit {} reached; try again in {wait} s", limit.code())
            };
            let (status, error) = (StatusCode::TOO_MANY_REQUESTS, "rate_limit_reached");
            Problem::new(status, error, text, LATER).after(*retry_after)
        }
        Refusal::FieldInvalid { field, rule } => {
            let detail = Detail::invalid(field, rule.clone());
            Problem::fields(vec![detail])
        }
        Refusal::Unsupported { what } => {
            Problem::request(format!("{what} is not supported; leave it out"), WRONG)
                .keyed("error.feature.notAvailable")
        }
        Refusal::UnderWay => {
            let text = "a request with this idempotency-key is under way; try again";
            Problem::new(StatusCode::CONFLICT, "temporarily_unavailable", text, LATER)
                .after(Duration::from_secs(1))
        }
        Refusal::Overloaded => {
            let (text, error) = ("too much is waiting; try again", "temporarily_unavailable");
            Problem::new(StatusCode::TOO_MANY_REQUESTS, error, text, LATER)
                .after(Duration::from_secs(1))
        }
        Refusal::DeadlineExceeded => {
            let (text, error) = ("it took too long; try again", "temporarily_unavailable");
            Problem::new(StatusCode::GATEWAY_TIMEOUT, error, text, LATER)
        }
        Refusal::IssuerUnavailable => {
            let text = "the access token cannot be checked now; try again";
            let error = "temporarily_unavailable";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, error, text, LATER)
        }
        Refusal::Unavailable => {
            let text = "the service cannot reach its database; whether it was done is not known";
            let error = "temporarily_unavailable";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, error, text, LATER)
        }
        Refusal::Internal => {
            let text = "the service failed; its log says why";
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "server_error",
                text,
                WRONG,
            )
        }
    };
    let limit = refusal.limit().map(Box::new);
    Problem { limit, ..problem }
}

#[cfg(test)]
mod tests;
