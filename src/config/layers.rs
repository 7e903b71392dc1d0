//! Lays default file, file and environment over each other, and says where a wrong key came from.

use figment::error::{Actual, Kind};
use figment::providers::{Format, Toml};
use figment::value::{Dict, Value};
use serde::de::DeserializeOwned;

use super::error::ConfigError;

const PREFIX: &str = "RINGBACK_";

/// Variables with our prefix that are not ours to read: the log filter, those of the test scripts, and
/// those that Kubernetes gives every container beside a service of the name `ringback`.
const OTHERS: [&str; 2] = ["RINGBACK_LOG", "RINGBACK_PORT"];
const OTHERS_BEGIN: [&str; 3] = ["RINGBACK_TEST_", "RINGBACK_PORT_", "RINGBACK_SERVICE_"];

/// Whether a cluster gives a variable of such a name to every container beside a service whose name begins with
/// ours, such as `ringback-worker`: `X_SERVICE_HOST`, `X_SERVICE_PORT…`, `X_PORT`, `X_PORT_8080_TCP…`. No section
/// is called so, and keys have two underscores before them.
fn is_of_a_service(rest: &str) -> bool {
    let of_port = |after: &str| after.is_empty() || after.starts_with('_');
    let numbered = |after: &str| {
        let port = after.strip_prefix('_').unwrap_or_default();
        after.is_empty() || port.starts_with(|c: char| c.is_ascii_digit())
    };
    let after = |word: &str| rest.rsplit_once(word).map(|(_, after)| after);
    !rest.contains("__")
        && (rest.ends_with("_SERVICE_HOST")
            || after("_SERVICE_PORT").is_some_and(of_port)
            || after("_PORT").is_some_and(numbered))
}

/// The form of what has no entry in the default file; `*` is any name.
const SHAPES: &str = r#"
    [secrets.code_keys]
    "*" = ""
    [auth.roles]
    "*" = [""]
    [auth.issuers."*"]
    issuer = ""
    audiences = [""]
    algorithms = [""]
    jwks_url = ""
    jwks_file = ""
    public_key_file = ""
    secret = ""
    organization = ""
    organization_claim = ""
    may_grant = [""]
    everywhere = false
    home_organizations = [""]
    roles_claim = ""
    scopes_grant = false
    audience_required = false
    [sms.order]
    "*" = [""]
    [sms.routes."*"]
    type = ""
    countries = [""]
    kinds = [""]
    sender = ""
    timeout_seconds = 0
    max_in_flight = 0
    per_second = 0
    url = ""
    secrets = [""]
    allow_insecure = false
    receipts = false
    [sms.routes."*".sender_by_country]
    "*" = ""
    [organizations."*".numbers]
    default_region = ""
    kinds = [""]
    [vendor.clients."*"]
    client_id = ""
    secret = ""
"#;

/// Layers of configuration, the later ones over the earlier ones.
pub(super) struct Layers {
    merged: Dict,
    layers: Vec<(Origin, Dict)>,
}

enum Origin {
    Named(String),
    Environment,
}

impl Layers {
    pub(super) fn new() -> Layers {
        Layers {
            merged: Dict::new(),
            layers: Vec::new(),
        }
    }

    /// Lays the text of a TOML file over what is there.
    pub(super) fn text(self, name: &str, text: &str) -> Result<Layers, ConfigError> {
        let dict = parse(name, text)?;
        Ok(self.over(Origin::Named(name.to_owned()), dict))
    }

