//! Every error, as a client of ReachFive reads it.

use serde_json::Map;

use super::*;

crate::on_both! {
    what_is_refused,
    what_has_no_form,
    what_is_not_there,
}

/// An answer as a snapshot keeps it: without the name that is each error's own.
fn kept(told: &Answer) -> Value {
    assert_eq!(told.status, told.refused().0);
    let mut body = told.body.clone();
    body["error_id"] = "(id)".into();
    let mut headers = Map::new();
    for name in ["allow", "retry-after", "www-authenticate"] {
        if let Some(value) = told.headers.get(name) {
            headers.insert(name.into(), value.to_str().expect("a text").into());
        }
    }
    json!({"status": told.status, "headers": headers, "body": body})
}

fn snapshot(name: &str, told: &Map<String, Value>) {
    crate::refusals::harmless(name, &Value::from(told.clone()).to_string());
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path("../snapshots");
    settings.bind(|| insta::assert_json_snapshot!(name, told));
}

async fn what_is_refused(database: Database) {
    let app = TestApp::start_with(database, |config| config.numbers.most_per_account = 1).await;
    let app = &app;
    let mut told = Map::new();
    let mut keep = |name: &str, answer: Answer| told.insert(name.to_owned(), kept(&answer));
    let body = json!({"phone_number": app.number()});

    keep(
        "token_missing",
        answer(app.http.post(app.url(UPDATE))).await,
    );
    let malformed = app
        .http
        .post(app.url(UPDATE))
        .header("authorization", "Basic YTpi");
    keep("token_malformed", answer(malformed).await);
    keep(
        "token_invalid",
        post(app, UPDATE, "no.such.token", body.clone()).await,
    );
    let stale = with(app, json!({"scope": "full_write"}));
    keep("token_stale", post(app, UPDATE, &stale, body.clone()).await);
    keep(
        "scope",
        post(app, UPDATE, &app.user("ann", "acme"), body.clone()).await,
    );
    let elsewhere = request(app, Method::POST, UPDATE, &fresh(app, "ann"));
    let elsewhere = elsewhere.header("x-zitadel-orgid", "other").json(&body);
    keep("organization_denied", answer(elsewhere).await);
    let path = "/api/v2/users/ann/verify-phone-number";
    keep(
        "permission_denied",
        bare(app, path, &fresh(app, "ann")).await,
    );
    keep("account_not_found", bare(app, path, &app.admin()).await);
    keep(
        "account_not_found_to_verify",
        verify(app, "ann", &app.number(), "123456").await,
    );

    let number = proven(app, "ann").await;
    let start = json!({"phone_number": app.number()});
    keep(
        "too_many_numbers",
        post(app, CREDENTIAL, &fresh(app, "ann"), start).await,
    );
    keep("code_absent", bare(app, SEND, &fresh(app, "ann")).await);
    let gone = request(app, Method::DELETE, CREDENTIAL, &fresh(app, "ann"));
    keep(
        "phone_not_found",
        answer(gone.json(&json!({"phone_number": app.number()}))).await,
    );
    keep("code_refused", verify(app, "ann", &number, "123456").await);
    keep("code_of_no_form", verify(app, "ann", &number, "12").await);
    let waiting = app.number();
    assert_eq!(update(app, "bob", &waiting).await.status, 200);
    keep("limited_cool_down", update(app, "bob", &waiting).await);
    for (name, text) in [
        ("number_empty", " "),
        ("number_extension", "+41791234567;ext=5"),
        ("number_malformed", "call me"),
        ("number_not_international", "079 123 45 67"),
        ("number_length", "+4179"),
        ("number_nonexistent", "+41111111111"),
    ] {
        let (updating, verifying) = (
            update(app, "ann", text).await,
            verify(app, "ann", text, "123456").await,
        );
        assert_eq!(kept(&updating), kept(&verifying), "{name}");
        keep(name, updating);
    }
    let premium = update(app, "ann", "+41900123456").await;
    keep("number_kind_not_served", premium);
    snapshot("reachfive_refused", &told);
    assert_eq!(shown(app, "ann").await, (Some(number), Some(true)));
}

