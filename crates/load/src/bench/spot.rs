//! What is measured, told apart: each spot has a row of its own.

use super::FEW;
use crate::report::whole;
use crate::request::Protocol;
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

/// What is special about a measurement. Those that are compared are told apart from all others, so that each
/// is compared with its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Case {
    /// Nothing: one server, beside a database that is new for each measurement.
    Plain,
    /// The database stays over several measurements.
    Kept,
    /// The database is a millisecond away.
    Far,
    /// The same, and the server is the older program.
    FarBefore,
    /// So many servers share the database and the connections, measured in turns.
    Servers(usize),
    /// What became of messages is not kept, in turns with the next.
    Forgetting,
    /// What became of messages is kept.
    Keeping,
}

/// What one row of the table is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    pub(crate) scenario: Scenario,
    pub(crate) protocol: Protocol,
    pub(crate) database: Database,
    pub(crate) connections: usize,
    pub(crate) accounts: u64,
    pub(crate) case: Case,
}

impl Spot {
    /// gRPC, with nothing special.
    pub(super) fn plain(scenario: Scenario, database: Database, connections: usize) -> Spot {
        Spot {
            scenario,
            protocol: Protocol::Grpc,
            database,
            connections,
            accounts: FEW,
            case: Case::Plain,
        }
    }

    /// The same over another protocol.
    pub(super) fn over(self, protocol: Protocol) -> Spot {
        Spot { protocol, ..self }
    }

    /// The same with something special.
    pub(super) fn in_case(self, case: Case) -> Spot {
        Spot { case, ..self }
    }

    /// How many servers there are.
    pub(super) fn servers(self) -> usize {
        match self.case {
            Case::Servers(servers) => servers,
            Case::Plain
            | Case::Kept
            | Case::Far
            | Case::FarBefore
            | Case::Forgetting
            | Case::Keeping => 1,
        }
    }

    /// The database and the accounts in it, as the table calls them.
    pub(super) fn names(self) -> [String; 2] {
        let special = match self.case {
            Case::Plain | Case::Kept => "",
            Case::Far => ", 1 ms away",
            Case::FarBefore => ", 1 ms away, before",
            Case::Servers(1) => ", one server",
            Case::Servers(_) => ", two servers",
            Case::Forgetting => ", keep_seconds 0",
            Case::Keeping => ", keep_seconds 86400",
        };
        let kept = match self.case {
            Case::Kept => ", kept",
            Case::Plain
            | Case::Far
            | Case::FarBefore
            | Case::Servers(_)
            | Case::Forgetting
            | Case::Keeping => "",
        };
        [
            self.database.name().to_owned() + special,
            whole(self.accounts as f64) + kept,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_cases_share_a_row() {
        let spot = Spot::plain(Scenario::Flow, Database::Postgres, 64);
        let cases = [
            Case::Plain,
            Case::Kept,
            Case::Far,
            Case::FarBefore,
            Case::Servers(1),
            Case::Servers(2),
            Case::Forgetting,
            Case::Keeping,
        ];
        let mut names = cases.map(|case| spot.in_case(case).names());
        names.sort();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    }
}
