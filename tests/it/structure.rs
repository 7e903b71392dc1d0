//! Who may know whom: the import rules, checked in manifests and sources.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// One place that breaks a rule.
struct Breach {
    file: String,
    line: usize,
    reason: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.reason)
    }
}

/// A text file of the repository; `path` is relative to its top, with slashes.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn breach(&self, line: usize, reason: impl Into<String>) -> Breach {
        Breach {
            file: self.path.clone(),
            line,
            reason: reason.into(),
        }
    }

    /// The API that this file belongs to: `src/api/x.rs` and all below `src/api/x/` are `x`. What they share
    /// is held to the same rules.
    fn api(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/api/")?;
        below.split(['/', '.']).next()
    }

    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

// ---------------------------------------------------------------- the rules

#[test]
fn packages_depend_one_way() {
    hold(dependency_breaches(&cargo_metadata()));
}

#[test]
fn the_core_reads_no_clock_and_no_generator() {
    hold(each_source(clock_breaches));
}

#[test]
fn apis_know_neither_each_other_nor_what_lies_behind() {
    let sources = sources();
    let mut apis: Vec<&str> = sources.iter().filter_map(Source::api).collect();
    apis.dedup();
    apis.retain(|api| *api != "shared");
    assert!(apis.len() > 3, "no APIs in src/api: {apis:?}");
    hold(
        sources
            .iter()
            .flat_map(|source| api_breaches(source, &apis))
            .collect(),
    );
}

#[test]
fn generated_code_stays_where_messages_are_read() {
    hold(each_source(generated_code_breaches));
}

#[test]
fn packages_come_from_one_registry_and_no_file_names_a_machine() {
    hold(each_source(place_breaches));
}

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

/// The core reads its `Moment`: what else tells the time or is random makes a decision unrepeatable.
fn clock_breaches(source: &Source) -> Vec<Breach> {
    if !source.path.starts_with("crates/core/src/") {
        return Vec::new();
    }
    let banned = [
        "SystemTime",
        "Instant",
        "RandomState",
        "thread",
        "fs",
        "TcpStream",
        "TcpListener",
        "UdpSocket",
        "ToSocketAddrs",
        "env",
        "process",
    ];
    paths(&tokens(&source.text))
        .into_iter()
        .filter(|path| {
            path.segments[0] == "std"
                && path
                    .segments
                    .iter()
                    .skip(1)
                    .any(|name| banned.contains(name))
        })
        .map(|path| {
            let reason = format!(
                "the core must not use {}: a decision is a function of its arguments",
                path.segments.join("::")
            );
            source.breach(path.line, reason)
        })
        .collect()
}

/// An API is removed by deleting its folder and its line in `src/app.rs`: nothing else may lean on it.
fn api_breaches(source: &Source, apis: &[&str]) -> Vec<Breach> {
    let Some(own) = source.api().filter(|_| source.is_rust()) else {
        return Vec::new();
    };
    let mut breaches = Vec::new();
    for path in paths(&tokens(&source.text)) {
        let written = path.segments.join("::");
        let mut breach = |why: &str| {
            let reason = format!("an API must not use {written}: {why}");
            breaches.push(source.breach(path.line, reason));
        };
        // The inbox is read at its own API, and only there; receipts are read by the routes that they are of.
        let inbox = own == "inbox" && path.segments.get(1) == Some(&"Inbox");
        let receipts = own == "receipts";
        if path.segments[0] == "ringback_sms" && !inbox && !receipts {
            breach("the worker alone speaks to sms");
        }
        let from_here = path
            .segments
            .iter()
            .take_while(|name| **name == "super")
            .count();
        let inside = match path.segments.as_slice() {
            ["crate" | "ringback", "worker", "Callbacks"] if receipts => continue,
            ["crate" | "ringback", "worker", ..] => {
                breach("it answers, it does not deliver");
                continue;
            }
            ["crate" | "ringback", "api", rest @ ..] => rest,
            // `super` leads to `crate::api` or above; how far is the same for the names that we look for.
            segments if from_here > 0 => &segments[from_here..],
            _ => continue,
        };
        if inside
            .first()
            .is_some_and(|name| *name != own && apis.contains(name))
        {
            breach("an API is removed by deleting its folder");
        }
    }
    breaches
}

/// Wire types are not ours: they end where a request becomes a command.
fn generated_code_breaches(source: &Source) -> Vec<Breach> {
    let allowed = matches!(source.api(), Some("zitadel" | "ringback" | "shared"))
        || source.path == "src/proto.rs"
        || source.path.starts_with("src/http/");
    if allowed || !source.path.starts_with("src/") || !source.is_rust() {
        return Vec::new();
    }
    paths(&tokens(&source.text))
        .into_iter()
        .filter(|path| {
            let mut names = path.segments.iter();
            let first = names.find(|name| !["crate", "super", "self", "ringback"].contains(name));
            first == Some(&"proto")
        })
        .map(|path| {
            let written = path.segments.join("::");
            source.breach(
                path.line,
                format!("{written}: generated code is for src/http, api/zitadel and api/ringback"),
            )
        })
        .collect()
}

