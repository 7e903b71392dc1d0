//! What users and services do, from the first number to the last, the same over every wire.

use ringback_core::Id;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::database::Database;
use crate::http::wire::Wire;

mod apis;
mod codes;
mod numbers;

pub use numbers::SPELLINGS;

crate::on_both! {
    the_phone_calls_give_the_same_result_over_every_wire,
}

/// Sets, verifies, changes, lists and removes, and keeps every answer.
struct Story<'a> {
    app: &'a TestApp,
    wire: Wire,
    told: Vec<Value>,
}

impl Story<'_> {
    async fn call(&mut self, rpc: &str, token: &str, body: Value) -> Value {
        let answer = match self.wire.call(self.app, rpc, token, body).await {
            Ok(reply) => reply,
            Err(failure) => json!({"refused": failure.message, "code": failure.code as i32}),
        };
        self.told.push(json!([rpc, veiled(&answer)]));
        // So that each change has a time of its own.
        self.app.seconds(1);
        answer
    }
}

/// An answer without its code, and with numbers by their ends.
fn veiled(answer: &Value) -> Value {
    match answer {
        Value::String(text) if text.starts_with("+41") => {
            format!("+41…{}", &text[text.len() - 2..]).into()
        }
        Value::Array(items) => items.iter().map(veiled).collect(),
        Value::Object(members) => {
            let veil = |(name, value): (&String, &Value)| {
                let is_code = name == "verificationCode" || name == "phoneCode";
                (
                    name.clone(),
                    if is_code {
                        "(code)".into()
                    } else {
                        veiled(value)
                    },
                )
            };
            members.iter().map(veil).collect()
        }
        Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => answer.clone(),
    }
}

async fn tell(app: &TestApp, wire: Wire) -> Vec<Value> {
    let (admin, ann) = (app.admin(), app.user("ann", "acme"));
    let me = || json!({"userId": "ann"});
    let (first, second) = ("+41791110001", "+41791110002");
    let mut story = Story {
        app,
        wire,
        told: Vec::new(),
    };

    // A user sets a number, and proves it with the code that went out.
    story
        .call("SetPhone", &ann, json!({"userId": "ann", "phone": first}))
        .await;
    story.call("GetUserByID", &ann, me()).await;
    let code = app.code(first).await;
    let wrong = if code == "000000" { "000001" } else { "000000" };
    story
        .call(
            "VerifyPhone",
            &ann,
            json!({"userId": "ann", "verificationCode": wrong}),
        )
        .await;
    story
        .call(
            "VerifyPhone",
            &ann,
            json!({"userId": "ann", "verificationCode": code}),
        )
        .await;
    let user = story.call("GetUserByID", &ann, me()).await;
    assert_eq!(
        user["user"]["human"]["phone"],
        json!({"phone": first, "isVerified": true})
    );
    story
        .call(
            "VerifyPhone",
            &ann,
            json!({"userId": "ann", "verificationCode": code}),
        )
        .await;

    // Another number takes its place; a service reads the code itself and submits it.
    let body = json!({"userId": "ann", "phone": second, "returnCode": {}});
    let reply = story.call("SetPhone", &admin, body).await;
    let returned = reply["verificationCode"]
        .as_str()
        .expect("a code")
        .to_owned();
    let again = story
        .call(
            "ResendPhoneCode",
            &admin,
            json!({"userId": "ann", "returnCode": {}}),
        )
        .await;
    assert_eq!(
        again["verificationCode"],
        json!(returned),
        "a resend repeats the code"
    );
    story
        .call(
            "ResendPhoneCode",
            &admin,
            json!({"userId": "ann", "sendCode": {}}),
        )
        .await;
    assert_eq!(app.code(second).await, returned);
    story.call("ListUserPhones", &ann, me()).await;
    story
        .call(
            "VerifyPhone",
            &admin,
            json!({"userId": "ann", "verificationCode": returned}),
        )
        .await;
    story.call("ListUserPhones", &ann, me()).await;
    story
        .call("SearchPhones", &admin, json!({"phone": second}))
        .await;
    let query = json!({"queries": [{"phoneQuery": {"number": second}}]});
    story.call("ListUsers", &admin, query).await;

    // It goes, and comes back on a service's word.
    story.call("RemovePhone", &ann, me()).await;
    story.call("GetUserByID", &ann, me()).await;
    story.call("RemovePhone", &ann, me()).await;
    let body = json!({"userId": "ann", "phone": second, "isVerified": true});
    story.call("SetPhone", &admin, body).await;
    story.call("GetUserByID", &admin, me()).await;

    // Users that come with a number, and change it together with the rest.
    let bob = json!({
        "userId": "bob", "username": "bob@example.com", "organization": {"orgId": "acme"},
        "profile": {"givenName": "Bob", "familyName": "Stone", "gender": "GENDER_MALE"},
        "email": {"email": "bob@example.com", "isVerified": true},
        "phone": {"phone": "+41791110003", "returnCode": {}},
    });
    story.call("AddHumanUser", &admin, bob.clone()).await;
    story.call("AddHumanUser", &admin, bob).await;
    let cleo = json!({
        "organizationId": "acme", "userId": "cleo", "username": "cleo",
        "human": {
            "profile": {"givenName": "Cleo", "familyName": "Stone"},
            "email": {"email": "cleo@example.com"},
            "phone": {"phone": "+41791110004", "isVerified": true},
        },
    });
    story.call("CreateUser", &admin, cleo).await;
    let body = json!({"userId": "bob", "username": "bobby", "human": {
        "profile": {"nickName": "B"}, "phone": {"phone": "+41791110005", "returnCode": {}},
    }});
    story.call("UpdateUser", &admin, body).await;
    let body = json!({"userId": "bob", "human": {"phone": {}}});
    story.call("UpdateUser", &admin, body).await;
    let body = json!({"userId": "cleo", "phone": {"phone": "+41791110006", "sendCode": {}}});
    story.call("UpdateHumanUser", &admin, body).await;
    let letters = app.letters("+41791110004").await;
    story.told.push(json!(["letter", letters[0].text]));
    let query = json!({"queries": [], "query": {"asc": true}, "sortingColumn": "USER_FIELD_NAME_USER_NAME"});
    story.call("ListUsers", &admin, query).await;
    story
        .call("DeleteUser", &admin, json!({"userId": "cleo"}))
        .await;
    story
        .call("GetUserByID", &admin, json!({"userId": "cleo"}))
        .await;
    story.told
}

/// Puts "id 1" and so on in the place of ids, which are made of whatever randomness is left by others.
fn name_ids(told: &mut Value, known: &mut Vec<String>) {
    match told {
        Value::Array(all) => all.iter_mut().for_each(|one| name_ids(one, known)),
        Value::Object(all) => all.values_mut().for_each(|one| name_ids(one, known)),
        Value::String(text) if text.len() == 36 && Id::parse(text).is_some() => {
            let place = known.iter().position(|id| id == text);
            let place = place.unwrap_or_else(|| {
                known.push(text.clone());
                known.len() - 1
            });
            *text = format!("id {}", place + 1);
        }
        _ => {}
    }
}

async fn the_phone_calls_give_the_same_result_over_every_wire(database: Database) {
    for wire in Wire::ALL {
        let app = TestApp::start(database.another().await).await;
        let mut told = tell(&app, wire).await;
        let mut ids = Vec::new();
        told.iter_mut().for_each(|told| name_ids(told, &mut ids));
        insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
            insta::assert_json_snapshot!("flow", told);
        });
    }
}
