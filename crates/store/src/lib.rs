//! What ringback remembers, and how: commands are decided on lanes, many to a commit.
//!
//! [`Store::execute`] is the only way to change an account. It puts a command on a lane, where whatever
//! waits is loaded, decided by [`ringback_core::decide`], written and committed together, and answered
//! only then. Reads go past the lanes. sea-orm, and with it the database, is known here and nowhere else.

mod checkpoint;
mod entity;
mod fault;
mod lane;
mod lookup;
mod migration;
mod outbox;
#[cfg(test)]
mod plans;
mod query;
mod read;
mod rows;
mod sql;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringback_core::{Command, Keys, Policy, Refusal, Reply, Time};
use sea_orm::sqlx::Error as SqlxError;
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, RuntimeErr,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::MigratorTrait;
use tokio::sync::{Notify, mpsc, oneshot};

pub use outbox::{Claimed, Settled, Settlement};
pub use query::{
    AccountFilter, AccountPage, AccountQuery, AccountSort, PhoneListPage, PhoneListQuery,
    PhonePage, PhoneQuery, PhoneRow, PhoneSort, TextMatch, TextPlace,
};

/// What decisions depend on, the same for every command.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The figures.
    pub policy: Policy,
    /// The secrets.
    pub keys: Keys,
}

/// Where time and randomness come from, so that tests can set both.
#[derive(Clone)]
pub struct Source {
    /// The current time.
    pub now: Arc<dyn Fn() -> Time + Send + Sync>,
    /// 32 bytes of a cryptographic generator, new at each call.
    pub seed: Arc<dyn Fn() -> [u8; 32] + Send + Sync>,
}

/// Which database, and how hard to use it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `sqlite:FILE` or `postgres://USER:PASSWORD@HOST/NAME`.
    pub url: String,
    /// Lanes; 0 for the best number: one on SQLite, where a second would only wait, two on PostgreSQL.
    pub lanes: usize,
    /// Commands that may wait on one lane; one more is refused.
    pub lane_bound: usize,
    /// Commands in one commit at most.
    pub batch: usize,
    /// Connections for lists. One account is read, and written, over others.
    pub readers: u32,
}

/// Why a store cannot be opened. Shows no password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is for no database that we know.
    #[error("the database address must begin with sqlite: or postgres://")]
    Scheme,
    /// A database in memory would lose what it acknowledged.
    #[error("the database must be a file: sqlite::memory: would forget everything at the end")]
    Memory,
    /// The database said no, or nothing.
    #[error("cannot open the database {place}: {reason}")]
    Connect {
        /// The address without user and password.
        place: String,
        /// What the driver said.
        reason: String,
    },
    /// The tables could not be brought up to date.
    #[error("cannot migrate the database: {0}")]
    Migrate(String),
}

/// The memory of one installation. Clones share it.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    lanes: Arc<[mpsc::Sender<lane::Job>]>,
    lookups: Arc<[mpsc::Sender<lookup::Lookup>]>,
}

/// What lanes, reads and the outbox have in common.
pub(crate) struct Shared {
    /// For lanes and the outbox.
    writer: DatabaseConnection,
    /// For lists, and for copying SQLite's log.
    reader: DatabaseConnection,
    /// For reads of one account: few connections, so that what each keeps of the database is kept few times.
    finder: DatabaseConnection,
    sql: sql::Sql,
    rules: Rules,
    source: Source,
    batch: usize,
    messages: Notify,
    /// SQLite's; PostgreSQL sees to its own.
    log: Option<checkpoint::Log>,
}

impl Store {
    /// Connects and starts the lanes. [`Store::migrate`] makes the tables.
    pub async fn open(
        settings: &Settings,
        rules: Rules,
        source: Source,
    ) -> Result<Store, OpenError> {
        let backend = backend(&settings.url)?;
        let lanes = match (settings.lanes, backend) {
            (0, DbBackend::Postgres) => 2,
            (0, _) => 1,
            (lanes, _) => lanes,
        };
        let [writer, reader, finder] = connect(settings, backend, lanes).await?;
        let log = (backend == DbBackend::Sqlite).then(|| {
            let (log, due) = checkpoint::Log::new();
            let copying = checkpoint::run(reader.clone(), due);
            #[expect(clippy::disallowed_methods, reason = "beside the lanes is its point")]
            tokio::spawn(copying);
            log
        });
        let shared = Arc::new(Shared {
            writer,
            reader,
            finder,
            sql: sql::Sql::new(backend),
            rules,
            source,
            batch: settings.batch.max(1),
            messages: Notify::new(),
            log,
        });
        let lanes = (0..lanes)
            .map(|_| {
                let (sender, line) = mpsc::channel(settings.lane_bound.max(1));
                let lane = lane::run(shared.clone(), line);
                #[expect(clippy::disallowed_methods, reason = "a lane is one of the few tasks")]
                tokio::spawn(lane);
                sender
            })
            .collect();
        let lookups = (0..LOOKUPS)
            .map(|_| {
                let (sender, line) = mpsc::channel(settings.lane_bound.max(1));
                let lookups = lookup::run(shared.clone(), line);
                #[expect(clippy::disallowed_methods, reason = "reads have their lanes, too")]
                tokio::spawn(lookups);
                sender
            })
            .collect();
        Ok(Store {
            shared,
            lanes,
            lookups,
        })
    }

