//! Limits: how much may be sent and how often may be guessed, as values that a row can hold.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::moment::Time;
use crate::policy::LimitRules;

/// A token bucket: `count` at once, refilled evenly over `seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// How many at once.
    pub count: u32,
    /// Seconds in which an empty bucket is full again.
    pub seconds: u64,
}

impl Window {
    fn span(self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    fn interval(self) -> Duration {
        self.span() / self.count.max(1)
    }
}

/// Token buckets of one subject, one for each window: for each, the time at which it is full again.
/// (The generic cell rate algorithm of ITU-T I.371 in its virtual scheduling form, which needs one
/// number where a textbook bucket needs two.)
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Buckets(Vec<Time>);

impl Buckets {
    /// How long until every bucket has a token; `None` when all have one now.
    pub fn wait(&self, windows: &[Window], now: Time) -> Option<Duration> {
        windows
            .iter()
            .zip(self.full_at(now))
            .filter_map(|(window, full_at)| {
                let late = (full_at + window.interval())
                    .since(now)
                    .checked_sub(window.span())?;
                (!late.is_zero()).then_some(late)
            })
            .max()
    }

    /// Takes one token out of every bucket; call it when [`Buckets::wait`] said `None`.
    pub fn take(&mut self, windows: &[Window], now: Time) {
        self.0 = windows
            .iter()
            .zip(self.full_at(now))
            .map(|(window, full_at)| full_at + window.interval())
            .collect();
    }

    /// When every bucket is full again, which is when this value has nothing left to say.
    pub fn full(&self) -> Time {
        self.0.iter().copied().max().unwrap_or_default()
    }

    fn full_at(&self, now: Time) -> impl Iterator<Item = Time> {
        self.0
            .iter()
            .copied()
            .chain(std::iter::repeat(Time::default()))
            .map(move |full_at| full_at.max(now))
    }
}

/// Consecutive wrong guesses of one subject.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    /// How many since the last success.
    #[serde(default)]
    pub count: u32,
    /// When the last one was.
    #[serde(default)]
    pub last_at: Time,
}

impl Failures {
    /// Whether a guess may be looked at now.
    pub fn allow(&self, rules: &LimitRules, now: Time) -> bool {
        if self.count >= rules.lock_at_failures {
            return false;
        }
        match self.count.checked_sub(rules.free_failures) {
            None => true,
            Some(over) => {
                let wait = 1_u64.checked_shl(over.min(63)).unwrap_or(u64::MAX);
                let wait = Duration::from_secs(wait.min(rules.longest_wait_seconds));
                now >= self.last_at + wait
            }
        }
    }

    pub(crate) fn add(&mut self, now: Time) {
        self.count = self.count.saturating_add(1);
        self.last_at = now;
    }
}

/// The pause between two messages to one number, which grows with each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoolDown {
    /// Messages since the last success or the last quiet day.
    #[serde(default)]
    pub sends: u32,
    /// No message before this time.
    #[serde(default)]
    pub until: Time,
    /// From this time on the pauses start anew.
    #[serde(default)]
    pub forgotten_at: Time,
}

const QUIET: Duration = Duration::from_secs(86_400);

impl CoolDown {
    fn wait(&self, now: Time) -> Option<Duration> {
        (now < self.until).then(|| self.until.since(now))
    }

    fn take(&mut self, rules: &LimitRules, now: Time) {
        let sends = if now < self.forgotten_at {
            self.sends
        } else {
            0
        };
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

/// What one number has used up, over all accounts that hold it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Budget {
    /// Messages sent to it.
    pub sends: Buckets,
    /// The pause after the last one.
    pub cool_down: CoolDown,
    /// Wrong guesses of codes that were meant for it.
    pub failures: Failures,
}

impl Budget {
    /// When this budget says no more than a fresh one; `None` while it holds wrong guesses, which only a
    /// success clears.
    pub fn idle_at(&self) -> Option<Time> {
        (self.failures.count == 0).then(|| self.sends.full().max(self.cool_down.forgotten_at))
    }

