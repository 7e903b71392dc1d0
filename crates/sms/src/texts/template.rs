//! One text with places for what changes from message to message, read once.

use super::Kind;

/// What may be put into a text.
const PLACEHOLDERS: [&str; 3] = ["{code}", "{service}", "{minutes}"];

/// A text with its places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Words(String),
    Code,
    Service,
    Minutes,
}

/// What goes into the places of a text.
#[derive(Clone, Copy)]
pub(super) struct Fill<'a> {
    pub(super) code: &'a str,
    pub(super) service: &'a str,
    pub(super) minutes: u64,
}

impl Template {
    /// Reads a text of a kind, or says what is wrong with it and what to do.
    pub(super) fn parse(text: &str, kind: Kind) -> Result<Template, String> {
        let text = text.trim().replace("\r\n", "\n");
        if text.is_empty() {
            return Err("is empty; leave it out for ringback's own text".into());
        }
        if text.contains(|c: char| c.is_control() && c != '\n') {
            return Err("holds a control character; leave it out".into());
        }
        if let Some(markup) = markup(&text) {
            return Err(format!(
                "holds markup ({markup}), which a text message shows as it is; write plain text"
            ));
        }
        let template = Template {
            pieces: pieces(&text)?,
        };
        template.judge_places(kind)?;
        Ok(template)
    }

    /// Whether all that is needed is there, nothing that cannot be, and the code can be read off.
    fn judge_places(&self, kind: Kind) -> Result<(), String> {
        let codes = self.count(&Piece::Code);
        if !kind.holds_code() {
            return match codes + self.count(&Piece::Minutes) {
                0 => Ok(()),
                _ => {
                    Err("is a notice, which has no {code} and no {minutes}; leave them out".into())
                }
            };
        }
        if codes != 1 {
            return Err(match codes {
                0 => "lacks {code}; write it where the code shall stand".into(),
                _ => format!("has {{code}} {codes} times; write it once"),
            });
        }
        match self.beside_the_code().find(|c| is_of_a_word(*c)) {
            Some(c) => Err(format!(
                "has {c} right beside {{code}}, where phones would read it as part of the code; set a space between"
            )),
            None => Ok(()),
        }
    }

    fn count(&self, wanted: &Piece) -> usize {
        self.pieces.iter().filter(|piece| *piece == wanted).count()
    }

    /// The characters that touch the code; a letter for a place that is filled with any.
    fn beside_the_code(&self) -> impl Iterator<Item = char> {
        let at = self.pieces.iter().position(|piece| *piece == Piece::Code);
        let at = at.unwrap_or(self.pieces.len());
        let edge = |piece: Option<&Piece>, of: fn(&str) -> Option<char>| match piece {
            Some(Piece::Words(words)) => of(words),
            Some(Piece::Code | Piece::Service | Piece::Minutes) => Some('}'),
            None => None,
        };
        let before = at.checked_sub(1).and_then(|at| self.pieces.get(at));
        let before = edge(before, |words| words.chars().next_back());
        let after = edge(self.pieces.get(at + 1), |words| words.chars().next());
        // A brace cannot be in words: it stands for a neighbour that is a place.
        [before, after].into_iter().flatten()
    }

    /// The characters of its words that satisfy `wanted`, each once.
    pub(super) fn letters(&self, wanted: impl Fn(char) -> bool) -> String {
        let mut found = String::new();
        for piece in &self.pieces {
            if let Piece::Words(words) = piece {
                for c in words.chars() {
                    if wanted(c) && !found.contains(c) {
                        found.push(c);
                    }
                }
            }
        }
        found
    }

    /// Puts the filled text at the end of `out`.
    pub(super) fn fill(&self, with: Fill<'_>, out: &mut String) {
        for piece in &self.pieces {
            match piece {
                Piece::Words(words) => out.push_str(words),
                Piece::Code => out.push_str(with.code),
                Piece::Service => out.push_str(with.service),
                Piece::Minutes => out.push_str(&with.minutes.to_string()),
            }
        }
    }
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (words, tail) = rest.split_at(at);
        if !words.is_empty() {
            pieces.push(Piece::Words(words.to_owned()));
        }
        let end = tail.find('}').filter(|_| tail.starts_with('{'));
        let Some(end) = end else {
            return Err("has a brace that belongs to no placeholder; take it out".into());
        };
        let (name, after) = tail.split_at(end + 1);
        pieces.push(match name {
            "{code}" => Piece::Code,
            "{service}" => Piece::Service,
            "{minutes}" => Piece::Minutes,
            other => {
                let known = PLACEHOLDERS.join(", ");
                return Err(format!("has no placeholder {other}; there are {known}"));
            }
        });
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Words(rest.to_owned()));
    }
    Ok(pieces)
}

