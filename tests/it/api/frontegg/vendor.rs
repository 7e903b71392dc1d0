//! Environment tokens: who gets one, what it may do, and as whom.

use std::time::Duration;

use http::Method;
use ringback::config::{Network, Permission, VendorClient};
use serde_json::{Value, json};

use super::{Answer, Client, NUMBERS, send};
use crate::app::TestApp;
use crate::database::Database;
use crate::http::wire::Wire;

crate::on_both! {
    a_client_gets_a_token,
    a_body_of_more_than_4_kib_is_not_read,
    guesses_behind_a_trusted_proxy_are_counted_by_client,
    guessing_is_limited,
    a_service_sets_and_removes_at_once,
    a_service_acts_as_a_user,
    a_users_headers_change_nothing,
}

const SECRET: &str = "8ab38c0b-3bb5-4b15-9b40-6f60b4b4ab4c";

async fn with_client(database: Database) -> TestApp {
    TestApp::start_with(database, |config| {
        let client = VendorClient {
            client_id: "backend".into(),
            secret: SECRET.into(),
        };
        config.vendor.clients.insert("one".into(), client);
        let reads = vec![Permission::Read];
        config.auth.roles.insert("AUDITOR".into(), reads);
        config.auth.everywhere_roles.push("AUDITOR".into());
        assert_eq!(config.check(), Ok(()));
    })
    .await
}

async fn ask(app: &TestApp, path: &str, body: Value) -> Answer {
    let headers = [("content-type", "application/json")];
    send(app, Method::POST, path, &headers, body.to_string()).await
}

async fn vendor(app: &TestApp) -> String {
    let body = json!({"clientId": "backend", "secret": SECRET});
    let given = ask(app, "/auth/vendor", body).await.ok(200);
    given["token"].as_str().expect("a token").to_owned()
}

async fn a_client_gets_a_token(database: Database) {
    let app = with_client(database).await;
    let right = json!({"clientId": "backend", "secret": SECRET, "more": 1});
    for path in ["/auth/vendor", "/auth/vendor/"] {
        let given = ask(&app, path, right.clone()).await.ok(200);
        assert_eq!(given["expiresIn"], 86_400);
        assert_eq!(given.as_object().map(|members| members.len()), Some(2));
    }
    let token = vendor(&app).await;
    let claims: Value = {
        use base64::Engine;
        let part = token.split('.').nth(1).expect("claims");
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part);
        serde_json::from_slice(&bytes.expect("base64")).expect("JSON")
    };
    assert_eq!(
        (&claims["type"], &claims["vendorId"]),
        (&json!("vendor"), &json!("backend"))
    );
    assert_eq!(
        claims["scopes"],
        json!(["user.read", "user.write", "user.delete"])
    );

    let list = format!("{NUMBERS}/v2");
    let header = [("x-access-token", token.as_str())];
    send(&app, Method::GET, &list, &header, "").await.ok(200);
    // It is a token like any other, at every API.
    let add = json!({"userId": "ann", "organization": {"orgId": "acme"}});
    Wire::Json.ok(&app, "AddHumanUser", &token, add).await;
    app.advance(Duration::from_secs(86_400 + 30));
    send(&app, Method::GET, &list, &header, "")
        .await
        .refused(401);

    for (client, secret) in [("backend", "x"), ("nobody", SECRET), ("one", SECRET)] {
        let body = json!({"clientId": client, "secret": secret});
        let refused = ask(&app, "/auth/vendor", body).await;
        assert_eq!(refused.refused(401), ["Invalid authentication"]);
    }
    for (body, text) in [
        (json!({"clientId": "backend"}), "secret should not be empty"),
        (json!({"secret": SECRET}), "clientId should not be empty"),
        (
            json!({"clientId": 1, "secret": SECRET}),
            "clientId must be a string",
        ),
    ] {
        assert_eq!(ask(&app, "/auth/vendor", body).await.refused(400), [text]);
    }
    // Another secret, another key: what was signed before is worth nothing.
    let other = TestApp::start_with(app.database.another().await, |config| {
        let client = VendorClient {
            client_id: "backend".into(),
            secret: SECRET.repeat(2).into(),
        };
        config.vendor.clients.insert("one".into(), client);
    });
    let other = other.await;
    let token = vendor(&app).await;
    let header = [("x-access-token", token.as_str())];
    other.advance(Duration::from_secs(86_400 + 30));
    send(&other, Method::GET, &list, &header, "")
        .await
        .refused(401);
}

