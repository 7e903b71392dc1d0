//! A batch: commands that are read for, decided and written together.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use ringback_core::event::EventKind;
use ringback_core::{Budgets, Command, Decision, Id, Moment, Number, Refusal, Reply, Time, decide};
use sea_orm::{ConnectionTrait, DbBackend};

use crate::Shared;
use crate::changes::Changes;
use crate::direct::Handed;
use crate::fault::Fault;
use crate::guard::{Batch, News};
use crate::line::Line;
use crate::load::{Key, World};
use crate::notes::{note_account, note_budget, note_deleted, note_message};
use crate::rows;
use crate::session::Session;

/// What a command came to.
pub(crate) type Outcome = Result<Reply, Refusal>;

/// What commands came to, and what is to be written for them.
pub(crate) struct Decided {
    pub(crate) outcomes: Vec<Outcome>,
    /// Codes that proved numbers, when.
    proven: Vec<(Key, (Id, Number), Time)>,
    /// What the guard hears.
    news: Vec<News>,
    /// Whose codes it refused, when, and whether an event is written of it.
    refused: Vec<(Key, bool, Time)>,
    /// Messages that go out as soon as they are committed.
    handed: Vec<Handed>,
    changes: Changes,
}

/// Decides commands and writes what came of them, again as long as somebody else is faster, for as long as a
/// statement may take.
pub(crate) async fn commit(
    shared: &Shared,
    line: &mut Line,
    commands: &[&Command],
) -> Result<Vec<Outcome>, Fault> {
    let until = Instant::now() + shared.dialer.limits.statement;
    let mut tries = 0;
    loop {
        let attempt = match shared.sql.backend {
            DbBackend::Postgres => optimistic(shared, line, commands).await,
            _ => exclusive(shared, line, commands).await,
        };
        match attempt {
            Err(Fault::Conflict(reason)) if Instant::now() < until => {
                metrics::counter!("ringback_batch_conflicts_total").increment(1);
                tracing::debug!(reason, "a batch met another writer");
                tokio::time::sleep(pause(shared, tries)).await;
                tries += 1;
            }
            done => return done,
        }
    }
}

/// One question, the decisions, one guarded write. Nothing is locked meanwhile.
async fn optimistic(
    shared: &Shared,
    line: &mut Line,
    commands: &[&Command],
) -> Result<Vec<Outcome>, Fault> {
    let world = loop {
        let taken = line.take().await?;
        let loading = World::load(shared, &taken.session, commands);
        let loaded = taken.within(loading).await;
        if let Some(loaded) = line.read(taken, loaded) {
            break loaded?;
        }
    };
    let mut decided = decide_all(shared, line.share, commands, world)?;
    let changes = std::mem::take(&mut decided.changes);
    if changes.is_empty() {
        return Ok(decided.tell(shared));
    }
    let (tells, tells_events) = (changes.routes(), !changes.events.is_empty());
    let writes = changes.writes()?;
    let taken = line.take().await?;
    let writing = shared.sql.writes.write(&taken.session, writes);
    let (epoch, written) = (taken.epoch, taken.within(writing).await);
    let touched = line.done(taken, written)?;
    shared.wrote(epoch, touched, &tells);
    if tells_events {
        shared.events.notify_one();
    }
    Ok(decided.tell(shared))
}

/// The same in one transaction that nobody else writes beside. Anything but its clean end ends the connection,
/// so that no later batch can find itself inside a transaction that never ends.
async fn exclusive(
    shared: &Shared,
    line: &mut Line,
    commands: &[&Command],
) -> Result<Vec<Outcome>, Fault> {
    let taken = line.take().await?;
    let session = &taken.session;
    let transaction = async {
        begin(session).await?;
        match decide_and_write(shared, line.share, session, commands).await {
            Ok((decided, 0)) => {
                end(session, "ROLLBACK").await?;
                Ok((decided, 0))
            }
            done => end_as(session, done).await,
        }
    };
    let (epoch, done) = (taken.epoch, taken.within(transaction).await);
    if let Err(fault) = &done {
        shared.failed(fault);
    }
    let (decided, touched) = line.done(taken, done)?;
    if touched > 0 {
        shared.wrote(epoch, touched, &decided.changes.routes());
        if !decided.changes.events.is_empty() {
            shared.events.notify_one();
        }
    }
    Ok(decided.tell(shared))
}

/// Begins a transaction. That one is open already can only be a fault of ours; it ends with the connection.
pub(crate) async fn begin(session: &Session) -> Result<(), Fault> {
    match session.execute_unprepared("BEGIN IMMEDIATE").await {
        Ok(_) => Ok(()),
        Err(error) => Err(match Fault::from(error) {
            Fault::Failed(text) => Fault::Unavailable(format!("cannot begin: {text}")),
            fault => fault,
        }),
    }
}

/// Ends a transaction as its work has ended.
pub(crate) async fn end_as<T>(session: &Session, done: Result<T, Fault>) -> Result<T, Fault> {
    match done {
        Ok(done) => {
            end(session, "COMMIT").await?;
            Ok(done)
        }
        Err(fault) => match end(session, "ROLLBACK").await {
            Ok(()) => Err(fault),
            // SQLite undoes it by itself where it cannot go on, such as on a full disk, and has nothing to undo then.
            Err(ended) => Err(Fault::Unavailable(format!("{fault}, then {ended}"))),
        },
    }
}

