//! What Zitadel's calls carry for a login and ringback does not keep: refused, or left out and named.

use ringback::config::Config;
use ringback_core::policy::Unkept;
use serde_json::{Value, json};
use tonic::Code;

use crate::app::TestApp;
use crate::database::Database;
use crate::http::wire::Wire;

crate::on_both! {
    each_part_is_refused_by_name,
    each_part_is_left_out_and_named_where_that_is_said,
    what_would_mean_something_else_is_refused_all_the_same,
}

/// Each part, by the name that is told, in the calls that can carry it.
fn parts() -> Vec<(&'static str, &'static str, Value)> {
    let email = |way: &str| json!({"email": "ann@example.com", way: {}});
    let metadata = json!([{"key": "k", "value": "dg=="}]);
    let links = json!([{"idpId": "i", "userId": "u", "userName": "n"}]);
    let password = json!({"password": "Secr3tSecr3t!"});
    let hashed = json!({"hash": "$2y$12$x"});
    let human = |name: &str, value: Value| json!({"human": {name: value}});
    vec![
        ("password", "AddHumanUser", json!({"password": password})),
        (
            "hashedPassword",
            "AddHumanUser",
            json!({"hashedPassword": hashed}),
        ),
        ("metadata", "AddHumanUser", json!({"metadata": metadata})),
        ("idpLinks", "AddHumanUser", json!({"idpLinks": links})),
        (
            "totpSecret",
            "AddHumanUser",
            json!({"totpSecret": "JBSWY3DP"}),
        ),
        (
            "email.sendCode",
            "AddHumanUser",
            json!({"email": email("sendCode")}),
        ),
        (
            "email.returnCode",
            "AddHumanUser",
            json!({"email": email("returnCode")}),
        ),
        (
            "human.password",
            "CreateUser",
            human("password", password.clone()),
        ),
        ("human.metadata", "CreateUser", human("metadata", metadata)),
        (
            "human.email.returnCode",
            "CreateUser",
            human("email", email("returnCode")),
        ),
        (
            "human.password",
            "UpdateUser",
            human("password", json!({"password": password})),
        ),
        (
            "human.email.sendCode",
            "UpdateUser",
            human("email", email("sendCode")),
        ),
        (
            "password",
            "UpdateHumanUser",
            json!({"password": {"password": password}}),
        ),
    ]
}

fn named(mut body: Value, user: &str) -> Value {
    body["userId"] = user.into();
    body
}

async fn each_part_is_refused_by_name(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    let ann = json!({"userId": "ann"});
    Wire::Grpc.ok(&app, "AddHumanUser", &admin, ann).await;
    let before = app.database.dump().await;
    for wire in Wire::ALL {
        for (part, rpc, body) in parts() {
            let user = if rpc.starts_with("Update") {
                "ann"
            } else {
                "new"
            };
            let refused = wire.refused(&app, rpc, &admin, named(body, user)).await;
            assert_eq!(refused.code, Code::InvalidArgument, "{wire:?} {rpc} {part}");
            assert!(refused.message.starts_with(part), "{wire:?} {refused:?}");
        }
    }
    assert_eq!(app.database.dump().await, before);
}

async fn each_part_is_left_out_and_named_where_that_is_said(database: Database) {
    let ignore = |config: &mut Config| config.accounts.unkept = Unkept::Ignore;
    let app = TestApp::start_with(database, ignore).await;
    let admin = app.admin();
    for (row, (part, rpc, body)) in parts().into_iter().enumerate() {
        for wire in Wire::ALL {
            let user = format!("{}-{row}", wire.name());
            if rpc.starts_with("Update") {
                let add = json!({"userId": user});
                wire.ok(&app, "AddHumanUser", &admin, add).await;
            }
            let reply = wire.ok(&app, rpc, &admin, named(body.clone(), &user)).await;
            assert!(reply.get("emailCode").is_none(), "{wire:?} {rpc}: {reply}");
            let shown = wire.ok(&app, "GetUserByID", &admin, json!({"userId": user}));
            let human = &shown.await["user"]["human"];
            assert_ne!(human["email"]["isVerified"], true, "{wire:?} {rpc} {part}");
        }
        // As a header over HTTP, which is gRPC's metadata.
        let user = format!("connect-json-{row}");
        let user = match rpc.starts_with("Update") {
            true => user,
            false => format!("again-{row}"),
        };
        let url = app.url(&format!("/zitadel.user.v2.UserService/{rpc}"));
        let request = app.http.post(url).bearer_auth(&admin);
        let response = request.json(&named(body, &user)).send().await;
        let response = response.expect("an answer");
        assert_eq!(response.status(), 200, "{rpc}");
        let told = response.headers().get("ringback-ignored");
        assert_eq!(told.and_then(|it| it.to_str().ok()), Some(part), "{rpc}");
    }
    // Several are named together; a call without any says nothing.
    let both = json!({
        "userId": "both", "metadata": [{"key": "k", "value": "dg=="}],
        "email": {"email": "ann@example.com", "returnCode": {}},
    });
    for (body, told) in [
        (both, Some("email.returnCode, metadata")),
        (json!({"userId": "none"}), None),
    ] {
        let request = app.http.post(app.url("/v2/users/human"));
        let request = request.bearer_auth(&admin).json(&body);
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        let header = response.headers().get("ringback-ignored");
        assert_eq!(header.and_then(|it| it.to_str().ok()), told);
    }
}

async fn what_would_mean_something_else_is_refused_all_the_same(database: Database) {
    let ignore = |config: &mut Config| config.accounts.unkept = Unkept::Ignore;
    let app = TestApp::start_with(database, ignore).await;
    let machine = json!({"userId": "m", "machine": {"name": "m"}});
    let domain = json!({"userId": "d", "organization": {"orgDomain": "acme.example.com"}});
    for wire in Wire::ALL {
        for (rpc, body) in [("CreateUser", &machine), ("AddHumanUser", &domain)] {
            let refused = wire.refused(&app, rpc, &app.admin(), body.clone()).await;
            assert_eq!(refused.code, Code::InvalidArgument, "{wire:?} {rpc}");
        }
    }
    assert_eq!(app.database.count("accounts").await, 0);
}
