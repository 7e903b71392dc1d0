//! Tests of the data directory.

use std::process::Command;
use std::sync::Arc;

use http::HeaderMap;
use ringback_core::Caller;
use ringback_core::rights::Rights;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::*;
use crate::auth::Auth;

const NOW: Time = Time(1_700_000_000_500_000);

fn listen() -> SocketAddr {
    "127.0.0.1:8080".parse().unwrap()
}

fn home() -> (tempfile::TempDir, DevHome) {
    let dir = tempfile::tempdir().unwrap();
    let home = DevHome::open(&dir.path().join("data")).unwrap();
    (dir, home)
}

async fn caller(config: &Config, token: &str, now: Time) -> Option<Caller> {
    let auth = Auth::new(&config.auth, "default", Arc::new(move || now)).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    auth.caller(&headers).await.ok()
}

#[test]
fn keys_are_made_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b");
    DevHome::open(&path).unwrap();
    let first = fs::read_to_string(path.join(KEYS_FILE)).unwrap();
    DevHome::open(&path).unwrap();
    assert_eq!(fs::read_to_string(path.join(KEYS_FILE)).unwrap(), first);
    let (_other_dir, other) = home();
    assert!(!first.contains(&other.keys.code_key));
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let (_dir, home) = home();
    home.write_dev_json("http://127.0.0.1:8080", NOW).unwrap();
    home.write_dev_json("http://127.0.0.1:8081", NOW).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&home.dir), 0o700);
    assert_eq!(mode(&home.dir.join(KEYS_FILE)), 0o600);
    assert_eq!(mode(&home.dir.join(DEV_FILE)), 0o600);
    assert!(!home.dir.join("dev.json.new").exists());
}

#[test]
fn damaged_or_missing_keys_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let text = DevHome::existing(dir.path()).unwrap_err().to_string();
    assert!(text.contains("is no data directory"), "{text}");
    let path = dir.path().join(KEYS_FILE);
    for content in [
        "",
        "{\"codeKey\": \"hunter2\"",
        "{}",
        "{\"codeKey\":\"hunter2\",\"pseudonymKey\":\"\",\"tokenSecret\":\"\",\"vendor\":{\"clientId\":\"\",\"secret\":\"\"}}",
    ] {
        fs::write(&path, content).unwrap();
        let text = DevHome::open(dir.path()).unwrap_err().to_string();
        assert!(text.contains("keys.json is damaged"), "{text}");
        assert!(!text.contains("hunter2"));
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(DevHome::open(&file), Err(DevError::File { .. })));
}

#[test]
fn the_configuration_is_complete() {
    let (_dir, home) = home();
    let config = home.config_with(listen(), None, []).unwrap();
    assert_eq!(config.check(), Ok(()));
    assert_eq!(config.metrics.listen, None);
    assert!(config.sms.has_inbox());
    assert_eq!(config.sms.routes.len(), 1);
    assert!(config.cors.allows("http://localhost:5173"));
    assert!(!config.cors.allows("https://example.com"));
    let shown = format!("{config:?} {home:?}");
    for secret in [
        &home.keys.code_key,
        &home.keys.token_secret,
        &home.keys.pseudonym_key,
    ] {
        assert!(!shown.contains(secret.as_str()));
    }
}

#[test]
fn arguments_hold_against_the_environment_which_holds_against_the_settings() {
    let (_dir, home) = home();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let environment = [
        pair("RINGBACK_DATABASE__URL", "postgres://production/"),
        pair("RINGBACK_SERVER__LISTEN", "0.0.0.0:80"),
        pair("RINGBACK_SECRETS__PSEUDONYM_KEY", "production"),
        pair("RINGBACK_METRICS__LISTEN", "127.0.0.1:9464"),
        pair("RINGBACK_CODES__LENGTH", "8"),
    ];
    let config = home
        .config_with(listen(), None, environment.clone())
        .unwrap();
    let url = secrecy::ExposeSecret::expose_secret(&config.database.url);
    assert!(
        url.starts_with("sqlite:") && url.ends_with("data/ringback.db"),
        "{url}"
    );
    assert_eq!(config.server.listen, listen());
    assert!(config.metrics.listen.is_some());
    assert_eq!(config.codes.length, 8);
    assert_eq!(config.check(), Ok(()));
    let config = home
        .config_with(listen(), Some("postgres://localhost/x"), environment)
        .unwrap();
    let url = secrecy::ExposeSecret::expose_secret(&config.database.url);
    assert_eq!(url, "postgres://localhost/x");
}

#[test]
fn nobody_outside_is_served() {
    let (_dir, home) = home();
    for listen in ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:8080"] {
        let refused = home.config_with(listen.parse().unwrap(), None, []);
        assert_eq!(refused.unwrap_err().problems()[0].key, "server.listen");
    }
    assert!(
        home.config_with("[::1]:0".parse().unwrap(), None, [])
            .is_ok()
    );
}

