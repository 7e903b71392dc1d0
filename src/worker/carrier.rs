//! One attempt: a message written, handed to a route, and what became of it put on its trail.

use std::sync::Arc;
use std::time::Duration;

use metrics::counter;
use ringback_core::delivery::{Attempt, State, Trail, Verdict};
use ringback_core::{Id, Keys, Message, MessageKind, Time};
use ringback_sms::segments::Segments;
use ringback_sms::texts::{Content, Texts, Written};
use ringback_sms::{Report, Route, Sms};
use ringback_store::{Claimed, Settled, Settlement};
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::callbacks::Callbacks;
use super::planner::Planner;
use crate::config::NO_ROUTE;

/// What metrics call the country of a number that belongs to none.
const NO_COUNTRY: &str = "none";

/// Hands messages to one route; knows nothing of queues.
pub(super) struct Carrier {
    pub(super) route: Route,
    pub(super) texts: Texts,
    pub(super) planner: Arc<Planner>,
    /// Where the route shall tell what became of messages.
    pub(super) callbacks: Option<(Callbacks, Keys)>,
}

impl Carrier {
    /// Tries once to bring a message out, and says what shall become of it. `now` is the time, whenever asked.
    pub(super) async fn deliver(&self, claimed: Claimed, now: impl Fn() -> Time) -> Settlement {
        let mut trail = note_lost(&claimed, now());
        let Claimed {
            message,
            code,
            attempt,
            ..
        } = claimed;
        let name = &*self.route.name;
        let settle = |message: Message, trail, outcome, country| Settlement {
            message,
            attempt,
            trail,
            outcome,
            country,
        };
        // The lost attempt may mean that it is another route's turn, or nobody's.
        if trail
            .last()
            .is_some_and(|last| last.n + 1 == attempt && last.reason == LOST)
        {
            let outcome = self.planner.plan(&message, &trail, false, now());
            let ours =
                matches!(&outcome, Settled::Waits { route, at } if route == name && *at <= now());
            if !ours {
                let reason = match &outcome {
                    Settled::Waits { route, .. } if route != name => "it is another route's turn",
                    Settled::Waits { .. } => "it is not yet its turn again",
                    Settled::Handed | Settled::Ended(_) => "there is nothing more to try",
                };
                trail.add(skipped(attempt, name, now(), reason));
                tell(&message, name, attempt, &outcome, "");
                return settle(message, trail, outcome, None);
            }
        }
        let timeout = self.route.provider.timeout();
        if !self.planner.admits(name, now(), timeout) {
            let reason = "the route failed just before and is left alone";
            trail.add(skipped(attempt, name, now(), reason));
            let outcome = self.planner.plan(&message, &trail, false, now());
            tell(&message, name, attempt, &outcome, reason);
            return settle(message, trail, outcome, None);
        }
        let sms = self.write(&message, code.as_ref().map(|code| code.reveal()), now());
        let sms = Sms {
            callback: self.callback(message.id, attempt),
            code,
            ..sms
        };
        let (at, started) = (now(), Instant::now());
        let Report {
            verdict,
            reason,
            reference,
        } = self.route.provider.send(&sms, at).await;
        let reference = reference.filter(|reference| tells_nothing(reference, &sms));
        self.planner.note(name, verdict, &reason, now());
        let country = country(&message);
        count(name, &country, verdict.code());
        let receipt = sms.callback.is_some()
            || (reference.is_some() && self.route.provider.tells_by_reference());
        let (segments, cost) = match verdict {
            Verdict::Taken => self.cost(&country, &sms.text),
            _ => (0, 0),
        };
        trail.add(Attempt {
            n: attempt,
            route: name.to_owned(),
            at,
            ms: u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX),
            times: 1,
            verdict,
            reason: reason.clone(),
            reference,
            handed: false,
            segments,
            cost,
        });
        let outcome = self.planner.plan(&message, &trail, receipt, now());
        tell(&message, name, attempt, &outcome, &reason);
        settle(message, trail, outcome, Some(country))
    }

    /// As how many text messages a text goes out, and what they cost; nothing where nobody counts.
    fn cost(&self, country: &str, text: &str) -> (u32, u64) {
        if self.route.cost_per_segment == 0 {
            return (0, 0);
        }
        let segments = u32::try_from(Segments::of(text).count).unwrap_or(u32::MAX);
        let cost = self.route.cost_per_segment.saturating_mul(segments.into());
        counter!(
            "ringback_message_cost_total",
            "route" => self.route.name.to_string(),
            "country" => country.to_owned()
        )
        .increment(cost);
        (segments, cost)
    }

    fn callback(&self, message: Id, attempt: u32) -> Option<String> {
        let (callbacks, keys) = self.callbacks.as_ref()?;
        let told = self.route.provider.sends_receipts();
        told.then(|| callbacks.of(keys, &self.route.name, message, attempt))
    }

    /// A message as its reader finds it.
    fn write(&self, message: &Message, code: Option<&str>, now: Time) -> Sms {
        let minutes_left = minutes(message.expires_at.since(now));
        // A message that carries a code is given out with it, or not at all.
        let code = code.unwrap_or_default();
        let content = match message.kind {
            MessageKind::Code { .. } => Content::Code { code, minutes_left },
            MessageKind::RemovalCode { .. } => Content::RemovalCode { code, minutes_left },
            MessageKind::Replaced => Content::Replaced,
            MessageKind::Removed => Content::Removed,
        };
        let (organization, wanted) = (&message.organization, &message.language);
        let Written { text, language } = self.texts.write(organization, wanted, content);
        Sms {
            id: message.id.to_string(),
            to: message.number.clone(),
            text,
            text_language: language,
            code: None,
            kind: message.kind.code(),
            language: message.language.clone(),
            expires_at: message.expires_at,
            sender: self.route.senders.of(&message.number).map(str::to_owned),
            callback: None,
        }
    }
}

