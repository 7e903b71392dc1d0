//! Everything that was found, as tables.

use std::collections::BTreeMap;

use super::FLOOD;
use super::pgbench::Yard;
use super::spot::{Database, Spot};
use crate::drain::{Beside, Drain};
use crate::fixture::Outcome;
use crate::lists::Lists;
use crate::overload::Overload;
use crate::report::{TITLES, Table, cells, two, whole};
use crate::run::{Latency, Measurement};
use crate::silence::Silence;

/// Everything that was found; a spot that was measured more than once has all its outcomes.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) spots: BTreeMap<Spot, Vec<Outcome>>,
    pub(crate) by_hand: BTreeMap<usize, Vec<Yard>>,
    pub(crate) echo: BTreeMap<usize, Vec<Measurement>>,
    /// Milliseconds to readiness on an existing SQLite database.
    pub(crate) starts: Vec<f64>,
    pub(crate) overloads: BTreeMap<Database, Vec<Overload>>,
    pub(crate) lists: BTreeMap<Database, Vec<Lists>>,
    pub(crate) drains: BTreeMap<Database, Vec<Drain>>,
    pub(crate) beside: BTreeMap<Database, Vec<Beside>>,
    pub(crate) silence: BTreeMap<Database, Vec<Silence>>,
    /// Questions that are no work, over the network.
    pub(crate) round_trips: Vec<Latency>,
}

impl Found {
    /// Prints every table.
    pub(super) fn print(&self) {
        // A part alone leaves some of them empty.
        for table in [self.ratios(), self.scenarios(), self.yardsticks()] {
            if table.has_rows() {
                println!("{}", table.markdown());
            }
        }
        for (database, overloads) in &self.overloads {
            if let Some(overload) = middle(overloads, Overload::kept) {
                let table = overload.table(FLOOD);
                println!("Overload, {}:\n\n{table}", database.name());
            }
        }
        for (database, lists) in &self.lists {
            if let Some(lists) = middle(lists, Lists::kept) {
                println!("Lists, {}:\n\n{}", database.name(), lists.table());
            }
        }
        let (mut drains, mut beside) = (Drain::titles(), Beside::titles());
        for (database, found) in &self.drains {
            found
                .iter()
                .for_each(|found| found.row(&mut drains, database.name()));
        }
        for (database, found) in &self.beside {
            found
                .iter()
                .for_each(|found| found.rows(&mut beside, database.name()));
        }
        let mut silence = Silence::titles();
        for (database, found) in &self.silence {
            found
                .iter()
                .for_each(|found| found.row(&mut silence, database.name()));
        }
        for (title, table) in [
            ("Known and unknown", silence),
            ("A pile of messages", drains),
            ("Beside a route that hangs", beside),
        ] {
            if table.has_rows() {
                println!("{title}:\n\n{}", table.markdown());
            }
        }
    }

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
            let Some(outcome) = middle(outcomes, |o| o.measurement.operations_per_second) else {
                continue;
            };
            let [database, accounts] = spot.names();
            let names = [
                spot.scenario.name().to_owned(),
                spot.protocol.name().to_owned(),
                database,
                accounts,
                spot.connections.to_string(),
            ];
            table.row(names.into_iter().chain(cells(&outcome.measurement)));
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
            if let Some(measurement) =
                middle(echoes, |measurement| measurement.operations_per_second)
            {
                table.row([
                    "bare gRPC echo".to_owned(),
                    connections.to_string(),
                    whole(measurement.operations_per_second),
                    two(measurement.latency.p50),
                    two(measurement.latency.p99),
                ]);
            }
        }
        if let Some(round_trip) = middle(&self.round_trips, |latency| latency.p50) {
            table.row([
                "round trip to PostgreSQL, 1 ms away".to_owned(),
                "1".to_owned(),
                "–".to_owned(),
                two(round_trip.p50),
                two(round_trip.p99),
            ]);
        }
        table
    }

    /// Says on standard error what was wrong, and how much of it there was.
    pub(super) fn report_faults(&self) -> u64 {
        let mut faults = 0;
        for (spot, outcomes) in &self.spots {
            for outcome in outcomes.iter().filter(|outcome| outcome.faults() > 0) {
                let (reasons, delivered) = (&outcome.measurement.reasons, outcome.delivered);
                eprintln!("wrong: {spot:?}: {reasons:?} {delivered:?}");
                faults += outcome.faults();
            }
        }
        for measurement in self
            .echo
            .values()
            .flatten()
            .filter(|measurement| measurement.failures > 0)
        {
            eprintln!("wrong: echo: {:?}", measurement.reasons);
            faults += measurement.failures;
        }
        for lists in self.lists.values().flatten() {
            for reason in lists.reasons() {
                eprintln!("wrong: {reason}");
            }
            faults += lists.failures();
        }
        faults += self
            .drains
            .values()
            .flatten()
            .map(Drain::faults)
            .sum::<u64>();
        faults += self
            .beside
            .values()
            .flatten()
            .map(|beside| beside.faults)
            .sum::<u64>();
        let overloads = self.overloads.values().flatten();
        faults + overloads.map(Overload::failures).sum::<u64>()
    }
}

/// The outcome in the middle.
pub(super) fn middle<T>(all: &[T], by: impl Fn(&T) -> f64) -> Option<&T> {
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
