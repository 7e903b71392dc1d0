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
    let mut long = Policy::default();
    long.codes.validity_seconds = 3_600;
    long.codes.allow_long_validity = true;
    assert_eq!(long.check(), Ok(()));
}
