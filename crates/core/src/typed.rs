//! What people type, folded to what they mean: one reading for numbers and for codes.
//!
//! A keyboard, a contact or a page brings digits of its script, dashes and spaces of its typography and
//! characters that nobody sees. Folding keeps what a number or a code can be made of, in ASCII, and drops
//! what is invisible. It changes no digit into another and joins nothing but what stood side by side.

use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// A text as its writer means it. What can mean nothing here is left as it stands, for the reader to refuse.
pub(crate) fn folded(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter_map(fold)
}

/// Whether a folded character only parts groups: a space, a dash, a dot, a slash, a bracket, a quote.
pub(crate) fn parts_groups(c: char) -> bool {
    matches!(c, ' ' | '-' | '.' | '/' | '(' | ')')
}

/// What a character means; `None` when it is invisible.
fn fold(c: char) -> Option<char> {
    let ascii = half_width(c);
    match ascii {
        '0'..='9' | 'a'..='z' | 'A'..='Z' => Some(ascii),
        '(' | '[' | '{' | '<' => Some('('),
        ')' | ']' | '}' | '>' | '"' | '\'' | '`' => Some(')'),
        '_' => Some('-'),
        c if c.is_whitespace() => Some(' '),
        c if c.is_control() => None,
        c if c.is_ascii() => Some(c),
        c => beyond_ascii(c),
    }
}

/// The ASCII form of a full-width character (Unicode block Halfwidth and Fullwidth Forms).
fn half_width(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        c => c,
    }
}

fn beyond_ascii(c: char) -> Option<char> {
    if is_ignorable(c) {
        return None;
    }
    if let Some(folded) = digit(c).or_else(|| kin(c)) {
        return Some(folded);
    }
    match c.general_category() {
        GeneralCategory::Format => None,
        GeneralCategory::DashPunctuation | GeneralCategory::ConnectorPunctuation => Some('-'),
        GeneralCategory::OpenPunctuation | GeneralCategory::InitialPunctuation => Some('('),
        GeneralCategory::ClosePunctuation | GeneralCategory::FinalPunctuation => Some(')'),
        _ => Some(c),
    }
}

/// Signs that look and mean like an ASCII one, and that their general category does not tell.
fn kin(c: char) -> Option<char> {
    Some(match c {
        // Small, superscript, subscript, Hebrew and heavy plus.
        '\u{FE62}' | '\u{207A}' | '\u{208A}' | '\u{FB29}' | '\u{2795}' => '+',
        // Minus signs, the hyphen bullet, the Katakana sound mark, the Arabic stretch, the box line, the swung
        // dash and the tilde operator.
        '\u{2212}' | '\u{02D7}' | '\u{207B}' | '\u{208B}' | '\u{2796}' | '\u{2043}'
        | '\u{30FC}' | '\u{FF70}' | '\u{0640}' | '\u{2500}' | '\u{2053}' | '\u{223C}' => '-',
        // Dots at mid height or of other scripts.
        '\u{00B7}' | '\u{2022}' | '\u{2024}' | '\u{2027}' | '\u{22C5}' | '\u{30FB}'
        | '\u{FF65}' | '\u{FE52}' | '\u{3002}' | '\u{FF61}' => '.',
        '\u{2044}' | '\u{2215}' => '/',
        '\u{060C}' | '\u{3001}' | '\u{FF64}' | '\u{FE50}' | '\u{FE51}' => ',',
        '\u{061B}' | '\u{FE54}' => ';',
        '\u{FE5F}' => '#',
        // The blank of Braille.
        '\u{2800}' => ' ',
        _ => return None,
    })
}

/// What shows nothing and is no format character: Unicode's Default_Ignorable_Code_Point, what stands for
/// a picture that was not copied, and the frame that makes a key cap of a digit.
fn is_ignorable(c: char) -> bool {
    matches!(c, '\u{034F}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
        | '\u{2065}' | '\u{20E3}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFF8}' | '\u{FFFC}' | '\u{E0000}'..='\u{E0FFF}')
}

/// The first of each run of ten decimal digits beyond ASCII (Unicode general category Nd).
const ZEROS: [u32; 76] = [
    0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0C66, 0x0CE6, 0x0D66,
    0x0DE6, 0x0E50, 0x0ED0, 0x0F20, 0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90,
    0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0, 0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10,
    0x104A0, 0x10D30, 0x10D40, 0x11066, 0x110F0, 0x11136, 0x111D0, 0x112F0, 0x11450, 0x114D0,
    0x11650, 0x116C0, 0x116D0, 0x116DA, 0x11730, 0x118E0, 0x11950, 0x11BF0, 0x11C50, 0x11D50,
    0x11DA0, 0x11DE0, 0x11F50, 0x16130, 0x16A60, 0x16AC0, 0x16B50, 0x16D70, 0x1CCF0, 0x1D7CE,
    0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6, 0x1E140, 0x1E2F0, 0x1E4F0, 0x1E5F1, 0x1E950, 0x1FBF0,
];

fn digit(c: char) -> Option<char> {
    let point = u32::from(c);
    let run = ZEROS
        .partition_point(|zero| *zero <= point)
        .checked_sub(1)?;
    char::from_digit(point - ZEROS[run], 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        folded(text).collect()
    }

    fn of_category(wanted: GeneralCategory) -> impl Iterator<Item = char> {
        ('\0'..=char::MAX).filter(move |c| c.general_category() == wanted)
    }

    #[test]
    fn every_decimal_digit_of_unicode_is_read() {
        let digits: Vec<char> = of_category(GeneralCategory::DecimalNumber).collect();
        assert!(digits.len() >= 770);
        // Two tables that others made say which characters are digits, and what they are worth.
        let by_library =
            |c: char| rlibphonenumber::PHONE_NUMBER_UTIL.normalize_digits_only(c.to_string());
        for c in digits.iter().copied() {
            assert_eq!(read(&c.to_string()), by_library(c), "{:X}", u32::from(c));
        }
        for c in '\0'..=char::MAX {
            let folded = fold(c).is_some_and(|folded| folded.is_ascii_digit());
            assert_eq!(folded, digits.contains(&c), "{:X}", u32::from(c));
        }
    }

    #[test]
    fn what_is_invisible_is_dropped() {
        let controls = of_category(GeneralCategory::Control).filter(|c| !c.is_whitespace());
        for c in of_category(GeneralCategory::Format).chain(controls) {
            assert_eq!(read(&format!("1{c}2")), "12", "{:X}", u32::from(c));
        }
        assert_eq!(read("1\u{FE0F}\u{20E3}2\u{FE0F}\u{20E3}"), "12");
    }

    #[test]
    fn spaces_dashes_and_brackets_part_groups() {
        let kinds = [
            GeneralCategory::SpaceSeparator,
            GeneralCategory::LineSeparator,
            GeneralCategory::ParagraphSeparator,
            GeneralCategory::DashPunctuation,
            GeneralCategory::OpenPunctuation,
            GeneralCategory::ClosePunctuation,
        ];
        for c in kinds
            .into_iter()
            .flat_map(of_category)
            .chain(['\t', '\n', '\u{2212}', 'ー', 'ـ', '─'])
        {
            assert!(fold(c).is_some_and(parts_groups), "{:X}", u32::from(c));
        }
    }

    #[test]
    fn full_width_forms_are_ascii() {
        assert_eq!(read("Ｔｅｌ：＋４１，ｘ＃～；"), "Tel:+41,x#~;");
    }

    #[test]
    fn what_means_nothing_is_left_to_be_refused() {
        assert_eq!(read("七²①½*e\u{301}"), "七²①½*e\u{301}");
    }
}
