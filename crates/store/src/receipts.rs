//! Messages that are tried again, and what is heard of them later.

use ringback_core::delivery::{
    Arrival, Attempt, Heard, Lost, NumberFault, State, Trail, Waiting, heard,
};
use ringback_core::rights::Scope;
use ringback_core::{Id, Message, Number, Refusal, Time};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select};

use crate::entity::{messages, phone_numbers};
use crate::fault::Fault;
use crate::history::{MessageRecord, reaches, record};
use crate::message_events::MessageEvent;
use crate::{Store, rows};

/// Why a message is not tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRetried {
    /// There is no such message, or not for this caller.
    #[error("there is no such message; messages are kept for sms.keep_seconds")]
    NotFound,
    /// A route has it, and it may still arrive.
    #[error(
        "a route has the message, and it may still arrive; the user may ask for the code again"
    )]
    Handed,
    /// It is of no use any more.
    #[error("the message is of no use any more; the user may ask for a new code")]
    Expired,
    /// The account has the number no longer.
    #[error("the user no longer has the number that the message went to")]
    NumberGone,
    /// The number's owner has told every route that serves it to stop.
    #[error("the number's owner has opted out of messages and must text START to the sender first")]
    OptedOut,
    /// No route may be asked for it again.
    #[error("no route serves the number; see [sms.order] and the countries of [sms.routes]")]
    NoRoute,
}

/// Messages that are looked at when several routes call theirs the same.
const SAME_REFERENCE: u64 = 16;

/// The messages that a route calls so, newest first.
pub(crate) fn by_reference(reference: &str) -> Select<messages::Entity> {
    messages::Entity::find()
        .filter(messages::Column::Reference.eq(reference))
        .order_by_desc(messages::Column::Id)
        .limit(SAME_REFERENCE)
}

