//! Forgetting who an account was, without breaking its chain.

use ringback_core::Refusal;
use ringback_core::audit::{NONE_BEFORE, hex};
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};

use super::statements::with;
use crate::Store;
use crate::fault::Fault;

/// Rows that are made anonymous at once.
const BATCH: i64 = 500;
/// Positions that are looked through at once for what a user did to others.
const WINDOW: i64 = 10_000;
/// What a user who was erased is called, before random digits.
pub(crate) const ERASED: &str = "erased-";

/// What is left of a row when its account was erased; `$3` is the other name.
const WITHOUT: &str = "user_id = $3, actor = CASE WHEN actor = $2 THEN $3 ELSE actor END, \
                       number_pseudonym = NULL, number_mask = NULL, detail = NULL";

/// Makes every sequencer that has read the table `events` before read it again. What changes rows there takes this
/// row first, so that nobody waits for another who waits.
const PASS: &str = "UPDATE cursors SET version = version + 1 WHERE name = 'journal'";

impl Store {
    /// Makes all that is on record of an account anonymous, and all that waits to go on record: its user gets another
    /// name (`erased-` and random digits), numbers, details and salts go, and so does the user's name as who did
    /// something in the same organisation. What happened when stays, and the chain stays whole. In small batches,
    /// the oldest first; killed on the way, it goes on where it was when it is called again. To be called when the
    /// account is gone, and the event that says so is written. Says how many rows it changed.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`]; then some of it may be done.
    pub async fn erase_events(&self, organization: &str, user: &str) -> Result<u64, Refusal> {
        let health = &self.shared.dialer.health;
        let erased = self.erase_all(organization, user).await;
        erased.map_err(|fault| health.report(&fault, "making events anonymous"))
    }

    async fn erase_all(&self, organization: &str, user: &str) -> Result<u64, Fault> {
        let alias = self.alias_of(organization, user).await?;
        let account = vec![organization.into(), user.into(), alias.as_str().into()];
        let mut all = 0;
        loop {
            let erased = self.erase_batch(account.clone()).await?;
            all += erased;
            if erased == 0 {
                break;
            }
        }
        let mut from = 0;
        loop {
            let (done, last) = self.erase_actor(account.clone(), from).await?;
            all += done;
            from += WINDOW;
            if from >= last {
                return Ok(all);
            }
        }
    }

    /// The name that an erasure began with which was killed, or a new one.
    async fn alias_of(&self, organization: &str, user: &str) -> Result<String, Fault> {
        let backend = self.shared.sql.backend;
        let new = || format!("{ERASED}{}", self.fresh_id());
        let first = "SELECT previous FROM journal WHERE organization_id = $1 AND user_id = $2 \
                     ORDER BY organization_id, user_id, position LIMIT 1";
        let first = with(backend, first, vec![organization.into(), user.into()]);
        let previous = self.text(first).await?;
        let Some(previous) = previous.filter(|previous| *previous != hex(&NONE_BEFORE)) else {
            return Ok(new());
        };
        let begun = "SELECT user_id FROM journal WHERE organization_id = $1 AND user_id >= $2 \
                     AND user_id < $3 AND hash = $4 LIMIT 1";
        let values = vec![
            organization.into(),
            ERASED.into(),
            "erased.".into(),
            previous.into(),
        ];
        Ok(self
            .text(with(backend, begun, values))
            .await?
            .unwrap_or_else(new))
    }

    /// The text that a question finds.
    async fn text(&self, question: Statement) -> Result<Option<String>, Fault> {
        let rows = self.rows_of(question).await?;
        let text = rows.first().map(|row| row.try_get_by_index(0));
        Ok(text.transpose()?)
    }

