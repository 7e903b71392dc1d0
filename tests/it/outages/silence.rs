//! PostgreSQL that says nothing any more: nobody waits without end, and what works is used.

use std::time::{Duration, Instant};

use reqwest::Client;
use tokio::task::JoinSet;

use super::cluster::{Cluster, Stop};
use super::forwarder::Forwarder;
use super::load::{
    Ask, Load, MOST_COMPLAINTS, client, comes_back, complaints, goes_away, is_away, list, ready,
    register, tells_one_outage,
};
use crate::database::Database;
use crate::process::harness::{Server, Setup, until};

/// No request may take longer, whatever PostgreSQL does.
const LONGEST: Duration = Duration::from_secs(10);
/// When connections have fallen silent and new ones work, everything works again after so long.
const WHOLE: Duration = Duration::from_secs(15);
/// How long the server is frozen: 12 seconds, unless whoever runs the test has more patience.
fn frozen() -> Duration {
    let asked = std::env::var("RINGBACK_TEST_FROZEN_SECONDS").ok();
    Duration::from_secs(asked.and_then(|text| text.parse().ok()).unwrap_or(12))
}
/// How long after a frozen server goes on everything is served again.
const THAWED: Duration = Duration::from_secs(5);
/// How long after a restarted server accepts connections everything is served again.
const RESTARTED: Duration = Duration::from_secs(1);
/// What is at once, on a machine that does much else.
const AT_ONCE: Duration = Duration::from_secs(1);
/// Lists whose callers go away.
const ABANDONED: usize = 8;

/// Callers that ask for everything there is.
struct Loads([Load; 3]);

impl Loads {
    /// Starts them, and waits until each kind of call was served.
    async fn start(server: &Server, round: usize) -> Loads {
        let load = |ask, callers| Load::start(&server.base, ask, callers, round);
        let loads = [
            load(Ask::Register, 6),
            load(Ask::Read, 2),
            load(Ask::List, 2),
        ];
        let loads = Loads(loads);
        loads.served_more(20).await;
        loads
    }

    /// Waits until so many more calls of each kind were served.
    async fn served_more(&self, more: usize) {
        for load in &self.0 {
            let before = load.served();
            until("calls that are served", async || {
                (load.served() >= before + more).then_some(())
            })
            .await;
        }
    }

    /// Asserts that nobody waited too long, that all were served from a time on, and that nothing is lost.
    async fn end(self, whole: Instant, url: &str) {
        let [registered, read, listed] = self.0;
        let registered = registered.end().await;
        for calls in [&registered, &read.end().await, &listed.end().await] {
            calls.are_answered_within(LONGEST);
            calls.are_served_from(whole);
        }
        registered.are_kept(url).await;
    }
}

