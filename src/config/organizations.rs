//! Rules that one organisation has of its own. Each key that it leaves out is everybody's.

use ringback_core::Policy;
use ringback_core::number::NumberKind;
use ringback_sms::texts::OwnTextRules;
use serde::Deserialize;

/// `[organizations.ID]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrganizationSection {
    /// How its users' numbers are read.
    pub numbers: OwnNumbers,
    /// What messages to its users say.
    pub messages: OwnTextRules,
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

impl OrganizationSection {
    /// These rules over everybody's.
    pub fn over(&self, everybodys: &Policy) -> Policy {
        let OwnNumbers {
            default_region,
            kinds,
        } = self.numbers.clone();
        let mut policy = everybodys.clone();
        let numbers = &mut policy.numbers;
        numbers.default_region = default_region.unwrap_or_else(|| numbers.default_region.clone());
        numbers.kinds = kinds.unwrap_or_else(|| numbers.kinds.clone());
        policy
    }
}
