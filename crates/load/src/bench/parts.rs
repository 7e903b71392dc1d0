//! What is measured one after the other.

use clap::ValueEnum;

use super::far::Far;
use super::spot::{Case, DATABASES, Database, Spot};
use super::{BUSY, Bench, FEW, FLOOD, Installation, MANY, drop_database};
use crate::drain::{beside, drain};
use crate::fixture;
use crate::lists::lists;
use crate::overload::{Flood, overload};
use crate::request::Protocol;
use crate::run::PAUSE;
use crate::scenario::Scenario;
use crate::silence::silence;

/// What can be measured alone, in under two minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Part {
    /// flow on PostgreSQL beside pgbench, at 1, 16, 64 and 256 connections
    ByHand,
    /// get on both databases beside the bare echo
    Echo,
    /// More callers than there is room for
    Flood,
    /// set and flow with PostgreSQL a millisecond away; with --before the older program, too
    Network,
    /// One server and two on one PostgreSQL
    TwoServers,
    /// flow beside lists of users
    Lists,
    /// send and flow with and without history, a pile of messages, a route that hangs
    Delivery,
    /// Whether the time of an answer tells what is known
    Silence,
}

/// Messages in a pile, and those of a quick run.
const PILE: (u64, u64) = (100_000, 20_000);
/// What the route of a pile allows in a second, where it says.
const PACED: u64 = 2_000;
/// Calls of each kind about what is known, and as many about what is not.
const CALLS: usize = 2_000;
/// Messages that go out one after the other, alone and beside a route that hangs.
const ONE_BY_ONE: u64 = 4_000;
/// How often that is done: its p99 are few messages, and one disturbance of the machine moves it.
const BESIDE: usize = 5;

impl Bench {
    pub(super) async fn short(&mut self) -> anyhow::Result<()> {
        for _ in 0..2 {
            self.compared().await?;
        }
        self.compared_too().await?;
        self.flow(Database::Sqlite, 1).await?;
        self.flow(Database::Sqlite, 16).await?;
        for database in DATABASES {
            self.flow(database, 256).await?;
        }
        self.network(1).await?;
        self.starts().await?;
        self.overload(Database::Sqlite).await
    }

