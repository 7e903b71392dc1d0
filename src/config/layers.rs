//! Lays default file, file and environment over each other, and knows where each value came from.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use figment::providers::{Format, Toml};
use figment::value::{Dict, Value};
use serde::de::DeserializeOwned;

use super::DEFAULTS;
use super::error::{ConfigError, Problem};
use super::form::{Form, Misfit, kind};
use super::meant;
use super::sms;
use super::variables::{self, Variable};
use super::words::{self, Spelling};

/// Layers of configuration, the later ones over the earlier ones.
pub(super) struct Layers {
    form: Form,
    sources: Layered,
}

/// Where the values of a configuration came from. `Debug` shows none of them.
#[derive(Clone, Default)]
pub(super) struct Sources(Arc<Layered>);

#[derive(Default)]
struct Layered {
    merged: Dict,
    /// Each with its name, for people.
    files: Vec<(String, Dict)>,
    variables: Vec<Variable>,
}

impl Layers {
    /// The default file alone.
    pub(super) fn new() -> Result<Layers, ConfigError> {
        let sources = Layered {
            merged: parse("the defaults", DEFAULTS)?,
            ..Layered::default()
        };
        let form = Form::new()?;
        Ok(Layers { form, sources })
    }

    /// Lays the text of a TOML file over what is there.
    pub(super) fn text(mut self, name: &str, text: &str) -> Result<Layers, ConfigError> {
        let dict = parse(name, text)?;
        merge(&mut self.sources.merged, dict.clone());
        self.sources.files.push((name.to_owned(), dict));
        Ok(self)
    }

    /// Lays environment variables over what is there.
    pub(super) fn environment(
        mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Layers, ConfigError> {
        let read = variables::read(variables, &self.form, &self.sources.merged)?;
        for variable in &read {
            put(
                &mut self.sources.merged,
                &variable.path,
                variable.value.clone(),
            );
        }
        self.sources.variables.extend(read);
        Ok(self)
    }

    /// Reads all layers as one value, and says everything that is no key or not what its key takes.
    pub(super) fn read<T: DeserializeOwned>(self) -> Result<(T, Sources), ConfigError> {
        let mut values = self.sources.merged.clone();
        let mut error = ConfigError::default();
        let mut mended = BTreeSet::new();
        for misfit in self.form.misfits(&values) {
            self.tell(&misfit, &mut error);
            mend(&mut values, misfit.path());
        }
        loop {
            let wrong: figment::Error = match Value::from(values.clone()).deserialize() {
                Ok(read) => {
                    error.or_ok()?;
                    return Ok((read, Sources(Arc::new(self.sources))));
                }
                Err(wrong) => wrong,
            };
            let path = path_of(&wrong);
            let found = find(&values, &path);
            // What is missing is missing in a table of a list.
            let there = path.len() - usize::from(found.is_none() && !path.is_empty());
            let (as_, origin) = self.sources.told(&path[..there]);
            let reason = words::unreadable(&self.form, &path, &wrong.kind, found, as_);
            error.add(path.join("."), format!("{reason}{origin}"));
            // Once for each key: what is still wrong with its default is wrong with the program.
            if path.is_empty() || !mended.insert(mend(&mut values, &path)) {
                return Err(error);
            }
        }
    }

    fn tell(&self, misfit: &Misfit, error: &mut ConfigError) {
        let path = misfit.path();
        let (as_, origin) = self.sources.told(path);
        if let Some(words) = sms::moved(path) {
            let found = find(&self.sources.merged, path).map_or("nothing", kind);
            error.add(path.join("."), format!("{words}; found {found}{origin}"));
            return;
        }
        let reason = match (misfit, find(&self.sources.merged, path)) {
            (Misfit::Kind(_), Some(found)) => words::wrong_kind(&self.form, path, found, as_),
            (Misfit::Unknown(_) | Misfit::Kind(_), _) => meant::unknown(&self.form, path, as_),
        };
        error.add(path.join("."), format!("{reason}{origin}"));
    }
}

impl Layered {
    /// Where a value came from; none for a default.
    fn origin(&self, path: &[String]) -> Option<String> {
        match self.variable(path) {
            Some(variable) => Some(variable.origin()),
            None => {
                let has = |(_, dict): &&(String, Dict)| find(dict, path).is_some();
                let layer = self.files.iter().rev().find(has);
                layer.map(|(name, _)| name.clone())
            }
        }
    }

    fn variable(&self, path: &[String]) -> Option<&Variable> {
        // Items of a list are named by their place; the list says where they came from.
        self.variables
            .iter()
            .find(|variable| path.starts_with(&variable.path))
    }

