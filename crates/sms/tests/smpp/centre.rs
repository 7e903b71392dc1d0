//! Message centres that nobody here wrote, as processes of a test.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

/// How long anything that must happen may take.
const SOON: Duration = Duration::from_secs(20);

/// Where the packages are.
fn packages() -> PathBuf {
    std::env::var_os("RINGBACK_TEST_SMSC")
        .expect("RINGBACK_TEST_SMSC is not set: run scripts/providers smpp")
        .into()
}

fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/smpp")
        .join(name)
}

/// A message centre; ends with the test.
pub struct Centre {
    pub port: u16,
    process: Child,
    orders: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
    /// What it said while it was told something else.
    unheard: VecDeque<Value>,
}

impl Centre {
    /// The npm package smpp.
    pub async fn smpp() -> Centre {
        Centre::smpp_at(0, &[]).await
    }

    /// The same on a port, with the files of a key and a certificate for TLS.
    pub async fn smpp_at(port: u16, tls: &[&Path]) -> Centre {
        let mut command = Command::new("node");
        command
            .arg(program("npm_smpp.js"))
            .arg(port.to_string())
            .args(tls);
        Centre::start(command).await
    }

    /// The PyPI package smpp34.
    pub async fn smpp34() -> Centre {
        Centre::python("pypi_smpp34.py").await
    }

    /// The PyPI package smppy.
    pub async fn smppy() -> Centre {
        Centre::python("pypi_smppy.py").await
    }

    async fn python(name: &str) -> Centre {
        let mut command = Command::new(packages().join("venv/bin/python"));
        command.arg("-B").arg(program(name));
        Centre::start(command).await
    }

    async fn start(mut command: Command) -> Centre {
        let mut process = command
            .env("RINGBACK_TEST_SMSC", packages())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("a message centre");
        let orders = process.stdin.take().expect("piped");
        let said = BufReader::new(process.stdout.take().expect("piped")).lines();
        let mut centre = Centre {
            port: 0,
            process,
            orders,
            said,
            unheard: VecDeque::new(),
        };
        let port = centre.hear("port").await.as_u64().expect("a number");
        centre.port = u16::try_from(port).expect("a port");
        centre
    }

    /// Ends it at once.
    pub async fn stop(mut self) {
        self.process.kill().await.expect("it ran");
    }

    /// Tells it what to do, and waits until it has.
    pub async fn order(&mut self, order: Value) {
        let line = format!("{order}\n");
        self.orders
            .write_all(line.as_bytes())
            .await
            .expect("it listens");
        loop {
            let said = self.next("an order").await;
            if said.get("done").is_some() {
                return;
            }
            self.unheard.push_back(said);
        }
    }

    /// What it says next about this; what it says before about others is passed over.
    pub async fn hear(&mut self, about: &str) -> Value {
        loop {
            let mut said = match self.unheard.pop_front() {
                Some(said) => said,
                None => self.next(about).await,
            };
            if let Some(found) = said.get_mut(about) {
                return found.take();
            }
        }
    }

    async fn next(&mut self, about: &str) -> Value {
        let line = timeout(SOON, self.said.next_line()).await;
        let line = line.unwrap_or_else(|_| panic!("nothing is said about {about}"));
        let line = line.expect("text").expect("it still runs");
        serde_json::from_str(&line).expect("JSON")
    }
}
