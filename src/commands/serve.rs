//! `ringback serve`: every API, and delivery.

use std::path::PathBuf;

use super::{begin_log, bind, load, say_which_database};
use crate::app::{App, Tables, source, stop_signal};
use crate::http::Readiness;
use crate::telemetry;

/// `ringback serve`
pub async fn serve(file: Option<PathBuf>, worker: bool, migrate: bool) -> anyhow::Result<()> {
    let config = load(file)?;
    config.check()?;
    begin_log(&config)?;
    let readiness = Readiness::default();
    let _figures = telemetry::metrics(config.metrics.listen, readiness.router()).await?;
    // From here on a signal stops the program in order: readiness may be seen before the last line here.
    let stop = stop_signal()?;
    for remark in config.remarks() {
        tracing::warn!("{remark}");
    }
    say_which_database(&config);
    let tables = match migrate {
        true => Tables::Migrate,
        false => Tables::AsTheyAre,
    };
    let app = App::build_on(&config, source(), tables, readiness).await?;
    let listener = bind(config.server.listen, "server.listen").await?;
    let tls = app.tls.is_some();
    tracing::info!(address = %listener.local_addr()?, tls, worker, "serving");
    app.run(listener, worker, stop).await;
    Ok(())
}
