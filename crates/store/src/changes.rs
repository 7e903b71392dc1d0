//! What a batch changes, as one list of writes: counting, parameters and statements all come from it.

use serde::Serialize;

use crate::entity::{account_names, accounts, budgets, deleted_accounts, events, phone_numbers};
use crate::fault::Fault;

/// Rows of one table. Those in `added` must not exist, those in `changed` and `removed` must, and where rows
/// are guarded they must still be as they were read.
pub(crate) struct TableChange<R> {
    pub(crate) added: Vec<R>,
    pub(crate) changed: Vec<R>,
    pub(crate) removed: Vec<R>,
}

impl<R> Default for TableChange<R> {
    fn default() -> TableChange<R> {
        TableChange {
            added: Vec::new(),
            changed: Vec::new(),
            removed: Vec::new(),
        }
    }
}

/// What decisions change of an account that stays the same person: nearly always all that changes.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AccountState {
    pub(crate) user_id: String,
    pub(crate) organization_id: String,
    pub(crate) version: i64,
    pub(crate) sequence: i64,
    pub(crate) changed_at: i64,
    pub(crate) challenges: String,
    pub(crate) limits: String,
}

impl AccountState {
    /// The columns of `accounts` that this holds.
    pub(crate) const COLUMNS: [&'static str; 7] = [
        "user_id",
        "organization_id",
        "version",
        "sequence",
        "changed_at",
        "challenges",
        "limits",
    ];
}

impl From<accounts::Model> for AccountState {
    fn from(row: accounts::Model) -> AccountState {
        AccountState {
            user_id: row.user_id,
            organization_id: row.organization_id,
            version: row.version,
            sequence: row.sequence,
            changed_at: row.changed_at,
            challenges: row.challenges,
            limits: row.limits,
        }
    }
}

/// What there is of a message when it is committed: before its first attempt, or claimed for it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct NewMessage {
    pub(crate) id: String,
    pub(crate) user_id: String,
    pub(crate) organization_id: String,
    pub(crate) number: String,
    pub(crate) kind: String,
    pub(crate) challenge_id: Option<String>,
    pub(crate) round: i32,
    pub(crate) language: String,
    pub(crate) created_at: i64,
    pub(crate) expires_at: i64,
    pub(crate) route: String,
    pub(crate) due_at: i64,
    pub(crate) attempts: i64,
    pub(crate) trail: String,
}

impl NewMessage {
    /// The columns of `messages` that this holds; the others have defaults.
    pub(crate) const COLUMNS: [&'static str; 14] = [
        "id",
        "user_id",
        "organization_id",
        "number",
        "kind",
        "challenge_id",
        "round",
        "language",
        "created_at",
        "expires_at",
        "route",
        "due_at",
        "attempts",
        "trail",
    ];
}

/// What a batch changes.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) accounts: TableChange<accounts::Model>,
    pub(crate) states: TableChange<AccountState>,
    pub(crate) names: TableChange<account_names::Model>,
    pub(crate) phones: TableChange<phone_numbers::Model>,
    pub(crate) budgets: TableChange<budgets::Model>,
    pub(crate) deleted: TableChange<deleted_accounts::Model>,
    pub(crate) messages: TableChange<NewMessage>,
    pub(crate) events: TableChange<events::Model>,
}

/// Which rows of which table a write is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Target {
    Accounts,
    States,
    Names,
    Phones,
    Budgets,
    Deleted,
    Messages,
    Events,
    Checkpoints,
    Cursors,
    Deliveries,
}

/// What is done with rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Add,
    Change,
    Remove,
}

/// Rows that are written alike.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) target: Target,
    pub(crate) kind: Kind,
    /// How many.
    pub(crate) rows: u64,
    /// All of them, as a JSON array of objects.
    pub(crate) json: String,
}

impl Write {
    /// A number for the target and kind: one bit of a set.
    pub(crate) fn bit(&self) -> u64 {
        1 << (self.target as u64 * 3 + self.kind as u64)
    }
}

impl Changes {
    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        let Changes {
            accounts,
            states,
            names,
            phones,
            budgets,
            deleted,
            messages,
            events,
        } = self;
        accounts.is_empty()
            && states.is_empty()
            && names.is_empty()
            && phones.is_empty()
            && budgets.is_empty()
            && deleted.is_empty()
            && messages.is_empty()
            && events.is_empty()
    }

    /// The routes that new messages wait for, each once. A message that is claimed already waits for none.
    pub(crate) fn routes(&self) -> Vec<String> {
        let mut routes = Vec::new();
        let waiting = self.messages.added.iter().filter(|row| row.attempts == 0);
        for message in waiting {
            if !routes.contains(&message.route) {
                routes.push(message.route.clone());
            }
        }
        routes
    }

    /// The writes, always in this order.
    pub(crate) fn writes(&self) -> Result<Vec<Write>, Fault> {
        let mut all = Vec::with_capacity(8);
        self.accounts.collect(Target::Accounts, &mut all)?;
        self.states.collect(Target::States, &mut all)?;
        self.names.collect(Target::Names, &mut all)?;
        self.phones.collect(Target::Phones, &mut all)?;
        self.budgets.collect(Target::Budgets, &mut all)?;
        self.deleted.collect(Target::Deleted, &mut all)?;
        self.messages.collect(Target::Messages, &mut all)?;
        self.events.collect(Target::Events, &mut all)?;
        Ok(all)
    }
}

/// About as many bytes as one row is as JSON. A text that grows step by step would touch twice the memory.
const ROW: usize = 640;

impl<R: Serialize> TableChange<R> {
    pub(crate) fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }

    fn collect(&self, target: Target, all: &mut Vec<Write>) -> Result<(), Fault> {
        let lists = [
            (Kind::Add, &self.added),
            (Kind::Change, &self.changed),
            (Kind::Remove, &self.removed),
        ];
        for (kind, rows) in lists.into_iter().filter(|(_, rows)| !rows.is_empty()) {
            let mut json = Vec::with_capacity(rows.len() * ROW);
            serde_json::to_writer(&mut json, rows)?;
            let json =
                String::from_utf8(json).map_err(|_| Fault::Failed("JSON is no text".into()))?;
            // PostgreSQL refuses it, and SQLite would keep what PostgreSQL cannot.
            if holds_nul(&json) {
                return Err(Fault::Failed("a text holds a NUL".into()));
            }
            all.push(Write {
                target,
                kind,
                rows: rows.len() as u64,
                json,
            });
        }
        Ok(())
    }
}

/// Whether a text in some JSON holds a NUL, which is written as six characters there, behind no or an even
/// number of backslashes.
fn holds_nul(json: &str) -> bool {
    json.match_indices("\\u0000").any(|(at, _)| {
        let before = json[..at].bytes().rev();
        before.take_while(|byte| *byte == b'\\').count() % 2 == 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nul_is_told_from_its_spelling() {
        let holds = |text: &str| holds_nul(&serde_json::to_string(&[text]).expect("is a text"));
        assert!(holds("a\0b"));
        assert!(holds("\\\0"));
        assert!(!holds("\\u0000"));
        assert!(!holds("\\\\u0000"));
        assert!(holds("\\u0000\0"));
        assert!(!holds("u0000"));
    }
}
