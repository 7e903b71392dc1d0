//! The hot statements. Their text never varies, so that both databases prepare each of them once; how
//! many rows one touches is a matter of its parameters: arrays of keys, and rows as a JSON text.

use sea_orm::sea_query::ArrayType;
use sea_orm::{DbBackend, Statement, Value};

use crate::fault::Fault;

/// The columns of `accounts`, in the order of every statement here, with their PostgreSQL types.
const ACCOUNT: &[(&str, &str)] = &[
    ("user_id", "text"),
    ("organization_id", "text"),
    ("sequence", "bigint"),
    ("created_at", "bigint"),
    ("changed_at", "bigint"),
    ("username", "text"),
    ("given_name", "text"),
    ("family_name", "text"),
    ("nick_name", "text"),
    ("display_name", "text"),
    ("preferred_language", "text"),
    ("gender", "integer"),
    ("email", "text"),
    ("email_verified", "boolean"),
    ("challenges", "text"),
    ("limits", "text"),
];

const PHONE: &[(&str, &str)] = &[
    ("id", "text"),
    ("user_id", "text"),
    ("organization_id", "text"),
    ("number", "text"),
    ("primary_number", "boolean"),
    ("pending", "text"),
    ("verified_at", "bigint"),
    ("created_at", "bigint"),
    ("changed_at", "bigint"),
];

const BUDGET: &[(&str, &str)] = &[
    ("pseudonym", "text"),
    ("state", "text"),
    ("idle_at", "bigint"),
];

const OUTBOX: &[(&str, &str)] = &[
    ("id", "text"),
    ("user_id", "text"),
    ("number", "text"),
    ("kind", "text"),
    ("challenge_id", "text"),
    ("language", "text"),
    ("created_at", "bigint"),
    ("expires_at", "bigint"),
    ("due_at", "bigint"),
    ("attempts", "integer"),
];

const EVENT: &[(&str, &str)] = &[
    ("id", "text"),
    ("user_id", "text"),
    ("organization_id", "text"),
    ("sequence", "bigint"),
    ("at", "bigint"),
    ("actor", "text"),
    ("kind", "text"),
    ("cause", "text"),
    ("number_pseudonym", "text"),
    ("number_mask", "text"),
];

/// A table's rows: what they are called, what columns they have, and which of these change in an update.
struct Rows {
    table: &'static str,
    columns: &'static [(&'static str, &'static str)],
}

const ACCOUNTS: Rows = Rows {
    table: "accounts",
    columns: ACCOUNT,
};
const PHONES: Rows = Rows {
    table: "phone_numbers",
    columns: PHONE,
};
const BUDGETS: Rows = Rows {
    table: "budgets",
    columns: BUDGET,
};
const MESSAGES: Rows = Rows {
    table: "outbox",
    columns: OUTBOX,
};
const EVENTS: Rows = Rows {
    table: "events",
    columns: EVENT,
};

