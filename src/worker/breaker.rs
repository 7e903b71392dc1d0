//! A breaker: a route that fails again and again is left alone for a while, then tried with one message.

use std::collections::VecDeque;
use std::time::Duration;

use ringback_core::Time;
use ringback_core::delivery::{RouteFault, Verdict};

/// Failures in a row that open it.
const IN_A_ROW: u32 = 5;
/// How many of the last attempts are looked at, and how old they may be.
const LOOKED_AT: usize = 100;
const NOT_OLDER: Duration = Duration::from_secs(30);
/// So many attempts at least say something about a share of failures; half of them opens it.
const AT_LEAST: usize = 20;
/// How long it stays open the first time; then twice as long, up to the longest.
const FIRST_REST: Duration = Duration::from_secs(15);
const LONGEST_REST: Duration = Duration::from_secs(300);
/// How long it stays open for what an operator must mend.
const OPERATOR_REST: Duration = Duration::from_secs(60);
/// How long others wait while one message is tried.
const PROBE_WAIT: Duration = Duration::from_secs(1);

/// How a route has done lately, in this process.
#[derive(Debug)]
pub(super) struct Breaker {
    state: State,
    in_a_row: u32,
    /// When, and whether it failed; oldest first.
    lately: VecDeque<(Time, bool)>,
    /// How long it was open the last time, while it has not been well since.
    last_rest: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Open {
        until: Time,
    },
    /// One message is on its way; if it is not heard of until then, another one is tried.
    Probing {
        until: Time,
    },
}

/// What an attempt made of the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turned {
    /// It opened, for so long.
    Open(Duration),
    /// It closed.
    Closed,
}

impl Default for Breaker {
    fn default() -> Breaker {
        Breaker {
            state: State::Closed,
            in_a_row: 0,
            lately: VecDeque::new(),
            last_rest: None,
        }
    }
}

impl Breaker {
    /// From when on the route may be asked.
    pub(super) fn ready_at(&self, now: Time) -> Time {
        match self.state {
            State::Closed => Time(i64::MIN),
            State::Open { until } => until,
            State::Probing { until } => until.min(now + PROBE_WAIT),
        }
    }

    /// Whether a message may go now; it must be heard of within `timeout`.
    pub(super) fn admits(&mut self, now: Time, timeout: Duration) -> bool {
        match self.state {
            State::Closed => true,
            State::Open { until } | State::Probing { until } if now >= until => {
                let until = now + timeout + PROBE_WAIT;
                self.state = State::Probing { until };
                true
            }
            State::Open { .. } | State::Probing { .. } => false,
        }
    }

    /// Notes how an attempt went.
    pub(super) fn note(&mut self, verdict: Verdict, now: Time) -> Option<Turned> {
        let failed = match verdict {
            Verdict::Taken => false,
            Verdict::Unable { fault } if fault.needs_operator() => {
                return self.open(OPERATOR_REST, now);
            }
            Verdict::NotNow {
                fault: RouteFault::Throttled,
                ..
            }
            | Verdict::Unable { .. }
            | Verdict::Never { .. } => {
                // It answers; whether it works is not said.
                return match self.state {
                    State::Probing { .. } => self.close(),
                    State::Closed | State::Open { .. } => None,
                };
            }
            Verdict::NotNow { .. } | Verdict::Unknown => true,
            Verdict::Skipped => return None,
        };
        match (self.state, failed) {
            // Sent before it opened.
            (State::Open { .. }, true) => None,
            (State::Open { .. } | State::Probing { .. }, false) => self.close(),
            (State::Probing { .. }, true) => self.open(FIRST_REST, now),
            (State::Closed, _) => {
                self.count(failed, now);
                match failed && self.too_many() {
                    true => self.open(FIRST_REST, now),
                    false => None,
                }
            }
        }
    }

    /// 0 closed, 1 while one message is tried, 2 open: for metrics.
    pub(super) fn level(&self) -> f64 {
        match self.state {
            State::Closed => 0.0,
            State::Probing { .. } => 1.0,
            State::Open { .. } => 2.0,
        }
    }

    fn count(&mut self, failed: bool, now: Time) {
        self.in_a_row = if failed { self.in_a_row + 1 } else { 0 };
        self.lately.push_back((now, failed));
        while self.lately.len() > LOOKED_AT
            || self
                .lately
                .front()
                .is_some_and(|(at, _)| now.since(*at) > NOT_OLDER)
        {
            self.lately.pop_front();
        }
        if self.lately.len() == LOOKED_AT && self.lately.iter().all(|(_, failed)| !failed) {
            self.last_rest = None;
        }
    }

