//! Many requests at once, through each API: guesses are counted, a code verifies once, a message goes out
//! once.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::harness::{Server, Setup, end_user, number, until};
use crate::api::{Answer, Api, Call, Kind, Question, Refused};
use crate::database::Database;

/// The processes that a race is spread over.
struct Racers {
    servers: Vec<Arc<Server>>,
    database: Database,
}

/// A user of one API, who starts the races at that API.
struct Racer<'a> {
    racers: &'a Racers,
    api: Api,
    user: String,
    number: String,
}

impl Racers {
    async fn start(database: Database, count: usize) -> Racers {
        // Numbers are added without end at one API, and set without end at the others.
        let setup = Setup::new(&database.url)
            .with("numbers.most_per_account", 100)
            .with("limits.sends_per_account", json!([]))
            .with("limits.sets_per_account", json!([]));
        let mut servers = Vec::new();
        for _ in 0..count {
            servers.push(Arc::new(Server::start(&setup).await));
        }
        Racers { servers, database }
    }

    fn first(&self) -> &Server {
        &self.servers[0]
    }

    /// One user for each API.
    fn each(&self) -> impl Iterator<Item = Racer<'_>> {
        let racer = |(n, api): (usize, Api)| Racer {
            racers: self,
            api,
            user: format!("ann-{}", api.name()),
            number: number(n),
        };
        (0..).zip(Api::ALL).map(racer)
    }

    /// The messages to a number, whichever process sent them.
    async fn inbox(&self, number: &str) -> Vec<Value> {
        let mut messages = Vec::new();
        for server in &self.servers {
            messages.extend(server.inbox(number).await);
        }
        messages
    }
}

impl Racer<'_> {
    /// Sends all at once, one after the other to each process in turn.
    async fn send(&self, calls: impl Iterator<Item = Call>) -> Vec<Result<Value, Refused>> {
        let token = end_user(&self.user);
        let mut running = JoinSet::new();
        for (call, server) in calls.zip(self.racers.servers.iter().cycle()) {
            let (server, token) = (server.clone(), token.clone());
            running.spawn(async move { server.send(&call, &token).await });
        }
        let answers = running.join_all().await.into_iter();
        answers.map(Answer::outcome).collect()
    }

    /// Sets the number, and waits for the code.
    async fn asked(&self) -> (Question, String) {
        let set = self.api.set(&self.user, &self.number);
        let answer = self.racers.first().send(&set, &end_user(&self.user)).await;
        let reply = answer.outcome().expect("set");
        let code = until("a message", async || {
            let messages = self.racers.inbox(&self.number).await;
            messages.first()?["code"].as_str().map(str::to_owned)
        })
        .await;
        (Question::read(&self.number, &reply), code)
    }

    /// What the user holds.
    async fn held(&self) -> Vec<(String, bool)> {
        let read = self.api.read(&self.user);
        let answer = self.racers.first().send(&read, &end_user(&self.user)).await;
        self.api.held(&answer.outcome().expect("read"))
    }

    /// How many events the user has with these words.
    async fn events(&self, columns: &[&str]) -> usize {
        let columns = [&[self.user.as_str()], columns].concat();
        self.racers.database.events(&columns).await
    }
}

/// How many were accepted; all others were refused for this reason and look the same.
fn accepted(answers: &[Result<Value, Refused>], otherwise: Kind) -> usize {
    let refused: Vec<&Refused> = answers
        .iter()
        .filter_map(|said| said.as_ref().err())
        .collect();
    for one in &refused {
        assert_eq!(one.kind, otherwise, "{one:?}");
    }
    if otherwise == Kind::CodeRefused {
        let looks: HashSet<_> = refused.iter().map(|refused| refused.look()).collect();
        assert_eq!(looks.len(), 1, "{looks:?}");
    }
    answers.len() - refused.len()
}

