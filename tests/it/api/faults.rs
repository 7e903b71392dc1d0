//! What is nobody's mistake: overload, and keys and databases that are away.

use futures::future::join_all;

use super::user::answer;
use super::{Api, Call, Kind, Question, Refused, User};
use crate::app::{TestApp, add_issuer, issuer_away, token_away};
use crate::database::Database;

crate::at_each_api! {
    a_full_lane_answers_at_once,
    keys_that_are_away,
    a_fault_of_ours_tells_nothing,
}

async fn a_full_lane_answers_at_once(api: Api, database: Database) {
    let app = TestApp::start_with(database, |config| {
        config.database.lane_bound = 1;
        config.database.batch = 1;
    });
    let app = app.await;
    let (ann, number) = (User::new(&app, api, "ann"), app.number());
    let question = ann.set(&number).await.expect("set");
    let shed = loop {
        let rush = (0..64).map(|_| ann.submit(&question, "12345"));
        let answers = join_all(rush).await.into_iter();
        let refused: Vec<Refused> = answers.map(|said| said.expect_err("no code")).collect();
        let is_shed = |refused: &Refused| refused.kind == Kind::Overloaded;
        let (shed, served): (Vec<_>, Vec<_>) = refused.into_iter().partition(is_shed);
        assert!(!served.is_empty(), "nobody was served");
        assert!(served.iter().all(|served| served.kind == Kind::CodeRefused));
        if !shed.is_empty() {
            break shed;
        }
    };
    for other in &shed {
        assert_eq!(other.retry_after, Some(1));
        assert_eq!(other.look(), shed[0].look());
    }
    let code = app.code(&number).await;
    ann.submit(&question, &code).await.expect("room again");
}

/// Every call that asks who is there, and the kind that each is refused with.
async fn each_is(app: &TestApp, calls: Vec<Call>, token: &str, kind: Kind) {
    let mut looks = Vec::new();
    for call in calls {
        let said = answer(app, &call, Some(token)).await;
        let refused = said.outcome().expect_err("refused");
        assert_eq!(refused.kind, kind, "{refused:?}");
        looks.push(refused.look());
    }
    looks.dedup();
    assert_eq!(looks.len(), 1, "{looks:?}");
}

async fn keys_that_are_away(api: Api, database: Database) {
    let keys = wiremock::MockServer::start().await;
    let app = TestApp::start_with(database, |config| {
        add_issuer(config, "away", issuer_away(keys.uri()));
    });
    let app = app.await;
    let token = token_away(api.claims("ann", "acme", app.now()));
    let question = Question::of(&app.number());
    let mut calls = api.own("ann", &question, "x");
    calls.extend(api.naming("ann", &question.number, "x"));
    each_is(&app, calls, &token, Kind::Unavailable).await;
    assert_eq!(app.database.dump().await, "");
}

async fn a_fault_of_ours_tells_nothing(api: Api, database: Database) {
    let app = TestApp::start(database).await;
    let (ann, number) = (User::new(&app, api, "ann"), app.number());
    let rename = "ALTER TABLE budgets RENAME TO gone";
    app.database.execute(rename).await;
    each_is(
        &app,
        vec![api.set("ann", &number)],
        &ann.token(),
        Kind::Internal,
    )
    .await;
    let back = "ALTER TABLE gone RENAME TO budgets";
    app.database.execute(back).await;
    assert_eq!(app.database.dump().await, "", "nothing is kept");
    ann.set(&number).await.expect("set");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_on_postgres() {
    let app = TestApp::start(Database::postgres().await).await;
    app.database.vanish().await;
    for api in Api::ALL {
        let ann = User::new(&app, api, "ann");
        let question = Question::of(&app.number());
        let mut calls = api.resends("ann", &question.number);
        calls.push(api.set("ann", &question.number));
        each_is(&app, calls, &ann.token(), Kind::Unavailable).await;
        // A read is not told that something may have been changed.
        let reads = vec![api.read("ann")];
        each_is(&app, reads, &ann.token(), Kind::Unavailable).await;
        let told = answer(&app, &api.read("ann"), Some(&ann.token())).await;
        let told = format!("{:?}", told.outcome());
        assert!(told.contains("cannot be reached now; try again"), "{told}");
    }
}
