//! The closed loop: every connection does its next operation when the last one was answered.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::Serialize;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout_at};

use crate::answer::Miss;
use crate::connection::{Connection, Endpoint};
use crate::ids::Ids;
use crate::process::Process;
use crate::scenario::{Lap, Scenario};

/// An answer that is not here so long after the end never comes.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a refused caller waits; the server asks for a second.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);

/// How hard and how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) scenario: Scenario,
    pub(crate) connections: usize,
    pub(crate) warmup: Duration,
    pub(crate) measure: Duration,
    /// What a refused caller waits before it comes again; `None`: a refusal is a failure.
    pub(crate) pause: Option<Duration>,
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Measurement {
    pub(crate) seconds: f64,
    pub(crate) operations: u64,
    pub(crate) operations_per_second: f64,
    pub(crate) requests_per_second: f64,
    pub(crate) latency: Latency,
    /// Answers that said "too much", where that is what was wanted.
    pub(crate) refusals: u64,
    pub(crate) refusal_latency: Latency,
    /// Answers that said "it takes too long", likewise: the server had begun and gave up.
    pub(crate) late: u64,
    /// How long after the start of the whole the first operation was done, in milliseconds.
    pub(crate) first_done_ms: f64,
    /// Processor seconds of the servers for 1,000 operations.
    pub(crate) server_cpu_per_thousand: Option<f64>,
    /// Processors that the servers kept busy.
    pub(crate) server_cpus: Option<f64>,
    /// The peak memory of the largest server since its start, in MiB.
    pub(crate) server_peak_mib: Option<f64>,
    /// The part of one processor that the generator kept busy; near 1 it is what was measured.
    pub(crate) own_cpu: f64,
    pub(crate) failures: u64,
    /// Why, and how often.
    pub(crate) reasons: BTreeMap<String, u64>,
}

/// Milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Latency {
    /// Out of every single sample, in microseconds.
    pub(crate) fn of(mut samples: Vec<u32>) -> Latency {
        samples.sort_unstable();
        let at = |part: f64| {
            let rank = (part * samples.len() as f64).ceil() as usize;
            let sample = samples.get(rank.saturating_sub(1)).copied();
            f64::from(sample.unwrap_or_default()) / 1_000.0
        };
        Latency {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            max: at(1.0),
        }
    }
}

/// When what is done counts.
#[derive(Clone, Copy)]
struct Window {
    open: Instant,
    close: Instant,
}

impl Window {
    fn holds(&self, at: Instant) -> bool {
        (self.open..self.close).contains(&at)
    }
}

/// What one connection did.
#[derive(Default)]
struct Tally {
    samples: Vec<u32>,
    requests: u64,
    refusals: Vec<u32>,
    late: u64,
    first_done: Option<Instant>,
    failures: BTreeMap<String, u64>,
    exhausted: Option<Instant>,
}

/// A server under load.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) endpoint: Endpoint,
    /// Its process, where its processor time and memory are wanted.
    pub(crate) process: Option<Process>,
}

/// Runs a plan. Fails when not even the connections can be made; what goes wrong later is counted.
pub(crate) async fn run(
    plan: Plan,
    targets: &[Target],
    ids: &Arc<Ids>,
) -> anyhow::Result<Measurement> {
    run_and_tell(plan, targets, ids, &Notify::new()).await
}

