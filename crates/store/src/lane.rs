//! A lane: commands wait in line, and whatever waits is decided and committed together.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use futures::FutureExt;
use ringback_core::{
    Account, Budget, Budgets, Command, Decision, Moment, Number, Refusal, Reply, decide,
};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, FromQueryResult, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use tokio::sync::{mpsc, oneshot};

use crate::Shared;
use crate::entity::{accounts, budgets, phone_numbers};
use crate::fault::Fault;
use crate::rows;
use crate::sql::{Changes, Write};

/// A command in line.
pub(crate) struct Job {
    pub(crate) command: Command,
    pub(crate) deadline: Option<Instant>,
    pub(crate) reply: oneshot::Sender<Result<Reply, Refusal>>,
}

/// How often a batch is tried again after losing a race, before its callers are told.
const TRIES: usize = 10;

/// Serves one lane until every sender is gone.
pub(crate) async fn run(shared: Arc<Shared>, mut line: mpsc::Receiver<Job>) {
    let most = shared.batch;
    let mut jobs = Vec::with_capacity(most);
    // Takes what waits and never waits for more: alone, a command is a batch of one.
    while line.recv_many(&mut jobs, most).await > 0 {
        let now = Instant::now();
        let mut batch = Vec::with_capacity(jobs.len());
        for job in jobs.drain(..) {
            if job.reply.is_closed() {
                continue;
            }
            if job.deadline.is_some_and(|deadline| deadline <= now) {
                let _ = job.reply.send(Err(Refusal::DeadlineExceeded));
                continue;
            }
            batch.push(job);
        }
        if batch.is_empty() {
            continue;
        }
        metrics::histogram!("ringback_batch_commands").record(batch.len() as f64);
        let commands: Vec<&Command> = batch.iter().map(|job| &job.command).collect();
        let results = match together(&shared, &commands).await {
            Ok(results) => results,
            Err(Fault::Broken(text)) if commands.len() > 1 => {
                tracing::warn!(
                    fault = text,
                    "a batch failed; doing its commands one by one"
                );
                one_by_one(&shared, &commands).await
            }
            Err(fault) => {
                let refusal = fault.report("committing a batch");
                vec![Err(refusal); commands.len()]
            }
        };
        for (job, result) in batch.into_iter().zip(results) {
            // A caller that has gone meanwhile does not want to know.
            let _ = job.reply.send(result);
        }
    }
}

async fn one_by_one(shared: &Shared, commands: &[&Command]) -> Vec<Result<Reply, Refusal>> {
    let mut results = Vec::with_capacity(commands.len());
    let mut away = false;
    for command in commands {
        if away {
            // Each of the rest would wait as long only to learn the same.
            results.push(Err(Refusal::Unavailable));
            continue;
        }
        let result = match together(shared, &[command]).await {
            Ok(mut single) => single.pop().unwrap_or(Err(Refusal::Internal)),
            Err(fault) => {
                away = matches!(fault, Fault::Away(_));
                Err(fault.report(command.name()))
            }
        };
        results.push(result);
    }
    results
}

/// Decides and commits commands in one transaction, again as long as somebody else is faster.
async fn together(
    shared: &Shared,
    commands: &[&Command],
) -> Result<Vec<Result<Reply, Refusal>>, Fault> {
    let mut tries = 0;
    loop {
        tries += 1;
        let attempt = AssertUnwindSafe(attempt(shared, commands))
            .catch_unwind()
            .await;
        match attempt {
            Ok(Err(Fault::Conflict(text))) if tries < TRIES => {
                metrics::counter!("ringback_batch_conflicts_total").increment(1);
                tracing::debug!(text, "a batch met another writer");
            }
            Ok(result) => return result,
            // The panic hook has logged it. The transaction went with the stack.
            Err(_) => return Err(Fault::Broken("a decision panicked".into())),
        }
    }
}

/// An account as it was loaded and as it is by now.
struct Held {
    before: Option<Account>,
    now: Option<Account>,
}

