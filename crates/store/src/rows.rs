//! Core values as rows, and back.

use ringback_core::account::Pending;
use ringback_core::delivery::Trail;
use ringback_core::event::{Message, MessageKind};
use ringback_core::limit::NumberBudget;
use ringback_core::{
    Account, Budget, Deleted, Event, Id, Keys, Number, Phone, PhoneState, Profile, Time,
};

use crate::changes::NewMessage;
use crate::entity::{
    account_names, accounts, budgets, deleted_accounts, events, messages, phone_numbers,
};
use crate::fault::Fault;
use crate::fold::fold;

const JOINS: &str = "joins";
const REPLACES: &str = "replaces";

// What a budget's pseudonym stands for.
const NUMBER: &str = "number";
const ADDRESS: &str = "address";
const ORGANIZATION: &str = "organization";

pub(crate) fn account_row(account: &Account, version: i64) -> Result<accounts::Model, Fault> {
    // Taken apart so that a new field cannot be forgotten here.
    let Account {
        id,
        organization,
        sequence,
        created_at,
        changed_at,
        profile,
        phones: _,
        primary: _,
        challenges,
        limits,
    } = account;
    let Profile {
        username,
        given_name,
        family_name,
        nick_name,
        display_name,
        preferred_language,
        gender,
        email,
        email_verified,
    } = profile.clone();
    Ok(accounts::Model {
        user_id: id.clone(),
        organization_id: organization.clone(),
        sequence: i64::try_from(*sequence).unwrap_or(i64::MAX),
        created_at: created_at.0,
        changed_at: changed_at.0,
        username,
        given_name,
        family_name,
        nick_name,
        display_name,
        preferred_language,
        gender,
        email,
        email_verified,
        challenges: serde_json::to_string(challenges)?,
        limits: serde_json::to_string(limits)?,
        version,
    })
}

pub(crate) fn names_row(account: &Account) -> account_names::Model {
    let profile = &account.profile;
    account_names::Model {
        user_id: account.id.clone(),
        organization_id: account.organization.clone(),
        username: fold(&profile.username),
        given_name: fold(&profile.given_name),
        family_name: fold(&profile.family_name),
        nick_name: fold(&profile.nick_name),
        display_name: fold(&profile.display_name),
        email: fold(&profile.email),
    }
}

pub(crate) fn account(
    row: accounts::Model,
    phones: Vec<phone_numbers::Model>,
) -> Result<Account, Fault> {
    let primary = phones
        .iter()
        .find(|phone| phone.primary_number)
        .map(|phone| id(&phone.id))
        .transpose()?;
    Ok(Account {
        id: row.user_id,
        organization: row.organization_id,
        sequence: u64::try_from(row.sequence).unwrap_or(0),
        created_at: Time(row.created_at),
        changed_at: Time(row.changed_at),
        profile: Profile {
            username: row.username,
            given_name: row.given_name,
            family_name: row.family_name,
            nick_name: row.nick_name,
            display_name: row.display_name,
            preferred_language: row.preferred_language,
            gender: row.gender,
            email: row.email,
            email_verified: row.email_verified,
        },
        phones: phones.into_iter().map(phone).collect::<Result<_, _>>()?,
        primary,
        challenges: serde_json::from_str(&row.challenges)?,
        limits: serde_json::from_str(&row.limits)?,
    })
}

pub(crate) fn phone_row(account: &Account, phone: &Phone, keys: &Keys) -> phone_numbers::Model {
    phone_numbers::Model {
        id: phone.id.to_string(),
        user_id: account.id.clone(),
        organization_id: account.organization.clone(),
        number: phone.number.as_str().to_owned(),
        primary_number: account.primary == Some(phone.id),
        pending: match phone.state {
            PhoneState::Unverified | PhoneState::Verified { .. } => None,
            PhoneState::Pending(Pending::Joins) => Some(JOINS.to_owned()),
            PhoneState::Pending(Pending::Replaces) => Some(REPLACES.to_owned()),
        },
        verified_at: match phone.state {
            PhoneState::Unverified | PhoneState::Pending(_) => None,
            PhoneState::Verified { at } => Some(at.0),
        },
        created_at: phone.created_at.0,
        changed_at: phone.changed_at.0,
        pseudonym: keys.pseudonym(&phone.number),
    }
}

pub(crate) fn phone(row: phone_numbers::Model) -> Result<Phone, Fault> {
    Ok(Phone {
        id: id(&row.id)?,
        number: Number::from_stored(row.number),
        state: match (row.verified_at, row.pending.as_deref()) {
            (Some(at), None) => PhoneState::Verified { at: Time(at) },
            (None, None) => PhoneState::Unverified,
            (None, Some(JOINS)) => PhoneState::Pending(Pending::Joins),
            (None, Some(REPLACES)) => PhoneState::Pending(Pending::Replaces),
            (_, Some(other)) => {
                return Err(Fault::Failed(format!("no number is pending as {other:?}")));
            }
        },
        created_at: Time(row.created_at),
        changed_at: Time(row.changed_at),
    })
}

pub(crate) fn budget(row: &budgets::Model) -> Result<Budget, Fault> {
    let state = &row.state;
    Ok(match row.kind.as_str() {
        NUMBER => Budget::Number(serde_json::from_str(state)?),
        ADDRESS => Budget::Address(serde_json::from_str(state)?),
        ORGANIZATION => Budget::Organization(serde_json::from_str(state)?),
        other => return Err(Fault::Failed(format!("no budget is of kind {other:?}"))),
    })
}