/// Digits of a number's end that tell whose it is.
const TELLING: usize = 7;

/// Whether what a route calls a message holds neither its code nor its number, however that is written: it is kept for longer
/// than either.
fn tells_nothing(reference: &str, sms: &Sms) -> bool {
    let digits = |text: &str| {
        text.chars()
            .filter(char::is_ascii_digit)
            .collect::<String>()
    };
    let number = digits(sms.to.as_str());
    let end = &number[number.len().saturating_sub(TELLING)..];
    let code = sms.code.as_ref().map(|code| code.reveal());
    !digits(reference).contains(end) && code.is_none_or(|code| !reference.contains(code))
}

/// Why an attempt is told that nobody told of.
const LOST: &str = "whoever sent it ended before noting what came of it: it may have been sent";

/// The trail, with the attempts that were claimed and never told of. Their time is when that was found out: nobody knows when
/// they were sent.
pub(super) fn note_lost(claimed: &Claimed, now: Time) -> Trail {
    let mut trail = claimed.trail.clone();
    let told = trail.last().map_or(0, |last| last.n);
    let Some(route) = &claimed.message.route else {
        return trail;
    };
    for lost in told + 1..claimed.attempt {
        trail.add(Attempt {
            n: lost,
            route: route.clone(),
            at: now,
            ms: 0,
            times: 1,
            verdict: Verdict::Unknown,
            reason: LOST.into(),
            reference: None,
            handed: false,
            segments: 0,
            cost: 0,
        });
    }
    trail
}

/// The entry of a route that was not asked.
pub(super) fn skipped(attempt: u32, route: &str, now: Time, reason: &str) -> Attempt {
    Attempt {
        n: attempt,
        route: route.to_owned(),
        at: now,
        ms: 0,
        times: 1,
        verdict: Verdict::Skipped,
        reason: reason.to_owned(),
        reference: None,
        handed: false,
        segments: 0,
        cost: 0,
    }
}

/// Logs what became of a message, without its number.
pub(super) fn tell(message: &Message, route: &str, attempt: u32, outcome: &Settled, reason: &str) {
    let (id, kind, to) = (message.id, message.kind.code(), message.number.masked());
    match outcome {
        Settled::Handed | Settled::Ended(State::Handed) => {
            debug!(%id, kind, to, route, attempt, "message handed over");
        }
        Settled::Waits { route: next, .. } => {
            info!(%id, kind, to, route, attempt, reason, next, "message not handed over yet");
        }
        Settled::Ended(state) => {
            count(NO_ROUTE, &country(message), state.code());
            let state = state.code();
            warn!(%id, kind, to, route, attempt, reason, state, "message given up");
        }
    }
}

fn count(route: &str, country: &str, result: &'static str) {
    counter!(
        "ringback_messages_total",
        "route" => route.to_owned(),
        "country" => country.to_owned(),
        "result" => result
    )
    .increment(1);
}

fn country(message: &Message) -> String {
    let country = message.number.country();
    country.unwrap_or_else(|| NO_COUNTRY.to_owned())
}

/// Whole minutes, to the nearest, and never none.
fn minutes(left: Duration) -> u64 {
    ((left.as_secs() + 30) / 60).max(1)
}

#[cfg(test)]
mod tests;
