//! What decisions leave of accounts, budgets and messages, noted as changes of rows.

use ringback_core::{Account, Budget, Message, Time};

use crate::changes::{Changes, NewMessage};
use crate::direct::Handed;
use crate::fault::Fault;
use crate::load::{Held, Key};
use crate::messages::code_among;
use crate::{Shared, rows};

/// A message's row, and the message if it goes out as soon as it is committed.
pub(crate) fn note_message(
    shared: &Shared,
    account: Option<&Account>,
    message: Message,
    now: Time,
) -> Result<(NewMessage, Option<Handed>), Fault> {
    let mut row = rows::message_row(&message);
    let Some(reserved) = shared.senders.reserve(&message, now) else {
        return Ok((row, None));
    };
    let challenges = account.map_or(&[][..], |account| &account.challenges);
    // What is not of use any more ends where it is claimed.
    let Some(code) = code_among(challenges, &message, &shared.rules.keys, now) else {
        return Ok((row, None));
    };
    let trail = serde_json::from_str(&row.trail)?;
    let handed = reserved.claim(&mut row, message, code, trail, now);
    Ok((row, Some(handed)))
}

pub(crate) fn note_deleted(shared: &Shared, key: &Key, held: &Held, changes: &mut Changes) {
    let (before, now) = (held.deleted_before, held.slot.deleted);
    if before == now {
        return;
    }
    let keys = &shared.rules.keys;
    let row = |deleted| {
        let pseudonym = keys.account_pseudonym(&key.organization, &key.id);
        rows::deleted_row(pseudonym, deleted)
    };
    match (before, now) {
        (None, Some(now)) => changes.deleted.added.push(row(now)),
        (Some(_), Some(now)) => changes.deleted.changed.push(row(now)),
        (Some(before), None) => changes.deleted.removed.push(row(before)),
        (None, None) => {}
    }
}

pub(crate) fn note_account(
    shared: &Shared,
    held: Held,
    changes: &mut Changes,
) -> Result<(), Fault> {
    let keys = &shared.rules.keys;
    let Held { before, slot, .. } = held;
    let now = slot.account;
    let phones_before = match &before {
        Some(before) => before.phones.as_slice(),
        None => &[],
    };
    let mut phones_now = Vec::new();
    match (&before, &now) {
        (None, None) => return Ok(()),
        (Some(before), Some(now)) if before.account == *now => return Ok(()),
        (None, Some(now)) => {
            // Another account of the same id, before this one or after it, counts from another time.
            let row = rows::account_row(now, now.created_at.0)?;
            changes.accounts.added.push(row);
            changes.names.added.push(rows::names_row(now));
        }
        (Some(before), None) => {
            let row = rows::account_row(&before.account, before.version)?;
            changes.accounts.removed.push(row);
            changes.names.removed.push(rows::names_row(&before.account));
        }
        (Some(before), Some(now)) => {
            let row = rows::account_row(now, before.version + 1)?;
            let same_person = before.account.profile == now.profile
                && before.account.created_at == now.created_at;
            if same_person {
                changes.states.changed.push(row.into());
            } else {
                changes.accounts.changed.push(row);
                changes.names.changed.push(rows::names_row(now));
            }
        }
    }
    if let Some(now) = &now {
        let phones = now.phones.iter();
        phones_now.extend(phones.map(|phone| rows::phone_row(now, phone, keys)));
    }
    for old in phones_before {
        if phones_now.iter().all(|phone| phone.id != old.id) {
            changes.phones.removed.push(old.clone());
        }
    }
    for phone in phones_now {
        match phones_before.iter().find(|old| old.id == phone.id) {
            None => changes.phones.added.push(phone),
            Some(old) if *old != phone => changes.phones.changed.push(phone),
            Some(_) => {}
        }
    }
    Ok(())
}

pub(crate) fn note_budget(
    pseudonym: &str,
    (before, version): &(Budget, Option<i64>),
    (now, at): (&Budget, Time),
    changes: &mut Changes,
) -> Result<(), Fault> {
    match version {
        _ if before == now => {}
        Some(version) => {
            let row = rows::budget_row(pseudonym, now, version + 1)?;
            changes.budgets.changed.push(row);
        }
        // A row that was purged and made again counts from another time.
        None => changes
            .budgets
            .added
            .push(rows::budget_row(pseudonym, now, at.0)?),
    }
    Ok(())
}
