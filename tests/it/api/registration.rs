//! Who comes to be, and who is gone.

use ringback_core::policy::Registration;
use serde_json::json;

use super::user::send;
use super::{Api, Kind, Question, User};
use crate::app::TestApp;
use crate::database::Database;
use crate::http::wire::Wire;

crate::at_each_api! {
    the_first_token_registers,
    only_services_register_when_told_so,
    a_deleted_user_is_gone,
}

/// What a user holds whom ringback does not know. Zitadel has no such user; at the other APIs the token
/// proves that there is one, who holds nothing.
async fn holds_nothing(user: &User<'_>) {
    let held = user.held().await;
    match user.api {
        Api::Zitadel => assert_eq!(held.expect_err("nobody").kind, Kind::NoUser),
        Api::Frontegg | Api::ReachFive => assert_eq!(held.expect("read"), []),
    }
}

async fn the_first_token_registers(api: Api, database: Database) {
    let app = TestApp::start(database).await;
    let (ann, number) = (User::new(&app, api, "ann"), app.number());
    // Looking, submitting and removing make nobody, and neither does a number that is none.
    holds_nothing(&ann).await;
    let question = Question::of(&number);
    ann.submit(&question, "123456").await.expect_err("nobody");
    let remove = api.remove("ann", &number, "01940000-0000-7000-8000-000000000000");
    ann.send(remove).await.expect_err("nobody");
    match api {
        Api::Zitadel | Api::ReachFive => {
            let resend = ann.resend(&question).await.expect_err("nobody");
            assert_eq!(resend.kind, Kind::NoUser);
        }
        // To ask for a code is to announce a number.
        Api::Frontegg => {}
    }
    let bad = ann.set("no number").await.expect_err("no number");
    assert_eq!(bad.kind, Kind::NumberInvalid);
    assert_eq!(app.database.dump().await, "", "nothing is kept");

    ann.set(&number).await.expect("set");
    let held = [(number, false)];
    assert_eq!(ann.held().await.expect("read"), held);
    assert_eq!(app.database.events(&["ann", "account.registered"]).await, 1);
    assert_eq!(app.database.count("accounts").await, 1);
    // In the organisation of the token: elsewhere that id is somebody else.
    let other = User::new(&app, api, "ann").of("other");
    holds_nothing(&other).await;
    let number = app.number();
    other.set(&number).await.expect("set");
    assert_eq!(other.held().await.expect("read"), [(number, false)]);
    assert_eq!(ann.held().await.expect("read"), held);
    assert_eq!(app.database.count("accounts").await, 2);
}

async fn only_services_register_when_told_so(api: Api, database: Database) {
    let app = TestApp::start_with(database, |config| {
        config.accounts.register = Registration::Explicit;
    });
    let app = app.await;
    let (ann, number) = (User::new(&app, api, "ann"), app.number());
    let mut refused = vec![ann.set(&number).await];
    for way in api.ways() {
        refused.push(ann.resend_by(way, &Question::of(&number)).await);
    }
    for refused in refused {
        assert_eq!(refused.expect_err("nobody").kind, Kind::NoUser);
    }
    assert_eq!(app.database.dump().await, "", "nothing is kept");
    let add = json!({"userId": "ann", "organization": {"orgId": "acme"}});
    Wire::Json.ok(&app, "AddHumanUser", &app.admin(), add).await;
    ann.proven(&number).await;
    assert_eq!(ann.held().await.expect("read"), [(number, true)]);
}

async fn a_deleted_user_is_gone(api: Api, database: Database) {
    let app = TestApp::start(database).await;
    let (ann, number) = (User::new(&app, api, "ann"), app.number());
    let question = ann.set(&number).await.expect("set");
    let code = app.code(&number).await;
    let (old, set) = (ann.token(), api.set("ann", &number));
    let me = json!({"userId": "ann"});
    Wire::Json.ok(&app, "DeleteUser", &app.admin(), me).await;

    holds_nothing(&ann).await;
    let refused = ann.submit(&question, &code).await.expect_err("nobody");
    assert_eq!(refused.kind, Kind::NoUser);
    for call in api.naming("ann", &number, "01940000-0000-7000-8000-000000000000") {
        let refused = send(&app, &call, &app.admin()).await;
        assert_eq!(refused.expect_err("nobody").kind, Kind::NoUser);
    }
    assert_eq!(app.database.count("phone_numbers").await, 0);
    // A token from before does not bring the user back; one from after it does.
    app.seconds(31);
    let refused = send(&app, &set, &old).await.expect_err("nobody");
    assert_eq!(refused.kind, Kind::NoUser);
    assert_eq!(app.database.count("accounts").await, 0);
    // The id is free again and remembers nothing, no pause either.
    let anew = ann.set(&number).await.expect("set");
    ann.refused(&anew, &code).await;
    ann.submit(&anew, &app.code(&number).await)
        .await
        .expect("the new code");
}