/// [`run`], which tells when the last operations have begun: the end of the load, though not of its answers.
pub(crate) async fn run_and_tell(
    plan: Plan,
    targets: &[Target],
    ids: &Arc<Ids>,
    closed: &Notify,
) -> anyhow::Result<Measurement> {
    // Each target has its share of the connections.
    let mut connections = Vec::with_capacity(plan.connections);
    let endpoints: Vec<Arc<Endpoint>> = targets
        .iter()
        .map(|target| Arc::new(target.endpoint.clone()))
        .collect();
    for endpoint in endpoints.iter().cycle().take(plan.connections) {
        connections.push(Connection::open(endpoint.clone()).await?);
    }
    let processes: Vec<Process> = targets.iter().filter_map(|target| target.process).collect();
    let start = Instant::now();
    let window = Window {
        open: start + plan.warmup,
        close: start + plan.warmup + plan.measure,
    };
    let mut tasks = JoinSet::new();
    for (connection, driver) in connections {
        let ids = ids.clone();
        tasks.spawn(async move {
            let mut tally = Tally::default();
            let gone = tokio::select! {
                () = drive(plan, connection, &ids, window, &mut tally) => false,
                () = driver => true,
            };
            if gone {
                *tally
                    .failures
                    .entry("the server closed the connection".to_owned())
                    .or_default() += 1;
            }
            tally
        });
    }
    sleep_until(window.open.into()).await;
    let own_before = Process::own().cpu()?;
    let servers_before = cpu(&processes)?;
    let counted_from = Instant::now();
    sleep_until(window.close.into()).await;
    closed.notify_one();
    let own = Process::own().cpu()?.saturating_sub(own_before);
    let spent = cpu(&processes)?;
    let counted = counted_from.elapsed();

    let mut whole = Tally::default();
    let patience = (window.close + PATIENCE).into();
    loop {
        match timeout_at(patience, tasks.join_next()).await {
            Ok(Some(tally)) => whole.add(tally.context("a connection's task failed")?),
            Ok(None) => break,
            Err(_) => {
                whole
                    .failures
                    .insert("no answer came".to_owned(), tasks.len() as u64);
                break;
            }
        }
    }
    // Ids that ran out end the window early, if it was worth anything until then.
    let close = whole.exhausted.unwrap_or(window.close).min(window.close);
    if close < window.open + plan.measure / 2 {
        bail!(
            "the fresh users were used up after {:.1} s; ask for more with --pool",
            (close - start).as_secs_f64()
        );
    }
    let seconds = (close - window.open).as_secs_f64();
    let operations = whole.samples.len() as u64;
    let cpus = servers_before
        .zip(spent)
        .map(|(before, after)| after.saturating_sub(before).as_secs_f64() / counted.as_secs_f64());
    Ok(Measurement {
        seconds,
        operations,
        operations_per_second: operations as f64 / seconds,
        requests_per_second: whole.requests as f64 / seconds,
        latency: Latency::of(whole.samples),
        refusals: whole.refusals.len() as u64,
        refusal_latency: Latency::of(whole.refusals),
        late: whole.late,
        first_done_ms: whole
            .first_done
            .map_or(f64::NAN, |at| (at - start).as_secs_f64() * 1_000.0),
        server_cpu_per_thousand: cpus
            .map(|cpus| cpus * seconds * 1_000.0 / operations.max(1) as f64),
        server_cpus: cpus,
        server_peak_mib: peak_memory(&processes)?,
        own_cpu: own.as_secs_f64() / counted.as_secs_f64(),
        failures: whole.failures.values().sum(),
        reasons: whole.failures,
    })
}

/// Processor time of all of them; `None` without any.
fn cpu(processes: &[Process]) -> anyhow::Result<Option<Duration>> {
    let each: Vec<Duration> = processes
        .iter()
        .map(|process| process.cpu())
        .collect::<Result<_, _>>()?;
    Ok((!each.is_empty()).then(|| each.iter().sum()))
}

/// Of the one that had most.
fn peak_memory(processes: &[Process]) -> anyhow::Result<Option<f64>> {
    let each: Vec<f64> = processes
        .iter()
        .map(|process| process.peak_memory())
        .collect::<Result<_, _>>()?;
    Ok(each.into_iter().reduce(f64::max))
}

