//! The program under measurement: started with a throw-away configuration, and stopped.

use std::fs::{self, File};
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use clap::ValueEnum;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::connection::Endpoint;
use crate::fetch::fetch;
use crate::ids::unix_seconds;
use crate::process::Process;
use crate::request::Protocol;
use crate::run::Target;

const ISSUER: &str = "ringback-load";
const AUDIENCE: &str = "ringback";
/// How long tokens live: longer than any measurement.
const TOKEN_LIFE: u64 = 86_400;
/// A server that is not ready by then never is.
const START: Duration = Duration::from_secs(30);
/// A server is given a little more than the ten seconds that it promises.
const STOP: Duration = Duration::from_secs(15);
/// How often a starting server is asked whether it is ready.
const POLL_EVERY: Duration = Duration::from_millis(2);

/// What every start of a server on one database shares: secrets and configuration.
pub(crate) struct Setup {
    program: PathBuf,
    directory: TempDir,
    /// Where the data is.
    pub(crate) database: String,
    /// The same as its servers reach it, where they reach it in another way.
    reached: Option<String>,
    secrets: Secrets,
    lanes: Option<usize>,
    keep_seconds: u64,
    /// What carries messages, as sections of a file.
    routes: String,
    /// In place of those that are served by default.
    apis: Option<String>,
    layers: Layers,
}

/// Which limits and guards the server has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Layers {
    /// Those of the defaults, but that addresses are not counted: all users come from one
    #[default]
    Usual,
    /// Client addresses too, each user's own, behind a proxy that is believed
    Addresses,
    /// And budgets of organisations, countries and money, and a guard that enforces its rules; none is ever met
    All,
}

impl Layers {
    fn config(self) -> &'static str {
        match self {
            Layers::Usual => "[limits]\nsends_per_address = []\nverifications_per_address = []\n",
            Layers::Addresses => "",
            Layers::All => {
                r#"[limits]
sends_per_organization_per_day = 1000000000
spend_per_organization_per_day = "999999999"
sends_per_country_per_day = { CH = 1000000000, default = 1000000000 }
[guard]
mode = "enforce"
unverified_floor = 1000000000
growth_floor = 1000000000
prefix_sends = 1000000000
prefix_day = 1000000000
"#
            }
        }
    }
}

struct Secrets {
    code_key: String,
    pseudonym_key: String,
    token_secret: String,
}

/// A server that runs.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    metrics: SocketAddr,
    /// From the start of the process to its first ready answer.
    pub(crate) started_in: Duration,
    /// Memory right after that, in MiB.
    pub(crate) idle_mib: f64,
    /// A token that may do everything.
    token: String,
    /// What those of users are signed with.
    token_secret: String,
}

impl Setup {
    /// `database`: an address, or `None` for an SQLite file that goes with the setup.
    pub(crate) fn new(program: &Path, database: Option<&str>) -> anyhow::Result<Setup> {
        let directory = tempfile::Builder::new().prefix("ringback-load").tempdir()?;
        let file = || format!("sqlite:{}", directory.path().join("ringback.db").display());
        Ok(Setup {
            program: program.to_owned(),
            database: database.map_or_else(file, str::to_owned),
            directory,
            reached: None,
            secrets: Secrets {
                code_key: random_key()?,
                pseudonym_key: random_key()?,
                token_secret: random_key()?,
            },
            lanes: None,
            layers: Layers::Usual,
            keep_seconds: 0,
            apis: None,
            routes: "[sms.routes.inbox]\ntype = \"inbox\"\ncost_per_segment = \"0.0075\"\n"
                .to_owned(),
        })
    }

    /// Which keeps so long what became of messages.
    pub(crate) fn keeping(mut self, seconds: u64) -> Setup {
        self.keep_seconds = seconds;
        self
    }

    /// Which serves these APIs.
    pub(crate) fn with_apis(mut self, names: &[&str]) -> Setup {
        self.apis = Some(format!("apis = {names:?}"));
        self
    }

    /// A token of an end user, issued now.
    pub(crate) fn user_token(&self, user: &str) -> anyhow::Result<String> {
        let scope = "openid full_write";
        token(
            &self.secrets.token_secret,
            json!({"sub": user, "scope": scope}),
        )
    }

