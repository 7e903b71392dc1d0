//! The guard's figures, and what they allow a country that has this history.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use super::tally::CountryTally;
use crate::moment::Time;
use crate::number::NumberKind;

/// What the guard's decisions are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Nothing is examined.
    Off,
    /// Everything is sent, and what would not be is on record.
    #[default]
    Record,
    /// What there is a reason against is not sent.
    Enforce,
}

/// What a message to a country costs, roughly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceClass {
    /// As most do.
    Usual,
    /// Several times as much.
    High,
}

/// Rules for what may be sent where. Percentages are whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuardRules {
    /// What the decisions are for.
    pub mode: Mode,
    /// Countries that codes are sent to; all when empty.
    #[serde(deserialize_with = "countries")]
    pub allow_countries: BTreeSet<String>,
    /// Countries that they are not sent to.
    #[serde(deserialize_with = "countries")]
    pub deny_countries: BTreeSet<String>,
    /// Kinds of numbers that they are not sent to.
    pub refused_kinds: BTreeSet<NumberKind>,
    /// Countries of [`PriceClass::High`].
    #[serde(deserialize_with = "countries")]
    pub high_price_countries: BTreeSet<String>,
    /// Codes to one country in 24 hours that may stay unanswered, whatever its history.
    pub unverified_floor: u32,
    /// The same to a country of [`PriceClass::High`].
    pub unverified_floor_high_price: u32,
    /// How many may for each hundred that are answered: of the best day of 14, or of the last 24 hours.
    pub unverified_percent: u32,
    /// How much of that may fall into one hour, in percent.
    pub hour_percent: u32,
    /// Codes to one country in 24 hours, whatever its history and whether they are answered or not.
    pub growth_floor: u32,
    /// How many times the best day of 14 there may be.
    pub growth_times: u32,
    /// After how many codes to numbers that begin alike their answers are looked at.
    pub prefix_sends: u32,
    /// How many of a hundred must be answered.
    pub prefix_percent: u32,
    /// Numbers that begin alike, of which one answered in the last 14 days and of a hundred lately at least so many,
    /// are not held up by what others in their country do.
    pub trusted_percent: u32,
    /// How many codes numbers that begin alike get in 24 hours, answered or not.
    pub prefix_day: u32,
    /// Seconds for which such numbers get nothing when they are not; each time twice as long.
    pub prefix_block_seconds: u64,
    /// Codes of one address in 24 hours that may stay unanswered.
    pub address_unverified: u32,
    /// How many countries one address may ask for in 24 hours, beside those whose codes it answered.
    pub address_countries: u32,
}

impl Default for GuardRules {
    fn default() -> Self {
        GuardRules {
            mode: Mode::Record,
            allow_countries: BTreeSet::new(),
            deny_countries: BTreeSet::new(),
            refused_kinds: [
                NumberKind::PremiumRate,
                NumberKind::SharedCost,
                NumberKind::Pager,
                NumberKind::Uan,
                NumberKind::Satellite,
            ]
            .into(),
            high_price_countries: BTreeSet::new(),
            unverified_floor: 20,
            unverified_floor_high_price: 5,
            unverified_percent: 60,
            hour_percent: 25,
            growth_floor: 200,
            growth_times: 5,
            prefix_sends: 20,
            prefix_percent: 10,
            trusted_percent: 30,
            prefix_day: 200,
            prefix_block_seconds: 3_600,
            address_unverified: 20,
            address_countries: 3,
        }
    }
}

impl GuardRules {
    /// Whether codes are sent to a country at all.
    pub fn serves_country(&self, country: &str) -> bool {
        let allowed = self.allow_countries.is_empty() || self.allow_countries.contains(country);
        allowed && !self.deny_countries.contains(country)
    }

    /// What a message to a country costs, roughly.
    pub fn price_class(&self, country: &str) -> PriceClass {
        match self.high_price_countries.contains(country) {
            true => PriceClass::High,
            false => PriceClass::Usual,
        }
    }

    /// How long numbers that begin alike get nothing for the first time.
    pub(super) fn prefix_block(&self) -> Duration {
        Duration::from_secs(self.prefix_block_seconds)
    }

    /// From how many unanswered codes in 24 hours on a country gets no more.
    pub(super) fn unverified_in_a_day(
        &self,
        country: &str,
        tally: &CountryTally,
        now: Time,
    ) -> u32 {
        let verified = tally.best_day(now).max(tally.verified_in_a_day(now));
        let share = percent(verified, self.unverified_percent);
        share.max(self.floor(country))
    }

    /// The same in an hour.
    pub(super) fn unverified_in_an_hour(
        &self,
        country: &str,
        tally: &CountryTally,
        now: Time,
    ) -> u32 {
        let day = self.unverified_in_a_day(country, tally, now);
        percent(day, self.hour_percent)
            .max(self.floor(country) / 2)
            .max(1)
    }

    /// From how many codes in 24 hours on a country gets no more, answered or not: whoever owns the numbers answers.
    pub(super) fn sends_in_a_day(&self, country: &str, tally: &CountryTally, now: Time) -> u32 {
        let times = tally.best_day(now).saturating_mul(self.growth_times);
        match self.price_class(country) {
            PriceClass::Usual => times.max(self.growth_floor),
            PriceClass::High => times.max(self.growth_floor / 4).max(1),
        }
    }

    fn floor(&self, country: &str) -> u32 {
        match self.price_class(country) {
            PriceClass::Usual => self.unverified_floor,
            PriceClass::High => self.unverified_floor_high_price,
        }
    }
}

/// Codes of countries, in any case: capital letters from then on.
pub fn countries<'de, D: Deserializer<'de>>(input: D) -> Result<BTreeSet<String>, D::Error> {
    let listed = Vec::<String>::deserialize(input)?;
    Ok(listed
        .iter()
        .map(|code| code.to_ascii_uppercase())
        .collect())
}

fn percent(count: u32, percent: u32) -> u32 {
    let share = u64::from(count) * u64::from(percent) / 100;
    u32::try_from(share).unwrap_or(u32::MAX)
}
