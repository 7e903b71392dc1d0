//! Reads what nobody read of a request's body, so that the answer arrives.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::response::Response;
use bytes::Bytes;
use http::{Version, header, request::Parts};
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};

use super::body::BODY_LIMIT;

/// How much is read and thrown away, in bytes and time.
const DISCARD: usize = 8 * BODY_LIMIT;
const DISCARD_FOR: Duration = Duration::from_secs(2);

/// Over HTTP/1 a client that still writes while the server closes may lose the answer to a connection
/// reset, so a bounded rest is read before the answer goes out. A client that waits for `100 Continue` has
/// sent nothing yet.
pub(super) async fn around<F: Future<Output = Response>>(
    head: Parts,
    body: Body,
    respond: impl FnOnce(Parts, Body) -> F,
) -> Response {
    let waits = head.headers.contains_key(header::EXPECT);
    if waits || head.version >= Version::HTTP_2 {
        return respond(head, body).await;
    }
    let kept = Kept(Arc::new(Mutex::new(body)));
    let response = respond(head, Body::new(Kept(kept.0.clone()))).await;
    // Whoever still has the body is still reading it.
    if let Some(body) = Arc::into_inner(kept.0) {
        let rest = read(body.into_inner().unwrap_or_else(PoisonError::into_inner));
        // Whether it ends by itself or by the clock makes no difference.
        let _ = tokio::time::timeout(DISCARD_FOR, rest).await;
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

/// A body that is still here when whoever reads it has gone.
struct Kept(Arc<Mutex<Body>>);

impl HttpBody for Kept {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http::{HeaderValue, Request};

    use super::*;

    const PIECE: usize = 100 * 1024;

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
        let response = around(head, body, |_, mut body| async move {
            for _ in 0..wanted {
                body.frame().await.unwrap().unwrap();
            }
            Response::default()
        });
        assert_eq!(response.await.status(), 200);
        polls.load(Ordering::SeqCst)
    }

    #[tokio::test]
    async fn a_bounded_rest_is_read_over_http_1_only() {
        let bound = DISCARD.div_ceil(PIECE);
        assert_eq!(read_for(0, |_| {}).await, bound);
        assert_eq!(read_for(3, |_| {}).await, 3 + bound);
        assert_eq!(read_for(3, |head| head.version = Version::HTTP_2).await, 3);
        let waiting = |head: &mut Parts| {
            let value = HeaderValue::from_static("100-continue");
            head.headers.insert(header::EXPECT, value);
        };
        assert_eq!(read_for(0, waiting).await, 0);
    }

    #[tokio::test]
    async fn a_body_that_was_read_leaves_nothing() {
        let (head, body) = Request::post("/")
            .body(Body::from("all of it"))
            .unwrap()
            .into_parts();
        let response = around(head, body, |_, body| async move { Response::new(body) }).await;
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "all of it");
    }
}
