//! Tallies by what they are of, and what is told to them.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use super::rules::GuardRules;
use super::{CountryTally, Destination, Heard, Known, NO_COUNTRY, PrefixTally};
use crate::Number;
use crate::moment::Time;
use crate::number::{NumberRules, is_region};

/// What a tally is of, within an organisation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A country, by its code.
    Country(String),
    /// Numbers that begin alike: a number without its last four digits.
    Prefix(String),
}

impl Place {
    /// A country by its code in any case, or [`NO_COUNTRY`].
    ///
    /// # Errors
    /// What it must be.
    pub fn country(text: &str) -> Result<Place, &'static str> {
        let country = text.to_ascii_uppercase();
        match country == NO_COUNTRY || is_region(&country) {
            true => Ok(Place::Country(country)),
            false => Err("must be two letters, such as CH (ISO 3166-1 alpha-2), or 001"),
        }
    }

    /// How numbers begin.
    ///
    /// # Errors
    /// What it must be.
    pub fn prefix(text: &str) -> Result<Place, &'static str> {
        let digits = text.strip_prefix('+').unwrap_or_default();
        let whole = digits.bytes().all(|byte| byte.is_ascii_digit());
        if !whole || !(2..=11).contains(&digits.len()) {
            return Err("must be a plus and 2 to 11 digits, such as +4179123");
        }
        match Number::parse(text, &NumberRules::default()) {
            Ok(_) => Err("must leave out the last four digits of a number"),
            Err(_) => Ok(Place::Prefix(text.to_owned())),
        }
    }
}

/// What is known of a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tally {
    /// Of a country.
    Country(CountryTally),
    /// Of numbers that begin alike.
    Prefix(PrefixTally),
}

/// What is told to a tally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// A code is sent.
    Sent,
    /// A code was handed in.
    Answered,
    /// An operator says that all is well until then.
    Allowed {
        /// Until when.
        until: Time,
    },
}

impl Tally {
    /// Of a place that nothing is known of.
    pub fn fresh(place: &Place) -> Tally {
        match place {
            Place::Country(_) => Tally::Country(CountryTally::default()),
            Place::Prefix(_) => Tally::Prefix(PrefixTally::default()),
        }
    }

    /// Tells it something that happened at `at`. The same in the same order comes to the same.
    pub fn tell(&mut self, rules: &GuardRules, told: Observation, at: Time) {
        match (self, told) {
            (Tally::Country(tally), Observation::Sent) => tally.sent(at),
            (Tally::Country(tally), Observation::Answered) => tally.verified(at),
            (Tally::Country(tally), Observation::Allowed { until }) => tally.allow(until),
            (Tally::Prefix(tally), Observation::Sent) => tally.sent(rules, at),
            (Tally::Prefix(tally), Observation::Answered) => tally.verified(at),
            (Tally::Prefix(tally), Observation::Allowed { until }) => tally.allow(until),
        }
    }

    /// Whether it is of numbers that begin alike of which there is nothing to say: of nearly all.
    pub fn is_quiet(&self, rules: &GuardRules, now: Time) -> bool {
        match self {
            Tally::Country(_) => false,
            Tally::Prefix(tally) => {
                tally.blocked_for(now).is_none()
                    && !tally.is_allowed(now)
                    && tally.sent_in_a_day(now) < rules.prefix_day
            }
        }
    }

    /// When it says no more than a fresh one.
    pub fn idle_at(&self) -> Time {
        match self {
            Tally::Country(tally) => tally.idle_at(),
            Tally::Prefix(tally) => tally.idle_at(),
        }
    }

    /// Until when an operator says that all is well.
    pub fn allowed_until(&self, now: Time) -> Option<Time> {
        match self {
            Tally::Country(tally) => tally.allowed_until(now),
            Tally::Prefix(tally) => tally.allowed_until(now),
        }
    }
}

impl Destination {
    /// What there are tallies of.
    pub fn places(&self) -> [Place; 2] {
        [
            Place::Country(self.country.clone()),
            Place::Prefix(self.prefix.clone()),
        ]
    }
}

