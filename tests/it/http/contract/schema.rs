//! Whether a value fits a JSON schema, as far as the contract uses them.

use serde_json::{Map, Value};

/// What of a value does not fit; nothing where it does. `root` is what references lead into.
pub fn misfits(root: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(root, schema, value, "$", &mut found);
    found
}

/// Keywords that say nothing of a value's form, and the formats that are looked at.
const SPEAKING: [&str; 8] = [
    "description",
    "title",
    "default",
    "example",
    "examples",
    "deprecated",
    "contentEncoding",
    "format",
];

fn check(root: &Value, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    for (keyword, says) in schema.as_object().expect("a schema is an object") {
        let fits = match keyword.as_str() {
            "$ref" => {
                let target = says.as_str().and_then(|target| target.strip_prefix('#'));
                let target = target.and_then(|target| root.pointer(target));
                let target = target.unwrap_or_else(|| panic!("{at}: {says} leads nowhere"));
                check(root, target, value, at, found);
                continue;
            }
            "type" => match says {
                Value::Array(any) => any.iter().any(|kind| is(kind, value)),
                one => is(one, value),
            },
            "const" => says == value,
            "enum" => says.as_array().is_some_and(|all| all.contains(value)),
            "required" => is_object_with(value, says),
            "properties" => {
                for (name, schema) in says.as_object().expect("properties") {
                    if let Some(member) = value.get(name) {
                        check(root, schema, member, &format!("{at}.{name}"), found);
                    }
                }
                continue;
            }
            "additionalProperties" => {
                let named = schema.get("properties").and_then(Value::as_object);
                let unnamed = members(value).filter(|(name, _)| {
                    named.is_none_or(|named| !named.contains_key(name.as_str()))
                });
                for (name, member) in unnamed {
                    check(root, says, member, &format!("{at}.{name}"), found);
                }
                continue;
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, says, item, &format!("{at}[{index}]"), found);
                }
                continue;
            }
            "allOf" => {
                each(says).for_each(|schema| check(root, schema, value, at, found));
                continue;
            }
            "anyOf" => each(says).any(|schema| misfits(root, schema, value).is_empty()),
            "oneOf" => {
                let fitting = each(says).filter(|schema| misfits(root, schema, value).is_empty());
                fitting.count() == 1
            }
            "not" => !misfits(root, says, value).is_empty(),
            "minLength" => length(value).is_none_or(|length| Some(length) >= says.as_u64()),
            "maxLength" => length(value).is_none_or(|length| Some(length) <= says.as_u64()),
            "minProperties" => {
                let count = value.as_object().map(|members| members.len() as u64);
                count.is_none_or(|count| Some(count) >= says.as_u64())
            }
            "minItems" => items(value).is_none_or(|length| Some(length) >= says.as_u64()),
            "maxItems" => items(value).is_none_or(|length| Some(length) <= says.as_u64()),
            "minimum" => value
                .as_f64()
                .is_none_or(|number| Some(number) >= says.as_f64()),
            "maximum" => value
                .as_f64()
                .is_none_or(|number| Some(number) <= says.as_f64()),
            "pattern" => value.as_str().is_none_or(|text| matches(says, text)),
            other if SPEAKING.contains(&other) => true,
            other => panic!("{at}: {other} is not checked yet"),
        };
        if !fits {
            found.push(format!("{at}: {keyword} {says} does not fit {value}"));
        }
    }
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str().expect("the name of a type") {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("{other} is no type"),
    }
}

fn is_object_with(value: &Value, names: &Value) -> bool {
    let mut names = each(names).filter_map(Value::as_str);
    !value.is_object() || names.all(|name| value.get(name).is_some())
}

fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn length(value: &Value) -> Option<u64> {
    value.as_str().map(|text| text.chars().count() as u64)
}

fn items(value: &Value) -> Option<u64> {
    value.as_array().map(|list| list.len() as u64)
}

/// The patterns of answers, and of examples; there are few.
fn matches(pattern: &Value, text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match pattern.as_str().expect("a pattern") {
        "^[0-9]+$" => digits(text),
        r"^-?[0-9]+(\.[0-9]+)?s$" => {
            let number = text.strip_suffix('s').unwrap_or_default();
            number.parse::<f64>().is_ok() && !number.contains('e')
        }
        "^@[0-9]+$" => text.strip_prefix('@').is_some_and(digits),
        r"^[^\u0000]*$" => !text.contains('\0'),
        r"^(\+[0-9]{0,15})?$" => text.is_empty() || text.strip_prefix('+').is_some_and(digits),
        email if email.contains('@') => text.contains('@'),
        other => panic!("{other} is not checked yet"),
    }
}

#[test]
fn what_does_not_fit_is_found() {
    use serde_json::json;
    let root = json!({ "text": { "type": "string", "minLength": 1 } });
    let schema = json!({
        "type": "object",
        "required": ["a"],
        "properties": { "a": { "$ref": "#/text" }, "b": { "type": ["integer", "null"] } },
        "oneOf": [
            { "required": ["x"], "properties": { "y": { "not": {} } } },
            { "required": ["y"], "properties": { "x": { "not": {} } } },
        ],
    });
    for fits in [
        json!({"a": "t", "x": 1}),
        json!({"a": "t", "y": 1, "b": null, "c": []}),
    ] {
        assert_eq!(misfits(&root, &schema, &fits), Vec::<String>::new());
    }
    for wrong in [
        json!([]),
        json!({"x": 1}),
        json!({"a": "", "x": 1}),
        json!({"a": 1, "x": 1}),
        json!({"a": "t", "x": 1, "b": "1"}),
        json!({"a": "t"}),
        json!({"a": "t", "x": 1, "y": 1}),
    ] {
        assert!(!misfits(&root, &schema, &wrong).is_empty(), "{wrong}");
    }
}
