//! Inputs that nobody would send, made by changing those of a corpus: no panic, no hang, no answer that blames the
//! server. Short, and the same in every run; `scripts/fuzz` runs one longer.

mod mutate;
mod request;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ringback::moving::{Reading, Users};
use ringback_core::number::NumberRules;
use ringback_core::{Number, Policies};

use crate::database::Database;
use mutate::Mutator;
use request::Target;

/// Seconds of a run, unless `RINGBACK_FUZZ_SECONDS` says otherwise.
const SECONDS: u64 = 5;
/// An answer that takes longer is a hang.
const LONGEST: Duration = Duration::from_secs(10);
/// New kinds of answers make inputs worth changing further, up to so many.
const MOST: usize = 5_000;

mod on_sqlite {
    use super::{Database, run, run_import, run_numbers};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn json() {
        run("json", Database::sqlite().await).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn grpc() {
        run("grpc", Database::sqlite().await).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn vendor() {
        run("vendor", Database::sqlite().await).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn receipts() {
        run("receipts", Database::sqlite().await).await;
    }

    #[test]
    fn numbers() {
        run_numbers();
    }

    #[test]
    fn import() {
        run_import();
    }
}

fn variable(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

/// Until when, and with which seed.
fn bounds() -> (Instant, u64) {
    let seconds = Duration::from_secs(variable("RINGBACK_FUZZ_SECONDS", SECONDS));
    (Instant::now() + seconds, variable("RINGBACK_FUZZ_SEED", 1))
}

/// The files of a target, in order.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let place = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    let files = std::fs::read_dir(place.join(target)).expect("a corpus");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    let read = files
        .iter()
        .map(|file| std::fs::read(file).expect("a file"));
    let read: Vec<_> = read.collect();
    assert!(!read.is_empty(), "{target} has no corpus");
    read
}

async fn run(name: &str, database: Database) {
    let target = Target::start(database).await;
    let seeds = corpus(name);
    for seed in &seeds {
        let answer = target
            .ask(seed)
            .await
            .expect("a request of the corpus can be made");
        assert!(
            !answer.blames_us(),
            "{}: {answer:?}",
            String::from_utf8_lossy(seed)
        );
    }
    let (until, seed) = bounds();
    let mut mutator = Mutator::new(seeds, seed);
    let (mut tried, mut seen) = (0_u64, HashSet::new());
    while Instant::now() < until {
        let input = mutator.next();
        let asked = tokio::time::timeout(LONGEST, target.ask(&input)).await;
        let shown = || {
            format!(
                "{name}, seed {seed}, after {tried}: {}",
                input.escape_ascii()
            )
        };
        let Ok(asked) = asked else {
            panic!("no answer within {LONGEST:?}: {}", shown());
        };
        // Not every change leaves a request.
        let Some(answer) = asked else {
            continue;
        };
        assert!(!answer.blames_us(), "{answer:?}: {}", shown());
        tried += 1;
        if seen.insert(answer.kind()) && mutator.len() < MOST {
            mutator.keep(input);
        }
    }
    assert!(tried > 0);
    println!("{name}: {tried} requests, {} kinds of answers", seen.len());
}

fn run_numbers() {
    let (until, seed) = bounds();
    let mut mutator = Mutator::new(corpus("numbers"), seed);
    let regions = ["", "CH", "US", "IT", "ZZ"].map(|region| NumberRules {
        default_region: region.into(),
        ..NumberRules::default()
    });
    let (mut tried, mut seen) = (0_u64, HashSet::new());
    while Instant::now() < until {
        let input = mutator.next();
        let text = String::from_utf8_lossy(&input);
        for rules in &regions {
            let began = Instant::now();
            let read = Number::parse(&text, rules);
            assert!(began.elapsed() < Duration::from_secs(2), "{text:?}");
            if let Ok(number) = &read {
                let again = Number::parse(number.as_str(), rules);
                assert_eq!(again.as_ref(), Ok(number), "{text:?}");
                let digits = number.as_str().strip_prefix('+').expect("a plus");
                let whole = (4..=15).contains(&digits.len());
                assert!(
                    whole && digits.bytes().all(|byte| byte.is_ascii_digit()),
                    "{text:?}"
                );
            }
            tried += 1;
            let kind = match &read {
                Ok(number) => number.country().unwrap_or_default(),
                Err(error) => error.code().to_owned(),
            };
            if seen.insert(kind) {
                mutator.keep(input.clone());
            }
        }
    }
    println!("numbers: {tried} texts, {} kinds of answers", seen.len());
}

/// Files of users, of every format that there is a reader for.
fn run_import() {
    let (until, seed) = bounds();
    let mut mutator = Mutator::new(corpus("import"), seed);
    let place = tempfile::NamedTempFile::new().expect("a file");
    let (mut tried, mut seen) = (0_u64, HashSet::new());
    while Instant::now() < until {
        let input = mutator.next();
        std::fs::write(place.path(), &input).expect("must write");
        let began = Instant::now();
        let kind = read_users(place.path(), input.len());
        assert!(
            began.elapsed() < LONGEST,
            "{:?}",
            String::from_utf8_lossy(&input)
        );
        tried += 1;
        if seen.len() < MOST && seen.insert(kind) {
            mutator.keep(input);
        }
    }
    println!("import: {tried} files, {} kinds of answers", seen.len());
}

/// What is said of the lines of a file. Whatever it holds, it ends, and what is read can be told again.
fn read_users(file: &Path, bytes: usize) -> Vec<String> {
    let reading = Reading {
        policies: Policies::default(),
        organization: "acme".to_owned(),
        unverified: false,
    };
    let mut users = match Users::open(file, None, reading) {
        Ok(users) => users,
        Err(error) => return vec![error.to_string()],
    };
    let mut said = Vec::new();
    for _ in 0..=bytes {
        match users.read_next() {
            Ok(None) => return said,
            Ok(Some(user)) => said.push(match user.read {
                Ok(incoming) => {
                    let created = incoming.created_at.map_or(0, |at| at.0);
                    let year = created.div_euclid(1_000_000).div_euclid(31_556_952);
                    assert!((-1_970..8_031).contains(&year), "{created}");
                    "read".to_owned()
                }
                Err(wrong) => wrong
                    .to_string()
                    .chars()
                    .filter(|c| !c.is_ascii_digit())
                    .collect(),
            }),
            Err(error) => return vec![error.to_string()],
        }
    }
    panic!("more users than bytes");
}
