//! What decisions read: accounts with their numbers, and budgets, in one question.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ringback_core::{Account, Budget, Command, Number};
use sea_orm::ConnectionTrait;

use crate::Shared;
use crate::entity::{accounts, budgets, phone_numbers};
use crate::fault::Fault;
use crate::rows;
use crate::session::Session;

/// An account's row beside those of its numbers.
pub(crate) type Found = (accounts::Model, Vec<phone_numbers::Model>);

/// An account as it was loaded and as it is by now.
#[derive(Default)]
pub(crate) struct Held {
    /// As it was read, none when it was not there.
    pub(crate) before: Option<Loaded>,
    /// As the commands so far have left it.
    pub(crate) now: Option<Account>,
}

/// An account as it was read.
pub(crate) struct Loaded {
    pub(crate) account: Account,
    pub(crate) version: i64,
    pub(crate) phones: Vec<phone_numbers::Model>,
}

/// What a batch of commands reads and then changes.
pub(crate) struct World<'a> {
    /// By user id: one for each account that a command names.
    pub(crate) accounts: BTreeMap<&'a str, Held>,
    /// By pseudonym: one for each budget that a command may touch, with its version when it has a row.
    pub(crate) budgets: BTreeMap<String, Option<(Budget, i64)>>,
}

impl<'a> World<'a> {
    /// Reads what the commands need.
    pub(crate) async fn load(
        shared: &Shared,
        session: &Session,
        commands: &[&'a Command],
    ) -> Result<World<'a>, Fault> {
        let ids: BTreeSet<&str> = commands
            .iter()
            .map(|command| command.account.as_str())
            .collect();
        let mut named: BTreeSet<String> = wanted(shared, commands, &BTreeMap::new());
        loop {
            let statement = shared
                .sql
                .accounts_and_budgets(ids.iter().copied(), named.iter().map(String::as_str))?;
            let (found, budgets): (Vec<Found>, Vec<budgets::Model>) =
                one_text(session, statement).await?;
            let read: BTreeSet<&str> = found
                .iter()
                .flat_map(|(_, phones)| phones)
                .map(|phone| phone.pseudonym.as_str())
                .chain(named.iter().map(String::as_str))
                .collect();
            let held = hold(&ids, &found)?;
            let wanted = wanted(shared, commands, &held);
            // Numbers that an older version wrote have no pseudonym beside them: asked for by name.
            let missing: Vec<_> = wanted
                .iter()
                .filter(|pseudonym| !read.contains(pseudonym.as_str()))
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
            let budgets = wanted.into_iter().map(|pseudonym| {
                let row = budgets.remove(&pseudonym);
                let budget = row.map(|row| Ok::<_, Fault>((rows::budget(&row)?, row.version)));
                Ok((pseudonym, budget.transpose()?))
            });
            return Ok(World {
                budgets: budgets.collect::<Result<_, Fault>>()?,
                accounts: held,
            });
        }
    }
}

/// One account for each id.
fn hold<'a>(ids: &BTreeSet<&'a str>, found: &[Found]) -> Result<BTreeMap<&'a str, Held>, Fault> {
    let mut held: BTreeMap<&str, Held> = ids.iter().map(|id| (*id, Held::default())).collect();
    for (row, phones) in found {
        let Some(place) = held.get_mut(row.user_id.as_str()) else {
            continue;
        };
        let mut phones = phones.clone();
        // As the database would, at less cost than if it did.
        phones.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        let account = rows::account(row.clone(), phones.clone())?;
        place.now = Some(account.clone());
        place.before = Some(Loaded {
            account,
            version: row.version,
            phones,
        });
    }
    Ok(held)
}

/// The budgets that the commands may touch: those of the numbers that an account holds now and of those that
/// it may hold once the commands before have had their turn.
fn wanted(
    shared: &Shared,
    commands: &[&Command],
    accounts: &BTreeMap<&str, Held>,
) -> BTreeSet<String> {
    let mut known: HashMap<&str, Vec<&Number>> = HashMap::new();
    for (id, held) in accounts {
        let phones = held.now.iter().flat_map(|account| &account.phones);
        known.insert(id, phones.map(|phone| &phone.number).collect());
    }
    for command in commands {
        if let Some(number) = command.number() {
            known.entry(&command.account).or_default().push(number);
        }
    }
    let mut wanted = BTreeSet::new();
    for command in commands {
        let numbers = known
            .get(command.account.as_str())
            .into_iter()
            .flatten()
            .copied();
        wanted.extend(command.budgets(numbers, &shared.rules.keys));
    }
    wanted
}

/// Some accounts with their numbers, by user id, as they were at one moment.
pub(crate) async fn accounts(
    shared: &Shared,
    session: &Session,
    ids: impl Iterator<Item = &str>,
) -> Result<HashMap<String, Account>, Fault> {
    let found: Vec<Found> = one_text(session, shared.sql.accounts(ids)?).await?;
    found
        .into_iter()
        .map(|(account, mut phones)| {
            phones.sort_unstable_by(|a, b| a.id.cmp(&b.id));
            let id = account.user_id.clone();
            Ok((id, rows::account(account, phones)?))
        })
        .collect()
}

/// The value of a statement that answers with one text of JSON.
async fn one_text<T: serde::de::DeserializeOwned>(
    session: &Session,
    statement: sea_orm::Statement,
) -> Result<T, Fault> {
    let row = session.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| Fault::Failed("a question was answered without a row".into()))?;
    let text: String = row.try_get_by_index(0)?;
    Ok(serde_json::from_str(&text)?)
}
