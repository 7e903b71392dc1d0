//! What decisions read: accounts with their numbers, budgets and deletions, in one question.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use ringback_core::{Account, Budget, Command, Deleted, Refusal, Slot};
use sea_orm::ConnectionTrait;

use crate::Shared;
use crate::entity::{accounts, budgets, deleted_accounts, opt_outs, phone_numbers};
use crate::fault::Fault;
use crate::meant::{guessed, meant, numbers, wanted_accounts, wanted_budgets, wanted_deletions};
use crate::opt_outs::believed;
use crate::rows;
use crate::session::Session;
use crate::sql::Wanted;

/// An account's row beside those of its numbers.
pub(crate) type Found = (accounts::Model, Vec<phone_numbers::Model>);

/// What tells accounts apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) organization: String,
    pub(crate) id: String,
}

/// What is kept under a key, as it was loaded and as it is by now.
pub(crate) struct Held {
    /// The account as it was read, none when it was not there.
    pub(crate) before: Option<Loaded>,
    /// What was remembered of its deletion.
    pub(crate) deleted_before: Option<Deleted>,
    /// As the commands so far have left it.
    pub(crate) slot: Slot,
}

/// An account as it was read.
pub(crate) struct Loaded {
    pub(crate) account: Account,
    pub(crate) version: i64,
    pub(crate) phones: Vec<phone_numbers::Model>,
}

/// What a batch of commands reads and then changes.
pub(crate) struct World {
    /// One for each account that a command means.
    pub(crate) accounts: BTreeMap<Key, Held>,
    /// For each command in turn: the account that it means, or why there is none.
    pub(crate) meant: Vec<Result<Key, Refusal>>,
    /// By pseudonym: one for each budget that a command may touch, with its version when it has a row.
    pub(crate) budgets: BTreeMap<String, (Budget, Option<i64>)>,
}

impl World {
    /// Reads some accounts and budgets.
    pub(crate) async fn about(
        shared: &Shared,
        session: &Session,
        keys: &BTreeSet<Key>,
        pseudonyms: &BTreeSet<String>,
    ) -> Result<World, Fault> {
        let pairs = keys.iter();
        let wanted = Wanted {
            exact: pairs
                .map(|key| (key.organization.as_str(), key.id.as_str()))
                .collect(),
            ..Wanted::default()
        };
        let named = pseudonyms.iter().map(String::as_str);
        let statement = shared
            .sql
            .what_decides(&wanted, named, std::iter::empty())?;
        let (found, budgets, _, _): (
            Vec<Found>,
            Vec<budgets::Model>,
            Vec<deleted_accounts::Model>,
            Vec<opt_outs::Model>,
        ) = one_text(session, statement).await?;
        let meant: Vec<_> = keys.iter().cloned().map(Ok).collect();
        let accounts = hold(shared, &meant, found, &[])?;
        let budgets = budgets.into_iter().filter_map(|row| {
            let known = pseudonyms.contains(&row.pseudonym);
            let read = |row: budgets::Model| {
                Ok((
                    row.pseudonym.clone(),
                    (rows::budget(&row)?, Some(row.version)),
                ))
            };
            known.then(|| read(row))
        });
        let mut budgets: BTreeMap<_, _> = budgets.collect::<Result<_, Fault>>()?;
        for pseudonym in pseudonyms {
            budgets.entry(pseudonym.clone()).or_default();
        }
        Ok(World {
            budgets,
            accounts,
            meant,
        })
    }

