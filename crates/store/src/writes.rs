//! The statements that write. Their texts depend on what kinds of changes there are, never on the rows, so
//! that few occur and each is prepared once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};

use crate::changes::{AccountState, Kind, NewMessage, Target, Write};
use crate::entity::{
    account_names, accounts, budgets, checkpoints, cursors, deleted_accounts, event_deliveries,
    events, messages, opt_outs, phone_numbers,
};
use crate::fault::Fault;
use crate::session::Session;
use crate::sql::{remove_messages, settle_messages};
use crate::table::{Table, VERSION};

/// The writes for one kind of database.
pub(crate) struct Writes {
    backend: DbBackend,
    pub(crate) tables: Tables,
    /// By the set of what they do.
    texts: Mutex<HashMap<u64, Arc<str>>>,
}

/// What is written to.
pub(crate) struct Tables {
    pub(crate) accounts: Table,
    names: Table,
    pub(crate) phones: Table,
    pub(crate) budgets: Table,
    pub(crate) deleted: Table,
    pub(crate) messages: Table,
    pub(crate) opt_outs: Table,
    pub(crate) events: Table,
    pub(crate) checkpoints: Table,
    pub(crate) cursors: Table,
    deliveries: Table,
}

impl Tables {
    fn of(&self, target: Target) -> &Table {
        match target {
            Target::Accounts | Target::States => &self.accounts,
            Target::Names => &self.names,
            Target::Phones => &self.phones,
            Target::Budgets => &self.budgets,
            Target::Deleted => &self.deleted,
            Target::Messages => &self.messages,
            Target::Events => &self.events,
            Target::Checkpoints => &self.checkpoints,
            Target::Cursors => &self.cursors,
            Target::Deliveries => &self.deliveries,
        }
    }
}

impl Writes {
    pub(crate) fn new(backend: DbBackend) -> Writes {
        Writes {
            backend,
            tables: Tables {
                accounts: Table::of(accounts::Entity),
                names: Table::of(account_names::Entity),
                phones: Table::of(phone_numbers::Entity),
                budgets: Table::of(budgets::Entity),
                deleted: Table::of(deleted_accounts::Entity),
                messages: Table::of(messages::Entity),
                opt_outs: Table::of(opt_outs::Entity),
                events: Table::of(events::Entity),
                checkpoints: Table::of(checkpoints::Entity),
                cursors: Table::of(cursors::Entity),
                deliveries: Table::of(event_deliveries::Entity),
            },
            texts: Mutex::default(),
        }
    }

    /// Writes all of it, or fails: on PostgreSQL as a whole, on SQLite in a transaction, which the caller then undoes. Says
    /// how many rows that touched.
    ///
    /// # Errors
    /// [`Fault::Conflict`] when it touched other rows than it meant.
    pub(crate) async fn write(&self, session: &Session, writes: Vec<Write>) -> Result<u64, Fault> {
        let rows = writes.iter().map(|write| write.rows).sum();
        if writes.is_empty() {
            return Ok(rows);
        }
        let statement = self.all(writes);
        match self.backend {
            DbBackend::Postgres => {
                session.query_one_raw(statement).await?;
            }
            _ => {
                let written = session.execute_raw(statement).await?;
                // No write touches more rows than it has.
                if written.rows_affected() != rows {
                    return Err(Fault::Conflict("a row is not as it was read".into()));
                }
            }
        }
        Ok(rows)
    }

    /// All of it as one text. On PostgreSQL that is one statement, in a transaction of its own, which undoes itself by a
    /// division by zero when it touched other rows than it meant. On SQLite it is one for each write, so that the thread
    /// that asks and the one that works wait for each other once: each time takes long where the processors are busy.
    pub(crate) fn all(&self, writes: Vec<Write>) -> Statement {
        let set = writes.iter().fold(0, |set, write| set | write.bit());
        let known = self.texts.lock();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        let text = known.entry(set).or_insert_with(|| self.compose(&writes));
        let rows: u64 = writes.iter().map(|write| write.rows).sum();
        let mut values: Vec<Value> = writes.into_iter().map(|write| write.json.into()).collect();
        if self.backend == DbBackend::Postgres {
            values.push(i64::try_from(rows).unwrap_or(i64::MAX).into());
        }
        statement(self.backend, text, values)
    }

