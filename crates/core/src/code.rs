//! One-time codes: derived when needed, never kept.

use std::fmt;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use crate::keys::keyed;
use crate::typed::{folded, parts_groups};

/// What a code is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alphabet {
    /// `0` to `9`.
    #[default]
    Digits,
    /// Capital letters and digits without those that look alike (`0O1IL`); read case-insensitively.
    Letters,
}

impl Alphabet {
    fn symbols(self) -> &'static [u8] {
        match self {
            Alphabet::Digits => b"0123456789",
            Alphabet::Letters => b"ABCDEFGHJKMNPQRSTUVWXYZ23456789",
        }
    }
}

/// The shape of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// How many symbols, 6 to 10.
    pub length: u8,
    /// Of which symbols.
    pub alphabet: Alphabet,
}

impl Shape {
    /// Brings a guess as people type it into the form of a code, or `None` when it cannot be one. It is
    /// folded as numbers are: digits of every script, and no invisible characters, spaces and dashes.
    pub fn normalise(self, guess: &str) -> Option<String> {
        let symbols: String = folded(guess)
            .filter(|c| !parts_groups(*c))
            .map(|c| c.to_ascii_uppercase())
            .collect();
        let fits = symbols.len() == usize::from(self.length)
            && symbols
                .bytes()
                .all(|b| self.alphabet.symbols().contains(&b));
        fits.then_some(symbols)
    }
}

/// A one-time code in the clear. It exists while a message is written, a guess is compared or a reply
/// that asked for it is made. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Code(String);

impl Code {
    /// Derives a code from what names it: HMAC-SHA-256 over `parts`, and a counter, gives 64-bit words;
    /// the first word below the largest multiple of the number of codes is reduced to one. So every code
    /// is equally likely.
    pub(crate) fn derive(key: &[u8; 32], shape: Shape, parts: &[&[u8]]) -> Code {
        let symbols = shape.alphabet.symbols();
        let base = symbols.len() as u64;
        // 31^10 is below 2^50, so this cannot overflow for the lengths that a policy may ask for.
        let codes = base.pow(u32::from(shape.length.min(12)));
        let limit = u64::MAX - u64::MAX % codes;
        let mut word = (0_u32..)
            .flat_map(|counter| {
                let counter = counter.to_be_bytes();
                let mut parts = parts.to_vec();
                parts.push(&counter);
                let block = keyed(key, &parts);
                let words: [u64; 4] = std::array::from_fn(|i| {
                    let mut bytes = [0; 8];
                    bytes.copy_from_slice(&block[i * 8..i * 8 + 8]);
                    u64::from_be_bytes(bytes)
                });
                words
            })
            .find(|word| *word < limit)
            .unwrap_or(0);
        let mut text = vec![0; usize::from(shape.length)];
        for symbol in text.iter_mut().rev() {
            *symbol = symbols[(word % base) as usize];
            word /= base;
        }
        Code(String::from_utf8_lossy(&text).into_owned())
    }

    /// A code that somebody else has chosen; `None` when it is not of this shape.
    pub(crate) fn chosen(text: &str, shape: Shape) -> Option<Code> {
        shape.normalise(text).map(Code)
    }

    /// Compares in constant time with a guess that [`Shape::normalise`] made.
    pub(crate) fn matches(&self, guess: &str) -> bool {
        self.0.as_bytes().ct_eq(guess.as_bytes()).into()
    }

    /// The code in the clear, for the message or the reply that carries it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIX: Shape = Shape {
        length: 6,
        alphabet: Alphabet::Digits,
    };
    const LETTERS: Shape = Shape {
        length: 8,
        alphabet: Alphabet::Letters,
    };

    #[test]
    fn a_code_depends_on_key_and_parts_only() {
        let code = Code::derive(&[1; 32], SIX, &[b"a", b"b"]);
        assert_eq!(code, Code::derive(&[1; 32], SIX, &[b"a", b"b"]));
        assert_ne!(code, Code::derive(&[2; 32], SIX, &[b"a", b"b"]));
        assert_ne!(code, Code::derive(&[1; 32], SIX, &[b"a", b"c"]));
        assert_eq!(code.reveal().len(), 6);
        assert!(code.matches(code.reveal()));
        assert!(!code.matches("12345"));
    }

    #[test]
    fn every_digit_is_equally_likely_at_every_place() {
        let mut seen = [[0_u32; 10]; 6];
        let draws = 20_000_u32;
        for n in 0..draws {
            let code = Code::derive(&[9; 32], SIX, &[&n.to_be_bytes()]);
            for (place, digit) in code.reveal().bytes().enumerate() {
                seen[place][usize::from(digit - b'0')] += 1;
            }
        }
        // Five standard deviations of a binomial count with p = 0.1 around its mean.
        let mean = f64::from(draws) / 10.0;
        let spread = 5.0 * (f64::from(draws) * 0.09).sqrt();
        for counts in seen {
            for count in counts {
                assert!(
                    (f64::from(count) - mean).abs() < spread,
                    "{count} of {draws}"
                );
            }
        }
    }

    #[test]
    fn letters_avoid_look_alikes() {
        for n in 0..2_000_u32 {
            let code = Code::derive(&[9; 32], LETTERS, &[&n.to_be_bytes()]);
            assert!(!code.reveal().contains(['0', 'O', '1', 'I', 'L']));
        }
    }

    #[test]
    fn guesses_are_read_as_people_type_them() {
        assert_eq!(SIX.normalise(" 123-456 ").as_deref(), Some("123456"));
        assert_eq!(SIX.normalise("12345"), None);
        assert_eq!(SIX.normalise("12345a"), None);
        assert_eq!(SIX.normalise("12345²"), None);
        assert_eq!(SIX.normalise(""), None);
        assert_eq!(LETTERS.normalise("abcd2345").as_deref(), Some("ABCD2345"));
        assert_eq!(
            LETTERS.normalise("\u{200E}ａｂｃｄ–२३४५").as_deref(),
            Some("ABCD2345")
        );
        assert_eq!(LETTERS.normalise("abcd2340"), None);
    }

    #[test]
    fn a_code_is_the_same_in_every_script() {
        for guess in [
            "١٢٣٤٥٦",
            "۱۲۳۴۵۶",
            "１２３４５６",
            "๑๒๓๔๕๖",
            "१२३४५६",
            "𞥑𞥒𞥓𞥔𞥕𞥖",
            "1️⃣2️⃣3️⃣4️⃣5️⃣6️⃣",
            "\u{200E}123456\u{200F}",
            "\u{FEFF}123\u{200B}456",
            "123–456",
            "123\u{00A0}456",
            "123\u{202F}456\u{3000}",
            "[123 456]",
            "123.456\r\n",
        ] {
            assert_eq!(SIX.normalise(guess).as_deref(), Some("123456"), "{guess:?}");
        }
    }

    #[test]
    fn debug_hides_the_code() {
        let code = Code::derive(&[1; 32], SIX, &[b"a"]);
        assert!(!format!("{code:?}").contains(code.reveal()));
    }
}
