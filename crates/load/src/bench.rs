//! The benchmark: every scenario on both databases, beside what they are compared with.

mod far;
mod found;
mod parts;
mod pgbench;
mod ratios;
mod spot;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::fixture::{self, EchoServer, Load, enough};
use crate::report::whole;
use crate::run::{PAUSE, Plan};
use crate::scenario::Scenario;
use crate::seed::SeedDatabase;
use crate::server::Setup;
use found::Found;
use parts::Part;
use pgbench::Pgbench;
use spot::{Database, Spot};

/// Users with numbers in every database, unless it is the size that is measured.
const FEW: u64 = 10_000;
/// Users with numbers in a large one.
const MANY: u64 = 1_000_000;
/// Where databases are compared with each other and with the yardsticks.
const BUSY: usize = 64;
/// The connections of the flood, against a lane bound of 1,024.
const FLOOD: usize = 2_000;

#[derive(clap::Args)]
pub(crate) struct BenchArguments {
    /// The program to measure
    #[arg(long, value_name = "FILE", default_value = "target/release/ringback")]
    server: PathBuf,
    /// A PostgreSQL server on which databases may be made
    #[arg(long, value_name = "URL", env = "RINGBACK_TEST_POSTGRES")]
    postgres: String,
    /// The program pgbench
    #[arg(long, value_name = "FILE", default_value = "pgbench")]
    pgbench: PathBuf,
    /// Less of everything: under three and a half minutes
    #[arg(long)]
    quick: bool,
    /// One part alone
    #[arg(long, value_name = "PART", value_enum)]
    only: Option<Part>,
    /// An older program, to be measured in turns where the database is far away
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
}

struct Bench {
    program: PathBuf,
    before: Option<PathBuf>,
    postgres: String,
    pgbench: Pgbench,
    warmup: Duration,
    measure: Duration,
    quick: bool,
    began: Instant,
    databases: u32,
    found: Found,
}

/// A database that exists for a while.
struct Installation {
    setup: Setup,
    name: Option<String>,
}

/// Measures everything and prints the tables. Says whether every reply was right.
pub(crate) async fn run(arguments: BenchArguments) -> anyhow::Result<bool> {
    let milliseconds =
        |quick, full| Duration::from_millis(if arguments.quick { quick } else { full });
    let mut bench = Bench {
        program: fixture::program(&arguments.server)?,
        before: arguments
            .before
            .as_deref()
            .map(fixture::program)
            .transpose()?,
        postgres: arguments.postgres,
        pgbench: Pgbench::new(arguments.pgbench),
        warmup: milliseconds(500, 1_000),
        measure: milliseconds(2_000, 3_000),
        quick: arguments.quick,
        began: Instant::now(),
        databases: 0,
        found: Found::default(),
    };
    match arguments.only {
        Some(part) => bench.only(part).await?,
        None if bench.quick => bench.short().await?,
        None => bench.long().await?,
    }
    bench.found.print();
    eprintln!("took {:.0} s", bench.began.elapsed().as_secs_f64());
    Ok(bench.found.report_faults() == 0)
}

impl Bench {
    async fn grpc(
        &mut self,
        scenario: Scenario,
        database: Database,
        connections: usize,
    ) -> anyhow::Result<()> {
        self.at(Spot::plain(scenario, database, connections)).await
    }

    /// Measures on a database of its own.
    async fn at(&mut self, spot: Spot) -> anyhow::Result<()> {
        let installation = self.installation(spot.database).await?;
        self.measure(&installation, spot).await?;
        installation.close(&self.postgres).await
    }

    async fn measure(&mut self, installation: &Installation, spot: Spot) -> anyhow::Result<()> {
        let plan = self.plan(spot.scenario, spot.connections);
        let load = Load {
            plan,
            protocol: spot.protocol,
            pool: enough(&plan),
            known: spot.accounts,
            servers: spot.servers(),
        };
        let outcome = fixture::measure(&installation.setup, load).await;
        let outcome = outcome.with_context(|| format!("{spot:?}"))?;
        self.say(format!(
            "{} {} {} {}: {}/s",
            spot.scenario.name(),
            spot.protocol.name(),
            spot.names()[0],
            spot.connections,
            whole(outcome.measurement.operations_per_second)
        ));
        self.found.spots.entry(spot).or_default().push(outcome);
        Ok(())
    }

    async fn by_hand(&mut self, connections: usize) -> anyhow::Result<()> {
        let installation = self.installation(Database::Postgres).await?;
        installation.setup.migrate().await?;
        let plan = self.plan(Scenario::Flow, connections);
        let yard = self.pgbench.measure(&installation.setup, plan, FEW).await?;
        installation.close(&self.postgres).await?;
        self.say(format!(
            "by hand {connections}: {}/s",
            whole(yard.per_second)
        ));
        self.found
            .by_hand
            .entry(connections)
            .or_default()
            .push(yard);
        Ok(())
    }

    async fn echo(&mut self, connections: usize) -> anyhow::Result<()> {
        let echo = EchoServer::start().await?;
        let measurement = echo.measure(self.plan(Scenario::Echo, connections)).await?;
        echo.stop().await?;
        self.say(format!(
            "echo {connections}: {}/s",
            whole(measurement.operations_per_second)
        ));
        self.found
            .echo
            .entry(connections)
            .or_default()
            .push(measurement);
        Ok(())
    }

    fn plan(&self, scenario: Scenario, connections: usize) -> Plan {
        Plan {
            scenario,
            connections,
            warmup: self.warmup,
            measure: self.measure,
            pause: scenario.is_bounded().then_some(PAUSE),
        }
    }

    async fn installation(&mut self, database: Database) -> anyhow::Result<Installation> {
        let program = self.program.clone();
        self.installation_of(&program, database).await
    }

    /// With servers of this program.
    async fn installation_of(
        &mut self,
        program: &Path,
        database: Database,
    ) -> anyhow::Result<Installation> {
        if database == Database::Sqlite {
            return Ok(Installation {
                setup: Setup::new(program, None)?,
                name: None,
            });
        }
        self.databases += 1;
        let name = format!("ringback_bench_{}_{}", std::process::id(), self.databases);
        administer(&self.postgres, &format!("CREATE DATABASE {name}")).await?;
        let (server, _) = self
            .postgres
            .rsplit_once('/')
            .context("--postgres names no database")?;
        let setup = Setup::new(program, Some(&format!("{server}/{name}")))?;
        Ok(Installation {
            setup,
            name: Some(name),
        })
    }

    fn say(&self, text: String) {
        eprintln!("{:>4.0} s  {text}", self.began.elapsed().as_secs_f64());
    }
}

impl Installation {
    async fn close(self, postgres: &str) -> anyhow::Result<()> {
        drop_database(self.name, postgres).await
    }
}

/// Drops the database of an installation, if it has one on the server.
async fn drop_database(name: Option<String>, postgres: &str) -> anyhow::Result<()> {
    match name {
        None => Ok(()),
        Some(name) => administer(postgres, &format!("DROP DATABASE {name} WITH (FORCE)")).await,
    }
}

async fn administer(postgres: &str, sql: &str) -> anyhow::Result<()> {
    let mut database = SeedDatabase::open(postgres).await?;
    database.execute(sql).await?;
    database.close().await
}
