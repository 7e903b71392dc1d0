//! What the tests of several packages share: a database of its own for each test.

use sea_orm::{ConnectionTrait, Database as Connection};

/// A fresh database, gone with this value.
pub struct Database {
    /// As `database.url` takes it.
    pub url: String,
    gone: Gone,
}

/// The address of the server for tests, with a database to connect to.
pub fn server() -> String {
    std::env::var("RINGBACK_TEST_POSTGRES").expect(
        "RINGBACK_TEST_POSTGRES names no server: run scripts/test, or scripts/postgres COMMAND",
    )
}

enum Gone {
    File(#[expect(dead_code, reason = "deletes the directory when dropped")] tempfile::TempDir),
    Schema { admin: String, name: String },
}

impl Database {
    /// A new SQLite file, in a directory of its own.
    pub async fn sqlite() -> Database {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let url = format!("sqlite:{}", directory.path().join("ringback.db").display());
        Database {
            url,
            gone: Gone::File(directory),
        }
    }

    /// A new database on the server that `scripts/test` started.
    pub async fn postgres() -> Database {
        let admin = server();
        let name = format!("ringback_test_{}", unique());
        let connection = Connection::connect(&admin).await.expect("the test server");
        connection
            .execute_unprepared(&format!("CREATE DATABASE {name}"))
            .await
            .expect("a new database");
        connection.close().await.expect("closing");
        let (server, _) = admin.rsplit_once('/').expect("an address with a database");
        Database {
            url: format!("{server}/{name}"),
            gone: Gone::Schema { admin, name },
        }
    }

    /// One more database on the same kind of server.
    pub async fn another(&self) -> Database {
        match self.gone {
            Gone::File(_) => Database::sqlite().await,
            Gone::Schema { .. } => Database::postgres().await,
        }
    }

    /// Runs a statement beside the program.
    pub async fn execute(&self, sql: &str) {
        let connection = Connection::connect(&self.url)
            .await
            .expect("the test's database");
        connection
            .execute_unprepared(sql)
            .await
            .expect("a statement that holds");
        connection.close().await.expect("closing");
    }

    /// Takes a database away from whoever uses it; only on PostgreSQL.
    pub async fn vanish(&self) {
        let Gone::Schema { admin, name } = &self.gone else {
            panic!("a file cannot be taken away from who has it open");
        };
        let connection = Connection::connect(admin).await.expect("the test server");
        let sql = format!("DROP DATABASE {name} WITH (FORCE)");
        connection
            .execute_unprepared(&sql)
            .await
            .expect("dropping the database");
        connection.close().await.expect("closing");
    }

    /// Every row of every table as text, as a dump would show it.
    pub async fn dump(&self) -> String {
        let connection = Connection::connect(&self.url)
            .await
            .expect("the test's database");
        let mut dump = String::new();
        for table in [
            "accounts",
            "phone_numbers",
            "budgets",
            "messages",
            "events",
            "idempotency",
        ] {
            let sql = match table {
                // What waits to go on record and what is there, as they were at one moment.
                "events" => {
                    let waiting = as_texts(&connection, "events").await;
                    let on_record = as_texts(&connection, "journal").await;
                    format!("{waiting} UNION ALL {on_record}")
                }
                table => as_texts(&connection, table).await,
            };
            let rows = connection
                .query_all_raw(statement(&connection, &sql))
                .await
                .expect("rows");
            for row in rows {
                dump.push_str(table);
                dump.push(' ');
                dump.push_str(&row.try_get_by_index::<String>(0).expect("a text"));
                dump.push('\n');
            }
        }
        connection.close().await.expect("closing");
        dump
    }

    /// Every byte of an SQLite database's files, or what `pg_dump` writes of one on PostgreSQL.
    pub fn bytes(&self) -> Vec<u8> {
        if let Some(file) = self.url.strip_prefix("sqlite:") {
            let files = ["", "-wal", "-shm", "-journal"].map(|end| format!("{file}{end}"));
            let read = files.iter().filter_map(|file| std::fs::read(file).ok());
            return read.flatten().collect();
        }
        let dump = std::process::Command::new(pg_dump())
            .arg(&self.url)
            .output()
            .expect("pg_dump");
        let told = String::from_utf8_lossy(&dump.stderr);
        assert!(dump.status.success(), "{told}");
        dump.stdout
    }

