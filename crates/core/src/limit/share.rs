//! What an organisation has sent in a day, in shares: whoever decides beside others uses a share of its own and
//! takes from another's only when that is empty, so that nobody waits for one row and the whole is never exceeded.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Budgets, Limit};
use crate::Keys;
use crate::moment::Time;

/// In how many shares a budget is kept.
pub(crate) const SHARES: u32 = 8;

const HOUR: i64 = 3_600_000_000;

/// What was used in an hour counts for the 24 that follow it, too: so no stretch of 24 hours ever holds more than
/// there may be.
const HOURS: i64 = 25;

/// One share of what an organisation may send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Share {
    /// To anywhere.
    pub(super) all: Meter,
    /// To countries that have a budget, by their codes.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) countries: BTreeMap<String, Meter>,
    /// What it cost, in millionths of the operator's currency.
    #[serde(skip_serializing_if = "Meter::is_empty")]
    pub(super) spend: Meter,
}

/// One share of one budget: what it was given by the others, and what of it was used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Meter {
    /// What other shares gave to this one; less than nothing where it gave more. All shares together: nothing.
    #[serde(skip_serializing_if = "is_zero")]
    moved: i64,
    /// Hours since 1970 in which some was used, and how much; oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hours: Vec<(i64, i64)>,
}

fn is_zero(value: &i64) -> bool {
    *value == 0
}

impl Meter {
    fn used(&self, now: Time) -> i64 {
        let counted = |(hour, _): &&(i64, i64)| *hour > hour_of(now) - HOURS;
        self.hours
            .iter()
            .filter(counted)
            .map(|(_, used)| used)
            .sum()
    }

    fn add(&mut self, amount: i64, now: Time) {
        self.add_at(amount, hour_of(now), hour_of(now));
    }

    /// Less than nothing in an hour is what was given back of what other shares used.
    fn add_at(&mut self, amount: i64, at: i64, this: i64) {
        self.hours.retain(|(hour, _)| *hour > this - HOURS);
        match self.hours.iter_mut().find(|(hour, _)| *hour == at) {
            Some((_, used)) => *used += amount,
            None => self.hours.push((at, amount)),
        }
        self.hours.sort_unstable();
    }

    fn is_empty(&self) -> bool {
        self.moved == 0 && self.hours.is_empty()
    }
}

fn hour_of(time: Time) -> i64 {
    time.0.div_euclid(HOUR)
}

/// Which of an organisation's budgets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pool {
    /// Messages to anywhere.
    All,
    /// Messages to one country, by its code.
    Country(String),
    /// What messages cost.
    Spend,
}

impl Pool {
    pub(crate) fn limit(&self) -> Limit {
        match self {
            Pool::All => Limit::OrganizationSends,
            Pool::Country(_) => Limit::CountrySends,
            Pool::Spend => Limit::OrganizationSpend,
        }
    }
}

/// What a message uses of one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) pool: Pool,
    /// How much there may be in a day.
    pub(crate) most: u64,
    pub(crate) amount: u64,
}

/// All shares of an organisation's budgets; `None` where they were not read.
pub(crate) fn shares(budgets: &Budgets, keys: &Keys, organization: &str) -> Option<Pooled> {
    let share = |nth| {
        Some(
            budgets
                .get(&keys.share_pseudonym(organization, nth))?
                .share(),
        )
    };
    let shares: Option<Vec<_>> = (0..SHARES).map(share).collect();
    shares.map(Pooled::new)
}

/// Puts them back.
pub(crate) fn keep_shares(budgets: &mut Budgets, keys: &Keys, organization: &str, pooled: Pooled) {
    for (share, nth) in pooled.into_shares().into_iter().zip(0..) {
        budgets.insert(keys.share_pseudonym(organization, nth), share.into());
    }
}

/// All shares of an organisation's budgets, as one.
#[derive(Clone, Debug)]
pub(crate) struct Pooled(Vec<Share>);

impl Pooled {
    /// From the shares, all of them, in their order.
    pub(crate) fn new(shares: Vec<Share>) -> Pooled {
        Pooled(shares)
    }

    pub(crate) fn into_shares(self) -> Vec<Share> {
        self.0
    }

