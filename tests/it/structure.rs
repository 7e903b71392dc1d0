//! Who may know whom: the import rules, checked in manifests and sources.

mod dependencies;
mod reading;

use reading::{Breach, Source, each_source, hold, paths, sources, tokens};

// ---------------------------------------------------------------- the rules

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
fn an_api_is_named_in_one_line_of_the_program() {
    let sources = sources();
    let mut apis: Vec<&str> = sources.iter().filter_map(Source::api).collect();
    apis.dedup();
    apis.retain(|api| *api != "shared");
    let app = sources.iter().find(|source| source.path == "src/app.rs");
    let tokens = tokens(&app.expect("src/app.rs").text);
    let paths = paths(&tokens);
    for api in &apis {
        let named = paths.iter().filter(|path| path.segments.contains(api));
        assert_eq!(named.count(), 1, "{api} in src/app.rs");
    }
    let rest = sources.iter().filter(|source| source.path != "src/app.rs");
    hold(
        rest.flat_map(|source| naming_breaches(source, &apis))
            .collect(),
    );
}

#[test]
fn generated_code_stays_where_messages_are_read() {
    hold(each_source(generated_code_breaches));
}

#[test]
fn no_file_of_the_program_or_its_store_is_longer_than_400_lines() {
    let sources = sources();
    let own = sources.iter().filter(|source| {
        source.path.starts_with("src/") || source.path.starts_with("crates/store/src/")
    });
    let long: Vec<_> = own
        .map(|source| (source.path.as_str(), source.text.lines().count()))
        .filter(|(_, lines)| *lines > 400)
        .collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn packages_come_from_one_registry_and_no_file_names_a_machine() {
    hold(each_source(place_breaches));
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
        // In which language somebody reads is found out in one way.
        let languages = path.segments[1..] == ["texts", "choose"];
        if path.segments[0] == "ringback_sms" && !inbox && !receipts && !languages {
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

/// Whoever else names an API does not build without it.
fn naming_breaches(source: &Source, apis: &[&str]) -> Vec<Breach> {
    if source.api().is_some() || !source.is_rust() {
        return Vec::new();
    }
    let is_named = |names: &[&str]| names[0] == "api" && apis.contains(&names[1]);
    paths(&tokens(&source.text))
        .into_iter()
        .filter(|path| {
            let from_the_top = ["crate", "ringback"].contains(&path.segments[0]);
            let ours = source.path.starts_with("src/") || path.segments[0] == "ringback";
            from_the_top && ours && path.segments[1..].windows(2).any(is_named)
        })
        .map(|path| {
            let written = path.segments.join("::");
            source.breach(
                path.line,
                format!("{written}: only src/app.rs names an API"),
            )
        })
        .collect()
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
fn an_api_that_others_name_is_found() {
    let rule = |source: &Source| naming_breaches(source, &["inbox", "zitadel"]);
    let sample = "use crate::api::shared;
!use crate::{auth, api::inbox::Page};
!fn f() { crate::api::zitadel::install() }
!use ringback::api::inbox;
";
    finds(rule, "src/dev.rs", sample);
    let theirs = "use crate::api::zitadel;
!use ringback::api::zitadel;
";
    finds(rule, "tests/it/flows.rs", theirs);
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
