//! The Frontegg API: each flow as its documents tell it, and what it is safe from.

mod lists;
mod refusals;
mod tokens;
mod vendor;

use http::{HeaderMap, Method};
use serde_json::{Value, json};

use crate::api::another;
use crate::app::{TestApp, lets_send};
use crate::database::Database;
use crate::http::wire::Wire;

crate::on_both! {
    a_number_is_created_verified_and_removed,
    a_number_is_proven_before_it_is_the_users,
    a_code_can_come_later,
    a_number_is_seen_at_every_door,
    an_unconfirmed_removal_removes_nothing,
    a_token_comes_in_any_of_the_ways,
    pages_may_send_what_the_client_sends,
}

const NUMBERS: &str = "/identity/resources/users/phone-numbers";
const BROWSERS: &str = "/frontegg/identity/resources/users/phone-numbers";

/// An answer as a client of Frontegg's reads it.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    /// The body of an answer that must be JSON.
    fn json(&self) -> Value {
        assert_eq!(self.headers["content-type"], "application/json", "{self:?}");
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// A success and its body; `null` is none.
    fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.headers["cache-control"], "no-store");
        if self.text.is_empty() {
            Value::Null
        } else {
            self.json()
        }
    }

    /// An error in the vendor's form; its texts.
    fn refused(&self, status: u16) -> Vec<String> {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.headers["cache-control"], "no-store");
        let body = self.json();
        let members = body.as_object().expect("an object");
        assert!(
            members
                .keys()
                .all(|name| ["errors", "errorCode"].contains(&name.as_str()))
        );
        assert!(
            body["errorCode"].is_null()
                || body["errorCode"]
                    .as_str()
                    .is_some_and(|c| c.starts_with("ER-"))
        );
        let errors = body["errors"].as_array().expect("errors");
        assert!(!errors.is_empty());
        errors
            .iter()
            .map(|text| text.as_str().expect("a text").to_owned())
            .collect()
    }

    /// The same error for everything that is wrong with a code.
    fn wrong_code(&self) {
        assert_eq!(self.refused(400), ["Invalid code"]);
        assert_eq!(self.json()["errorCode"], "ER-01011");
    }

    /// What does not differ from call to call.
    fn shown(&self) -> Value {
        let mut shown = json!({"status": self.status, "body": self.json()});
        for name in ["allow", "retry-after", "www-authenticate"] {
            if let Some(value) = self.headers.get(name) {
                shown[name] = value.to_str().expect("a text").into();
            }
        }
        shown
    }
}

async fn send(
    app: &TestApp,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<reqwest::Body>,
) -> Answer {
    let mut request = app.http.request(method, app.url(path)).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.expect("an answer");
    Answer {
        status: answer.status().as_u16(),
        headers: answer.headers().clone(),
        text: answer.text().await.expect("a whole answer"),
    }
}

/// A caller, as the published browser client sends its calls.
struct Client<'a> {
    app: &'a TestApp,
    root: &'static str,
    bearer: String,
    more: Vec<(&'static str, String)>,
}