async fn what_has_no_form(database: Database) {
    let app = TestApp::start(database).await;
    let app = &app;
    let mut told = Map::new();
    let raw = async |path: &str, kind: Option<&str>, body: Vec<u8>| {
        let mut request = request(app, Method::POST, path, &fresh(app, "ann"));
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        answer(request.body(body)).await
    };
    let json_kind = Some("application/json");
    let long = json!({"phone_number": "1".repeat(201)}).to_string();
    let cases: [(&str, &str, Option<&str>, &[u8]); 14] = [
        ("nothing", VERIFY, None, b""),
        ("nothing_as_json", VERIFY, json_kind, b""),
        ("empty_object", VERIFY, json_kind, b"{}"),
        (
            "one_missing",
            VERIFY,
            json_kind,
            br#"{"phone_number": "+41791234567"}"#,
        ),
        (
            "null_and_empty",
            VERIFY,
            json_kind,
            br#"{"phone_number": null, "verification_code": ""}"#,
        ),
        (
            "wrong_types",
            VERIFY,
            json_kind,
            br#"{"phone_number": ["+41"], "verification_code": 1234}"#,
        ),
        ("too_long", UPDATE, json_kind, long.as_bytes()),
        ("no_object", UPDATE, json_kind, br#""+41791234567""#),
        ("no_json", UPDATE, json_kind, b"{\"phone_number\": "),
        (
            "no_utf8",
            UPDATE,
            json_kind,
            b"{\"phone_number\": \"\xff\"}",
        ),
        (
            "form",
            UPDATE,
            Some("application/x-www-form-urlencoded"),
            b"phone_number=%2B41791234567",
        ),
        ("text", UPDATE, Some("text/plain"), b"{}"),
        ("grpc", UPDATE, Some("application/grpc"), b"{}"),
        (
            "factor_without_code",
            CREDENTIAL_VERIFY,
            json_kind,
            b"{\"trust_device\": true}",
        ),
    ];
    for (name, path, kind, body) in cases {
        let refused = raw(path, kind, body.to_vec()).await;
        told.insert(name.to_owned(), kept(&refused));
    }
    let large = format!("{{\"phone_number\": \"{}\"}}", " ".repeat(1024 * 1024));
    told.insert(
        "too_large".into(),
        kept(&raw(UPDATE, json_kind, large.into_bytes()).await),
    );
    let delete = request(app, Method::DELETE, CREDENTIAL, &fresh(app, "ann"));
    told.insert("delete_without_body".into(), kept(&answer(delete).await));
    snapshot("reachfive_malformed", &told);

    // What is too much is no harm, and neither is another spelling of the content type.
    let body = json!({"phone_number": app.number(), "trust_device": false, "later": {"on": [1]}});
    for kind in [
        None,
        Some("Application/JSON; charset=utf-8"),
        Some("application/x+json"),
    ] {
        let told = raw(UPDATE, kind, body.to_string().into_bytes()).await;
        assert_eq!(told.status, 200, "{kind:?} {told:?}");
        app.seconds(600);
    }
    // A call that needs no body does not mind one.
    let told = raw(
        SEND,
        Some("application/x-www-form-urlencoded"),
        b"a=b".to_vec(),
    )
    .await;
    assert_eq!(told.status, 200, "{told:?}");
}

async fn what_is_not_there(database: Database) {
    let app = TestApp::start(database).await;
    let app = &app;
    let token = fresh(app, "ann");
    for path in [
        "/identity/v1",
        "/identity/v1/",
        "/identity/v1/nothing",
        "/identity/v1/verify-phone-number/",
        "/identity/v1/mfa/credentials/emails",
        "/api/v2/users",
        "/api/v2/users/ann/verify-email",
    ] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let told = answer(request(app, method, path, &token)).await;
            assert_eq!(told.refused(), (404, "resource_not_found"), "{path}");
        }
    }
    for (method, path, allowed) in [
        (Method::GET, UPDATE, "POST"),
        (Method::PUT, VERIFY, "POST"),
        (Method::DELETE, SEND, "POST"),
        (Method::POST, USERINFO, "GET,HEAD"),
        (Method::POST, CREDENTIALS, "GET,HEAD"),
        (Method::GET, CREDENTIAL, "POST,DELETE"),
        (Method::GET, "/api/v2/users/ann/verify-phone-number", "POST"),
    ] {
        let told = answer(request(app, method, path, &token)).await;
        assert_eq!(told.refused(), (405, "invalid_request"), "{path}");
        let mut listed: Vec<&str> = told.headers["allow"]
            .to_str()
            .expect("a text")
            .split(',')
            .collect();
        let mut allowed: Vec<&str> = allowed.split(',').collect();
        listed.sort_unstable();
        allowed.sort_unstable();
        assert_eq!(listed, allowed, "{path}");
    }
    // The APIs beside it answer as ever.
    let beside = app
        .http
        .get(app.url("/identity/v2/nothing"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(beside.status(), 404);
}