    /// How long until so much may be used; `None` when it may be now. More than there is at all never may, and
    /// waits a day.
    pub(crate) fn wait(&self, pool: &Pool, most: u64, amount: u64, now: Time) -> Option<Duration> {
        let (most, amount) = (whole(most), whole(amount));
        let meters: Vec<Meter> = self.meters(pool);
        let used: i64 = meters.iter().map(|meter| meter.used(now)).sum();
        let mut over = used + amount - most;
        if over <= 0 {
            return None;
        }
        let mut hours: Vec<(i64, i64)> = meters
            .iter()
            .flat_map(|meter| &meter.hours)
            .copied()
            .collect();
        hours.retain(|(hour, _)| *hour > hour_of(now) - HOURS);
        hours.sort_unstable();
        for (hour, used) in hours {
            over -= used;
            if over <= 0 {
                return Some(Time((hour + HOURS) * HOUR).since(now));
            }
        }
        Some(Duration::from_secs(86_400))
    }

    /// Uses so much, first of the share `own`. Call it when nothing has to wait.
    pub(crate) fn take(&mut self, pool: &Pool, most: u64, amount: u64, own: u32, now: Time) {
        let (most, amount) = (whole(most), whole(amount));
        let own = usize::try_from(own % SHARES).unwrap_or(0);
        let mut meters = self.meters(pool);
        let mut left: Vec<i64> = meters
            .iter()
            .enumerate()
            .map(|(nth, meter)| portion(most, nth) + meter.moved - meter.used(now))
            .collect();
        // A share can have used more than it has only where the whole was made smaller: the others pay for it.
        for (nth, least) in (0..left.len()).map(|nth| (nth, if nth == own { amount } else { 0 })) {
            while left[nth] < least {
                let missing = least - left[nth];
                if !give(&mut meters, &mut left, nth, missing) {
                    break;
                }
            }
        }
        meters[own].add(amount, now);
        for (share, meter) in self.0.iter_mut().zip(meters) {
            share.put(pool, meter);
        }
    }

    /// Gives back what was used at `at`, to the share `own`.
    pub(crate) fn give_back(&mut self, pool: &Pool, amount: u64, own: u32, at: Time, now: Time) {
        let hour = hour_of(at);
        if hour <= hour_of(now) - HOURS {
            return;
        }
        let own = usize::try_from(own % SHARES).unwrap_or(0);
        let mut meters = self.meters(pool);
        meters[own].add_at(-whole(amount), hour, hour_of(now));
        if let (Some(share), Some(meter)) = (self.0.get_mut(own), meters.into_iter().nth(own)) {
            share.put(pool, meter);
        }
    }

    fn meters(&self, pool: &Pool) -> Vec<Meter> {
        let of = |share: &Share| match pool {
            Pool::All => share.all.clone(),
            Pool::Spend => share.spend.clone(),
            Pool::Country(country) => share.countries.get(country).cloned().unwrap_or_default(),
        };
        self.0.iter().map(of).collect()
    }
}

impl Share {
    fn put(&mut self, pool: &Pool, meter: Meter) {
        match pool {
            Pool::All => self.all = meter,
            Pool::Spend => self.spend = meter,
            Pool::Country(country) if meter.is_empty() => {
                self.countries.remove(country);
            }
            Pool::Country(country) => {
                self.countries.insert(country.clone(), meter);
            }
        }
    }
}

/// The richest other share gives half of what it has, or what is missing where that is more. Whether one could.
fn give(meters: &mut [Meter], left: &mut [i64], to: usize, missing: i64) -> bool {
    let others = (0..left.len()).filter(|nth| *nth != to);
    let Some(from) = others
        .max_by_key(|nth| left[*nth])
        .filter(|nth| left[*nth] > 0)
    else {
        return false;
    };
    let half = (left[from] + 1) / 2;
    let given = half.max(missing.min(left[from]));
    for (nth, change) in [(from, -given), (to, given)] {
        left[nth] += change;
        meters[nth].moved += change;
    }
    true
}

/// What the nth share has of the whole to begin with.
fn portion(most: i64, nth: usize) -> i64 {
    let (shares, nth) = (i64::from(SHARES), i64::try_from(nth).unwrap_or(0));
    most / shares + i64::from(nth < most % shares)
}

