//! `ringback-load run`: one measurement, on a server of its own or on one that runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Serialize;

use crate::connection::Endpoint;
use crate::fixture::{self, Delivered, EchoServer, Load, enough, people};
use crate::ids::{self, Ids};
use crate::process::Process;
use crate::report::{TITLES, Table, cells, whole};
use crate::request::Protocol;
use crate::run::{Measurement, PAUSE, Plan, Target, register};
use crate::scenario::Scenario;
use crate::server::{Layers, Setup};

/// From here on the generator has no processor left to measure with.
const BUSY: f64 = 0.9;

#[derive(clap::Args)]
pub(crate) struct RunArguments {
    /// What to do
    #[arg(long, value_enum)]
    scenario: Scenario,
    /// Over which protocol
    #[arg(long, value_enum, default_value_t = Protocol::Grpc)]
    protocol: Protocol,
    /// Over how many connections
    #[arg(long, value_name = "N", default_value_t = 64)]
    connections: usize,
    /// For how long
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    seconds: f64,
    /// How long before that, without counting
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0)]
    warmup: f64,
    /// The program to start and measure
    #[arg(long, value_name = "FILE", default_value = "target/release/ringback")]
    server: PathBuf,
    /// A running server instead, such as http://127.0.0.1:8080; without --database-url its users are
    /// registered through it, and get, list, search, users and filter need a database that `seed` filled
    #[arg(long, value_name = "URL", requires = "token")]
    url: Option<String>,
    /// A token of that server with role IAM_OWNER
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// The process of that server, for its processor time and memory
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// The database to use; a throw-away SQLite file unless given
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// How many users with numbers there are to read; missing ones are seeded
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    accounts: u64,
    /// How many fresh users are prepared; each operation of set, send, flow and wrong uses up one
    #[arg(long, value_name = "N")]
    pool: Option<u64>,
    /// Which limits and guards the server that is started has
    #[arg(long, value_enum, default_value_t = Layers::Usual)]
    layers: Layers,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    scenario: &'a str,
    protocol: &'a str,
    connections: usize,
    #[serde(flatten)]
    measurement: &'a Measurement,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivered: Option<Delivered>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ready_in_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idle_mib: Option<f64>,
}

/// Measures once and prints what was found. Says whether every reply was right.
pub(crate) async fn run(arguments: RunArguments) -> anyhow::Result<bool> {
    let plan = arguments.plan()?;
    let pool = arguments.pool.unwrap_or_else(|| enough(&plan));
    let (measurement, outcome) = match &arguments.url {
        Some(url) => (arguments.drive(url, plan, pool).await?, None),
        None if plan.scenario == Scenario::Echo => {
            let echo = EchoServer::start().await?;
            let measurement = echo.measure(plan).await?;
            echo.stop().await?;
            (measurement, None)
        }
        None => {
            let program = fixture::program(&arguments.server)?;
            let setup = Setup::new(&program, arguments.database_url.as_deref())?
                .with_layers(arguments.layers);
            let protocol = arguments.protocol;
            let load = Load {
                plan,
                protocol,
                pool,
                known: arguments.accounts,
                servers: 1,
            };
            let outcome = fixture::measure(&setup, load).await?;
            (outcome.measurement.clone(), Some(outcome))
        }
    };
    let report = Report {
        scenario: plan.scenario.name(),
        protocol: arguments.protocol.name(),
        connections: plan.connections,
        measurement: &measurement,
        delivered: outcome.as_ref().and_then(|outcome| outcome.delivered),
        ready_in_ms: outcome.as_ref().map(|outcome| outcome.ready_in_ms),
        idle_mib: outcome.as_ref().map(|outcome| outcome.idle_mib),
    };
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        report.print();
    }
    Ok(outcome.map_or(measurement.failures, |outcome| outcome.faults()) == 0)
}

impl RunArguments {
    fn plan(&self) -> anyhow::Result<Plan> {
        let protocol_fits = self.scenario != Scenario::Echo || self.protocol == Protocol::Grpc;
        if !protocol_fits {
            bail!("--scenario echo speaks gRPC only");
        }
        if self.connections == 0 {
            bail!("--connections must be at least 1");
        }
        let seconds = |name, value| {
            Duration::try_from_secs_f64(value)
                .with_context(|| format!("{name} must not be negative"))
        };
        let measure = seconds("--seconds", self.seconds)?;
        if measure.is_zero() || measure > Duration::from_secs(3_600) {
            bail!("--seconds must be more than 0 and at most 3600");
        }
        Ok(Plan {
            scenario: self.scenario,
            connections: self.connections,
            warmup: seconds("--warmup", self.warmup)?,
            measure,
            pause: self.scenario.is_bounded().then_some(PAUSE),
        })
    }

    /// Measures a server that somebody else started.
    async fn drive(&self, url: &str, plan: Plan, pool: u64) -> anyhow::Result<Measurement> {
        let token = self.token.as_deref().unwrap_or_default();
        let target = Target {
            endpoint: Endpoint::new(fixture::address_of(url)?, self.protocol, token)?,
            process: self.pid.map(Process::new),
        };
        let users = plan.scenario.uses_fresh() || plan.scenario.uses_known();
        let fresh = match (&self.database_url, plan.scenario) {
            (Some(database), _) if users => {
                people(database, plan.scenario, pool, self.accounts).await?
            }
            (_, scenario) if scenario.uses_fresh() => {
                let fresh = ids::fresh(pool);
                register(target.endpoint.clone(), fresh.clone()).await?;
                fresh
            }
            (_, Scenario::Register) => ids::fresh(pool),
            _ => 0..0,
        };
        let ids = Arc::new(Ids::new(fresh, self.accounts));
        crate::run::run(plan, &[target], &ids).await
    }
}

impl Report<'_> {
    fn print(&self) {
        let mut titles = vec!["scenario", "protocol", "connections"];
        titles.extend(TITLES);
        let mut table = Table::new(&titles);
        let names = [
            self.scenario.to_owned(),
            self.protocol.to_owned(),
            self.connections.to_string(),
        ];
        table.row(names.into_iter().chain(cells(self.measurement)));
        print!("{}", table.markdown());
        if let Some(delivered) = &self.delivered {
            println!(
                "delivered: {} of {} messages, {} a second, {:.2} s after the last request; {} numbers without exactly one",
                delivered.sent,
                delivered.wanted,
                whole(delivered.per_second),
                delivered.drained_in,
                delivered.not_once
            );
        }
        if let (Some(ready), Some(idle)) = (self.ready_in_ms, self.idle_mib) {
            println!("server: ready in {ready:.0} ms with {idle:.1} MiB");
        }
        for (reason, count) in &self.measurement.reasons {
            println!("wrong: {count} × {reason}");
        }
        if self.measurement.own_cpu > BUSY {
            println!("the generator was busy all the time: the server may be faster than this");
        }
    }
}