async fn attempt(
    shared: &Shared,
    commands: &[&Command],
) -> Result<Vec<Result<Reply, Refusal>>, Fault> {
    let transaction = shared
        .writer
        .begin_with_options(TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        })
        .await?;
    let mut accounts = load_accounts(shared, &transaction, commands).await?;
    let loaded = load_budgets(shared, &transaction, commands, &accounts).await?;
    let mut budgets = loaded
        .clone()
        .into_iter()
        .map(|(k, v)| (k, v.unwrap_or_default()))
        .collect();

    let mut changes = Changes::default();
    let mut results = Vec::with_capacity(commands.len());
    for command in commands {
        let held = accounts
            .get_mut(command.account.as_str())
            .ok_or_else(|| Fault::Broken("a command's account was not loaded".into()))?;
        let at = Moment {
            now: (shared.source.now)(),
            seed: (shared.source.seed)(),
            policy: &shared.rules.policy,
            keys: &shared.rules.keys,
        };
        let Decision {
            result,
            events,
            messages,
        } = decide(&mut held.now, &mut budgets, command, &at);
        changes.events.extend(events.iter().map(rows::event_row));
        changes
            .messages
            .extend(messages.iter().map(rows::outbox_row));
        results.push(result);
    }
    for held in accounts.values() {
        note_account(held, &mut changes)?;
    }
    note_budgets(&loaded, &budgets, &mut changes)?;

    if changes.is_empty() {
        transaction.rollback().await?;
        return Ok(results);
    }
    let touched = write(shared, &transaction, &changes).await?;
    if touched != changes.rows() {
        // A row that was absent when it was looked for is there now: somebody else added it.
        transaction.rollback().await?;
        return Err(Fault::Conflict("a row appeared meanwhile".into()));
    }
    transaction
        .commit()
        .await
        .map_err(|error| match Fault::from(error) {
            // Whatever goes wrong in a commit without being a lost race leaves its outcome unknown.
            Fault::Conflict(text) => Fault::Conflict(text),
            Fault::Away(text) | Fault::Broken(text) => Fault::Away(text),
        })?;
    if let Some(log) = &shared.log {
        log.grew(touched);
    }
    if !changes.messages.is_empty() {
        shared.messages.notify_one();
    }
    Ok(results)
}

async fn load_accounts<'a>(
    shared: &Shared,
    transaction: &DatabaseTransaction,
    commands: &[&'a Command],
) -> Result<BTreeMap<&'a str, Held>, Fault> {
    let ids: BTreeSet<&str> = commands
        .iter()
        .map(|command| command.account.as_str())
        .collect();
    let locked = transaction
        .query_all_raw(shared.sql.lock_accounts(ids.iter().copied())?)
        .await?;
    // A second statement, so that it sees what was committed before the locks were granted.
    let phones = match locked.is_empty() {
        true => HashMap::new(),
        false => phones_of(shared, transaction, ids.iter().copied()).await?,
    };
    let mut found = assemble(&locked, phones)?;
    Ok(ids
        .into_iter()
        .map(|id| {
            let account = found.remove(id);
            let before = account.clone();
            (
                id,
                Held {
                    before,
                    now: account,
                },
            )
        })
        .collect())
}

/// The numbers of some accounts, by user id.
pub(crate) async fn phones_of(
    shared: &Shared,
    connection: &impl ConnectionTrait,
    ids: impl Iterator<Item = &str>,
) -> Result<HashMap<String, Vec<phone_numbers::Model>>, Fault> {
    let mut phones: HashMap<String, Vec<phone_numbers::Model>> = HashMap::new();
    for row in connection
        .query_all_raw(shared.sql.find_phones(ids)?)
        .await?
    {
        let phone = phone_numbers::Model::from_query_result(&row, "")?;
        phones.entry(phone.user_id.clone()).or_default().push(phone);
    }
    Ok(phones)
}

/// Accounts out of rows and numbers, by user id.
fn assemble(
    locked: &[sea_orm::QueryResult],
    mut phones: HashMap<String, Vec<phone_numbers::Model>>,
) -> Result<HashMap<String, Account>, Fault> {
    locked
        .iter()
        .map(|row| {
            let row = accounts::Model::from_query_result(row, "")?;
            let phones = phones.remove(&row.user_id).unwrap_or_default();
            let account = rows::account(row, phones)?;
            Ok((account.id.clone(), account))
        })
        .collect()
}

