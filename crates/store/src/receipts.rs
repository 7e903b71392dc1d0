//! What is heard of messages after a route took them.

use ringback_core::delivery::{
    Arrival, Attempt, Heard, Lost, NumberFault, State, Trail, Waiting, heard,
};
use ringback_core::{Id, Number, Refusal, Time};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select};

use crate::entity::messages;
use crate::fault::Fault;
use crate::message_events::MessageEvent;
use crate::{Store, rows};

/// What became of a receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// The message stands so since.
    Stands(State),
    /// It changes nothing.
    Nothing,
    /// The attempt is still under way: it is to be told again.
    TooEarly,
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

    /// Notes what a route tells of an attempt of a message, and why it did not arrive, as far as that is told (no number,
    /// no text; may be empty). What nobody knows of any more, or is another route's, is of no interest. While the attempt is
    /// under way it is too early, but that a message arrived is noted all the same where nobody is `patient`.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn note_receipt(
        &self,
        message: Id,
        (route, attempt): (&str, u32),
        arrival: Arrival,
        reason: &str,
        patient: bool,
    ) -> Result<Noted, Refusal> {
        for _ in 0..TRIES {
            let Some(row) = self.message_row(message).await? else {
                return Ok(Noted::Nothing);
            };
            let (Some(state), Ok(trail)) = (
                State::from_code(&row.state),
                serde_json::from_str::<Trail>(&row.trail),
            ) else {
                return Ok(Noted::Nothing);
            };
            let now = self.now();
            let told = trail.last().map_or(0, |last| last.n);
            let is_new = attempt > told
                && i64::from(attempt) <= i64::from(row.attempts)
                && row.route == route;
            if arrival == Arrival::OnTheWay || !(is_new || trail.may_be_of(attempt, route)) {
                return Ok(Noted::Nothing);
            }
            // Whoever sends it writes down first what came of that.
            let waits = patient || arrival != Arrival::Delivered;
            if waits && is_new && is_under_way(&row, now) {
                return Ok(Noted::TooEarly);
            }
            if let (Arrival::Undelivered(Lost::Number(NumberFault::OptedOut)), Some(number)) =
                (arrival, &row.number)
                && let Some(told) = trail.attempts().iter().find(|told| told.n == attempt)
            {
                let number = Number::from_stored(number.clone());
                let noted = self.told_opted_out(&number, &told.route).await;
                let health = &self.shared.dialer.health;
                noted.map_err(|fault| health.report(&fault, "noting an opt-out"))?;
            }
            let (change, routes) =
                match self.heard(&row, state, &trail, (attempt, arrival, reason), now) {
                    None => return Ok(Noted::Nothing),
                    Some(change) => change,
                };
            let state = change.state;
            let change = match state {
                // It may have been another route than the last one.
                State::Delivered => Change {
                    route: Some(route.to_owned()),
                    ..change
                },
                _ => change,
            };
            let told = trail.attempts().iter().find(|told| told.n == attempt);
            let health = &self.shared.dialer.health;
            let event = self.event(&row, &change, told.map(|_| route), now);
            let event = event.map_err(|fault| health.report(&fault, "noting a receipt"))?;
            if self.change_message(&row, change, &routes, event).await? {
                if let (Some(number), Some(told)) = (&row.number, told) {
                    let number = Number::from_stored(number.clone());
                    let conversions = &self.shared.conversions;
                    conversions.heard(&told.route, &number, state, now);
                }
                return Ok(Noted::Stands(state));
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
        (attempt, arrival, reason): (u32, Arrival, &str),
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
        match heard(
            waiting,
            state,
            attempt,
            (arrival, reason),
            |_| Time(i64::MIN),
            now,
        ) {
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

    /// Changes a message unless it has changed since it was read; says whether it did. Whoever sends it meanwhile
    /// cannot say any more what became of that.
    pub(crate) async fn change_message(
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
pub(crate) const TRIES: u32 = 5;

/// What is written of a message; `None` leaves route and trail as they are.
pub(crate) struct Change {
    pub(crate) number: Option<String>,
    pub(crate) number_mask: Option<String>,
    pub(crate) number_pseudonym: Option<String>,
    pub(crate) route: Option<String>,
    pub(crate) due_at: Option<i64>,
    pub(crate) state: State,
    pub(crate) ended_at: Option<i64>,
    pub(crate) trail: Option<String>,
}

/// Whether somebody sends a message right now, as far as its lease tells.
pub(crate) fn is_under_way(row: &messages::Model, now: Time) -> bool {
    held(row) && row.due_at.is_some_and(|lease| lease > now.0)
}

/// Whether somebody has claimed a message and not told yet what came of it.
fn held(row: &messages::Model) -> bool {
    let trail: Trail = serde_json::from_str(&row.trail).unwrap_or_default();
    let told = trail.last().map_or(0, |last| i64::from(last.n));
    row.due_at.is_some() && told < i64::from(row.attempts)
}
