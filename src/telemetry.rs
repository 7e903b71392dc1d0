//! What the outside sees of a running process: its log and its metrics.

mod described;

use std::net::SocketAddr;
use std::panic::PanicHookInfo;
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

use crate::config::{LogFormat, LogSection};

/// The variable that goes before `log.level`.
const FILTER: &str = "RINGBACK_LOG";

/// The upper bounds of histograms of seconds: from a read in memory to a request that waited in vain.
const SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// How often what was measured is gathered, whether or not somebody reads it.
const UPKEEP: Duration = Duration::from_secs(5);

/// Why log or metrics cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not understood.
    #[error(
        "{key}: is no log filter; use a level such as info, or directives such as info,ringback=debug"
    )]
    Filter {
        /// The key or the variable.
        key: &'static str,
    },
    /// Something in this process logs or measures already.
    #[error("log and metrics can be set up once in a process: {0}")]
    Twice(String),
    /// The address for metrics cannot be listened on.
    #[error(
        "metrics.listen: cannot listen on {address}: {reason}; choose another address, or \"\" for no metrics"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        reason: std::io::Error,
    },
    /// The bounds of a histogram are not accepted.
    #[error("metrics cannot be set up: {0}")]
    Recorder(String),
}

/// Starts the log, on standard error, and sends panics there. Once for each process.
pub fn init(log: &LogSection) -> Result<(), TelemetryError> {
    let filter = filter(log, std::env::var(FILTER).ok())?;
    let twice = |error: &dyn std::error::Error| TelemetryError::Twice(error.to_string());
    tracing::subscriber::set_global_default(subscriber(log.format, filter, std::io::stderr))
        .map_err(|error| twice(&error))?;
    std::panic::set_hook(Box::new(panicked));
    Ok(())
}

/// Whether [`init`] would understand what shall be logged.
pub fn check(log: &LogSection) -> Result<(), TelemetryError> {
    filter(log, std::env::var(FILTER).ok()).map(|_| ())
}

/// The metrics' own listener; they end with it.
#[derive(Debug)]
pub struct MetricsServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl MetricsServer {
    /// Where they can be read.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Begins to measure and shows the metrics at `/metrics` of this address, in Prometheus' text form, beside
/// the paths of `probes`. Once for each process; without an address nothing is measured or shown.
pub async fn metrics(
    listen: Option<SocketAddr>,
    probes: Router,
) -> Result<Option<MetricsServer>, TelemetryError> {
    let Some(address) = listen else {
        return Ok(None);
    };
    let named = |reason| TelemetryError::Listen { address, reason };
    let listener = TcpListener::bind(address).await.map_err(named)?;
    let address = listener.local_addr().map_err(named)?;
    let recorder = builder()?.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder)
        .map_err(|error| TelemetryError::Twice(error.to_string()))?;
    described::describe();
    tracing::info!(metrics = %address, "metrics and probes are shown");
    Ok(Some(show(address, listener, probes, handle)))
}

fn builder() -> Result<PrometheusBuilder, TelemetryError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .map_err(|error| TelemetryError::Recorder(error.to_string()))
}

#[expect(
    clippy::disallowed_methods,
    reason = "ends when the metrics are dropped, and a reader may be cut off"
)]
fn show(
    address: SocketAddr,
    listener: TcpListener,
    probes: Router,
    handle: PrometheusHandle,
) -> MetricsServer {
    let task = tokio::spawn(async move {
        let upkeep = handle.clone();
        let gather = async move {
            let mut beat = tokio::time::interval(UPKEEP);
            loop {
                beat.tick().await;
                upkeep.run_upkeep();
            }
        };
        let text = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
        let router = probes.route(
            "/metrics",
            get(move || std::future::ready((text, handle.render()))),
        );
        let serve = async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "metrics are shown no more");
            }
        };
        tokio::join!(serve, gather);
    });
    MetricsServer { address, task }
}

fn filter(log: &LogSection, variable: Option<String>) -> Result<EnvFilter, TelemetryError> {
    let (key, text) = match variable.as_deref() {
        Some(text) if !text.trim().is_empty() => (FILTER, text),
        Some(_) | None => ("log.level", log.level.as_str()),
    };
    // A lone word that is no level would be read as the name of a module, and nothing would be logged.
    let word = text.trim();
    let lone = !word.contains(['=', ',', '[', ':']);
    let level = word.parse::<tracing::level_filters::LevelFilter>().is_ok();
    if word.is_empty() || (lone && !level) {
        return Err(TelemetryError::Filter { key });
    }
    EnvFilter::try_new(word).map_err(|_| TelemetryError::Filter { key })
}

fn subscriber<W>(
    format: LogFormat,
    filter: EnvFilter,
    writer: W,
) -> Box<dyn tracing::Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let common = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // A line that cannot be written is lost; to say so on standard error would end the process where
        // that is what cannot be written to.
        .log_internal_errors(false)
        .with_writer(writer);
    let harmless = filter_fn(|metadata| !shows_messages(metadata.target()));
    match format {
        LogFormat::Json => Box::new(common.json().flatten_event(true).finish().with(harmless)),
        LogFormat::Text => Box::new(common.with_target(false).compact().finish().with(harmless)),
    }
}

/// Whether what is logged under a target may hold texts, codes, numbers and passwords: the SMPP library logs every
/// byte. No filter of the operator's lets it through.
fn shows_messages(target: &str) -> bool {
    let package = target.split("::").next().unwrap_or_default();
    package.starts_with("rusmpp")
}

fn panicked(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string);
    let text = info.payload_as_str().unwrap_or("no text");
    let backtrace = std::backtrace::Backtrace::capture();
    tracing::error!(place, %backtrace, "panic: {text}");
}

#[cfg(test)]
mod tests;
