//! Conversion: of the codes that went over a route, how many were handed in. It orders routes, and sounds an alarm.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::moment::{Id, Time};

/// Fewer codes than that say nothing of a route.
const ENOUGH: u64 = 50;
/// Hours that are looked back at most.
const DAY: i64 = 24;
/// What is expected of a route of which too little is known, when others are held against it.
const UNKNOWN: f64 = 0.25;
/// A route gives way when it converts less than this share of the best.
const BEHIND: f64 = 0.8;
/// Of so many messages one percent explores this often.
const EXPLORING: u64 = 5;
/// A country has fallen when it converts less than this share of what its week did.
const FALLEN: f64 = 0.5;
/// As many codes must have been expected to be handed in, so that chance sounds no alarm.
const EXPECTED: f64 = 20.0;

/// How messages with codes went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Messages that a route took.
    pub sent: u64,
    /// Those that it says have arrived.
    pub delivered: u64,
    /// Those that it says have not.
    pub undelivered: u64,
    /// Those whose code was handed in.
    pub verified: u64,
    /// What all messages that it took cost, those without a code too, in millionths of the operator's currency.
    pub cost: u64,
}

impl Tally {
    /// This and that.
    #[must_use]
    pub fn and(self, other: Tally) -> Tally {
        Tally {
            sent: self.sent.saturating_add(other.sent),
            delivered: self.delivered.saturating_add(other.delivered),
            undelivered: self.undelivered.saturating_add(other.undelivered),
            verified: self.verified.saturating_add(other.verified),
            cost: self.cost.saturating_add(other.cost),
        }
    }

    /// The share of codes that were handed in; `None` while there are too few.
    pub fn conversion(self) -> Option<f64> {
        (self.sent >= ENOUGH).then(|| self.share())
    }

    #[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
    fn share(self) -> f64 {
        match self.sent {
            0 => 0.0,
            sent => (self.verified as f64 / sent as f64).min(1.0),
        }
    }
}

/// How a route did in a country within one hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HourOf {
    /// Hours since 1970.
    pub hour: i64,
    /// The route.
    pub route: String,
    /// The country (ISO 3166-1 alpha-2), or `none`.
    pub country: String,
    /// How it did.
    pub tally: Tally,
}

/// The hour of a time.
pub fn hour_of(time: Time) -> i64 {
    time.0.div_euclid(3_600_000_000)
}

/// How routes have done lately, by country.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversion(BTreeMap<String, BTreeMap<String, Tally>>);

impl Conversion {
    /// Of each route and country the last hours that hold enough codes, and at most a day.
    pub fn of(mut hours: Vec<HourOf>, now: Time) -> Conversion {
        hours.sort_by_key(|one| std::cmp::Reverse(one.hour));
        let mut found = Conversion::default();
        for HourOf {
            hour,
            route,
            country,
            tally,
        } in hours
        {
            if hour <= hour_of(now) - DAY {
                continue;
            }
            let routes = found.0.entry(country).or_default();
            let so_far = routes.entry(route).or_default();
            if so_far.sent < ENOUGH {
                *so_far = so_far.and(tally);
            }
        }
        found
    }

    /// Each route and country with what is known of it.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str, Tally)> {
        self.0.iter().flat_map(|(country, routes)| {
            let routes = routes.iter();
            routes.map(move |(route, tally)| (route.as_str(), country.as_str(), *tally))
        })
    }

    /// Routes in the order in which a message goes: as they are listed, but that those that convert clearly less than
    /// the best come last. A few messages begin with another one, so that it is known how that does; which ones
    /// follows from their ids.
    pub fn rank<'a>(&self, order: Vec<&'a str>, country: &str, message: Id) -> Vec<&'a str> {
        let known = self.0.get(country);
        let conversion = |route: &str| known.and_then(|known| known.get(route)?.conversion());
        let scores = order
            .iter()
            .map(|route| conversion(route).unwrap_or(UNKNOWN));
        let best = scores.fold(0.0, f64::max);
        let behind = |route: &&str| conversion(route).filter(|share| *share < BEHIND * best);
        let (mut last, mut ranked): (Vec<&str>, Vec<&str>) =
            order.into_iter().partition(|route| behind(route).is_some());
        last.sort_by(|a, b| {
            let (a, b) = (conversion(a).unwrap_or(0.0), conversion(b).unwrap_or(0.0));
            b.total_cmp(&a)
        });
        ranked.append(&mut last);
        if let Some(explored) = explores(message, ranked.len()) {
            let explored = ranked.remove(explored);
            ranked.insert(0, explored);
        }
        ranked
    }
}

/// Which route but the first a message explores, of so many.
fn explores(message: Id, routes: usize) -> Option<usize> {
    let mut random = [0; 8];
    // The first bytes are the time.
    random.copy_from_slice(&message.as_bytes()[8..]);
    let random = u64::from_be_bytes(random);
    let others = u64::try_from(routes).ok()?.checked_sub(1)?;
    if others == 0 || random % 100 >= EXPLORING {
        return None;
    }
    usize::try_from(1 + random / 100 % others).ok()
}

