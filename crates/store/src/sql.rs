//! The statements that read, and those for messages. How many rows one touches is a matter of its parameters:
//! arrays of keys, and rows as a JSON text. So there are few texts, and each is prepared once.

mod about;
mod messages;

use sea_orm::sea_query::ArrayType;
use sea_orm::{DbBackend, Statement, Value};

use about::About;
pub(crate) use about::Wanted;
pub(crate) use messages::{remove_messages, settle_messages};

use crate::fault::Fault;
use crate::table::{Table, json_array, json_list};
use crate::writes::{Tables, Writes};

/// The statements for one kind of database.
pub(crate) struct Sql {
    pub(crate) backend: DbBackend,
    accounts: About,
    what_decides: About,
    challenges: About,
    phones: About,
    claim: String,
    remove_messages: String,
    settle_messages: String,
    awaited_routes: String,
    purge_messages: String,
    erase_numbers: String,
    purge_budgets: String,
    purge_deleted: String,
    purge_opt_outs: String,
    purge_calls: String,
    taken_ids: String,
    pub(crate) writes: Writes,
}

impl Sql {
    pub(crate) fn new(backend: DbBackend) -> Sql {
        let writes = Writes::new(backend);
        let tables = &writes.tables;
        let skip = match backend {
            DbBackend::Postgres => " FOR UPDATE SKIP LOCKED",
            _ => "",
        };
        // A plan may run an IN's query once for each row, and what skips locked rows then finds others
        // every time; an array is filled once.
        let once = |query: &str| match backend {
            DbBackend::Postgres => format!("= ANY(ARRAY({query}))"),
            _ => format!("IN ({query})"),
        };
        let messages = &tables.messages;
        Sql {
            backend,
            accounts: About::new(
                backend,
                &format!("SELECT CAST({} AS text)", whole_accounts(backend, tables)),
            ),
            what_decides: About::new(backend, &what_decides(backend, tables)),
            challenges: About::new(
                backend,
                &format!(
                    "SELECT accounts.user_id, accounts.organization_id, accounts.challenges FROM {}",
                    whole(backend)
                ),
            ),
            phones: About::new(
                backend,
                &format!(
                    "SELECT {} FROM {} ORDER BY phone_numbers.id",
                    tables.phones.names("phone_numbers."),
                    numbers(backend)
                ),
            ),
            claim: format!(
                "UPDATE messages SET due_at = $3, attempts = attempts + 1 WHERE id {} RETURNING {}",
                once(&format!(
                    "SELECT id FROM messages WHERE route = $1 AND due_at <= $2 \
                     ORDER BY due_at LIMIT $4{skip}"
                )),
                messages.names("")
            ),
            remove_messages: remove_messages(backend, messages, 1),
            settle_messages: settle_messages(backend, messages, 1),
            awaited_routes: "SELECT route, count(*), min(created_at) FROM messages WHERE due_at IS NOT NULL GROUP BY route".into(),
            purge_messages: format!(
                "DELETE FROM messages WHERE id {}",
                once(&format!(
                    "SELECT id FROM messages WHERE id < $1 AND due_at IS NULL ORDER BY id LIMIT $2{skip}"
                ))
            ),
            erase_numbers: format!(
                "UPDATE messages SET number = NULL, ended_at = expires_at WHERE id {}",
                once(&format!(
                    "SELECT id FROM messages WHERE due_at IS NULL AND number IS NOT NULL \
                     AND expires_at <= $1 ORDER BY expires_at LIMIT $2{skip}"
                ))
            ),
            purge_budgets: format!(
                "DELETE FROM budgets WHERE pseudonym {} AND idle_at <= $1",
                once(&format!(
                    "SELECT pseudonym FROM budgets WHERE idle_at <= $1 LIMIT $2{skip}"
                ))
            ),
            purge_deleted: format!(
                "DELETE FROM deleted_accounts WHERE pseudonym {} AND until_at <= $1",
                once(&format!(
                    "SELECT pseudonym FROM deleted_accounts WHERE until_at <= $1 LIMIT $2{skip}"
                ))
            ),
            purge_opt_outs: format!(
                "DELETE FROM opt_outs WHERE (pseudonym, route) IN \
                 (SELECT pseudonym, route FROM opt_outs WHERE until_at <= $1 LIMIT $2{skip})"
            ),
            purge_calls: format!(
                "DELETE FROM idempotency WHERE call {} AND until_at <= $1",
                once(&format!("SELECT call FROM idempotency WHERE until_at <= $1 LIMIT $2{skip}"))
            ),
            taken_ids: format!(
                "SELECT id FROM phone_numbers WHERE {}",
                among(backend, "id", 1)
            ),
            writes,
        }
    }

