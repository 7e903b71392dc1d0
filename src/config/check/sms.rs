//! What must hold of `[sms]`.

use std::collections::BTreeMap;

use ringback_core::delivery::{Prefer, read_cost};
use ringback_core::number::is_region;
use ringback_sms::{RouteError, SmppSettings};
use secrecy::ExposeSecret;

use crate::config::address::web_address;
use crate::config::sms::{
    DEFAULT_ORDER, NO_ROUTE, ProviderSection, RouteCommon, TYPES, WebhookSection,
};
use crate::config::{Config, ConfigError};

/// Routes that one order may name: a message's trail has room for as many.
const LONGEST_ORDER: usize = 8;
/// What messages are called that a route may carry.
const KINDS: [&str; 4] = ["code", "removal_code", "replaced", "removed"];

impl Config {
    pub(super) fn judge_routes(&self, error: &mut ConfigError) {
        let sms = &self.sms;
        if sms.routes.is_empty() {
            error.add(
                "sms.routes",
                "is empty; name at least one route, such as [sms.routes.relay] with type = \"webhook\", \
                 url = \"https://relay.example.com/sms\" and secrets = [\"whsec_…\"]",
            );
        }
        for (name, route) in &sms.routes {
            let place = format!("sms.routes.{name}");
            if !is_name(name) {
                error.add(
                    &*place,
                    "must be up to 32 of a to z, 0 to 9, - and _, and begin with a letter",
                );
            }
            if name == NO_ROUTE {
                error.add(
                    &*place,
                    "must have another name: metrics call so what no route had a part in",
                );
            }
            judge_common(&place, &route.common, error);
            judge_cost(&place, &route.common.cost_per_segment, error);
            match &route.provider {
                ProviderSection::Inbox(_) => {}
                ProviderSection::Webhook(webhook) => judge_webhook(&place, webhook, error),
                ProviderSection::Http(http) => judge_settings(&place, http.check(), error),
                ProviderSection::Twilio(twilio) => judge_settings(&place, twilio.check(), error),
                ProviderSection::Vonage(vonage) => judge_settings(&place, vonage.check(), error),
                ProviderSection::Smpp(smpp) => {
                    judge_settings(&place, smpp.check(), error);
                    judge_smpp_senders(&place, &route.common, error);
                }
                ProviderSection::Unknown(kind) if kind.is_empty() => {
                    error.add(
                        format!("{place}.type"),
                        format!("is missing; set it to {TYPES}"),
                    );
                }
                ProviderSection::Unknown(_) => {
                    error.add(format!("{place}.type"), format!("must be {TYPES}"));
                }
            }
        }
        self.judge_order(error);
        self.judge_receipts(error);
        if sms.prefer == Prefer::Conversion && sms.keep_seconds < 3_600 {
            error.add(
                "sms.keep_seconds",
                "must be at least 3600 with sms.prefer = \"conversion\": what became of a message says how its route does",
            );
        }
        if sms.keep_seconds > 366 * 86_400 {
            error.add(
                "sms.keep_seconds",
                "must be at most 31622400, which is a year",
            );
        }
    }

    fn judge_receipts(&self, error: &mut ConfigError) {
        let url = &self.server.public_url;
        let wanted = self
            .sms
            .routes
            .iter()
            .find(|(_, route)| route.provider.wants_receipts());
        match (web_address(url, true), wanted) {
            (Err(_), Some((name, _))) if url.is_empty() => error.add(
                "server.public_url",
                format!(
                    "is missing; set it to the address that the provider of sms.routes.{name} reaches this service \
                     at, such as https://phones.example.com, or take its receipts out"
                ),
            ),
            (Err(wrong), _) if !url.is_empty() => {
                error.add("server.public_url", wrong.to_string());
            }
            (Ok(url), _) if url.query().is_some() || url.fragment().is_some() => {
                error.add("server.public_url", "must have no ? and no #");
            }
            (Ok(_) | Err(_), _) => {}
        }
    }

    fn judge_order(&self, error: &mut ConfigError) {
        let sms = &self.sms;
        if sms.routes.len() > 1 && !sms.order.contains_key(DEFAULT_ORDER) {
            let names: Vec<_> = sms.routes.keys().map(|name| format!("{name:?}")).collect();
            let names = names.join(", ");
            error.add(
                "sms.order.default",
                format!("is missing; there are several routes, so say which comes first: default = [{names}]"),
            );
        }
        self.judge_one_order("", &sms.order, error);
        for (id, organization) in &self.organizations {
            let own = format!("organizations.{id}.");
            self.judge_one_order(&own, &organization.sms.order, error);
        }
    }