/// Locks the budgets that the commands may touch: those of the numbers that an account holds now and of
/// those that it may hold once the commands before have had their turn.
async fn load_budgets(
    shared: &Shared,
    transaction: &DatabaseTransaction,
    commands: &[&Command],
    accounts: &BTreeMap<&str, Held>,
) -> Result<BTreeMap<String, Option<Budget>>, Fault> {
    let mut known: HashMap<&str, Vec<&Number>> = HashMap::new();
    for (id, held) in accounts {
        let phones = held.before.iter().flat_map(|account| &account.phones);
        known.insert(id, phones.map(|phone| &phone.number).collect());
    }
    for command in commands {
        if let Some(number) = command.number() {
            known.entry(&command.account).or_default().push(number);
        }
    }
    let mut wanted: BTreeMap<String, Option<Budget>> = BTreeMap::new();
    for command in commands {
        let numbers = known
            .get(command.account.as_str())
            .into_iter()
            .flatten()
            .copied();
        let pseudonyms = command.budgets(numbers, &shared.rules.keys);
        wanted.extend(pseudonyms.into_iter().map(|pseudonym| (pseudonym, None)));
    }
    if wanted.is_empty() {
        return Ok(wanted);
    }
    let statement = shared.sql.lock_budgets(wanted.keys().map(String::as_str))?;
    for row in transaction.query_all_raw(statement).await? {
        let row = budgets::Model::from_query_result(&row, "")?;
        wanted.insert(row.pseudonym, Some(serde_json::from_str(&row.state)?));
    }
    Ok(wanted)
}

fn note_account(held: &Held, changes: &mut Changes) -> Result<(), Fault> {
    match (&held.before, &held.now) {
        (None, None) => {}
        (None, Some(now)) => changes.accounts_added.push(rows::account_row(now)?),
        (Some(before), None) => changes.accounts_removed.push(before.id.clone()),
        (Some(before), Some(now)) => {
            let (row_before, row_now) = (rows::account_row(before)?, rows::account_row(now)?);
            if row_before != row_now {
                changes.accounts_changed.push(row_now);
            }
        }
    }
    let phones = |account: &Option<Account>| -> Vec<phone_numbers::Model> {
        let account = account.iter();
        account
            .flat_map(|a| a.phones.iter().map(|phone| rows::phone_row(a, phone)))
            .collect()
    };
    let (before, now) = (phones(&held.before), phones(&held.now));
    for phone in &now {
        match before.iter().find(|old| old.id == phone.id) {
            None => changes.phones_added.push(phone.clone()),
            Some(old) if old != phone => changes.phones_changed.push(phone.clone()),
            Some(_) => {}
        }
    }
    let gone = before
        .into_iter()
        .filter(|old| now.iter().all(|phone| phone.id != old.id));
    changes.phones_removed.extend(gone.map(|phone| phone.id));
    Ok(())
}

fn note_budgets(
    loaded: &BTreeMap<String, Option<Budget>>,
    budgets: &Budgets,
    changes: &mut Changes,
) -> Result<(), Fault> {
    for (pseudonym, budget) in budgets {
        match loaded.get(pseudonym) {
            Some(Some(before)) if before == budget => {}
            Some(Some(_)) => changes
                .budgets_changed
                .push(rows::budget_row(pseudonym, budget)?),
            Some(None) | None if *budget == Budget::default() => {}
            Some(None) | None => changes
                .budgets_added
                .push(rows::budget_row(pseudonym, budget)?),
        }
    }
    Ok(())
}

/// Writes a batch and says how many rows it touched.
async fn write(
    shared: &Shared,
    transaction: &DatabaseTransaction,
    changes: &Changes,
) -> Result<u64, Fault> {
    match shared.sql.write(changes)? {
        Write::Counted(statement) => {
            let row = transaction
                .query_one_raw(statement)
                .await?
                .ok_or_else(|| Fault::Broken("the write said nothing".into()))?;
            let touched: i64 = row.try_get_by_index(0)?;
            Ok(touched.unsigned_abs())
        }
        Write::Each(statements) => {
            let mut touched = 0;
            for statement in statements {
                touched += transaction.execute_raw(statement).await?.rows_affected();
            }
            Ok(touched)
        }
    }
}
