//! Reads a request body into one piece, up to the limit.

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

/// The largest body that is read, in bytes.
pub(super) const MAX: usize = 1024 * 1024;

/// Why a body could not be had.
#[derive(Debug)]
pub(super) enum Unread {
    /// It is larger than [`MAX`].
    TooLarge,
    /// The connection broke, or the body contradicts its framing.
    Broken,
}

/// The whole body.
pub(super) async fn read(mut body: Body) -> Result<Bytes, Unread> {
    if body.size_hint().lower() > MAX as u64 {
        return Err(Unread::TooLarge);
    }
    let mut whole = Bytes::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else {
            continue;
        };
        if whole.len() + data.len() > MAX {
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
