//! Keys and variables that do not exist, and which one was perhaps meant.

use figment::value::{Dict, Value};

use super::error::ConfigError;
use super::form::Form;
use super::variables::PREFIX;
use super::words::Spelling;

/// The place of the first name in a path that leads nowhere.
fn leads_nowhere(form: &Form, path: &[String]) -> usize {
    let nowhere = |at: &usize| form.find(&path[..=*at]).is_none();
    let last = path.len().saturating_sub(1);
    (0..path.len()).find(nowhere).unwrap_or(last)
}

/// A key that does not exist, and those that were perhaps meant.
pub(super) fn unknown(form: &Form, path: &[String], as_: Spelling) -> String {
    let at = leads_nowhere(form, path);
    let Some(dict) = form.above(&path[..=at]) else {
        return format!("no such key: {} is no table", as_.of(&path[..at]));
    };
    let mut meant = meant(form, path, at, as_);
    if let (true, Some((last, above))) = (meant.is_empty(), path.split_last())
        && let (Spelling::Variable, Some(plain)) = (as_, last.strip_suffix("_file"))
    {
        let plain = [above, &[plain.to_owned()]].concat();
        meant = self::meant(form, &plain, at, as_);
        meant.iter_mut().for_each(|variable| *variable += "_FILE");
    }
    if let (Spelling::File, Some(plain)) = (as_, path[at].strip_suffix("_file"))
        && dict.contains_key(plain)
    {
        let variable = Spelling::Variable.of(&[&path[..at], &[plain.to_owned()]].concat());
        return format!("no such key; only a variable, {variable}_FILE, names a file with a value");
    }
    let there = names(dict).collect::<Vec<_>>().join(", ");
    match (meant.is_empty(), there.is_empty()) {
        (true, true) => "no such key".to_owned(),
        (true, false) => format!("no such key; there are {there}"),
        (false, _) if there.is_empty() || names(dict).count() > 12 => {
            format!("no such key, did you mean {}?", any_of(&meant))
        }
        (false, _) => {
            let meant = any_of(&meant);
            format!("no such key, did you mean {meant}? There are {there}")
        }
    }
}

/// The keys that may be meant by a path whose name at this place is none: those beside it whose names are
/// nearly the same, else those elsewhere with the same name.
fn meant(form: &Form, path: &[String], at: usize, as_: Spelling) -> Vec<String> {
    let name = &path[at];
    let beside = form.above(&path[..=at]);
    let beside = beside.and_then(|dict| nearest(name, names(dict)));
    // Names with an underscore where a file has a dot, such as `database_url`.
    let flat = path[..=at].join("_");
    let words: Vec<&str> = flat.split('_').collect();
    let dotted = by_words(form, &words, &mut Vec::new()).filter(|found| found != &path[..=at]);
    let found = match beside {
        _ if dotted.is_some() => dotted.into_iter().collect(),
        Some(sibling) => vec![[&path[..at], &[sibling.to_owned()]].concat()],
        None => {
            let same = |other: &Vec<String>| other.last() == Some(name);
            form.paths().into_iter().filter(same).take(3).collect()
        }
    };
    let whole = found.into_iter().filter_map(|found: Vec<String>| {
        let whole = [&found[..], &path[at + 1..]].concat();
        let is_table = |path: &[String]| form.find(path).is_some_and(|v| v.as_dict().is_some());
        match (form.find(&whole).is_some(), as_) {
            (true, _) => Some(whole),
            // A variable sets no table.
            (false, Spelling::Variable) if is_table(&found) => None,
            (false, _) => Some(found),
        }
    });
    whole.map(|path| as_.of(&path)).collect()
}

/// A variable that sets no key.
pub(super) fn unknown_variable(form: &Form, variable: &str, path: &[String]) -> ConfigError {
    if path.len() > 1 && !path.iter().any(String::is_empty) {
        let reason = unknown(form, path, Spelling::Variable);
        let key = path[..=leads_nowhere(form, path)].join(".");
        return ConfigError::new(key, format!("{reason} (from {variable})"));
    }
    let rest = variable.strip_prefix(PREFIX).unwrap_or(variable);
    let meant = match meant_by(form, rest) {
        meant if meant.is_empty() => String::new(),
        meant => format!("; did you mean {}?", any_of(&meant)),
    };
    ConfigError::new(
        variable,
        format!(
            "is no key; write RINGBACK_<SECTION>__<KEY>, with two underscores between names{meant}"
        ),
    )
}

