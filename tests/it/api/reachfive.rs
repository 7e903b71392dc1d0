//! The ReachFive API: what its published clients call, and what they are told.

use http::{HeaderMap, Method};
use serde_json::{Value, json};

use crate::app::{TestApp, lets_send};
use crate::database::Database;

mod errors;
mod factors;

crate::on_both! {
    a_verified_number_stays_until_the_new_one_is_verified,
    a_verified_number_survives_an_update_that_is_never_verified,
    the_new_number_may_be_the_old_one,
    the_national_spelling_is_understood_where_configured,
    two_users_who_verify_one_pending_number_stay_apart,
    changes_ask_for_the_scope_and_a_young_token,
    what_changes_ask_for_can_be_configured,
    a_back_end_has_the_code_sent_again,
    the_start_up_call_needs_no_token,
    a_profile_is_told_by_its_fields,
    pages_may_send_what_the_clients_send,
}

const VERIFY: &str = "/identity/v1/verify-phone-number";
const UPDATE: &str = "/identity/v1/update-phone-number";
const SEND: &str = "/identity/v1/send-phone-number-verification";
const USERINFO: &str = "/identity/v1/userinfo";
const CREDENTIALS: &str = "/identity/v1/mfa/credentials";
const CREDENTIAL: &str = "/identity/v1/mfa/credentials/phone-numbers";
const CREDENTIAL_VERIFY: &str = "/identity/v1/mfa/credentials/phone-numbers/verify";

/// What a client reads.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    /// `Null` for no body at all.
    body: Value,
}

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.expect("an answer");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.expect("a text");
    assert_eq!(headers["cache-control"], "no-store", "{text}");
    // The published client reads JSON from everything but 204.
    assert_eq!(text.is_empty(), status == 204, "{status} {text}");
    let body = if status == 204 {
        Value::Null
    } else {
        assert_eq!(headers["content-type"], "application/json", "{text}");
        serde_json::from_str(&text).expect("JSON")
    };
    Answer {
        status,
        headers,
        body,
    }
}

impl Answer {
    /// The error's name, of a reply that has every part that an error must have.
    fn error(&self) -> &str {
        let body = self.body.as_object().expect("an object");
        let id = body["error_id"].as_str().expect("an id");
        assert!(
            id.len() == 10 && id.chars().all(|c| c.is_ascii_alphanumeric()),
            "{id}"
        );
        for part in ["error_description", "error_user_msg"] {
            assert!(
                body[part].as_str().is_some_and(|text| !text.is_empty()),
                "{self:?}"
            );
        }
        body["error"].as_str().expect("a name")
    }

    /// Status and name of an error.
    fn refused(&self) -> (u16, &str) {
        (self.status, self.error())
    }
}

/// As the published clients send it.
fn request(app: &TestApp, method: Method, path: &str, token: &str) -> reqwest::RequestBuilder {
    let request = app.http.request(method, app.url(path));
    request.header("authorization", format!("Bearer {token}"))
}

async fn get(app: &TestApp, path: &str, token: &str) -> Answer {
    answer(request(app, Method::GET, path, token)).await
}

async fn post(app: &TestApp, path: &str, token: &str, body: Value) -> Answer {
    let request = request(app, Method::POST, path, token);
    let request = request.header("content-type", "application/json;charset=UTF-8");
    answer(request.body(body.to_string())).await
}

/// A call without a body.
async fn bare(app: &TestApp, path: &str, token: &str) -> Answer {
    answer(request(app, Method::POST, path, token).header("content-length", "0")).await
}

/// A token that ReachFive's calls take: with the scope, and issued now.
fn fresh(app: &TestApp, user: &str) -> String {
    app.token(json!({
        "sub": user, "org_id": "acme", "scope": "openid phone full_write", "iat": app.now(),
    }))
}

async fn update(app: &TestApp, user: &str, number: &str) -> Answer {
    post(
        app,
        UPDATE,
        &fresh(app, user),
        json!({"phone_number": number}),
    )
    .await
}

