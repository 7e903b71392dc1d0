//! Rows by the million, put where the store would have put them.

use std::ops::Range;

use anyhow::Context;
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row, SqliteConnection, raw_sql,
};

use crate::ids::{FIRST_NUMBER, ID_COUNT, NUMBER_COUNT, STRIDE, user};

/// Rows in one statement: enough to be fast, few enough to be bounded.
const CHUNK: u64 = 50_000;
/// When seeded users were registered: one a millisecond from here on, in microseconds since 1970.
const EPOCH: u64 = 1_700_000_000_000_000;

/// A database whose tables `ringback` made.
pub(crate) enum SeedDatabase {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// What a seeded user has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeedWith {
    /// A profile and no number.
    Nothing,
    /// A primary number, verified for every other user.
    Number,
}

impl SeedDatabase {
    /// Connects to an address as in `database.url`.
    pub(crate) async fn open(url: &str) -> anyhow::Result<SeedDatabase> {
        if url.starts_with("postgres") {
            let connection = PgConnection::connect(url).await;
            return Ok(SeedDatabase::Postgres(
                connection.context("the database cannot be reached")?,
            ));
        }
        let options: SqliteConnectOptions = url.parse()?;
        let mut connection = options
            // What is lost in a crash is seeded again.
            .synchronous(SqliteSynchronous::Off)
            .busy_timeout(std::time::Duration::from_secs(30))
            .pragma("cache_size", "-262144")
            .connect()
            .await
            .context("the database cannot be opened")?;
        raw_sql("PRAGMA temp_store = MEMORY")
            .execute(&mut connection)
            .await?;
        Ok(SeedDatabase::Sqlite(connection))
    }

    /// Runs statements that answer nothing.
    pub(crate) async fn execute(&mut self, sql: &str) -> anyhow::Result<()> {
        let sql = raw_sql(AssertSqlSafe(sql.to_owned()));
        match self {
            SeedDatabase::Sqlite(connection) => sql.execute(connection).await.map(|_| ())?,
            SeedDatabase::Postgres(connection) => sql.execute(connection).await.map(|_| ())?,
        }
        Ok(())
    }

    /// The one number that a query answers with.
    pub(crate) async fn count(&mut self, sql: &str) -> anyhow::Result<i64> {
        let sql = raw_sql(AssertSqlSafe(sql.to_owned()));
        Ok(match self {
            SeedDatabase::Sqlite(connection) => sql.fetch_one(connection).await?.try_get(0)?,
            SeedDatabase::Postgres(connection) => sql.fetch_one(connection).await?.try_get(0)?,
        })
    }

    pub(crate) async fn close(self) -> anyhow::Result<()> {
        match self {
            SeedDatabase::Sqlite(connection) => connection.close().await?,
            SeedDatabase::Postgres(connection) => connection.close().await?,
        }
        Ok(())
    }

    /// Adds users; those that are there already stay as they are.
    pub(crate) async fn seed(&mut self, users: Range<u64>, with: SeedWith) -> anyhow::Result<()> {
        // An older program, which another is measured against, has no table of folded names.
        let names = self
            .count("SELECT count(*) FROM account_names WHERE user_id = ''")
            .await;
        let names = names.is_ok();
        let mut from = users.start;
        while from < users.end {
            let to = users.end.min(from + CHUNK);
            self.execute(&self.statements(from..to, with, names))
                .await
                .context("the tables are not as expected; run `ringback migrate` first")?;
            from = to;
        }
        Ok(())
    }

    /// Adds the first `count` users with numbers, unless the last of them shows that they are there: to
    /// look at a million rows once more would take as long as adding them.
    pub(crate) async fn seed_once(&mut self, count: u64) -> anyhow::Result<()> {
        let last = user(count.saturating_sub(1));
        let found = format!("SELECT count(*) FROM phone_numbers WHERE user_id = '{last}'");
        if self.count(&found).await? > 0 {
            return Ok(());
        }
        self.seed(0..count, SeedWith::Number).await
    }

