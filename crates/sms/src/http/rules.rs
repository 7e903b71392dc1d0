//! What an answer means: conditions on its status and its body, and what each stands for.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::class::{Class, is_code};

const FORM: &str = "is no condition; write a status such as \"429\" or \"4xx\", a place in the body such as \
     \"/code=21211\" or \"body=0: *\", or both: \"400 /code=21211\"";

/// Characters that are kept of what a provider calls a message.
const REFERENCE_LENGTH: usize = 100;

/// An answer, read once for all conditions.
pub(super) struct Read<'a> {
    status: u16,
    body: &'a [u8],
    json: Option<Value>,
}

impl<'a> Read<'a> {
    pub(super) fn new(status: u16, body: &'a [u8]) -> Read<'a> {
        let json = serde_json::from_slice(body).ok();
        Read { status, body, json }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(self.body).trim().to_owned()
    }

    fn at(&self, place: &Place) -> Option<String> {
        match place {
            Place::Pointer(pointer) => scalar(self.json.as_ref()?.pointer(pointer)?),
            Place::Body => Some(self.text()),
        }
    }
}

/// A text, a number, true or false, as text; `None` for anything else.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[derive(Clone, Copy)]
enum Status {
    Is(u16),
    Hundreds(u16),
}

#[derive(Clone, PartialEq, Eq)]
enum Place {
    Pointer(String),
    Body,
}

#[derive(Clone)]
enum Wanted {
    Anything,
    Is(String),
    Begins(String),
}

/// A condition on an answer.
#[derive(Clone)]
pub(super) struct Condition {
    status: Option<Status>,
    body: Option<(Place, Wanted)>,
}

impl Condition {
    pub(super) fn parse(text: &str) -> Result<Condition, &'static str> {
        let text = text.trim();
        if text.split(" /").skip(1).count() + usize::from(text.starts_with('/')) > 1 {
            return Err("looks at two places; a condition has one");
        }
        let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
        let (status, rest) = match read_status(first) {
            Some(status) => (Some(status), rest.trim()),
            None => (None, text),
        };
        if rest.is_empty() && status.is_some() {
            return Ok(Condition { status, body: None });
        }
        let (place, wanted) = match rest.split_once('=') {
            Some((place, wanted)) => (place.trim(), wanted.trim()),
            None => (rest, "*"),
        };
        let place = match place {
            "body" => Place::Body,
            pointer if pointer.starts_with('/') => Place::Pointer(pointer.to_owned()),
            _ => return Err(FORM),
        };
        let wanted = match wanted.strip_suffix('*') {
            Some("") => Wanted::Anything,
            Some(begin) => Wanted::Begins(begin.to_owned()),
            None => Wanted::Is(wanted.to_owned()),
        };
        Ok(Condition {
            status,
            body: Some((place, wanted)),
        })
    }

    fn holds(&self, read: &Read<'_>) -> bool {
        let status = self.status.is_none_or(|status| match status {
            Status::Is(wanted) => read.status == wanted,
            Status::Hundreds(hundreds) => read.status / 100 == hundreds,
        });
        status
            && self.body.as_ref().is_none_or(|(place, wanted)| {
                let found = read.at(place).filter(|found| !found.is_empty());
                found.is_some_and(|found| match wanted {
                    Wanted::Anything => true,
                    Wanted::Is(text) => found == *text,
                    Wanted::Begins(text) => found.starts_with(text.as_str()),
                })
            })
    }

    /// The more it asks for, the more it counts.
    fn weight(&self) -> u8 {
        let body = match &self.body {
            Some((_, Wanted::Is(_))) => 12,
            Some((_, Wanted::Begins(_))) => 8,
            Some((_, Wanted::Anything)) => 4,
            None => 0,
        };
        let status = match self.status {
            Some(Status::Is(_)) => 2,
            Some(Status::Hundreds(_)) => 1,
            None => 0,
        };
        body + status
    }
}

fn read_status(text: &str) -> Option<Status> {
    if let Some(hundreds) = text.strip_suffix("xx") {
        let hundreds = hundreds.parse().ok()?;
        return (1..=5)
            .contains(&hundreds)
            .then_some(Status::Hundreds(hundreds));
    }
    let status = text.parse().ok()?;
    (100..600).contains(&status).then_some(Status::Is(status))
}

/// Every condition of a route.
#[derive(Clone)]
pub(super) struct Rules {
    success: Vec<Condition>,
    /// What asks for more comes first.
    errors: Vec<(Condition, Class)>,
    reference: Option<Reference>,
}

#[derive(Clone)]
enum Reference {
    Pointer(String),
    After(String),
}

impl Rules {
    /// The error says which key is wrong, and what with it.
    pub(super) fn parse(
        success: &[String],
        errors: &BTreeMap<String, String>,
        reference: &str,
    ) -> Result<Rules, (&'static str, String)> {
        if success.is_empty() {
            return Err(("success", "is empty; leave it out for [\"2xx\"]".into()));
        }
        let named = |key: &'static str, text: &str| {
            Condition::parse(text).map_err(|says| (key, format!("{text:?} {says}")))
        };
        let success = success.iter().map(|text| named("success", text));
        let success = success.collect::<Result<Vec<_>, _>>()?;
        let mut all = Vec::new();
        for (text, name) in errors {
            let condition = named("errors", text)?;
            let class = Class::answered(name).ok_or_else(|| {
                let names = Class::answered_names();
                (
                    "errors",
                    format!("gives {text:?} a meaning that is none of {names}"),
                )
            })?;
            all.push((condition, class));
        }
        all.sort_by_key(|(condition, _)| std::cmp::Reverse(condition.weight()));
        let reference = match reference {
            "" => None,
            pointer if pointer.starts_with('/') => Some(Reference::Pointer(pointer.to_owned())),
            before => Some(Reference::After(before.to_owned())),
        };
        Ok(Rules {
            success,
            errors: all,
            reference,
        })
    }

    /// What an answer means, and what it is called in a reason.
    pub(super) fn judge(&self, read: &Read<'_>) -> (Class, String) {
        let says = format!("answered {}", read.status);
        let error = self
            .errors
            .iter()
            .find(|(condition, _)| condition.holds(read));
        let class = match error {
            Some((_, class)) => *class,
            None if self.success.iter().any(|one| one.holds(read)) => Class::Taken,
            None => match Class::of_status(read.status) {
                // It sounds well, and does not say what it should say then.
                Class::Taken => Class::Unknown,
                class => class,
            },
        };
        (class, format!("{says}{}", self.code(read)))
    }

    /// The code of an error, where the conditions look for one.
    fn code(&self, read: &Read<'_>) -> String {
        let all = self.errors.iter().map(|(condition, _)| condition);
        let places = all.chain(&self.success).filter_map(|one| one.body.as_ref());
        let mut found = places.filter_map(|(place, _)| match place {
            Place::Pointer(pointer) => {
                let code = read.at(place).filter(|code| is_code(code))?;
                Some(format!(" ({pointer}={code})"))
            }
            Place::Body => None,
        });
        found.next().unwrap_or_default()
    }

    /// What the provider calls the message.
    pub(super) fn reference(&self, read: &Read<'_>) -> Option<String> {
        let found = match self.reference.as_ref()? {
            Reference::Pointer(pointer) => scalar(read.json.as_ref()?.pointer(pointer)?)?,
            Reference::After(before) => {
                let text = read.text();
                let (_, after) = text.split_once(before.as_str())?;
                after.split_whitespace().next()?.to_owned()
            }
        };
        Some(found.chars().take(REFERENCE_LENGTH).collect())
    }
}
