//! Sends by one route of a configuration, and reads receipts for it: a line of JSON in, a line of JSON out.
//!
//! `send FILE [NAME]` reads `[sms.routes.NAME]` of FILE, or the only route that is there. Each line is one of
//!
//! - `{"send": {"id", "to", "text", "sender", "callback", "expires_in"}}`, all but `to` with a default;
//! - `{"receipt": {"method", "url", "headers", "body"}}`, and the same as `inbound`;
//! - `{"check": true}`;
//! - `{"post": {"id", "body"}}` for a webhook: a text that is signed and posted as events are.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::BufRead;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::{HeaderMap, HeaderName, HeaderValue};
use ringback_core::{Number, Time};
use ringback_sms::{
    Arrival, Hook, HookSettings, Http, Posted, Provider, ReceiptRequest, Sms, Twilio, Vonage,
    Webhook, WebhookSettings,
};
use serde::Deserialize;
use serde_json::{Value, json};

type Failed = Box<dyn Error>;

/// Keys that every route has, and that say nothing of how it sends.
const COMMON: [&str; 7] = [
    "countries",
    "kinds",
    "sender",
    "sender_by_country",
    "timeout_seconds",
    "max_in_flight",
    "per_second",
];

#[derive(Deserialize)]
struct Line {
    send: Option<Message>,
    receipt: Option<Received>,
    inbound: Option<Received>,
    #[serde(default)]
    check: bool,
    post: Option<Posting>,
}

#[derive(Deserialize)]
struct Posting {
    id: String,
    body: String,
}

#[derive(Deserialize)]
struct Message {
    to: String,
    #[serde(default = "id")]
    id: String,
    #[serde(default)]
    text: String,
    sender: Option<String>,
    callback: Option<String>,
    #[serde(default = "ten_minutes")]
    expires_in: u64,
}

#[derive(Deserialize)]
struct Received {
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: String,
}

fn id() -> String {
    "0190c5a0-0000-7000-8000-000000000001".to_owned()
}

fn ten_minutes() -> u64 {
    600
}

#[expect(clippy::disallowed_methods, reason = "an example is its own program")]
fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let micros = since.unwrap_or_default().as_micros();
    Time(i64::try_from(micros).unwrap_or(i64::MAX))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("usage: send FILE [NAME]")?;
    let (text, name) = (std::fs::read_to_string(file)?, arguments.next());
    let provider = provider(&text, name.clone())?;
    for line in std::io::stdin().lock().lines() {
        let line: Line = serde_json::from_str(&line?)?;
        let told = match line.post {
            Some(posting) => post(&text, name.clone(), posting).await?,
            None => answer(&provider, line).await?,
        };
        println!("{told}");
    }
    Ok(())
}

async fn post(text: &str, name: Option<String>, posting: Posting) -> Result<Value, Failed> {
    let route = route(text, name)?;
    let keys: WebhookKeys = route.try_into()?;
    let hook = Hook::new(HookSettings {
        url: keys.url,
        secrets: keys.secrets,
        timeout: Duration::from_secs(5),
        allow_insecure: true,
        allow_private: true,
    })?;
    let posted = hook.post(&posting.id, now(), posting.body).await;
    Ok(json!({ "taken": posted == Posted::Taken }))
}

