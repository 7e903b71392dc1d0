//! `ringback backup`: copies an SQLite database while it is in use.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::load;
use crate::app;
use crate::dev::DevHome;

/// `ringback backup`
pub async fn backup(
    to: PathBuf,
    file: Option<PathBuf>,
    data_dir: Option<PathBuf>,
) -> anyhow::Result<()> {
    let config = match data_dir {
        Some(data_dir) => {
            let home = DevHome::existing(&data_dir)?;
            home.config(SocketAddr::from(([127, 0, 0, 1], 0)), None)?
        }
        None => load(file)?,
    };
    let settings = app::settings(&config);
    ringback_store::backup(&settings, &to).await?;
    let database = ringback_store::describe(&settings);
    println!("{database} was copied to {}", to.display());
    Ok(())
}
