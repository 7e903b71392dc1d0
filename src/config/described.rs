//! The settings in effect, one by one, each with what the reference says of it.

use std::collections::HashMap;

use figment::value::{Dict, Value};
use secrecy::ExposeSecret;

use super::address::masked;
use super::show::{hidden, order};
use super::words::{name, toml};
use super::{Config, DEFAULTS};

/// A key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Such as `codes.length`.
    pub key: String,
    /// As a file has it; secrets are hidden.
    pub value: String,
    /// Where the value came from; none for the default.
    pub origin: Option<String>,
    /// What the reference says of the key, or of what it is in.
    pub about: String,
}

impl Config {
    /// Every key with its value, in the order of the reference.
    pub fn settings(&self) -> Vec<Setting> {
        let mut found = Vec::new();
        self.collect(self.sources.values(), &mut Vec::new(), &mut found);
        let (order, about) = (order(), abouts());
        let known = |path: &[String]| {
            let prefixes = (1..=path.len()).rev();
            let mut prefixes = prefixes.map(|end| path[..end].join("."));
            prefixes.find(|prefix| about.contains_key(prefix))
        };
        found.sort_by_key(|(path, _)| {
            let place = |end: usize| order.get(&path[..end].join(".")).copied();
            let section = place(1).unwrap_or(usize::MAX);
            let own = (1..=path.len()).rev().find_map(place);
            (section, own.unwrap_or(usize::MAX))
        });
        let settings = found.into_iter().map(|(path, value)| Setting {
            value: self.in_use(&path).unwrap_or_else(|| toml(&value)),
            origin: self.sources.origin(&path),
            about: known(&path)
                .and_then(|known| about.get(&known).cloned())
                .unwrap_or_default(),
            key: path
                .iter()
                .map(|part| name(part))
                .collect::<Vec<_>>()
                .join("."),
        });
        settings.collect()
    }

    /// What arguments of the program have set in place of a file.
    fn in_use(&self, path: &[String]) -> Option<String> {
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        let text = match path.as_slice() {
            ["server", "listen"] => self.server.listen.to_string(),
            ["database", "url"] => masked(self.database.url.expose_secret()),
            _ => return None,
        };
        Some(toml(&Value::from(text)))
    }

    fn collect(&self, dict: &Dict, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, Value)>) {
        for (name, value) in dict {
            path.push(name.clone());
            match value {
                Value::Dict(_, below) if !below.is_empty() => self.collect(below, path, found),
                value => found.push((path.clone(), hidden(path, value))),
            }
            path.pop();
        }
    }
}

/// The comments of the default file, by the key or the table that they stand before.
fn abouts() -> HashMap<String, String> {
    let mut abouts = HashMap::new();
    let (mut section, mut comment) = (String::new(), Vec::new());
    for line in DEFAULTS.lines() {
        if let Some(text) = line.strip_prefix('#') {
            comment.push(text.strip_prefix(' ').unwrap_or(text));
            continue;
        }
        let key = if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']').to_owned();
            section.clone()
        } else if let Some((key, _)) = line.split_once(" = ") {
            match section.is_empty() {
                true => key.to_owned(),
                false => format!("{section}.{key}"),
            }
        } else {
            comment.clear();
            continue;
        };
        // A key without a comment of its own is meant by the one above it.
        if !comment.is_empty() {
            abouts.insert(key, comment.join("\n"));
        }
        comment.clear();
    }
    abouts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_told_with_what_it_means_and_no_secret() {
        let variables = [
            ("RINGBACK_CODES__LENGTH", "8"),
            (
                "RINGBACK_DATABASE__URL",
                "postgres://ringback:hunter2@db/ringback",
            ),
            ("RINGBACK_SECRETS__PSEUDONYM_KEY", "hunter2"),
            ("RINGBACK_SMS__ROUTES__RELAY__TYPE", "webhook"),
            ("RINGBACK_SMS__ROUTES__RELAY__SECRETS", "hunter2"),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Config::load(None, variables).unwrap();
        let settings = config.settings();
        let of = |key: &str| {
            let found = settings.iter().find(|setting| setting.key == key);
            found.unwrap_or_else(|| panic!("no {key}"))
        };
        assert_eq!(of("codes.length").value, "8");
        let origin = of("codes.length").origin.as_deref();
        assert_eq!(origin, Some("RINGBACK_CODES__LENGTH"));
        assert_eq!(of("log.format").origin, None);
        assert!(of("log.format").about.contains("for people"));
        assert!(of("database.url").value.contains("db/ringback"));
        let all = format!("{settings:?}");
        assert!(!all.contains("hunter2"), "{all}");
        let first = settings.iter().position(|one| one.key == "server.listen");
        let later = settings.iter().position(|one| one.key == "log.level");
        assert!(first < later);
    }
}
