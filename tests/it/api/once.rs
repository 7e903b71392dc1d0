//! `Idempotency-Key`: a change that is asked for again is made once, and answered alike.

use super::{Answer, Api, Call, User, another, answer};
use crate::app::TestApp;
use crate::database::Database;

crate::at_each_api! {
    the_same_key_and_body_costs_one_code,
    another_body_under_the_same_key_is_refused,
    keys_of_others_are_theirs,
    what_time_mends_is_not_kept,
    refusals_are_not_kept_but_for_wrong_codes,
    what_is_no_key_is_refused_and_what_reads_has_none,
}

const KEY: &str = "idempotency-key";
const REPLAYED: &str = "idempotency-replayed";
const NUMBER: &str = "+41791234567";

async fn ask(user: &User<'_>, app: &TestApp, call: Call) -> Answer {
    answer(app, &call, Some(&user.token())).await
}

fn was_replayed(answer: &Answer) -> bool {
    answer
        .headers
        .get(REPLAYED)
        .is_some_and(|value| value == "true")
}

/// Status, headers and body, but for what says that it was given before, and the time.
fn look(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let headers = answer.headers.iter();
    let headers = headers.filter(|(name, _)| ![REPLAYED, "date"].contains(&name.as_str()));
    let mut headers: Vec<_> = headers
        .map(|(name, value)| (name.to_string(), format!("{value:?}")))
        .collect();
    headers.sort();
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    (answer.status, headers, body)
}

async fn the_same_key_and_body_costs_one_code(api: Api, database: Database) {
    let app = TestApp::start(database).await;
    let ann = User::new(&app, api, "ann");
    let call = || api.set("ann", NUMBER).with(KEY, "k-1");
    let first = ask(&ann, &app, call()).await;
    assert!((200..300).contains(&first.status), "{first:?}");
    assert!(!was_replayed(&first), "{first:?}");
    let code = app.code(NUMBER).await;
    for seconds in [0, 61, 3_600, 80_000] {
        app.seconds(seconds);
        let again = ask(&ann, &app, call()).await;
        assert_eq!(look(&again), look(&first));
        assert!(was_replayed(&again), "{again:?}");
    }
    assert_eq!(app.sent().await, 1);
    // Nothing that was answered can be read where it is kept.
    let text = String::from_utf8_lossy(&first.body).into_owned();
    let dump = app.database.dump().await;
    let kept: Vec<&str> = dump
        .lines()
        .filter(|line| line.starts_with("idempotency "))
        .collect();
    assert_eq!(kept.len(), 1);
    for secret in [NUMBER, &code, text.trim()] {
        assert!(secret.is_empty() || !kept[0].contains(secret), "{kept:?}");
    }
    // After a day it is a call like any other.
    app.seconds(86_400);
    let later = ask(&ann, &app, call()).await;
    assert!(!was_replayed(&later), "{later:?}");
}

async fn another_body_under_the_same_key_is_refused(api: Api, database: Database) {
    let app = TestApp::start(database).await;
    let ann = User::new(&app, api, "ann");
    let call = |number| api.set("ann", number).with(KEY, "k");
    let first = ask(&ann, &app, call(NUMBER)).await;
    assert!((200..300).contains(&first.status), "{first:?}");
    let other = ask(&ann, &app, call("+41791234568")).await;
    assert_eq!(other.status, 400, "{other:?}");
    let text = String::from_utf8_lossy(&other.body).into_owned();
    assert!(
        text.contains(KEY) && text.contains("another request"),
        "{text}"
    );
    assert_eq!(app.sent().await, 1);
    let held = ann.held().await.expect("read");
    assert_eq!(held.len(), 1, "{held:?}");
    assert!(was_replayed(&ask(&ann, &app, call(NUMBER)).await));
}

