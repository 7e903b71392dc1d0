//! `ringback export`: writes users and their numbers to a file.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::mem;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use ringback_store::Store;
use serde_json::Value;

use super::person;
use super::place::DatabaseArguments;
use super::remote::ServerArguments;
use crate::config::Config;
use crate::moving::{Writer, WrittenAs};
use crate::story::counted;

/// Accounts that are read at once.
const PAGE: u32 = 1_000;

/// `ringback export`
#[derive(clap::Args)]
pub struct ExportArguments {
    #[command(flatten)]
    database: DatabaseArguments,
    /// All that is kept about this user, as JSON, in place of all users
    #[arg(long, value_name = "ID", conflicts_with = "format")]
    user: Option<String>,
    /// The users of this organisation only
    #[arg(long, value_name = "ORG")]
    org: Option<String>,
    /// A new file, which only its owner may read; standard output where it is left out
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// What to write
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "ndjson")]
    format: WrittenAs,
    // Of one user only.
    #[command(flatten)]
    server: ServerArguments,
}

/// `ringback export`
pub async fn export(mut arguments: ExportArguments) -> anyhow::Result<()> {
    let server = mem::take(&mut arguments.server).server(arguments.org.as_deref())?;
    match (server, arguments.user.take()) {
        (None, None) => export_all(&arguments).await,
        (None, Some(user)) => {
            let (config, store) = arguments.database.open(Config::check_database).await?;
            let default = config.accounts.default_organization;
            let org = arguments.org.clone();
            let kept = person::read(&store, &user, org, &default).await?;
            write_one(arguments.output.as_deref(), &kept)
        }
        (Some(server), Some(user)) => {
            let kept = person::asked(&server, &user).await?;
            write_one(arguments.output.as_deref(), &kept)
        }
        (Some(_), None) => {
            bail!(
                "--url is for one user: add --user, or export all from the database with --config or --data-dir"
            )
        }
    }
}

fn write_one(output: Option<&Path>, kept: &Value) -> anyhow::Result<()> {
    let text = format!("{kept:#}\n");
    let Some(to) = output else {
        print!("{text}");
        return Ok(());
    };
    let (partial, mut file) = begin(to)?;
    let failed = || format!("cannot write {}", to.display());
    file.write_all(text.as_bytes()).with_context(failed)?;
    file.sync_all().with_context(failed)?;
    std::fs::rename(&partial, to).with_context(failed)
}

async fn export_all(arguments: &ExportArguments) -> anyhow::Result<()> {
    let (_, store) = arguments.database.open(Config::check_database).await?;
    let (org, form) = (arguments.org.as_deref(), arguments.format);
    let count = match &arguments.output {
        None => write(&store, org, form, io::stdout().lock()).await?,
        Some(to) => {
            let (partial, file) = begin(to)?;
            let count = match write(&store, org, form, &file).await {
                Ok(count) => count,
                Err(error) => {
                    // What was begun is of no use.
                    let _ = std::fs::remove_file(&partial);
                    return Err(error);
                }
            };
            let failed = || format!("cannot write {}", to.display());
            file.sync_all().with_context(failed)?;
            std::fs::rename(&partial, to).with_context(failed)?;
            count
        }
    };
    eprintln!("exported: {}", counted(count, "user"));
    Ok(())
}

/// The file as it is called until it is whole.
fn begin(to: &Path) -> anyhow::Result<(PathBuf, File)> {
    if to.exists() {
        bail!("{} exists already; choose another name", to.display());
    }
    let mut partial = to.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let file = options.open(&partial);
    let file = file.with_context(|| format!("cannot write {}", partial.display()))?;
    Ok((partial, file))
}

async fn write(
    store: &Store,
    organization: Option<&str>,
    form: WrittenAs,
    to: impl Write,
) -> anyhow::Result<u64> {
    let writing = "writing the export";
    let mut writer = Writer::new(form, BufWriter::new(to)).context(writing)?;
    let mut accounts = store.accounts(organization);
    let mut count = 0;
    loop {
        let page = accounts.next(PAGE).await.context("reading the database")?;
        if page.is_empty() {
            writer.finish().context(writing)?;
            return Ok(count);
        }
        for account in &page {
            writer.write(account).context(writing)?;
            count += 1;
        }
    }
}
