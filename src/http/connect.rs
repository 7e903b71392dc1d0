//! Connect: unary calls at `/package.Service/Method`, in JSON or binary.

use std::time::Duration;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use prost_reflect::prost::Message;
use tonic::Status;

use super::body::{BODY_LIMIT, Unread, read_body};
use super::call::Reply;
use super::routes::Rpc;
use super::{copy_metadata, error, json};

const APPLICATION_PROTO: HeaderValue = HeaderValue::from_static("application/proto");

/// What messages are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Json,
    Proto,
}

/// The message of a request, in binary form.
pub(super) async fn read(
    codec: Codec,
    rpc: &Rpc,
    headers: &HeaderMap,
    body: Body,
) -> Result<Bytes, Status> {
    check_version(headers)?;
    check_encoding(headers)?;
    let body = read_body(body, BODY_LIMIT).await.map_err(Unread::status)?;
    match codec {
        Codec::Json => Ok(json::parse(&rpc.input, &body)?.encode_to_vec().into()),
        Codec::Proto => Ok(body),
    }
}

/// The response to a call that succeeded.
pub(super) fn write(codec: Codec, rpc: &Rpc, reply: &Reply) -> Result<Response, Status> {
    let (content_type, body) = match codec {
        Codec::Json => (
            error::APPLICATION_JSON,
            Body::from(json::write(&rpc.output, &reply.message())?),
        ),
        Codec::Proto => (APPLICATION_PROTO, Body::from(reply.message())),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    copy_metadata(&reply.headers, headers, "");
    copy_metadata(&reply.trailers, headers, "trailer-");
    headers.insert(header::CONTENT_TYPE, content_type);
    Ok(response)
}

fn check_version(headers: &HeaderMap) -> Result<(), Status> {
    match headers.get("connect-protocol-version") {
        None => Ok(()),
        Some(version) if version == "1" => Ok(()),
        Some(_) => Err(Status::invalid_argument(
            "connect-protocol-version must be \"1\"",
        )),
    }
}

fn check_encoding(headers: &HeaderMap) -> Result<(), Status> {
    match headers.get(header::CONTENT_ENCODING) {
        None => Ok(()),
        Some(value) if value.is_empty() || value == "identity" => Ok(()),
        Some(_) => Err(Status::unimplemented(
            "unknown compression: supported encodings are identity",
        )),
    }
}

/// How long the caller waits: `connect-timeout-ms`.
pub(super) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    let Some(value) = headers.get("connect-timeout-ms") else {
        return Ok(None);
    };
    value
        .to_str()
        .ok()
        .filter(|text| {
            (1..=10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        })
        .and_then(|text| text.parse().ok())
        .map(|millis| Some(Duration::from_millis(millis)))
        .ok_or_else(|| {
            Status::invalid_argument("connect-timeout-ms must be a number of at most 10 digits")
        })
}
