//! Who may do what: nobody proves a number without its owner, nobody looks into another organisation.

mod events;
mod issuers;
mod table;

use http::HeaderMap;
use ringback_core::policy::Registration;
use serde_json::{Value, json};
use tonic::Code;

use crate::app::TestApp;
use crate::database::Database;
use crate::http::wire::{Failure, Wire};
use crate::refusals::harmless;

crate::on_both! {
    self_service_gets_no_code_and_vouches_for_nothing,
    self_service_does_the_rest,
    another_organisation_is_not_there,
    in_the_same_organisation_only_who_may_know_is_denied,
    a_manager_manages_one_organisation,
    an_owner_acts_everywhere,
    permissions_come_from_any_claim,
    the_first_token_registers,
    only_services_register_when_told_so,
    a_deleted_user_is_gone,
    readers_see_what_they_may,
}

/// What the account holds, apart from what only looking at it could change.
async fn state(app: &TestApp, user: &str) -> Value {
    Wire::Grpc
        .ok(app, "GetUserByID", &app.admin(), json!({"userId": user}))
        .await
}

/// The same where several organisations have such a user.
async fn state_in(app: &TestApp, organization: &str, user: &str) -> Value {
    let bearer = format!("Bearer {}", app.admin());
    let headers = [
        ("authorization", bearer.as_str()),
        ("x-zitadel-orgid", organization),
    ];
    let me = json!({"userId": user});
    let shown = Wire::Grpc.call_with(app, "GetUserByID", &headers, me).await;
    shown.expect("must be there")
}

fn with_user(mut body: Value, user: &str) -> Value {
    body["userId"] = user.into();
    body
}

async fn self_service_gets_no_code_and_vouches_for_nothing(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    let mut numbers = (0..).map(|_| app.number());
    let mut number = || numbers.next().expect("a number");
    for wire in Wire::ALL {
        let ann = format!("ann-{}", wire.name());
        // Signed in with her own token, or with rights that are not the ones that count.
        let tokens = [
            app.user(&ann, "acme"),
            app.token(json!({
                "sub": ann, "org_id": "acme", "roles": ["USER"], "scope": "openid user.read",
                "permissions": ["user.delete", "user.writer"],
            })),
        ];
        for known in [false, true] {
            let held = number();
            if known {
                let set = json!({"userId": ann, "phone": held});
                wire.ok(&app, "SetPhone", &tokens[0], set).await;
            }
            let before = if known {
                Some(state(&app, &ann).await)
            } else {
                None
            };
            let sent = app.sent().await;
            let returned = json!({"phone": number(), "returnCode": {}});
            let trusted = json!({"phone": number(), "isVerified": true});
            // The number that is there already is as much out of reach as a new one.
            let present = json!({"phone": held, "isVerified": true});
            let present_returned = json!({"phone": held, "returnCode": {}});
            let email = json!({"email": "ann@example.com", "isVerified": true});
            let mut attempts = vec![
                ("SetPhone", returned.clone()),
                ("SetPhone", trusted.clone()),
                ("SetPhone", present.clone()),
                ("SetPhone", present_returned.clone()),
                ("ResendPhoneCode", json!({"returnCode": {}})),
                ("UpdateUser", json!({"human": {"phone": returned}})),
                ("UpdateUser", json!({"human": {"phone": trusted}})),
                ("UpdateUser", json!({"human": {"phone": present}})),
                ("UpdateUser", json!({"human": {"phone": present_returned}})),
                ("UpdateUser", json!({"human": {"email": email}})),
                (
                    "UpdateUser",
                    json!({"human": {"email": email, "phone": {"phone": number()}}}),
                ),
                ("UpdateHumanUser", json!({"phone": returned})),
                ("UpdateHumanUser", json!({"phone": trusted})),
                ("UpdateHumanUser", json!({"phone": present})),
                ("UpdateHumanUser", json!({"email": email})),
            ];
            // Nor does she make accounts, her own or another one.
            for phone in [&returned, &trusted, &json!({})] {
                attempts.push(("AddHumanUser", json!({"phone": phone, "email": email})));
                attempts.push(("CreateUser", json!({"human": {"phone": phone}})));
            }
            for (rpc, body) in attempts {
                for token in &tokens {
                    let refused = wire
                        .refused(&app, rpc, token, with_user(body.clone(), &ann))
                        .await;
                    let unseen = !known && refused.code == Code::NotFound;
                    assert!(
                        refused.code == Code::PermissionDenied || unseen,
                        "{wire:?} {rpc} {body}: {refused:?}"
                    );
                    harmless(rpc, &String::from_utf8_lossy(&refused.body));
                }
            }
            assert_eq!(app.sent().await, sent, "{wire:?}");
            match before {
                Some(before) => assert_eq!(state(&app, &ann).await, before, "{wire:?}"),
                None => {
                    let none = json!({"userId": ann});
                    wire.refused(&app, "GetUserByID", &admin, none).await;
                }
            }
        }
        let phones = wire
            .ok(&app, "ListUserPhones", &admin, json!({"userId": ann}))
            .await;
        assert!(phones["phones"][0].get("isVerified").is_none(), "{phones}");
    }
}

