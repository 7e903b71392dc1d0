//! `[test_numbers]`: numbers that no message goes to and whose code is fixed.

use ringback_core::number::{NumberRules, Validation};
use ringback_core::policy::{TestNumber, TestNumbers};
use ringback_core::{Number, Time};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{Config, ConfigError};

/// `[test_numbers."+15005550006"]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TestNumberSection {
    /// The code that proves it.
    pub code: SecretString,
    /// From this time on it is refused, in the form of RFC 3339.
    pub until: String,
}

impl Config {
    /// The numbers for tests; what is wrong with one is said by [`Config::check`].
    pub fn test_numbers(&self) -> TestNumbers {
        let right = self.test_numbers.iter().filter_map(|(name, section)| {
            let test = section.read(self).ok()?;
            Some((number(name)?, test))
        });
        TestNumbers::new(right)
    }

    pub(super) fn judge_test_numbers(&self, error: &mut ConfigError) {
        for (name, section) in &self.test_numbers {
            let place = format!("test_numbers.{name}");
            if number(name).is_none_or(|number| number.as_str() != name) {
                error.add(
                    &*place,
                    "must be a plus and 7 to 15 digits, such as \"+15005550006\"",
                );
            }
            if let Err((key, says)) = section.read(self) {
                error.add(format!("{place}.{key}"), says);
            }
        }
    }
}

impl TestNumberSection {
    /// As decisions know it, or which key is wrong, and how.
    fn read(&self, config: &Config) -> Result<TestNumber, (&'static str, String)> {
        let until = time(&self.until).ok_or_else(|| {
            let says = "must be a time such as \"2027-01-01T00:00:00Z\"";
            ("until", says.to_owned())
        })?;
        let shape = config.codes.shape();
        TestNumber::new(self.code.expose_secret(), shape, until).ok_or_else(|| {
            let says = format!(
                "must have the form of a code: {} symbols as codes.alphabet says",
                shape.length
            );
            ("code", says)
        })
    }
}

fn number(text: &str) -> Option<Number> {
    let rules = NumberRules {
        validation: Validation::E164,
        ..NumberRules::default()
    };
    Number::parse(text, &rules).ok()
}

fn time(text: &str) -> Option<Time> {
    let time: prost_types::Timestamp = text.parse().ok()?;
    let micros = time.seconds.checked_mul(1_000_000)?;
    micros.checked_add(i64::from(time.nanos / 1_000)).map(Time)
}
