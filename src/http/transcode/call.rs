//! One unary call to the in-process gRPC router: framing in, status and message out.

use std::time::Duration;

use axum::{Router, body::Body};
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version, header, request::Parts};
use http_body_util::BodyExt;
use prost_reflect::{DynamicMessage, prost::Message};
use tonic::{Code, Status};
use tower::ServiceExt;

use super::routes::Rpc;

const GRPC_STATUS: &str = "grpc-status";
const GRPC_TIMEOUT: &str = "grpc-timeout";
const APPLICATION_GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
/// One byte of flags and four of length stand before every gRPC message.
const PREFIX: usize = 5;

/// Headers that speak about the outer request's body or connection and would be wrong for the inner one.
static DROPPED: [HeaderName; 17] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("connect-protocol-version"),
    HeaderName::from_static("connect-timeout-ms"),
    HeaderName::from_static("grpc-encoding"),
    HeaderName::from_static("grpc-accept-encoding"),
];

/// What a call that succeeded answered.
pub(super) struct Reply {
    pub(super) headers: HeaderMap,
    pub(super) trailers: HeaderMap,
    /// The response message in binary form.
    pub(super) message: Bytes,
}

/// A message with its gRPC prefix.
pub(super) fn frame(message: &DynamicMessage) -> Result<Bytes, Status> {
    let mut framed = BytesMut::with_capacity(256);
    framed.put_bytes(0, PREFIX);
    message
        .encode(&mut framed)
        .map_err(|_| Status::internal("request message could not be encoded"))?;
    finish(framed)
}

/// A message that is in binary form already, with its gRPC prefix.
pub(super) fn frame_bytes(message: &[u8]) -> Result<Bytes, Status> {
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_bytes(0, PREFIX);
    framed.extend_from_slice(message);
    finish(framed)
}

fn finish(mut framed: BytesMut) -> Result<Bytes, Status> {
    let length = u32::try_from(framed.len() - PREFIX)
        .map_err(|_| Status::out_of_range("request message is larger than 4 GiB"))?;
    framed[1..PREFIX].copy_from_slice(&length.to_be_bytes());
    Ok(framed.freeze())
}

/// The value of a `grpc-timeout` header: at most eight digits and a unit, rounded up.
pub(super) fn grpc_timeout(timeout: Duration) -> Option<HeaderValue> {
    let millis = timeout.as_millis();
    let text = if millis <= 99_999_999 {
        format!("{millis}m")
    } else {
        format!("{}S", millis.div_ceil(1000))
    };
    HeaderValue::try_from(text).ok()
}

/// Calls `rpc` with a framed message. `head` brings the caller's headers and the extensions that handlers read.
pub(super) async fn unary(
    grpc: Router,
    rpc: &Rpc,
    head: Parts,
    timeout: Option<Duration>,
    framed: Bytes,
) -> Result<Reply, Status> {
    let Parts {
        mut headers,
        extensions,
        ..
    } = head;
    for name in &DROPPED {
        headers.remove(name);
    }
    headers.insert(header::CONTENT_TYPE, APPLICATION_GRPC);
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    if let Some(timeout) = timeout.and_then(grpc_timeout) {
        headers.insert(GRPC_TIMEOUT, timeout);
    }

    let mut request = Request::new(Body::from(framed));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = rpc.uri.clone();
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = headers;
    *request.extensions_mut() = extensions;

    let response = match grpc.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let (head, body) = response.into_parts();
    // A call that fails before its first message has its status here and no trailers.
    if head.headers.contains_key(GRPC_STATUS) && !succeeded(&head.headers) {
        return Err(failure(&head.headers, &HeaderMap::new()));
    }
    let collected = body
        .collect()
        .await
        .map_err(|_| Status::internal("the answer broke off"))?;
    let trailers = collected.trailers().cloned().unwrap_or_default();
    if !succeeded(&trailers) && !succeeded(&head.headers) {
        return Err(failure(&trailers, &head.headers));
    }
    Ok(Reply {
        message: unframe(collected.to_bytes())?,
        headers: head.headers,
        trailers,
    })
}

fn succeeded(headers: &HeaderMap) -> bool {
    headers
        .get(GRPC_STATUS)
        .is_some_and(|status| status.as_bytes() == b"0")
}

/// The status in `from`, with `leading` added to its metadata.
fn failure(from: &HeaderMap, leading: &HeaderMap) -> Status {
    let Some(mut status) = Status::from_header_map(from) else {
        return Status::unknown("the answer has no status");
    };
    if !leading.is_empty() {
        let mut metadata = std::mem::take(status.metadata_mut()).into_headers();
        for (name, value) in leading {
            metadata.append(name.clone(), value.clone());
        }
        *status.metadata_mut() = tonic::metadata::MetadataMap::from_headers(metadata);
    }
    status
}

fn unframe(mut framed: Bytes) -> Result<Bytes, Status> {
    // No encoding was offered, so a set flag is a fault of ours like a wrong length.
    match framed.first_chunk::<PREFIX>() {
        Some(&[0, a, b, c, d]) => {
            let length = u32::from_be_bytes([a, b, c, d]) as usize;
            let message = framed.split_off(PREFIX);
            if message.len() == length {
                Ok(message)
            } else {
                Err(Status::new(Code::Internal, "the answer has a wrong length"))
            }
        }
        _ => Err(Status::new(Code::Internal, "the answer has no message")),
    }
}