/// Ends a transaction. Whatever goes wrong leaves its outcome, and the connection's state, unknown.
async fn end(session: &Session, how: &str) -> Result<(), Fault> {
    match session.execute_unprepared(how).await {
        Ok(_) => Ok(()),
        Err(error) => Err(Fault::Unavailable(format!("{how} failed: {error}"))),
    }
}

/// What the commands came to, and how many rows were touched.
async fn decide_and_write(
    shared: &Shared,
    share: u32,
    session: &Session,
    commands: &[&Command],
) -> Result<(Decided, u64), Fault> {
    let world = World::load(shared, session, commands).await?;
    let decided = decide_all(shared, share, commands, world)?;
    let writes = decided.changes.writes()?;
    let touched = shared.sql.writes.write(session, writes).await?;
    Ok((decided, touched))
}

/// Decides the commands in turn, each on what those before it left.
pub(crate) fn decide_all(
    shared: &Shared,
    share: u32,
    commands: &[&Command],
    world: World,
) -> Result<Decided, Fault> {
    let World {
        mut accounts,
        meant,
        budgets: loaded,
    } = world;
    let mut budgets: Budgets = loaded
        .iter()
        .map(|(pseudonym, (budget, _))| (pseudonym.clone(), budget.clone()))
        .collect();
    let mut changes = Changes::default();
    changes.events.added.reserve(commands.len());
    changes.states.changed.reserve(accounts.len());
    let mut last = Time::default();
    let (mut outcomes, mut all_proven) = (Vec::with_capacity(commands.len()), Vec::new());
    let (mut news, mut refused) = (Vec::new(), Vec::new());
    let mut all_messages = Vec::new();
    let guard = Batch::new(&shared.guards, &shared.rules.policies);
    let known = shared.prefers.then(|| shared.conversions.known());
    for (command, key) in commands.iter().zip(meant) {
        let key = match key {
            Ok(key) => key,
            Err(refusal) => {
                outcomes.push(Err(refusal));
                continue;
            }
        };
        let held = accounts
            .get_mut(&key)
            .ok_or_else(|| Fault::Failed("a command's account was not loaded".into()))?;
        let decided = catch_unwind(AssertUnwindSafe(|| {
            let at = Moment {
                now: (shared.source.now)(),
                seed: (shared.source.seed)(),
                policies: &shared.rules.policies,
                keys: &shared.rules.keys,
                conversion: known.as_deref(),
                guard: Some(&guard),
                share,
            };
            last = at.now;
            decide(&mut held.slot, &mut budgets, command, &at)
        }));
        // The panic hook has logged it.
        let Decision {
            result,
            events,
            messages,
            proven,
            heard,
        } = decided.map_err(|_| Fault::Failed("a decision panicked".into()))?;
        for mut event in events {
            if event.kind == EventKind::GuardRefused {
                let of = (event.organization.as_str(), event.account.as_str());
                let count = shared.guards.tells_of(of, last);
                refused.push((key.clone(), count.is_some(), last));
                match count {
                    Some(count) => event.count = count,
                    None => continue,
                }
            }
            changes.events.added.push(rows::event_row(&event)?);
        }
        if let Some(heard) = heard {
            if commands.len() > 1 {
                guard.hear(&key.organization, &heard, last);
            }
            news.push((key.organization.clone(), heard, last));
        }
        all_messages.extend(messages.into_iter().map(|message| (key.clone(), message)));
        outcomes.push(result);
        all_proven.extend(proven.map(|proven| (key, proven, last)));
    }
    let mut handed = Vec::new();
    changes.messages.added.reserve(all_messages.len());
    for (key, message) in all_messages {
        let account = accounts
            .get(&key)
            .and_then(|held| held.slot.account.as_ref());
        let (row, ours) = note_message(shared, account, message, last)?;
        changes.messages.added.push(row);
        handed.extend(ours);
    }
    for (key, held) in accounts {
        note_deleted(shared, &key, &held, &mut changes);
        note_account(shared, held, &mut changes)?;
    }
    for (pseudonym, budget) in &budgets {
        if let Some(before) = loaded.get(pseudonym) {
            note_budget(pseudonym, before, (budget, last), &mut changes)?;
        }
    }
    Ok(Decided {
        outcomes,
        proven: all_proven,
        news,
        refused,
        handed,
        changes,
    })
}

impl Decided {
    /// Tells those who count what was committed, and hands over messages and outcomes.
    fn tell(self, shared: &Shared) -> Vec<Outcome> {
        for (key, proven, at) in self.proven {
            shared.conversions.proven(key, proven, at);
        }
        for (key, told, at) in self.refused {
            shared
                .guards
                .refused((&key.organization, &key.id), told, at);
        }
        shared.guards.hear(&shared.rules.policies, &self.news);
        self.handed.into_iter().for_each(Handed::send);
        self.outcomes
    }
}

/// How long to wait after losing a race: up to a bound that doubles, at random, so that those who met once
/// do not meet again.
fn pause(shared: &Shared, tries: u32) -> Duration {
    const FIRST: u64 = 1_000;
    const LONGEST: u64 = 50_000;
    let bound = (FIRST << tries.min(6)).min(LONGEST);
    let seed = (shared.source.seed)();
    let random = u64::from_be_bytes([
        seed[0], seed[1], seed[2], seed[3], seed[4], seed[5], seed[6], seed[7],
    ]);
    Duration::from_micros(random % bound)
}
