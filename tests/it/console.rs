//! Pages for people: what is served to whom, and what keeps it to itself.

mod looks;
mod pages;
mod sign_in;
mod types;

use std::path::{Path, PathBuf};

use http::HeaderMap;
use ringback::config::Config;
use serde_json::Value;

use crate::app::TestApp;
use crate::database::Database;

crate::on_both! {
    pages_are_served_once_an_issuer_is_named,
}

/// Where packages of npm are that tests need: `scripts/test` gets them.
fn npm() -> PathBuf {
    match std::env::var_os("RINGBACK_TEST_NPM") {
        Some(place) => place.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/npm/node_modules"),
    }
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

async fn get(app: &TestApp, path: &str) -> Answer {
    let answer = app.http.get(app.url(path)).send().await.expect("an answer");
    Answer {
        status: answer.status().as_u16(),
        headers: answer.headers().clone(),
        text: answer.text().await.expect("a text"),
    }
}

fn with_console(config: &mut Config) {
    config.console.issuer = "main".into();
    config.console.client_id = "ringback-console".into();
    config.console.connect = vec!["https://tokens.example.com/token".into()];
}

async fn pages_are_served_once_an_issuer_is_named(database: Database) {
    let app = TestApp::start_with(database, with_console).await;
    let front = get(&app, "/").await;
    assert_eq!(front.status, 200);
    assert!(front.text.contains("href=\"/console\""), "{}", front.text);
    for path in ["/console", "/console/", "/console/users/ann"] {
        let page = get(&app, path).await;
        assert_eq!(page.status, 200, "{path}");
        guarded(&page.headers);
        for file in addresses(&page.text) {
            let file = get(&app, &file).await;
            assert_eq!(file.status, 200);
            let kept = &file.headers["cache-control"];
            assert_eq!(kept, "public, max-age=31536000, immutable");
            assert_eq!(file.headers["x-content-type-options"], "nosniff");
        }
    }
    let told = get(&app, "/console.json").await;
    guarded(&told.headers);
    let told: Value = serde_json::from_str(&told.text).expect("JSON");
    assert_eq!(told["dev"], false);
    assert_eq!(told["signIn"]["issuer"], "https://login.example.com");
    assert_eq!(told["signIn"]["clientId"], "ringback-console");
    assert_eq!(get(&app, "/assets/0000/console/app.js").await.status, 404);
}

#[tokio::test]
async fn without_an_issuer_there_is_a_name_and_nothing_else_on_sqlite() {
    for switch in [(|_| {}) as fn(&mut Config), |config| {
        with_console(config);
        config.console.enabled = false;
    }] {
        let database = Database::sqlite().await;
        let app = TestApp::start_with(database, switch).await;
        let front = get(&app, "/").await;
        assert_eq!(front.status, 200);
        assert!(front.text.contains("ringback") && !front.text.contains("href"));
        for path in ["/console", "/console/users/ann", "/console.json"] {
            assert_eq!(get(&app, path).await.status, 404, "{path}");
        }
    }
}

/// The policy lets nothing in but files of ours and the named origins, and no page shows this one.
fn guarded(headers: &HeaderMap) {
    let policy = headers["content-security-policy"].to_str();
    let policy: Vec<&str> = policy.expect("a text").split("; ").collect();
    for part in [
        "default-src 'self'",
        "connect-src 'self' https://login.example.com https://tokens.example.com",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "object-src 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(policy.contains(&part), "{part}: {policy:?}");
    }
    assert!(
        !policy.iter().any(|part| part.contains("unsafe")),
        "{policy:?}"
    );
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(headers[name], value);
    }
}

/// What a page loads. All of it is ours, and none of it is written into the page.
fn addresses(page: &str) -> Vec<String> {
    let parts = page.split(['"', '\'']);
    let found: Vec<String> = parts
        .filter(|part| part.starts_with('/') || part.contains("://"))
        .map(str::to_owned)
        .collect();
    assert!(found.len() >= 3, "{page}");
    assert!(
        found.iter().all(|at| at.starts_with("/assets/")),
        "{found:?}"
    );
    let inline = ["<style", "style=", "<script>", " on"];
    let inline = inline.iter().find(|sign| page.contains(**sign));
    assert_eq!(inline, None, "{page}");
    found
}
