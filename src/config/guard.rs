//! What of the guard's rules one organisation has of its own.

use std::collections::BTreeSet;

use ringback_core::guard::{GuardRules, Mode, countries};
use ringback_core::number::NumberKind;
use serde::Deserialize;

/// Codes of countries, in any case.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Countries(#[serde(deserialize_with = "countries")] BTreeSet<String>);

impl From<Countries> for BTreeSet<String> {
    fn from(countries: Countries) -> BTreeSet<String> {
        countries.0
    }
}

/// A section whose keys are those of the rules, each of which may be left out.
macro_rules! own {
    ($($key:ident: $kind:ty,)+) => {
        /// `[organizations.ID.guard]`: as `[guard]`.
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct OwnGuard {
            $(
                #[doc = concat!("As `guard.", stringify!($key), "`.")]
                pub $key: Option<$kind>,
            )+
        }

        impl OwnGuard {
            /// Lays these over everybody's.
            pub(super) fn over(&self, rules: &mut GuardRules) {
                // Taken apart so that a new rule cannot be forgotten here.
                let GuardRules { $($key,)+ } = rules;
                $(
                    if let Some(own) = &self.$key {
                        *$key = own.clone().into();
                    }
                )+
            }
        }
    };
}

own! {
    mode: Mode,
    allow_countries: Countries,
    deny_countries: Countries,
    refused_kinds: BTreeSet<NumberKind>,
    high_price_countries: Countries,
    unverified_floor: u32,
    unverified_floor_high_price: u32,
    unverified_percent: u32,
    hour_percent: u32,
    growth_floor: u32,
    growth_times: u32,
    prefix_sends: u32,
    prefix_percent: u32,
    trusted_percent: u32,
    prefix_day: u32,
    prefix_block_seconds: u64,
    address_unverified: u32,
    address_countries: u32,
}
