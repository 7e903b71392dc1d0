//! The configuration: one tree of sections, unknown keys refused; default file < file < environment.

mod address;
mod audit;
mod auth;
mod check;
mod console;
mod cors;
mod described;
mod error;
mod events;
mod form;
mod guard;
mod keys;
mod layers;
mod meant;
mod network;
mod organizations;
mod sections;
mod show;
mod sms;
mod test_numbers;
mod texts;
mod variables;
mod words;

use std::collections::BTreeMap;
use std::path::Path;

use ringback_core::guard::GuardRules;
use ringback_core::limit::LimitRules;
use ringback_core::number::NumberRules;
use ringback_core::policy::{AccountRules, CodeRules, NotifyRules, SelfServiceRules};
use ringback_core::{Policies, Policy};
use ringback_sms::texts::{TextRules, Texts};
use serde::Deserialize;

pub use address::{AddressError, is_loopback, web_address};
pub use audit::AuditSection;
pub use auth::{AuthSection, IssuerSection, Permission, Trust};
pub use console::{ConsoleSection, ConsoleToken};
pub use cors::CorsSection;
pub use described::Setting;
pub use error::{ConfigError, Problem};
pub use events::{EndpointSection, EventsSection};
pub use guard::OwnGuard;
use layers::{Layers, Sources};
pub use network::Network;
pub use organizations::{OrganizationSection, OwnLimits, OwnNumbers, OwnSms};
pub use sections::{
    DatabaseSection, LogFormat, LogSection, MetricsSection, ReachFiveSection, SecretsSection,
    ServerSection, TlsSection, VendorClient, VendorSection, VerifySection,
};
pub use sms::{
    InboxSection, NO_ROUTE, ProviderSection, RouteCommon, RouteSection, SmsSection, WebhookSection,
};
pub use test_numbers::TestNumberSection;

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
    /// What may be sent where.
    pub guard: GuardRules,
    /// Who is told of what.
    pub notify: NotifyRules,
    /// What is asked of users who change something by themselves.
    pub self_service: SelfServiceRules,
    /// What one organisation has of its own, by its id.
    pub organizations: BTreeMap<String, OrganizationSection>,
    /// Numbers that no message goes to, with a code that is fixed.
    pub test_numbers: BTreeMap<String, TestNumberSection>,
    /// What the ReachFive API asks for and tells.
    pub reachfive: ReachFiveSection,
    /// What messages say.
    pub messages: TextRules,
    /// What carries messages.
    pub sms: SmsSection,
    /// What is kept of what happened.
    pub audit: AuditSection,
    /// Who is told of what happened.
    pub events: EventsSection,
    /// Where metrics are read.
    pub metrics: MetricsSection,
    /// What is logged, and how.
    pub log: LogSection,
    /// Which pages may call.
    pub cors: CorsSection,
    /// Pages for people.
    pub console: ConsoleSection,
    /// The page where users prove numbers.
    pub verify: VerifySection,
    /// Where the values came from.
    #[serde(skip)]
    sources: Sources,
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

/// The variables of this process that begin as ours do, for [`Config::load`].
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        let ours = name.starts_with(variables::PREFIX);
        ours.then(|| (name, value.to_string_lossy().into_owned()))
    })
}

/// Says in the log which variables look like ours and were passed over. For whoever has just begun the log.
pub fn log_passed_over(variables: impl IntoIterator<Item = (String, String)>) {
    let mut names = Vec::new();
    for (name, value) in variables {
        let rest = name.strip_prefix(variables::PREFIX).unwrap_or_default();
        if !variables::is_of_a_service(rest, &value) {
            continue;
        }
        if rest == "PORT" && !value.contains("://") {
            tracing::warn!(
                "RINGBACK_PORT sets nothing: set RINGBACK_SERVER__LISTEN=127.0.0.1:8080, an address and a port"
            );
        }
        names.push(name);
    }
    if !names.is_empty() {
        names.sort_unstable();
        let variables = names.join(", ");
        tracing::debug!(
            variables,
            "passed over: a cluster's variables for its services"
        );
    }
}

impl Config {
    /// Reads the default file, then `file`, then the variables. Nothing is checked but names and types:
    /// see [`Config::check`].
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Config, ConfigError> {
        let mut layers = Layers::new()?;
        if let Some(path) = file {
            let name = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .map_err(|error| ConfigError::new(&name, format!("cannot be read: {error}")))?;
            layers = layers.text(&name, &text)?;
        }
        Config::of(layers.environment(environment)?)
    }

    /// Reads the default file, then a text in the same form, then the variables.
    pub(crate) fn with(
        name: &str,
        text: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Config, ConfigError> {
        let layers = Layers::new()?.text(name, text)?;
        Config::of(layers.environment(environment)?)
    }

    fn of(layers: Layers) -> Result<Config, ConfigError> {
        let (config, sources) = layers.read::<Config>()?;
        Ok(Config { sources, ..config })
    }

    /// What addresses of this service begin with: as it is reached from outside, or where it listens.
    pub fn base_url(&self) -> String {
        let scheme = if self.tls.is_set() { "https" } else { "http" };
        match self.server.public_url.as_str() {
            "" => format!("{scheme}://{}", self.server.listen),
            url => url.trim_end_matches('/').to_owned(),
        }
    }

    /// The rules that decisions follow where an organisation has none of its own.
    pub fn policy(&self) -> Policy {
        self.policy_with(self.texts().ok().as_ref())
    }

    fn policy_with(&self, texts: Option<&Texts>) -> Policy {
        Policy {
            numbers: self.numbers.clone(),
            accounts: self.accounts.clone(),
            codes: self.codes.clone(),
            limits: self.limits.clone(),
            guard: self.guard.clone(),
            notify: self.notify.clone(),
            self_service: self.self_service.clone(),
            routes: self.sms.routes(),
            segments: Config::segments(texts, None),
            test_numbers: self.test_numbers(),
        }
    }

    /// The rules that decisions about accounts of each organisation follow.
    pub fn policies(&self) -> Policies {
        let texts = self.texts().ok();
        let default = self.policy_with(texts.as_ref());
        let own = self.organizations.iter();
        let own = own.map(|(id, section)| {
            let mut policy = section.over(&default, &self.sms);
            policy.segments = Config::segments(texts.as_ref(), Some(id));
            (id.clone(), policy)
        });
        Policies {
            by_organization: own.collect(),
            default,
        }
    }
}

#[cfg(test)]
mod tests;
