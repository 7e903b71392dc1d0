//! What the program tells of callers, of its settings, of users who wait, and of how messages go.

use ringback::config::{Config, OrganizationSection};
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::database::Database;
use crate::process::harness::{Server, Setup, admin, number, until};

crate::on_both! {
    a_status_says_what_a_user_waits_for,
    everybody_is_told_who_they_are,
    settings_are_for_who_may_write_everywhere,
    statistics_tell_what_was_sent_and_handed_in,
}

const ADMIN: &str = "ringback.admin.v1.AdminService";
const PHONES: &str = "ringback.phone.v1.PhoneService";
const MESSAGES: &str = "ringback.sms.v1.MessageService";

/// Calls over Connect: status and answer.
async fn call(app: &TestApp, token: &str, method: &str, body: Value) -> (u16, Value) {
    let request = app.http.post(app.url(&format!("/{method}")));
    let sent = request.bearer_auth(token).json(&body).send().await;
    let answer = sent.expect("an answer");
    let status = answer.status().as_u16();
    (status, answer.json().await.expect("JSON"))
}

async fn ok(app: &TestApp, token: &str, method: String, body: Value) -> Value {
    let (status, answer) = call(app, token, &method, body).await;
    assert_eq!(status, 200, "{method}: {answer}");
    answer
}

async fn set(app: &TestApp, user: &str, number: &str) {
    let phone = json!({"userId": user, "phone": number});
    let method = "zitadel.user.v2.UserService/SetPhone".to_owned();
    ok(app, &app.user(user, "acme"), method, phone).await;
}

async fn guess(app: &TestApp, user: &str, number: &str, code: &str) -> u16 {
    let body = json!({"userId": user, "phone": number, "verificationCode": code});
    let method = format!("{PHONES}/VerifyUserPhone");
    call(app, &app.user(user, "acme"), &method, body).await.0
}

async fn a_status_says_what_a_user_waits_for(database: Database) {
    let app = TestApp::start_with(database, |config| {
        config.limits.free_failures = 2;
        config.limits.lock_at_failures = 4;
    });
    let app = app.await;
    let number = app.number();
    set(&app, "ann", &number).await;
    let manager = app.manager("acme");
    let look = async || {
        let method = format!("{PHONES}/GetUserPhoneStatus");
        ok(&app, &manager, method, json!({"userId": "ann"})).await
    };
    let status = look().await;
    let phone = &status["phones"][0];
    assert_eq!(phone["phone"]["phone"], number);
    let left = phone["code"]["guessesLeft"].as_u64().expect("a number");
    assert_eq!(phone["code"]["sends"], 1);
    assert_eq!(phone["resendAfter"], "60s");
    let blocked = phone["blocked"].as_str().expect("a text");
    assert!(blocked.starts_with("No code goes out to this number"));
    let limit = status["limits"].as_array().expect("a list").iter();
    let mut sends = limit.filter(|limit| limit["limit"] == "sends_per_account");
    assert_eq!(sends.next().expect("one")["used"], 1);
    let code = app.code(&number).await;
    assert!(!status.to_string().contains(&code));
    // A pause is over by itself.
    app.seconds(60);
    let phone = look().await["phones"][0].clone();
    assert!(phone["resendAfter"].is_null() && phone["blocked"].is_null());
    // Wrong codes: fewer are left, then a wait, then the lock.
    let wrong = if code == "000000" { "111111" } else { "000000" };
    assert_eq!(guess(&app, "ann", &number, wrong).await, 400);
    let phone = look().await["phones"][0].clone();
    assert_eq!(phone["code"]["guessesLeft"].as_u64(), Some(left - 1));
    assert_eq!(phone["wrongCodes"], 1);
    assert!(phone["guessAfter"].is_null());
    assert_eq!(guess(&app, "ann", &number, wrong).await, 400);
    assert_eq!(look().await["phones"][0]["guessAfter"], "1s");
    for _ in 0..2 {
        app.seconds(30);
        guess(&app, "ann", &number, wrong).await;
    }
    assert_eq!(look().await["phones"][0]["isLocked"], true);
    let method = format!("{PHONES}/UnlockUser");
    ok(&app, &manager, method, json!({"userId": "ann"})).await;
    let phone = look().await["phones"][0].clone();
    assert!(phone["isLocked"].is_null() && phone["wrongCodes"].is_null());
}

