//! The benchmark: every scenario on both databases, beside what they are compared with.

mod pgbench;
mod ratios;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::ask::Wire;
use crate::overload::{Flood, Overload, overload};
use crate::report::{TITLES, Table, cells, two, whole};
use crate::run::{Figures, PAUSE, Plan};
use crate::scenario::Scenario;
use crate::seed::Base;
use crate::server::Setup;
use crate::stage::{self, EchoServer, Load, Outcome, enough};
use pgbench::{Pgbench, Yard};

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
    /// Less of everything: under three minutes
    #[arg(long)]
    quick: bool,
}

/// Which database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Database {
    Postgres,
    Sqlite,
}

impl Database {
    fn name(self) -> &'static str {
        match self {
            Database::Postgres => "PostgreSQL",
            Database::Sqlite => "SQLite",
        }
    }
}

const DATABASES: [Database; 2] = [Database::Postgres, Database::Sqlite];

/// What one row of the table is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    pub(crate) scenario: Scenario,
    pub(crate) wire: Wire,
    pub(crate) database: Database,
    pub(crate) connections: usize,
    pub(crate) accounts: u64,
    /// Whether the database stays over several measurements, instead of being new for each.
    pub(crate) lasting: bool,
}

/// Everything that was found; a spot that was measured more than once has all its outcomes.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) spots: BTreeMap<Spot, Vec<Outcome>>,
    pub(crate) by_hand: BTreeMap<usize, Vec<Yard>>,
    pub(crate) echo: BTreeMap<usize, Vec<Figures>>,
    /// Milliseconds to readiness on an existing SQLite database.
    pub(crate) starts: Vec<f64>,
    pub(crate) overloads: BTreeMap<Database, Vec<Overload>>,
}

struct Bench {
    program: PathBuf,
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
struct House {
    setup: Setup,
    name: Option<String>,
}

/// Measures everything and prints the tables. Says whether every reply was right.
pub(crate) async fn run(arguments: BenchArguments) -> anyhow::Result<bool> {
    let milliseconds =
        |quick, full| Duration::from_millis(if arguments.quick { quick } else { full });
    let mut bench = Bench {
        program: stage::program(&arguments.server)?,
        postgres: arguments.postgres,
        pgbench: Pgbench::new(arguments.pgbench),
        warmup: milliseconds(500, 1_000),
        measure: milliseconds(2_000, 3_000),
        quick: arguments.quick,
        began: Instant::now(),
        databases: 0,
        found: Found::default(),
    };
    if bench.quick {
        bench.short().await?;
    } else {
        bench.long().await?;
    }
    bench.starts().await?;
    bench.overloads().await?;
    let found = &bench.found;
    println!("{}", found.ratios().markdown());
    println!("{}", found.scenarios().markdown());
    println!("{}", found.yardsticks().markdown());
    for (database, overloads) in &found.overloads {
        let Some(overload) = middle(overloads, Overload::kept) else {
            continue;
        };
        println!(
            "Overload, {}:\n\n{}",
            database.name(),
            overload.table(FLOOD)
        );
    }
    eprintln!("took {:.0} s", bench.began.elapsed().as_secs_f64());
    Ok(found.report_faults() == 0)
}

impl Bench {
    async fn short(&mut self) -> anyhow::Result<()> {
        for _ in 0..2 {
            self.compared().await?;
        }
        self.compared_too().await?;
        for connections in [16, 256] {
            for database in DATABASES {
                self.grpc(Scenario::Flow, database, connections).await?;
            }
        }
        self.grpc(Scenario::Flow, Database::Sqlite, 1).await
    }

    async fn long(&mut self) -> anyhow::Result<()> {
        const ALL: [Scenario; 7] = [
            Scenario::Flow,
            Scenario::Set,
            Scenario::Send,
            Scenario::Wrong,
            Scenario::Get,
            Scenario::List,
            Scenario::Search,
        ];
        for connections in [1, 16, BUSY, 256] {
            for scenario in ALL {
                for database in DATABASES {
                    self.grpc(scenario, database, connections).await?;
                }
                match scenario {
                    Scenario::Flow => self.by_hand(connections).await?,
                    Scenario::Get => self.echo(connections).await?,
                    _ => {}
                }
            }
        }
        for _ in 0..3 {
            self.compared().await?;
            self.compared_too().await?;
        }
        for wire in [Wire::GrpcWeb, Wire::ConnectProto] {
            self.at(self.spot(Scenario::Flow, wire, Database::Postgres, BUSY))
                .await?;
        }
        for wire in [Wire::Connect, Wire::Json] {
            self.at(self.spot(Scenario::Flow, wire, Database::Sqlite, BUSY))
                .await?;
        }
        self.sizes().await
    }