/// Whether a country converts less than half of what its week did.
pub fn has_fallen(lately: Tally, week: Tally) -> bool {
    let usual = week.share();
    #[expect(clippy::cast_precision_loss, reason = "a share need not be exact")]
    let expected = usual * lately.sent as f64;
    expected >= EXPECTED && lately.share() < FALLEN * usual
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;
    const NOW: Time = Time(480_000 * HOUR);

    fn hour(ago: i64, route: &str, sent: u64, verified: u64) -> HourOf {
        HourOf {
            hour: hour_of(NOW) - ago,
            route: route.into(),
            country: "CH".into(),
            tally: Tally {
                sent,
                verified,
                ..Tally::default()
            },
        }
    }

    /// A message that explores nothing.
    fn plain() -> Id {
        Id::from_bytes([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 50])
    }

    fn ranked(hours: Vec<HourOf>) -> String {
        let known = Conversion::of(hours, NOW);
        known.rank(vec!["a", "b", "c"], "CH", plain()).concat()
    }

    #[test]
    fn routes_keep_their_places_until_one_is_clearly_behind() {
        assert_eq!(ranked(vec![]), "abc");
        assert_eq!(ranked(vec![hour(0, "a", 49, 0)]), "abc", "too few");
        assert_eq!(ranked(vec![hour(0, "a", 50, 0)]), "bca");
        assert_eq!(
            ranked(vec![hour(0, "a", 50, 12)]),
            "abc",
            "about as expected"
        );
        let known = |a, b, c| {
            vec![
                hour(0, "a", 100, a),
                hour(0, "b", 100, b),
                hour(0, "c", 100, c),
            ]
        };
        assert_eq!(ranked(known(70, 80, 75)), "abc", "chance");
        assert_eq!(ranked(known(60, 80, 75)), "bca");
        assert_eq!(ranked(known(10, 80, 20)), "bca");
        assert_eq!(ranked(known(0, 0, 0)), "abc");
        // One of which nothing is known has a chance where it is listed.
        assert_eq!(ranked(vec![hour(0, "b", 100, 80)]), "abc");
        let other = Conversion::of(vec![hour(0, "a", 50, 0)], NOW);
        assert_eq!(other.rank(vec!["a", "b"], "FR", plain()), ["a", "b"]);
    }

    #[test]
    fn the_last_hours_that_hold_enough_count() {
        let repaired = vec![hour(1, "a", 60, 50), hour(2, "a", 1_000, 0)];
        assert_eq!(ranked(repaired), "abc");
        let two = vec![
            hour(0, "a", 30, 0),
            hour(1, "a", 30, 0),
            hour(2, "a", 500, 500),
        ];
        assert_eq!(ranked(two), "bca");
        assert_eq!(ranked(vec![hour(24, "a", 500, 0)]), "abc", "too long ago");
        assert_eq!(ranked(vec![hour(23, "a", 500, 0)]), "bca");
    }

    #[test]
    fn a_few_messages_explore_and_always_the_same() {
        let known = Conversion::of(vec![hour(0, "a", 50, 0)], NOW);
        let mut first = BTreeMap::new();
        for n in 0..20_000_u64 {
            let mut bytes = [0; 16];
            let random = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            bytes[8..].copy_from_slice(&random.to_be_bytes());
            let id = Id::from_bytes(bytes);
            let order = known.rank(vec!["a", "b", "c"], "CH", id);
            assert_eq!(order, known.rank(vec!["a", "b", "c"], "CH", id));
            *first.entry(order[0]).or_insert(0) += 1;
        }
        assert!((18_800..19_200).contains(&first["b"]), "{first:?}");
        assert!((400..600).contains(&first["a"]) && (400..600).contains(&first["c"]));
        let alone = known.rank(vec!["a"], "CH", Id::from_bytes([0; 16]));
        assert_eq!(alone, ["a"]);
    }

    #[test]
    fn a_country_has_fallen_below_half_of_its_week_and_not_by_chance() {
        let tally = |sent, verified| Tally {
            sent,
            verified,
            ..Tally::default()
        };
        let week = tally(10_000, 8_000);
        assert!(has_fallen(tally(25, 9), week));
        assert!(!has_fallen(tally(25, 10), week), "half");
        assert!(!has_fallen(tally(24, 0), week), "too few");
        assert!(!has_fallen(tally(1_000, 0), tally(1_000, 0)), "never any");
        assert!(!has_fallen(Tally::default(), Tally::default()));
    }

    /// A day of five messages a minute, of which four in five are handed in; the first route takes and delivers
    /// all, but none is handed in from the third hour until the ninth.
    #[test]
    fn a_simulated_day() {
        let mut hours: BTreeMap<(i64, &str), Tally> = BTreeMap::new();
        let (mut first_when_dead, mut last_first, mut back_at) = (0, 0, None);
        for n in 0..7_200_u64 {
            let minute = i64::try_from(n / 5).expect("small");
            let now = Time(NOW.0 + minute * 60_000_000);
            let dead = (180..540).contains(&minute);
            let kept = hours.iter().map(|((hour, route), tally)| HourOf {
                hour: *hour,
                route: (*route).into(),
                country: "CH".into(),
                tally: *tally,
            });
            let known = Conversion::of(kept.collect(), now);
            let is_first = known.rank(vec!["a", "b"], "CH", plain())[0] == "a";
            if dead && is_first {
                first_when_dead += 1;
                last_first = minute;
            }
            if minute >= 540 && is_first {
                back_at = back_at.or(Some(minute));
            }
            let mut bytes = [0; 16];
            let random = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            bytes[8..].copy_from_slice(&random.to_be_bytes());
            let route = known.rank(vec!["a", "b"], "CH", Id::from_bytes(bytes))[0];
            let tally = hours.entry((hour_of(now), route)).or_default();
            tally.sent += 1;
            tally.delivered += 1;
            let handed_in = (random >> 32) % 5 != 0 && !(dead && route == "a");
            tally.verified += u64::from(handed_in);
        }
        assert!(first_when_dead <= 100, "{first_when_dead}");
        assert!(last_first < 200, "it stays behind: {last_first}");
        let back_at = back_at.expect("back within the day");
        assert!(back_at > 540, "{back_at}: not before it is known");
    }
}
