//! The figures that were promised, beside those that were found.

use super::found::{Found, middle};
use super::spot::{Database, Spot};
use super::{BUSY, FEW, MANY};
use crate::ask::Wire;
use crate::overload::Overload;
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
        let busy = |scenario, wire, database| self.speeds(&spot(scenario, wire, database, BUSY));
        let by_hand = |connections| self.by_hand.get(&connections).into_iter().flatten();
        let flow = busy(Flow, Wire::Grpc, Postgres);
        row(
            "flow, PostgreSQL, 64 connections: ÷ by hand".to_owned(),
            over(
                &flow,
                &by_hand(BUSY)
                    .map(|yard| yard.per_second)
                    .collect::<Vec<_>>(),
            ),
            AtLeast(1.2),
        );
        row(
            "flow, 64 connections: SQLite ÷ PostgreSQL".to_owned(),
            over(&busy(Flow, Wire::Grpc, Sqlite), &flow),
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
                    over(
                        &busy(Flow, wire, database),
                        &busy(Flow, Wire::Grpc, database),
                    ),
                    AtLeast(0.75),
                );
            }
        }
        let echo = self.echo.get(&BUSY).into_iter().flatten();
        let echo: Vec<f64> = echo.map(|figures| figures.operations_per_second).collect();
        for database in [Postgres, Sqlite] {
            row(
                format!("get, {}, 64 connections: ÷ bare echo", database.name()),
                over(&busy(Get, Wire::Grpc, database), &echo),
                AtLeast(0.35),
            );
        }
        let alone = spot(Flow, Wire::Grpc, Postgres, 1);
        row(
            "flow, PostgreSQL, 1 connection: p50 ÷ by hand".to_owned(),
            over(
                &self.figures(&alone, |outcome| outcome.figures.latency.p50),
                &by_hand(1).map(|yard| yard.latency.p50).collect::<Vec<_>>(),
            ),
            AtMost(3.0),
        );
        for database in [Postgres, Sqlite] {
            // What is accepted and not delivered is not sustained.
            let sustained = |outcome: &Outcome| {
                let delivered = outcome
                    .delivered
                    .map_or(0.0, |delivered| delivered.per_second);
                outcome.figures.operations_per_second.min(delivered)
            };
            let sent = self.figures(&spot(Send, Wire::Grpc, database, BUSY), sustained);
            row(
                format!(
                    "send with delivery, {}, 64 connections: ÷ set",
                    database.name()
                ),
                over(&sent, &busy(Set, Wire::Grpc, database)),
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
                    self.speeds(&Spot {
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
                    over(&at(MANY), &at(FEW)),
                    AtLeast(0.85),
                );
            }
        }
        for (database, overloads) in &self.overloads {
            let name = database.name();
            let among = |of: fn(&Overload) -> f64| {
                let found: Vec<f64> = overloads.iter().map(of).collect();
                middle(&found, |found| *found).copied()
            };
            let refused = overloads.iter().all(|found| found.flood.refusals > 0);
            row(
                format!("overload, {name}: refused within, p50 ms"),
                among(|found| found.flood.refusal_latency.p50).filter(|_| refused),
                AtMost(50.0),
            );
            row(
                format!("overload, {name}: ÷ best throughput"),
                among(Overload::kept),
                AtLeast(0.8),
            );
            row(
                format!("overload, {name}: first answer to a new caller after its end, ms"),
                among(|found| found.after.first_done_ms),
                AtMost(1_000.0),
            );
            row(
                format!("overload, {name}: right after ÷ before"),
                among(Overload::recovered),
                AtLeast(0.8),
            );
        }
        table
    }

    /// A figure of everything that was measured there, in its order.
    fn figures(&self, spot: &Spot, of: impl Fn(&Outcome) -> f64) -> Vec<f64> {
        let outcomes = self.spots.get(spot).into_iter().flatten();
        outcomes.map(of).collect()
    }

    fn speeds(&self, spot: &Spot) -> Vec<f64> {
        self.figures(spot, |outcome| outcome.figures.operations_per_second)
    }
}

/// The ratio in the middle. Each is of two measurements that were made one soon after the other: the last of
/// both, those before, and so on while both have one.
fn over(found: &[f64], by: &[f64]) -> Option<f64> {
    let pairs = found.iter().rev().zip(by.iter().rev());
    let mut ratios: Vec<f64> = pairs.map(|(found, by)| found / by).collect();
    ratios.sort_by(f64::total_cmp);
    let (below, above) = (ratios.len().checked_sub(1)? / 2, ratios.len() / 2);
    Some((ratios[below] + ratios[above]) / 2.0)
}

fn largest(all: impl Iterator<Item = f64>) -> Option<f64> {
    all.reduce(f64::max)
}

#[cfg(test)]
mod tests {
    use super::over;

    #[test]
    fn ratios_are_of_neighbours() {
        assert_eq!(over(&[], &[1.0]), None);
        assert_eq!(over(&[3.0], &[2.0]), Some(1.5));
        // A machine that is ten times slower for a while changes nothing.
        assert_eq!(over(&[2.0, 20.0, 3.0], &[1.0, 10.0, 1.0]), Some(2.0));
        assert_eq!(over(&[1.0, 3.0], &[9.0, 1.0, 1.0]), Some(2.0));
    }
}
