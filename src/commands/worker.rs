//! `ringback worker`: only delivers.

use std::path::PathBuf;

use tokio::sync::watch;

use super::{begin_log, load, say_which_database};
use crate::app::{self, source, stop_signal};
use crate::http::Readiness;
use crate::telemetry;
use crate::worker::{Recorder, endpoints, routes};

/// `ringback worker`
pub async fn worker(file: Option<PathBuf>) -> anyhow::Result<()> {
    let config = load(file)?;
    config.check_delivery()?;
    begin_log(&config)?;
    let readiness = Readiness::default();
    let _figures = telemetry::metrics(config.metrics.listen, readiness.router()).await?;
    let stop_signal = stop_signal()?;
    say_which_database(&config);
    let store = app::open(&config, source()).await?;
    store.migrate().await?;
    readiness.start(store.clone());
    let (routes, _) = routes(&config)?;
    let delivery = app::delivery(&config, &store, routes)?;
    let (stop, stopped) = watch::channel(false);
    tracing::info!("delivering");
    let waiting = async {
        stop_signal.await;
        readiness.leave();
        let _ = stop.send(true);
    };
    let recorder = Recorder::new(store.clone(), &config.audit);
    let telling = endpoints(&config, &store)?.into_iter();
    let telling = telling.map(|endpoint| endpoint.run(stopped.clone()));
    tokio::join!(
        delivery.run(stopped.clone()),
        recorder.run(stopped.clone()),
        futures::future::join_all(telling),
        waiting
    );
    Ok(())
}
