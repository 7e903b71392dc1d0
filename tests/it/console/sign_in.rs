//! Signing in at a real issuer, and what is refused on the way back.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use ringback_testing::Database;
use serde_json::json;

use super::npm;
use crate::browser::Browser;
use crate::process::harness::{Server, Setup};

/// `oidc-provider`, gone with this value.
struct Issuer {
    process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    address: String,
}

impl Drop for Issuer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Issuer {
    fn start(code_seconds: u32) -> Issuer {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/console/issuer.mjs");
        let mut process = Command::new("node")
            .arg(script)
            .arg(npm())
            .arg(code_seconds.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node");
        let output = process.stdout.take().expect("piped");
        let mut lines = BufReader::new(output).lines();
        let port = lines.next().expect("a line").expect("a text");
        let address = format!("http://127.0.0.1:{port}");
        Issuer {
            process,
            lines,
            address,
        }
    }

    fn sends_back_to(&mut self, address: &str) {
        let input = self.process.stdin.as_mut().expect("piped");
        writeln!(input, "{address}").expect("it listens");
        // What it says before is advice for its operators.
        let ready = self
            .lines
            .any(|line| line.is_ok_and(|line| line == "ready"));
        assert!(ready);
    }
}

/// A service whose console signs in at this issuer.
async fn serve(issuer: &mut Issuer, database: &Database) -> Server {
    let setup = Setup::new(&database.url)
        .without("auth.issuers.main.secret")
        .with("auth.issuers.main.issuer", issuer.address.as_str())
        .with("auth.issuers.main.algorithms", json!(["RS256"]))
        .with(
            "auth.issuers.main.jwks_url",
            format!("{}/jwks", issuer.address),
        )
        .with("console.issuer", "main")
        .with("console.client_id", "ringback-console")
        .with("console.audience", "urn:ringback");
    let server = Server::start(&setup).await;
    issuer.sends_back_to(&format!("{}/console/signed-in", server.base));
    server
}

/// At the issuer: who one is, and that the console may know.
async fn log_in(browser: &Browser, name: &str) {
    browser.fill("input[name=login]", name).await;
    browser.fill("input[name=password]", "any").await;
    browser.click("button[type=submit]").await;
    browser
        .until("document.body.innerText.includes('Authorize') || document.querySelector('.side')")
        .await;
    browser.click("button[type=submit]").await;
}

/// Runs in each page before its own scripts; says how to take it back.
async fn before_pages(browser: &Browser, script: &str) -> serde_json::Value {
    let script = json!({ "source": script });
    browser
        .chromium("Page.addScriptToEvaluateOnNewDocument", script)
        .await
}

async fn refused(browser: &Browser, why: &str) {
    let says = format!(
        "document.querySelector('.gate [role=alert]')?.textContent.includes({})",
        json!(why)
    );
    browser.until(&says).await;
    assert_eq!(
        browser.value("location.pathname + location.search").await,
        "/console"
    );
    assert_eq!(browser.value("sessionStorage.length").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_sign_in_at_the_issuer_on_sqlite() {
    let database = Database::sqlite().await;
    let mut issuer = Issuer::start(60);
    let server = serve(&mut issuer, &database).await;
    let browser = Browser::start().await;
    // Where somebody wanted to go is where they are afterwards.
    browser
        .open(&format!("{}/console/messages?user=ann", server.base))
        .await;
    browser.click("[data-sign-in]").await;
    log_in(&browser, "boss").await;
    browser.until("document.querySelector('.who')").await;
    let who = browser
        .value("document.querySelector('.who').innerText")
        .await;
    let who = who.as_str().expect("a text");
    assert!(who.contains("boss") && who.contains("acme"), "{who}");
    let place = "location.pathname + location.search";
    assert_eq!(browser.value(place).await, "/console/messages?user=ann");
    // Neither the token nor what led to it is kept.
    let kept = "JSON.stringify([localStorage, sessionStorage, document.cookie])";
    assert_eq!(browser.value(kept).await, "[{},{},\"\"]");
    browser
        .until("!document.querySelector('[aria-busy]')")
        .await;
    assert!(browser.text().await.contains("No message fits."));

    // An answer that nobody asked for, and one to another question.
    let answer = format!("{}/console/signed-in?code=abc&state=guessed", server.base);
    browser.open(&answer).await;
    refused(&browser, "belongs to another sign-in").await;

    // The issuer still knows who it is, and answers at once.
    let wrong = "if (location.pathname === '/console/signed-in') {
        const kept = JSON.parse(sessionStorage.getItem('ringback-sign-in'));
        sessionStorage.setItem('ringback-sign-in', JSON.stringify({ ...kept, WHICH: 'another' }));
    }";
    for (which, why) in [
        ("state", "belongs to another sign-in"),
        ("nonce", "it belongs to another sign-in"),
        ("verifier", "The issuer says: "),
    ] {
        let added = before_pages(&browser, &wrong.replace("WHICH", which)).await;
        browser.open(&format!("{}/console", server.base)).await;
        browser.click("[data-sign-in]").await;
        refused(&browser, why).await;
        browser
            .chromium("Page.removeScriptToEvaluateOnNewDocument", added)
            .await;
    }
    browser.click("[data-sign-in]").await;
    browser.until("document.querySelector('.who')").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_that_has_ended_opens_nothing_on_sqlite() {
    let database = Database::sqlite().await;
    let mut issuer = Issuer::start(1);
    let server = serve(&mut issuer, &database).await;
    let browser = Browser::start().await;
    let late = "if (location.pathname === '/console/signed-in') {
        for (const end = Date.now() + 2500; Date.now() < end; );
    }";
    before_pages(&browser, late).await;
    browser.open(&format!("{}/console", server.base)).await;
    browser.click("[data-sign-in]").await;
    log_in(&browser, "boss").await;
    refused(&browser, "The issuer says: ").await;
}
