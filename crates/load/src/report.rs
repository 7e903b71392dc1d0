//! Measurements for people: tables that are readable as they are and as Markdown.

use crate::run::Measurement;

/// A table under construction.
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(titles: &[&str]) -> Table {
        Table {
            rows: vec![titles.iter().map(|title| (*title).to_owned()).collect()],
        }
    }

    /// Adds a row with as many cells as there are titles.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Whether there is anything below the titles.
    pub(crate) fn has_rows(&self) -> bool {
        self.rows.len() > 1
    }

    /// The table in Markdown: the first column to the left, numbers to the right.
    pub(crate) fn markdown(&self) -> String {
        let columns = self.rows.first().map_or(0, Vec::len);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
                .max(3)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for (at, row) in self.rows.iter().enumerate() {
            for (column, cell) in row.iter().enumerate() {
                let width = widths.get(column).copied().unwrap_or(0);
                let padded = match column {
                    0 => format!("| {cell:<width$} "),
                    _ => format!("| {cell:>width$} "),
                };
                text.push_str(&padded);
            }
            text.push_str("|\n");
            if at == 0 {
                for (column, width) in widths.iter().enumerate() {
                    let line = "-".repeat(width - 1);
                    text.push_str(&if column == 0 {
                        format!("| {line}- ")
                    } else {
                        format!("| {line}: ")
                    });
                }
                text.push_str("|\n");
            }
        }
        text
    }
}

/// The titles that [`cells`] fills.
pub(crate) const TITLES: [&str; 11] = [
    "per second",
    "requests/s",
    "p50 ms",
    "p90 ms",
    "p99 ms",
    "max ms",
    "server CPU s/1,000",
    "server peak MiB",
    "own CPU",
    "refused",
    "wrong",
];

/// What one measurement found, in the order of [`TITLES`].
pub(crate) fn cells(measurement: &Measurement) -> Vec<String> {
    let latency = &measurement.latency;
    vec![
        whole(measurement.operations_per_second),
        whole(measurement.requests_per_second),
        two(latency.p50),
        two(latency.p90),
        two(latency.p99),
        two(latency.max),
        measurement
            .server_cpu_per_thousand
            .map_or_else(none, |cpu| format!("{cpu:.3}")),
        measurement
            .server_peak_mib
            .map_or_else(none, |mib| format!("{mib:.1}")),
        format!("{:.0} %", measurement.own_cpu * 100.0),
        whole((measurement.refusals + measurement.late) as f64),
        measurement.failures.to_string(),
    ]
}

fn none() -> String {
    "–".to_owned()
}

/// A count, in groups of three digits.
pub(crate) fn whole(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Two places behind the point.
pub(crate) fn two(value: f64) -> String {
    format!("{value:.2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped() {
        assert_eq!(whole(1_234_567.4), "1,234,567");
        assert_eq!(
            (whole(12.0), whole(123.0)),
            ("12".to_owned(), "123".to_owned())
        );
    }

    #[test]
    fn tables_are_aligned() {
        let mut table = Table::new(&["what", "n"]);
        assert!(!table.has_rows());
        table.row(["a".to_owned(), "12".to_owned()]);
        assert_eq!(
            table.markdown(),
            "| what |   n |\n| ---- | --: |\n| a    |  12 |\n"
        );
        assert!(table.has_rows());
    }
}
