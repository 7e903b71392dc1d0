//! What probes are told: while a server drains, and of a worker, on the address of the metrics.

use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::harness::{Program, Server, Setup, admin, call, number, until};
use super::receiver::Receiver;
use crate::database::Database;
use crate::outages::load::{healthy, is_away};

crate::on_both! {
    requests_are_served_while_it_drains,
    a_worker_says_how_it_is,
}

/// Shows metrics and probes on a free port.
fn probed(setup: Setup) -> Setup {
    setup.with("metrics.listen", "127.0.0.1:0")
}

/// Where they are.
async fn metrics_of(program: &Program) -> String {
    until("the address of the metrics", async || {
        let printed = program.printed();
        let (_, after) = printed.split_once("\"metrics\":\"")?;
        let (address, _) = after.split_once('"')?;
        Some(format!("http://{address}"))
    })
    .await
}

/// A client that opens a connection for each request.
fn client() -> Client {
    let client = Client::builder().no_proxy().pool_max_idle_per_host(0);
    client.build().expect("a client")
}

/// Status and text of a probe.
async fn probe(base: &str, path: &str) -> (u16, String) {
    let answer = client().get(format!("{base}{path}")).send().await;
    let answer = answer.expect("an answer");
    let status = answer.status().as_u16();
    (status, answer.text().await.expect("a text"))
}

async fn register(base: &str, n: usize) -> u16 {
    let body = json!({"userId": format!("ann-{n}"), "phone": {"phone": number(n)}});
    let path = "/v2/users/human";
    let answer = call(&client(), base, Method::POST, path, &admin(), body).await;
    answer.expect("an answer").status
}

async fn requests_are_served_while_it_drains(database: Database) {
    let setup = probed(Setup::new(&database.url)).with("server.drain_seconds", 3);
    let mut server = Server::start(&setup).await;
    let metrics = metrics_of(&server.program).await;
    for base in [&server.base, &metrics] {
        assert_eq!(probe(base, "/readyz").await, (200, "ok\n".to_owned()));
    }
    assert!(healthy(&server).await);

    let asked = Instant::now();
    server.program.signal("TERM");
    server.program.says("not ready any more").await;
    is_away(&server).await;
    for base in [&server.base, &metrics] {
        assert_eq!(probe(base, "/readyz").await, (503, "stopping\n".to_owned()));
        assert_eq!(probe(base, "/healthz").await, (200, "ok\n".to_owned()));
    }
    for n in 0..3 {
        assert_eq!(register(&server.base, n).await, 200);
    }
    assert!(
        asked.elapsed() < Duration::from_secs(3),
        "all that before the end"
    );

    let ended = server.program.exit().await;
    let took = asked.elapsed();
    assert_eq!(ended.code(), Some(0), "{}", server.program.printed());
    assert!(took >= Duration::from_secs(3), "{took:?}");
    assert!(took < Duration::from_secs(8), "nothing ran: {took:?}");
    assert_eq!(database.count("accounts").await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_the_end_gets_it() {
    for signals in [&["INT"][..], &["TERM", "TERM"], &["TERM", "INT"]] {
        let database = Database::sqlite().await;
        let setup = Setup::new(&database.url).with("server.drain_seconds", 60);
        let mut server = Server::start(&setup).await;
        let asked = Instant::now();
        for (nth, signal) in signals.iter().enumerate() {
            server.program.signal(signal);
            if nth == 0 && *signal == "TERM" {
                server.program.says("not ready any more").await;
            }
        }
        // A second signal leaves nothing in order.
        let code = if signals.len() == 1 { 0 } else { 130 };
        let ended = server.program.exit().await;
        assert_eq!(
            ended.code(),
            Some(code),
            "{signals:?}: {}",
            server.program.printed()
        );
        assert!(asked.elapsed() < Duration::from_secs(5), "{signals:?}");
    }
}

async fn a_worker_says_how_it_is(database: Database) {
    let receiver = Receiver::silent().await;
    let setup = Setup::new(&database.url).with_webhook(&receiver.url);
    let server = Server::start_with(&["serve", "--no-worker"], &setup).await;
    let mut worker = Program::start(&["worker"], Some(&probed(setup).without("auth")));
    let base = metrics_of(&worker).await;
    until("a worker that is ready", async || {
        (probe(&base, "/readyz").await == (200, "ok\n".to_owned())).then_some(())
    })
    .await;
    assert_eq!(probe(&base, "/healthz").await.0, 200);
    assert_eq!(register(&server.base, 0).await, 200);
    until("a message under way", async || {
        (!receiver.taken().is_empty()).then_some(())
    })
    .await;

    // A table that is missing is a database that cannot be worked with.
    database
        .execute("ALTER TABLE messages RENAME TO elsewhere")
        .await;
    until("a worker that is not ready", async || {
        let told = probe(&base, "/readyz").await;
        (told == (503, "the database does not answer\n".to_owned())).then_some(())
    })
    .await;
    assert_eq!(probe(&base, "/healthz").await.0, 200);
    database
        .execute("ALTER TABLE elsewhere RENAME TO messages")
        .await;
    until("a worker that is ready again", async || {
        (probe(&base, "/readyz").await.0 == 200).then_some(())
    })
    .await;

    // It ends when what is under way has ended, and says so meanwhile.
    let before = receiver.taken().len();
    assert_eq!(register(&server.base, 1).await, 200);
    until("one more message under way", async || {
        (receiver.taken().len() > before).then_some(())
    })
    .await;
    worker.signal("TERM");
    worker.says("stopping").await;
    assert_eq!(
        probe(&base, "/readyz").await,
        (503, "stopping\n".to_owned())
    );
    receiver.answer();
    assert_eq!(worker.exit().await.code(), Some(0), "{}", worker.printed());
    let shown: Value = server.get("/v2/users/ann-1", &admin()).await.body;
    assert_eq!(shown["user"]["human"]["phone"]["phone"], number(1));
}