    /// Brings the tables up to date. Several processes may do it at once.
    pub async fn migrate(&self) -> Result<(), OpenError> {
        migrate_through(&self.shared.writer).await
    }

    /// Decides a command and commits what comes of it. A command that is still in line at `deadline`, or
    /// whose future is dropped while it is, is not decided.
    pub async fn execute(
        &self,
        command: Command,
        deadline: Option<Instant>,
    ) -> Result<Reply, Refusal> {
        // PostgreSQL keeps no NUL in a text; the doors refuse it by name wherever it could be kept.
        if command.account.contains('\0') {
            return Err(Refusal::AccountNotFound);
        }
        let lane = lane_of(&command.account, self.lanes.len());
        let name = command.name();
        let (reply, answer) = oneshot::channel();
        let job = lane::Job {
            command,
            deadline,
            reply,
        };
        let result = match self.lanes[lane].try_send(job) {
            Ok(()) => answer.await.unwrap_or(Err(Refusal::Unavailable)),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Refusal::Overloaded),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Refusal::Unavailable),
        };
        let outcome = match &result {
            Ok(_) => "ok",
            Err(Refusal::CodeRefused(failure)) => failure.code(),
            Err(refusal) => refusal.code(),
        };
        metrics::counter!(metric(name), "result" => outcome).increment(1);
        result
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), Refusal> {
        let answer = self.shared.reader.execute_unprepared("SELECT 1");
        match tokio::time::timeout(Duration::from_secs(2), answer).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the database does not answer");
                Err(Refusal::Unavailable)
            }
            Err(_) => {
                tracing::warn!("the database does not answer in time");
                Err(Refusal::Unavailable)
            }
        }
    }

    /// The current time, from the clock that decisions are made by.
    pub fn now(&self) -> Time {
        (self.shared.source.now)()
    }

    /// A new user id: 32 hexadecimal digits that cannot be guessed.
    pub fn fresh_id(&self) -> String {
        let seed = (self.shared.source.seed)();
        seed[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// What decisions depend on.
    pub fn rules(&self) -> &Rules {
        &self.shared.rules
    }
}

/// Brings the tables of a database up to date without opening a store on it.
pub async fn migrate(settings: &Settings) -> Result<(), OpenError> {
    let backend = backend(&settings.url)?;
    let [writer, ..] = connect(settings, backend, 1).await?;
    migrate_through(&writer).await
}

async fn migrate_through(writer: &DatabaseConnection) -> Result<(), OpenError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match migrate_once(writer).await {
            Ok(()) => return Ok(()),
            // Another process making the same table at the same time looks like a failure to one.
            Err(error) if tries < 5 => {
                tracing::debug!(%error, "migrating again");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Err(error) => return Err(OpenError::Migrate(error.to_string())),
        }
    }
}

/// All steps or none: a process that is killed on the way leaves no half of a table behind, and whoever
/// migrates at the same time waits here.
async fn migrate_once(writer: &DatabaseConnection) -> Result<(), DbErr> {
    let transaction = writer
        .begin_with_options(TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        })
        .await?;
    migration::Migrator::up(&transaction, None).await?;
    transaction.commit().await
}

/// Lanes for reads of one account, each with a connection: while one waits for the database, the other has
/// work for the processor.
const LOOKUPS: u32 = 2;

/// Which of so many lanes an account's commands or lookups wait in.
fn lane_of(account: &str, lanes: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    account.hash(&mut hasher);
    (hasher.finish() % lanes as u64) as usize
}

/// The counter of a command, as metrics name it.
fn metric(command: &'static str) -> &'static str {
    match command {
        "register" => "ringback_register_total",
        "update" => "ringback_update_total",
        "set" => "ringback_set_total",
        "resend" => "ringback_resend_total",
        "verify" => "ringback_verify_total",
        "remove" => "ringback_remove_total",
        "add" => "ringback_add_total",
        "preverify" => "ringback_preverify_total",
        "change" => "ringback_change_total",
        "request_removal" => "ringback_request_removal_total",
        "make_primary" => "ringback_make_primary_total",
        _ => "ringback_delete_total",
    }
}

fn backend(url: &str) -> Result<DbBackend, OpenError> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        Ok(DbBackend::Postgres)
    } else if url.starts_with("sqlite::memory:") || url.contains("mode=memory") {
        Err(OpenError::Memory)
    } else if url.starts_with("sqlite:") {
        Ok(DbBackend::Sqlite)
    } else {
        Err(OpenError::Scheme)
    }
}

