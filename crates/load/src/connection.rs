//! One connection to the server, one request at a time, with as little of a client around it as works.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use anyhow::Context;
use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, TE};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::answer::Miss;
use crate::reply::{PREFIX, Reply, grpc_web, status, unary, unframed};
use crate::request::{Protocol, Request};
use crate::server::user_token;

/// More than any answer has, so that no answer waits for room.
const WINDOW: u32 = 1024 * 1024;

/// Where the server is and how it is spoken to.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    pub(crate) protocol: Protocol,
    headers: HeaderMap,
    /// What tokens of users are signed with, where that is known.
    secret: Option<Arc<str>>,
}

/// A connection that is ready for a request.
pub(crate) struct Connection {
    endpoint: Arc<Endpoint>,
    sender: Sender,
}

enum Sender {
    Http1(hyper::client::conn::http1::SendRequest<Full<Bytes>>),
    Http2(h2::client::SendRequest<Bytes>),
}

/// Moves the bytes of a connection; has to be polled beside the calls.
pub(crate) type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Endpoint {
    pub(crate) fn new(
        address: SocketAddr,
        protocol: Protocol,
        token: &str,
    ) -> anyhow::Result<Endpoint> {
        let mut headers = HeaderMap::new();
        let token = HeaderValue::try_from(format!("Bearer {token}"));
        headers.insert(
            AUTHORIZATION,
            token.context("the token cannot be sent in a header")?,
        );
        let content = match protocol {
            Protocol::Grpc => "application/grpc",
            Protocol::GrpcWeb => "application/grpc-web",
            Protocol::Connect | Protocol::Json => "application/json",
            Protocol::ConnectProto => "application/proto",
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content));
        match protocol {
            Protocol::Grpc => {
                headers.insert(TE, HeaderValue::from_static("trailers"));
            }
            Protocol::Connect | Protocol::ConnectProto => {
                headers.insert("connect-protocol-version", HeaderValue::from_static("1"));
            }
            Protocol::GrpcWeb | Protocol::Json => {}
        }
        if protocol != Protocol::Grpc {
            headers.insert(HOST, HeaderValue::try_from(address.to_string())?);
        }
        Ok(Endpoint {
            address,
            protocol,
            headers,
            secret: None,
        })
    }

    /// The same, with which users can ask for themselves.
    pub(crate) fn with_secret(self, secret: &str) -> Endpoint {
        Endpoint {
            secret: Some(secret.into()),
            ..self
        }
    }

    /// What a user's request says instead of ours: whose it is, and which address a proxy saw.
    fn of_user(&self, user: &str, from: &str) -> anyhow::Result<HeaderMap> {
        let secret = self.secret.as_ref();
        let secret = secret.context("users ask for themselves on a server of our own only")?;
        let bearer = format!("Bearer {}", user_token(secret, user)?);
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::try_from(bearer)?);
        headers.insert("x-forwarded-for", HeaderValue::try_from(from)?);
        Ok(headers)
    }

    fn http_request<B>(
        &self,
        request: &Request<'_>,
        body: B,
    ) -> Result<http::Request<B>, http::Error> {
        let (method, path) = match self.protocol {
            Protocol::Json => request.route(),
            Protocol::Grpc | Protocol::GrpcWeb | Protocol::Connect | Protocol::ConnectProto => {
                (Method::POST, request.method().to_owned())
            }
        };
        let uri = match self.protocol {
            Protocol::Grpc => Uri::builder()
                .scheme("http")
                .authority(self.address.to_string())
                .path_and_query(path)
                .build()?,
            Protocol::GrpcWeb | Protocol::Connect | Protocol::ConnectProto | Protocol::Json => {
                Uri::try_from(path)?
            }
        };
        let mut sent = http::Request::new(body);
        *sent.method_mut() = method;
        *sent.uri_mut() = uri;
        *sent.headers_mut() = self.headers.clone();
        Ok(sent)
    }

    fn body(&self, request: &Request<'_>) -> Bytes {
        let reads = matches!(request, Request::Get { .. } | Request::List { .. });
        match self.protocol {
            Protocol::Json if reads => Bytes::new(),
            Protocol::Json | Protocol::Connect => request.json().into(),
            Protocol::ConnectProto => {
                let mut message = Vec::with_capacity(64);
                request.write_proto(&mut message);
                message.into()
            }
            Protocol::Grpc | Protocol::GrpcWeb => {
                let mut framed = Vec::with_capacity(64);
                framed.extend([0; PREFIX]);
                request.write_proto(&mut framed);
                let length = u32::try_from(framed.len() - PREFIX).unwrap_or(u32::MAX);
                framed[1..PREFIX].copy_from_slice(&length.to_be_bytes());
                framed.into()
            }
        }
    }
}

