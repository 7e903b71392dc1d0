//! Which packages may depend on which, and on nothing that they do not use.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::reading::{Breach, Source, hold, paths, sources, tokens};

#[test]
fn packages_depend_one_way() {
    hold(dependency_breaches(&cargo_metadata()));
}

#[test]
fn every_dependency_is_used() {
    let top = env!("CARGO_MANIFEST_DIR");
    hold(unused_breaches(&cargo_metadata(), top, &sources()));
}

/// What only generated code names, which is in no file of the repository.
const GENERATED: [(&str, &str); 2] = [
    ("ringback-load", "prost-types"),
    ("ringback-load", "tonic-prost"),
];

const OTHER_WIRES: [&str; 12] = [
    "axum",
    "h2",
    "http",
    "http-body",
    "http-body-util",
    "hyper",
    "hyper-util",
    "prost",
    "reqwest",
    "tonic",
    "tower",
    "tower-http",
];
const DATABASES: [&str; 6] = [
    "rusqlite",
    "sea-orm",
    "sea-orm-migration",
    "sea-query",
    "sqlx",
    "tokio-postgres",
];
const EFFECTS: [&str; 13] = [
    "async-std",
    "chrono",
    "fastrand",
    "futures",
    "getrandom",
    "log",
    "metrics",
    "rand",
    "rand_core",
    "smol",
    "time",
    "tokio",
    "tracing",
];

/// Why `package` may not depend on `dependency`, if it may not.
fn forbidden(package: &str, dependency: &str, kind: &str) -> Option<&'static str> {
    let ours = dependency.starts_with("ringback");
    match package {
        "ringback-core" if ours => {
            Some("nothing points back: the core depends on no other package of ours")
        }
        "ringback-core" if has(&[&OTHER_WIRES[..], &DATABASES, &EFFECTS], dependency) => {
            Some("the core is pure: a decision is a function of its arguments")
        }
        // Tests share what they stand on, and nothing that is built for them is in a release.
        _ if dependency == "ringback-testing" && kind != "dev" => {
            Some("it is for tests: a dev-dependency")
        }
        _ if dependency == "ringback-testing" => None,
        "ringback-testing" if ours => Some("it looks at tables, not at the packages that it tests"),
        "ringback-store" if ours && dependency != "ringback-core" => Some(
            "the store does not know who asks or who carries: of our packages it depends on the core alone",
        ),
        "ringback-store" if has(&[&OTHER_WIRES], dependency) => {
            Some("the store does not know who asks or who carries")
        }
        "ringback-sms" if ours && dependency != "ringback-core" => {
            Some("a route sees one message: of our packages it depends on the core alone")
        }
        "ringback-sms" if has(&[&DATABASES], dependency) => {
            Some("a route sees one message, never the database")
        }
        // The tests look into the database to see what it does not hold.
        "ringback" if kind != "dev" && has(&[&DATABASES], dependency) => {
            Some("rows are private to the store")
        }
        _ => None,
    }
}

fn has(lists: &[&[&str]], name: &str) -> bool {
    lists.iter().any(|list| list.contains(&name))
}

fn dependency_breaches(metadata: &Value) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for package in array(&metadata["packages"]) {
        let (name, manifest) = (text(&package["name"]), text(&package["manifest_path"]));
        for dependency in array(&package["dependencies"]) {
            // The package's own name, whatever the manifest calls it with `package = `.
            let depends_on = text(&dependency["name"]);
            let kind = dependency["kind"].as_str().unwrap_or("normal");
            let called = dependency["rename"].as_str().unwrap_or(depends_on);
            let mut breach = |reason: String| {
                breaches.push(Breach {
                    file: manifest.to_owned(),
                    line: line_of_dependency(manifest, called),
                    reason,
                });
            };
            if let Some(why) = forbidden(name, depends_on, kind) {
                breach(format!("{name} must not depend on {depends_on}: {why}"));
            }
            for feature in array(&dependency["features"]).iter().map(text) {
                if name == "ringback-core"
                    && depends_on == "uuid"
                    && ["v1", "v4", "v6", "v7"].contains(&feature)
                {
                    breach(format!(
                        "uuid's {feature} reads a clock or the global generator: make ids from the moment"
                    ));
                }
            }
        }
    }
    breaches
}

