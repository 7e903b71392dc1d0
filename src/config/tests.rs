//! Tests of the configuration: layers, names, and what is missing.

use std::io::Write;

use jsonwebtoken::Algorithm;
use ringback_core::MessageKind;
use ringback_core::limit::Segments;
use ringback_core::number::NumberKind;
use ringback_sms::{Bind, HexIds, LongMessages, SmppSettings};
use secrecy::ExposeSecret;

use super::*;

mod console;
mod events;
mod files;
mod issuers;
mod kinds;
mod names;
mod organizations;
mod providers;
mod shown;
mod smpp;
mod texts;
mod verify;
mod wrong;

const KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

fn variables(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(own).collect()
}

fn load(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::load(None, variables(pairs))
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn problem(result: Result<Config, ConfigError>) -> String {
    result.expect_err("must be refused").to_string()
}

/// The least that `serve` needs.
const ENOUGH: [(&str, &str); 9] = [
    ("RINGBACK_SECRETS__CODE_KEYS__1", KEY),
    ("RINGBACK_SECRETS__PSEUDONYM_KEY", KEY),
    (
        "RINGBACK_AUTH__ISSUERS__MAIN__ISSUER",
        "https://login.example.com",
    ),
    (
        "RINGBACK_AUTH__ISSUERS__MAIN__AUDIENCES",
        "ringback, 1234567",
    ),
    ("RINGBACK_AUTH__ISSUERS__MAIN__ALGORITHMS", "HS256"),
    (
        "RINGBACK_AUTH__ISSUERS__MAIN__SECRET",
        "12345678901234567890123456789012",
    ),
    ("RINGBACK_SMS__ROUTES__RELAY__TYPE", "webhook"),
    (
        "RINGBACK_SMS__ROUTES__RELAY__URL",
        "https://sms.example.com/send",
    ),
    (
        "RINGBACK_SMS__ROUTES__RELAY__SECRETS",
        "[\"whsec_AQEB\", \"whsec_AgIC\"]",
    ),
];

fn relay_of(config: &Config) -> &WebhookSection {
    match &config.sms.routes["relay"].provider {
        ProviderSection::Webhook(webhook) => webhook,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_default_file_holds_the_defaults_of_the_rules() {
    let config = load(&[]).unwrap();
    let policy = Policy {
        // They follow from the texts.
        segments: Segments::default(),
        ..config.policy()
    };
    assert_eq!(policy, Policy::default());
}

#[test]
fn the_default_file_names_every_rule() {
    let (document, _): (serde_json::Value, _) = Layers::new().unwrap().read().unwrap();
    let policy = Policy::default();
    let sections = [
        ("numbers", serde_json::to_value(&policy.numbers)),
        ("accounts", serde_json::to_value(&policy.accounts)),
        ("codes", serde_json::to_value(&policy.codes)),
        ("limits", serde_json::to_value(&policy.limits)),
        ("guard", serde_json::to_value(&policy.guard)),
        ("notify", serde_json::to_value(&policy.notify)),
        ("self_service", serde_json::to_value(&policy.self_service)),
    ];
    for (name, rules) in sections {
        assert_eq!(document[name], rules.unwrap(), "[{name}]");
    }
}

#[test]
fn the_environment_goes_over_the_file_and_the_file_over_the_defaults() {
    let file = file("[codes]\nlength = 8\nguesses = 3\n[messages]\nservice_name = \"Acme\"\n");
    let environment = variables(&[
        ("RINGBACK_CODES__LENGTH", "7"),
        ("RINGBACK_NOTIFY__OLD_NUMBER", "false"),
        ("HOME", "elsewhere"),
    ]);
    let config = Config::load(Some(file.path()), environment).unwrap();
    assert_eq!(config.codes.length, 7);
    assert_eq!(config.codes.guesses, 3);
    assert_eq!(config.codes.validity_seconds, 600);
    assert_eq!(config.messages.service_name, "Acme");
    assert!(!config.notify.old_number);
}

#[test]
fn the_environment_alone_is_enough() {
    let config = load(&ENOUGH).unwrap();
    assert_eq!(config.check(), Ok(()));
    let issuer = &config.auth.issuers["main"];
    assert_eq!(issuer.audiences, ["ringback", "1234567"]);
    assert_eq!(issuer.algorithms, [Algorithm::HS256]);
    assert_eq!(
        issuer.secret.expose_secret(),
        "12345678901234567890123456789012"
    );
    assert_eq!(relay_of(&config).secrets[1].expose_secret(), "whsec_AgIC");
    assert_eq!(config.keys().unwrap().current(), 1);
}

#[test]
fn texts_that_look_like_something_else_stay_texts() {
    let config = load(&[
        ("RINGBACK_MESSAGES__SERVICE_NAME", "007"),
        ("RINGBACK_ACCOUNTS__DEFAULT_ORGANIZATION", "true"),
        ("RINGBACK_SERVER__LISTEN", "[::1]:8080"),
        ("RINGBACK_LIMITS__COOL_DOWN_SECONDS", "1, 2"),
        (
            "RINGBACK_LIMITS__SETS_PER_ACCOUNT",
            "[{ count = 1, seconds = 2 }]",
        ),
        ("RINGBACK_LIMITS__SENDS_PER_ACCOUNT", ""),
        ("RINGBACK_METRICS__LISTEN", ""),
    ])
    .unwrap();
    assert_eq!(config.messages.service_name, "007");
    assert_eq!(config.accounts.default_organization, "true");
    assert!(config.server.listen.is_ipv6());
    assert_eq!(config.limits.cool_down_seconds, [1, 2]);
    assert_eq!(config.limits.sets_per_account[0].count, 1);
    assert!(config.limits.sends_per_account.is_empty());
    assert_eq!(config.metrics.listen, None);
}

#[test]
fn a_wrong_type_is_named_and_not_shown() {
    for (name, value, key) in [
        ("RINGBACK_CODES__LENGTH", "hunter2", "codes.length"),
        ("RINGBACK_CODES__LENGTH", "300", "codes.length"),
        ("RINGBACK_CODES__GUESSES", "-1", "codes.guesses"),
        (
            "RINGBACK_NOTIFY__OLD_NUMBER",
            "hunter2",
            "notify.old_number",
        ),
        (
            "RINGBACK_NUMBERS__VALIDATION",
            "hunter2",
            "numbers.validation",
        ),
        ("RINGBACK_NUMBERS__KINDS", "voip,hunter2", "numbers.kinds.1"),
        ("RINGBACK_SERVER__LISTEN", "hunter2", "server.listen"),
        ("RINGBACK_METRICS__LISTEN", "hunter2", "metrics.listen"),
        ("RINGBACK_SMS__KEEP_SECONDS", "hunter2", "sms.keep_seconds"),
        (
            "RINGBACK_AUTH__ISSUERS__MAIN__ALGORITHMS",
            "none",
            "auth.issuers.main.algorithms.0",
        ),
        (
            "RINGBACK_AUTH__ROLES__ORG_OWNER",
            "hunter2",
            "auth.roles.ORG_OWNER.0",
        ),
        (
            "RINGBACK_LIMITS__COOL_DOWN_SECONDS",
            "[hunter2",
            "limits.cool_down_seconds",
        ),
        (
            "RINGBACK_SECRETS__CODE_KEYS",
            "hunter2",
            "secrets.code_keys",
        ),
    ] {
        let text = problem(load(&[(name, value)]));
        assert!(text.starts_with(&format!("{key}: ")), "{text}");
        assert!(text.contains("(from RINGBACK_"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_broken_file_is_told_by_line_without_its_content() {
    let broken = file("[secrets]\npseudonym_key = hunter2\n");
    let text = problem(Config::load(Some(broken.path()), []));
    assert!(text.contains(", line 2: is not TOML"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    let number = file("[secrets]\npseudonym_key = 7777\n");
    let text = problem(Config::load(Some(number.path()), []));
    assert!(
        text.starts_with("secrets.pseudonym_key: must be a"),
        "{text}"
    );
    assert!(!text.contains("7777"), "{text}");
    let text = problem(Config::load(Some(Path::new("no/such/file.toml")), []));
    assert!(
        text.starts_with("no/such/file.toml: cannot be read"),
        "{text}"
    );
}

fn keys_of(error: Result<(), ConfigError>) -> Vec<String> {
    let error = error.expect_err("must be refused");
    error.problems().iter().map(|p| p.key.clone()).collect()
}

fn refused(name: &str, value: &str) -> Vec<String> {
    let mut pairs: Vec<(&str, &str)> = ENOUGH.iter().filter(|(n, _)| *n != name).copied().collect();
    pairs.push((name, value));
    keys_of(load(&pairs).unwrap().check())
}

#[test]
fn apis_are_listed_by_name() {
    assert_eq!(load(&[]).unwrap().apis, [Api::Zitadel, Api::Ringback]);
    let all = [("RINGBACK_APIS", "zitadel,ringback, frontegg,reachfive")];
    assert_eq!(load(&all).unwrap().apis, Api::ALL);
    let text = problem(load(&[("RINGBACK_APIS", "zitadel,cognito")]));
    assert!(
        text.contains("RINGBACK_APIS") && text.contains("frontegg"),
        "{text}"
    );
    let file = file("apis = [\"reach-five\"]");
    let text = problem(Config::load(Some(file.path()), []));
    assert!(
        text.contains("apis") && text.contains("reachfive"),
        "{text}"
    );
}

#[test]
fn debug_shows_no_secret() {
    let mut pairs = ENOUGH.to_vec();
    pairs.push(("RINGBACK_DATABASE__URL", "postgres://u:hunter2@db/x"));
    let shown = format!("{:?}", load(&pairs).unwrap());
    for secret in [
        KEY,
        "whsec_AQEB",
        "12345678901234567890123456789012",
        "hunter2",
    ] {
        assert!(!shown.contains(secret));
    }
    assert!(shown.contains("https://login.example.com"));
}

#[test]
fn clients_of_the_vendor_route_have_an_id_and_a_strong_secret() {
    let judge =
        |pairs: &[(&str, &str)]| keys_of(load(&[&ENOUGH[..], pairs].concat()).unwrap().check());
    let long = "12345678901234567890123456789012";
    let apis = ("RINGBACK_APIS", "zitadel,frontegg");
    let one = [
        ("RINGBACK_VENDOR__CLIENTS__ONE__CLIENT_ID", "007"),
        ("RINGBACK_VENDOR__CLIENTS__ONE__SECRET", long),
        apis,
    ];
    assert_eq!(judge(&one[..2]), ["vendor.clients"]);
    assert_eq!(load(&[&ENOUGH[..], &one].concat()).unwrap().check(), Ok(()));
    let two = [
        one[0],
        one[1],
        apis,
        ("RINGBACK_VENDOR__CLIENTS__TWO__CLIENT_ID", "007"),
        ("RINGBACK_VENDOR__CLIENTS__TWO__SECRET", "short"),
        ("RINGBACK_VENDOR__TOKEN_SECONDS", "59"),
    ];
    assert_eq!(
        judge(&two),
        [
            "vendor.token_seconds",
            "vendor.clients.two.client_id",
            "vendor.clients.two.secret"
        ]
    );
    assert_eq!(
        judge(&one[1..]),
        ["vendor.clients.one.client_id"],
        "an entry without an id"
    );
    let shown = format!("{:?}", load(&one).unwrap());
    assert!(!shown.contains(long));
}
