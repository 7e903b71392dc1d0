//! What people write back: the words by which they stop and start a sender's messages.

use ringback_core::Number;

/// Words by which people stop what a sender writes them, alone in a message.
const STOP: [&str; 17] = [
    "STOP",
    "STOPP",
    "STOPALL",
    "UNSUBSCRIBE",
    "CANCEL",
    "END",
    "QUIT",
    "OPTOUT",
    "OPT OUT",
    "STOP ALL",
    "REVOKE",
    "ARRET",
    "ABMELDEN",
    "ALTO",
    "BAJA",
    "PARAR",
    "СТОП",
];
/// Words by which they let it begin again.
const START: [&str; 6] = ["START", "UNSTOP", "YES", "OPTIN", "OPT IN", "СТАРТ"];
/// Digits that an international number may have.
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// What the owner of a number asks of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyword {
    /// No more messages.
    Stop,
    /// Messages again.
    Start,
}

impl Keyword {
    /// The keyword that a message says, in any case and with whatever stands around it that is no letter; `None` for
    /// everything else that people write. A word with a gap in it (`ST OP`) is none, as providers have it; of two words
    /// are only those that are listed so.
    pub fn read(text: &str) -> Option<Keyword> {
        let narrow = text.chars().map(narrow).collect::<String>();
        let said = narrow.trim_matches(|c: char| !c.is_alphanumeric());
        let said = said.to_uppercase().replace('Ê', "E");
        let words: Vec<&str> = said
            .split(|c: char| c == '-' || c.is_whitespace())
            .filter(|word| !word.is_empty())
            .collect();
        let said = words.join(" ");
        match said.as_str() {
            stop if STOP.contains(&stop) => Some(Keyword::Stop),
            start if START.contains(&start) => Some(Keyword::Start),
            _ => None,
        }
    }
}

/// A message that somebody wrote back, as far as it is of interest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbound {
    /// Who asks for what; `None` for everything else that people write, and for senders that are no whole number.
    pub keyword: Option<(Number, Keyword)>,
    /// What tells it from another one, where the provider says; a repeat changes nothing once it was noted.
    pub once: Option<String>,
}

impl Inbound {
    pub(crate) fn of(from: &str, keyword: Option<Keyword>) -> Inbound {
        Inbound {
            keyword: keyword.and_then(|keyword| Some((sender(from)?, keyword))),
            once: None,
        }
    }
}

/// The number that a message is from, if it says it whole: international, with `+`, `00` or neither before it.
/// Forms lose a plus that was not escaped.
pub(crate) fn sender(from: &str) -> Option<Number> {
    let from = from.trim();
    let digits = from.strip_prefix('+').or_else(|| from.strip_prefix("00"));
    let digits = digits.unwrap_or(from);
    let whole = DIGITS.contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    whole.then(|| Number::from_stored(format!("+{digits}")))
}

/// Keyboards of East Asia have the letters of ASCII twice.
fn narrow(c: char) -> char {
    match c {
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(u32::from(c) - 0xFEE0).unwrap_or(c),
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyword_is_a_word_alone() {
        for word in STOP.iter().chain(&[
            "stop",
            " Stop. ",
            "Opt out",
            "opt-out",
            "\u{feff}(STOP)",
            "Arrêt",
            "ＳＴＯＰ",
        ]) {
            assert_eq!(Keyword::read(word), Some(Keyword::Stop), "{word}");
        }
        for word in START.iter().chain(&["yes!", "Start\r\n", "opt-in"]) {
            assert_eq!(Keyword::read(word), Some(Keyword::Start), "{word}");
        }
        for other in [
            "",
            "...",
            "yes please",
            "do not stop",
            "stop that",
            "STO",
            "restart",
            "ST OP",
            "S T O P",
            "ST-OP",
            "ST\nOP",
            "CAN CEL",
            "Y E S",
            "un stop",
            "123456",
        ] {
            assert_eq!(Keyword::read(other), None, "{other}");
        }
    }

    #[test]
    fn a_sender_is_a_whole_number() {
        let number = Number::from_stored("+41791234567");
        for from in [
            "+41791234567",
            "41791234567",
            "0041791234567",
            " 41791234567",
        ] {
            assert_eq!(sender(from), Some(number.clone()), "{from}");
        }
        for from in [
            "",
            "+",
            "0791234567",
            "12345",
            "+4179123456789012",
            "Acme",
            "whatsapp:+41791234567",
            "+41 79 123 45 67",
            "000041791234567",
            "++41791234567",
            "٤١٧٩١٢٣٤٥٦٧",
        ] {
            assert_eq!(sender(from), None, "{from}");
        }
    }
}