/// A variable with the name of a table.
pub(super) fn table_variable(form: &Form, variable: &str, path: &[String]) -> String {
    let mut key = path.to_vec();
    while let Some(Value::Dict(_, dict)) = form.key(&key) {
        let Some(first) = dict.keys().next() else {
            break;
        };
        key.push(first.clone());
    }
    format!(
        "is a table; set each of its keys, such as {} (from {variable})",
        Spelling::Variable.of(&key)
    )
}

/// The variables that may be meant by one whose names are not told apart as they should be.
fn meant_by(form: &Form, rest: &str) -> Vec<String> {
    let file = rest.to_ascii_uppercase().ends_with("_FILE");
    let lower = rest.to_ascii_lowercase();
    let words: Vec<&str> = lower.split('_').filter(|word| !word.is_empty()).collect();
    let (plain, suffix) = match file {
        true => (&words[..words.len() - 1], "_FILE"),
        false => (&words[..], ""),
    };
    let tries = [(&words[..], ""), (plain, suffix)];
    for (words, suffix) in tries {
        if let Some(path) = by_words(form, words, &mut Vec::new()) {
            return vec![Spelling::Variable.of(&path) + suffix];
        }
    }
    let flat = words.join("_");
    let keys: Vec<Vec<String>> = form
        .paths()
        .into_iter()
        .filter(|path| {
            form.key(path)
                .is_some_and(|value| value.as_dict().is_none())
        })
        .collect();
    let flat_names: Vec<String> = keys.iter().map(|path| path.join("_")).collect();
    if let Some(near) = nearest(&flat, flat_names.iter().map(String::as_str)) {
        let at = flat_names.iter().position(|name| name == near);
        let path = at.and_then(|at| keys.get(at));
        return path
            .map(|path| Spelling::Variable.of(path))
            .into_iter()
            .collect();
    }
    if flat == "config" || flat == "config_file" {
        return vec!["--config FILE".to_owned()];
    }
    if flat == "port" || flat.ends_with("_port") || flat == "host" {
        return vec![format!("{PREFIX}SERVER__LISTEN=127.0.0.1:8080")];
    }
    let same = |path: &&Vec<String>| path.last() == Some(&flat);
    let same = keys.iter().filter(same).take(3);
    same.map(|path| Spelling::Variable.of(path)).collect()
}

/// The key whose names, one after the other, are these words.
fn by_words(form: &Form, words: &[&str], path: &mut Vec<String>) -> Option<Vec<String>> {
    let mut deeper = path.clone();
    deeper.push("*".to_owned());
    let dict = form.above(&deeper)?;
    for key in dict.keys() {
        let own: Vec<&str> = key.split('_').collect();
        let lengths = match key.as_str() {
            "*" => 1..=words.len(),
            _ if words.starts_with(&own) => own.len()..=own.len(),
            _ => continue,
        };
        for length in lengths {
            let (head, rest) = words.split_at(length);
            path.push(head.join("_"));
            let found = match form.key(path) {
                Some(Value::Dict(..)) => by_words(form, rest, path),
                Some(_) if rest.is_empty() => Some(path.clone()),
                Some(_) | None => None,
            };
            if found.is_some() {
                return found;
            }
            path.pop();
        }
    }
    None
}

fn names(dict: &Dict) -> impl Iterator<Item = &str> {
    dict.keys().map(String::as_str).filter(|name| *name != "*")
}

pub(super) fn any_of(all: &[String]) -> String {
    match all {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        all => all.concat(),
    }
}

/// The name that differs from a text by a third of its letters at most, and by less than any other.
pub(super) fn nearest<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let text = text.to_ascii_lowercase();
    let most = text.chars().count().div_ceil(3).min(4);
    names
        .map(|name| (distance(&text, &name.to_ascii_lowercase()), name))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many letters must be put in, taken out or exchanged to make one text of the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, c) in one.chars().take(100).enumerate() {
        let mut before = row[0];
        row[0] = at + 1;
        for (column, d) in other.iter().enumerate() {
            let change = before + usize::from(c != *d);
            before = row[column + 1];
            row[column + 1] = change.min(before + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}
