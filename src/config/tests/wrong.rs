//! What is missing and what cannot work, by name.

use super::*;

#[test]
fn everything_that_is_missing_is_named_at_once() {
    let config = load(&[]).unwrap();
    assert_eq!(
        keys_of(config.check()),
        [
            "secrets.code_keys",
            "secrets.pseudonym_key",
            "auth.issuers",
            "sms.routes",
        ]
    );
    assert_eq!(
        keys_of(config.check_delivery()),
        ["secrets.code_keys", "secrets.pseudonym_key", "sms.routes"]
    );
}

/// The keys that are refused when one more variable is set.
#[test]
fn what_cannot_work_is_named() {
    for (name, value, key) in [
        (
            "RINGBACK_SECRETS__PSEUDONYM_KEY",
            "AQEB",
            "secrets.pseudonym_key",
        ),
        (
            "RINGBACK_SECRETS__CODE_KEYS__1",
            "not base64",
            "secrets.code_keys.1",
        ),
        ("RINGBACK_SECRETS__CODE_KEYS__X", KEY, "secrets.code_keys.x"),
        (
            "RINGBACK_SECRETS__CODE_KEYS__2",
            KEY,
            "secrets.current_code_key",
        ),
        (
            "RINGBACK_SECRETS__CURRENT_CODE_KEY",
            "2",
            "secrets.current_code_key",
        ),
        (
            "RINGBACK_SERVER__DRAIN_SECONDS",
            "301",
            "server.drain_seconds",
        ),
        (
            "RINGBACK_AUTH__LEEWAY_SECONDS",
            "301",
            "auth.leeway_seconds",
        ),
        (
            "RINGBACK_AUTH__EVERYWHERE_ROLES",
            "ROOT",
            "auth.everywhere_roles",
        ),
        (
            "RINGBACK_AUTH__ISSUERS__MAIN__ISSUER",
            "",
            "auth.issuers.main.issuer",
        ),
        (
            "RINGBACK_AUTH__ISSUERS__MAIN__AUDIENCES",
            "",
            "auth.issuers.main.audiences",
        ),
        (
            "RINGBACK_AUTH__ISSUERS__MAIN__ALGORITHMS",
            "",
            "auth.issuers.main.algorithms",
        ),
        (
            "RINGBACK_AUTH__ISSUERS__MAIN__ALGORITHMS",
            "HS256,RS256",
            "auth.issuers.main.algorithms",
        ),
        (
            "RINGBACK_AUTH__ISSUERS__MAIN__SECRET",
            "short",
            "auth.issuers.main.secret",
        ),
        (
            "RINGBACK_AUTH__ISSUERS__MAIN__SECRET",
            "",
            "auth.issuers.main",
        ),
        (
            "RINGBACK_AUTH__ISSUERS__MAIN__JWKS_FILE",
            "keys.json",
            "auth.issuers.main",
        ),
        (
            "RINGBACK_CODES__VALIDITY_SECONDS",
            "601",
            "codes.validity_seconds",
        ),
        ("RINGBACK_APIS", "", "apis"),
        ("RINGBACK_DATABASE__URL", "mysql://x", "database.url"),
        ("RINGBACK_DATABASE__LANES", "2", "database.lanes"),
        ("RINGBACK_DATABASE__BATCH", "0", "database.batch"),
        (
            "RINGBACK_MESSAGES__SERVICE_NAME",
            "",
            "messages.service_name",
        ),
        (
            "RINGBACK_MESSAGES__DOMAIN",
            "https://example.com",
            "messages.domain",
        ),
        (
            "RINGBACK_MESSAGES__ANDROID_HASH",
            "short",
            "messages.android_hash",
        ),
        (
            "RINGBACK_MESSAGES__SERVICE_NAME",
            "A service with a name of forty letters..",
            "messages.service_name",
        ),
        (
            "RINGBACK_MESSAGES__DOMAIN",
            "a-host-name-that-is-so-long.that-no-code-fits-beside-it.in-one-segment.for-every-reader.example.com",
            "messages.domain",
        ),
        ("RINGBACK_MESSAGES__LANGUAGE", "eo", "messages.language"),
        (
            "RINGBACK_MESSAGES__MAX_SEGMENTS__GSM7",
            "0",
            "messages.max_segments.gsm7",
        ),
        (
            "RINGBACK_MESSAGES__TEXTS__DE__CODE",
            "Ihr Code",
            "messages.texts.de.code",
        ),
        (
            "RINGBACK_ORGANIZATIONS__Acme__MESSAGES__DOMAIN",
            "example.com:8443",
            "organizations.Acme.messages.domain",
        ),
        (
            "RINGBACK_ORGANIZATIONS__Acme__MESSAGES__TEXTS__DE__REMOVED",
            "{code}",
            "organizations.Acme.messages.texts.de.removed",
        ),
        (
            "RINGBACK_ORGANIZATIONS__Acme__SMS__ORDER__CH",
            "gone",
            "organizations.Acme.sms.order.ch",
        ),
        (
            "RINGBACK_SMS__ROUTES__RELAY__URL",
            "http://sms.example.com/",
            "sms.routes.relay.url",
        ),
        (
            "RINGBACK_REACHFIVE__REQUIRED_SCOPE",
            "openid full_write",
            "reachfive.required_scope",
        ),
        (
            "RINGBACK_SELF_SERVICE__REQUIRED_SCOPE",
            "openid phone",
            "self_service.required_scope",
        ),
        ("RINGBACK_REACHFIVE__LANGUAGE", "", "reachfive.language"),
        (
            "RINGBACK_SMS__ROUTES__RELAY__URL",
            "",
            "sms.routes.relay.url",
        ),
        (
            "RINGBACK_SMS__ROUTES__RELAY__SECRETS",
            "",
            "sms.routes.relay.secrets",
        ),
        (
            "RINGBACK_SMS__ROUTES__RELAY__COUNTRIES",
            "CH,Switzerland",
            "sms.routes.relay.countries",
        ),
        (
            "RINGBACK_SMS__ROUTES__RELAY__KINDS",
            "codes",
            "sms.routes.relay.kinds",
        ),
        (
            "RINGBACK_SMS__ROUTES__RELAY__PER_SECOND",
            "0",
            "sms.routes.relay.per_second",
        ),
        (
            "RINGBACK_SMS__ROUTES__RELAY__COST_PER_SEGMENT",
            "0,01",
            "sms.routes.relay.cost_per_segment",
        ),
        (
            "RINGBACK_SMS__ROUTES__SECOND__TYPE",
            "inbox",
            "sms.order.default",
        ),
        ("RINGBACK_SMS__ORDER__DEFAULT", "gone", "sms.order.default"),
        ("RINGBACK_SMS__ORDER__DEFAULT", "", "sms.order.default"),
        (
            "RINGBACK_SMS__ORDER__DEFAULT",
            "relay,relay",
            "sms.order.default",
        ),
        ("RINGBACK_SMS__ORDER__XX", "relay", "sms.order.xx"),
        (
            "RINGBACK_CORS__ALLOWED_ORIGINS",
            "https://example.com/",
            "cors.allowed_origins",
        ),
    ] {
        assert_eq!(refused(name, value), [key], "{name}={value}");
    }
}

