//! Events: listed, verified, and told to endpoints that are killed, that do not take one, and by two workers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use super::harness::{Program, Server, Setup, admin, end_user, number, until};
use crate::database::Database;

crate::on_both! {
    events_are_listed_followed_and_verified,
    an_endpoint_that_was_killed_is_told_everything_in_order,
    an_event_that_is_not_taken_holds_up_only_its_account,
    two_workers_tell_in_order_when_one_is_killed,
}

const SECRETS: [[u8; 32]; 2] = [[7; 32], [8; 32]];

/// A receiver of events, which can be killed and come back.
struct Ear {
    address: String,
    heard: Arc<Mutex<Heard>>,
    /// Ends with all its connections.
    runtime: Option<Runtime>,
}

#[derive(Default)]
struct Heard {
    /// Those that were taken, with the number of each account's event, and the id.
    events: Vec<(String, u64, String)>,
    /// Of these users none is taken.
    refuses: BTreeSet<String>,
    refused: usize,
}

impl Ear {
    async fn start() -> Ear {
        let mut ear = Ear {
            address: "127.0.0.1:0".into(),
            heard: Arc::default(),
            runtime: None,
        };
        ear.come_back().await;
        ear
    }

    async fn come_back(&mut self) {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        // Of its own runtime from the beginning, so that all of it ends with that.
        let listener = until("the port is free again", async || {
            let bound = runtime.spawn(TcpListener::bind(self.address.clone()));
            bound.await.expect("no panic").ok()
        })
        .await;
        self.address = listener.local_addr().expect("an address").to_string();
        let router = Router::new()
            .route("/events", axum::routing::post(hear))
            .with_state(self.heard.clone());
        runtime.spawn(async move {
            axum::serve(listener, router).await.expect("serving");
        });
        self.runtime = Some(runtime);
    }

    fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// The counts of each account's events in the order in which they were first heard.
    fn by_account(&self) -> BTreeMap<String, Vec<u64>> {
        let heard = self.heard.lock().expect("no panic while locked");
        let mut accounts: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        let mut known = BTreeSet::new();
        for (user, sequence, id) in &heard.events {
            if known.insert(id.clone()) {
                accounts.entry(user.clone()).or_default().push(*sequence);
            }
        }
        accounts
    }

    fn refuse(&self, users: &[&str]) {
        let mut heard = self.heard.lock().expect("no panic while locked");
        heard.refuses = users.iter().map(|user| (*user).to_owned()).collect();
    }

