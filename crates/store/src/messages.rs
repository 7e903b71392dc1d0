//! Messages: claimed for a route with a lease, and derived.

use std::collections::HashMap;
use std::time::Duration;

use ringback_core::delivery::{State, Trail};
use ringback_core::event::Message;
use ringback_core::{Challenge, Code, Id, Keys, Refusal, Time};
use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement};

use crate::entity::messages;
use crate::fault::Fault;
use crate::lane::LaneLine;
use crate::load::Key;
use crate::session::Session;
use crate::settle::{Settled, Settlement};
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
    /// What was tried before. An attempt that is missing in it was claimed by somebody who never told how it
    /// went.
    pub trail: Trail,
}

/// The messages that wait for one route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its name.
    pub route: String,
    /// How many.
    pub count: u64,
    /// When the oldest of them was asked for.
    pub oldest: Time,
}

/// Logs what keeps one message from being given out.
fn noted(fault: &Fault) {
    tracing::error!(%fault, "a message cannot be given out");
}

/// Rows deleted in one go, so that the deleting holds no lock for long.
const PURGE: u32 = 500;

impl Store {
    /// Claims up to `most` messages that are due and wait for a route, for `lease`; an empty name is for those
    /// that have none. Messages that are no longer worth sending, because they are too old or their challenge
    /// has ended, are not given out and end.
    pub async fn claim(
        &self,
        route: &str,
        most: usize,
        lease: Duration,
    ) -> Result<Vec<Claimed>, Refusal> {
        // Behind a pile of messages that are too old there may be one that is not.
        loop {
            let claimed = self.claim_once(route, most, lease).await;
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
        route: &str,
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
            let statement = shared.sql.claim(route, now.0, (now + lease).0, most);
            let claimed = session.query_all_raw(statement).await?;
            let claimed = claimed
                .iter()
                .map(|row| messages::Model::from_query_result(row, ""))
                .collect::<Result<Vec<_>, _>>()?;
            let keys = claimed
                .iter()
                .filter(|row| row.challenge_id.is_some())
                .map(|row| (row.organization_id.as_str(), row.user_id.as_str()));
            let wanted = Wanted {
                exact: keys.collect(),
                ..Wanted::default()
            };
            let challenges = match wanted.exact.is_empty() {
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
        drop(line);
        let taken = claimed.len();
        let (mut ready, mut ended) = (Vec::new(), Vec::new());
        for row in claimed {
            let attempt = u32::try_from(row.attempts).unwrap_or(u32::MAX);
            let trail: Trail = serde_json::from_str(&row.trail).unwrap_or_default();
            if row.expires_at <= now.0 {
                if let Ok(message) = rows::message_of_any_kind(row).inspect_err(noted) {
                    ended.push(Settlement {
                        message,
                        attempt,
                        trail,
                        outcome: Settled::Ended(State::Expired),
                        country: None,
                    });
                }
                continue;
            }
            // What a newer version wrote stays for a worker of that version, and holds up no other message.
            let Ok(message) = rows::message(row).inspect_err(noted) else {
                continue;
            };
            match self.code_of(&message, &challenges) {
                Carried::Code(code) => ready.push(Claimed {
                    message,
                    code,
                    attempt,
                    trail,
                }),
                Carried::Dead => ended.push(Settlement {
                    message,
                    attempt,
                    trail,
                    outcome: Settled::Ended(State::Superseded),
                    country: None,
                }),
                Carried::Unreadable => {}
            }
        }
        ready.sort_by_key(|claimed| claimed.message.id);
        if !ended.is_empty() {
            for settlement in &ended {
                if let Settled::Ended(state) = settlement.outcome {
                    metrics::counter!("ringback_messages_dropped_total", "state" => state.code())
                        .increment(1);
                }
            }
            self.settle_or_fault(&ended).await?;
        }
        Ok((taken, ready))
    }

    fn code_of(
        &self,
        message: &Message,
        challenges: &HashMap<Key, Option<Vec<Challenge>>>,
    ) -> Carried {
        let key = Key {
            organization: message.organization.clone(),
            id: message.account.clone(),
        };
        let open = match challenges.get(&key) {
            Some(None) if message.kind.challenge().is_some() => return Carried::Unreadable,
            Some(Some(open)) => open.as_slice(),
            _ => &[],
        };
        match code_among(open, message, &self.shared.rules.keys, self.now()) {
            Some(code) => Carried::Code(code),
            None => Carried::Dead,
        }
    }

    /// Waits until a message waits for this route because of a commit of this process; an empty name is for
    /// those that have none.
    pub async fn wait_for_messages(&self, route: &str) {
        self.shared.wakeups.of(route).notified().await;
    }

    /// What waits, by route; the name is empty for messages that have none.
    pub async fn waiting(&self) -> Result<Vec<Waiting>, Refusal> {
        let health = &self.shared.dialer.health;
        let mut line = self.jobs.lock().await;
        let asked = async {
            let taken = line.take().await?;
            let asking = async {
                let asked = self.shared.sql.awaited_routes();
                let rows = taken.session.query_all_raw(asked).await?;
                let rows = rows.iter().map(|row| {
                    let (route, count, oldest): (String, i64, i64) = row.try_get_many_by_index()?;
                    Ok(Waiting {
                        route,
                        count: u64::try_from(count).unwrap_or(0),
                        oldest: Time(oldest),
                    })
                });
                rows.collect::<Result<Vec<_>, Fault>>()
            };
            let asked = taken.within(asking).await;
            line.done(taken, asked)
        };
        asked
            .await
            .map_err(|fault| health.report(&fault, "looking for messages"))
    }

    /// Deletes some of the budgets, of the deletions, of the opt-outs, of the answers under keys, of the messages and of the pending
    /// numbers that say nothing any more, erases the
    /// numbers of some messages of which nothing will be heard any more, and says how many rows it touched.
    pub async fn purge(&self) -> Result<u64, Refusal> {
        let (sql, now) = (&self.shared.sql, self.now());
        let oldest = Id::first_at(now - self.shared.keep);
        let mut purged = 0;
        for statement in [
            sql.purge_budgets(now.0, PURGE),
            sql.purge_deleted(now.0, PURGE),
            sql.purge_opt_outs(now.0, PURGE),
            sql.purge_calls(now.0, PURGE),
            sql.purge_messages(&oldest.to_string(), PURGE),
            sql.erase_numbers(now.0, PURGE),
            self.old_tallies(now),
            self.idle_guard_tallies(now),
        ] {
            let health = &self.shared.dialer.health;
            let rows = self.change(statement, &[]).await;
            purged += rows.map_err(|fault| health.report(&fault, "purging"))?;
        }
        Ok(purged + self.tidy(now).await?)
    }

    /// A change that is a transaction of its own, after which messages wait for these routes; says how many rows
    /// it touched.
    pub(crate) async fn change(
        &self,
        statement: Statement,
        routes: &[String],
    ) -> Result<u64, Fault> {
        self.change_over(&self.jobs, statement, routes).await
    }

    /// The same over this line.
    pub(crate) async fn change_over(
        &self,
        line: &LaneLine,
        statement: Statement,
        routes: &[String],
    ) -> Result<u64, Fault> {
        let mut line = line.lock().await;
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
            self.shared.wrote(epoch, changed, routes);
        }
        Ok(changed)
    }
}

/// The code that a message carries, where it carries one, of an account's challenges; `None` if it is no longer of use.
#[expect(
    clippy::option_option,
    reason = "a message without a code is not one whose code has ended"
)]
pub(crate) fn code_among(
    challenges: &[Challenge],
    message: &Message,
    keys: &Keys,
    now: Time,
) -> Option<Option<Code>> {
    let Some(wanted) = message.kind.challenge() else {
        return Some(None);
    };
    let open = challenges
        .iter()
        .find(|one| one.id == wanted && one.is_open(now))?;
    open.code(keys).map(Some)
}

/// What a message carries.
enum Carried {
    /// This code, or none if it is of a kind that carries none.
    Code(Option<Code>),
    /// A code that is no longer of use.
    Dead,
    /// This version cannot tell.
    Unreadable,
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