async fn everybody_is_told_who_they_are(database: Database) {
    let app = TestApp::start_with(database, |config| config.verify.enabled = true).await;
    let whoami = async |token: &str| ok(&app, token, format!("{ADMIN}/GetCaller"), json!({})).await;
    let ann = whoami(&app.user("ann", "acme")).await;
    assert_eq!(
        ann,
        json!({"userId": "ann", "homeOrganizationId": "acme", "organizationId": "acme"})
    );
    let boss = whoami(&app.manager("acme")).await;
    let rights = json!(["user.read", "user.write", "user.delete"]);
    assert_eq!(boss["permissions"], rights);
    assert!(boss["permissionsEverywhere"].is_null());
    let root = whoami(&app.admin()).await;
    assert_eq!(root["permissions"], root["permissionsEverywhere"]);
    assert!(root["permissions"].as_array().expect("a list").len() >= 5);
    let roles = json!({"ORG_OWNER": {"acme": "x", "other": "y"}});
    let claims =
        json!({"sub": "bob", "org_id": "acme", "urn:zitadel:iam:org:project:roles": roles});
    let bob = whoami(&app.token(claims)).await;
    assert_eq!(bob["organizationIds"], json!(["other"]));
    let (status, _) = call(&app, "", &format!("{ADMIN}/GetCaller"), json!({})).await;
    assert_eq!(status, 401);
    // A session is not told.
    let method = "ringback.verification.v1.VerificationService/CreateVerificationSession";
    let body = json!({"userId": "ann", "organizationId": "acme"});
    let opened = ok(&app, &app.admin(), method.to_owned(), body).await;
    let session = opened["token"].as_str().expect("a token");
    let (status, _) = call(&app, session, &format!("{ADMIN}/GetCaller"), json!({})).await;
    assert_eq!(status, 403);
}

async fn settings_are_for_who_may_write_everywhere(database: Database) {
    let url = database.url.clone();
    let change = |config: &mut Config| {
        let own = OrganizationSection::default();
        config.organizations.insert("acme".into(), own);
    };
    let app = TestApp::start_with(database, change).await;
    let method = format!("{ADMIN}/GetConfig");
    for token in [
        app.user("ann", "acme"),
        app.manager("acme"),
        app.reader("acme"),
    ] {
        assert_eq!(call(&app, &token, &method, json!({})).await.0, 403);
    }
    let told = ok(&app, &app.admin(), method, json!({})).await;
    let settings = told["settings"].as_array().expect("a list");
    let of = |key: &str| {
        let found = settings.iter().find(|setting| setting["key"] == key);
        found.unwrap_or_else(|| panic!("no {key}"))
    };
    assert_eq!(of("secrets.pseudonym_key")["value"], "\"…\"");
    assert_eq!(
        of("secrets.pseudonym_key")["origin"],
        "RINGBACK_SECRETS__PSEUDONYM_KEY"
    );
    assert!(
        of("codes.length")["about"]
            .as_str()
            .is_some_and(|text| !text.is_empty())
    );
    let whole = told.to_string();
    let secret = url
        .split_once(':')
        .and_then(|(_, rest)| rest.split_once(':'));
    let password = secret
        .and_then(|(_, rest)| rest.split_once('@'))
        .map(|(word, _)| word);
    assert!(password.is_none_or(|word| !whole.contains(word)), "{whole}");
    assert!(!whole.contains("a2tra2tra2tra2tra2tr"), "{whole}");
}

async fn statistics_tell_what_was_sent_and_handed_in(database: Database) {
    let app = TestApp::start(database).await;
    let number = app.number();
    set(&app, "ann", &number).await;
    let code = app.code(&number).await;
    assert_eq!(guess(&app, "ann", &number, &code).await, 200);
    app.seconds(300);
    app.tally().await;
    let other = app.number();
    set(&app, "bob", &other).await;
    let method = format!("{MESSAGES}/GetDeliveryStatistics");
    let told = ok(&app, &app.admin(), method.clone(), json!({"hours": 2})).await;
    let hours = told["hours"].as_array().expect("a list");
    assert_eq!(hours.len(), 1, "{told}");
    let hour = &hours[0];
    assert_eq!(
        (&hour["route"], &hour["country"]),
        (&json!("inbox"), &json!("CH"))
    );
    assert_eq!(
        (&hour["sent"], &hour["verified"]),
        (&json!("1"), &json!("1"))
    );
    assert_eq!(told["routes"], json!([{"route": "inbox"}]));
    assert_eq!(told["waiting"][0]["count"], "1");
    let (status, _) = call(&app, &app.admin(), &method, json!({"hours": 169})).await;
    assert_eq!(status, 400);
    let here = app.token(json!({"sub": "boss", "org_id": "acme", "roles": ["ORG_OWNER"]}));
    assert_eq!(call(&app, &here, &method, json!({})).await.0, 403);
}

/// A route that nobody listens at is left alone, and that is told.
#[tokio::test]
async fn a_route_that_fails_is_told_on_sqlite() {
    let database = Database::sqlite().await;
    let setup = Setup::new(&database.url).with_webhook("http://127.0.0.1:1/");
    let server = Server::start(&setup).await;
    let token = admin();
    for n in 0..6 {
        let user = format!("user-{n}");
        server.register(&user, &number(n)).await;
        let resend = format!("/v2/users/{user}/phone/resend");
        let sent = server.post(&resend, &token, json!({"sendCode": {}})).await;
        assert_eq!(sent.status, 200, "{sent:?}");
    }
    until("the route is left alone", async || {
        let path = "/v2/messages/statistics";
        let told = server.get(path, &token).await;
        let route = &told.body["routes"][0];
        assert_eq!(route["route"], "relay", "{:?}", told.body);
        route["restingUntilDate"].is_string().then_some(())
    })
    .await;
}