async fn verify(app: &TestApp, user: &str, number: &str, code: &str) -> Answer {
    let body = json!({"phone_number": number, "verification_code": code});
    post(app, VERIFY, &fresh(app, user), body).await
}

/// What the profile says of the number.
fn phone(profile: &Value) -> (Option<&str>, Option<bool>) {
    (
        profile["phone_number"].as_str(),
        profile["phone_number_verified"].as_bool(),
    )
}

async fn shown(app: &TestApp, user: &str) -> (Option<String>, Option<bool>) {
    let told = get(app, USERINFO, &fresh(app, user)).await;
    assert_eq!(told.status, 200, "{told:?}");
    let (number, verified) = phone(&told.body);
    (number.map(str::to_owned), verified)
}

/// A user with a verified number.
async fn proven(app: &TestApp, user: &str) -> String {
    let number = app.number();
    assert_eq!(update(app, user, &number).await.status, 200);
    let code = app.code(&number).await;
    assert_eq!(verify(app, user, &number, &code).await.status, 204);
    number
}

const INVALID_CODE: (u16, &str) = (400, "invalid_grant");

async fn a_verified_number_stays_until_the_new_one_is_verified(database: Database) {
    let app = TestApp::start(database).await;
    let first = proven(&app, "ann").await;
    let second = app.number();
    let told = update(&app, "ann", &second).await;
    assert_eq!(
        (told.status, phone(&told.body)),
        (200, (Some(&*first), Some(true)))
    );
    let code = app.code(&second).await;

    // The code goes out again, to the number that waits.
    app.seconds(60);
    let before = app.sent().await;
    let told = bare(&app, SEND, &fresh(&app, "ann")).await;
    assert_eq!(
        (told.status, told.body),
        (200, json!({"verification_sms_sent": true}))
    );
    assert_eq!(app.sent().await, before + 1);
    assert_eq!(app.code(&second).await, code, "a resend repeats the code");

    assert_eq!(
        verify(&app, "ann", &first, &code).await.refused(),
        INVALID_CODE
    );
    assert_eq!(shown(&app, "ann").await, (Some(first.clone()), Some(true)));
    assert_eq!(verify(&app, "ann", &second, &code).await.status, 204);
    assert_eq!(shown(&app, "ann").await, (Some(second.clone()), Some(true)));

    // Zitadel's phone is the same one, the old one is gone, and its owner was told.
    let user = request(&app, Method::GET, "/v2/users/ann", &app.admin());
    let user: Value = user
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(
        user["user"]["human"]["phone"],
        json!({"phone": second, "isVerified": true})
    );
    let list = request(&app, Method::GET, "/v2/users/ann/phone", &app.admin());
    let list: Value = list
        .send()
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    assert_eq!(list["phones"].as_array().map(Vec::len), Some(1), "{list}");
    let notice = app.letters(&first).await.remove(0);
    assert_eq!(notice.code, None);

    // Nothing waits any more.
    let told = bare(&app, SEND, &fresh(&app, "ann")).await;
    assert_eq!(told.refused(), (400, "invalid_state"));
}

async fn a_verified_number_survives_an_update_that_is_never_verified(database: Database) {
    let app = TestApp::start(database).await;
    let first = proven(&app, "ann").await;
    let (second, third) = (app.number(), app.number());
    assert_eq!(update(&app, "ann", &second).await.status, 200);
    let late = app.code(&second).await;
    app.seconds(600);
    assert_eq!(
        verify(&app, "ann", &second, &late).await.refused(),
        INVALID_CODE
    );
    assert_eq!(shown(&app, "ann").await, (Some(first.clone()), Some(true)));

    // Another update takes the place of one that waits.
    assert_eq!(update(&app, "ann", &second).await.status, 200);
    let replaced = app.code(&second).await;
    assert_eq!(update(&app, "ann", &third).await.status, 200);
    assert_eq!(
        verify(&app, "ann", &second, &replaced).await.refused(),
        INVALID_CODE
    );
    assert_eq!(shown(&app, "ann").await, (Some(first.clone()), Some(true)));
    let code = app.code(&third).await;
    assert_eq!(verify(&app, "ann", &third, &code).await.status, 204);
    assert_eq!(shown(&app, "ann").await, (Some(third), Some(true)));
}

