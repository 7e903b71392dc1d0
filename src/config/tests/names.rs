//! Names: how they are spelled, those that do not exist, and those that are somebody else's.

use super::*;

#[test]
fn names_are_spelled_as_the_file_spells_them() {
    let file = file("[auth.issuers.Main]\nissuer = \"a\"\n");
    let environment = variables(&[
        ("RINGBACK_AUTH__ISSUERS__MAIN__ISSUER", "b"),
        ("RINGBACK_AUTH__ROLES__ORG_OWNER", "user.read"),
        ("RINGBACK_AUTH__ROLES__HelpDesk", "user.read,user.write"),
    ]);
    let config = Config::load(Some(file.path()), environment).unwrap();
    assert_eq!(config.auth.issuers.len(), 1);
    assert_eq!(config.auth.issuers["Main"].issuer, "b");
    assert_eq!(config.auth.roles["ORG_OWNER"], [Permission::Read]);
    assert_eq!(
        config.auth.roles["HelpDesk"],
        [Permission::Read, Permission::Write]
    );
}

#[test]
fn a_key_that_does_not_exist_is_named_with_its_origin() {
    let text = problem(load(&[("RINGBACK_SERVER__LISTN", "x")]));
    assert_eq!(
        text,
        "server.listn: no such key, did you mean RINGBACK_SERVER__LISTEN? There are body_mib, connections, \
         connections_per_address, drain_seconds, idle_seconds, listen, public_url, trusted_proxies (from RINGBACK_SERVER__LISTN)"
    );
    let text = problem(load(&[("RINGBACK_SERVR__LISTEN", "x")]));
    assert!(
        text.starts_with("servr: no such key, did you mean RINGBACK_SERVER__LISTEN?"),
        "{text}"
    );
    let text = problem(load(&[("RINGBACK_AUTH__ISSUERS__MAIN__AUDIENCE", "x")]));
    assert!(
        text.starts_with("auth.issuers.main.audience: no such key, did you mean RINGBACK_AUTH__ISSUERS__MAIN__AUDIENCES?"),
        "{text}"
    );
    let text = problem(load(&[("RINGBACK_SERVER_LISTEN", "x")]));
    assert!(
        text.starts_with("RINGBACK_SERVER_LISTEN: is no key"),
        "{text}"
    );

    for (content, key) in [
        (
            "[server]\nlisten = \"127.0.0.1:1\"\nport = 3\n",
            "server.port",
        ),
        ("[codes]\nlenght = 3\n", "codes.lenght"),
        (
            "[limits]\nsets_per_account = [{ count = 1, seconds = 2, x = 3 }]\n",
            "limits.sets_per_account.0.x",
        ),
        ("[sms]\nkept = 1\n", "sms.kept"),
        ("colour = 1\n", "colour"),
    ] {
        let file = file(content);
        let text = problem(Config::load(Some(file.path()), []));
        assert!(text.starts_with(&format!("{key}: no such key")), "{text}");
        assert!(
            text.ends_with(&format!("(from {})", file.path().display())),
            "{text}"
        );
    }
}

#[test]
fn what_others_put_into_the_environment_is_left_alone() {
    let others = [
        "RINGBACK_LOG",
        "RINGBACK_TEST_POSTGRES",
        "RINGBACK_PORT",
        "RINGBACK_PORT_8080_TCP_ADDR",
        "RINGBACK_SERVICE_HOST",
        "RINGBACK_WORKER_SERVICE_HOST",
        "RINGBACK_WORKER_SERVICE_PORT",
        "RINGBACK_WORKER_SERVICE_PORT_HTTP",
        "RINGBACK_WORKER_PORT",
        "RINGBACK_WORKER_PORT_8080_TCP",
        "RINGBACK_WORKER_PORT_8080_TCP_ADDR",
        "RINGBACKS_X",
    ];
    for name in others {
        assert!(load(&[(name, "tcp://10.0.0.1:80")]).is_ok(), "{name}");
    }
    for name in [
        "RINGBACK_WORKER",
        "RINGBACK_PORTS",
        "RINGBACK_X_PORTAL",
        "RINGBACK_SERVER__PORT",
    ] {
        assert!(load(&[(name, "x")]).is_err(), "{name}");
    }
}

