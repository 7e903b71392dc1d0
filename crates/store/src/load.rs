//! What decisions read: accounts with their numbers, budgets and deletions, in one question.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ringback_core::{Account, Action, Budget, Command, Deleted, Number, Refusal, Slot};
use sea_orm::ConnectionTrait;

use crate::entity::{accounts, budgets, deleted_accounts, opt_outs, phone_numbers};
use crate::fault::Fault;
use crate::opt_outs::believed;
use crate::rows;
use crate::session::Session;
use crate::sql::Wanted;
use crate::{Rules, Shared};

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
        let accounts = hold(shared, &meant, &found, &[])?;
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
        let mut named = named_budgets(&shared.rules, commands);
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
            let read: BTreeSet<&str> = found
                .iter()
                .flat_map(|(_, phones)| phones)
                .map(|phone| phone.pseudonym.as_str())
                .chain(named.iter().map(String::as_str))
                .collect();
            let held = hold(shared, &meant, &found, &deleted)?;
            let wanted = wanted_budgets(&shared.rules, commands, &meant, &held);
            // Numbers that an older version wrote have no pseudonym beside them, and an organisation's own
            // rules may read a number otherwise: asked for by name.
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

fn wanted_accounts<'a>(commands: &[&'a Command]) -> Wanted<'a> {
    let mut wanted = Wanted::default();
    for command in commands {
        let target = command.target();
        match target.organization {
            Some(organization) => wanted.exact.insert((organization, target.id)),
            None => wanted.anywhere.insert(target.id),
        };
    }
    wanted
}

/// Whom a command would bring into being, where nobody is found, and whom it may delete.
fn wanted_deletions(rules: &Rules, commands: &[&Command]) -> BTreeSet<String> {
    let matters = |command: &&&Command| {
        command.registers() || matches!(command.action, Action::Delete | Action::Erase)
    };
    let pseudonym = |command: &&Command| {
        let target = command.target();
        let organization = target.first_guess();
        rules.keys.account_pseudonym(organization, target.id)
    };
    commands.iter().filter(matters).map(pseudonym).collect()
}

/// The budgets that the commands may touch, as far as can be told before anything is read. What this leaves
/// out costs a second question.
fn named_budgets(rules: &Rules, commands: &[&Command]) -> BTreeSet<String> {
    let guess = |command: &&Command| {
        let target = command.target();
        Ok(Key {
            organization: target.first_guess().to_owned(),
            id: target.id.to_owned(),
        })
    };
    let guessed: Vec<_> = commands.iter().map(guess).collect();
    wanted_budgets(rules, commands, &guessed, &BTreeMap::new())
}

/// Which account each command means, by what was found.
fn meant(commands: &[&Command], found: &[Found]) -> Vec<Result<Key, Refusal>> {
    let of = |command: &&Command| {
        let target = command.target();
        let same_id = found.iter().filter(|(row, _)| row.user_id == target.id);
        let organizations = same_id.map(|(row, _)| row.organization_id.as_str());
        let organization = target.resolve(organizations)?;
        Ok(Key {
            organization: organization.to_owned(),
            id: target.id.to_owned(),
        })
    };
    commands.iter().map(of).collect()
}

/// What is kept under each key that is meant.
fn hold(
    shared: &Shared,
    meant: &[Result<Key, Refusal>],
    found: &[Found],
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
    for (row, phones) in found {
        let key = Key {
            organization: row.organization_id.clone(),
            id: row.user_id.clone(),
        };
        let Some(place) = held.get_mut(&key) else {
            continue;
        };
        let mut phones = phones.clone();
        // As the database would, at less cost than if it did.
        phones.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        let account = rows::account(row.clone(), phones.clone())?;
        place.slot.account = Some(account.clone());
        place.before = Some(Loaded {
            account,
            version: row.version,
            phones,
        });
    }
    Ok(held)
}

/// The budgets that the commands may touch: those of the numbers that an account holds now and of those that
/// it may hold once the commands before have been decided.
fn wanted_budgets(
    rules: &Rules,
    commands: &[&Command],
    meant: &[Result<Key, Refusal>],
    accounts: &BTreeMap<Key, Held>,
) -> BTreeSet<String> {
    let commands = commands
        .iter()
        .zip(meant)
        .filter_map(|(command, key)| Some((command, key.as_ref().ok()?)));
    let mut known: HashMap<&Key, Vec<Number>> = HashMap::new();
    for (key, held) in accounts {
        let phones = held.slot.account.iter().flat_map(|account| &account.phones);
        known.insert(key, phones.map(|phone| phone.number.clone()).collect());
    }
    for (command, key) in commands.clone() {
        let number = command.number(&rules.policies.of(&key.organization).numbers);
        known.entry(key).or_default().extend(number);
    }
    let mut wanted = BTreeSet::new();
    for (command, key) in commands {
        let numbers = known.get(key).into_iter().flatten();
        let organization = &key.organization;
        let policy = rules.policies.of(organization);
        wanted.extend(command.budgets(organization, numbers, policy, &rules.keys));
    }
    wanted
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

#[cfg(test)]
mod tests {
    use ringback_core::command::SetPhone;
    use ringback_core::{Caller, Change, Delivery, Keys, Policies, Verification};

    use super::*;

    /// Every change that names a number, each way that it can be proven.
    fn changes() -> Vec<Change> {
        let number = || "+41791234567".into();
        let ways = [
            Verification::Code(Delivery::Send),
            Verification::Code(Delivery::Return),
            Verification::Trusted,
        ];
        let set = ways.map(|verification| {
            Change::Set(SetPhone {
                number: number(),
                verification,
            })
        });
        let add = ways.map(|verification| Change::Add {
            number: number(),
            verification: Some(verification),
        });
        let others = [
            Change::Preverify { number: number() },
            Change::Replace { number: number() },
        ];
        set.into_iter().chain(add).chain(others).collect()
    }

    #[test]
    fn one_question_reads_the_budgets_of_the_numbers_that_are_named() {
        let rules = Rules {
            policies: Policies::default(),
            keys: Keys::for_tests(),
        };
        for change in changes() {
            let command = Command {
                caller: Caller::new("ann", "acme"),
                account: "ann".into(),
                action: change.into(),
            };
            let commands = [&command];
            let meant = meant(&commands, &[]);
            let wanted = wanted_budgets(&rules, &commands, &meant, &BTreeMap::new());
            assert_eq!(named_budgets(&rules, &commands), wanted, "{command:?}");
        }
    }
}