async fn the_new_number_may_be_the_old_one(database: Database) {
    let app = TestApp::start(database).await;
    let number = app.number();
    assert_eq!(update(&app, "ann", &number).await.status, 200);
    let code = app.code(&number).await;

    // Unverified: the code goes out again, when it may.
    let told = update(&app, "ann", &number).await;
    assert_eq!(told.refused(), (429, "rate_limit_reached"));
    assert_eq!(told.headers["retry-after"], "60");
    app.seconds(60);
    let before = app.sent().await;
    let told = update(&app, "ann", &number).await;
    assert_eq!(
        (told.status, phone(&told.body)),
        (200, (Some(&*number), Some(false)))
    );
    assert_eq!(app.sent().await, before + 1);
    assert_eq!(verify(&app, "ann", &number, &code).await.status, 204);

    // Verified: it stays as it is, and nobody is written to.
    let before = app.sent().await;
    let told = update(&app, "ann", &number).await;
    assert_eq!(
        (told.status, phone(&told.body)),
        (200, (Some(&*number), Some(true)))
    );
    assert_eq!(app.sent().await, before);
}

async fn the_national_spelling_is_understood_where_configured(database: Database) {
    let another = database.another().await;
    let app = TestApp::start(database).await;
    let told = update(&app, "ann", "079 123 45 67").await;
    assert_eq!(told.refused(), (400, "invalid_request"));
    let detail = &told.body["error_details"][0];
    assert_eq!(
        (&detail["field"], &detail["code"]),
        (&json!("phone_number"), &json!("invalid"))
    );

    let app = TestApp::start_with(another, |config| {
        config.numbers.default_region = "ch".into();
    })
    .await;
    let told = update(&app, "ann", "079 123 45 67").await;
    assert_eq!(
        (told.status, phone(&told.body)),
        (200, (Some("+41791234567"), Some(false)))
    );
    let code = app.code("+41791234567").await;
    assert_eq!(
        verify(&app, "ann", "(079) 123-45-67", &code).await.status,
        204
    );
    let told = get(&app, "/identity/v1/config", "").await;
    assert_eq!(told.body["country_code"], "CH");
}

async fn two_users_who_verify_one_pending_number_stay_apart(database: Database) {
    let app = TestApp::start(database).await;
    let (ann, bob) = (proven(&app, "ann").await, proven(&app, "bob").await);
    let wanted = app.number();
    assert_eq!(update(&app, "ann", &wanted).await.status, 200);
    let for_ann = app.code(&wanted).await;
    app.seconds(60);
    assert_eq!(update(&app, "bob", &wanted).await.status, 200);
    let for_bob = app.code(&wanted).await;
    assert_ne!(for_ann, for_bob);

    assert_eq!(
        verify(&app, "ann", &wanted, &for_bob).await.refused(),
        INVALID_CODE
    );
    assert_eq!(
        verify(&app, "bob", &wanted, &for_ann).await.refused(),
        INVALID_CODE
    );
    assert_eq!(shown(&app, "ann").await, (Some(ann), Some(true)));
    assert_eq!(shown(&app, "bob").await, (Some(bob.clone()), Some(true)));

    assert_eq!(verify(&app, "ann", &wanted, &for_ann).await.status, 204);
    assert_eq!(shown(&app, "ann").await, (Some(wanted.clone()), Some(true)));
    assert_eq!(
        shown(&app, "bob").await,
        (Some(bob), Some(true)),
        "bob has proven nothing yet"
    );
    assert_eq!(verify(&app, "bob", &wanted, &for_bob).await.status, 204);
    assert_eq!(shown(&app, "bob").await, (Some(wanted), Some(true)));
}

