//! Exact windows: no stretch of a window's length ever holds more than its count.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::moment::Time;

/// A limit: no stretch of `seconds` ever holds more than `count`. A stretch includes its beginning and not
/// its end, so that what was used at one time is free again `seconds` later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// How many at most.
    pub count: u32,
    /// In how many seconds.
    pub seconds: u64,
}

impl Window {
    pub(super) fn span(self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// The longest of some windows; none of them, no time.
    pub(super) fn longest(windows: &[Window]) -> Duration {
        let spans = windows.iter().map(|window| window.span());
        spans.max().unwrap_or_default()
    }
}

/// When something was done, oldest first, as far back as the longest window reaches. A row holds the first
/// time in microseconds, then the steps from each to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<i64>", into = "Vec<i64>")]
pub struct Times(Vec<Time>);

impl Times {
    /// How long until every window has room for one more; `None` when all have it now.
    pub fn wait(&self, windows: &[Window], now: Time) -> Option<Duration> {
        let rooms: Vec<Room<'_>> = windows
            .iter()
            .map(|window| Room::new(&self.0, window.count, window.span()))
            .collect();
        wait(&rooms, now)
    }

    /// Notes that it was done once more, and forgets what no window counts any longer.
    pub fn take(&mut self, windows: &[Window], now: Time) {
        let place = self.0.partition_point(|time| *time <= now);
        self.0.insert(place, now);
        let longest = Window::longest(windows);
        self.0.retain(|time| *time + longest > now);
    }

    /// Forgets one time that was noted.
    pub(crate) fn give_back(&mut self, at: Time) {
        if let Some(place) = self.0.iter().position(|time| *time == at) {
            self.0.remove(place);
        }
    }

    /// How often it was done within a window that ends now.
    pub fn within(&self, window: Window, now: Time) -> u32 {
        let counted = self.0.iter().filter(|time| **time + window.span() > now);
        u32::try_from(counted.count()).unwrap_or(u32::MAX)
    }

    /// When no window counts any of it any longer.
    pub fn over(&self, windows: &[Window]) -> Time {
        let last = self.0.last().copied();
        last.map_or(Time::default(), |last| last + Window::longest(windows))
    }
}

impl From<Vec<i64>> for Times {
    fn from(steps: Vec<i64>) -> Times {
        Times(summed(steps))
    }
}

impl From<Times> for Vec<i64> {
    fn from(times: Times) -> Vec<i64> {
        steps(times.0)
    }
}

/// Times as the first and the steps from each to the next.
pub(super) fn steps(times: impl IntoIterator<Item = Time>) -> Vec<i64> {
    let mut last = 0;
    let step = |time: Time| time.0.saturating_sub(std::mem::replace(&mut last, time.0));
    times.into_iter().map(step).collect()
}

/// The reverse of [`steps`].
pub(super) fn summed(steps: impl IntoIterator<Item = i64>) -> Vec<Time> {
    let mut last = 0_i64;
    let sum = |step: i64| {
        last = last.saturating_add(step);
        Time(last)
    };
    steps.into_iter().map(sum).collect()
}

/// What one window says of some times, oldest first.
pub(super) struct Room<'a> {
    times: &'a [Time],
    most: usize,
    span: Duration,
}

impl<'a> Room<'a> {
    pub(super) fn new(times: &'a [Time], most: u32, span: Duration) -> Room<'a> {
        Room {
            times,
            most: usize::try_from(most).unwrap_or(usize::MAX),
            span,
        }
    }

    /// Whether one more at this time leaves no stretch with more than there may be. There may be later ones.
    fn has_at(&self, at: Time) -> bool {
        let place = self.times.partition_point(|time| *time <= at);
        // Those that share a stretch with the new one and fill it stand beside each other.
        let first = place.saturating_sub(self.most);
        self.times[first..]
            .windows(self.most.max(1))
            .take(place - first + 1)
            .all(|full| match (full.first(), full.last()) {
                (Some(first), Some(last)) => at.max(*last).since(at.min(*first)) >= self.span,
                _ => true,
            })
    }
}

/// How long until there is room everywhere; `None` when there is now.
pub(super) fn wait(rooms: &[Room<'_>], now: Time) -> Option<Duration> {
    let everywhere = |at: Time| rooms.iter().all(|room| room.has_at(at));
    if everywhere(now) {
        return None;
    }
    // Room comes back only when something that was done is a window's length ago.
    let ends = rooms
        .iter()
        .flat_map(|room| room.times.iter().map(|time| *time + room.span))
        .filter(|end| *end > now);
    let mut ends: Vec<Time> = ends.collect();
    ends.sort_unstable();
    let free = ends.into_iter().find(|end| everywhere(*end));
    free.map(|free| free.since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time(1_700_000_000_000_000);

    fn after(seconds: u64) -> Time {
        START + Duration::from_secs(seconds)
    }

    fn window(count: u32, seconds: u64) -> Window {
        Window { count, seconds }
    }

    #[test]
    fn a_window_gives_its_count_and_no_more_before_the_first_is_over() {
        let windows = [window(3, 600)];
        let mut times = Times::default();
        for at in [0, 10, 20] {
            assert_eq!(times.wait(&windows, after(at)), None);
            times.take(&windows, after(at));
        }
        let seconds = |count| Some(Duration::from_secs(count));
        assert_eq!(times.wait(&windows, after(20)), seconds(580));
        assert_eq!(times.wait(&windows, after(599)), seconds(1));
        assert_eq!(times.wait(&windows, after(600)), None);
        times.take(&windows, after(600));
        assert_eq!(times.wait(&windows, after(600)), seconds(10));
    }

    #[test]
    fn all_windows_hold_together_and_a_new_one_knows_what_is_remembered() {
        let one = [window(1, 10)];
        let two = [window(1, 10), window(1, 60)];
        let mut times = Times::default();
        times.take(&two, START);
        assert_eq!(times.wait(&one, after(10)), None);
        let wait = times.wait(&two, after(10));
        assert_eq!(wait, Some(Duration::from_secs(50)));
    }

    #[test]
    fn what_comes_later_counts_as_well() {
        // At 100 and 150 there is one already, so a third within 60 s of both does not fit.
        let times = [after(100), after(150)];
        let rooms = [Room::new(&times, 2, Duration::from_secs(60))];
        assert_eq!(wait(&rooms, after(80)), None);
        let until = |at| wait(&rooms, after(at)).map(|wait| after(at) + wait);
        assert_eq!(until(95), Some(after(160)));
        assert_eq!(until(120), Some(after(160)));
        assert_eq!(until(160), None);
    }

    #[test]
    fn a_row_holds_steps_and_nothing_that_no_window_counts() {
        let windows = [window(2, 60)];
        let mut times = Times::default();
        for at in [0, 30, 61] {
            times.take(&windows, after(at));
        }
        let text = serde_json::to_string(&times).unwrap();
        assert_eq!(text, "[1700000030000000,31000000]");
        assert_eq!(serde_json::from_str::<Times>(&text).unwrap(), times);
        times.take(&[], after(61));
        assert_eq!(times, Times::default());
    }
}