/// What holds on one machine only: its directories, and the mirrors that it downloads from.
fn place_breaches(source: &Source) -> Vec<Breach> {
    // This file names what it looks for.
    if source.path == "tests/it/structure.rs" {
        return Vec::new();
    }
    // What such hosts are called: none is named in any file, this one included.
    let hosts = [
        "registry", "index", "static", "deb", "files", "packages", "proxy", "mirror",
    ];
    let hosts = hosts.map(|name| format!("://{name}."));
    let settings = ["artifactory", "replace-with"].map(str::to_owned);
    let homes = ["/home/", "/root/", "/Users/", "\\Users\\"];
    let checkout = env!("CARGO_MANIFEST_DIR");
    // A directory such as /src means something on other machines too.
    let checkout_is_telling = checkout.matches(['/', '\\']).count() > 1;
    let lock = source.path.ends_with("Cargo.lock");

    let mut breaches = Vec::new();
    for (at, line) in source.text.lines().enumerate() {
        let named = hosts
            .iter()
            .chain(&settings)
            .find(|host| line.contains(*host));
        if let Some(host) = named {
            breaches.push(source.breach(at + 1, format!("{host}: which registry or mirror serves a package is each machine's own setting")));
        }
        if lock && line.starts_with("source = ") && !line.starts_with("source = \"registry+") {
            breaches.push(source.breach(at + 1, "packages come from the registry alone"));
        }
        // Preceded by a letter or a dot it is part of an address, not a path of a machine.
        let home = homes.iter().find(|home| {
            line.match_indices(**home).any(|(start, _)| {
                !line[..start].ends_with(|c: char| c.is_alphanumeric() || ".})>*-_".contains(c))
                    || home.starts_with('\\')
            })
        });
        if let Some(home) = home {
            breaches.push(source.breach(
                at + 1,
                format!("{home}: a directory of one person's machine"),
            ));
        } else if checkout_is_telling && line.contains(checkout) {
            breaches
                .push(source.breach(at + 1, format!("{checkout}: a directory of this machine")));
        }
    }
    breaches
}

// ------------------------------------------------- every rule can be broken

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
    ] {
        assert_eq!(
            depends(package, on, Value::Null, &[]),
            1,
            "{package} on {on}"
        );
    }
    assert_eq!(depends("ringback-core", "uuid", Value::Null, &["v4"]), 1);
    assert_eq!(depends("ringback", "sea-orm", "dev".into(), &[]), 0);
    assert_eq!(depends("ringback-store", "sea-orm", Value::Null, &[]), 0);
}

/// Samples are written as the lines of a file; `!` marks those that break the rule.
fn finds(rule: impl Fn(&Source) -> Vec<Breach>, path: &str, sample: &str) {
    let marked: Vec<usize> = (1..)
        .zip(sample.lines())
        .filter_map(|(line, text)| text.starts_with('!').then_some(line))
        .collect();
    let source = Source {
        path: path.to_owned(),
        text: sample
            .lines()
            .map(|line| format!("{}\n", line.trim_start_matches('!')))
            .collect(),
    };
    let found: Vec<usize> = rule(&source).iter().map(|breach| breach.line).collect();
    assert_eq!(found, marked, "{path}:\n{sample}");
}

