//! What became of claimed messages, written down unless somebody else has claimed them since.

use ringback_core::delivery::{State, Trail};
use ringback_core::{Keys, Message, Refusal, Time};
use serde::Serialize;

use crate::Store;
use crate::fault::Fault;
use crate::message_events::MessageEvent;

/// What became of a claimed message. It counts only as long as nobody else has claimed the message since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// Which, as it was claimed.
    pub message: Message,
    /// [`crate::Claimed::attempt`]
    pub attempt: u32,
    /// What was tried, this time included.
    pub trail: Trail,
    /// What became of it.
    pub outcome: Settled,
    /// The country of its number, where that was found out anyway.
    pub country: Option<String>,
}

/// What became of a claimed message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It waits for a route.
    Waits {
        /// Which.
        route: String,
        /// No earlier.
        at: Time,
    },
    /// A route has it, and may tell later whether it arrived.
    Handed,
    /// Nothing more is tried, and nothing more is expected to be heard of it.
    Ended(State),
}

/// A message's row as [`Store::settle`] leaves it.
#[derive(Serialize)]
pub(crate) struct SettledRow {
    id: String,
    attempts: u32,
    number: Option<String>,
    number_mask: Option<String>,
    number_pseudonym: Option<String>,
    route: String,
    due_at: Option<i64>,
    state: &'static str,
    ended_at: Option<i64>,
    trail: String,
    reference: Option<String>,
}

impl SettledRow {
    pub(crate) fn of(settlement: &Settlement, keys: &Keys, now: Time) -> Result<SettledRow, Fault> {
        let Settlement {
            message,
            attempt,
            trail,
            outcome,
            country: _,
        } = settlement;
        let number = &message.number;
        let last = trail.last();
        let asked = || last.map_or_else(String::new, |attempt| attempt.route.clone());
        let (route, due_at, state) = match outcome {
            Settled::Waits { route, at } => (route.clone(), Some(at.0), State::Queued),
            Settled::Handed => (asked(), None, State::Handed),
            Settled::Ended(state) => (asked(), None, *state),
        };
        let ended = matches!(outcome, Settled::Ended(_));
        let rests = due_at.is_none();
        Ok(SettledRow {
            id: message.id.to_string(),
            attempts: *attempt,
            number: (!ended).then(|| number.as_str().to_owned()),
            number_mask: rests.then(|| number.masked()),
            number_pseudonym: rests.then(|| keys.pseudonym(number)),
            route,
            due_at,
            state: state.code(),
            ended_at: ended.then_some(now.0),
            trail: serde_json::to_string(trail)?,
            reference: last.and_then(|attempt| attempt.reference.clone()),
        })
    }
}

/// What tells a claim of a message.
#[derive(Serialize)]
pub(crate) struct ClaimKey {
    id: String,
    attempts: u32,
}

impl Settlement {
    /// What tells its claim.
    pub(crate) fn claim(&self) -> ClaimKey {
        ClaimKey {
            id: self.message.id.to_string(),
            attempts: self.attempt,
        }
    }
}

impl Store {
    /// Writes down what became of claimed messages.
    pub async fn settle(&self, settlements: &[Settlement]) -> Result<(), Refusal> {
        let health = &self.shared.dialer.health;
        let settled = self.settle_or_fault(settlements).await;
        settled.map_err(|fault| health.report(&fault, "settling messages"))?;
        self.shared.conversions.settled(settlements, self.now());
        Ok(())
    }

    /// What is kept, and what is not, by a statement of its own: none depends on another.
    pub(crate) async fn settle_or_fault(&self, settlements: &[Settlement]) -> Result<(), Fault> {
        let shared = &self.shared;
        let now = self.now();
        self.note_refused_by_stop(settlements).await?;
        let (back, mut settlements): (Vec<_>, Vec<_>) =
            settlements.iter().partition(|one| one.gives_back());
        if !back.is_empty() {
            settlements.extend(self.settle_giving_back(back, now).await?);
        }
        // In one order, so that two workers with the same messages cannot wait for each other.
        settlements.sort_by_key(|settlement| settlement.message.id);
        let (mut gone, mut kept, mut routes) = (Vec::new(), Vec::new(), Vec::new());
        let (mut gone_told, mut kept_told) = (Vec::new(), Vec::new());
        for settlement in settlements {
            let told = MessageEvent::of(shared, settlement, now)?;
            match &settlement.outcome {
                Settled::Handed | Settled::Ended(_) if shared.keep.is_zero() => {
                    gone.push(settlement.claim());
                    gone_told.extend(told);
                    continue;
                }
                Settled::Waits { route, at } if *at <= now && !routes.contains(route) => {
                    routes.push(route.clone());
                }
                Settled::Waits { .. } | Settled::Handed | Settled::Ended(_) => {}
            }
            kept.push(SettledRow::of(settlement, &shared.rules.keys, now)?);
            kept_told.extend(told);
        }
        if !gone.is_empty() {
            let json = serde_json::to_string(&gone)?;
            let remove = shared.sql.remove_messages(json);
            self.change_on_record(remove, &gone_told, &[]).await?;
        }
        if !kept.is_empty() {
            let json = serde_json::to_string(&kept)?;
            let settle = shared.sql.settle_messages(json);
            self.change_on_record(settle, &kept_told, &routes).await?;
        }
        Ok(())
    }
}
