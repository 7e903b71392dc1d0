//! More callers than a lane has room for: how fast they are refused, and what becomes of the others.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use serde::Serialize;
use tokio::sync::Notify;

use crate::fixture::{enough, people};
use crate::ids::Ids;
use crate::process::Process;
use crate::report::{Table, two, whole};
use crate::request::Protocol;
use crate::run::{Measurement, Plan, run, run_and_tell};
use crate::scenario::Scenario;
use crate::server::Setup;

/// Files that a process has open besides its connections.
const OTHER_FILES: u64 = 200;
/// A load that any server bears.
const CALM: usize = 16;
/// The load at which the server is at its best.
const BEST: usize = 256;

/// How it is brought about.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flood {
    pub(crate) connections: usize,
    pub(crate) seconds: Duration,
    /// What a refused caller waits; the server asks for a second.
    pub(crate) pause: Duration,
}

/// The same scenario before, during and after.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Overload {
    pub(crate) calm: Measurement,
    pub(crate) best: Measurement,
    pub(crate) flood: Measurement,
    pub(crate) after: Measurement,
}

impl Overload {
    /// Throughput under the flood against the best.
    pub(crate) fn kept(&self) -> f64 {
        self.flood.operations_per_second / self.best.operations_per_second
    }

    /// Throughput right after the flood against that before it.
    pub(crate) fn recovered(&self) -> f64 {
        self.after.operations_per_second / self.calm.operations_per_second
    }

    pub(crate) fn failures(&self) -> u64 {
        [&self.calm, &self.best, &self.flood, &self.after]
            .map(|measurement| measurement.failures)
            .iter()
            .sum()
    }

    pub(crate) fn table(&self, connections: usize) -> String {
        let mut table = Table::new(&[
            "phase",
            "connections",
            "per second",
            "p50 ms",
            "p99 ms",
            "first after ms",
            "refused",
            "refused p50 ms",
            "refused p99 ms",
            "wrong",
        ]);
        for (phase, connections, measurement) in [
            ("calm", CALM, &self.calm),
            ("best", BEST, &self.best),
            ("flood", connections, &self.flood),
            ("right after", CALM, &self.after),
        ] {
            table.row([
                phase.to_owned(),
                connections.to_string(),
                whole(measurement.operations_per_second),
                two(measurement.latency.p50),
                two(measurement.latency.p99),
                two(measurement.first_done_ms),
                whole(measurement.refusals as f64),
                two(measurement.refusal_latency.p50),
                two(measurement.refusal_latency.p99),
                measurement.failures.to_string(),
            ]);
        }
        table.markdown()
    }
}

/// Floods a server of this setup.
pub(crate) async fn overload(setup: &Setup, flood: Flood) -> anyhow::Result<Overload> {
    let files = Process::own().most_files()?;
    let needed = flood.connections as u64 + OTHER_FILES;
    if files < needed {
        bail!(
            "{files} open files are allowed and {needed} are needed; run `ulimit -n {needed}` first"
        );
    }
    let plan = |connections, warmup, seconds: Duration, pause| Plan {
        scenario: Scenario::Set,
        connections,
        warmup,
        measure: seconds,
        pause,
    };
    let (half, short) = (Duration::from_millis(500), flood.seconds / 2);
    let calm = plan(CALM, half, short, None);
    let best = plan(BEST, half, flood.seconds, None);
    let full = plan(flood.connections, half, flood.seconds, Some(flood.pause));
    // Begins while what waits in the lane is still being worked off. How long that takes is in its first
    // answer; its throughput counts from a little later.
    let after = plan(
        CALM,
        Duration::from_secs(1),
        short,
        Some(Duration::from_millis(1)),
    );
    let pool = [&calm, &best, &full, &after].map(enough).iter().sum();

    let server = setup.start().await?;
    let fresh = people(&setup.database, Scenario::Set, pool, 0).await?;
    let ids = Arc::new(Ids::new(fresh, 0));
    let targets = [server.target(Protocol::Grpc)?];
    let calm = run(calm, &targets, &ids).await?;
    let best = run(best, &targets, &ids).await?;
    let closed = Notify::new();
    let flooding = run_and_tell(full, &targets, &ids, &closed);
    let recovering = async {
        closed.notified().await;
        run(after, &targets, &ids).await
    };
    let (flood, after) = tokio::join!(flooding, recovering);
    let (flood, after) = (flood?, after?);
    server.stop().await?;
    Ok(Overload {
        calm,
        best,
        flood,
        after,
    })
}
