//! The words of every message, in one place.

/// What messages say besides their news.
#[derive(Clone, Debug)]
pub struct Texts {
    /// Who writes; a name of up to 20 characters keeps each text in one segment.
    pub service_name: String,
    /// The site that browsers may fill the code in at, such as `example.com`.
    pub domain: Option<String>,
    /// The 11 characters that Android's SMS Retriever knows an app by.
    pub android_hash: Option<String>,
}

/// The news of a message.
#[derive(Clone, Copy)]
pub enum Content<'a> {
    /// A code to be typed in.
    Code {
        /// In the clear.
        code: &'a str,
        /// How long it can still be used.
        minutes_left: u64,
    },
    /// A code that removes the number.
    RemovalCode {
        /// In the clear.
        code: &'a str,
        /// How long it can still be used.
        minutes_left: u64,
    },
    /// To a verified number: it was replaced.
    Replaced,
    /// To a verified number: it was removed.
    Removed,
}

/// Writes a message. A code is followed by what machines look for: the app's hash, then the line
/// `@domain #code`, which must be the last one (WICG "Origin-bound one-time codes"), while the SMS Retriever
/// finds its hash anywhere.
pub fn text(content: Content<'_>, texts: &Texts) -> String {
    // The one place where another language would be chosen.
    let mut text = english(content, &texts.service_name);
    if let Content::Code { code, .. } | Content::RemovalCode { code, .. } = content {
        if let Some(hash) = &texts.android_hash {
            text.push_str(&format!("\n\n{hash}"));
        }
        if let Some(domain) = &texts.domain {
            text.push_str(&format!("\n\n@{domain} #{code}"));
        }
    }
    text
}

fn english(content: Content<'_>, service: &str) -> String {
    let minutes = |left| if left == 1 { "minute" } else { "minutes" };
    match content {
        Content::Code { code, minutes_left } => {
            let unit = minutes(minutes_left);
            format!(
                "{code} is your {service} code, good for {minutes_left} {unit}. \
                 Do not share it: nobody from {service} will ever ask you for it."
            )
        }
        Content::RemovalCode { code, minutes_left } => {
            let unit = minutes(minutes_left);
            format!(
                "{code} removes this phone number from your {service} account, for \
                 {minutes_left} {unit}. Do not share it with anybody."
            )
        }
        Content::Replaced => format!(
            "Your {service} account now uses another phone number instead of this one. \
             Not you? Contact {service} at once."
        ),
        Content::Removed => format!(
            "This phone number was removed from your {service} account. \
             Not you? Contact {service} at once."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// GSM 03.38, basic table: one septet each.
    const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
                         ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
    /// GSM 03.38, extension table: an escape and a septet each.
    const EXTENSION: &str = "\u{c}^{}\\[~]|€";

    /// `None` for a text that needs UCS-2.
    fn septets(text: &str) -> Option<usize> {
        text.chars()
            .map(|c| match c {
                c if BASIC.contains(c) => Some(1),
                c if EXTENSION.contains(c) => Some(2),
                _ => None,
            })
            .sum()
    }

    fn texts(domain: Option<&str>, hash: Option<&str>) -> Texts {
        Texts {
            service_name: "Twenty characters ok".into(),
            domain: domain.map(Into::into),
            android_hash: hash.map(Into::into),
        }
    }

    const LONGEST: Content<'_> = Content::Code {
        code: "ABCDEFGHJK",
        minutes_left: 1_440,
    };

    #[test]
    fn septets_are_counted_by_the_tables() {
        assert_eq!(septets("abc@"), Some(4));
        assert_eq!(septets("[€]"), Some(6));
        assert_eq!(septets("“abc”"), None);
        assert_eq!(BASIC.chars().count(), 127, "all but the escape");
    }

    #[test]
    fn no_text_needs_more_than_one_segment() {
        let texts = texts(None, None);
        assert_eq!(texts.service_name.chars().count(), 20);
        let removal = Content::RemovalCode {
            code: "1234567890",
            minutes_left: 1_440,
        };
        for content in [LONGEST, removal, Content::Replaced, Content::Removed] {
            let text = text(content, &texts);
            let count = septets(&text);
            assert!(count.is_some_and(|count| count <= 160), "{count:?}: {text}");
            assert!(text.contains(&texts.service_name));
        }
    }

    #[test]
    fn a_code_comes_with_its_time_and_a_warning() {
        let write = |minutes_left| {
            let code = "123456";
            text(Content::Code { code, minutes_left }, &texts(None, None))
        };
        assert!(write(10).starts_with("123456 "));
        assert!(write(10).contains("10 minutes.") && write(10).contains("Do not share"));
        assert!(write(1).contains("1 minute."));
    }

    #[test]
    fn the_origin_comes_last_and_the_hash_before_it() {
        let content = Content::Code {
            code: "123456",
            minutes_left: 10,
        };
        let (domain, hash) = (Some("example.com"), Some("FA+9qCX9VSu"));
        let last_lines = |texts: &Texts| -> Vec<String> {
            let text = text(content, texts);
            text.lines()
                .skip(1)
                .filter(|line| !line.is_empty())
                .map(Into::into)
                .collect()
        };
        assert_eq!(
            last_lines(&texts(domain, hash)),
            ["FA+9qCX9VSu", "@example.com #123456"]
        );
        assert_eq!(last_lines(&texts(domain, None)), ["@example.com #123456"]);
        assert_eq!(last_lines(&texts(None, hash)), ["FA+9qCX9VSu"]);
        assert_eq!(
            text(Content::Removed, &texts(domain, hash)),
            text(Content::Removed, &texts(None, None)),
            "a notice holds nothing to fill in"
        );
    }
}
