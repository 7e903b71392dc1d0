//! Reads what a door left of a request's body, so that the answer arrives.

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
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;

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
    // A door that still has the body is still reading it.
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

/// A body that is still here when the door that reads it has gone.
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}
