//! A running server that a command asks, in place of the database.

use std::io::Read;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde_json::Value;

use crate::config::{AddressError, is_loopback, web_address};

/// How long a running server may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Which server, and who asks.
#[derive(Default, clap::Args)]
pub struct ServerArguments {
    /// A running server in place of the database, by its address
    #[arg(
        long,
        value_name = "https://HOST",
        requires = "token",
        conflicts_with_all = ["config", "data_dir"]
    )]
    url: Option<String>,
    /// A token with the right for it; `-` reads it from standard input
    #[arg(long, value_name = "TOKEN", requires = "url")]
    token: Option<String>,
    /// Lets --url begin with http, for another host than this one: the token can be read on the way
    #[arg(long, requires = "url")]
    allow_insecure: bool,
}

/// A server that can be asked.
pub(super) struct Server {
    client: reqwest::Client,
    url: String,
    allow_insecure: bool,
    token: String,
    organization: Option<String>,
}

impl ServerArguments {
    /// The server, if one was named; `organization` is the one that is acted in.
    pub(super) fn server(self, organization: Option<&str>) -> anyhow::Result<Option<Server>> {
        let (Some(url), Some(mut token)) = (self.url, self.token) else {
            return Ok(None);
        };
        if token == "-" {
            token.clear();
            std::io::stdin()
                .read_to_string(&mut token)
                .context("--token -")?;
        }
        let mut client = reqwest::Client::builder().timeout(TIMEOUT);
        if web_address(&url, true).is_ok_and(|address| is_loopback(&address)) {
            client = client.no_proxy();
        }
        Ok(Some(Server {
            client: client.build()?,
            url,
            allow_insecure: self.allow_insecure,
            token: token.trim().to_owned(),
            organization: organization.map(str::to_owned),
        }))
    }
}

impl Server {
    /// Posts to a path, and says what was answered.
    pub(super) async fn ask(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("{}{path}", self.url.trim_end_matches('/'));
        // The token travels there.
        let address = web_address(&url, self.allow_insecure).map_err(|error| match error {
            AddressError::Insecure { .. } => anyhow!("--url {error}, or add --allow-insecure"),
            error => anyhow!("--url {error}"),
        })?;
        let mut request = self
            .client
            .post(address)
            .bearer_auth(&self.token)
            .json(body);
        if let Some(organization) = &self.organization {
            request = request.header("x-zitadel-orgid", organization);
        }
        let response = request
            .send()
            .await
            .with_context(|| format!("--url: {url} cannot be reached"))?;
        let status = response.status();
        let told: Value = response.json().await.unwrap_or_default();
        if status.is_success() {
            return Ok(told);
        }
        let reason = told["message"].as_str().unwrap_or("no reason was given");
        bail!("the server refused with {status}: {reason}")
    }
}