impl Rows {
    fn key(&self) -> &'static str {
        self.columns[0].0
    }

    fn names(&self, prefix: &str) -> String {
        let names: Vec<_> = self
            .columns
            .iter()
            .map(|(name, _)| format!("{prefix}{name}"))
            .collect();
        names.join(", ")
    }

    /// A row as a JSON array of its columns, in their order.
    fn as_json(&self, backend: DbBackend) -> String {
        let columns: Vec<_> = self
            .columns
            .iter()
            .map(|(name, kind)| match (backend, *kind) {
                // SQLite's booleans are numbers.
                (DbBackend::Sqlite, "boolean") => {
                    format!("json(iif({}.{name}, 'true', 'false'))", self.table)
                }
                _ => format!("{}.{name}", self.table),
            })
            .collect();
        json_array(backend, &columns.join(", "))
    }

    /// A table expression over the rows that parameter `n` holds as JSON.
    fn source(&self, backend: DbBackend, n: usize) -> String {
        let columns: Vec<_> = self
            .columns
            .iter()
            .map(|(name, kind)| match backend {
                DbBackend::Postgres => format!("{name} {kind}"),
                _ => format!("value ->> '$.{name}' AS {name}"),
            })
            .collect();
        let columns = columns.join(", ");
        match backend {
            DbBackend::Postgres => format!("json_to_recordset(${n}::json) AS r({columns})"),
            _ => format!("(SELECT {columns} FROM jsonb_each(${n})) AS r"),
        }
    }

    /// Adds rows whose keys are new; a row whose key exists is left out and so not counted.
    fn add(&self, backend: DbBackend, n: usize) -> String {
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM {} WHERE true ON CONFLICT DO NOTHING",
            self.table,
            self.names(""),
            self.names("r."),
            self.source(backend, n)
        )
    }

    /// Replaces every column but the key of rows that exist. Written as an insert that meets each of them,
    /// because that is done by the key's index whatever the planner thinks of the table's size; an UPDATE
    /// with a join was seen to read the whole table.
    fn change(&self, backend: DbBackend, n: usize) -> String {
        let sets: Vec<_> = self.columns[1..]
            .iter()
            .map(|(name, _)| format!("{name} = excluded.{name}"))
            .collect();
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM {} WHERE true ON CONFLICT ({}) DO UPDATE SET {}",
            self.table,
            self.names(""),
            self.names("r."),
            self.source(backend, n),
            self.key(),
            sets.join(", "),
        )
    }

    fn remove(&self, backend: DbBackend, n: usize) -> String {
        format!(
            "DELETE FROM {} WHERE {}",
            self.table,
            among(backend, self.key(), n)
        )
    }

    fn find(&self, backend: DbBackend, column: &str, n: usize) -> String {
        format!(
            "SELECT {} FROM {} WHERE {}",
            self.names(""),
            self.table,
            among(backend, column, n)
        )
    }
}

/// These values as one JSON array.
fn json_array(backend: DbBackend, values: &str) -> String {
    match backend {
        DbBackend::Postgres => format!("json_build_array({values})"),
        _ => format!("json_array({values})"),
    }
}

/// This value of all rows as the text of one JSON array.
fn json_list(backend: DbBackend, value: &str) -> String {
    match backend {
        DbBackend::Postgres => format!("coalesce(json_agg({value}), '[]')"),
        _ => format!("json_group_array({value})"),
    }
}

fn find_whole_accounts(backend: DbBackend) -> String {
    let phones = format!(
        "(SELECT {} FROM phone_numbers WHERE phone_numbers.user_id = accounts.user_id)",
        json_list(backend, &PHONES.as_json(backend))
    );
    let whole = json_array(backend, &format!("{}, {phones}", ACCOUNTS.as_json(backend)));
    format!(
        "SELECT CAST({} AS text) FROM accounts WHERE {}",
        json_list(backend, &whole),
        among(backend, "accounts.user_id", 1),
    )
}

/// Whether a column is one of the keys in parameter `n`.
fn among(backend: DbBackend, column: &str, n: usize) -> String {
    match backend {
        DbBackend::Postgres => format!("{column} = ANY(${n})"),
        _ => format!("{column} IN (SELECT value FROM json_each(${n}))"),
    }
}

/// Keys as the parameter that [`among`] reads.
fn keys<'a>(backend: DbBackend, keys: impl Iterator<Item = &'a str>) -> Result<Value, Fault> {
    Ok(match backend {
        DbBackend::Postgres => {
            let values = keys.map(Value::from).collect();
            Value::Array(ArrayType::String, Some(Box::new(values)))
        }
        _ => serde_json::to_string(&keys.collect::<Vec<_>>())?.into(),
    })
}

/// Whether a text in some JSON holds a NUL, which is written as six characters there, behind no or an even
/// number of backslashes.
fn holds_nul(json: &str) -> bool {
    json.match_indices("\\u0000").any(|(at, _)| {
        let before = json[..at].bytes().rev();
        before.take_while(|byte| *byte == b'\\').count() % 2 == 0
    })
}

