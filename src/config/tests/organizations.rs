//! Tests of what one organisation has of its own.

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
