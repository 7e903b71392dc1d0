//! The webhook: a signed POST to an address of the operator's, as the Standard Webhooks specification says.

use std::error::Error;
use std::time::Duration;

use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::engine::{DecodePaddingMode, Engine};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use ringback_core::Time;
use serde::Serialize;
use sha2::Sha256;
use tokio::net::TcpStream;

use crate::{RouteError, Sent, Sms, rfc3339};

/// The longest that a receiver may ask to be left alone; who asks for more is asked again after this.
const LONGEST_REST: Duration = Duration::from_secs(300);
/// How much of an answer is read away, so that the connection can serve the next message.
const ANSWER_BYTES: usize = 16 * 1_024;
/// How long that may take.
const ANSWER_TIME: Duration = Duration::from_millis(250);

/// Secrets are written with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a webhook needs to know.
#[derive(Clone)]
pub struct WebhookSettings {
    /// Where to post to. Whoever configures it has judged that codes may travel there.
    pub url: Url,
    /// `whsec_` and base64, or base64 alone, of 24 to 64 bytes. Each signs; two while one is exchanged
    /// for the other.
    pub secrets: Vec<String>,
    /// How long a whole attempt may take.
    pub timeout: Duration,
}

/// A route that posts each message to an address.
#[derive(Clone)]
pub struct Webhook {
    url: Url,
    signers: Vec<Hmac<Sha256>>,
    timeout: Duration,
    client: Client,
}

/// What the receiver reads.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    id: &'a str,
    to: &'a str,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    kind: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    language: &'a str,
    expires_at: String,
}

impl Webhook {
    /// The settings must name at least one secret.
    pub fn new(settings: WebhookSettings) -> Result<Webhook, RouteError> {
        if settings.secrets.is_empty() {
            return Err(RouteError::SecretMissing);
        }
        let signers = settings
            .secrets
            .iter()
            .enumerate()
            .map(|(at, secret)| {
                parse_secret(secret).ok_or(RouteError::SecretInvalid { position: at + 1 })
            })
            .collect::<Result<_, _>>()?;
        let client = Client::builder()
            .user_agent(concat!("ringback/", env!("CARGO_PKG_VERSION")))
            .timeout(settings.timeout)
            // A redirect would carry the code to an address that nobody configured.
            .redirect(Policy::none())
            // The address in the config is where the message goes, whatever the environment says.
            .no_proxy()
            .build()
            .map_err(|error| RouteError::Client {
                cause: root(&error),
            })?;
        Ok(Webhook {
            url: settings.url,
            signers,
            timeout: settings.timeout,
            client,
        })
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) async fn send(&self, sms: &Sms, now: Time) -> Sent {
        let payload = Payload {
            id: &sms.id,
            to: sms.to.as_str(),
            text: &sms.text,
            code: sms.code.as_ref().map(|code| code.reveal()),
            kind: sms.kind,
            language: &sms.language,
            expires_at: rfc3339(sms.expires_at),
        };
        let Ok(body) = serde_json::to_string(&payload) else {
            return Sent::Refused {
                reason: "the message cannot be written as json".into(),
            };
        };
        let timestamp = now.0.div_euclid(1_000_000);
        let answer = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &sms.id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", self.sign(&sms.id, timestamp, &body))
            .body(body)
            .send()
            .await;
        match answer {
            Ok(response) => {
                let sent = judge(response.status(), response.headers());
                read_away(response).await;
                sent
            }
            Err(error) => Sent::Retry {
                reason: self.fault(&error),
                after: None,
            },
        }
    }

    pub(crate) async fn check(&self) -> Result<(), RouteError> {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or_default();
        let connect = TcpStream::connect((bare(host), port));
        let cause = match tokio::time::timeout(self.timeout, connect).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {:?}", self.timeout),
        };
        Err(RouteError::Unreachable {
            place: format!("{host}:{port}"),
            cause,
        })
    }

    /// One signature for each secret, so that a receiver can change its secret before or after we do.
    fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let signatures: Vec<String> = self
            .signers
            .iter()
            .map(|signer| {
                let mac = signer
                    .clone()
                    .chain_update(format!("{id}.{timestamp}."))
                    .chain_update(body);
                format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
            })
            .collect();
        signatures.join(" ")
    }

    fn fault(&self, error: &reqwest::Error) -> String {
        if error.is_timeout() {
            format!("no answer within {:?}", self.timeout)
        } else if error.is_connect() {
            format!("no connection: {}", root(error))
        } else {
            format!("the connection broke: {}", root(error))
        }
    }
}

/// What an answer means for the message.
fn judge(status: StatusCode, headers: &HeaderMap) -> Sent {
    let reason = format!("answered {}", status.as_u16());
    let later = status.is_server_error()
        || [
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::TOO_EARLY,
            StatusCode::TOO_MANY_REQUESTS,
        ]
        .contains(&status);
    if status.is_success() {
        Sent::Sent
    } else if later {
        Sent::Retry {
            reason,
            after: rest(headers),
        }
    } else if status.is_redirection() {
        Sent::Refused {
            reason: format!(
                "{reason}, a redirect, which is not followed: configure the address that it leads to"
            ),
        }
    } else {
        Sent::Refused { reason }
    }
}

/// How long the receiver asks to be left alone. Its other form, a date, would depend on its clock.
fn rest(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_REST))
}

/// Reads what little a receiver may say and forgets it: a connection with unread bytes must be closed.
async fn read_away(mut response: Response) {
    let reading = async {
        let mut read = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            read += chunk.len();
            if read > ANSWER_BYTES {
                break;
            }
        }
    };
    // The verdict stands, however the rest of the answer fares.
    let _ = tokio::time::timeout(ANSWER_TIME, reading).await;
}

/// A host as sockets want it: an address of IPv6 without its brackets.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

fn parse_secret(text: &str) -> Option<Hmac<Sha256>> {
    let text = text.trim();
    let bytes = BASE64
        .decode(text.strip_prefix("whsec_").unwrap_or(text))
        .ok()?;
    if !(24..=64).contains(&bytes.len()) {
        return None;
    }
    Hmac::new_from_slice(&bytes).ok()
}

/// The innermost cause. The outer ones tell the whole address, which may hold a secret.
fn root(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(inner) = cause.and_then(Error::source) {
        cause = Some(inner);
    }
    cause.map_or_else(|| "unknown".to_owned(), ToString::to_string)
}
