//! The widget in a browser, on a page of another site that allows it and nothing else.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use ringback::config::Config;
use ringback_core::code::Alphabet;
use serde_json::{Value, json};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::sessions::{configured, open, text};
use crate::app::TestApp;
use crate::browser::{Browser, ENTER, TAB};
use crate::database::Database;
use crate::http::wire::Wire;

/// The script of a site's own page: gives each field its token, and writes down what happens.
const EMBED: &str = "
window.heard = []; window.violations = [];
document.addEventListener('securitypolicyviolation', (event) => violations.push(event.violatedDirective));
const tokens = new URLSearchParams(location.search).getAll('token');
document.querySelectorAll('ringback-verify').forEach((field, n) => {
  field.token = tokens[n];
  for (const name of ['sent', 'verified', 'error'])
    field.addEventListener(name, ({ detail }) => heard.push({ name, n, ...detail }));
});
";

/// A site with fields of the widget on it.
pub(super) struct Site {
    pub(super) server: MockServer,
}

impl Site {
    pub(super) async fn start() -> Site {
        let server = MockServer::start().await;
        let script = ResponseTemplate::new(200).set_body_raw(EMBED, "text/javascript");
        Mock::given(path("/embed.js"))
            .respond_with(script)
            .mount(&server)
            .await;
        let style = ":root { color-scheme: light dark; background: light-dark(#fff, #101010) }
            body { font-family: system-ui; max-width: 24rem; margin: 1rem auto; padding: 0 1rem }";
        let style = ResponseTemplate::new(200).set_body_raw(style, "text/css");
        Mock::given(path("/site.css"))
            .respond_with(style)
            .mount(&server)
            .await;
        let back = ResponseTemplate::new(200)
            .set_body_raw("<!doctype html><title>Back</title>Back", "text/html");
        Mock::given(path("/back/done"))
            .respond_with(back)
            .mount(&server)
            .await;
        Site { server }
    }

    /// Puts a page with these fields there.
    async fn page(&self, app: &TestApp, fields: &str) {
        let origin = app.url("");
        let html = format!(
            "<!doctype html><html lang=en><meta charset=utf-8><link rel=stylesheet href=/site.css><meta name=viewport content='width=device-width'>
             <title>A site</title><main><h1>A site</h1><textarea id=clip aria-label=Notes></textarea>{fields}</main>
             <script type=module src='{origin}/ringback-verify.js'></script><script type=module src='/embed.js'></script>"
        );
        let policy = format!(
            "default-src 'none'; style-src 'self'; script-src 'self' {origin}; connect-src {origin}"
        );
        let page = ResponseTemplate::new(200)
            .insert_header("content-security-policy", policy.as_str())
            .set_body_raw(html, "text/html");
        Mock::given(path("/page"))
            .respond_with(page)
            .mount(&self.server)
            .await;
    }

    async fn open(&self, browser: &Browser, tokens: &[&str]) {
        let tokens: Vec<String> = tokens
            .iter()
            .map(|token| format!("token={token}"))
            .collect();
        let url = format!("{}/page?{}", self.server.uri(), tokens.join("&"));
        browser.open(&url).await;
        browser
            .until("document.querySelector('.ringback-input, .ringback-done')")
            .await;
    }
}

fn for_sites(config: &mut Config) {
    configured(config);
    config.cors.allowed_origins = vec!["http://127.0.0.1:*".into()];
    config
        .verify
        .return_urls
        .push("http://127.0.0.1:*/back".into());
}

pub(super) async fn started() -> (TestApp, Site, Browser) {
    started_with(|_| {}).await
}

async fn started_with(change: impl FnOnce(&mut Config)) -> (TestApp, Site, Browser) {
    let database = Database::sqlite().await;
    let app = TestApp::start_with(database, |config| {
        for_sites(config);
        change(config);
    });
    tokio::join!(app, Site::start(), Browser::start())
}

const CODE: &str = "document.querySelector('.ringback-code')";

/// Types a number and has a code sent, which this is.
async fn ask(app: &TestApp, browser: &Browser, number: &str) -> String {
    let field = "document.querySelector('input[type=tel]')";
    browser.until(field).await;
    browser.run(&format!("{field}.value = ''"), json!([])).await;
    browser.fill("input[type=tel]", number).await;
    browser.click(".ringback-button").await;
    browser.until(CODE).await;
    app.code(number).await
}