async fn drive(
    plan: Plan,
    mut connection: Connection,
    ids: &Ids,
    window: Window,
    tally: &mut Tally,
) {
    let mut place = String::new();
    loop {
        let started = Instant::now();
        if started >= window.close {
            return;
        }
        let result = plan.scenario.once(&mut connection, ids, &mut place).await;
        let done = Instant::now();
        let refused = match &result {
            Err(Miss::Overloaded) => true,
            Err(Miss::Late) => plan.scenario.is_bounded(),
            _ => false,
        };
        match (result, plan.pause) {
            (Err(miss), Some(pause)) if refused => {
                if window.holds(done) {
                    match miss {
                        Miss::Late => tally.late += 1,
                        _ => tally.refusals.push(micros(done - started)),
                    }
                }
                sleep_until((done + pause).into()).await;
            }
            (Ok(Lap { took, requests }), _) => {
                tally.first_done.get_or_insert(done);
                if window.holds(done) {
                    tally.samples.push(micros(took));
                    tally.requests += u64::from(requests);
                }
            }
            (Err(Miss::Overloaded), _) => tally.failed("refused: overloaded"),
            (Err(Miss::Late), _) => tally.failed("refused: it took longer than it may"),
            (Err(Miss::Wrong(reason)), _) => tally.failed(&reason),
            (Err(Miss::Broken(reason)), _) => {
                tally.failed(&reason);
                return;
            }
            (Err(Miss::Exhausted), _) => {
                tally.exhausted = Some(done);
                return;
            }
        }
    }
}

fn micros(took: Duration) -> u32 {
    u32::try_from(took.as_micros()).unwrap_or(u32::MAX)
}

impl Tally {
    fn failed(&mut self, reason: &str) {
        *self.failures.entry(reason.to_owned()).or_default() += 1;
    }

    fn add(&mut self, other: Tally) {
        self.samples.extend(other.samples);
        self.requests += other.requests;
        self.refusals.extend(other.refusals);
        self.late += other.late;
        self.first_done = [self.first_done, other.first_done]
            .into_iter()
            .flatten()
            .min();
        self.exhausted = [self.exhausted, other.exhausted]
            .into_iter()
            .flatten()
            .min();
        for (reason, count) in other.failures {
            *self.failures.entry(reason).or_default() += count;
        }
    }
}

/// Registers users through the API, for servers whose database is out of reach.
pub(crate) async fn register(
    endpoint: Endpoint,
    fresh: std::ops::Range<u64>,
) -> anyhow::Result<()> {
    each_once(endpoint, Scenario::Register, fresh).await
}

/// Does it once for each of these users.
pub(crate) async fn each_once(
    endpoint: Endpoint,
    scenario: Scenario,
    fresh: std::ops::Range<u64>,
) -> anyhow::Result<()> {
    let ids = Arc::new(Ids::new(fresh.clone(), 0));
    let endpoint = Arc::new(endpoint);
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let (mut connection, driver) = Connection::open(endpoint.clone()).await?;
        let ids = ids.clone();
        tasks.spawn(async move {
            let work = async {
                loop {
                    match scenario
                        .once(&mut connection, &ids, &mut String::new())
                        .await
                    {
                        Ok(_) => {}
                        Err(Miss::Exhausted) => return Ok(()),
                        Err(miss) => return Err(miss),
                    }
                }
            };
            tokio::select! {
                done = work => done,
                () = driver => Err(Miss::Broken("the server closed the connection".to_owned())),
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        if let Err(miss) = done? {
            bail!("{}: {miss:?}", scenario.name());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples_and_not_guesses() {
        let latency = Latency::of((1..=1_000).rev().map(|ms| ms * 1_000).collect());
        let Latency { p50, p90, p99, max } = latency;
        assert_eq!((p50, p90, p99, max), (500.0, 900.0, 990.0, 1_000.0));
        assert_eq!(Latency::of(vec![7_000]).p99, 7.0);
        assert_eq!(Latency::of(Vec::new()), Latency::default());
    }
}
