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
    for (content, says) in [
        ("[sms]\nroutes = [\"webhook\"]\n", "[sms.routes.relay]"),
        ("[sms.webhook]\nurl = \"x\"\n", "[sms.routes.webhook]"),
        ("[sms.routes.a]\nurl = \"x\"\n", "type is missing"),
        (
            "[sms.routes.a]\ntype = \"pigeon\"\n",
            "\"inbox\" or \"webhook\"",
        ),
        ("[sms.routes.a]\ntype = \"inbox\"\nurl = \"x\"\n", "url"),
    ] {
        let file = file(content);
        let text = problem(Config::load(Some(file.path()), []));
        assert!(text.contains(says), "{content}: {text}");
    }
}
