//! Makes connections: bounded in time, and only to a server that can be worked with.

use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous,
};
use sea_orm::sqlx::{
    AssertSqlSafe, ConnectOptions, Connection as _, Error as SqlxError, Row, raw_sql,
};
use sea_orm::{ConnectionTrait, DbBackend};

use crate::address::{backend, missing_directory, place};
use crate::fault::Fault;
use crate::health::Health;
use crate::session::Session;
use crate::{OpenError, Settings, files};

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Statements that find rows by their keys: lanes, lookups, messages.
    Keys,
    /// Lists and searches, which may read much.
    Lists,
}

/// How long anything may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// One statement or batch, or making a connection.
    pub(crate) statement: Duration,
    /// One list.
    pub(crate) list: Duration,
}

impl Limits {
    fn of(self, purpose: Purpose) -> Duration {
        match purpose {
            Purpose::Keys => self.statement,
            Purpose::Lists => self.list,
        }
    }
}

/// Makes connections to one database.
pub(crate) struct Dialer {
    pub(crate) health: Health,
    pub(crate) limits: Limits,
    to: Target,
}

enum Target {
    Postgres {
        options: Box<PgConnectOptions>,
        /// A pooler hands our transactions to one server connection after another, so that nothing may be
        /// set on any of them.
        pooled: bool,
    },
    Sqlite {
        options: Box<SqliteConnectOptions>,
        /// Which file it was that the first connection opened.
        file: OnceLock<files::Identity>,
        /// That connection: SQLite deletes the log when nobody has the database open.
        first: Mutex<Option<Session>>,
    },
}

/// How long an open server may refuse or be starting before a store that opens gives up.
const PATIENCE: Duration = Duration::from_secs(5);

impl Dialer {
    /// Reads an address. Nothing is connected or made yet.
    pub(crate) fn new(settings: &Settings) -> Result<Dialer, OpenError> {
        let url = &settings.url;
        // The driver quotes an address that it cannot read, password and all.
        let unreadable = |error: SqlxError| OpenError::Connect {
            place: place(url),
            reason: error.to_string().replace(url.as_str(), &place(url)),
        };
        let limits = Limits {
            statement: settings.timeout,
            list: settings.list_timeout,
        };
        let to = match backend(url)? {
            DbBackend::Postgres => Target::Postgres {
                options: Box::new(
                    PgConnectOptions::from_str(url)
                        .map_err(unreadable)?
                        .application_name("ringback")
                        // A startup parameter that poolers do not know, for numbers that we do not keep.
                        .extra_float_digits(None)
                        .statement_cache_capacity(256)
                        .disable_statement_logging(),
                ),
                pooled: false,
            },
            _ => Target::Sqlite {
                options: Box::new(sqlite_options(url, limits).map_err(unreadable)?),
                file: OnceLock::new(),
                first: Mutex::default(),
            },
        };
        Ok(Dialer {
            health: Health::default(),
            limits,
            to,
        })
    }

    /// The same, behind a pooler or not.
    pub(crate) fn pooled(mut self, is: bool) -> Dialer {
        if let Target::Postgres { pooled, .. } = &mut self.to {
            *pooled = is;
        }
        self
    }

    pub(crate) fn backend(&self) -> DbBackend {
        match self.to {
            Target::Postgres { .. } => DbBackend::Postgres,
            Target::Sqlite { .. } => DbBackend::Sqlite,
        }
    }

    /// The file of an SQLite database.
    pub(crate) fn file(&self) -> Option<&Path> {
        match &self.to {
            Target::Postgres { .. } => None,
            Target::Sqlite { options, .. } => Some(options.get_filename()),
        }
    }