    fn statement(&self, sql: &str, values: Vec<Value>) -> Statement {
        Statement::from_sql_and_values(self.backend, sql, values)
    }

    /// One text, because handing over a row costs more than reading it: a JSON array of accounts, each an
    /// array of its row and the list of its numbers' rows, in any order.
    pub(crate) fn accounts(&self, wanted: &Wanted<'_>) -> Result<Statement, Fault> {
        let text = self.accounts.of(wanted);
        Ok(self.statement(text, wanted.values(self.backend)?))
    }

    /// The same beside the budgets of these pseudonyms and of every number that the accounts hold, what is
    /// remembered of deleted accounts of these pseudonyms, and the opt-outs of the same numbers as the budgets, all as
    /// they were at one moment: an array of the four lists.
    pub(crate) fn what_decides<'a>(
        &self,
        wanted: &Wanted<'_>,
        budgets: impl Iterator<Item = &'a str>,
        deleted: impl Iterator<Item = &'a str>,
    ) -> Result<Statement, Fault> {
        let mut values = wanted.values(self.backend)?;
        values.push(keys(self.backend, budgets)?);
        values.push(keys(self.backend, deleted)?);
        Ok(self.statement(self.what_decides.of(wanted), values))
    }

    pub(crate) fn challenges(&self, wanted: &Wanted<'_>) -> Result<Statement, Fault> {
        let text = self.challenges.of(wanted);
        Ok(self.statement(text, wanted.values(self.backend)?))
    }

    pub(crate) fn phones(&self, wanted: &Wanted<'_>) -> Result<Statement, Fault> {
        let text = self.phones.of(wanted);
        Ok(self.statement(text, wanted.values(self.backend)?))
    }

    /// Claims messages for a route that are due at `now` until `lease_end`.
    pub(crate) fn claim(&self, route: &str, now: i64, lease_end: i64, most: u32) -> Statement {
        self.statement(
            &self.claim,
            vec![
                route.into(),
                now.into(),
                lease_end.into(),
                i64::from(most).into(),
            ],
        )
    }

    /// Removes messages, each unless another worker has claimed it since: a JSON array of objects with `id` and
    /// `attempts`.
    pub(crate) fn remove_messages(&self, json: String) -> Statement {
        self.statement(&self.remove_messages, vec![json.into()])
    }

    /// Writes what became of messages, each unless another worker has claimed it since: a JSON array of objects
    /// with `id`, `attempts` and the columns of `SETTLED` in `sql/messages.rs`.
    pub(crate) fn settle_messages(&self, json: String) -> Statement {
        self.statement(&self.settle_messages, vec![json.into()])
    }

    pub(crate) fn awaited_routes(&self) -> Statement {
        self.statement(&self.awaited_routes, Vec::new())
    }

    /// Removes messages older than an id of which nothing more is tried.
    pub(crate) fn purge_messages(&self, oldest: &str, most: u32) -> Statement {
        self.statement(
            &self.purge_messages,
            vec![oldest.into(), i64::from(most).into()],
        )
    }

    /// Erases the numbers of messages that a route has and of which nothing was heard in time.
    pub(crate) fn erase_numbers(&self, now: i64, most: u32) -> Statement {
        self.statement(
            &self.erase_numbers,
            vec![now.into(), i64::from(most).into()],
        )
    }

    pub(crate) fn purge_budgets(&self, now: i64, most: u32) -> Statement {
        self.statement(
            &self.purge_budgets,
            vec![now.into(), i64::from(most).into()],
        )
    }

    pub(crate) fn purge_deleted(&self, now: i64, most: u32) -> Statement {
        self.statement(
            &self.purge_deleted,
            vec![now.into(), i64::from(most).into()],
        )
    }

    pub(crate) fn purge_opt_outs(&self, now: i64, most: u32) -> Statement {
        self.statement(
            &self.purge_opt_outs,
            vec![now.into(), i64::from(most).into()],
        )
    }

    pub(crate) fn purge_calls(&self, now: i64, most: u32) -> Statement {
        self.statement(&self.purge_calls, vec![now.into(), i64::from(most).into()])
    }

    /// Which of these ids of numbers there are.
    pub(crate) fn taken_ids<'a>(
        &self,
        ids: impl Iterator<Item = &'a str>,
    ) -> Result<Statement, Fault> {
        Ok(self.statement(&self.taken_ids, vec![keys(self.backend, ids)?]))
    }

    /// Writes something small that hurts nobody, to know whether writing works. On PostgreSQL a row that
    /// somebody else holds is passed over: a server that takes no writes refuses to ask for it as well.
    pub(crate) fn touch(&self, now: i64) -> Statement {
        let sql = match self.backend {
            DbBackend::Postgres => {
                "UPDATE liveness SET touched_at = $1 \
                 WHERE id = (SELECT id FROM liveness WHERE id = 1 FOR UPDATE SKIP LOCKED)"
            }
            _ => "UPDATE liveness SET touched_at = $1 WHERE id = 1",
        };
        self.statement(sql, vec![now.into()])
    }
}