    /// Reads what the commands need.
    pub(crate) async fn load(
        shared: &Shared,
        session: &Session,
        commands: &[&Command],
    ) -> Result<World, Fault> {
        let wanted = wanted_accounts(commands);
        let deletions = wanted_deletions(&shared.rules, commands);
        let guessed = guessed(commands);
        let numbers = numbers(&shared.rules, commands, &guessed, (&[], &[]));
        let mut named = wanted_budgets(
            &shared.rules,
            commands,
            (&guessed, &numbers),
            &BTreeMap::new(),
        );
        loop {
            let statement = shared.sql.what_decides(
                &wanted,
                named.iter().map(String::as_str),
                deletions.iter().map(String::as_str),
            )?;
            let (found, budgets, deleted, opted_out): (
                Vec<Found>,
                Vec<budgets::Model>,
                Vec<deleted_accounts::Model>,
                Vec<opt_outs::Model>,
            ) = one_text(session, statement).await?;
            let meant = meant(commands, &found);
            let held = hold(shared, &meant, found, &deleted)?;
            let numbers =
                crate::meant::numbers(&shared.rules, commands, &meant, (&guessed, &numbers));
            let wanted = wanted_budgets(&shared.rules, commands, (&meant, &numbers), &held);
            let before = held.values().filter_map(|held| held.before.as_ref());
            let read: HashSet<&str> = before
                .flat_map(|loaded| &loaded.phones)
                .map(|phone| phone.pseudonym.as_str())
                .collect();
            // Numbers that an older version wrote have no pseudonym beside them, and an organisation's own
            // rules may read a number otherwise: asked for by name.
            let missing: Vec<_> = wanted
                .iter()
                .filter(|name| !named.contains(*name) && !read.contains(name.as_str()))
                .cloned()
                .collect();
            if !missing.is_empty() {
                named.extend(missing);
                continue;
            }
            let mut budgets: HashMap<String, budgets::Model> = budgets
                .into_iter()
                .map(|row| (row.pseudonym.clone(), row))
                .collect();
            let mut opted_out = believed(opted_out, || (shared.source.now)());
            let budgets = wanted.into_iter().map(|pseudonym| {
                let row = budgets.remove(&pseudonym);
                let budget = row.as_ref().map(rows::budget).transpose()?;
                let mut budget = budget.unwrap_or_default();
                if let Some(routes) = opted_out.remove(&pseudonym) {
                    budget = budget.with_opted_out(routes);
                }
                Ok((pseudonym, (budget, row.map(|row| row.version))))
            });
            return Ok(World {
                budgets: budgets.collect::<Result<_, Fault>>()?,
                accounts: held,
                meant,
            });
        }
    }
}

/// What is kept under each key that is meant.
fn hold(
    shared: &Shared,
    meant: &[Result<Key, Refusal>],
    found: Vec<Found>,
    deleted: &[deleted_accounts::Model],
) -> Result<BTreeMap<Key, Held>, Fault> {
    let mut held = BTreeMap::new();
    for key in meant.iter().flatten() {
        let mut slot = Slot::empty(&key.organization);
        if !deleted.is_empty() {
            let keys = &shared.rules.keys;
            let pseudonym = keys.account_pseudonym(&key.organization, &key.id);
            let row = deleted.iter().find(|row| row.pseudonym == pseudonym);
            slot.deleted = row.map(rows::deleted);
        }
        let empty = Held {
            before: None,
            deleted_before: slot.deleted,
            slot,
        };
        held.insert(key.clone(), empty);
    }
    for (row, mut phones) in found {
        let key = Key {
            organization: row.organization_id.clone(),
            id: row.user_id.clone(),
        };
        let Some(place) = held.get_mut(&key) else {
            continue;
        };
        // As the database would, at less cost than if it did.
        phones.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        let version = row.version;
        let account = rows::account(row, phones.clone())?;
        place.slot.account = Some(account.clone());
        place.before = Some(Loaded {
            account,
            version,
            phones,
        });
    }
    Ok(held)
}

/// Some accounts with their numbers, as they were at one moment, by user id.
pub(crate) async fn accounts(
    shared: &Shared,
    session: &Session,
    wanted: &Wanted<'_>,
) -> Result<Vec<Account>, Fault> {
    let found: Vec<Found> = one_text(session, shared.sql.accounts(wanted)?).await?;
    found
        .into_iter()
        .map(|(account, mut phones)| {
            phones.sort_unstable_by(|a, b| a.id.cmp(&b.id));
            rows::account(account, phones)
        })
        .collect()
}

/// The value of a statement that answers with one text of JSON.
pub(crate) async fn one_text<T: serde::de::DeserializeOwned>(
    session: &Session,
    statement: sea_orm::Statement,
) -> Result<T, Fault> {
    let row = session.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| Fault::Failed("a question was answered without a row".into()))?;
    let text: String = row.try_get_by_index(0)?;
    Ok(serde_json::from_str(&text)?)
}
