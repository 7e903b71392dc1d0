//! Room for what an SQLite database's log still holds: seen before there is too little, and some of it kept for the
//! day on which others have filled the disk.
//!
//! What the log holds can be copied into the database only if that may grow. The file's room is given up for it, and
//! taken again when there is plenty.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::files::create_private;

/// What is kept: a few hundred pages, more than is written between two copies.
const KEPT: u64 = 1 << 20;
/// It is taken only where there is so much.
const PLENTY: u64 = 2 << 20;

/// The log may take what is left but for so much: what is written while it is being copied.
const SPARE: u64 = 8 << 20;

/// The file that takes up the room, and what it is kept for.
#[derive(Clone)]
pub(crate) struct Reserve {
    kept: PathBuf,
    log: PathBuf,
}

impl Reserve {
    /// Beside this database.
    pub(crate) fn beside(database: &Path) -> Reserve {
        let beside = |ending| {
            let mut name = database.as_os_str().to_owned();
            name.push(ending);
            name.into()
        };
        Reserve {
            kept: beside("-reserve"),
            log: beside("-wal"),
        }
    }

    /// Whether there is room that is kept.
    pub(crate) fn is_taken(&self) -> bool {
        fs::metadata(&self.kept).is_ok_and(|found| found.len() == KEPT)
    }

    /// Whether the log had better be cut: were all of it copied, there could be too little room for that soon.
    pub(crate) fn is_short(&self) -> bool {
        let (Ok(log), Ok(disk)) = (fs::metadata(&self.log), rustix::fs::statvfs(&self.log)) else {
            return false;
        };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        free < log.len().saturating_add(SPARE)
    }

    /// Takes the room, unless it is taken or there is too little of it.
    pub(crate) async fn take(&self) {
        if self.is_taken() {
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
        create_private(&self.kept, false)?;
        let mut file = File::options().write(true).open(&self.kept)?;
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
        fs::remove_file(&self.kept).is_ok()
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
        assert!(!reserve.is_short());
        assert!(!reserve.give_up());
        for _ in 0..2 {
            reserve.take().await;
            assert_eq!(fs::metadata(&file).unwrap().len(), KEPT);
        }
        assert!(reserve.give_up());
        assert!(!file.exists());
    }

    #[test]
    fn a_log_that_the_disk_could_not_hold_twice_leaves_too_little() {
        let directory = tempfile::tempdir().unwrap();
        let reserve = Reserve::beside(&directory.path().join("a.db"));
        let log = File::create(directory.path().join("a.db-wal")).unwrap();
        assert!(!reserve.is_short());
        // It has a length and takes up no room.
        let disk = rustix::fs::statvfs(directory.path()).unwrap();
        log.set_len(disk.f_bavail * disk.f_frsize).unwrap();
        assert!(reserve.is_short());
    }
}
