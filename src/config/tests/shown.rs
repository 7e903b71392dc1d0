//! The settings in effect, as `ringback config --config FILE` prints them.

use super::*;
use crate::config::form::Form;
use crate::config::words::Spelling;

#[test]
fn every_value_says_where_it_came_from_unless_it_is_a_default() {
    let file = file(
        "[codes]\nlength = 8\nguesses = 3\n[auth.issuers.\"my login\"]\nissuer = \"https://login.example.com\"\n",
    );
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "postgres://me:hunter2@db:5432/x").unwrap();
    let in_file = secret.path().display().to_string();
    let environment = variables(&[
        ("RINGBACK_CODES__LENGTH", "7"),
        ("RINGBACK_SMS__ROUTES__RELAY__TYPE", "webhook"),
        (
            "RINGBACK_SMS__ROUTES__RELAY__SECRETS",
            "whsec_hunter2,whsec_hunter2",
        ),
        ("RINGBACK_SECRETS__CODE_KEYS__1", "hunter2"),
        ("RINGBACK_DATABASE__URL_FILE", &in_file),
        (
            "RINGBACK_SMS__ROUTES__RELAY__URL",
            "https://sms.example.com/send?token=hunter2",
        ),
        (
            "RINGBACK_AUTH__ISSUERS__OTHER__JWKS_URL",
            "https://login.example.com/keys?app=1",
        ),
    ]);
    let shown = Config::load(Some(file.path()), environment)
        .unwrap()
        .in_effect();
    let name = file.path().display().to_string();
    for line in [
        "length = 7    # RINGBACK_CODES__LENGTH".to_owned(),
        format!("guesses = 3    # {name}"),
        "validity_seconds = 600".to_owned(),
        "1 = \"…\"    # RINGBACK_SECRETS__CODE_KEYS__1".to_owned(),
        "pseudonym_key = \"\"".to_owned(),
        "secrets = [\"…\", \"…\"]    # RINGBACK_SMS__ROUTES__RELAY__SECRETS".to_owned(),
        format!("url = \"postgres://me:…@db:5432/x\"    # RINGBACK_DATABASE__URL_FILE, {in_file}"),
        "[auth.issuers.\"my login\"]".to_owned(),
        "url = \"https://sms.example.com/send?token=…\"    # RINGBACK_SMS__ROUTES__RELAY__URL".to_owned(),
        "jwks_url = \"https://login.example.com/keys?app=1\"    # RINGBACK_AUTH__ISSUERS__OTHER__JWKS_URL"
            .to_owned(),
        "sets_per_account = [{ count = 25, seconds = 86400 }]".to_owned(),
    ] {
        assert!(
            shown.lines().any(|there| there == line),
            "not {line}:\n{shown}"
        );
    }
    assert!(!shown.contains("hunter2"));
    // In the order of the default file.
    let at = |text: &str| shown.find(text).unwrap_or_else(|| panic!("no {text}"));
    assert!(at("\napis") < at("\n[server]"));
    assert!(at("\n[server]") < at("\n[database]") && at("\n[auth]") < at("\n[codes]"));
}

#[test]
fn what_is_shown_can_be_read_again() {
    let whole = load(&ENOUGH).unwrap();
    let again = file(&whole.in_effect());
    let secrets = ENOUGH.iter().filter(|(name, _)| name.contains("SECRET"));
    let secrets: Vec<(&str, &str)> = secrets.copied().collect();
    let config = Config::load(Some(again.path()), variables(&secrets)).unwrap();
    assert_eq!(config.check(), Ok(()));
    assert_eq!(config.policies(), whole.policies());
    assert_eq!(format!("{:?}", config.auth), format!("{:?}", whole.auth));
    assert_eq!(
        format!("{:?}", config.server),
        format!("{:?}", whole.server)
    );
    // The reference, too, with what has no default.
    let reference = file(DEFAULTS);
    let config = Config::load(Some(reference.path()), variables(&ENOUGH)).unwrap();
    assert_eq!(config.check(), Ok(()));
    let odd = "a \"quote\", a \\, a\ttab, \u{7f}, é";
    let config = load(&[("RINGBACK_MESSAGES__SERVICE_NAME", odd)]).unwrap();
    let again = file(&config.in_effect());
    let config = Config::load(Some(again.path()), []).unwrap();
    assert_eq!(config.messages.service_name, odd);
}

/// What `Debug` hides is hidden here, whichever key it is.
#[test]
fn no_secret_is_shown() {
    let form = Form::new().unwrap();
    let mut hidden = 0;
    for path in form.paths() {
        let is_text = |value: &figment::value::Value| value.as_str().is_some();
        let texts = match form.key(&path) {
            Some(figment::value::Value::Array(_, items)) => items.iter().all(is_text),
            Some(value) => is_text(value),
            None => false,
        };
        let variable = Spelling::Variable.of(&path);
        // Free texts take it, names and addresses of sockets do not.
        let Some(config) = load(&[(&variable, "x://me:hunter2@there")])
            .ok()
            .filter(|_| texts)
        else {
            continue;
        };
        // Codes of countries are read in any case.
        if !format!("{config:?}").to_lowercase().contains("hunter2") {
            hidden += 1;
            assert!(!config.in_effect().contains("hunter2"), "{variable}");
        }
    }
    assert!(hidden >= 6, "{hidden}");
}
