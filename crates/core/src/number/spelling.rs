//! How a number is spelt: what of a text is the number, before anybody asks whether such a number exists.

use super::NumberError;
use crate::typed::{folded, parts_groups};

/// What libphonenumber and telephones call an extension, in the languages whose words are in use, the
/// Cyrillic twin of `x`, and the pauses `p` and `w` that a telephone dials through. Compared with a whole
/// run of letters.
const EXTENSION: &[&str] = &[
    "x",
    "х",
    "xt",
    "xtn",
    "ext",
    "extn",
    "extension",
    "extensio",
    "extensión",
    "int",
    "interno",
    "anexo",
    "ramal",
    "poste",
    "durchwahl",
    "dw",
    "dahili",
    "доб",
    "добавочный",
    "вн",
    "внутр",
    "内線",
    "分机",
    "分機",
    "내선",
    "postd",
    "p",
    "w",
];

/// The number as an optional plus and ASCII digits: `+41791234567`, `0791234567`.
///
/// Understands the URIs of RFC 3966 (`tel:`, `phone-context`, `isub`). Refuses an extension, and whatever
/// is neither digit nor sign.
pub(super) fn plain(text: &str) -> Result<String, NumberError> {
    let text: String = folded(text).flat_map(char::to_lowercase).collect();
    let text = text.trim_matches(parts_groups);
    let (uri, text) = match text.strip_prefix("tel:") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (written, parameters) = text.split_once(';').unwrap_or((text, ""));
    let digits = digits(written)?;
    let context = context(parameters, uri)?;
    match context {
        Some(context) if !digits.starts_with('+') => Ok(context + &digits),
        Some(_) | None => Ok(digits),
    }
}

/// The digits, and the plus before them.
fn digits(written: &str) -> Result<String, NumberError> {
    let mut plain = String::with_capacity(written.len());
    for (at, c) in written.char_indices() {
        match c {
            '0'..='9' => plain.push(c),
            '+' if plain.is_empty() => plain.push(c),
            '+' if plain == "+" => {}
            c if parts_groups(c) => {}
            _ if plain.trim_start_matches('+').is_empty() => return Err(NumberError::Malformed),
            _ => {
                nothing_follows(&written[at..])?;
                break;
            }
        }
    }
    match plain.as_str() {
        "" => Err(NumberError::Empty),
        "+" => Err(NumberError::Malformed),
        _ => Ok(plain),
    }
}

/// Whether a number ends where something follows its digits: only with a text's own punctuation.
fn nothing_follows(rest: &str) -> Result<(), NumberError> {
    let ends = |c: char| parts_groups(c) || matches!(c, ',' | ':' | '!' | '?');
    if rest.chars().all(ends) {
        Ok(())
    } else if names_extension(rest) {
        Err(NumberError::Extension)
    } else {
        Err(NumberError::Malformed)
    }
}

/// Whether a text begins with a sign or word for an extension.
fn names_extension(rest: &str) -> bool {
    let word = rest.split(|c: char| !c.is_alphabetic()).next();
    rest.starts_with([',', '~', '#', '×']) || word.is_some_and(|word| EXTENSION.contains(&word))
}

/// What the parameters of a `tel:` URI say goes before the number: `+41` of `phone-context=+41`.
fn context(parameters: &str, uri: bool) -> Result<Option<String>, NumberError> {
    let mut context = None;
    for parameter in parameters
        .split(';')
        .map(|text| text.trim_matches(parts_groups))
    {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match name.trim() {
            "" | "isub" => {}
            "phone-context" if value.starts_with('+') => {
                context.get_or_insert(digits(value)?);
            }
            // The name of a host says who gave the number, and nothing of its country.
            "phone-context" if is_host(value) => {}
            // A telephone waits at a semicolon, and then dials what follows.
            name if names_extension(name) || name.starts_with(|c: char| c.is_ascii_digit()) => {
                return Err(NumberError::Extension);
            }
            // What we do not know may be passed over, unless it says that it must be known.
            name if uri && name != "phone-context" && !name.starts_with("m-") => {}
            _ => return Err(NumberError::Malformed),
        }
    }
    Ok(context)
}

/// A host name as RFC 3966 spells it: its last label begins with a letter.
fn is_host(value: &str) -> bool {
    let symbol = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    let last = value.trim_end_matches('.').rsplit('.').next();
    value.chars().all(symbol)
        && last.is_some_and(|label| label.starts_with(|c: char| c.is_ascii_alphabetic()))
}
