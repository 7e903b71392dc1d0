//! The outbox: claimed with a lease, derived, and settled.

use std::collections::HashMap;
use std::time::Duration;

use ringback_core::event::{Message, MessageKind};
use ringback_core::{Challenge, Code, Id, Refusal, Time};
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement};

use crate::entity::outbox;
use crate::fault::Fault;
use crate::load::Key;
use crate::session::Session;
use crate::sql::Wanted;
use crate::{Shared, Store, rows};

/// A message that this process shall send before its lease ends.
#[derive(Debug)]
pub struct Claimed {
    /// What to send, and where to.
    pub message: Message,
    /// The code that the message carries, for messages that carry one.
    pub code: Option<Code>,
    /// How often it has been claimed, this time included.
    pub attempt: u32,
}

/// What became of a claimed message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// [`Message::id`]
    pub message: Id,
    /// [`Claimed::attempt`]
    pub attempt: u32,
    /// What became of it.
    pub outcome: Settled,
}

/// What became of a claimed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Sent, or refused for good: the row goes.
    Done,
    /// To be tried again.
    Retry {
        /// When.
        at: Time,
    },
}

/// Logs what keeps one message from being given out.
fn noted(fault: &Fault) {
    tracing::error!(%fault, "a message cannot be given out");
}

/// Budgets deleted in one go, so that the deleting holds no lock for long.
const PURGE: u32 = 500;

impl Store {
    /// Claims up to `most` messages that are due, for `lease`. Messages that are no longer worth sending,
    /// because they are too old or their challenge has ended, are dropped and not given out.
    pub async fn claim(&self, most: usize, lease: Duration) -> Result<Vec<Claimed>, Refusal> {
        // Behind a pile of messages that are too old there may be one that is not.
        loop {
            let claimed = self.claim_once(most, lease).await;
            let health = &self.shared.dialer.health;
            let (taken, ready) =
                claimed.map_err(|fault| health.report(&fault, "claiming messages"))?;
            if taken == 0 || !ready.is_empty() {
                return Ok(ready);
            }
        }
    }

    /// How many rows were taken, and which of them are worth sending.
    async fn claim_once(
        &self,
        most: usize,
        lease: Duration,
    ) -> Result<(usize, Vec<Claimed>), Fault> {
        let shared = &self.shared;
        let now = self.now();
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        let mut line = self.jobs.lock().await;
        let taken = line.take().await?;
        let session = &taken.session;
        let claiming = async {
            let statement = shared.sql.claim(now.0, (now + lease).0, most);
            let claimed = session.query_all_raw(statement).await?;
            let claimed = claimed
                .iter()
                .map(|row| outbox::Model::from_query_result(row, ""))
                .collect::<Result<Vec<_>, _>>()?;
            let keys = claimed
                .iter()
                .map(|row| (row.organization_id.as_str(), row.user_id.as_str()));
            let wanted = Wanted {
                exact: keys.collect(),
                ..Wanted::default()
            };
            let challenges = match claimed.is_empty() {
                true => HashMap::new(),
                false => open_challenges(shared, session, &wanted).await?,
            };
            Ok((claimed, challenges))
        };
        let (epoch, claimed) = (taken.epoch, taken.within(claiming).await);
        let (claimed, challenges) = line.done(taken, claimed)?;
        if shared.sql.backend == DbBackend::Postgres {
            // A server that takes no writes would have refused it, even with nothing to claim.
            shared.dialer.health.wrote(epoch);
        }
        let taken = claimed.len();
        if taken == 0 {
            return Ok((0, Vec::new()));
        }
        let (mut ready, mut dropped) = (Vec::new(), Vec::new());
        for row in claimed {
            if row.expires_at <= now.0 {
                dropped.push(row.id);
                continue;
            }
            let id = row.id.clone();
            let attempt = u32::try_from(row.attempts).unwrap_or(u32::MAX);
            // What a newer version wrote stays for a worker of that version, and holds up no other message.
            let Ok(message) = rows::message(row).inspect_err(noted) else {
                continue;
            };
            let key = Key {
                organization: message.organization.clone(),
                id: message.account.clone(),
            };
            let code = match message.kind {
                MessageKind::Replaced | MessageKind::Removed => None,
                MessageKind::Code { challenge } | MessageKind::RemovalCode { challenge } => {
                    let open = match challenges.get(&key) {
                        Some(None) => continue,
                        Some(Some(open)) => open.as_slice(),
                        None => &[],
                    };
                    let code = open
                        .iter()
                        .find(|c| c.id == challenge && c.is_open(now))
                        .and_then(|c| c.code(&shared.rules.keys));
                    let Some(code) = code else {
                        dropped.push(id);
                        continue;
                    };
                    Some(code)
                }
            };
            ready.push(Claimed {
                message,
                code,
                attempt,
            });
        }
        ready.sort_by_key(|claimed| claimed.message.id);
        if !dropped.is_empty() {
            metrics::counter!("ringback_messages_dropped_total").increment(dropped.len() as u64);
            let ids = dropped.iter().map(String::as_str);
            drop(line);
            self.change(shared.sql.remove_messages(ids)?).await?;
        }
        Ok((taken, ready))
    }

