//! Phone numbers: many spellings in, one E.164 spelling out.

use std::fmt;

use rlibphonenumber::{
    NumberLengthType, PHONE_NUMBER_UTIL, ParseError, PhoneNumber, PhoneNumberFormat, Region,
};
use serde::{Deserialize, Serialize};

mod kind;
mod spelling;
#[cfg(test)]
mod tests;

pub use kind::NumberKind;

/// A phone number in E.164 form: a plus and 7 to 15 digits. `Debug` and [`Number::masked`] hide most of it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Number(String);

/// How much a number must prove to be accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Validation {
    /// libphonenumber's metadata say that such a number exists.
    #[default]
    Valid,
    /// Its length fits its country.
    Possible,
    /// A plus and 7 to 15 digits.
    E164,
}

/// How numbers are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NumberRules {
    /// How strict to be.
    pub validation: Validation,
    /// The country (ISO 3166-1 alpha-2, such as `CH`) whose national spelling is understood; empty for none.
    pub default_region: String,
    /// To which kinds of numbers a code is sent.
    pub kinds: Vec<NumberKind>,
    /// How many numbers one account may hold.
    pub most_per_account: usize,
}

impl Default for NumberRules {
    fn default() -> Self {
        NumberRules {
            validation: Validation::Valid,
            default_region: String::new(),
            kinds: NumberKind::DEFAULT.to_vec(),
            most_per_account: 5,
        }
    }
}

/// Why a text is not a number that we take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Nothing but white space.
    #[error("the phone number is empty")]
    Empty,
    /// An extension cannot receive a text message.
    #[error("the phone number has an extension; an extension cannot receive a text message")]
    Extension,
    /// Something that is neither a digit nor a separator.
    #[error("the phone number holds characters that are not part of a phone number")]
    Malformed,
    /// National spelling, and no default region to read it in.
    #[error(
        "the phone number is not in international form: begin with + and the country code, such as +41791234567"
    )]
    NotInternational,
    /// Too short or too long for its country.
    #[error("the phone number is too short or too long")]
    Length,
    /// Right length, but no such number exists.
    #[error("no phone number of this form exists; check the digits")]
    Nonexistent,
    /// A number for tests, whose time is over.
    #[error("the phone number was for tests, and its time is over")]
    TestOver,
}

/// 15 digits of E.164, the longest prefix for calls abroad, and some.
const LONGEST_SPELLING: usize = 24;

impl NumberError {
    /// The stable name of this reason.
    pub fn code(self) -> &'static str {
        match self {
            NumberError::Empty => "number_empty",
            NumberError::Extension => "number_extension",
            NumberError::Malformed => "number_malformed",
            NumberError::NotInternational => "number_not_international",
            NumberError::Length => "number_length",
            NumberError::Nonexistent => "number_nonexistent",
            NumberError::TestOver => "number_test_over",
        }
    }
}

impl Number {
    /// Reads a number as people write it: in the digits and with the dashes, spaces, brackets and invisible
    /// characters of their script, or as a `tel:` URI. Reading what was read changes nothing.
    ///
    /// National spelling and a country's own prefix for calls abroad are read where `default_region` names
    /// the country; where it names none, a leading `00` is a plus.
    pub fn parse(text: &str, rules: &NumberRules) -> Result<Number, NumberError> {
        let plain = spelling::plain(text)?;
        let region = region(&rules.default_region);
        let plain = match (region, plain.strip_prefix("00")) {
            (None, Some(abroad)) => format!("+{abroad}"),
            (Some(_), _) | (None, None) => plain,
        };
        if region.is_none() && !plain.starts_with('+') {
            return Err(NumberError::NotInternational);
        }
        if plain.len() > LONGEST_SPELLING {
            return Err(NumberError::Length);
        }
        match PhoneNumber::parse(&plain, region) {
            Ok(parsed) if parsed.is_valid() && is_stable(&parsed, &plain) => Number::of(&parsed),
            read => Number::doubtful(&plain, read, rules.validation),
        }
    }

    /// A number of which the metadata do not say that it exists.
    fn doubtful(
        plain: &str,
        read: Result<PhoneNumber, ParseError>,
        validation: Validation,
    ) -> Result<Number, NumberError> {
        let possible = read.as_ref().is_ok_and(is_possible);
        match (validation, read) {
            (Validation::Valid | Validation::Possible, Err(ParseError::InvalidCountryCode)) => {
                Err(NumberError::Nonexistent)
            }
            (Validation::Valid | Validation::Possible, Err(_)) => Err(NumberError::Length),
            (Validation::Valid | Validation::Possible, Ok(_)) if !possible => {
                Err(NumberError::Length)
            }
            (Validation::Possible | Validation::E164, Ok(parsed)) if is_stable(&parsed, plain) => {
                Number::of(&parsed)
            }
            (Validation::Valid | Validation::Possible, Ok(_)) => Err(NumberError::Nonexistent),
            (Validation::E164, _) => Number::literal(plain),
        }
    }

    fn of(parsed: &PhoneNumber) -> Result<Number, NumberError> {
        Number::literal(&parsed.format_as(PhoneNumberFormat::E164))
    }

    fn literal(plain: &str) -> Result<Number, NumberError> {
        let digits = plain
            .strip_prefix('+')
            .ok_or(NumberError::NotInternational)?;
        if digits.starts_with('0') {
            return Err(NumberError::Nonexistent);
        }
        if !(7..=15).contains(&digits.len()) {
            return Err(NumberError::Length);
        }
        Ok(Number(plain.to_owned()))
    }

    /// A number that [`Number::parse`] made earlier and that was stored since.
    pub fn from_stored(e164: impl Into<String>) -> Number {
        Number(e164.into())
    }

    /// The E.164 form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Enough to recognise one's own number and too little to learn one: `+4179•••••67`.
    pub fn masked(&self) -> String {
        let count = self.0.chars().count();
        let (head, tail) = if count > 9 { (5, 2) } else { (3, 1) };
        self.0
            .chars()
            .enumerate()
            .map(|(i, c)| {
                if i < head || i + tail >= count {
                    c
                } else {
                    '•'
                }
            })
            .collect()
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// Whether a region code is one that numbers can be read in.
pub fn is_region(code: &str) -> bool {
    region(code).is_some()
}

/// What is read again and differs has lost a digit for a trunk prefix, and would lose another. What was read from
/// `plain` and is spelled like that is read alike again.
fn is_stable(parsed: &PhoneNumber, plain: &str) -> bool {
    let spelled = parsed.format_as(PhoneNumberFormat::E164);
    spelled == plain || PhoneNumber::parse(spelled, None).is_ok_and(|again| again == *parsed)
}

fn region(code: &str) -> Option<Region> {
    let region = Region::from_code(code).ok()?;
    // Every two letters are a region; those of a country have a calling code.
    PHONE_NUMBER_UTIL
        .get_country_code_for_region(region)
        .map(|_| region)
}

/// Whether the length fits the country, with the area code: who is abroad cannot dial without it.
fn is_possible(parsed: &PhoneNumber) -> bool {
    matches!(
        parsed.is_possible_with_reason(),
        Ok(NumberLengthType::IsPossible)
    )
}
