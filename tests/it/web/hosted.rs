//! The hosted page in a browser, with scripts and without.

use serde_json::{Value, json};

use super::sessions::{open, text};
use super::widget::started;
use crate::http::wire::Wire;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_proves_a_number_and_goes_back_on_sqlite() {
    let (app, site, browser) = started().await;
    let back = format!("{}/back/done", site.server.uri());
    let opened = open(&app, json!({"userId": "ann", "returnUrl": back})).await;
    browser.open(text(&opened, "url")).await;
    browser
        .until(
            "document.querySelector('input[type=tel]') && !document.querySelector('#back').hidden",
        )
        .await;
    browser.axe_at_widths("number").await;
    browser.picture("page-number").await;
    // Only what there is to do is to be seen.
    let seen = "[...document.querySelectorAll('a, button, input')].filter((one) => one.offsetParent).map((one) => one.innerText)";
    assert_eq!(browser.value(seen).await, json!(["", "Send code", "Back"]));
    // What logs could hold is gone from the address, and used up.
    let url = browser.value("location.search").await;
    assert_eq!(url, "");
    let number = app.number();
    browser.fill("input[type=tel]", &number).await;
    browser.click(".ringback-button").await;
    browser
        .until("document.querySelector('.ringback-code')")
        .await;
    browser.axe_at_widths("code").await;
    browser.picture("page-code").await;
    app.seconds(30);
    browser.reload().await;
    browser
        .until("document.body.innerText.includes('Send again in 0:30')")
        .await;
    let code = app.code(&number).await;
    browser.fill(".ringback-code", &code).await;
    browser
        .until("document.body.innerText.includes('Your number is verified.')")
        .await;
    browser.until("location.pathname === '/back/done'").await;
    let query = browser.value("location.search").await;
    let result = query
        .as_str()
        .and_then(|query| query.strip_prefix("?ringback_result="));
    let check = json!({"result": result.expect("a result")});
    let told = Wire::Grpc
        .ok(&app, "CheckVerificationResult", &app.admin(), check)
        .await;
    assert_eq!(
        (&told["phone"], &told["isVerified"]),
        (&json!(number), &json!(true))
    );
    assert_eq!(browser.value("document.referrer").await, "");

    // Opened again it says what came of it, and goes back once more.
    let page = text(&opened, "url").to_owned();
    browser.open("about:blank").await;
    browser.open(&page).await;
    browser
        .until("document.body.innerText.includes('Your number is verified.')")
        .await;
    browser.axe_at_widths("verified").await;
    browser.picture("page-verified").await;

    app.seconds(1_900);
    browser.open("about:blank").await;
    browser.open(&page).await;
    browser
        .until("document.body.innerText.includes('This page has expired.')")
        .await;
    assert_eq!(browser.value(seen).await, json!([]));
    browser.axe_at_widths("expired").await;
    browser.picture("page-expired").await;
    browser.open(&app.url("/verify")).await;
    browser
        .until("document.body.innerText.includes('This page has expired.')")
        .await;
    browser.axe_at_widths("no session").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_needs_no_scripts_on_sqlite() {
    let (app, site, browser) = started().await;
    let back = format!("{}/back/done", site.server.uri());
    let opened = open(
        &app,
        json!({"userId": "ann", "returnUrl": back, "language": "de"}),
    )
    .await;
    browser.scripts(false).await;
    browser.open(text(&opened, "url")).await;
    browser.picture("plain-open").await;
    browser.click("noscript button, button").await;
    browser.find("#phone").await;
    browser.picture("plain-number").await;
    let number = app.number();
    browser.fill("#phone", &number).await;
    browser.click(".ringback-button").await;
    browser.find("#code").await;
    browser.picture("plain-code").await;
    browser.fill("#code", "12").await;
    browser.click(".ringback-button").await;
    browser.find("#problem").await;
    browser.picture("plain-code-refused").await;
    let code = app.code(&number).await;
    browser.fill("#code", &code).await;
    browser.click(".ringback-button").await;
    browser.find(".ringback-done").await;
    browser.picture("plain-verified").await;
    let shown = browser.text().await;
    assert!(shown.contains("Ihre Nummer ist bestätigt."), "{shown}");
    browser.click("a.ringback-button").await;
    browser.until("location.pathname === '/back/done'").await;
    let listed = Wire::Grpc
        .ok(
            &app,
            "ListUserPhones",
            &app.admin(),
            json!({"userId": "ann"}),
        )
        .await;
    let verified: &Value = &listed["phones"][0]["isVerified"];
    assert_eq!(verified, true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plain_forms_are_as_accessible_on_sqlite() {
    let (app, _site, browser) = started().await;
    // The forms that a browser without scripts gets, looked at by one that runs the checks.
    let opened = open(&app, json!({"userId": "ann", "phone": app.number()})).await;
    let handle = text(&opened, "url")
        .split("h=")
        .nth(1)
        .and_then(|rest| rest.split(['&', '#']).next());
    let post = "const form = document.createElement('form'); form.method = 'post'; form.action = '/verify';
        for (const [name, value] of Object.entries(arguments[0])) {
          const input = document.createElement('input'); input.name = name; input.value = value; form.append(input);
        }
        document.body.append(form); form.submit()";
    browser.open(&app.url("/verify")).await;
    browser
        .run(post, json!([{"handle": handle, "do": "open"}]))
        .await;
    browser.find("#phone[readonly]").await;
    browser.axe_at_widths("number").await;
    browser.click(".ringback-button").await;
    browser.find("#code").await;
    browser.axe_at_widths("code").await;
    browser.fill("#code", "1").await;
    browser.click(".ringback-button").await;
    browser.find("#problem").await;
    browser.axe_at_widths("code refused").await;
}
