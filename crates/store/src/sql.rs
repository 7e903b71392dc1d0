//! The statements that read, and those for messages. How many rows one touches is a matter of its parameters:
//! arrays of keys, and rows as a JSON text. So there are few texts, and each is prepared once.

use sea_orm::sea_query::ArrayType;
use sea_orm::{DbBackend, Statement, Value};

use crate::fault::Fault;
use crate::table::{Table, json_array, json_list};
use crate::writes::{Tables, Writes};

/// The statements for one kind of database.
pub(crate) struct Sql {
    pub(crate) backend: DbBackend,
    accounts: String,
    accounts_and_budgets: String,
    challenges: String,
    phones: String,
    claim: String,
    remove_messages: String,
    postpone_messages: String,
    purge_budgets: String,
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
            accounts: format!("SELECT CAST({} AS text)", whole_accounts(backend, tables)),
            accounts_and_budgets: accounts_and_budgets(backend, tables),
            challenges: format!(
                "SELECT user_id, challenges FROM accounts WHERE {}",
                among(backend, "user_id", 1)
            ),
            phones: format!(
                "SELECT {} FROM phone_numbers WHERE {} ORDER BY id",
                tables.phones.names(""),
                among(backend, "user_id", 1)
            ),
            claim: format!(
                "UPDATE outbox SET due_at = $2, attempts = attempts + 1 WHERE id {} RETURNING {}",
                once(&format!(
                    "SELECT id FROM outbox WHERE due_at <= $1 ORDER BY due_at LIMIT $3{skip}"
                )),
                messages.names("")
            ),
            remove_messages: format!("DELETE FROM outbox WHERE {}", among(backend, "id", 1)),
            postpone_messages: postpone(backend, messages),
            purge_budgets: format!(
                "DELETE FROM budgets WHERE pseudonym {} AND idle_at <= $1",
                once(&format!(
                    "SELECT pseudonym FROM budgets WHERE idle_at <= $1 LIMIT $2{skip}"
                ))
            ),
            writes,
        }
    }

    fn statement(&self, sql: &str, values: Vec<Value>) -> Statement {
        Statement::from_sql_and_values(self.backend, sql, values)
    }

    /// One text, because handing over a row costs more than reading it: a JSON array of accounts, each an
    /// array of its row and the list of its numbers' rows, in any order.
    pub(crate) fn accounts<'a>(
        &self,
        ids: impl Iterator<Item = &'a str>,
    ) -> Result<Statement, Fault> {
        Ok(self.statement(&self.accounts, vec![keys(self.backend, ids)?]))
    }

    /// The same beside the budgets of these pseudonyms and of every number that the accounts hold, all as
    /// they were at one moment: an array of the two lists.
    pub(crate) fn accounts_and_budgets<'a>(
        &self,
        ids: impl Iterator<Item = &'a str>,
        pseudonyms: impl Iterator<Item = &'a str>,
    ) -> Result<Statement, Fault> {
        let values = vec![keys(self.backend, ids)?, keys(self.backend, pseudonyms)?];
        Ok(self.statement(&self.accounts_and_budgets, values))
    }

    pub(crate) fn challenges<'a>(
        &self,
        ids: impl Iterator<Item = &'a str>,
    ) -> Result<Statement, Fault> {
        Ok(self.statement(&self.challenges, vec![keys(self.backend, ids)?]))
    }

    pub(crate) fn phones<'a>(
        &self,
        ids: impl Iterator<Item = &'a str>,
    ) -> Result<Statement, Fault> {
        Ok(self.statement(&self.phones, vec![keys(self.backend, ids)?]))
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

    /// Makes messages due again, each unless another worker has claimed it since: a JSON array of objects
    /// with `id`, `due_at` and `attempts`.
    pub(crate) fn postpone_messages(&self, json: String) -> Statement {
        self.statement(&self.postpone_messages, vec![json.into()])
    }

    pub(crate) fn purge_budgets(&self, now: i64, most: u32) -> Statement {
        self.statement(
            &self.purge_budgets,
            vec![now.into(), i64::from(most).into()],
        )
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

/// Every account among the keys in parameter 1, with its numbers, as one JSON array.
fn whole_accounts(backend: DbBackend, tables: &Tables) -> String {
    let phones = format!(
        "(SELECT {} FROM phone_numbers WHERE phone_numbers.user_id = accounts.user_id)",
        json_list(backend, &tables.phones.as_json(backend))
    );
    let whole = json_array(
        backend,
        &format!("{}, {phones}", tables.accounts.as_json(backend)),
    );
    format!(
        "(SELECT {} FROM accounts WHERE {})",
        json_list(backend, &whole),
        among(backend, "accounts.user_id", 1),
    )
}

fn accounts_and_budgets(backend: DbBackend, tables: &Tables) -> String {
    let held = format!(
        "SELECT pseudonym FROM phone_numbers WHERE {}",
        among(backend, "user_id", 1)
    );
    let wanted = match backend {
        DbBackend::Postgres => format!("pseudonym = ANY($2 || ARRAY({held}))"),
        _ => format!("pseudonym IN (SELECT value FROM json_each($2) UNION ALL {held})"),
    };
    let budgets = format!(
        "(SELECT {} FROM budgets WHERE {wanted})",
        json_list(backend, &tables.budgets.as_json(backend))
    );
    let accounts = whole_accounts(backend, tables);
    let both = match backend {
        DbBackend::Postgres => json_array(backend, &format!("{accounts}, {budgets}")),
        // A subquery's text would otherwise be a text within the array.
        _ => json_array(backend, &format!("json({accounts}), json({budgets})")),
    };
    format!("SELECT CAST({both} AS text)")
}

fn postpone(backend: DbBackend, messages: &Table) -> String {
    let source = messages.source(backend, 1, |name| {
        ["id", "due_at", "attempts"].contains(&name)
    });
    format!(
        "UPDATE outbox SET due_at = r.due_at FROM {source} \
         WHERE outbox.id = r.id AND outbox.attempts = r.attempts"
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_statement_does_not_depend_on_its_rows() {
        for backend in [DbBackend::Sqlite, DbBackend::Postgres] {
            let sql = Sql::new(backend);
            let text = |ids: &[&str]| {
                let ids = || ids.iter().copied();
                let all = [
                    sql.accounts(ids()),
                    sql.accounts_and_budgets(ids(), ids()),
                    sql.challenges(ids()),
                    sql.phones(ids()),
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
