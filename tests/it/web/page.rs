//! The hosted page without scripts: plain forms, posted to the service itself.

use std::collections::HashMap;

use serde_json::json;

use super::sessions::{configured, open, text};
use crate::app::TestApp;
use crate::database::Database;
use crate::http::wire::Wire;

crate::on_both! {
    a_number_is_proven_by_plain_forms,
    a_handle_works_once,
    what_is_shown_is_text,
}

/// A page as a browser without scripts has it.
struct Shown {
    html: String,
    headers: reqwest::header::HeaderMap,
}

impl Shown {
    /// The hidden fields of its form.
    fn hidden(&self) -> HashMap<String, String> {
        let inputs = self.html.split("<input type=\"hidden\" name=\"").skip(1);
        let pair = |input: &str| {
            let (name, rest) = input.split_once("\" value=\"").expect("a value");
            let value = rest.split('"').next().expect("an end");
            (name.to_owned(), value.to_owned())
        };
        inputs.map(pair).collect()
    }

    fn says(&self, text: &str) {
        assert!(self.html.contains(text), "{text} is not in {}", self.html);
    }
}

async fn get(app: &TestApp, url: &str) -> Shown {
    // What comes after the # stays in the browser.
    let url = url.split('#').next().expect("an address");
    let answer = app
        .http
        .get(url)
        .header("accept-language", "en")
        .send()
        .await;
    shown(answer.expect("an answer")).await
}

async fn shown(answer: reqwest::Response) -> Shown {
    assert_eq!(answer.status(), 200);
    let headers = answer.headers().clone();
    let html = answer.text().await.expect("a text");
    Shown { html, headers }
}

/// Presses a button of a page.
async fn press(app: &TestApp, page: &Shown, action: &str, fields: &[(&str, &str)]) -> Shown {
    let mut all = page.hidden();
    all.insert("do".into(), action.into());
    for (name, value) in fields {
        all.insert((*name).into(), (*value).into());
    }
    post(app, &all).await
}

async fn post(app: &TestApp, fields: &HashMap<String, String>) -> Shown {
    let mut url = reqwest::Url::parse("form:").expect("an address");
    url.query_pairs_mut().extend_pairs(fields);
    let body = url.query().unwrap_or_default().to_owned();
    let request = app.http.post(app.url("/verify"));
    let request = request
        .header("content-type", "application/x-www-form-urlencoded")
        .header("accept-language", "en")
        .body(body);
    shown(request.send().await.expect("an answer")).await
}

async fn a_number_is_proven_by_plain_forms(database: Database) {
    let app = TestApp::start_with(database, configured).await;
    let back = "https://app.example.com/settings";
    let opened = open(&app, json!({"userId": "ann", "returnUrl": back})).await;
    let first = get(&app, text(&opened, "url")).await;
    for (name, value) in [
        (
            "content-security-policy",
            "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        ),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(first.headers[name], value);
    }
    // Only a form takes the session, so that whoever looks at links does not.
    get(&app, text(&opened, "url")).await;
    let number_step = press(&app, &first, "open", &[]).await;
    number_step.says("name=\"phone\"");
    number_step.says(&format!("href=\"{back}\""));
    assert!(!number_step.html.contains("<script"), "no script is needed");
    press(&app, &number_step, "send", &[("phone", " ")])
        .await
        .says("Enter your number.");
    let wrong = press(&app, &number_step, "send", &[("phone", "0791234567")]).await;
    wrong.says("No code can be sent to this number.");
    let number = app.number();
    let code_step = press(&app, &number_step, "send", &[("phone", &number)]).await;
    code_step.says("autocomplete=\"one-time-code\"");
    code_step.says("Send again in 1:00");
    press(&app, &code_step, "resend", &[])
        .await
        .says("Too many tries. Try again in 1:00.");
    press(&app, &code_step, "check", &[("code", "12")])
        .await
        .says("This code is wrong");
    press(&app, &code_step, "number", &[])
        .await
        .says("name=\"phone\"");
    app.seconds(61);
    let again = press(&app, &code_step, "resend", &[]).await;
    again.says("Send again in 2:00");
    let code = app.code(&number).await;
    let spaced = format!("{} {}", &code[..3], &code[3..]);
    let done = press(&app, &code_step, "check", &[("code", &spaced)]).await;
    done.says("Your number is verified.");
    done.says(&format!("href=\"{back}?ringback_result="));
    // Going back brings nothing but the same.
    press(&app, &number_step, "send", &[("phone", &app.number())])
        .await
        .says("This page has expired.");
    press(&app, &code_step, "", &[])
        .await
        .says("Your number is verified.");
    let listed = Wire::Grpc
        .ok(
            &app,
            "ListUserPhones",
            &app.admin(),
            json!({"userId": "ann"}),
        )
        .await;
    assert_eq!(listed["phones"][0]["phone"], number.as_str());
    assert_eq!(listed["phones"][0]["isVerified"], true);
}

async fn a_handle_works_once(database: Database) {
    let app = TestApp::start_with(database, configured).await;
    let opened = open(&app, json!({"userId": "ann"})).await;
    let first = get(&app, text(&opened, "url")).await;
    press(&app, &first, "open", &[])
        .await
        .says("name=\"phone\"");
    press(&app, &first, "open", &[])
        .await
        .says("This page has expired.");
    // A page with scripts uses it up.
    let opened = open(&app, json!({"userId": "ann"})).await;
    let first = get(&app, text(&opened, "url")).await;
    let handle = &first.hidden()["handle"];
    assert!(!handle.contains(text(&opened, "token")));
    let taken = app
        .http
        .post(app.url("/verify/taken"))
        .body(format!("handle={handle}"));
    assert_eq!(taken.send().await.expect("an answer").status(), 204);
    press(&app, &first, "open", &[])
        .await
        .says("This page has expired.");
    // Neither a made-up one nor a token of another kind opens anything.
    let opened = open(&app, json!({"userId": "ann"})).await;
    let mut fields = get(&app, text(&opened, "url")).await.hidden();
    let mut bent = fields["handle"].clone().into_bytes();
    bent[30] = if bent[30] == b'A' { b'B' } else { b'A' };
    fields.insert("handle".into(), String::from_utf8(bent).expect("a text"));
    post(&app, &fields).await.says("This page has expired.");
    for token in [
        app.user("ann", "acme"),
        app.admin(),
        String::new(),
        "a.b.c".into(),
    ] {
        let form = HashMap::from([
            ("token".to_owned(), token),
            ("do".to_owned(), "send".to_owned()),
        ]);
        post(&app, &form).await.says("This page has expired.");
    }
}

async fn what_is_shown_is_text(database: Database) {
    let nasty = "<img src=x onerror=alert(1)>\"'&";
    let app = TestApp::start_with(database, |config| {
        configured(config);
        config.messages.service_name = "A & \"B\"'s".into();
    })
    .await;
    let opened = open(&app, json!({"userId": nasty})).await;
    let mut url = reqwest::Url::parse(&app.url("/verify")).expect("an address");
    url.query_pairs_mut()
        .append_pair("h", nasty)
        .append_pair("lang", nasty);
    let first = get(&app, url.as_str()).await;
    first.says("A &amp; &quot;B&quot;&#39;s");
    first.says("value=\"&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;\"");
    assert!(!first.html.contains("<img"), "{}", first.html);
    let form = get(&app, text(&opened, "url")).await;
    let step = press(&app, &form, "open", &[]).await;
    let wrong = press(&app, &step, "send", &[("phone", nasty), ("lang", nasty)]).await;
    assert!(!wrong.html.contains("<img"), "{}", wrong.html);
}
