//! What users are refused who change something by themselves.

use ringback::config::Config;
use ringback_core::policy::Removal;
use serde_json::json;

use super::row;
use crate::app::TestApp;
use crate::database::Database;

crate::on_both! {
    what_is_asked_of_users,
}

type Change = fn(&mut Config);

async fn what_is_asked_of_users(database: Database) {
    let asks: [(&str, Change); 3] = [
        ("token_stale", |config| {
            config.self_service.fresh_token_seconds = 300;
        }),
        ("scope_missing", |config| {
            config.self_service.required_scope = "phone".into();
        }),
        ("removal_unconfirmed", |config| {
            config.self_service.removal = Removal::Confirmed;
        }),
    ];
    for (name, change) in asks {
        let app = TestApp::start_with(database.another().await, change).await;
        row(name, async |wire, user| {
            let add = json!({
                "userId": user, "organization": {"orgId": "acme"},
                "phone": {"phone": app.number(), "isVerified": true},
            });
            wire.ok(&app, "AddHumanUser", &app.admin(), add).await;
            let me = json!({"userId": user});
            wire.refused(&app, "RemovePhone", &app.user(user, "acme"), me)
                .await
        })
        .await;
    }
}