    /// Writes down what became of claimed messages.
    pub async fn settle(&self, settlements: &[Settlement]) -> Result<(), Refusal> {
        let health = &self.shared.dialer.health;
        self.settle_or_fault(settlements)
            .await
            .map_err(|fault| health.report(&fault, "settling messages"))
    }

    /// Each kind of outcome by a statement of its own: none depends on another.
    async fn settle_or_fault(&self, settlements: &[Settlement]) -> Result<(), Fault> {
        let sql = &self.shared.sql;
        // In one order, so that two workers with the same messages cannot wait for each other.
        let mut settlements: Vec<&Settlement> = settlements.iter().collect();
        settlements.sort_by_key(|settlement| settlement.message);
        let (mut done, mut again) = (Vec::new(), Vec::new());
        for Settlement {
            message,
            attempt,
            outcome,
        } in settlements
        {
            match outcome {
                Settled::Done => done.push(message.to_string()),
                Settled::Retry { at } => again.push(Postponed {
                    id: message.to_string(),
                    due_at: at.0,
                    attempts: *attempt,
                }),
            }
        }
        let mut statements = Vec::new();
        if !done.is_empty() {
            statements.push(sql.remove_messages(done.iter().map(String::as_str))?);
        }
        if !again.is_empty() {
            statements.push(sql.postpone_messages(serde_json::to_string(&again)?));
        }
        for statement in statements {
            self.change(statement).await?;
        }
        Ok(())
    }

    /// Waits until a commit of this process has put a message into the outbox.
    pub async fn wait_for_messages(&self) {
        self.shared.messages.notified().await;
    }

    /// Deletes some of the budgets and of the deletions that say nothing any more, and says how many.
    pub async fn purge(&self) -> Result<u64, Refusal> {
        let (sql, now) = (&self.shared.sql, self.now().0);
        let mut purged = 0;
        for statement in [sql.purge_budgets(now, PURGE), sql.purge_deleted(now, PURGE)] {
            let health = &self.shared.dialer.health;
            let rows = self.change(statement).await;
            purged += rows.map_err(|fault| health.report(&fault, "purging"))?;
        }
        Ok(purged)
    }

    /// A change that is a transaction of its own; says how many rows it touched.
    async fn change(&self, statement: Statement) -> Result<u64, Fault> {
        let mut line = self.jobs.lock().await;
        let taken = line.take().await?;
        let changing = async {
            let changed = taken.session.execute_raw(statement).await?;
            Ok(changed.rows_affected())
        };
        let (epoch, changed) = (taken.epoch, taken.within(changing).await);
        if let Err(fault) = &changed {
            self.shared.failed(fault);
        }
        let changed = line.done(taken, changed)?;
        if changed > 0 {
            self.shared.wrote(epoch, changed, false);
        }
        Ok(changed)
    }
}

/// A message that is to be tried again, as a row's columns.
#[derive(serde::Serialize)]
struct Postponed {
    id: String,
    due_at: i64,
    attempts: u32,
}

/// The challenges of some accounts; none for an account that this version cannot read.
async fn open_challenges(
    shared: &Shared,
    session: &Session,
    wanted: &Wanted<'_>,
) -> Result<HashMap<Key, Option<Vec<Challenge>>>, Fault> {
    let statement = shared.sql.challenges(wanted)?;
    let rows = session.query_all_raw(statement).await?;
    let read = rows.iter().map(|row| {
        let (id, organization, challenges): (String, String, String) =
            row.try_get_many_by_index()?;
        let challenges = serde_json::from_str(&challenges).map_err(Fault::from);
        Ok((Key { organization, id }, challenges.inspect_err(noted).ok()))
    });
    read.collect()
}