/// Waits until a time has come.
async fn reached(time: Instant) {
    tokio::time::sleep_until(time.into()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_connections_are_left_on_postgres() {
    let database = Database::postgres().await;
    let forwarder = Forwarder::to_server_of(&database.url).await;
    let server = Server::start(&Setup::new(&forwarder.url(&database.url))).await;
    let loads = Loads::start(&server, 0).await;

    forwarder.silence_established();
    let whole = Instant::now() + WHOLE;
    reached(whole).await;
    loads.served_more(20).await;
    comes_back(&server).await;
    loads.end(whole, &database.url).await;
    let log = server.program.printed();
    assert!(complaints(&log).len() <= MOST_COMPLAINTS, "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_address_is_refused_in_time_on_postgres() {
    let database = Database::postgres().await;
    let forwarder = Forwarder::to_server_of(&database.url).await;
    let server = Server::start(&Setup::new(&forwarder.url(&database.url))).await;
    let loads = Loads::start(&server, 0).await;

    forwarder.silence_established();
    forwarder.silence_new();
    reached(Instant::now() + frozen()).await;
    is_away(&server).await;
    // What fell silent never speaks again; it is closed, as a router does that was started again.
    forwarder.open();
    forwarder.close_established();
    let whole = Instant::now() + THAWED;
    reached(whole).await;
    loads.served_more(20).await;
    comes_back(&server).await;
    loads.end(whole, &database.url).await;
    tells_one_outage(&server.program.printed());
}

/// Asks for lists, and goes away before they can be answered.
async fn abandon_lists(base: &str) {
    let mut callers = JoinSet::new();
    for _ in 0..ABANDONED {
        let base = base.to_owned();
        callers.spawn(async move {
            let impatient = Client::builder()
                .no_proxy()
                .timeout(Duration::from_millis(500))
                .build();
            // Some are refused, and some may find a connection that works: that is as good.
            let _ = list(&impatient.expect("a client"), &base).await;
        });
    }
    callers.join_all().await;
}

/// Asserts that lists are served, one by one and several together, with nothing to wait for.
async fn lists_work_at_once(base: &str) {
    let client = client();
    for together in [1, 1, 4] {
        let began = Instant::now();
        let lists = (0..together).map(|_| list(&client, base));
        for answer in futures::future::join_all(lists).await {
            let answer = answer.expect("an answer");
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        let took = began.elapsed();
        assert!(took < AT_ONCE, "{together} lists took {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn abandoned_lists_cost_nothing_on_postgres() {
    let database = Database::postgres().await;
    let forwarder = Forwarder::to_server_of(&database.url).await;
    let server = Server::start(&Setup::new(&forwarder.url(&database.url))).await;
    let answer = register(&client(), &server.base, "ann", 1).await;
    assert_eq!(answer.expect("an answer").status, 200);
    lists_work_at_once(&server.base).await;

    // Over connections that say nothing any more.
    forwarder.silence_established();
    abandon_lists(&server.base).await;
    let began = Instant::now();
    let client = client();
    until("a list that is served", async || {
        let answer = list(&client, &server.base).await.expect("an answer");
        (answer.status == 200).then_some(())
    })
    .await;
    assert!(began.elapsed() < WHOLE, "{:?}", began.elapsed());
    lists_work_at_once(&server.base).await;

    // Over connections that work, on a table that does not.
    let lock = Lock::take(&database.url).await;
    abandon_lists(&server.base).await;
    lock.release().await;
    lists_work_at_once(&server.base).await;
}

/// The table that lists read, taken by someone else.
struct Lock(sea_orm::DatabaseTransaction);

impl Lock {
    async fn take(url: &str) -> Lock {
        use sea_orm::{ConnectionTrait, TransactionTrait};
        let connection = sea_orm::Database::connect(url).await.expect("the database");
        let lock = connection.begin().await.expect("a transaction");
        lock.execute_unprepared("LOCK TABLE accounts IN ACCESS EXCLUSIVE MODE")
            .await
            .expect("a lock");
        Lock(lock)
    }

    async fn release(self) {
        self.0.commit().await.expect("the end of the lock");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_server_is_waited_for_in_bounds_on_postgres() {
    let cluster = Cluster::start().await;
    let url = cluster.url("postgres");
    let server = Server::start(&Setup::new(&url)).await;
    let loads = Loads::start(&server, 0).await;

    cluster.freeze();
    let thawing = Instant::now() + frozen();
    until("to be seen as away", async || {
        (!ready(&server).await).then_some(())
    })
    .await;
    let noticed = Instant::now() + frozen() - thawing;
    assert!(noticed < LONGEST, "noticed after {noticed:?}");
    is_away(&server).await;
    reached(thawing).await;
    cluster.thaw();
    let whole = Instant::now() + THAWED;
    reached(whole).await;
    loads.served_more(20).await;
    comes_back(&server).await;
    loads.end(whole, &url).await;
    tells_one_outage(&server.program.printed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_loses_nothing_on_postgres() {
    let mut cluster = Cluster::start().await;
    let url = cluster.url("postgres");
    let server = Server::start(&Setup::new(&url)).await;
    let loads = Loads::start(&server, 0).await;

    cluster.stop(Stop::Fast).await;
    goes_away(&server).await;
    cluster.run().await;
    let whole = Instant::now() + RESTARTED;
    reached(whole).await;
    loads.served_more(20).await;
    comes_back(&server).await;
    loads.end(whole, &url).await;
    tells_one_outage(&server.program.printed());
}
