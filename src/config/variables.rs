//! Environment variables: which key each one sets, which are somebody else's, and values that are in files.

use std::collections::BTreeMap;
use std::io::Read;

use figment::providers::{Format, Toml};
use figment::value::{Dict, Value};

use super::error::ConfigError;
use super::form::Form;
use super::meant;

pub(super) const PREFIX: &str = "RINGBACK_";

/// At the end of a variable's name: its value is the path of a file that holds the key's.
const IN_FILE: &str = "_file";

/// The longest value that is read from a file, in bytes.
const LARGEST: u64 = 64 * 1024;

/// One variable that sets a key.
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) path: Vec<String>,
    pub(super) value: Value,
    /// Where the value was read.
    pub(super) file: Option<String>,
}

/// Whether a variable with our prefix is not ours to read: the log filter, those of the test scripts, and
/// those that a cluster gives every container beside a service whose name begins with ours, such as
/// `ringback-worker`: `X_SERVICE_HOST`, `X_SERVICE_PORT…`, `X_PORT`, `X_PORT_8080_TCP…`. No section is called
/// so, and keys have two underscores before them.
pub(super) fn is_others(name: &str, value: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else {
        return true;
    };
    let of_tests = rest.starts_with("TEST_") && !rest.starts_with("TEST_NUMBERS");
    rest == "LOG" || of_tests || is_of_a_service(rest, value)
}

/// Whether a variable, without our prefix, is a cluster's.
pub(super) fn is_of_a_service(rest: &str, value: &str) -> bool {
    if rest.contains("__") {
        return false;
    }
    // What stands behind a word that is whole: at the beginning, or after an underscore.
    let behind = |word: &str, fits: &dyn Fn(&str) -> bool| {
        rest.match_indices(word).any(|(at, _)| {
            let whole = at == 0 || rest[..at].ends_with('_');
            whole && fits(&rest[at + word.len()..])
        })
    };
    let of_port = |after: &str| after.is_empty() || after.starts_with('_');
    let numbered = |after: &str| {
        let port = after.strip_prefix('_').unwrap_or_default();
        port.starts_with(|c: char| c.is_ascii_digit())
    };
    // A cluster's own holds an address; a number is somebody's who means a key of ours.
    let address = value.contains("://") || rest == "PORT";
    behind("SERVICE_HOST", &str::is_empty)
        || behind("SERVICE_PORT", &of_port)
        || behind("PORT", &|after| {
            numbered(after) || (after.is_empty() && address)
        })
}

/// Reads variables, in the order of their names. `below` is what they come over.
pub(super) fn read(
    variables: impl IntoIterator<Item = (String, String)>,
    form: &Form,
    below: &Dict,
) -> Result<Vec<Variable>, ConfigError> {
    let ours = variables
        .into_iter()
        .filter(|(name, value)| !is_others(name, value));
    let ours: BTreeMap<String, String> = ours.collect();
    let mut error = ConfigError::default();
    let mut read: Vec<Variable> = Vec::new();
    for (name, text) in ours {
        let variable = match Variable::read(&name, &text, form, below) {
            Ok(variable) => variable,
            Err(wrong) => {
                error.append(wrong);
                continue;
            }
        };
        match read.iter().find(|other| other.path == variable.path) {
            Some(other) => error.add(
                name,
                format!("sets the same key as {}; unset one of the two", other.name),
            ),
            None => read.push(variable),
        }
    }
    error.or_ok()?;
    Ok(read)
}

impl Variable {
    fn read(name: &str, text: &str, form: &Form, below: &Dict) -> Result<Variable, ConfigError> {
        let rest = name.strip_prefix(PREFIX).unwrap_or(name);
        let path = spelled(rest, below);
        let (path, in_file) = match without_suffix(rest) {
            Some(rest) if !is_key(form, &path) => {
                let shorter = spelled(rest, below);
                match form.key(&shorter) {
                    Some(_) => (shorter, true),
                    None => (path, false),
                }
            }
            Some(_) | None => (path, false),
        };
        let known = form
            .key(&path)
            .filter(|_| !path.iter().any(String::is_empty));
        let Some(known) = known else {
            return Err(meant::unknown_variable(form, name, &path));
        };
        if let Value::Dict(..) = known {
            let reason = meant::table_variable(form, name, &path);
            return Err(ConfigError::new(path.join("."), reason));
        }
        let (value, file) = match in_file {
            false => (value(text, known), None),
            true => {
                let content = content(text).map_err(|reason| ConfigError::new(name, reason))?;
                let content = match known {
                    // One a line, or as in a variable.
                    Value::Array(..) if !content.trim().starts_with('[') => {
                        let lines = content
                            .lines()
                            .map(|line| line.trim().trim_end_matches(','));
                        let lines = lines.filter(|line| !line.is_empty());
                        lines.collect::<Vec<_>>().join(",")
                    }
                    _ => content,
                };
                (value(&content, known), Some(text.to_owned()))
            }
        };
        Ok(Variable {
            name: name.to_owned(),
            path,
            value,
            file,
        })
    }

