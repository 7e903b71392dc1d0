//! `ringback dev`: everything in one process, to try it out.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::bail;

use super::{begin_log, bind};
use crate::api::inbox::Page;
use crate::app::{App, Tables, source, stop_signal};
use crate::config::{TlsSection, environment};
use crate::dev::{DevHome, instead_of};
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
    let mut config = home.config(listen, database_url.as_deref())?;
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
    let _figures = telemetry::metrics(config.metrics.listen).await?;
    let stop = stop_signal()?;
    let page = Page {
        token: home.admin_token(started_at)?,
    };
    let app = App::build_with(&config, source, Tables::Migrate, Some(page)).await?;
    let listener = bind(listen).await?;
    let scheme = if app.tls.is_some() { "https" } else { "http" };
    let base_url = format!("{scheme}://{}", listener.local_addr()?);
    home.write_dev_json(&base_url, started_at)?;
    let authority = certificate.as_ref().map(|files| files.authority.as_path());
    println!("{}", home.welcome(&base_url, authority));
    app.run(listener, true, stop).await;
    Ok(())
}
