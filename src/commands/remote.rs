//! A running server that a command asks, in place of the database.

use std::io::Read;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use serde_json::Value;

use crate::config::{AddressError, is_loopback, web_address};

/// How long a running server may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where a running server is, and who asks.
#[derive(Default, clap::Args)]
pub struct RemoteArguments {
    /// A running server in place of the database, by its address
    #[arg(long, value_name = "https://HOST", requires = "token")]
    url: Option<String>,
    /// A token with the right for it; `-` reads it from standard input
    #[arg(long, value_name = "TOKEN", requires = "url")]
    token: Option<String>,
    /// Lets --url begin with http, for another host than this one: the token can be read on the way
    #[arg(long, requires = "url")]
    allow_insecure: bool,
}

/// A running server.
pub(super) struct Remote {
    url: String,
    token: String,
    allow_insecure: bool,
}

impl RemoteArguments {
    /// The server, where one is to be asked.
    pub(super) fn server(self) -> anyhow::Result<Option<Remote>> {
        let (Some(url), Some(mut token)) = (self.url, self.token) else {
            return Ok(None);
        };
        if token == "-" {
            token.clear();
            std::io::stdin()
                .read_to_string(&mut token)
                .context("--token -")?;
        }
        Ok(Some(Remote {
            url: url.trim_end_matches('/').to_owned(),
            token: token.trim().to_owned(),
            allow_insecure: self.allow_insecure,
        }))
    }
}

impl Remote {
    /// Calls a method of ringback's own phone service.
    pub(super) async fn call(
        &self,
        method: &str,
        organization: Option<&str>,
        body: &Value,
    ) -> anyhow::Result<Value> {
        let url = format!("{}/ringback.phone.v1.PhoneService/{method}", self.url);
        // The token travels there.
        let address = web_address(&url, self.allow_insecure).map_err(|error| match error {
            AddressError::Insecure { .. } => anyhow!("--url {error}, or add --allow-insecure"),
            error => anyhow!("--url {error}"),
        })?;
        let mut client = reqwest::Client::builder().timeout(TIMEOUT);
        if is_loopback(&address) {
            client = client.no_proxy();
        }
        let request = client.build()?.post(address).bearer_auth(&self.token);
        let mut request = request.json(body);
        if let Some(organization) = organization {
            request = request.header("x-zitadel-orgid", organization);
        }
        let response = request
            .send()
            .await
            .with_context(|| format!("--url: {url} cannot be reached"))?;
        let status = response.status();
        if status.is_success() {
            return response.json().await.context("the server's answer");
        }
        let told: Value = response.json().await.unwrap_or_default();
        let reason = told["message"].as_str().unwrap_or("no reason was given");
        bail!("the server refused with {status}: {reason}")
    }
}