    fn refused(&self) -> usize {
        self.heard.lock().expect("no panic while locked").refused
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What the specification of Standard Webhooks says that a receiver does.
fn is_signed(headers: &HeaderMap, body: &str) -> bool {
    let header = |name: &str| headers[name].to_str().expect("a text");
    let content = format!(
        "{}.{}.{body}",
        header("webhook-id"),
        header("webhook-timestamp")
    );
    let signatures: BTreeSet<&str> = header("webhook-signature").split(' ').collect();
    let expected = SECRETS.map(|secret| {
        let mac = Hmac::<Sha256>::new_from_slice(&secret).expect("any length");
        let mac = mac.chain_update(&content).finalize().into_bytes();
        format!("v1,{}", STANDARD.encode(mac))
    });
    signatures == expected.iter().map(String::as_str).collect()
}

async fn hear(
    State(heard): State<Arc<Mutex<Heard>>>,
    headers: HeaderMap,
    body: String,
) -> StatusCode {
    assert!(is_signed(&headers, &body));
    let event: Value = serde_json::from_str(&body).expect("events are JSON");
    let data = &event["data"];
    assert_eq!(event["type"], data["kind"]);
    assert_eq!(
        headers["webhook-id"],
        data["eventId"].as_str().expect("an id")
    );
    let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
    let mut heard = heard.lock().expect("no panic while locked");
    if heard.refuses.contains(&text("userId")) {
        heard.refused += 1;
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    let sequence = text("sequence").parse().unwrap_or(0);
    heard
        .events
        .push((text("userId"), sequence, text("eventId")));
    StatusCode::NO_CONTENT
}

fn setup(database: &Database, ear: &Ear) -> Setup {
    let key = |key: &str| format!("events.endpoints.app.{key}");
    let secrets = SECRETS.map(|secret| format!("whsec_{}", STANDARD.encode(secret)));
    Setup::new(&database.url)
        .with(&key("url"), format!("http://{}/events", ear.address))
        .with(&key("secrets"), json!(secrets))
        .with(&key("kinds"), json!(["phone.*", "account.registered"]))
        .with(&key("allow_insecure"), true)
        .with(&key("allow_private"), true)
}

/// Makes a user with a number, which leaves three events.
async fn register(server: &Server, user: &str, n: usize) {
    let body = json!({"userId": user, "phone": {"phone": number(n), "sendCode": {}}});
    let answer = server.post("/v2/users/human", &admin(), body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Sets another number, which leaves two more.
async fn change(server: &Server, user: &str, n: usize) {
    let body = json!({"phone": number(n), "returnCode": {}});
    let path = format!("/v2/users/{user}/phone");
    let answer = server.post(&path, &admin(), body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Until the endpoint has a place in the journal: it is told what happens from then on.
async fn knows_the_endpoint(database: &Database) {
    until("the endpoint has a cursor", async || {
        let cursors = "cursors WHERE name = 'endpoint:app' AND owner IS NOT NULL";
        (database.count(cursors).await == 1).then_some(())
    })
    .await;
}

async fn events_are_listed_followed_and_verified(database: Database) {
    let setup = Setup::new(&database.url);
    let server = Server::start(&setup).await;
    register(&server, "ann", 1).await;
    // What became of messages is told, too, whenever that is.
    let kinds = json!(["account.*", "phone.*"]);
    let wanted = json!({"userId": "ann", "kinds": kinds, "oldestFirst": true, "waitSeconds": 8});
    let page = until("ann's events are on record", async || {
        let answer = server
            .post("/v2/events/search", &admin(), wanted.clone())
            .await;
        let events = answer.body["events"].as_array().map_or(0, Vec::len);
        (events == 3).then_some(answer.body)
    })
    .await;
    let kinds = page["events"].as_array().expect("a list").iter();
    let kinds: Vec<_> = kinds.map(|event| event["kind"].as_str()).collect();
    let expected = ["account.registered", "phone.set", "phone.code_sent"];
    assert_eq!(kinds, expected.map(Some));
    let last = &page["events"][2];
    assert!(
        last["detail"]
            .as_str()
            .is_some_and(|text| text.contains("message"))
    );
    assert_eq!(
        last["chain"]["previous"],
        page["events"][1]["chain"]["hash"]
    );
    // Whoever waits for the next page is told at once.
    let mut next = wanted.clone();
    next["pageToken"] = page["nextPageToken"].clone();
    let token = admin();
    let (answer, ()) = tokio::join!(
        server.post("/v2/events/search", &token, next.clone()),
        change(&server, "ann", 2)
    );
    assert_eq!(answer.body["events"][0]["kind"], "phone.set", "{answer:?}");
    // The newest first, of some kinds, about a number, and not for users.
    let query = json!({"kinds": ["account.*"], "limit": 1});
    let answer = server.post("/v2/events/search", &admin(), query).await;
    assert_eq!(answer.body["events"][0]["kind"], "account.registered");
    let query = json!({"phone": number(1), "kinds": ["phone.*"], "limit": 1});
    let answer = server.post("/v2/events/search", &admin(), query).await;
    assert_eq!(answer.body["events"][0]["kind"], "phone.code_sent");
    assert!(answer.body["nextPageToken"].is_string());
    let denied = server
        .post("/v2/events/search", &end_user("ann"), json!({}))
        .await;
    assert_eq!(denied.status, 403);
    let wrong = json!({"pageToken": page["nextPageToken"], "kinds": ["phone.set"]});
    let wrong = server.post("/v2/events/search", &admin(), wrong).await;
    assert_eq!(wrong.status, 400);

    let remote = [
        "events",
        "--user",
        "ann",
        "--kind",
        "phone.*",
        "--json",
        "--url",
        &server.base,
        "--token",
        &token,
    ];
    let remote = Program::start(&remote, None).end().await;
    let local = ["events", "--user", "ann", "--kind", "phone.*", "--json"];
    let local = Program::start(&local, Some(&setup)).end().await;
    assert_eq!((remote.output.lines().count(), &remote.errors[..]), (4, ""));
    let sorted = |text: &str| -> Vec<Value> {
        text.lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    };
    assert_eq!(sorted(&remote.output), sorted(&local.output));
    let verified = Program::start(&["audit", "verify"], Some(&setup))
        .end()
        .await;
    assert_eq!(verified.status.code(), Some(0));
    assert!(
        verified
            .output
            .contains("as they were written, 0 of them anonymous"),
        "{}{}",
        verified.output,
        verified.errors
    );
    database
        .execute("UPDATE journal SET actor = 'mallory' WHERE position = 2")
        .await;
    let verified = Program::start(&["audit", "verify"], Some(&setup))
        .end()
        .await;
    assert_ne!(verified.status.code(), Some(0));
    assert!(
        verified.errors.contains("event 2 is changed"),
        "{}",
        verified.errors
    );
    let key = Program::start(&["audit", "key"], Some(&setup)).end().await;
    assert_eq!(key.output.trim().len(), 64, "{}", key.errors);
}

async fn an_endpoint_that_was_killed_is_told_everything_in_order(database: Database) {
    const USERS: usize = 8;
    let mut ear = Ear::start().await;
    let server = Server::start(&setup(&database, &ear)).await;
    knows_the_endpoint(&database).await;
    let user = |n: usize| format!("user-{n}");
    for n in 0..USERS {
        register(&server, &user(n), n).await;
    }
    until("something is heard", async || {
        (!ear.by_account().is_empty()).then_some(())
    })
    .await;
    ear.kill();
    for n in 0..USERS {
        change(&server, &user(n), USERS + n).await;
    }
    ear.come_back().await;
    for n in 0..USERS {
        change(&server, &user(n), 2 * USERS + n).await;
    }
    let expected: BTreeMap<_, _> = (0..USERS).map(|n| (user(n), (1..=7).collect())).collect();
    until("every event is heard, in order", async || {
        (ear.by_account() == expected).then_some(())
    })
    .await;
}

async fn an_event_that_is_not_taken_holds_up_only_its_account(database: Database) {
    let ear = Ear::start().await;
    ear.refuse(&["poison"]);
    let setup = setup(&database, &ear);
    let server = Server::start(&setup).await;
    knows_the_endpoint(&database).await;
    register(&server, "poison", 0).await;
    for n in 1..5 {
        register(&server, &format!("user-{n}"), n).await;
    }
    change(&server, "poison", 5).await;
    until("the others are heard", async || {
        let heard = ear.by_account();
        let all = (1..5).all(|n| {
            heard
                .get(&format!("user-{n}"))
                .is_some_and(|all| all.len() == 3)
        });
        (all && ear.refused() > 0).then_some(())
    })
    .await;
    until("all of the account wait", async || {
        (database.count("event_deliveries").await == 5).then_some(())
    })
    .await;
    assert_eq!(ear.by_account().get("poison"), None);
    let dead = "event_deliveries WHERE due_at IS NULL";
    until("it is given up", async || {
        // As if the first had been tried for days.
        let long = "UPDATE event_deliveries SET since_at = 1, due_at = 1 \
                    WHERE attempts > 0 AND due_at IS NOT NULL";
        let given_up = database.count(dead).await > 0;
        if !given_up {
            database.execute(long).await;
        }
        given_up.then_some(())
    })
    .await;
    ear.refuse(&[]);
    until("what waited behind it is heard", async || {
        (database
            .count("event_deliveries WHERE due_at IS NOT NULL")
            .await
            == 0)
            .then_some(())
    })
    .await;
    let given_up = database.count(dead).await;
    let heard = ear.by_account()["poison"].clone();
    assert_eq!(heard.len() + given_up, 5);
    let again = ["events", "redeliver", "--endpoint", "app"];
    let again = Program::start(&again, Some(&setup)).end().await;
    let told = match given_up {
        1 => "app is told of 1 event that was given up".to_owned(),
        more => format!("app is told of {more} events that were given up"),
    };
    assert_eq!(again.output.trim(), told, "{}", again.errors);
    until("what was given up is heard", async || {
        (ear.by_account()["poison"].len() == 5).then_some(())
    })
    .await;
    // And everything once more.
    let before = ear
        .heard
        .lock()
        .expect("no panic while locked")
        .events
        .len();
    let again = ["events", "redeliver", "--endpoint", "app", "--from", "1"];
    let again = Program::start(&again, Some(&setup)).end().await;
    assert_eq!(again.status.code(), Some(0), "{}", again.errors);
    until("all is heard again", async || {
        let heard = ear
            .heard
            .lock()
            .expect("no panic while locked")
            .events
            .len();
        (heard >= before + 17).then_some(())
    })
    .await;
    let unknown = ["events", "redeliver", "--endpoint", "nobody"];
    let unknown = Program::start(&unknown, Some(&setup)).end().await;
    assert_ne!(unknown.status.code(), Some(0));
}

async fn two_workers_tell_in_order_when_one_is_killed(database: Database) {
    const USERS: usize = 6;
    let ear = Ear::start().await;
    let setup = setup(&database, &ear);
    let server = Server::start_with(&["serve", "--no-worker"], &setup).await;
    let mut first = Program::start(&["worker"], Some(&setup));
    knows_the_endpoint(&database).await;
    let user = |n: usize| format!("user-{n}");
    for n in 0..USERS {
        register(&server, &user(n), n).await;
    }
    let _second = Program::start(&["worker"], Some(&setup));
    until("something is heard", async || {
        (!ear.by_account().is_empty()).then_some(())
    })
    .await;
    first.kill();
    // Whoever was killed had the turn; as if its time were over.
    database
        .execute("UPDATE cursors SET until_at = 1 WHERE name = 'endpoint:app'")
        .await;
    for n in 0..USERS {
        change(&server, &user(n), USERS + n).await;
    }
    let expected: BTreeMap<_, _> = (0..USERS).map(|n| (user(n), (1..=5).collect())).collect();
    until("every event is heard, in order", async || {
        (ear.by_account() == expected).then_some(())
    })
    .await;
}
