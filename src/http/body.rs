//! Reads a request's body into one piece: up to a size, and within a time.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};
use tonic::{Code, Status};

/// The largest message, and the largest body at any API, in bytes.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// A body that makes no progress for so long is given up.
const PAUSE: Duration = Duration::from_secs(10);
/// So is one that is not whole by then.
const WHOLE: Duration = Duration::from_secs(30);

/// Why a body could not be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// It is larger than what is taken.
    TooLarge,
    /// The connection broke, or the body contradicts its framing.
    Broken,
    /// It did not come in time.
    TooSlow,
}

impl Unread {
    /// As HTTP says it.
    pub fn http(self) -> StatusCode {
        match self {
            Unread::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Unread::Broken => StatusCode::BAD_REQUEST,
            Unread::TooSlow => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// For people.
    pub fn text(self) -> &'static str {
        match self {
            Unread::TooLarge => "request body is larger than 1 MiB",
            Unread::Broken => "request body broke off",
            Unread::TooSlow => "request body did not come in time",
        }
    }

    /// As gRPC says it.
    pub(super) fn status(self) -> Status {
        let code = match self {
            Unread::TooLarge => Code::ResourceExhausted,
            Unread::Broken => Code::InvalidArgument,
            Unread::TooSlow => Code::DeadlineExceeded,
        };
        Status::new(code, self.text())
    }
}

/// The whole body, if it has at most `limit` bytes. One that announces more is not read at all.
pub async fn read_body(mut body: Body, limit: usize) -> Result<Bytes, Unread> {
    if body.size_hint().lower() > limit as u64 {
        return Err(Unread::TooLarge);
    }
    let mut whole = Bytes::new();
    let end = Instant::now() + WHOLE;
    loop {
        let next = timeout_at(end.min(Instant::now() + PAUSE), body.frame());
        let Some(frame) = next.await.map_err(|_| Unread::TooSlow)? else {
            return Ok(whole);
        };
        let Ok(data) = frame.map_err(|_| Unread::Broken)?.into_data() else {
            continue;
        };
        if whole.len() + data.len() > limit {
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
}
