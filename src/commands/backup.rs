//! `ringback backup`: copies an SQLite database while it is in use.

use std::path::PathBuf;

use super::{load, of_data_dir};
use crate::app;

/// `ringback backup`
pub async fn backup(
    to: PathBuf,
    file: Option<PathBuf>,
    data_dir: Option<PathBuf>,
) -> anyhow::Result<()> {
    let config = match data_dir {
        Some(dir) => of_data_dir(&dir)?,
        None => load(file)?,
    };
    let settings = app::settings(&config);
    ringback_store::backup(&settings, &to).await?;
    let database = ringback_store::describe(&settings);
    println!("{database} was copied to {}", to.display());
    Ok(())
}
