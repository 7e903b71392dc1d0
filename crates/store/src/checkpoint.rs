//! SQLite's log is copied into the database beside the lanes, so that commits need not wait for it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tokio::sync::mpsc;

use crate::fault::Fault;
use crate::lane::LaneLine;
use crate::line::Line;
use crate::reserve::Reserve;

/// Rows that are written between two copies: about as many pages, of which the log has room for some
/// thousands before a commit has to wait (`wal_autocheckpoint`). Fewer would copy busy pages more often.
const ROWS: u64 = 1_000;

/// Once nothing was written for so long, the log is copied to its end and cut to nothing.
const QUIET: Duration = Duration::from_secs(5);

/// Where something is always written, the log is cut so often, if little is written.
const CALM: Duration = Duration::from_secs(60);

/// Rows in that time that are little: what has been copied before they were written.
const LITTLE: u64 = 10 * ROWS;

/// What was written to the log.
pub(crate) struct Log {
    written: Arc<Written>,
    grown: mpsc::Sender<()>,
}

/// What is known of it.
#[derive(Default)]
struct Written {
    /// Rows since the start.
    rows: AtomicU64,
    /// There was no room for more: the log may be all that stands in the way.
    full: AtomicBool,
}

impl Log {
    /// The log of this database, and what copies it over a line of its own, beside the one that writes.
    pub(crate) fn new(line: Line, writing: LaneLine, database: &Path) -> (Log, Copying) {
        let (grown, heard) = mpsc::channel(1);
        let written = Arc::<Written>::default();
        let copying = Copying {
            line,
            writing,
            written: written.clone(),
            grown: heard,
            reserve: Reserve::beside(database),
        };
        (Log { written, grown }, copying)
    }

    /// Something could not be written.
    pub(crate) fn full(&self) {
        self.written.full.store(true, Ordering::SeqCst);
        let _ = self.grown.try_send(());
    }

    /// Rows were committed.
    pub(crate) fn grew(&self, rows: u64) {
        self.written.rows.fetch_add(rows, Ordering::Relaxed);
        // Whoever is to hear of more will see all of it.
        let _ = self.grown.try_send(());
    }
}

/// Copies the log beside the lanes.
pub(crate) struct Copying {
    line: Line,
    writing: LaneLine,
    written: Arc<Written>,
    grown: mpsc::Receiver<()>,
    reserve: Reserve,
}

impl Copying {
    /// Copies what was committed whenever it is due, until the log is gone. Whatever stands in the way of one
    /// copy, such as a reader who still needs an old page, is left to the next.
    pub(crate) async fn run(mut self) {
        let (mut rest, mut copied) = (false, 0);
        let (mut looked, mut rows) = (Instant::now(), 0);
        loop {
            let grown = match rest {
                false => self.grown.recv().await,
                true => match tokio::time::timeout(QUIET, self.grown.recv()).await {
                    Ok(grown) => grown,
                    Err(_) => {
                        rest = false;
                        let _ = copy(&mut self.line, TO_ITS_END).await;
                        continue;
                    }
                },
            };
            let Some(()) = grown else { return };
            let now = self.written.rows.load(Ordering::Relaxed);
            if self.written.full.swap(false, Ordering::SeqCst) {
                self.make_room().await;
                copied = now;
            } else if now - copied >= ROWS {
                self.keep_short().await;
                copied = now;
            }
            rest = true;
            if looked.elapsed() >= CALM {
                if now - rows < LITTLE {
                    let _ = copy(&mut self.line, TO_ITS_END).await;
                }
                (looked, rows) = (Instant::now(), now);
            }
        }
    }

    /// Copies what was committed, and cuts the log where the disk could not hold much more of it.
    async fn keep_short(&mut self) {
        let copied = copy(&mut self.line, "PRAGMA wal_checkpoint(PASSIVE)").await;
        if copied == Copied::Failed || self.reserve.is_short() {
            self.make_room().await;
        } else if !self.reserve.is_taken() {
            // What it tries to take must not be missing to a commit.
            let _writing = self.writing.lock().await;
            self.reserve.take().await;
        }
    }

    /// The disk is full, or will be when the log has grown as it may: copies the log and cuts it, over what was kept
    /// for this if that is what it takes. Over the line that writes, so that nobody else takes the room meanwhile.
    async fn make_room(&mut self) {
        let mut line = self.writing.lock().await;
        let mut made = copy(&mut line, TO_ITS_END).await;
        if made == Copied::Failed && self.reserve.give_up() {
            made = copy(&mut line, TO_ITS_END).await;
        }
        if made == Copied::Whole {
            tracing::debug!("the log was copied to make room");
            self.reserve.take().await;
        }
    }
}

/// How the log is copied whole, and cut to nothing.
pub(crate) const TO_ITS_END: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// How far the log was copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Copied {
    /// To where it was to be.
    Whole,
    /// As far as whoever still reads it, or writes, allows.
    Partly,
    /// Not, or not to the end: something failed, such as for want of room.
    Failed,
}

/// Copies the log, as far as whoever still reads it allows.
pub(crate) async fn copy(line: &mut Line, how: &'static str) -> Copied {
    let copied = async {
        let taken = line.take().await?;
        let copy = async {
            let asked = Statement::from_string(DbBackend::Sqlite, how);
            let row = taken.session.query_one_raw(asked).await?;
            // The first column says whether somebody was in the way.
            let busy: i32 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
            Ok(busy != 0)
        };
        let copied = taken.within(copy).await;
        line.done(taken, copied)
    };
    let copied: Result<bool, Fault> = copied.await;
    match copied {
        Ok(false) => Copied::Whole,
        Ok(true) => Copied::Partly,
        Err(fault) => {
            tracing::debug!(%fault, "the log could not be copied");
            Copied::Failed
        }
    }
}
