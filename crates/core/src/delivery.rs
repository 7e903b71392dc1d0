//! Delivery: over which route a message goes, and what becomes of it after each attempt.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::event::MessageKind;
use crate::moment::Time;

mod conversion;
mod cost;
mod give_back;
mod receipt;
mod routes;
mod trail;

pub use conversion::{Conversion, HourOf, Tally, has_fallen, hour_of};
pub use cost::{read_amount, read_cost, write_cost};
pub use give_back::{budgets_of, give_back, gives_back};
pub use receipt::{Arrival, Heard, Lost, heard};
pub use routes::{NO_COUNTRY, Prefer, RouteRules, Routes};
pub use trail::{Attempt, Trail};

/// The pause after a route's first "not now"; it doubles with each one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause of our own; a route may ask for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often a route that tells no repeats may leave open whether it took one message.
const UNKNOWNS: u32 = 2;

/// What one attempt came to: an answer says whose fault it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Verdict {
    /// The route has the message.
    Taken,
    /// The route has not got it and may take it later.
    NotNow {
        /// What was in the way.
        fault: RouteFault,
        /// Seconds for which the route asked to be left alone; 0 when it did not ask.
        #[serde(default)]
        after: u32,
    },
    /// The route has not got it and never takes this message; another one may.
    Unable {
        /// Why.
        fault: RouteFault,
    },
    /// Nobody can bring a message to this number; of a number that has opted out this route cannot.
    Never {
        /// Why.
        fault: NumberFault,
    },
    /// The route may have it or not: its answer was lost, or makes no sense.
    Unknown,
    /// The route was not asked: it has failed too often just before.
    Skipped,
}

impl Verdict {
    /// The stable name: in metrics and logs.
    pub fn code(self) -> &'static str {
        match self {
            Verdict::Taken => "taken",
            Verdict::NotNow { .. } => "not_now",
            Verdict::Unable { .. } => "unable",
            Verdict::Never { .. } => "never",
            Verdict::Unknown => "unknown",
            Verdict::Skipped => "skipped",
        }
    }
}

/// What is wrong with a route, or between it and a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteFault {
    /// No connection.
    Unreachable,
    /// It answers that it does not work.
    Down,
    /// It takes no more at this pace.
    Throttled,
    /// It does not know us.
    Auth,
    /// It wants to be paid.
    Credit,
    /// It does not serve this country, or not for us.
    Region,
    /// It does not let us use this sender.
    Sender,
    /// It does not like what the message says.
    Content,
    /// It has no such template.
    Template,
    /// It does not understand us, or we do not understand it.
    Protocol,
}

impl RouteFault {
    /// In plain words.
    pub fn reason(self) -> &'static str {
        match self {
            RouteFault::Unreachable => "the provider cannot be reached",
            RouteFault::Down => "the provider says that it does not work now",
            RouteFault::Throttled => "the provider takes no more at this pace",
            RouteFault::Auth => "the provider refuses our credentials",
            RouteFault::Credit => "the account at the provider has no credit",
            RouteFault::Region => "the provider does not serve this country for us",
            RouteFault::Sender => "the provider refuses the sender",
            RouteFault::Content => "the provider refuses the text",
            RouteFault::Template => "the provider has no such template",
            RouteFault::Protocol => {
                "the provider does not take the request in this form, or its answer is not what its interface says"
            }
        }
    }

    /// Whether it lasts until somebody acts: no further message is worth a try until then.
    pub fn needs_operator(self) -> bool {
        match self {
            RouteFault::Auth | RouteFault::Credit => true,
            RouteFault::Unreachable
            | RouteFault::Down
            | RouteFault::Throttled
            | RouteFault::Region
            | RouteFault::Sender
            | RouteFault::Content
            | RouteFault::Template
            | RouteFault::Protocol => false,
        }
    }
}

/// Why a number gets no messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberFault {
    /// There is no such number.
    Invalid,
    /// It takes calls and no texts.
    Landline,
    /// Its owner has asked the sender to stop.
    OptedOut,
}

impl NumberFault {
    /// In plain words.
    pub fn reason(self) -> &'static str {
        match self {
            NumberFault::Invalid => "the provider says that there is no such number",
            NumberFault::Landline => "the number takes no texts",
            NumberFault::OptedOut => {
                "opted out: the number's owner has asked the sender to stop, and can text START to it"
            }
        }
    }
}

/// Where a message stands. A later state never gives way to an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits for a route, or for its next attempt.
    Queued,
    /// A route has it. Not more than that is known.
    Handed,
    /// Ended without hand-over: it was too late.
    Expired,
    /// Ended without hand-over: its code was no longer of use.
    Superseded,
    /// Ended without hand-over: the number gets no messages.
    Refused,
    /// Ended without hand-over: no route could take it.
    Failed,
    /// A receipt says that it did not arrive.
    Undelivered,
    /// A receipt says that it arrived.
    Delivered,
}

