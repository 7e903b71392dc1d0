//! How ringback delivers: one message over one route, and what came of it.

mod class;
mod event;
mod guard;
mod hook;
mod http;
mod inbound;
mod inbox;
mod line;
mod provider;
mod receipt;
mod seen;
pub mod segments;
mod smpp;
pub mod texts;
mod twilio;
mod vonage;
mod webhook;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use ringback_core::delivery::Verdict;
use ringback_core::{Code, Number, Time};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub use crate::http::{Http, HttpInboundSettings, HttpReceiptSettings, HttpSettings, Signed};
pub use event::{ProviderEvent, UnackedEvent};
pub use hook::{Hook, HookSettings, Posted};
pub use inbound::{Inbound, Keyword};
pub use inbox::{Inbox, InboxMessage};
pub use provider::Provider;
pub use receipt::{Receipt, ReceiptError, ReceiptRequest};
pub use ringback_core::delivery::{Arrival, Lost};
pub use seen::Seen;
pub use smpp::{Bind, HexIds, LongMessages, Smpp, SmppSettings};
pub use twilio::{Twilio, TwilioSettings};
pub use vonage::{Vonage, VonageSettings};
pub use webhook::{Webhook, WebhookSettings};

/// A text message, ready to go. `Debug` shows neither its text nor its code.
#[derive(Clone)]
pub struct Sms {
    /// Its id, the same over all attempts: what a receiver tells a repeated message by.
    pub id: String,
    /// Where it goes.
    pub to: Number,
    /// What the owner of the number reads.
    pub text: String,
    /// BCP 47 tag of the language that `text` is in.
    pub text_language: String,
    /// The code that `text` carries, for a receiver that writes its own text.
    pub code: Option<Code>,
    /// The stable name of what it says: `code`, `removal_code`, `replaced`, `removed`.
    pub kind: &'static str,
    /// The languages that its reader prefers, best first, in the form of an Accept-Language header;
    /// may be empty.
    pub language: String,
    /// From this time on it is of no use.
    pub expires_at: Time,
    /// Who it comes from: a number or a name; `None` for what the provider chooses.
    pub sender: Option<String>,
    /// Where the provider shall tell what became of it; holds a secret of this message.
    pub callback: Option<String>,
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

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whose fault it was, if anybody's.
    pub verdict: Verdict,
    /// Why, in plain words; empty when the route took it. Never holds a number, a text, or what is secret in an
    /// address.
    pub reason: String,
    /// What the route calls the message, when it said.
    pub reference: Option<String>,
}

impl Report {
    /// The route has it.
    pub fn taken(reference: Option<String>) -> Report {
        Report {
            verdict: Verdict::Taken,
            reason: String::new(),
            reference,
        }
    }

    /// The route has not got it, or may not have it.
    pub fn failed(verdict: Verdict, reason: impl Into<String>) -> Report {
        Report {
            verdict,
            reason: reason.into(),
            reference: None,
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
    /// A key of the configuration.
    #[error("{key} {says}")]
    Setting {
        /// Which, below the route's name.
        key: String,
        /// What is wrong with it, and what to do. Never holds what it is set to.
        says: String,
    },
    /// The HTTP client could not be made.
    #[error("the http client cannot be set up: {cause}")]
    Client {
        /// What was in the way.
        cause: String,
    },
    /// It answers, and does not know us.
    #[error("{place} refuses us: {cause}")]
    Refused {
        /// Host.
        place: String,
        /// What it said.
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

impl RouteError {
    pub(crate) fn setting(key: impl Into<String>, says: impl Into<String>) -> RouteError {
        RouteError::Setting {
            key: key.into(),
            says: says.into(),
        }
    }
}

/// A way for messages to leave, by its name in the configuration.
#[derive(Clone)]
pub struct Route {
    /// The stable name: in metrics, logs, trails and config.
    pub name: Arc<str>,
    /// Who takes the messages.
    pub provider: Provider,
    /// Who they come from.
    pub senders: Senders,
    /// How many may be under way at once.
    pub max_in_flight: usize,
    /// How many may go out in a second; `None` for any number.
    pub per_second: Option<u32>,
    /// What each text message costs, in millionths of the operator's currency; 0 where nobody counts.
    pub cost_per_segment: u64,
}

/// Who messages come from: a number, or a name where countries allow one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Senders {
    /// Where a country has none of its own; empty for what the provider chooses.
    pub default: String,
    /// By country (ISO 3166-1 alpha-2).
    pub by_country: BTreeMap<String, String>,
}

impl Senders {
    /// The sender of messages to a number.
    pub fn of(&self, to: &Number) -> Option<&str> {
        let own = match self.by_country.is_empty() {
            true => None,
            false => to
                .country()
                .and_then(|country| self.by_country.get(&country)),
        };
        Some(own.unwrap_or(&self.default).as_str()).filter(|sender| !sender.is_empty())
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
            text_language: "en".into(),
            code: None,
            kind: "code",
            language: String::new(),
            expires_at: Time(0),
            sender: None,
            callback: None,
        };
        let shown = format!("{sms:?}");
        assert!(shown.contains("m1"));
        assert!(!shown.contains("123456") && !shown.contains("1234567"));
    }

    #[tokio::test]
    async fn the_inbox_is_a_route_that_always_takes() {
        let inbox = Inbox::default();
        let provider = Provider::Inbox(inbox.clone());
        assert_eq!(provider.check().await, Ok(()));
        let sms = Sms {
            id: "m1".into(),
            to: Number::from_stored("+41791234567"),
            text: "hello".into(),
            text_language: "en".into(),
            code: None,
            kind: "removed",
            language: String::new(),
            expires_at: Time(0),
            sender: None,
            callback: None,
        };
        assert_eq!(provider.send(&sms, Time(0)).await, Report::taken(None));
        assert_eq!(inbox.received(), 1);
    }
}
