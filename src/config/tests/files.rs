//! Values in files that variables name.

use super::*;

fn path(file: &tempfile::NamedTempFile) -> String {
    file.path().display().to_string()
}

#[test]
fn any_key_is_read_from_a_file() {
    let text = |content: &str| file(content);
    let url = text("postgres://me:hunter2@db/x\n");
    let key = text(&format!("{KEY}\r\n"));
    let secret = text("12345678901234567890123456789012");
    let webhook = text("whsec_AQEB\n\nwhsec_AgIC\n");
    let spaces = text(" two  spaces \n\n");
    let length = text("8\n");
    let audiences = text("[\"one\", \"two\"]\n");
    let config = load(&[
        ("RINGBACK_DATABASE__URL_FILE", &path(&url)),
        ("RINGBACK_SECRETS__CODE_KEYS__1_FILE", &path(&key)),
        ("RINGBACK_SECRETS__PSEUDONYM_KEY_FILE", &path(&key)),
        ("RINGBACK_AUTH__ISSUERS__MAIN__SECRET_FILE", &path(&secret)),
        (
            "RINGBACK_AUTH__ISSUERS__MAIN__AUDIENCES_FILE",
            &path(&audiences),
        ),
        ("RINGBACK_VENDOR__CLIENTS__ONE__SECRET_FILE", &path(&secret)),
        ("RINGBACK_SMS__ROUTES__RELAY__TYPE", "webhook"),
        ("RINGBACK_SMS__ROUTES__RELAY__SECRETS_FILE", &path(&webhook)),
        ("RINGBACK_MESSAGES__SERVICE_NAME_FILE", &path(&spaces)),
        ("RINGBACK_CODES__LENGTH_FILE", &path(&length)),
    ])
    .unwrap();
    assert_eq!(
        config.database.url.expose_secret(),
        "postgres://me:hunter2@db/x"
    );
    assert_eq!(config.secrets.code_keys["1"].expose_secret(), KEY);
    assert_eq!(config.secrets.pseudonym_key.expose_secret(), KEY);
    let issuer = &config.auth.issuers["main"];
    assert_eq!(issuer.secret.expose_secret().len(), 32);
    assert_eq!(issuer.audiences, ["one", "two"]);
    assert_eq!(
        config.vendor.clients["one"].secret.expose_secret().len(),
        32
    );
    let secrets: Vec<&str> = relay_of(&config)
        .secrets
        .iter()
        .map(|s| s.expose_secret())
        .collect();
    assert_eq!(secrets, ["whsec_AQEB", "whsec_AgIC"]);
    assert_eq!(config.messages.service_name, " two  spaces ");
    assert_eq!(config.codes.length, 8);
}

#[test]
fn keys_whose_names_end_so_are_keys() {
    let config = load(&[
        (
            "RINGBACK_AUTH__ISSUERS__MAIN__JWKS_FILE",
            "no/such/keys.json",
        ),
        (
            "RINGBACK_AUTH__ISSUERS__MAIN__PUBLIC_KEY_FILE",
            "no/such/key.pem",
        ),
        ("RINGBACK_AUTH__ROLES__READER_FILE", "user.read"),
    ])
    .unwrap();
    let issuer = &config.auth.issuers["main"];
    assert_eq!(issuer.jwks_file, "no/such/keys.json");
    assert_eq!(issuer.public_key_file, "no/such/key.pem");
    assert_eq!(config.auth.roles["READER_FILE"], [Permission::Read]);
    // And their values can be in files, too.
    let holds = file("keys.json\n");
    let config = load(&[(
        "RINGBACK_AUTH__ISSUERS__MAIN__JWKS_FILE_FILE",
        &path(&holds),
    )])
    .unwrap();
    assert_eq!(config.auth.issuers["main"].jwks_file, "keys.json");
}

#[test]
fn a_file_that_holds_no_value_is_named_without_its_content() {
    let directory = tempfile::tempdir().unwrap();
    let in_directory = |name: &str, content: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let gone = directory.path().join("gone").display().to_string();
    let whole = directory.path().display().to_string();
    let mut long = b"hunter2".repeat(10_000);
    long.truncate(64 * 1024 + 1);
    for (path, says) in [
        (gone, "cannot be read"),
        (whole, "cannot be read"),
        (in_directory("empty", b""), "is empty"),
        (in_directory("newline", b"\n"), "is empty"),
        (in_directory("blank", b" \r\n"), "is empty"),
        (in_directory("long", &long), "longer than 64 KiB"),
        (in_directory("bytes", b"hunter2\xff"), "no text in UTF-8"),
    ] {
        for variable in [
            "RINGBACK_SECRETS__PSEUDONYM_KEY_FILE",
            "RINGBACK_SMS__ROUTES__RELAY__SECRETS_FILE",
        ] {
            let text = problem(load(&[(variable, &path)]));
            assert!(text.starts_with(&format!("{variable}: {path} ")), "{text}");
            assert!(text.contains(says) && !text.contains("hunter2"), "{text}");
        }
    }
    let text = problem(load(&[("RINGBACK_DATABASE__URL_FILE", "")]));
    assert!(
        text.starts_with("RINGBACK_DATABASE__URL_FILE: is empty; set it to the path"),
        "{text}"
    );
    long.truncate(64 * 1024);
    let fits = in_directory("fits", &long);
    assert!(load(&[("RINGBACK_MESSAGES__SERVICE_NAME_FILE", &fits)]).is_ok());
}

#[test]
fn a_key_is_set_by_its_value_or_by_its_file() {
    let holds = file("sqlite:other.db");
    for value in ["sqlite:ringback.db", ""] {
        let text = problem(load(&[
            ("RINGBACK_DATABASE__URL", value),
            ("RINGBACK_DATABASE__URL_FILE", &path(&holds)),
        ]));
        assert_eq!(
            text,
            "RINGBACK_DATABASE__URL_FILE: sets the same key as RINGBACK_DATABASE__URL; unset one of the two"
        );
    }
}

#[test]
fn what_is_wrong_with_a_value_in_a_file_names_variable_and_file() {
    let holds = file("hunter2\n");
    let path = path(&holds);
    for (variable, key) in [
        ("RINGBACK_CODES__LENGTH_FILE", "codes.length"),
        ("RINGBACK_NOTIFY__OLD_NUMBER_FILE", "notify.old_number"),
        ("RINGBACK_SERVER__LISTEN_FILE", "server.listen"),
        ("RINGBACK_SMS__KEEP_SECONDS_FILE", "sms.keep_seconds"),
    ] {
        let text = problem(load(&[(variable, &path)]));
        assert!(text.starts_with(&format!("{key}: must be ")), "{text}");
        assert!(
            text.ends_with(&format!("(from {variable}, {path})")),
            "{text}"
        );
        assert!(!text.contains("hunter2"), "{text}");
    }
    let text = problem(load(&[("RINGBACK_SERVER__LISEN_FILE", &path)]));
    assert!(
        text.contains("did you mean RINGBACK_SERVER__LISTEN"),
        "{text}"
    );
    let text = problem(load(&[("RINGBACK_SECRETS__CODE_KEYS_FILE", &path)]));
    assert!(text.contains("RINGBACK_SECRETS__CODE_KEYS__1"), "{text}");
    let mut config = load(&ENOUGH).unwrap();
    config.secrets = load(&[("RINGBACK_SECRETS__CODE_KEYS__1_FILE", &path)])
        .unwrap()
        .secrets;
    let text = config.check().unwrap_err().to_string();
    assert!(
        text.starts_with("secrets.code_keys.1: must be 32 random bytes"),
        "{text}"
    );
}
