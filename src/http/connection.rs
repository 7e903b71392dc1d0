//! One connection: its first bytes, TLS, requests, and how long it may be quiet.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use bytes::{Buf, Bytes, BytesMut};
use futures::FutureExt;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::dispatch::Peer;
use super::quiet::Quiet;
use super::slots::Slot;
use crate::tls::Tls;

/// A connection must be encrypted within this time.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Its first bytes must be here within this time.
const FIRST: Duration = Duration::from_secs(10);
/// A request's head must be whole within this time of its first byte.
const HEAD: Duration = Duration::from_secs(10);
/// A quiet HTTP/2 connection is asked this often whether somebody is there, who must answer as soon.
const KEEP_ALIVE: Duration = Duration::from_secs(10);
/// How long requests that run may still take once a connection was asked to end.
pub const GRACE: Duration = Duration::from_secs(10);

/// Streams that one HTTP/2 connection may have open.
const STREAMS: u32 = 128;
/// Bytes that an HTTP/2 client may send before they are read: on one stream, and on a connection.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 256 * 1024;
/// Bytes that are read ahead of an HTTP/1 request.
const HTTP_1_BUFFER: usize = 64 * 1024;

/// What an HTTP/2 client sends first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// One connection, from its first byte to its last.
pub(super) struct Connection<A> {
    pub(super) answer: A,
    pub(super) peer: SocketAddr,
    /// How long it may be open without a request.
    pub(super) idle: Duration,
    /// Given back when it ends.
    pub(super) slot: Slot,
}

impl<F: Future<Output = Response> + Send + 'static, A: Fn(Request) -> F + Send + 'static>
    Connection<A>
{
    /// `stopping` changes when no request is taken any more.
    pub(super) async fn run(
        self,
        stream: TcpStream,
        tls: Option<Tls>,
        stopping: watch::Receiver<()>,
    ) {
        // Answers are small and awaited.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(peer = %self.peer, %error, "cannot switch off delays");
        }
        match tls {
            None => self.begin(stream, stopping).await,
            // Boxed, so that a connection without TLS has no room for it.
            Some(tls) => Box::pin(self.encrypt(stream, tls, stopping)).await,
        }
    }

    async fn encrypt(self, stream: TcpStream, tls: Tls, mut stopping: watch::Receiver<()>) {
        let peer = self.peer;
        let handshake = timeout(HANDSHAKE, tls.acceptor().accept(stream));
        let encrypted = tokio::select! {
            encrypted = handshake => encrypted,
            // Nothing was asked yet, so nothing is lost.
            _ = stopping.changed() => return,
        };
        match encrypted {
            Ok(Ok(stream)) => self.begin(stream, stopping).await,
            // Scanners, clients that do not trust us, and plain HTTP: theirs to mend.
            Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS"),
            Err(_) => tracing::debug!(%peer, "no TLS in time"),
        }
    }

    /// Waits for the first bytes, which tell HTTP/2 from HTTP/1.
    async fn begin<S>(self, mut stream: S, mut stopping: watch::Receiver<()>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let first = tokio::select! {
            first = timeout(FIRST, first_bytes(&mut stream)) => first,
            _ = stopping.changed() => return,
        };
        let peer = self.peer;
        let (read, is_http_2) = match first {
            Ok(Ok(first)) => first,
            // Whoever only looks whether the port is open.
            Ok(Err(error)) => return tracing::debug!(%peer, %error, "no request"),
            Err(_) => return tracing::debug!(%peer, "no request in time"),
        };
        let Connection {
            answer,
            peer,
            idle,
            slot,
        } = self;
        let quiet = Quiet::new();
        let busy = quiet.clone();
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            let running = busy.running();
            let extensions = request.extensions_mut();
            extensions.insert(Peer(peer));
            extensions.insert(busy.clone());
            // Boxed where it is made, as it is large and would be moved from hand to hand.
            Box::pin(answer(request.map(Body::new))).map(move |mut response| {
                drop(running);
                if is_http_2 {
                    differing(response.headers_mut());
                }
                Ok::<_, Infallible>(response)
            })
        });
        let io = TokioIo::new(Rewound {
            read,
            stream,
            quiet: quiet.clone(),
        });
        // Boxed, so that a connection that says nothing yet is small.
        if is_http_2 {
            let mut http = http2::Builder::new(TokioExecutor::new());
            http.timer(TokioTimer::new())
                .keep_alive_interval(Some(KEEP_ALIVE))
                .keep_alive_timeout(KEEP_ALIVE)
                .max_concurrent_streams(STREAMS)
                .initial_stream_window_size(STREAM_WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW);
            let serving = http.serve_connection(io, service);
            Box::pin(until_quiet(
                peer,
                serving,
                quiet.for_long(idle, None),
                stopping,
            ))
            .await;
        } else {
            let mut http = http1::Builder::new();
            // How long a head may take is watched here: a connection between two requests has more time.
            http.timer(TokioTimer::new())
                .header_read_timeout(None)
                .max_buf_size(HTTP_1_BUFFER);
            let serving = http.serve_connection(io, service);
            let quiet = quiet.for_long(idle, Some(HEAD));
            Box::pin(until_quiet(peer, serving, quiet, stopping)).await;
        }
        drop(slot);
    }
}