fn whole(count: u64) -> i64 {
    i64::try_from(count)
        .unwrap_or(i64::MAX / 4)
        .min(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Time = Time(1_700_000_000_000_000);
    const DAY: Duration = Duration::from_secs(86_400);

    fn fresh() -> Pooled {
        Pooled::new(vec![Share::default(); SHARES as usize])
    }

    fn uses(pooled: &mut Pooled, most: u64, own: u32, now: Time) -> bool {
        let free = pooled.wait(&Pool::All, most, 1, now).is_none();
        if free {
            pooled.take(&Pool::All, most, 1, own, now);
        }
        free
    }

    #[test]
    fn one_that_decides_alone_uses_the_whole_and_no_more() {
        for most in [1, 3, 8, 100, 1_003] {
            let mut pooled = fresh();
            let done = (0..most + 50).filter(|_| uses(&mut pooled, most, 5, START));
            assert_eq!(done.count() as u64, most);
        }
    }

    #[test]
    fn a_share_is_its_own_until_it_is_empty() {
        let mut pooled = fresh();
        for _ in 0..100 {
            assert!(uses(&mut pooled, 800, 2, START));
        }
        let touched = pooled.0.iter().filter(|share| **share != Share::default());
        assert_eq!(touched.count(), 1);
        assert!(uses(&mut pooled, 800, 2, START));
        let touched = pooled.0.iter().filter(|share| **share != Share::default());
        assert_eq!(touched.count(), 2);
    }

    #[test]
    fn room_comes_back_when_the_hour_is_a_day_ago() {
        let mut pooled = fresh();
        for _ in 0..10 {
            assert!(uses(&mut pooled, 10, 0, START));
        }
        let wait = pooled.wait(&Pool::All, 10, 1, START).expect("is full");
        assert!(
            wait >= DAY && wait <= DAY + Duration::from_secs(3_600),
            "{wait:?}"
        );
        assert!(!uses(
            &mut pooled,
            10,
            0,
            START + wait - Duration::from_micros(1)
        ));
        assert!(uses(&mut pooled, 10, 0, START + wait));
    }

    #[test]
    fn a_whole_that_was_made_smaller_is_not_exceeded() {
        let mut pooled = fresh();
        for _ in 0..60 {
            assert!(uses(&mut pooled, 100, 0, START));
        }
        let done = (0..50).filter(|n| uses(&mut pooled, 70, n % 8, START));
        assert_eq!(done.count(), 10);
    }

    #[test]
    fn countries_are_counted_apart() {
        let mut pooled = fresh();
        pooled.take(&Pool::Country("CH".into()), 1, 1, 0, START);
        assert!(
            pooled
                .wait(&Pool::Country("CH".into()), 1, 1, START)
                .is_some()
        );
        assert_eq!(pooled.wait(&Pool::Country("DE".into()), 1, 1, START), None);
        assert_eq!(pooled.wait(&Pool::All, 1, 1, START), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whoever decides, whenever and however much at once: no stretch of a day holds more, what is refused
        /// would not fit in the whole, and shares give no more than they get.
        #[test]
        fn no_day_holds_more_whoever_decides(
            most in 1_u64..60,
            asked in proptest::collection::vec((0_u32..12, 1_u64..6, 0_u64..20_000), 1..200),
        ) {
            let (mut pooled, mut now) = (fresh(), START);
            let mut done: Vec<(Time, u64)> = Vec::new();
            for (own, amount, seconds) in asked {
                now = now + Duration::from_secs(seconds);
                match pooled.wait(&Pool::All, most, amount, now) {
                    None => {
                        pooled.take(&Pool::All, most, amount, own, now);
                        done.push((now, amount));
                        let row = serde_json::to_string(&pooled.0).unwrap();
                        pooled = Pooled(serde_json::from_str(&row).unwrap());
                    }
                    Some(wait) => {
                        let later = pooled.wait(&Pool::All, most, amount, now + wait);
                        prop_assert!(later.is_none() || amount > most);
                    }
                }
                let day: u64 = done.iter().filter(|(at, _)| *at + DAY > now).map(|(_, n)| n).sum();
                prop_assert!(day <= most);
                prop_assert_eq!(pooled.0.iter().map(|share| share.all.moved).sum::<i64>(), 0);
            }
        }
    }
}