async fn self_service_does_the_rest(database: Database) {
    let app = TestApp::start(database).await;
    for wire in Wire::ALL {
        let ann = wire.name();
        let (token, first, second) = (app.user(ann, "acme"), app.number(), app.number());
        let me = || json!({"userId": ann});
        let set = json!({"userId": ann, "phone": first});
        let reply = wire.ok(&app, "SetPhone", &token, set).await;
        assert!(reply.get("verificationCode").is_none(), "{reply}");
        let submit = json!({"userId": ann, "verificationCode": app.code(&first).await});
        wire.ok(&app, "VerifyPhone", &token, submit).await;
        let human = json!({
            "profile": {"nickName": "A"}, "email": {"email": "a@example.com"},
            "phone": {"phone": second},
        });
        let update = json!({"userId": ann, "username": "annie", "human": human});
        let reply = wire.ok(&app, "UpdateUser", &token, update).await;
        assert!(reply.get("phoneCode").is_none(), "{reply}");
        let user = wire.ok(&app, "GetUserByID", &token, me()).await;
        assert_eq!(user["user"]["username"], "annie");
        assert_eq!(
            user["user"]["human"]["email"],
            json!({"email": "a@example.com"})
        );
        assert_eq!(user["user"]["human"]["phone"], json!({"phone": second}));
        wire.ok(&app, "RemovePhone", &token, me()).await;
        let refused = wire.refused(&app, "DeleteUser", &token, me()).await;
        assert_eq!(
            refused.code,
            Code::PermissionDenied,
            "deleting sheds limits"
        );
    }
}

/// Every method that is about one user.
fn methods() -> Vec<(&'static str, Value)> {
    let phone = || json!({"phone": "+41791110099", "isVerified": true});
    let (id, code) = ("0190a5d2-0000-7000-8000-000000000001", "123456");
    vec![
        ("SetPhone", json!({"phone": "+41791110099"})),
        (
            "SetPhone",
            json!({"phone": "+41791110099", "returnCode": {}}),
        ),
        ("SetPhone", phone()),
        ("SetPhone", json!({"phone": "no number"})),
        ("ResendPhoneCode", json!({})),
        ("ResendPhoneCode", json!({"returnCode": {}})),
        ("VerifyPhone", json!({"verificationCode": "123456"})),
        ("RemovePhone", json!({})),
        (
            "UpdateUser",
            json!({"username": "x", "human": {"phone": phone()}}),
        ),
        ("UpdateUser", json!({"human": {"phone": {}}})),
        ("UpdateHumanUser", json!({"phone": phone()})),
        ("DeleteUser", json!({})),
        ("GetUserByID", json!({})),
        ("ListUserPhones", json!({})),
        ("AddUserPhone", json!({"phone": "+41791110099"})),
        ("AddUserPhone", phone()),
        ("PreverifyUserPhone", json!({"phone": "+41791110099"})),
        (
            "VerifyUserPhone",
            json!({"phone": "+41791110099", "verificationCode": code}),
        ),
        (
            "VerifyUserPhone",
            json!({"challengeId": id, "verificationCode": code}),
        ),
        ("RequestUserPhoneRemoval", json!({"phoneId": id})),
        (
            "ConfirmUserPhoneRemoval",
            json!({"phoneId": id, "challengeId": id, "verificationCode": code}),
        ),
        ("RemoveUserPhone", json!({"phoneId": id})),
        ("ChangeUserPhone", json!({"phone": "+41791110099"})),
        ("ResendUserPhoneChange", json!({})),
        ("SetPrimaryUserPhone", json!({"phoneId": id})),
    ]
}

