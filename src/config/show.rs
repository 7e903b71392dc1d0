//! The settings in effect, as a file that says where each came from.

use std::collections::HashMap;

use figment::value::{Dict, Value};

use super::address::{masked, web_address};
use super::words::{name, toml};
use super::{Config, DEFAULTS};

/// What is shown of a secret.
const SECRET: &str = "…";

impl Config {
    /// Every key with its value in the form of a file. Secrets are hidden; what is not a default says where it
    /// came from.
    pub fn in_effect(&self) -> String {
        let mut lines = vec![
            "# The settings in effect. What is no default says where it came from. Secrets and passwords are \
             hidden: …"
                .to_owned(),
        ];
        self.table(self.sources.values(), &mut Vec::new(), &order(), &mut lines);
        lines.push(String::new());
        lines.join("\n")
    }

    fn table(
        &self,
        dict: &Dict,
        path: &mut Vec<String>,
        order: &HashMap<String, usize>,
        lines: &mut Vec<String>,
    ) {
        let place = |name: &String| {
            let whole = [path.as_slice(), std::slice::from_ref(name)].concat();
            order.get(&whole.join(".")).copied().unwrap_or(usize::MAX)
        };
        let mut names: Vec<&String> = dict.keys().collect();
        names.sort_by_key(|name| place(name));
        let (tables, keys): (Vec<&String>, Vec<&String>) = names.into_iter().partition(|name| {
            dict.get(*name)
                .is_some_and(|value| value.as_dict().is_some())
        });
        if !path.is_empty() && (!keys.is_empty() || tables.is_empty()) {
            let names: Vec<String> = path.iter().map(|part| name(part)).collect();
            lines.push(format!("\n[{}]", names.join(".")));
        }
        for key in keys {
            path.push(key.clone());
            let value = dict.get(key).map(|value| hidden(path, value));
            let origin = self.sources.origin(path);
            let origin = origin.map_or_else(String::new, |origin| {
                format!("    # {}", origin.escape_debug())
            });
            let value = value.as_ref().map(toml).unwrap_or_default();
            lines.push(format!("{} = {value}{origin}", name(key)));
            path.pop();
        }
        for table in tables {
            if let Some(Value::Dict(_, below)) = dict.get(table) {
                path.push(table.clone());
                self.table(below, path, order, lines);
                path.pop();
            }
        }
    }
}

/// A value without what is secret in it.
pub(super) fn hidden(path: &[String], value: &Value) -> Value {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match (path.as_slice(), value) {
        (
            ["secrets", "code_keys", _]
            | ["secrets", "pseudonym_key"]
            | ["test_numbers", _, "code"]
            | ["auth", "issuers", _, "secret"]
            | ["vendor", "clients", _, "secret"],
            Value::String(_, text),
        ) if !text.is_empty() => Value::from(SECRET),
        (
            [
                "sms",
                "routes",
                _,
                "password" | "auth_token" | "api_secret" | "private_key" | "signature_secret",
            ]
            | ["sms", "routes", _, "secret", _]
            | ["sms", "routes", _, "receipt" | "inbound", "secret"],
            Value::String(_, text),
        ) if !text.is_empty() => Value::from(SECRET),
        (
            ["sms", "routes", _, "secrets"] | ["events", "endpoints", _, "secrets"],
            Value::Array(_, items),
        ) => Value::from(vec![SECRET; items.len()]),
        (["auth", "issuers", _, "jwks_url"], Value::String(_, text))
            if web_address(text, true).is_ok() =>
        {
            value.clone()
        }
        (
            ["database", "url"]
            | ["sms", "routes", _, ..]
            | ["events", "endpoints", _, "url"]
            | ["auth", "issuers", _, "jwks_url"],
            Value::String(_, text),
        ) => Value::from(masked(text)),
        (["sms", "routes", _, ..], Value::Array(_, items)) => {
            let items = items.iter().map(|item| match item {
                Value::String(_, text) => Value::from(masked(text)),
                other => other.clone(),
            });
            Value::from(items.collect::<Vec<_>>())
        }
        (_, value) => value.clone(),
    }
}

/// Where each key and table stands in the default file.
pub(super) fn order() -> HashMap<String, usize> {
    let mut order = HashMap::new();
    let mut section = String::new();
    for (at, line) in DEFAULTS.lines().enumerate() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
            // A table stands where the first of those below it does.
            let first = section.split('.').next().unwrap_or_default();
            order.entry(first.to_owned()).or_insert(at);
            order.entry(section.clone()).or_insert(at);
        } else if let Some((key, _)) = line.split_once(" = ")
            && !line.starts_with('#')
        {
            let key = match section.is_empty() {
                true => key.to_owned(),
                false => format!("{section}.{key}"),
            };
            order.entry(key).or_insert(at);
        }
    }
    order
}