impl State {
    /// Every one.
    pub const ALL: [State; 8] = [
        State::Queued,
        State::Handed,
        State::Expired,
        State::Superseded,
        State::Refused,
        State::Failed,
        State::Undelivered,
        State::Delivered,
    ];

    /// The stable name.
    pub fn code(self) -> &'static str {
        match self {
            State::Queued => "queued",
            State::Handed => "handed",
            State::Expired => "expired",
            State::Superseded => "superseded",
            State::Refused => "refused",
            State::Failed => "failed",
            State::Undelivered => "undelivered",
            State::Delivered => "delivered",
        }
    }

    /// The state of a stable name.
    pub fn from_code(code: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.code() == code)
    }

    /// Whether nothing more is tried.
    pub fn ended(self) -> bool {
        !matches!(self, State::Queued | State::Handed)
    }
}

/// What becomes of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// It waits for a route.
    Try {
        /// Which.
        route: &'a str,
        /// No earlier.
        at: Time,
    },
    /// A route has it.
    Await,
    /// Nothing more is tried.
    End(State),
}

/// What is known of a message before its next attempt.
#[derive(Clone, Copy, Debug)]
pub struct Waiting<'a> {
    /// [`Routes::order`]
    pub order: &'a [&'a str],
    /// What the routes are.
    pub routes: &'a Routes,
    /// The attempts so far, the last one included.
    pub trail: &'a Trail,
    /// What it says: whoever waits for a code rather gets it twice than not at all.
    pub kind: MessageKind,
    /// From this time on it is of no use.
    pub expires_at: Time,
}

/// What becomes of a message now. `ready` says from when on a route may be asked again, as far as its other
/// messages tell.
///
/// The next route is the one that is ready first; among those, the first of the order. None is asked again
/// that cannot take the message. One that left open whether it took it is asked again at once if it tells a
/// repeated message; else when nothing else is left, once, and not for a notice. Whoever only said "not now" is
/// asked again after a pause, for as long as the message is of use.
pub fn next<'a>(waiting: Waiting<'a>, ready: impl Fn(&str) -> Time, now: Time) -> Step<'a> {
    let mut none_left = State::Failed;
    match waiting.trail.last().map(|attempt| attempt.verdict) {
        Some(Verdict::Taken) => return Step::Await,
        // Who asked one sender to stop may be reached by another.
        Some(Verdict::Never {
            fault: NumberFault::OptedOut,
        }) => none_left = State::Refused,
        Some(Verdict::Never { .. }) => return Step::End(State::Refused),
        Some(
            Verdict::NotNow { .. } | Verdict::Unable { .. } | Verdict::Unknown | Verdict::Skipped,
        )
        | None => {}
    }
    let candidates = waiting.order.iter().enumerate();
    let candidates = candidates.filter_map(|(place, route)| {
        let (repeat, pause_ends) = waiting.may_try(route)?;
        let at = ready(route).max(pause_ends).max(now);
        Some(((repeat, at, place), *route))
    });
    let (in_time, late): (Vec<_>, Vec<_>) =
        candidates.partition(|((_, at, _), _)| *at < waiting.expires_at);
    match in_time.into_iter().min() {
        Some(((_, at, _), route)) => Step::Try { route, at },
        None if late.is_empty() => Step::End(none_left),
        None => Step::End(State::Expired),
    }
}

impl Waiting<'_> {
    /// `None` when the route must not be asked; else whether that could bring the message out twice, and from
    /// when on it may be asked, as far as this message tells.
    fn may_try(&self, route: &str) -> Option<(bool, Time)> {
        let mut may_repeat = false;
        let mut pause_ends = Time(i64::MIN);
        for attempt in self.trail.of(route) {
            match attempt.verdict {
                Verdict::Unable { .. } | Verdict::Never { .. } => return None,
                Verdict::Unknown if self.routes.tells_repeats(route) => {
                    // Nothing comes twice, so it is asked again: at once, then after pauses.
                    if let again @ 1.. = attempt.times - 1 {
                        pause_ends = pause_ends.max(attempt.at + pause(again));
                    }
                }
                Verdict::Unknown => {
                    may_repeat = true;
                    if attempt.times >= UNKNOWNS || !self.is_code() {
                        return None;
                    }
                }
                Verdict::NotNow { after, .. } => {
                    let asked = Duration::from_secs(after.into());
                    pause_ends = pause_ends.max(attempt.at + pause(attempt.times).max(asked));
                }
                Verdict::Taken | Verdict::Skipped => {}
            }
        }
        Some((may_repeat, pause_ends))
    }

    fn is_code(&self) -> bool {
        match self.kind {
            MessageKind::Code { .. } | MessageKind::RemovalCode { .. } => true,
            MessageKind::Replaced | MessageKind::Removed => false,
        }
    }
}

/// How long to wait after so many times "not now".
fn pause(times: u32) -> Duration {
    let doublings = times.saturating_sub(1).min(16);
    FIRST_PAUSE
        .saturating_mul(1 << doublings)
        .min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests;
