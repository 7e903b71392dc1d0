//! Bodies of requests: up to a size, within a time, and within what all requests together may hold.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt;
use hyper::body::{Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};
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
    /// It is larger than so many bytes.
    TooLarge(usize),
    /// The connection broke, or the body contradicts its framing.
    Broken,
    /// It did not come in time.
    TooSlow,
    /// There are too many others now.
    Crowded,
}

impl Unread {
    /// As HTTP says it.
    pub fn http(self) -> StatusCode {
        match self {
            Unread::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Unread::Broken => StatusCode::BAD_REQUEST,
            Unread::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Unread::Crowded => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// As gRPC says it.
    pub(super) fn status(self) -> Status {
        let code = match self {
            Unread::TooLarge(_) => Code::ResourceExhausted,
            Unread::Broken => Code::InvalidArgument,
            Unread::TooSlow => Code::DeadlineExceeded,
            Unread::Crowded => Code::Unavailable,
        };
        Status::new(code, self.to_string())
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unread::TooLarge(limit) if *limit < BODY_LIMIT => {
                return write!(f, "request body is larger than {} KiB", limit / 1024);
            }
            Unread::TooLarge(_) => "request body is larger than 1 MiB",
            Unread::Broken => "request body broke off",
            Unread::TooSlow => "request body did not come in time",
            Unread::Crowded => "too many request bodies at once; try again",
        })
    }
}

impl std::error::Error for Unread {}

/// The whole body, if it has at most `limit` bytes. One that announces more is not read at all.
pub async fn read_body(mut body: Body, limit: usize) -> Result<Bytes, Unread> {
    if body.size_hint().lower() > limit as u64 {
        return Err(Unread::TooLarge(limit));
    }
    let mut whole = Bytes::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(why)?.into_data() else {
            continue;
        };
        if whole.len() + data.len() > limit {
            return Err(Unread::TooLarge(limit));
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

fn why(error: axum::Error) -> Unread {
    let mut cause: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = cause {
        if let Some(unread) = error.downcast_ref::<Unread>() {
            return *unread;
        }
        cause = error.source();
    }
    Unread::Broken
}

/// How many bytes of bodies all requests together may hold.
pub(super) struct Room {
    most: usize,
    held: AtomicUsize,
}

impl Room {
    pub(super) fn new(most: usize) -> Room {
        let held = AtomicUsize::new(0);
        Room { most, held }
    }
}

/// A request's body within its bounds. It can be read on when whoever read it has gone.
pub(super) struct Bounded(Arc<Mutex<Reading>>);

struct Reading {
    body: Body,
    room: Arc<Room>,
    held: usize,
    /// When it must be whole.
    end: Option<Instant>,
    /// Runs while nothing comes.
    pause: Option<Pin<Box<Sleep>>>,
}

impl Bounded {
    pub(super) fn new(body: Body, room: Arc<Room>) -> Bounded {
        Bounded(Arc::new(Mutex::new(Reading {
            body,
            room,
            held: 0,
            end: None,
            pause: None,
        })))
    }

    /// The body for whoever reads it.
    pub(super) fn body(&self) -> Body {
        Body::new(Bounded(self.0.clone()))
    }

    /// What is left of it, when nobody reads it any more.
    pub(super) fn rest(self) -> Option<Body> {
        let reading = Arc::into_inner(self.0)?;
        let mut reading = reading.into_inner().unwrap_or_else(PoisonError::into_inner);
        Some(std::mem::take(&mut reading.body))
    }

    fn with<T>(&self, look: impl FnOnce(&mut Reading) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Reading {
    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.pause = None;
            let length = match &frame {
                Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
                Some(Err(_)) | None => 0,
            };
            self.held += length;
            let all = self.room.held.fetch_add(length, Ordering::Relaxed) + length;
            return Poll::Ready(match all > self.room.most {
                true => Some(Err(axum::Error::new(Unread::Crowded))),
                false => frame,
            });
        }
        let end = *self.end.get_or_insert_with(|| Instant::now() + WHOLE);
        let pause = self
            .pause
            .get_or_insert_with(|| Box::pin(sleep_until(end.min(Instant::now() + PAUSE))));
        pause
            .as_mut()
            .poll(context)
            .map(|()| Some(Err(axum::Error::new(Unread::TooSlow))))
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.room.held.fetch_sub(self.held, Ordering::Relaxed);
    }
}

impl HttpBody for Bounded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.with(|reading| reading.poll(context))
    }

    fn is_end_stream(&self) -> bool {
        self.with(|reading| reading.body.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.with(|reading| reading.body.size_hint())
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use futures::stream::{self, BoxStream};

    use super::*;

    fn bounded(pieces: BoxStream<'static, Bytes>, room: &Arc<Room>) -> Bounded {
        let pieces = pieces.map(Ok::<_, std::convert::Infallible>);
        Bounded::new(Body::from_stream(pieces), room.clone())
    }

    /// A piece each so many seconds, without end.
    fn every(seconds: u64) -> BoxStream<'static, Bytes> {
        stream::repeat(Bytes::from_static(b"x"))
            .then(move |piece| async move {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                piece
            })
            .boxed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_comes_within_10_s_of_its_last_progress_and_30_s_in_all() {
        let room = Arc::new(Room::new(1_000));
        for (pieces, given_up) in [
            (stream::pending().boxed(), 10),
            (every(11), 10),
            (every(9), 30),
        ] {
            let started = Instant::now();
            let read = read_body(bounded(pieces, &room).body(), BODY_LIMIT).await;
            assert_eq!(read, Err(Unread::TooSlow));
            assert_eq!(started.elapsed().as_secs(), given_up);
        }
        let in_time = every(9).take(3).boxed();
        let read = read_body(bounded(in_time, &room).body(), BODY_LIMIT).await;
        assert_eq!(read.unwrap(), "xxx");
    }

    #[tokio::test]
    async fn bodies_share_one_room_and_give_it_back() {
        let room = Arc::new(Room::new(10));
        let piece = |length| stream::iter([Bytes::from(vec![b' '; length])]).boxed();
        let first = bounded(piece(6), &room);
        read_body(first.body(), 100).await.unwrap();
        let second = bounded(piece(6), &room);
        assert_eq!(read_body(second.body(), 100).await, Err(Unread::Crowded));
        drop((first, second));
        let third = bounded(piece(6), &room);
        read_body(third.body(), 100).await.unwrap();
        assert_eq!(room.held.load(Ordering::Relaxed), 6);
        assert!(third.rest().is_some());
        assert_eq!(room.held.load(Ordering::Relaxed), 0);
    }
}
