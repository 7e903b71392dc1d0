//! The pause between two messages of one account to one number.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rules::LimitRules;
use crate::moment::Time;

/// The pause between two messages, which grows with each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CoolDown {
    /// Messages since the last success or the last quiet day.
    pub sends: u32,
    /// No message before this time.
    pub until: Time,
    /// From this time on the pauses start anew.
    pub forgotten_at: Time,
}

const QUIET: Duration = Duration::from_secs(86_400);

impl CoolDown {
    /// How long until the next message.
    pub fn wait(&self, now: Time) -> Option<Duration> {
        (now < self.until).then(|| self.until.since(now))
    }

    /// Whether it says no more than a fresh one.
    pub fn is_over(&self, now: Time) -> bool {
        self.forgotten_at <= now
    }

    /// Ends the pause after a message of this time, unless there was another one since.
    pub(crate) fn give_back(&mut self, taken_at: Time) {
        if self.forgotten_at != taken_at + QUIET || self.until <= taken_at {
            return;
        }
        *self = match self.sends {
            0 | 1 => CoolDown::default(),
            sends => CoolDown {
                sends: sends - 1,
                until: taken_at,
                ..self.clone()
            },
        };
    }

    pub(crate) fn take(&mut self, rules: &LimitRules, now: Time) {
        let sends = if self.is_over(now) { 0 } else { self.sends };
        let steps = &rules.cool_down_seconds;
        let step = steps
            .get(sends as usize)
            .or(steps.last())
            .copied()
            .unwrap_or(0);
        *self = CoolDown {
            sends: sends.saturating_add(1),
            until: now + Duration::from_secs(step),
            forgotten_at: now + QUIET,
        };
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
    fn pauses_grow_and_are_forgotten_after_a_quiet_day() {
        let rules = LimitRules::default();
        let mut pause = CoolDown::default();
        for (at, wait) in [(0, 60), (60, 120), (180, 240), (420, 240)] {
            assert_eq!(pause.wait(after(at)), None);
            pause.take(&rules, after(at));
            assert_eq!(pause.wait(after(at)), Some(Duration::from_secs(wait)));
        }
        let next_day = after(420 + 86_400);
        assert!(pause.is_over(next_day));
        pause.take(&rules, next_day);
        assert_eq!(pause.wait(next_day), Some(Duration::from_secs(60)));
    }
}