/// A token of `ann` with these claims beside her own.
fn with(app: &TestApp, claims: Value) -> String {
    let mut all = json!({"sub": "ann", "org_id": "acme"});
    for (name, value) in claims.as_object().expect("claims") {
        all[name] = value.clone();
    }
    app.token(all)
}

async fn changes_ask_for_the_scope_and_a_young_token(database: Database) {
    let app = TestApp::start(database).await;
    let now = app.now();
    let number = json!({"phone_number": app.number(), "verification_code": "123456"});
    let stale = (401, "invalid_grant");
    let unscoped = (403, "insufficient_scope");
    let cases = [
        (json!({"scope": "full_write", "iat": now - 300}), stale),
        (json!({"scope": "full_write"}), stale),
        (json!({"scope": "full_write", "iat": "now"}), stale),
        (json!({"scope": "openid full_writer", "iat": now}), unscoped),
        (json!({"iat": now}), unscoped),
    ];
    for (claims, refused) in cases {
        let token = with(&app, claims.clone());
        for path in [UPDATE, VERIFY, SEND, CREDENTIAL, CREDENTIAL_VERIFY] {
            let told = post(&app, path, &token, number.clone()).await;
            assert_eq!(told.refused(), refused, "{path} {claims}");
        }
        let delete = request(&app, Method::DELETE, CREDENTIAL, &token).json(&number);
        assert_eq!(answer(delete).await.refused(), refused, "{claims}");
        // Reading asks for neither, and before the body is read nothing is wrong with it.
        assert_eq!(get(&app, USERINFO, &token).await.status, 200);
        assert_eq!(get(&app, CREDENTIALS, &token).await.status, 200);
        assert_eq!(
            post(&app, UPDATE, &token, json!([])).await.refused(),
            refused
        );
    }
    assert_eq!(app.sent().await, 0);

    let young = with(&app, json!({"scopes": ["full_write"], "iat": now - 299}));
    assert_eq!(post(&app, UPDATE, &young, number.clone()).await.status, 200);
    // The same token, a second later.
    app.seconds(1);
    let told = post(&app, UPDATE, &young, number.clone()).await;
    assert_eq!(told.refused(), stale);
    assert_eq!(
        told.body["error_description"],
        "Access token is not fresh enough."
    );
    assert_eq!(
        told.body["error_message_key"],
        "error.accessToken.freshness"
    );

    // Whoever may write all accounts may write this one, at this API too.
    let service = with(
        &app,
        json!({"sub": "service", "permissions": ["user.write"]}),
    );
    assert_eq!(
        post(
            &app,
            UPDATE,
            &service,
            json!({"phone_number": app.number()})
        )
        .await
        .status,
        200
    );
}

async fn what_changes_ask_for_can_be_configured(database: Database) {
    let app = TestApp::start_with(database, |config| {
        config.reachfive.required_scope = String::new();
        config.reachfive.fresh_token_seconds = 0;
    })
    .await;
    let plain = app.user("ann", "acme");
    assert_eq!(
        post(&app, UPDATE, &plain, json!({"phone_number": app.number()}))
            .await
            .status,
        200
    );
}

async fn a_back_end_has_the_code_sent_again(database: Database) {
    let app = TestApp::start(database).await;
    let number = app.number();
    assert_eq!(update(&app, "ann", &number).await.status, 200);
    let code = app.code(&number).await;
    app.seconds(60);
    let path = "/api/v2/users/ann/verify-phone-number";
    let before = app.sent().await;
    let told = bare(&app, path, &app.manager("acme")).await;
    assert_eq!(
        (told.status, told.body),
        (200, json!({"verification_sms_sent": true}))
    );
    assert_eq!(app.sent().await, before + 1);
    assert_eq!(app.code(&number).await, code);

    // Not for end users, not even for their own account; not across organisations.
    app.seconds(120);
    let told = bare(&app, path, &fresh(&app, "ann")).await;
    assert_eq!(told.refused(), (403, "access_denied"));
    let told = bare(&app, path, &app.reader("acme")).await;
    assert_eq!(told.refused(), (403, "access_denied"));
    let stranger = bare(&app, path, &fresh(&app, "bob")).await;
    let unknown = "/api/v2/users/nobody/verify-phone-number";
    let elsewhere = bare(&app, path, &app.manager("other")).await;
    let nobody = bare(&app, unknown, &app.manager("other")).await;
    let odd = bare(&app, "/api/v2/users/%FF/verify-phone-number", &app.admin()).await;
    assert_eq!(elsewhere.refused(), (404, "resource_not_found"));
    for mut same in [nobody, odd, stranger] {
        same.body["error_id"] = elsewhere.body["error_id"].clone();
        assert_eq!((same.status, same.body), (404, elsewhere.body.clone()));
    }
    assert_eq!(app.sent().await, before + 1);
}

