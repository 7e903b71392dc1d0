//! What commands mean, and so what is read for them: accounts, deletions and budgets.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ringback_core::{Action, Command, Number, Refusal};

use crate::Rules;
use crate::load::{Found, Held, Key};
use crate::sql::Wanted;

pub(crate) fn wanted_accounts<'a>(commands: &[&'a Command]) -> Wanted<'a> {
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
pub(crate) fn wanted_deletions(rules: &Rules, commands: &[&Command]) -> BTreeSet<String> {
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

/// Which account each command means, as far as can be told before anything is read. What is guessed wrong may cost a
/// second question.
pub(crate) fn guessed(commands: &[&Command]) -> Vec<Result<Key, Refusal>> {
    let guess = |command: &&Command| {
        let target = command.target();
        Ok(Key {
            organization: target.first_guess().to_owned(),
            id: target.id.to_owned(),
        })
    };
    commands.iter().map(guess).collect()
}

/// The number that each command names, as the rules of the organisation that it means read it; those that were read
/// before, for the keys of then, need not be read again.
pub(crate) fn numbers(
    rules: &Rules,
    commands: &[&Command],
    meant: &[Result<Key, Refusal>],
    before: (&[Result<Key, Refusal>], &[Option<Number>]),
) -> Vec<Option<Number>> {
    let of = |(nth, (command, key)): (usize, (&&Command, &Result<Key, Refusal>))| {
        let organization = &key.as_ref().ok()?.organization;
        if let (Some(Ok(then)), Some(number)) = (before.0.get(nth), before.1.get(nth))
            && then.organization == *organization
        {
            return number.clone();
        }
        command.number(&rules.policies.of(organization).numbers)
    };
    commands.iter().zip(meant).enumerate().map(of).collect()
}

/// Which account each command means, by what was found.
pub(crate) fn meant(commands: &[&Command], found: &[Found]) -> Vec<Result<Key, Refusal>> {
    let mut organizations: HashMap<&str, Vec<&str>> = HashMap::with_capacity(found.len());
    for (row, _) in found {
        let same_id = organizations.entry(&row.user_id).or_default();
        same_id.push(&row.organization_id);
    }
    let of = |command: &&Command| {
        let target = command.target();
        let same_id = organizations.get(target.id).into_iter().flatten();
        let organization = target.resolve(same_id.copied())?;
        Ok(Key {
            organization: organization.to_owned(),
            id: target.id.to_owned(),
        })
    };
    commands.iter().map(of).collect()
}

/// The budgets that the commands may touch: those of the numbers that an account holds now and of those that
/// it may hold once the commands before have been decided.
pub(crate) fn wanted_budgets(
    rules: &Rules,
    commands: &[&Command],
    (meant, numbers): (&[Result<Key, Refusal>], &[Option<Number>]),
    accounts: &BTreeMap<Key, Held>,
) -> BTreeSet<String> {
    let commands = commands
        .iter()
        .zip(meant)
        .zip(numbers)
        .filter_map(|((command, key), number)| Some((command, key.as_ref().ok()?, number)));
    let mut known: HashMap<&Key, Vec<Number>> = HashMap::new();
    for (key, held) in accounts {
        let phones = held.slot.account.iter().flat_map(|account| &account.phones);
        known.insert(key, phones.map(|phone| phone.number.clone()).collect());
    }
    for (_, key, number) in commands.clone() {
        known.entry(key).or_default().extend(number.clone());
    }
    let mut wanted = BTreeSet::new();
    for (command, key, number) in commands {
        let (organization, named) = (&key.organization, number.as_ref());
        let known = known.get(key).into_iter().flatten();
        let policy = rules.policies.of(organization);
        wanted.extend(command.budgets_naming(named, organization, known, policy, &rules.keys));
    }
    wanted
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
            let wanted = |keys: &[Result<Key, Refusal>]| {
                let numbers = numbers(&rules, &commands, keys, (&[], &[]));
                assert!(numbers[0].is_some(), "{command:?}");
                let none = BTreeMap::new();
                wanted_budgets(&rules, &commands, (keys, &numbers), &none)
            };
            let guessed = wanted(&guessed(&commands));
            assert_eq!(guessed, wanted(&meant(&commands, &[])), "{command:?}");
        }
    }
}