/// Whether a phone could take the character for a part of a code that it touches.
fn is_of_a_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '-' | '_' | '#' | '@' | '+' | '/' | '}')
}

/// The first piece of HTML or Markdown, such as `<br>`, `&nbsp;` or `**`.
pub(super) fn markup(text: &str) -> Option<&str> {
    let marks = ["**", "__", "``", "]("];
    tag(text)
        .or_else(|| entity(text))
        .or_else(|| marks.into_iter().find(|mark| text.contains(mark)))
}

/// `<` as the beginning of a tag; `<#>`, which old Android apps look for, is none.
fn tag(text: &str) -> Option<&str> {
    text.match_indices('<').find_map(|(at, _)| {
        let tail = &text[at..];
        let begins = |c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?');
        let end = tail.find('>')?;
        tail[1..].starts_with(begins).then(|| &tail[..=end])
    })
}

fn entity(text: &str) -> Option<&str> {
    text.match_indices('&').find_map(|(at, _)| {
        let tail = &text[at..];
        let end = tail.find(';')?;
        let name = &tail[1..end];
        let word = |text: &str, least| {
            text.len() >= least && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        let whole = match name.strip_prefix('#') {
            Some(number) => word(number, 1),
            None => word(name, 2),
        };
        whole.then(|| &tail[..=end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str, kind: Kind) -> String {
        Template::parse(text, kind).expect_err(text)
    }

    #[test]
    fn a_text_is_read_once_and_filled_often() {
        let template = Template::parse(" {code}: {service}, {minutes} min\r\n", Kind::Code);
        let template = template.expect("a text in order");
        let mut text = "> ".to_owned();
        let with = Fill {
            code: "123456",
            service: "{code} & Co",
            minutes: 10,
        };
        template.fill(with, &mut text);
        assert_eq!(text, "> 123456: {code} & Co, 10 min");
    }

    #[test]
    fn what_is_missing_or_unknown_is_named() {
        assert!(wrong(" \n", Kind::Code).starts_with("is empty"));
        assert!(wrong("Your code", Kind::Code).starts_with("lacks {code}"));
        assert!(wrong("{code} {code}", Kind::RemovalCode).contains("2 times"));
        let unknown = wrong("{code} {name}", Kind::Code);
        assert!(unknown.contains("{name}; there are {code}, {service}, {minutes}"));
        for text in [
            "{code",
            "code}",
            "{code} {}",
            "{code} {{service}}",
            "}{",
            "{Code}",
        ] {
            let reason = wrong(text, Kind::Code);
            assert!(reason.contains("placeholder"), "{text}: {reason}");
        }
        for text in ["{code} was used", "gone in {minutes} min"] {
            assert!(wrong(text, Kind::Removed).starts_with("is a notice"));
            assert!(wrong(text, Kind::Replaced).starts_with("is a notice"));
        }
        assert!(wrong("a\tb", Kind::Removed).contains("control character"));
    }

    #[test]
    fn nothing_touches_the_code_that_could_be_part_of_it() {
        for text in [
            "G-{code}",
            "#{code}",
            "code{code}",
            "{code}is it",
            "{service}{code}",
            "{code}{minutes}",
            "码{code}",
            "{code}は",
            "1{code}",
        ] {
            assert!(wrong(text, Kind::Code).contains("right beside"), "{text}");
        }
        for text in [
            "{code}",
            "Code: {code}.",
            "({code})",
            "【{service}】{code}，",
            "{code}\nis it",
            "\"{code}\"",
        ] {
            assert!(Template::parse(text, Kind::Code).is_ok(), "{text}");
        }
    }

    #[test]
    fn markup_is_refused_and_plain_signs_are_not() {
        for text in [
            "{code}<br>now",
            "{code} <b>now</b>",
            "{code} </p>",
            "{code}<br/>",
            "{code}&nbsp;now",
            "{code} &#8217;",
            "{code} is **it**",
            "{code} [here](https://example.com)",
            "{code} <a href='https://example.com'>here</a>",
        ] {
            assert!(wrong(text, Kind::Code).contains("markup"), "{text}");
        }
        for text in [
            "<#> {code} is it",
            "{code} is < 5",
            "{code} R&D; more",
            "{code} 2 * 2 > 3 & 4; 5",
        ] {
            assert_eq!(markup(text), None, "{text}");
        }
    }
}
