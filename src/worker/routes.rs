//! The routes of a configuration.

use std::time::Duration;

use anyhow::Context;
use ringback_core::delivery::read_cost;
use ringback_sms::{
    Http, Inbox, Provider, Route, Senders, Smpp, Twilio, Vonage, Webhook, WebhookSettings,
};
use secrecy::ExposeSecret;

use crate::config::{Config, ProviderSection, RouteSection, WebhookSection, web_address};

/// Seconds that one attempt may take, unless a route says otherwise.
const TIMEOUT_SECONDS: u64 = 5;
/// Messages that may be under way at once on one route, unless it says otherwise.
const IN_FLIGHT: usize = 64;
/// The same where messages only go into memory.
const INBOX_IN_FLIGHT: usize = 256;

/// The routes of a configuration, and the inbox when one of them is one.
pub fn routes(config: &Config) -> anyhow::Result<(Vec<Route>, Option<Inbox>)> {
    let mut inbox = None;
    let mut routes = Vec::new();
    for (name, section) in &config.sms.routes {
        let provider = provider(section, &mut inbox);
        let provider = provider.with_context(|| format!("sms.routes.{name}"))?;
        routes.push(route(name, section, provider));
    }
    Ok((routes, inbox))
}

fn route(name: &str, section: &RouteSection, provider: Provider) -> Route {
    let common = &section.common;
    let in_flight = match &section.provider {
        ProviderSection::Inbox(_) => INBOX_IN_FLIGHT,
        // What there is no place for in a window waits where another process can take it.
        ProviderSection::Smpp(smpp) => smpp.binds * smpp.window,
        ProviderSection::Webhook(_)
        | ProviderSection::Http(_)
        | ProviderSection::Twilio(_)
        | ProviderSection::Vonage(_)
        | ProviderSection::Unknown(_) => IN_FLIGHT,
    };
    let by_country = common.sender_by_country.iter();
    Route {
        name: name.into(),
        provider,
        senders: Senders {
            default: common.sender.clone(),
            by_country: by_country
                .map(|(country, sender)| (country.to_ascii_uppercase(), sender.clone()))
                .collect(),
        },
        max_in_flight: count(common.max_in_flight).unwrap_or(in_flight),
        per_second: count(common.per_second),
        cost_per_segment: read_cost(&common.cost_per_segment).unwrap_or(0),
    }
}

fn provider(section: &RouteSection, inbox: &mut Option<Inbox>) -> anyhow::Result<Provider> {
    let seconds = count(section.common.timeout_seconds).unwrap_or(TIMEOUT_SECONDS);
    let timeout = Duration::from_secs(seconds);
    Ok(match &section.provider {
        ProviderSection::Inbox(_) => {
            Provider::Inbox(inbox.get_or_insert_with(Inbox::default).clone())
        }
        ProviderSection::Webhook(section) => webhook(section, timeout)?,
        ProviderSection::Http(settings) => Provider::Http(Http::new(settings, timeout)?),
        ProviderSection::Twilio(settings) => Provider::Twilio(Twilio::new(settings, timeout)?),
        ProviderSection::Vonage(settings) => Provider::Vonage(Vonage::new(settings, timeout)?),
        ProviderSection::Smpp(settings) => Provider::Smpp(Smpp::new(settings, timeout)?),
        ProviderSection::Unknown(kind) => anyhow::bail!("type: there is no {kind:?}"),
    })
}

/// A count that was checked.
fn count<T: TryFrom<i64>>(count: Option<i64>) -> Option<T> {
    T::try_from(count?).ok()
}

fn webhook(section: &WebhookSection, timeout: Duration) -> anyhow::Result<Provider> {
    let secrets = section.secrets.iter();
    let settings = WebhookSettings {
        url: web_address(&section.url, section.allow_insecure).context("url")?,
        secrets: secrets
            .map(|secret| secret.expose_secret().to_owned())
            .collect(),
        timeout,
        receipts: section.receipts,
    };
    Ok(Provider::Webhook(Webhook::new(settings)?))
}
