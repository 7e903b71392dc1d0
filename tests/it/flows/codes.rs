//! Codes and messages: what is repeated, what they say, how JSON is read. What ends a code is in `api`.

use ringback::config::OrganizationSection;
use ringback_sms::texts::OwnTextRules;
use serde_json::json;

use crate::app::TestApp;
use crate::database::Database;
use crate::http::wire::Wire;

crate::on_both! {
    a_resend_repeats_the_code_while_it_is_fresh,
    messages_say_what_they_are_for,
    messages_are_in_the_language_of_their_reader,
    json_is_read_generously_and_written_canonically,
}

async fn a_resend_repeats_the_code_while_it_is_fresh(database: Database) {
    let app = TestApp::start(database).await;
    for wire in Wire::ALL {
        let (user, number) = (wire.name(), app.number());
        let token = app.user(user, "acme");
        let me = || json!({"userId": user});
        wire.ok(
            &app,
            "SetPhone",
            &token,
            json!({"userId": user, "phone": number}),
        )
        .await;
        let first = app.code(&number).await;
        app.seconds(60);
        let reply = wire.ok(&app, "ResendPhoneCode", &token, me()).await;
        assert!(reply.get("verificationCode").is_none(), "{wire:?}: {reply}");
        assert_eq!(
            app.code(&number).await,
            first,
            "540 s remain: the same code"
        );
        assert_eq!(app.letters(&number).await.len(), 2);
        app.seconds(430);
        wire.ok(
            &app,
            "ResendPhoneCode",
            &token,
            json!({"userId": user, "sendCode": {}}),
        )
        .await;
        let second = app.code(&number).await;
        assert_ne!(second, first, "110 s remain: a new code");
        let old = json!({"userId": user, "verificationCode": first});
        let refused = wire.refused(&app, "VerifyPhone", &token, old).await;
        assert_eq!(refused.message, "Code is invalid (COMMAND-eis9R)");
        let new = json!({"userId": user, "verificationCode": second});
        wire.ok(&app, "VerifyPhone", &token, new).await;
        let none = wire.refused(&app, "ResendPhoneCode", &token, me()).await;
        assert_eq!(none.message, "Code is empty (PHONE-5xrra88eq8)");
    }
}

async fn messages_say_what_they_are_for(database: Database) {
    let app = TestApp::start_with(database, |config| {
        config.messages.domain = "example.com".into();
        config.messages.android_hash = "FA+9qCX9VSu".into();
        config.codes.length = 8;
    });
    let app = app.await;
    let (token, number) = (app.user("ann", "acme"), app.number());
    Wire::Json
        .ok(
            &app,
            "SetPhone",
            &token,
            json!({"userId": "ann", "phone": number}),
        )
        .await;
    let letters = app.letters(&number).await;
    let code = letters[0].code.clone().expect("a code");
    assert_eq!(code.len(), 8);
    let expected = format!(
        "{code} is your Acme code. Valid 10 min, do not share it.\nFA+9qCX9VSu\n@example.com #{code}"
    );
    assert_eq!(letters[0].text, expected);
}

async fn messages_are_in_the_language_of_their_reader(database: Database) {
    let app = TestApp::start_with(database, |config| {
        let own = OrganizationSection {
            messages: OwnTextRules {
                service_name: Some("Bank".into()),
                language: Some("it".into()),
                ..OwnTextRules::default()
            },
            ..OrganizationSection::default()
        };
        config.organizations.insert("bank".into(), own);
    });
    let app = app.await;
    for (organization, language, text) in [
        ("acme", "de", "ist Ihr Code für Acme."),
        ("acme", "eo", "is your Acme code."),
        ("bank", "de-CH", "ist Ihr Code für Bank."),
        ("bank", "", "è il tuo codice Bank."),
    ] {
        let number = app.number();
        let token = app.token(json!({
            "sub": "root",
            "org_id": organization,
            "permissions": ["user.read", "user.write"],
        }));
        let profile = json!({
            "givenName": "Ann",
            "familyName": "Stone",
            "preferredLanguage": language,
        });
        let user = json!({
            "profile": profile,
            "email": {"email": "ann@example.com", "isVerified": true},
            "phone": {"phone": number, "sendCode": {}},
        });
        Wire::Json.ok(&app, "AddHumanUser", &token, user).await;
        let letters = app.letters(&number).await;
        assert!(letters[0].text.contains(text), "{}", letters[0].text);
    }
}

async fn json_is_read_generously_and_written_canonically(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    let bearer = format!("Bearer {admin}");
    for (index, path) in [
        "/v2/users/root/phone",
        "/zitadel.user.v2.UserService/SetPhone",
    ]
    .into_iter()
    .enumerate()
    {
        for (name, arm) in [
            ("return_code", "{}"),
            ("returnCode", "{\"unknown\":[1,{}]}"),
        ] {
            let body = format!(
                r#"{{"user_id": "root", "phone": "{}", "{name}": {arm}, "nobody": {{"knows": 1.5}},
                    "sendCode": null}}"#,
                app.number()
            );
            let request = app
                .http
                .post(app.url(path))
                .header("authorization", &bearer);
            let request = request.header("content-type", "application/json; charset=utf-8");
            let answer = request.body(body).send().await.expect("an answer");
            assert_eq!(answer.status(), 200, "{index} {name}");
            let text = answer.text().await.expect("a text");
            let first = text.find(r#""sequence":""#);
            assert!(first.is_some(), "64 bits are a text: {text}");
            assert!(
                text.contains(r#""changeDate":"2027-01-15T08:00:00Z""#),
                "{text}"
            );
            assert!(text.contains(r#""verificationCode":""#), "{text}");
        }
    }
    // A user without a number has an empty one, and what is false is not there.
    Wire::Json
        .ok(&app, "RemovePhone", &admin, json!({"userId": "root"}))
        .await;
    let user = app
        .http
        .get(app.url("/v2/users/root"))
        .header("authorization", &bearer);
    let user = user
        .send()
        .await
        .expect("an answer")
        .text()
        .await
        .expect("a text");
    assert!(user.contains(r#""phone":{}"#), "{user}");
    assert!(
        !user.contains("isVerified") && !user.contains("null"),
        "{user}"
    );

    // A number may come as a text; an unknown enumerator is ignored like an unknown field.
    let query = json!({"query": {"limit": "1", "offset": "0"}, "sortingColumn": "SHOE_SIZE"});
    Wire::Json.ok(&app, "ListUsers", &admin, query).await;
    // Not so where a list without the condition would be longer.
    let query = json!({"queries": [{"stateQuery": {"state": "SLEEPING"}}]});
    let refused = Wire::Json.refused(&app, "ListUsers", &admin, query).await;
    assert_eq!(refused.code, tonic::Code::InvalidArgument);
}