#[tokio::test]
async fn tokens_are_accepted_as_they_were_asked_for() {
    let (_dir, home) = home();
    let config = home.config_with(listen(), None, []).unwrap();
    let request = TokenRequest {
        sub: "alice".into(),
        org: Some("acme".into()),
        roles: vec!["unknown".into()],
        permissions: vec!["user.read".into()],
        scopes: vec!["openid".into(), "user.write".into()],
        ttl: Duration::from_secs(60),
    };
    let token = home.token(&request, NOW).unwrap();
    let alice = caller(&config, &token, NOW).await.unwrap();
    assert_eq!(
        (alice.user.as_str(), alice.organization.as_str()),
        ("alice", "acme")
    );
    let here = alice.rights_at(&alice.organization);
    assert!(here.read && here.write && !here.delete && !alice.everywhere.any());
    assert!(
        caller(&config, &token, NOW + Duration::from_secs(91))
            .await
            .is_none()
    );

    let (_other_dir, other) = self::home();
    let foreign = other.token(&request, NOW).unwrap();
    assert!(caller(&config, &foreign, NOW).await.is_none());

    let refused = |change: fn(&mut TokenRequest)| {
        let mut request = request.clone();
        change(&mut request);
        home.token(&request, NOW).is_err()
    };
    assert!(refused(|r| r.sub.clear()));
    assert!(refused(|r| r.sub = "x".repeat(201)));
    assert!(refused(|r| r.ttl = Duration::MAX));
}

#[tokio::test]
async fn dev_json_lets_an_administrator_in_for_a_day() {
    let (_dir, home) = home();
    let config = home.config_with(listen(), None, []).unwrap();
    home.write_dev_json("http://127.0.0.1:8080", NOW).unwrap();
    let text = fs::read_to_string(home.dir.join(DEV_FILE)).unwrap();
    let content: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(content["baseUrl"], "http://127.0.0.1:8080");
    assert_eq!(
        content["vendor"]["clientId"],
        home.keys.vendor.client_id.as_str()
    );
    assert_eq!(
        content["vendor"]["secret"],
        home.keys.vendor.secret.as_str()
    );
    let token = content["adminToken"].as_str().unwrap();
    let late = NOW + Duration::from_secs(86_400);
    let admin = caller(&config, token, late).await.unwrap();
    assert_eq!(admin.everywhere, Rights::ALL);
    assert!(
        caller(&config, token, late + Duration::from_secs(31))
            .await
            .is_none()
    );
}

#[test]
fn a_certificate_is_made_once_and_made_anew_when_a_part_of_it_is_gone() {
    let (_dir, home) = home();
    let read = |files: &DevCertificate| {
        let paths = [&files.authority, &files.certificate, &files.key];
        paths.map(|path| fs::read_to_string(path).unwrap())
    };
    let files = home.certificate(NOW).unwrap();
    let first = read(&files);
    assert_eq!(read(&home.certificate(NOW).unwrap()), first);
    fs::remove_file(&files.key).unwrap();
    let again = read(&home.certificate(NOW).unwrap());
    assert!((0..3).all(|part| again[part] != first[part]));
    assert_eq!(again.concat().matches("PRIVATE KEY").count(), 2);

    let welcome = home.welcome("ringback", "https://127.0.0.1:8080", Some(&files.authority));
    let trusted = fs::canonicalize(&files.authority).unwrap();
    let option = format!("curl -s --cacert {}", trusted.display());
    assert_eq!(welcome.matches(&option).count(), 5, "{welcome}");
    assert!(!welcome.contains("http://"));
    let welcome = home.welcome("target/release/ring back", "http://127.0.0.1:1", None);
    assert!(
        welcome
            .contains("\nA token for Alice herself: 'target/release/ring back' token --data-dir "),
        "{welcome}"
    );
}

/// The lines are run by a shell, with a `curl` that answers as the service does.
#[cfg(unix)]
#[test]
fn the_welcome_can_be_pasted() {
    let dir = tempfile::tempdir().unwrap();
    let home = DevHome::open(&dir.path().join("a dir's")).unwrap();
    let base = "http://127.0.0.1:8080";
    home.write_dev_json(base, NOW).unwrap();
    let welcome = home.welcome("ringback", base, None);
    let lines = welcome.split("number:\n").nth(1).unwrap();
    let lines = lines.split("A token for Alice").next().unwrap();
    let script = format!(
        r#"set -eu
curl() {{
  for argument; do printf '<%s>' "$argument" >&2; done; printf '\n' >&2
  case $2 in *inbox*) printf '%s' '{{"messages":[{{"id":"2","code":"123456","sentAt":"x"}},{{"id":"1","code":"654321"}}]}}';; esac
}}
{lines}"#
    );
    let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
    let calls = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{calls}");
    let text = fs::read_to_string(home.dir.join(DEV_FILE)).unwrap();
    let content: Value = serde_json::from_str(&text).unwrap();
    let token = content["adminToken"].as_str().unwrap();
    assert_eq!(
        calls
            .matches(&format!("<Authorization: Bearer {token}>"))
            .count(),
        4,
        "{calls}"
    );
    assert!(
        calls.contains(r#"<{"verificationCode":"123456"}>"#),
        "{calls}"
    );
    for part in [
        r#"{"userId":"alice","profile":{"givenName":"Alice","familyName":"Example"},"email":{"email":"alice@example.com"}}"#,
        r#"{"phone":"+41791234567"}"#,
    ] {
        assert!(calls.contains(&format!("<{part}>")), "{calls}");
        let _: Value = serde_json::from_str(part).unwrap();
    }
    assert!(
        calls.contains("<http://127.0.0.1:8080/dev/inbox?to=%2B41791234567>"),
        "{calls}"
    );
}

#[test]
fn dev_json_lets_a_back_end_in() {
    let (_dir, home) = home();
    let config = home.config_with(listen(), None, []).unwrap();
    assert_eq!(config.check(), Ok(()));
    let Vendor { client_id, secret } = &home.keys.vendor;
    let client = &config.vendor.clients["dev"];
    assert_eq!(&client.client_id, client_id);
    assert_eq!(client.secret.expose_secret(), secret);
}