    /// What the main ratios are made of, one after the other, so that whatever slows the machine down for
    /// a while meets all of it.
    async fn compared(&mut self) -> anyhow::Result<()> {
        self.grpc(Scenario::Flow, Database::Postgres, BUSY).await?;
        self.by_hand(BUSY).await?;
        self.grpc(Scenario::Flow, Database::Sqlite, BUSY).await?;
        for wire in [Wire::Json, Wire::Connect] {
            self.at(self.spot(Scenario::Flow, wire, Database::Postgres, BUSY))
                .await?;
        }
        self.grpc(Scenario::Flow, Database::Postgres, 1).await?;
        self.by_hand(1).await
    }

    /// The rest of them.
    async fn compared_too(&mut self) -> anyhow::Result<()> {
        for database in DATABASES {
            for scenario in [Scenario::Set, Scenario::Send] {
                self.grpc(scenario, database, BUSY).await?;
            }
        }
        self.grpc(Scenario::Get, Database::Postgres, BUSY).await?;
        self.echo(BUSY).await?;
        self.grpc(Scenario::Get, Database::Sqlite, BUSY).await
    }

    /// The same load on a small and on a large database, alternating.
    async fn sizes(&mut self) -> anyhow::Result<()> {
        for database in DATABASES {
            let (few, many) = (self.house(database).await?, self.house(database).await?);
            for _ in 0..3 {
                for scenario in [Scenario::Flow, Scenario::Get] {
                    for (house, accounts) in [(&few, FEW), (&many, MANY)] {
                        let spot = Spot {
                            accounts,
                            lasting: true,
                            ..self.spot(scenario, Wire::Grpc, database, BUSY)
                        };
                        self.measure(house, spot).await?;
                    }
                }
            }
            few.close(&self.postgres).await?;
            many.close(&self.postgres).await?;
        }
        Ok(())
    }

    async fn starts(&mut self) -> anyhow::Result<()> {
        let house = self.house(Database::Sqlite).await?;
        house.setup.migrate().await?;
        stage::people(&house.setup.database, Scenario::Get, 0, FEW).await?;
        for _ in 0..5 {
            let server = house.setup.start().await?;
            self.found
                .starts
                .push(server.started_in.as_secs_f64() * 1_000.0);
            server.stop().await?;
        }
        house.close(&self.postgres).await
    }

    async fn overloads(&mut self) -> anyhow::Result<()> {
        let (rounds, databases) = match self.quick {
            true => (1, &DATABASES[1..]),
            false => (3, &DATABASES[..]),
        };
        for _ in 0..rounds {
            for database in databases {
                self.overload(*database).await?;
            }
        }
        Ok(())
    }

    async fn overload(&mut self, database: Database) -> anyhow::Result<()> {
        self.say(format!("overload, {}", database.name()));
        let mut house = self.house(database).await?;
        house.setup = house.setup.with_lanes(1);
        let flood = Flood {
            connections: FLOOD,
            seconds: self.measure,
            pause: PAUSE,
        };
        let found = overload(&house.setup, flood).await?;
        self.found
            .overloads
            .entry(database)
            .or_default()
            .push(found);
        house.close(&self.postgres).await
    }

    fn spot(&self, scenario: Scenario, wire: Wire, database: Database, connections: usize) -> Spot {
        Spot {
            scenario,
            wire,
            database,
            connections,
            accounts: FEW,
            lasting: false,
        }
    }

    async fn grpc(
        &mut self,
        scenario: Scenario,
        database: Database,
        connections: usize,
    ) -> anyhow::Result<()> {
        self.at(self.spot(scenario, Wire::Grpc, database, connections))
            .await
    }

    /// Measures on a database of its own.
    async fn at(&mut self, spot: Spot) -> anyhow::Result<()> {
        let house = self.house(spot.database).await?;
        self.measure(&house, spot).await?;
        house.close(&self.postgres).await
    }

    async fn measure(&mut self, house: &House, spot: Spot) -> anyhow::Result<()> {
        let plan = self.plan(spot.scenario, spot.connections);
        let load = Load {
            plan,
            wire: spot.wire,
            pool: enough(&plan),
            known: spot.accounts,
            servers: 1,
        };
        let outcome = stage::measure(&house.setup, load).await;
        let outcome = outcome.with_context(|| format!("{spot:?}"))?;
        self.say(format!(
            "{} {} {} {}: {}/s",
            spot.scenario.name(),
            spot.wire.name(),
            spot.database.name(),
            spot.connections,
            whole(outcome.figures.operations_per_second)
        ));
        self.found.spots.entry(spot).or_default().push(outcome);
        Ok(())
    }

