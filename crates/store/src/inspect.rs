//! A look at a database that makes and changes nothing.

use std::path::{Path, PathBuf};

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sea_orm::sqlx::{ConnectOptions, Connection as _};
use sea_orm::{ConnectionTrait, Statement};

use crate::address::place;
use crate::dial::{Dialer, other_encoding};
use crate::fault::Fault;
use crate::pooler::{self, Between};
use crate::schema::{self, Tables};
use crate::session::Session;
use crate::{OpenError, Settings};

/// What a database is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Its address, without user and password.
    pub place: String,
    /// Whether an SQLite file is still to be made.
    pub missing: bool,
    /// The version of its tables; 0 for a database without any.
    pub version: u32,
    /// The version of the tables that this program makes.
    pub known: u32,
    /// How many accounts there are.
    pub accounts: u64,
    /// Whether a pooler hands transactions to one server connection after another.
    pub pooled: bool,
    /// Whether the connection is encrypted; none for an SQLite file.
    pub encrypted: Option<bool>,
}

/// Which database an address means, without user and password; an SQLite file by its whole path.
pub fn describe(settings: &Settings) -> String {
    let file = Dialer::new(settings)
        .ok()
        .and_then(|dialer| std::path::absolute(dialer.file()?).ok());
    match file {
        Some(file) => format!("sqlite:{}", file.display()),
        None => place(&settings.url),
    }
}

/// The whole path of an SQLite file that an address names and that is still to be made.
pub fn missing_file(settings: &Settings) -> Option<PathBuf> {
    let dialer = Dialer::new(settings).ok()?;
    let file = std::path::absolute(dialer.file()?).ok()?;
    (!file.exists()).then_some(file)
}

/// Looks at a database: what it is, which tables it has, how many accounts. Makes nothing and changes
/// nothing.
///
/// # Errors
/// As of [`crate::Store::open`]; [`OpenError::TooNew`] for tables that this program may not use.
pub async fn inspect(settings: &Settings) -> Result<Inspection, OpenError> {
    let dialer = Dialer::new(settings)?.pooled(true);
    let mut found = Inspection {
        place: describe(settings),
        missing: false,
        version: 0,
        known: schema::known(),
        accounts: 0,
        pooled: false,
        encrypted: None,
    };
    let failed = |fault: Fault| OpenError::Connect {
        place: place(&settings.url),
        reason: match fault {
            Fault::Unavailable(reason) | Fault::Failed(reason) => reason,
            fault => fault.to_string(),
        },
    };
    let session = match dialer.file() {
        Some(file) if !file.exists() => {
            found.missing = true;
            return Ok(found);
        }
        Some(file) => read_only(file).await.map_err(failed)?,
        None => {
            let session = dialer.first(&settings.url).await?;
            if let Some(encoding) = other_encoding(&dialer).await.map_err(failed)? {
                return Err(OpenError::Encoding { encoding });
            }
            let between = pooler::look(&dialer).await.map_err(failed)?;
            found.pooled = between == Between::Pooler;
            found.encrypted = Some(is_encrypted(&session).await.map_err(failed)?);
            session
        }
    };
    let tables = schema::look(&session).await.map_err(failed)?;
    found.version = match tables {
        Tables::Ready => schema::known(),
        Tables::Behind { taken } => taken,
        Tables::TooNew { needs } => {
            return Err(OpenError::TooNew {
                needs,
                known: schema::known(),
            });
        }
    };
    if found.version > 0 {
        found.accounts = count(&session).await.map_err(failed)?;
    }
    Ok(found)
}

/// As the server sees its connection, which is the pooler's where one sits between.
async fn is_encrypted(session: &Session) -> Result<bool, Fault> {
    let statement = Statement::from_string(
        session.get_database_backend(),
        "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    );
    match session.query_one_raw(statement).await? {
        Some(row) => Ok(row.try_get_by_index(0)?),
        None => Ok(false),
    }
}

async fn count(session: &Session) -> Result<u64, Fault> {
    let statement = Statement::from_string(
        session.get_database_backend(),
        "SELECT count(*) FROM accounts",
    );
    let row = session.query_one_raw(statement).await?;
    let count: i64 = match row {
        Some(row) => row.try_get_by_index(0)?,
        None => 0,
    };
    Ok(count.unsigned_abs())
}

/// Reads a file without making another beside it: where there is no log, nobody writes and the file is all
/// there is.
async fn read_only(file: &Path) -> Result<Session, Fault> {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    let options = SqliteConnectOptions::new()
        .filename(file)
        .read_only(true)
        .immutable(!Path::new(&log).exists())
        .disable_statement_logging();
    let connection = SqliteConnection::connect_with(&options).await?;
    Ok(Session::sqlite(connection).await?)
}