    pub(super) async fn long(&mut self) -> anyhow::Result<()> {
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
            self.flow_and_by_hand(256).await?;
            self.compared_too().await?;
        }
        for protocol in [Protocol::GrpcWeb, Protocol::ConnectProto] {
            self.at(Spot::plain(Scenario::Flow, Database::Postgres, BUSY).over(protocol))
                .await?;
        }
        for protocol in [Protocol::Connect, Protocol::Json] {
            self.at(Spot::plain(Scenario::Flow, Database::Sqlite, BUSY).over(protocol))
                .await?;
        }
        self.sizes().await?;
        self.network(3).await?;
        self.two_servers(3).await?;
        self.lists(3).await?;
        self.delivery(3).await?;
        self.silence().await?;
        self.starts().await?;
        self.overloads(3).await
    }

    /// One part and nothing else.
    pub(super) async fn only(&mut self, part: Part) -> anyhow::Result<()> {
        let rounds = if self.quick { 1 } else { 3 };
        match part {
            Part::ByHand => {
                for _ in 0..rounds.min(2) {
                    for connections in [1, 16, BUSY, 256] {
                        self.flow_and_by_hand(connections).await?;
                    }
                }
                Ok(())
            }
            Part::Echo => {
                for _ in 0..rounds {
                    self.get_and_echo().await?;
                }
                Ok(())
            }
            Part::Flood => self.overloads(rounds).await,
            Part::Network => self.network(rounds).await,
            Part::TwoServers => self.two_servers(rounds).await,
            Part::Lists => self.lists(rounds).await,
            Part::Delivery => self.delivery(rounds).await,
            Part::Silence => self.silence().await,
        }
    }

    /// What the main ratios are made of, one after the other, so that whatever slows the machine down for
    /// a while meets all of it.
    async fn compared(&mut self) -> anyhow::Result<()> {
        self.flow_and_by_hand(BUSY).await?;
        self.flow(Database::Sqlite, BUSY).await?;
        for protocol in [Protocol::Json, Protocol::Connect] {
            self.at(Spot::plain(Scenario::Flow, Database::Postgres, BUSY).over(protocol))
                .await?;
        }
        for connections in [1, 16] {
            self.flow_and_by_hand(connections).await?;
        }
        Ok(())
    }

    /// The rest of them.
    async fn compared_too(&mut self) -> anyhow::Result<()> {
        for database in DATABASES {
            for scenario in [Scenario::Set, Scenario::Send] {
                self.grpc(scenario, database, BUSY).await?;
            }
        }
        self.get_and_echo().await
    }

    async fn get_and_echo(&mut self) -> anyhow::Result<()> {
        self.grpc(Scenario::Get, Database::Postgres, BUSY).await?;
        self.echo(BUSY).await?;
        self.grpc(Scenario::Get, Database::Sqlite, BUSY).await
    }

    async fn flow_and_by_hand(&mut self, connections: usize) -> anyhow::Result<()> {
        self.flow(Database::Postgres, connections).await?;
        self.by_hand(connections).await
    }

    async fn flow(&mut self, database: Database, connections: usize) -> anyhow::Result<()> {
        self.grpc(Scenario::Flow, database, connections).await
    }

    /// The same load on a small and on a large database, alternating.
    async fn sizes(&mut self) -> anyhow::Result<()> {
        for database in DATABASES {
            let (few, many) = (
                self.installation(database).await?,
                self.installation(database).await?,
            );
            for _ in 0..3 {
                for scenario in [Scenario::Flow, Scenario::Get] {
                    for (installation, accounts) in [(&few, FEW), (&many, MANY)] {
                        let spot = Spot::plain(scenario, database, BUSY).in_case(Case::Kept);
                        self.measure(installation, Spot { accounts, ..spot })
                            .await?;
                    }
                }
            }
            few.close(&self.postgres).await?;
            many.close(&self.postgres).await?;
        }
        Ok(())
    }

    /// Every round trip to the database takes two milliseconds. The older program takes turns with ours.
    async fn network(&mut self, rounds: usize) -> anyhow::Result<()> {
        let far = Far::before(&self.postgres).await?;
        let round_trip = far.round_trip(&self.postgres).await?;
        self.say(format!("round trip 1 ms away: {:.2} ms", round_trip.p50));
        self.found.round_trips.push(round_trip);
        for _ in 0..rounds {
            for (scenario, connections) in [(Scenario::Set, 1), (Scenario::Flow, BUSY)] {
                let spot = Spot::plain(scenario, Database::Postgres, connections);
                self.away(&far, spot.in_case(Case::Far)).await?;
            }
            if self.before.is_some() {
                let spot = Spot::plain(Scenario::Flow, Database::Postgres, BUSY);
                self.away(&far, spot.in_case(Case::FarBefore)).await?;
            }
        }
        far.stop().await
    }

    /// Measures on a database of its own, which the server reaches over the network.
    async fn away(&mut self, far: &Far, spot: Spot) -> anyhow::Result<()> {
        let mut installation = match (spot.case, self.before.clone()) {
            (Case::FarBefore, Some(before)) => self.installation_of(&before, spot.database).await?,
            _ => self.installation(spot.database).await?,
        };
        let url = far.url(&installation.setup.database)?;
        installation.setup = installation.setup.reaching(url);
        self.measure(&installation, spot).await?;
        installation.close(&self.postgres).await
    }

    /// As many connections to one server and to two on one database, alternating.
    async fn two_servers(&mut self, rounds: usize) -> anyhow::Result<()> {
        for _ in 0..rounds {
            for servers in [1, 2] {
                let spot = Spot::plain(Scenario::Flow, Database::Postgres, BUSY);
                self.at(spot.in_case(Case::Servers(servers))).await?;
            }
        }
        Ok(())
    }

    async fn lists(&mut self, rounds: usize) -> anyhow::Result<()> {
        for _ in 0..rounds {
            for database in DATABASES {
                let installation = self.installation(database).await?;
                let found = lists(&installation.setup, self.warmup, self.measure).await?;
                installation.close(&self.postgres).await?;
                let (name, kept) = (database.name(), found.kept());
                self.say(format!("lists, {name}: flow keeps {kept:.2}"));
                self.found.lists.entry(database).or_default().push(found);
            }
        }
        Ok(())
    }

    async fn delivery(&mut self, rounds: usize) -> anyhow::Result<()> {
        for _ in 0..rounds {
            for database in DATABASES {
                for scenario in [Scenario::Send, Scenario::Flow] {
                    for case in [Case::Forgetting, Case::Keeping] {
                        let spot = Spot::plain(scenario, database, BUSY);
                        self.keeping(spot.in_case(case)).await?;
                    }
                }
            }
        }
        let queued = if self.quick { PILE.1 } else { PILE.0 };
        for database in DATABASES {
            for pace in [None, Some(PACED)] {
                let Installation { setup, name } = self.installation(database).await?;
                let found = drain(setup, queued, pace).await?;
                drop_database(name, &self.postgres).await?;
                let speed = found.per_second();
                self.say(format!(
                    "{queued} queued, {}, {pace:?}: {speed:.0}/s",
                    database.name()
                ));
                self.found.drains.entry(database).or_default().push(found);
            }
        }
        for _ in 0..if self.quick { 1 } else { BESIDE } {
            for database in DATABASES {
                let Installation { setup, name } = self.installation(database).await?;
                let found = beside(setup, ONE_BY_ONE).await?;
                drop_database(name, &self.postgres).await?;
                let (name, ratio) = (database.name(), found.ratio());
                self.say(format!("beside a route that hangs, {name}: p99 {ratio:.2}"));
                self.found.beside.entry(database).or_default().push(found);
            }
        }
        Ok(())
    }

    async fn silence(&mut self) -> anyhow::Result<()> {
        for database in DATABASES {
            let Installation { setup, name } = self.installation(database).await?;
            let found = silence(setup, CALLS).await?;
            drop_database(name, &self.postgres).await?;
            self.say(format!("silence, {}", database.name()));
            self.found.silence.insert(database, found);
        }
        Ok(())
    }

    /// Measures on a database of its own, with or without history.
    async fn keeping(&mut self, spot: Spot) -> anyhow::Result<()> {
        let seconds = match spot.case {
            Case::Keeping => 86_400,
            _ => 0,
        };
        let mut installation = self.installation(spot.database).await?;
        installation.setup = installation.setup.keeping(seconds);
        self.measure(&installation, spot).await?;
        installation.close(&self.postgres).await
    }

    async fn starts(&mut self) -> anyhow::Result<()> {
        let installation = self.installation(Database::Sqlite).await?;
        installation.setup.migrate().await?;
        fixture::people(&installation.setup.database, Scenario::Get, 0, FEW).await?;
        for _ in 0..5 {
            let server = installation.setup.start().await?;
            self.found
                .starts
                .push(server.started_in.as_secs_f64() * 1_000.0);
            server.stop().await?;
        }
        installation.close(&self.postgres).await
    }

    async fn overloads(&mut self, rounds: usize) -> anyhow::Result<()> {
        for _ in 0..rounds {
            for database in DATABASES {
                self.overload(database).await?;
            }
        }
        Ok(())
    }

    async fn overload(&mut self, database: Database) -> anyhow::Result<()> {
        self.say(format!("overload, {}", database.name()));
        let mut installation = self.installation(database).await?;
        installation.setup = installation.setup.with_lanes(1);
        let flood = Flood {
            connections: FLOOD,
            seconds: self.measure,
            pause: PAUSE,
        };
        let found = overload(&installation.setup, flood).await?;
        self.found
            .overloads
            .entry(database)
            .or_default()
            .push(found);
        installation.close(&self.postgres).await
    }
}
