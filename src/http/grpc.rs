//! gRPC and gRPC-web: one message with its prefix in, one message and its trailers out.

use std::time::Duration;

use axum::{body::Body, response::Response};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{BufMut, Bytes, BytesMut};
use futures::stream::iter;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body_util::StreamBody;
use hyper::body::Frame;
use ringback_core::Refusal;
use tonic::Status;

use super::body::{BODY_LIMIT, Unread, read_body};
use super::call::{APPLICATION_GRPC, PREFIX, Reply};
use super::compression::{self, Encoding};
use super::content_type::ContentType;
use super::copy_metadata;

const APPLICATION_WEB: HeaderValue = HeaderValue::from_static("application/grpc-web+proto");
const APPLICATION_WEB_TEXT: HeaderValue =
    HeaderValue::from_static("application/grpc-web-text+proto");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
/// The flag of the frame that holds a gRPC-web response's trailers.
const TRAILERS: u8 = 0x80;

/// How gRPC travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// Over HTTP/2, with trailers.
    Plain,
    /// For browsers: trailers are a frame of the body.
    Web {
        /// The request's body is base64.
        text_in: bool,
        /// The response's body is.
        text_out: bool,
    },
}

impl Framing {
    /// What a gRPC-web request with these headers wants.
    pub(super) fn web(text_in: bool, headers: &HeaderMap) -> Framing {
        let accepted = ContentType::of(headers, header::ACCEPT);
        let text_out = match accepted {
            ContentType::GrpcWeb { text } => text,
            _ => text_in,
        };
        Framing::Web { text_in, text_out }
    }

    fn content_type(self) -> HeaderValue {
        match self {
            Framing::Plain => APPLICATION_GRPC,
            Framing::Web {
                text_out: false, ..
            } => APPLICATION_WEB,
            Framing::Web { text_out: true, .. } => APPLICATION_WEB_TEXT,
        }
    }
}

/// How long the caller waits: `grpc-timeout`.
pub(super) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Refusal> {
    let Some(value) = headers.get("grpc-timeout") else {
        return Ok(None);
    };
    parse_timeout(value.as_bytes())
        .map(Some)
        .ok_or_else(|| Refusal::FieldInvalid {
            field: "grpc-timeout".into(),
            rule: "must be up to 8 digits and one of H, M, S, m, u, n".into(),
        })
}

/// The one message of a request.
pub(super) async fn read(
    framing: Framing,
    headers: &HeaderMap,
    body: Body,
) -> Result<Bytes, Status> {
    let most = BODY_LIMIT + PREFIX;
    let (most, text) = match framing {
        // Padding may stand after each part.
        Framing::Web { text_in: true, .. } => (most.div_ceil(3) * 4 + 4, true),
        Framing::Web { text_in: false, .. } | Framing::Plain => (most, false),
    };
    let body = read_body(body, most).await.map_err(Unread::status)?;
    let body = match text {
        true => decode(&body).ok_or_else(|| Status::invalid_argument("the body is not base64"))?,
        false => body,
    };
    one_message(body, Encoding::of(headers, GRPC_ENCODING))
}

/// Base64 whose parts may each have padding of their own.
fn decode(text: &[u8]) -> Option<Bytes> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let mut rest = text;
    while !rest.is_empty() {
        let padding = rest.iter().position(|byte| *byte == b'=');
        let end = padding.map_or(rest.len(), |at| {
            (at + 1).next_multiple_of(4).min(rest.len())
        });
        let (part, after) = rest.split_at(end);
        STANDARD.decode_vec(part, &mut bytes).ok()?;
        rest = after;
    }
    Some(bytes.into())
}

/// `encoding` is that of a message that says to be compressed.
fn one_message(mut body: Bytes, encoding: Result<Encoding, Status>) -> Result<Bytes, Status> {
    let Some(&[flag, a, b, c, d]) = body.first_chunk::<PREFIX>() else {
        return Err(match body.is_empty() {
            true => Status::unimplemented("the call has no message; send one"),
            false => Unread::Broken.status(),
        });
    };
    let encoding = match (flag, encoding) {
        (0, _) => Encoding::Identity,
        (1, Ok(Encoding::Identity)) => {
            let text = "the message is compressed, and grpc-encoding does not say how";
            return Err(Status::internal(text));
        }
        (1, encoding) => encoding?,
        (_, _) => return Err(Status::internal("the message has flags that are unknown")),
    };
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    if length > BODY_LIMIT {
        return Err(Unread::TooLarge(BODY_LIMIT).status());
    }
    let message = body.split_off(PREFIX);
    match message.len().cmp(&length) {
        std::cmp::Ordering::Less => Err(Unread::Broken.status()),
        std::cmp::Ordering::Equal => encoding.unpack(message),
        std::cmp::Ordering::Greater => Err(Status::unimplemented(
            "the call has more than one message; send one",
        )),
    }
}

