//! Wrong guesses of one account for one number, and how often refused guesses go on record.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rules::LimitRules;
use crate::moment::Time;

/// Consecutive wrong guesses of one account for one number. Time alone forgets none of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Failures {
    /// How many since the last success.
    pub count: u32,
    /// No guess is looked at before this time.
    pub wait_until: Time,
}

/// Whether a guess is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guessing {
    /// It is.
    Open,
    /// Not yet.
    Waits(Duration),
    /// Not before an operator has unlocked the account.
    Locked,
}

impl Failures {
    /// Whether a guess may be looked at now.
    pub fn guessing(&self, rules: &LimitRules, now: Time) -> Guessing {
        if self.count >= rules.lock_at_failures {
            Guessing::Locked
        } else if now < self.wait_until {
            Guessing::Waits(self.wait_until.since(now))
        } else {
            Guessing::Open
        }
    }

    /// Counts a wrong guess of a code that ends at `code_ends`: the wait after it doubles with each, and is
    /// never longer than what is left of the code.
    pub(crate) fn add(&mut self, rules: &LimitRules, now: Time, code_ends: Time) {
        self.count = self.count.saturating_add(1);
        let Some(over) = self.count.checked_sub(rules.free_failures) else {
            return;
        };
        let wait = 1_u64.checked_shl(over).unwrap_or(u64::MAX);
        let wait = Duration::from_secs(wait.min(rules.longest_wait_seconds));
        self.wait_until = (now + wait).min(code_ends);
    }
}

/// Guesses that were refused without being looked at. One event a minute tells of them, with their count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RefusedGuesses {
    /// Those that no event has told of.
    pub untold: u32,
    /// No event before this time.
    pub quiet_until: Time,
}

impl RefusedGuesses {
    /// Counts one, and says of how many an event shall tell now.
    pub(crate) fn add(&mut self, rules: &LimitRules, now: Time) -> Option<u32> {
        self.untold = self.untold.saturating_add(1);
        if now < self.quiet_until {
            return None;
        }
        self.quiet_until = now + Duration::from_secs(rules.refused_event_seconds);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time(1_700_000_000_000_000);

    fn after(seconds: u64) -> Time {
        START + Duration::from_secs(seconds)
    }

    #[test]
    fn waits_after_failures_double_up_to_the_end_of_the_code_and_then_a_lock() {
        let rules = LimitRules::default();
        let ends = after(600);
        let mut failures = Failures::default();
        for count in 1..=100_u32 {
            failures.add(&rules, START, ends);
            let expected = match count {
                1..=4 => Guessing::Open,
                5..=14 => Guessing::Waits(Duration::from_secs(1 << (count - 5))),
                15..=99 => Guessing::Waits(Duration::from_secs(600)),
                _ => Guessing::Locked,
            };
            assert_eq!(failures.guessing(&rules, START), expected, "{count}");
            if count < 100 {
                assert_eq!(failures.guessing(&rules, ends), Guessing::Open);
            }
        }
        assert_eq!(
            failures.guessing(&rules, after(1_000_000)),
            Guessing::Locked
        );
    }

    #[test]
    fn a_wait_is_never_longer_than_what_is_left_of_the_code() {
        let rules = LimitRules::default();
        let mut failures = Failures {
            count: 12,
            wait_until: START,
        };
        failures.add(&rules, START, after(7));
        assert_eq!(
            failures.guessing(&rules, START),
            Guessing::Waits(Duration::from_secs(7))
        );
    }

    #[test]
    fn refused_guesses_are_told_once_a_minute_with_their_count() {
        let rules = LimitRules::default();
        let mut refused = RefusedGuesses::default();
        assert_eq!(refused.add(&rules, START), Some(1));
        for at in 1..60 {
            assert_eq!(refused.add(&rules, after(at)), None);
        }
        assert_eq!(refused.add(&rules, after(60)), Some(60));
        assert_eq!(refused.add(&rules, after(3_600)), Some(1));
    }
}