async fn keys_of_others_are_theirs(api: Api, database: Database) {
    let app = TestApp::start(database).await;
    let users = [
        User::new(&app, api, "ann"),
        User::new(&app, api, "bob"),
        User::new(&app, api, "ann").of("other"),
    ];
    for (user, number) in users.iter().zip([NUMBER, "+41791234568", "+41791234569"]) {
        let call = api.set(&user.id, number).with(KEY, "k");
        let first = ask(user, &app, call.clone()).await;
        assert!((200..300).contains(&first.status), "{first:?}");
        assert!(!was_replayed(&first), "{first:?}");
        assert!(was_replayed(&ask(user, &app, call).await));
    }
    assert_eq!(app.sent().await, 3);
}

async fn what_time_mends_is_not_kept(api: Api, database: Database) {
    let app = TestApp::start(database).await;
    let ann = User::new(&app, api, "ann");
    let question = ann.set(NUMBER).await.expect("set");
    let resend = || {
        api.resends("ann", &question.number)
            .remove(0)
            .with(KEY, "k")
    };
    let pause = ask(&ann, &app, resend()).await;
    assert_eq!(pause.status, 429, "{pause:?}");
    app.seconds(61);
    let sent = ask(&ann, &app, resend()).await;
    assert!((200..300).contains(&sent.status), "{sent:?}");
    assert!(!was_replayed(&sent), "{sent:?}");
    assert!(was_replayed(&ask(&ann, &app, resend()).await));
    assert_eq!(app.sent().await, 2);
    // A token that is not valid is refused by itself.
    let call = api.set("ann", NUMBER).with(KEY, "k");
    let refused = answer(&app, &call, Some("nonsense")).await;
    assert_eq!(refused.status, 401, "{refused:?}");
}

async fn refusals_are_not_kept_but_for_wrong_codes(api: Api, database: Database) {
    let app = TestApp::start(database).await;
    let ann = User::new(&app, api, "ann");
    for n in 0..5 {
        let call = api.set("ann", "123").with(KEY, &format!("k-{n}"));
        let refused = ask(&ann, &app, call).await;
        assert_eq!(refused.status, 400, "{refused:?}");
    }
    assert_eq!(app.database.count("idempotency").await, 0);
    let question = ann.set(NUMBER).await.expect("set");
    let code = app.code(NUMBER).await;
    let guess = api
        .submit("ann", &question, another(&code))
        .with(KEY, "guess");
    let first = ask(&ann, &app, guess.clone()).await;
    assert!((400..500).contains(&first.status), "{first:?}");
    assert_eq!(app.database.count("idempotency").await, 1);
    // Many more than there are guesses, and no word of why.
    for _ in 0..12 {
        let again = ask(&ann, &app, guess.clone()).await;
        assert_eq!(look(&again), look(&first));
        assert!(!was_replayed(&again), "{again:?}");
    }
    let right = ask(&ann, &app, api.submit("ann", &question, &code)).await;
    assert!(
        (200..300).contains(&right.status),
        "a guess is left: {right:?}"
    );
}

async fn what_is_no_key_is_refused_and_what_reads_has_none(api: Api, database: Database) {
    let app = TestApp::start(database).await;
    let ann = User::new(&app, api, "ann");
    for key in ["", "a b", "x".repeat(256).as_str()] {
        let refused = ask(&ann, &app, api.set("ann", NUMBER).with(KEY, key)).await;
        assert_eq!(refused.status, 400, "{key:?} {refused:?}");
        let text = String::from_utf8_lossy(&refused.body).into_owned();
        assert!(text.contains(KEY), "{text}");
    }
    assert_eq!(app.sent().await, 0);
    ann.set(NUMBER).await.expect("set");
    for _ in 0..2 {
        let read = ask(&ann, &app, api.read("ann").with(KEY, "k")).await;
        assert_eq!(read.status, 200, "{read:?}");
        assert!(!was_replayed(&read), "{read:?}");
    }
    let kept = app.database.count("idempotency").await;
    assert_eq!(kept, 0);
}
