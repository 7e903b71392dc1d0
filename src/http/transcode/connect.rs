//! The Connect transcoder: unary calls at `/package.Service/Method`, in JSON or binary.

use std::time::Duration;

use axum::{body::Body, extract::Request, response::Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};
use prost_reflect::DynamicMessage;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::{
    Transcoder, body, call, copy_metadata, error, json,
    routes::{Known, Rpc},
};

/// Every content type that is served at these paths, gRPC's by the APIs in front of this one.
const ACCEPTED: HeaderValue = HeaderValue::from_static(
    "application/grpc, application/grpc+proto, application/grpc-web, application/grpc-web+proto, \
     application/grpc-web-text, application/grpc-web-text+proto, application/json, application/proto",
);
const APPLICATION_PROTO: HeaderValue = HeaderValue::from_static("application/proto");

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Codec {
    Json,
    Proto,
}

pub(super) async fn answer(transcoder: &Transcoder, rpc: Known<'_>, request: Request) -> Response {
    // These two are HTTP's own refusals and have no Connect error.
    if request.method() != Method::POST {
        return bare(
            StatusCode::METHOD_NOT_ALLOWED,
            header::ALLOW,
            HeaderValue::from_static("POST"),
        );
    }
    let Some(codec) = codec(request.headers()) else {
        return bare(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            header::HeaderName::from_static("accept-post"),
            ACCEPTED,
        );
    };
    let rpc = match rpc {
        Known::Rpc(rpc) => rpc,
        Known::NoSuchRpc => {
            let path = request.uri().path();
            return error::connect(&Status::unimplemented(format!("{path} is not implemented")));
        }
    };
    let start = Instant::now();
    let (head, body) = request.into_parts();
    let timeout = timeout(&head.headers);
    let call = serve(transcoder, rpc, codec, &timeout, head, body);
    let outcome = match timeout.as_ref().ok().copied().flatten() {
        None => call.await,
        Some(after) => tokio::time::timeout_at(start + after, call)
            .await
            .unwrap_or_else(|_| Err(Status::deadline_exceeded("the deadline has passed"))),
    };
    outcome.unwrap_or_else(|status| error::connect(&status))
}

fn bare(status: StatusCode, name: header::HeaderName, value: HeaderValue) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(name, value);
    response
}

async fn serve(
    transcoder: &Transcoder,
    rpc: &Rpc,
    codec: Codec,
    timeout: &Result<Option<Duration>, Status>,
    head: Parts,
    body: Body,
) -> Result<Response, Status> {
    let mut head = (transcoder.authenticate)(head).await?;
    check_version(&head.headers)?;
    check_encoding(&head.headers)?;
    let timeout = timeout.clone()?;
    // Connect has its own; a stray one must not shorten the call.
    head.headers.remove("grpc-timeout");

    let body = body::read(body).await.map_err(|unread| match unread {
        body::Unread::TooLarge => {
            Status::new(Code::OutOfRange, "request body is larger than 1 MiB")
        }
        body::Unread::Broken => Status::invalid_argument("request body broke off"),
    })?;
    let framed = match codec {
        Codec::Json => call::frame(&json::parse(&rpc.input, &body)?)?,
        Codec::Proto => {
            // Behind the gRPC transcoder a message that cannot be read is an internal fault; here the caller learns that
            // it is its own. Nothing of the decoder's text is passed on, as it may repeat bytes.
            DynamicMessage::decode(rpc.input.clone(), body.clone()).map_err(|_| {
                Status::invalid_argument(format!(
                    "request body is not a valid {}",
                    rpc.input.name()
                ))
            })?;
            call::frame_bytes(&body)?
        }
    };

    let reply = call::unary(transcoder.grpc.clone(), rpc, head, timeout, framed).await?;
    let (content_type, body) = match codec {
        Codec::Json => (
            error::APPLICATION_JSON,
            Body::from(json::write(&rpc.output, &reply.message)?),
        ),
        Codec::Proto => (APPLICATION_PROTO, Body::from(reply.message)),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    copy_metadata(&reply.headers, headers, "");
    copy_metadata(&reply.trailers, headers, "trailer-");
    headers.insert(header::CONTENT_TYPE, content_type);
    Ok(response)
}

fn codec(headers: &HeaderMap) -> Option<Codec> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let mut parts = value.split(';').map(str::trim);
    let codec = match parts.next()? {
        kind if kind.eq_ignore_ascii_case("application/json") => Codec::Json,
        kind if kind.eq_ignore_ascii_case("application/proto") => Codec::Proto,
        _ => return None,
    };
    let is_utf8 = |parameter: &str| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    };
    parts.all(is_utf8).then_some(codec)
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

fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
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