/// What a batch changes. Rows in `*_added` must not exist, rows in `*_changed` must.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) accounts_added: Vec<crate::entity::accounts::Model>,
    pub(crate) accounts_changed: Vec<crate::entity::accounts::Model>,
    pub(crate) accounts_removed: Vec<String>,
    pub(crate) phones_added: Vec<crate::entity::phone_numbers::Model>,
    pub(crate) phones_changed: Vec<crate::entity::phone_numbers::Model>,
    pub(crate) phones_removed: Vec<String>,
    pub(crate) budgets_added: Vec<crate::entity::budgets::Model>,
    pub(crate) budgets_changed: Vec<crate::entity::budgets::Model>,
    pub(crate) messages: Vec<crate::entity::outbox::Model>,
    pub(crate) events: Vec<crate::entity::events::Model>,
}

impl Changes {
    pub(crate) fn is_empty(&self) -> bool {
        self.rows() == 0
    }

    /// How many rows must be touched for nothing to have been lost to somebody else.
    pub(crate) fn rows(&self) -> u64 {
        let Changes {
            accounts_added,
            accounts_changed,
            accounts_removed,
            phones_added,
            phones_changed,
            phones_removed,
            budgets_added,
            budgets_changed,
            messages,
            events,
        } = self;
        let count = accounts_added.len()
            + accounts_changed.len()
            + accounts_removed.len()
            + phones_added.len()
            + phones_changed.len()
            + phones_removed.len()
            + budgets_added.len()
            + budgets_changed.len()
            + messages.len()
            + events.len();
        count as u64
    }

    /// One parameter for each of the ten lists, in the order of [`Sql::write`].
    fn parameters(&self, backend: DbBackend) -> Result<[Value; 10], Fault> {
        fn rows<T: serde::Serialize>(rows: &[T]) -> Result<Value, Fault> {
            let json = serde_json::to_string(rows)?;
            // PostgreSQL refuses it, and SQLite would keep what PostgreSQL cannot.
            if holds_nul(&json) {
                return Err(Fault::Broken("a text holds a NUL".into()));
            }
            Ok(json.into())
        }
        Ok([
            rows(&self.accounts_added)?,
            rows(&self.accounts_changed)?,
            keys(backend, self.accounts_removed.iter().map(String::as_str))?,
            rows(&self.phones_added)?,
            rows(&self.phones_changed)?,
            keys(backend, self.phones_removed.iter().map(String::as_str))?,
            rows(&self.budgets_added)?,
            rows(&self.budgets_changed)?,
            rows(&self.messages)?,
            rows(&self.events)?,
        ])
    }

    /// Which of the ten lists have something in them.
    fn present(&self) -> [bool; 10] {
        [
            !self.accounts_added.is_empty(),
            !self.accounts_changed.is_empty(),
            !self.accounts_removed.is_empty(),
            !self.phones_added.is_empty(),
            !self.phones_changed.is_empty(),
            !self.phones_removed.is_empty(),
            !self.budgets_added.is_empty(),
            !self.budgets_changed.is_empty(),
            !self.messages.is_empty(),
            !self.events.is_empty(),
        ]
    }
}

/// The statements for one kind of database, built once.
pub(crate) struct Sql {
    pub(crate) backend: DbBackend,
    lock_accounts: String,
    find_whole_accounts: String,
    find_accounts: String,
    find_phones: String,
    lock_budgets: String,
    /// PostgreSQL: one statement that does all ten writes and says how many rows it touched.
    write_all: String,
    /// SQLite, where a statement costs no journey: the ten writes, of which only those with rows are run.
    write_each: [String; 10],
    claim: String,
    remove_messages: String,
    postpone_messages: String,
    purge_budgets: String,
}

