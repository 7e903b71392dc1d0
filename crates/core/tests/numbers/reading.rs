//! What holds for whatever people type.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::select;
use ringback_core::Number;
use ringback_core::code::{Alphabet, Shape};
use ringback_core::number::{NumberRules, Validation};
use rlibphonenumber::{PHONE_NUMBER_UTIL, PhoneNumberFormat, PhoneNumberType};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

const SIX: Shape = Shape {
    length: 6,
    alphabet: Alphabet::Digits,
};

fn rules() -> impl Strategy<Value = NumberRules> {
    let validation = select(vec![
        Validation::Valid,
        Validation::Possible,
        Validation::E164,
    ]);
    let region = select(vec![
        "", "CH", "US", "RU", "IT", "HK", "BR", "AR", "JE", "SM", "LT", "XX",
    ]);
    (validation, region).prop_map(|(validation, region)| NumberRules {
        validation,
        default_region: region.to_owned(),
        ..NumberRules::default()
    })
}

/// The example of each region's mobile numbers and of its fixed lines, in E.164.
static EXAMPLES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let kinds = [PhoneNumberType::Mobile, PhoneNumberType::FixedLine];
    let example = |region, kind| {
        let number = PHONE_NUMBER_UTIL.get_example_number_for_type_and_region(region, kind);
        let number = number.ok()?;
        Some(number.format_as(PhoneNumberFormat::E164).into_owned())
    };
    let regions = PHONE_NUMBER_UTIL.get_supported_regions();
    let mut all: Vec<String> = regions
        .flat_map(|region| {
            kinds
                .into_iter()
                .filter_map(move |kind| example(region, kind))
        })
        .collect();
    all.sort_unstable();
    all
});

/// A number with some of its digits changed, in brackets and behind prefixes.
fn likely() -> impl Strategy<Value = String> {
    let edges = select(vec![
        "", "+", "00", "tel:", "(", "0", "8", "1", "+1 1", "+7 8", "011",
    ]);
    let change = proptest::collection::vec((any::<prop::sample::Index>(), 0..10_u8), 0..4);
    (edges, select(EXAMPLES.as_slice()), change).prop_map(|(edge, number, changes)| {
        let mut digits = number.trim_start_matches('+').as_bytes().to_vec();
        for (at, digit) in changes {
            let at = at.index(digits.len());
            match digit {
                9 => digits.truncate(at.max(1)),
                8 => digits.insert(at, b'0'),
                digit => digits[at] = b'0' + digit,
            }
        }
        format!("{edge}{}", String::from_utf8_lossy(&digits))
    })
}

/// All decimal digits: each run of ten begins at a multiple of ten.
static DIGITS: LazyLock<Vec<char>> = LazyLock::new(|| of(&[GeneralCategory::DecimalNumber]));

/// What may stand between digits and means nothing.
static BETWEEN: LazyLock<Vec<char>> = LazyLock::new(|| {
    of(&[
        GeneralCategory::Format,
        GeneralCategory::SpaceSeparator,
        GeneralCategory::DashPunctuation,
        GeneralCategory::OpenPunctuation,
        GeneralCategory::ClosePunctuation,
    ])
});

fn of(categories: &[GeneralCategory]) -> Vec<char> {
    let wanted = |c: &char| categories.contains(&c.general_category());
    ('\0'..=char::MAX).filter(wanted).collect()
}

/// The same text as somebody else's keyboard and page have it: digits of any script, and between them
/// whatever is invisible or parts groups.
fn respelt(text: String) -> impl Strategy<Value = String> {
    let between = proptest::collection::vec(select(BETWEEN.as_slice()), 0..3);
    let script = 0..DIGITS.len() / 10;
    let count = text.chars().count();
    proptest::collection::vec((between, script), count).prop_map(move |drawn| {
        let mut spelt = String::new();
        for (c, (between, script)) in text.chars().zip(drawn) {
            spelt.extend(between);
            spelt.push(match c.to_digit(10) {
                Some(digit) => DIGITS[script * 10 + digit as usize],
                None => c,
            });
        }
        spelt
    })
}

fn read(text: &str, rules: &NumberRules) -> Option<String> {
    let number = Number::parse(text, rules).ok()?;
    Some(number.as_str().to_owned())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>(), rules in rules()) {
        if let Some(number) = read(&text, &rules) {
            prop_assert!((8..=16).contains(&number.len()), "{number}");
        }
        SIX.normalise(&text);
    }

    #[test]
    fn any_text_about_numbers_is_read_or_refused(
        text in "(tel:)?[+＋]{0,2}[0-9٠-٩()~x#,;. -]{0,30}(;(ext|isub|phone-context|a)=[+0-9a-z.]{0,5}){0,2}",
        rules in rules(),
    ) {
        if let Some(number) = read(&text, &rules) {
            prop_assert!((8..=16).contains(&number.len()), "{number}");
        }
    }

    #[test]
    fn what_was_read_is_read_as_itself(text in likely(), rules in rules()) {
        if let Some(number) = read(&text, &rules) {
            let anywhere = NumberRules { default_region: String::new(), ..rules.clone() };
            for rules in [rules, anywhere] {
                prop_assert_eq!(read(&number, &rules), Some(number.clone()));
            }
        }
    }

    #[test]
    fn a_number_is_the_same_in_every_script(
        (number, spelt) in select(EXAMPLES.as_slice()).prop_flat_map(|number| (Just(number.clone()), respelt(number))),
    ) {
        prop_assert_eq!(read(&spelt, &NumberRules::default()), Some(number), "{:?}", spelt);
    }

    #[test]
    fn a_code_is_the_same_in_every_script(
        (code, spelt) in "[0-9]{6}".prop_flat_map(|code| (Just(code.clone()), respelt(code))),
    ) {
        prop_assert_eq!(SIX.normalise(&spelt), Some(code), "{:?}", spelt);
    }
}