    fn compose(&self, writes: &[Write]) -> Arc<str> {
        let parts = (1..).zip(writes);
        let parts = parts.map(|(n, write)| self.text(write.target, write.kind, n));
        if self.backend != DbBackend::Postgres {
            return parts.collect::<Vec<_>>().join("; ").into();
        }
        let parts: Vec<_> = (1..)
            .zip(parts)
            .map(|(n, part)| format!("w{n} AS ({part} RETURNING 1)"))
            .collect();
        let counts: Vec<_> = (1..=parts.len())
            .map(|n| format!("(SELECT count(*) FROM w{n})"))
            .collect();
        format!(
            "WITH {} SELECT 1 / CASE WHEN {} = ${} THEN 1 ELSE 0 END",
            parts.join(", "),
            counts.join(" + "),
            parts.len() + 1
        )
        .into()
    }

    /// A write whose rows are parameter `n`.
    fn text(&self, target: Target, kind: Kind, n: usize) -> String {
        let table = self.tables.of(target);
        match kind {
            Kind::Add if target == Target::Messages => add(self.backend, table, n, |column| {
                NewMessage::COLUMNS.contains(&column)
            }),
            // Messages are guarded by their claims.
            Kind::Change if target == Target::Messages => settle_messages(self.backend, table, n),
            Kind::Remove if target == Target::Messages => remove_messages(self.backend, table, n),
            Kind::Add => add(self.backend, table, n, |_| true),
            Kind::Change if target == Target::States => change(self.backend, table, n, |column| {
                AccountState::COLUMNS.contains(&column)
            }),
            Kind::Change => change(self.backend, table, n, |_| true),
            Kind::Remove => remove(self.backend, table, n),
        }
    }
}

fn statement(backend: DbBackend, text: &str, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(backend, text, values)
}

/// Adds rows whose keys are new; a row whose key exists is left out and so not counted. Events and messages have new
/// random ids, and PostgreSQL is spared the looking twice that leaving out costs.
fn add(backend: DbBackend, table: &Table, n: usize, wanted: impl Fn(&str) -> bool) -> String {
    let names = table.columns.iter().map(|(name, _)| name.as_str());
    let names: Vec<_> = names.filter(|name| wanted(name)).collect();
    let always_new = ["events", "messages"].contains(&table.name.as_str());
    let twice = match backend {
        DbBackend::Postgres if always_new => "",
        _ => " ON CONFLICT DO NOTHING",
    };
    format!(
        "INSERT INTO {} ({}) SELECT r.{} FROM {} WHERE true{twice}",
        table.name,
        names.join(", "),
        names.join(", r."),
        table.source(backend, n, &wanted)
    )
}

/// Changes these columns of rows that exist, and of guarded rows only if nobody changed them meanwhile.
fn change(backend: DbBackend, table: &Table, n: usize, wanted: impl Fn(&str) -> bool) -> String {
    let sets: Vec<_> = table
        .columns
        .iter()
        .map(|(name, _)| name)
        .filter(|name| wanted(name) && !table.key.contains(name))
        .map(|name| format!("{name} = r.{name}"))
        .collect();
    format!(
        "UPDATE {} SET {} FROM {} WHERE {}",
        table.name,
        sets.join(", "),
        table.source(backend, n, &wanted),
        same(table, "r.version - 1"),
    )
}

fn remove(backend: DbBackend, table: &Table, n: usize) -> String {
    let told_by = |name: &str| table.key.iter().any(|key| key == name) || name == VERSION;
    let source = table.source(backend, n, told_by);
    match backend {
        DbBackend::Postgres => format!(
            "DELETE FROM {} USING {source} WHERE {}",
            table.name,
            same(table, "r.version")
        ),
        _ => {
            let columns: Vec<_> = table
                .columns
                .iter()
                .map(|(name, _)| name.as_str())
                .filter(|name| told_by(name))
                .collect();
            let columns = columns.join(", ");
            format!(
                "DELETE FROM {} WHERE ({columns}) IN (SELECT {columns} FROM {source})",
                table.name
            )
        }
    }
}

