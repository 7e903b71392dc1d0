//! What gRPC, gRPC-web and Connect say of messages, sizes, compression, content types and timeouts, as data.

use std::io::Write;

use axum::body::Body;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::app::TestApp;
use crate::database::Database;

crate::on_both! {
    calls_are_read_as_specified,
}

const LIST: &str = "/ringback.phone.v1.PhoneService/ListUserPhones";
const ADD: &str = "/ringback.phone.v1.PhoneService/AddUserPhone";
/// `ListUserPhonesRequest { user_id: "ann" }`
const MESSAGE: &[u8] = b"\x0a\x03ann";

/// What a call comes to.
#[derive(Debug, PartialEq)]
enum Outcome {
    /// It succeeded.
    Done,
    /// gRPC's status.
    Grpc(u16),
    /// Connect's error, with its HTTP status.
    Connect(u16, String),
    /// An HTTP status and nothing else.
    Http(u16),
}

fn connect(http: u16, code: &str) -> Outcome {
    Outcome::Connect(http, code.into())
}

/// A message with its prefix.
fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("a length");
    [&[flag], &length.to_be_bytes()[..], message].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("gzip");
    encoder.finish().expect("gzip")
}

/// One call over HTTP/2, and what it came to.
async fn outcome(
    app: &TestApp,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Outcome {
    let stream = TcpStream::connect(app.address).await.expect("a connection");
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.expect("HTTP/2");
    tokio::spawn(connection);
    let mut request = Request::builder()
        .method(method.parse::<Method>().expect("a method"))
        .uri(app.url(path))
        .header("authorization", format!("Bearer {}", app.admin()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body)).expect("a request");
    let answer = sender.send_request(request).await.expect("an answer");
    let (head, body) = answer.into_parts();
    let body = body.collect().await.expect("a whole answer");
    let trailers = body.trailers().cloned().unwrap_or_default();
    read(
        head.status.as_u16(),
        &head.headers,
        &trailers,
        body.to_bytes(),
    )
}

fn read(http: u16, headers: &HeaderMap, trailers: &HeaderMap, body: Bytes) -> Outcome {
    let status = |headers: &HeaderMap| headers.get("grpc-status")?.to_str().ok()?.parse().ok();
    let kind = headers
        .get("content-type")
        .map_or("", |kind| kind.to_str().expect("a text"));
    if kind.starts_with("application/grpc") {
        assert_eq!(http, 200);
        assert_eq!(headers["grpc-accept-encoding"], "gzip");
        let body = match kind.contains("-text") {
            true => STANDARD.decode(&body).expect("base64").into(),
            false => body,
        };
        let in_body = String::from_utf8_lossy(&body)
            .contains("grpc-status:0")
            .then_some(0);
        return match status(trailers).or(status(headers)).or(in_body) {
            Some(0) => Outcome::Done,
            Some(code) => Outcome::Grpc(code),
            None => panic!("no status: {headers:?} {body:?}"),
        };
    }
    let told: Value = serde_json::from_slice(&body).unwrap_or_default();
    match told["code"].as_str() {
        Some(code) => connect(http, code),
        None if http == 200 => Outcome::Done,
        None => Outcome::Http(http),
    }
}

async fn calls_are_read_as_specified(database: Database) {
    let app = TestApp::start(database).await;
    let user = json!({"userId": "ann"});
    crate::http::wire::Wire::Json
        .ok(&app, "AddHumanUser", &app.admin(), user)
        .await;

    let grpc = ("content-type", "application/grpc");
    let web = ("content-type", "application/grpc-web+proto");
    let gzipped = ("grpc-encoding", "gzip");
    let bomb = gzip(&vec![0; 8 * 1024 * 1024]);
    let large = vec![b' '; 1024 * 1024 + 1];
    let once = || framed(0, MESSAGE);
    type Headers = Vec<(&'static str, &'static str)>;
    let over_both: Vec<(&str, Headers, Vec<u8>, Outcome)> = vec![
        ("one message", vec![], once(), Outcome::Done),
        ("no message", vec![], vec![], Outcome::Grpc(12)),
        (
            "two messages",
            vec![],
            [once(), once()].concat(),
            Outcome::Grpc(12),
        ),
        ("half a prefix", vec![], vec![0, 0], Outcome::Grpc(3)),
        (
            "half a message",
            vec![],
            once()[..8].to_vec(),
            Outcome::Grpc(3),
        ),
        (
            "no protobuf",
            vec![],
            framed(0, b"\x0a\x7f"),
            Outcome::Grpc(3),
        ),
        ("too large", vec![], framed(0, &large), Outcome::Grpc(8)),
        (
            "an announced size",
            vec![],
            vec![0, 255, 255, 255, 255],
            Outcome::Grpc(8),
        ),
        (
            "gzip",
            vec![gzipped],
            framed(1, &gzip(MESSAGE)),
            Outcome::Done,
        ),
        (
            "gzip, and not compressed",
            vec![gzipped],
            once(),
            Outcome::Done,
        ),
        ("a bomb", vec![gzipped], framed(1, &bomb), Outcome::Grpc(8)),
        (
            "no gzip",
            vec![gzipped],
            framed(1, MESSAGE),
            Outcome::Grpc(3),
        ),
        (
            "compressed, and nobody says how",
            vec![],
            framed(1, MESSAGE),
            Outcome::Grpc(13),
        ),
        (
            "an encoding that is unknown",
            vec![("grpc-encoding", "br")],
            framed(1, MESSAGE),
            Outcome::Grpc(12),
        ),
        (
            "in time",
            vec![("grpc-timeout", "10S")],
            once(),
            Outcome::Done,
        ),
        (
            "no time",
            vec![("grpc-timeout", "0n")],
            once(),
            Outcome::Grpc(4),
        ),
        (
            "no timeout",
            vec![("grpc-timeout", "1x")],
            once(),
            Outcome::Grpc(3),
        ),
    ];
    for (name, headers, body, expected) in over_both {
        for kind in [grpc, web] {
            let headers = [headers.as_slice(), &[kind]].concat();
            let met = outcome(&app, "POST", LIST, &headers, body.clone()).await;
            assert_eq!(met, expected, "{name} {kind:?}");
        }
        let text = ("content-type", "application/grpc-web-text+proto");
        let headers = [headers.as_slice(), &[text]].concat();
        let body = STANDARD.encode(body).into_bytes();
        let met = outcome(&app, "POST", LIST, &headers, body).await;
        assert_eq!(met, expected, "{name} as text");
    }

    for (kind, expected) in [
        ("application/grpc", Outcome::Done),
        ("application/grpc+proto", Outcome::Done),
        ("Application/GRPC; charset=utf-8", Outcome::Done),
        ("application/grpc-web", Outcome::Done),
        ("application/grpc-web+proto; charset=utf-8", Outcome::Done),
        ("application/grpc+json", Outcome::Http(415)),
        ("application/grpc+thrift", Outcome::Http(415)),
        ("application/grpcx", Outcome::Http(415)),
        ("application/grpc-web+json", Outcome::Http(415)),
        ("application/connect+proto", Outcome::Http(415)),
        ("text/plain", Outcome::Http(415)),
    ] {
        let headers = [("content-type", kind)];
        assert_eq!(
            outcome(&app, "POST", LIST, &headers, once()).await,
            expected,
            "{kind}"
        );
    }
    for method in ["GET", "PUT", "DELETE"] {
        for kind in [grpc, web] {
            let met = outcome(&app, method, ADD, &[kind], once()).await;
            assert_eq!(met, Outcome::Http(405), "{method} {kind:?}");
        }
    }

    let proto = ("content-type", "application/proto");
    let encoding = |name| ("content-encoding", name);
    for (name, headers, body, expected) in [
        ("one message", vec![], MESSAGE.to_vec(), Outcome::Done),
        (
            "identity",
            vec![encoding("Identity")],
            MESSAGE.to_vec(),
            Outcome::Done,
        ),
        ("gzip", vec![encoding("gzip")], gzip(MESSAGE), Outcome::Done),
        (
            "a bomb",
            vec![encoding("gzip")],
            bomb.clone(),
            connect(429, "resource_exhausted"),
        ),
        (
            "no gzip",
            vec![encoding("gzip")],
            MESSAGE.to_vec(),
            connect(400, "invalid_argument"),
        ),
        (
            "an unknown encoding",
            vec![encoding("br")],
            vec![],
            connect(501, "unimplemented"),
        ),
        (
            "too large",
            vec![],
            large.clone(),
            connect(429, "resource_exhausted"),
        ),
        (
            "no protobuf",
            vec![],
            b"\x0a\x7f".to_vec(),
            connect(400, "invalid_argument"),
        ),
        (
            "no time",
            vec![("connect-timeout-ms", "0")],
            MESSAGE.to_vec(),
            connect(504, "deadline_exceeded"),
        ),
        (
            "no timeout",
            vec![("connect-timeout-ms", "12345678901")],
            MESSAGE.to_vec(),
            connect(400, "invalid_argument"),
        ),
        (
            "another version",
            vec![("connect-protocol-version", "2")],
            MESSAGE.to_vec(),
            connect(400, "invalid_argument"),
        ),
    ] {
        let headers = [headers.as_slice(), &[proto]].concat();
        let met = outcome(&app, "POST", LIST, &headers, body).await;
        assert_eq!(met, expected, "Connect: {name}");
    }

    let base64 = URL_SAFE_NO_PAD.encode(MESSAGE);
    let packed = URL_SAFE_NO_PAD.encode(gzip(MESSAGE));
    let json = "%7B%22userId%22%3A%22ann%22%7D";
    for (query, expected) in [
        (format!("encoding=json&message={json}"), Outcome::Done),
        (
            format!("connect=v1&encoding=json&message={json}&more=1"),
            Outcome::Done,
        ),
        (
            format!("encoding=proto&base64=1&message={base64}"),
            Outcome::Done,
        ),
        (
            format!("encoding=proto&base64=1&compression=gzip&message={packed}"),
            Outcome::Done,
        ),
        (
            format!("encoding=json&compression=identity&message={json}"),
            Outcome::Done,
        ),
        (
            format!("encoding=json&connect=v2&message={json}"),
            connect(400, "invalid_argument"),
        ),
        (
            format!("encoding=json&compression=br&message={json}"),
            connect(501, "unimplemented"),
        ),
        ("encoding=json".into(), connect(400, "invalid_argument")),
        (
            "encoding=json&base64=1&message=!".into(),
            connect(400, "invalid_argument"),
        ),
        (format!("encoding=xml&message={json}"), Outcome::Http(415)),
        (format!("message={json}"), Outcome::Http(415)),
    ] {
        let path = format!("{LIST}?{query}");
        assert_eq!(
            outcome(&app, "GET", &path, &[], vec![]).await,
            expected,
            "GET {query}"
        );
    }
    let writes = format!("{ADD}?encoding=json&message={json}");
    assert_eq!(
        outcome(&app, "GET", &writes, &[], vec![]).await,
        Outcome::Http(405)
    );
}
