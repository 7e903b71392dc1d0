//! Whose word counts where: several issuers, roles of several organisations, scopes, and old tokens.

use ringback::config::{Config, IssuerSection};
use serde_json::{Value, json};
use tonic::Code;

use super::{all_of, methods, state_in, with_user};
use crate::api::{Api, Question, User};
use crate::app::{TestApp, add_issuer, issuer};
use crate::database::Database;
use crate::http::wire::Wire;

crate::on_both! {
    a_second_issuers_token_with_the_same_sub_reads_and_changes_nothing,
    a_role_granted_for_another_organisation_counts_for_nothing_here,
    a_scope_in_an_end_users_token_grants_nothing_unless_the_issuer_says_so,
    a_token_too_old_removes_nothing_at_any_other_api_when_fresh_token_seconds_is_set,
}

/// The `iss` of [`second`].
pub const SECOND: &str = "https://second.example.com";

/// Another issuer, whose users are all of one organisation. Tests sign its tokens with the same secret.
pub fn second(config: &mut Config) {
    let section = IssuerSection {
        issuer: SECOND.into(),
        organization: "second".into(),
        ..issuer()
    };
    add_issuer(config, "second", section);
}

/// Ann of `acme`, with a verified number.
async fn ann(app: &TestApp) {
    let add = json!({
        "userId": "ann", "organization": {"orgId": "acme"},
        "phone": {"phone": app.number(), "isVerified": true},
    });
    Wire::Grpc.ok(app, "AddHumanUser", &app.admin(), add).await;
}

/// Asserts that this caller, who is an Ann elsewhere, neither sees nor changes this one.
async fn stays_apart(app: &TestApp, token: &str) {
    let before = state_in(app, "acme", "ann").await;
    for wire in Wire::ALL {
        for (rpc, body) in methods() {
            let told = wire.call(app, rpc, token, with_user(body, "ann")).await;
            let told = told.map(|reply| reply.to_string());
            assert!(
                !told.is_ok_and(|reply| reply.contains("\"acme\"")),
                "{wire:?} {rpc}"
            );
            let unknown = with_user(json!({}), "nobody");
            let unknown = wire.refused(app, "GetUserByID", token, unknown).await;
            assert_eq!(unknown.code, Code::NotFound);
        }
        for rpc in ["SearchPhones", "ListUsers"] {
            let found = wire.ok(app, rpc, token, json!({})).await.to_string();
            assert!(!found.contains("\"acme\""), "{wire:?} {found}");
        }
    }
    assert_eq!(state_in(app, "acme", "ann").await, before);
}

/// Asserts that to this caller Ann looks like nobody, at every method and over every wire, and is found by
/// no list.
async fn sees_nothing(app: &TestApp, token: &str) {
    for wire in Wire::ALL {
        for (rpc, body) in methods() {
            let there = with_user(body.clone(), "ann");
            let there = wire.refused(app, rpc, token, there).await;
            let unknown = wire.refused(app, rpc, token, with_user(body, "nobody"));
            assert_eq!(there.code, Code::NotFound, "{wire:?} {rpc}: {there:?}");
            assert_eq!(all_of(&there), all_of(&unknown.await), "{wire:?} {rpc}");
        }
        let found = wire.ok(app, "SearchPhones", token, json!({})).await;
        assert_eq!(found, json!({}), "{wire:?}");
        let found = wire.ok(app, "ListUsers", token, json!({})).await;
        assert!(found.get("result").is_none(), "{wire:?} {found}");
    }
}

async fn a_second_issuers_token_with_the_same_sub_reads_and_changes_nothing(database: Database) {
    let app = TestApp::start_with(database, second).await;
    ann(&app).await;
    for more in [
        json!({}),
        json!({"org_id": "acme"}),
        json!({"roles": ["IAM_OWNER"], "permissions": ["user.read", "user.write", "user.delete"]}),
        json!({"urn:zitadel:iam:org:project:roles": {"ORG_OWNER": {"acme": "x"}}}),
        json!({"type": "vendor", "scope": "user.read user.write"}),
    ] {
        let claims = merged(json!({"iss": SECOND, "sub": "ann"}), more);
        stays_apart(&app, &app.token(claims)).await;
    }
    assert_eq!(app.database.count("accounts").await, 2);
}

fn merged(mut claims: Value, more: Value) -> Value {
    for (name, value) in more.as_object().expect("claims") {
        claims[name] = value.clone();
    }
    claims
}

