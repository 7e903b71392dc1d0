//! `ringback migrate`: brings the tables up to date.

use std::path::PathBuf;

use super::load;
use crate::app;

/// `ringback migrate`
pub async fn migrate(file: Option<PathBuf>) -> anyhow::Result<()> {
    let config = load(file)?;
    config.check_database()?;
    app::migrate(&config).await?;
    let database = ringback_store::describe(&app::settings(&config));
    println!("the tables of {database} are up to date");
    Ok(())
}
