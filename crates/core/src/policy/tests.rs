use super::*;

#[test]
fn the_defaults_hold() {
    assert_eq!(Policy::default().check(), Ok(()));
}

#[test]
fn what_cannot_be_is_named() {
    let key_of = |change: fn(&mut Policy)| {
        let mut policy = Policy::default();
        change(&mut policy);
        policy.check().expect_err("must be refused").key
    };
    assert_eq!(key_of(|p| p.codes.length = 5), "codes.length");
    assert_eq!(key_of(|p| p.codes.length = 11), "codes.length");
    assert_eq!(
        key_of(|p| p.codes.validity_seconds = 601),
        "codes.validity_seconds"
    );
    assert_eq!(key_of(|p| p.codes.guesses = 0), "codes.guesses");
    assert_eq!(
        key_of(|p| p.numbers.default_region = "Swiss".into()),
        "numbers.default_region"
    );
    assert_eq!(key_of(|p| p.numbers.kinds.clear()), "numbers.kinds");
    assert_eq!(
        key_of(|p| p.limits.lock_at_failures = 5),
        "limits.lock_at_failures"
    );
    assert_eq!(
        key_of(|p| p.limits.sends_per_number[0].count = 0),
        "limits.sends_per_number"
    );
    assert_eq!(
        key_of(|p| p.limits.changes_per_account[0].count = 1_001),
        "limits.changes_per_account"
    );
    assert_eq!(
        key_of(|p| p.limits.account_share_percent = 0),
        "limits.account_share_percent"
    );
    assert_eq!(
        key_of(|p| p.limits.owner_share_percent = 91),
        "limits.owner_share_percent"
    );
    assert_eq!(
        key_of(|p| p.limits.verifications_per_address[0].count = 0),
        "limits.verifications_per_address"
    );
    assert_eq!(
        key_of(|p| p.limits.sends_per_organization_per_day = 1_000_000_001),
        "limits.sends_per_organization_per_day"
    );
    for (country, most) in [("Swiss", 5), ("UK", 5), ("CH", 1_000_000_001)] {
        let mut policy = Policy::default();
        policy.limits.sends_per_country_per_day = [(country.to_owned(), most)].into();
        let refused = policy.check().expect_err("must be refused");
        assert_eq!(refused.key, "limits.sends_per_country_per_day");
    }
    let mut some = Policy::default();
    some.limits.sends_per_country_per_day = [("CH", 5), ("de", 0), ("default", 9)]
        .map(|(at, most)| (at.to_owned(), most))
        .into();
    assert_eq!(some.check(), Ok(()));
    let mut long = Policy::default();
    long.codes.validity_seconds = 3_600;
    long.codes.allow_long_validity = true;
    assert_eq!(long.check(), Ok(()));
}

#[test]
fn figures_of_the_guard_that_cannot_be_are_named() {
    let refused = |change: fn(&mut crate::guard::GuardRules)| {
        let mut policy = Policy::default();
        change(&mut policy.guard);
        policy.check().expect_err("must be refused").to_string()
    };
    let country = "\"UK\" is no country; write two letters, such as CH (ISO 3166-1 alpha-2), or 001 for numbers of no country";
    let uk = || ["CH".to_owned(), "UK".to_owned()].into();
    assert_eq!(
        refused(|guard| guard.allow_countries = ["CH".to_owned(), "UK".to_owned()].into()),
        format!("guard.allow_countries: {country}")
    );
    let mut policy = Policy::default();
    policy.guard.high_price_countries = uk();
    assert_eq!(
        policy.check().unwrap_err().key,
        "guard.high_price_countries"
    );
    policy.guard.high_price_countries = ["001".to_owned(), "GB".to_owned()].into();
    assert_eq!(policy.check(), Ok(()));
    policy.guard.allow_countries = ["CH".to_owned()].into();
    policy.guard.deny_countries = ["CH".to_owned()].into();
    assert_eq!(policy.check().unwrap_err().key, "guard.deny_countries");
    for (says, change) in [
        (
            "guard.hour_percent: must be 1 to 100",
            (|g| g.hour_percent = 101) as fn(&mut crate::guard::GuardRules),
        ),
        ("guard.prefix_percent: must be 0 to 100", |g| {
            g.prefix_percent = 101
        }),
        ("guard.trusted_percent: must be 0 to 100", |g| {
            g.trusted_percent = 200
        }),
        ("guard.unverified_percent: must be 0 to 1000", |g| {
            g.unverified_percent = 1_001
        }),
        ("guard.unverified_floor: must be 1 to 1000000000", |g| {
            g.unverified_floor = 0
        }),
        ("guard.address_countries: must be 1 to 1000000000", |g| {
            g.address_countries = 0
        }),
        ("guard.prefix_block_seconds: must be 60 to 604800", |g| {
            g.prefix_block_seconds = 59
        }),
    ] {
        assert_eq!(refused(change), says);
    }
}
