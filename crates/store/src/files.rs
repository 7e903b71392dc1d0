//! The files of an SQLite database: readable by nobody else.

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Which file a path leads to, with its log: they do not change while the database is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    database: (u64, u64),
    log: (u64, u64),
}

impl Identity {
    pub(crate) fn of(path: &Path) -> io::Result<Identity> {
        let [database, log, _] = all(path);
        let id = |path: &Path| fs::metadata(path).map(|found| (found.dev(), found.ino()));
        Ok(Identity {
            database: id(&database)?,
            log: id(&log)?,
        })
    }
}

/// What only the owner may read and write.
const PRIVATE: u32 = 0o600;

/// The database with its log and the log's index.
fn all(file: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|suffix| {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    })
}

/// Takes the rights of others away from a database that is there. SQLite gives its log and index the rights
/// that the database has when it makes them.
pub(crate) fn keep_private(file: &Path) -> io::Result<()> {
    for file in all(file) {
        match fs::metadata(&file) {
            Ok(found) if found.permissions().mode() & 0o077 != 0 => {
                fs::set_permissions(&file, Permissions::from_mode(PRIVATE))?;
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Makes an empty file that only its owner may read.
pub(crate) fn create_private(file: &Path, must_be_new: bool) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).mode(PRIVATE);
    match must_be_new {
        true => options.create_new(true),
        false => options.create(true),
    };
    options.open(file).map(|_| ())
}
