//! Tests of what one organisation has of its own.

use ringback_core::guard::Mode;

use super::*;

#[test]
fn an_organisation_s_rules_come_over_everybody_s() {
    let file = file(
        "[numbers]\nkinds = [\"voip\"]\n\
         [organizations.\"Acme Ltd\".numbers]\ndefault_region = \"CH\"\n",
    );
    let environment = variables(&[("RINGBACK_ORGANIZATIONS__Other__NUMBERS__KINDS", "mobile")]);
    let config = Config::load(Some(file.path()), environment).unwrap();
    let policies = config.policies();
    let numbers = |organization: &str| &policies.of(organization).numbers;
    assert_eq!(numbers("Acme Ltd").default_region, "CH");
    assert_eq!(numbers("Acme Ltd").kinds, [NumberKind::Voip]);
    assert_eq!(numbers("Other").default_region, "");
    assert_eq!(numbers("Other").kinds, [NumberKind::Mobile]);
    assert_eq!(policies.of("third"), &policies.default);
}

#[test]
fn an_organisation_s_order_comes_over_everybody_s() {
    let routes = "[sms.routes.a]\ntype = \"inbox\"\n[sms.routes.b]\ntype = \"inbox\"\n";
    let file = file(&format!(
        "{routes}[sms.order]\ndefault = [\"a\"]\nch = [\"a\"]\nFR = [\"a\"]\n\
         [organizations.acme.sms.order]\nCH = [\"b\", \"a\"]\n\
         [organizations.other.sms.order]\ndefault = [\"b\"]\n"
    ));
    let policies = Config::load(Some(file.path()), []).unwrap().policies();
    let order = |organization: &str, country: &str| {
        let routes = &policies.of(organization).routes;
        routes
            .order(Some(country), MessageKind::Removed, 0)
            .join(" ")
    };
    assert_eq!(
        ["CH", "FR", "DE"].map(|country| order("acme", country)),
        ["b a", "a", "a"]
    );
    assert_eq!(
        ["CH", "FR", "DE"].map(|country| order("other", country)),
        ["a", "a", "b"]
    );
    assert_eq!(
        ["CH", "FR", "DE"].map(|country| order("third", country)),
        ["a", "a", "a"]
    );
}

#[test]
fn an_organisation_may_send_more_or_less_than_others() {
    let file = file(
        "[limits]\nsends_per_organization_per_day = 100\nsends_per_country_per_day = { DE = 7, default = 5 }\n\
         [organizations.acme.limits]\nsends_per_country_per_day = { CH = 9 }\n",
    );
    let environment = variables(&[
        (
            "RINGBACK_ORGANIZATIONS__other__LIMITS__SENDS_PER_ORGANIZATION_PER_DAY",
            "0",
        ),
        ("RINGBACK_LIMITS__SENDS_PER_COUNTRY_PER_DAY__FR", "8"),
    ]);
    let config = Config::load(Some(file.path()), environment).unwrap();
    let policies = config.policies();
    let limits = |organization: &str| {
        let limits = &policies.of(organization).limits;
        let countries = limits.sends_per_country_per_day.iter();
        let countries: Vec<_> = countries
            .map(|(country, most)| (country.to_uppercase(), *most))
            .collect();
        (limits.sends_per_organization_per_day, countries)
    };
    let listed = |all: &[(&str, u64)]| {
        let all = all
            .iter()
            .map(|(country, most)| ((*country).to_owned(), *most));
        all.collect::<Vec<_>>()
    };
    assert_eq!(limits("acme"), (100, listed(&[("CH", 9)])));
    let mut others = limits("other");
    others.1.sort();
    assert_eq!(others, (0, listed(&[("DE", 7), ("DEFAULT", 5), ("FR", 8)])));
}

#[test]
fn what_an_organisation_cannot_have_is_named() {
    let region = [(
        "RINGBACK_ORGANIZATIONS__acme__NUMBERS__DEFAULT_REGION",
        "Swiss",
    )];
    let mut config = load(&ENOUGH).unwrap();
    config.organizations = load(&region).unwrap().organizations;
    let text = config.check().unwrap_err().to_string();
    assert!(
        text.contains("organizations.acme.numbers.default_region: is no country code"),
        "{text}"
    );
    let text = problem(load(&[(
        "RINGBACK_ORGANIZATIONS__acme__CODES__LENGTH",
        "8",
    )]));
    assert!(
        text.starts_with("organizations.acme.codes: no such key"),
        "{text}"
    );
}

#[test]
fn an_organisation_s_guard_comes_over_everybody_s() {
    let file = file(
        "[guard]\nallow_countries = [\"ch\", \"DE\"]\nprefix_sends = 30\n\
         [organizations.acme.guard]\nmode = \"enforce\"\nallow_countries = [\"at\"]\n",
    );
    let environment = variables(&[
        (
            "RINGBACK_ORGANIZATIONS__other__GUARD__REFUSED_KINDS",
            "pager",
        ),
        (
            "RINGBACK_ORGANIZATIONS__other__GUARD__HIGH_PRICE_COUNTRIES",
            "az,bd",
        ),
    ]);
    let policies = Config::load(Some(file.path()), environment)
        .unwrap()
        .policies();
    let acme = &policies.of("acme").guard;
    assert_eq!((acme.mode, acme.prefix_sends), (Mode::Enforce, 30));
    assert_eq!(acme.allow_countries, ["AT".to_owned()].into());
    let other = &policies.of("other").guard;
    assert_eq!((other.mode, other.prefix_sends), (Mode::Record, 30));
    assert_eq!(
        other.allow_countries,
        ["CH".to_owned(), "DE".to_owned()].into()
    );
    assert_eq!(other.refused_kinds, [NumberKind::Pager].into());
    let dear = ["AZ".to_owned(), "BD".to_owned()];
    assert_eq!(other.high_price_countries, dear.into());
    assert_eq!(policies.of("third").guard, policies.default.guard);
}

#[test]
fn figures_of_an_organisation_s_guard_are_checked() {
    for (keys, refused) in [
        ("hour_percent = 0", "organizations.acme.guard.hour_percent"),
        (
            "deny_countries = [\"UK\"]",
            "organizations.acme.guard.deny_countries",
        ),
    ] {
        let file = file(&format!("[organizations.acme.guard]\n{keys}\n"));
        let config = Config::load(Some(file.path()), variables(&ENOUGH)).unwrap();
        assert_eq!(keys_of(config.check()), [refused]);
    }
    let unknown = file("[organizations.acme.guard]\nmood = \"enforce\"\n");
    let error = Config::load(Some(unknown.path()), [])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("did you mean") && error.contains("mode"),
        "{error}"
    );
}
