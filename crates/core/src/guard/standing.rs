//! How a country, or numbers that begin alike, stand with the guard now.

use super::tallies::{Place, Tally};
use super::{CountryTally, Facts, GuardRules, PrefixTally, PriceClass, Reason, country, prefix};
use crate::moment::Time;
use crate::number::NumberKind;

/// How a place stands with the guard now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What it is about.
    pub place: Place,
    /// Codes that were sent there in 24 hours.
    pub sent: u32,
    /// Codes that were handed in.
    pub answered: u32,
    /// What a message costs there, roughly.
    pub price: PriceClass,
    /// Why codes of users who have proven nothing do not go there, or would not if rules were enforced; each until
    /// when at least.
    pub reasons: Vec<(Reason, Time)>,
    /// Since when, where that is known.
    pub since: Option<Time>,
    /// Until when an operator says that all is well.
    pub allowed_until: Option<Time>,
}

impl Standing {
    /// Of what is known of a place.
    pub fn of(rules: &GuardRules, place: &Place, tally: &Tally, now: Time) -> Standing {
        let fresh = PrefixTally::default();
        let (found, (sent, answered), since, price) = match (place, tally) {
            (Place::Country(code), Tally::Country(tally)) => {
                let facts = Facts {
                    country: tally,
                    prefix: &fresh,
                    address: None,
                    known: false,
                };
                let to = super::Destination {
                    country: code.clone(),
                    kind: NumberKind::Mobile,
                    prefix: String::new(),
                };
                let found = country(rules, &to, facts, now);
                (found, tally.day(now), None, rules.price_class(code))
            }
            (_, Tally::Prefix(tally)) => {
                let since = tally.blocked(rules, now).map(|(since, _)| since);
                let found = prefix(rules, tally, now);
                (found, tally.day(now), since, PriceClass::Usual)
            }
            (Place::Prefix(_), Tally::Country(tally)) => (
                Vec::new(),
                CountryTally::day(tally, now),
                None,
                PriceClass::Usual,
            ),
        };
        let until = |(reason, wait): (Reason, Option<std::time::Duration>)| {
            (reason, now + wait.unwrap_or_default())
        };
        Standing {
            place: place.clone(),
            sent,
            answered,
            price,
            reasons: found.into_iter().map(until).collect(),
            since,
            allowed_until: tally.allowed_until(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::guard::{Mode, Observation};

    const START: Time = Time(1_700_000_000_000_000);
    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn what_is_blocked_says_since_when_and_until_when() {
        let rules = GuardRules {
            mode: Mode::Enforce,
            ..GuardRules::default()
        };
        let place = Place::Prefix("+4179123".into());
        let mut tally = Tally::fresh(&place);
        tally.tell(&rules, Observation::Answered, START);
        for blocks in [1, 2] {
            let now = START + HOUR * 5 * blocks;
            for _ in 0..20 {
                tally.tell(&rules, Observation::Sent, now);
            }
            let standing = Standing::of(&rules, &place, &tally, now + HOUR / 2);
            assert_eq!(standing.since, Some(now));
            assert_eq!(standing.reasons, [(Reason::Prefix, now + HOUR * blocks)]);
            assert_eq!((standing.sent, standing.answered), (20 * blocks, 1));
        }
        let place = Place::Country("CH".into());
        let mut tally = Tally::fresh(&place);
        for _ in 0..10 {
            tally.tell(&rules, Observation::Sent, START);
        }
        let standing = Standing::of(&rules, &place, &tally, START);
        let [(Reason::CountryHour, until)] = standing.reasons[..] else {
            panic!("{standing:?}");
        };
        assert!(until > START && until <= START + HOUR);
        let until = START + HOUR;
        tally.tell(&rules, Observation::Allowed { until }, START);
        let standing = Standing::of(&rules, &place, &tally, START);
        assert_eq!(
            (standing.reasons, standing.allowed_until),
            (vec![], Some(until))
        );
    }
}