    async fn by_hand(&mut self, connections: usize) -> anyhow::Result<()> {
        let house = self.house(Database::Postgres).await?;
        house.setup.migrate().await?;
        let plan = self.plan(Scenario::Flow, connections);
        let yard = self.pgbench.measure(&house.setup, plan, FEW).await?;
        house.close(&self.postgres).await?;
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
        let figures = echo.measure(self.plan(Scenario::Echo, connections)).await?;
        echo.stop().await?;
        self.say(format!(
            "echo {connections}: {}/s",
            whole(figures.operations_per_second)
        ));
        self.found
            .echo
            .entry(connections)
            .or_default()
            .push(figures);
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

    async fn house(&mut self, database: Database) -> anyhow::Result<House> {
        if database == Database::Sqlite {
            return Ok(House {
                setup: Setup::new(&self.program, None)?,
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
        let setup = Setup::new(&self.program, Some(&format!("{server}/{name}")))?;
        Ok(House {
            setup,
            name: Some(name),
        })
    }

    fn say(&self, text: String) {
        eprintln!("{:>4.0} s  {text}", self.began.elapsed().as_secs_f64());
    }
}

impl House {
    async fn close(self, postgres: &str) -> anyhow::Result<()> {
        match self.name {
            None => Ok(()),
            Some(name) => administer(postgres, &format!("DROP DATABASE {name} WITH (FORCE)")).await,
        }
    }
}

async fn administer(postgres: &str, sql: &str) -> anyhow::Result<()> {
    let mut base = Base::open(postgres).await?;
    base.execute(sql).await?;
    base.close().await
}

impl Found {
    fn scenarios(&self) -> Table {
        let mut titles = vec![
            "scenario",
            "protocol",
            "database",
            "accounts",
            "connections",
        ];
        titles.extend(TITLES);
        let mut table = Table::new(&titles);
        for (spot, outcomes) in &self.spots {
            let Some(outcome) = middle(outcomes, |o| o.figures.operations_per_second) else {
                continue;
            };
            let names = [
                spot.scenario.name().to_owned(),
                spot.wire.name().to_owned(),
                spot.database.name().to_owned(),
                whole(spot.accounts as f64) + if spot.lasting { ", kept" } else { "" },
                spot.connections.to_string(),
            ];
            table.row(names.into_iter().chain(cells(&outcome.figures)));
        }
        table
    }

    fn yardsticks(&self) -> Table {
        let mut table = Table::new(&["yardstick", "connections", "per second", "p50 ms", "p99 ms"]);
        for (connections, yards) in &self.by_hand {
            if let Some(yard) = middle(yards, |yard| yard.per_second) {
                table.row([
                    "flow by hand (pgbench)".to_owned(),
                    connections.to_string(),
                    whole(yard.per_second),
                    two(yard.latency.p50),
                    two(yard.latency.p99),
                ]);
            }
        }
        for (connections, echoes) in &self.echo {
            if let Some(figures) = middle(echoes, |figures| figures.operations_per_second) {
                table.row([
                    "bare gRPC echo".to_owned(),
                    connections.to_string(),
                    whole(figures.operations_per_second),
                    two(figures.latency.p50),
                    two(figures.latency.p99),
                ]);
            }
        }
        table
    }

    /// Says on standard error what was wrong, and how much of it there was.
    fn report_faults(&self) -> u64 {
        let mut faults = 0;
        for (spot, outcomes) in &self.spots {
            for outcome in outcomes.iter().filter(|outcome| outcome.faults() > 0) {
                let (reasons, delivered) = (&outcome.figures.reasons, outcome.delivered);
                eprintln!("wrong: {spot:?}: {reasons:?} {delivered:?}");
                faults += outcome.faults();
            }
        }
        for figures in self
            .echo
            .values()
            .flatten()
            .filter(|figures| figures.failures > 0)
        {
            eprintln!("wrong: echo: {:?}", figures.reasons);
            faults += figures.failures;
        }
        faults
            + self
                .overloads
                .values()
                .flatten()
                .map(Overload::failures)
                .sum::<u64>()
    }
}

/// The outcome in the middle.
fn middle<T>(all: &[T], by: impl Fn(&T) -> f64) -> Option<&T> {
    let mut sorted: Vec<&T> = all.iter().collect();
    sorted.sort_by(|a, b| by(a).total_cmp(&by(b)));
    sorted.get(sorted.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_neither_the_best_nor_the_worst() {
        assert_eq!(middle(&[3.0, 1.0, 2.0], |v| *v), Some(&2.0));
        assert_eq!(middle(&[1.0], |v| *v), Some(&1.0));
        assert_eq!(middle(&[] as &[f64], |v| *v), None);
    }
}