impl<'a> Client<'a> {
    fn new(app: &'a TestApp, token: &str) -> Client<'a> {
        Client {
            app,
            root: NUMBERS,
            bearer: format!("Bearer {token}"),
            more: Vec::new(),
        }
    }

    fn user(app: &'a TestApp, id: &str) -> Client<'a> {
        Client::new(app, &app.user(id, "acme"))
    }

    /// Also sends this header.
    fn with(mut self, name: &'static str, value: &str) -> Client<'a> {
        self.more.push((name, value.to_owned()));
        self
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut headers = vec![
            ("authorization", self.bearer.as_str()),
            ("content-type", "application/json"),
            ("accept", "*/*"),
        ];
        headers.extend(
            self.more
                .iter()
                .map(|(name, value)| (*name, value.as_str())),
        );
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        send(
            self.app,
            method,
            &format!("{}{path}", self.root),
            &headers,
            body,
        )
        .await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    async fn create(&self, number: &str) -> String {
        let created = self
            .post("/v1", json!({"phoneNumber": number}))
            .await
            .ok(201);
        created["otcToken"].as_str().expect("a token").to_owned()
    }

    async fn preverify(&self, number: &str) -> String {
        let sent = self
            .post("/v1/preverify", json!({"phoneNumber": number}))
            .await
            .ok(200);
        sent["otcToken"].as_str().expect("a token").to_owned()
    }

    async fn submit(&self, token: &str, code: &str) -> Answer {
        self.post("/v1/verify", json!({"otcToken": token, "code": code}))
            .await
    }

    /// Creates and verifies a number; its id.
    async fn holds(&self, number: &str) -> String {
        let token = self.create(number).await;
        self.submit(&token, &self.app.code(number).await)
            .await
            .ok(200);
        let numbers = self.numbers().await;
        let held = numbers.iter().find(|held| held["phoneNumber"] == number);
        held.expect("the number")["id"]
            .as_str()
            .expect("an id")
            .to_owned()
    }

    async fn ask_removal(&self, id: &str) -> String {
        let asked = self.delete(&format!("/v1/{id}")).await.ok(200);
        assert_eq!(asked["phoneId"], id);
        asked["otcToken"].as_str().expect("a token").to_owned()
    }

    async fn confirm_removal(&self, id: &str, token: &str, code: &str) -> Answer {
        let body = json!({"otcToken": token, "code": code});
        self.post(&format!("/v1/{id}/delete/verify"), body).await
    }

    /// The caller's own numbers.
    async fn numbers(&self) -> Vec<Value> {
        let own = self.get("/v1/me").await.ok(200);
        own.as_array().expect("a bare array").clone()
    }
}

async fn a_number_is_created_verified_and_removed(database: Database) {
    let app = TestApp::start(database).await;
    for (root, id) in [(NUMBERS, "ann"), (BROWSERS, "bob")] {
        let user = Client {
            root,
            ..Client::user(&app, id)
        };
        let number = app.number();
        assert!(
            user.numbers().await.is_empty(),
            "a user without an account has no numbers"
        );
        let token = user.create(&number).await;
        app.seconds(1);
        let held = user.numbers().await;
        assert_eq!(held[0]["phoneNumber"], number.as_str());
        assert_eq!(
            (&held[0]["verified"], &held[0]["userId"]),
            (&json!(false), &json!(id))
        );
        assert_eq!(held[0].as_object().map(|members| members.len()), Some(6));

        let code = app.code(&number).await;
        user.submit(&token, another(&code)).await.wrong_code();
        assert_eq!(user.submit(&token, &code).await.ok(200), Value::Null);
        let held = user.numbers().await;
        assert_eq!(held[0]["verified"], true);
        assert_ne!(held[0]["createdAt"], held[0]["updatedAt"]);
        assert_eq!(
            user.post("/v1", json!({"phoneNumber": number}))
                .await
                .status,
            409
        );

        let phone = held[0]["id"].as_str().expect("an id");
        let token = user.ask_removal(phone).await;
        assert_eq!(user.numbers().await.len(), 1, "nothing is removed yet");
        let code = app.code(&number).await;
        user.confirm_removal(phone, &token, another(&code))
            .await
            .wrong_code();
        assert_eq!(user.numbers().await.len(), 1);
        assert_eq!(
            user.confirm_removal(phone, &token, &code).await.ok(200),
            Value::Null
        );
        assert!(user.numbers().await.is_empty());
        assert_eq!(user.delete(&format!("/v1/{phone}")).await.status, 404);
    }
}

async fn a_number_is_proven_before_it_is_the_users(database: Database) {
    let app = TestApp::start(database).await;
    let (ann, bob) = (Client::user(&app, "ann"), Client::user(&app, "bob"));
    let number = app.number();
    let token = ann.preverify(&number).await;
    assert!(ann.numbers().await.is_empty());
    let listed = ann.get("/v2").await.ok(200);
    assert_eq!(listed["_metadata"]["totalItems"], 0);
    let code = app.code(&number).await;
    ann.submit(&token, another(&code)).await.wrong_code();
    assert!(ann.numbers().await.is_empty());
    ann.submit(&token, &code).await.ok(200);
    assert_eq!(ann.numbers().await[0]["verified"], true);
    assert_eq!(
        ann.post("/v1/preverify", json!({"phoneNumber": number}))
            .await
            .status,
        409
    );

    // Again, for a number that is the user's and not proven: the same code.
    let second = app.number();
    ann.create(&second).await;
    let first = app.code(&second).await;
    let soon = ann
        .post("/v1/preverify", json!({"phoneNumber": second}))
        .await;
    soon.refused(429);
    app.seconds(60);
    let token = ann.preverify(&second).await;
    assert_eq!(app.letters(&second).await.len(), 2);
    assert_eq!(app.code(&second).await, first);
    ann.submit(&token, &first).await.ok(200);
    assert_eq!(ann.numbers().await.len(), 2);

    // Two users who prove the same number never change each other's account.
    let shared = app.number();
    let anns = ann.preverify(&shared).await;
    let anns_code = app.code(&shared).await;
    app.seconds(60);
    let bobs = bob.preverify(&shared).await;
    let bobs_code = app.code(&shared).await;
    ann.submit(&bobs, &bobs_code).await.wrong_code();
    bob.submit(&anns, &anns_code).await.wrong_code();
    assert_eq!(
        (ann.numbers().await.len(), bob.numbers().await.len()),
        (2, 0)
    );
    bob.submit(&bobs, &bobs_code).await.ok(200);
    assert_eq!(
        (ann.numbers().await.len(), bob.numbers().await.len()),
        (2, 1)
    );
    ann.submit(&anns, &anns_code).await.ok(200);
    assert_eq!(
        (ann.numbers().await.len(), bob.numbers().await.len()),
        (3, 1)
    );
}

async fn a_code_can_come_later(database: Database) {
    let app = TestApp::start(database).await;
    let ann = Client::user(&app, "ann");
    let number = app.number();
    let body = json!({"phoneNumber": number, "verify": false, "unknown": {"a": 1}});
    let created = ann.post("/v1", body).await.ok(201);
    assert_eq!(created, json!({}));
    assert_eq!(app.sent().await, 0);
    assert_eq!(ann.numbers().await[0]["verified"], false);
    let token = ann.preverify(&number).await;
    assert_eq!(ann.numbers().await.len(), 1, "it stays the user's");
    ann.submit(&token, &app.code(&number).await).await.ok(200);
    assert_eq!(ann.numbers().await[0]["verified"], true);
}

async fn a_number_is_seen_at_every_door(database: Database) {
    let app = TestApp::start(database).await;
    let ann = Client::user(&app, "ann");
    let (token, me) = (app.user("ann", "acme"), || json!({"userId": "ann"}));
    let (first, second) = (app.number(), app.number());
    ann.holds(&first).await;
    app.seconds(1);
    ann.holds(&second).await;
    app.seconds(1);
    let pending = app.number();
    ann.preverify(&pending).await;
    let user = Wire::Json.ok(&app, "GetUserByID", &token, me()).await;
    assert_eq!(
        user["user"]["human"]["phone"],
        json!({"phone": first, "isVerified": true})
    );
    let phones = Wire::Json.ok(&app, "ListUserPhones", &token, me()).await;
    let phones = phones["phones"].as_array().expect("a list");
    let seen = |number: &str| phones.iter().find(|phone| phone["phone"] == number);
    assert_eq!(seen(&first).expect("the first")["isPrimary"], true);
    assert_eq!(seen(&second).expect("the second")["isVerified"], true);

    // And the other way around: what Zitadel's API sets is in Frontegg's lists.
    let third = app.number();
    let set = json!({"userId": "ann", "phone": third, "isVerified": true});
    Wire::Json.ok(&app, "SetPhone", &app.admin(), set).await;
    let numbers = ann.numbers().await;
    let held: Vec<&str> = numbers
        .iter()
        .filter_map(|held| held["phoneNumber"].as_str())
        .collect();
    assert_eq!(held, [&second, &third]);
}

async fn an_unconfirmed_removal_removes_nothing(database: Database) {
    let app = TestApp::start(database).await;
    let ann = Client::user(&app, "ann");
    let number = app.number();
    let id = ann.holds(&number).await;
    let token = ann.ask_removal(&id).await;
    let code = app.code(&number).await;
    app.seconds(601);
    ann.confirm_removal(&id, &token, &code).await.wrong_code();
    let held = ann.numbers().await;
    assert_eq!((held.len(), &held[0]["verified"]), (1, &json!(true)));
    // The browser's route asks; only the service's removes at once.
    ann.delete(&format!("/v1/vendor/ann/{id}"))
        .await
        .refused(403);
    assert_eq!(ann.numbers().await.len(), 1);
}

async fn a_token_comes_in_any_of_the_ways(database: Database) {
    let app = TestApp::start(database).await;
    let token = app.user("ann", "acme");
    let bearer = format!("Bearer {token}");
    let path = format!("{NUMBERS}/v1/me");
    let ways = [
        ("authorization", &bearer),
        ("authorization", &token),
        ("x-access-token", &token),
    ];
    for (name, value) in ways {
        send(&app, Method::GET, &path, &[(name, value)], "")
            .await
            .ok(200);
    }
    let wrong = [
        ("authorization", "Basic YTpi"),
        ("authorization", "Bearer undefined"),
        ("x-access-token", ""),
    ];
    for (name, value) in wrong {
        let answer = send(&app, Method::GET, &path, &[(name, value)], "").await;
        assert_eq!(
            answer.refused(401),
            ["Invalid authentication"],
            "{name}: {value}"
        );
    }
    // Elsewhere a token has one way.
    let path = "/v2/users/ann";
    for header in [
        ("authorization", token.as_str()),
        ("x-access-token", &token),
    ] {
        assert_eq!(
            send(&app, Method::GET, path, &[header], "").await.status,
            401
        );
    }
}

async fn pages_may_send_what_the_client_sends(database: Database) {
    let app = TestApp::start(database).await;
    let names = ["frontegg-source", "frontegg-tenant-id", "x-access-token"];
    lets_send(&app.preflight(NUMBERS).await, &names);
}
