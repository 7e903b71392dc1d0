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
