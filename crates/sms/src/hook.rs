//! A signed POST, as the Standard Webhooks specification says: what signs messages and whatever else is posted.

use std::time::Duration;

use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::engine::{DecodePaddingMode, Engine};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use ringback_core::Time;
use sha2::Sha256;

use crate::RouteError;
use crate::line::{Line, address};

/// Secrets are written with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What signs: each secret by itself, so that a receiver can change its secret before or after we do.
#[derive(Clone)]
pub(crate) struct Secrets(Vec<Hmac<Sha256>>);

impl Secrets {
    /// At least one: `whsec_` and base64, or base64 alone, of 24 to 64 bytes.
    pub(crate) fn read(secrets: &[String]) -> Result<Secrets, RouteError> {
        if secrets.is_empty() {
            return Err(RouteError::SecretMissing);
        }
        let read = secrets.iter().enumerate().map(|(at, secret)| {
            parse_secret(secret).ok_or(RouteError::SecretInvalid { position: at + 1 })
        });
        Ok(Secrets(read.collect::<Result<_, _>>()?))
    }

    /// The header `webhook-signature`; `timestamp` is in seconds.
    pub(crate) fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let signatures: Vec<String> = self
            .0
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

    /// Whether one of the signatures of such a header is by one of the secrets.
    pub(crate) fn verify(&self, id: &str, timestamp: i64, body: &[u8], signatures: &str) -> bool {
        let mut given = signatures
            .split(' ')
            .filter_map(|one| one.strip_prefix("v1,"));
        given.any(|given| {
            let given = STANDARD.decode(given).unwrap_or_default();
            self.0.iter().any(|signer| {
                let mac = signer
                    .clone()
                    .chain_update(format!("{id}.{timestamp}."))
                    .chain_update(body);
                mac.verify_slice(&given).is_ok()
            })
        })
    }
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

/// What an address that is posted to needs to be known of.
#[derive(Clone)]
pub struct HookSettings {
    /// Where to post to.
    pub url: String,
    /// What posts are signed with; two while one is exchanged for the other.
    pub secrets: Vec<String>,
    /// How long a whole attempt may take.
    pub timeout: Duration,
    /// Lets the address begin with http.
    pub allow_insecure: bool,
    /// Lets it lead to this machine or into a private network.
    pub allow_private: bool,
}

/// An address that is posted to.
#[derive(Clone)]
pub struct Hook {
    url: Url,
    secrets: Secrets,
    line: Line,
}

/// What came of a post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// It was taken: a status of 2xx.
    Taken,
    /// It was answered by another status.
    Refused {
        /// The HTTP status.
        status: u16,
        /// How long it asks to be left alone; zero when it does not.
        after: Duration,
    },
    /// It was not answered: why.
    Unanswered(String),
}

impl Hook {
    /// Fails where a setting is wrong; the error names which, as `url` or `secrets`.
    pub fn new(settings: HookSettings) -> Result<Hook, RouteError> {
        let HookSettings {
            url,
            secrets,
            timeout,
            allow_insecure,
            allow_private,
        } = settings;
        if url.is_empty() {
            return Err(RouteError::setting(
                "url",
                "is missing; set it to the address that is posted to",
            ));
        }
        let secrets = Secrets::read(&secrets).map_err(|error| match error {
            RouteError::SecretMissing => RouteError::setting(
                "secrets",
                "is missing; set at least one secret, so that the receiver can tell our posts from others",
            ),
            RouteError::SecretInvalid { position } => RouteError::setting(
                "secrets",
                format!(
                    "holds no base64 of 24 to 64 bytes at place {position}; make one with `openssl rand -base64 32`"
                ),
            ),
            other => other,
        })?;
        Ok(Hook {
            url: address("url", &url, allow_insecure, allow_private)?,
            secrets,
            line: Line::new(timeout, allow_private)?,
        })
    }

    /// Posts a JSON text once. The id is the same whenever the same thing is posted.
    pub async fn post(&self, id: &str, now: Time, body: String) -> Posted {
        let timestamp = now.0.div_euclid(1_000_000);
        let request = self
            .line
            .client()
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", self.secrets.sign(id, timestamp, &body))
            .body(body);
        match self.line.ask(request).await {
            Ok(answer) if (200..300).contains(&answer.status) => Posted::Taken,
            Ok(answer) => Posted::Refused {
                status: answer.status,
                after: Duration::from_secs(answer.after.into()),
            },
            Err(report) => Posted::Unanswered(report.reason),
        }
    }

    /// Whether something listens there.
    pub async fn check(&self) -> Result<(), RouteError> {
        self.line.check(&self.url).await
    }
}
