//! The figures that were promised, beside those that were found.

use super::{BUSY, Database, FEW, Found, MANY, Spot, middle};
use crate::ask::Wire;
use crate::report::{Table, two};
use crate::scenario::Scenario;
use crate::stage::Outcome;

/// What is asked of a figure.
#[derive(Clone, Copy)]
enum Asked {
    AtLeast(f64),
    AtMost(f64),
}

impl Asked {
    fn holds(self, found: f64) -> bool {
        match self {
            Asked::AtLeast(bound) => found >= bound,
            Asked::AtMost(bound) => found <= bound,
        }
    }

    fn text(self) -> String {
        match self {
            Asked::AtLeast(bound) => format!("≥ {bound}"),
            Asked::AtMost(bound) => format!("≤ {bound}"),
        }
    }
}

impl Found {
    /// Found against asked, for everything that this run measured.
    pub(super) fn ratios(&self) -> Table {
        use Asked::{AtLeast, AtMost};
        use Database::{Postgres, Sqlite};
        use Scenario::{Flow, Get, Send, Set};

        let mut table = Table::new(&["what", "found", "asked", "holds"]);
        let mut row = |what: String, found: Option<f64>, asked: Asked| {
            if let Some(found) = found {
                let holds = if asked.holds(found) { "yes" } else { "no" };
                table.row([what, two(found), asked.text(), holds.to_owned()]);
            }
        };
        let spot = |scenario, wire, database, connections| Spot {
            scenario,
            wire,
            database,
            connections,
            accounts: FEW,
            lasting: false,
        };
        let busy = |scenario, wire, database| self.speed(&spot(scenario, wire, database, BUSY));
        let flow = busy(Flow, Wire::Grpc, Postgres);

        let by_hand = self
            .by_hand
            .get(&BUSY)
            .and_then(|all| middle(all, |yard| yard.per_second));
        row(
            "flow, PostgreSQL, 64 connections: ÷ by hand".to_owned(),
            over(flow, by_hand.map(|yard| yard.per_second)),
            AtLeast(1.2),
        );
        row(
            "flow, 64 connections: SQLite ÷ PostgreSQL".to_owned(),
            over(busy(Flow, Wire::Grpc, Sqlite), flow),
            AtLeast(0.8),
        );
        for database in [Postgres, Sqlite] {
            for wire in [Wire::Json, Wire::Connect] {
                row(
                    format!(
                        "flow, {}, 64 connections: {} ÷ gRPC",
                        database.name(),
                        wire.name()
                    ),
                    over(busy(Flow, wire, database), busy(Flow, Wire::Grpc, database)),
                    AtLeast(0.75),
                );
            }
        }
        let echo = self.echo.get(&BUSY);
        let echo = echo.and_then(|all| middle(all, |figures| figures.operations_per_second));
        for database in [Postgres, Sqlite] {
            row(
                format!("get, {}, 64 connections: ÷ bare echo", database.name()),
                over(
                    busy(Get, Wire::Grpc, database),
                    echo.map(|figures| figures.operations_per_second),
                ),
                AtLeast(0.35),
            );
        }
        let alone = self.outcome(&spot(Flow, Wire::Grpc, Postgres, 1));
        let by_hand = self
            .by_hand
            .get(&1)
            .and_then(|all| middle(all, |yard| yard.per_second));
        row(
            "flow, PostgreSQL, 1 connection: p50 ÷ by hand".to_owned(),
            over(
                alone.map(|outcome| outcome.figures.latency.p50),
                by_hand.map(|yard| yard.latency.p50),
            ),
            AtMost(3.0),
        );
        for database in [Postgres, Sqlite] {
            let sent = self
                .outcome(&spot(Send, Wire::Grpc, database, BUSY))
                .and_then(|outcome| {
                    // What is accepted and not delivered is not sustained.
                    let delivered = outcome.delivered?.per_second;
                    Some(outcome.figures.operations_per_second.min(delivered))
                });
            row(
                format!(
                    "send with delivery, {}, 64 connections: ÷ set",
                    database.name()
                ),
                over(sent, busy(Set, Wire::Grpc, database)),
                AtLeast(0.6),
            );
        }
        let peaks = self
            .spots
            .iter()
            .filter(|(spot, _)| spot.connections == 256);
        let peaks = peaks.flat_map(|(_, outcomes)| outcomes);
        row(
            "peak memory at 256 connections, MiB".to_owned(),
            largest(peaks.filter_map(|outcome| outcome.figures.server_peak_mib)),
            AtMost(80.0),
        );
        row(
            "memory after start, MiB".to_owned(),
            largest(
                self.spots
                    .values()
                    .flatten()
                    .map(|outcome| outcome.idle_mib),
            ),
            AtMost(30.0),
        );
        row(
            "start to ready on an existing SQLite database, ms".to_owned(),
            middle(&self.starts, |ms| *ms).copied(),
            AtMost(300.0),
        );
        for database in [Postgres, Sqlite] {
            for scenario in [Flow, Get] {
                let at = |accounts| {
                    self.speed(&Spot {
                        accounts,
                        lasting: true,
                        ..spot(scenario, Wire::Grpc, database, BUSY)
                    })
                };
                row(
                    format!(
                        "{}, {}, 64 connections: 1,000,000 ÷ 10,000 accounts",
                        scenario.name(),
                        database.name()
                    ),
                    over(at(MANY), at(FEW)),
                    AtLeast(0.85),
                );
            }
        }
        for (database, overload) in &self.overloads {
            let name = database.name();
            row(
                format!("overload, {name}: refused within, p50 ms"),
                (overload.flood.refusals > 0).then_some(overload.flood.refusal_latency.p50),
                AtMost(50.0),
            );
            row(
                format!("overload, {name}: ÷ best throughput"),
                Some(overload.kept()),
                AtLeast(0.8),
            );
            row(
                format!("overload, {name}: first answer to a new caller after its end, ms"),
                Some(overload.after.first_done_ms),
                AtMost(1_000.0),
            );
            row(
                format!("overload, {name}: right after ÷ before"),
                Some(overload.recovered()),
                AtLeast(0.8),
            );
        }
        table
    }

    fn outcome(&self, spot: &Spot) -> Option<&Outcome> {
        middle(self.spots.get(spot)?, |outcome| {
            outcome.figures.operations_per_second
        })
    }

    fn speed(&self, spot: &Spot) -> Option<f64> {
        Some(self.outcome(spot)?.figures.operations_per_second)
    }
}

fn over(found: Option<f64>, by: Option<f64>) -> Option<f64> {
    Some(found? / by?)
}

fn largest(all: impl Iterator<Item = f64>) -> Option<f64> {
    all.reduce(f64::max)
}
