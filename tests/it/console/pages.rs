//! The console in a real browser: what a support person is asked, what nasty texts do, who sees what.

use std::collections::BTreeSet;

use ringback::proto::pool;
use serde_json::{Value, json};

use super::with_console;
use crate::app::TestApp;
use crate::browser::Browser;
use crate::database::Database;

crate::on_both! {
    five_questions_are_answered_by_clicks,
}

/// A console with a browser before it, signed in with a pasted token.
struct Desk {
    app: TestApp,
    browser: Browser,
    clicks: u32,
}

impl Desk {
    async fn open(database: Database) -> Desk {
        let app = TestApp::start_with(database, with_console).await;
        let browser = Browser::start().await;
        Desk {
            app,
            browser,
            clicks: 0,
        }
    }

    /// Signs in, and is where a console begins.
    async fn sign_in(&mut self, token: &str) {
        let browser = &self.browser;
        browser.open(&self.app.url("/console")).await;
        browser.click("details > summary").await;
        browser.fill("textarea", token).await;
        browser.click("form button").await;
        browser.until("document.querySelector('.side nav')").await;
        self.clicks = 0;
    }

    async fn click(&mut self, css: &str) {
        self.browser.click(css).await;
        self.clicks += 1;
    }

    async fn reads(&self, text: &str) {
        let has = format!("document.body.innerText.includes({})", json!(text));
        self.browser.until(&has).await;
    }

    /// Says how many clicks it took, begins anew at the start.
    async fn answered(&mut self, question: &str) {
        println!("{question}: {} clicks", self.clicks);
        assert!(
            (1..=6).contains(&self.clicks),
            "{question}: {}",
            self.clicks
        );
        self.browser.click(".side a[href='/console/find']").await;
        self.reads("User id, number, or how a number begins").await;
        self.clicks = 0;
    }

    /// Every address that the pages have asked for.
    async fn asked(&self) -> BTreeSet<String> {
        let all =
            "performance.getEntriesByType('resource').map((one) => new URL(one.name).pathname)";
        let all = self.browser.value(all).await;
        let all = all.as_array().expect("a list").iter();
        all.map(|path| path.as_str().expect("a text").to_owned())
            .collect()
    }

    async fn call(&self, method: &str, token: &str, body: Value) -> Value {
        let request = self.app.http.post(self.app.url(&format!("/{method}")));
        let answer = request.bearer_auth(token).json(&body).send().await;
        answer.expect("an answer").json().await.expect("JSON")
    }

    async fn set(&self, user: &str, number: &str) {
        let phone = json!({"userId": user, "phone": number});
        let token = self.app.user(user, "acme");
        self.call("zitadel.user.v2.UserService/SetPhone", &token, phone)
            .await;
    }
}

fn owner(app: &TestApp) -> String {
    app.token(json!({"sub": "boss", "org_id": "acme", "roles": ["ORG_OWNER"]}))
}

const ANN: &str = "a[href='/console/users/ann?org=acme']";

