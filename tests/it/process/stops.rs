//! SIGTERM and SIGINT: what was accepted is answered, and the process ends in time.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use serde_json::json;
use tokio::task::JoinSet;

use super::harness::{Server, Setup, admin, call, number, until};
use crate::database::Database;

/// What became of one request under load.
enum Fate {
    /// A complete answer.
    Answered(u16),
    /// None at all: the connection was not accepted, or closed before a byte.
    Unanswered,
}

async fn no_accepted_request_is_dropped(database: Database) {
    let mut server = Server::start(&Setup::new(&database.url)).await;
    let mut load = JoinSet::new();
    for task in 0..12 {
        let base = server.base.clone();
        // HTTP/2 on one connection, kept connections, and a new connection for each request.
        let client = || Client::builder().no_proxy().retry(reqwest::retry::never());
        let client = match task % 3 {
            0 => client().http2_prior_knowledge(),
            1 => client().http1_only(),
            _ => client().http1_only().pool_max_idle_per_host(0),
        };
        let client = client.build().expect("a client");
        load.spawn(async move {
            let mut fates = Vec::new();
            for turn in 0.. {
                let n = turn * 100 + task;
                let (user, fate) = register(&client, &base, n).await;
                let over = matches!(fate, Fate::Unanswered);
                fates.push((user, fate));
                if over {
                    break;
                }
            }
            fates
        });
    }
    until("load", async || {
        (database.count("accounts").await > 60).then_some(())
    })
    .await;
    let asked = Instant::now();
    server.program.signal("TERM");
    let ended = server.program.exit().await;
    assert_eq!(ended.code(), Some(0), "{}", server.program.printed());
    assert!(
        asked.elapsed() < Duration::from_secs(5),
        "quiet connections hold nothing up"
    );

    let dump = database.dump().await;
    let kept = |user: &str| {
        let words = [
            format!("\"{user}\""),
            format!(" {user}|"),
            format!("|{user}|"),
        ];
        let mut accounts = dump.lines().filter(|line| line.starts_with("accounts "));
        accounts.any(|line| words.iter().any(|word| line.contains(word)))
    };
    let fates: Vec<(String, Fate)> = load.join_all().await.into_iter().flatten().collect();
    assert!(fates.len() > 60);
    for (user, fate) in fates {
        match fate {
            Fate::Answered(status) => {
                assert_eq!(status, 200, "{user}: {}", server.program.printed());
                assert!(kept(&user), "{user} was acknowledged");
            }
            Fate::Unanswered => assert!(!kept(&user), "{user} was decided and not answered"),
        }
    }
}

async fn register(client: &Client, base: &str, n: usize) -> (String, Fate) {
    let user = format!("load-{n}");
    let body = json!({"userId": user, "phone": {"phone": number(n), "returnCode": {}}});
    match call(
        client,
        base,
        Method::POST,
        "/v2/users/human",
        &admin(),
        body,
    )
    .await
    {
        Ok(answer) => (user, Fate::Answered(answer.status)),
        // Half an answer: its head came and its body did not.
        Err(error) if error.is_body() || error.is_decode() => panic!("{user}: {error:?}"),
        Err(_) => (user, Fate::Unanswered),
    }
}

/// A request whose head is in the server's hands and whose body is not yet sent. `100 Continue` proves it:
/// the server says so when it begins to read the body.
struct Half {
    stream: TcpStream,
    body: String,
}

impl Half {
    fn send(address: &str, n: usize) -> Half {
        let body =
            json!({"userId": format!("half-{n}"), "phone": {"phone": number(n), "returnCode": {}}});
        let body = body.to_string();
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a time-out");
        let head = format!(
            "POST /v2/users/human HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\nexpect: 100-continue\r\n\r\n",
            admin(),
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("sending the head");
        let mut answer = [0; 25];
        stream.read_exact(&mut answer).expect("100 Continue");
        assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
        Half { stream, body }
    }

    /// Sends the body, and reads until the server closes the connection.
    fn finish(mut self) -> String {
        self.stream
            .write_all(self.body.as_bytes())
            .expect("sending the body");
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).expect("an answer");
        answer
    }
}

async fn requests_that_run_are_finished(database: Database) {
    for signal in ["TERM", "INT"] {
        let mut server = Server::start(&Setup::new(&database.url)).await;
        let first = if signal == "TERM" { 0 } else { 10 };
        let halves: Vec<Half> = (first..first + 10)
            .map(|n| Half::send(server.address(), n))
            .collect();
        server.program.signal(signal);
        let address = server.address().to_owned();
        until("nobody is let in any more", async || {
            let refused = TcpStream::connect(&address).err()?;
            (refused.kind() == ErrorKind::ConnectionRefused).then_some(())
        })
        .await;
        assert!(
            server.program.running(),
            "it waits for those that it let in"
        );
        for half in halves {
            let answer = half.finish();
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
            assert!(
                answer.contains("\"phoneCode\"") && answer.ends_with("}\n"),
                "{answer}"
            );
        }
        assert_eq!(
            server.program.exit().await.code(),
            Some(0),
            "{}",
            server.program.printed()
        );
    }
    assert_eq!(database.count("accounts").await, 20);
}

async fn the_end_comes_in_time(database: Database) {
    let mut server = Server::start(&Setup::new(&database.url)).await;
    // Its body never comes.
    let _half = Half::send(server.address(), 0);
    let asked = Instant::now();
    server.program.signal("TERM");
    let ended = server.program.exit().await;
    let took = asked.elapsed();
    assert_eq!(ended.code(), Some(0), "{}", server.program.printed());
    assert!(
        took >= Duration::from_secs(9),
        "it was given its time: {took:?}"
    );
    assert!(took < Duration::from_secs(11), "but not more: {took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_comes_in_time_on_sqlite() {
    the_end_comes_in_time(Database::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_does_not_wait() {
    let database = Database::sqlite().await;
    let mut server = Server::start(&Setup::new(&database.url)).await;
    let _half = Half::send(server.address(), 0);
    let asked = Instant::now();
    server.program.signal("INT");
    server.program.says("stopping").await;
    server.program.signal("INT");
    assert_eq!(server.program.exit().await.code(), Some(130));
    assert!(asked.elapsed() < Duration::from_secs(5));
}

crate::on_both!(
    no_accepted_request_is_dropped,
    requests_that_run_are_finished
);
