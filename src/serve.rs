//! The listener: takes connections, and lets those that it took finish.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use crate::doors::Peer;

/// How long requests that run may still take once the end was asked for.
pub const GRACE: Duration = Duration::from_secs(10);

/// A request's head must be here within this time.
const HEAD: Duration = Duration::from_secs(10);

/// A quiet HTTP/2 connection is asked this often whether somebody is there.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Streams that one HTTP/2 connection may have open.
const STREAMS: u32 = 1_024;

/// Serves HTTP/1.1 and HTTP/2 with prior knowledge until `shutdown` ends, then stops accepting and lets
/// what runs finish for [`GRACE`].
pub async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()>) {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_concurrent_streams(STREAMS);
    let graceful = GracefulShutdown::new();
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = connection(&http, stream, peer, router.clone());
                let connection = graceful.watch(connection);
                #[expect(clippy::disallowed_methods, reason = "a connection is one of the few tasks")]
                tokio::spawn(async move {
                    // A client that goes away in the middle is no fault of ours.
                    if let Err(error) = connection.await {
                        tracing::debug!(%peer, error, "connection ended early");
                    }
                });
            }
            // Most often too many open files: a pause lets some close.
            Err(error) => {
                tracing::warn!(%error, "cannot accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(GRACE) => {
            tracing::warn!("some requests did not finish in time");
        }
    }
}

fn connection(
    http: &Builder<TokioExecutor>,
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = Box<dyn std::error::Error + Send + Sync>>
+ Send
+ 'static {
    // Answers are small and awaited.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%peer, %error, "cannot switch off delays");
    }
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        let router = router.clone();
        async move { Ok::<_, Infallible>(answer(router, request.map(Body::new)).await) }
    });
    http.serve_connection(TokioIo::new(stream), service).into_owned()
}

async fn answer(router: Router, request: hyper::Request<Body>) -> hyper::Response<Body> {
    match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
