//! How long the reading of one number takes, beside nothing else.

use std::hint::black_box;
use std::time::{Duration, Instant};

use ringback_core::Number;
use ringback_core::number::NumberRules;

use crate::report::Table;

/// Numbers of many plans, as people write them, with the region that they are read in.
const MIX: [(&str, &str); 12] = [
    ("", "+41791234567"),
    ("", "+1 (415) 555-2671"),
    ("", "+44 7400 123456"),
    ("", "+49 1512 3456789"),
    ("", "+91 91151 92229"),
    ("", "+7 800 555-35-35"),
    ("", "+55 11 96123-4567"),
    ("", "tel:+81-90-1234-5678"),
    ("", "+٩٧١٥٠١٢٣٤٥٦٧"),
    ("CH", "079 123 45 67"),
    ("US", "(415) 555-2671"),
    ("FR", "06 12 34 56 78"),
];

/// What was measured.
pub(crate) struct Cost {
    /// The first number of all, which loads the tables.
    first: Duration,
    /// Each number of the mix, one after the other, once its plan is loaded.
    each: Duration,
    /// What kind a number is.
    kind: Duration,
}

impl Cost {
    /// Reads the mix so often.
    pub(crate) fn measure(rounds: u32) -> anyhow::Result<Cost> {
        let rules = MIX.map(|(region, _)| NumberRules {
            default_region: region.to_owned(),
            ..NumberRules::default()
        });
        let read = || {
            let texts = MIX.iter().zip(&rules);
            texts.map(|((_, text), rules)| Number::parse(black_box(text), rules))
        };
        let began = Instant::now();
        read().next().transpose()?;
        let first = began.elapsed();
        let numbers = read().collect::<Result<Vec<Number>, _>>()?;
        let began = Instant::now();
        for _ in 0..rounds {
            for number in read() {
                black_box(number?);
            }
        }
        let each = began.elapsed() / rounds / MIX.len() as u32;
        let began = Instant::now();
        for _ in 0..rounds {
            for number in &numbers {
                black_box(number.kind());
            }
        }
        let kind = began.elapsed() / rounds / MIX.len() as u32;
        Ok(Cost { first, each, kind })
    }

    /// The times as a table.
    pub(crate) fn table(&self) -> String {
        let mut table = Table::new(&["one number", "ns"]);
        for (what, time) in [
            ("first of all, with the tables", self.first),
            ("read and validated", self.each),
            ("kind told", self.kind),
        ] {
            table.row([what.to_owned(), time.as_nanos().to_string()]);
        }
        table.markdown()
    }
}