    pub(crate) fn waits(&self, rules: &LimitRules, now: Time) -> Vec<(Limit, Duration)> {
        let cool_down = self.cool_down.wait(now).map(|wait| (Limit::CoolDown, wait));
        let sends = self.sends.wait(&rules.sends_per_number, now);
        let sends = sends.map(|wait| (Limit::NumberSends, wait));
        cool_down.into_iter().chain(sends).collect()
    }

    pub(crate) fn take(&mut self, rules: &LimitRules, now: Time) {
        self.sends.take(&rules.sends_per_number, now);
        self.cool_down.take(rules, now);
    }

    pub(crate) fn succeed(&mut self) {
        self.failures = Failures::default();
        self.cool_down = CoolDown::default();
    }
}

/// The budgets of the numbers that a command may touch, by [`crate::Keys::pseudonym`].
pub type Budgets = BTreeMap<String, Budget>;

/// Which limit a refusal came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The pause between two messages to one number.
    CoolDown,
    /// Messages to one number.
    NumberSends,
    /// Messages of one account.
    AccountSends,
    /// Numbers set by one account.
    AccountSets,
    /// The guesses of a challenge are used up, and a new message would not bring new ones.
    Guesses,
}

impl Limit {
    /// The stable name of this limit.
    pub fn code(self) -> &'static str {
        match self {
            Limit::CoolDown => "cool_down",
            Limit::NumberSends => "sends_per_number",
            Limit::AccountSends => "sends_per_account",
            Limit::AccountSets => "sets_per_account",
            Limit::Guesses => "guesses",
        }
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
    fn a_bucket_gives_its_count_and_refills_evenly() {
        let windows = [Window {
            count: 5,
            seconds: 600,
        }];
        let mut buckets = Buckets::default();
        for _ in 0..5 {
            assert_eq!(buckets.wait(&windows, START), None);
            buckets.take(&windows, START);
        }
        assert_eq!(
            buckets.wait(&windows, START),
            Some(Duration::from_secs(120))
        );
        assert_eq!(
            buckets.wait(&windows, after(119)),
            Some(Duration::from_secs(1))
        );
        assert_eq!(buckets.wait(&windows, after(120)), None);
        buckets.take(&windows, after(120));
        assert_eq!(
            buckets.wait(&windows, after(120)),
            Some(Duration::from_secs(120))
        );
        assert_eq!(buckets.full(), after(720));
    }

    #[test]
    fn the_longest_wait_counts_and_a_new_window_starts_full() {
        let one = [Window {
            count: 1,
            seconds: 10,
        }];
        let two = [
            Window {
                count: 1,
                seconds: 10,
            },
            Window {
                count: 1,
                seconds: 60,
            },
        ];
        let mut buckets = Buckets::default();
        buckets.take(&one, START);
        assert_eq!(buckets.wait(&two, after(10)), None);
        buckets.take(&two, after(10));
        assert_eq!(buckets.wait(&two, after(11)), Some(Duration::from_secs(59)));
    }

    #[test]
    fn waits_after_failures_double_up_to_a_lock() {
        let rules = LimitRules::default();
        let failed = |count| Failures {
            count,
            last_at: START,
        };
        assert!(failed(4).allow(&rules, START));
        assert!(!failed(5).allow(&rules, START));
        assert!(failed(5).allow(&rules, after(1)));
        assert!(!failed(8).allow(&rules, after(7)));
        assert!(failed(8).allow(&rules, after(8)));
        assert!(!failed(99).allow(&rules, after(899)));
        assert!(failed(99).allow(&rules, after(900)));
        assert!(!failed(100).allow(&rules, after(1_000_000)));
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
        pause.take(&rules, after(420 + 86_400));
        assert_eq!(
            pause.wait(after(420 + 86_400)),
            Some(Duration::from_secs(60))
        );
    }

    #[test]
    fn a_budget_is_idle_when_it_says_nothing() {
        let rules = LimitRules::default();
        let mut budget = Budget::default();
        budget.take(&rules, START);
        assert_eq!(budget.idle_at(), Some(after(86_400)));
        budget.failures.add(START);
        assert_eq!(budget.idle_at(), None);
        budget.succeed();
        assert!(budget.idle_at().is_some_and(|at| at < after(86_400)));
    }
}
