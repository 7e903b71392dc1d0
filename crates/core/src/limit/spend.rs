//! What messages are expected to cost, in the operator's currency.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::delivery::{read_amount, write_cost};

/// An amount in millionths of the operator's currency, written as a decimal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Amount(pub u64);

impl TryFrom<String> for Amount {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Amount, &'static str> {
        let amount = read_amount(&text).map(Amount);
        amount.ok_or(
            "must be an amount of at most 999999999 with at most six decimals, such as \"250\" or \"0.5\"",
        )
    }
}

impl From<Amount> for String {
    fn from(amount: Amount) -> String {
        write_cost(amount.0)
    }
}

/// As how many text messages one goes out at most, by the language of its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments {
    /// By tag in small letters.
    pub by_language: BTreeMap<String, u64>,
    /// For readers who name no language.
    pub default: u64,
    /// In any language.
    pub most: u64,
}

impl Default for Segments {
    fn default() -> Segments {
        Segments {
            by_language: BTreeMap::new(),
            default: 1,
            most: 1,
        }
    }
}

impl Segments {
    /// Of a reader who prefers these languages: tags, best first, or an Accept-Language header. Never fewer than the text
    /// takes that this reader gets.
    pub fn of(&self, wanted: &str) -> u64 {
        let mut tags = wanted.split(',').map(|tag| {
            let tag = tag.split(';').next().unwrap_or_default();
            tag.trim().replace('_', "-").to_ascii_lowercase()
        });
        match tags.next() {
            None => self.default,
            Some(first) if first.is_empty() => self.default,
            Some(first) => {
                let whole = self.by_language.get(&first);
                let language = first.split('-').next().unwrap_or_default();
                let known = whole.or_else(|| self.by_language.get(language));
                known.copied().unwrap_or(self.most)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_decimals() {
        let read = |text: &str| serde_json::from_value::<Amount>(text.into());
        assert_eq!(read("250").unwrap(), Amount(250_000_000));
        assert_eq!(read("0.5").unwrap(), Amount(500_000));
        assert_eq!(read("999999999").unwrap(), Amount(999_999_999_000_000));
        for wrong in ["", "-1", "1e3", "1000000000", "0.1234567", "1,5"] {
            assert!(
                read(wrong)
                    .unwrap_err()
                    .to_string()
                    .contains("must be an amount"),
                "{wrong}"
            );
        }
        assert_eq!(serde_json::to_value(Amount(1_250_000)).unwrap(), "1.25");
    }

    #[test]
    fn a_language_that_is_not_known_may_take_the_most() {
        let segments = Segments {
            by_language: [
                ("de".to_owned(), 1),
                ("ar".to_owned(), 2),
                ("zh-hant".to_owned(), 3),
            ]
            .into(),
            default: 1,
            most: 3,
        };
        for (wanted, most) in [
            ("", 1),
            ("de", 1),
            ("de-AT, en;q=0.5", 1),
            ("AR", 2),
            ("zh_Hant", 3),
            ("deu", 3),
            ("*", 3),
            (";", 1),
        ] {
            assert_eq!(segments.of(wanted), most, "{wanted}");
        }
    }
}