    /// With these routes, as sections of a file, in place of the inbox.
    pub(crate) fn with_routes(mut self, routes: &str) -> Setup {
        self.routes = routes.to_owned();
        self
    }

    /// With these limits and guards.
    pub(crate) fn with_layers(mut self, layers: Layers) -> Setup {
        self.layers = layers;
        self
    }

    /// With so many lanes, whatever the database.
    pub(crate) fn with_lanes(mut self, lanes: usize) -> Setup {
        self.lanes = Some(lanes);
        self
    }

    /// With servers that reach the database at another address. Whoever prepares it does so directly.
    pub(crate) fn reaching(mut self, database: String) -> Setup {
        self.reached = Some(database);
        self
    }

    /// Where files of a measurement may lie.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Brings the tables up to date without serving.
    pub(crate) async fn migrate(&self) -> anyhow::Result<()> {
        let output = self
            .command("migrate", free_port()?, free_port()?)?
            .output()
            .await?;
        if !output.status.success() {
            bail!(
                "ringback migrate: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(())
    }

    /// Starts the server, and waits until it is ready.
    pub(crate) async fn start(&self) -> anyhow::Result<Server> {
        self.start_with(&[]).await
    }

    /// The same with further arguments.
    pub(crate) async fn start_with(&self, arguments: &[&str]) -> anyhow::Result<Server> {
        // Another program can take a port before the server does: try again with others.
        let mut failure = None;
        for _ in 0..3 {
            match self.start_once(arguments).await {
                Ok(server) => return Ok(server),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.context("the server does not start")?)
    }

    async fn start_once(&self, arguments: &[&str]) -> anyhow::Result<Server> {
        let (address, metrics) = (free_port()?, free_port()?);
        let log = self.directory().join(format!("{}.log", address.port()));
        let mut command = self.command("serve", address, metrics)?;
        let file = File::create(&log)?;
        command.args(arguments);
        command.stdout(file.try_clone()?).stderr(file);
        let began = Instant::now();
        let mut child = command
            .spawn()
            .with_context(|| self.program.display().to_string())?;
        let pid = child.id().context("the server has no pid")?;
        while !matches!(fetch(address, "/readyz").await, Ok((200, _))) {
            if child.try_wait()?.is_some() || began.elapsed() > START {
                let text = fs::read_to_string(&log).unwrap_or_default();
                let lines: Vec<_> = text.lines().rev().take(5).collect();
                bail!("the server does not become ready: {}", lines.join(" | "));
            }
            sleep(POLL_EVERY).await;
        }
        let started_in = began.elapsed();
        let idle_mib = Process::new(pid).memory_now()?;
        // A second answer: by then the server has gone round its loop and hears signals, too. And it is
        // ours only if our process still runs: somebody else may have taken the port.
        fetch(address, "/healthz").await?;
        if child.try_wait()?.is_some() {
            bail!("another program answers at {address}");
        }
        Ok(Server {
            child,
            address,
            metrics,
            started_in,
            idle_mib,
            token: token(
                &self.secrets.token_secret,
                json!({"sub": "load", "roles": ["IAM_OWNER"]}),
            )?,
            token_secret: self.secrets.token_secret.clone(),
        })
    }

    fn command(
        &self,
        subcommand: &str,
        listen: SocketAddr,
        metrics: SocketAddr,
    ) -> anyhow::Result<Command> {
        // Several servers of one setup may run, each with ports of its own.
        let config = self.directory().join(format!("{}.toml", listen.port()));
        fs::write(&config, self.config(listen, metrics))?;
        let mut command = Command::new(&self.program);
        command
            .arg(subcommand)
            .arg("--config")
            .arg(config)
            .current_dir(self.directory())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        Ok(command)
    }

    /// What differs from the defaults: nothing that makes it faster, but what [`Layers`] say.
    fn config(&self, listen: SocketAddr, metrics: SocketAddr) -> String {
        let Secrets {
            code_key,
            pseudonym_key,
            token_secret,
        } = &self.secrets;
        let Setup {
            keep_seconds,
            routes,
            ..
        } = self;
        let apis = self.apis.as_deref().unwrap_or_default();
        let layers = self.layers.config();
        let database = self.reached.as_ref().unwrap_or(&self.database);
        let lanes = self
            .lanes
            .map(|lanes| format!("lanes = {lanes}"))
            .unwrap_or_default();
        format!(
            r#"
{apis}
[server]
listen = "{listen}"
trusted_proxies = ["127.0.0.1"]
[database]
url = "{database}"
{lanes}
[secrets]
code_keys.1 = "{code_key}"
pseudonym_key = "{pseudonym_key}"
[auth.issuers.load]
issuer = "{ISSUER}"
audiences = ["{AUDIENCE}"]
algorithms = ["HS256"]
secret = "{token_secret}"
{layers}
[sms]
keep_seconds = {keep_seconds}
{routes}
[metrics]
listen = "{metrics}"
"#
        )
    }
}

impl Server {
    /// The server as a load's target, for one protocol.
    pub(crate) fn target(&self, protocol: Protocol) -> anyhow::Result<Target> {
        let process = self.child.id().map(Process::new);
        Ok(Target {
            endpoint: Endpoint::new(self.address, protocol, &self.token)?
                .with_secret(&self.token_secret),
            process: Some(process.context("the server has ended")?),
        })
    }

    /// One of the server's own counters, summed over its labels.
    pub(crate) async fn counter(&self, name: &str, label: &str) -> anyhow::Result<u64> {
        let (_, body) = fetch(self.metrics, "/metrics").await?;
        Ok(sum(&String::from_utf8_lossy(&body), name, label))
    }

    /// How many messages to a number the inbox shows.
    pub(crate) async fn messages_to(&self, number: &str) -> anyhow::Result<usize> {
        let path = format!("/dev/inbox?to={}", number.replace('+', "%2B"));
        let (status, body) = fetch(self.address, &path).await?;
        if status != 200 {
            bail!("the inbox answers with status {status}");
        }
        let inbox: serde_json::Value = serde_json::from_slice(&body)?;
        let messages = inbox["messages"]
            .as_array()
            .context("the inbox has no messages")?;
        Ok(messages.len())
    }

    /// Asks it to end without draining, waits, and insists if it does not.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(pid) = self.child.id() {
            Command::new("kill")
                .args(["-INT", &pid.to_string()])
                .status()
                .await?;
        }
        match timeout(STOP, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(status) => bail!("the server did not end well: {status:?}"),
            Err(_) => {
                self.child.kill().await?;
                bail!("the server did not end when it was asked to")
            }
        }
    }
}

/// The sum of a counter's lines that carry `label`, in the Prometheus text form.
fn sum(text: &str, name: &str, label: &str) -> u64 {
    text.lines()
        .filter(|line| line.starts_with(name) && line.contains(label))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .map(|value| value as u64)
        .sum()
}

fn free_port() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?)
}

