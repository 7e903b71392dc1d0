//! What was sent and what was answered: to a country, to numbers that begin alike, from an address.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::rules::GuardRules;
use crate::moment::Time;

const SECOND: i64 = 1_000_000;
const DAY_SECONDS: i64 = 86_400;
const DAY: Duration = Duration::from_secs(86_400);
const HISTORY: Duration = Duration::from_secs(14 * 86_400);

/// How many days a country's history has.
const DAYS: i64 = 14;

/// A country's is counted in steps of ten minutes, so that an hour is one.
const COUNTRY_SLOT: i64 = 600;
const HOUR_SLOTS: i64 = 6;

/// Others' in hours.
const ADDRESS_SLOT: i64 = 3_600;

/// After so long without a block numbers that begin alike are as if they never had one.
const FORGIVEN: Duration = Duration::from_secs(7 * 86_400);

/// Sends and answers by slots of so many seconds, of the last day: slot, sent, verified.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Slots<const SECONDS: i64>(Vec<(i64, u32, u32)>);

impl<const SECONDS: i64> Slots<SECONDS> {
    fn slot(now: Time) -> i64 {
        now.0.div_euclid(SECONDS * SECOND)
    }

    fn add(&mut self, sent: u32, verified: u32, now: Time) {
        let this = Self::slot(now);
        self.0
            .retain(|(slot, ..)| *slot >= this - DAY_SECONDS / SECONDS);
        match self.0.iter_mut().find(|(slot, ..)| *slot == this) {
            Some(counts) => {
                counts.1 = counts.1.saturating_add(sent);
                counts.2 = counts.2.saturating_add(verified);
            }
            None => self.0.push((this, sent, verified)),
        }
    }

    /// Sent and verified in so many whole slots and the one that is not over.
    fn sums(&self, slots: i64, now: Time) -> (u32, u32) {
        let first = Self::slot(now) - slots;
        let counted = self.0.iter().filter(|(slot, ..)| *slot >= first);
        counted.fold((0, 0), |sums: (u32, u32), (_, sent, verified)| {
            (
                sums.0.saturating_add(*sent),
                sums.1.saturating_add(*verified),
            )
        })
    }

    /// When none of it counts any longer.
    fn idle_at(&self) -> Time {
        let last = self.0.iter().map(|(slot, ..)| *slot).max();
        let over = |slot| Time((slot + 1) * SECONDS * SECOND) + DAY;
        last.map_or(Time::default(), over)
    }

    fn day(&self, now: Time) -> (u32, u32) {
        self.sums(DAY_SECONDS / SECONDS, now)
    }

    /// How long until the oldest slot may count no longer.
    fn next_change(now: Time) -> Duration {
        Time((Self::slot(now) + 1) * SECONDS * SECOND).since(now)
    }
}

/// What was sent to a country, and what of it was answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CountryTally {
    recent: Slots<COUNTRY_SLOT>,
    /// Answers by day since 1970, of the last 14 days and this one.
    days: Vec<(i64, u32)>,
    /// Until then an operator says that all is well.
    #[serde(skip_serializing_if = "is_past")]
    allowed_until: Time,
}

fn is_past(time: &Time) -> bool {
    *time == Time::default()
}

impl CountryTally {
    /// A code was sent there.
    pub fn sent(&mut self, now: Time) {
        self.recent.add(1, 0, now);
    }