    /// One batch of the account's rows, and with the last one what still waits: so that none goes on record in
    /// between that begins a chain anew. A sequencer that has read the old rows loses.
    async fn erase_batch(&self, account: Vec<Value>) -> Result<u64, Fault> {
        let batch = "SELECT position FROM journal WHERE organization_id = $1 AND user_id = $2";
        let first = format!("ORDER BY organization_id, user_id, position LIMIT {BATCH}");
        let waiting =
            format!("UPDATE events SET {WITHOUT} WHERE organization_id = $1 AND user_id = $2");
        if self.shared.sql.backend == DbBackend::Postgres {
            let sql = format!(
                "WITH moved AS ({PASS} RETURNING 1), \
                 batch AS MATERIALIZED ({batch} AND EXISTS (SELECT 1 FROM moved) {first}), \
                 erased AS (UPDATE journal SET salt = NULL, {WITHOUT} \
                 WHERE position = ANY(ARRAY(SELECT position FROM batch)) RETURNING 1), \
                 waiting AS ({waiting} AND (SELECT count(*) FROM batch) < {BATCH} RETURNING 1) \
                 SELECT (SELECT count(*) FROM erased) + (SELECT count(*) FROM waiting)"
            );
            return self.written(sql, account).await;
        }
        let erase = format!(
            "UPDATE journal SET salt = NULL, {WITHOUT} WHERE position IN ({batch} {first})"
        );
        let waiting = format!("{waiting} AND NOT EXISTS ({batch})");
        self.in_turns([erase, waiting, PASS.to_owned()], account)
            .await
    }

    /// What the user did to others in the organisation, within one window, and where the journal ends.
    async fn erase_actor(&self, account: Vec<Value>, from: i64) -> Result<(u64, i64), Fault> {
        let backend = self.shared.sql.backend;
        let mut done = 0;
        if from == 0 {
            // They are few.
            let waiting = "UPDATE events SET actor = $3 WHERE organization_id = $1 AND actor = $2";
            done += match backend {
                DbBackend::Postgres => {
                    let sql = format!(
                        "WITH moved AS ({PASS} RETURNING 1), \
                         waiting AS ({waiting} AND EXISTS (SELECT 1 FROM moved) RETURNING 1) \
                         SELECT count(*) FROM waiting"
                    );
                    self.written(sql, account.clone()).await?
                }
                _ => {
                    let statements = [waiting.to_owned(), PASS.to_owned()];
                    self.in_turns(statements, account.clone()).await?
                }
            };
        }
        let sql = "UPDATE journal SET salt = NULL, actor = $3 WHERE organization_id = $1 AND actor = $2 \
                   AND position > $4 AND position <= $5";
        let values = [account, vec![from.into(), (from + WINDOW).into()]].concat();
        done += self.change(with(backend, sql, values), &[]).await?;
        let head = "SELECT position FROM cursors WHERE name = 'journal'";
        let rows = self.rows_of(with(backend, head, Vec::new())).await?;
        let last = rows
            .first()
            .map(|row| row.try_get_by_index(0))
            .transpose()?;
        Ok((done, last.unwrap_or(0)))
    }

    /// PostgreSQL: the number that a statement says after it has written.
    async fn written(&self, sql: String, values: Vec<Value>) -> Result<u64, Fault> {
        let statement = with(DbBackend::Postgres, sql, values);
        let mut line = self.jobs.lock().await;
        let taken = line.take().await?;
        let writing = async { Ok(taken.session.query_one_raw(statement).await?) };
        let (epoch, written) = (taken.epoch, taken.within(writing).await);
        let written = line.done(taken, written)?;
        let rows: i64 = match written {
            Some(row) => row.try_get_by_index(0)?,
            None => 0,
        };
        self.shared.wrote(epoch, 0, &[]);
        Ok(u64::try_from(rows).unwrap_or(0))
    }

    /// SQLite: statements in one transaction, of which the last one says that something was passed; how many rows
    /// the others touched.
    async fn in_turns<const N: usize>(
        &self,
        statements: [String; N],
        values: Vec<Value>,
    ) -> Result<u64, Fault> {
        // SQLite takes no parameters that a statement does not name.
        let named = |sql: &String| (1..).take_while(|n| sql.contains(&format!("${n}"))).count();
        let statements = statements.map(|sql| {
            let values = values.iter().take(named(&sql)).cloned().collect();
            (with(DbBackend::Sqlite, sql, values), None)
        });
        let (touched, _) = self.in_one_transaction(statements.into()).await?;
        Ok(touched.iter().take(N - 1).sum())
    }
}
