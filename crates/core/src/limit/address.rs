//! What one client address has used up by self-service, over all accounts.

use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Limit;
use super::rules::LimitRules;
use super::window::{Times, Window};
use crate::guard::{AddressTally, Mode};
use crate::moment::Time;
use crate::policy::Policy;

/// The address that stands for everybody who shares a budget with this one: an IPv4 address itself, also where
/// IPv6 carries it, and the first of a /64 of IPv6, which is what one subscriber has.
pub fn network(address: IpAddr) -> IpAddr {
    const HALF: u32 = 64;
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> HALF << HALF).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// What users at one address had sent, and which codes they submitted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AddressBudget {
    /// When codes were sent.
    sent: Times,
    /// When codes were submitted that were looked at.
    submitted: Times,
    /// From this time on it says no more than a fresh one.
    idle_at: Time,
    /// What the guard knows of it.
    #[serde(skip_serializing_if = "is_fresh")]
    guard: AddressTally,
}

fn is_fresh(tally: &AddressTally) -> bool {
    *tally == AddressTally::default()
}

/// What users at an address do that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressUse {
    /// A code is sent.
    Send,
    /// A code is submitted.
    Verification,
}

impl AddressUse {
    /// How much of it one address may do; nothing stands for any number.
    pub(crate) fn windows(self, rules: &LimitRules) -> &[Window] {
        match self {
            AddressUse::Send => &rules.sends_per_address,
            AddressUse::Verification => &rules.verifications_per_address,
        }
    }

    /// Whether an address's budget has anything to do with it. The guard looks at addresses where their sends are
    /// counted: elsewhere nobody says that a user is behind one.
    pub(crate) fn is_counted(self, policy: &Policy) -> bool {
        let guarded = policy.guard.mode != Mode::Off && !policy.limits.sends_per_address.is_empty();
        guarded || !self.windows(&policy.limits).is_empty()
    }

    fn limit(self) -> Limit {
        match self {
            AddressUse::Send => Limit::AddressSends,
            AddressUse::Verification => Limit::AddressVerifications,
        }
    }
}

impl AddressBudget {
    /// When this budget says no more than a fresh one.
    pub(super) fn idle_at(&self) -> Time {
        self.idle_at
    }

    /// What one more has to wait for.
    pub(crate) fn wait(
        &self,
        rules: &LimitRules,
        what: AddressUse,
        now: Time,
    ) -> Option<(Limit, Duration)> {
        let times = match what {
            AddressUse::Send => &self.sent,
            AddressUse::Verification => &self.submitted,
        };
        let wait = times.wait(what.windows(rules), now)?;
        Some((what.limit(), wait))
    }

    /// Notes one more.
    pub(crate) fn take(&mut self, rules: &LimitRules, what: AddressUse, now: Time) {
        let times = match what {
            AddressUse::Send => &mut self.sent,
            AddressUse::Verification => &mut self.submitted,
        };
        times.take(what.windows(rules), now);
        let sent = self.sent.over(&rules.sends_per_address);
        let submitted = self.submitted.over(&rules.verifications_per_address);
        self.idle_at = sent.max(submitted).max(self.guard.idle_at());
    }

    /// What the guard knows of it.
    pub(crate) fn guard(&self) -> &AddressTally {
        &self.guard
    }

    /// A code was sent to a country, or one that had gone there was handed in.
    pub(crate) fn tell_guard(&mut self, what: AddressUse, country: &str, now: Time) {
        match what {
            AddressUse::Send => self.guard.sent(country, now),
            AddressUse::Verification => self.guard.verified(country, now),
        }
        self.idle_at = self.idle_at.max(self.guard.idle_at());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time(1_700_000_000_000_000);

    fn after(seconds: u64) -> Time {
        START + Duration::from_secs(seconds)
    }

    #[test]
    fn one_subscriber_is_one_address() {
        let of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("2001:db8:1:2:ffff::"), "2001:db8:1:2::");
        assert_eq!(of("2001:db8:1:3::1"), "2001:db8:1:3::");
        assert_eq!(of("::1"), "::");
    }

    #[test]
    fn sends_and_verifications_are_counted_apart() {
        let rules = LimitRules::default();
        let mut budget = AddressBudget::default();
        for at in 0..10 {
            assert_eq!(budget.wait(&rules, AddressUse::Send, after(at)), None);
            budget.take(&rules, AddressUse::Send, after(at));
        }
        let full = Some((Limit::AddressSends, Duration::from_secs(3_590)));
        assert_eq!(budget.wait(&rules, AddressUse::Send, after(10)), full);
        for at in 10..70 {
            assert_eq!(
                budget.wait(&rules, AddressUse::Verification, after(at)),
                None
            );
            budget.take(&rules, AddressUse::Verification, after(at));
        }
        let full = Some((Limit::AddressVerifications, Duration::from_secs(3_540)));
        assert_eq!(
            budget.wait(&rules, AddressUse::Verification, after(70)),
            full
        );
        assert_eq!(budget.wait(&rules, AddressUse::Send, after(3_600)), None);
        assert_eq!(budget.idle_at(), after(69 + 3_600));
        let row = serde_json::to_string(&budget).unwrap();
        assert_eq!(serde_json::from_str::<AddressBudget>(&row).unwrap(), budget);
        assert!(
            row.starts_with(r#"{"sent":[1700000000000000,1000000,"#),
            "{row}"
        );
    }
}
