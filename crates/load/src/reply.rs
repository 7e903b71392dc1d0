//! What came back, taken out of its protocol's frames.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::answer::Miss;
use crate::request::Protocol;

/// One byte of flags and four of length stand before every gRPC message.
pub(crate) const PREFIX: usize = 5;
/// Marks the trailers among the frames of gRPC-web.
const TRAILERS: u8 = 0x80;

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// The status as gRPC counts it; 0 is success.
    pub(crate) code: i32,
    /// What the status says; empty for success.
    pub(crate) text: String,
    /// The message, without any frame.
    pub(crate) body: Bytes,
    /// Whether the message is JSON and not protobuf.
    pub(crate) is_json: bool,
}

pub(crate) fn status(headers: &HeaderMap) -> Option<(i32, String)> {
    let code = headers.get("grpc-status")?.to_str().ok()?.parse().ok()?;
    let text = headers
        .get("grpc-message")
        .and_then(|text| text.to_str().ok());
    Some((code, text.unwrap_or_default().to_owned()))
}

/// The one message of a gRPC answer.
pub(crate) fn unframed(mut body: Bytes) -> Result<Bytes, Miss> {
    let (flags, message) = frame(&mut body)?;
    match flags == 0 && body.is_empty() {
        true => Ok(message),
        false => Err(Miss::Wrong(
            "the answer is not one plain message".to_owned(),
        )),
    }
}

fn frame(body: &mut Bytes) -> Result<(u8, Bytes), Miss> {
    let broken = || Miss::Wrong("the answer's frames are cut off".to_owned());
    let &[flags, a, b, c, d] = body.first_chunk::<PREFIX>().ok_or_else(broken)?;
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    let end = PREFIX.saturating_add(length);
    if body.len() < end {
        return Err(broken());
    }
    let whole = body.split_to(end);
    Ok((flags, whole.slice(PREFIX..)))
}

pub(crate) fn grpc_web(headers: &HeaderMap, mut body: Bytes) -> Result<Reply, Miss> {
    let mut message = Bytes::new();
    let mut end = status(headers);
    while !body.is_empty() {
        let (flags, content) = frame(&mut body)?;
        if flags & TRAILERS == 0 {
            message = content;
        } else {
            end = Some(web_trailers(&content)?);
        }
    }
    let (code, text) = end.ok_or_else(|| Miss::Wrong("the answer has no status".to_owned()))?;
    Ok(Reply {
        code,
        text,
        body: message,
        is_json: false,
    })
}

fn web_trailers(content: &[u8]) -> Result<(i32, String), Miss> {
    let text = String::from_utf8_lossy(content);
    let find = |name: &str| {
        text.split("\r\n").find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.trim()
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    };
    let code = find("grpc-status").and_then(|code| code.parse().ok());
    let code = code.ok_or_else(|| Miss::Wrong("the trailers have no status".to_owned()))?;
    Ok((code, find("grpc-message").unwrap_or_default()))
}

/// An error of the JSON API has its status as a number, one of Connect by its name.
#[derive(Deserialize)]
struct Failure {
    code: serde_json::Value,
    #[serde(default)]
    message: String,
}

pub(crate) fn unary(protocol: Protocol, status: StatusCode, body: Bytes) -> Reply {
    if status == StatusCode::OK {
        return Reply {
            code: 0,
            text: String::new(),
            body,
            is_json: protocol.is_json(),
        };
    }
    let unknown = |_| Failure {
        code: 2.into(),
        message: format!("HTTP status {status}"),
    };
    let failure: Failure = serde_json::from_slice(&body).unwrap_or_else(unknown);
    let named = |name: &str| match name {
        "invalid_argument" => 3,
        "deadline_exceeded" => 4,
        "resource_exhausted" => 8,
        _ => 2,
    };
    let code = match failure.code.as_str() {
        Some(name) => named(name),
        None => failure
            .code
            .as_i64()
            .and_then(|code| i32::try_from(code).ok())
            .unwrap_or(2),
    };
    Reply {
        code,
        text: failure.message,
        body: Bytes::new(),
        is_json: protocol.is_json(),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn framed(flags: u8, content: &[u8]) -> Vec<u8> {
        let mut frame = vec![flags];
        frame.extend((content.len() as u32).to_be_bytes());
        frame.extend(content);
        frame
    }

    #[test]
    fn one_whole_message_is_taken_out_of_its_frame() {
        let whole = Bytes::from(framed(0, b"abc"));
        assert_eq!(unframed(whole.clone()).unwrap(), "abc");
        assert!(unframed(whole.slice(..6)).is_err());
        assert!(unframed(Bytes::from(framed(1, b"abc"))).is_err());
        assert!(unframed(Bytes::from([framed(0, b"a"), framed(0, b"b")].concat())).is_err());
    }

    #[test]
    fn the_web_form_has_its_status_at_the_end_or_at_the_front() {
        let body = [framed(0, b"abc"), framed(0x80, b"grpc-status:0\r\n")].concat();
        let reply = grpc_web(&HeaderMap::new(), body.into()).unwrap();
        assert_eq!((reply.code, reply.body.as_ref()), (0, &b"abc"[..]));

        let body = framed(0x80, b"grpc-status: 3\r\ngrpc-message: no\r\n");
        let reply = grpc_web(&HeaderMap::new(), body.into()).unwrap();
        assert_eq!((reply.code, reply.text.as_str()), (3, "no"));

        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", HeaderValue::from_static("5"));
        assert_eq!(grpc_web(&headers, Bytes::new()).unwrap().code, 5);
        assert!(grpc_web(&HeaderMap::new(), Bytes::new()).is_err());
    }

    #[test]
    fn errors_are_read_by_number_and_by_name() {
        let said = |protocol, body: &'static str| {
            let reply = unary(
                protocol,
                StatusCode::BAD_REQUEST,
                Bytes::from_static(body.as_bytes()),
            );
            (reply.code, reply.text)
        };
        assert_eq!(
            said(Protocol::Json, r#"{"code":3,"message":"no"}"#),
            (3, "no".to_owned())
        );
        assert_eq!(
            said(
                Protocol::Connect,
                r#"{"code":"resource_exhausted","message":"no"}"#
            ),
            (8, "no".to_owned())
        );
        assert_eq!(said(Protocol::Json, "oops").0, 2);
    }
}
