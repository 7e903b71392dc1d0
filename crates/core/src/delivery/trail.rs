//! What was tried with a message, for whoever asks why it did not arrive.

use serde::{Deserialize, Serialize};

use super::{NumberFault, Routes, Verdict};
use crate::moment::Time;

/// How many entries a trail has at most: what a route said again is told by a count.
const LONGEST: usize = 8;

/// One attempt, or several with the same outcome at one route.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which attempt of the message, from 1; of several the last one. 0 of what was known before the first.
    pub n: u32,
    /// Who was asked.
    pub route: String,
    /// When, of several the last one.
    pub at: Time,
    /// Milliseconds until the outcome was known.
    pub ms: u32,
    /// How often.
    pub times: u32,
    /// What came of it.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Why, in plain words; never a number, a text or a secret.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What the route calls the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Whether the route had it, and told later that it did not arrive.
    #[serde(default, skip_serializing_if = "is_default")]
    pub handed: bool,
    /// As how many text messages the route was to send it; 0 where nobody counts.
    #[serde(default, skip_serializing_if = "is_default")]
    pub segments: u32,
    /// What the route asks for them, in millionths of the operator's currency.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cost: u64,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The attempts of one message, the last one last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Trail(Vec<Attempt>);

impl Trail {
    /// The entries, oldest first.
    pub fn attempts(&self) -> &[Attempt] {
        &self.0
    }

    /// The last attempt.
    pub fn last(&self) -> Option<&Attempt> {
        self.0.last()
    }

    /// The trail of a new message, of whose routes the number has opted out of these.
    pub fn of_opted_out<'a>(routes: impl Iterator<Item = &'a str>, at: Time) -> Trail {
        let fault = NumberFault::OptedOut;
        let known = routes.take(LONGEST).map(|route| Attempt {
            n: 0,
            route: route.to_owned(),
            at,
            ms: 0,
            times: 1,
            verdict: Verdict::Never { fault },
            reason: fault.reason().to_owned(),
            reference: None,
            handed: false,
            segments: 0,
            cost: 0,
        });
        Trail(known.collect())
    }

    /// What all attempts cost, in millionths of the operator's currency.
    pub fn cost(&self) -> u64 {
        let costs = self.0.iter().map(|attempt| attempt.cost);
        costs.fold(0, u64::saturating_add)
    }

    /// The route whose answer to the last attempt was that the number has opted out.
    pub fn newly_opted_out(&self) -> Option<&str> {
        let last = self.last().filter(|last| last.n > 0)?;
        let fault = NumberFault::OptedOut;
        (last.verdict == Verdict::Never { fault }).then_some(&last.route)
    }

    /// The attempts at a route.
    pub fn of<'a>(&'a self, route: &'a str) -> impl Iterator<Item = &'a Attempt> {
        self.0.iter().filter(move |attempt| attempt.route == route)
    }

    /// The same after a receipt for attempt `n` said that it came to nothing.
    #[must_use]
    pub(super) fn with_receipt(&self, n: u32, verdict: Verdict, reason: &str) -> Trail {
        let mut trail = self.clone();
        for attempt in trail.0.iter_mut().filter(|attempt| attempt.n == n) {
            attempt.verdict = verdict;
            attempt.handed = true;
            attempt.reason = format!("taken, and not delivered: {reason}");
        }
        trail
    }

    /// Whether attempt `n` may have been this route's: attempts that are alike have only the number of the last.
    pub fn may_be_of(&self, n: u32, route: &str) -> bool {
        match self.0.iter().find(|attempt| attempt.n == n) {
            Some(attempt) => attempt.route == route,
            None => self.of(route).any(|attempt| attempt.n > n),
        }
    }

    /// Whether its owner may have got the message more than once: an attempt that was never answered may have brought it,
    /// and so may another one, unless both were over a route that tells repeated messages.
    pub fn may_have_come_twice(&self, routes: &Routes) -> bool {
        let may_have = |attempt: &Attempt| {
            attempt.handed || matches!(attempt.verdict, Verdict::Taken | Verdict::Unknown)
        };
        let mut unanswered = self.0.iter().filter(|one| one.verdict == Verdict::Unknown);
        unanswered.any(|one| {
            let repeats = routes.tells_repeats(&one.route);
            let by_another = |other: &Attempt| {
                other.n != one.n && may_have(other) && !(repeats && other.route == one.route)
            };
            (one.times > 1 && !repeats) || self.0.iter().any(by_another)
        })
    }

    /// Adds an attempt. One like it goes into it; when there is no room left, the oldest one goes that keeps no
    /// route from being asked again.
    pub fn add(&mut self, attempt: Attempt) {
        let like = |old: &Attempt| {
            let verdicts = match (old.verdict, attempt.verdict) {
                (Verdict::NotNow { fault: a, .. }, Verdict::NotNow { fault: b, .. }) => a == b,
                (a, b) => a == b,
            };
            old.route == attempt.route && verdicts
        };
        let before = self.0.iter().position(like).map(|at| self.0.remove(at));
        let (mut handed, mut times) = (false, 0);
        let (mut segments, mut cost) = (0, 0);
        if let Some(before) = before {
            (handed, times) = (before.handed, before.times);
            (segments, cost) = (before.segments, before.cost);
        }
        if self.0.len() == LONGEST {
            let bars = |old: &Attempt| {
                matches!(
                    old.verdict,
                    Verdict::Unable { .. } | Verdict::Never { .. } | Verdict::Unknown
                )
            };
            let goes = self.0.iter().position(|old| !bars(old)).unwrap_or(0);
            self.0.remove(goes);
        }
        self.0.push(Attempt {
            times: times.saturating_add(attempt.times),
            handed: handed || attempt.handed,
            segments: attempt.segments.saturating_add(segments),
            cost: attempt.cost.saturating_add(cost),
            ..attempt
        });
    }
}