    /// The first connection, which says why there is none. A server that is just starting is waited for.
    pub(crate) async fn first(&self, url: &str) -> Result<Session, OpenError> {
        let failed = |reason: String| OpenError::Connect {
            place: place(url),
            reason: reason.replace(url, &place(url)),
        };
        if let Some(file) = self.file() {
            if let Some(missing) = missing_directory(file) {
                return Err(failed(format!(
                    "the directory {} does not exist; create it",
                    missing.display()
                )));
            }
            files::create_private(file, false)
                .map_err(|error| failed(format!("unable to open database file: {error}")))?;
        }
        let until = Instant::now() + PATIENCE;
        loop {
            let fault = match self.try_dial(Purpose::Keys).await {
                Ok(session) => {
                    if let Some(file) = self.file() {
                        files::keep_private(file).map_err(|error| {
                            failed(format!("its files cannot be kept private: {error}"))
                        })?;
                        // A first question makes the log, which then is there for good.
                        let asked =
                            session.execute_unprepared("SELECT count(*) FROM sqlite_master");
                        asked.await.map_err(|error| failed(error.to_string()))?;
                        self.remember(file);
                    }
                    return Ok(session);
                }
                Err(fault) => fault,
            };
            if !matches!(fault, Fault::Unavailable(_)) || Instant::now() >= until {
                return Err(failed(match fault {
                    Fault::Unavailable(reason) | Fault::Failed(reason) => reason,
                    fault => fault.to_string(),
                }));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// One connection to a database that was there before: whatever stands in the way, it is away.
    pub(crate) async fn dial(&self, purpose: Purpose) -> Result<Session, Fault> {
        let dialed = self.try_dial(purpose).await;
        dialed.map_err(|fault| Fault::Unavailable(fault.to_string()))
    }

    /// One connection, within the limit of a statement, or why there is none.
    async fn try_dial(&self, purpose: Purpose) -> Result<Session, Fault> {
        let dialing = async {
            match &self.to {
                Target::Postgres { options, pooled } => {
                    let mut connection = connected(options).await?;
                    let settings = (!pooled).then(|| settings(purpose, self.limits));
                    let row = raw_sql(AssertSqlSafe(
                        settings.unwrap_or_default() + "SELECT pg_is_in_recovery()",
                    ))
                    .fetch_all(&mut connection)
                    .await?;
                    let standby = match row.last() {
                        Some(row) => row.try_get::<bool, _>(0)?,
                        None => false,
                    };
                    if standby {
                        return Err(Fault::Unavailable(
                            "the server is a standby, which takes no writes".into(),
                        ));
                    }
                    Ok(Session::postgres(connection))
                }
                Target::Sqlite { options, .. } => {
                    let connection = SqliteConnection::connect_with(options).await?;
                    Ok(Session::sqlite(connection).await?)
                }
            }
        };
        self.in_time(dialing).await
    }

    /// A connection that nothing was set on, to look at whoever answers there. PostgreSQL only.
    pub(crate) async fn bare(&self) -> Result<PgConnection, Fault> {
        let Target::Postgres { options, .. } = &self.to else {
            return Err(Fault::Failed("SQLite has no server".into()));
        };
        self.in_time(connected(options)).await
    }

    /// Waits for a step of connecting, as long as a statement may take.
    async fn in_time<T>(&self, step: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        match tokio::time::timeout(self.limits.statement, step).await {
            Ok(done) => done,
            Err(_) => Err(Fault::Unavailable("nobody answers there in time".into())),
        }
    }

    /// Keeps the first connection for as long as connections are made.
    pub(crate) fn keep(&self, session: Session) {
        if let Target::Sqlite { first, .. } = &self.to {
            let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
            *first = Some(session);
        }
    }

    fn remember(&self, path: &Path) {
        if let (Target::Sqlite { file, .. }, Ok(found)) = (&self.to, files::Identity::of(path)) {
            file.get_or_init(|| found);
        }
    }

    /// Fails when the path of an SQLite database leads to another file, or to none, than when it was opened:
    /// what is written to a file that was taken away is lost with the process.
    pub(crate) fn still_there(&self) -> Result<(), Fault> {
        let Target::Sqlite { options, file, .. } = &self.to else {
            return Ok(());
        };
        let Some(opened) = file.get() else {
            return Ok(());
        };
        match files::Identity::of(options.get_filename()) {
            Ok(found) if found == *opened => Ok(()),
            Ok(_) => Err(Fault::Unavailable(
                "another file is in the place of the database: stop, and put the right one there"
                    .into(),
            )),
            Err(error) => Err(Fault::Unavailable(format!(
                "the database's file cannot be found: {error}"
            ))),
        }
    }

    /// How long one piece of work for this purpose may take.
    pub(crate) fn limit(&self, purpose: Purpose) -> Duration {
        self.limits.of(purpose)
    }
}

async fn connected(options: &PgConnectOptions) -> Result<PgConnection, Fault> {
    use std::io::ErrorKind;
    PgConnection::connect_with(options)
        .await
        .map_err(|error| match &error {
            SqlxError::Io(io) if io.kind() == ErrorKind::ConnectionRefused => {
                Fault::Unavailable("nobody answers there".into())
            }
            _ => Fault::from(error),
        })
}

/// What makes PostgreSQL find by an index what is found by keys. It keeps the plan that it made while a table was
/// small, and would go on reading the whole table for it, or, to join it with the keys, the whole index.
pub(crate) const BY_KEYS: &str = "SET enable_seqscan = off; SET enable_hashjoin = off; \
     SET enable_mergejoin = off; SET plan_cache_mode = force_generic_plan; ";

/// What is set on a connection to a server, in statements before the first one. Not by options at startup,
/// which poolers refuse.
///
/// - What is found by keys is always found by an index.
/// - Each statement's plan is made once: for the few rows that these are about PostgreSQL would take the plan
///   for any parameters to be dearer than one for these, and plan anew every time, which takes longer than
///   the statement does.
/// - The server ends a statement a little before we stop waiting, so that we learn what became of it.
/// - The server looks every second whether we are still there while it works for us, and notices a dead
///   network between us when it does not. Settings that an older server does not have are passed over.
fn settings(purpose: Purpose, limits: Limits) -> String {
    let timeout = limits.of(purpose).mul_f64(0.9).as_millis();
    let plans = match purpose {
        Purpose::Keys => BY_KEYS,
        // Whatever the role's own settings are.
        Purpose::Lists => {
            "SET enable_seqscan = on; SET enable_hashjoin = on; SET enable_mergejoin = on; \
             SET plan_cache_mode = auto; "
        }
    };
    format!(
        "{plans}SET statement_timeout = {timeout}; \
         SELECT set_config(name, value, false) FROM pg_settings JOIN (VALUES \
         ('client_connection_check_interval', '1000'), ('tcp_keepalives_idle', '15'), \
         ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3')) AS wanted(key, value) \
         ON key = name; "
    )
}

fn sqlite_options(url: &str, limits: Limits) -> Result<SqliteConnectOptions, SqlxError> {
    Ok(SqliteConnectOptions::from_str(url)?
        // Made before the first connection, and never again: one that is gone must not be replaced by nothing.
        .create_if_missing(false)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(limits.statement.mul_f64(0.8))
        // What was deleted is overwritten: numbers do not stay in free pages.
        .pragma("secure_delete", "on")
        // What a statement may have to undo stays in memory. A commit waits for the log to be copied into
        // the database when it has grown to 32 MiB; until then others do it, and cut it when it is at rest.
        // To cut it whenever it begins anew would make commits slower, which would have to grow it again.
        .pragma("temp_store", "memory")
        // Each connection keeps so many KiB of pages; the operating system keeps the rest.
        .pragma("cache_size", "-1024")
        .pragma("wal_autocheckpoint", "8192")
        .disable_statement_logging())
}

/// Says which encoding a PostgreSQL database has, unless it is UTF-8.
pub(crate) async fn other_encoding(dialer: &Dialer) -> Result<Option<String>, Fault> {
    let mut connection = dialer.bare().await?;
    // Not prepared: it is not known yet whether something sits between that would mix that up.
    let asking = async {
        let row = raw_sql("SELECT current_setting('server_encoding')")
            .fetch_one(&mut connection)
            .await?;
        Ok(row.try_get(0)?)
    };
    let encoding: String = dialer.in_time(asking).await?;
    Ok(Some(encoding).filter(|encoding| encoding != "UTF8"))
}

/// Shared by everything that needs connections.
pub(crate) type SharedDialer = Arc<Dialer>;