/// HTTP status, code, headers but for the date, bytes.
type Whole = (Option<u16>, Code, Vec<(String, String)>, Vec<u8>);

/// All that an answer tells.
fn all_of(failure: &Failure) -> Whole {
    let tell = |headers: &HeaderMap| {
        let mut told: Vec<(String, String)> = headers
            .iter()
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (
                    name.as_str().to_owned(),
                    if name == "date" { String::new() } else { value },
                )
            })
            .collect();
        told.sort();
        told
    };
    (
        failure.http,
        failure.code,
        tell(&failure.headers),
        failure.body.to_vec(),
    )
}

async fn another_organisation_is_not_there(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    let theirs = json!({
        "userId": "theirs", "organization": {"orgId": "other"},
        "phone": {"phone": app.number(), "returnCode": {}},
    });
    Wire::Grpc.ok(&app, "AddHumanUser", &admin, theirs).await;
    let before = state(&app, "theirs").await;
    let strangers = [app.user("mallory", "acme"), app.manager("acme")];
    for wire in Wire::ALL {
        for (index, token) in strangers.iter().enumerate() {
            for (rpc, body) in methods() {
                // Only a service asks about strangers whom the first token would register.
                let there = wire
                    .refused(&app, rpc, token, with_user(body.clone(), "theirs"))
                    .await;
                let unknown = wire
                    .refused(&app, rpc, token, with_user(body, "nobody"))
                    .await;
                assert_eq!(
                    there.code,
                    Code::NotFound,
                    "{wire:?} {rpc} {index}: {there:?}"
                );
                assert_eq!(all_of(&there), all_of(&unknown), "{wire:?} {rpc} {index}");
            }
        }
        for (token, rpc) in [(&strangers[0], "ListUsers"), (&strangers[1], "ListUsers")] {
            let query = json!({"queries": [{"inUserIdsQuery": {"userIds": ["theirs"]}}]});
            let found = wire.ok(&app, rpc, token, query).await;
            assert!(found.get("result").is_none(), "{found}");
            let found = wire
                .ok(&app, "SearchPhones", token, json!({"userIds": ["theirs"]}))
                .await;
            assert_eq!(found, json!({}));
        }
    }
    // The same subject in another organisation is another person, who changes only what is their own.
    let same = app.user("theirs", "acme");
    for wire in Wire::ALL {
        for (rpc, body) in methods() {
            let body = with_user(body, "theirs");
            if let Ok(reply) = wire.call(&app, rpc, &same, body).await {
                assert!(
                    !reply.to_string().contains("\"other\""),
                    "{wire:?} {rpc}: {reply}"
                );
            }
        }
    }
    assert_eq!(state_in(&app, "other", "theirs").await, before);
}