impl Sql {
    pub(crate) fn new(backend: DbBackend) -> Sql {
        let (lock, skip) = match backend {
            DbBackend::Postgres => (" FOR UPDATE", " FOR UPDATE SKIP LOCKED"),
            _ => ("", ""),
        };
        // A plan may run an IN's query once for each row, and what skips locked rows then finds others
        // every time; an array is filled once.
        let once = |query: &str| match backend {
            DbBackend::Postgres => format!("= ANY(ARRAY({query}))"),
            _ => format!("IN ({query})"),
        };
        let write = |offset: usize| {
            let n = |i: usize| if offset == 0 { i } else { offset };
            [
                ACCOUNTS.add(backend, n(1)),
                ACCOUNTS.change(backend, n(2)),
                ACCOUNTS.remove(backend, n(3)),
                PHONES.add(backend, n(4)),
                PHONES.change(backend, n(5)),
                PHONES.remove(backend, n(6)),
                BUDGETS.add(backend, n(7)),
                BUDGETS.change(backend, n(8)),
                MESSAGES.add(backend, n(9)),
                EVENTS.add(backend, n(10)),
            ]
        };
        let parts: Vec<_> = write(0)
            .iter()
            .enumerate()
            .map(|(i, sql)| format!("w{i} AS ({sql} RETURNING 1)"))
            .collect();
        let counts: Vec<_> = (0..parts.len())
            .map(|i| format!("(SELECT count(*) FROM w{i})"))
            .collect();
        Sql {
            backend,
            // Locks are taken in the order of keys by every process, so that two cannot hold what the
            // other waits for.
            lock_accounts: format!(
                "{} ORDER BY user_id{lock}",
                ACCOUNTS.find(backend, "user_id", 1)
            ),
            find_whole_accounts: find_whole_accounts(backend),
            find_accounts: ACCOUNTS.find(backend, "user_id", 1),
            find_phones: format!("{} ORDER BY id", PHONES.find(backend, "user_id", 1)),
            lock_budgets: format!(
                "{} ORDER BY pseudonym{lock}",
                BUDGETS.find(backend, "pseudonym", 1)
            ),
            write_all: format!(
                "WITH {} SELECT {} AS touched",
                parts.join(", "),
                counts.join(" + ")
            ),
            write_each: write(1),
            claim: format!(
                "UPDATE outbox SET due_at = $2, attempts = attempts + 1 WHERE id {} RETURNING {}",
                once(&format!(
                    "SELECT id FROM outbox WHERE due_at <= $1 ORDER BY due_at LIMIT $3{skip}"
                )),
                MESSAGES.names("")
            ),
            remove_messages: MESSAGES.remove(backend, 1),
            postpone_messages: "UPDATE outbox SET due_at = $1 WHERE id = $2 AND attempts = $3"
                .into(),
            purge_budgets: format!(
                "DELETE FROM budgets WHERE pseudonym {} AND idle_at <= $1",
                once(&format!(
                    "SELECT pseudonym FROM budgets WHERE idle_at <= $1 LIMIT $2{skip}"
                ))
            ),
        }
    }

    fn statement(&self, sql: &str, values: Vec<Value>) -> Statement {
        Statement::from_sql_and_values(self.backend, sql, values)
    }

