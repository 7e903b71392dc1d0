//! Whether the database takes writes and answers reads: looked at now and then, however often it is asked.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use ringback_core::Refusal;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tokio::sync::{mpsc, oneshot};

use crate::Shared;
use crate::entity::{
    account_names, accounts, budgets, deleted_accounts, events, messages, phone_numbers,
};
use crate::fault::Fault;
use crate::lane::LaneLine;
use crate::queues::{Lane, Lookups, sent, start};
use crate::session::Session;
use crate::table::Table;

/// So long a good answer stands, unless something failed since: whoever asks often must not slow down commits.
const GOOD: Duration = Duration::from_secs(1);
/// So long a bad one does.
const BAD: Duration = Duration::from_millis(50);
/// Who may wait for an answer; more are refused.
const MOST: usize = 1_024;

/// Somebody who asks.
type Asked = oneshot::Sender<Result<(), Refusal>>;

/// Where those who ask wait.
pub(crate) struct Readiness(mpsc::Sender<Asked>);

impl Readiness {
    /// Looks through these queues, and writes over this line.
    pub(crate) fn start(
        shared: Arc<Shared>,
        line: LaneLine,
        lanes: Arc<[Lane]>,
        lookups: Arc<[Lookups]>,
    ) -> Readiness {
        let (asked, waiting) = mpsc::channel(MOST);
        let look = Look {
            tables: tables(shared.sql.backend),
            shared,
            line,
            lanes,
            lookups,
        };
        start(look.run(waiting));
        Readiness(asked)
    }

    pub(crate) async fn ask(&self) -> Result<(), Refusal> {
        let (reply, answer) = oneshot::channel();
        sent(self.0.try_send(reply))?;
        answer.await.unwrap_or(Err(Refusal::Unavailable))
    }
}

/// What is looked at.
struct Look {
    shared: Arc<Shared>,
    line: LaneLine,
    lanes: Arc<[Lane]>,
    lookups: Arc<[Lookups]>,
    /// Reads nothing, and fails unless every table and column is there.
    tables: Statement,
}

impl Look {
    /// Answers until nobody can ask any more. One look at a time, and whoever asks meanwhile is told by it.
    async fn run(self, mut asked: mpsc::Receiver<Asked>) {
        let mut waiting = Vec::new();
        let mut last: Option<(Instant, u64, Result<(), Refusal>)> = None;
        while asked.recv_many(&mut waiting, MOST).await > 0 {
            let health = &self.shared.dialer.health;
            let stands = last.as_ref().is_some_and(|(at, epoch, found)| match found {
                Ok(()) => at.elapsed() < GOOD && health.is_well_since(*epoch),
                Err(_) => at.elapsed() < BAD,
            });
            if !stands {
                let epoch = health.epoch();
                let found = self.all().await;
                last = Some((Instant::now(), epoch, found));
            }
            let Some((_, _, found)) = &last else { continue };
            for reply in waiting.drain(..) {
                // Somebody who has gone meanwhile does not want to know.
                let _ = reply.send(found.clone());
            }
        }
    }

    /// Whether each connection that requests use answers, and whether something can be written.
    async fn all(&self) -> Result<(), Refusal> {
        let lanes = join_all(self.lanes.iter().map(Lane::ping));
        let reads = join_all(
            self.lookups
                .iter()
                .map(|lookups| lookups.find(Some(""), "", None)),
        );
        let looks = async { tokio::join!(self.write(), lanes, reads) };
        let limit = self.shared.dialer.limits.statement;
        match tokio::time::timeout(limit, looks).await {
            Ok((write, lanes, reads)) => {
                let reads = reads.into_iter().map(|read| read.map(|_| ()));
                [write].into_iter().chain(lanes).chain(reads).collect()
            }
            // Whoever is on the way says why.
            Err(_) => Err(Refusal::Unavailable),
        }
    }

    async fn write(&self) -> Result<(), Refusal> {
        let shared = &self.shared;
        let mut line = self.line.lock().await;
        let written = loop {
            let taken = match line.take().await {
                Ok(taken) => taken,
                Err(fault) => break Err(fault),
            };
            let writing = async {
                taken.session.query_all_raw(self.tables.clone()).await?;
                let touch = shared.sql.touch((shared.source.now)().0);
                let touched = taken.session.execute_raw(touch).await?;
                match touched.rows_affected() {
                    0 => held_by_somebody(&taken.session).await,
                    rows => Ok(rows),
                }
            };
            let (epoch, written) = (taken.epoch, taken.within(writing).await);
            if let Some(written) = line.read(taken, written) {
                break written.map(|rows| (epoch, rows));
            }
        };
        match written {
            Ok((_, 0)) => Ok(()),
            Ok((epoch, rows)) => {
                shared.wrote(epoch, rows, &[]);
                Ok(())
            }
            Err(fault) => {
                // Where nobody asks for anything while it is not ready, this is what makes room.
                shared.failed(&fault);
                let health = &shared.dialer.health;
                Err(health.report(&fault, "looking for the database"))
            }
        }
    }
}

/// Nothing was written, which is well where somebody else holds the row, as another server that looks.
async fn held_by_somebody(session: &Session) -> Result<u64, Fault> {
    let backend = session.get_database_backend();
    let there = Statement::from_string(backend, "SELECT id FROM liveness WHERE id = 1");
    match (backend, session.query_one_raw(there).await?) {
        (DbBackend::Postgres, Some(_)) => Ok(0),
        _ => Err(Fault::Failed("the table liveness lacks its row".into())),
    }
}

/// What every write may need.
fn tables(backend: DbBackend) -> Statement {
    let tables = [
        Table::of(accounts::Entity),
        Table::of(account_names::Entity),
        Table::of(phone_numbers::Entity),
        Table::of(budgets::Entity),
        Table::of(messages::Entity),
        Table::of(deleted_accounts::Entity),
        Table::of(events::Entity),
    ];
    let columns = tables.iter().map(|t| t.names(&format!("{}.", t.name)));
    let columns: Vec<_> = columns.collect();
    let names: Vec<_> = tables.iter().map(|table| table.name.as_str()).collect();
    let sql = format!(
        "SELECT {} FROM {} WHERE 1 = 0",
        columns.join(", "),
        names.join(", ")
    );
    Statement::from_string(backend, sql)
}
