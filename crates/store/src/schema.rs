//! The tables' version: what is there, what this program knows, and the way from one to the other.

use std::time::Duration;

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};

use crate::dial::Dialer;
use crate::fault::Fault;
use crate::line::Line;
use crate::migration;
use crate::{OpenError, Settings};

/// Where tables stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tables {
    /// All that this program knows are made, and it may use them.
    Ready,
    /// Some are still to be made, all when there are none yet.
    Behind {
        /// How many steps have been taken.
        taken: u32,
    },
    /// A newer program made them in a way that this one would damage.
    TooNew {
        /// The version that they need at least.
        needs: u32,
    },
}

/// How long migrating may take: as long as folding the names of many millions of users does.
const LONGEST: Duration = Duration::from_secs(3_600);

/// The version of the tables that this program makes: how many steps it knows.
pub(crate) fn known() -> u32 {
    u32::try_from(migration::steps().len()).unwrap_or(u32::MAX)
}

/// The steps that were taken, of any program; none where there is no table of them.
pub(crate) async fn taken(session: &impl ConnectionTrait) -> Result<Vec<String>, Fault> {
    let backend = session.get_database_backend();
    // Asked for first, because a statement that fails is an error in a server's log.
    let exists = match backend {
        DbBackend::Postgres => {
            "SELECT CASE WHEN to_regclass('seaql_migrations') IS NULL THEN 0 ELSE 1 END"
        }
        _ => {
            "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'seaql_migrations'"
        }
    };
    let row = session
        .query_one_raw(Statement::from_string(backend, exists))
        .await?;
    let found = match row {
        Some(row) if backend == DbBackend::Postgres => i64::from(row.try_get_by_index::<i32>(0)?),
        Some(row) => row.try_get_by_index::<i64>(0)?,
        None => 0,
    };
    if found == 0 {
        return Ok(Vec::new());
    }
    Ok(migration::taken(session).await?)
}

/// Looks at the tables and changes nothing.
pub(crate) async fn look(session: &impl ConnectionTrait) -> Result<Tables, Fault> {
    let taken = taken(session).await?;
    let missing = migration::steps()
        .iter()
        .filter(|step| !taken.iter().any(|name| name == step.name()))
        .count();
    if missing > 0 {
        let taken = known() - u32::try_from(missing).unwrap_or(0);
        return Ok(Tables::Behind { taken });
    }
    let statement = Statement::from_string(
        session.get_database_backend(),
        "SELECT needs_at_least FROM schema_version WHERE id = 1",
    );
    let row = session.query_one_raw(statement).await?;
    let needs: i64 = match row {
        Some(row) => row.try_get_by_index(0)?,
        None => 0,
    };
    let needs = u32::try_from(needs).unwrap_or(u32::MAX);
    match needs > known() {
        true => Ok(Tables::TooNew { needs }),
        false => Ok(Tables::Ready),
    }
}

/// Fails unless the tables can be used as they are.
pub(crate) async fn require(line: &mut Line) -> Result<(), OpenError> {
    let tables = async {
        loop {
            let taken = line.take().await?;
            let tables = taken.within(look(&taken.session)).await;
            if let Some(tables) = line.read(taken, tables) {
                return tables;
            }
        }
    };
    match tables
        .await
        .map_err(|fault: Fault| OpenError::Migrate(fault.to_string()))?
    {
        Tables::Ready => Ok(()),
        Tables::Behind { taken } => Err(OpenError::Behind {
            taken,
            known: known(),
        }),
        Tables::TooNew { needs } => Err(OpenError::TooNew {
            needs,
            known: known(),
        }),
    }
}

/// Brings the tables up to date. Tables that are need no rights to make any; several processes may do it at
/// once.
pub(crate) async fn migrate(
    settings: &Settings,
    dialer: &Dialer,
    line: &mut Line,
) -> Result<(), OpenError> {
    let mut tries = 0;
    loop {
        match require(line).await {
            Err(OpenError::Behind { .. }) => {}
            done => return done,
        }
        tries += 1;
        match migrate_once(settings, dialer).await {
            Ok(()) => {}
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
/// migrates at the same time waits here. On a connection of its own, which ends with the attempt.
async fn migrate_once(settings: &Settings, dialer: &Dialer) -> Result<(), DbErr> {
    let mut options = ConnectOptions::new(&settings.url);
    options
        .max_connections(1)
        .acquire_timeout(dialer.limits.statement)
        .sqlx_logging(false)
        .map_sqlx_postgres_opts(|postgres| postgres.extra_float_digits(None));
    let database = Database::connect(options).await?;
    let done = tokio::time::timeout(LONGEST, in_one_transaction(&database)).await;
    let done = done.unwrap_or_else(|_| Err(DbErr::Custom(format!("not done in {LONGEST:?}"))));
    // What was done is done; a connection that says nothing any more need not be waited for.
    let closing = tokio::time::timeout(dialer.limits.statement, database.close());
    if !matches!(closing.await, Ok(Ok(()))) {
        tracing::debug!("the connection that migrated could not be closed");
    }
    done
}

async fn in_one_transaction(database: &DatabaseConnection) -> Result<(), DbErr> {
    let transaction = database
        .begin_with_options(TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        })
        .await?;
    migration::up(&transaction).await?;
    transaction.commit().await
}