pub(crate) fn budget_row(
    pseudonym: &str,
    budget: &Budget,
    version: i64,
) -> Result<budgets::Model, Fault> {
    let (kind, state) = match budget {
        Budget::Fresh => (NUMBER, serde_json::to_string(&NumberBudget::default())?),
        Budget::Number(budget) => (NUMBER, serde_json::to_string(budget)?),
        Budget::Address(budget) => (ADDRESS, serde_json::to_string(budget)?),
        Budget::Organization(share) => (ORGANIZATION, serde_json::to_string(share)?),
    };
    Ok(budgets::Model {
        pseudonym: pseudonym.to_owned(),
        state,
        idle_at: budget.idle_at().map(|at| at.0),
        version,
        kind: kind.to_owned(),
    })
}

pub(crate) fn deleted(row: &deleted_accounts::Model) -> Deleted {
    Deleted {
        at: Time(row.deleted_at),
        until: Time(row.until_at),
    }
}

pub(crate) fn deleted_row(pseudonym: String, deleted: Deleted) -> deleted_accounts::Model {
    deleted_accounts::Model {
        pseudonym,
        deleted_at: deleted.at.0,
        until_at: deleted.until.0,
    }
}

pub(crate) fn event_row(event: &Event) -> Result<events::Model, Fault> {
    Ok(events::Model {
        id: event.id.to_string(),
        user_id: event.account.clone(),
        organization_id: event.organization.clone(),
        sequence: i64::try_from(event.sequence).unwrap_or(i64::MAX),
        at: event.at.0,
        actor: event.actor.clone(),
        kind: event.kind.code().to_owned(),
        cause: event.kind.cause().map(str::to_owned),
        number_pseudonym: event.number.as_ref().map(|number| number.pseudonym.clone()),
        number_mask: event.number.as_ref().map(|number| number.mask.clone()),
        count: i64::from(event.count),
        detail: match &event.detail {
            Some(detail) => Some(serde_json::to_string(detail)?),
            None => None,
        },
    })
}

/// What is known of a message before its first attempt.
fn known_trail(message: &Message) -> String {
    if message.opted_out.is_empty() {
        return "[]".to_owned();
    }
    let routes = message.opted_out.iter().map(String::as_str);
    let trail = Trail::of_opted_out(routes, message.created_at);
    serde_json::to_string(&trail).unwrap_or_else(|_| "[]".to_owned())
}

pub(crate) fn message_row(message: &Message) -> NewMessage {
    NewMessage {
        id: message.id.to_string(),
        user_id: message.account.clone(),
        organization_id: message.organization.clone(),
        number: message.number.as_str().to_owned(),
        kind: message.kind.code().to_owned(),
        challenge_id: message.kind.challenge().map(|id| id.to_string()),
        round: i32::try_from(message.round).unwrap_or(i32::MAX),
        language: message.language.clone(),
        created_at: message.created_at.0,
        expires_at: message.expires_at.0,
        route: message.route.clone().unwrap_or_default(),
        due_at: message.due_at.0,
        attempts: 0,
        trail: known_trail(message),
    }
}

pub(crate) fn message_kind(kind: &str, challenge: Option<&str>) -> Result<MessageKind, Fault> {
    match (kind, challenge) {
        ("code", Some(challenge)) => Ok(MessageKind::Code {
            challenge: id(challenge)?,
        }),
        ("removal_code", Some(challenge)) => Ok(MessageKind::RemovalCode {
            challenge: id(challenge)?,
        }),
        ("replaced", None) => Ok(MessageKind::Replaced),
        ("removed", None) => Ok(MessageKind::Removed),
        (other, _) => Err(Fault::Failed(format!("no message is of kind {other:?}"))),
    }
}

/// The same of a message that is not sent any more: of a kind that this version does not know, as a notice.
pub(crate) fn message_of_any_kind(row: messages::Model) -> Result<Message, Fault> {
    let known = message_kind(&row.kind, row.challenge_id.as_deref()).is_ok();
    message(match known {
        true => row,
        false => messages::Model {
            kind: MessageKind::Removed.code().to_owned(),
            challenge_id: None,
            ..row
        },
    })
}

pub(crate) fn message(row: messages::Model) -> Result<Message, Fault> {
    let Some(number) = row.number else {
        return Err(Fault::Failed("a message that waits has no number".into()));
    };
    let kind = message_kind(&row.kind, row.challenge_id.as_deref())?;
    Ok(Message {
        id: id(&row.id)?,
        account: row.user_id,
        organization: row.organization_id,
        number: Number::from_stored(number),
        kind,
        language: row.language,
        route: Some(row.route).filter(|route| !route.is_empty()),
        round: u32::try_from(row.round).unwrap_or(0),
        created_at: Time(row.created_at),
        due_at: Time(row.due_at.unwrap_or(row.created_at)),
        expires_at: Time(row.expires_at),
        opted_out: Vec::new(),
    })
}

pub(crate) fn id(text: &str) -> Result<Id, Fault> {
    Id::parse(text).ok_or_else(|| Fault::Failed(format!("{text:?} is no id")))
}
