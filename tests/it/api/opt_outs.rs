//! Numbers whose owners have told the sender to stop.

use super::{Api, Kind, User};
use crate::app::TestApp;
use crate::database::Database;

crate::at_each_api! {
    whoever_has_opted_out_must_text_start_first,
}

const NUMBER: &str = "+41791234567";

async fn whoever_has_opted_out_must_text_start_first(api: Api, database: Database) {
    let app = TestApp::start(database).await;
    let ann = User::new(&app, api, "ann");
    app.opted_out(NUMBER, "inbox").await;
    let refused = ann.set(NUMBER).await.expect_err("opted out");
    assert_eq!(refused.kind, Kind::OptedOut);
    assert!(refused.look().2.contains("text START to the sender"));
    assert_eq!(app.sent().await, 0);
    // Nothing is spent meanwhile.
    app.opted_in(NUMBER, "inbox").await;
    let question = ann.set(NUMBER).await.expect("set");
    let code = app.code(NUMBER).await;
    app.seconds(60);
    app.opted_out(NUMBER, "inbox").await;
    let refused = ann.resend(&question).await.expect_err("opted out");
    assert_eq!(refused.kind, Kind::OptedOut);
    // What was sent before is still of use.
    ann.submit(&question, &code).await.expect("verified");
}
