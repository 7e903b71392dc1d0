//! The configuration: one tree of sections, unknown keys refused; default file < file < environment.

mod auth;
mod check;
mod cors;
mod error;
mod layers;
mod network;
mod organizations;
mod sms;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ringback_core::limit::LimitRules;
use ringback_core::number::NumberRules;
use ringback_core::policy::{AccountRules, CodeRules, NotifyRules, SelfServiceRules};
use ringback_core::{Keys, Policies, Policy};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

pub use auth::{AuthSection, IssuerSection, Permission, Trust};
pub use cors::CorsSection;
pub use error::{ConfigError, Problem};
use layers::Layers;
pub use network::Network;
pub use organizations::{OrganizationSection, OwnNumbers};
pub use sms::{
    InboxSection, ProviderSection, RouteCommon, RouteSection, SmsSection, WebhookSection,
};

/// The reference of all keys, and the first layer.
pub const DEFAULTS: &str = include_str!("../ringback.default.toml");

/// Everything that can be configured; `ringback.default.toml` says what each key means.
/// `Debug` shows no secret.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Which APIs `serve` serves.
    pub apis: Vec<Api>,
    /// The port that every API shares.
    pub server: ServerSection,
    /// What makes that port https.
    pub tls: TlsSection,
    /// Where accounts are kept.
    pub database: DatabaseSection,
    /// Keys of our own.
    pub secrets: SecretsSection,
    /// Whose tokens are accepted, and what they allow.
    pub auth: AuthSection,
    /// Who gets environment tokens.
    pub vendor: VendorSection,
    /// How numbers are read.
    pub numbers: NumberRules,
    /// Who has an account, and where.
    pub accounts: AccountRules,
    /// What codes look like and how long they live.
    pub codes: CodeRules,
    /// How much may be sent and guessed.
    pub limits: LimitRules,
    /// Who is told of what.
    pub notify: NotifyRules,
    /// What is asked of users who change something by themselves.
    pub self_service: SelfServiceRules,
    /// What one organisation has of its own, by its id.
    pub organizations: BTreeMap<String, OrganizationSection>,
    /// What the ReachFive API asks for and tells.
    pub reachfive: ReachFiveSection,
    /// What messages say.
    pub messages: MessagesSection,
    /// What carries messages.
    pub sms: SmsSection,
    /// Where metrics are read.
    pub metrics: MetricsSection,
    /// What is logged, and how.
    pub log: LogSection,
    /// Which pages may call.
    pub cors: CorsSection,
}

/// An API, by the name that `apis` lists it under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Api {
    /// Zitadel's user service.
    Zitadel,
    /// What Zitadel's lacks.
    Ringback,
    /// Frontegg's phone numbers, and its environment tokens.
    Frontegg,
    /// ReachFive's phone calls.
    ReachFive,
}

impl Api {
    /// Every one.
    pub const ALL: [Api; 4] = [Api::Zitadel, Api::Ringback, Api::Frontegg, Api::ReachFive];
}

/// `[server]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerSection {
    /// Where every API listens.
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
    /// Commands that may share one transaction.
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

/// `[messages]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessagesSection {
    /// The name that messages speak of.
    pub service_name: String,
    /// The host of the origin-bound last line; empty for none.
    pub domain: String,
    /// 11 characters for Android's SMS Retriever; empty for none.
    pub android_hash: String,
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

/// The variables of this process that may be configuration, for [`Config::load`].
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        let ours = name.starts_with("RINGBACK_");
        ours.then(|| (name, value.to_string_lossy().into_owned()))
    })
}

impl Config {
    /// Reads the default file, then `file`, then the variables. Nothing is checked but names and types:
    /// see [`Config::check`].
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Config, ConfigError> {
        let mut layers = Layers::new().text("the defaults", DEFAULTS)?;
        if let Some(path) = file {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .map_err(|error| ConfigError::new(&name, format!("cannot be read: {error}")))?;
            layers = layers.text(&name, &text)?;
        }
        layers.environment(environment)?.read()
    }

    /// Reads the default file, then a text in the same form, then the variables.
    pub(crate) fn with(
        name: &str,
        text: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Config, ConfigError> {
        Layers::new()
            .text("the defaults", DEFAULTS)?
            .text(name, text)?
            .environment(environment)?
            .read()
    }

    /// The rules that decisions follow where an organisation has none of its own.
    pub fn policy(&self) -> Policy {
        Policy {
            numbers: self.numbers.clone(),
            accounts: self.accounts.clone(),
            codes: self.codes.clone(),
            limits: self.limits.clone(),
            notify: self.notify.clone(),
            self_service: self.self_service.clone(),
            routes: self.sms.routes(),
        }
    }

    /// The rules that decisions about accounts of each organisation follow.
    pub fn policies(&self) -> Policies {
        let default = self.policy();
        let own = self.organizations.iter();
        Policies {
            by_organization: own
                .map(|(id, section)| (id.clone(), section.over(&default)))
                .collect(),
            default,
        }
    }

    /// The keys that codes and pseudonyms are derived with, or which of them is missing or wrong.
    pub fn keys(&self) -> Result<Keys, ConfigError> {
        let mut error = ConfigError::default();
        let secrets = &self.secrets;
        let mut codes = BTreeMap::new();
        for (name, key) in &secrets.code_keys {
            let place = format!("secrets.code_keys.{name}");
            match (name.parse::<u32>(), key_bytes(key)) {
                (Ok(version @ 1..), Ok(bytes)) => {
                    codes.insert(version, bytes);
                }
                (Ok(1..), Err(reason)) => error.add(place, reason),
                (Ok(0) | Err(_), _) => error.add(place, "the version must be a number from 1 on"),
            }
        }
        if secrets.code_keys.is_empty() {
            error.add(
                "secrets.code_keys",
                format!(
                    "is missing; set code_keys.1 (RINGBACK_SECRETS__CODE_KEYS__1) to {KEY_FORM}"
                ),
            );
        }
        let current = match (secrets.current_code_key, codes.len()) {
            (0, 2..) => {
                error.add(
                    "secrets.current_code_key",
                    "is missing; with several code_keys, say which version makes new codes",
                );
                0
            }
            (0, _) => codes.keys().next().copied().unwrap_or(0),
            (version, _) => version,
        };
        let pseudonyms = key_bytes(&secrets.pseudonym_key).unwrap_or_else(|reason| {
            error.add("secrets.pseudonym_key", reason);
            [0; 32]
        });
        error.or_ok()?;
        Keys::new(codes, current, pseudonyms)
            .map_err(|error| ConfigError::new("secrets.current_code_key", error.to_string()))
    }
}

const KEY_FORM: &str = "32 random bytes in base64, as `openssl rand -base64 32` prints them";

fn key_bytes(text: &SecretString) -> Result<[u8; 32], String> {
    let text = text.expose_secret().trim();
    if text.is_empty() {
        return Err(format!("is missing; set it to {KEY_FORM}"));
    }
    let bytes = STANDARD.decode(text).ok();
    bytes
        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
        .ok_or_else(|| format!("must be {KEY_FORM}"))
}

fn address_or_none<'de, D: Deserializer<'de>>(input: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(input)?;
    if text.is_empty() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        serde::de::Error::custom("must be an address and a port, such as 127.0.0.1:9464, or empty")
    })
}

#[cfg(test)]
mod tests;
