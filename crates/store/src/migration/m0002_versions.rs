//! Versions that guard rows, pseudonyms beside numbers, folded names, and two tables of one row each.

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, FromQueryResult, Statement, Value,
};

use super::Step;
use crate::fold::fold;

pub(super) struct Versions;

/// The texts that are folded, named alike in both tables.
const NAMES: [&str; 6] = [
    "username",
    "given_name",
    "family_name",
    "nick_name",
    "display_name",
    "email",
];

/// Rows that are folded at once.
const ROWS: usize = 1_000;

#[async_trait::async_trait]
impl Step for Versions {
    fn name(&self) -> &'static str {
        "m0002_versions"
    }

    async fn up(&self, database: &DatabaseTransaction) -> Result<(), DbErr> {
        // Texts are ordered by bytes on both databases.
        let text = match database.get_database_backend() {
            DbBackend::Postgres => "text COLLATE \"C\"",
            _ => "text",
        };
        let number = match database.get_database_backend() {
            DbBackend::Postgres => "bigint",
            _ => "integer",
        };
        let names = NAMES.map(|name| format!("{name} {text} NOT NULL"));
        for sql in [
            format!("ALTER TABLE accounts ADD COLUMN version {number} NOT NULL DEFAULT 0"),
            format!("ALTER TABLE budgets ADD COLUMN version {number} NOT NULL DEFAULT 0"),
            format!("ALTER TABLE budgets ADD COLUMN kind {text} NOT NULL DEFAULT 'number'"),
            format!("ALTER TABLE phone_numbers ADD COLUMN pseudonym {text} NOT NULL DEFAULT ''"),
            format!(
                "CREATE TABLE account_names (user_id {text} NOT NULL PRIMARY KEY, {})",
                names.join(", ")
            ),
            format!(
                "CREATE TABLE schema_version (id {number} NOT NULL PRIMARY KEY, \
                 needs_at_least {number} NOT NULL)"
            ),
            // What was there before has no guards and would miss changes of what has.
            "INSERT INTO schema_version (id, needs_at_least) VALUES (1, 2)".to_owned(),
            format!(
                "CREATE TABLE liveness (id {number} NOT NULL PRIMARY KEY, \
                 touched_at {number} NOT NULL)"
            ),
            "INSERT INTO liveness (id, touched_at) VALUES (1, 0)".to_owned(),
        ] {
            database.execute_unprepared(&sql).await?;
        }
        fold_names(database).await
    }
}

#[derive(FromQueryResult)]
struct Names {
    user_id: String,
    username: String,
    given_name: String,
    family_name: String,
    nick_name: String,
    display_name: String,
    email: String,
}

/// The database folds what is all ASCII, which is quick; the rest is folded here.
async fn fold_names(database: &DatabaseTransaction) -> Result<(), DbErr> {
    let backend = database.get_database_backend();
    let columns = NAMES.join(", ");
    let bytes = |name: &str| match backend {
        DbBackend::Postgres => format!("octet_length({name})"),
        _ => format!("length(CAST({name} AS blob))"),
    };
    let is_ascii = NAMES
        .map(|name| format!("{} = length({name})", bytes(name)))
        .join(" AND ");
    let lower = NAMES.map(|name| format!("lower({name})")).join(", ");
    let sql = format!(
        "INSERT INTO account_names (user_id, {columns}) \
         SELECT user_id, {lower} FROM accounts WHERE {is_ascii}"
    );
    database.execute_unprepared(&sql).await?;

    let mut after = String::new();
    loop {
        let rest = Statement::from_sql_and_values(
            backend,
            format!(
                "SELECT user_id, {columns} FROM accounts \
                 WHERE user_id > $1 AND NOT ({is_ascii}) ORDER BY user_id LIMIT {ROWS}"
            ),
            [after.into()],
        );
        let rows = database.query_all_raw(rest).await?;
        let rows = rows
            .iter()
            .map(|row| Names::from_query_result(row, ""))
            .collect::<Result<Vec<_>, _>>()?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = last.user_id.clone();
        for row in rows {
            let texts = [
                row.username,
                row.given_name,
                row.family_name,
                row.nick_name,
                row.display_name,
                row.email,
            ]
            .map(|text| Value::from(fold(&text)));
            let values = [Value::from(row.user_id)].into_iter().chain(texts);
            let insert = format!(
                "INSERT INTO account_names (user_id, {columns}) VALUES ($1, $2, $3, $4, $5, $6, $7)"
            );
            let insert = Statement::from_sql_and_values(backend, insert, values);
            database.execute_raw(insert).await?;
        }
    }
}
