//! Lists beside writes: what is left of `flow` while others read users by the page and by a filter.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::fixture::{enough, people};
use crate::ids::Ids;
use crate::report::{Table, two, whole};
use crate::request::Protocol;
use crate::run::{Measurement, PAUSE, Plan, run};
use crate::scenario::Scenario;
use crate::server::Setup;

/// The connections that set and submit.
const WRITERS: usize = 64;
/// The connections that read pages, and as many that filter.
const READERS: usize = 4;
/// Users with numbers: so many that a filter takes a while.
const ACCOUNTS: u64 = 100_000;

/// The same `flow` alone and beside lists, and the lists.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Lists {
    pub(crate) alone: Measurement,
    pub(crate) beside: Measurement,
    pub(crate) pages: Measurement,
    pub(crate) filter: Measurement,
}

impl Lists {
    /// Throughput of `flow` beside lists against that alone.
    pub(crate) fn kept(&self) -> f64 {
        self.beside.operations_per_second / self.alone.operations_per_second
    }

    pub(crate) fn failures(&self) -> u64 {
        self.phases()
            .map(|(_, _, measurement)| measurement.failures)
            .sum()
    }

    /// What was wrong, in words.
    pub(crate) fn reasons(&self) -> Vec<String> {
        let wrong = self
            .phases()
            .filter(|(_, _, measurement)| measurement.failures > 0);
        wrong
            .map(|(name, _, measurement)| format!("{name}: {:?}", measurement.reasons))
            .collect()
    }

    pub(crate) fn table(&self) -> String {
        let mut table = Table::new(&[
            "what",
            "connections",
            "per second",
            "p50 ms",
            "p99 ms",
            "max ms",
            "refused",
            "refused p50 ms",
            "given up",
            "wrong",
        ]);
        for (name, connections, measurement) in self.phases() {
            table.row([
                name.to_owned(),
                connections.to_string(),
                whole(measurement.operations_per_second),
                two(measurement.latency.p50),
                two(measurement.latency.p99),
                two(measurement.latency.max),
                whole(measurement.refusals as f64),
                two(measurement.refusal_latency.p50),
                whole(measurement.late as f64),
                measurement.failures.to_string(),
            ]);
        }
        table.markdown()
    }

    fn phases(&self) -> impl Iterator<Item = (&'static str, usize, &Measurement)> {
        [
            ("flow alone", WRITERS, &self.alone),
            ("flow beside lists", WRITERS, &self.beside),
            ("pages of users", READERS, &self.pages),
            ("filter", READERS, &self.filter),
        ]
        .into_iter()
    }
}

/// Measures on a server of this setup; the lists for twice as long, because they take long and are few.
pub(crate) async fn lists(
    setup: &Setup,
    warmup: Duration,
    measure: Duration,
) -> anyhow::Result<Lists> {
    let plan = |scenario: Scenario, connections, measure| Plan {
        scenario,
        connections,
        warmup,
        measure,
        pause: scenario.is_bounded().then_some(PAUSE),
    };
    let alone = plan(Scenario::Flow, WRITERS, measure);
    let beside = plan(Scenario::Flow, WRITERS, 2 * measure);
    let pages = plan(Scenario::Users, READERS, 2 * measure);
    let filter = plan(Scenario::Filter, READERS, 2 * measure);

    let server = setup.start().await?;
    let pool = enough(&alone) + enough(&beside);
    let fresh = people(&setup.database, Scenario::Flow, pool, ACCOUNTS).await?;
    let ids = Arc::new(Ids::new(fresh, ACCOUNTS));
    let targets = [server.target(Protocol::Grpc)?];
    let alone = run(alone, &targets, &ids).await?;
    let (beside, pages, filter) = tokio::try_join!(
        run(beside, &targets, &ids),
        run(pages, &targets, &ids),
        run(filter, &targets, &ids),
    )?;
    server.stop().await?;
    Ok(Lists {
        alone,
        beside,
        pages,
        filter,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_and_what_was_given_up_are_counted_apart_from_faults() {
        let measurement = |operations_per_second, refusals, late, failures| Measurement {
            operations_per_second,
            refusals,
            late,
            failures,
            ..Measurement::default()
        };
        let found = Lists {
            alone: measurement(1_000.0, 0, 0, 0),
            beside: measurement(900.0, 0, 0, 0),
            pages: measurement(50.0, 7, 0, 0),
            filter: measurement(5.0, 5, 4, 1),
        };
        assert_eq!((found.kept(), found.failures()), (0.9, 1));
        assert_eq!(found.reasons(), ["filter: {}"]);
        let table = found.table();
        let cells = |row: &str| -> Vec<String> {
            let line = table.lines().find(|line| line.contains(row)).unwrap();
            line.split('|').map(|cell| cell.trim().to_owned()).collect()
        };
        // Refused, given up, wrong.
        let counts = |row| [7, 9, 10].map(|at| cells(row)[at].clone());
        assert_eq!(counts("pages of users"), ["7", "0", "0"]);
        assert_eq!(counts("| filter"), ["5", "4", "1"]);
    }
}