    fn judge_one_order(
        &self,
        whose: &str,
        order: &BTreeMap<String, Vec<String>>,
        error: &mut ConfigError,
    ) {
        for (country, names) in order {
            let place = format!("{whose}sms.order.{country}");
            if twice(country, order.keys()) {
                error.add(&*place, TWICE);
            }
            if country != DEFAULT_ORDER && !is_country(country) {
                error.add(
                    &*place,
                    "must be \"default\" or a country of two letters, such as CH (ISO 3166-1 alpha-2)",
                );
            }
            if names.is_empty() || names.len() > LONGEST_ORDER {
                error.add(&*place, format!("must name 1 to {LONGEST_ORDER} routes"));
            }
            for (at, name) in names.iter().enumerate() {
                if !self.sms.routes.contains_key(name) {
                    error.add(
                        &*place,
                        format!("names {name:?}, and there is no [sms.routes.{name}]"),
                    );
                }
                if names[..at].contains(name) {
                    error.add(&*place, format!("names {name:?} twice"));
                }
            }
        }
    }
}

pub(super) fn is_name(name: &str) -> bool {
    let symbol = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= 32
        && name.chars().all(symbol)
}

/// What is said of a country that is there twice.
const TWICE: &str = "is there in capitals and in small letters; leave one out";

/// Whether a country is named more than once.
fn twice<'a>(country: &str, mut all: impl Iterator<Item = &'a String>) -> bool {
    all.any(|other| other != country && other.eq_ignore_ascii_case(country))
}

fn is_country(country: &str) -> bool {
    is_region(&country.to_ascii_uppercase())
}

fn judge_common(place: &str, common: &RouteCommon, error: &mut ConfigError) {
    let at = |key: &str| format!("{place}.{key}");
    let by_country = common.sender_by_country.keys();
    let countries = common
        .countries
        .iter()
        .map(|country| ("countries", country));
    let senders = by_country.map(|country| ("sender_by_country", country));
    for (key, country) in countries.chain(senders) {
        if !is_country(country) {
            error.add(
                at(key),
                format!(
                    "{country:?} is no country; write two letters, such as CH (ISO 3166-1 alpha-2)"
                ),
            );
        }
    }
    for country in common.sender_by_country.keys() {
        if twice(country, common.sender_by_country.keys()) {
            error.add(at(&format!("sender_by_country.{country}")), TWICE);
        }
    }
    for kind in &common.kinds {
        if !KINDS.contains(&kind.as_str()) {
            error.add(
                at("kinds"),
                format!(
                    "{kind:?} is no kind of message; there are {}",
                    KINDS.join(", ")
                ),
            );
        }
    }
    let counts = [
        ("timeout_seconds", common.timeout_seconds, 60),
        ("max_in_flight", common.max_in_flight, 10_000),
        ("per_second", common.per_second, 100_000),
    ];
    for (key, count, most) in counts {
        if count.is_some_and(|count| !(1..=most).contains(&count)) {
            error.add(at(key), format!("must be 1 to {most}"));
        }
    }
}

fn judge_cost(place: &str, cost: &str, error: &mut ConfigError) {
    if !cost.is_empty() && read_cost(cost).is_none() {
        error.add(
            format!("{place}.cost_per_segment"),
            "must be an amount of at most 1000 with at most six decimals, such as \"0.0075\"",
        );
    }
}

/// What a provider says of its own keys.
fn judge_settings(place: &str, checked: Result<(), RouteError>, error: &mut ConfigError) {
    match checked {
        Ok(()) => {}
        Err(RouteError::Setting { key, says }) => error.add(format!("{place}.{key}"), says),
        Err(other) => error.add(place, other.to_string()),
    }
}

fn judge_smpp_senders(place: &str, common: &RouteCommon, error: &mut ConfigError) {
    let by_country = common.sender_by_country.iter();
    let by_country =
        by_country.map(|(country, sender)| (format!("sender_by_country.{country}"), sender));
    for (key, sender) in by_country.chain([("sender".to_owned(), &common.sender)]) {
        if let Some(says) = SmppSettings::sender_fault(sender) {
            error.add(format!("{place}.{key}"), says);
        }
    }
}

fn judge_webhook(place: &str, webhook: &WebhookSection, error: &mut ConfigError) {
    let at = |key: &str| format!("{place}.{key}");
    match web_address(&webhook.url, webhook.allow_insecure) {
        Err(_) if webhook.url.is_empty() => error.add(
            at("url"),
            "is missing; set it to the address that messages are posted to, such as https://sms.example.com/send",
        ),
        Err(wrong) => error.add(at("url"), wrong.unless(&at("allow_insecure"))),
        Ok(_) => {}
    }
    if webhook.secrets.is_empty() {
        error.add(
            at("secrets"),
            "is missing; set at least one secret, so that the receiver can tell our posts from others",
        );
    }
    let mut secrets = webhook.secrets.iter();
    if secrets.any(|secret| secret.expose_secret().is_empty()) {
        error.add(at("secrets"), "holds an empty secret");
    }
}