#[test]
fn the_inbox_is_served_to_this_machine_only() {
    let judge = |listen: &str, inbox: bool| {
        let mut more = vec![("RINGBACK_SERVER__LISTEN", listen)];
        if inbox {
            more.push(("RINGBACK_SMS__ROUTES__MINE__TYPE", "inbox"));
            more.push(("RINGBACK_SMS__ORDER__DEFAULT", "relay,mine"));
        }
        match load(&[&ENOUGH[..], &more].concat()).unwrap().check() {
            Ok(()) => Vec::new(),
            error => keys_of(error),
        }
    };
    assert_eq!(judge("0.0.0.0:8080", true), ["sms.routes"]);
    assert_eq!(judge("[::]:8080", true), ["sms.routes"]);
    assert!(judge("127.0.0.1:8080", true).is_empty());
    assert!(judge("[::1]:8080", true).is_empty());
    assert!(judge("0.0.0.0:8080", false).is_empty());
}

#[test]
fn the_form_of_routes_before_is_refused_with_the_new_one() {
    let unset = ("RINGBACK_SMS__ROUTES__A__URL", "https://sms.example.com");
    assert_eq!(refused(unset.0, unset.1)[0], "sms.routes.a.type");
    let kind = "RINGBACK_SMS__ROUTES__RELAY__TYPE";
    assert_eq!(refused(kind, "pigeon"), ["sms.routes.relay.type"]);
    for (content, says) in [
        ("[sms]\nroutes = [\"webhook\"]\n", "[sms.routes.relay]"),
        ("[sms.webhook]\nurl = \"x\"\n", "[sms.routes.webhook]"),
        ("[sms.routes.a]\ntype = \"inbox\"\nurl = \"x\"\n", "url"),
    ] {
        let file = file(content);
        let text = problem(Config::load(Some(file.path()), []));
        assert!(text.contains(says), "{content}: {text}");
    }
}

