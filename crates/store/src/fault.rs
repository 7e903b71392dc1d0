//! What a database error means for the work that met it.

use ringback_core::Refusal;
use sea_orm::sqlx::Error as SqlxError;
use sea_orm::{DbErr, RuntimeErr};

/// A database error, by what can be done about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// Somebody else was faster: doing it again is right.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The database cannot be reached.
    #[error("database away: {0}")]
    Away(String),
    /// The statement itself failed, or a row holds what cannot be.
    #[error("{0}")]
    Broken(String),
}

impl From<DbErr> for Fault {
    fn from(error: DbErr) -> Fault {
        let text = error.to_string();
        match &error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Fault::Away(text),
            DbErr::Exec(RuntimeErr::SqlxError(inner))
            | DbErr::Query(RuntimeErr::SqlxError(inner)) => match inner.as_ref() {
                SqlxError::Database(database) => {
                    by_code(database.code().as_deref().unwrap_or_default(), text)
                }
                SqlxError::Io(_)
                | SqlxError::Tls(_)
                | SqlxError::Protocol(_)
                | SqlxError::PoolTimedOut
                | SqlxError::PoolClosed
                | SqlxError::WorkerCrashed => Fault::Away(text),
                _ => Fault::Broken(text),
            },
            _ => Fault::Broken(text),
        }
    }
}

/// SQLSTATE for PostgreSQL (its manual, appendix A), result codes for SQLite (sqlite.org/rescode.html).
fn by_code(code: &str, text: String) -> Fault {
    match code {
        "40001" | "40P01" | "55P03" | "5" | "6" | "261" | "517" => Fault::Conflict(text),
        // Shut down, idle for too long, a replica that takes no writes; SQLite: the disk is full.
        "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03" | "25006" | "13" => {
            Fault::Away(text)
        }
        // Class 08: the connection; class 53: out of disk, memory or connections.
        _ if code.len() == 5 && (code.starts_with("08") || code.starts_with("53")) => {
            Fault::Away(text)
        }
        _ => Fault::Broken(text),
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Fault {
        Fault::Broken(format!("a stored value cannot be read: {error}"))
    }
}

impl Fault {
    /// What the caller is told. The text stays here: it may name rows.
    pub(crate) fn refusal(&self) -> Refusal {
        match self {
            Fault::Conflict(_) | Fault::Away(_) => Refusal::Unavailable,
            Fault::Broken(_) => Refusal::Internal,
        }
    }

    /// Logs the fault once, where it was met, and says what the caller is told.
    pub(crate) fn report(&self, doing: &str) -> Refusal {
        tracing::error!(doing, fault = %self, "the database refused");
        self.refusal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart() {
        let kind = |code| by_code(code, String::new());
        assert!(matches!(kind("40P01"), Fault::Conflict(_)));
        assert!(matches!(kind("5"), Fault::Conflict(_)));
        assert!(matches!(kind("57P01"), Fault::Away(_)));
        assert!(matches!(kind("08006"), Fault::Away(_)));
        assert!(matches!(kind("23505"), Fault::Broken(_)));
        assert!(matches!(kind("08"), Fault::Broken(_)));
    }

    #[test]
    fn what_is_no_fault_of_the_caller_says_nothing_more() {
        assert_eq!(Fault::Away("secret".into()).refusal(), Refusal::Unavailable);
        assert_eq!(Fault::Broken("secret".into()).refusal(), Refusal::Internal);
    }
}