async fn in_the_same_organisation_only_who_may_know_is_denied(database: Database) {
    let app = TestApp::start(database).await;
    let add = json!({"userId": "ann", "organization": {"orgId": "acme"}, "phone": {
        "phone": app.number(), "isVerified": true,
    }});
    Wire::Grpc.ok(&app, "AddHumanUser", &app.admin(), add).await;
    let before = state(&app, "ann").await;
    let colleague = app.user("bob", "acme");
    let reader = app.reader("acme");
    for wire in Wire::ALL {
        for (rpc, body) in methods() {
            let body = with_user(body, "ann");
            let refused = wire.refused(&app, rpc, &colleague, body.clone()).await;
            let unknown = with_user(body.clone(), "nobody");
            let unknown = wire.refused(&app, rpc, &colleague, unknown).await;
            assert_eq!(refused.code, Code::NotFound, "{wire:?} {rpc}: {refused:?}");
            assert_eq!(all_of(&refused), all_of(&unknown), "{wire:?} {rpc}");
            let answer = wire.call(&app, rpc, &reader, body).await;
            match answer {
                Ok(_) => assert!(["GetUserByID", "ListUserPhones"].contains(&rpc)),
                Err(refused) => {
                    assert_eq!(refused.code, Code::PermissionDenied, "{wire:?} {rpc}");
                    assert!(refused.http.is_none_or(|status| status == 403));
                }
            }
        }
    }
    assert_eq!(state(&app, "ann").await, before);
}

async fn a_manager_manages_one_organisation(database: Database) {
    let app = TestApp::start(database).await;
    let boss = app.manager("acme");
    for wire in Wire::ALL {
        let user = format!("ann-{}", wire.name());
        let add = json!({"userId": user, "phone": {"phone": app.number(), "returnCode": {}}});
        let reply = wire.ok(&app, "AddHumanUser", &boss, add).await;
        assert_eq!(reply["details"]["resourceOwner"], "acme");
        let submit = json!({"userId": user, "verificationCode": reply["phoneCode"]});
        wire.ok(&app, "VerifyPhone", &boss, submit).await;
        wire.ok(&app, "RemovePhone", &boss, json!({"userId": user}))
            .await;
        wire.ok(&app, "DeleteUser", &boss, json!({"userId": user}))
            .await;

        let elsewhere = json!({"userId": user, "organization": {"orgId": "other"}});
        let refused = wire.refused(&app, "AddHumanUser", &boss, elsewhere).await;
        assert_eq!(refused.id(), "AUTH-Bs7Ds");
        let elsewhere = json!({"userId": user, "organizationId": "other", "human": {}});
        let refused = wire.refused(&app, "CreateUser", &boss, elsewhere).await;
        assert_eq!(refused.id(), "AUTH-Bs7Ds");

        let bearer = format!("Bearer {boss}");
        for (organization, allowed) in [("acme", true), ("other", false), ("", true)] {
            let headers = [
                ("authorization", bearer.as_str()),
                ("x-zitadel-orgid", organization),
            ];
            let answer = wire.call_with(&app, "ListUsers", &headers, json!({})).await;
            assert_eq!(
                answer.is_ok(),
                allowed,
                "{wire:?} {organization:?}: {answer:?}"
            );
        }
    }
}

async fn an_owner_acts_everywhere(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    let bearer = format!("Bearer {admin}");
    for wire in Wire::ALL {
        for (organization, header) in [("default", None), ("acme", Some("acme")), ("x", Some("x"))]
        {
            let user = format!("{organization}-{}", wire.name());
            let mut headers = vec![("authorization", bearer.as_str())];
            headers.extend(header.map(|name| ("x-zitadel-orgid", name)));
            let add = json!({"userId": user});
            let reply = wire.call_with(&app, "AddHumanUser", &headers, add).await;
            assert_eq!(
                reply.expect("done")["details"]["resourceOwner"],
                organization
            );
            let set = json!({"userId": user, "phone": app.number(), "isVerified": true});
            // An owner reaches an account from whichever organisation.
            wire.ok(&app, "SetPhone", &admin, set).await;
            let user = wire
                .ok(&app, "GetUserByID", &admin, json!({"userId": user}))
                .await;
            assert_eq!(user["user"]["human"]["phone"]["isVerified"], true);
        }
        // A request's own field goes before the header.
        let headers = [
            ("authorization", bearer.as_str()),
            ("x-zitadel-orgid", "acme"),
        ];
        let user = format!("both-{}", wire.name());
        let add = json!({"userId": user, "organizationId": "other", "human": {}});
        wire.call_with(&app, "CreateUser", &headers, add)
            .await
            .expect("done");
        let user = wire
            .ok(&app, "GetUserByID", &admin, json!({"userId": user}))
            .await;
        assert_eq!(user["details"]["resourceOwner"], "other");
    }
}

