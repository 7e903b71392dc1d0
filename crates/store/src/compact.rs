//! An SQLite file is written anew, so that nothing is left in the unused room of its pages.
//!
//! `secure_delete` overwrites what is deleted where it stands. When SQLite moves an entry to the page beside, what it
//! moved may stay behind in room that counts as unused, and is not found again when the entry is deleted.

use std::path::Path;
use std::time::Duration;

use ringback_core::Refusal;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sea_orm::sqlx::{ConnectOptions, Connection as _, Executor};

use crate::Store;
use crate::fault::Fault;

/// A file of this size is written anew within a second or so, in which nobody else writes.
const SMALL: u64 = 64 << 20;
/// How long it is waited for a process that writes beside.
const PATIENCE: Duration = Duration::from_secs(60);

impl Store {
    /// Writes an SQLite file anew. Nobody else writes meanwhile; it takes a second or so for each 64 MiB and as much
    /// room again. Nothing is to be done on PostgreSQL.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`]; then the file is as it was.
    pub async fn compact(&self) -> Result<(), Refusal> {
        let health = &self.shared.dialer.health;
        let done = self.write_anew().await;
        done.map_err(|fault| health.report(&fault, "writing the database anew"))
    }

    /// The same where it is soon done; says whether nothing can be left.
    pub(crate) async fn compact_small(&self) -> bool {
        let Some(file) = self.shared.dialer.file() else {
            return true;
        };
        is_small(file) && self.compact().await.is_ok()
    }

    async fn write_anew(&self) -> Result<(), Fault> {
        let Some(file) = self.shared.dialer.file() else {
            return Ok(());
        };
        // Whoever writes in this process waits here.
        let _writing = self.jobs.lock().await;
        self.shared.dialer.still_there()?;
        // What is sorted on the way goes into a file of its own where it is much.
        let store = if is_small(file) { "memory" } else { "file" };
        let options = SqliteConnectOptions::new()
            .filename(file)
            .pragma("temp_store", store)
            .create_if_missing(false)
            .pragma("secure_delete", "on")
            .busy_timeout(PATIENCE)
            .disable_statement_logging();
        let mut database = SqliteConnection::connect_with(&options).await?;
        database.execute("VACUUM").await?;
        database.close().await?;
        Ok(())
    }
}

fn is_small(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|file| file.len() <= SMALL)
}