/// A dependency that no path in the sources begins with only costs time to build.
fn unused_breaches(metadata: &Value, top: &str, sources: &[Source]) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for package in array(&metadata["packages"]) {
        let (name, manifest) = (text(&package["name"]), text(&package["manifest_path"]));
        let directory = manifest.strip_prefix(top).unwrap_or(manifest);
        let directory = directory.trim_start_matches('/');
        let directory = directory.trim_end_matches("Cargo.toml");
        for dependency in array(&package["dependencies"]) {
            let depends_on = text(&dependency["name"]);
            let called = dependency["rename"].as_str().unwrap_or(depends_on);
            let places = match dependency["kind"].as_str() {
                Some("build") => &["build.rs"][..],
                Some("dev") => &["src/", "tests/"],
                _ => &["src/"],
            };
            let within = |source: &&Source| {
                let path = source.path.strip_prefix(directory);
                path.is_some_and(|path| places.iter().any(|place| path.starts_with(place)))
            };
            let mut read = sources.iter().filter(within).filter(|it| it.is_rust());
            let used = read.any(|source| names(source, &called.replace('-', "_")));
            if !used && !GENERATED.contains(&(name, depends_on)) {
                breaches.push(Breach {
                    file: manifest.to_owned(),
                    line: line_of_dependency(manifest, called),
                    reason: format!("{name} does not use {called} in {}", places.join(" or ")),
                });
            }
        }
    }
    breaches
}

fn names(source: &Source, package: &str) -> bool {
    let tokens = tokens(&source.text);
    paths(&tokens)
        .iter()
        .any(|path| path.segments[0] == package)
}

#[test]
fn an_unused_dependency_is_found() {
    let found = |on: &str, kind: Value, path: &str, sample: &str| {
        let metadata = serde_json::json!({"packages": [{"name": "a", "manifest_path": "/top/crates/a/Cargo.toml",
            "dependencies": [{"name": on, "kind": kind, "rename": null, "features": []}]}]});
        let source = Source {
            path: path.to_owned(),
            text: sample.to_owned(),
        };
        unused_breaches(&metadata, "/top", &[source]).len()
    };
    let uses = "use tokio_util::{a, b};";
    assert_eq!(
        found("tokio-util", Value::Null, "crates/a/src/lib.rs", uses),
        0
    );
    assert_eq!(
        found("tokio-util", Value::Null, "crates/b/src/lib.rs", uses),
        1
    );
    assert_eq!(
        found("tokio-util", Value::Null, "crates/a/tests/x.rs", uses),
        1
    );
    assert_eq!(
        found("tokio-util", "dev".into(), "crates/a/tests/x.rs", uses),
        0
    );
    assert_eq!(
        found("tokio-util", "build".into(), "crates/a/build.rs", uses),
        0
    );
    assert_eq!(
        found("tokio-util", "build".into(), "crates/a/src/lib.rs", uses),
        1
    );
    let others = "use crate::http::Body; // http::x
let text = \"http::x\";";
    assert_eq!(found("http", Value::Null, "crates/a/src/lib.rs", others), 1);
}

#[test]
fn a_forbidden_dependency_is_found() {
    let depends = |package: &str, on: &str, kind: Value, features: &[&str]| {
        let metadata = serde_json::json!({"packages": [{"name": package, "manifest_path": "Cargo.toml", "dependencies": [
            {"name": on, "kind": kind, "rename": null, "features": features}]}]});
        dependency_breaches(&metadata).len()
    };
    for (package, on) in [
        ("ringback-core", "tokio"),
        ("ringback-core", "rand"),
        ("ringback-core", "ringback-store"),
        ("ringback-store", "tonic"),
        ("ringback-store", "ringback-sms"),
        ("ringback-sms", "sea-orm"),
        ("ringback-sms", "ringback-store"),
        ("ringback", "sea-orm"),
        ("ringback", "ringback-testing"),
        ("ringback-testing", "ringback-store"),
    ] {
        assert_eq!(
            depends(package, on, Value::Null, &[]),
            1,
            "{package} on {on}"
        );
    }
    assert_eq!(depends("ringback-core", "uuid", Value::Null, &["v4"]), 1);
    assert_eq!(depends("ringback", "sea-orm", "dev".into(), &[]), 0);
    let testing = depends("ringback-store", "ringback-testing", "dev".into(), &[]);
    assert_eq!(testing, 0);
    assert_eq!(depends("ringback-store", "sea-orm", Value::Null, &[]), 0);
}

fn cargo_metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The line in a manifest that names a dependency; 1 if it is written in an unusual way.
fn line_of_dependency(manifest: &str, name: &str) -> usize {
    let manifest = fs::read_to_string(manifest).unwrap_or_default();
    let names_it = |line: &str| {
        line.strip_prefix(name)
            .is_some_and(|rest| rest.starts_with([' ', '.', '=']))
    };
    manifest.lines().position(names_it).map_or(1, |at| at + 1)
}