async fn permissions_come_from_any_claim(database: Database) {
    let app = TestApp::start(database).await;
    let writers = [
        json!({"permissions": ["user.write"]}),
        json!({"roles": ["ORG_OWNER"]}),
        json!({"urn:zitadel:iam:org:project:roles": {"ORG_USER_MANAGER": {"acme": "x"}}}),
    ];
    for (index, claims) in writers.into_iter().enumerate() {
        for name in [
            "urn:zitadel:iam:user:resourceowner:id",
            "tenantId",
            "org_id",
        ] {
            let mut claims = claims.clone();
            claims["sub"] = "service".into();
            claims[name] = "acme".into();
            let user = format!("{index}-{name}");
            let add = json!({"userId": user, "phone": {"phone": app.number(), "returnCode": {}}});
            let reply = Wire::Grpc
                .ok(&app, "AddHumanUser", &app.token(claims), add)
                .await;
            assert!(reply["phoneCode"].is_string(), "{reply}");
            assert_eq!(reply["details"]["resourceOwner"], "acme", "{name}");
        }
    }
}

async fn the_first_token_registers(database: Database) {
    let app = TestApp::start(database).await;
    for wire in Wire::ALL {
        // Looking and submitting make nobody; a number does.
        let user = wire.name();
        let token = app.user(user, "acme");
        let calls = [
            ("GetUserByID", json!({})),
            ("ListUserPhones", json!({})),
            ("VerifyPhone", json!({"verificationCode": "123456"})),
            ("ResendPhoneCode", json!({})),
            ("RemovePhone", json!({})),
            ("DeleteUser", json!({})),
            ("UpdateUser", json!({"username": "x"})),
        ];
        for (rpc, body) in calls {
            let refused = wire.refused(&app, rpc, &token, with_user(body, user)).await;
            assert_eq!(refused.code, Code::NotFound, "{wire:?} {rpc}: {refused:?}");
        }
        // A number that is none makes nobody either.
        let bad = json!({"userId": user, "phone": "no number"});
        wire.refused(&app, "SetPhone", &token, bad).await;
        wire.refused(&app, "GetUserByID", &token, json!({"userId": user}))
            .await;
        let set = json!({"userId": user, "phone": app.number()});
        let reply = wire.ok(&app, "SetPhone", &token, set).await;
        assert_eq!(reply["details"]["resourceOwner"], "acme");
        // Nobody registers somebody else that way.
        let other = json!({"userId": format!("{user}-2"), "phone": app.number()});
        let refused = wire.refused(&app, "SetPhone", &token, other).await;
        assert_eq!(refused.code, Code::NotFound);
        // A token without an organisation acts in the default one.
        let plain = format!("plain-{user}");
        let set = json!({"userId": plain, "phone": {"phone": app.number()}});
        let reply = wire
            .ok(
                &app,
                "UpdateHumanUser",
                &app.token(json!({"sub": plain})),
                set,
            )
            .await;
        assert_eq!(reply["details"]["resourceOwner"], "default");
    }
}

async fn only_services_register_when_told_so(database: Database) {
    let app = TestApp::start_with(database, |config| {
        config.accounts.register = Registration::Explicit;
    });
    let app = app.await;
    for wire in Wire::ALL {
        let user = wire.name();
        let token = app.user(user, "default");
        let set = || json!({"userId": user, "phone": app.number()});
        let refused = wire.refused(&app, "SetPhone", &token, set()).await;
        assert_eq!(
            (refused.code, refused.id()),
            (Code::NotFound, "COMMAND-ieJ2e")
        );
        wire.ok(&app, "AddHumanUser", &app.admin(), json!({"userId": user}))
            .await;
        wire.ok(&app, "SetPhone", &token, set()).await;
    }
    assert_eq!(app.sent().await, 6);
}

