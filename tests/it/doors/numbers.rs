//! Numbers: many spellings of one.

use super::{Door, Kind, User};
use crate::app::TestApp;
use crate::database::Database;
use crate::flows::SPELLINGS;

crate::at_each_door! {
    spellings_of_a_number_are_one_number,
    a_national_number_needs_a_region,
}

const NUMBER: &str = "+41791234567";

async fn spellings_of_a_number_are_one_number(door: Door, database: Database) {
    let app = TestApp::start_with(database, |config| {
        config.limits.cool_down_seconds = vec![];
        config.limits.sends_per_number = vec![];
    });
    let app = app.await;
    for (index, spelling) in SPELLINGS.iter().enumerate() {
        let user = User::new(&app, door, &format!("ann-{index}"));
        let question = user.set(spelling).await.expect("set");
        let held = |verified| [(NUMBER.to_owned(), verified)];
        assert_eq!(
            user.held().await.expect("read"),
            held(false),
            "{spelling:?}"
        );
        let code = app.code(NUMBER).await;

        // The same number again, spelt otherwise.
        let again = user.set(NUMBER).await;
        match door {
            Door::Zitadel => {
                let refused = again.expect_err("no other number");
                assert_eq!(refused.kind, Kind::NumberUnchanged, "{spelling:?}");
            }
            // One that is not verified gets its code again.
            Door::Frontegg | Door::ReachFive => {
                again.expect("sent again");
                assert_eq!(app.code(NUMBER).await, code);
            }
        }
        // ReachFive's client hands in the number as it was typed.
        user.submit(&question, &code).await.expect("verified");
        assert_eq!(user.held().await.expect("read"), held(true), "{spelling:?}");
    }
}

async fn a_national_number_needs_a_region(door: Door, database: Database) {
    let swiss = TestApp::start_with(database.another().await, |config| {
        config.numbers.default_region = "CH".into();
    });
    let (none, swiss) = (TestApp::start(database).await, swiss.await);
    let refused = User::new(&none, door, "ann").set("079 123 45 67").await;
    let refused = refused.expect_err("which country?");
    assert_eq!(refused.kind, Kind::NumberInvalid);
    assert!(refused.look().2.contains("not in international form"));
    assert_eq!(none.database.dump().await, "", "nothing is kept");

    let ann = User::new(&swiss, door, "ann");
    let question = ann.set("079 123 45 67").await.expect("set");
    let code = swiss.code(NUMBER).await;
    ann.submit(&question, &code).await.expect("verified");
    let held = ann.held().await.expect("read");
    assert_eq!(held, [(NUMBER.to_owned(), true)]);
}
