//! Numbers as second factors.

use super::*;
use crate::api::another;

crate::on_both! {
    a_new_number_becomes_a_factor_once_it_is_proven,
    a_proven_number_needs_no_code,
    an_unproven_number_is_proven_by_becoming_a_factor,
    the_code_is_for_the_number_that_was_asked_last,
    a_deleted_factor_is_gone_for_good,
}

async fn start(app: &TestApp, user: &str, number: &str) -> Answer {
    let body = json!({"phone_number": number, "trust_device": false, "action": "enroll"});
    post(app, CREDENTIAL, &fresh(app, user), body).await
}

async fn prove(app: &TestApp, user: &str, code: &str) -> Answer {
    let body = json!({"verification_code": code, "trust_device": false});
    post(app, CREDENTIAL_VERIFY, &fresh(app, user), body).await
}

async fn delete(app: &TestApp, user: &str, number: &str) -> Answer {
    let request = request(app, Method::DELETE, CREDENTIAL, &fresh(app, user));
    answer(request.json(&json!({"phone_number": number}))).await
}

async fn listed(app: &TestApp, user: &str) -> Vec<String> {
    let told = get(app, CREDENTIALS, &fresh(app, user)).await;
    assert_eq!(told.status, 200, "{told:?}");
    let credentials = told.body["credentials"].as_array().expect("a list").clone();
    let number = |credential: Value| credential["phone_number"].as_str().map(str::to_owned);
    credentials
        .into_iter()
        .map(|credential| number(credential).expect("a number"))
        .collect()
}

async fn a_new_number_becomes_a_factor_once_it_is_proven(database: Database) {
    let app = TestApp::start(database).await;
    let first = proven(&app, "ann").await;
    let second = app.number();
    let told = start(&app, "ann", &second).await;
    assert_eq!(
        (told.status, told.body),
        (200, json!({"status": "sms_sent"}))
    );
    assert_eq!(listed(&app, "ann").await, [&*first]);
    let code = app.code(&second).await;
    assert_eq!(
        prove(&app, "ann", another(&code)).await.refused(),
        INVALID_CODE
    );
    let told = prove(&app, "ann", &code).await;
    assert_eq!(told.status, 200, "{told:?}");
    assert_eq!(
        told.body,
        json!({
            "type": "sms",
            "phone_number": second,
            "friendly_name": format!("{}•••••{}", &second[..5], &second[10..]),
            "created_at": "2027-01-15T08:00:00Z",
        })
    );
    assert_eq!(listed(&app, "ann").await, [first.clone(), second]);
    // The profile's number is another matter.
    assert_eq!(shown(&app, "ann").await, (Some(first), Some(true)));
    assert_eq!(listed(&app, "nobody").await, [""; 0]);
}

async fn a_proven_number_needs_no_code(database: Database) {
    let app = TestApp::start(database).await;
    let number = proven(&app, "ann").await;
    let before = app.sent().await;
    let told = start(&app, "ann", &number).await;
    assert_eq!(
        (told.status, &told.body["status"]),
        (200, &json!("enabled"))
    );
    assert_eq!(told.body["credential"]["phone_number"], json!(number));
    assert_eq!(told.body["credential"]["type"], "sms");
    assert_eq!(app.sent().await, before);
    // Somebody else's proof is none.
    let told = start(&app, "bob", &number).await;
    assert_eq!(
        (told.status, told.body),
        (200, json!({"status": "sms_sent"}))
    );
    assert_eq!(app.sent().await, before + 1);
    assert_eq!(listed(&app, "bob").await, [""; 0]);
}

async fn an_unproven_number_is_proven_by_becoming_a_factor(database: Database) {
    let app = TestApp::start(database).await;
    let number = app.number();
    assert_eq!(update(&app, "ann", &number).await.status, 200);
    app.seconds(60);
    let told = start(&app, "ann", &number).await;
    assert_eq!(
        (told.status, told.body),
        (200, json!({"status": "sms_sent"}))
    );
    assert_eq!(
        shown(&app, "ann").await,
        (Some(number.clone()), Some(false))
    );
    let code = app.code(&number).await;
    assert_eq!(prove(&app, "ann", &code).await.status, 200);
    assert_eq!(shown(&app, "ann").await, (Some(number), Some(true)));
}

async fn the_code_is_for_the_number_that_was_asked_last(database: Database) {
    let app = TestApp::start(database).await;
    let (first, second) = (app.number(), app.number());
    assert_eq!(start(&app, "ann", &first).await.status, 200);
    assert_eq!(start(&app, "ann", &second).await.status, 200);
    let (one, two) = (app.code(&first).await, app.code(&second).await);
    assert_ne!(one, two);
    assert_eq!(prove(&app, "ann", &one).await.refused(), INVALID_CODE);
    // Asked again, with the code that it had.
    app.seconds(60);
    assert_eq!(start(&app, "ann", &first).await.status, 200);
    let told = prove(&app, "ann", &one).await;
    assert_eq!(told.body["phone_number"], json!(first), "{told:?}");
    let told = prove(&app, "ann", &two).await;
    assert_eq!(told.body["phone_number"], json!(second), "{told:?}");
    assert_eq!(prove(&app, "ann", &two).await.refused(), INVALID_CODE);
}

async fn a_deleted_factor_is_gone_for_good(database: Database) {
    let app = TestApp::start(database).await;
    let first = proven(&app, "ann").await;
    let second = app.number();
    assert_eq!(start(&app, "ann", &second).await.status, 200);
    let told = delete(&app, "ann", &second).await;
    assert_eq!(
        told.refused(),
        (404, "resource_not_found"),
        "it is none yet"
    );
    let code = app.code(&second).await;
    assert_eq!(prove(&app, "ann", &code).await.status, 200);

    assert_eq!(
        delete(&app, "bob", &second).await.refused(),
        (404, "resource_not_found")
    );
    assert_eq!(delete(&app, "ann", &second).await.status, 204);
    assert_eq!(
        delete(&app, "ann", &second).await.refused(),
        (404, "resource_not_found")
    );
    assert_eq!(listed(&app, "ann").await, [&*first]);
    assert_eq!(
        app.letters(&second).await[0].code,
        None,
        "its owner is told"
    );

    // Also the one that the profile shows.
    assert_eq!(delete(&app, "ann", &first).await.status, 204);
    assert_eq!(shown(&app, "ann").await, (None, None));
    assert_eq!(listed(&app, "ann").await, [""; 0]);
}
