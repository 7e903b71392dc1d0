//! Phone numbers: many spellings in, one E.164 spelling out.

use std::fmt;
use std::sync::LazyLock;

use phonenumber::Type;
use phonenumber::country;
use phonenumber::metadata::DATABASE;
use serde::{Deserialize, Serialize};

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
    /// How many numbers one account may hold.
    pub most_per_account: usize,
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
}

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
        }
    }
}

impl Number {
    /// Reads a number as people write it: with separators, invisible characters, `tel:`, a leading `00`
    /// or the digits of another script.
    pub fn parse(text: &str, rules: &NumberRules) -> Result<Number, NumberError> {
        let plain = plain(text)?;
        let region = match plain.strip_prefix('+') {
            Some(_) => None,
            None => Some(region(&rules.default_region).ok_or(NumberError::NotInternational)?),
        };
        let digits = plain.trim_start_matches('+').len();
        if digits > 17 {
            return Err(NumberError::Length);
        }
        match (phonenumber::parse(region, &plain), rules.validation) {
            (Ok(parsed), Validation::Valid) if parsed.is_valid() => Number::formatted(&parsed),
            (Ok(parsed), Validation::Valid) if has_possible_length(&parsed) => {
                Number::formatted(&parsed).and(Err(NumberError::Nonexistent))
            }
            (Ok(parsed), Validation::Possible) if has_possible_length(&parsed) => {
                Number::formatted(&parsed)
            }
            (Ok(parsed), Validation::E164) => {
                Number::formatted(&parsed).or_else(|_| Number::literal(&plain))
            }
            (Err(_), Validation::E164) => Number::literal(&plain),
            (_, Validation::Valid | Validation::Possible) => Err(NumberError::Length),
        }
    }

    fn formatted(parsed: &phonenumber::PhoneNumber) -> Result<Number, NumberError> {
        Number::literal(&parsed.format().mode(phonenumber::Mode::E164).to_string())
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

/// Loads the number tables, which takes tens of milliseconds once; call it before the first request.
pub fn warm_up() {
    static WARM: LazyLock<bool> = LazyLock::new(|| {
        phonenumber::parse(None, "+41791234567").is_ok_and(|number| number.is_valid())
    });
    LazyLock::force(&WARM);
}

fn region(code: &str) -> Option<country::Id> {
    code.to_ascii_uppercase().parse().ok()
}

fn has_possible_length(parsed: &phonenumber::PhoneNumber) -> bool {
    // The crate leaves the lengths of the general descriptor empty, so they are gathered kind by kind.
    const KINDS: [Type; 9] = [
        Type::Mobile,
        Type::FixedLine,
        Type::TollFree,
        Type::PremiumRate,
        Type::SharedCost,
        Type::PersonalNumber,
        Type::Voip,
        Type::Pager,
        Type::Uan,
    ];
    let national = parsed.national().to_string().len();
    DATABASE
        .by_code(&parsed.country().code())
        .unwrap_or_default()
        .iter()
        .flat_map(|meta| {
            KINDS
                .iter()
                .filter_map(|kind| meta.descriptors().get(*kind))
        })
        .flat_map(|descriptor| descriptor.possible_length())
        .any(|length| usize::from(*length) == national)
}

/// Strips what carries no digit and turns native digits into ASCII ones: what is left is an optional
/// plus and digits.
fn plain(text: &str) -> Result<String, NumberError> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
    let text = match text.get(..4) {
        Some(scheme) if scheme.eq_ignore_ascii_case("tel:") => &text[4..],
        _ => text,
    };
    // A letter or sign for an extension counts as one behind digits only; elsewhere it is just no digit.
    let after_digits = text
        .trim_start_matches(|c: char| !c.is_ascii_digit())
        .to_lowercase();
    if after_digits.contains("ext") || after_digits.contains(['x', '#']) {
        return Err(NumberError::Extension);
    }
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '0'..='9' => plain.push(c),
            '+' | '\u{FF0B}' if plain.is_empty() => plain.push('+'),
            c if is_separator(c) || is_invisible(c) => {}
            c => plain.push(native_digit(c).ok_or(NumberError::Malformed)?),
        }
    }
    if plain.trim_start_matches('+').is_empty() {
        return Err(if plain.is_empty() {
            NumberError::Empty
        } else {
            NumberError::Malformed
        });
    }
    if let Some(rest) = plain.strip_prefix("00") {
        plain = format!("+{rest}");
    }
    Ok(plain)
}

/// What people put between groups of digits (RFC 3966 "visual separators" and their typographic kin).
fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '-' | '.' | '(' | ')' | '/' | '~' | '\u{2010}'
                ..='\u{2015}'
                    | '\u{2212}'
                    | '\u{30FC}'
                    | '\u{FF08}'
                    | '\u{FF09}'
                    | '\u{FF0D}'
                    | '\u{FF0E}'
                    | '\u{FF0F}'
                    | '\u{FF5E}'
        )
}

/// Control and format characters that travel along when a number is copied from a page or a contact.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}')
}

