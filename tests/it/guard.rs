//! The guard from outside: who may see what it holds back, and who lets codes pass; a hundred tokens of one address.

use http::StatusCode;
use ringback::config::{Config, Network};
use ringback_core::guard::Mode;
use ringback_core::limit::Window;
use serde_json::{Value, json};
use tonic::Code;

use crate::app::TestApp;
use crate::database::Database;
use crate::http::wire::Wire;

crate::on_both! {
    what_is_held_back_is_shown_and_let_pass,
    who_may_see_and_who_may_let_pass,
    a_hundred_tokens_of_one_address,
}

fn enforce(config: &mut Config) {
    config.guard.mode = Mode::Enforce;
    config.guard.prefix_sends = 3;
}

fn number(n: u32) -> String {
    format!("+4179123{:04}", 1_000 + n)
}

async fn set(app: &TestApp, user: &str, organization: &str, number: &str) -> bool {
    let body = json!({"userId": user, "phone": number});
    let token = app.user(user, organization);
    let done = Wire::Grpc.call(app, "SetPhone", &token, body).await;
    done.is_ok()
}

async fn status(app: &TestApp, token: &str, organization: Option<&str>) -> (StatusCode, Value) {
    let mut request = app.http.get(app.url("/v2/guard/status")).bearer_auth(token);
    if let Some(organization) = organization {
        request = request.header("x-zitadel-orgid", organization);
    }
    let answer = request.send().await.expect("an answer");
    (answer.status(), answer.json().await.expect("JSON"))
}

async fn allow(app: &TestApp, token: &str, body: Value) -> (StatusCode, Value) {
    let request = app.http.post(app.url("/v2/guard/allow")).bearer_auth(token);
    let answer = request.json(&body).send().await.expect("an answer");
    (answer.status(), answer.json().await.expect("JSON"))
}

async fn what_is_held_back_is_shown_and_let_pass(database: Database) {
    let app = TestApp::start_with(database, enforce).await;
    for n in 0..3 {
        assert!(set(&app, &format!("user-{n}"), "acme", &number(n)).await);
    }
    assert!(!set(&app, "ann", "acme", &number(7)).await);
    let token = app.token(json!({
        "sub": "operator", "urn:zitadel:iam:user:resourceowner:id": "acme",
        "permissions": ["guard.read", "guard.write"],
    }));
    let (code, told) = status(&app, &token, None).await;
    assert_eq!(code, 200, "{told}");
    assert_eq!(told["mode"], "GUARD_MODE_ENFORCE");
    let [country, prefix] = told["standings"].as_array().expect("a list").as_slice() else {
        panic!("{told}");
    };
    assert_eq!(
        (&country["country"], &country["sent"], &country["holds"]),
        (&json!("CH"), &json!(3), &json!(null))
    );
    assert_eq!(
        (&prefix["prefix"], &prefix["holds"][0]["reason"]),
        (&json!("+4179123"), &json!("prefix"))
    );
    for date in [&prefix["sinceDate"], &prefix["holds"][0]["untilDate"]] {
        assert!(date.is_string(), "{told}");
    }
    assert!(!told.to_string().contains("+41791231"), "a whole number");
    // Over another wire, and only what is held back.
    let body = json!({"heldOnly": true});
    let held = Wire::Grpc.ok(&app, "GetGuardStatus", &token, body).await;
    assert_eq!(held["standings"].as_array().map(Vec::len), Some(1));
    let (code, done) = allow(&app, &token, json!({"prefix": "+4179", "duration": "600s"})).await;
    assert_eq!(
        (code, &done["places"]),
        (StatusCode::OK, &json!(2)),
        "{done}"
    );
    assert!(set(&app, "ann", "acme", &number(7)).await);
    app.seconds(600);
    assert!(
        set(&app, "bob", "acme", &number(8)).await,
        "as if nothing had been"
    );
    for (body, field) in [
        (json!({}), "country"),
        (json!({"country": "UK"}), "country"),
        (json!({"prefix": "4179"}), "prefix"),
        (json!({"country": "CH", "prefix": "+4179"}), "prefix"),
        (json!({"country": "CH", "duration": "1s"}), "duration"),
        (json!({"country": "Switzerland"}), "country"),
    ] {
        let (code, told) = allow(&app, &token, body).await;
        assert_eq!(code, 400, "{told}");
        assert!(
            told["message"].as_str().expect("a text").contains(field),
            "{told}"
        );
    }
}

