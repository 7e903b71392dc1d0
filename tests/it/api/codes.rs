//! Codes: how long they hold, what ends them, how often they may be guessed.

use super::{Api, Kind, User, another};
use crate::app::TestApp;
use crate::database::Database;

crate::at_each_api! {
    a_number_is_set_and_verified,
    a_code_ends_after_its_time,
    a_resend_repeats_the_code_while_it_is_fresh,
    a_new_number_ends_the_old_code,
    removing_a_number_ends_its_code,
    the_owner_of_a_verified_number_is_told,
    five_guesses_are_looked_at,
    nobody_hands_in_the_code_of_another,
}

async fn a_number_is_set_and_verified(api: Api, database: Database) {
    let app = TestApp::start(database).await;
    let (ann, number) = (User::new(&app, api, "ann"), app.number());
    let question = ann.set(&number).await.expect("set");
    let unverified = [(number.clone(), false)];
    assert_eq!(ann.held().await.expect("read"), unverified);
    let code = app.code(&number).await;

    let wrong = ann.refused(&question, another(&code)).await;
    assert_eq!(ann.held().await.expect("read"), unverified);
    ann.submit(&question, &code).await.expect("the right code");
    let verified = [(number, true)];
    assert_eq!(ann.held().await.expect("read"), verified);

    let spent = ann.refused(&question, &code).await;
    assert_eq!(spent.look(), wrong.look());
    assert_eq!(ann.held().await.expect("read"), verified);
    assert_eq!(app.sent().await, 1);
}

async fn a_code_ends_after_its_time(api: Api, database: Database) {
    let app = TestApp::start(database).await;
    for (id, seconds, holds) in [("early", 599, true), ("late", 600, false)] {
        let (user, number) = (User::new(&app, api, id), app.number());
        let question = user.set(&number).await.expect("set");
        let code = app.code(&number).await;
        app.seconds(seconds);
        if holds {
            user.submit(&question, &code).await.expect("in time");
        } else {
            user.refused(&question, &code).await;
        }
        assert_eq!(user.held().await.expect("read"), [(number, holds)]);
    }
}

async fn a_resend_repeats_the_code_while_it_is_fresh(api: Api, database: Database) {
    let app = TestApp::start(database).await;
    for way in api.ways() {
        let (user, number) = (User::new(&app, api, &format!("ann-{way}")), app.number());
        let question = user.set(&number).await.expect("set");
        let first = app.code(&number).await;
        app.seconds(60);
        let again = user.resend_by(way, &question).await.expect("sent again");
        assert_eq!(again.otc, question.otc, "540 s remain: the same question");
        assert_eq!(app.code(&number).await, first, "and the same code");
        assert_eq!(app.letters(&number).await.len(), 2);

        app.seconds(430);
        let anew = user.resend_by(way, &question).await.expect("sent anew");
        let second = app.code(&number).await;
        assert_ne!(second, first, "110 s remain: a new code");
        user.refused(&question, &first).await;
        user.refused(&anew, &first).await;
        user.submit(&anew, &second).await.expect("the new code");
        assert_eq!(user.held().await.expect("read"), [(number, true)]);

        // There is nothing left to send.
        let sent = app.sent().await;
        let done = user.resend_by(way, &anew).await.map_err(|no| no.kind);
        match (api, way) {
            (Api::Zitadel, _) | (Api::ReachFive, 0) => {
                assert_eq!(done.expect_err("no code"), Kind::NothingToSend);
            }
            (Api::Frontegg, _) => assert_eq!(done.expect_err("no code"), Kind::NumberUnchanged),
            // An update to the number that is there changes nothing, and is no mistake.
            (Api::ReachFive, _) => assert!(done.is_ok(), "{done:?}"),
        }
        assert_eq!(app.sent().await, sent);
    }
}

async fn a_new_number_ends_the_old_code(api: Api, database: Database) {
    let app = TestApp::start(database).await;
    let ann = User::new(&app, api, "ann");
    let [unsent, first, second] = [app.number(), app.number(), app.number()];
    ann.set(&unsent).await.expect("set");
    let question = ann.set(&first).await.expect("set");
    let waiting = app.letters(&unsent).await.len();
    let code = app.code(&first).await;
    ann.set(&second).await.expect("set");
    let mut held = ann.held().await.expect("read");
    // Numbers of one moment come in any order.
    held.sort();
    match api {
        Api::Zitadel | Api::ReachFive => {
            assert_eq!(waiting, 0, "a replaced number gets no message any more");
            ann.refused(&question, &code).await;
            assert_eq!(held, [(second, false)]);
            assert_eq!(
                app.database
                    .count("messages WHERE due_at IS NOT NULL")
                    .await,
                1
            );
        }
        // A number comes beside the others, so nothing of theirs ends.
        Api::Frontegg => {
            assert_eq!(waiting, 1);
            ann.submit(&question, &code).await.expect("still good");
            assert_eq!(held, [unsent, first, second].map(|number| (number, false)));
        }
    }
}

