//! Vonage: its Messages API, and its signed receipts.

mod codes;
mod receipts;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, Url};
use ringback_core::Time;
use ringback_core::delivery::{RouteFault, Verdict};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::class::Class;
use crate::line::{Answer, Line, address};
use crate::{Inbound, Receipt, ReceiptError, ReceiptRequest, Report, RouteError, Sms};
use receipts::Receipts;

const BASE: &str = "https://api.nexmo.com";
/// Seconds for which a token of ours holds.
const TOKEN_SECONDS: i64 = 300;
/// Seconds that a message may wait at Vonage.
const VALIDITY: (u64, u64) = (20, 604_800);

/// `type = "vonage"`. `Debug` shows no secret.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VonageSettings {
    /// The application's id, for sending with its key.
    pub application: String,
    /// The application's private key, PEM.
    pub private_key: SecretString,
    /// The account's key, for sending without an application.
    pub api_key: String,
    /// Its secret.
    pub api_secret: SecretString,
    /// What receipts are signed with, and what people write back; empty for neither.
    pub signature_secret: SecretString,
    /// Where Vonage is; empty for its own address.
    pub base_url: String,
    /// Lets `base_url` begin with http.
    pub allow_insecure: bool,
    /// Lets `base_url` be of this machine or of a private network.
    pub allow_private: bool,
}

impl fmt::Debug for VonageSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VonageSettings").finish_non_exhaustive()
    }
}

/// A route to Vonage.
#[derive(Clone)]
pub struct Vonage {
    url: Url,
    known_by: KnownBy,
    receipts: Option<Arc<Receipts>>,
    line: Line,
}

/// How Vonage knows us.
#[derive(Clone)]
enum KnownBy {
    Application { id: String, key: EncodingKey },
    Account { key: String, secret: SecretString },
}

/// What a token of ours says.
#[derive(Serialize)]
struct Claims<'a> {
    application_id: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
}

impl VonageSettings {
    /// Whether a route can be made of them.
    ///
    /// # Errors
    /// [`RouteError::Setting`] with the first key that is wrong.
    pub fn check(&self) -> Result<(), RouteError> {
        self.read().map(|_| ())
    }

    fn read(&self) -> Result<(Url, KnownBy), RouteError> {
        let wrong = |key, says: &str| Err(RouteError::setting(key, says));
        let pem = self.private_key.expose_secret();
        let secret = self.api_secret.expose_secret();
        let known_by = match (self.application.as_str(), self.api_key.as_str()) {
            ("", "") => {
                return wrong(
                    "application",
                    "is missing; set it and private_key, or api_key and api_secret",
                );
            }
            (_, "") if pem.is_empty() => {
                return wrong("private_key", "is missing beside application");
            }
            (id, "") => match EncodingKey::from_rsa_pem(pem.as_bytes()) {
                Ok(key) => KnownBy::Application {
                    id: id.to_owned(),
                    key,
                },
                Err(_) => {
                    return wrong(
                        "private_key",
                        "must be the application's RSA key in PEM, all lines of it",
                    );
                }
            },
            ("", _) if secret.is_empty() => {
                return wrong("api_secret", "is missing beside api_key");
            }
            ("", key) => KnownBy::Account {
                key: key.to_owned(),
                secret: self.api_secret.clone(),
            },
            (_, _) => return wrong("api_key", "is set, and so is application; leave one out"),
        };
        let base = match self.base_url.as_str() {
            "" => BASE,
            base => base,
        };
        let mut url = address("base_url", base, self.allow_insecure, self.allow_private)?;
        url.set_path("/v1/messages");
        Ok((url, known_by))
    }
}

impl Vonage {
    /// `timeout`: how long a whole attempt may take.
    ///
    /// # Errors
    /// [`RouteError::Setting`] with the first key that is wrong.
    pub fn new(settings: &VonageSettings, timeout: Duration) -> Result<Vonage, RouteError> {
        let (url, known_by) = settings.read()?;
        Ok(Vonage {
            url,
            known_by,
            receipts: Receipts::new(settings).map(Arc::new),
            line: Line::new(timeout, settings.allow_private)?,
        })
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.line.timeout()
    }

