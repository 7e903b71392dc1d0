//! Receipts: what is heard later of a message that a route took. They come in any order, and more than once.

use std::time::Duration;

use super::{NumberFault, RouteFault, State, Step, Trail, Verdict, Waiting, next};
use crate::moment::Time;

/// A message that did not arrive goes over another route only while it is of use for so long.
const WORTH_A_TRY: Duration = Duration::from_secs(60);

/// What became of a message that a route took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It is on its way.
    OnTheWay,
    /// It has arrived.
    Delivered,
    /// It has not arrived and will not.
    Undelivered(Lost),
}

/// Why a message did not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The route's fault: another one may bring it.
    Route(RouteFault),
    /// The number's fault: nobody can bring it.
    Number(NumberFault),
    /// The phone was off or out of reach, or nobody says why.
    Phone,
}

impl Lost {
    /// In plain words.
    pub fn reason(self) -> &'static str {
        match self {
            Lost::Route(fault) => fault.reason(),
            Lost::Number(fault) => fault.reason(),
            Lost::Phone => "the phone could not be reached",
        }
    }
}

/// What a receipt changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// Nothing: it is old, or says what is known.
    Nothing,
    /// The message has come to its end.
    Ends {
        /// Which.
        state: State,
        /// With the receipt in it, where that tells more than the state.
        trail: Option<Trail>,
    },
    /// The message waits for another route; the trail says why.
    Again {
        /// Which.
        route: &'a str,
        /// No earlier.
        at: Time,
        /// With the receipt in it.
        trail: Trail,
    },
}

/// What a receipt for attempt `n` changes of a message in `state`. A state only moves forward: that it arrived
/// counts always, that it did not only for the last attempt. `waiting` is the message as its row has it; `reason` is what the
/// receipt says of why it did not arrive, and may be empty.
pub fn heard<'a>(
    waiting: Waiting<'a>,
    state: State,
    n: u32,
    (arrival, reason): (Arrival, &str),
    ready: impl Fn(&str) -> Time,
    now: Time,
) -> Heard<'a> {
    let lost = match arrival {
        Arrival::OnTheWay => return Heard::Nothing,
        Arrival::Delivered if state == State::Delivered => return Heard::Nothing,
        Arrival::Delivered => {
            return Heard::Ends {
                state: State::Delivered,
                trail: None,
            };
        }
        Arrival::Undelivered(lost) => lost,
    };
    let last = waiting.trail.last();
    let Some(last) = last.filter(|last| last.verdict == Verdict::Taken) else {
        return Heard::Nothing;
    };
    // A route that tells repeated messages speaks of the message, whichever attempt it names.
    let is_last = last.n == n
        || (waiting.routes.tells_repeats(&last.route) && waiting.trail.may_be_of(n, &last.route));
    if state != State::Handed || !is_last {
        return Heard::Nothing;
    }
    let n = last.n;
    let verdict = match lost {
        Lost::Number(fault) => Verdict::Never { fault },
        Lost::Route(fault) => Verdict::Unable { fault },
        Lost::Phone => Verdict::Unable {
            fault: RouteFault::Down,
        },
    };
    let trail = waiting.trail.with_receipt(
        n,
        verdict,
        match reason {
            "" => lost.reason(),
            reason => reason,
        },
    );
    let ends = |trail| Heard::Ends {
        state: State::Undelivered,
        trail: Some(trail),
    };
    let elsewhere = match lost {
        Lost::Number(NumberFault::Invalid | NumberFault::Landline) => false,
        Lost::Number(NumberFault::OptedOut) | Lost::Route(_) | Lost::Phone => true,
    };
    if !elsewhere || waiting.expires_at.since(now) < WORTH_A_TRY {
        return ends(trail);
    }
    let again = Waiting {
        trail: &trail,
        ..waiting
    };
    let route = match next(again, ready, now) {
        Step::Try { route, at } => {
            let known = waiting.order.iter().find(|name| **name == route);
            known.map(|route| (*route, at))
        }
        Step::Await | Step::End(_) => None,
    };
    match route {
        Some((route, at)) => Heard::Again { route, at, trail },
        None => ends(trail),
    }
}
