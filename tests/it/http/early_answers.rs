//! An answer that is given before the body was read arrives, and costs nobody the connection.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::stream::{FuturesUnordered, StreamExt, unfold};
use http::Request;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::app::TestApp;
use crate::database::Database;

crate::on_both! {
    late_bodies_of_refused_requests_lose_nothing,
}

/// Pieces that come when the answer could be there already.
fn late() -> Body {
    let pieces = unfold(0, |n| async move {
        tokio::time::sleep(Duration::from_millis(30)).await;
        (n < 3).then(|| (Ok::<_, Infallible>(Bytes::from(vec![b' '; 20_000])), n + 1))
    });
    Body::from_stream(pieces)
}

async fn late_bodies_of_refused_requests_lose_nothing(database: Database) {
    let app = TestApp::start(database).await;
    let stream = TcpStream::connect(app.address).await.expect("a connection");
    let handshake = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (sender, connection) = handshake.await.expect("HTTP/2");
    let connection = tokio::spawn(connection);
    let paths = [
        ("POST", "/v2/users/ann/phone", 401),
        ("POST", "/zitadel.user.v2.UserService/SetPhone", 401),
        ("POST", "/nothing", 404),
        ("PUT", "/v2/users/ann/phone", 405),
        ("POST", "/identity/v1/verify-phone-number", 401),
    ];
    let send = |n: usize| {
        let mut sender = sender.clone();
        let (method, path, status) = paths[n % paths.len()];
        let request = Request::builder()
            .method(method)
            .uri(app.url(path))
            .header("content-type", "application/json")
            .body(late())
            .expect("a request");
        async move {
            sender.ready().await.expect("the connection");
            let answer = sender.send_request(request).await;
            assert_eq!(
                answer.expect("an answer").status(),
                status,
                "{method} {path}"
            );
        }
    };
    let mut running = FuturesUnordered::new();
    for n in 0..1_500 {
        if running.len() >= 100 {
            running.next().await;
        }
        running.push(send(n));
    }
    while running.next().await.is_some() {}
    // The connection is still there.
    assert!(!connection.is_finished());
    send(0).await;
}