impl Heard {
    /// What it tells the tallies of a place; nothing where nothing was sent.
    pub fn told(&self) -> Option<(&Destination, Observation)> {
        match self {
            Heard::Sent { to, .. } => Some((to, Observation::Sent)),
            Heard::Answered { to, .. } => Some((to, Observation::Answered)),
            Heard::Refused { .. } => None,
        }
    }
}

/// Who has proven a number today: one number proves something of its country once a day.
#[derive(Clone, Debug, Default)]
pub struct ProvenToday {
    day: i64,
    /// Hashes of numbers and organisations. That two are alike is so rare that nobody will see it, and all that it would
    /// do is that one number proves nothing that day.
    numbers: HashSet<u64>,
}

impl ProvenToday {
    /// Whether this is the number's first proof today, as far as is remembered. Not more than `most` numbers are.
    pub fn is_first(&mut self, organization: &str, number: &str, most: usize, now: Time) -> bool {
        const DAY: Duration = Duration::from_secs(86_400);
        let today = now.since(Time::default()).as_micros() / DAY.as_micros();
        let today = i64::try_from(today).unwrap_or(i64::MAX);
        if self.day != today {
            self.numbers.clear();
            self.day = today;
        }
        // More than that are no small attack any more, and nothing is proven by what cannot be told apart.
        self.numbers.len() < most && {
            let mut hasher = DefaultHasher::new();
            (number, organization).hash(&mut hasher);
            self.numbers.insert(hasher.finish())
        }
    }
}

/// Tallies in memory, of as many places as there are.
#[derive(Clone, Debug, Default)]
pub struct Tallies {
    known: HashMap<(String, Place), Tally>,
    proven: ProvenToday,
}

impl Tallies {
    /// Tells what was heard of a command of an organisation.
    pub fn hear(&mut self, organization: &str, rules: &GuardRules, heard: &Heard, now: Time) {
        if let Heard::Answered { number, .. } = heard
            && !self.proven.is_first(organization, number, usize::MAX, now)
        {
            return;
        }
        let Some((to, told)) = heard.told() else {
            return;
        };
        for place in to.places() {
            self.of_mut(organization, place).tell(rules, told, now);
        }
    }

    /// What is known of a place, to be changed.
    pub fn of_mut(&mut self, organization: &str, place: Place) -> &mut Tally {
        let fresh = Tally::fresh(&place);
        let key = (organization.to_owned(), place);
        self.known.entry(key).or_insert(fresh)
    }
}

impl Known for Tallies {
    fn show(
        &self,
        organization: &str,
        to: &Destination,
        look: &mut dyn FnMut(&CountryTally, &PrefixTally),
    ) {
        let [country, prefix] = to
            .places()
            .map(|place| self.known.get(&(organization.to_owned(), place)));
        let (fresh_country, fresh_prefix) = Default::default();
        let country = match country {
            Some(Tally::Country(tally)) => tally,
            Some(Tally::Prefix(_)) | None => &fresh_country,
        };
        let prefix = match prefix {
            Some(Tally::Prefix(tally)) => tally,
            Some(Tally::Country(_)) | None => &fresh_prefix,
        };
        look(country, prefix);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        assert_eq!(Place::country("ch"), Ok(Place::Country("CH".into())));
        assert_eq!(Place::country("001"), Ok(Place::Country("001".into())));
        for wrong in ["", "UK", "Swiss", "999"] {
            assert!(Place::country(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Place::prefix("+4179"), Ok(Place::Prefix("+4179".into())));
        for wrong in ["", "+", "+4", "4179", "+41 79", "+1234567890123456"] {
            assert!(Place::prefix(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_number_proves_something_once_a_day() {
        const START: Time = Time(1_700_000_000_000_000);
        let mut proven = ProvenToday::default();
        assert!(proven.is_first("acme", "one", 2, START));
        assert!(!proven.is_first("acme", "one", 2, START));
        assert!(proven.is_first("other", "one", 2, START));
        assert!(!proven.is_first("acme", "two", 2, START), "no room");
        assert!(proven.is_first("acme", "one", 2, START + Duration::from_secs(86_400)));
    }
}
