//! The ratios that were promised, beside those that were found.

use super::found::{Found, middle};
use super::spot::{Case, Database, Spot};
use super::{BUSY, FEW, MANY};
use crate::drain::Beside;
use crate::fixture::Outcome;
use crate::lists::Lists;
use crate::overload::Overload;
use crate::report::{Table, two};
use crate::request::Protocol;
use crate::scenario::Scenario;
use crate::silence::LEAST;
use Asked::{AtLeast, AtMost, Nothing};
use Database::{Postgres, Sqlite};
use Scenario::{Flow, Get, Send, Set};

/// What is asked of a ratio or a value.
#[derive(Clone, Copy)]
enum Asked {
    AtLeast(f64),
    AtMost(f64),
    /// It is only told.
    Nothing,
}

impl Asked {
    fn holds(self, found: f64) -> Option<bool> {
        match self {
            AtLeast(bound) => Some(found >= bound),
            AtMost(bound) => Some(found <= bound),
            Nothing => None,
        }
    }

    fn text(self) -> String {
        match self {
            AtLeast(bound) => format!("≥ {bound}"),
            AtMost(bound) => format!("≤ {bound}"),
            Nothing => "–".to_owned(),
        }
    }
}

/// The table under construction.
struct Rows(Table);

impl Rows {
    /// Adds a row, if it was found.
    fn add(&mut self, what: impl Into<String>, found: Option<f64>, asked: Asked) {
        let Some(found) = found else {
            return;
        };
        let holds = match asked.holds(found) {
            Some(true) => "yes",
            Some(false) => "no",
            None => "–",
        };
        self.0
            .row([what.into(), two(found), asked.text(), holds.to_owned()]);
    }
}

impl Found {
    /// Found against asked, for everything that this run measured.
    pub(super) fn ratios(&self) -> Table {
        let mut rows = Rows(Table::new(&["what", "found", "asked", "holds"]));
        self.by_hand_rows(&mut rows);
        self.protocol_rows(&mut rows);
        self.delivery_rows(&mut rows);
        self.history_rows(&mut rows);
        self.silence_rows(&mut rows);
        self.network_rows(&mut rows);
        self.process_rows(&mut rows);
        self.size_rows(&mut rows);
        self.overload_rows(&mut rows);
        self.list_rows(&mut rows);
        rows.0
    }

    fn by_hand_rows(&self, rows: &mut Rows) {
        let by_hand = |connections| self.by_hand.get(&connections).into_iter().flatten();
        let yards: Vec<f64> = by_hand(1).map(|yard| yard.latency.p50).collect();
        let alone = self.values(&Spot::plain(Flow, Postgres, 1), |outcome| {
            outcome.measurement.latency.p50
        });
        rows.add(
            "flow, PostgreSQL, 1 connection: p50 ÷ by hand",
            over(&alone, &yards),
            AtMost(4.0),
        );
        for (connections, asked) in [(16, 0.8), (BUSY, 1.6), (256, 3.5)] {
            let yards: Vec<f64> = by_hand(connections).map(|yard| yard.per_second).collect();
            let flow = self.speeds(&Spot::plain(Flow, Postgres, connections));
            rows.add(
                format!("flow, PostgreSQL, {connections} connections: ÷ by hand"),
                over(&flow, &yards),
                AtLeast(asked),
            );
        }
    }

    fn protocol_rows(&self, rows: &mut Rows) {
        let busy = |scenario, database| Spot::plain(scenario, database, BUSY);
        let flow = |database, protocol| self.speeds(&busy(Flow, database).over(protocol));
        rows.add(
            "flow, 64 connections: SQLite ÷ PostgreSQL",
            over(
                &flow(Sqlite, Protocol::Grpc),
                &flow(Postgres, Protocol::Grpc),
            ),
            AtLeast(0.8),
        );
        for database in [Postgres, Sqlite] {
            let name = database.name();
            for protocol in [Protocol::Json, Protocol::Connect] {
                rows.add(
                    format!("flow, {name}, 64 connections: {} ÷ gRPC", protocol.name()),
                    over(&flow(database, protocol), &flow(database, Protocol::Grpc)),
                    AtLeast(0.75),
                );
            }
        }
        let echo = self.echo.get(&BUSY).into_iter().flatten();
        let echo: Vec<f64> = echo
            .map(|measurement| measurement.operations_per_second)
            .collect();
        for database in [Postgres, Sqlite] {
            rows.add(
                format!("get, {}, 64 connections: ÷ bare echo", database.name()),
                over(&self.speeds(&busy(Get, database)), &echo),
                AtLeast(0.35),
            );
        }
    }

    fn delivery_rows(&self, rows: &mut Rows) {
        // What is accepted and not delivered is not sustained.
        let sustained = |outcome: &Outcome| {
            let delivered = outcome
                .delivered
                .map_or(0.0, |delivered| delivered.per_second);
            outcome.measurement.operations_per_second.min(delivered)
        };
        for database in [Postgres, Sqlite] {
            let name = database.name();
            let sent = self.values(&Spot::plain(Send, database, BUSY), sustained);
            rows.add(
                format!("send with delivery, {name}, 64 connections: ÷ set"),
                over(&sent, &self.speeds(&Spot::plain(Set, database, BUSY))),
                AtLeast(0.6),
            );
        }
    }