#[test]
fn a_number_that_cannot_be_is_shown_with_its_origin() {
    let problem_of = |name: &str, value: &str| {
        let pairs = [&ENOUGH[..], &[(name, value)]].concat();
        load(&pairs).unwrap().check().unwrap_err().to_string()
    };
    assert_eq!(
        problem_of("RINGBACK_CODES__LENGTH", "5"),
        "codes.length: must be 6 to 10; found 5 (from RINGBACK_CODES__LENGTH)"
    );
    assert_eq!(
        problem_of("RINGBACK_SERVER__BODY_MIB", "4"),
        "server.body_mib: must be 8 to 4096; found 4 (from RINGBACK_SERVER__BODY_MIB)"
    );
    let file = file("[messages]\ndomain = \"https://example.com\"\n");
    let config = Config::load(Some(file.path()), variables(&ENOUGH)).unwrap();
    let text = config.check().unwrap_err().to_string();
    assert!(
        text.ends_with(&format!("(from {})", file.path().display())),
        "{text}"
    );
}

#[test]
fn a_password_that_must_be_encoded_is_told_and_not_shown() {
    for url in [
        "postgres://me:hun/ter2@db/x",
        "postgres://me:hun?ter2@db/x",
        "postgres://me:hun#ter2@db/x",
        "postgres://me:hun%ter2@db/x",
        "postgres://me:12/34hunter@db/x",
        "postgresql://me:h@n/ter2@db/x",
    ] {
        let pairs = [&ENOUGH[..], &[("RINGBACK_DATABASE__URL", url)]].concat();
        let config = load(&pairs).unwrap();
        for checked in [
            config.check(),
            config.check_database(),
            config.check_delivery(),
        ] {
            let text = checked.unwrap_err().to_string();
            assert!(
                text.starts_with("database.url: ") && text.contains("write @ as %40"),
                "{text}"
            );
            assert!(
                !text.contains("ter2") && !text.contains("34hunter"),
                "{text}"
            );
        }
    }
}

#[test]
fn plain_http_is_for_this_machine_or_by_leave() {
    let judge = |url: &str, more: &[(&str, &str)]| {
        let without = ENOUGH.iter().filter(|(name, _)| {
            !name.ends_with("MAIN__SECRET")
                && !name.ends_with("ALGORITHMS")
                && !name.ends_with("URL")
        });
        let mut pairs: Vec<(&str, &str)> = without.copied().collect();
        pairs.extend([
            ("RINGBACK_AUTH__ISSUERS__MAIN__ALGORITHMS", "RS256"),
            ("RINGBACK_AUTH__ISSUERS__MAIN__JWKS_URL", url),
            ("RINGBACK_SMS__ROUTES__RELAY__URL", url),
        ]);
        pairs.extend(more);
        load(&pairs)
            .unwrap()
            .check()
            .map_err(|error| error.to_string())
    };
    for url in [
        "https://example.com",
        "http://localhost:1",
        "http://127.0.0.1:1",
        "http://[::1]:1",
    ] {
        assert_eq!(judge(url, &[]), Ok(()), "{url}");
    }
    for url in ["http://example.com", "http://10.0.0.1"] {
        let text = judge(url, &[]).unwrap_err();
        for part in [
            "auth.issuers.main.jwks_url: is plain http to ",
            "or set auth.issuers.main.allow_insecure = true",
            "sms.routes.relay.url: is plain http to ",
            "or set sms.routes.relay.allow_insecure = true",
        ] {
            assert!(text.contains(part), "not {part}: {text}");
        }
        let allowed = [
            ("RINGBACK_AUTH__ISSUERS__MAIN__ALLOW_INSECURE", "true"),
            ("RINGBACK_SMS__ROUTES__RELAY__ALLOW_INSECURE", "true"),
        ];
        assert_eq!(judge(url, &allowed), Ok(()), "{url}");
    }
    let text = judge("https://me:hunter2@example.com", &[]).unwrap_err();
    assert!(
        text.contains("holds a user name or a password") && !text.contains("hunter2"),
        "{text}"
    );
}