async fn a_deleted_user_is_gone(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    for wire in Wire::ALL {
        let (user, number) = (wire.name(), app.number());
        wire.ok(
            &app,
            "AddHumanUser",
            &admin,
            json!({"userId": user, "phone": {
                "phone": number, "isVerified": true,
            }}),
        )
        .await;
        wire.ok(&app, "DeleteUser", &admin, json!({"userId": user}))
            .await;
        for (rpc, body) in methods() {
            let refused = wire.refused(&app, rpc, &admin, with_user(body, user)).await;
            assert_eq!(refused.code, Code::NotFound, "{wire:?} {rpc}: {refused:?}");
        }
        let found = wire
            .ok(&app, "SearchPhones", &admin, json!({"phone": number}))
            .await;
        assert_eq!(found, json!({}));
        // The id is free again, and remembers nothing.
        wire.ok(&app, "AddHumanUser", &admin, json!({"userId": user}))
            .await;
        let user = wire
            .ok(&app, "GetUserByID", &admin, json!({"userId": user}))
            .await;
        assert_eq!(user["user"]["human"]["phone"], json!({}));
    }
    assert_eq!(app.database.count("phone_numbers").await, 0);
}

async fn readers_see_what_they_may(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    for (user, organization) in [("ann", "acme"), ("bob", "acme"), ("cleo", "other")] {
        let add = json!({"userId": user, "organization": {"orgId": organization}, "phone": {
            "phone": app.number(), "isVerified": true,
        }});
        Wire::Grpc.ok(&app, "AddHumanUser", &admin, add).await;
    }
    let reader = app.token(json!({"sub": "eve", "org_id": "acme", "permissions": ["user.read"]}));
    let writer = app.token(json!({"sub": "wim", "org_id": "acme", "permissions": ["user.write"]}));
    let readers = [
        (&admin, vec!["ann", "bob", "cleo"]),
        (&reader, vec!["ann", "bob"]),
        (&app.user("ann", "acme"), vec!["ann"]),
        (&app.user("ann", "other"), vec![]),
        (&app.user("zoe", "acme"), vec![]),
        // To write is not to read.
        (&writer, vec![]),
    ];
    for wire in Wire::ALL {
        for (token, expected) in &readers {
            let ids = |list: &Value| -> Vec<String> {
                let items = list.as_array().cloned().unwrap_or_default();
                let ids = items
                    .iter()
                    .map(|item| item["userId"].as_str().expect("an id").into());
                ids.collect()
            };
            let sorted =
                json!({"sortingColumn": "USER_FIELD_NAME_USER_NAME", "query": {"asc": true}});
            let users = wire.ok(&app, "ListUsers", token, sorted).await;
            assert_eq!(ids(&users["result"]), *expected, "{wire:?}");
            let total = users["details"]["totalResult"].as_str().unwrap_or("0");
            assert_eq!(total, expected.len().to_string());
            let phones = wire.ok(&app, "SearchPhones", token, json!({})).await;
            assert_eq!(ids(&phones["phones"]), *expected, "{wire:?}");
            for user in ["ann", "bob", "cleo"] {
                for rpc in ["GetUserByID", "ListUserPhones"] {
                    let answer = wire.call(&app, rpc, token, json!({"userId": user})).await;
                    assert_eq!(
                        answer.is_ok(),
                        expected.contains(&user),
                        "{wire:?} {rpc} {user}"
                    );
                }
            }
        }
        for (token, organization, allowed) in [
            (&admin, "other", true),
            (&reader, "acme", true),
            (&reader, "other", false),
            (&app.user("ann", "acme"), "acme", true),
            (&app.user("ann", "acme"), "other", false),
        ] {
            let search = json!({"organizationId": organization});
            let answer = wire.call(&app, "SearchPhones", token, search).await;
            assert_eq!(
                answer.is_ok(),
                allowed,
                "{wire:?} {organization}: {answer:?}"
            );
            if let Err(refused) = answer {
                assert_eq!(
                    (refused.code, refused.id()),
                    (Code::PermissionDenied, "ORGANIZATION_DENIED")
                );
            }
        }
    }
}
