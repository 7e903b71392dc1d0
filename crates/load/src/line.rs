//! One connection to the server, one request at a time, with as little of a client around it as works.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use anyhow::{Context, bail};
use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, TE};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::answer::Miss;
use crate::ask::{Ask, Wire};

/// One byte of flags and four of length stand before every gRPC message.
const PREFIX: usize = 5;
/// Marks the trailers among the frames of gRPC-web.
const TRAILERS: u8 = 0x80;
/// More than any answer has, so that no answer waits for room.
const WINDOW: u32 = 1024 * 1024;

/// Where the server is and how it is spoken to.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) wire: Wire,
    headers: HeaderMap,
}

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

/// A connection that is ready for a request.
pub(crate) struct Line {
    door: Arc<Door>,
    sender: Sender,
}

enum Sender {
    Http1(hyper::client::conn::http1::SendRequest<Full<Bytes>>),
    Http2(h2::client::SendRequest<Bytes>),
}

/// Moves the bytes of a connection; has to be polled beside whoever asks.
pub(crate) type Motor = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Door {
    pub(crate) fn new(address: SocketAddr, wire: Wire, token: &str) -> anyhow::Result<Door> {
        let mut headers = HeaderMap::new();
        let token = HeaderValue::try_from(format!("Bearer {token}"));
        headers.insert(
            AUTHORIZATION,
            token.context("the token cannot be sent in a header")?,
        );
        let content = match wire {
            Wire::Grpc => "application/grpc",
            Wire::GrpcWeb => "application/grpc-web",
            Wire::Connect | Wire::Json => "application/json",
            Wire::ConnectProto => "application/proto",
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content));
        match wire {
            Wire::Grpc => {
                headers.insert(TE, HeaderValue::from_static("trailers"));
            }
            Wire::Connect | Wire::ConnectProto => {
                headers.insert("connect-protocol-version", HeaderValue::from_static("1"));
            }
            Wire::GrpcWeb | Wire::Json => {}
        }
        if wire != Wire::Grpc {
            headers.insert(HOST, HeaderValue::try_from(address.to_string())?);
        }
        Ok(Door {
            address,
            wire,
            headers,
        })
    }

    fn request<B>(&self, ask: &Ask<'_>, body: B) -> Result<Request<B>, http::Error> {
        let (method, path) = match self.wire {
            Wire::Json => ask.route(),
            Wire::Grpc | Wire::GrpcWeb | Wire::Connect | Wire::ConnectProto => {
                (Method::POST, ask.method().to_owned())
            }
        };
        let uri = match self.wire {
            Wire::Grpc => Uri::builder()
                .scheme("http")
                .authority(self.address.to_string())
                .path_and_query(path)
                .build()?,
            Wire::GrpcWeb | Wire::Connect | Wire::ConnectProto | Wire::Json => Uri::try_from(path)?,
        };
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        Ok(request)
    }

    fn body(&self, ask: &Ask<'_>) -> Bytes {
        let reads = matches!(ask, Ask::Get { .. } | Ask::List { .. });
        match self.wire {
            Wire::Json if reads => Bytes::new(),
            Wire::Json | Wire::Connect => ask.json().into(),
            Wire::ConnectProto => {
                let mut message = Vec::with_capacity(64);
                ask.write_proto(&mut message);
                message.into()
            }
            Wire::Grpc | Wire::GrpcWeb => {
                let mut framed = Vec::with_capacity(64);
                framed.extend([0; PREFIX]);
                ask.write_proto(&mut framed);
                let length = u32::try_from(framed.len() - PREFIX).unwrap_or(u32::MAX);
                framed[1..PREFIX].copy_from_slice(&length.to_be_bytes());
                framed.into()
            }
        }
    }
}

impl Line {
    /// Connects. Nothing moves unless the motor is polled.
    pub(crate) async fn open(door: Arc<Door>) -> anyhow::Result<(Line, Motor)> {
        let stream = TcpStream::connect(door.address).await;
        let stream = stream.with_context(|| format!("nothing answers at {}", door.address))?;
        stream.set_nodelay(true)?;
        let (sender, motor): (_, Motor) = match door.wire {
            Wire::Grpc => {
                let (sender, connection) = h2::client::Builder::new()
                    .initial_window_size(WINDOW)
                    .initial_connection_window_size(WINDOW)
                    .handshake(stream)
                    .await?;
                let motor = Box::pin(async move { drop(connection.await) });
                (Sender::Http2(sender), motor)
            }
            Wire::GrpcWeb | Wire::Connect | Wire::ConnectProto | Wire::Json => {
                let io = TokioIo::new(stream);
                let (sender, connection) = hyper::client::conn::http1::handshake(io).await?;
                let motor = Box::pin(async move { drop(connection.await) });
                (Sender::Http1(sender), motor)
            }
        };
        Ok((Line { door, sender }, motor))
    }

