//! What holds for exact windows at random times, by counting.

use std::time::Duration;

use proptest::prelude::*;
use ringback_core::Time;
use ringback_core::limit::{Times, Window};

const START: Time = Time(1_700_000_000_000_000);
const MICROSECOND: Duration = Duration::from_micros(1);

/// Whether no stretch of any window's length holds more than its count.
fn hold(windows: &[Window], times: &[Time]) -> bool {
    windows.iter().all(|window| {
        let span = Duration::from_secs(window.seconds);
        times.iter().all(|first| {
            let stretch = times
                .iter()
                .filter(|time| (*first..*first + span).contains(time));
            stretch.count() <= window.count as usize
        })
    })
}

/// Microseconds from one wish to the next: often few, sometimes as long as a window.
fn steps() -> impl Strategy<Value = Vec<u64>> {
    let step = prop_oneof![
        6 => 0_u64..3_000_000,
        3 => 0_u64..60_000_000,
        1 => Just(60_000_000),
        1 => 0_u64..4_000_000_000,
    ];
    proptest::collection::vec(step, 1..200)
}

fn windows() -> impl Strategy<Value = Vec<Window>> {
    let window = (1_u32..9, prop_oneof![Just(60_u64), Just(600), 1_u64..3_600]);
    let window = window.prop_map(|(count, seconds)| Window { count, seconds });
    proptest::collection::vec(window, 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_stretch_holds_more_and_nobody_waits_for_less(windows in windows(), steps in steps()) {
        let (mut kept, mut done, mut now) = (Times::default(), Vec::new(), START);
        for step in steps {
            now = now + Duration::from_micros(step);
            let with = |at| [done.as_slice(), &[at]].concat();
            match kept.wait(&windows, now) {
                None => {
                    done = with(now);
                    prop_assert!(hold(&windows, &done));
                    kept.take(&windows, now);
                    // As the next process reads it.
                    let row = serde_json::to_string(&kept).unwrap();
                    kept = serde_json::from_str(&row).unwrap();
                }
                Some(wait) => {
                    prop_assert!(!hold(&windows, &with(now)));
                    prop_assert!(!hold(&windows, &with(now + wait - MICROSECOND)));
                    prop_assert!(hold(&windows, &with(now + wait)));
                }
            }
        }
    }
}