async fn a_body_of_more_than_4_kib_is_not_read(database: Database) {
    let app = with_client(database).await;
    let body = json!({"clientId": "backend", "secret": SECRET, "more": "x".repeat(4 * 1024)});
    let refused = ask(&app, "/auth/vendor", body).await.refused(413);
    assert_eq!(refused, ["request body is larger than 4 KiB"]);
}

async fn guessing_is_limited(database: Database) {
    let app = with_client(database).await;
    let wrong = || json!({"clientId": "backend", "secret": "guess"});
    for _ in 0..10 {
        ask(&app, "/auth/vendor", wrong()).await.refused(401);
    }
    let limited = ask(&app, "/auth/vendor", wrong()).await;
    limited.refused(429);
    assert_eq!(limited.headers["retry-after"], "600");
    // The right secret is not refused, and a header of anybody's changes nothing.
    vendor(&app).await;
    let headers = [
        ("content-type", "application/json"),
        ("x-forwarded-for", "198.51.100.1"),
    ];
    let forged = send(
        &app,
        Method::POST,
        "/auth/vendor",
        &headers,
        wrong().to_string(),
    )
    .await;
    forged.refused(429);
    app.seconds(600);
    ask(&app, "/auth/vendor", wrong()).await.refused(401);
}

async fn guesses_behind_a_trusted_proxy_are_counted_by_client(database: Database) {
    let app = TestApp::start_with(database, |config| {
        let proxies = ["127.0.0.0/8"].map(|text| Network::parse(text).expect("a network"));
        config.server.trusted_proxies = proxies.to_vec();
    });
    let app = app.await;
    let wrong = json!({"clientId": "backend", "secret": "guess"}).to_string();
    for (client, status) in [("198.51.100.1", 429), ("198.51.100.2", 401)] {
        let headers = [
            ("content-type", "application/json"),
            ("x-forwarded-for", client),
        ];
        let guess = || send(&app, Method::POST, "/auth/vendor", &headers, wrong.clone());
        if status == 429 {
            for _ in 0..10 {
                guess().await.refused(401);
            }
        }
        guess().await.refused(status);
    }
}

async fn a_service_sets_and_removes_at_once(database: Database) {
    let app = with_client(database).await;
    let service = Client::new(&app, &vendor(&app).await);
    let ann = Client::user(&app, "ann");
    let body = || json!({"phoneNumber": "+41 79 111 22 33"});
    service.post("/v1/vendor/ann", body()).await.refused(404);
    ann.holds(&app.number()).await;
    let sent = app.sent().await;
    assert_eq!(
        service.post("/v1/vendor/ann", body()).await.ok(201),
        Value::Null
    );
    let held = ann.numbers().await;
    assert_eq!(
        (&held[1]["phoneNumber"], &held[1]["verified"]),
        (&json!("+41791112233"), &json!(true))
    );
    assert_eq!(app.sent().await, sent);
    service.post("/v1/vendor/ann", body()).await.refused(409);

    // Who may not: the user, a user manager of somewhere else, a service of another tenant.
    let id = held[1]["id"].as_str().expect("an id");
    let one = format!("/v1/vendor/ann/{id}");
    let other = json!({"phoneNumber": app.number()});
    for (client, status) in [
        (Client::user(&app, "ann"), 403),
        (Client::user(&app, "bob"), 404),
        (Client::new(&app, &app.reader("acme")), 403),
        (Client::new(&app, &app.manager("umbrella")), 404),
        (
            Client::new(&app, &vendor(&app).await).with("frontegg-tenant-id", "umbrella"),
            404,
        ),
    ] {
        client
            .post("/v1/vendor/ann", other.clone())
            .await
            .refused(status);
        client.delete(&one).await.refused(status);
    }
    // The same id in another tenant is somebody else, who may not do so either.
    let same = Client::new(&app, &app.user("ann", "umbrella"));
    same.post("/v1/vendor/ann", json!({"phoneNumber": app.number()}))
        .await
        .refused(403);
    same.delete(&one).await.refused(404);
    assert_eq!(ann.numbers().await.len(), 2);
    let manager = Client::new(&app, &app.manager("acme"));
    manager.post("/v1/vendor/ann", other).await.ok(201);
    assert_eq!(
        service
            .with("frontegg-tenant-id", "acme")
            .delete(&one)
            .await
            .ok(200),
        Value::Null
    );
    manager.delete(&one).await.refused(404);
    manager
        .delete("/v1/vendor/ann/undefined")
        .await
        .refused(404);
    manager.delete("/v1/vendor/%ff/x").await.refused(404);
    assert_eq!(ann.numbers().await.len(), 2);
}

