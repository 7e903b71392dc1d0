//! A gRPC status as an HTTP answer: the JSON API's `google.rpc.Status` and Connect's error.

use axum::{body::Body, response::Response};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};
use http::{HeaderValue, StatusCode, header};
use prost_reflect::{DynamicMessage, prost::Message};
use serde::Serialize;
use serde_json::{Map, Value};
use tonic::{Code, Status};

use super::copy_metadata;
use crate::proto::{self, google::rpc};

pub(super) const APPLICATION_JSON: HeaderValue = HeaderValue::from_static("application/json");
const RETRY_INFO: &str = "google.rpc.RetryInfo";
const BAD_REQUEST: &str = "google.rpc.BadRequest";

/// The HTTP status of a gRPC code, the same for both APIs.
pub(super) fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::Cancelled => {
            // Client Closed Request: nginx's, and not in any registry.
            StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST)
        }
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => {
            StatusCode::BAD_REQUEST
        }
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Connect's name of a gRPC code.
fn connect_code(code: Code) -> &'static str {
    match code {
        Code::Cancelled => "canceled",
        // An error that says OK is a fault that nobody knows.
        Code::Ok | Code::Unknown => "unknown",
        Code::InvalidArgument => "invalid_argument",
        Code::DeadlineExceeded => "deadline_exceeded",
        Code::NotFound => "not_found",
        Code::AlreadyExists => "already_exists",
        Code::PermissionDenied => "permission_denied",
        Code::ResourceExhausted => "resource_exhausted",
        Code::FailedPrecondition => "failed_precondition",
        Code::Aborted => "aborted",
        Code::OutOfRange => "out_of_range",
        Code::Unimplemented => "unimplemented",
        Code::Internal => "internal",
        Code::Unavailable => "unavailable",
        Code::DataLoss => "data_loss",
        Code::Unauthenticated => "unauthenticated",
    }
}

#[derive(Serialize)]
struct StatusBody<'a> {
    code: i32,
    message: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Value>,
}

/// The JSON API's answer, with the HTTP status of the code.
pub(super) fn status(status: &Status) -> Response {
    status_as(status, http_status(status.code()))
}

/// The JSON API's answer with an HTTP status that the code alone does not tell.
pub(super) fn status_as(status: &Status, http: StatusCode) -> Response {
    let details = details(status);
    let body = serde_json::to_vec(&StatusBody {
        code: status.code() as i32,
        message: status.message(),
        details: details.iter().filter_map(known_detail).collect(),
    });
    answer(status, http, &details, body.unwrap_or_default())
}

/// What a path answers that has other methods.
pub(super) fn wrong_method() -> Response {
    let status = Status::unimplemented("Method Not Allowed");
    status_as(&status, StatusCode::METHOD_NOT_ALLOWED)
}

#[derive(Serialize)]
struct ConnectBody<'a> {
    code: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<ConnectDetail<'a>>,
}

#[derive(Serialize)]
struct ConnectDetail<'a> {
    #[serde(rename = "type")]
    name: &'a str,
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    debug: Option<Value>,
}

/// Connect's answer.
pub(super) fn connect(status: &Status) -> Response {
    let details = details(status);
    let body = serde_json::to_vec(&ConnectBody {
        code: connect_code(status.code()),
        message: status.message(),
        details: details
            .iter()
            .map(|detail| ConnectDetail {
                name: name_of(detail),
                value: STANDARD_NO_PAD.encode(&detail.value),
                debug: json_of(detail),
            })
            .collect(),
    });
    let http = match status.code() {
        Code::Ok => StatusCode::INTERNAL_SERVER_ERROR,
        code => http_status(code),
    };
    answer(status, http, &details, body.unwrap_or_default())
}

fn answer(
    status: &Status,
    http: StatusCode,
    details: &[prost_types::Any],
    body: Vec<u8>,
) -> Response {
    let mut body = body;
    body.push(b'\n');
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = http;
    let headers = response.headers_mut();
    copy_metadata(&status.metadata().clone().into_headers(), headers, "");
    headers.insert(header::CONTENT_TYPE, APPLICATION_JSON);
    if http == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(seconds) = details.iter().find_map(retry_after) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The same status with fields named as JSON names them, where its details say which they are.
pub(super) fn in_json_names(status: Status) -> Status {
    let Ok(mut whole) = rpc::Status::decode(status.details()) else {
        return status;
    };
    let bad = whole
        .details
        .iter_mut()
        .find(|any| name_of(any) == BAD_REQUEST);
    let Some(bad) = bad else {
        return status;
    };
    let Ok(mut request) = rpc::BadRequest::decode(bad.value.as_slice()) else {
        return status;
    };
    for violation in &mut request.field_violations {
        let name = json_name(&violation.field);
        whole.message = whole.message.replacen(&violation.field, &name, 1);
        violation.field = name;
    }
    bad.value = request.encode_to_vec();
    let (code, message) = (status.code(), whole.message.clone());
    let details = whole.encode_to_vec().into();
    Status::with_details_and_metadata(code, message, details, status.metadata().clone())
}

/// `user_ids[1]` as `userIds[1]`.
fn json_name(field: &str) -> String {
    let mut words = field.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut name, word| {
        let mut letters = word.chars();
        name.extend(letters.next().map(|letter| letter.to_ascii_uppercase()));
        name + letters.as_str()
    })
}

fn details(status: &Status) -> Vec<prost_types::Any> {
    rpc::Status::decode(status.details())
        .map(|status| status.details)
        .unwrap_or_default()
}

fn name_of(detail: &prost_types::Any) -> &str {
    detail
        .type_url
        .rsplit_once('/')
        .map_or(detail.type_url.as_str(), |(_, name)| name)
}

/// The JSON form of a detail whose type is in `proto/`.
fn json_of(detail: &prost_types::Any) -> Option<Value> {
    let descriptor = proto::pool().get_message_by_name(name_of(detail))?;
    let message = DynamicMessage::decode(descriptor, detail.value.as_slice()).ok()?;
    serde_json::to_value(message).ok()
}

/// A detail as JSON's `Any`; `None` for a type that is not in `proto/`.
fn known_detail(detail: &prost_types::Any) -> Option<Value> {
    let mut members = match json_of(detail)? {
        Value::Object(members) => members,
        // A type with a JSON form of its own stands in a member.
        other => Map::from_iter([("value".to_owned(), other)]),
    };
    members.insert("@type".to_owned(), Value::from(detail.type_url.as_str()));
    Some(Value::Object(members))
}

/// The delay of a `RetryInfo`, in whole seconds, rounded up.
fn retry_after(detail: &prost_types::Any) -> Option<u64> {
    if name_of(detail) != RETRY_INFO {
        return None;
    }
    let delay = rpc::RetryInfo::decode(detail.value.as_slice())
        .ok()?
        .retry_delay?;
    let seconds = u64::try_from(delay.seconds).ok()?;
    Some(seconds + u64::from(delay.nanos > 0))
}