/// Three pools: what a flood of lists uses up is missing for nothing else. On SQLite the writing one has one
/// connection, because a second would wait for the first inside the file's lock instead of in line.
async fn connect(
    settings: &Settings,
    backend: DbBackend,
    lanes: usize,
) -> Result<[DatabaseConnection; 3], OpenError> {
    let lanes = u32::try_from(lanes).unwrap_or(u32::MAX);
    let options = |connections: u32, cache: &'static str, scans: &'static str| {
        let mut options = ConnectOptions::new(&settings.url);
        options
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(5))
            .test_before_acquire(false)
            .sqlx_logging(false)
            .map_sqlx_sqlite_opts(move |sqlite| {
                sqlite
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .busy_timeout(Duration::from_secs(10))
                    // What a statement may have to undo stays in memory. A commit waits for the log to be
                    // copied into the database when it has grown to 32 MiB; until then others do it.
                    .pragma("temp_store", "memory")
                    .pragma("wal_autocheckpoint", "8192")
                    .pragma("cache_size", cache)
            })
            .map_sqlx_postgres_opts(move |postgres| {
                postgres
                    .application_name("ringback")
                    .options([("enable_seqscan", scans)])
            });
        options
    };
    let failed = |error: DbErr| OpenError::Connect {
        place: place(&settings.url),
        reason: match error {
            DbErr::Conn(RuntimeErr::SqlxError(inner))
                if matches!(*inner, SqlxError::PoolTimedOut) =>
            {
                "nobody answers there".into()
            }
            // The driver quotes an address that it cannot read, password and all.
            error => error
                .to_string()
                .replace(&settings.url, &place(&settings.url)),
        },
    };
    if let Some(missing) = missing_directory(&settings.url) {
        return Err(OpenError::Connect {
            place: place(&settings.url),
            reason: format!(
                "the directory {} does not exist; create it",
                missing.display()
            ),
        });
    }
    let writers = match backend {
        // One for each lane, and two for the outbox.
        DbBackend::Postgres => lanes.saturating_add(2),
        _ => 1,
    };
    // SQLite keeps pages for each connection: 8 MiB for those that most requests need, 2 MiB for others.
    // PostgreSQL keeps the plan that it made while a table was small, and would go on reading the whole of it;
    // what is found by keys is always found by an index.
    let writer = options(writers, "-8192", "off");
    let reader = options(settings.readers.max(1), "-2048", "on");
    let finder = options(LOOKUPS, "-8192", "off");
    Ok([
        Database::connect(writer).await.map_err(failed)?,
        Database::connect(reader).await.map_err(failed)?,
        Database::connect(finder).await.map_err(failed)?,
    ])
}

/// The directory of an SQLite file, when there is none: the driver would only say that it cannot open.
fn missing_directory(url: &str) -> Option<&Path> {
    let file = url.strip_prefix("sqlite:")?;
    let file = file.strip_prefix("//").unwrap_or(file);
    let file = file.split('?').next().unwrap_or(file);
    // An encoded path is left to the driver, which knows how to read it.
    let directory = Path::new(file).parent().filter(|_| !file.contains('%'))?;
    (!directory.as_os_str().is_empty() && !directory.is_dir()).then_some(directory)
}

/// A database address without user and password.
fn place(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Path::new(url).display().to_string();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if path.contains('@') {
        // Part of a password, perhaps, that should have been encoded.
        return format!("{scheme}://");
    }
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let path = path.split(['?', '#']).next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        assert_eq!(
            place("postgres://me:secret@db:5432/x?sslmode=require"),
            "postgres://db:5432/x"
        );
        assert_eq!(place("postgres://db/x?password=secret"), "postgres://db/x");
        for odd in [
            "postgres://me:sec/ret@db/x",
            "postgres://me:sec?ret@db/x",
            "postgres://db/x?password=sec@ret",
        ] {
            assert_eq!(place(odd), "postgres://");
        }
        assert_eq!(place("sqlite:some/file.db"), "sqlite:some/file.db");
    }

    #[test]
    fn addresses_of_no_database_are_refused() {
        assert!(matches!(backend("mysql://x"), Err(OpenError::Scheme)));
        assert!(matches!(backend("sqlite::memory:"), Err(OpenError::Memory)));
        assert!(matches!(
            backend("sqlite://x?mode=memory"),
            Err(OpenError::Memory)
        ));
        assert!(matches!(backend("postgresql://x"), Ok(DbBackend::Postgres)));
    }
}