async fn a_role_granted_for_another_organisation_counts_for_nothing_here(database: Database) {
    let app = TestApp::start(database).await;
    ann(&app).await;
    let before = app.database.dump().await;
    let role = |name: &str, organization: &str| {
        app.token(json!({
            "sub": "eve", "org_id": "acme",
            "urn:zitadel:iam:org:project:roles": {name: {organization: "x"}},
        }))
    };
    // Not even one that holds everywhere when it is given at home: nobody said where that is.
    for name in ["ORG_OWNER", "IAM_OWNER"] {
        sees_nothing(&app, &role(name, "other")).await;
    }
    assert_eq!(app.database.dump().await, before);
    let here = role("ORG_OWNER", "acme");
    let me = json!({"userId": "ann"});
    Wire::Json.ok(&app, "GetUserByID", &here, me).await;
    // It counts where it was given, for who acts there.
    let bearer = format!("Bearer {}", role("ORG_OWNER", "other"));
    for wire in Wire::ALL {
        let headers = [
            ("authorization", bearer.as_str()),
            ("x-zitadel-orgid", "other"),
        ];
        let add = json!({"userId": format!("theirs-{}", wire.name())});
        let reply = wire.call_with(&app, "AddHumanUser", &headers, add).await;
        let reply = reply.expect("allowed there");
        assert_eq!(reply["details"]["resourceOwner"], "other");
        let find = json!({"organizationId": "other"});
        wire.ok(&app, "SearchPhones", &role("ORG_OWNER", "other"), find)
            .await;
    }
}

async fn a_scope_in_an_end_users_token_grants_nothing_unless_the_issuer_says_so(
    database: Database,
) {
    let granting = TestApp::start_with(database.another().await, |config| {
        let main = config.auth.issuers.get_mut("main").expect("the usual one");
        main.scopes_grant = true;
    });
    let (plain, granting) = (TestApp::start(database).await, granting.await);
    let token = |app: &TestApp| {
        let scope = "openid user.read user.write user.delete";
        app.token(json!({"sub": "eve", "org_id": "acme", "scope": scope}))
    };
    ann(&plain).await;
    ann(&granting).await;
    sees_nothing(&plain, &token(&plain)).await;
    for wire in Wire::ALL {
        let me = json!({"userId": "ann"});
        let found = wire
            .ok(&granting, "GetUserByID", &token(&granting), me)
            .await;
        assert_eq!(found["user"]["userId"], "ann");
    }
}

async fn a_token_too_old_removes_nothing_at_any_other_api_when_fresh_token_seconds_is_set(
    database: Database,
) {
    for api in Api::ALL {
        let app = TestApp::start_with(database.another().await, |config| {
            config.self_service.fresh_token_seconds = 300;
            // The rule of the one API must not be what holds at it.
            config.reachfive.fresh_token_seconds = 0;
        });
        let app = app.await;
        let (user, number) = (User::new(&app, api, "ann"), app.number());
        let claims = |age: i64| {
            let mut claims = api.claims("ann", "acme", app.now());
            claims["iat"] = (app.now() - age).into();
            app.token(claims)
        };
        let young = claims(299);
        let set = api.set("ann", &number);
        let reply = crate::api::send(&app, &set, &young).await.expect("set");
        let code = app.code(&number).await;
        let submit = api.submit("ann", &Question::read(&number, &reply), &code);
        crate::api::send(&app, &submit, &young)
            .await
            .expect("verified");
        let shown = crate::api::send(&app, &api.read("ann"), &claims(9_000)).await;
        assert_eq!(api.held(&shown.expect("read")), [(number.clone(), true)]);
        let id = user.id_of(&number).await;
        let before = app.database.dump().await;
        let remove = api.remove("ann", &number, &id);
        let mut ageless = api.claims("ann", "acme", app.now());
        ageless.as_object_mut().expect("claims").remove("iat");
        for token in [claims(300), app.token(ageless)] {
            let told = crate::api::answer(&app, &remove, Some(&token)).await;
            assert_eq!(told.status, 401, "{api:?}");
            let text = String::from_utf8_lossy(&told.body).into_owned();
            let says = text.contains("sign in again") || text.contains("not fresh enough");
            assert!(says, "{api:?}: {text}");
        }
        if api == Api::Zitadel {
            for wire in Wire::ALL {
                for (rpc, body) in [
                    ("RemovePhone", json!({"userId": "ann"})),
                    (
                        "UpdateUser",
                        json!({"userId": "ann", "human": {"phone": {}}}),
                    ),
                ] {
                    let refused = wire.refused(&app, rpc, &claims(300), body).await;
                    assert_eq!(refused.code, Code::Unauthenticated, "{wire:?} {rpc}");
                }
            }
        }
        assert_eq!(app.database.dump().await, before);
        crate::api::send(&app, &remove, &young)
            .await
            .expect("removed");
    }
}