#[test]
fn the_nearest_key_is_named() {
    for (content, meant) in [
        ("[server]\nlisen = \"x\"\n", "server.listen"),
        ("[issuers.main]\nissuer = \"x\"\n", "auth.issuers"),
        ("listen = \"x\"\n", "metrics.listen or server.listen"),
        (
            "[auth.issuers.main]\njwks_uri = \"x\"\n",
            "auth.issuers.main.jwks_url",
        ),
        (
            "[limits]\nsets_per_account = [{ counts = 1, seconds = 2 }]\n",
            "count",
        ),
        (
            "[organisations.acme.numbers]\nkinds = []\n",
            "organizations",
        ),
    ] {
        let file = file(content);
        let text = problem(Config::load(Some(file.path()), []));
        let told = text.split_once("did you mean ").map(|(_, told)| told);
        let told = told
            .and_then(|told| told.split_once('?'))
            .unwrap_or_default()
            .0;
        assert!(told.contains(meant), "{content}: {text}");
    }
    for (variable, meant) in [
        ("RINGBACK_SERVER_LISTEN", "RINGBACK_SERVER__LISTEN"),
        ("RINGBACK_DATABASE_URL", "RINGBACK_DATABASE__URL"),
        ("RINGBACK_DATABASE_URL_FILE", "RINGBACK_DATABASE__URL_FILE"),
        (
            "RINGBACK_SECRETS_CODE_KEYS_1",
            "RINGBACK_SECRETS__CODE_KEYS__1",
        ),
        (
            "RINGBACK_SECRETS_PSEUDONYM_KEY",
            "RINGBACK_SECRETS__PSEUDONYM_KEY",
        ),
        (
            "RINGBACK_AUTH_ISSUERS_MY_LOGIN_JWKS_URL",
            "RINGBACK_AUTH__ISSUERS__MY_LOGIN__JWKS_URL",
        ),
        (
            "RINGBACK_AUTH_ISSUERS_MAIN_JWKS_FILE",
            "RINGBACK_AUTH__ISSUERS__MAIN__JWKS_FILE",
        ),
        ("RINGBACK_SERVR_LISTEN", "RINGBACK_SERVER__LISTEN"),
        ("RINGBACK_LISTEN", "RINGBACK_SERVER__LISTEN"),
        (
            "RINGBACK_SERVER_PORT",
            "RINGBACK_SERVER__LISTEN=127.0.0.1:8080",
        ),
        ("RINGBACK_SMS_KEEP_SECONDS", "RINGBACK_SMS__KEEP_SECONDS"),
        ("RINGBACK_SMS__KEPT_SECONDS", "RINGBACK_SMS__KEEP_SECONDS"),
        ("RINGBACK_SERVER___LISTEN", "RINGBACK_SERVER__LISTEN"),
        ("RINGBACK_API", "RINGBACK_APIS"),
        ("RINGBACK_CONFIG", "--config FILE"),
    ] {
        let text = problem(load(&[(variable, "8080")]));
        let told = text.split_once("did you mean ").map(|(_, told)| told);
        let told = told
            .and_then(|told| told.split_once('?'))
            .unwrap_or_default()
            .0;
        assert!(
            told.split(" or ").any(|told| told == meant),
            "{variable}: {text}"
        );
    }
}

/// Files of variables keep them, which shells take away.
#[test]
fn quotes_that_do_not_belong_there_are_told() {
    for (name, value) in [
        ("RINGBACK_SERVER__LISTEN", "\"127.0.0.1:8080\""),
        ("RINGBACK_CODES__LENGTH", "'6'"),
        ("RINGBACK_CODES__ALPHABET", "\"digits\""),
        ("RINGBACK_NOTIFY__OLD_NUMBER", "\"true\""),
    ] {
        let text = problem(load(&[(name, value)]));
        assert!(
            text.contains("found a text with quotes of its own: leave them out"),
            "{text}"
        );
    }
}

#[test]
fn who_looks_for_a_file_of_secrets_in_a_file_is_told_where() {
    let file = file("[database]\nurl_file = \"/run/secrets/url\"\n");
    let text = problem(Config::load(Some(file.path()), []));
    assert!(text.starts_with("database.url_file: no such key"), "{text}");
    assert!(text.contains("RINGBACK_DATABASE__URL_FILE"), "{text}");
}

#[test]
fn a_number_is_no_address_of_a_service() {
    for name in ["RINGBACK_SERVER_PORT", "RINGBACK_METRICS_PORT"] {
        assert!(load(&[(name, "8080")]).is_err(), "{name}");
        assert!(load(&[(name, "tcp://10.0.0.1:8080")]).is_ok(), "{name}");
    }
    for (name, value) in [
        ("RINGBACK_PORT", "8080"),
        ("RINGBACK_SERVICE_PORT", "8080"),
        ("RINGBACK_PORT_8080_TCP_PORT", "8080"),
        ("RINGBACK_PORT_8080_TCP_PROTO", "tcp"),
        ("RINGBACK_WORKER_PORT_53_UDP_PORT", "53"),
        ("RINGBACK_WORKER_SERVICE_PORT_GRPC_WEB", "8080"),
    ] {
        assert!(load(&[(name, value)]).is_ok(), "{name}");
    }
    for name in ["RINGBACK_SERVER__SERVICE_HOST", "RINGBACK_XSERVICE_HOST"] {
        assert!(load(&[(name, "10.0.0.1")]).is_err(), "{name}");
    }
}

#[test]
fn one_key_is_set_by_one_variable() {
    let text = problem(load(&[
        ("RINGBACK_CODES__LENGTH", "7"),
        ("RINGBACK_codes__length", "8"),
    ]));
    assert!(
        text.contains("RINGBACK_codes__length: sets the same key as RINGBACK_CODES__LENGTH"),
        "{text}"
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let file = file(
        "colour = 1\n[server]\nlisten = \"localhost:8080\"\nidle_seconds = \"long\"\n[codes]\nlength = 300\n\
         [numbers]\nkinds = [\"mobil\", \"voip\"]\n",
    );
    let text = problem(Config::load(Some(file.path()), []));
    for part in [
        "colour: no such key",
        "server.listen: must be an address and a port, such as 127.0.0.1:8080",
        "server.idle_seconds: must be a whole number, such as 120; found a text",
        "codes.length: must be a smaller number, such as 6; found 300",
        "did you mean \"mobile\"?",
    ] {
        assert!(text.contains(part), "not {part}: {text}");
    }
    assert_eq!(text.lines().count(), 5, "{text}");
}
