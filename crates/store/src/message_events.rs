//! What became of messages, on record: written by the transaction that changes the message, and only if it does.

use std::collections::HashSet;

use ringback_core::delivery::{NO_COUNTRY, State, Trail};
use ringback_core::event::{EventKind, MaskedNumber};
use ringback_core::{Event, EventDetail, Id, Number, Time};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde::Serialize;

use crate::batch::{begin, end_as};
use crate::changes::{Kind, Target, Write};
use crate::entity::{events, messages};
use crate::fault::Fault;
use crate::session::Session;
use crate::settle::{Settled, Settlement};
use crate::{Shared, Store, rows};

/// An event, and the message that has to change for it.
#[derive(Serialize)]
pub(crate) struct MessageEvent {
    message: String,
    #[serde(flatten)]
    pub(crate) row: events::Model,
}

/// What is said of a message that stands there; `None` for one that waits.
fn kind(state: State) -> Option<EventKind> {
    match state {
        State::Queued => None,
        State::Handed => Some(EventKind::MessageTaken),
        State::Delivered => Some(EventKind::MessageDelivered),
        State::Refused | State::Failed | State::Undelivered => Some(EventKind::MessageFailed),
        State::Expired | State::Superseded => Some(EventKind::MessageGivenUp),
    }
}

/// Why a message stands there, for those that went wrong.
fn reason(state: State, trail: &Trail) -> Option<String> {
    let said = trail.last().map(|last| last.reason.as_str());
    let said = said.filter(|reason| !reason.is_empty()).map(str::to_owned);
    match state {
        State::Queued | State::Handed | State::Delivered => None,
        State::Superseded => Some("its code was no longer of use".to_owned()),
        State::Expired => said.or_else(|| Some("it was too late".to_owned())),
        State::Refused | State::Failed | State::Undelivered => said,
    }
}

impl MessageEvent {
    /// What a settlement puts on record; `None` for a message that waits.
    pub(crate) fn of(
        shared: &Shared,
        settlement: &Settlement,
        now: Time,
    ) -> Result<Option<MessageEvent>, Fault> {
        let state = match settlement.outcome {
            Settled::Waits { .. } => return Ok(None),
            Settled::Handed => State::Handed,
            Settled::Ended(state) => state,
        };
        let message = &settlement.message;
        let country = settlement.country.clone();
        let country = country.or_else(|| message.number.country());
        let keys = &shared.rules.keys;
        let detail = EventDetail {
            message: Some(message.id),
            route: settlement.trail.last().map(|last| last.route.clone()),
            country: country.filter(|country| country != NO_COUNTRY),
            reason: reason(state, &settlement.trail),
            ..EventDetail::default()
        };
        let number = MaskedNumber {
            pseudonym: keys.pseudonym(&message.number),
            mask: message.number.masked(),
        };
        let whose = (message.account.clone(), message.organization.clone());
        made(shared, state, whose, Some(number), detail, now)
    }

    /// What a receipt puts on record, for an attempt over `route`.
    pub(crate) fn of_receipt(
        shared: &Shared,
        row: &messages::Model,
        state: State,
        route: Option<&str>,
        trail: &Trail,
        now: Time,
    ) -> Result<Option<MessageEvent>, Fault> {
        let Some(message) = Id::parse(&row.id) else {
            return Ok(None);
        };
        let number = row.number.clone().map(Number::from_stored);
        let masked = match (&number, &row.number_pseudonym, &row.number_mask) {
            (_, Some(pseudonym), Some(mask)) => Some(MaskedNumber {
                pseudonym: pseudonym.clone(),
                mask: mask.clone(),
            }),
            (Some(number), _, _) => Some(MaskedNumber {
                pseudonym: shared.rules.keys.pseudonym(number),
                mask: number.masked(),
            }),
            (None, _, _) => None,
        };
        let detail = EventDetail {
            message: Some(message),
            route: route.map(str::to_owned),
            country: number.and_then(|number| number.country()),
            reason: reason(state, trail),
            ..EventDetail::default()
        };
        let whose = (row.user_id.clone(), row.organization_id.clone());
        made(shared, state, whose, masked, detail, now)
    }
}

fn made(
    shared: &Shared,
    state: State,
    (account, organization): (String, String),
    number: Option<MaskedNumber>,
    detail: EventDetail,
    at: Time,
) -> Result<Option<MessageEvent>, Fault> {
    let (Some(kind), Some(message)) = (kind(state), detail.message) else {
        return Ok(None);
    };
    let mut random = [0; 10];
    random.copy_from_slice(&(shared.source.seed)()[..10]);
    let event = Event {
        id: Id::new(at, random),
        account,
        organization,
        // It is no change of the account.
        sequence: 0,
        at,
        // Nobody has asked for it.
        actor: String::new(),
        kind,
        number,
        count: 1,
        detail: Some(detail),
    };
    Ok(Some(MessageEvent {
        message: message.to_string(),
        row: rows::event_row(&event)?,
    }))
}

impl Store {
    /// [`Store::change`] of messages, and what is put on record of those that it does change.
    pub(crate) async fn change_on_record(
        &self,
        change: Statement,
        told: &[MessageEvent],
        routes: &[String],
    ) -> Result<u64, Fault> {
        if told.is_empty() {
            return self.change(change, routes).await;
        }
        let shared = &self.shared;
        let json = serde_json::to_string(told)?;
        let mut line = self.jobs.lock().await;
        let taken = line.take().await?;
        let session = &taken.session;
        let changing = async {
            match shared.sql.backend {
                DbBackend::Postgres => {
                    let statement = shared.sql.on_record(change, json);
                    let count = session.query_one_raw(statement).await?;
                    let count = count
                        .map(|row| row.try_get_by_index::<i64>(0))
                        .transpose()?;
                    Ok(u64::try_from(count.unwrap_or(0)).unwrap_or(0))
                }
                _ => in_turn(shared, session, change, told).await,
            }
        };
        let (epoch, changed) = (taken.epoch, taken.within(changing).await);
        if let Err(fault) = &changed {
            shared.failed(fault);
        }
        let changed = line.done(taken, changed)?;
        if changed > 0 {
            shared.wrote(epoch, changed, routes);
        }
        Ok(changed)
    }
}

/// The change, then what it has to leave behind, in a transaction that nobody else writes beside.
async fn in_turn(
    shared: &Shared,
    session: &Session,
    change: Statement,
    told: &[MessageEvent],
) -> Result<u64, Fault> {
    begin(session).await?;
    let done = async {
        let changed = session.query_all_raw(shared.sql.telling(change)).await?;
        let changed = changed
            .iter()
            .map(|row| row.try_get_by_index::<String>(0))
            .collect::<Result<HashSet<_>, _>>()?;
        let holds = |told: &&MessageEvent| changed.contains(&told.message);
        let rows: Vec<_> = told.iter().filter(holds).map(|told| &told.row).collect();
        if !rows.is_empty() {
            let added = Write {
                target: Target::Events,
                kind: Kind::Add,
                rows: rows.len() as u64,
                json: serde_json::to_string(&rows)?,
            };
            shared.sql.writes.write(session, vec![added]).await?;
        }
        Ok(changed.len() as u64)
    };
    end_as(session, done.await).await
}