/// Headers whose values are the same in most answers on one connection.
const SAME: [HeaderName; 10] = [
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::CACHE_CONTROL,
    header::CONTENT_ENCODING,
    header::CONTENT_TYPE,
    header::VARY,
    header::X_CONTENT_TYPE_OPTIONS,
    HeaderName::from_static("grpc-accept-encoding"),
    HeaderName::from_static("grpc-status"),
];

/// Says when an answer was given, and sends all that may differ from answer to answer as literals that are never indexed:
/// otherwise each connection has an entry for each date, and for the end of each code, in its table of headers (RFC 7541),
/// 12 KiB of them after some seconds.
fn differing(headers: &mut HeaderMap) {
    #[expect(
        clippy::disallowed_methods,
        reason = "as the HTTP library does for HTTP/1"
    )]
    let now = SystemTime::now();
    if let Ok(now) = HeaderValue::try_from(httpdate::fmt_http_date(now)) {
        headers.insert(header::DATE, now);
    }
    for (name, value) in headers {
        if !SAME.contains(name) {
            value.set_sensitive(true);
        }
    }
}

/// Serves until the connection ends. When it was quiet for too long, or the program ends, it takes no more
/// requests (HTTP/2 is told by a GOAWAY), and what runs may end.
async fn until_quiet<C: GracefulConnection>(
    peer: SocketAddr,
    serving: C,
    quiet: impl Future,
    mut stopping: watch::Receiver<()>,
) where
    C::Error: std::error::Error,
{
    let mut serving = pin!(serving);
    let ended = tokio::select! {
        ended = &mut serving => Some(ended),
        _ = quiet => None,
        _ = stopping.changed() => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            serving.as_mut().graceful_shutdown();
            match timeout(GRACE, serving).await {
                Ok(ended) => ended,
                Err(_) => return tracing::debug!(%peer, "connection did not end in time"),
            }
        }
    };
    // A client that goes away in the middle is no fault of ours.
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection ended early");
    }
}

/// Whether a connection speaks HTTP/2, and what was read to find out.
async fn first_bytes(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(Bytes, bool)> {
    let mut read = BytesMut::with_capacity(PREFACE.len());
    while PREFACE.starts_with(&read) && read.len() < PREFACE.len() {
        let rest = (PREFACE.len() - read.len()) as u64;
        if stream.take(rest).read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let is_http_2 = read == PREFACE;
    Ok((read.freeze(), is_http_2))
}

/// A stream with what was read of it before it, which tells when bytes come.
struct Rewound<S> {
    read: Bytes,
    stream: S,
    quiet: Quiet,
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        if !self.read.is_empty() {
            let length = self.read.len().min(buffer.remaining());
            buffer.put_slice(&self.read[..length]);
            self.read.advance(length);
        } else {
            std::task::ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        }
        if buffer.filled().len() > before {
            self.quiet.bytes_came();
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_answer_to_answer_is_not_kept() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("retry-after", "7"),
            ("grpc-message", "wait 7 s"),
            ("ringback-code-expires-at", "2026-01-01T00:10:00Z"),
            ("of-tomorrow", "1"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert("cache-control", HeaderValue::from_static("no-store"));
        differing(&mut headers);
        let kept: Vec<_> = headers
            .iter()
            .filter(|(_, value)| !value.is_sensitive())
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(kept, ["cache-control"]);
        let date = headers[header::DATE].to_str().expect("letters");
        assert!(httpdate::parse_http_date(date).is_ok());
    }

    #[tokio::test]
    async fn http_2_is_told_by_its_preface() {
        for (sent, expected) in [
            (PREFACE.to_vec(), Some(true)),
            ([PREFACE, b"more"].concat(), Some(true)),
            (b"GET / HTTP/1.1".to_vec(), Some(false)),
            (b"PRI * HTTP/1.1".to_vec(), Some(false)),
            (b"PRI * HT".to_vec(), None),
            (Vec::new(), None),
        ] {
            let found = first_bytes(&mut sent.as_slice()).await.ok();
            assert_eq!(found.as_ref().map(|(_, is)| *is), expected, "{sent:?}");
            if let Some((read, _)) = found {
                assert!(sent.starts_with(&read));
            }
        }
    }
}
