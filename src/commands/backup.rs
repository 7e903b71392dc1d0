//! `ringback backup`: copies an SQLite database while it is in use.

use std::path::PathBuf;

use super::place::DatabaseArguments;
use crate::app;

/// `ringback backup`
#[derive(clap::Args)]
pub struct BackupArguments {
    /// The new file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    database: DatabaseArguments,
}

/// `ringback backup`
pub async fn backup(arguments: BackupArguments) -> anyhow::Result<()> {
    let BackupArguments { file, database } = arguments;
    let settings = app::settings(&database.existing()?);
    ringback_store::backup(&settings, &file).await?;
    let database = ringback_store::describe(&settings);
    println!("{database} was copied to {}", file.display());
    Ok(())
}
