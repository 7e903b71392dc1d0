//! Many requests at once: guesses are counted, a code verifies once, a message goes out once.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::harness::{Answer, Server, Setup, admin, number, until};
use crate::database::Database;

/// The processes that a race is spread over.
struct Racers {
    servers: Vec<Arc<Server>>,
    database: Database,
}

impl Racers {
    async fn start(database: Database, count: usize) -> Racers {
        let setup = Setup::new(&database.url);
        let mut servers = Vec::new();
        for _ in 0..count {
            servers.push(Arc::new(Server::start(&setup).await));
        }
        Racers { servers, database }
    }

    fn first(&self) -> &Server {
        &self.servers[0]
    }

    /// Sends all at once, one after the other to each process in turn.
    async fn post(&self, requests: impl Iterator<Item = (&str, Value)>) -> Vec<Answer> {
        let mut running = JoinSet::new();
        for ((path, body), server) in requests.zip(self.servers.iter().cycle()) {
            let (server, path, token) = (server.clone(), path.to_owned(), admin());
            running.spawn(async move { server.post(&path, &token, body).await });
        }
        running.join_all().await
    }

    /// How many events there are with these words, a kind and perhaps a cause, as columns.
    async fn events(&self, columns: &[&str]) -> usize {
        let dump = self.database.dump().await;
        let events = dump.lines().filter(|line| line.starts_with("events "));
        let has = |line: &str, column: &&str| line.split(['|', '"']).any(|part| part == *column);
        events
            .filter(|line| columns.iter().all(|column| has(line, column)))
            .count()
    }
}

fn statuses(answers: &[Answer], status: u16) -> usize {
    answers
        .iter()
        .filter(|answer| answer.status == status)
        .count()
}

async fn guesses_are_counted(racers: Racers) {
    let code = racers.first().register("ann", &number(1)).await;
    let right: u32 = code.parse().expect("digits");
    let wrong = (0..200).map(|n| {
        let guess = format!("{:06}", (right + 1 + n) % 1_000_000);
        (
            "/v2/users/ann/phone/verify",
            json!({"verificationCode": guess}),
        )
    });
    let answers = racers.post(wrong).await;
    assert_eq!(statuses(&answers, 400), 200, "{answers:?}");
    let first = &answers[0].body;
    assert!(
        first["message"]
            .as_str()
            .is_some_and(|text| text.contains("COMMAND-eis9R"))
    );
    assert!(
        answers.iter().all(|answer| answer.body == *first),
        "all look the same"
    );

    let evaluated = racers.events(&["phone.verification_failed", "wrong"]).await;
    assert_eq!(evaluated, 5);
    assert_eq!(racers.events(&["phone.verification_failed"]).await, 200);
    for server in &racers.servers {
        assert_eq!(server.verify("ann", &code).await.status, 400);
    }
    assert_eq!(racers.events(&["phone.verified"]).await, 0);
}

async fn a_code_verifies_once(racers: Racers) {
    let code = racers.first().register("ann", &number(1)).await;
    let right = (0..64).map(|_| {
        (
            "/v2/users/ann/phone/verify",
            json!({"verificationCode": code}),
        )
    });
    let answers = racers.post(right).await;
    assert_eq!(statuses(&answers, 200), 1, "{answers:?}");
    assert_eq!(statuses(&answers, 400), 63);
    assert_eq!(racers.events(&["phone.verified"]).await, 1);
    let user = racers.first().get("/v2/users/ann", &admin()).await;
    assert_eq!(
        user.body["user"]["human"]["phone"]["isVerified"], true,
        "{user:?}"
    );
}

async fn resends_send_one_message(racers: Racers) {
    let code = racers.first().register("ann", &number(1)).await;
    let resends = (0..50).map(|_| ("/v2/users/ann/phone/resend", json!({"sendCode": {}})));
    let answers = racers.post(resends).await;
    assert_eq!(statuses(&answers, 200), 1, "{answers:?}");
    assert_eq!(statuses(&answers, 429), 49);

    // An empty outbox has nothing left that could become a second message.
    until("an empty outbox", async || {
        (racers.database.count("outbox").await == 0).then_some(())
    })
    .await;
    let mut messages = Vec::new();
    for server in &racers.servers {
        messages.extend(server.inbox(&number(1)).await);
    }
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert_eq!(
        messages[0]["code"],
        code.as_str(),
        "the code that was returned still holds"
    );
    assert_eq!(racers.events(&["phone.code_sent"]).await, 1);
}

async fn sequences_are_unique(racers: Racers) {
    racers.first().register("ann", &number(0)).await;
    let sets = (1..=100).map(|n| {
        let how = if n % 2 == 0 {
            "isVerified"
        } else {
            "returnCode"
        };
        let value = if n % 2 == 0 { json!(true) } else { json!({}) };
        (
            "/v2/users/ann/phone",
            json!({"phone": number(n), how: value}),
        )
    });
    let answers = racers.post(sets).await;
    assert_eq!(statuses(&answers, 200), 100, "{answers:?}");
    let sequences: HashSet<&str> = answers
        .iter()
        .filter_map(|answer| answer.body["details"]["sequence"].as_str())
        .collect();
    assert_eq!(sequences.len(), 100);

    // Each event has a sequence of its own, and none is missing.
    let user = racers.first().get("/v2/users/ann", &admin()).await;
    let last = user.body["details"]["sequence"].as_str().map(str::to_owned);
    let events = racers.database.count("events").await;
    assert_eq!(last, Some(events.to_string()), "{user:?}");
    assert_eq!(racers.events(&["phone.set"]).await, 101);
}

/// Each race on each database with one process, and on PostgreSQL with two.
macro_rules! races {
    ($($name:ident),+) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let database = super::Database::sqlite().await;
                super::$name(super::Racers::start(database, 1).await).await;
            })+
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let database = super::Database::postgres().await;
                super::$name(super::Racers::start(database, 1).await).await;
            })+
        }
        mod on_postgres_with_two_processes {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let database = super::Database::postgres().await;
                super::$name(super::Racers::start(database, 2).await).await;
            })+
        }
    };
}

races!(
    guesses_are_counted,
    a_code_verifies_once,
    resends_send_one_message,
    sequences_are_unique
);