    /// Asks, and waits for the whole answer.
    pub(crate) async fn ask(&mut self, ask: Ask<'_>) -> Result<Reply, Miss> {
        let body = self.door.body(&ask);
        let wire = self.door.wire;
        match &mut self.sender {
            Sender::Http2(sender) => {
                let request = self.door.request(&ask, ()).map_err(broken)?;
                grpc(sender, request, body).await
            }
            Sender::Http1(sender) => {
                let request = self.door.request(&ask, Full::new(body)).map_err(broken)?;
                sender.ready().await.map_err(broken)?;
                let response = sender.send_request(request).await.map_err(broken)?;
                let (head, body) = response.into_parts();
                let body = body.collect().await.map_err(broken)?.to_bytes();
                match wire {
                    Wire::GrpcWeb | Wire::Grpc => grpc_web(&head.headers, body),
                    Wire::Connect | Wire::ConnectProto | Wire::Json => {
                        Ok(unary(wire, head.status, body))
                    }
                }
            }
        }
    }
}

fn broken(error: impl std::fmt::Display) -> Miss {
    Miss::Broken(error.to_string())
}

async fn grpc(
    sender: &mut h2::client::SendRequest<Bytes>,
    request: Request<()>,
    body: Bytes,
) -> Result<Reply, Miss> {
    poll_fn(|context| sender.poll_ready(context))
        .await
        .map_err(broken)?;
    let (response, mut stream) = sender.send_request(request, false).map_err(broken)?;
    stream.send_data(body, true).map_err(broken)?;
    let (head, mut incoming) = response.await.map_err(broken)?.into_parts();
    if head.status != StatusCode::OK {
        return Err(Miss::Wrong(format!("HTTP status {}", head.status)));
    }
    let mut body = Bytes::new();
    while let Some(piece) = incoming.data().await {
        let piece = piece.map_err(broken)?;
        let released = incoming.flow_control().release_capacity(piece.len());
        released.map_err(broken)?;
        body = joined(body, piece);
    }
    let trailers = incoming.trailers().await.map_err(broken)?;
    // A call that fails before its first message has its status among the headers.
    let (code, text) = trailers
        .as_ref()
        .and_then(status)
        .or_else(|| status(&head.headers))
        .ok_or_else(|| Miss::Wrong("the answer has no status".to_owned()))?;
    let body = if code == 0 {
        unframed(body)?
    } else {
        Bytes::new()
    };
    Ok(Reply {
        code,
        text,
        body,
        is_json: false,
    })
}

fn joined(body: Bytes, piece: Bytes) -> Bytes {
    if body.is_empty() {
        return piece;
    }
    let mut whole = BytesMut::from(body);
    whole.extend_from_slice(&piece);
    whole.freeze()
}

fn status(headers: &HeaderMap) -> Option<(i32, String)> {
    let code = headers.get("grpc-status")?.to_str().ok()?.parse().ok()?;
    let text = headers
        .get("grpc-message")
        .and_then(|text| text.to_str().ok());
    Some((code, text.unwrap_or_default().to_owned()))
}

/// The one message of a gRPC answer.
fn unframed(mut body: Bytes) -> Result<Bytes, Miss> {
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

fn grpc_web(headers: &HeaderMap, mut body: Bytes) -> Result<Reply, Miss> {
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

/// An error of the JSON door has its status as a number, one of Connect by its name.
#[derive(Deserialize)]
struct Failure {
    code: serde_json::Value,
    #[serde(default)]
    message: String,
}

fn unary(wire: Wire, status: StatusCode, body: Bytes) -> Reply {
    if status == StatusCode::OK {
        return Reply {
            code: 0,
            text: String::new(),
            body,
            is_json: wire.is_json(),
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
        is_json: wire.is_json(),
    }
}

/// One plain GET, for what is not measured: status and body.
pub(crate) async fn fetch(address: SocketAddr, path: &str) -> anyhow::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.0\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        bail!("{address}{path}: the answer is cut off");
    };
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head
        .split_whitespace()
        .nth(1)
        .and_then(|word| word.parse().ok());
    let status = status.with_context(|| format!("{address}{path}: the answer has no status"))?;
    Ok((status, answer.split_off(end + 4)))
}

#[cfg(test)]
mod tests {
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
        let said = |wire, body: &'static str| {
            let reply = unary(
                wire,
                StatusCode::BAD_REQUEST,
                Bytes::from_static(body.as_bytes()),
            );
            (reply.code, reply.text)
        };
        assert_eq!(
            said(Wire::Json, r#"{"code":3,"message":"no"}"#),
            (3, "no".to_owned())
        );
        assert_eq!(
            said(
                Wire::Connect,
                r#"{"code":"resource_exhausted","message":"no"}"#
            ),
            (8, "no".to_owned())
        );
        assert_eq!(said(Wire::Json, "oops").0, 2);
    }
}