/// What a browser does that fills in a whole code at once.
async fn fill_in(browser: &Browser, code: &str) {
    let script = "const code = document.querySelector('.ringback-code');
        code.value = arguments[0]; code.dispatchEvent(new InputEvent('input', { bubbles: true }))";
    browser.run(script, json!([code])).await;
}

async fn says(browser: &Browser, text: &str) {
    browser
        .until(&format!(
            "document.body.innerText.includes({})",
            json!(text)
        ))
        .await;
}

async fn heard(browser: &Browser, name: &str) -> Vec<Value> {
    let all = browser.value("heard").await;
    let all = all.as_array().cloned().unwrap_or_default();
    all.into_iter().filter(|one| one["name"] == name).collect()
}

fn wrong(code: &str, n: usize) -> String {
    let number: u32 = code.parse().expect("digits");
    format!(
        "{:06}",
        (number + 1 + u32::try_from(n).expect("small")) % 1_000_000
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_number_is_proven_on_another_site_under_a_strict_policy_on_sqlite() {
    let (app, site, browser) = started().await;
    site.page(&app, "<ringback-verify></ringback-verify>").await;
    let opened = open(&app, json!({"userId": "ann"})).await;
    let token = text(&opened, "token");
    site.open(&browser, &[token]).await;
    browser.axe("number").await;
    browser.picture("widget-number").await;

    // The field is what browsers and password managers look for, and stays as it was typed.
    let tel = browser.find("input[type=tel]").await;
    assert_eq!(tel.property("autocomplete").await, "tel");
    let number = app.number();
    let spelt = format!(" ({}) {}-{}", &number[..3], &number[3..6], &number[6..]);
    browser.click(".ringback-button").await;
    says(&browser, "Enter your number.").await;
    browser.axe("number missing").await;
    browser.fill("input[type=tel]", "079 123").await;
    browser.click(".ringback-button").await;
    says(&browser, "No code can be sent to this number.").await;
    assert_eq!(
        browser
            .value("document.querySelector('input[type=tel]').value")
            .await,
        "079 123"
    );
    browser.axe("number refused").await;
    browser.picture("widget-number-refused").await;
    browser
        .run(
            "document.querySelector('input[type=tel]').value = ''",
            json!([]),
        )
        .await;
    browser.fill("input[type=tel]", &spelt).await;
    browser.click(".ringback-button").await;
    let code = browser.find(".ringback-code").await;
    for (name, value) in [
        ("autocomplete", "one-time-code"),
        ("inputMode", "numeric"),
        ("translate", ""),
    ] {
        let is = code.property(name).await;
        assert!(
            is == value || (name == "translate" && is == false),
            "{name}: {is}"
        );
    }
    assert_eq!(code.property("maxLength").await, -1);
    let size = browser
        .value("parseFloat(getComputedStyle(document.querySelector('.ringback-code')).fontSize)")
        .await;
    assert!(size.as_f64() >= Some(16.0), "{size}");
    says(
        &browser,
        &format!("We sent a code to ••• {}", &number[number.len() - 2..]),
    )
    .await;
    says(&browser, "Send again in 1:00").await;
    assert!(browser.focus().await.starts_with("ringback-"));
    assert_eq!(
        browser
            .value("document.querySelector('[role=status]').textContent")
            .await,
        "The code is on its way."
    );
    browser.axe("code").await;
    browser.picture("widget-code").await;

    let right = app.code(&number).await;
    browser.click(".ringback-button").await;
    says(&browser, "Enter all 6 characters of the code.").await;
    fill_in(&browser, &wrong(&right, 0)).await;
    says(&browser, "This code is wrong or has expired.").await;
    // Who also presses the button does not lose another guess, as the errors below show.
    browser.click(".ringback-button").await;
    says(&browser, "This code is wrong or has expired.").await;
    browser.axe("code refused").await;
    browser.picture("widget-code-refused").await;
    fill_in(&browser, &format!("{}-{}", &right[..3], &right[3..])).await;
    says(&browser, "Your number is verified.").await;
    browser.axe("verified").await;
    browser.picture("widget-verified").await;
    assert_eq!(
        browser.value("document.activeElement.className").await,
        "ringback-done"
    );
    let verified = heard(&browser, "verified").await;
    assert_eq!(verified.len(), 1);
    let listed = Wire::Grpc
        .ok(
            &app,
            "ListUserPhones",
            &app.admin(),
            json!({"userId": "ann"}),
        )
        .await;
    assert_eq!(verified[0]["phoneId"], listed["phones"][0]["id"]);
    assert_eq!(listed["phones"][0]["isVerified"], true);
    let errors = heard(&browser, "error").await;
    let reasons: Vec<&str> = errors.iter().map(|one| text(one, "reason")).collect();
    assert_eq!(reasons, ["number_not_international", "code_refused"]);
    assert_eq!(browser.value("violations").await, json!([]));
    // Nothing of it is left behind in the browser.
    assert_eq!(browser.value("JSON.stringify([Object.keys(sessionStorage), Object.keys(localStorage), document.cookie])").await, "[[],[],\"\"]");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_keeps_the_countdown_and_limits_are_told_in_words_on_sqlite() {
    let (app, site, browser) = started().await;
    site.page(&app, "<ringback-verify></ringback-verify>").await;
    let user = app.user("ann", "acme");
    site.open(&browser, &[&user]).await;
    let number = app.number();
    let code = ask(&app, &browser, &number).await;
    let kept = browser.value("JSON.stringify({ ...sessionStorage })").await;
    let kept: Value = serde_json::from_str(kept.as_str().expect("a text")).expect("JSON");
    let kept = kept.as_object().expect("an object");
    assert_eq!(kept.len(), 1);
    let until: f64 = kept["ringback-verify:0"]
        .as_str()
        .and_then(|it| it.parse().ok())
        .expect("a time");
    assert!(until > 1e12, "{until}");

    app.seconds(20);
    browser.reload().await;
    says(&browser, "Send again in 0:40").await;
    says(&browser, &number[number.len() - 2..]).await;
    // The same number again, too soon.
    browser.click(".ringback-link:last-child").await;
    browser.fill("input[type=tel]", &number).await;
    browser.click(".ringback-button").await;
    says(&browser, "Too many tries. Try again in 0:40.").await;
    browser.axe("too soon").await;
    let errors = heard(&browser, "error").await;
    assert_eq!(
        (&errors[0]["reason"], &errors[0]["retryAfter"]),
        (&json!("limited"), &json!(40))
    );

    browser.reload().await;
    browser.until(CODE).await;
    for n in 0..5 {
        fill_in(&browser, &wrong(&code, n)).await;
        says(&browser, "This code is wrong or has expired.").await;
        browser
            .run(
                "document.querySelector('.ringback-error').textContent = ''",
                json!([]),
            )
            .await;
    }
    // The right one is too late now, and says so, or how long to wait.
    fill_in(&browser, &code).await;
    browser
        .until("document.querySelector('.ringback-error').textContent")
        .await;
    assert_eq!(heard(&browser, "verified").await.len(), 0);
    // What was refused is not handed in again by itself.
    let before = heard(&browser, "error").await.len();
    fill_in(&browser, &code).await;
    assert_eq!(heard(&browser, "error").await.len(), before);
    app.seconds(700);
    browser.reload().await;
    browser
        .until("document.querySelector('input[type=tel]')")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_enough_and_what_is_pasted_is_read_on_sqlite() {
    let (app, site, browser) = started().await;
    site.page(&app, "<ringback-verify></ringback-verify>").await;
    site.open(&browser, &[&app.user("ann", "acme")]).await;
    let number = app.number();
    browser.click("#clip").await;
    browser.keys(TAB).await;
    assert_eq!(browser.focus().await, "ringback-1-");
    browser.keys(&number).await;
    browser.keys(ENTER).await;
    browser.until(CODE).await;
    assert_eq!(
        browser.value("document.activeElement.autocomplete").await,
        "one-time-code"
    );
    // To the button, to what can be done else, and back.
    let mut met = Vec::new();
    for _ in 0..3 {
        browser.keys(TAB).await;
        met.push(browser.value("document.activeElement.className").await);
    }
    assert_eq!(met, ["ringback-button", "ringback-link", "ringback-link"]);
    let code = app.code(&number).await;
    let message = format!(
        "{code} is your code for Acme. Valid for 10 min, do not share. @acme.example #{code}"
    );
    browser
        .run("clip.value = arguments[0]; clip.select()", json!([message]))
        .await;
    browser.run("clip.focus()", json!([])).await;
    browser.control("c").await;
    browser
        .run(
            "document.querySelector('.ringback-code').focus()",
            json!([]),
        )
        .await;
    browser.control("v").await;
    says(&browser, "Your number is verified.").await;
    // By a token of their own, users may change their minds.
    browser.reload().await;
    says(&browser, "Your number is verified.").await;
    browser.axe("verified, by a user's token").await;
    browser.picture("widget-change").await;
    browser.click(".ringback-link").await;
    browser.find("input[type=tel]").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_fields_on_one_page_do_not_meet_on_sqlite() {
    let (app, site, browser) = started().await;
    let fields =
        "<ringback-verify name=first></ringback-verify><ringback-verify lang=de></ringback-verify>";
    site.page(&app, fields).await;
    site.open(
        &browser,
        &[&app.user("ann", "acme"), &app.user("bob", "acme")],
    )
    .await;
    says(&browser, "Handynummer").await;
    says(&browser, "Mobile number").await;
    let (one, two) = (app.number(), app.number());
    browser.fill("[name=first] input", &one).await;
    browser.click("[name=first] .ringback-button").await;
    browser
        .until("document.querySelector('[name=first] .ringback-code')")
        .await;
    browser.fill("[lang=de] input", &two).await;
    browser
        .click("ringback-verify[lang=de] .ringback-button")
        .await;
    browser
        .until("document.querySelectorAll('.ringback-code').length == 2")
        .await;
    says(&browser, "Wir haben einen Code an").await;
    browser.axe("two fields").await;
    let ids = browser
        .value("[...document.querySelectorAll('[id]')].map((node) => node.id)")
        .await;
    let ids = ids.as_array().expect("ids").clone();
    assert!(
        (1..ids.len()).all(|n| !ids[n..].contains(&ids[n - 1])),
        "{ids:?}"
    );
    let code = app.code(&two).await;
    browser
        .fill("ringback-verify[lang=de] .ringback-code", &code)
        .await;
    says(&browser, "Ihre Nummer ist bestätigt.").await;
    assert_eq!(
        browser
            .value("document.querySelectorAll('.ringback-code').length")
            .await,
        1
    );
    // Its words follow the attribute, from right to left where they are.
    browser
        .run(
            "document.querySelector('[name=first]').lang = 'ar'",
            json!([]),
        )
        .await;
    browser
        .until("getComputedStyle(document.querySelector('[name=first]')).direction === 'rtl'")
        .await;
    browser.axe("Arabic").await;
    // Nobody has to begin again whose token is over.
    browser
        .run(
            "document.querySelector('[name=first]').token = 'no.token.atall'",
            json!([]),
        )
        .await;
    browser
        .until("document.querySelector('[name=first] .ringback-error')?.textContent")
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_is_taken_out_of_its_message_where_the_browser_can_on_sqlite() {
    let (app, site, browser) = started_with(|config| {
        config.codes.alphabet = Alphabet::Letters;
        config.codes.length = 8;
    })
    .await;
    site.page(&app, "<ringback-verify></ringback-verify>").await;
    site.open(&browser, &[&app.user("ann", "acme")]).await;
    // What a phone's browser has, which reads messages.
    let phone = "window.OTPCredential = class {}; window.ended = 0;
        navigator.credentials.get = ({ otp, signal }) => new Promise((done, fail) => {
          window.deliver = (code) => otp.transport[0] === 'sms' && done({ code });
          signal.onabort = () => { window.ended += 1; fail(signal.reason); };
        })";
    browser.run(phone, json!([])).await;
    let number = app.number();
    let code = ask(&app, &browser, &number).await;
    let field = browser.find(".ringback-code").await;
    assert_eq!(field.property("inputMode").await, "text");
    // Nobody listens on while another number is typed.
    browser.click(".ringback-link:last-child").await;
    browser.until("ended === 1").await;
    app.seconds(60);
    ask(&app, &browser, &number).await;
    // By hand in small letters and groups, and wrong.
    browser.fill(".ringback-code", "abcd efgh").await;
    says(&browser, "This code is wrong or has expired.").await;
    browser.run("deliver(arguments[0])", json!([code])).await;
    says(&browser, "Your number is verified.").await;
}

#[test]
fn the_widget_is_small() {
    let source = include_bytes!("../../../widget/ringback-verify.js");
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(source).expect("memory");
    let size = packed.finish().expect("memory").len();
    println!("widget/ringback-verify.js: {size} bytes in gzip");
    assert!(size <= 6 * 1024, "{size}");
}
