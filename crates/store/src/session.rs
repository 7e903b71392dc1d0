//! One connection to a database, as sea-orm sees one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sea_orm::sea_query::Values;
use sea_orm::sqlx::database::HasStatementCache;
use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::query::Query;
use sea_orm::sqlx::sqlite::SqliteConnection;
use sea_orm::sqlx::{AssertSqlSafe, Database, Error, Executor, IntoArguments, Postgres, Sqlite};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, RuntimeErr, Statement};
use sea_query_sqlx::SqlxValues;
use tokio::sync::Mutex;

use crate::fault::Fault;

/// A connection that nobody shares and no pool owns: dropping it ends it without a word to the database, so
/// that one that has fallen silent cannot hold anybody up.
pub(crate) struct Session {
    backend: DbBackend,
    connection: Mutex<Connection>,
    /// Ends the statement that runs, on SQLite, where nobody else could.
    stop: Option<Arc<AtomicBool>>,
}

enum Connection {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl Session {
    pub(crate) fn postgres(connection: PgConnection) -> Session {
        Session {
            backend: DbBackend::Postgres,
            connection: Mutex::new(Connection::Postgres(connection)),
            stop: None,
        }
    }

    /// SQLite's statements end when this value is dropped: it asks every some thousand steps.
    pub(crate) async fn sqlite(mut connection: SqliteConnection) -> Result<Session, Error> {
        const STEPS: i32 = 5_000;
        let stop = Arc::new(AtomicBool::new(false));
        let asked = stop.clone();
        connection
            .lock_handle()
            .await?
            .set_progress_handler(STEPS, move || !asked.load(Ordering::Relaxed));
        Ok(Session {
            backend: DbBackend::Sqlite,
            connection: Mutex::new(Connection::Sqlite(connection)),
            stop: Some(stop),
        })
    }

    /// What several questions find, all as of one moment.
    pub(crate) async fn at_one_moment<T>(
        &self,
        finding: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Fault> {
        let begin = match self.backend {
            DbBackend::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            // The first question says which moment.
            _ => "BEGIN",
        };
        self.execute_unprepared(begin).await?;
        let found = finding.await;
        let ended = self.execute_unprepared("COMMIT").await;
        // Nobody is to work in what may not have ended.
        ended.map_err(|error| Fault::Unavailable(format!("a list did not end: {error}")))?;
        found
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(stop) = &self.stop {
            stop.store(true, Ordering::Relaxed);
        }
    }
}

/// A statement with more values than this is as long as what it is about, and hardly comes again as it is. It would be
/// kept for nothing: some hundred KiB each, here and at the server.
const REPEATED: usize = 64;

fn query<DB: Database + HasStatementCache>(statement: &Statement) -> Query<'_, DB, SqlxValues>
where
    SqlxValues: IntoArguments<DB>,
{
    let values = statement.values.clone();
    let values = values.unwrap_or_else(|| Values(Vec::new()));
    let kept = values.0.len() <= REPEATED;
    let sql = AssertSqlSafe(statement.sql.as_str());
    sea_orm::sqlx::query_with(sql, SqlxValues(values)).persistent(kept)
}

fn executed(error: Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
}

fn queried(error: Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(error)))
}

#[async_trait::async_trait]
impl ConnectionTrait for Session {
    fn get_database_backend(&self) -> DbBackend {
        self.backend
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        match &mut *self.connection.lock().await {
            Connection::Postgres(connection) => query::<Postgres>(&statement)
                .execute(connection)
                .await
                .map(ExecResult::from),
            Connection::Sqlite(connection) => query::<Sqlite>(&statement)
                .execute(connection)
                .await
                .map(ExecResult::from),
        }
        .map_err(executed)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        let sql = AssertSqlSafe(sql.to_owned());
        match &mut *self.connection.lock().await {
            Connection::Postgres(connection) => connection.execute(sql).await.map(ExecResult::from),
            Connection::Sqlite(connection) => connection.execute(sql).await.map(ExecResult::from),
        }
        .map_err(executed)
    }

    /// Reads to the end even where one row is all there is: PostgreSQL sends a statement's rows before it
    /// commits, and only its last word says that it has.
    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        let rows = self.query_all_raw(statement).await?;
        Ok(rows.into_iter().next())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        match &mut *self.connection.lock().await {
            Connection::Postgres(connection) => query::<Postgres>(&statement)
                .fetch_all(connection)
                .await
                .map(|rows| rows.into_iter().map(QueryResult::from).collect()),
            Connection::Sqlite(connection) => query::<Sqlite>(&statement)
                .fetch_all(connection)
                .await
                .map(|rows| rows.into_iter().map(QueryResult::from).collect()),
        }
        .map_err(queried)
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use ringback_testing::Database;
    use sea_orm::sqlx::ConnectOptions;
    use sea_orm::sqlx::postgres::PgConnectOptions;

    use super::*;

    #[tokio::test]
    async fn statements_as_long_as_what_they_are_about_are_not_kept_on_postgres() {
        let database = Database::postgres().await;
        let options = PgConnectOptions::from_str(&database.url).expect("an address");
        let session = Session::postgres(options.connect().await.expect("a server"));
        let asks = async |values: usize| {
            let places = (1..=values).map(|n| format!("${n}::int"));
            let places = places.collect::<Vec<_>>().join(", ");
            let values = (0..values).map(|n| i32::try_from(n).expect("few").into());
            let sql = format!("SELECT 1 WHERE 1 IN ({places})");
            let asked = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
            let found = session.query_all_raw(asked).await;
            assert_eq!(found.expect("must answer").len(), 1);
        };
        for values in [2, 3, REPEATED, REPEATED + 1, 500] {
            asks(values).await;
        }
        let kept = Statement::from_string(
            DbBackend::Postgres,
            "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'SELECT 1 %'",
        );
        let kept = session.query_one_raw(kept).await.expect("must answer");
        let kept: i64 = kept.expect("a row").try_get_by_index(0).expect("a number");
        assert_eq!(kept, 3);
    }
}
