//! The statements that write what became of messages.

use sea_orm::DbBackend;

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