/// The ASCII digit of a decimal digit of another script (Unicode general category Nd; the first
/// character of each run of ten).
fn native_digit(c: char) -> Option<char> {
    const ZEROS: [u32; 36] = [
        0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6,
        0x0D66, 0x0DE6, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0,
        0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0,
        0xAA50, 0xABF0, 0xFF10,
    ];
    let point = u32::from(c);
    ZEROS
        .iter()
        .find(|zero| (**zero..**zero + 10).contains(&point))
        .and_then(|zero| char::from_digit(point - zero, 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, NumberError> {
        Number::parse(text, &NumberRules::default()).map(|n| n.as_str().to_owned())
    }

    fn parse_with(text: &str, validation: Validation, region: &str) -> Result<String, NumberError> {
        let rules = NumberRules {
            validation,
            default_region: region.into(),
            ..NumberRules::default()
        };
        Number::parse(text, &rules).map(|n| n.as_str().to_owned())
    }

    #[test]
    fn spellings_of_one_number_are_one_number() {
        for text in [
            "+41791234567",
            "+41 79 123 45 67",
            "0041791234567",
            "tel:+41-79-123-45-67",
            "TEL:+41.79.123.45.67",
            "+41 (0)79 123 45 67",
            "\u{200E}+41\u{00A0}79\u{2011}123\u{2011}45\u{2011}67\u{202C}",
            "\u{FF0B}\u{FF14}\u{FF11}\u{FF17}\u{FF19}\u{FF11}\u{FF12}\u{FF13}\u{FF14}\u{FF15}\u{FF16}\u{FF17}",
            "+٤١٧٩١٢٣٤٥٦٧",
            "+४१७९१२३४५६७",
            "\u{200B}0041 79 1234567\n",
        ] {
            assert_eq!(parse(text).as_deref(), Ok("+41791234567"), "{text:?}");
        }
    }

    #[test]
    fn the_italian_leading_zero_stays() {
        assert_eq!(parse("+39 06 1234 5678").as_deref(), Ok("+390612345678"));
    }

    #[test]
    fn national_spelling_needs_a_region() {
        assert_eq!(parse("079 123 45 67"), Err(NumberError::NotInternational));
        assert_eq!(
            parse_with("079 123 45 67", Validation::Valid, "CH").as_deref(),
            Ok("+41791234567")
        );
        assert_eq!(
            parse_with("(415) 555-2671", Validation::Valid, "us").as_deref(),
            Ok("+14155552671")
        );
    }

    #[test]
    fn what_is_no_number_is_told_apart() {
        assert_eq!(parse(""), Err(NumberError::Empty));
        assert_eq!(parse(" \u{200B}\n"), Err(NumberError::Empty));
        assert_eq!(parse("+"), Err(NumberError::Malformed));
        assert_eq!(parse("PhoneNumber"), Err(NumberError::Malformed));
        assert_eq!(parse("+4179123456七"), Err(NumberError::Malformed));
        assert_eq!(parse("+41+791234567"), Err(NumberError::Malformed));
        assert_eq!(
            parse("tel:+41791234567;ext=12"),
            Err(NumberError::Extension)
        );
        assert_eq!(parse("+41 79 123 45 67 x12"), Err(NumberError::Extension));
        assert_eq!(parse("x"), Err(NumberError::Malformed));
        assert_eq!(parse("+417912345"), Err(NumberError::Length));
        assert_eq!(parse("+4179123456789012345678"), Err(NumberError::Length));
        assert_eq!(parse("+1234567890"), Err(NumberError::Length));
        assert_eq!(parse("+41291234567"), Err(NumberError::Nonexistent));
        assert_eq!(parse("+999123456789"), Err(NumberError::Length));
    }

    #[test]
    fn validation_may_be_looser() {
        assert_eq!(
            parse_with("+1234567890", Validation::E164, "").as_deref(),
            Ok("+1234567890")
        );
        assert_eq!(
            parse_with("+999123456789", Validation::E164, "").as_deref(),
            Ok("+999123456789")
        );
        assert_eq!(
            parse_with("+12125551", Validation::E164, "").as_deref(),
            Ok("+12125551")
        );
        assert_eq!(
            parse_with("+123456", Validation::E164, ""),
            Err(NumberError::Length)
        );
        assert_eq!(
            parse_with("+12345678901", Validation::Possible, "").as_deref(),
            Ok("+12345678901")
        );
        assert_eq!(
            parse_with("+1234567890", Validation::Possible, ""),
            Err(NumberError::Length)
        );
        assert_eq!(
            parse_with("0", Validation::E164, ""),
            Err(NumberError::NotInternational)
        );
    }

    #[test]
    fn a_mask_hides_the_middle() {
        assert_eq!(Number::from_stored("+41791234567").masked(), "+4179•••••67");
        assert_eq!(Number::from_stored("+1234567").masked(), "+12••••7");
        assert_eq!(
            format!("{:?}", Number::from_stored("+41791234567")),
            "+4179•••••67"
        );
    }

    #[test]
    fn regions_are_country_codes() {
        assert!(is_region("CH") && is_region("us"));
        assert!(!is_region("") && !is_region("XX1"));
    }
}
