//! A copy of an SQLite database, made while it is in use.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sea_orm::sqlx::{ConnectOptions, Connection as _, Executor};

use crate::Settings;
use crate::dial::Dialer;
use crate::files::create_private;

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// PostgreSQL brings its own tools.
    #[error(
        "only an SQLite database is backed up this way; for PostgreSQL use pg_dump, see docs/OPERATING.md"
    )]
    NotSqlite,
    /// There is nothing to copy.
    #[error("there is no database at {}", .0.display())]
    Missing(PathBuf),
    /// A backup replaces nothing.
    #[error("{} exists already; choose another name", .0.display())]
    Exists(PathBuf),
    /// The copy could not be made.
    #[error("cannot back up to {}: {reason}", .file.display())]
    Failed {
        /// Where to.
        file: PathBuf,
        /// What went wrong.
        reason: String,
    },
}

/// Copies the database as it is at one moment into a new file that only its owner may read, whole or not at
/// all. Whoever uses the database goes on meanwhile.
///
/// # Errors
/// See [`BackupError`].
pub async fn backup(settings: &Settings, to: &Path) -> Result<(), BackupError> {
    let failed = |reason: String| BackupError::Failed {
        file: to.to_owned(),
        reason,
    };
    let dialer = Dialer::new(settings).map_err(|error| failed(error.to_string()))?;
    let from = dialer.file().ok_or(BackupError::NotSqlite)?;
    if !from.exists() {
        return Err(BackupError::Missing(from.to_owned()));
    }
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let mut partial = to.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let done = copy(from, &partial, to).await;
    if done.is_err() {
        // What was begun is of no use; it may not even be there.
        let _ = fs::remove_file(&partial);
    }
    done.map_err(failed)
}

async fn copy(from: &Path, partial: &Path, to: &Path) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    let name = partial.to_str().ok_or("the file's name is not in UTF-8")?;
    match fs::remove_file(partial) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(text(error)),
        _ => {}
    }
    // SQLite takes an empty file as none, and keeps its rights.
    create_private(partial, true).map_err(text)?;
    let options = SqliteConnectOptions::new()
        .filename(from)
        .disable_statement_logging();
    let mut database = SqliteConnection::connect_with(&options)
        .await
        .map_err(|error| error.to_string())?;
    let copied = database
        .execute(sea_orm::sqlx::query("VACUUM INTO ?").bind(name))
        .await;
    copied.map_err(|error| error.to_string())?;
    let closed = database.close().await;
    closed.map_err(|error| error.to_string())?;
    File::open(partial)
        .and_then(|file| file.sync_all())
        .map_err(text)?;
    // Fails rather than replaces, should somebody else have made it meanwhile.
    fs::hard_link(partial, to).map_err(text)?;
    fs::remove_file(partial).map_err(text)?;
    let directory = to.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = File::open(directory.unwrap_or(Path::new(".")));
    directory
        .and_then(|directory| directory.sync_all())
        .map_err(text)
}
