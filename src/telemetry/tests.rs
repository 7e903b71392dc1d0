//! What is shown of a log, and what is not.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::*;

/// A log that can be read.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn section(level: &str, format: LogFormat) -> LogSection {
    LogSection {
        level: level.into(),
        format,
    }
}

fn logged(section: &LogSection, variable: Option<&str>, act: impl FnOnce()) -> String {
    let paper = Paper::default();
    let writer = paper.clone();
    let filter = filter(section, variable.map(str::to_owned)).unwrap();
    let subscriber = subscriber(section.format, filter, move || writer.clone());
    tracing::subscriber::with_default(subscriber, act);
    String::from_utf8(paper.0.lock().unwrap().clone()).unwrap()
}

#[test]
fn what_a_library_logs_of_messages_is_never_shown() {
    let section = section("trace", LogFormat::Json);
    for filter in [
        None,
        Some("rusmpp=trace"),
        Some("rusmpp::codec::encode=debug"),
    ] {
        let text = logged(&section, filter, || {
            tracing::debug!(target: "rusmpp::codec::encode", command = "123456", "Encoding");
            tracing::error!(target: "rusmppc::connection::smpp", error = "123456");
            tracing::error!("ours");
        });
        assert!(!text.contains("123456"), "{text}");
        assert_eq!(text.contains("ours"), filter.is_none(), "{text}");
    }
}

#[test]
fn json_lines_are_objects() {
    let section = section("info", LogFormat::Json);
    let text = logged(&section, None, || {
        let span = tracing::info_span!("request", method = "SetPhone");
        let _entered = span.enter();
        tracing::info!(count = 3, "done");
        tracing::debug!("too fine");
    });
    assert_eq!(text.lines().count(), 1, "{text}");
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["level"], "INFO");
    assert_eq!(line["message"], "done");
    assert_eq!(line["count"], 3);
    assert_eq!(line["span"]["method"], "SetPhone");
}

#[test]
fn the_variable_goes_before_the_key() {
    let section = section("info", LogFormat::Text);
    let act = || {
        tracing::debug!("fine");
        tracing::info!("coarse");
    };
    assert!(!logged(&section, None, act).contains("fine"));
    assert!(!logged(&section, Some(""), act).contains("fine"));
    let text = logged(&section, Some("debug"), act);
    assert!(text.contains("fine") && text.contains("coarse"), "{text}");
    assert!(!logged(&section, Some("ringback=warn"), act).contains("coarse"));
}

#[test]
fn a_filter_that_would_hide_everything_by_mistake_is_refused() {
    for wrong in ["", "loud", "ringback=loud", "info,,=["] {
        let refused = filter(&section(wrong, LogFormat::Json), None);
        assert!(refused.is_err(), "{wrong}");
        assert!(refused.unwrap_err().to_string().starts_with("log.level:"));
    }
    let refused = filter(&section("info", LogFormat::Json), Some("loud".into()));
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .starts_with("RINGBACK_LOG:")
    );
    for right in ["info", "OFF", "info,ringback::auth=debug"] {
        assert!(
            filter(&section(right, LogFormat::Json), None).is_ok(),
            "{right}"
        );
    }
}

#[tokio::test]
async fn figures_are_read_over_http() {
    let address = "127.0.0.1:0".parse().unwrap();
    assert!(metrics(None, Router::new()).await.unwrap().is_none());
    let recorder = builder().unwrap().build_recorder();
    let handle = recorder.handle();
    metrics::with_local_recorder(&recorder, || {
        metrics::counter!("ringback_commands_total", "command" => "verify", "result" => "ok")
            .increment(2);
        metrics::histogram!("ringback_request_duration_seconds").record(0.003);
    });
    let listener = TcpListener::bind::<SocketAddr>(address).await.unwrap();
    let metrics = show(
        listener.local_addr().unwrap(),
        listener,
        Router::new(),
        handle,
    );
    let base = format!("http://{}", metrics.address());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("{base}/metrics")).send().await.unwrap();
    assert!(
        answer.headers()["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/plain; version=0.0.4")
    );
    let text = answer.text().await.unwrap();
    assert!(
        text.contains("ringback_commands_total{command=\"verify\",result=\"ok\"} 2"),
        "{text}"
    );
    assert!(
        text.contains("ringback_request_duration_seconds_bucket{le=\"0.0025\"} 0"),
        "{text}"
    );
    assert!(
        text.contains("ringback_request_duration_seconds_bucket{le=\"0.005\"} 1"),
        "{text}"
    );
    let elsewhere = client.get(base).send().await.unwrap();
    assert_eq!(elsewhere.status(), 404);
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let text = metrics(Some(address), Router::new())
        .await
        .unwrap_err()
        .to_string();
    assert!(
        text.starts_with(&format!("metrics.listen: cannot listen on {address}")),
        "{text}"
    );
}
