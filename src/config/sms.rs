//! `[sms]`: the routes that carry messages, which comes first where, and how long it is kept what became of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use figment::error::Kind;
use figment::value::{Dict, Value};
use ringback_core::delivery::{Prefer, RouteRules, Routes, read_cost};
use ringback_sms::{HttpSettings, SmppSettings, TwilioSettings, VonageSettings};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

/// What metrics call the route that had no part in something; no route may be called so.
pub const NO_ROUTE: &str = "none";

/// The name of the order where a country has none of its own.
pub const DEFAULT_ORDER: &str = "default";

/// `[sms]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmsSection {
    /// What carries messages, by name.
    pub routes: BTreeMap<String, RouteSection>,
    /// Names of routes, best first, by country or `default`.
    pub order: BTreeMap<String, Vec<String>>,
    /// What says which route comes first.
    pub prefer: Prefer,
    /// Seconds for which it is kept what became of a message; 0 for not at all.
    pub keep_seconds: u64,
}

/// `[sms.routes.NAME]`
#[derive(Clone, Debug)]
pub struct RouteSection {
    /// What every route has.
    pub common: RouteCommon,
    /// What its type has.
    pub provider: ProviderSection,
}

/// What every route has. Numbers are as somebody wrote them: the check says what they may be.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RouteCommon {
    /// Countries (ISO 3166-1 alpha-2) that it serves; empty for all.
    pub countries: Vec<String>,
    /// Kinds of messages that it carries; empty for all.
    pub kinds: Vec<String>,
    /// Who messages come from; empty for what the provider chooses.
    pub sender: String,
    /// The same by country.
    pub sender_by_country: BTreeMap<String, String>,
    /// Seconds that one attempt may take.
    #[serde(deserialize_with = "whole")]
    pub timeout_seconds: Option<i64>,
    /// Messages that may be under way at once.
    #[serde(deserialize_with = "whole")]
    pub max_in_flight: Option<i64>,
    /// Messages that may go out in a second.
    #[serde(deserialize_with = "whole")]
    pub per_second: Option<i64>,
    /// What each text message costs, as a decimal in the operator's currency; empty where nobody counts.
    pub cost_per_segment: String,
}

/// What the type of a route has.
#[derive(Clone, Debug)]
pub enum ProviderSection {
    /// Messages stay in memory, to be read from the same machine.
    Inbox(InboxSection),
    /// Messages are posted to an address.
    Webhook(WebhookSection),
    /// Any provider's HTTP interface, by a recipe.
    Http(Box<HttpSettings>),
    /// Twilio's Messages API.
    Twilio(TwilioSettings),
    /// Vonage's Messages API.
    Vonage(VonageSettings),
    /// A message centre, over SMPP.
    Smpp(SmppSettings),
    /// No type, or none of this name: refused before anything is sent.
    Unknown(String),
}

/// `type = "inbox"`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InboxSection {}

/// `type = "webhook"`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookSection {
    /// Where messages are posted.
    pub url: String,
    /// What posts are signed with.
    pub secrets: Vec<SecretString>,
    /// Lets the address begin with http.
    pub allow_insecure: bool,
    /// Whether the receiver tells later what became of a message.
    pub receipts: bool,
}

/// The keys of [`RouteCommon`].
const COMMON: [&str; 8] = [
    "countries",
    "kinds",
    "sender",
    "sender_by_country",
    "timeout_seconds",
    "max_in_flight",
    "per_second",
    "cost_per_segment",
];

/// Every type.
pub(super) const TYPES: &str =
    "\"inbox\", \"webhook\", \"http\", \"twilio\", \"vonage\" or \"smpp\"";

impl<'de> Deserialize<'de> for RouteSection {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<RouteSection, D::Error> {
        let mut own = Dict::deserialize(input)?;
        let kind = own.remove("type");
        let kind = kind.and_then(Value::into_string).unwrap_or_default();
        let (common, own): (Dict, Dict) = own
            .into_iter()
            .partition(|(key, _)| COMMON.contains(&key.as_str()));
        let provider = match kind.as_str() {
            "inbox" => ProviderSection::Inbox(part(own)?),
            "webhook" => ProviderSection::Webhook(part(own)?),
            "http" => ProviderSection::Http(part(own)?),
            "twilio" => ProviderSection::Twilio(part(own)?),
            "vonage" => ProviderSection::Vonage(part(own)?),
            "smpp" => ProviderSection::Smpp(part(own)?),
            _ => ProviderSection::Unknown(kind),
        };
        Ok(RouteSection {
            common: part(common)?,
            provider,
        })
    }
}

