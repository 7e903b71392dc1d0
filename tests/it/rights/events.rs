//! Who may read what happened.

use serde_json::{Value, json};
use tonic::Code;

use crate::app::TestApp;
use crate::database::Database;
use crate::http::wire::Wire;

crate::on_both! {
    events_are_for_whoever_may_read_them,
}

async fn events_are_for_whoever_may_read_them(database: Database) {
    let app = TestApp::start(database).await;
    for (user, organization) in [("ann", "acme"), ("cleo", "other")] {
        let add = json!({"userId": user, "organization": {"orgId": organization}, "phone": {
            "phone": app.number(), "isVerified": true,
        }});
        Wire::Grpc.ok(&app, "AddHumanUser", &app.admin(), add).await;
    }
    app.record().await;
    let with = |permission: &str| {
        app.token(json!({"sub": "eve", "org_id": "acme", "permissions": [permission]}))
    };
    let auditor = with("audit.read");
    for wire in Wire::ALL {
        for (token, expected) in [
            (app.admin(), Some(vec!["ann", "cleo"])),
            (auditor.clone(), Some(vec!["ann"])),
            (with("user.read"), None),
            (with("user.write"), None),
            (with("sms.read"), None),
            (app.user("ann", "acme"), None),
        ] {
            let listed = wire.call(&app, "ListEvents", &token, json!({})).await;
            let users = listed.map_err(|refused| refused.code).map(|page| {
                let events = page["events"].as_array().cloned().unwrap_or_default();
                let mut users: Vec<String> = events
                    .iter()
                    .map(|event| event["userId"].as_str().expect("a user").to_owned())
                    .collect();
                users.sort();
                users.dedup();
                users
            });
            let expected = expected.ok_or(Code::PermissionDenied);
            let expected = expected.map(|all| all.into_iter().map(str::to_owned).collect());
            assert_eq!(users, expected, "{wire:?}");
        }
        // Page by page it is the same list, each event once, and never more than was asked for.
        let (mut all, mut token) = (Vec::new(), String::new());
        loop {
            let query = json!({"limit": 2, "pageToken": token});
            let page = wire.ok(&app, "ListEvents", &auditor, query).await;
            let events = page["events"].as_array().cloned().unwrap_or_default();
            assert!(events.len() <= 2);
            let position = |event: &Value| event["position"].as_str().map(str::to_owned);
            all.extend(events.iter().map(position));
            token = page["nextPageToken"]
                .as_str()
                .unwrap_or_default()
                .to_owned();
            if token.is_empty() {
                break;
            }
        }
        let numbers: Vec<i64> = all
            .iter()
            .map(|position| position.as_deref().and_then(|text| text.parse().ok()))
            .map(|number| number.expect("a number"))
            .collect();
        assert!(
            numbers.len() == 3 && numbers.is_sorted_by(|one, next| one > next),
            "{numbers:?}"
        );
    }
}