    /// Lets the database finish what seeding left to be done, so that it is not measured.
    pub(crate) async fn settle(&mut self) -> anyhow::Result<()> {
        match self {
            SeedDatabase::Sqlite(_) => self.execute("PRAGMA wal_checkpoint(TRUNCATE)").await,
            SeedDatabase::Postgres(_) => {
                self.execute("VACUUM (ANALYZE) accounts, phone_numbers, events")
                    .await?;
                // Not every owner of a database may do this, and it only makes the start calmer.
                drop(self.execute("CHECKPOINT").await);
                Ok(())
            }
        }
    }

    /// One transaction that adds the users of a range, in the words of this database.
    fn statements(&self, users: Range<u64>, with: SeedWith, names: bool) -> String {
        let (from, last) = (users.start, users.end - 1);
        let (series, digits, hex) = match self {
            SeedDatabase::Postgres(_) => (
                format!("generate_series({from}::bigint, {last}::bigint) AS s(n)"),
                format!("lpad((n * {STRIDE} % {ID_COUNT})::text, 10, '0')"),
                (|value: &str| format!("lpad(to_hex({value}), 12, '0')")) as fn(&str) -> String,
            ),
            SeedDatabase::Sqlite(_) => (
                format!(
                    "(WITH RECURSIVE s(n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM s WHERE n < {last}) SELECT n FROM s) AS s"
                ),
                format!("printf('%010d', n * {STRIDE} % {ID_COUNT})"),
                (|value: &str| format!("printf('%012x', {value})")) as fn(&str) -> String,
            ),
        };
        let id_of_user = format!("'user-' || {digits}");
        let time = format!("({EPOCH} + n * 1000)");
        // Ids as the store makes them: hyphenated, version 7, ordered by time.
        let milliseconds = hex(&format!("({} + n)", EPOCH / 1_000));
        let id = |kind: &str| {
            format!(
                "substr({milliseconds}, 1, 8) || '-' || substr({milliseconds}, 9, 4) || '-{kind}-8000-' || {}",
                hex("n")
            )
        };
        let (phone_id, event_id) = (id("7000"), id("7001"));
        let mut sql = format!(
            "BEGIN;
            INSERT INTO events (id, user_id, organization_id, sequence, at, actor, kind)
            SELECT {event_id}, {id_of_user}, 'default', 1, {time}, 'load', 'account.registered'
            FROM {series} WHERE NOT EXISTS
                (SELECT 1 FROM accounts AS a WHERE a.user_id = {id_of_user} AND a.organization_id = 'default');
            INSERT INTO accounts (user_id, organization_id, sequence, created_at, changed_at, username, given_name,
                family_name, nick_name, display_name, preferred_language, gender, email, email_verified, challenges, limits)
            SELECT {id_of_user}, 'default', 1, {time}, {time}, {id_of_user}, 'Ann', 'Example', '', 'Ann Example', '', 0,
                {id_of_user} || '@example.com', false, '[]',
                '{{\"sends\":[],\"sets\":[],\"failures\":{{\"count\":0,\"last_at\":0}}}}'
            FROM {series} WHERE true ON CONFLICT DO NOTHING;"
        );
        if names {
            sql.push_str(&format!(
                "INSERT INTO account_names (user_id, organization_id, username, given_name, family_name, nick_name, display_name, email)
                SELECT {id_of_user}, 'default', {id_of_user}, 'ann', 'example', '', 'ann example', {id_of_user} || '@example.com'
                FROM {series} WHERE true ON CONFLICT DO NOTHING;"
            ));
        }
        if with == SeedWith::Number {
            sql.push_str(&format!(
                "INSERT INTO phone_numbers (id, user_id, organization_id, number, primary_number, verified_at, created_at, changed_at)
                SELECT {phone_id}, {id_of_user}, 'default', '+41' || ({FIRST_NUMBER} + n % {NUMBER_COUNT}), true,
                    CASE WHEN n % 2 = 0 THEN {time} END, {time}, {time}
                FROM {series} WHERE true ON CONFLICT DO NOTHING;"
            ));
        }
        sql.push_str("COMMIT;");
        sql
    }
}

#[cfg(test)]
mod tests;
