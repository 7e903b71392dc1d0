//! Several workers on one database, killed and paused in the middle of sending.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};

use super::harness::{Program, Server, Setup, admin, number, until};
use super::receiver::Receiver;
use crate::database::Database;

crate::on_both!(
    workers_that_are_killed_again_and_again_lose_nothing,
    a_worker_that_slept_beyond_its_lease_changes_nothing,
);

/// Sends a code to a new user.
async fn send(server: &Server, n: usize) {
    let body = json!({"userId": format!("user {n}"), "phone": {"phone": number(n)}});
    let answer = server.post("/v2/users/human", &admin(), body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Of each message its id, its state and what came of each attempt.
async fn stories(server: &Server) -> BTreeMap<String, (String, Vec<String>)> {
    let query = json!({"limit": 500});
    let answer = server.post("/v2/messages/search", &admin(), query).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let messages = list(&answer.body["messages"]).into_iter().map(|one| {
        let attempts = list(&one["attempts"]);
        let results = attempts.iter().map(|attempt| text(&attempt["result"]));
        (
            text(&one["messageId"]),
            (text(&one["state"]), results.collect()),
        )
    });
    messages.collect()
}

async fn nothing_waits(database: &Database) {
    until("no message that waits", async || {
        (database.count("messages WHERE due_at IS NOT NULL").await == 0).then_some(())
    })
    .await;
}

async fn workers_that_are_killed_again_and_again_lose_nothing(database: Database) {
    const KILLS: usize = 20;
    const EACH: usize = 20;
    let receiver = Receiver::answering().await;
    receiver.delay(Duration::from_millis(150));
    let setup = Setup::new(&database.url)
        .with_webhook(&receiver.url)
        .with("sms.routes.relay.timeout_seconds", 1);
    let server = Server::start_with(&["serve", "--no-worker"], &setup).await;
    let start = || Program::start(&["worker"], Some(&setup));
    let mut workers = [start(), start()];
    for kill in 0..KILLS {
        let before = receiver.taken().len();
        let sends = (0..EACH).map(|n| send(&server, kill * EACH + n));
        futures::stream::iter(sends)
            .buffer_unordered(EACH)
            .collect::<Vec<()>>()
            .await;
        until("a message that is not answered yet", async || {
            (receiver.taken().len() > before).then_some(())
        })
        .await;
        let worker = &mut workers[kill % 2];
        worker.kill();
        *worker = start();
    }
    nothing_waits(&database).await;

    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    let mut numbers = BTreeSet::new();
    for sms in receiver.taken() {
        *times.entry(sms.id).or_default() += 1;
        numbers.insert(sms.to);
    }
    assert_eq!(numbers.len(), KILLS * EACH, "none lost");
    assert_eq!(times.len(), KILLS * EACH, "a repeat carries the same id");
    let stories = stories(&server).await;
    assert_eq!(stories.len(), KILLS * EACH);
    let mut unknown = 0;
    for (id, (state, results)) in &stories {
        assert_eq!(state, "MESSAGE_STATE_HANDED", "{results:?}");
        let lost = results.iter().filter(|result| *result == "unknown").count();
        assert!(times[id] <= 1 + lost, "its trail tells: {id} {results:?}");
        unknown += lost;
    }
    assert!(unknown > 0, "no kill came between claim and settle");
}

async fn a_worker_that_slept_beyond_its_lease_changes_nothing(database: Database) {
    let (first, second) = (Receiver::silent().await, Receiver::answering().await);
    let setup = |receiver: &Receiver| {
        let setup = Setup::new(&database.url).with_webhook(&receiver.url);
        setup.with("sms.routes.relay.timeout_seconds", 1)
    };
    let server = Server::start_with(&["serve", "--no-worker"], &setup(&first)).await;
    let sleeper = Program::start(&["worker"], Some(&setup(&first)));
    send(&server, 1).await;
    until("the message on its way", async || {
        (first.taken().len() == 1).then_some(())
    })
    .await;
    sleeper.signal("STOP");
    let mut other = Program::start(&["worker"], Some(&setup(&second)));
    nothing_waits(&database).await;
    other.kill();
    let told = stories(&server).await;
    let (state, results) = told.values().next().expect("a message");
    assert_eq!(state, "MESSAGE_STATE_HANDED");
    assert_eq!(results, &["unknown", "taken"]);

    // What it learns now would end the message.
    first.refuse(400);
    first.answer();
    sleeper.signal("CONT");
    send(&server, 2).await;
    nothing_waits(&database).await;
    let after = stories(&server).await;
    assert_eq!(after.len(), 2);
    for (id, story) in told {
        assert_eq!(after[&id], story);
    }
}
