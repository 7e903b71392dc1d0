//! Whether a code may be sent to a number, going by where it would go and what came of those that were sent there
//! before: a pure decider beside [`crate::decide()`], against those who have messages sent for the money.
//!
//! What it knows of a country, of the numbers that begin alike and of a client address are tallies: values that rows
//! can hold. Whoever sends asks [`examine`] and then tells the tallies; whoever verifies tells them as well.

mod replay;
mod rules;
mod standing;
mod tallies;
mod tally;

use std::fmt;
use std::time::Duration;

use crate::moment::Time;
use crate::number::{Number, NumberKind};
pub use replay::{Counts, Player, Recorded, Replay, What};
pub use rules::{GuardRules, Mode, PriceClass, countries};
pub use standing::Standing;
pub use tallies::{Observation, Place, ProvenToday, Tallies, Tally};
pub use tally::{AddressTally, CountryTally, PrefixTally};

/// What stands for the country of a number that belongs to none, such as a satellite phone's.
pub const NO_COUNTRY: &str = "001";

/// Where a message would go, as far as the guard asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The country by the number, not by its calling code: two letters, or [`NO_COUNTRY`].
    pub country: String,
    /// The kind of number.
    pub kind: NumberKind,
    /// The number without its last four digits: whoever is paid for messages has a range of them.
    pub prefix: String,
}

impl Destination {
    /// Of a number.
    pub fn of(number: &Number) -> Destination {
        let text = number.as_str();
        let country = number.country();
        Destination {
            country: country.unwrap_or_else(|| NO_COUNTRY.to_owned()),
            kind: number.kind(),
            prefix: text[..text.len().saturating_sub(4)].to_owned(),
        }
    }
}

/// What is known when a message is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Of the country.
    pub country: &'a CountryTally,
    /// Of the numbers that begin alike.
    pub prefix: &'a PrefixTally,
    /// Of the client's address, where a user asks who acts alone.
    pub address: Option<&'a AddressTally>,
    /// Whether the account has proven a number before.
    pub known: bool,
}

/// What is known of countries and of numbers that begin alike, for whoever decides.
pub trait Known: fmt::Debug {
    /// Lets `look` see what is known of where an organisation's message would go.
    fn show(
        &self,
        organization: &str,
        to: &Destination,
        look: &mut dyn FnMut(&CountryTally, &PrefixTally),
    );
}

/// What the guard hears of a command: to be told to the tallies once the command is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A code is sent.
    Sent {
        /// Where it goes.
        to: Destination,
        /// What there was against it; more than nothing only where nothing is refused.
        reasons: Vec<Reason>,
    },
    /// A code was not sent.
    Refused {
        /// Where it would have gone.
        to: Destination,
        /// What there was against it.
        reasons: Vec<Reason>,
    },
    /// A code was handed in.
    Answered {
        /// Where it had gone.
        to: Destination,
        /// The number's pseudonym: one number proves something of its country once a day.
        number: String,
    },
}

/// Why the guard would not send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The country is not listed, or listed as one that nothing is sent to.
    Country,
    /// Nothing is sent to numbers of this kind.
    Kind,
    /// Far more codes to the country than it ever had in a day.
    CountryGrowth,
    /// Too many codes to the country in a day were not answered.
    CountryDay,
    /// The same in an hour.
    CountryHour,
    /// Codes to numbers that begin alike are not answered.
    Prefix,
    /// Too many codes to numbers that begin alike in a day.
    PrefixDay,
    /// Too many codes of the address in a day were not answered.
    AddressDay,
    /// The address asks for numbers of too many countries.
    AddressCountries,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Reason; 9] = [
        Reason::Country,
        Reason::Kind,
        Reason::CountryGrowth,
        Reason::CountryDay,
        Reason::CountryHour,
        Reason::Prefix,
        Reason::PrefixDay,
        Reason::AddressDay,
        Reason::AddressCountries,
    ];

    /// The stable name.
    pub fn code(self) -> &'static str {
        match self {
            Reason::Country => "country",
            Reason::Kind => "kind",
            Reason::CountryDay => "country_day",
            Reason::CountryHour => "country_hour",
            Reason::CountryGrowth => "country_growth",
            Reason::Prefix => "prefix",
            Reason::PrefixDay => "prefix_day",
            Reason::AddressDay => "address_day",
            Reason::AddressCountries => "address_countries",
        }
    }
}