    /// The names of all tables; only on SQLite.
    pub async fn tables(&self) -> Vec<String> {
        let connection = Connection::connect(&self.url)
            .await
            .expect("the test's database");
        let sql =
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
        let rows = connection.query_all_raw(statement(&connection, sql)).await;
        let rows = rows.expect("a question that holds");
        let names = rows
            .iter()
            .map(|row| row.try_get_by_index(0).expect("a name"));
        let names = names.collect();
        connection.close().await.expect("closing");
        names
    }

    /// How many rows a table has, or those of it that a condition after its name is true of.
    pub async fn count(&self, table: &str) -> usize {
        let connection = Connection::connect(&self.url)
            .await
            .expect("the test's database");
        let sql = format!("SELECT count(*) FROM {table}");
        let row = connection.query_one_raw(statement(&connection, &sql)).await;
        let row = row.expect("a question that holds").expect("a row");
        let count: i64 = row.try_get_by_index(0).expect("a number");
        connection.close().await.expect("closing");
        usize::try_from(count).expect("not negative")
    }

    /// The sequences of what changed a user, in order.
    pub async fn sequences(&self, user: &str) -> Vec<i64> {
        let connection = Connection::connect(&self.url)
            .await
            .expect("the test's database");
        // Those that wait to go on record, and those that are.
        let sql = format!(
            "SELECT sequence FROM events WHERE user_id = '{user}' AND sequence > 0 UNION ALL \
             SELECT sequence FROM journal WHERE user_id = '{user}' AND sequence > 0 ORDER BY sequence"
        );
        let rows = connection
            .query_all_raw(statement(&connection, &sql))
            .await
            .expect("rows");
        connection.close().await.expect("closing");
        let sequence = |row: &sea_orm::QueryResult| row.try_get_by_index(0).expect("a number");
        rows.iter().map(sequence).collect()
    }

    /// How many events there are with these words, such as a user, a kind or a cause, as columns.
    pub async fn events(&self, columns: &[&str]) -> usize {
        let dump = self.dump().await;
        let events = dump.lines().filter_map(|line| line.strip_prefix("events "));
        let has = |line: &str, column: &&str| line.split(['|', '"']).any(|part| part == *column);
        events
            .filter(|line| columns.iter().all(|column| has(line, column)))
            .count()
    }
}

/// A question for the rows of a table, each as a text.
async fn as_texts(connection: &sea_orm::DatabaseConnection, table: &str) -> String {
    if connection.get_database_backend() == sea_orm::DbBackend::Postgres {
        return format!("SELECT row_to_json(t)::text FROM {table} t");
    }
    let columns = format!("SELECT name FROM pragma_table_info('{table}')");
    let columns = connection
        .query_all_raw(statement(connection, &columns))
        .await;
    let columns: Vec<String> = columns
        .expect("the columns")
        .iter()
        .map(|row| row.try_get_by_index::<String>(0).expect("a name"))
        .map(|name| format!("coalesce({name}, '')"))
        .collect();
    format!("SELECT {} FROM {table}", columns.join(" || '|' || "))
}

/// Debian keeps the server's programs off the path, and those of the newest one read the databases of all.
fn pg_dump() -> std::path::PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql");
    let versions = versions.into_iter().flatten().flatten();
    let programs = versions.map(|version| version.path().join("bin/pg_dump"));
    let newest = programs.filter(|program| program.exists()).max();
    newest.unwrap_or_else(|| "pg_dump".into())
}

fn statement(connection: &sea_orm::DatabaseConnection, sql: &str) -> sea_orm::Statement {
    sea_orm::Statement::from_string(connection.get_database_backend(), sql)
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Gone::Schema { admin, name } = &self.gone {
            let (admin, name) = (admin.clone(), name.clone());
            #[expect(clippy::disallowed_methods, reason = "waited for at once")]
            // Dropped outside of any runtime as well as inside one, so it brings its own.
            let dropping = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .expect("a runtime");
                runtime.block_on(async {
                    let connection = Connection::connect(&admin).await.expect("the test server");
                    let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                    connection
                        .execute_unprepared(&sql)
                        .await
                        .expect("dropping the database");
                });
            });
            dropping.join().expect("dropping the database");
        }
    }
}

/// A name that no other test of this run has.
fn unique() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!(
        "{}_{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}