    /// A code was answered. Only the first answer of a number in a day is to be told: who proves one number again
    /// and again proves nothing of a country.
    pub fn verified(&mut self, now: Time) {
        self.recent.add(0, 1, now);
        let today = day(now);
        self.days.retain(|(day, _)| *day >= today - DAYS);
        match self.days.iter_mut().find(|(day, _)| *day == today) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.days.push((today, 1)),
        }
    }

    /// So many were answered on the day of `at`: a history from elsewhere.
    pub fn remember(&mut self, at: Time, count: u32) {
        self.days.push((day(at), count));
    }

    /// An operator says that all is well until then.
    pub fn allow(&mut self, until: Time) {
        self.allowed_until = until;
    }

    /// Until when an operator says that all is well.
    pub fn allowed_until(&self, now: Time) -> Option<Time> {
        Some(self.allowed_until).filter(|until| *until > now)
    }

    pub(super) fn is_allowed(&self, now: Time) -> bool {
        self.allowed_until > now
    }

    /// When it says no more than a fresh one.
    pub fn idle_at(&self) -> Time {
        let days = self.days.iter().map(|(day, _)| day + DAYS + 1).max();
        let days = days.map_or(Time::default(), |day| Time(day * DAY_SECONDS * SECOND));
        days.max(self.recent.idle_at()).max(self.allowed_until)
    }

    pub(super) fn best_day(&self, now: Time) -> u32 {
        let today = day(now);
        let past = |(day, _): &&(i64, u32)| (today - DAYS..today).contains(day);
        let counts = self.days.iter().filter(past).map(|(_, count)| *count);
        counts.max().unwrap_or(0)
    }

    /// How many codes were sent there in a day, and how many handed in.
    pub(super) fn day(&self, now: Time) -> (u32, u32) {
        self.recent.day(now)
    }

    pub(super) fn verified_in_a_day(&self, now: Time) -> u32 {
        self.recent.day(now).1
    }

    pub(super) fn sent_in_a_day(&self, now: Time) -> u32 {
        self.recent.day(now).0
    }

    pub(super) fn unverified_in_a_day(&self, now: Time) -> u32 {
        let (sent, verified) = self.recent.day(now);
        sent.saturating_sub(verified)
    }

    pub(super) fn unverified_in_an_hour(&self, now: Time) -> u32 {
        let (sent, verified) = self.recent.sums(HOUR_SLOTS, now);
        sent.saturating_sub(verified)
    }

    pub(super) fn next_change(&self, now: Time) -> Duration {
        Slots::<COUNTRY_SLOT>::next_change(now)
    }
}

fn day(at: Time) -> i64 {
    at.0.div_euclid(DAY_SECONDS * SECOND)
}

/// What was sent to numbers that begin alike since they were last blocked, and whether they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PrefixTally {
    recent: Slots<ADDRESS_SLOT>,
    sent: u32,
    verified: u32,
    last_at: Time,
    /// When a code there was first and last answered, without a gap of 14 days.
    answered: Option<(Time, Time)>,
    blocks: u32,
    blocked_until: Time,
    /// Until then an operator says that all is well.
    #[serde(skip_serializing_if = "is_past")]
    allowed_until: Time,
}

/// So few codes say nothing of how many are answered.
const FEW: u32 = 5;

impl PrefixTally {
    /// A code was sent there.
    pub fn sent(&mut self, rules: &GuardRules, now: Time) {
        self.age(now);
        self.recent.add(1, 0, now);
        self.sent = self.sent.saturating_add(1);
        self.last_at = now;
        let answered = u64::from(self.verified) * 100;
        let least = u64::from(self.sent) * u64::from(rules.prefix_percent);
        if self.sent >= rules.prefix_sends && answered < least && !self.is_allowed(now) {
            let times = 1_u32.checked_shl(self.blocks).unwrap_or(u32::MAX);
            self.blocked_until = now + rules.prefix_block().saturating_mul(times).min(FORGIVEN);
            self.blocks = (self.blocks + 1).min(30);
            (self.sent, self.verified) = (0, 0);
        }
    }

    /// A code was answered; as for a country.
    pub fn verified(&mut self, now: Time) {
        self.age(now);
        self.recent.add(0, 1, now);
        self.verified = self.verified.saturating_add(1);
        self.remember(now);
    }

    /// A code there was answered at `at`: a history from elsewhere.
    pub fn remember(&mut self, at: Time) {
        self.answered = Some(match self.answered {
            Some((first, last)) if at.since(last) < HISTORY => (first.min(at), last.max(at)),
            Some(_) | None => (at, at),
        });
    }

    /// The same of one that is so for longer than a day: not of numbers that somebody brought along for today.
    pub(super) fn is_long_trusted(&self, rules: &GuardRules, now: Time) -> bool {
        let first = self.answered.map(|(first, _)| first);
        first.is_some_and(|first| now.since(first) >= DAY) && self.is_trusted(rules, now)
    }

    /// Whether somebody there answered in the last 14 days, and of those who were sent codes lately enough did.
    pub(super) fn is_trusted(&self, rules: &GuardRules, now: Time) -> bool {
        let last = self.answered.map(|(_, last)| last);
        let answered = last.is_some_and(|last| now.since(last) < HISTORY);
        let share = u64::from(self.verified) * 100;
        let least = u64::from(self.sent) * u64::from(rules.trusted_percent);
        answered && (self.sent < FEW || share >= least)
    }

