//! A wrong value of every kind in every key: what is said of it.

use std::collections::BTreeSet;

use figment::value::{Dict, Value};

use super::*;
use crate::config::form::{Form, kind};
use crate::config::words::{self, Spelling};

/// Words of the language that this is written in, and of its libraries.
const FOREIGN: [&str; 24] = [
    "expected",
    "struct",
    "field",
    "variant",
    "sequence",
    "string",
    "boolean",
    "integer",
    "float",
    "map",
    "enum",
    "unit",
    "newtype",
    "u8",
    "u16",
    "u32",
    "u64",
    "usize",
    "i64",
    "i128",
    "f64",
    "tuple",
    "identifier",
    "char",
];

/// Every key, with a name in the place of each chosen one, and the kind of its value.
fn keys() -> Vec<(Vec<String>, Value)> {
    let form = Form::new().unwrap();
    let mut keys = Vec::new();
    for path in form.paths() {
        let value = form.key(&path).unwrap().clone();
        let named = path.iter().map(|name| match name.as_str() {
            "*" => "1".to_owned(),
            name => name.to_owned(),
        });
        keys.push((named.collect(), value));
    }
    assert!(keys.len() > 100, "{}", keys.len());
    keys
}

fn says_what_is_right(place: &str, path: &[String], error: &ConfigError) {
    let key = path.join(".");
    for Problem { key: named, reason } in error.problems() {
        let below = named
            .strip_prefix(&key)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        assert!(below, "{place}: {error}");
        let words = reason.split(|c: char| !c.is_ascii_alphanumeric());
        let foreign: Vec<&str> = words.filter(|word| FOREIGN.contains(word)).collect();
        assert!(foreign.is_empty(), "{place}: {foreign:?}: {error}");
        assert!(!reason.contains("invalid type"), "{place}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{place}: {error}");
    }
}

#[test]
fn a_wrong_kind_in_a_file_is_told_with_what_was_found_and_an_example() {
    let values = [
        ("a text", "\"hunter2\""),
        ("a text", "\"\""),
        ("a whole number", "7"),
        ("a whole number", "-7"),
        ("a number with a decimal point", "7.5"),
        ("true or false", "true"),
        ("a list", "[[\"hunter2\"]]"),
        ("a list", "[{ x = \"hunter2\" }]"),
        ("a list", "[7]"),
        ("a table", "{ x = \"hunter2\" }"),
        ("a date", "2026-01-01"),
        ("a date", "2026-01-01T00:00:00Z"),
    ];
    let mut refused = 0;
    for (path, form) in keys() {
        for (wrong, value) in values {
            let names: Vec<String> = path.iter().map(|name| words::name(name)).collect();
            let line = format!("{} = {value}\n", names.join("."));
            let file = file(&line);
            let loaded = Config::load(Some(file.path()), []);
            let error = match loaded {
                Err(error) => error,
                Ok(config) => {
                    assert_eq!(kind(&form), wrong, "{line}: taken");
                    let Err(error) = config.check() else { continue };
                    let about_it = |problem: &&Problem| problem.key.starts_with(&path.join("."));
                    let mut ours = ConfigError::default();
                    for Problem { key, reason } in error.problems().iter().filter(about_it) {
                        ours.add(key, reason);
                    }
                    says_what_is_right(&line, &path, &ours);
                    continue;
                }
            };
            refused += 1;
            says_what_is_right(&line, &path, &error);
            let text = error.to_string();
            assert!(
                text.ends_with(&format!("(from {})", file.path().display())),
                "{text}"
            );
            if kind(&form) != wrong {
                assert!(
                    text.contains("must be ") && text.contains("; found "),
                    "{line}: {text}"
                );
                assert!(
                    text.contains("such as ")
                        || text.contains("true or false")
                        || text.contains("write ["),
                    "{line}: {text}"
                );
            }
        }
    }
    assert!(refused > 800, "{refused}");
}

#[test]
fn a_wrong_variable_is_told_in_the_same_way() {
    let values = [
        "hunter2",
        "",
        "true",
        "-1",
        "7.5",
        "99999999999999999999",
        "[",
        "[\"hunter2\"",
        "{}",
        ",",
    ];
    let mut refused = 0;
    for (path, form) in keys() {
        let variable = Spelling::Variable.of(&path);
        // The one table whose name is a variable of its own.
        if variable == "RINGBACK_LOG" {
            continue;
        }
        for value in values {
            let place = format!("{variable}={value}");
            let right = match &form {
                Value::Bool(..) => value == "true",
                Value::Num(..) | Value::Dict(..) => false,
                _ => true,
            };
            match load(&[(&variable, value)]) {
                Ok(config) => {
                    let checked = config.check().err().unwrap_or_default();
                    let mut problems = checked.problems().iter();
                    // What a route of no type has is of no kind yet.
                    let key = path.join(".");
                    let told = problems.any(|problem| {
                        let of_route = problem.key.strip_suffix(".type");
                        problem.key == key || of_route.is_some_and(|route| key.starts_with(route))
                    });
                    assert!(right || told, "{place}: taken");
                }
                Err(error) => {
                    refused += 1;
                    says_what_is_right(&place, &path, &error);
                    assert!(error.to_string().contains("(from RINGBACK_"), "{error}");
                }
            }
        }
    }
    assert!(refused > 500, "{refused}");
}

/// What the program reads and what it says there is are the same.
#[test]
fn every_key_that_is_read_is_known() {
    let form = Form::new().unwrap();
    let there = |path: &[&str]| {
        let path: Vec<String> = path.iter().map(|name| (*name).to_owned()).collect();
        let names = form.key(&path).and_then(Value::as_dict).unwrap().keys();
        names
            .filter(|name| *name != "*")
            .cloned()
            .collect::<BTreeSet<_>>()
    };
    let strange = || Value::from(Dict::from([("zzz".to_owned(), Value::from(1))]));
    fn known<T: serde::de::DeserializeOwned>(value: Value) -> BTreeSet<String> {
        let error = value.deserialize::<T>().map(|_| ()).unwrap_err();
        match error.kind {
            figment::error::Kind::UnknownField(_, known) => {
                known.iter().map(|name| (*name).to_owned()).collect()
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        known::<IssuerSection>(strange()),
        there(&["auth", "issuers", "*"])
    );
    assert_eq!(
        known::<VendorClient>(strange()),
        there(&["vendor", "clients", "*"])
    );
    assert_eq!(
        known::<OrganizationSection>(strange()),
        there(&["organizations", "*"])
    );
    assert_eq!(
        known::<TestNumberSection>(strange()),
        there(&["test_numbers", "*"])
    );
    assert_eq!(
        known::<OwnSms>(strange()),
        there(&["organizations", "*", "sms"])
    );
    assert_eq!(
        known::<OwnNumbers>(strange()),
        there(&["organizations", "*", "numbers"])
    );
    let sections = layers::parse("", DEFAULTS).unwrap();
    for (name, section) in &sections {
        let Value::Dict(tag, dict) = section else {
            continue;
        };
        // Names in it are chosen.
        if name == "organizations" || name == "test_numbers" {
            continue;
        }
        let mut dict = dict.clone();
        dict.insert("zzz".to_owned(), Value::from(1));
        let mut all = sections.clone();
        all.insert(name.clone(), Value::Dict(*tag, dict));
        assert_eq!(
            known::<Config>(Value::from(all)),
            there(&[name]),
            "[{name}]"
        );
    }
}
