//! How ringback delivers: one message over one route, and what came of it.

mod inbox;
mod webhook;

use std::fmt;
use std::time::Duration;

use ringback_core::{Code, Number, Time};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub use inbox::{Inbox, InboxMessage};
pub use webhook::{Webhook, WebhookSettings};

/// A text message, ready to go. `Debug` shows neither its text nor its code.
#[derive(Clone)]
pub struct Sms {
    /// Its name, the same over all attempts: what a receiver tells a repeated message by.
    pub id: String,
    /// Where it goes.
    pub to: Number,
    /// What the owner of the number reads.
    pub text: String,
    /// The code that `text` carries, for a receiver that writes its own text.
    pub code: Option<Code>,
    /// The stable name of what it says: `code`, `removal_code`, `replaced`, `removed`.
    pub kind: &'static str,
    /// The languages that its reader prefers, best first, in the form of an Accept-Language header;
    /// may be empty.
    pub language: String,
    /// From this time on it is of no use.
    pub expires_at: Time,
}

impl fmt::Debug for Sms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sms")
            .field("id", &self.id)
            .field("to", &self.to)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// What came of an attempt. A reason never holds a number, a text, or what is secret in an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The route has taken the message on.
    Sent,
    /// Not now.
    Retry {
        /// Why.
        reason: String,
        /// How long the route asked to be left alone.
        after: Option<Duration>,
    },
    /// Not now and not later.
    Refused {
        /// Why.
        reason: String,
    },
}

impl Sent {
    /// The stable name: in metrics and logs.
    pub fn code(&self) -> &'static str {
        match self {
            Sent::Sent => "sent",
            Sent::Retry { .. } => "retry",
            Sent::Refused { .. } => "refused",
        }
    }
}

/// Why a route cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// A message that is not signed can be forged.
    #[error("the webhook has no secret: give at least one")]
    SecretMissing,
    /// Not the form of a secret.
    #[error(
        "secret {position} of the webhook is not base64 of 24 to 64 bytes: make one with `openssl rand -base64 32`"
    )]
    SecretInvalid {
        /// Which one, from 1.
        position: usize,
    },
    /// The HTTP client could not be made.
    #[error("the webhook's http client cannot be set up: {cause}")]
    Client {
        /// What was in the way.
        cause: String,
    },
    /// Nothing listens there, or it cannot be found.
    #[error("{place} cannot be reached: {cause}")]
    Unreachable {
        /// Host and port.
        place: String,
        /// What was in the way.
        cause: String,
    },
}

/// A way for messages to leave.
#[derive(Clone)]
pub enum Route {
    /// Kept in memory, to be read by a developer.
    Inbox(Inbox),
    /// Posted to an address.
    Webhook(Webhook),
}

impl Route {
    /// The stable name: in metrics, logs and config.
    pub fn name(&self) -> &'static str {
        match self {
            Route::Inbox(_) => "inbox",
            Route::Webhook(_) => "webhook",
        }
    }

    /// The longest that [`Route::send`] takes.
    pub fn patience(&self) -> Duration {
        match self {
            Route::Inbox(_) => Duration::ZERO,
            Route::Webhook(webhook) => webhook.timeout(),
        }
    }

    /// Tries once to send. `now` is what the receiver is told as the time of the attempt.
    pub async fn send(&self, sms: &Sms, now: Time) -> Sent {
        match self {
            Route::Inbox(inbox) => {
                inbox.add(sms, now);
                Sent::Sent
            }
            Route::Webhook(webhook) => webhook.send(sms, now).await,
        }
    }

    /// Whether the route's other end can be reached. Sends nothing.
    pub async fn check(&self) -> Result<(), RouteError> {
        match self {
            Route::Inbox(_) => Ok(()),
            Route::Webhook(webhook) => webhook.check().await,
        }
    }
}

/// RFC 3339 in UTC, such as `2026-01-31T09:30:00.25Z`.
fn rfc3339(at: Time) -> String {
    // Only years outside 0 to 9999 cannot be written, and no clock of ours shows them.
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.0) * 1_000)
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc() {
        assert_eq!(
            rfc3339(Time(1_700_000_000_250_000)),
            "2023-11-14T22:13:20.25Z"
        );
        assert_eq!(rfc3339(Time(951_782_400_000_000)), "2000-02-29T00:00:00Z");
    }

    #[test]
    fn debug_hides_what_the_message_says() {
        let sms = Sms {
            id: "m1".into(),
            to: Number::from_stored("+41791234567"),
            text: "123456 is your code".into(),
            code: None,
            kind: "code",
            language: String::new(),
            expires_at: Time(0),
        };
        let shown = format!("{sms:?}");
        assert!(shown.contains("m1"));
        assert!(!shown.contains("123456") && !shown.contains("1234567"));
    }

    #[tokio::test]
    async fn the_inbox_is_a_route_that_always_takes() {
        let inbox = Inbox::default();
        let route = Route::Inbox(inbox.clone());
        assert_eq!(route.name(), "inbox");
        assert_eq!(route.check().await, Ok(()));
        let sms = Sms {
            id: "m1".into(),
            to: Number::from_stored("+41791234567"),
            text: "hello".into(),
            code: None,
            kind: "removed",
            language: String::new(),
            expires_at: Time(0),
        };
        assert_eq!(route.send(&sms, Time(0)).await, Sent::Sent);
        assert_eq!(inbox.received(), 1);
    }
}
