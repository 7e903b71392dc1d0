//! PostgreSQL's place is taken by its standby: what was acknowledged is there, and writes go on by themselves.

use std::time::{Duration, Instant};

use super::cluster::{Cluster, Stop};
use super::forwarder::Forwarder;
use super::load::{Ask, Calls, Load, comes_back, goes_away, is_away, tells_one_outage, users};
use crate::process::harness::{Server, Setup, until};

/// Callers that register without a pause.
const CALLERS: usize = 16;
/// Users that must be acknowledged before and after, together, in each of two tests.
const ENOUGH: usize = 5_000;
/// From the moment that the address leads to a server that takes writes, to the first write. It is two
/// seconds on a machine that does nothing else.
const AGAIN: Duration = Duration::from_secs(4);

/// Two servers, the second one after the first, behind one address.
struct Pair {
    first: Cluster,
    second: Cluster,
    address: Forwarder,
}

impl Pair {
    async fn start() -> Pair {
        let first = Cluster::start().await;
        first.execute(&["CREATE DATABASE numbers"]).await;
        let second = first.standby().await;
        first.acknowledge_with_standby().await;
        let address = Forwarder::to(&first.address).await;
        Pair {
            first,
            second,
            address,
        }
    }

    async fn serve(&self) -> Server {
        let url = self.address.url(&self.first.url("numbers"));
        Server::start(&Setup::new(&url)).await
    }

    /// Makes the second one take writes.
    async fn promote(&self) {
        self.second.execute(&["SELECT pg_promote()"]).await;
    }

    /// Lets new connections find the second one.
    fn move_address(&self) -> Instant {
        self.address.lead_to(&self.second.address);
        self.address.open();
        Instant::now()
    }

    /// Asserts that the load of an outage lost nothing and went on in time.
    async fn lost_nothing(&self, name: &str, calls: &Calls, moved: Instant) {
        let again = calls.first_served_after(moved).expect("writes again") - moved;
        println!(
            "{name}: {} acknowledged, writes again after {again:?}",
            calls.acknowledged().count()
        );
        calls.are_kept(&self.second.url("numbers")).await;
        calls.are_answered_within(Duration::from_secs(10));
        assert!(again < AGAIN, "{again:?}");
        assert!(calls.acknowledged().count() >= ENOUGH);
    }
}

/// Waits until so many were acknowledged.
async fn acknowledged(load: &Load, enough: usize) {
    let mut seen = load.served();
    while seen < enough {
        // Bounded as long as the load gets on.
        until("more acknowledged users", async || {
            (load.served() > seen).then_some(())
        })
        .await;
        seen = load.served();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_of_the_primary_loses_nothing_on_postgres() {
    let mut pair = Pair::start().await;
    let server = pair.serve().await;
    let load = Load::start(&server.base, Ask::Register, CALLERS, 0);
    acknowledged(&load, ENOUGH / 2).await;

    // Gone in the middle of its work. Whoever watches notices, and moves the address.
    pair.first.stop(Stop::Immediate).await;
    pair.address.refuse();
    goes_away(&server).await;
    pair.promote().await;
    let moved = pair.move_address();
    acknowledged(&load, ENOUGH).await;
    comes_back(&server).await;

    let calls = load.end().await;
    pair.lost_nothing("crash", &calls, moved).await;
    tells_one_outage(&server.program.printed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switchover_loses_nothing_on_postgres() {
    let mut pair = Pair::start().await;
    let server = pair.serve().await;
    let load = Load::start(&server.base, Ask::Register, CALLERS, 0);
    acknowledged(&load, ENOUGH / 2).await;

    // The old primary comes back as a standby, and for a while the address still leads to it.
    pair.first.stop(Stop::Fast).await;
    pair.first.follow(&pair.second);
    pair.first.run().await;
    let before = users(&pair.first.url("numbers")).await.len();
    goes_away(&server).await;
    for _ in 0..5 {
        is_away(&server).await;
    }
    pair.promote().await;
    let after = users(&pair.second.url("numbers")).await.len();
    assert_eq!(before, after, "a standby took no writes");
    // Connections to the old primary are not closed: it is still there, and still takes no writes.
    let moved = pair.move_address();
    acknowledged(&load, ENOUGH).await;
    comes_back(&server).await;

    let calls = load.end().await;
    pair.lost_nothing("switchover", &calls, moved).await;
    tells_one_outage(&server.program.printed());
}
