//! A user's fields, read by name. What cannot be read is told by its name and never shown.

use std::str::FromStr;

use prost_types::Timestamp;
use ringback_core::{Id, Time};
use serde_json::Value;

use super::{Object, Wrong};

/// What counts ends here, far from where it could not go on, and where other programs read it as it is.
const COUNTS: u64 = 1 << 53;

/// Fields that are taken out one by one.
pub(super) struct Fields {
    object: Object,
    /// What they are of, before their names: `number 2: `.
    of: String,
}

impl Fields {
    pub(super) fn new(object: Object) -> Fields {
        Fields {
            object,
            of: String::new(),
        }
    }

    /// The same, of something within a user.
    pub(super) fn of(value: Value, of: &str) -> Result<Fields, Wrong> {
        match value {
            Value::Object(object) => Ok(Fields {
                object,
                of: format!("{of}: "),
            }),
            _ => Err(format!("{of}: is no JSON object")),
        }
    }

    /// Something wrong with a field.
    pub(super) fn wrong(&self, name: &str, rule: &str) -> Wrong {
        format!("{}{name} {rule}", self.of)
    }

    /// A field; none where it is missing, null or an empty text.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        match self.object.remove(name)? {
            Value::Null => None,
            Value::String(text) if text.is_empty() => None,
            value => Some(value),
        }
    }

    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Wrong> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "must be a text")),
        }
    }

    /// A text, empty where there is none.
    pub(super) fn some(&mut self, name: &str) -> Result<String, Wrong> {
        Ok(self.text(name)?.unwrap_or_default())
    }

    /// A text that must be there.
    pub(super) fn needed(&mut self, name: &str) -> Result<String, Wrong> {
        self.text(name)?
            .ok_or_else(|| self.wrong(name, "is missing"))
    }

    pub(super) fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>, Wrong> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(self.wrong(name, "must be a list")),
        }
    }

    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, Wrong> {
        let value = self.take(name);
        let text = match &value {
            None => return Ok(None),
            Some(Value::Bool(flag)) => return Ok(Some(*flag)),
            Some(Value::String(text)) => text.to_ascii_lowercase(),
            Some(Value::Number(number)) => number.to_string(),
            Some(_) => String::new(),
        };
        match text.trim() {
            "true" | "1" => Ok(Some(true)),
            "false" | "0" => Ok(Some(false)),
            _ => Err(self.wrong(name, "must be true or false")),
        }
    }

    /// A whole number that is not negative.
    pub(super) fn count(&mut self, name: &str) -> Result<Option<u64>, Wrong> {
        let read = match self.take(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(text)) => text.trim().parse().ok(),
            Some(_) => None,
        };
        let read = read.filter(|count| *count < COUNTS);
        read.map(Some)
            .ok_or_else(|| self.wrong(name, "must be a whole number below 2^53"))
    }

    /// A time in RFC 3339.
    pub(super) fn time(&mut self, name: &str) -> Result<Option<Time>, Wrong> {
        const RULE: &str = "must be a time such as 2026-01-31T12:00:00Z";
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let read = time(&text).filter(can_be_told);
        read.map(Some).ok_or_else(|| self.wrong(name, RULE))
    }

    /// A time as other services write it: in RFC 3339, or as seconds or milliseconds since 1970.
    pub(super) fn any_time(&mut self, name: &str) -> Result<Option<Time>, Wrong> {
        const RULE: &str =
            "must be a time: 2026-01-31T12:00:00Z, or seconds or milliseconds since 1970";
        let read = match self.take(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_f64().and_then(since_1970),
            Some(Value::String(text)) => match text.parse() {
                Ok(number) => since_1970(number),
                Err(_) => time(&text),
            },
            Some(_) => None,
        };
        let read = read.filter(can_be_told);
        read.map(Some).ok_or_else(|| self.wrong(name, RULE))
    }

    pub(super) fn id(&mut self, name: &str) -> Result<Option<Id>, Wrong> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        let rule = "must be an id as ringback gives them, or be left out";
        Id::parse(&text)
            .map(Some)
            .ok_or_else(|| self.wrong(name, rule))
    }

    /// Fails for what nobody has taken.
    pub(super) fn end(self) -> Result<(), Wrong> {
        let left = self.object.iter().find(|(_, value)| !value.is_null());
        match left {
            None => Ok(()),
            Some((name, _)) => {
                let shown = shown(name);
                Err(self.wrong(&shown, "is not known here; take it out, see docs/MOVING.md"))
            }
        }
    }
}

/// A name as it may be told: one that could be a number, or is none, is not.
pub(super) fn shown(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || " _-.:".contains(c);
    let digits = name.bytes().filter(u8::is_ascii_digit).count();
    match name.len() <= 40 && digits <= 4 && !name.trim().is_empty() && name.chars().all(plain) {
        true => name.to_owned(),
        false => "something".to_owned(),
    }
}

/// The years 1 to 9999, in UTC: JSON has no others for a time (google.protobuf.Timestamp).
fn can_be_told(time: &Time) -> bool {
    const FIRST: i64 = -62_135_596_800;
    const LAST: i64 = 253_402_300_799;
    (FIRST..=LAST).contains(&time.0.div_euclid(1_000_000))
}

fn time(text: &str) -> Option<Time> {
    // Times without a zone say when only to who knows where.
    let text = text.trim();
    let behind_the_date = text.get("2026-01-31".len()..).unwrap_or_default();
    let zone = text.ends_with(['Z', 'z']) || behind_the_date.contains(['+', '-']);
    let read = Timestamp::from_str(text).ok().filter(|_| zone)?;
    let seconds = read.seconds.checked_mul(1_000_000)?;
    seconds.checked_add(i64::from(read.nanos) / 1_000).map(Time)
}

fn since_1970(number: f64) -> Option<Time> {
    /// No seconds are so many for thousands of years, and milliseconds were that soon after 1970.
    const MILLISECONDS: f64 = 1e11;
    /// The year 10000.
    const LATEST: f64 = 253_402_300_800e6;
    let micros = match number.abs() < MILLISECONDS {
        true => number * 1e6,
        false => number * 1e3,
    };
    let micros = micros.round();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "far from where integers end"
    )]
    (micros.abs() < LATEST).then_some(Time(micros as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_or_refused_whatever_the_text_holds() {
        assert!(time("2026-01-31T12:00:00Z").is_some());
        assert!(time(" 2026-01-31T12:00:00+01:00 ").is_some());
        for text in [
            "",
            "Z",
            "2026-01-31",
            "2026-01-31T12:00:00",
            "14863\u{661}70\u{feff}00",
            "2026-01-3\u{661}T12:00:00+01:00",
            "\u{1f4f1}\u{1f4f1}\u{1f4f1}\u{1f4f1}",
        ] {
            assert_eq!(time(text), None, "{text:?}");
        }
    }
}
