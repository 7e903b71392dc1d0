//! Database addresses: which database they mean, and how they are shown.

use std::path::{Path, PathBuf};

use sea_orm::DbBackend;

use crate::OpenError;

/// Which database an address means.
pub(crate) fn backend(url: &str) -> Result<DbBackend, OpenError> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        Ok(DbBackend::Postgres)
    } else if url.starts_with("sqlite::memory:") || url.contains("mode=memory") {
        Err(OpenError::Memory)
    } else if url.starts_with("sqlite:") {
        Ok(DbBackend::Sqlite)
    } else {
        Err(OpenError::Scheme)
    }
}

/// The directory of an SQLite file, when there is none: the driver would only say that it cannot open.
pub(crate) fn missing_directory(file: &Path) -> Option<PathBuf> {
    let directory = file.parent()?;
    (!directory.as_os_str().is_empty() && !directory.is_dir()).then(|| directory.to_owned())
}

/// A database address without user and password.
pub(crate) fn place(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Path::new(url).display().to_string();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if path.contains('@') {
        // Part of a password, perhaps, that should have been encoded.
        return format!("{scheme}://");
    }
    let host = match authority.rsplit_once('@') {
        Some((_, host)) => host,
        // What follows a colon should be a port, and is a password where the host was forgotten.
        None if authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| !port.chars().all(|c| c.is_ascii_digit() || c == ']')) =>
        {
            return format!("{scheme}://");
        }
        None => authority,
    };
    let path = path.split(['?', '#']).next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        assert_eq!(
            place("postgres://me:secret@db:5432/x?sslmode=require"),
            "postgres://db:5432/x"
        );
        assert_eq!(place("postgres://db/x?password=secret"), "postgres://db/x");
        for odd in [
            "postgres://me:s3cret/x",
            "postgres://me:s3cret",
            "postgres://me:sec/ret@db/x",
            "postgres://me:sec?ret@db/x",
            "postgres://db/x?password=sec@ret",
        ] {
            assert_eq!(place(odd), "postgres://");
        }
        assert_eq!(place("sqlite:some/file.db"), "sqlite:some/file.db");
    }

    #[test]
    fn addresses_of_no_database_are_refused() {
        assert!(matches!(backend("mysql://x"), Err(OpenError::Scheme)));
        assert!(matches!(backend("sqlite::memory:"), Err(OpenError::Memory)));
        assert!(matches!(
            backend("sqlite://x?mode=memory"),
            Err(OpenError::Memory)
        ));
        assert!(matches!(backend("postgresql://x"), Ok(DbBackend::Postgres)));
    }
}
