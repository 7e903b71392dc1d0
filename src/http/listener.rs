//! The listener: takes connections within bounds, and lets those that it took finish.

use std::future::Future;
use std::time::Duration;

use axum::extract::Request;
use axum::response::Response;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::connection::{Connection, GRACE};
use super::slots::{Full, Slots};
use crate::config::ServerSection;
use crate::tls::Tls;

/// How long nothing is accepted after accepting failed: most often there are too many open files, and some
/// close meanwhile.
const PAUSE: Duration = Duration::from_millis(50);
/// A trouble that did not come back for so long is over.
const OVER: Duration = Duration::from_secs(60);

/// Serves HTTP/1.1 and HTTP/2 until `shutdown` ends, then stops accepting and lets what runs finish for
/// [`GRACE`]. With `tls` a client chooses between the two by ALPN and nothing is served in the clear;
/// without, HTTP/2 is for those who know. `answer` is asked for each request.
pub async fn serve<F: Future<Output = Response> + Send + 'static>(
    listener: TcpListener,
    tls: Option<Tls>,
    bounds: ServerSection,
    answer: impl Fn(Request) -> F + Clone + Send + 'static,
    shutdown: impl Future<Output = ()>,
) {
    let slots = Slots::new(bounds.connections, bounds.connections_per_address);
    let idle = Duration::from_secs(bounds.idle_seconds);
    let (stop, stopping) = watch::channel(());
    let mut failing = Trouble::default();
    let mut full = Trouble::default();
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                if failing.is_new() {
                    tracing::warn!(
                        %error,
                        "cannot accept connections; with too many open files, raise the limit (`ulimit -n`, \
                         LimitNOFILE) or lower server.connections"
                    );
                }
                sleep(PAUSE).await;
                continue;
            }
        };
        if failing.is_over() {
            tracing::info!("accepting connections again");
        }
        // All clients of a proxy share its address.
        let is_proxy = bounds
            .trusted_proxies
            .iter()
            .any(|proxy| proxy.contains(peer.ip()));
        let from = (!is_proxy).then_some(peer.ip());
        let slot = match slots.take(from) {
            Ok(slot) => slot,
            Err(reason) => {
                if full.is_new() {
                    let key = match reason {
                        Full::InAll => "server.connections",
                        Full::ForAddress => "server.connections_per_address",
                    };
                    tracing::warn!(peer = %peer.ip(), key, "too many connections; new ones are closed");
                }
                continue;
            }
        };
        if full.is_over() {
            tracing::info!("there is room for connections again");
        }
        let connection = Connection {
            answer: answer.clone(),
            peer,
            idle,
            slot,
        };
        let (tls, stopping) = (tls.clone(), stopping.clone());
        #[expect(
            clippy::disallowed_methods,
            reason = "a connection is one of the few tasks"
        )]
        tokio::spawn(connection.run(stream, tls, stopping));
    }
    drop(listener);
    drop(stopping);
    stop.send_replace(());
    // Each connection keeps its end of the channel until it has ended.
    if timeout(GRACE, stop.closed()).await.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
}

/// Something that is said once, however often it happens.
#[derive(Default)]
struct Trouble {
    last: Option<Instant>,
}

impl Trouble {
    /// It happened. Whether that is worth a line.
    fn is_new(&mut self) -> bool {
        self.last.replace(Instant::now()).is_none()
    }

    /// It did not happen now. Whether it is over, which is worth a line.
    fn is_over(&mut self) -> bool {
        let over = self.last.is_some_and(|last| last.elapsed() >= OVER);
        if over {
            self.last = None;
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_trouble_is_said_once_and_its_end_once() {
        let mut trouble = Trouble::default();
        assert!(!trouble.is_over());
        assert!(trouble.is_new());
        for _ in 0..100 {
            sleep(PAUSE).await;
            assert!(!trouble.is_new());
            assert!(!trouble.is_over());
        }
        sleep(OVER).await;
        assert!(trouble.is_over());
        assert!(!trouble.is_over());
        assert!(trouble.is_new());
    }
}