/// Whether a row of the table is the one that `r` means, at this version if rows are guarded.
fn same(table: &Table, version: &str) -> String {
    let name = &table.name;
    let mut conditions: Vec<_> = table
        .key
        .iter()
        .map(|key| format!("{name}.{key} = r.{key}"))
        .collect();
    if table.guarded() {
        conditions.push(format!("{name}.{VERSION} = {version}"));
    }
    conditions.join(" AND ")
}

#[cfg(test)]
mod tests {
    use sea_orm::sqlx::Connection;
    use sea_orm::sqlx::sqlite::SqliteConnection;

    use super::*;

    /// SQLite's text is several statements. PostgreSQL's is one, and meets other writers in the tests beside `src`.
    #[tokio::test]
    async fn a_row_that_changed_is_a_conflict_wherever_it_is_written_on_sqlite() {
        let connection = SqliteConnection::connect("sqlite::memory:").await;
        let session = Session::sqlite(connection.unwrap()).await.unwrap();
        let run = async |sql: &str| session.execute_unprepared(sql).await.unwrap();
        run(
            "CREATE TABLE deleted_accounts (pseudonym text PRIMARY KEY, deleted_at integer, until_at integer); \
             CREATE TABLE budgets (pseudonym text PRIMARY KEY, state text, idle_at integer, version integer, kind text); \
             INSERT INTO deleted_accounts VALUES ('gone', 1, 2); \
             INSERT INTO budgets VALUES ('b', '{}', 3, 7, 'number')",
        )
        .await;
        let write = |target, kind, json: String| Write {
            target,
            kind,
            rows: 1,
            json,
        };
        let writes = |version: i64| {
            let budget = format!(
                r#"[{{"pseudonym": "b", "state": "{{}}", "idle_at": 4, "version": {version}, "kind": "number"}}]"#
            );
            vec![
                write(
                    Target::Deleted,
                    Kind::Add,
                    r#"[{"pseudonym": "new", "deleted_at": 1, "until_at": 2}]"#.into(),
                ),
                write(Target::Budgets, Kind::Change, budget),
                write(
                    Target::Deleted,
                    Kind::Remove,
                    r#"[{"pseudonym": "gone"}]"#.into(),
                ),
            ]
        };
        let sql = Writes::new(DbBackend::Sqlite);
        for version in [7, 9] {
            run("BEGIN IMMEDIATE").await;
            let written = sql.write(&session, writes(version)).await;
            assert!(matches!(written, Err(Fault::Conflict(_))), "{written:?}");
            run("ROLLBACK").await;
        }
        run("BEGIN IMMEDIATE").await;
        let written = sql.write(&session, writes(8)).await;
        assert!(matches!(written, Ok(3)), "{written:?}");
        run("COMMIT").await;
    }

    #[test]
    fn what_holds_part_of_a_row_is_made_of_its_columns() {
        let accounts = Table::of(accounts::Entity);
        for column in AccountState::COLUMNS {
            assert!(accounts.columns.iter().any(|(name, _)| name == column));
        }
        let messages = Table::of(messages::Entity);
        for column in NewMessage::COLUMNS {
            assert!(messages.columns.iter().any(|(name, _)| name == column));
        }
    }

    #[test]
    fn what_is_guarded_names_the_version_that_it_saw() {
        for backend in [DbBackend::Sqlite, DbBackend::Postgres] {
            let sql = Writes::new(backend);
            for target in [Target::Accounts, Target::States, Target::Budgets] {
                assert!(sql.text(target, Kind::Change, 1).contains("r.version - 1"));
            }
            assert!(
                sql.text(Target::Accounts, Kind::Remove, 1)
                    .contains(VERSION)
            );
        }
    }
}
