//! What an installation says about its texts: `[messages]`, and `[organizations.ID.messages]`.

use std::collections::BTreeMap;

use serde::Deserialize;

pub use super::catalogue::Wording;

/// `[messages]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextRules {
    /// The name that messages speak of.
    pub service_name: String,
    /// The host of the origin-bound last line; empty for none.
    pub domain: String,
    /// 11 characters for Android's SMS Retriever; empty for none.
    pub android_hash: String,
    /// The language of readers who ask for none that there are texts in.
    pub language: String,
    /// How long texts may become.
    pub max_segments: MaxSegments,
    /// Texts in place of ringback's own, by language.
    pub texts: BTreeMap<String, Wording>,
}

/// `[messages.max_segments]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaxSegments {
    /// In languages that are written in GSM 03.38.
    pub gsm7: usize,
    /// In all others.
    pub ucs2: usize,
}

/// `[organizations.ID.messages]`: each key that it leaves out is everybody's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OwnTextRules {
    /// As `messages.service_name`.
    pub service_name: Option<String>,
    /// As `messages.domain`.
    pub domain: Option<String>,
    /// As `messages.android_hash`.
    pub android_hash: Option<String>,
    /// As `messages.language`.
    pub language: Option<String>,
    /// As `messages.texts`, laid over them.
    pub texts: BTreeMap<String, Wording>,
}

impl OwnTextRules {
    /// Whether they change what is filled into texts that are not their own.
    pub(super) fn fills_texts(&self) -> bool {
        self.service_name.is_some() || self.domain.is_some() || self.android_hash.is_some()
    }

    /// These rules over everybody's, but for the texts.
    pub(super) fn over(&self, everybodys: &TextRules) -> TextRules {
        let own = |own: &Option<String>, else_: &String| own.as_ref().unwrap_or(else_).clone();
        TextRules {
            service_name: own(&self.service_name, &everybodys.service_name),
            domain: own(&self.domain, &everybodys.domain),
            android_hash: own(&self.android_hash, &everybodys.android_hash),
            language: own(&self.language, &everybodys.language),
            max_segments: everybodys.max_segments,
            texts: self.texts.clone(),
        }
    }
}

/// How long codes are, and how long they live: what the longest text holds.
#[derive(Clone, Copy, Debug)]
pub struct CodeShape {
    /// Symbols.
    pub length: usize,
    /// Minutes.
    pub minutes: u64,
}

/// One key and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextProblem {
    /// Such as `messages.domain`.
    pub key: String,
    /// What is wrong and what to do.
    pub reason: String,
}

/// What is wrong with the words that are not texts, by the last name of their keys.
pub(super) fn judge(rules: &TextRules) -> Vec<(&'static str, String)> {
    let mut wrong = Vec::new();
    let mut add = |key, reason: &str| wrong.push((key, reason.to_owned()));
    let name = &rules.service_name;
    if !(1..=40).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        add("service_name", "must have 1 to 40 printable characters");
    } else if name.trim() != name {
        add("service_name", "must not begin or end with a space");
    } else if super::template::markup(name).is_some() {
        add(
            "service_name",
            "holds markup, which a text message shows as it is; write plain text",
        );
    }
    if !rules.domain.is_empty() && !is_host(&rules.domain) {
        add(
            "domain",
            "must be a host name such as example.com, without https://, port and path; letters beyond a to z as \
             xn--",
        );
    }
    let hash = &rules.android_hash;
    let symbol = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
    let whole = hash.len() == 11 && hash.chars().all(symbol);
    if !hash.is_empty() && !whole {
        add(
            "android_hash",
            "must have the 11 characters that Android computes, or none",
        );
    }
    wrong
}

pub(super) fn judge_max(max: MaxSegments) -> Vec<TextProblem> {
    let keys = [("gsm7", max.gsm7), ("ucs2", max.ucs2)];
    keys.into_iter()
        .filter(|(_, count)| !(1..=10).contains(count))
        .map(|(key, _)| TextProblem {
            key: format!("messages.max_segments.{key}"),
            reason: "must be 1 to 10".into(),
        })
        .collect()
}

fn is_host(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(inner)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_host_alone() {
        for host in [
            "example.com",
            "localhost",
            "xn--bcher-kva.example",
            "127.0.0.1",
            "A-1.example",
        ] {
            assert!(is_host(host), "{host}");
        }
        for text in [
            "https://example.com",
            "example.com/",
            "example.com:8443",
            "example.com.",
            ".example.com",
            "exa mple.com",
            "-a.example",
            "bücher.example",
            "@example.com",
            "a..b",
            &"a".repeat(64),
        ] {
            assert!(!is_host(text), "{text}");
        }
    }
}
