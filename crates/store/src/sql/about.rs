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

/// A statement about some accounts: nearly always it is known of each where it is.
pub(super) struct About {
    exactly: String,
    anywhere: String,
}

impl About {
    /// `text` reads the table expression `k` of keys.
    pub(super) fn new(backend: DbBackend, text: &str) -> About {
        let exact = match backend {
            DbBackend::Postgres => "SELECT * FROM unnest($2::text[], $1::text[])".to_owned(),
            _ => "SELECT value ->> 1, value ->> 0 FROM json_each($1)".to_owned(),
        };
        let named = match backend {
            DbBackend::Postgres => "unnest($3::text[]) AS w(value)",
            _ => "json_each($3) AS w",
        };
        let anywhere = format!(
            "SELECT a.user_id, a.organization_id FROM {named} \
             JOIN accounts AS a ON a.user_id = w.value WHERE a.organization_id IN \
             (SELECT b.organization_id FROM accounts AS b WHERE b.user_id = w.value \
             ORDER BY b.organization_id LIMIT 2)"
        );
        // Every parameter has a place in both texts, so that both take the same ones.
        let unused = match backend {
            DbBackend::Postgres => "cardinality($3::text[]) < 0",
            _ => "($2 IS NULL OR $3 IS NULL)",
        };
        let with = |keys: &str| format!("WITH k(user_id, organization_id) AS ({keys}) {text}");
        About {
            exactly: with(&format!("{exact} WHERE NOT {unused}")),
            anywhere: with(&format!("{exact} WHERE NOT {unused} UNION {anywhere}")),
        }
    }

    pub(super) fn of(&self, wanted: &Wanted<'_>) -> &str {
        match wanted.anywhere.is_empty() {
            true => &self.exactly,
            false => &self.anywhere,
        }
    }
}
