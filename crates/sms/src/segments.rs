//! How many text messages a text is sent as: GSM 03.38 septets or UTF-16 units, cut into segments.

/// What the characters of a text are sent as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// GSM 03.38: 7 bits a character, 14 for those of its extension table.
    Gsm7,
    /// UTF-16: 16 bits a character, 32 for those beyond U+FFFF.
    Ucs2,
}

impl Encoding {
    /// Septets or UTF-16 units that `segments` of them hold.
    pub fn room(self, segments: usize) -> usize {
        let (alone, in_a_row) = match self {
            Encoding::Gsm7 => (160, 153),
            Encoding::Ucs2 => (70, 67),
        };
        // Several begin with a header of 6 bytes each, which says how they belong together.
        if segments == 1 {
            alone
        } else {
            in_a_row * segments
        }
    }
}

/// How a text is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// What as.
    pub encoding: Encoding,
    /// Septets of GSM 03.38, or UTF-16 units.
    pub units: usize,
    /// In how many segments; 1 for an empty text.
    pub count: usize,
}

impl Segments {
    /// Of a text, which is sent in GSM 03.38 when each of its characters is there.
    pub fn of(text: &str) -> Segments {
        let encoding = match text.chars().all(is_gsm) {
            true => Encoding::Gsm7,
            false => Encoding::Ucs2,
        };
        let width = |c: char| match encoding {
            Encoding::Gsm7 => septets(c).unwrap_or(0),
            Encoding::Ucs2 => c.len_utf16(),
        };
        let units = text.chars().map(width).sum();
        if units <= encoding.room(1) {
            return Segments {
                encoding,
                units,
                count: 1,
            };
        }
        // What takes two units never has its halves in two segments.
        let room = encoding.room(2) / 2;
        let (mut count, mut filled) = (1, 0);
        for width in text.chars().map(width) {
            if filled + width > room {
                count += 1;
                filled = 0;
            }
            filled += width;
        }
        Segments {
            encoding,
            units,
            count,
        }
    }
}

/// Whether a character can be sent in GSM 03.38.
pub fn is_gsm(c: char) -> bool {
    septets(c).is_some()
}

/// Septets that a character takes in GSM 03.38; `None` when it is not there.
fn septets(c: char) -> Option<usize> {
    match c {
        '\u{c}' | '[' | '\\' | ']' | '^' | '{' | '|' | '}' | '~' | '€' => Some(2),
        '`' => None,
        '\n' | '\r' | ' '..='z' => Some(1),
        '£' | '¥' | 'è' | 'é' | 'ù' | 'ì' | 'ò' | 'à' | 'Ç' | 'Ø' | 'ø' | 'Å' | 'å' | 'Æ' | 'æ'
        | 'ß' | 'É' | '¤' | '¡' | '¿' | '§' | 'Ä' | 'Ö' | 'Ñ' | 'Ü' | 'ä' | 'ö' | 'ñ' | 'ü'
        | 'Δ' | 'Φ' | 'Γ' | 'Λ' | 'Ω' | 'Π' | 'Ψ' | 'Σ' | 'Θ' | 'Ξ' => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// GSM 03.38, basic table without the escape.
    const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
                         ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
    /// GSM 03.38, extension table: an escape and a septet each.
    const EXTENSION: &str = "\u{c}^{}\\[~]|€";

    #[test]
    fn the_tables_are_those_of_gsm_03_38() {
        assert_eq!(BASIC.chars().count(), 127, "all but the escape");
        let expected = |c: char| match c {
            c if BASIC.contains(c) => Some(1),
            c if EXTENSION.contains(c) => Some(2),
            _ => None,
        };
        for c in '\0'..=char::MAX {
            assert_eq!(septets(c), expected(c), "{c:?}");
        }
    }

    fn of(text: &str, times: usize) -> (Encoding, usize, usize) {
        let Segments {
            encoding,
            units,
            count,
        } = Segments::of(&text.repeat(times));
        (encoding, units, count)
    }

    #[test]
    fn segments_are_as_long_as_they_can_be() {
        use Encoding::{Gsm7, Ucs2};
        assert_eq!(of("", 1), (Gsm7, 0, 1));
        assert_eq!(of("a", 160), (Gsm7, 160, 1));
        assert_eq!(of("a", 161), (Gsm7, 161, 2));
        assert_eq!(of("a", 306), (Gsm7, 306, 2));
        assert_eq!(of("a", 307), (Gsm7, 307, 3));
        assert_eq!(of("я", 70), (Ucs2, 70, 1));
        assert_eq!(of("я", 71), (Ucs2, 71, 2));
        assert_eq!(of("я", 134), (Ucs2, 134, 2));
        assert_eq!(of("я", 135), (Ucs2, 135, 3));
    }

    #[test]
    fn pairs_are_not_cut_in_two() {
        use Encoding::{Gsm7, Ucs2};
        assert_eq!(of("€", 80), (Gsm7, 160, 1));
        // 76 pairs fit into 153.
        assert_eq!(of("€", 152), (Gsm7, 304, 2));
        assert_eq!(of("€", 153), (Gsm7, 306, 3));
        assert_eq!(of("😀", 35), (Ucs2, 70, 1));
        assert_eq!(of("😀", 66), (Ucs2, 132, 2));
        assert_eq!(of("😀", 67), (Ucs2, 134, 3));
    }

    /// `61*152 20ac*1` is 152 a's and a euro sign.
    fn spelled(recipe: &str) -> String {
        let run = |run: &str| {
            let (code, times) = run.split_once('*')?;
            let code = u32::from_str_radix(code, 16).ok()?;
            let c = char::from_u32(code)?;
            Some(c.to_string().repeat(times.parse().ok()?))
        };
        let text: Option<String> = recipe.split(' ').map(run).collect();
        text.expect("runs of characters")
    }

    #[test]
    fn others_count_the_same() {
        let table = include_str!("../tests/counterparts/segments.tsv");
        let mut seen = 0;
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<&str> = line.split('\t').collect();
            let [recipe, encoding, units, count, other_encoding, other_count] = fields[..] else {
                panic!("not six fields: {line}");
            };
            let found = Segments::of(&spelled(recipe));
            let name = match found.encoding {
                Encoding::Gsm7 => "gsm7",
                Encoding::Ucs2 => "ucs2",
            };
            let (found_units, found_count) = (found.units.to_string(), found.count.to_string());
            assert_eq!(
                [name, &found_units, &found_count],
                [encoding, units, count],
                "{recipe}"
            );
            assert_eq!(
                [name, &found_count],
                [other_encoding, other_count],
                "{recipe}"
            );
            seen += 1;
        }
        assert!(seen >= 500, "{seen}");
    }
}
