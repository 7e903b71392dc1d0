//! Room that is kept beside an SQLite database for the day on which its log has filled the disk.
//!
//! What the log holds can then be copied into the database only if that may grow a little. The room of this file
//! is given up for it, and taken again when there is plenty.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::files::create_private;

/// What is kept: a few hundred pages, more than is written between two copies.
const KEPT: u64 = 1 << 20;
/// It is taken only where there is so much.
const PLENTY: u64 = 2 << 20;

/// The file that takes up the room.
#[derive(Clone)]
pub(crate) struct Reserve(PathBuf);

impl Reserve {
    /// Beside this database.
    pub(crate) fn beside(database: &Path) -> Reserve {
        let mut name = database.as_os_str().to_owned();
        name.push("-reserve");
        Reserve(name.into())
    }

    /// Takes the room, unless it is taken or there is too little of it.
    pub(crate) async fn take(&self) {
        if fs::metadata(&self.0).is_ok_and(|found| found.len() == KEPT) {
            return;
        }
        let reserve = self.clone();
        let taking = tokio::task::spawn_blocking(move || {
            if let Err(error) = reserve.try_take() {
                tracing::debug!(%error, "there is too little room to keep some of it");
                reserve.give_up();
            }
        });
        if let Err(error) = taking.await {
            tracing::debug!(%error, "no room was taken");
        }
    }

    fn try_take(&self) -> io::Result<()> {
        create_private(&self.0, false)?;
        let mut file = File::options().write(true).open(&self.0)?;
        let some = [0; 64 << 10];
        for _ in 0..PLENTY / some.len() as u64 {
            file.write_all(&some)?;
        }
        // Only what has reached the disk is sure to have room there.
        file.sync_all()?;
        file.set_len(KEPT)
    }

    /// Gives the room up; says whether there was any.
    pub(crate) fn give_up(&self) -> bool {
        fs::remove_file(&self.0).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn room_is_taken_and_given_up() {
        let directory = tempfile::tempdir().unwrap();
        let reserve = Reserve::beside(&directory.path().join("a.db"));
        let file = directory.path().join("a.db-reserve");
        assert!(!reserve.give_up());
        for _ in 0..2 {
            reserve.take().await;
            assert_eq!(fs::metadata(&file).unwrap().len(), KEPT);
        }
        assert!(reserve.give_up());
        assert!(!file.exists());
    }
}
