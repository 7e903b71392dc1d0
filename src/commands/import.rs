//! `ringback import`: brings users and their numbers over from a file.

use std::fmt;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use ringback_store::{Imported, Incoming, Store};

use super::place::DatabaseArguments;
use crate::config::Config;
use crate::moving::{Format, Reading, Users};
use crate::story::counted;

/// Users that are written in one transaction.
const BATCH: usize = 500;
/// How many users are told one by one of whom nothing becomes.
const TOLD: u64 = 1_000;

/// `ringback import`
#[derive(clap::Args)]
pub struct ImportArguments {
    /// What `ringback export` wrote, or an export of another service; may be compressed with gzip
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    database: DatabaseArguments,
    /// What the file is; told by its first lines where it is left out
    #[arg(long, value_name = "FORMAT", value_parser = format, default_value = "auto")]
    format: Said,
    /// The organisation of users of whom the file names none; accounts.default_organization where it is left out
    #[arg(long, value_name = "ORG")]
    org: Option<String>,
    /// Takes no number for verified, whatever the file says
    #[arg(long)]
    unverified: bool,
    /// Reads the file and compares it with the database; writes nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy)]
struct Said(Option<Format>);

fn format(text: &str) -> Result<Said, String> {
    use clap::ValueEnum;
    if text == "auto" {
        return Ok(Said(None));
    }
    let known = Format::from_str(text, false);
    let known = known.map_err(|_| "there are auto, ndjson, csv, auth0, firebase, cognito, clerk");
    Ok(Said(Some(known?)))
}

/// What became of users so far.
#[derive(Default)]
struct Counts {
    added: u64,
    equal: u64,
    skipped: u64,
    wrong: u64,
    told: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts {
            added,
            equal,
            skipped,
            wrong,
            told: _,
        } = self;
        write!(
            f,
            "{added} added, {equal} there already, {skipped} skipped, {wrong} wrong"
        )
    }
}

/// `ringback import`
pub async fn import(arguments: ImportArguments) -> anyhow::Result<()> {
    let name = arguments.file.display().to_string();
    std::fs::File::open(&arguments.file).with_context(|| name.clone())?;
    let (config, store) = arguments.database.open(Config::check_database).await?;
    let default = config.accounts.default_organization.clone();
    let reading = Reading {
        policies: config.policies(),
        organization: arguments.org.clone().unwrap_or(default),
        unverified: arguments.unverified,
    };
    let users = Users::open(&arguments.file, arguments.format.0, reading);
    let mut users = users.with_context(|| name.clone())?;
    let mut run = Run {
        store,
        dry: arguments.dry_run,
        counts: Counts::default(),
        batch: Vec::with_capacity(BATCH),
        progress: Progress::new(),
    };
    while let Some(user) = users.read_next().with_context(|| name.clone())? {
        match user.read {
            Ok(incoming) => run.batch.push((user.line, incoming)),
            Err(wrong) => {
                run.counts.wrong += 1;
                run.tell(user.line, &wrong);
            }
        }
        if run.batch.len() == BATCH {
            run.write().await?;
        }
        run.progress.tell(&run.counts, user.line);
    }
    run.write().await?;
    run.progress.end();
    let (counts, dry) = (&run.counts, if run.dry { "would be: " } else { "" });
    println!("{dry}{counts}");
    run.store.close().await;
    if counts.wrong > 0 {
        bail!(
            "not imported of {name}: {}; mend their lines and import it again",
            counted(counts.wrong, "user")
        );
    }
    Ok(())
}

struct Run {
    store: Store,
    dry: bool,
    counts: Counts,
    batch: Vec<(u64, Incoming)>,
    progress: Progress,
}

impl Run {
    async fn write(&mut self) -> anyhow::Result<()> {
        let (lines, incoming): (Vec<u64>, Vec<Incoming>) = self.batch.drain(..).unzip();
        if incoming.is_empty() {
            return Ok(());
        }
        let imported = self.store.import(&incoming, self.dry).await;
        let imported = imported.with_context(|| {
            let counts = &self.counts;
            format!("the import ended after {counts}; start it again, what is there stays")
        })?;
        for (line, imported) in lines.into_iter().zip(imported) {
            match imported {
                Imported::Added => self.counts.added += 1,
                Imported::Equal => self.counts.equal += 1,
                Imported::Differs => {
                    self.counts.skipped += 1;
                    self.tell(line, "skipped: the user is there already, and differs");
                }
                Imported::Deleted => {
                    self.counts.skipped += 1;
                    self.tell(
                        line,
                        "skipped: the user was deleted or erased lately; AddHumanUser brings one back",
                    );
                }
            }
        }
        Ok(())
    }

    fn tell(&mut self, line: u64, text: &str) {
        self.counts.told += 1;
        if self.counts.told > TOLD {
            return;
        }
        self.progress.end();
        eprintln!("line {line}: {text}");
        if self.counts.told == TOLD {
            eprintln!("more lines are only counted");
        }
    }
}

/// A line on standard error that says how far it is: the same one on a terminal, else one now and then.
struct Progress {
    terminal: bool,
    said: Instant,
    open: bool,
}

impl Progress {
    fn new() -> Progress {
        Progress {
            terminal: std::io::stderr().is_terminal(),
            said: now(),
            open: false,
        }
    }

    fn tell(&mut self, counts: &Counts, line: u64) {
        let every = if self.terminal { 1 } else { 10 };
        if self.said.elapsed() < Duration::from_secs(every) {
            return;
        }
        self.said = now();
        match self.terminal {
            true => eprint!("\r\x1b[Kline {line}: {counts}"),
            false => eprintln!("line {line}: {counts}"),
        }
        self.open = self.terminal;
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.open) {
            eprintln!();
        }
    }
}

fn now() -> Instant {
    Instant::now()
}
