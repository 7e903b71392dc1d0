//! The journal: events go on record in one order, each account's chained by their hashes.
//!
//! Whoever commits adds to the table `events`. A sequencer, of which each process may run one, moves events from
//! there to the end of the `journal`; the row `journal` of `cursors`, which is guarded by its version, lets one win.

mod chain;
mod endpoints;
mod erase;
mod list;
mod order;
mod signed;
pub(crate) mod statements;
mod verify;

pub use endpoints::{Backlog, EndpointState, Parked, Progress, Turn};
pub use list::{EventPage, EventQuery, EventRecord};
pub use signed::audit_key;
pub use verify::{Finding, Verified, Wrong};

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ringback_core::Refusal;
use ringback_core::audit::Hash;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Statement};

use crate::batch::{begin, end_as};
use crate::dial::SharedDialer;
pub(crate) use chain::{Chained, Head, read_hash};

use crate::entity::{cursors, events};
use crate::fault::Fault;
use crate::line::{Line, Taken};
use crate::queues::Lane;
use crate::{Store, dial::Purpose};

/// Events that go on record at once: more would hold others up for longer, and take more memory.
const BATCH: usize = 250;
/// Events of one account that are looked at at once, if need be.
const MOST: usize = 100_000;

/// A sequencer: its connection, and which user comes next.
pub(crate) struct Sequencer {
    line: Line,
    /// PostgreSQL: user and event after which it looks on; empty for the beginning.
    after: (String, String),
    /// Commands that had been decided at the turn before.
    commands: u64,
}

/// What goes on record next.
struct Next {
    rows: Vec<(i64, events::Model)>,
    more: bool,
    after: (String, String),
}

/// What came of one turn of the sequencer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sequenced {
    /// Events that went on record.
    pub events: usize,
    /// Whether more may wait.
    pub more: bool,
    /// Whether another sequencer was faster.
    pub lost: bool,
    /// How long the database was kept busy.
    pub took: Duration,
    /// Whether commands wait in this process, or were decided since the turn before.
    pub wanted: bool,
}

impl Sequencer {
    pub(crate) fn new(dialer: SharedDialer) -> Sequencer {
        Sequencer {
            line: Line::new(dialer, Purpose::Keys),
            after: Default::default(),
            commands: 0,
        }
    }

    /// A question, asked once more when the connection had died.
    async fn ask(&mut self, statement: &Statement) -> Result<Vec<sea_orm::QueryResult>, Fault> {
        loop {
            let taken = self.line.take().await?;
            let asking = async { Ok(taken.session.query_all_raw(statement.clone()).await?) };
            let asked = taken.within(asking).await;
            if let Some(asked) = self.line.read(taken, asked) {
                return asked;
            }
        }
    }

    /// Somebody's row.
    async fn cursor(&mut self, backend: DbBackend, name: &str) -> Result<cursors::Model, Fault> {
        let rows = self.ask(&statements::cursor(backend, name)).await?;
        let row = rows
            .first()
            .ok_or_else(|| Fault::Failed(format!("the table cursors lacks the row {name}")))?;
        Ok(cursors::Model::from_query_result(row, "")?)
    }

    /// The next events that go on record, in order, each with the place where it waited on SQLite; whether more wait;
    /// and after which user and event it is looked on for them on PostgreSQL, if elsewhere than from the beginning.
    async fn next(&mut self, backend: DbBackend) -> Result<Next, Fault> {
        if backend == DbBackend::Postgres {
            return self.next_by_user().await;
        }
        let rows = self.ask(&statements::waiting_in_turn(BATCH)).await?;
        let rows = rows.iter().map(|row| {
            let place = row.try_get("", "place")?;
            Ok((place, events::Model::from_query_result(row, "")?))
        });
        let rows = rows.collect::<Result<Vec<_>, DbErr>>()?;
        Ok(Next {
            more: rows.len() == BATCH,
            rows,
            after: Default::default(),
        })
    }

    /// PostgreSQL commits side by side: nothing says in which order but each account's own count. So whole accounts'
    /// events are looked at.
    async fn next_by_user(&mut self) -> Result<Next, Fault> {
        let (rows, more) = self.whole_accounts().await?;
        let last = rows.iter().map(|row| (&row.user_id, &row.id)).max();
        let last = last.map(|(user, id)| (user.clone(), id.clone()));
        let mut rows = order::in_order(rows);
        let cut = rows.len() > BATCH;
        rows.truncate(BATCH);
        let after = match (last, more) {
            _ if cut => self.after.clone(),
            (Some(last), true) => last,
            _ => Default::default(),
        };
        Ok(Next {
            rows: rows.into_iter().map(|row| (0, row)).collect(),
            more: more || cut,
            after,
        })
    }

    /// Whole accounts' waiting events, about a batch of them, and whether there were more.
    async fn whole_accounts(&mut self) -> Result<(Vec<events::Model>, bool), Fault> {
        let mut most = BATCH;
        loop {
            let after = (self.after.0.as_str(), self.after.1.as_str());
            let asked = statements::waiting_by_user(after, most);
            let rows = self.ask(&asked).await?;
            let mut rows = rows
                .iter()
                .map(|row| events::Model::from_query_result(row, ""))
                .collect::<Result<Vec<_>, _>>()?;
            let Some(last) = rows.last().map(|row| row.user_id.clone()) else {
                // From the beginning next time, and now if this was not the beginning.
                if self.after == Default::default() {
                    return Ok((rows, false));
                }
                self.after = Default::default();
                most = BATCH;
                continue;
            };
            let all = rows.len() < most;
            if !all && rows[0].user_id == last && most < MOST {
                most *= 10;
                continue;
            }
            // The last one's may have been cut.
            if !all && rows[0].user_id != last {
                rows.retain(|row| row.user_id != last);
            }
            return Ok((rows, !all));
        }
    }
}

