//! SQLite's log is copied into the database beside the lanes, so that commits need not wait for it.

use std::sync::atomic::{AtomicU64, Ordering};

use sea_orm::{ConnectionTrait, DatabaseConnection};
use tokio::sync::mpsc;

/// Rows that are written between two copies: about as many pages, of which the log has room for some
/// thousands before a commit has to wait (`wal_autocheckpoint`). Fewer would copy busy pages more often.
const ROWS: u64 = 1_000;

/// How much was written to the log.
pub(crate) struct Log {
    rows: AtomicU64,
    due: mpsc::Sender<()>,
}

impl Log {
    /// The log, and what its copying waits for.
    pub(crate) fn new() -> (Log, mpsc::Receiver<()>) {
        let (due, asked) = mpsc::channel(1);
        let rows = AtomicU64::new(0);
        (Log { rows, due }, asked)
    }

    /// Rows were committed.
    pub(crate) fn grew(&self, rows: u64) {
        let before = self.rows.fetch_add(rows, Ordering::Relaxed);
        if before / ROWS != (before + rows) / ROWS {
            // Asked already is asked.
            let _ = self.due.try_send(());
        }
    }
}

/// Copies what was committed whenever it is due, until the log is gone. Whatever stands in the way of one
/// copy, such as a reader who still needs an old page, is left to the next.
pub(crate) async fn run(database: DatabaseConnection, mut due: mpsc::Receiver<()>) {
    while due.recv().await.is_some() {
        let copied = database.execute_unprepared("PRAGMA wal_checkpoint(PASSIVE)");
        if let Err(error) = copied.await {
            tracing::debug!(%error, "the log could not be copied");
        }
    }
}
