//! SQLite's log is copied into the database beside the lanes, so that commits need not wait for it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sea_orm::ConnectionTrait;
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
    due: mpsc::Sender<Due>,
}

/// What is known of it.
#[derive(Default)]
struct Written {
    /// Rows since the start.
    rows: AtomicU64,
    /// There was no room for more: the log may be all that stands in the way.
    full: AtomicBool,
}

/// What became due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// Something was written that is still in the log, or could not be.
    Rest,
    /// Enough was written to be worth a copy.
    Copy,
}

impl Log {
    /// The log of this database, and what copies it over a line of its own, beside the one that writes.
    pub(crate) fn new(line: Line, writing: LaneLine, database: &Path) -> (Log, Copying) {
        let (due, asked) = mpsc::channel(1);
        let written = Arc::<Written>::default();
        let copying = Copying {
            line,
            writing,
            written: written.clone(),
            due: asked,
            reserve: Reserve::beside(database),
        };
        (Log { written, due }, copying)
    }

    /// Something could not be written.
    pub(crate) fn full(&self) {
        self.written.full.store(true, Ordering::SeqCst);
        let _ = self.due.try_send(Due::Rest);
    }

    /// Rows were committed.
    pub(crate) fn grew(&self, rows: u64) {
        let before = self.written.rows.fetch_add(rows, Ordering::Relaxed);
        let due = match before / ROWS != (before + rows) / ROWS {
            true => Due::Copy,
            false => Due::Rest,
        };
        // Asked already is asked.
        let _ = self.due.try_send(due);
    }
}

/// Copies the log beside the lanes.
pub(crate) struct Copying {
    line: Line,
    writing: LaneLine,
    written: Arc<Written>,
    due: mpsc::Receiver<Due>,
    reserve: Reserve,
}

impl Copying {
    /// Copies what was committed whenever it is due, until the log is gone. Whatever stands in the way of one
    /// copy, such as a reader who still needs an old page, is left to the next.
    pub(crate) async fn run(mut self) {
        let mut rest = false;
        let (mut looked, mut rows) = (Instant::now(), 0);
        loop {
            let asked = match rest {
                false => self.due.recv().await,
                true => match tokio::time::timeout(QUIET, self.due.recv()).await {
                    Ok(asked) => asked,
                    Err(_) => {
                        rest = false;
                        let _ = copy(&mut self.line, TO_ITS_END).await;
                        continue;
                    }
                },
            };
            let Some(asked) = asked else { return };
            if self.written.full.swap(false, Ordering::SeqCst) {
                self.make_room().await;
            } else if asked == Due::Copy {
                let _ = copy(&mut self.line, "PRAGMA wal_checkpoint(PASSIVE)").await;
                let _writing = self.writing.lock().await;
                self.reserve.take().await;
            }
            rest = true;
            if looked.elapsed() >= CALM {
                let now = self.written.rows.load(Ordering::Relaxed);
                if now - rows < LITTLE {
                    let _ = copy(&mut self.line, TO_ITS_END).await;
                }
                (looked, rows) = (Instant::now(), now);
            }
        }
    }

    /// The disk is full: copies the log and cuts it, over what was kept for this if that is what it takes. Over
    /// the line that writes, so that nobody else takes the room meanwhile.
    async fn make_room(&mut self) {
        let mut line = self.writing.lock().await;
        let mut made = copy(&mut line, TO_ITS_END).await;
        if !made && self.reserve.give_up() {
            made = copy(&mut line, TO_ITS_END).await;
        }
        if made {
            tracing::debug!("the log was copied to make room");
            self.reserve.take().await;
        }
    }
}

/// How the log is copied whole, and cut to nothing.
pub(crate) const TO_ITS_END: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// Copies the log, as far as whoever still reads it allows; says whether nothing failed.
pub(crate) async fn copy(line: &mut Line, how: &'static str) -> bool {
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
    match copied {
        Ok(()) => true,
        Err(fault) => {
            tracing::debug!(%fault, "the log could not be copied");
            false
        }
    }
}
