//! Issuers: what is believed of whom.

use super::*;

#[test]
fn one_issuer_is_configured_once() {
    let mut pairs = ENOUGH.to_vec();
    pairs.extend([
        (
            "RINGBACK_AUTH__ISSUERS__OTHER__ISSUER",
            "https://login.example.com",
        ),
        ("RINGBACK_AUTH__ISSUERS__OTHER__AUDIENCES", "ringback"),
        ("RINGBACK_AUTH__ISSUERS__OTHER__ALGORITHMS", "ES256,EdDSA"),
        ("RINGBACK_AUTH__ISSUERS__OTHER__PUBLIC_KEY_FILE", "key.pem"),
    ]);
    let wrong = keys_of(load(&pairs).unwrap().check());
    let other = |key: &str| wrong.contains(&format!("auth.issuers.other.{key}"));
    assert!(other("algorithms") && other("issuer"), "{wrong:?}");
}

/// A second issuer beside that of [`ENOUGH`], and these keys of the two.
fn two_issuers(more: &[(&str, &str)]) -> Config {
    let mut pairs = variables(&ENOUGH);
    for (key, value) in [
        ("ISSUER", "https://other.example.com"),
        ("AUDIENCES", "ringback"),
        ("ALGORITHMS", "HS256"),
        ("SECRET", "12345678901234567890123456789012"),
    ] {
        pairs.push((
            format!("RINGBACK_AUTH__ISSUERS__OTHER__{key}"),
            value.into(),
        ));
    }
    for (key, value) in more {
        pairs.push((format!("RINGBACK_AUTH__ISSUERS__{key}"), (*value).into()));
    }
    Config::load(None, pairs).unwrap()
}

#[test]
fn several_issuers_share_no_organisation_and_leave_none_open() {
    let refused = |more: &[(&str, &str)]| {
        let error = two_issuers(more).check().expect_err("must be refused");
        let keys: Vec<String> = error.problems().iter().map(|p| p.key.clone()).collect();
        (keys, error.to_string())
    };
    let (main, other) = (
        "auth.issuers.main.organization",
        "auth.issuers.other.organization",
    );
    let (keys, text) = refused(&[]);
    assert_eq!(keys, [main, other]);
    assert!(text.contains("set organization") && text.contains("organization_claim"));
    assert_eq!(refused(&[("MAIN__ORGANIZATION", "acme")]).0, [other]);
    let both = [
        ("MAIN__ORGANIZATION", "acme"),
        ("OTHER__ORGANIZATION", "acme"),
    ];
    let (keys, text) = refused(&both);
    assert_eq!(keys, [other]);
    assert!(text.contains("issuer main"), "{text}");
    let (keys, _) = refused(&[
        ("MAIN__ORGANIZATION", "acme"),
        ("OTHER__ORGANIZATION", "other"),
        ("OTHER__ORGANIZATION_CLAIM", "tenant"),
    ]);
    assert_eq!(keys, ["auth.issuers.other.organization_claim"]);
    for more in [
        [
            ("MAIN__ORGANIZATION", "acme"),
            ("OTHER__ORGANIZATION", "other"),
        ],
        [
            ("MAIN__ORGANIZATION", "acme"),
            ("OTHER__ORGANIZATION_CLAIM", "tenant"),
        ],
        [
            ("MAIN__ORGANIZATION_CLAIM", "org"),
            ("OTHER__ORGANIZATION_CLAIM", "tenant"),
        ],
    ] {
        assert_eq!(two_issuers(&more).check(), Ok(()), "{more:?}");
    }
}

#[test]
fn only_issuers_that_both_read_a_claim_may_overlap() {
    let overlaps = |more: &[(&str, &str)]| two_issuers(more).auth.overlaps().len();
    assert_eq!(overlaps(&[]), 1);
    assert_eq!(overlaps(&[("MAIN__ORGANIZATION", "acme")]), 0);
}

#[test]
fn what_an_issuer_may_is_read_from_variables() {
    let config = two_issuers(&[
        ("MAIN__ORGANIZATION", "acme"),
        ("MAIN__MAY_GRANT", "user.read,user.delete"),
        ("MAIN__EVERYWHERE", "true"),
        ("MAIN__HOME_ORGANIZATIONS", "1, 2"),
        ("MAIN__ROLES_CLAIM", "groups"),
        ("MAIN__SCOPES_GRANT", "true"),
        ("OTHER__ORGANIZATION_CLAIM", "tenant"),
        ("OTHER__AUDIENCES", ""),
        ("OTHER__AUDIENCE_REQUIRED", "false"),
    ]);
    assert_eq!(config.check(), Ok(()));
    let trust = |name: &str| {
        config
            .auth
            .trust(name, &config.auth.issuers[name], "default")
    };
    let main = trust("main");
    assert!(main.may_grant.read && !main.may_grant.write && main.may_grant.delete);
    assert!(main.everywhere && main.scopes_grant);
    assert!(main.home_organizations.iter().eq(["1", "2"]));
    assert_eq!(main.roles_claim.as_deref(), Some("groups"));
    let other = trust("other");
    assert!(!other.may_grant.any() && !other.everywhere && !other.scopes_grant);
    assert!(other.foreign.iter().eq(["acme"]));
    assert!(config.auth.issuers["other"].takes_any_audience());
    let refused = two_issuers(&[
        ("MAIN__ORGANIZATION", "acme"),
        ("OTHER__ORGANIZATION", "other"),
        ("OTHER__AUDIENCES", ""),
    ]);
    assert_eq!(keys_of(refused.check()), ["auth.issuers.other.audiences"]);
}
