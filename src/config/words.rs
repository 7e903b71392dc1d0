//! What is wrong with a value, in words: what its key takes, and what was found.

use figment::error::Kind;
use figment::value::Value;

use super::form::{Form, kind};
use super::meant::{any_of, nearest};
use super::variables::PREFIX;

/// How a path is written: as in a file, or as a variable.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    File,
    Variable,
}

impl Spelling {
    pub(super) fn of(self, path: &[String]) -> String {
        let above = [""].into_iter().chain(path.iter().map(String::as_str));
        let names = path
            .iter()
            .zip(above)
            .map(|(name, above)| match name.as_str() {
                "*" if above == "code_keys" => "1".to_owned(),
                "*" => "NAME".to_owned(),
                name if self == Spelling::Variable => name.to_ascii_uppercase(),
                name => name.to_owned(),
            });
        let names: Vec<String> = names.collect();
        match self {
            Spelling::File => names.join("."),
            Spelling::Variable => format!("{PREFIX}{}", names.join("__")),
        }
    }

    /// A value as one would write it there.
    fn value(self, value: &Value) -> String {
        let simple = |item: &Value| item.as_dict().is_none();
        match (self, value) {
            (Spelling::Variable, Value::String(_, text)) => text.clone(),
            (Spelling::Variable, Value::Array(_, items)) if items.iter().all(simple) => {
                let items: Vec<String> = items.iter().map(|item| self.value(item)).collect();
                items.join(",")
            }
            (_, value) => toml(value),
        }
    }
}

/// A value as TOML writes it.
pub(super) fn toml(value: &Value) -> String {
    match value {
        Value::String(_, text) => quoted(text),
        Value::Char(_, c) => quoted(&c.to_string()),
        Value::Bool(_, bool) => bool.to_string(),
        Value::Num(_, number) => match (number.to_i128(), number.to_u128(), number.to_f64()) {
            (Some(number), _, _) => number.to_string(),
            (_, Some(number), _) => number.to_string(),
            (_, _, Some(number)) => format!("{number:?}"),
            (None, None, None) => String::new(),
        },
        Value::Empty(..) => quoted(""),
        Value::Array(_, items) => {
            let items: Vec<String> = items.iter().map(toml).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Dict(_, dict) if dict.is_empty() => "{}".to_owned(),
        Value::Dict(_, dict) => {
            let pair = |(key, value): (&String, &Value)| format!("{} = {}", name(key), toml(value));
            let pairs: Vec<String> = dict.iter().map(pair).collect();
            format!("{{ {} }}", pairs.join(", "))
        }
    }
}

/// A key as TOML writes it.
pub(super) fn name(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    match !key.is_empty() && key.chars().all(bare) {
        true => key.to_owned(),
        false => quoted(key),
    }
}

fn quoted(text: &str) -> String {
    // The texts of JSON are texts of TOML, but for one character.
    serde_json::Value::from(text)
        .to_string()
        .replace('\u{7f}', "\\u007f")
}

/// What a key takes and an example of it; what was found instead, without showing any text.
pub(super) fn wrong_kind(form: &Form, path: &[String], found: &Value, as_: Spelling) -> String {
    let Some(right) = form.find(path) else {
        return "cannot be read".to_owned();
    };
    format!(
        "{}; found {}",
        takes(form, path, right, as_),
        shown(right, found)
    )
}

fn takes(form: &Form, path: &[String], right: &Value, as_: Spelling) -> String {
    let in_list = form.key(path).is_none();
    match right {
        Value::Bool(..) => "must be true or false".to_owned(),
        Value::Dict(_, dict) if !in_list => {
            let leaf = dict.iter().find(|(_, value)| value.as_dict().is_none());
            let such = leaf.map(|(key, value)| {
                let key = [path, std::slice::from_ref(key)].concat();
                let whole = Spelling::File.of(&key);
                let name = whole.rsplit('.').next().unwrap_or_default();
                format!(", such as {name} = {}", toml(value))
            });
            let table = Spelling::File.of(path);
            let such = such.unwrap_or_default();
            format!("must be a table: write [{table}] and its keys below it{such}")
        }
        right => format!("must be {}, such as {}", kind(right), as_.value(right)),
    }
}

/// What can be no secret is shown: true, false, and a number in the place of a number.
fn shown(right: &Value, found: &Value) -> String {
    match (right, found) {
        (Value::Num(..), Value::Num(..)) => toml(found),
        (_, Value::Bool(..)) => toml(found),
        (_, Value::String(_, text)) if text.trim().is_empty() => "an empty text".to_owned(),
        (_, Value::String(_, text)) if text.starts_with(['"', '\'']) => {
            "a text with quotes of its own: leave them out".to_owned()
        }
        (Value::String(..), Value::String(..)) => "another text".to_owned(),
        (_, found) => kind(found).to_owned(),
    }
}

/// What the readers of values found wrong with one that is of the right kind.
pub(super) fn unreadable(
    form: &Form,
    path: &[String],
    wrong: &Kind,
    found: Option<&Value>,
    as_: Spelling,
) -> String {
    let empty = Value::from("");
    let found = found.unwrap_or(&empty);
    if let (Some(right @ Value::Num(..)), Value::Num(_, number)) = (form.find(path), found) {
        let bound = match number.to_i128() {
            Some(..=-1) => "0 or more",
            _ => "a smaller number",
        };
        let (right, found) = (as_.value(right), toml(found));
        return format!("must be {bound}, such as {right}; found {found}");
    }
    match wrong {
        Kind::UnknownVariant(text, known) => {
            let names: Vec<String> = known.iter().map(|name| format!("\"{name}\"")).collect();
            let meant = nearest(text, known.iter().copied())
                .map(|name| format!("; did you mean \"{name}\"?"))
                .unwrap_or_default();
            let found = shown(&empty, found);
            format!("must be {}; found {found}{meant}", any_of(&names))
        }
        Kind::MissingField(name) => {
            let table: Vec<String> = path[..path.len().saturating_sub(1)].to_vec();
            let example = form.find(&table).map(toml).unwrap_or_default();
            format!("is missing: a table here has {name}, such as {example}")
        }
        // Texts of our own readers, which do not repeat what they read.
        Kind::Message(text) => format!("{text}; found {}", shown(&empty, found)),
        _ => wrong_kind(form, path, found, as_),
    }
}
