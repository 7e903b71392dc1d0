//! Which rows there are, and what they say.

use super::*;
use crate::bench::pgbench::Yard;
use crate::run::{Latency, Measurement};

fn outcome(operations_per_second: f64, p50: f64) -> Outcome {
    let latency = Latency {
        p50,
        ..Latency::default()
    };
    Outcome {
        measurement: Measurement {
            operations_per_second,
            latency,
            server_peak_mib: Some(p50),
            ..Measurement::default()
        },
        delivered: None,
        ready_in_ms: 0.0,
        idle_mib: p50,
    }
}

fn yard(per_second: f64, p50: f64) -> Yard {
    let latency = Latency {
        p50,
        ..Latency::default()
    };
    Yard {
        per_second,
        latency,
    }
}

/// What is asked, found, and whether it holds, of the rows of one table.
fn told(found: &Found) -> Vec<[String; 4]> {
    let table = found.ratios().markdown();
    let lines = table.lines().skip(2);
    let cells = lines.map(|line| {
        let mut cells = line.split('|').skip(1).map(|cell| cell.trim().to_owned());
        [(); 4].map(|()| cells.next().unwrap_or_default())
    });
    cells.collect()
}

#[test]
fn ratios_are_of_neighbours() {
    assert_eq!(over(&[], &[1.0]), None);
    assert_eq!(over(&[3.0], &[2.0]), Some(1.5));
    // A machine that is ten times slower for a while changes nothing.
    assert_eq!(over(&[2.0, 20.0, 3.0], &[1.0, 10.0, 1.0]), Some(2.0));
    assert_eq!(over(&[1.0, 3.0], &[9.0, 1.0, 1.0]), Some(2.0));
}

#[test]
fn what_was_not_measured_is_not_told() {
    assert!(told(&Found::default()).is_empty());
}

#[test]
fn each_number_of_connections_is_asked_something_by_hand() {
    let mut found = Found::default();
    for (connections, speed, p50) in [
        (1, 10.0, 8.0),
        (16, 10.0, 1.0),
        (64, 30.0, 1.0),
        (256, 60.0, 1.0),
    ] {
        found.spots.insert(
            Spot::plain(Flow, Postgres, connections),
            vec![outcome(speed, p50)],
        );
        found.by_hand.insert(connections, vec![yard(20.0, 4.0)]);
    }
    let told = told(&found);
    let rows = told.iter().filter(|row| row[0].contains("by hand"));
    let rows: Vec<_> = rows
        .map(|row| [&row[1], &row[2], &row[3]].map(String::as_str))
        .collect();
    assert_eq!(
        rows,
        [
            ["2.00", "≤ 4", "yes"],
            ["0.50", "≥ 0.8", "no"],
            ["1.50", "≥ 1.6", "no"],
            ["3.00", "≥ 3.5", "no"]
        ]
    );
}

#[test]
fn a_database_far_away_is_compared_with_itself_before() {
    let far =
        |scenario, connections, case| Spot::plain(scenario, Postgres, connections).in_case(case);
    let mut found = Found::default();
    found.spots.insert(
        far(Set, 1, Case::Far),
        vec![outcome(1.0, 5.0), outcome(1.0, 7.0), outcome(1.0, 6.0)],
    );
    found
        .spots
        .insert(far(Flow, BUSY, Case::Far), vec![outcome(30.0, 1.0)]);
    found
        .spots
        .insert(far(Flow, BUSY, Case::FarBefore), vec![outcome(10.0, 99.0)]);
    found
        .spots
        .insert(far(Flow, BUSY, Case::Servers(1)), vec![outcome(10.0, 1.0)]);
    found
        .spots
        .insert(far(Flow, BUSY, Case::Servers(2)), vec![outcome(8.0, 1.0)]);
    let told = told(&found);
    let rows: Vec<_> = told
        .iter()
        .map(|row| [&row[1], &row[2], &row[3]].map(String::as_str))
        .collect();
    assert_eq!(
        rows,
        [
            ["6.00", "≤ 6", "yes"],
            ["3.00", "≥ 2", "yes"],
            ["0.80", "≥ 0.9", "no"],
            // Memory after start: not that of the older program.
            ["7.00", "≤ 30", "yes"],
        ]
    );
}

#[test]
fn what_lists_leave_is_told_and_nothing_is_asked_of_it() {
    let measurement = |operations_per_second| Measurement {
        operations_per_second,
        ..Measurement::default()
    };
    let lists = Lists {
        alone: measurement(10.0),
        beside: measurement(4.0),
        pages: measurement(1.0),
        filter: measurement(1.0),
    };
    let mut found = Found::default();
    found.lists.insert(Sqlite, vec![lists]);
    let told = told(&found);
    assert_eq!(told[0][1..], ["0.40", "–", "–"]);
}
