//! Which accounts a statement is about.

use std::collections::BTreeSet;

use sea_orm::{DbBackend, Value};

use super::keys;
use crate::fault::Fault;

/// Which accounts a statement is about.
#[derive(Debug, Default)]
pub(crate) struct Wanted<'a> {
    /// Organisations and user ids, each pair once.
    pub(crate) exact: BTreeSet<(&'a str, &'a str)>,
    /// User ids in whichever organisations have them, of two at most.
    pub(crate) anywhere: BTreeSet<&'a str>,
}

impl Wanted<'_> {
    /// The first three parameters.
    pub(super) fn values(&self, backend: DbBackend) -> Result<Vec<Value>, Fault> {
        let exact = || self.exact.iter().copied();
        let [pairs, ids] = match backend {
            DbBackend::Postgres => [
                keys(backend, exact().map(|(organization, _)| organization))?,
                keys(backend, exact().map(|(_, id)| id))?,
            ],
            // It would look the second list through for each key of the first.
            _ => [serde_json::to_string(&self.exact)?.into(), "".into()],
        };
        Ok(vec![
            pairs,
            ids,
            keys(backend, self.anywhere.iter().copied())?,
        ])
    }
}

/// A statement about some accounts. A backend that works for one organisation names it, one that works for all names none:
/// hardly ever do both wait together.
pub(super) struct About {
    exactly: String,
    anywhere: String,
    either: String,
}

impl About {
    /// `text` reads the table expression `k`: the accounts, whole on PostgreSQL; their keys on SQLite, where to search again
    /// costs less than to copy. The keys are few, so they come first, whatever a planner thinks of their number: it would
    /// otherwise read the whole of an index for them once the tables are large.
    pub(super) fn new(backend: DbBackend, text: &str) -> About {
        let (exact, anywhere) = match backend {
            // OFFSET 0 keeps PostgreSQL from taking it apart.
            DbBackend::Postgres => (
                "SELECT a.* FROM unnest($2::text[], $1::text[]) AS w(user_id, organization_id) \
                 CROSS JOIN LATERAL (SELECT * FROM accounts WHERE accounts.user_id = w.user_id \
                 AND accounts.organization_id = w.organization_id OFFSET 0) AS a",
                "SELECT a.* FROM unnest($3::text[]) AS w(user_id) \
                 CROSS JOIN LATERAL (SELECT * FROM accounts WHERE accounts.user_id = w.user_id \
                 ORDER BY organization_id LIMIT 2) AS a",
            ),
            // CROSS is how SQLite is told the order.
            _ => (
                "SELECT value ->> 1 AS user_id, value ->> 0 AS organization_id FROM json_each($1)",
                "SELECT a.user_id, a.organization_id FROM json_each($3) AS w CROSS JOIN accounts AS a \
                 ON a.user_id = w.value WHERE a.organization_id IN \
                 (SELECT b.organization_id FROM accounts AS b WHERE b.user_id = w.value \
                 ORDER BY b.organization_id LIMIT 2)",
            ),
        };
        // Every parameter has a place in each text, so that all take the same ones.
        let places = (1..=3).map(|n| match backend {
            DbBackend::Postgres => format!("cardinality(${n}::text[]) < 0"),
            _ => format!("${n} IS NULL"),
        });
        let none = places.collect::<Vec<_>>().join(" OR ");
        let with = |found: &str| {
            format!("WITH k AS (SELECT * FROM ({found}) AS found WHERE NOT ({none})) {text}")
        };
        About {
            exactly: with(exact),
            anywhere: with(anywhere),
            either: with(&format!("{exact} UNION {anywhere}")),
        }
    }

    pub(super) fn of(&self, wanted: &Wanted<'_>) -> &str {
        match (wanted.exact.is_empty(), wanted.anywhere.is_empty()) {
            (_, true) => &self.exactly,
            (true, false) => &self.anywhere,
            (false, false) => &self.either,
        }
    }
}
