//! `ringback audit`: whether the record is what was written, and the key that its checkpoints are signed with.

use anyhow::{Context, bail};

use super::place::DatabaseArguments;
use crate::config::Config;
use crate::story::counted;

/// `ringback audit`
#[derive(clap::Subcommand)]
pub enum AuditCommand {
    /// Go through all events on record, and say the first that was changed, removed or added
    ///
    /// Each event holds a hash of the one before, and checkpoints are signed with a key made of
    /// secrets.pseudonym_key. Ends with 0 when all is as it was written, and with 1 otherwise.
    Verify(DatabaseArguments),
    /// Print the public key that checkpoints are signed with: Ed25519, 32 bytes in hexadecimal digits
    ///
    /// Keep it elsewhere: with it an auditor proves checkpoints without the database and without secrets.
    Key(DatabaseArguments),
}

/// `ringback audit`
pub async fn audit(command: AuditCommand) -> anyhow::Result<()> {
    match command {
        AuditCommand::Verify(arguments) => verify(&arguments).await,
        AuditCommand::Key(arguments) => {
            let keys = arguments.config()?.keys()?;
            println!("{}", ringback_store::audit_key(&keys)?);
            Ok(())
        }
    }
}

async fn verify(database: &DatabaseArguments) -> anyhow::Result<()> {
    let (_, store) = database.open(Config::check_delivery).await?;
    let verified = store
        .verify_events()
        .await
        .context("reading the database")?;
    if let Some(found) = verified.wrong {
        bail!("event {} is {}", found.position, found.wrong);
    }
    let kept = verified.last - verified.forgotten;
    println!(
        "{} up to {} {} written, {} of them anonymous since; {} {}",
        counted(kept, "event"),
        verified.last,
        if kept == 1 {
            "is as it was"
        } else {
            "are as they were"
        },
        verified.erased,
        counted(verified.checkpoints, "checkpoint"),
        if verified.checkpoints == 1 {
            "holds"
        } else {
            "hold"
        },
    );
    if verified.forgotten > 0 {
        println!(
            "those up to {} are kept no more (audit.keep_days)",
            verified.forgotten
        );
    }
    Ok(())
}