/// 32 random bytes in base64.
fn random_key() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(STANDARD.encode(bytes))
}

/// A token of a user without rights over others.
pub(crate) fn user_token(secret: &str, user: &str) -> anyhow::Result<String> {
    token(secret, json!({"sub": user}))
}

/// A token of our issuer with these claims (RFC 7515 and RFC 7519, with HS256).
fn token(secret: &str, mut claims: serde_json::Value) -> anyhow::Result<String> {
    claims["iss"] = ISSUER.into();
    claims["aud"] = AUDIENCE.into();
    claims["iat"] = unix_seconds().into();
    claims["exp"] = (unix_seconds() + TOKEN_LIFE).into();
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!(
        "{}.{}",
        part(json!({"alg": "HS256", "typ": "JWT"})),
        part(claims)
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())?;
    mac.update(signed.as_bytes());
    let tag = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    Ok(format!("{signed}.{tag}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_summed_over_their_labels() {
        let text = "# TYPE a_total counter\n\
                    a_total{route=\"inbox\",result=\"sent\"} 3\n\
                    a_total{route=\"webhook\",result=\"sent\"} 4\n\
                    a_total{route=\"inbox\",result=\"retry\"} 5\n";
        assert_eq!(sum(text, "a_total", "result=\"sent\""), 7);
        assert_eq!(sum(text, "b_total", ""), 0);
    }

    #[test]
    fn tokens_have_three_parts_and_differ_by_secret() {
        let token = |secret| token(secret, json!({"sub": "load"})).unwrap();
        let (one, other) = (token("a"), token("b"));
        assert_eq!(one.split('.').count(), 3);
        assert_ne!(one.rsplit('.').next(), other.rsplit('.').next());
    }
}
