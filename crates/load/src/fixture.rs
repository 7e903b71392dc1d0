//! A server on a database with users in it: what a measurement needs before it can begin.

use std::net::SocketAddr;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::Serialize;
use tokio::time::sleep;

use crate::aside::Aside;
use crate::connection::Endpoint;
use crate::ids::{self, Ids};
use crate::request::Protocol;
use crate::run::{Measurement, Plan, Target, run};
use crate::scenario::Scenario;
use crate::seed::{SeedDatabase, SeedWith};
use crate::server::{Server, Setup};

/// Operations a second that a machine may reach before the fresh users run out.
const FASTEST: u64 = 20_000;
/// How long the worker may take after the end to deliver what is left.
const DRAIN: Duration = Duration::from_secs(60);
/// How many of the last numbers are looked up in the inbox, which forgets older ones.
const LOOKED_UP: u64 = 100;

/// What became of the messages that a run of `send` caused.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Delivered {
    /// Numbers that were set.
    pub(crate) wanted: u64,
    /// Messages that the server counted as sent.
    pub(crate) sent: u64,
    /// How long the worker was busy after the last request, in seconds.
    pub(crate) drained_in: f64,
    /// Messages a second over the whole time, this included.
    pub(crate) per_second: f64,
    /// Numbers looked up in the inbox that had not exactly one message.
    pub(crate) not_once: u64,
}

/// One measurement.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Outcome {
    pub(crate) measurement: Measurement,
    pub(crate) delivered: Option<Delivered>,
    pub(crate) ready_in_ms: f64,
    pub(crate) idle_mib: f64,
}

impl Outcome {
    /// Replies that were wrong, and messages that did not arrive once.
    pub(crate) fn faults(&self) -> u64 {
        let lost = self
            .delivered
            .map_or(0, |d| d.not_once + d.wanted.abs_diff(d.sent));
        self.measurement.failures + lost
    }
}

/// How many fresh users a plan may need.
pub(crate) fn enough(plan: &Plan) -> u64 {
    let seconds = (plan.warmup + plan.measure).as_secs_f64();
    // A connection that is alone is far from the fastest.
    let fastest = FASTEST.min(1_500 * plan.connections as u64);
    (fastest as f64 * seconds) as u64
}

/// Puts the users of a plan into the database: `known` ones with numbers, and the fresh ones that come back.
pub(crate) async fn people(
    database: &str,
    scenario: Scenario,
    pool: u64,
    known: u64,
) -> anyhow::Result<Range<u64>> {
    let mut seeded = SeedDatabase::open(database).await?;
    seeded.seed_once(known).await?;
    let fresh = ids::fresh(if scenario.uses_fresh() { pool } else { 0 });
    seeded.seed(fresh.clone(), SeedWith::Nothing).await?;
    seeded.settle().await?;
    seeded.close().await?;
    Ok(fresh)
}

/// What is to be measured, and on what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) plan: Plan,
    pub(crate) protocol: Protocol,
    /// Users without numbers.
    pub(crate) pool: u64,
    /// Users with numbers.
    pub(crate) known: u64,
    /// How many servers share the database and the connections.
    pub(crate) servers: usize,
}

/// Starts servers of this setup, measures, and stops them.
pub(crate) async fn measure(setup: &Setup, load: Load) -> anyhow::Result<Outcome> {
    // The first makes the tables.
    let mut servers = vec![setup.start().await?];
    while servers.len() < load.servers {
        servers.push(setup.start().await?);
    }
    let targets: Vec<Target> = servers
        .iter()
        .map(|server| server.target(load.protocol))
        .collect::<Result<_, _>>()?;
    let scenario = load.plan.scenario;
    let fresh = people(&setup.database, scenario, load.pool, load.known).await?;
    let ids = Arc::new(Ids::new(fresh, load.known));
    let began = Instant::now();
    let measurement = run(load.plan, &targets, &ids).await?;
    let delivered = match scenario {
        Scenario::Send => Some(deliveries(&servers, &ids.used(), began).await?),
        _ => None,
    };
    let slowest = servers.iter().map(|server| server.started_in).max();
    let outcome = Outcome {
        measurement,
        delivered,
        ready_in_ms: slowest.unwrap_or_default().as_secs_f64() * 1_000.0,
        idle_mib: servers
            .iter()
            .map(|server| server.idle_mib)
            .fold(0.0, f64::max),
    };
    for server in servers {
        server.stop().await?;
    }
    Ok(outcome)
}

/// Waits until every message is out, and looks whether each came once.
async fn deliveries(
    servers: &[Server],
    used: &Range<u64>,
    began: Instant,
) -> anyhow::Result<Delivered> {
    let wanted = used.end - used.start;
    let stopped = Instant::now();
    let mut sent;
    loop {
        sent = 0;
        for server in servers {
            sent += server
                .counter("ringback_messages_total", r#"result="taken""#)
                .await?;
        }
        if sent >= wanted || stopped.elapsed() > DRAIN {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    let drained_in = stopped.elapsed().as_secs_f64();
    let per_second = sent as f64 / began.elapsed().as_secs_f64();
    let mut not_once = 0;
    for n in used.clone().rev().take(LOOKED_UP as usize) {
        let mut messages = 0;
        for server in servers {
            messages += server.messages_to(&ids::number(n)).await?;
        }
        not_once += u64::from(messages != 1);
    }
    Ok(Delivered {
        wanted,
        sent,
        drained_in,
        per_second,
        not_once,
    })
}

/// The bare echo, as a process of its own like the server.
pub(crate) struct EchoServer(Aside);

impl EchoServer {
    pub(crate) async fn start() -> anyhow::Result<EchoServer> {
        Aside::start(&["echo"]).await.map(EchoServer)
    }

    pub(crate) async fn measure(&self, plan: Plan) -> anyhow::Result<Measurement> {
        let target = Target {
            endpoint: Endpoint::new(self.0.address, Protocol::Grpc, "none")?,
            process: self.0.process(),
        };
        run(plan, &[target], &Arc::new(Ids::new(0..0, 0))).await
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        self.0.stop().await
    }
}

/// The address in `http://ADDRESS:PORT`; of this machine only.
pub(crate) fn address_of(url: &str) -> anyhow::Result<SocketAddr> {
    let plain = url
        .strip_prefix("http://")
        .unwrap_or(url)
        .trim_end_matches('/');
    let plain = plain.replace("localhost:", "127.0.0.1:");
    let address: SocketAddr = plain
        .parse()
        .with_context(|| format!("--url {url}: write it as http://127.0.0.1:8080"))?;
    if !address.ip().is_loopback() {
        bail!("--url {url}: loads go to this machine only");
    }
    Ok(address)
}

/// Whether a file is there to be run.
pub(crate) fn program(path: &Path) -> anyhow::Result<std::path::PathBuf> {
    let full = path.canonicalize();
    full.with_context(|| format!("{}: build it with `cargo build --release`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_go_to_this_machine_only() {
        assert!(address_of("http://127.0.0.1:8080").is_ok());
        assert!(address_of("http://localhost:8080/").is_ok());
        assert!(address_of("http://10.0.0.1:8080").is_err());
        assert!(address_of("http://example.com").is_err());
    }
}
