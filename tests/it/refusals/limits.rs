//! Limits: which one it was, and when to come back. That they end then is in `api`.

use ringback_core::limit::Window;
use serde_json::json;

use super::row;
use crate::app::TestApp;
use crate::database::Database;
use crate::http::wire::Wire;

crate::on_both! {
    too_soon,
    too_many_for_one_number_or_account,
    a_returned_code_spends_nothing,
}

async fn too_soon(database: Database) {
    let app = TestApp::start(database).await;
    let (app, admin) = (&app, app.admin());
    row("limited_cool_down", async |wire, user| {
        let (token, number) = (app.user(user, "acme"), app.number());
        wire.ok(
            app,
            "SetPhone",
            &token,
            json!({"userId": user, "phone": number}),
        )
        .await;
        wire.refused(app, "ResendPhoneCode", &token, json!({"userId": user}))
            .await
    })
    .await;
    // Five wrong guesses: the user gets no new code, a service gets one, and its first guess waits a second.
    let five_wrong = async |wire: Wire, user: &str| {
        let (token, number) = (app.user(user, "acme"), app.number());
        let set = json!({"userId": user, "phone": number});
        wire.ok(app, "SetPhone", &token, set).await;
        let code = app.code(&number).await;
        let wrong = if code == "000000" { "000001" } else { "000000" };
        let submit = json!({"userId": user, "verificationCode": wrong});
        for _ in 0..5 {
            wire.refused(app, "VerifyPhone", &token, submit.clone())
                .await;
        }
        (token, submit)
    };
    row("limited_guesses", async |wire, user| {
        let (token, _) = five_wrong(wire, user).await;
        let resend = json!({"userId": user});
        wire.refused(app, "ResendPhoneCode", &token, resend).await
    })
    .await;
    row("limited_wrong_codes", async |wire, user| {
        let (token, submit) = five_wrong(wire, user).await;
        let resend = json!({"userId": user, "returnCode": {}});
        wire.ok(app, "ResendPhoneCode", &admin, resend).await;
        wire.refused(app, "VerifyPhone", &token, submit).await
    })
    .await;
}

async fn too_many_for_one_number_or_account(database: Database) {
    let usual = TestApp::start(database.another().await).await;
    row("limited_sends_per_account", async |wire, user| {
        let token = usual.user(user, "acme");
        for _ in 0..5 {
            let set = json!({"userId": user, "phone": usual.number()});
            wire.ok(&usual, "SetPhone", &token, set).await;
        }
        let set = json!({"userId": user, "phone": usual.number()});
        wire.refused(&usual, "SetPhone", &token, set).await
    })
    .await;

    let app = TestApp::start_with(database, |config| {
        config.limits.cool_down_seconds = vec![];
        config.limits.sends_per_account = vec![];
        config.limits.sends_per_number = vec![Window {
            count: 6,
            seconds: 600,
        }];
        config.limits.changes_per_account = vec![Window {
            count: 30,
            seconds: 3_600,
        }];
    });
    let app = app.await;
    row("limited_sends_per_number", async |wire, user| {
        let (token, number) = (app.user(user, "acme"), app.number());
        wire.ok(
            &app,
            "SetPhone",
            &token,
            json!({"userId": user, "phone": number}),
        )
        .await;
        for _ in 0..2 {
            wire.ok(&app, "ResendPhoneCode", &token, json!({"userId": user}))
                .await;
        }
        wire.refused(&app, "ResendPhoneCode", &token, json!({"userId": user}))
            .await
    })
    .await;
    row("limited_by_others", async |wire, user| {
        let number = app.number();
        for index in 0.. {
            let user = format!("{user}-{index}");
            let set = json!({"userId": user, "phone": number});
            match wire
                .call(&app, "SetPhone", &app.user(&user, "acme"), set)
                .await
            {
                // A quarter of six, rounded down, is not for them.
                Ok(_) => assert!(index < 5),
                Err(refused) => return refused,
            }
        }
        unreachable!("the sixth is refused")
    })
    .await;
    row("limited_changes_per_account", async |wire, user| {
        let token = app.user(user, "acme");
        let set = json!({"userId": user, "phone": app.number()});
        wire.ok(&app, "SetPhone", &token, set).await;
        for n in 0..29 {
            let update = json!({"userId": user, "human": {"profile": {"givenName": n.to_string(), "familyName": "x"}}});
            wire.ok(&app, "UpdateUser", &token, update).await;
        }
        let remove = json!({"userId": user});
        wire.refused(&app, "RemovePhone", &token, remove).await
    })
    .await;
    row("limited_sets_per_account", async |wire, user| {
        let token = app.user(user, "acme");
        for _ in 0..25 {
            let set = json!({"userId": user, "phone": app.number()});
            wire.ok(&app, "SetPhone", &token, set).await;
        }
        let set = json!({"userId": user, "phone": app.number()});
        wire.refused(&app, "SetPhone", &token, set).await
    })
    .await;
}

async fn a_returned_code_spends_nothing(database: Database) {
    let app = TestApp::start(database).await;
    let (admin, number) = (app.admin(), app.number());
    let set = json!({"userId": "root", "phone": number, "returnCode": {}});
    Wire::Grpc.ok(&app, "SetPhone", &admin, set).await;
    for _ in 0..30 {
        let again = json!({"userId": "root", "returnCode": {}});
        Wire::Grpc.ok(&app, "ResendPhoneCode", &admin, again).await;
    }
    Wire::Grpc
        .ok(&app, "ResendPhoneCode", &admin, json!({"userId": "root"}))
        .await;
    assert_eq!(app.sent().await, 1);
}
