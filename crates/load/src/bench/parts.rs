//! What is measured one after the other.

use super::spot::{DATABASES, Database, Spot};
use super::{BUSY, Bench, FEW, FLOOD, MANY};
use crate::ask::Wire;
use crate::overload::{Flood, overload};
use crate::run::PAUSE;
use crate::scenario::Scenario;
use crate::stage;

impl Bench {
    pub(super) async fn short(&mut self) -> anyhow::Result<()> {
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

    pub(super) async fn starts(&mut self) -> anyhow::Result<()> {
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

    pub(super) async fn overloads(&mut self) -> anyhow::Result<()> {
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
}