async fn five_questions_are_answered_by_clicks(database: Database) {
    let mut desk = Desk::open(database).await;
    let (number, token) = (desk.app.number(), owner(&desk.app));
    desk.set("ann", &number).await;
    let code = desk.app.code(&number).await;
    desk.sign_in(&token).await;

    desk.click(ANN).await;
    desk.reads("not verified").await;
    desk.reads("A code is open: sent in 1 message").await;
    desk.answered("how does the number stand?").await;

    desk.click(ANN).await;
    desk.reads("The next code can go out in 1 minute").await;
    desk.reads("there is a pause after each message to the number")
        .await;
    desk.click("[data-messages] td a").await;
    desk.reads("The route inbox has it.").await;
    desk.answered("why is there no text?").await;

    desk.app.seconds(60);
    desk.click(ANN).await;
    desk.click("[data-do=resend]").await;
    desk.reads("A code goes out to").await;
    desk.click("dialog .main").await;
    desk.reads("A code is on its way to").await;
    assert_eq!(desk.app.letters(&number).await.len(), 2);
    desk.answered("can it be sent again?").await;

    let wrong = if code == "000000" { "111111" } else { "000000" };
    let verify = "ringback.phone.v1.PhoneService/VerifyUserPhone";
    for _ in 0..3 {
        let guess = json!({"userId": "ann", "phone": number, "verificationCode": wrong});
        desk.call(verify, &desk.app.user("ann", "acme"), guess)
            .await;
    }
    desk.click(ANN).await;
    desk.reads("3 wrong codes since the last right one").await;
    desk.click("[data-do=unlock]").await;
    desk.reads("Wrong codes and the pauses between messages are forgotten")
        .await;
    desk.click("dialog .main").await;
    desk.reads("ann may guess again.").await;
    desk.browser
        .until("!document.body.innerText.includes('wrong codes since')")
        .await;
    desk.answered("can it be unlocked?").await;

    desk.click(ANN).await;
    desk.click("[data-do=remove]").await;
    desk.reads("is taken from ann at once").await;
    desk.click("dialog .main").await;
    desk.reads("The user has no number.").await;
    desk.answered("can it be removed?").await;

    only_public(desk.asked().await);
}

/// The console's way in is everybody's.
fn only_public(asked: BTreeSet<String>) {
    let methods: BTreeSet<String> = pool()
        .services()
        .flat_map(|service| {
            let methods: Vec<_> = service.methods().collect();
            methods
                .into_iter()
                .map(move |method| format!("/{}/{}", service.full_name(), method.name()))
        })
        .collect();
    let other = |path: &&String| !methods.contains(*path) && !path.starts_with("/assets/");
    let others: Vec<&String> = asked.iter().filter(other).collect();
    assert_eq!(others, ["/console.json"]);
    assert!(asked.iter().filter(|path| methods.contains(*path)).count() > 5);
}

/// What people write into names and ids, and what some of them hope that becomes of it.
const NASTY: [&str; 9] = [
    "<img src=x onerror=hit()>",
    "\"><script>hit()</script>",
    "'><svg onload=hit()>",
    "</title></textarea><b>bold</b>",
    "javascript:hit()",
    "&lt;i&gt; &amp; &#60;",
    "${hit()} {{hit()}} `hit()`",
    "../../openapi.json?x=1#y",
    "\u{202e}gnorw <!-- --> %3Cb%3E",
];

