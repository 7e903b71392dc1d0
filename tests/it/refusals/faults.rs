//! What is nobody's mistake: overload, deadlines, keys and databases that are away.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use tonic::Code;

use super::{row, snapshot};
use crate::app::{TestApp, add_issuer, issuer_away, token_away};
use crate::database::Database;
use crate::http::wire::{Failure, Wire};

crate::on_both! {
    a_full_lane_answers_at_once,
    deadlines_are_honoured,
    keys_that_are_away,
    a_fault_of_ours_tells_nothing,
}

async fn a_full_lane_answers_at_once(database: Database) {
    let app = TestApp::start_with(database, |config| {
        config.database.lane_bound = 1;
        config.database.batch = 1;
    });
    let app = app.await;
    let admin = app.admin();
    Wire::Grpc
        .ok(&app, "AddHumanUser", &admin, json!({"userId": "ann"}))
        .await;
    row("overloaded", async |wire, _| {
        loop {
            let rush = (0..64).map(|_| {
                let set = json!({"userId": "ann", "phone": app.number(), "isVerified": true});
                wire.call(&app, "SetPhone", &admin, set)
            });
            let answers = join_all(rush).await;
            assert!(
                answers.iter().any(Result::is_ok),
                "{wire:?}: nobody was served"
            );
            let shed: Vec<Failure> = answers.into_iter().filter_map(Result::err).collect();
            assert!(
                shed.iter()
                    .all(|refused| refused.code == Code::ResourceExhausted)
            );
            if let Some(first) = shed.into_iter().next() {
                return first;
            }
        }
    })
    .await;
}

async fn deadlines_are_honoured(database: Database) {
    let app = TestApp::start(database).await;
    let bearer = format!("Bearer {}", app.user("ann", "acme"));
    let set = || json!({"userId": "ann", "phone": "+41791234567"});
    let timed = async |wire: Wire, name: &str, value: &str| {
        let headers = [("authorization", bearer.as_str()), (name, value)];
        wire.call_with(&app, "SetPhone", &headers, set()).await
    };
    let mut shown = json!({});
    for (wire, name) in [
        (Wire::GrpcWeb, "grpc-timeout"),
        (Wire::GrpcWebText, "grpc-timeout"),
        (Wire::ConnectJson, "connect-timeout-ms"),
        (Wire::ConnectProto, "connect-timeout-ms"),
    ] {
        let none = if name == "grpc-timeout" { "0m" } else { "0" };
        let refused = timed(wire, name, none).await.expect_err("no time at all");
        assert_eq!(refused.code, Code::DeadlineExceeded, "{refused:?}");
        assert!(
            refused.http.is_none_or(|status| status == 504),
            "{refused:?}"
        );
        // Connect keeps the time twice, and either may be the one to say so.
        if refused.http.is_none() {
            shown[wire.name()] = refused.shown();
        }
    }
    // Over gRPC the client's own clock would be first, so the status is read from the wire.
    let client = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge();
    let client = client.build().expect("a client");
    for (timeout, status) in [("0n", "4"), ("soon", "3"), ("123456789S", "3")] {
        let request = client.post(app.url("/zitadel.user.v2.UserService/SetPhone"));
        let request = request
            .header("authorization", &bearer)
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("grpc-timeout", timeout);
        let body: &[u8] = b"\0\0\0\0\x12\x0a\x03ann\x12\x0b+4179123456";
        let answer = request.body(body).send().await.expect("an answer");
        assert_eq!(answer.headers()["grpc-status"], status, "{timeout}");
    }
    snapshot("deadline_exceeded", &shown);

    let mut shown = json!({});
    for (wire, name, value) in [
        (Wire::GrpcWeb, "grpc-timeout", "5 s"),
        (Wire::ConnectJson, "connect-timeout-ms", "-1"),
        (Wire::ConnectProto, "connect-timeout-ms", "12345678901"),
    ] {
        let refused = timed(wire, name, value).await.expect_err("no time");
        assert_eq!(refused.code, Code::InvalidArgument, "{refused:?}");
        shown[wire.name()] = refused.shown();
    }
    snapshot("timeout_malformed", &shown);

    let reader = json!({"userId": "ann"});
    let none = Wire::Grpc
        .refused(&app, "GetUserByID", &app.admin(), reader)
        .await;
    assert_eq!(
        none.code,
        Code::NotFound,
        "nothing was done for anyone: {none:?}"
    );
    timed(Wire::GrpcWeb, "grpc-timeout", "30S")
        .await
        .expect("time enough");
    let headers = [
        ("authorization", bearer.as_str()),
        ("connect-timeout-ms", "30000"),
    ];
    let me = json!({"userId": "ann"});
    Wire::ConnectJson
        .call_with(&app, "GetUserByID", &headers, me)
        .await
        .expect("time enough");
}

async fn keys_that_are_away(database: Database) {
    let keys = wiremock::MockServer::start().await;
    let app = TestApp::start_with(database, |config| {
        add_issuer(config, "away", issuer_away(keys.uri()));
    });
    let app = app.await;
    let token = token_away(json!({"sub": "ann"}));
    row("issuer_unavailable", async |wire, user| {
        wire.refused(&app, "SetPhone", &token, json!({"userId": user}))
            .await
    })
    .await;
}

async fn a_fault_of_ours_tells_nothing(database: Database) {
    let app = TestApp::start(database).await;
    app.database
        .execute("ALTER TABLE budgets RENAME TO gone")
        .await;
    row("internal", async |wire, user| {
        let set = json!({"userId": user, "phone": app.number()});
        wire.refused(&app, "SetPhone", &app.user(user, "acme"), set)
            .await
    })
    .await;
    app.database
        .execute("ALTER TABLE gone RENAME TO budgets")
        .await;
    let set = json!({"userId": "ann", "phone": app.number()});
    Wire::Grpc
        .ok(&app, "SetPhone", &app.user("ann", "acme"), set)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_on_postgres() {
    let app = TestApp::start(Database::postgres().await).await;
    let ready = async || {
        let answer = app
            .http
            .get(app.url("/readyz"))
            .timeout(Duration::from_secs(10));
        answer.send().await.expect("an answer").status()
    };
    assert_eq!(ready().await, 200);
    app.database.vanish().await;
    row("unavailable", async |wire, user| {
        let set = json!({"userId": user, "phone": app.number()});
        wire.refused(&app, "SetPhone", &app.user(user, "acme"), set)
            .await
    })
    .await;
    let read = Wire::Json
        .refused(&app, "GetUserByID", &app.admin(), json!({"userId": "ann"}))
        .await;
    assert_eq!(read.code, Code::Unavailable);
    assert_eq!(ready().await, 503);
    let alive = app
        .http
        .get(app.url("/healthz"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(alive.status(), 200);
}
