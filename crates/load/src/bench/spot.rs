//! What is measured, told apart: each spot has a row of its own.

use crate::ask::Wire;
use crate::scenario::Scenario;

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Database {
    Postgres,
    Sqlite,
}

impl Database {
    pub(super) fn name(self) -> &'static str {
        match self {
            Database::Postgres => "PostgreSQL",
            Database::Sqlite => "SQLite",
        }
    }
}

pub(super) const DATABASES: [Database; 2] = [Database::Postgres, Database::Sqlite];

/// What one row of the table is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    pub(crate) scenario: Scenario,
    pub(crate) wire: Wire,
    pub(crate) database: Database,
    pub(crate) connections: usize,
    pub(crate) accounts: u64,
    /// Whether the database stays over several measurements, instead of being new for each.
    pub(crate) lasting: bool,
}