/// What the guard says of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may be sent. In [`Mode::Record`] it may, whatever the reasons.
    pub allowed: bool,
    /// Every reason against it, in the order of [`Reason::ALL`].
    pub reasons: Vec<Reason>,
    /// How long the reasons that pass by themselves hold at least; `None` where one of them does not.
    pub retry_after: Option<Duration>,
}

/// Decides whether a message may go there. Changes nothing: what is sent is told to the tallies by whoever sends.
pub fn examine(rules: &GuardRules, to: &Destination, facts: Facts<'_>, now: Time) -> Decision {
    let mut found: Vec<(Reason, Option<Duration>)> = Vec::new();
    if rules.mode != Mode::Off {
        if !rules.serves_country(&to.country) {
            found.push((Reason::Country, None));
        }
        if rules.refused_kinds.contains(&to.kind) {
            found.push((Reason::Kind, None));
        }
        found.extend(country(rules, to, facts, now));
        found.extend(prefix(rules, facts.prefix, now));
        let of_address = facts.address.into_iter();
        found.extend(of_address.flat_map(|tally| address(rules, to, tally, now)));
    }
    let waits: Option<Vec<Duration>> = found.iter().map(|(_, wait)| *wait).collect();
    Decision {
        allowed: found.is_empty() || rules.mode != Mode::Enforce,
        retry_after: waits.and_then(|waits| waits.into_iter().max()),
        reasons: found.into_iter().map(|(reason, _)| reason).collect(),
    }
}

type Found = Vec<(Reason, Option<Duration>)>;

/// Whoever has proven a number before, and whose neighbours answer, is not held up by what others do in the same
/// country; but whose neighbours answer since today only may be the one who answers for them.
fn country(rules: &GuardRules, to: &Destination, facts: Facts<'_>, now: Time) -> Found {
    let tally = facts.country;
    if tally.is_allowed(now) || facts.prefix.is_allowed(now) {
        return Vec::new();
    }
    let day = rules.unverified_in_a_day(&to.country, tally, now);
    let hour = rules.unverified_in_an_hour(&to.country, tally, now);
    let growth = rules.sends_in_a_day(&to.country, tally, now);
    let mut found = Vec::new();
    if facts.known || facts.prefix.is_long_trusted(rules, now) {
        return found;
    }
    if tally.sent_in_a_day(now) >= growth {
        found.push((Reason::CountryGrowth, Some(tally.next_change(now))));
    }
    if facts.prefix.is_trusted(rules, now) {
        return found;
    }
    if tally.unverified_in_a_day(now) >= day {
        found.push((Reason::CountryDay, Some(tally.next_change(now))));
    }
    if tally.unverified_in_an_hour(now) >= hour {
        found.push((Reason::CountryHour, Some(tally.next_change(now))));
    }
    found
}

fn prefix(rules: &GuardRules, tally: &PrefixTally, now: Time) -> Found {
    if tally.is_allowed(now) {
        return Vec::new();
    }
    let blocked = tally.blocked_for(now);
    let mut found = Vec::from_iter(blocked.map(|wait| (Reason::Prefix, Some(wait))));
    if tally.sent_in_a_day(now) >= rules.prefix_day {
        found.push((Reason::PrefixDay, Some(tally.next_change(now))));
    }
    found
}

fn address(rules: &GuardRules, to: &Destination, tally: &AddressTally, now: Time) -> Found {
    let mut found = Vec::new();
    if tally.unverified_in_a_day(now) >= rules.address_unverified {
        found.push((Reason::AddressDay, Some(tally.next_change(now))));
    }
    if tally.countries_with(&to.country, now) > rules.address_countries {
        found.push((Reason::AddressCountries, Some(tally.next_change(now))));
    }
    found
}

#[cfg(test)]
mod tests;