async fn who_may_see_and_who_may_let_pass(database: Database) {
    let app = TestApp::start_with(database, enforce).await;
    for organization in ["acme", "other"] {
        assert!(set(&app, "ann", organization, &number(1)).await);
    }
    let with = |permissions: &[&str]| {
        app.token(json!({
            "sub": "somebody", "urn:zitadel:iam:user:resourceowner:id": "acme",
            "permissions": permissions,
        }))
    };
    let all_others = [
        "user.read",
        "user.write",
        "user.delete",
        "sms.read",
        "sms.write",
    ];
    let body = json!({"country": "CH"});
    for (token, sees, lets) in [
        (app.user("ann", "acme"), false, false),
        (with(&all_others), false, false),
        (with(&["guard.read"]), true, false),
        (with(&["guard.write"]), false, true),
        (app.admin(), true, true),
    ] {
        let codes = |may: bool| {
            if may {
                None
            } else {
                Some(Code::PermissionDenied)
            }
        };
        for wire in Wire::ALL {
            let seen = wire.call(&app, "GetGuardStatus", &token, json!({})).await;
            assert_eq!(seen.err().map(|failure| failure.code), codes(sees));
            let done = wire
                .call(&app, "AllowDestination", &token, body.clone())
                .await;
            assert_eq!(done.err().map(|failure| failure.code), codes(lets));
        }
    }
    let (code, _) = status(&app, "nonsense", None).await;
    assert_eq!(code, 401);
    // One organisation's is not shown to another's, nor is it let pass.
    let organizations = async |token: &str, named| {
        let (_, told) = status(&app, token, named).await;
        let all = told["standings"].as_array().cloned().unwrap_or_default();
        let all = all
            .iter()
            .map(|one| one["organizationId"].as_str().map(str::to_owned));
        all.collect::<Option<Vec<_>>>().expect("ids")
    };
    assert_eq!(organizations(&with(&["guard.read"]), None).await, ["acme"]);
    // The admin's own, where it let codes pass.
    assert_eq!(
        organizations(&app.admin(), None).await,
        ["acme", "default", "other"]
    );
    assert_eq!(organizations(&app.admin(), Some("other")).await, ["other"]);
    let (code, _) = status(&app, &with(&["guard.read"]), Some("other")).await;
    assert_eq!(code, 403);
}

/// A hundred users with tokens of their own at one address, all at once and for an hour: ten codes, whoever sits in
/// between, and whatever they say of themselves.
async fn a_hundred_tokens_of_one_address(database: Database) {
    let count = |config: &mut Config| {
        config.limits.sends_per_address = vec![Window {
            count: 10,
            seconds: 3_600,
        }];
    };
    let behind = TestApp::start_with(database.another().await, |config| {
        count(config);
        config.server.trusted_proxies = vec![Network::parse("127.0.0.0/8").expect("a network")];
    });
    let (behind, open) = (behind.await, TestApp::start_with(database, count).await);
    for (app, is_believed) in [(&behind, true), (&open, false)] {
        for minutes in [0, 20, 39] {
            app.seconds(minutes * 60);
            let calls = (0..100).map(|n| async move {
                let user = format!("user-{minutes}-{n}");
                let bearer = format!("Bearer {}", app.user(&user, "acme"));
                // Forged by the user, then what the proxy saw.
                let forged = format!("198.51.100.{n}, 203.0.113.7");
                let headers = [
                    ("authorization", bearer.as_str()),
                    ("x-forwarded-for", forged.as_str()),
                ];
                let set = json!({"userId": user, "phone": app.number()});
                Wire::Json
                    .call_with(app, "SetPhone", &headers, set)
                    .await
                    .is_ok()
            });
            futures::future::join_all(calls).await;
            assert_eq!(app.sent().await, 10, "behind a proxy: {is_believed}");
        }
        assert_eq!(
            app.database.count("accounts").await,
            10,
            "a refusal makes nobody"
        );
    }
}
