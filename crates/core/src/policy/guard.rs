//! What the guard's figures may be.

use super::{Checked, fail};
use crate::guard::{GuardRules, NO_COUNTRY};
use crate::number::is_region;

/// More codes in a day than any country gets; sums of it are far from where integers end.
const LARGEST_TALLY: u32 = 1_000_000_000;

pub(super) fn check(guard: &GuardRules) -> Checked {
    let lists = [
        ("guard.allow_countries", &guard.allow_countries),
        ("guard.deny_countries", &guard.deny_countries),
        ("guard.high_price_countries", &guard.high_price_countries),
    ];
    for (key, countries) in lists {
        let unknown = |country: &&String| *country != NO_COUNTRY && !is_region(country);
        if let Some(unknown) = countries.iter().find(unknown) {
            return fail(
                key,
                &format!(
                    "{unknown:?} is no country; write two letters, such as CH (ISO 3166-1 alpha-2), or 001 for numbers of no country"
                ),
            );
        }
    }
    let both = guard.allow_countries.intersection(&guard.deny_countries);
    if let Some(both) = both.into_iter().next() {
        let reason =
            format!("has {both:?}, which guard.allow_countries has too; leave it out of one");
        return fail("guard.deny_countries", &reason);
    }
    let percents = [
        (
            "guard.unverified_percent",
            guard.unverified_percent,
            0,
            1_000,
        ),
        ("guard.hour_percent", guard.hour_percent, 1, 100),
        ("guard.prefix_percent", guard.prefix_percent, 0, 100),
        ("guard.trusted_percent", guard.trusted_percent, 0, 100),
    ];
    let counts = [
        ("guard.unverified_floor", guard.unverified_floor),
        (
            "guard.unverified_floor_high_price",
            guard.unverified_floor_high_price,
        ),
        ("guard.growth_floor", guard.growth_floor),
        ("guard.growth_times", guard.growth_times),
        ("guard.prefix_sends", guard.prefix_sends),
        ("guard.prefix_day", guard.prefix_day),
        ("guard.address_unverified", guard.address_unverified),
        ("guard.address_countries", guard.address_countries),
    ];
    let counts = counts.map(|(key, count)| (key, count, 1, LARGEST_TALLY));
    for (key, figure, least, most) in percents.into_iter().chain(counts) {
        if !(least..=most).contains(&figure) {
            return fail(key, &format!("must be {least} to {most}"));
        }
    }
    if !(60..=604_800).contains(&guard.prefix_block_seconds) {
        return fail("guard.prefix_block_seconds", "must be 60 to 604800");
    }
    Ok(())
}
