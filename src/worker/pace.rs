//! The pace of a route: how many messages may go out in a second.

use std::time::Duration;

use tokio::time::Instant;

/// After "too fast" the pace goes up again by this factor each second without another.
const RECOVERY: f64 = 1.1;
/// The pace never falls below so many in a second.
const SLOWEST: f64 = 1.0;
/// Without a configured pace, the first one is half of what went out in a second, and no less than this: of a route that
/// had little to send nobody knows how much it takes.
const FIRST: f64 = 10.0;
/// What went out in one second counts for so long.
const REMEMBERED: Duration = Duration::from_secs(60);

/// A token bucket that holds what one second allows.
#[derive(Debug)]
pub(super) struct Pace {
    /// What the configuration allows in a second; `None` for any number.
    allowed: Option<f64>,
    /// What is allowed now.
    present: Option<f64>,
    /// From here on the route was never too slow: without a configured pace, none is kept.
    lifted_at: f64,
    tokens: f64,
    counted: Instant,
    /// Messages in the second that began then.
    second: (Instant, u32),
    /// The most in one of the last seconds, and when it was.
    busiest: (Instant, u32),
    /// When the route last said "too fast".
    slowed: Option<Instant>,
}

impl Pace {
    pub(super) fn new(per_second: Option<u32>, now: Instant) -> Pace {
        let allowed = per_second.map(f64::from);
        Pace {
            allowed,
            present: allowed,
            lifted_at: f64::INFINITY,
            tokens: allowed.unwrap_or_default().max(SLOWEST),
            counted: now,
            second: (now, 0),
            busiest: (now, 0),
            slowed: None,
        }
    }

    /// How many messages may go now, up to `most`.
    pub(super) fn room(&mut self, most: usize, now: Instant) -> usize {
        let Some(rate) = self.rate(now) else {
            return most;
        };
        let passed = now.saturating_duration_since(self.counted).as_secs_f64();
        self.counted = now;
        self.tokens = (self.tokens + passed * rate).min(rate.max(1.0));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "small, not negative"
        )]
        let whole = self.tokens as usize;
        whole.min(most)
    }

    /// So many messages go.
    pub(super) fn take(&mut self, count: usize, now: Instant) {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.tokens -= f64::from(count);
        let (began, so_far) = self.second;
        self.second = match now.saturating_duration_since(began) < Duration::from_secs(1) {
            true => (began, so_far.saturating_add(count)),
            false => (now, count),
        };
        let (at, most) = self.busiest;
        if self.second.1 >= most || now.saturating_duration_since(at) > REMEMBERED {
            self.busiest = self.second;
        }
    }

    /// When the next message may go, if one must wait.
    pub(super) fn next(&self) -> Option<Instant> {
        let rate = self.present?;
        let missing = (1.0 - self.tokens).max(0.0);
        Some(self.counted + Duration::from_secs_f64(missing / rate))
    }

    /// The route says that it is too fast: half as many from now on. Several who say so within a second say it
    /// once.
    pub(super) fn slow_down(&mut self, now: Instant) {
        if self
            .slowed
            .is_some_and(|at| now < at + Duration::from_secs(1))
        {
            return;
        }
        let slower = match self.present {
            Some(present) => (present / 2.0).max(SLOWEST),
            None => {
                let first = first_pace(self.busiest, now);
                self.lifted_at = 8.0 * first;
                (self.tokens, self.counted) = (0.0, now);
                first
            }
        };
        self.present = Some(slower);
        self.tokens = self.tokens.min(slower);
        self.slowed = Some(now);
    }

    /// What is allowed now: it recovers by the second.
    fn rate(&mut self, now: Instant) -> Option<f64> {
        while let Some(at) = self.slowed {
            let due = at + Duration::from_secs(1);
            if now < due {
                break;
            }
            let faster = self.present? * RECOVERY;
            let full = self.allowed.unwrap_or(self.lifted_at);
            if faster >= full {
                self.present = self.allowed;
                self.slowed = None;
            } else {
                self.present = Some(faster);
                self.slowed = Some(due);
            }
        }
        self.present
    }
}

/// The pace of a route that has none configured and says that it is too fast, by what it did in its busiest second.
fn first_pace((at, most): (Instant, u32), now: Instant) -> f64 {
    match now.saturating_duration_since(at) <= REMEMBERED {
        true => (f64::from(most) / 2.0).max(FIRST),
        false => FIRST,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn a_pace_is_kept() {
        let start = Instant::now();
        let mut pace = Pace::new(Some(10), start);
        assert_eq!(pace.room(100, start), 10, "a second's worth at once");
        pace.take(10, start);
        assert_eq!(pace.room(100, after(start, 50)), 0);
        assert_eq!(pace.next(), Some(after(start, 100)));
        assert_eq!(pace.room(100, after(start, 500)), 5);
        assert_eq!(pace.room(3, after(start, 500)), 3);
        assert_eq!(pace.room(100, after(start, 60_000)), 10);
    }

    #[test]
    fn whoever_has_none_is_not_held_up() {
        let start = Instant::now();
        let mut pace = Pace::new(None, start);
        assert_eq!(pace.room(256, start), 256);
        pace.take(256, start);
        assert_eq!(pace.room(256, start), 256);
        assert_eq!(pace.next(), None);
    }

    #[test]
    fn too_fast_halves_it_once_a_second_and_it_recovers() {
        let start = Instant::now();
        let mut pace = Pace::new(None, start);
        pace.take(100, start);
        for _ in 0..50 {
            pace.slow_down(start);
        }
        assert_eq!(pace.room(256, start), 0);
        assert_eq!(pace.room(256, after(start, 900)), 45);
        pace.take(45, after(start, 900));
        pace.slow_down(after(start, 1_000));
        assert_eq!(pace.room(256, after(start, 1_900)), 25);
        let mut seconds = 2;
        while pace.next().is_some() && seconds < 100 {
            seconds += 1;
            pace.room(256, after(start, seconds * 1_000));
        }
        assert!((20..60).contains(&seconds), "{seconds}");
        let mut kept = Pace::new(Some(10), start);
        kept.slow_down(start);
        kept.room(1, after(start, 60_000));
        kept.take(10, after(start, 60_000));
        assert_eq!(kept.room(100, after(start, 70_000)), 10, "and no more");
    }

    #[test]
    fn the_first_pace_is_half_of_what_was_done() {
        let start = Instant::now();
        for (most, pace) in [
            (0, 10.0),
            (1, 10.0),
            (20, 10.0),
            (100, 50.0),
            (4_000, 2_000.0),
        ] {
            assert_eq!(
                first_pace((start, most), after(start, 1_000)),
                pace,
                "{most}"
            );
            assert_eq!(
                first_pace((start, most), after(start, 61_000)),
                10.0,
                "{most}"
            );
        }
        // The second in which it is said may have just begun.
        let mut pace = Pace::new(None, start);
        pace.take(100, start);
        pace.take(3, after(start, 1_100));
        pace.slow_down(after(start, 1_200));
        assert_eq!(pace.room(256, after(start, 2_150)), 47);
        let mut quiet = Pace::new(None, start);
        quiet.take(1, start);
        quiet.slow_down(start);
        assert_eq!(
            quiet.room(256, after(start, 950)),
            9,
            "and not one a second"
        );
    }
}