async fn answer(provider: &Provider, line: Line) -> Result<Value, Failed> {
    if let Some(message) = line.send {
        let sms = Sms {
            id: message.id,
            to: Number::from_stored(message.to),
            text: message.text,
            text_language: "en".into(),
            code: None,
            kind: "code",
            language: String::new(),
            expires_at: now() + Duration::from_secs(message.expires_in),
            sender: message.sender,
            callback: message.callback,
        };
        let report = provider.send(&sms, now()).await;
        let mut told = serde_json::to_value(report.verdict)?;
        told["reason"] = report.reason.into();
        told["reference"] = report.reference.into();
        return Ok(told);
    }
    if line.check {
        let error = provider.check().await.err().map(|error| error.to_string());
        return Ok(json!({ "error": error }));
    }
    let is_inbound = line.inbound.is_some();
    let received = line.receipt.or(line.inbound);
    let received = received.ok_or("neither send, receipt, inbound nor check")?;
    let mut headers = HeaderMap::new();
    for (name, value) in received.headers {
        headers.append(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
    }
    let request = ReceiptRequest {
        method: &received.method,
        url: &received.url,
        query: received.url.split_once('?').map_or("", |(_, query)| query),
        headers: &headers,
        body: received.body.as_bytes(),
    };
    if is_inbound {
        return Ok(match provider.read_inbound(&request, now()) {
            Ok(inbound) => {
                provider.noted(inbound.once.as_deref());
                let (from, keyword) = inbound.keyword.unzip();
                let keyword = keyword.map(|keyword| format!("{keyword:?}").to_lowercase());
                json!({"keyword": keyword, "from": from.map(|from| from.as_str().to_owned())})
            }
            Err(error) => json!({"error": error.to_string()}),
        });
    }
    Ok(match provider.read_receipt(&request, now()) {
        Ok(receipt) => {
            provider.noted(receipt.once.as_deref());
            let arrival = match receipt.arrival {
                Arrival::OnTheWay => "on_the_way",
                Arrival::Delivered => "delivered",
                Arrival::Undelivered(_) => "undelivered",
            };
            json!({"arrival": arrival, "reason": receipt.reason})
        }
        Err(error) => json!({"error": error.to_string()}),
    })
}

fn provider(text: &str, name: Option<String>) -> Result<Provider, Failed> {
    let mut route = toml::Value::Table(route(text, name)?);
    let own = route.as_table_mut().ok_or("it is no table")?;
    let kind = own.remove("type").unwrap_or_else(|| "".into());
    let timeout = own.get("timeout_seconds").and_then(toml::Value::as_integer);
    let timeout = Duration::from_secs(u64::try_from(timeout.unwrap_or(5))?);
    for key in COMMON {
        own.remove(key);
    }
    Ok(match kind.as_str() {
        Some("http") => Provider::Http(Http::new(&route.try_into()?, timeout)?),
        Some("twilio") => Provider::Twilio(Twilio::new(&route.try_into()?, timeout)?),
        Some("vonage") => Provider::Vonage(Vonage::new(&route.try_into()?, timeout)?),
        Some("webhook") => Provider::Webhook(webhook(own, timeout)?),
        _ => return Err("type must be http, twilio, vonage or webhook".into()),
    })
}

/// The section of a route, or of the only one.
fn route(text: &str, name: Option<String>) -> Result<toml::Table, Failed> {
    let mut file: toml::Table = text.parse()?;
    let routes = file.get_mut("sms").and_then(|sms| sms.get_mut("routes"));
    let routes = routes.and_then(toml::Value::as_table_mut);
    let routes = routes.ok_or("there is no [sms.routes.NAME]")?;
    let name = name.or_else(|| routes.keys().next().cloned());
    let route = name.and_then(|name| routes.remove(&name));
    match route.ok_or("there is no such route")? {
        toml::Value::Table(route) => Ok(route),
        _ => Err("it is no table".into()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookKeys {
    url: String,
    secrets: Vec<String>,
    #[serde(default, rename = "allow_insecure")]
    _allow_insecure: bool,
    #[serde(default)]
    receipts: bool,
    #[serde(default, rename = "type")]
    _type: String,
}

fn webhook(own: &toml::Table, timeout: Duration) -> Result<Webhook, Failed> {
    let keys: WebhookKeys = own.clone().try_into()?;
    Ok(Webhook::new(WebhookSettings {
        url: keys.url.parse().map_err(|_| "url: is no address")?,
        secrets: keys.secrets,
        timeout,
        receipts: keys.receipts,
    })?)
}