    /// How a key is written where its value came from, and that place in brackets.
    fn told(&self, path: &[String]) -> (Spelling, String) {
        let as_ = match self.variable(path) {
            Some(_) => Spelling::Variable,
            None => Spelling::File,
        };
        let origin = self.origin(path);
        let origin = origin.map_or_else(String::new, |origin| format!(" (from {origin})"));
        (as_, origin)
    }
}

impl Sources {
    /// All values, the later layers over the earlier ones.
    pub(super) fn values(&self) -> &Dict {
        &self.0.merged
    }

    /// Where a value came from; none for a default.
    pub(super) fn origin(&self, path: &[String]) -> Option<String> {
        self.0.origin(path)
    }

    /// Adds to what is wrong with keys where their values came from, and which number was found.
    pub(super) fn locate(&self, problem: &mut Problem) {
        let Some((path, value)) = named(&self.0.merged, &problem.key) else {
            return;
        };
        let found = match value {
            Value::Num(..) => format!("; found {}", words::toml(value)),
            Value::Dict(..) => return,
            _ => String::new(),
        };
        let (_, origin) = self.0.told(&path);
        problem.reason += &format!("{found}{origin}");
    }
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources").finish_non_exhaustive()
    }
}

/// The path to a key that is written with dots. Names may hold dots, too.
fn named<'a>(dict: &'a Dict, key: &str) -> Option<(Vec<String>, &'a Value)> {
    dict.iter().find_map(|(name, value)| {
        let rest = key.strip_prefix(name.as_str())?;
        if rest.is_empty() {
            return Some((vec![name.clone()], value));
        }
        let (mut path, value) = named(value.as_dict()?, rest.strip_prefix('.')?)?;
        path.insert(0, name.clone());
        Some((path, value))
    })
}

fn path_of(error: &figment::Error) -> Vec<String> {
    use figment::error::Kind;
    let mut path = error.path.clone();
    let last = match &error.kind {
        Kind::UnknownField(name, _) => name.as_str(),
        Kind::MissingField(name) => name,
        _ => return path,
    };
    if path.last().is_none_or(|name| name != last) {
        path.push(last.to_owned());
    }
    path
}

/// Takes away what is at a path, or the list that it is in, and puts the default in its place, if it has one.
/// Returns where.
fn mend(values: &mut Dict, path: &[String]) -> Vec<String> {
    let list = (1..path.len())
        .find(|end| find(values, &path[..*end]).is_some_and(|value| value.as_array().is_some()));
    let path = &path[..list.unwrap_or(path.len())];
    let defaults = parse("the defaults", DEFAULTS).unwrap_or_default();
    match find(&defaults, path) {
        Some(default) => put(values, path, default.clone()),
        None => take(values, path),
    }
    path.to_vec()
}

fn put(dict: &mut Dict, path: &[String], value: Value) {
    match path {
        [] => {}
        [last] => {
            dict.insert(last.clone(), value);
        }
        [first, rest @ ..] => {
            let below = dict
                .entry(first.clone())
                .or_insert_with(|| Value::from(Dict::new()));
            if below.as_dict().is_none() {
                *below = Value::from(Dict::new());
            }
            if let Value::Dict(_, below) = below {
                put(below, rest, value);
            }
        }
    }
}

fn take(dict: &mut Dict, path: &[String]) {
    match path {
        [] => {}
        [last] => {
            dict.remove(last);
        }
        [first, rest @ ..] => {
            if let Some(Value::Dict(_, below)) = dict.get_mut(first) {
                take(below, rest);
            }
        }
    }
}

/// Where a file breaks the rules of TOML is said by line: a line shown might show a secret.
pub(super) fn parse(name: &str, text: &str) -> Result<Dict, ConfigError> {
    Toml::from_str::<Dict>(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let line = 1 + text
            .bytes()
            .take(start)
            .filter(|byte| *byte == b'\n')
            .count();
        ConfigError::new(
            format!("{name}, line {line}"),
            format!(
                "is not TOML: {}; a text is written in quotes, such as listen = \"127.0.0.1:8080\"",
                error.message().replace('\n', ", ")
            ),
        )
    })
}

pub(super) fn merge(base: &mut Dict, over: Dict) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Dict(_, below)), Value::Dict(_, above)) => merge(below, above),
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}

/// What is at a path, which may lead into a list.
fn find<'a>(dict: &'a Dict, path: &[String]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter()
        .try_fold(dict.get(first)?, |value, name| match value {
            Value::Array(_, items) => items.get(name.parse::<usize>().ok()?),
            value => value.as_dict()?.get(name),
        })
}