    fn history_rows(&self, rows: &mut Rows) {
        for database in [Postgres, Sqlite] {
            let name = database.name();
            for (scenario, asked) in [(Send, 0.7), (Flow, 0.9)] {
                let speeds =
                    |case| self.speeds(&Spot::plain(scenario, database, BUSY).in_case(case));
                rows.add(
                    format!(
                        "{}, {name}, 64 connections: history kept ÷ not",
                        scenario.name()
                    ),
                    over(&speeds(Case::Keeping), &speeds(Case::Forgetting)),
                    AtLeast(asked),
                );
            }
            let drains = self.drains.get(&database).into_iter().flatten();
            for drain in drains {
                let Some(pace) = drain.pace else {
                    continue;
                };
                rows.add(
                    format!("messages that waited, {name}: ÷ the route's pace"),
                    Some(drain.per_second() / pace as f64),
                    AtLeast(0.95),
                );
            }
            let beside = self.beside.get(&database).map_or(&[][..], Vec::as_slice);
            rows.add(
                format!("hand-over, {name}: p99 beside a route that hangs ÷ alone"),
                middle(beside, Beside::ratio).map(Beside::ratio),
                AtMost(1.1),
            );
        }
    }

    fn silence_rows(&self, rows: &mut Rows) {
        for (database, found) in &self.silence {
            let least = found.iter().map(|found| found.p).reduce(f64::min);
            rows.add(
                format!(
                    "known and unknown, {}: least p of {} calls",
                    database.name(),
                    found.len()
                ),
                least,
                AtLeast(LEAST),
            );
        }
    }

    /// PostgreSQL at a distance, and shared.
    fn network_rows(&self, rows: &mut Rows) {
        let alone = self.values(
            &Spot::plain(Set, Postgres, 1).in_case(Case::Far),
            |outcome| outcome.measurement.latency.p50,
        );
        rows.add(
            "set, PostgreSQL 1 ms away, 1 connection: p50 ms",
            middle(&alone, |ms| *ms).copied(),
            AtMost(6.0),
        );
        let flow = |case| self.speeds(&Spot::plain(Flow, Postgres, BUSY).in_case(case));
        rows.add(
            "flow, PostgreSQL 1 ms away, 64 connections: ÷ before",
            over(&flow(Case::Far), &flow(Case::FarBefore)),
            AtLeast(2.0),
        );
        rows.add(
            "flow, PostgreSQL, 64 connections: two servers ÷ one",
            over(&flow(Case::Servers(2)), &flow(Case::Servers(1))),
            AtLeast(0.9),
        );
    }

    /// What the program takes, whatever it does. The older program is not asked.
    fn process_rows(&self, rows: &mut Rows) {
        let ours = || {
            let spots = self.spots.iter();
            spots.filter(|(spot, _)| spot.case != Case::FarBefore)
        };
        let largest = |found: &mut dyn Iterator<Item = f64>| found.reduce(f64::max);
        let mut peaks = ours()
            .filter(|(spot, _)| spot.connections == 256)
            .flat_map(|(_, outcomes)| outcomes)
            .filter_map(|outcome| outcome.measurement.server_peak_mib);
        rows.add(
            "peak memory at 256 connections, MiB",
            largest(&mut peaks),
            AtMost(60.0),
        );
        let mut idle = ours()
            .flat_map(|(_, outcomes)| outcomes)
            .map(|outcome| outcome.idle_mib);
        rows.add("memory after start, MiB", largest(&mut idle), AtMost(30.0));
        rows.add(
            "start to ready on an existing SQLite database, ms",
            middle(&self.starts, |ms| *ms).copied(),
            AtMost(300.0),
        );
    }

    fn size_rows(&self, rows: &mut Rows) {
        for database in [Postgres, Sqlite] {
            let name = database.name();
            for scenario in [Flow, Get] {
                let at = |accounts| {
                    let spot = Spot::plain(scenario, database, BUSY).in_case(Case::Kept);
                    self.speeds(&Spot { accounts, ..spot })
                };
                let scenario = scenario.name();
                rows.add(
                    format!("{scenario}, {name}, 64 connections: 1,000,000 ÷ 10,000 accounts"),
                    over(&at(MANY), &at(FEW)),
                    AtLeast(0.85),
                );
            }
        }
    }

    fn overload_rows(&self, rows: &mut Rows) {
        for (database, overloads) in &self.overloads {
            let name = database.name();
            let among = |of: fn(&Overload) -> f64| {
                let found: Vec<f64> = overloads.iter().map(of).collect();
                middle(&found, |found| *found).copied()
            };
            let refused = overloads.iter().all(|found| found.flood.refusals > 0);
            rows.add(
                format!("overload, {name}: refused within, p50 ms"),
                among(|found| found.flood.refusal_latency.p50).filter(|_| refused),
                AtMost(50.0),
            );
            rows.add(
                format!("overload, {name}: ÷ best throughput"),
                among(Overload::kept),
                AtLeast(0.8),
            );
            rows.add(
                format!("overload, {name}: first answer to a new caller after its end, ms"),
                among(|found| found.after.first_done_ms),
                AtMost(1_000.0),
            );
            rows.add(
                format!("overload, {name}: right after ÷ before"),
                among(Overload::recovered),
                AtLeast(0.8),
            );
        }
    }

    fn list_rows(&self, rows: &mut Rows) {
        for (database, lists) in &self.lists {
            rows.add(
                format!(
                    "flow, {}, 64 connections: beside lists ÷ alone",
                    database.name()
                ),
                middle(lists, Lists::kept).map(Lists::kept),
                Nothing,
            );
        }
    }

    /// A value of everything that was measured there, in its order.
    fn values(&self, spot: &Spot, of: impl Fn(&Outcome) -> f64) -> Vec<f64> {
        let outcomes = self.spots.get(spot).into_iter().flatten();
        outcomes.map(of).collect()
    }

    fn speeds(&self, spot: &Spot) -> Vec<f64> {
        self.values(spot, |outcome| outcome.measurement.operations_per_second)
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

#[cfg(test)]
mod tests;
