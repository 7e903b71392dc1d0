//! Connect: unary calls at `/package.Service/Method`, in JSON or binary.

use std::time::Duration;

use axum::{body::Body, response::Response};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine, alphabet};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use prost_reflect::prost::Message;
use tonic::Status;

use super::body::{BODY_LIMIT, Unread, read_body};
use super::call::Reply;
use super::compression::Encoding;
use super::routes::Rpc;
use super::{copy_metadata, error, json, parameters};

/// For paths and queries; padding or none.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
const APPLICATION_PROTO: HeaderValue = HeaderValue::from_static("application/proto");

/// What messages are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Codec {
    Json,
    Proto,
}

/// The message of a `POST`, in binary form.
pub(super) async fn read(
    codec: Codec,
    rpc: &Rpc,
    headers: &HeaderMap,
    body: Body,
) -> Result<Bytes, Status> {
    match headers.get("connect-protocol-version") {
        None => {}
        Some(version) if version == "1" => {}
        Some(_) => {
            let text = "connect-protocol-version must be \"1\"";
            return Err(Status::invalid_argument(text));
        }
    }
    let encoding = Encoding::of(headers, header::CONTENT_ENCODING)?;
    let body = read_body(body, BODY_LIMIT).await.map_err(Unread::status)?;
    decode(codec, rpc, encoding.unpack(body)?)
}

fn decode(codec: Codec, rpc: &Rpc, message: Bytes) -> Result<Bytes, Status> {
    match codec {
        Codec::Json => Ok(json::parse(&rpc.input, &message)?.encode_to_vec().into()),
        Codec::Proto => Ok(message),
    }
}

/// What a `GET` says in its query.
pub(super) struct Query {
    codec: Option<Codec>,
    message: Option<String>,
    base64: bool,
    compression: String,
    version: Option<String>,
}

impl Query {
    /// Parameters that are unknown change nothing.
    pub(super) fn read(query: &str) -> Result<Query, Status> {
        let mut read = Query {
            codec: None,
            message: None,
            base64: false,
            compression: String::new(),
            version: None,
        };
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = parameters::decode(value)?;
            match name {
                "message" => read.message = Some(value),
                "encoding" if value == "json" => read.codec = Some(Codec::Json),
                "encoding" if value == "proto" => read.codec = Some(Codec::Proto),
                "base64" => read.base64 = value == "1",
                "compression" => read.compression = value,
                "connect" => read.version = Some(value),
                _ => {}
            }
        }
        Ok(read)
    }

    /// What messages are written in; `None` when nothing that is served was named.
    pub(super) fn codec(&self) -> Option<Codec> {
        self.codec
    }

    /// The message, in binary form.
    pub(super) fn message(self, codec: Codec, rpc: &Rpc) -> Result<Bytes, Status> {
        if self.version.is_some_and(|version| version != "v1") {
            return Err(Status::invalid_argument("connect must be \"v1\""));
        }
        let encoding = Encoding::named(self.compression.as_bytes())?;
        let text = self
            .message
            .ok_or_else(|| Status::invalid_argument("the query has no message"))?;
        let message = match self.base64 {
            true => BASE64
                .decode(text)
                .map_err(|_| Status::invalid_argument("message is not base64"))?,
            false => text.into_bytes(),
        };
        decode(codec, rpc, encoding.unpack(message.into())?)
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