/// The rows of the accounts in `k`, which come first.
fn whole(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => "k AS accounts",
        _ => {
            "k CROSS JOIN accounts ON accounts.user_id = k.user_id \
             AND accounts.organization_id = k.organization_id"
        }
    }
}

/// The numbers of the accounts in `k`, which come first.
fn numbers(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Postgres => {
            "k CROSS JOIN LATERAL (SELECT * FROM phone_numbers WHERE phone_numbers.user_id = k.user_id \
             AND phone_numbers.organization_id = k.organization_id OFFSET 0) AS phone_numbers"
        }
        _ => {
            "k CROSS JOIN phone_numbers ON phone_numbers.user_id = k.user_id \
             AND phone_numbers.organization_id = k.organization_id"
        }
    }
}

/// Every account in `k`, with its numbers, as one JSON array.
fn whole_accounts(backend: DbBackend, tables: &Tables) -> String {
    let phones = format!(
        "(SELECT {} FROM phone_numbers WHERE phone_numbers.user_id = accounts.user_id \
         AND phone_numbers.organization_id = accounts.organization_id)",
        json_list(backend, &tables.phones.as_json(backend))
    );
    let account = json_array(
        backend,
        &format!("{}, {phones}", tables.accounts.as_json(backend)),
    );
    format!(
        "(SELECT {} FROM {})",
        json_list(backend, &account),
        whole(backend)
    )
}

fn what_decides(backend: DbBackend, tables: &Tables) -> String {
    let held = format!("SELECT phone_numbers.pseudonym FROM {}", numbers(backend));
    let wanted = match backend {
        DbBackend::Postgres => "pseudonym = ANY($4 || ARRAY(SELECT pseudonym FROM held))",
        _ => "pseudonym IN (SELECT value FROM json_each($4) UNION ALL SELECT pseudonym FROM held)",
    };
    let of_numbers = |table: &Table| {
        let rows = json_list(backend, &table.as_json(backend));
        format!("(SELECT {rows} FROM {} WHERE {wanted})", table.name)
    };
    let budgets = of_numbers(&tables.budgets);
    let opted_out = of_numbers(&tables.opt_outs);
    let deleted = format!(
        "(SELECT {} FROM deleted_accounts WHERE {})",
        json_list(backend, &tables.deleted.as_json(backend)),
        among(backend, "pseudonym", 5)
    );
    let accounts = whole_accounts(backend, tables);
    let all = match backend {
        DbBackend::Postgres => json_array(
            backend,
            &format!("{accounts}, {budgets}, {deleted}, {opted_out}"),
        ),
        // A subquery's text would otherwise be a text within the array.
        _ => json_array(
            backend,
            &format!("json({accounts}), json({budgets}), json({deleted}), json({opted_out})"),
        ),
    };
    format!(", held AS MATERIALIZED ({held}) SELECT CAST({all} AS text)")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_statement_does_not_depend_on_its_rows() {
        for backend in [DbBackend::Sqlite, DbBackend::Postgres] {
            let sql = Sql::new(backend);
            let text = |ids: &[&'static str], anywhere: &[&'static str]| {
                let wanted = Wanted {
                    exact: ids.iter().map(|id| ("o", *id)).collect(),
                    anywhere: anywhere.iter().copied().collect(),
                };
                let ids = || ids.iter().copied();
                let all = [
                    sql.accounts(&wanted),
                    sql.what_decides(&wanted, ids(), ids()),
                    sql.challenges(&wanted),
                    sql.phones(&wanted),
                ];
                all.map(|statement| statement.expect("must be made").sql)
            };
            let injected = "'; DROP TABLE accounts";
            assert_eq!(text(&["a"], &[]), text(&["a", injected, "c"], &[]));
            assert_eq!(text(&[], &["a"]), text(&[], &[injected, "c"]));
            assert_eq!(text(&["a"], &["b"]), text(&["a", "b"], &[injected, "c"]));
        }
    }

    #[test]
    fn only_postgres_locks_rows() {
        let texts = |backend| {
            let sql = Sql::new(backend);
            [sql.claim, sql.purge_budgets]
        };
        for text in texts(DbBackend::Postgres) {
            assert!(text.contains("FOR UPDATE"), "{text}");
        }
        for text in texts(DbBackend::Sqlite) {
            assert!(!text.contains("FOR UPDATE"), "{text}");
        }
    }
}
