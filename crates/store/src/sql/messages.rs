//! The statements that write what became of messages.

use sea_orm::{DbBackend, Statement};

use super::Sql;
use crate::table::Table;

/// The columns of a message that a settlement writes.
pub(super) const SETTLED: [&str; 9] = [
    "number",
    "number_mask",
    "number_pseudonym",
    "route",
    "due_at",
    "state",
    "ended_at",
    "trail",
    "reference",
];

/// A claim: the message and how often it has been claimed.
const CLAIM: [&str; 2] = ["id", "attempts"];

/// The rows are parameter `n`.
pub(crate) fn settle_messages(backend: DbBackend, messages: &Table, n: usize) -> String {
    let source = messages.source(backend, n, |name| {
        CLAIM.contains(&name) || SETTLED.contains(&name)
    });
    let sets = SETTLED.map(|name| format!("{name} = r.{name}"));
    format!(
        "UPDATE messages SET {} FROM {source} \
         WHERE messages.id = r.id AND messages.attempts = r.attempts",
        sets.join(", ")
    )
}

/// The rows are parameter `n`.
pub(crate) fn remove_messages(backend: DbBackend, messages: &Table, n: usize) -> String {
    let source = messages.source(backend, n, |name| CLAIM.contains(&name));
    match backend {
        DbBackend::Postgres => format!(
            "DELETE FROM messages USING {source} \
             WHERE messages.id = r.id AND messages.attempts = r.attempts"
        ),
        _ => format!(
            "DELETE FROM messages WHERE (id, attempts) IN (SELECT id, attempts FROM {source})"
        ),
    }
}

impl Sql {
    /// A change of messages that tells which of them it did change, by their ids.
    pub(crate) fn telling(&self, change: Statement) -> Statement {
        Statement {
            sql: format!("{} RETURNING messages.id", change.sql),
            ..change
        }
    }

    /// PostgreSQL: a change of messages, and events of those that it does change: a JSON array of their rows, each
    /// with its `message` besides. Answers with how many messages it changed.
    pub(crate) fn on_record(&self, change: Statement, json: String) -> Statement {
        let Statement { sql, values, .. } = self.telling(change);
        let mut values = values.map(|values| values.0).unwrap_or_default();
        let n = values.len() + 1;
        values.push(json.into());
        let events = &self.writes.tables.events;
        let columns = events.columns.iter();
        let columns: Vec<_> = columns
            .map(|(name, kind)| format!("{name} {kind}"))
            .collect();
        // IS TRUE keeps it from becoming a join, for which the planner reads all events once for each message: it
        // expects one message.
        let text = format!(
            "WITH done AS ({sql}), told AS (INSERT INTO events ({}) SELECT {} FROM \
             json_to_recordset(${n}::json) AS r({}, message text) \
             WHERE (r.message IN (SELECT id FROM done)) IS TRUE) \
             SELECT count(*) FROM done",
            events.names(""),
            events.names("r."),
            columns.join(", ")
        );
        self.statement(&text, values)
    }
}