impl Connection {
    /// Connects. Nothing moves unless the driver is polled.
    pub(crate) async fn open(endpoint: Arc<Endpoint>) -> anyhow::Result<(Connection, Driver)> {
        let stream = TcpStream::connect(endpoint.address).await;
        let stream = stream.with_context(|| format!("nothing answers at {}", endpoint.address))?;
        stream.set_nodelay(true)?;
        let (sender, driver): (_, Driver) = match endpoint.protocol {
            Protocol::Grpc => {
                let (sender, connection) = h2::client::Builder::new()
                    .initial_window_size(WINDOW)
                    .initial_connection_window_size(WINDOW)
                    .handshake(stream)
                    .await?;
                let driver = Box::pin(async move { drop(connection.await) });
                (Sender::Http2(sender), driver)
            }
            Protocol::GrpcWeb | Protocol::Connect | Protocol::ConnectProto | Protocol::Json => {
                let io = TokioIo::new(stream);
                let (sender, connection) = hyper::client::conn::http1::handshake(io).await?;
                let driver = Box::pin(async move { drop(connection.await) });
                (Sender::Http1(sender), driver)
            }
        };
        Ok((Connection { endpoint, sender }, driver))
    }

    /// Sends the request, and waits for the whole answer.
    pub(crate) async fn call(&mut self, request: Request<'_>) -> Result<Reply, Miss> {
        self.call_with(request, HeaderMap::new()).await
    }

    /// The same by a user, with a token and at an address of the user's own.
    pub(crate) async fn call_as(
        &mut self,
        user: &str,
        from: &str,
        request: Request<'_>,
    ) -> Result<Reply, Miss> {
        let headers = self.endpoint.of_user(user, from).map_err(broken)?;
        self.call_with(request, headers).await
    }

    async fn call_with(&mut self, request: Request<'_>, own: HeaderMap) -> Result<Reply, Miss> {
        let body = self.endpoint.body(&request);
        let protocol = self.endpoint.protocol;
        match &mut self.sender {
            Sender::Http2(sender) => {
                let mut request = self.endpoint.http_request(&request, ()).map_err(broken)?;
                put(own, request.headers_mut());
                grpc(sender, request, body).await
            }
            Sender::Http1(sender) => {
                let mut request = self
                    .endpoint
                    .http_request(&request, Full::new(body))
                    .map_err(broken)?;
                put(own, request.headers_mut());
                sender.ready().await.map_err(broken)?;
                let response = sender.send_request(request).await.map_err(broken)?;
                let (head, body) = response.into_parts();
                let body = body.collect().await.map_err(broken)?.to_bytes();
                match protocol {
                    Protocol::GrpcWeb | Protocol::Grpc => grpc_web(&head.headers, body),
                    Protocol::Connect | Protocol::ConnectProto | Protocol::Json => {
                        Ok(unary(protocol, head.status, body))
                    }
                }
            }
        }
    }
}

/// Takes the place of those with the same names.
fn put(own: HeaderMap, headers: &mut HeaderMap) {
    for (name, value) in &own {
        headers.insert(name, value.clone());
    }
}

fn broken(error: impl std::fmt::Display) -> Miss {
    Miss::Broken(error.to_string())
}

async fn grpc(
    sender: &mut h2::client::SendRequest<Bytes>,
    request: http::Request<()>,
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