/// The response to a call that succeeded.
pub(super) fn write(framing: Framing, reply: Reply) -> Response {
    let message = reply.framed();
    let body = match framing {
        Framing::Plain => {
            let frames = [Frame::data(message), Frame::trailers(reply.trailers)];
            Body::new(StreamBody::new(iter(
                frames.map(Ok::<_, std::convert::Infallible>),
            )))
        }
        Framing::Web { text_out, .. } => {
            let bytes = with_trailers(&message, &reply.trailers);
            match text_out {
                true => Body::from(STANDARD.encode(&bytes)),
                false => Body::from(bytes),
            }
        }
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    copy_metadata(&reply.headers, headers, "");
    headers.insert(header::CONTENT_TYPE, framing.content_type());
    headers.insert(GRPC_ACCEPT_ENCODING, compression::ACCEPTED);
    response
}

/// A message and, as one more frame, the trailers.
fn with_trailers(message: &[u8], trailers: &HeaderMap) -> Bytes {
    let mut block = Vec::new();
    for (name, value) in trailers {
        block.extend_from_slice(name.as_str().as_bytes());
        block.push(b':');
        block.extend_from_slice(value.as_bytes());
        block.extend_from_slice(b"\r\n");
    }
    let mut bytes = BytesMut::with_capacity(message.len() + PREFIX + block.len());
    bytes.extend_from_slice(message);
    bytes.put_u8(TRAILERS);
    // Trailers are a few hundred bytes of ours.
    bytes.put_u32(u32::try_from(block.len()).unwrap_or_default());
    bytes.extend_from_slice(&block);
    bytes.freeze()
}

/// The response to a call that was refused: its status stands in the headers.
pub(super) fn refuse(framing: Framing, status: &Status) -> Response {
    let mut response: Response = status.clone().into_http();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, framing.content_type());
    headers.insert(GRPC_ACCEPT_ENCODING, compression::ACCEPTED);
    response
}

/// Up to 8 digits and a unit (the gRPC protocol's "Requests").
fn parse_timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    let digits = std::str::from_utf8(digits).ok()?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(count * 3_600),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        assert_eq!(parse_timeout(b"5S"), Some(Duration::from_secs(5)));
        assert_eq!(
            parse_timeout(b"99999999H"),
            Some(Duration::from_secs(99_999_999 * 3_600))
        );
        assert_eq!(parse_timeout(b"20m"), Some(Duration::from_millis(20)));
        for wrong in [
            &b""[..],
            b"S",
            b"5",
            b"5s",
            b"123456789S",
            b"-1S",
            b"+1S",
            b"1.5S",
        ] {
            assert_eq!(parse_timeout(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_call_has_exactly_one_message() {
        let code = |bytes: &'static [u8]| {
            let encoding = Ok(Encoding::Identity);
            one_message(Bytes::from_static(bytes), encoding).map_err(|s| s.code())
        };
        assert_eq!(code(b"\0\0\0\0\x02ab"), Ok(Bytes::from_static(b"ab")));
        assert_eq!(code(b"\0\0\0\0\0"), Ok(Bytes::new()));
        assert_eq!(code(b""), Err(tonic::Code::Unimplemented));
        assert_eq!(code(b"\0\0\0\0\x01ab"), Err(tonic::Code::Unimplemented));
        assert_eq!(
            code(b"\0\0\0\0\0\0\0\0\0\0"),
            Err(tonic::Code::Unimplemented)
        );
        assert_eq!(code(b"\0\0\0\0\x03ab"), Err(tonic::Code::InvalidArgument));
        assert_eq!(code(b"\0\0\0"), Err(tonic::Code::InvalidArgument));
        assert_eq!(code(b"\0\x01\0\0\0"), Err(tonic::Code::ResourceExhausted));
    }

    #[test]
    fn base64_may_be_padded_in_parts() {
        assert_eq!(decode(b"YQ==YmM=").unwrap(), "abc");
        assert_eq!(decode(b"YWJj").unwrap(), "abc");
        assert_eq!(decode(b"").unwrap(), "");
        assert!(decode(b"YQ=").is_none());
        assert!(decode(b"Y\nWJj").is_none());
    }
}