    pub(super) fn sent_in_a_day(&self, now: Time) -> u32 {
        self.recent.day(now).0
    }

    /// How many codes were sent there in a day, and how many handed in.
    pub(super) fn day(&self, now: Time) -> (u32, u32) {
        self.recent.day(now)
    }

    /// From when to when nothing is sent there.
    pub(super) fn blocked(&self, rules: &GuardRules, now: Time) -> Option<(Time, Time)> {
        self.blocked_for(now)?;
        let times = 1_u32.checked_shl(self.blocks.saturating_sub(1));
        let long = rules
            .prefix_block()
            .saturating_mul(times.unwrap_or(u32::MAX));
        Some((self.blocked_until - long.min(FORGIVEN), self.blocked_until))
    }

    pub(super) fn next_change(&self, now: Time) -> Duration {
        Slots::<ADDRESS_SLOT>::next_change(now)
    }

    /// An operator says that all is well until then: whatever was counted against such numbers is forgotten.
    pub fn allow(&mut self, until: Time) {
        *self = PrefixTally {
            answered: self.answered,
            allowed_until: until,
            ..PrefixTally::default()
        };
    }

    /// Until when an operator says that all is well.
    pub fn allowed_until(&self, now: Time) -> Option<Time> {
        Some(self.allowed_until).filter(|until| *until > now)
    }

    pub(super) fn is_allowed(&self, now: Time) -> bool {
        self.allowed_until > now
    }

    /// When it says no more than a fresh one.
    pub fn idle_at(&self) -> Time {
        let answered = self.answered.map(|(_, last)| last + HISTORY);
        let blocked = Some(self.blocked_until + FORGIVEN).filter(|_| self.blocks > 0);
        let all = [answered, blocked, Some(self.recent.idle_at())];
        let last = all.into_iter().flatten().max().unwrap_or_default();
        last.max(self.allowed_until)
    }

    fn age(&mut self, now: Time) {
        if now.since(self.last_at) >= DAY {
            (self.sent, self.verified) = (0, 0);
        }
        if now.since(self.blocked_until) >= FORGIVEN {
            self.blocks = 0;
        }
    }

    pub(super) fn blocked_for(&self, now: Time) -> Option<Duration> {
        let wait = self.blocked_until.since(now);
        (!wait.is_zero()).then_some(wait)
    }
}

/// What was sent to users at an address, and where to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AddressTally {
    recent: Slots<ADDRESS_SLOT>,
    /// Countries with codes that were not answered: which, how many, and when the last was sent.
    countries: Vec<(String, u32, Time)>,
}

impl AddressTally {
    /// A code was sent to a country.
    pub fn sent(&mut self, country: &str, now: Time) {
        self.recent.add(1, 0, now);
        self.countries.retain(|(.., at)| now.since(*at) < DAY);
        match self
            .countries
            .iter_mut()
            .find(|(known, ..)| known == country)
        {
            Some((_, open, at)) => (*open, *at) = (open.saturating_add(1), now),
            None => self.countries.push((country.to_owned(), 1, now)),
        }
    }

    /// A code to a country was answered.
    pub fn verified(&mut self, country: &str, now: Time) {
        self.recent.add(0, 1, now);
        if let Some((_, open, _)) = self
            .countries
            .iter_mut()
            .find(|(known, ..)| known == country)
        {
            *open = open.saturating_sub(1);
        }
        self.countries.retain(|(_, open, _)| *open > 0);
    }

    /// When it says no more than a fresh one.
    pub(crate) fn idle_at(&self) -> Time {
        let countries = self.countries.iter().map(|(.., at)| *at + DAY).max();
        countries.unwrap_or_default().max(self.recent.idle_at())
    }

    pub(super) fn unverified_in_a_day(&self, now: Time) -> u32 {
        let (sent, verified) = self.recent.day(now);
        sent.saturating_sub(verified)
    }

    /// How many countries it would have asked for in 24 hours with this one, beside those that answered.
    pub(super) fn countries_with(&self, country: &str, now: Time) -> u32 {
        let others = self.countries.iter();
        let others = others.filter(|(known, _, at)| known != country && now.since(*at) < DAY);
        u32::try_from(others.count() + 1).unwrap_or(u32::MAX)
    }

    pub(super) fn next_change(&self, now: Time) -> Duration {
        Slots::<ADDRESS_SLOT>::next_change(now)
    }
}