    /// Where the value comes from, for people.
    pub(super) fn origin(&self) -> String {
        match &self.file {
            Some(file) => format!("{}, {}", self.name, file.escape_debug()),
            None => self.name.clone(),
        }
    }
}

/// Whether a path is a key, and not a chosen name of a text that was given the suffix of a file.
fn is_key(form: &Form, path: &[String]) -> bool {
    form.key(path)
        .is_some_and(|value| value.as_str().is_none() || !form.is_chosen(path))
}

fn without_suffix(rest: &str) -> Option<&str> {
    let end = rest.len().checked_sub(IN_FILE.len())?;
    let suffix = rest.get(end..)?;
    suffix
        .eq_ignore_ascii_case(IN_FILE)
        .then(|| &rest[..end])
        .filter(|rest| !rest.is_empty() && !rest.ends_with('_'))
}

/// The names in `SECTION__KEY` as the layers below spell them: variables are upper case by custom, keys are
/// lower case, and the name of an issuer, a role or an organisation is as somebody wrote it.
fn spelled(name: &str, below: &Dict) -> Vec<String> {
    let mut path: Vec<String> = Vec::new();
    let mut below = Some(below);
    for written in name.split("__") {
        let known =
            below.and_then(|dict| dict.keys().find(|key| key.eq_ignore_ascii_case(written)));
        let by_name = path == ["auth", "roles"] || path == ["organizations"];
        path.push(match known {
            Some(key) => key.clone(),
            None if by_name => written.to_owned(),
            None => written.to_ascii_lowercase(),
        });
        let last = path.last();
        below = below
            .zip(last)
            .and_then(|(dict, key)| dict.get(key))
            .and_then(Value::as_dict);
    }
    path
}

/// What a file holds, without the end of its last line.
fn content(path: &str) -> Result<String, String> {
    if path.trim().is_empty() {
        return Err(
            "is empty; set it to the path of a file that holds the value, or unset it".into(),
        );
    }
    let shown = path.escape_debug();
    let unreadable = |error: std::io::Error| format!("{shown} cannot be read: {error}");
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!(
            "{shown} is longer than 64 KiB; is it the right file?"
        ));
    }
    let text = String::from_utf8(bytes).map_err(|_| format!("{shown} holds no text in UTF-8"))?;
    let text = text.trim_end_matches(['\n', '\r']);
    match text.trim().is_empty() {
        true => Err(format!(
            "{shown} is empty; it must hold the value and nothing else"
        )),
        false => Ok(text.to_owned()),
    }
}

/// Reads a text in the form of the value that it replaces, so that a text of digits stays a text. What does
/// not fit stays text, and is refused by name when the whole is read.
fn value(text: &str, form: &Value) -> Value {
    let trimmed = text.trim();
    match form {
        Value::Bool(..) => match trimmed {
            "true" => Value::from(true),
            "false" => Value::from(false),
            _ => Value::from(text),
        },
        Value::Num(..) => match trimmed.parse::<i128>() {
            Ok(number) => i64::try_from(number).map_or_else(|_| Value::from(number), Value::from),
            Err(_) => Value::from(text),
        },
        Value::Array(..) if trimmed.starts_with('[') => {
            let list = Toml::from_str::<Dict>(&format!("list = {trimmed}")).ok();
            list.and_then(|mut dict| dict.remove("list"))
                .unwrap_or_else(|| Value::from(text))
        }
        Value::Array(_, items) => {
            let texts = trimmed.split(',').map(str::trim);
            let items = texts.map(|text| match items.first() {
                Some(form) => value(text, form),
                None => Value::from(text),
            });
            match trimmed {
                "" => Value::from(Vec::<Value>::new()),
                _ => Value::from(items.collect::<Vec<Value>>()),
            }
        }
        Value::String(..) | Value::Char(..) | Value::Empty(..) | Value::Dict(..) => {
            Value::from(text)
        }
    }
}
