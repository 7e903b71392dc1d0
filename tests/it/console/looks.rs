//! Every page of the console as people with other eyes, screens and hands meet it.

use serde_json::json;

use super::with_console;
use crate::app::TestApp;
use crate::browser::{Browser, TAB};
use crate::database::Database;
use crate::process::harness::{Server, fresh_data};

/// Pages, with what shows that one is whole.
const PAGES: &[(&str, &str)] = &[
    ("/console/overview", ".tiles"),
    ("/console/find", "tbody tr"),
    ("/console/users/ann?org=acme", "article"),
    ("/console/messages", "tbody tr"),
    ("/console/guard", ".note"),
    ("/console/events", "tbody tr"),
    ("/console/settings", "[data-key]"),
    ("/console/api", ".operations li"),
    ("/console/api/PhoneService_AddUserPhone", "#try"),
    ("/console/nothing", "h1"),
    ("/console/users/nobody?org=acme", ".note.bad"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_for_everybody_on_sqlite() {
    let app = TestApp::start_with(Database::sqlite().await, with_console).await;
    let browser = Browser::start().await;
    for (user, number) in [("ann", app.number()), ("bob", app.number())] {
        let phone = json!({"userId": user, "phone": number});
        let request = app
            .http
            .post(app.url("/zitadel.user.v2.UserService/SetPhone"));
        let token = app.user(user, "acme");
        let answer = request.bearer_auth(token).json(&phone).send().await;
        assert_eq!(answer.expect("an answer").status(), 200);
    }
    app.deliver().await;
    app.seconds(300);
    app.tally().await;
    app.record().await;

    browser.open(&app.url("/console/overview")).await;
    browser.until("document.querySelector('.gate')").await;
    browser.axe("the gate").await;
    browser.picture("gate").await;
    browser.click("details > summary").await;
    browser.fill("textarea", "a.b.c").await;
    browser.click("form button").await;
    browser
        .until("!document.querySelector('form .note.bad').hidden")
        .await;
    browser.axe("the gate with a wrong token").await;
    browser
        .run("document.querySelector('textarea').value = ''", json!([]))
        .await;
    browser.fill("textarea", &app.admin()).await;
    browser.click("form button").await;
    browser.until("document.querySelector('.side nav')").await;

    for &(path, whole) in PAGES {
        let go = "history.pushState(null, '', arguments[0]); dispatchEvent(new PopStateEvent('popstate'))";
        browser.run(go, json!([path])).await;
        browser
            .until(&format!(
                "document.querySelector({})",
                json!(format!("main {whole}"))
            ))
            .await;
        browser
            .until("!document.querySelector('[aria-busy]')")
            .await;
        browser.axe_at_widths(path).await;
        browser.picture(&path.replace(['/', '?', '='], "_")).await;
    }
    chart_of_a_telephone(&browser).await;
    dialogs_and_focus(&browser).await;
}

/// Opened on a telephone, the chart has words that can be read and nothing to scroll.
async fn chart_of_a_telephone(browser: &Browser) {
    browser.width(360).await;
    browser.click("a[href='/console/find']").await;
    browser.until("document.querySelector('tbody tr')").await;
    browser.click("a[href='/console/overview']").await;
    browser.until("document.querySelector('.chart')").await;
    let over = "(() => { const one = document.querySelector('[role=region]'); return one.scrollWidth - one.clientWidth })()";
    assert_eq!(browser.value(over).await, json!(0));
    let height = "document.querySelector('.chart text').getBoundingClientRect().height";
    let height = browser.value(height).await.as_f64();
    assert!(height.is_some_and(|height| height >= 8.0), "{height:?}");
    browser.axe("overview of a telephone").await;
    browser.picture("overview-telephone").await;
}

/// What is asked before something is done is read out, keeps the focus, and gives it back.
async fn dialogs_and_focus(browser: &Browser) {
    browser.click(".side a[href='/console/find']").await;
    browser.until("document.querySelector('tbody tr')").await;
    // The heading of a new page is read out.
    assert_eq!(browser.value("document.activeElement.tagName").await, "H1");
    browser.click("a[href='/console/users/ann?org=acme']").await;
    for action in [
        "set", "unlock", "resend", "code", "verified", "remove", "export", "erase",
    ] {
        browser.click(&format!("[data-do={action}]")).await;
        let named = "document.querySelector('dialog').getAttribute('aria-labelledby') === document.querySelector('dialog h2').id";
        browser.until(named).await;
        browser.axe(&format!("before {action}")).await;
        browser.picture(&format!("before_{action}")).await;
        for _ in 0..8 {
            browser.keys(TAB).await;
            let within = "document.activeElement === document.body || !!document.activeElement.closest('dialog')";
            assert_eq!(browser.value(within).await, true, "{action}");
        }
        browser.click("dialog [data-close]").await;
        browser.until("!document.querySelector('dialog')").await;
        let back = "document.activeElement.dataset.do";
        assert_eq!(browser.value(back).await, action);
    }
}

/// `/` of `ringback dev`: signed in, with a token to copy and messages as they come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_page_of_dev_shows_messages_as_they_come_on_sqlite() {
    let (_directory, data) = fresh_data();
    let server = Server::dev(&data, None).await;
    let browser = Browser::start().await;
    browser.open(&format!("{}/", server.base)).await;
    browser.until("document.querySelector('textarea')").await;
    let token = browser
        .value("document.querySelector('textarea').value")
        .await;
    let token = token.as_str().expect("a text").to_owned();
    browser
        .until("document.body.innerText.includes('No message has come yet.')")
        .await;
    let phone = json!({"phone": "+41791234567"});
    let user = server
        .post("/v2/users/human", &token, json!({"userId": "ann"}))
        .await;
    assert_eq!(user.status, 200, "{user:?}");
    let set = server.post("/v2/users/ann/phone", &token, phone).await;
    assert_eq!(set.status, 200, "{set:?}");
    browser
        .until("document.querySelector('.letters .code')")
        .await;
    for (path, name) in [("/", "start"), ("/console/inbox", "inbox")] {
        browser.open(&format!("{}{path}", server.base)).await;
        browser
            .until("document.querySelector('.letters .code')")
            .await;
        browser.axe_at_widths(path).await;
        browser.picture(name).await;
    }
    // From there to a user by clicks, still signed in.
    browser.click(".side a[href='/console/find']").await;
    browser.click("td.name a").await;
    browser
        .until("document.querySelector('h1')?.textContent === 'ann'")
        .await;
}
