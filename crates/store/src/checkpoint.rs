//! SQLite's log is copied into the database beside the lanes, so that commits need not wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sea_orm::ConnectionTrait;
use tokio::sync::mpsc;

use crate::fault::Fault;
use crate::line::Line;

/// Rows that are written between two copies: about as many pages, of which the log has room for some
/// thousands before a commit has to wait (`wal_autocheckpoint`). Fewer would copy busy pages more often.
const ROWS: u64 = 1_000;

/// Once nothing was written for so long, the log is copied to its end and cut to nothing.
const QUIET: Duration = Duration::from_secs(5);

/// Where something is always written, the log is cut so often, if little is written.
const CALM: Duration = Duration::from_secs(60);

/// Rows in that time that are little: what has been copied before they were written.
const LITTLE: u64 = 10 * ROWS;

/// How much was written to the log.
pub(crate) struct Log {
    /// Since the start.
    pub(crate) rows: Arc<AtomicU64>,
    due: mpsc::Sender<Due>,
}

/// What became due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// There was no room for more: the log may be all that stands in the way.
    Room,
    /// Something was written that is still in the log.
    Rest,
    /// Enough was written to be worth a copy.
    Copy,
}

impl Log {
    /// The log, and what its copying waits for.
    pub(crate) fn new() -> (Log, mpsc::Receiver<Due>) {
        let (due, asked) = mpsc::channel(1);
        let rows = Arc::default();
        (Log { rows, due }, asked)
    }

    /// Something could not be written.
    pub(crate) fn full(&self) {
        let _ = self.due.try_send(Due::Room);
    }

    /// Rows were committed.
    pub(crate) fn grew(&self, rows: u64) {
        let before = self.rows.fetch_add(rows, Ordering::Relaxed);
        let due = match before / ROWS != (before + rows) / ROWS {
            true => Due::Copy,
            false => Due::Rest,
        };
        // Asked already is asked.
        let _ = self.due.try_send(due);
    }
}

/// Copies what was committed whenever it is due, until the log is gone. Whatever stands in the way of one
/// copy, such as a reader who still needs an old page, is left to the next.
pub(crate) async fn run(mut line: Line, log: Arc<AtomicU64>, mut due: mpsc::Receiver<Due>) {
    let mut rest = false;
    let (mut looked, mut rows) = (Instant::now(), 0);
    loop {
        let asked = match rest {
            false => due.recv().await,
            true => match tokio::time::timeout(QUIET, due.recv()).await {
                Ok(asked) => asked,
                Err(_) => {
                    rest = false;
                    copy(&mut line, TO_ITS_END).await;
                    continue;
                }
            },
        };
        match asked {
            None => return,
            Some(Due::Rest) => {}
            Some(Due::Room) => copy(&mut line, TO_ITS_END).await,
            Some(Due::Copy) => copy(&mut line, "PRAGMA wal_checkpoint(PASSIVE)").await,
        }
        rest = true;
        if looked.elapsed() >= CALM {
            let now = log.load(Ordering::Relaxed);
            if now - rows < LITTLE {
                copy(&mut line, TO_ITS_END).await;
            }
            (looked, rows) = (Instant::now(), now);
        }
    }
}

/// How the log is copied whole, and cut to nothing.
pub(crate) const TO_ITS_END: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// Copies the log, as far as whoever still reads it allows.
pub(crate) async fn copy(line: &mut Line, how: &'static str) {
    let copied = async {
        let taken = line.take().await?;
        let copy = async {
            taken.session.execute_unprepared(how).await?;
            Ok(())
        };
        let copied = taken.within(copy).await;
        line.done(taken, copied)
    };
    let copied: Result<(), Fault> = copied.await;
    if let Err(fault) = copied {
        tracing::debug!(%fault, "the log could not be copied");
    }
}
