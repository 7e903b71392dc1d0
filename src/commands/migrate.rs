//! `ringback migrate`: brings the tables up to date.

use std::path::PathBuf;

use anyhow::Context;

use super::load;
use crate::app;

/// `ringback migrate`
pub async fn migrate(file: Option<PathBuf>) -> anyhow::Result<()> {
    let config = load(file)?;
    config.check_database()?;
    let settings = app::settings(&config);
    let found = ringback_store::inspect(&settings).await;
    let found = found.context("database.url")?;
    app::migrate(&config).await?;
    let (place, version, known) = (found.place, found.version, found.known);
    match (found.missing, version) {
        (true, _) => println!("made the database {place}, with tables of version {known}"),
        (false, 0) => println!("made the tables of {place}: version {known}"),
        (false, version) if version < known => {
            println!("brought the tables of {place} from version {version} to {known}");
        }
        (false, _) => println!("the tables of {place} were up to date: version {version}"),
    }
    Ok(())
}