fn part<T: DeserializeOwned, E: serde::de::Error>(dict: Dict) -> Result<T, E> {
    Value::from(dict).deserialize().map_err(|error| {
        let place = error.path.join(".");
        match error.kind {
            Kind::UnknownField(name, _) => E::custom(format!(
                "{name}: no such key for this type; see docs/providers.md"
            )),
            Kind::UnknownVariant(_, known) => {
                E::custom(format!("{place}: must be one of {}", known.join(", ")))
            }
            _ => E::custom(format!(
                "{place}: is not what this type takes; see docs/providers.md"
            )),
        }
    })
}

/// A whole number, however large: the check says which it may be.
fn whole<'de, D: Deserializer<'de>>(input: D) -> Result<Option<i64>, D::Error> {
    let value = <Value as Deserialize>::deserialize(input)?;
    let number = value.to_i128().unwrap_or(i128::MAX);
    Ok(Some(i64::try_from(number).unwrap_or(i64::MAX)))
}

/// Where a key of `[sms]` went that earlier versions had, by its names.
pub(super) fn moved(path: &[String]) -> Option<&'static str> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["sms", "routes"] => Some(
            "must be a table now, where each route has a section, such as [sms.routes.relay] with \
             type = \"webhook\", url = \"https://relay.example.com/sms\" and secrets = [\"whsec_…\"], or \
             [sms.routes.inbox] with type = \"inbox\"; with several, [sms.order] default = [\"relay\", …] says \
             which comes first",
        ),
        ["sms", "webhook", ..] => Some(
            "is a route now: write [sms.routes.webhook] with type = \"webhook\" and the keys that [sms.webhook] \
             had, and leave sms.routes = [\"webhook\"] out",
        ),
        _ => None,
    }
}

impl SmsSection {
    /// The routes as decisions know them, in this order.
    pub fn routes(&self) -> Routes {
        self.routes_in(&self.order)
    }

    /// The same in another order.
    pub fn routes_in(&self, order: &BTreeMap<String, Vec<String>>) -> Routes {
        let rules = self.routes.iter();
        let rules = rules.map(|(name, section)| (name.clone(), section.rules()));
        let only = || self.routes.keys().take(2).cloned().collect::<Vec<_>>();
        let default = order.get(DEFAULT_ORDER).cloned();
        Routes {
            rules: rules.collect(),
            // One route needs no order.
            default: default.unwrap_or_else(only),
            by_country: order
                .iter()
                .filter(|(country, _)| *country != DEFAULT_ORDER)
                .map(|(country, names)| (country.to_ascii_uppercase(), names.clone()))
                .collect(),
            prefer: self.prefer,
        }
    }

    /// How long it is kept what became of a message.
    pub fn keep(&self) -> Duration {
        Duration::from_secs(self.keep_seconds)
    }

    /// Whether a provider may tell something at an address of ours: what became of messages, or what people write
    /// back.
    pub fn hears(&self) -> bool {
        let mut routes = self.routes.values();
        routes.any(|route| match &route.provider {
            ProviderSection::Http(http) => http.receipt.is_some() || http.inbound.is_some(),
            ProviderSection::Twilio(twilio) => !twilio.auth_token.expose_secret().is_empty(),
            other => other.wants_receipts(),
        })
    }

    /// Whether messages stay in memory.
    pub fn has_inbox(&self) -> bool {
        let mut routes = self.routes.values();
        routes.any(|route| matches!(route.provider, ProviderSection::Inbox(_)))
    }
}

impl ProviderSection {
    /// Whether the provider is asked to tell at an address of ours what became of messages.
    pub fn wants_receipts(&self) -> bool {
        match self {
            ProviderSection::Inbox(_) | ProviderSection::Unknown(_) => false,
            // It tells over its own line.
            ProviderSection::Smpp(_) => false,
            ProviderSection::Webhook(webhook) => webhook.receipts,
            ProviderSection::Http(http) => http.receipt.is_some(),
            // Where there is an address for them: its token has another use, too.
            ProviderSection::Twilio(_) => false,
            ProviderSection::Vonage(vonage) => !vonage.signature_secret.expose_secret().is_empty(),
        }
    }
}

impl RouteSection {
    fn rules(&self) -> RouteRules {
        RouteRules {
            countries: upper(&self.common.countries),
            kinds: self.common.kinds.iter().cloned().collect(),
            cost_per_segment: read_cost(&self.common.cost_per_segment).unwrap_or(0),
            tells_repeats: match &self.provider {
                ProviderSection::Inbox(_) | ProviderSection::Webhook(_) => true,
                ProviderSection::Unknown(_) => false,
                ProviderSection::Http(http) => http.tells_repeats,
                ProviderSection::Twilio(_)
                | ProviderSection::Vonage(_)
                | ProviderSection::Smpp(_) => false,
            },
        }
    }
}

fn upper(countries: &[String]) -> BTreeSet<String> {
    let countries = countries.iter();
    countries
        .map(|country| country.to_ascii_uppercase())
        .collect()
}