async fn the_start_up_call_needs_no_token(database: Database) {
    let app = TestApp::start(database).await;
    let ask = async |query: &str| {
        let path = format!("/identity/v1/config{query}");
        answer(app.http.get(app.url(&path))).await
    };
    let told = ask("?client_id=abc").await;
    assert_eq!(told.status, 200);
    assert_eq!(told.body["language"], "en");
    assert_eq!(told.body["sso"], false);
    assert_eq!(told.body["mfa_sms_enabled"], true);
    assert_eq!(told.body.get("country_code"), None);
    assert_eq!(
        ask("?client_id=abc&lang=fr-CA&platform=android").await.body["language"],
        "fr-CA"
    );
    assert_eq!(ask("?lang=%3Cscript%3E").await.body["language"], "en");
}

async fn a_profile_is_told_by_its_fields(database: Database) {
    let app = TestApp::start(database).await;
    let ann = fresh(&app, "ann");
    // A valid token's user exists, whether ringback knows them or not.
    let told = get(&app, USERINFO, &ann).await;
    assert_eq!(
        (told.status, told.body),
        (200, json!({"id": "ann", "sub": "ann"}))
    );

    let body = json!({
        "userId": "ann", "username": "ann@example.com", "organization": {"orgId": "acme"},
        "profile": {"givenName": "Ann", "familyName": "Stone", "preferredLanguage": "de"},
        "email": {"email": "ann@example.com", "isVerified": true},
        "phone": {"phone": "+41791110003", "isVerified": true},
    });
    let added = request(&app, Method::POST, "/v2/users/human", &app.admin()).json(&body);
    assert_eq!(added.send().await.expect("an answer").status(), 200);
    let told = get(&app, &format!("{USERINFO}?platform=ios&version=9"), &ann).await;
    assert_eq!(told.status, 200);
    insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
        insta::assert_json_snapshot!("reachfive_profile", told.body);
    });

    let told = get(
        &app,
        &format!("{USERINFO}?fields=phone_number%2Cnickname%2Cnone"),
        &ann,
    )
    .await;
    let only = json!({"id": "ann", "sub": "ann", "phone_number": "+41791110003"});
    assert_eq!((told.status, told.body), (200, only));
    // Somebody of the same name in another organisation.
    let token = app.token(json!({"sub": "ann", "org_id": "other"}));
    let told = get(&app, USERINFO, &token).await;
    assert_eq!(
        (told.status, told.body),
        (200, json!({"id": "ann", "sub": "ann"}))
    );
}

async fn pages_may_send_what_the_clients_send(database: Database) {
    let app = TestApp::start(database).await;
    let headers = app.preflight(UPDATE).await;
    let names = [
        "authorization",
        "content-type",
        "accept-language",
        "custom-locale",
        "x-r5-correlation-id",
    ];
    lets_send(&headers, &names);
    assert_eq!(headers["access-control-allow-credentials"], "true");
    assert_eq!(
        headers["access-control-allow-origin"],
        "https://app.example.com"
    );
    // An error can be read by the page too.
    let call = app
        .http
        .post(app.url(UPDATE))
        .header("origin", "https://app.example.com");
    let told = answer(call).await;
    assert_eq!(told.refused(), (401, "invalid_request"));
    assert_eq!(
        told.headers["access-control-allow-origin"],
        "https://app.example.com"
    );
}
