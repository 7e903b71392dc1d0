//! Reads what a API left of a request's body, so that the answer arrives.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{Version, header};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};

/// How much is read and thrown away, in bytes and time.
const DISCARD: usize = 8 * super::BODY_LIMIT;
const DISCARD_FOR: Duration = Duration::from_secs(2);

/// Over HTTP/1 a client that still writes while the server closes may lose the answer to a connection
/// reset, so a bounded rest is read before the answer goes out. A client that waits for `100 Continue` has
/// sent nothing yet.
pub(super) async fn discard(request: Request, next: Next) -> Response {
    let waits = request.headers().contains_key(header::EXPECT);
    if waits || request.version() >= Version::HTTP_2 {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let kept = Kept(Arc::new(Mutex::new(body)));
    let request = Request::from_parts(head, Body::new(Kept(kept.0.clone())));
    let response = next.run(request).await;
    // A API that still has the body is still reading it.
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

/// A body that is still here when the API that reads it has gone.
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

    use axum::Router;
    use axum::middleware::from_fn;
    use axum::routing::post;
    use tower::ServiceExt;

    use super::*;

    const PIECE: usize = 100 * 1024;

    /// How many pieces of an endless body are read for a API that reads `wanted` of them.
    async fn read_for(wanted: usize, change: impl FnOnce(&mut Request)) -> usize {
        let door = post(move |body: Body| async move {
            let mut body = body;
            for _ in 0..wanted {
                body.frame().await.unwrap().unwrap();
            }
        });
        let polls = Arc::new(AtomicUsize::new(0));
        let counter = polls.clone();
        let pieces = std::iter::repeat_with(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            Ok::<_, std::io::Error>(Bytes::from(vec![b' '; PIECE]))
        });
        let mut request = Request::new(Body::from_stream(futures::stream::iter(pieces)));
        *request.method_mut() = axum::http::Method::POST;
        change(&mut request);
        let router = Router::new().route("/", door).layer(from_fn(discard));
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        polls.load(Ordering::SeqCst)
    }

    #[tokio::test]
    async fn a_bounded_rest_is_read_over_http_1_only() {
        let bound = DISCARD.div_ceil(PIECE);
        assert_eq!(read_for(0, |_| {}).await, bound);
        assert_eq!(read_for(3, |_| {}).await, 3 + bound);
        let over_2 = |request: &mut Request| *request.version_mut() = Version::HTTP_2;
        assert_eq!(read_for(3, over_2).await, 3);
        let waiting = |request: &mut Request| {
            let value = axum::http::HeaderValue::from_static("100-continue");
            request.headers_mut().insert(header::EXPECT, value);
        };
        assert_eq!(read_for(0, waiting).await, 0);
    }

    #[tokio::test]
    async fn a_body_that_was_read_leaves_nothing() {
        let door = post(|body: String| async move { body });
        let router = Router::new().route("/", door).layer(from_fn(discard));
        let request = Request::post("/").body(Body::from("all of it")).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "all of it");
    }
}