async fn guesses_are_counted(racers: Racers) {
    for racer in racers.each() {
        let (question, code) = racer.asked().await;
        let right: u32 = code.parse().expect("digits");
        let wrong = (0..200).map(|n| {
            let guess = format!("{:06}", (right + 1 + n) % 1_000_000);
            racer.api.submit(&racer.user, &question, &guess)
        });
        let answers = racer.send(wrong).await;
        assert_eq!(answers.len(), 200);
        assert_eq!(accepted(&answers, Kind::CodeRefused), 0);

        let evaluated = racer.events(&["phone.verification_failed", "wrong"]).await;
        assert_eq!(evaluated, 5, "{:?}", racer.api);
        // Of those that were not looked at one event a minute tells.
        let refused = racer.events(&["phone.verification_failed"]).await;
        assert!((6..20).contains(&refused), "{refused}");
        let submit = racer.api.submit(&racer.user, &question, &code);
        let late = racer
            .send(racers.servers.iter().map(|_| submit.clone()))
            .await;
        assert_eq!(accepted(&late, Kind::CodeRefused), 0);
        assert_eq!(racer.events(&["phone.verified"]).await, 0);
        assert_eq!(racer.held().await, [(racer.number.clone(), false)]);
    }
}

async fn a_code_verifies_once(racers: Racers) {
    for racer in racers.each() {
        let (question, code) = racer.asked().await;
        let submit = racer.api.submit(&racer.user, &question, &code);
        let answers = racer.send(std::iter::repeat_n(submit, 64)).await;
        assert_eq!(accepted(&answers, Kind::CodeRefused), 1, "{:?}", racer.api);
        assert_eq!(racer.events(&["phone.verified"]).await, 1);
        assert_eq!(racer.held().await, [(racer.number.clone(), true)]);
    }
}

async fn resends_send_one_message(racers: Racers) {
    for racer in racers.each() {
        // A code that was returned is no message, so that a first one may go out at once.
        let code = racers.first().register(&racer.user, &racer.number).await;
        let resend = racer.api.resends(&racer.user, &racer.number).remove(0);
        let answers = racer.send(std::iter::repeat_n(resend, 50)).await;
        let too_soon = Kind::Limited(ringback_core::limit::Limit::CoolDown);
        assert_eq!(accepted(&answers, too_soon), 1, "{:?}", racer.api);

        // When no message waits, there is nothing left that could become a second message.
        until("no message that waits", async || {
            (racers
                .database
                .count("messages WHERE due_at IS NOT NULL")
                .await
                == 0)
                .then_some(())
        })
        .await;
        let messages = racers.inbox(&racer.number).await;
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert_eq!(
            messages[0]["code"],
            code.as_str(),
            "the code that was returned still holds"
        );
        assert_eq!(racer.events(&["phone.code_sent"]).await, 1);
    }
}

async fn sequences_are_unique(racers: Racers) {
    for (nth, racer) in (1..).zip(racers.each()) {
        let sets = (0..100).map(|n| racer.api.set(&racer.user, &number(nth * 1_000 + n)));
        let answers = racer.send(sets).await;
        let replies: Vec<Value> = answers.into_iter().map(|said| said.expect("set")).collect();
        // Of these APIs one tells its users the sequence of what they did.
        if racer.api == Api::Zitadel {
            let sequences: HashSet<&str> = replies
                .iter()
                .filter_map(|reply| reply["details"]["sequence"].as_str())
                .collect();
            assert_eq!(sequences.len(), 100);
        }
        // Each event has a sequence of its own, and none is missing: one that registered the user, and for
        // each number that it was set and that a code was sent.
        let sequences = racers.database.sequences(&racer.user).await;
        assert_eq!(
            sequences,
            (1..=201).collect::<Vec<i64>>(),
            "{:?}",
            racer.api
        );
        assert_eq!(racer.events(&["phone.code_sent"]).await, 100);
        let held = racer.held().await;
        assert_eq!(held.len(), if racer.api == Api::Frontegg { 100 } else { 1 });
    }
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
