//! A line that is read to its end, no faster than what it brings is answered, and written to without waiting.

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use futures::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

use super::mend::Mender;
use super::tls::Stream;

/// Bytes that are read before what came so far is answered.
const READ_AHEAD: usize = 256 * 1_024;
/// Bytes that are taken from the line at once.
const CHUNK: usize = 4_096;
/// The longest that the provider may send at once: a text in one piece has up to 64 KiB.
pub(super) const LONGEST_COMMAND: usize = 70_000;

/// What reads and what answers have in common.
#[derive(Default)]
pub(super) struct Gate {
    /// Bytes that were read since it was opened.
    read: AtomicUsize,
    reader: AtomicWaker,
    full: Notify,
    /// Whether something was written since it was last asked.
    wrote: AtomicBool,
}

impl Gate {
    /// Waits until as much was read as may be; then everything before that is to be answered, and the gate opened.
    pub(super) async fn full(&self) {
        self.full.notified().await;
    }

    /// All that was read is answered.
    pub(super) fn open(&self) {
        self.read.store(0, Ordering::Release);
        self.reader.wake();
    }

    fn is_full(&self) -> bool {
        self.read.load(Ordering::Acquire) >= READ_AHEAD
    }
}

/// Runs the library's side of a line. It looks at five requests at a time, writes two or three and then sleeps until
/// something comes in, whatever else waits: so it is woken until there is nothing more to write. `at_once` is how
/// many requests there may be.
pub(super) async fn drive(connection: impl Future<Output = ()>, gate: Arc<Gate>, at_once: usize) {
    // Among five that are looked at none may be one to write: some take back what got no answer in time.
    let quiet = 2 + at_once / 4;
    let mut connection = pin!(connection);
    poll_fn(|context| {
        let mut without = 0;
        while without < quiet {
            if connection.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            let wrote = gate.wrote.swap(false, Ordering::AcqRel);
            without = if wrote { 0 } else { without + 1 };
        }
        Poll::Pending
    })
    .await;
}

/// When the other end is gone, its last answers are still to be read: so writing never fails, and what is written
/// then gets no answer. Reading tells the end.
pub(super) struct Patient {
    line: Box<dyn Stream>,
    mender: Mender,
    gone: bool,
    gate: Arc<Gate>,
}

impl Patient {
    pub(super) fn new(line: Box<dyn Stream>) -> (Patient, Arc<Gate>) {
        let gate = Arc::new(Gate::default());
        let patient = Patient {
            line,
            mender: Mender::default(),
            gone: false,
            gate: gate.clone(),
        };
        (patient, gate)
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.gate.is_full() {
            self.gate.reader.register(context.waker());
            // It may have been opened in between.
            if self.gate.is_full() {
                self.gate.full.notify_one();
                return Poll::Pending;
            }
        }
        while self.mender.is_empty() {
            let mut space = [0; CHUNK];
            let mut chunk = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut self.line).poll_read(context, &mut chunk))?;
            if chunk.filled().is_empty() {
                self.mender.end();
                break;
            }
            self.mender.add(chunk.filled(), LONGEST_COMMAND);
        }
        let before = buffer.filled().len();
        self.mender.give(buffer);
        let came = buffer.filled().len() - before;
        self.gate.read.fetch_add(came, Ordering::AcqRel);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.gone {
            match Pin::new(&mut self.line).poll_write(context, bytes) {
                Poll::Ready(Err(_) | Ok(0)) => self.gone = true,
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(written)) => {
                    self.gate.wrote.store(true, Ordering::Release);
                    return Poll::Ready(Ok(written));
                }
            }
        }
        self.gate.wrote.store(true, Ordering::Release);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.gone {
            match Pin::new(&mut self.line).poll_flush(context) {
                Poll::Ready(Err(_)) => self.gone = true,
                flushed => return flushed,
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test]
    async fn what_the_other_end_said_before_it_went_is_read() {
        let (ours, mut theirs) = duplex(1_024);
        let (mut patient, _gate) = Patient::new(Box::new(ours));
        theirs.write_all(b"the last answer").await.unwrap();
        drop(theirs);
        patient
            .write_all(b"one more")
            .await
            .expect("it is not told");
        patient.flush().await.expect("it is not told");
        let mut said = String::new();
        patient.read_to_string(&mut said).await.unwrap();
        assert_eq!(said, "the last answer");
    }

    #[tokio::test]
    async fn reading_waits_for_answers() {
        let (ours, mut theirs) = duplex(2 * READ_AHEAD);
        let (mut patient, gate) = Patient::new(Box::new(ours));
        theirs.write_all(&vec![7; READ_AHEAD + 10]).await.unwrap();
        let mut buffer = vec![0; READ_AHEAD];
        patient.read_exact(&mut buffer).await.unwrap();
        assert!(
            gate.full().now_or_never().is_none(),
            "nobody has asked for more"
        );
        let mut more = [0; 10];
        assert!(patient.read(&mut more).now_or_never().is_none());
        assert!(gate.full().now_or_never().is_some());
        gate.open();
        assert_eq!(patient.read(&mut more).await.unwrap(), 10);
    }
}
