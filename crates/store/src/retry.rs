//! Messages that are tried again because somebody asks for it.

use ringback_core::delivery::State;
use ringback_core::rights::Scope;
use ringback_core::{Challenge, Id, Message, Number, Refusal, Time};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::entity::{accounts, messages, phone_numbers};
use crate::history::{MessageRecord, reaches, record};
use crate::messages::code_among;
use crate::receipts::{Change, TRIES, is_under_way};
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
    /// A route is being asked.
    #[error("a route is being asked for the message; it is tried again by itself if that fails")]
    UnderWay,
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
                // Asked by two at once it would come twice.
                _ if is_under_way(&row, now) => return Ok(Err(NotRetried::UnderWay)),
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
            if !self.is_of_use(&message, now).await? {
                return Ok(Err(NotRetried::Expired));
            }
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

    /// Whether the code that a message carries, if any, can still be submitted.
    async fn is_of_use(&self, message: &Message, now: Time) -> Result<bool, Refusal> {
        use accounts::Column;
        if message.kind.challenge().is_none() {
            return Ok(true);
        }
        let find = accounts::Entity::find()
            .filter(Column::UserId.eq(&message.account))
            .filter(Column::OrganizationId.eq(&message.organization));
        let found = self.ask(&find).await?;
        let challenges = found
            .iter()
            .find_map(|row| serde_json::from_str::<Vec<Challenge>>(&row.challenges).ok());
        let open = challenges.unwrap_or_default();
        Ok(code_among(&open, message, &self.shared.rules.keys, now).is_some())
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
}
