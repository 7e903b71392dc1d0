//! `ringback dev`: everything in one process, to try it out.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::bail;

use super::{begin_log, bind};
use crate::app::{App, Tables, source, stop_signal};
use crate::config::{TlsSection, environment};
use crate::dev::{DevHome, instead_of};
use crate::http::Readiness;
use crate::telemetry;

/// `ringback dev`
pub async fn dev(
    listen: SocketAddr,
    data_dir: PathBuf,
    database_url: Option<String>,
    tls: bool,
) -> anyhow::Result<()> {
    if !listen.ip().is_loopback() {
        bail!(
            "--listen {listen}: dev listens on this machine only, because its inbox shows every code; \
             use an address such as 127.0.0.1:{}, or `ringback serve`",
            listen.port()
        );
    }
    let home = DevHome::open(&data_dir)?;
    let listener = bind(listen, "--listen").await?;
    // With the port that it got, for addresses of our own pages.
    let mut config = super::of_dev(home.config(listener.local_addr()?, database_url.as_deref()))?;
    begin_log(&config)?;
    for (name, _) in environment() {
        if let Some(instead) = instead_of(&name, tls) {
            tracing::warn!("{name} is ignored: {instead}");
        }
    }
    let source = source();
    let started_at = (source.now)();
    let certificate = tls.then(|| home.certificate(started_at)).transpose()?;
    if let Some(files) = &certificate {
        config.tls = TlsSection {
            certificate: files.certificate.clone(),
            key: files.key.clone(),
        };
    }
    let readiness = Readiness::default();
    let _figures = telemetry::metrics(config.metrics.listen, readiness.router()).await?;
    let stop = stop_signal()?;
    let token = home.admin_token(started_at)?;
    let app = App::build_with(&config, source, Tables::Migrate, readiness, Some(token)).await?;
    let scheme = if app.tls.is_some() { "https" } else { "http" };
    let base_url = format!("{scheme}://{}", listener.local_addr()?);
    home.write_dev_json(&base_url, started_at)?;
    let authority = certificate.as_ref().map(|files| files.authority.as_path());
    // As it was called, for it may not be on the PATH.
    let program = std::env::args().next();
    let program = program.as_deref().unwrap_or("ringback");
    println!("{}", home.welcome(program, &base_url, authority));
    app.run(listener, true, stop).await;
    Ok(())
}
