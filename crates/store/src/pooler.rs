//! Whether a pooler hands our transactions to one server connection after another, and whether it can be
//! worked through.

use std::time::Duration;

use sea_orm::sqlx::postgres::PgConnection;
use sea_orm::sqlx::{Executor, Row};

use crate::dial::Dialer;
use crate::fault::Fault;

/// What sits between us and PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Between {
    /// Nothing, or a pooler that leaves each of our connections its own.
    Nothing,
    /// A pooler in transaction mode that keeps prepared statements apart.
    Pooler,
}

/// Why such a pooler cannot be worked through, and what to do.
const UNUSABLE: &str = "a pooler in transaction mode sits between, and runs other connections' prepared \
     statements: use PgBouncer 1.21 or later with max_prepared_statements, session mode, or connect to the \
     server itself";

/// How long finding out may take: as long as a few statements.
const PATIENCE: Duration = Duration::from_secs(4);

/// Looks at two connections, side by side. What a refused probe says is what an operator can do.
pub(crate) async fn look(dialer: &Dialer) -> Result<Between, Fault> {
    let looking = async {
        let (mut one, mut two) = (dialer.bare().await?, dialer.bare().await?);
        if !shares(&mut one, &mut two).await? {
            return Ok(Between::Nothing);
        }
        match keeps_statements_apart(&mut one, &mut two).await {
            true => Ok(Between::Pooler),
            false => Err(Fault::Failed(UNUSABLE.into())),
        }
    };
    match tokio::time::timeout(PATIENCE, looking).await {
        Ok(looked) => looked,
        // One server connection for all, which the other of our two transactions waits for.
        Err(_) => Err(Fault::Failed(
            "two connections cannot work side by side there: raise the pooler's pool size".into(),
        )),
    }
}

/// Whether a server connection serves both, or one of them is served by several: each in turn holds a
/// transaction open while the other begins new ones.
async fn shares(one: &mut PgConnection, two: &mut PgConnection) -> Result<bool, Fault> {
    let first = pid(one).await?;
    let mut seen = [first, first];
    for round in 0..4 {
        let (holder, other) = match round % 2 {
            0 => (&mut *two, &mut *one),
            _ => (&mut *one, &mut *two),
        };
        holder.execute("BEGIN").await?;
        let held = pid(holder).await?;
        let beside = if round == 0 && held == first {
            // Already told, and with a single server connection the other would wait for ever.
            None
        } else {
            Some(pid(other).await?)
        };
        holder.execute("COMMIT").await?;
        let Some(beside) = beside else {
            return Ok(true);
        };
        let [of_one, of_two] = match round % 2 {
            0 => [beside, held],
            _ => [held, beside],
        };
        if round == 0 {
            seen = [first, of_two];
        }
        if [of_one, of_two] != seen {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn pid(connection: &mut PgConnection) -> Result<i32, Fault> {
    let row = connection.fetch_one("SELECT pg_backend_pid()").await?;
    Ok(row.try_get(0)?)
}

/// Each prepares a statement of its own under the same name, as the driver numbers them, and runs it again
/// and again, so that a server connection meets both.
async fn keeps_statements_apart(one: &mut PgConnection, two: &mut PgConnection) -> bool {
    for _ in 0..8 {
        for (connection, expected) in [(&mut *one, 1_i32), (&mut *two, 2)] {
            let found = sea_orm::sqlx::query(match expected {
                1 => "SELECT $1::int4 * 1",
                _ => "SELECT $1::int4 * 2",
            })
            .bind(1_i32)
            .fetch_all(connection)
            .await
            .and_then(|rows| match rows.first() {
                Some(row) => row.try_get::<i32, _>(0),
                None => Ok(0),
            });
            if !matches!(found, Ok(found) if found == expected) {
                return false;
            }
        }
    }
    true
}