#[test]
fn a_clock_in_the_core_is_found() {
    let sample = "use std::{fmt,
!    time::{Duration, SystemTime}};
// std::time::SystemTime::now()
let c = ('\\'', '{', \"std::fs::read\", r#\"std::env::args\"#);
!let v = std::env::var(\"X\");
";
    finds(clock_breaches, "crates/core/src/code.rs", sample);
}

#[test]
fn an_api_that_knows_too_much_is_found() {
    let rule = |source: &Source| api_breaches(source, &["frontegg", "reachfive", "zitadel"]);
    let sample = "use crate::auth::Caller;
use crate::api::{shared,
!    zitadel::status};
!fn f() { super::reachfive::reply() }
!mod tests { use super::super::zitadel; }
!use crate::worker::run;
!use ringback_sms::Route;
use super::Parts;
use self::zitadel;
use crate::api::frontegg::wire;
";
    finds(rule, "src/api/frontegg.rs", sample);
    finds(rule, "src/api/frontegg/wire.rs", sample);
    finds(
        rule,
        "src/app.rs",
        "use crate::api::zitadel;\nuse crate::worker;",
    );
}

#[test]
fn generated_code_elsewhere_is_found() {
    let sample = "use crate::{
!    proto::zitadel};
!pub use proto::x;
";
    finds(generated_code_breaches, "src/app.rs", sample);
    let allowed = sample.replace('!', "");
    for path in [
        "src/proto.rs",
        "src/http/grpc.rs",
        "src/api/zitadel.rs",
        "src/api/ringback/requests.rs",
    ] {
        finds(generated_code_breaches, path, &allowed);
    }
}

#[test]
fn a_place_on_one_machine_is_found() {
    let sample = "https://example.com/home/page
!/home/someone/ringback
!curl https://index.example.com/
";
    finds(place_breaches, "README.md", sample);
    finds(
        place_breaches,
        "Cargo.lock",
        "!source = \"git+https://example.com\"",
    );
}

// -------------------------------------------------------------- the reading

fn hold(breaches: Vec<Breach>) {
    let list: Vec<String> = breaches.iter().map(Breach::to_string).collect();
    assert!(list.is_empty(), "rules are broken:\n{}\n", list.join("\n"));
}

fn each_source(rule: fn(&Source) -> Vec<Breach>) -> Vec<Breach> {
    sources().iter().flat_map(rule).collect()
}

/// Every text file of the repository, in order of path.
fn sources() -> Vec<Source> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    collect(top, top, &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(
        found.iter().any(|source| source.path == "src/lib.rs"),
        "no sources in {}",
        top.display()
    );
    found
}

fn collect(top: &Path, directory: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(directory).expect("a readable directory") {
        let entry = entry.expect("a directory entry");
        let (path, kind) = (entry.path(), entry.file_type().expect("a file type"));
        let skipped = [".git", "target", "ringback-data", "node_modules"];
        if kind.is_dir() && !skipped.iter().any(|name| entry.file_name() == *name) {
            collect(top, &path, found);
        } else if kind.is_file()
            && let Ok(text) = fs::read_to_string(&path)
        {
            let relative = path.strip_prefix(top).expect("a path below the top");
            found.push(Source {
                path: relative.to_string_lossy().replace('\\', "/"),
                text,
            });
        }
    }
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

struct Token<'a> {
    line: usize,
    text: &'a str,
}

/// A path as written, `a::b::c`, with the line of its last name.
struct WrittenPath<'a> {
    line: usize,
    segments: Vec<&'a str>,
}

/// Names and punctuation of Rust source, without comments, strings, characters and lifetimes.
/// `::` and `=>` are one token each.
fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let is_name = |c: char| c == '_' || c.is_alphanumeric();
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(raw) = raw_string(rest) {
            raw
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == '\'' {
            // 'a' and '\n' are characters, 'a is a lifetime.
            let mut after = rest[1..].chars();
            let (one, two) = (after.next(), after.next());
            if one == Some('\\') || two == Some('\'') {
                quoted(rest, '\'')
            } else {
                1 + rest[1..].find(|c| !is_name(c)).unwrap_or(0)
            }
        } else {
            let length = if is_name(first) {
                rest.find(|c| !is_name(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") || rest.starts_with("=>") {
                2
            } else {
                first.len_utf8()
            };
            if !first.is_whitespace() {
                found.push(Token {
                    line,
                    text: &rest[..length],
                });
            }
            length
        };
        line += rest[..length].matches('\n').count();
        at += length;
    }
    found
}

/// The length of a raw string (`r"…"`, `br#"…"#`) that `rest` begins with.
fn raw_string(rest: &str) -> Option<usize> {
    let start = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let body = start.trim_start_matches('#');
    let hashes = start.len() - body.len();
    let body = body.strip_prefix('"')?;
    let closing = format!("\"{}", "#".repeat(hashes));
    let end = body
        .find(&closing)
        .map_or(body.len(), |end| end + closing.len());
    Some(rest.len() - body.len() + end)
}

/// The length of a string or character that `rest` begins with, its quotes included.
fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Every path of two names or more, in `use` and elsewhere; `a::{b, c::d}` is `a::b` and `a::c::d`.
fn paths<'a>(tokens: &[Token<'a>]) -> Vec<WrittenPath<'a>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        at = if joined(tokens, at) {
            read_path(tokens, at, &mut Vec::new(), &mut found)
        } else {
            at + 1
        };
    }
    found
}

/// Whether a name followed by `::` stands here.
fn joined(tokens: &[Token<'_>], at: usize) -> bool {
    let is_name = tokens[at]
        .text
        .starts_with(|c: char| c == '_' || c.is_alphabetic());
    is_name && tokens.get(at + 1).is_some_and(|next| next.text == "::")
}

/// Reads the path that begins at `at` behind the names in `before`; returns where it ends.
fn read_path<'a>(
    tokens: &[Token<'a>],
    mut at: usize,
    before: &mut Vec<&'a str>,
    found: &mut Vec<WrittenPath<'a>>,
) -> usize {
    let depth = before.len();
    while joined(tokens, at) {
        before.push(tokens[at].text);
        at += 2;
        if at == tokens.len() {
            break;
        }
    }
    let Some(last) = tokens.get(at) else {
        return at;
    };
    if last.text == "{" {
        at += 1;
        while at < tokens.len() && tokens[at].text != "}" {
            at = if tokens[at].text == "," {
                at + 1
            } else {
                read_path(tokens, at, before, found)
            };
        }
    } else {
        let mut segments = before.clone();
        segments.push(last.text);
        found.push(WrittenPath {
            line: last.line,
            segments,
        });
    }
    before.truncate(depth);
    at + 1
}
