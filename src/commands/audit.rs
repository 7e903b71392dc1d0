//! `ringback audit`: whether the record is what was written, and the key that its checkpoints are signed with.

use std::path::PathBuf;

use anyhow::{Context, bail};

use super::{load, of_data_dir};
use crate::app::{self, Tables, source};
use crate::config::Config;

/// `ringback audit`
#[derive(clap::Subcommand)]
pub enum AuditCommand {
    /// Go through all that is on record, and say the first thing that is wrong
    Verify(AuditArguments),
    /// Print the public key that checkpoints are signed with: Ed25519, 32 bytes in hexadecimal digits
    Key(AuditArguments),
}

/// Whose record.
#[derive(clap::Args)]
pub struct AuditArguments {
    /// As for `serve`
    #[arg(long, value_name = "FILE", conflicts_with = "data_dir")]
    config: Option<PathBuf>,
    /// Of `ringback dev`, in place of a configuration
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl AuditArguments {
    fn config(self) -> anyhow::Result<Config> {
        match &self.data_dir {
            Some(dir) => of_data_dir(dir),
            None => load(self.config),
        }
    }
}

/// `ringback audit`
pub async fn audit(command: AuditCommand) -> anyhow::Result<()> {
    match command {
        AuditCommand::Verify(arguments) => verify(&arguments.config()?).await,
        AuditCommand::Key(arguments) => {
            let keys = arguments.config()?.keys()?;
            println!("{}", ringback_store::audit_key(&keys)?);
            Ok(())
        }
    }
}

async fn verify(config: &Config) -> anyhow::Result<()> {
    config.check_delivery()?;
    let store = app::open(config, source()).await?;
    Tables::AsTheyAre.make_ready(&store).await?;
    let verified = store
        .verify_events()
        .await
        .context("reading the database")?;
    if let Some(found) = verified.wrong {
        bail!("event {} is {}", found.position, found.wrong);
    }
    let kept = verified.last - verified.forgotten;
    println!(
        "{kept} events up to {} are as they were written, {} of them anonymous since; {} checkpoints hold",
        verified.last, verified.erased, verified.checkpoints
    );
    if verified.forgotten > 0 {
        println!(
            "those up to {} are kept no more (audit.keep_days)",
            verified.forgotten
        );
    }
    Ok(())
}
