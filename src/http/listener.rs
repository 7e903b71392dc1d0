//! The listener: takes connections, and lets those that it took finish.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::dispatch::Peer;
use crate::tls::Tls;

/// How long requests that run may still take once the end was asked for.
pub const GRACE: Duration = Duration::from_secs(10);

/// A connection must be encrypted within this time.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A request's head must be here within this time.
const HEAD: Duration = Duration::from_secs(10);

/// A quiet HTTP/2 connection is asked this often whether somebody is there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Streams that one HTTP/2 connection may have open.
const STREAMS: u32 = 1_024;

/// Serves HTTP/1.1 and HTTP/2 until `shutdown` ends, then stops accepting and lets what runs finish for
/// [`GRACE`]. With `tls` a client chooses between the two by ALPN and nothing is served in the clear;
/// without, HTTP/2 is for those who know. `answer` is asked for each request.
pub async fn serve<F: Future<Output = Response> + Send + 'static>(
    listener: TcpListener,
    tls: Option<Tls>,
    answer: impl Fn(Request) -> F + Clone + Send + 'static,
    shutdown: impl Future<Output = ()>,
) {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_concurrent_streams(STREAMS);
    let graceful = GracefulShutdown::new();
    let (stop, stopping) = watch::channel(());
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = Connection {
                    http: http.clone(),
                    answer: answer.clone(),
                    peer,
                    watcher: graceful.watcher(),
                };
                let (tls, stopping) = (tls.clone(), stopping.clone());
                #[expect(
                    clippy::disallowed_methods,
                    reason = "a connection is one of the few tasks"
                )]
                tokio::spawn(connection.take(stream, tls, stopping));
            }
            // Most often too many open files: a pause lets some close.
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    drop(stop);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(GRACE) => {
            tracing::warn!("some requests did not finish in time");
        }
    }
}

/// One connection, from its first byte to its last.
struct Connection<A> {
    http: Builder<TokioExecutor>,
    answer: A,
    peer: SocketAddr,
    watcher: Watcher,
}

impl<F: Future<Output = Response> + Send + 'static, A: Fn(Request) -> F + Send + 'static>
    Connection<A>
{
    /// `stopping` changes when no request is taken any more.
    async fn take(self, stream: TcpStream, tls: Option<Tls>, mut stopping: watch::Receiver<()>) {
        let peer = self.peer;
        // Answers are small and awaited.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "cannot switch off delays");
        }
        let Some(tls) = tls else {
            return self.serve(stream).await;
        };
        let handshake = tokio::time::timeout(HANDSHAKE, tls.acceptor().accept(stream));
        let encrypted = tokio::select! {
            encrypted = handshake => encrypted,
            // Nothing was asked yet, so nothing is lost.
            _ = stopping.changed() => return,
        };
        match encrypted {
            Ok(Ok(stream)) => self.serve(stream).await,
            // Scanners, clients that do not trust us, and plain HTTP: theirs to mend.
            Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS"),
            Err(_) => tracing::debug!(%peer, "no TLS in time"),
        }
    }

    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let Connection {
            http,
            answer,
            peer,
            watcher,
        } = self;
        let service = service_fn(move |mut request: hyper::Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            let answer = answer(request.map(Body::new));
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let connection = http.serve_connection(TokioIo::new(stream), service);
        // A client that goes away in the middle is no fault of ours.
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%peer, error, "connection ended early");
        }
    }
}