    pub(crate) fn lock_accounts<'a>(
        &self,
        ids: impl Iterator<Item = &'a str>,
    ) -> Result<Statement, Fault> {
        Ok(self.statement(&self.lock_accounts, vec![keys(self.backend, ids)?]))
    }

    /// One text, because handing over a row costs more than reading it: a JSON array of accounts, each an
    /// array of its row and the list of its numbers' rows, in any order.
    pub(crate) fn find_whole_accounts<'a>(
        &self,
        ids: impl Iterator<Item = &'a str>,
    ) -> Result<Statement, Fault> {
        Ok(self.statement(&self.find_whole_accounts, vec![keys(self.backend, ids)?]))
    }

    pub(crate) fn find_accounts<'a>(
        &self,
        ids: impl Iterator<Item = &'a str>,
    ) -> Result<Statement, Fault> {
        Ok(self.statement(&self.find_accounts, vec![keys(self.backend, ids)?]))
    }

    pub(crate) fn find_phones<'a>(
        &self,
        ids: impl Iterator<Item = &'a str>,
    ) -> Result<Statement, Fault> {
        Ok(self.statement(&self.find_phones, vec![keys(self.backend, ids)?]))
    }

    pub(crate) fn lock_budgets<'a>(
        &self,
        pseudonyms: impl Iterator<Item = &'a str>,
    ) -> Result<Statement, Fault> {
        Ok(self.statement(&self.lock_budgets, vec![keys(self.backend, pseudonyms)?]))
    }

    /// The statements that write a batch, each of which answers with, or counts, the rows it touched.
    pub(crate) fn write(&self, changes: &Changes) -> Result<Write, Fault> {
        let parameters = changes.parameters(self.backend)?;
        Ok(match self.backend {
            DbBackend::Postgres => {
                Write::Counted(self.statement(&self.write_all, parameters.into()))
            }
            _ => Write::Each(
                self.write_each
                    .iter()
                    .zip(parameters)
                    .zip(changes.present())
                    .filter(|(_, present)| *present)
                    .map(|((sql, value), _)| self.statement(sql, vec![value]))
                    .collect(),
            ),
        })
    }

    /// Claims messages that are due at `now` until `lease_end`.
    pub(crate) fn claim(&self, now: i64, lease_end: i64, most: u32) -> Statement {
        self.statement(
            &self.claim,
            vec![now.into(), lease_end.into(), i64::from(most).into()],
        )
    }

    pub(crate) fn remove_messages<'a>(
        &self,
        ids: impl Iterator<Item = &'a str>,
    ) -> Result<Statement, Fault> {
        Ok(self.statement(&self.remove_messages, vec![keys(self.backend, ids)?]))
    }

    /// Makes a message due again at `due_at`, unless another worker has claimed it since.
    pub(crate) fn postpone_message(&self, due_at: i64, id: &str, attempts: i32) -> Statement {
        self.statement(
            &self.postpone_messages,
            vec![due_at.into(), id.into(), attempts.into()],
        )
    }

    pub(crate) fn purge_budgets(&self, now: i64, most: u32) -> Statement {
        self.statement(
            &self.purge_budgets,
            vec![now.into(), i64::from(most).into()],
        )
    }
}

/// How a batch is written.
pub(crate) enum Write {
    /// One query whose only column says how many rows were touched.
    Counted(Statement),
    /// Statements that each report how many rows they touched.
    Each(Vec<Statement>),
}

#[cfg(test)]
mod tests {
    use sea_orm::sea_query::Iden;
    use sea_orm::{EntityTrait, Iterable};

    use super::*;
    use crate::entity::{accounts, budgets, events, outbox, phone_numbers};

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

    #[test]
    fn columns_are_in_the_order_of_the_fields() {
        fn holds<E: EntityTrait>(rows: &Rows) {
            let fields: Vec<_> = E::Column::iter().map(|column| column.to_string()).collect();
            let columns: Vec<_> = rows.columns.iter().map(|(name, _)| *name).collect();
            assert_eq!(columns, fields, "{}", rows.table);
        }
        holds::<accounts::Entity>(&ACCOUNTS);
        holds::<phone_numbers::Entity>(&PHONES);
        holds::<budgets::Entity>(&BUDGETS);
        holds::<outbox::Entity>(&MESSAGES);
        holds::<events::Entity>(&EVENTS);
    }

    #[test]
    fn the_text_of_a_statement_does_not_depend_on_its_rows() {
        for backend in [DbBackend::Sqlite, DbBackend::Postgres] {
            let sql = Sql::new(backend);
            let text = |ids: &[&str]| {
                let ids = || ids.iter().copied();
                let all = [
                    sql.lock_accounts(ids()),
                    sql.find_accounts(ids()),
                    sql.find_phones(ids()),
                    sql.lock_budgets(ids()),
                    sql.remove_messages(ids()),
                ];
                all.map(|statement| statement.expect("must be made").sql)
            };
            assert_eq!(text(&["a"]), text(&["a", "'; DROP TABLE accounts", "c"]));
        }
    }

    #[test]
    fn only_postgres_locks_rows() {
        let texts = |backend| {
            let sql = Sql::new(backend);
            [
                sql.lock_accounts,
                sql.lock_budgets,
                sql.claim,
                sql.purge_budgets,
            ]
        };
        for text in texts(DbBackend::Postgres) {
            assert!(text.contains("FOR UPDATE"), "{text}");
        }
        for text in texts(DbBackend::Sqlite) {
            assert!(!text.contains("FOR UPDATE"), "{text}");
        }
    }
}
