//! Reads what nobody read of a request's body, so that the answer arrives.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{Version, header, request::Parts};
use http_body_util::BodyExt;

use super::body::{BODY_LIMIT, Bounded, Room};

/// How much is read and thrown away, in bytes and time.
const DISCARD: usize = 8 * BODY_LIMIT;
const DISCARD_FOR: Duration = Duration::from_secs(2);

/// A client that still writes while the server is done may lose the answer: over HTTP/1 to a connection
/// reset, over HTTP/2 to a reset of the stream, and whoever resets many streams loses the connection. So a
/// bounded rest is read before the answer goes out. An HTTP/1 client that waits for `100 Continue` has sent
/// nothing yet.
pub(super) async fn around<F: Future<Output = Response>>(
    head: Parts,
    body: Body,
    room: &Arc<Room>,
    respond: impl FnOnce(Parts, Body) -> F,
) -> Response {
    let waits = head.version < Version::HTTP_2 && head.headers.contains_key(header::EXPECT);
    let bounded = Bounded::new(body, room.clone());
    let response = respond(head, bounded.body()).await;
    // Whoever still has the body is still reading it.
    if let Some(body) = bounded.rest().filter(|_| !waits) {
        // Whether it ends by itself or by the clock makes no difference.
        let _ = tokio::time::timeout(DISCARD_FOR, read(body)).await;
    }
    response
}

async fn read(mut body: Body) {
    let mut left = DISCARD;
    while let Some(Ok(frame)) = body.frame().await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        if left == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http::{HeaderValue, Request};

    use super::*;

    const PIECE: usize = 100 * 1024;

    fn room() -> Arc<Room> {
        Arc::new(Room::new(64 * BODY_LIMIT))
    }

    /// How many pieces of an endless body are read for a handler that reads `wanted` of them.
    async fn read_for(wanted: usize, change: impl FnOnce(&mut Parts)) -> usize {
        let polls = Arc::new(AtomicUsize::new(0));
        let counter = polls.clone();
        let pieces = std::iter::repeat_with(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok::<_, std::io::Error>(Bytes::from(vec![b' '; PIECE]))
        });
        let body = Body::from_stream(futures::stream::iter(pieces));
        let (mut head, ()) = Request::post("/").body(()).unwrap().into_parts();
        change(&mut head);
        let room = room();
        let response = around(head, body, &room, |_, mut body| async move {
            for _ in 0..wanted {
                body.frame().await.unwrap().unwrap();
            }
            Response::default()
        });
        assert_eq!(response.await.status(), 200);
        polls.load(Ordering::SeqCst)
    }

    #[tokio::test]
    async fn a_bounded_rest_is_read() {
        let bound = DISCARD.div_ceil(PIECE);
        assert_eq!(read_for(0, |_| {}).await, bound);
        assert_eq!(read_for(3, |_| {}).await, 3 + bound);
        let over_2 = |head: &mut Parts| head.version = Version::HTTP_2;
        assert_eq!(read_for(3, over_2).await, 3 + bound);
        let waiting = |head: &mut Parts| {
            let value = HeaderValue::from_static("100-continue");
            head.headers.insert(header::EXPECT, value);
        };
        assert_eq!(read_for(0, waiting).await, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_that_does_not_come_holds_the_answer_for_2_s() {
        let body = Body::from_stream(futures::stream::pending::<Result<Bytes, std::io::Error>>());
        let (head, ()) = Request::post("/").body(()).unwrap().into_parts();
        let started = tokio::time::Instant::now();
        around(head, body, &room(), |_, _| async { Response::default() }).await;
        assert_eq!(started.elapsed(), DISCARD_FOR);
    }

    #[tokio::test]
    async fn a_body_that_was_read_leaves_nothing() {
        let request = Request::post("/").body(Body::from("all of it")).unwrap();
        let (head, body) = request.into_parts();
        let room = room();
        let response = around(
            head,
            body,
            &room,
            |_, body| async move { Response::new(body) },
        )
        .await;
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "all of it");
    }
}
