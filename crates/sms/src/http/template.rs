//! Texts with places for what a message has: `{to}`, `{text}`, `{secret.NAME}`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use ringback_core::Time;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::segments::is_gsm;
use crate::{Sms, rfc3339};

/// What is said of a text that cannot be read, which is not repeated: it may hold a secret.
fn no_field(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || matches!(c, '_' | '.');
    match (1..=30).contains(&name.len()) && name.chars().all(plain) {
        true if name.starts_with("secret.") => {
            format!("holds {{{name}}}, and the table secret has no such key")
        }
        true => format!("holds {{{name}}}, which is no name; {NAMES}"),
        false => format!("holds a name in braces that there is none of; {NAMES}"),
    }
}

const NAMES: &str = "there are {to}, {to_digits}, {text}, {code}, \
     {sender}, {id}, {callback}, {validity_seconds}, {validity_minutes}, {expires_at}, {expires_unix}, {language}, {kind}, {unicode} \
     and {secret.NAME} of the table secret; write {{ and }} for braces";

/// What a message has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    To,
    ToDigits,
    Text,
    Code,
    Sender,
    Id,
    Callback,
    ValiditySeconds,
    ValidityMinutes,
    ExpiresAt,
    ExpiresUnix,
    Language,
    Kind,
    Unicode,
}

const FIELDS: [(&str, Field); 14] = [
    ("to", Field::To),
    ("to_digits", Field::ToDigits),
    ("text", Field::Text),
    ("code", Field::Code),
    ("sender", Field::Sender),
    ("id", Field::Id),
    ("callback", Field::Callback),
    ("validity_seconds", Field::ValiditySeconds),
    ("validity_minutes", Field::ValidityMinutes),
    ("expires_at", Field::ExpiresAt),
    ("expires_unix", Field::ExpiresUnix),
    ("language", Field::Language),
    ("kind", Field::Kind),
    ("unicode", Field::Unicode),
];

impl Field {
    /// Whether every message has it.
    fn always(self) -> bool {
        !matches!(
            self,
            Field::Code | Field::Sender | Field::Callback | Field::Language | Field::Unicode
        )
    }
}

/// A message, as templates see it.
pub(super) struct Values<'a> {
    sms: &'a Sms,
    /// Seconds for which it is of use, as far as the provider can be told.
    validity: u64,
    /// And until when.
    expires_at: Time,
}

impl<'a> Values<'a> {
    /// `bounds`: the least and the most seconds that the provider takes.
    pub(super) fn new(sms: &'a Sms, now: Time, bounds: (u64, u64)) -> Values<'a> {
        let left = sms.expires_at.since(now).as_secs();
        let validity = left.clamp(bounds.0, bounds.1);
        Values {
            sms,
            validity,
            expires_at: match validity == left {
                true => sms.expires_at,
                false => now + Duration::from_secs(validity),
            },
        }
    }

    fn get(&self, field: Field) -> Option<Cow<'a, str>> {
        let sms = self.sms;
        let given = |text: &'a str| (!text.is_empty()).then_some(Cow::Borrowed(text));
        match field {
            Field::To => given(sms.to.as_str()),
            Field::ToDigits => given(sms.to.as_str().trim_start_matches('+')),
            Field::Text => given(&sms.text),
            Field::Code => sms.code.as_ref().and_then(|code| given(code.reveal())),
            Field::Sender => sms.sender.as_deref().and_then(given),
            Field::Id => given(&sms.id),
            Field::Callback => sms.callback.as_deref().and_then(given),
            Field::ValiditySeconds => Some(Cow::Owned(self.validity.to_string())),
            // Whole minutes: rather one too few than one too many, and never none.
            Field::ValidityMinutes => Some(Cow::Owned((self.validity / 60).max(1).to_string())),
            Field::ExpiresAt => Some(Cow::Owned(rfc3339(self.expires_at))),
            Field::ExpiresUnix => Some(Cow::Owned((self.expires_at.0 / 1_000_000).to_string())),
            Field::Language => given(first_language(&sms.language)),
            Field::Kind => given(sms.kind),
            // Writes nothing: it keeps a field that only texts beyond GSM 03.38 need, such as `2{unicode}`.
            Field::Unicode => (!sms.text.chars().all(is_gsm)).then_some(Cow::Borrowed("")),
        }
    }
}

/// The first tag of an Accept-Language header; empty when there is none.
fn first_language(header: &str) -> &str {
    let first = header.split(',').next().unwrap_or_default();
    let tag = first.split(';').next().unwrap_or_default().trim();
    tag.trim_start_matches('*')
}

/// A text with places.
#[derive(Clone)]
pub(super) struct Template(Vec<Part>);

#[derive(Clone)]
enum Part {
    Text(String),
    Field(Field),
    Secret(SecretString),
}

