//! What a database error means for the work that met it.

use ringback_core::Refusal;
use sea_orm::sqlx::Error as SqlxError;
use sea_orm::{DbErr, RuntimeErr};

/// A database error, by what can be done about it.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// Somebody else was faster: doing it again is right.
    #[error("conflict: {0}")]
    Conflict(String),
    /// The database cannot be reached or takes no writes. The connection that met this is thrown away.
    #[error("{0}")]
    Unavailable(String),
    /// The statement took longer than it may, and was ended by the database: nothing of it happened.
    #[error("took too long: {0}")]
    TooSlow(String),
    /// As much runs already as may run at once.
    #[error("busy: {0}")]
    Busy(String),
    /// The statement itself failed, or a row holds what cannot be.
    #[error("{0}")]
    Failed(String),
}

impl From<DbErr> for Fault {
    fn from(error: DbErr) -> Fault {
        match &error {
            DbErr::Exec(RuntimeErr::SqlxError(inner))
            | DbErr::Query(RuntimeErr::SqlxError(inner))
            | DbErr::Conn(RuntimeErr::SqlxError(inner)) => Fault::from(inner.as_ref()),
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Fault::Unavailable(error.to_string()),
            _ => Fault::Failed(error.to_string()),
        }
    }
}

impl From<SqlxError> for Fault {
    fn from(error: SqlxError) -> Fault {
        Fault::from(&error)
    }
}

impl From<&SqlxError> for Fault {
    fn from(error: &SqlxError) -> Fault {
        let text = error.to_string();
        match error {
            SqlxError::Database(database) => {
                by_code(database.code().as_deref().unwrap_or_default(), text)
            }
            SqlxError::Io(_)
            | SqlxError::Tls(_)
            | SqlxError::Protocol(_)
            | SqlxError::PoolTimedOut
            | SqlxError::PoolClosed
            | SqlxError::WorkerCrashed => Fault::Unavailable(text),
            _ => Fault::Failed(text),
        }
    }
}

/// SQLSTATE for PostgreSQL (its manual, appendix A), result codes for SQLite (sqlite.org/rescode.html).
fn by_code(code: &str, text: String) -> Fault {
    if code.len() != 5 {
        return by_result_code(code.parse().unwrap_or(0), text);
    }
    match code {
        // Serialisation, deadlock, lock not available, and the division by which a guarded write undoes itself.
        "40001" | "40P01" | "55P03" | "22012" => Fault::Conflict(text),
        "57014" => Fault::TooSlow(text),
        // Shut down, crashed, starting, dropped, idle for too long; a server that takes no writes.
        "57P01" | "57P02" | "57P03" | "57P04" | "57P05" | "25P03" | "25P04" | "25006" => {
            Fault::Unavailable(text)
        }
        // Behind a pooler: a statement that another connection prepared, or did not.
        "26000" | "42P05" => Fault::Unavailable(text),
        // Class 08: the connection; class 53: out of disk, memory or connections; class 58: the server's disk.
        _ if ["08", "53", "58"]
            .iter()
            .any(|class| code.starts_with(class)) =>
        {
            Fault::Unavailable(text)
        }
        _ => Fault::Failed(text),
    }
}

/// The primary code is in the lowest byte.
fn by_result_code(code: u32, text: String) -> Fault {
    match code & 0xff {
        // BUSY, LOCKED
        5 | 6 => Fault::Conflict(text),
        // INTERRUPT
        9 => Fault::TooSlow(text),
        // READONLY, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB: the file, and perhaps not for ever.
        8 | 10 | 11 | 13 | 14 | 15 | 26 => Fault::Unavailable(text),
        _ => Fault::Failed(text),
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Fault {
        Fault::Failed(format!("a stored value cannot be read: {error}"))
    }
}

impl Fault {
    /// What the caller is told. The text stays here: it may name rows.
    pub(crate) fn refusal(&self) -> Refusal {
        match self {
            Fault::Conflict(_) | Fault::Unavailable(_) => Refusal::Unavailable,
            Fault::TooSlow(_) => Refusal::DeadlineExceeded,
            Fault::Busy(_) => Refusal::Overloaded,
            Fault::Failed(_) => Refusal::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart() {
        let kind = |code| by_code(code, String::new());
        for code in ["40001", "40P01", "22012", "5", "6", "261", "517"] {
            assert!(matches!(kind(code), Fault::Conflict(_)), "{code}");
        }
        for code in [
            "57P01", "57P03", "25006", "08006", "08P01", "53100", "58030", "26000", "13", "10",
            "778", "8", "1032", "11", "26",
        ] {
            assert!(matches!(kind(code), Fault::Unavailable(_)), "{code}");
        }
        for code in ["57014", "9"] {
            assert!(matches!(kind(code), Fault::TooSlow(_)), "{code}");
        }
        for code in ["23505", "42P01", "1", "19", "2067", ""] {
            assert!(matches!(kind(code), Fault::Failed(_)), "{code}");
        }
    }

    #[test]
    fn what_is_no_fault_of_the_caller_says_nothing_more() {
        let text = || "secret".to_owned();
        assert_eq!(Fault::Unavailable(text()).refusal(), Refusal::Unavailable);
        assert_eq!(Fault::Failed(text()).refusal(), Refusal::Internal);
        assert_eq!(Fault::TooSlow(text()).refusal(), Refusal::DeadlineExceeded);
    }
}
