//! Sections that are nothing but values.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de};

use super::Network;

/// `[server]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSection {
    /// Where every API listens.
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// Connections that may be open; 0 for no bound.
    pub connections: usize,
    /// Those of one address, or of one /64 of IPv6; 0 for no bound.
    pub connections_per_address: usize,
    /// Seconds that a connection may be open without a request.
    pub idle_seconds: u64,
    /// Seconds between a signal to stop and the end of listening.
    pub drain_seconds: u64,
    /// Proxies whose word is taken for where a request comes from.
    pub trusted_proxies: Vec<Network>,
    /// Mebibytes of request bodies that may be held at once.
    pub body_mib: usize,
    /// How the service is reached from outside; empty when nobody needs to know.
    pub public_url: String,
}

/// `[tls]`; an empty path is a key that is not set.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsSection {
    /// A PEM file: the server's certificate, then those of its issuers.
    pub certificate: PathBuf,
    /// A PEM file with the certificate's key.
    pub key: PathBuf,
}

impl TlsSection {
    /// Whether there shall be TLS.
    pub fn is_set(&self) -> bool {
        !self.certificate.as_os_str().is_empty() || !self.key.as_os_str().is_empty()
    }
}

/// `[database]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSection {
    /// `sqlite:PATH` or `postgres://…`; may hold a password.
    pub url: SecretString,
    /// Lanes; 0 for what fits the database.
    pub lanes: usize,
    /// Commands that may wait for one lane.
    pub lane_bound: usize,
    /// Commands that may share one transaction, twice as many while more than half of `lane_bound` wait.
    pub batch: usize,
    /// Connections that read lists.
    pub readers: u32,
    /// Seconds that one statement, or making a connection, may take.
    pub timeout_seconds: u64,
    /// Seconds that one list may take.
    pub list_seconds: u64,
    /// Lists of one organisation that run at once.
    pub lists_per_organization: usize,
}

/// `[secrets]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretsSection {
    /// 32 bytes in base64, by version.
    pub code_keys: BTreeMap<String, SecretString>,
    /// The version that makes new codes; 0 for the only one.
    pub current_code_key: u32,
    /// 32 bytes in base64.
    pub pseudonym_key: SecretString,
}

/// `[vendor]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VendorSection {
    /// Seconds that an environment token lives.
    pub token_seconds: u64,
    /// Who gets one, by a name that only the configuration knows.
    pub clients: BTreeMap<String, VendorClient>,
}

/// `[vendor.clients.NAME]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VendorClient {
    /// What a back end calls itself.
    pub client_id: String,
    /// What it proves it with.
    pub secret: SecretString,
}

/// `[reachfive]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReachFiveSection {
    /// The scope without which an end user changes nothing; empty for none.
    pub required_scope: String,
    /// An end user's token that is as many seconds old changes nothing; 0 for any age.
    pub fresh_token_seconds: u64,
    /// The language that clients are told when they name none.
    pub language: String,
}

/// `[verify]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifySection {
    /// Whether there are sessions, and the page.
    pub enabled: bool,
    /// Where the page may return to: addresses, and what is below them.
    pub return_urls: Vec<String>,
    /// Seconds that a session lives.
    pub session_seconds: u64,
}

/// `[metrics]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsSection {
    /// Where Prometheus reads; `None` for nowhere.
    #[serde(deserialize_with = "address_or_none")]
    pub listen: Option<SocketAddr>,
}

/// `[log]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSection {
    /// A level, or directives of `tracing-subscriber`.
    pub level: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

fn address<'de, D: Deserializer<'de>>(input: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(input)?;
    text.trim().parse().map_err(|_| {
        de::Error::custom(
            "must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080, not the name of a host",
        )
    })
}

fn address_or_none<'de, D: Deserializer<'de>>(input: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(input)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.trim().parse().map(Some).map_err(|_| {
        de::Error::custom(
            "must be an address and a port, such as 127.0.0.1:9464, or empty for nowhere",
        )
    })
}
