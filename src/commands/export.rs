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
use super::remote::ServerArguments;
use super::{load, of_data_dir};
use crate::app::{self, Tables, source};
use crate::moving::{Writer, WrittenAs};

/// Accounts that are read at once.
const PAGE: u32 = 1_000;

/// `ringback export`
#[derive(clap::Args)]
pub struct ExportArguments {
    /// As for `serve`: reads the database itself
    #[arg(long, value_name = "FILE", conflicts_with_all = ["url", "data_dir"])]
    config: Option<PathBuf>,
    /// Of `ringback dev`, in place of a configuration
    #[arg(long, value_name = "DIR", conflicts_with = "url")]
    data_dir: Option<PathBuf>,
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
            let (store, default) = open(&arguments).await?;
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
                "--url is for one user: add --user, or export all from the database with --config"
            )
        }
    }
}

async fn open(arguments: &ExportArguments) -> anyhow::Result<(Store, String)> {
    let config = match &arguments.data_dir {
        Some(dir) => of_data_dir(dir)?,
        None => load(arguments.config.clone())?,
    };
    config.check_database()?;
    let store = app::open(&config, source()).await?;
    Tables::AsTheyAre.make_ready(&store).await?;
    Ok((store, config.accounts.default_organization))
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
    let (store, _) = open(arguments).await?;
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
    eprintln!("{count} users were exported");
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