/// That a page shows a text, and that nothing in it came alive.
const CALM: &str = "!window.wasHit && [...document.querySelectorAll('main *')].every((one) => \
    !['SCRIPT', 'IMG', 'B', 'I', 'IFRAME'].includes(one.tagName) && \
    ![...one.attributes].some((a) => a.name.startsWith('on') || /^javascript:/i.test(a.value) && a.name === 'href'))";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nasty_texts_are_texts_on_sqlite() {
    let mut desk = Desk::open(Database::sqlite().await).await;
    for nasty in NASTY {
        desk.set(nasty, &desk.app.number()).await;
    }
    desk.app.deliver().await;
    let token = owner(&desk.app);
    desk.sign_in(&token).await;
    desk.browser
        .run("window.hit = () => { window.wasHit = true }", json!([]))
        .await;
    for nasty in NASTY {
        let link = format!(
            "[...document.querySelectorAll('td.name a')].find((one) => one.textContent === {})",
            json!(nasty)
        );
        desk.browser.until(&link).await;
        desk.browser.until(CALM).await;
        desk.browser
            .run(&format!("({link}).click()"), json!([]))
            .await;
        let heading = format!(
            "document.querySelector('h1')?.textContent === {}",
            json!(nasty)
        );
        desk.browser.until(&heading).await;
        desk.browser
            .until(
                "document.querySelector('article') && document.querySelector('[data-messages] td')",
            )
            .await;
        desk.browser.until(CALM).await;
        desk.browser.click("[data-do=resend]").await;
        desk.browser.click("dialog [data-close]").await;
        desk.browser.click("[data-do=unlock]").await;
        let says = format!(
            "document.querySelector('dialog h2')?.textContent === {}",
            json!(format!("Unlock {nasty}"))
        );
        desk.browser.until(&says).await;
        desk.browser.until(CALM).await;
        desk.browser.click("dialog [data-close]").await;
        // In a search, and in what it says when nothing is found.
        desk.browser.click(".side a[href='/console/find']").await;
        desk.browser
            .fill("input[name=q]", &format!("{nasty}!"))
            .await;
        desk.browser.click("form .main").await;
        desk.reads("No number of a user").await;
        let kept = format!(
            "document.querySelector('input[name=q]')?.value === {}",
            json!(format!("{nasty}!"))
        );
        desk.browser.until(&kept).await;
        desk.browser.until(CALM).await;
        desk.browser
            .click(".side a[href='/console/messages']")
            .await;
        desk.browser
            .until("document.querySelector('tbody tr')")
            .await;
        desk.browser.fill("input[name=user]", nasty).await;
        desk.browser.fill("input[name=phone]", nasty).await;
        desk.browser.click("form .main").await;
        // No number is like this, and the refusal says so.
        desk.browser
            .until("document.querySelector('.note.bad')")
            .await;
        desk.browser.until(CALM).await;
        desk.browser.click(".side a[href='/console/find']").await;
    }
    let title = desk.browser.value("document.title").await;
    assert_eq!(title, "Find · ringback");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_nothing_sees_the_own_numbers_only_on_sqlite() {
    let mut desk = Desk::open(Database::sqlite().await).await;
    let number = desk.app.number();
    desk.set("ann", &number).await;
    desk.set("bob", &desk.app.number()).await;
    let token = desk.app.user("ann", "acme");
    desk.sign_in(&token).await;
    desk.reads(&number).await;
    let menu = desk
        .browser
        .value("[...document.querySelectorAll('.side nav a')].map((one) => one.textContent)")
        .await;
    assert_eq!(menu, json!(["My numbers", "API"]));
    let buttons = "[...document.querySelectorAll('[data-do]')].map((one) => one.dataset.do)";
    let buttons = desk.browser.value(buttons).await;
    assert_eq!(buttons, json!(["export", "set", "resend", "code"]));
    // A wrong code counts, and the page says so.
    desk.browser.click("[data-do=code]").await;
    desk.browser.fill("dialog input", "000000").await;
    desk.browser.click("dialog .main").await;
    desk.reads("Code refused.").await;
    desk.browser.click("dialog [data-close]").await;
    desk.reads("1 wrong code since the last right one.").await;
    desk.reads(&number).await;
    for (path, says) in [
        ("/console/users/bob", "Account not found."),
        ("/console/settings", "Permission denied."),
        ("/console/overview", "Permission denied."),
        ("/console/messages", "Permission denied."),
    ] {
        // As a link would, which keeps who is signed in.
        let go = "history.pushState(null, '', arguments[0]); dispatchEvent(new PopStateEvent('popstate'))";
        desk.browser.run(go, json!([path])).await;
        desk.browser
            .until("document.querySelector('.note.bad')")
            .await;
        let told = desk
            .browser
            .value("document.querySelector('.note.bad').textContent")
            .await;
        assert_eq!(told, says, "{path}");
    }
    // A token that is none, and one that has ended.
    desk.browser.open(&desk.app.url("/console/users/ann")).await;
    desk.browser.click("details > summary").await;
    desk.browser.fill("textarea", "<b>no</b>").await;
    desk.browser.click("form button").await;
    desk.browser
        .until("!document.querySelector('form .note.bad').hidden")
        .await;
    // The token is kept nowhere.
    let stored = desk
        .browser
        .value("JSON.stringify([localStorage, sessionStorage, document.cookie])")
        .await;
    assert_eq!(stored, "[{},{},\"\"]");
}