impl Template {
    pub(super) fn parse(
        text: &str,
        secrets: &BTreeMap<String, SecretString>,
    ) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            plain.push_str(before);
            if let Some(after) = from.strip_prefix("{{") {
                plain.push('{');
                rest = after;
            } else if let Some(after) = from.strip_prefix("}}") {
                plain.push('}');
                rest = after;
            } else {
                let (name, after) = from
                    .strip_prefix('{')
                    .and_then(|from| from.split_once('}'))
                    .ok_or_else(|| no_field(""))?;
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(part(name, secrets)?);
                rest = after;
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Template(parts))
    }

    /// The text; `None` when it has a place for what the message has not.
    pub(super) fn fill(&self, values: &Values<'_>) -> Option<String> {
        self.fill_with(values, str::to_owned)
    }

    /// The same, with what comes into places written by a rule.
    pub(super) fn fill_with(
        &self,
        values: &Values<'_>,
        escape: impl Fn(&str) -> String,
    ) -> Option<String> {
        let mut filled = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Field(field) => filled.push_str(&escape(&values.get(*field)?)),
                Part::Secret(secret) => filled.push_str(&escape(secret.expose_secret())),
            }
        }
        Some(filled)
    }

    /// The text where it has no place for anything of a message.
    pub(super) fn fixed(&self) -> Option<String> {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            Part::Secret(secret) => Some(secret.expose_secret()),
            Part::Field(_) => None,
        });
        parts.collect()
    }

    /// Whether every message can fill it.
    pub(super) fn always(&self) -> bool {
        self.0.iter().all(|part| match part {
            Part::Field(field) => field.always(),
            Part::Text(_) | Part::Secret(_) => true,
        })
    }

    /// Whether it has a place for one of these.
    pub(super) fn names(&self, any: &[Field]) -> bool {
        let names = |part: &Part| matches!(part, Part::Field(field) if any.contains(field));
        self.0.iter().any(names)
    }

    /// Whether it is a count of seconds or minutes and nothing else.
    fn is_number(&self) -> bool {
        matches!(
            self.0[..],
            [Part::Field(
                Field::ValiditySeconds | Field::ValidityMinutes | Field::ExpiresUnix
            )]
        )
    }
}

fn part(name: &str, secrets: &BTreeMap<String, SecretString>) -> Result<Part, String> {
    if let Some(name) = name.strip_prefix("secret.") {
        let secret = secrets.get(name);
        return secret.cloned().map(Part::Secret).ok_or_else(|| {
            let whole = format!("secret.{name}");
            no_field(&whole)
        });
    }
    let mut fields = FIELDS.into_iter();
    let field = fields.find(|(known, _)| *known == name);
    field
        .map(|(_, field)| Part::Field(field))
        .ok_or_else(|| no_field(name))
}

/// A JSON document whose texts have places.
#[derive(Clone)]
pub(super) enum JsonTemplate {
    Text(Template),
    Fixed(Value),
    List(Vec<JsonTemplate>),
    Object(Vec<(String, JsonTemplate)>),
}

impl JsonTemplate {
    pub(super) fn parse(
        value: &Value,
        secrets: &BTreeMap<String, SecretString>,
    ) -> Result<JsonTemplate, String> {
        Ok(match value {
            Value::String(text) => JsonTemplate::Text(Template::parse(text, secrets)?),
            Value::Array(items) => {
                let items = items.iter().map(|item| JsonTemplate::parse(item, secrets));
                JsonTemplate::List(items.collect::<Result<_, _>>()?)
            }
            Value::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| {
                    JsonTemplate::parse(value, secrets).map(|value| (name.clone(), value))
                });
                JsonTemplate::Object(fields.collect::<Result<_, _>>()?)
            }
            fixed => JsonTemplate::Fixed(fixed.clone()),
        })
    }

    /// The same as of [`Template::names`].
    pub(super) fn names(&self, any: &[Field]) -> bool {
        match self {
            JsonTemplate::Text(template) => template.names(any),
            JsonTemplate::Fixed(_) => false,
            JsonTemplate::List(items) => items.iter().any(|item| item.names(any)),
            JsonTemplate::Object(fields) => fields.iter().any(|(_, value)| value.names(any)),
        }
    }

    /// The document. What the message has not is left out, and so is what holds nothing else.
    pub(super) fn fill(&self, values: &Values<'_>) -> Option<Value> {
        match self {
            JsonTemplate::Text(template) => {
                let text = template.fill(values)?;
                Some(match text.parse::<u64>() {
                    Ok(number) if template.is_number() => Value::from(number),
                    _ => Value::String(text),
                })
            }
            JsonTemplate::Fixed(value) => Some(value.clone()),
            JsonTemplate::List(items) => {
                let filled: Vec<Value> =
                    items.iter().filter_map(|item| item.fill(values)).collect();
                (items.is_empty() || !filled.is_empty()).then_some(Value::Array(filled))
            }
            JsonTemplate::Object(fields) => {
                let filled: serde_json::Map<String, Value> = fields
                    .iter()
                    .filter_map(|(name, value)| Some((name.clone(), value.fill(values)?)))
                    .collect();
                (fields.is_empty() || !filled.is_empty()).then_some(Value::Object(filled))
            }
        }
    }
}