async fn a_service_acts_as_a_user(database: Database) {
    let app = with_client(database).await;
    let token = vendor(&app).await;
    let service = || Client::new(&app, &token);
    let nobody = service().get("/v1/me").await.refused(400);
    assert!(
        nobody[0].starts_with("frontegg-user-id header"),
        "{nobody:?}"
    );
    service()
        .post("/v1", json!({"phoneNumber": app.number()}))
        .await
        .refused(400);
    assert_eq!(app.database.count("accounts").await, 0);

    // The first call brings the user into being, in the tenant that it names.
    let as_ann = || {
        service()
            .with("frontegg-user-id", "ann")
            .with("frontegg-tenant-id", "acme")
    };
    let number = app.number();
    let id = as_ann().holds(&number).await;
    let ann = Client::user(&app, "ann");
    assert_eq!(ann.numbers().await[0]["id"], id.as_str());
    // Without a tenant it is the user's own.
    let as_ann_somewhere = service().with("frontegg-user-id", "ann");
    assert_eq!(as_ann_somewhere.numbers().await, ann.numbers().await);
    let as_other = service()
        .with("frontegg-user-id", "ann")
        .with("frontegg-tenant-id", "umbrella");
    assert!(as_other.numbers().await.is_empty());
    as_other.delete(&format!("/v1/{id}")).await.refused(404);

    // What a user started a service can finish for that user, and for no other.
    let token = ann.ask_removal(&id).await;
    let code = app.code(&number).await;
    let as_bob = service()
        .with("frontegg-user-id", "bob")
        .with("frontegg-tenant-id", "acme");
    as_bob
        .confirm_removal(&id, &token, &code)
        .await
        .wrong_code();
    as_ann().confirm_removal(&id, &token, &code).await.ok(200);

    let reader = app.token(json!({"sub": "r", "roles": ["AUDITOR"]}));
    let reader = Client::new(&app, &reader).with("frontegg-user-id", "ann");
    reader.get("/v1/me").await.ok(200);
    reader
        .post("/v1", json!({"phoneNumber": app.number()}))
        .await
        .refused(403);
    let long = service().with("frontegg-user-id", &"x".repeat(201));
    long.get("/v1/me").await.refused(400);
}

async fn a_users_headers_change_nothing(database: Database) {
    let app = with_client(database).await;
    let ann = Client::user(&app, "ann");
    ann.holds(&app.number()).await;
    for token in [app.user("bob", "acme"), app.manager("acme")] {
        let posing = Client::new(&app, &token)
            .with("frontegg-user-id", "ann")
            .with("frontegg-tenant-id", "umbrella");
        assert!(posing.numbers().await.is_empty());
        let number = app.number();
        posing.create(&number).await;
        assert_eq!(ann.numbers().await.len(), 1);
        assert_eq!(posing.numbers().await[0]["phoneNumber"], number.as_str());
    }
}
