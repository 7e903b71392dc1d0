//! Reads a request body into one piece, up to the limit.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Version, header, request::Parts};
use http_body_util::BodyExt;

/// The largest body that is read, in bytes.
pub(super) const MAX: usize = 1024 * 1024;

/// How much of a refused body is read and thrown away, in bytes and time. See [`discard`].
const DISCARD: usize = 8 * MAX;
const DISCARD_FOR: Duration = Duration::from_secs(2);

/// Why a body could not be had.
#[derive(Debug)]
pub(super) enum Unread {
    /// It is larger than [`MAX`].
    TooLarge,
    /// The connection broke, or the body contradicts its framing.
    Broken,
}

/// The whole body.
pub(super) async fn read(head: &Parts, mut body: Body) -> Result<Bytes, Unread> {
    if body.size_hint().lower() > MAX as u64 {
        discard(head.version, &head.headers, body).await;
        return Err(Unread::TooLarge);
    }
    let mut whole = Bytes::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else {
            continue;
        };
        if whole.len() + data.len() > MAX {
            discard(head.version, &head.headers, body).await;
            return Err(Unread::TooLarge);
        }
        if whole.is_empty() {
            // The usual body is one frame and is not copied.
            whole = data;
        } else {
            let mut joined = whole.try_into_mut().unwrap_or_else(BytesMut::from);
            joined.extend_from_slice(&data);
            whole = joined.freeze();
        }
    }
    Ok(whole)
}

/// Over HTTP/1 a client that still writes while the server closes may lose the answer to a connection reset, so a
/// bounded rest is read and thrown away first. A client that waits for `100 Continue` has sent nothing yet.
async fn discard(version: Version, headers: &HeaderMap, mut body: Body) {
    if version >= Version::HTTP_2 || headers.contains_key(header::EXPECT) {
        return;
    }
    let rest = async {
        let mut left = DISCARD;
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                break;
            }
        }
    };
    // Whether it ends by itself or by the clock makes no difference.
    let _ = tokio::time::timeout(DISCARD_FOR, rest).await;
}
