//! The yardstick for the database: pgbench doing by hand what a flow writes, one transaction a request.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tokio::process::Command;

use crate::fixture::enough;
use crate::run::{Latency, Plan};
use crate::seed::{SeedDatabase, SeedWith};
use crate::server::Setup;

/// A flow as a careful programmer would write it without ringback: two transactions, a statement for each
/// thing to do, over the same tables. It writes fewer columns than ringback and derives no code.
const FLOW: &str = include_str!("flow.sql");

/// The program that measures by hand.
pub(super) struct Pgbench {
    program: PathBuf,
}

/// What it found.
#[derive(Clone, Debug)]
pub(crate) struct Yard {
    /// Flows, each of two transactions.
    pub(crate) per_second: f64,
    /// Of a flow.
    pub(crate) latency: Latency,
}

impl Pgbench {
    pub(super) fn new(program: PathBuf) -> Pgbench {
        Pgbench { program }
    }

    /// Measures on a database whose tables are there, with users as for the scenario.
    pub(super) async fn measure(
        &self,
        setup: &Setup,
        plan: Plan,
        known: u64,
    ) -> anyhow::Result<Yard> {
        let pool = enough(&plan);
        let first = 2 * known;
        let mut seeded = SeedDatabase::open(&setup.database).await?;
        seeded.seed(0..known, SeedWith::Number).await?;
        seeded.seed(first..first + pool, SeedWith::Nothing).await?;
        seeded.settle().await?;

        let script = setup.directory().join("flow.sql");
        fs::write(&script, FLOW)?;
        let whole = (plan.warmup + plan.measure).as_secs_f64().ceil();
        let output = Command::new(&self.program)
            .current_dir(setup.directory())
            // As ringback does for itself: a plan that was made while a table was small finds by keys, too.
            .env("PGOPTIONS", "-c enable_seqscan=off")
            .args([
                "--no-vacuum",
                "--protocol=prepared",
                "--log",
                "--log-prefix=flows",
            ])
            .arg(format!("--client={}", plan.connections))
            .arg(format!("--jobs={}", plan.connections.min(2)))
            .arg(format!("--time={whole}"))
            .arg(format!("--define=clients={}", plan.connections))
            .arg(format!("--define=first={first}"))
            .arg("--define=i=-1")
            .arg("--file")
            .arg(&script)
            .arg(&setup.database)
            .output()
            .await
            .with_context(|| format!("{} cannot be run", self.program.display()))?;
        if !output.status.success() {
            bail!("pgbench: {}", String::from_utf8_lossy(&output.stderr));
        }
        let done = transactions(setup.directory())?;
        // That every flow found its user, and that each user had one, is seen in what is there now.
        let verified = seeded
            .count("SELECT count(*) FROM phone_numbers WHERE changed_at = 1700000000000001")
            .await?;
        seeded.close().await?;
        if verified != i64::try_from(done.len())? {
            bail!(
                "by hand, {} flows were done and {verified} numbers verified",
                done.len()
            );
        }
        yard(done, plan).context("pgbench did nothing in the time that counts")
    }
}

/// One flow: when it ended and how long it took, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Done {
    at: u64,
    took: u32,
}

/// Every flow in pgbench's logs, of which there is one for each of its threads.
fn transactions(directory: &Path) -> anyhow::Result<Vec<Done>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().starts_with("flows.") {
            continue;
        }
        for line in fs::read_to_string(entry.path())?.lines() {
            all.push(done(line).with_context(|| format!("pgbench logs {line:?}"))?);
        }
        fs::remove_file(entry.path())?;
    }
    Ok(all)
}

/// A line is: client, count, microseconds, script, and the time of its end in seconds and microseconds.
fn done(line: &str) -> Option<Done> {
    let mut fields = line.split_whitespace().skip(2);
    let took = fields.next()?.parse().ok()?;
    let mut ended = fields.skip(1);
    let seconds: u64 = ended.next()?.parse().ok()?;
    let micros: u64 = ended.next()?.parse().ok()?;
    Some(Done {
        at: seconds * 1_000_000 + micros,
        took,
    })
}

/// What was done in the time that counts, which begins with the first flow and the warm-up.
fn yard(all: Vec<Done>, plan: Plan) -> Option<Yard> {
    let start = all
        .iter()
        .map(|done| done.at - u64::from(done.took))
        .min()?;
    let open = start + u64::try_from(plan.warmup.as_micros()).ok()?;
    let close = open + u64::try_from(plan.measure.as_micros()).ok()?;
    let counted = all.iter().filter(|done| (open..close).contains(&done.at));
    let samples: Vec<u32> = counted.map(|done| done.took).collect();
    if samples.is_empty() {
        return None;
    }
    Some(Yard {
        per_second: samples.len() as f64 / plan.measure.as_secs_f64(),
        latency: Latency::of(samples),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scenario::Scenario;

    #[test]
    fn a_log_line_tells_when_and_how_long() {
        let read = done("3 17 2500 0 1700000000 250").unwrap();
        assert_eq!(
            read,
            Done {
                at: 1_700_000_000_000_250,
                took: 2_500
            }
        );
        assert_eq!(done("3 17 skipped 0 1 2"), None);
    }

    #[test]
    fn only_what_ends_in_the_window_counts() {
        let plan = Plan {
            scenario: Scenario::Flow,
            connections: 1,
            warmup: Duration::from_millis(10),
            measure: Duration::from_millis(20),
            pause: None,
        };
        let all = [
            (1_000, 1_000),
            (10_000, 2_000),
            (29_000, 4_000),
            (30_000, 9_000),
        ];
        let all = all.map(|(at, took)| Done { at, took }).to_vec();
        let yard = yard(all, plan).unwrap();
        assert_eq!(yard.per_second, 100.0);
        assert_eq!((yard.latency.p50, yard.latency.max), (2.0, 4.0));
    }
}
