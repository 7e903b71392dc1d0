//! How much may be sent, changed and guessed: the figures.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::spend::Amount;
use super::window::Window;

/// Rules for limits. A window lets no stretch of `seconds` hold more than `count`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitRules {
    /// Messages to one number, of all accounts together.
    pub sends_per_number: Vec<Window>,
    /// How much of each window of a number one account may use, in percent, rounded up.
    pub account_share_percent: u32,
    /// How much of each window of a number is kept for accounts that hold it verified, in percent, rounded
    /// down.
    pub owner_share_percent: u32,
    /// Messages of one account.
    pub sends_per_account: Vec<Window>,
    /// Numbers that one account sets by self-service.
    pub sets_per_account: Vec<Window>,
    /// Changes of any kind that one account makes by self-service.
    pub changes_per_account: Vec<Window>,
    /// Codes sent to users at one client address.
    pub sends_per_address: Vec<Window>,
    /// Codes submitted by users at one client address.
    pub verifications_per_address: Vec<Window>,
    /// Messages of one organisation in any 24 hours; 0 for any number.
    pub sends_per_organization_per_day: u64,
    /// What one organisation's messages may cost in any 24 hours, as far as that is known beforehand; 0 for any amount.
    pub spend_per_organization_per_day: Amount,
    /// Messages of one organisation to one country in any 24 hours, by the country's code, and under
    /// [`LimitRules::OTHER_COUNTRIES`] to each that is not listed; 0 for any number.
    pub sends_per_country_per_day: BTreeMap<String, u64>,
    /// Seconds between two messages of one account to one number: after the first, the second, and every
    /// later one.
    pub cool_down_seconds: Vec<u64>,
    /// The consecutive wrong guess of one account for one number from which on each costs a wait.
    pub free_failures: u32,
    /// The longest wait after wrong guesses, in seconds; it is never longer than what is left of the code.
    pub longest_wait_seconds: u64,
    /// Consecutive wrong guesses of one account for one number after which only an operator helps.
    pub lock_at_failures: u32,
    /// Seconds in which at most one event tells of guesses that were refused without being looked at.
    pub refused_event_seconds: u64,
}

impl Default for LimitRules {
    fn default() -> Self {
        let window = |count, seconds| Window { count, seconds };
        LimitRules {
            sends_per_number: vec![window(5, 600), window(10, 3_600), window(20, 86_400)],
            sends_per_account: vec![window(5, 600), window(20, 86_400)],
            sets_per_account: vec![window(25, 86_400)],
            changes_per_account: vec![window(120, 3_600)],
            sends_per_address: vec![window(10, 3_600)],
            verifications_per_address: vec![window(60, 3_600)],
            sends_per_organization_per_day: 0,
            spend_per_organization_per_day: Amount(0),
            sends_per_country_per_day: BTreeMap::new(),
            account_share_percent: 50,
            owner_share_percent: 25,
            cool_down_seconds: vec![60, 120, 240],
            free_failures: 5,
            longest_wait_seconds: 900,
            lock_at_failures: 100,
            refused_event_seconds: 60,
        }
    }
}

impl LimitRules {
    /// What stands for countries that are not listed.
    pub const OTHER_COUNTRIES: &str = "default";

    /// How many messages an organisation may send in a day; `None` for any number.
    pub(crate) fn of_organization(&self) -> Option<u64> {
        Some(self.sends_per_organization_per_day).filter(|most| *most > 0)
    }

    /// What they may cost in a day, in millionths; `None` for any amount.
    pub(crate) fn spend_of_organization(&self) -> Option<u64> {
        Some(self.spend_per_organization_per_day.0).filter(|most| *most > 0)
    }

    /// How many of them to a country; `None` for any number.
    pub(crate) fn of_country(&self, country: &str) -> Option<u64> {
        let all = &self.sends_per_country_per_day;
        // In the environment names of keys have no case.
        let listed = all
            .iter()
            .find(|(code, _)| code.eq_ignore_ascii_case(country));
        let most = listed.map(|(_, most)| most);
        let most = most.or_else(|| all.get(Self::OTHER_COUNTRIES));
        most.copied().filter(|most| *most > 0)
    }

    /// Whether an organisation's messages are counted.
    pub(crate) fn counts_organizations(&self) -> bool {
        self.of_organization().is_some()
            || self.spend_of_organization().is_some()
            || self.counts_countries()
    }

    /// Whether they are counted by country.
    pub(crate) fn counts_countries(&self) -> bool {
        self.sends_per_country_per_day
            .values()
            .any(|most| *most > 0)
    }

    /// How many messages of a number's window one account may use: at least one.
    pub(super) fn share(&self, window: Window) -> u32 {
        let share = u64::from(window.count) * u64::from(self.account_share_percent);
        u32::try_from(share.div_ceil(100))
            .unwrap_or(u32::MAX)
            .max(1)
    }

    /// How many messages of a number's window are kept for accounts that hold it verified: never all.
    pub(super) fn kept(&self, window: Window) -> u32 {
        let kept = u64::from(window.count) * u64::from(self.owner_share_percent) / 100;
        u32::try_from(kept)
            .unwrap_or(u32::MAX)
            .min(window.count.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_leave_something_to_everybody() {
        let limits = LimitRules::default();
        for count in 1..=1_000 {
            let window = Window { count, seconds: 60 };
            let (share, kept) = (limits.share(window), limits.kept(window));
            assert!(share >= 1 && kept < count);
            // One account cannot take all that is left to those who do not hold the number.
            assert!(count == 1 || share + kept < count, "{count}");
        }
        let shares = [5, 10, 20].map(|count| Window { count, seconds: 60 });
        assert_eq!(shares.map(|window| limits.share(window)), [3, 5, 10]);
        assert_eq!(shares.map(|window| limits.kept(window)), [1, 2, 5]);
    }
}
