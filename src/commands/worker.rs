//! `ringback worker`: only delivers.

use std::path::PathBuf;

use tokio::sync::watch;

use super::{begin_log, load, say_which_database};
use crate::app::{self, source, stop_signal};
use crate::telemetry;

/// `ringback worker`
pub async fn worker(file: Option<PathBuf>) -> anyhow::Result<()> {
    let config = load(file)?;
    config.check_delivery()?;
    begin_log(&config)?;
    let _figures = telemetry::metrics(config.metrics.listen).await?;
    let stop_signal = stop_signal()?;
    say_which_database(&config);
    let store = app::open(&config, source()).await?;
    store.migrate().await?;
    let (routes, _) = app::routes(&config)?;
    let delivery = app::delivery(&config, &store, routes);
    let (stop, stopped) = watch::channel(false);
    tracing::info!("delivering");
    let waiting = async {
        stop_signal.await;
        let _ = stop.send(true);
    };
    tokio::join!(delivery.run(stopped), waiting);
    Ok(())
}