    /// A receipt of this id was noted.
    pub(crate) fn noted(&self, id: &str) {
        if let Some(receipts) = &self.receipts {
            receipts.noted(id.to_owned());
        }
    }

    pub(crate) fn sends_receipts(&self) -> bool {
        self.receipts.is_some()
    }

    pub(crate) async fn send(&self, sms: &Sms, now: Time) -> Report {
        let unable = |fault, reason: &str| Report::failed(Verdict::Unable { fault }, reason);
        let Some(sender) = sms.sender.as_deref() else {
            return unable(
                RouteFault::Sender,
                "there is no sender for this country, and Vonage wants one",
            );
        };
        let left = sms.expires_at.since(now).as_secs();
        let mut message = json!({
            "channel": "sms",
            "message_type": "text",
            "to": sms.to.as_str().trim_start_matches('+'),
            "from": sender.trim_start_matches('+'),
            "text": sms.text,
            "ttl": left.clamp(VALIDITY.0, VALIDITY.1),
            "client_ref": sms.id,
            "sms": { "encoding_type": "auto" },
        });
        if let Some(callback) = sms.callback.as_deref().filter(|_| self.sends_receipts()) {
            message["webhook_url"] = callback.into();
            message["webhook_version"] = "v1".into();
        }
        let request = self.line.client().post(self.url.clone());
        let Some(request) = self.authenticated(request, &sms.id, now) else {
            return unable(RouteFault::Auth, "private_key does not sign");
        };
        let request = request
            .header(CONTENT_TYPE, "application/json")
            .body(message.to_string());
        match self.line.ask(request).await {
            Ok(answer) => judge(&answer),
            Err(report) => report,
        }
    }

    /// Whether it can be reached: there is nothing to ask that an application may see and costs nothing.
    pub(crate) async fn check(&self) -> Result<(), RouteError> {
        self.line.check(&self.url).await
    }

    pub(crate) fn read_receipt(
        &self,
        request: &ReceiptRequest<'_>,
        now: Time,
    ) -> Result<Receipt, ReceiptError> {
        match &self.receipts {
            Some(receipts) => receipts.read(request, now),
            None => Err(ReceiptError::NoReceipts),
        }
    }

    pub(crate) fn read_inbound(
        &self,
        request: &ReceiptRequest<'_>,
        now: Time,
    ) -> Result<Inbound, ReceiptError> {
        match &self.receipts {
            Some(receipts) => receipts.read_inbound(request, now),
            None => Err(ReceiptError::NoInbound),
        }
    }

    fn authenticated(
        &self,
        request: RequestBuilder,
        id: &str,
        now: Time,
    ) -> Option<RequestBuilder> {
        match &self.known_by {
            KnownBy::Account { key, secret } => {
                Some(request.basic_auth(key, Some(secret.expose_secret())))
            }
            KnownBy::Application {
                id: application_id,
                key,
            } => {
                let iat = now.0.div_euclid(1_000_000);
                let claims = Claims {
                    application_id,
                    iat,
                    exp: iat + TOKEN_SECONDS,
                    // Another one for each attempt.
                    jti: format!("{id}.{}", now.0),
                };
                let token = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, key);
                Some(request.bearer_auth(token.ok()?))
            }
        }
    }
}

/// What an answer means: the code in its body says more than its status.
fn judge(answer: &Answer) -> Report {
    let status = answer.status;
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let reference = body["message_uuid"].as_str().map(str::to_owned);
    let good = (200..300).contains(&status);
    let code = match good {
        true => None,
        false => codes::code_of(&body),
    };
    let says = match code {
        Some(code) => format!("Vonage answered {status}, code {code}"),
        None => format!("Vonage answered {status}"),
    };
    let class = code.and_then(codes::class);
    // A phone that is out of reach shows after a message was taken, and never in an answer.
    let class = class.filter(|class| *class != Class::Phone);
    let class = class.unwrap_or_else(|| Class::of_status(status));
    class.report(&says, answer.after, reference)
}
