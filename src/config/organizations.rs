//! Rules that one organisation has of its own. Each key that it leaves out is everybody's.

use std::collections::BTreeMap;

use ringback_core::Policy;
use ringback_core::limit::Amount;
use ringback_core::number::NumberKind;
use ringback_sms::texts::OwnTextRules;
use serde::Deserialize;

use super::guard::OwnGuard;
use super::sms::SmsSection;

/// `[organizations.ID]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrganizationSection {
    /// How its users' numbers are read.
    pub numbers: OwnNumbers,
    /// How much it may send.
    pub limits: OwnLimits,
    /// What may be sent where.
    pub guard: OwnGuard,
    /// What messages to its users say.
    pub messages: OwnTextRules,
    /// What carries messages to its users.
    pub sms: OwnSms,
}

/// `[organizations.ID.sms]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OwnSms {
    /// As `sms.order`, laid over it.
    pub order: BTreeMap<String, Vec<String>>,
}

/// `[organizations.ID.numbers]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OwnNumbers {
    /// As `numbers.default_region`.
    pub default_region: Option<String>,
    /// As `numbers.kinds`.
    pub kinds: Option<Vec<NumberKind>>,
}

/// `[organizations.ID.limits]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OwnLimits {
    /// As `limits.sends_per_organization_per_day`.
    pub sends_per_organization_per_day: Option<u64>,
    /// As `limits.spend_per_organization_per_day`.
    pub spend_per_organization_per_day: Option<Amount>,
    /// As `limits.sends_per_country_per_day`, in place of the whole of it.
    pub sends_per_country_per_day: Option<BTreeMap<String, u64>>,
}

impl OrganizationSection {
    /// These rules over everybody's, of routes that are everybody's.
    pub fn over(&self, everybodys: &Policy, sms: &SmsSection) -> Policy {
        let OwnNumbers {
            default_region,
            kinds,
        } = self.numbers.clone();
        let mut policy = everybodys.clone();
        let numbers = &mut policy.numbers;
        numbers.default_region = default_region.unwrap_or_else(|| numbers.default_region.clone());
        numbers.kinds = kinds.unwrap_or_else(|| numbers.kinds.clone());
        if !self.sms.order.is_empty() {
            let own = |name: &String| {
                self.sms
                    .order
                    .keys()
                    .any(|key| key.eq_ignore_ascii_case(name))
            };
            let mut order = sms.order.clone();
            order.retain(|name, _| !own(name));
            order.extend(self.sms.order.clone());
            policy.routes = sms.routes_in(&order);
        }
        let OwnLimits {
            sends_per_organization_per_day,
            spend_per_organization_per_day,
            sends_per_country_per_day,
        } = self.limits.clone();
        let limits = &mut policy.limits;
        limits.sends_per_organization_per_day =
            sends_per_organization_per_day.unwrap_or(limits.sends_per_organization_per_day);
        limits.spend_per_organization_per_day =
            spend_per_organization_per_day.unwrap_or(limits.spend_per_organization_per_day);
        if let Some(countries) = sends_per_country_per_day {
            limits.sends_per_country_per_day = countries;
        }
        self.guard.over(&mut policy.guard);
        policy
    }
}