    /// Lays environment variables over what is there.
    pub(super) fn environment(
        mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Layers, ConfigError> {
        let shapes = parse("the shapes of keys", SHAPES)?;
        let mut dict = Dict::new();
        let mut error = ConfigError::default();
        for (name, text) in variables {
            let Some(rest) = name.strip_prefix(PREFIX) else {
                continue;
            };
            if OTHERS.contains(&name.as_str())
                || OTHERS_BEGIN.iter().any(|begin| name.starts_with(begin))
            {
                continue;
            }
            if is_of_a_service(rest) {
                tracing::debug!(
                    name,
                    "passed over: a cluster's variable for one of its services"
                );
                continue;
            }
            let path = self.spelled(rest);
            let section = |value: &Value| value.as_dict().is_some();
            let alone = path.len() < 2 && find(&self.merged, &path).is_none_or(section);
            if alone || path.iter().any(String::is_empty) {
                error.add(
                    name,
                    "is no key; write RINGBACK_<SECTION>__<KEY>, with two underscores between names",
                );
                continue;
            }
            let form = find(&self.merged, &path).or_else(|| find(&shapes, &path));
            let nested = path.iter().rev().fold(read(&text, form), |value, key| {
                Value::from(Dict::from([(key.clone(), value)]))
            });
            if let Value::Dict(_, nested) = nested {
                merge(&mut dict, nested);
            }
        }
        error.or_ok()?;
        merge(&mut self.merged, dict.clone());
        self.layers.push((Origin::Environment, dict));
        Ok(self)
    }

    /// Reads all layers as one value.
    pub(super) fn read<T: DeserializeOwned>(self) -> Result<T, ConfigError> {
        Value::from(self.merged.clone())
            .deserialize()
            .map_err(|error| self.explain(error))
    }

    fn over(mut self, origin: Origin, dict: Dict) -> Layers {
        merge(&mut self.merged, dict.clone());
        self.layers.push((origin, dict));
        self
    }

    /// The names in `SECTION__KEY` as the layers below spell them: variables are upper case by custom,
    /// keys are lower case, and the name of an issuer, a role or an organisation is as somebody wrote it.
    fn spelled(&self, name: &str) -> Vec<String> {
        let mut path: Vec<String> = Vec::new();
        let mut below = Some(&self.merged);
        for written in name.split("__") {
            let known =
                below.and_then(|dict| dict.keys().find(|key| key.eq_ignore_ascii_case(written)));
            let by_name = path == ["auth", "roles"] || path == ["organizations"];
            let key = match known {
                Some(key) => key.clone(),
                None if by_name => written.to_owned(),
                None => written.to_ascii_lowercase(),
            };
            below = below
                .and_then(|dict| dict.get(&key))
                .and_then(Value::as_dict);
            path.push(key);
        }
        path
    }

    fn explain(&self, error: figment::Error) -> ConfigError {
        let mut path = error.path.clone();
        let reason = match &error.kind {
            Kind::UnknownField(name, known) => {
                if path.last() != Some(name) {
                    path.push(name.clone());
                }
                match known {
                    [] => "no such key".to_owned(),
                    known => format!("no such key; there are {}", known.join(", ")),
                }
            }
            Kind::MissingField(name) => {
                path.push(name.to_string());
                "is missing".to_owned()
            }
            Kind::UnknownVariant(_, known) => format!("must be one of {}", known.join(", ")),
            Kind::InvalidType(actual, expected) => {
                format!("must be {expected}, not {}", sort(actual))
            }
            Kind::InvalidValue(_, expected) => format!("must be {expected}"),
            Kind::InvalidLength(_, expected) => format!("must have {expected}"),
            Kind::ISizeOutOfRange(_) | Kind::USizeOutOfRange(_) => "is out of range".to_owned(),
            // Texts of readers of ours and of the standard library, which do not repeat what they read.
            Kind::Message(text) => text.clone(),
            Kind::DuplicateField(_) | Kind::Unsupported(_) | Kind::UnsupportedKey(..) => {
                "cannot be read".to_owned()
            }
        };
        let key = path.join(".");
        let origin = self
            .layers
            .iter()
            .rev()
            .find(|(_, dict)| find_exactly(dict, &path).is_some());
        match origin {
            Some((Origin::Named(name), _)) => {
                ConfigError::new(key, format!("{reason} (from {name})"))
            }
            Some((Origin::Environment, _)) => {
                let variable = format!("{PREFIX}{}", path.join("__").to_ascii_uppercase());
                ConfigError::new(key, format!("{reason} (from {variable})"))
            }
            None => ConfigError::new(key, reason),
        }
    }
}

/// Where a file breaks the rules of TOML is said by line: a line shown might show a secret.
fn parse(name: &str, text: &str) -> Result<Dict, ConfigError> {
    Toml::from_str::<Dict>(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = 1 + text
            .bytes()
            .take(start)
            .filter(|byte| *byte == b'\n')
            .count();
        ConfigError::new(
            format!("{name}, line {line}"),
            format!("is not TOML: {}", error.message()),
        )
    })
}

fn merge(base: &mut Dict, over: Dict) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Dict(_, below)), Value::Dict(_, above)) => merge(below, above),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// The value at a path, where `*` stands for any name.
fn find<'a>(dict: &'a Dict, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let value = dict.get(first).or_else(|| dict.get("*"))?;
    if rest.is_empty() {
        Some(value)
    } else {
        find(value.as_dict()?, rest)
    }
}

fn find_exactly<'a>(dict: &'a Dict, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    let value = dict.get(first)?;
    // Items of a list are named by their place; the list says where they came from.
    if rest.is_empty() || value.as_array().is_some() {
        Some(value)
    } else {
        find_exactly(value.as_dict()?, rest)
    }
}

/// Reads a variable in the form of the value that it replaces, so that a text of digits stays a text.
/// What does not fit stays text, and is refused by name when the whole is read.
fn read(text: &str, form: Option<&Value>) -> Value {
    match form {
        Some(Value::Bool(..)) => match text.trim() {
            "true" => Value::from(true),
            "false" => Value::from(false),
            _ => Value::from(text),
        },
        Some(Value::Num(..)) => match text.trim().parse::<i64>() {
            Ok(number) => Value::from(number),
            Err(_) => Value::from(text),
        },
        Some(Value::Array(_, items)) => {
            let trimmed = text.trim();
            if trimmed.starts_with('[') {
                let line = format!("list = {trimmed}");
                let list = Toml::from_str::<Dict>(&line).ok();
                list.and_then(|mut dict| dict.remove("list"))
                    .unwrap_or_else(|| Value::from(text))
            } else if trimmed.is_empty() {
                Value::from(Vec::<Value>::new())
            } else {
                let items = trimmed
                    .split(',')
                    .map(|item| read(item.trim(), items.first()));
                Value::from(items.collect::<Vec<Value>>())
            }
        }
        Some(Value::String(..) | Value::Char(..) | Value::Empty(..) | Value::Dict(..)) | None => {
            Value::from(text)
        }
    }
}

fn sort(actual: &Actual) -> &'static str {
    match actual {
        Actual::Bool(_) => "true or false",
        Actual::Unsigned(_) | Actual::Signed(_) | Actual::Float(_) => "a number",
        Actual::Str(_) | Actual::Char(_) => "a text",
        Actual::Seq => "a list",
        Actual::Map => "a table",
        _ => "this",
    }
}
