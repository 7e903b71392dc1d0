//! One unary call to a gRPC service in this process: a message in, a message or a status out.

use std::time::Instant;

use axum::{body::Body, extract::Request};
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Method, Version, header};
use http_body_util::BodyExt;
use ringback_core::Caller;
use tonic::{Code, Status};
use tower::ServiceExt;

use super::installed::RpcService;
use super::routes::Rpc;

/// When the caller stops waiting, in the extensions of a request to a gRPC service.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(pub Instant);

const GRPC_STATUS: &str = "grpc-status";
pub(super) const APPLICATION_GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
/// One byte of flags and four of length stand before every gRPC message.
pub(super) const PREFIX: usize = 5;

/// What a call that succeeded answered.
pub(super) struct Reply {
    pub(super) headers: HeaderMap,
    pub(super) trailers: HeaderMap,
    /// The response message in binary form, with its prefix.
    framed: Bytes,
}

impl Reply {
    /// The response message in binary form.
    pub(super) fn message(&self) -> Bytes {
        self.framed.slice(PREFIX..)
    }

    /// The same with its gRPC prefix.
    pub(super) fn framed(&self) -> Bytes {
        self.framed.clone()
    }
}

/// Calls `rpc` for `caller` with a message in binary form.
pub(super) async fn unary(
    service: &RpcService,
    rpc: &Rpc,
    caller: Caller,
    deadline: Option<Deadline>,
    message: Bytes,
) -> Result<Reply, Status> {
    let mut request = Request::new(Body::from(frame(&message)?));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = rpc.uri.clone();
    *request.version_mut() = Version::HTTP_2;
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, APPLICATION_GRPC);
    headers.insert(header::TE, HeaderValue::from_static("trailers"));
    let extensions = request.extensions_mut();
    extensions.insert(caller);
    if let Some(deadline) = deadline {
        extensions.insert(deadline);
    }

    let response = match service.rpcs.clone().oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let (head, body) = response.into_parts();
    // A call that fails before its first message has its status here and no trailers.
    if head.headers.contains_key(GRPC_STATUS) && !succeeded(&head.headers) {
        return Err(failure(&head.headers, rpc));
    }
    let collected = body
        .collect()
        .await
        .map_err(|_| Status::internal("the answer broke off"))?;
    let trailers = collected.trailers().cloned().unwrap_or_default();
    if !succeeded(&trailers) && !succeeded(&head.headers) {
        return Err(failure(&trailers, rpc));
    }
    Ok(Reply {
        framed: whole(collected.to_bytes())?,
        headers: head.headers,
        trailers,
    })
}

fn frame(message: &[u8]) -> Result<Bytes, Status> {
    let length = u32::try_from(message.len())
        .map_err(|_| Status::resource_exhausted("the message is larger than 4 GiB"))?;
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(0);
    framed.put_u32(length);
    framed.extend_from_slice(message);
    Ok(framed.freeze())
}

fn succeeded(headers: &HeaderMap) -> bool {
    headers
        .get(GRPC_STATUS)
        .is_some_and(|status| status.as_bytes() == b"0")
}

/// The status in some headers. tonic reports a message that is no protobuf as its own internal error; it is
/// the caller's mistake, and nothing of the decoder's text is passed on, as it may repeat bytes.
fn failure(from: &HeaderMap, rpc: &Rpc) -> Status {
    match Status::from_header_map(from) {
        None => Status::unknown("the answer has no status"),
        Some(status)
            if status.code() == Code::Internal
                && status.message().starts_with("failed to decode") =>
        {
            Status::invalid_argument(format!("request body is not a valid {}", rpc.input.name()))
        }
        Some(status) => status,
    }
}

/// No encoding was offered, so a set flag is a fault of ours like a wrong length.
fn whole(framed: Bytes) -> Result<Bytes, Status> {
    match framed.first_chunk::<PREFIX>() {
        Some(&[0, a, b, c, d])
            if u32::from_be_bytes([a, b, c, d]) as usize == framed.len() - PREFIX =>
        {
            Ok(framed)
        }
        Some(_) | None => Err(Status::internal("the answer is no single message")),
    }
}