    fn too_many(&self) -> bool {
        let failures = self.lately.iter().filter(|(_, failed)| *failed).count();
        let half = self.lately.len() >= AT_LEAST && 2 * failures >= self.lately.len();
        self.in_a_row >= IN_A_ROW || half
    }

    fn open(&mut self, first: Duration, now: Time) -> Option<Turned> {
        if matches!(self.state, State::Open { until } if until > now) {
            return None;
        }
        let rest = match (self.state, self.last_rest) {
            (State::Probing { .. }, Some(last)) => (2 * last).clamp(first, LONGEST_REST),
            _ => first,
        };
        self.state = State::Open { until: now + rest };
        self.last_rest = Some(rest);
        self.in_a_row = 0;
        self.lately.clear();
        Some(Turned::Open(rest))
    }

    fn close(&mut self) -> Option<Turned> {
        self.state = State::Closed;
        self.in_a_row = 0;
        self.lately.clear();
        self.last_rest = None;
        Some(Turned::Closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(5);
    const DOWN: Verdict = Verdict::NotNow {
        fault: RouteFault::Down,
        after: 0,
    };

    fn at(seconds: i64) -> Time {
        Time(seconds * 1_000_000)
    }

    fn opened(seconds: u64) -> Option<Turned> {
        Some(Turned::Open(Duration::from_secs(seconds)))
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_one_message_tries_it_later() {
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            assert_eq!(breaker.note(DOWN, at(100)), None);
        }
        assert!(breaker.admits(at(100), TIMEOUT));
        assert_eq!(breaker.note(Verdict::Unknown, at(100)), opened(15));
        assert_eq!(breaker.note(DOWN, at(101)), None, "sent before it opened");
        assert!(!breaker.admits(at(114), TIMEOUT));
        assert_eq!(breaker.ready_at(at(114)), at(115));
        assert!(breaker.admits(at(115), TIMEOUT), "the one");
        assert!(!breaker.admits(at(115), TIMEOUT), "and no other");
        assert_eq!(breaker.ready_at(at(115)), at(116));
        assert_eq!(breaker.note(DOWN, at(115)), opened(30));
        assert!(breaker.admits(at(145), TIMEOUT));
        assert_eq!(breaker.note(Verdict::Taken, at(145)), Some(Turned::Closed));
        assert!(breaker.admits(at(145), TIMEOUT) && breaker.admits(at(145), TIMEOUT));
    }

    #[test]
    fn the_rest_doubles_up_to_five_minutes() {
        let mut breaker = Breaker::default();
        let mut now = 0;
        for _ in 0..5 {
            breaker.note(DOWN, at(now));
        }
        for rest in [30, 60, 120, 240, 300, 300] {
            now += 1_000;
            assert!(breaker.admits(at(now), TIMEOUT));
            assert_eq!(breaker.note(DOWN, at(now)), opened(rest));
        }
    }

    #[test]
    fn half_of_twenty_open_it() {
        let mut breaker = Breaker::default();
        for n in 0..19 {
            let verdict = if n % 2 == 0 { DOWN } else { Verdict::Taken };
            assert_eq!(breaker.note(verdict, at(n)), None, "{n}");
        }
        assert_eq!(breaker.note(DOWN, at(19)), opened(15));
        let mut breaker = Breaker::default();
        for n in 0..100 {
            let verdict = if n % 2 == 0 { DOWN } else { Verdict::Taken };
            assert_eq!(breaker.note(verdict, at(n * 10)), None, "too slow to say");
        }
    }

    #[test]
    fn what_an_operator_must_mend_opens_it_at_once_and_what_concerns_a_message_never() {
        let mut breaker = Breaker::default();
        let fault = RouteFault::Sender;
        for _ in 0..100 {
            assert_eq!(breaker.note(Verdict::Unable { fault }, at(1)), None);
        }
        let fault = RouteFault::Credit;
        assert_eq!(breaker.note(Verdict::Unable { fault }, at(1)), opened(60));
    }

    #[test]
    fn a_message_that_is_not_heard_of_lets_another_one_try() {
        let mut breaker = Breaker::default();
        for _ in 0..5 {
            breaker.note(DOWN, at(0));
        }
        assert!(breaker.admits(at(15), TIMEOUT));
        assert!(!breaker.admits(at(20), TIMEOUT));
        assert!(breaker.admits(at(21), TIMEOUT));
    }
}