impl Store {
    /// Has a message tried again now, by the routes that may be asked again.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn retry_message(
        &self,
        scope: &Scope,
        id: Id,
    ) -> Result<Result<MessageRecord, NotRetried>, Refusal> {
        for _ in 0..TRIES {
            let Some(row) = self
                .message_row(id)
                .await?
                .filter(|row| reaches(scope, row))
            else {
                return Ok(Err(NotRetried::NotFound));
            };
            let now = self.now();
            let state = State::from_code(&row.state);
            match state {
                Some(State::Handed | State::Delivered) => return Ok(Err(NotRetried::Handed)),
                _ if row.expires_at <= now.0 => return Ok(Err(NotRetried::Expired)),
                Some(_) | None => {}
            }
            let number = match row.number.clone() {
                Some(number) => Some(number),
                None => self.number_again(&row).await?,
            };
            let Some(number) = number else {
                return Ok(Err(NotRetried::NumberGone));
            };
            let health = &self.shared.dialer.health;
            let failed = |fault| health.report(&fault, "trying a message again");
            let waits = messages::Model {
                number: Some(number),
                ..row.clone()
            };
            let message = rows::message(waits).map_err(failed)?;
            // Whoever asks for it knows of an end to what was in the way, so what it said counts no more.
            let route = match self.first_route(&message).await? {
                Ok(route) => route,
                Err(none) => return Ok(Err(none)),
            };
            let change = Change {
                number: Some(message.number.as_str().to_owned()),
                number_mask: None,
                number_pseudonym: None,
                route: Some(route.clone()),
                due_at: Some(now.0),
                state: State::Queued,
                ended_at: None,
                trail: None,
            };
            if self.change_message(&row, change, &[route], None).await? {
                let row = self.message_row(id).await?;
                let Some(row) = row else {
                    return Ok(Err(NotRetried::NotFound));
                };
                return Ok(Ok(record(row).map_err(failed)?));
            }
        }
        Err(Refusal::Unavailable)
    }

    /// The message that a route calls so, and which attempt that was: the newest one, as providers begin anew with
    /// their ids. `None` when nothing is known of it yet, or any more.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn message_of_reference(
        &self,
        route: &str,
        reference: &str,
    ) -> Result<Option<(Id, u32)>, Refusal> {
        let rows = self.ask(&by_reference(reference)).await?;
        let of = |row: messages::Model| {
            let trail: Trail = serde_json::from_str(&row.trail).ok()?;
            let mut attempts = trail.of(route);
            let is_it = |told: &&Attempt| told.reference.as_deref() == Some(reference);
            let attempt = attempts.find(is_it)?.n;
            Some((Id::parse(&row.id)?, attempt))
        };
        Ok(rows.into_iter().find_map(of))
    }

    /// Notes what is heard of an attempt of a message. What nobody knows of any more is of no interest; says
    /// where the message stands then, or `None` when nothing changed.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn note_receipt(
        &self,
        message: Id,
        attempt: u32,
        arrival: Arrival,
    ) -> Result<Option<State>, Refusal> {
        for _ in 0..TRIES {
            let Some(row) = self.message_row(message).await? else {
                return Ok(None);
            };
            let (Some(state), Ok(trail)) = (
                State::from_code(&row.state),
                serde_json::from_str::<Trail>(&row.trail),
            ) else {
                return Ok(None);
            };
            let now = self.now();
            if let (Arrival::Undelivered(Lost::Number(NumberFault::OptedOut)), Some(number)) =
                (arrival, &row.number)
                && let Some(told) = trail.attempts().iter().find(|told| told.n == attempt)
            {
                let number = Number::from_stored(number.clone());
                let noted = self.told_opted_out(&number, &told.route).await;
                let health = &self.shared.dialer.health;
                noted.map_err(|fault| health.report(&fault, "noting an opt-out"))?;
            }
            let (change, routes) = match self.heard(&row, state, &trail, (attempt, arrival), now) {
                None => return Ok(None),
                Some(change) => change,
            };
            let state = change.state;
            let told = trail.attempts().iter().find(|told| told.n == attempt);
            let route = told.map(|told| &*told.route);
            let health = &self.shared.dialer.health;
            let event = self.event(&row, &change, route, now);
            let event = event.map_err(|fault| health.report(&fault, "noting a receipt"))?;
            if self.change_message(&row, change, &routes, event).await? {
                if let (Some(number), Some(told)) = (&row.number, told) {
                    let number = Number::from_stored(number.clone());
                    let conversions = &self.shared.conversions;
                    conversions.heard(&told.route, &number, state, now);
                }
                return Ok(Some(state));
            }
        }
        Err(Refusal::Unavailable)
    }

    /// What a receipt puts on record.
    fn event(
        &self,
        row: &messages::Model,
        change: &Change,
        route: Option<&str>,
        now: Time,
    ) -> Result<Option<MessageEvent>, Fault> {
        let trail = change.trail.as_deref().unwrap_or(&row.trail);
        let trail: Trail = serde_json::from_str(trail)?;
        MessageEvent::of_receipt(&self.shared, row, change.state, route, &trail, now)
    }

    /// What a receipt makes of a row, and the routes that messages wait for then.
    fn heard(
        &self,
        row: &messages::Model,
        state: State,
        trail: &Trail,
        (attempt, arrival): (u32, Arrival),
        now: Time,
    ) -> Option<(Change, Vec<String>)> {
        // Without its number it cannot be sent again; that it ended is all there is to say.
        let number = Number::from_stored(row.number.clone().unwrap_or_default());
        let routes = &self.shared.rules.policies.of(&row.organization_id).routes;
        let kind = rows::message_kind(&row.kind, row.challenge_id.as_deref()).ok()?;
        let country = routes.ask_country().then(|| number.country()).flatten();
        let round = u32::try_from(row.round).unwrap_or(0);
        let order = match row.number {
            Some(_) => routes.order(country.as_deref(), kind, round),
            None => Vec::new(),
        };
        let waiting = Waiting {
            order: &order,
            routes,
            trail,
            kind,
            expires_at: Time(row.expires_at),
        };
        let masks = |change: Change| Change {
            number_mask: row.number_mask.clone().or_else(|| Some(number.masked())),
            number_pseudonym: row
                .number_pseudonym
                .clone()
                .or_else(|| Some(self.shared.rules.keys.pseudonym(&number))),
            ..change
        };
        match heard(waiting, state, attempt, arrival, |_| Time(i64::MIN), now) {
            Heard::Nothing => None,
            Heard::Ends { state, trail } => Some((
                masks(Change {
                    number: None,
                    number_mask: None,
                    number_pseudonym: None,
                    route: None,
                    due_at: None,
                    state,
                    ended_at: Some(now.0),
                    trail: trail.and_then(|trail| serde_json::to_string(&trail).ok()),
                }),
                Vec::new(),
            )),
            Heard::Again { route, at, trail } => Some((
                masks(Change {
                    number: row.number.clone(),
                    number_mask: None,
                    number_pseudonym: None,
                    route: Some(route.to_owned()),
                    due_at: Some(at.0),
                    state: State::Queued,
                    ended_at: None,
                    trail: serde_json::to_string(&trail).ok(),
                }),
                vec![route.to_owned()],
            )),
        }
    }

    async fn first_route(&self, message: &Message) -> Result<Result<String, NotRetried>, Refusal> {
        let routes = &self.shared.rules.policies.of(&message.organization).routes;
        let country = routes.ask_country().then(|| message.number.country());
        let country = country.flatten();
        let order = routes.order(country.as_deref(), message.kind, message.round);
        if order.is_empty() {
            return Ok(Err(NotRetried::NoRoute));
        }
        let opted_out = self.opted_out_of(&message.number).await?;
        let first = order
            .into_iter()
            .find(|route| opted_out.iter().all(|stopped| stopped != route));
        Ok(first.map(str::to_owned).ok_or(NotRetried::OptedOut))
    }

    /// The number of a message that is no longer kept with it, if its account still has it.
    async fn number_again(&self, row: &messages::Model) -> Result<Option<String>, Refusal> {
        use phone_numbers::Column;
        let Some(pseudonym) = &row.number_pseudonym else {
            return Ok(None);
        };
        let find = phone_numbers::Entity::find()
            .filter(Column::UserId.eq(&row.user_id))
            .filter(Column::OrganizationId.eq(&row.organization_id));
        let found = self.ask(&find).await?;
        let keys = &self.shared.rules.keys;
        let mut numbers = found.into_iter().map(|phone| phone.number);
        Ok(numbers.find(|number| keys.pseudonym(&Number::from_stored(number)) == *pseudonym))
    }

    /// Changes a message unless it has changed since it was read; says whether it did. Whoever sends it meanwhile
    /// cannot say any more what became of that.
    async fn change_message(
        &self,
        row: &messages::Model,
        change: Change,
        routes: &[String],
        event: Option<MessageEvent>,
    ) -> Result<bool, Refusal> {
        use messages::Column;
        let Change {
            number,
            number_mask,
            number_pseudonym,
            route,
            due_at,
            state,
            ended_at,
            trail,
        } = change;
        let update = messages::Entity::update_many()
            .col_expr(Column::Number, Expr::value(number))
            .col_expr(Column::NumberMask, Expr::value(number_mask))
            .col_expr(Column::NumberPseudonym, Expr::value(number_pseudonym))
            .col_expr(
                Column::Route,
                Expr::value(route.unwrap_or_else(|| row.route.clone())),
            )
            .col_expr(Column::DueAt, Expr::value(due_at))
            .col_expr(Column::State, Expr::value(state.code()))
            .col_expr(Column::EndedAt, Expr::value(ended_at))
            .col_expr(
                Column::Trail,
                Expr::value(trail.unwrap_or_else(|| row.trail.clone())),
            )
            .col_expr(
                Column::Attempts,
                Expr::value(row.attempts + i32::from(held(row))),
            )
            .filter(Column::Id.eq(&row.id))
            .filter(Column::Attempts.eq(row.attempts))
            .filter(Column::State.eq(&row.state));
        let statement = update.build(self.shared.sql.backend);
        let told: Vec<_> = event.into_iter().collect();
        let changed = self.change_on_record(statement, &told, routes).await;
        let health = &self.shared.dialer.health;
        let changed = changed.map_err(|fault| health.report(&fault, "noting a receipt"))?;
        Ok(changed == 1)
    }
}

/// How often a change is tried that somebody else was faster than.
const TRIES: u32 = 5;

/// What is written of a message; `None` leaves route and trail as they are.
struct Change {
    number: Option<String>,
    number_mask: Option<String>,
    number_pseudonym: Option<String>,
    route: Option<String>,
    due_at: Option<i64>,
    state: State,
    ended_at: Option<i64>,
    trail: Option<String>,
}

/// Whether somebody has claimed a message and not told yet what came of it.
fn held(row: &messages::Model) -> bool {
    let trail: Trail = serde_json::from_str(&row.trail).unwrap_or_default();
    let told = trail.last().map_or(0, |last| i64::from(last.n));
    row.due_at.is_some() && told < i64::from(row.attempts)
}