impl Store {
    /// Puts up to 250 events on record, in order. To be called again and again, by any number of processes.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`]; then nothing is lost, and the next turn may do it.
    pub async fn sequence(&self) -> Result<Sequenced, Refusal> {
        let mut sequencer = self.sequencer.lock().await;
        let health = &self.shared.dialer.health;
        let done = self.sequence_with(&mut sequencer).await;
        match done {
            Err(Fault::Conflict(reason)) => {
                tracing::debug!(reason, "another sequencer was faster");
                Ok(Sequenced {
                    more: true,
                    lost: true,
                    ..Sequenced::default()
                })
            }
            done => done.map_err(|fault| health.report(&fault, "putting events on record")),
        }
    }

    /// Waits until this process has committed an event.
    pub async fn wait_for_events(&self) {
        self.shared.events.notified().await;
    }

    async fn sequence_with(&self, sequencer: &mut Sequencer) -> Result<Sequenced, Fault> {
        let backend = self.shared.sql.backend;
        let begun = Instant::now();
        let decided = self.shared.commands.load(Ordering::Relaxed);
        let before = std::mem::replace(&mut sequencer.commands, decided);
        // A batch of many may begin before the turn before and end after this one.
        let wanted = decided != before || self.lanes.iter().any(Lane::has_work);
        // The head first: whatever another sequencer does from here on makes the write undo itself.
        let head = Head::of(sequencer.cursor(backend, "journal").await?);
        let Next { rows, more, after } = sequencer.next(backend).await?;
        if rows.is_empty() {
            sequencer.after = after;
            return Ok(Sequenced::default());
        }
        let previous = self.last_hashes(sequencer, &rows).await?;
        let (chained, end) = self.chain(&head, previous, rows)?;
        let asking = begun.elapsed();
        let took = match backend {
            DbBackend::Postgres => {
                asking
                    + self
                        .append_at_once(sequencer, &head, &chained, &end)
                        .await?
            }
            // Reading holds nobody up there.
            _ => self.append_in_turn(&head, &chained, &end).await?,
        };
        sequencer.after = after;
        let now = self.now();
        let oldest = chained.iter().map(|one| one.row.at).min().unwrap_or(now.0);
        metrics::histogram!("ringback_events_waited_seconds")
            .record(now.since(ringback_core::Time(oldest)).as_secs_f64());
        metrics::counter!("ringback_events_recorded_total").increment(chained.len() as u64);
        Ok(Sequenced {
            events: chained.len(),
            more,
            lost: false,
            took,
            wanted,
        })
    }

    async fn last_hashes(
        &self,
        sequencer: &mut Sequencer,
        rows: &[(i64, events::Model)],
    ) -> Result<HashMap<(String, String), Hash>, Fault> {
        let mut accounts: Vec<_> = rows
            .iter()
            .map(|(_, row)| (row.organization_id.as_str(), row.user_id.as_str()))
            .collect();
        accounts.sort_unstable();
        accounts.dedup();
        let asked = statements::last_hashes(self.shared.sql.backend, &accounts)?;
        let found = sequencer.ask(&asked).await?;
        let mut hashes = HashMap::new();
        for row in &found {
            let (organization, user, hash): (String, String, Option<String>) =
                row.try_get_many_by_index()?;
            if let Some(hash) = hash {
                hashes.insert((organization, user), read_hash(&hash)?);
            }
        }
        Ok(hashes)
    }

    async fn append_at_once(
        &self,
        sequencer: &mut Sequencer,
        head: &Head,
        added: &[Chained],
        end: &Head,
    ) -> Result<Duration, Fault> {
        let statement = statements::append_at_once(head, added, end);
        let taken = sequencer.line.take().await?;
        let begun = Instant::now();
        let writing = async { Ok(taken.session.query_one_raw(statement).await?) };
        let (epoch, written) = (taken.epoch, taken.within(writing).await);
        sequencer.line.done(taken, written)?;
        self.shared.wrote(epoch, 0, &[]);
        Ok(begun.elapsed())
    }

    async fn append_in_turn(
        &self,
        head: &Head,
        added: &[Chained],
        end: &Head,
    ) -> Result<Duration, Fault> {
        let statements = statements::append_in_turn(head, added, end)?;
        let (_, took) = self.in_one_transaction(statements.into()).await?;
        Ok(took)
    }

    /// SQLite: statements in a transaction that nobody else writes beside, each of which must touch so many rows, if
    /// that is said. How many each touched, and how long it took.
    pub(crate) async fn in_one_transaction(
        &self,
        statements: Vec<(Statement, Option<usize>)>,
    ) -> Result<(Vec<u64>, Duration), Fault> {
        let mut line = self.jobs.lock().await;
        let taken = line.take().await?;
        let begun = Instant::now();
        let done = taken.within(transaction(&taken, statements)).await;
        if let Err(fault) = &done {
            self.shared.failed(fault);
        }
        let epoch = taken.epoch;
        let touched = line.done(taken, done)?;
        self.shared.wrote(epoch, touched.iter().sum(), &[]);
        Ok((touched, begun.elapsed()))
    }
}

async fn transaction(
    taken: &Taken,
    statements: Vec<(Statement, Option<usize>)>,
) -> Result<Vec<u64>, Fault> {
    let session = &taken.session;
    begin(session).await?;
    let done = async {
        let mut touched = Vec::new();
        for (statement, rows) in statements {
            let written = session.execute_raw(statement).await?.rows_affected();
            if rows.is_some_and(|rows| rows as u64 != written) {
                return Err(Fault::Conflict("a row is not as it was read".into()));
            }
            touched.push(written);
        }
        Ok(touched)
    };
    end_as(session, done.await).await
}