async fn removing_a_number_ends_its_code(api: Api, database: Database) {
    let app = TestApp::start(database).await;
    let (ann, number) = (User::new(&app, api, "ann"), app.number());
    let (question, letters) = match api {
        Api::Zitadel => (ann.set(&number).await.expect("set"), 1),
        // With that of the removal.
        Api::Frontegg => (ann.set(&number).await.expect("set"), 2),
        // What can be removed here is verified and waits for no code. The code that ends is that of the
        // number that was to replace it.
        Api::ReachFive => {
            ann.proven(&number).await;
            (ann.set(&app.number()).await.expect("set"), 2)
        }
    };
    let code = app.code(&question.number).await;
    app.seconds(60);
    ann.remove(&number).await.expect("removed");
    assert_eq!(ann.held().await.expect("read"), []);
    ann.refused(&question, &code).await;
    match api {
        Api::Zitadel | Api::ReachFive => {
            let resend = ann.resend(&question).await.expect_err("no number, no code");
            assert_eq!(resend.kind, Kind::NothingToSend);
        }
        // To ask for a code is to announce the number anew.
        Api::Frontegg => {}
    }
    let told = app.letters(&number).await;
    assert_eq!(told.len(), letters);
    let noticed = told.iter().filter(|letter| letter.code.is_none()).count();
    let verified = api == Api::ReachFive;
    assert_eq!(
        noticed,
        usize::from(verified),
        "only a verified number is told"
    );
}

async fn the_owner_of_a_verified_number_is_told(api: Api, database: Database) {
    let silent = TestApp::start_with(database.another().await, |config| {
        config.notify.old_number = false;
    });
    let (telling, silent) = (TestApp::start(database).await, silent.await);
    for (app, tells) in [(&telling, true), (&silent, false)] {
        let ann = User::new(app, api, "ann");
        let (first, second) = (app.number(), app.number());
        ann.proven(&first).await;
        ann.proven(&second).await;
        // A number that is added beside the others replaces none.
        let replaced = (api != Api::Frontegg).then_some("was replaced in your Acme account");
        notices(app, &first, replaced.filter(|_| tells)).await;
        ann.remove(&second).await.expect("removed");
        let removed = "was removed from your Acme account";
        notices(app, &second, tells.then_some(removed)).await;
    }
}

/// A number got this one notice, or none.
async fn notices(app: &TestApp, number: &str, says: Option<&str>) {
    let mut told = app.letters(number).await;
    told.retain(|letter| letter.code.is_none());
    assert_eq!(told.len(), usize::from(says.is_some()), "{told:?}");
    if let Some(says) = says {
        assert!(told[0].text.contains(says), "{told:?}");
    }
}

async fn five_guesses_are_looked_at(api: Api, database: Database) {
    let app = TestApp::start(database).await;
    let (ann, number) = (User::new(&app, api, "ann"), app.number());
    let question = ann.set(&number).await.expect("set");
    let code = app.code(&number).await;
    // What cannot be a code is refused alike, and not counted.
    let mut guesses = vec!["12345", "1234567", "abcdef"];
    guesses.extend([another(&code); 5]);
    guesses.push(&code);
    let mut looks = Vec::new();
    for guess in guesses {
        looks.push(ann.refused(&question, guess).await.look());
    }
    looks.dedup();
    assert_eq!(looks.len(), 1, "{looks:?}");
    assert_eq!(app.database.events(&["ann", "wrong"]).await, 5);
    assert_eq!(app.database.events(&["ann", "spent"]).await, 1);

    // A resend brings no new guesses, in whichever way, and the next code comes when this one has ended.
    app.seconds(60);
    for way in api.ways() {
        let refused = ann.resend_by(way, &question).await;
        let refused = refused.expect_err("the guesses are spent");
        let guesses = ringback_core::limit::Limit::Guesses;
        assert_eq!(refused.kind, Kind::Limited(guesses));
        assert_eq!(refused.retry_after, Some(540));
    }
    assert_eq!(ann.refused(&question, &code).await.look(), looks[0]);
    assert_eq!(app.letters(&number).await.len(), 1);
    app.seconds(540);
    let question = ann.resend(&question).await.expect("a new code");
    let code = app.code(&number).await;
    ann.submit(&question, &code).await.expect("a new question");
    assert_eq!(ann.held().await.expect("read"), [(number, true)]);
}

async fn nobody_hands_in_the_code_of_another(api: Api, database: Database) {
    let app = TestApp::start(database).await;
    let (ann, bob) = (User::new(&app, api, "ann"), User::new(&app, api, "bob"));
    let (anns, bobs) = (app.number(), app.number());
    bob.proven(&bobs).await;
    let question = ann.set(&anns).await.expect("set");
    let code = app.code(&anns).await;
    // As himself, with all that she was sent.
    bob.refused(&question, &code).await;
    // As she, in another organisation.
    let other = User::new(&app, api, "ann").of("other");
    let refused = other.submit(&question, &code).await;
    assert_eq!(refused.expect_err("not her").kind, Kind::NoUser);
    assert_eq!(ann.held().await.expect("read"), [(anns.clone(), false)]);
    assert_eq!(bob.held().await.expect("read"), [(bobs, true)]);
    ann.submit(&question, &code).await.expect("her own");
    assert_eq!(ann.held().await.expect("read"), [(anns, true)]);
}
