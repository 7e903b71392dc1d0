//! What Vonage tells, receipts and what people write back: JSON, with a token in the header that signs it.

use http::header::AUTHORIZATION;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use ringback_core::Time;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{VonageSettings, codes};
use crate::class::Class;
use crate::seen::Seen;
use crate::{Arrival, Inbound, Keyword, Receipt, ReceiptError, ReceiptRequest};

/// Seconds that a receipt may be old, or ahead of our clock.
const AGE_SECONDS: i64 = 300;

pub(super) struct Receipts {
    key: DecodingKey,
    rules: Validation,
    /// The application or the account that they must be of.
    application: String,
    api_key: String,
    seen: Seen,
}

#[derive(Deserialize)]
struct Claims {
    iat: i64,
    jti: String,
    payload_hash: String,
    #[serde(default)]
    application_id: Option<String>,
    #[serde(default)]
    api_key: Option<String>,
}

impl Receipts {
    /// `None` without a secret.
    pub(super) fn new(settings: &VonageSettings) -> Option<Receipts> {
        let secret = settings.signature_secret.expose_secret();
        if secret.is_empty() {
            return None;
        }
        let mut rules = Validation::new(Algorithm::HS256);
        // The age is judged below, by the time that we are given.
        rules.validate_exp = false;
        rules.validate_nbf = false;
        rules.validate_aud = false;
        rules.set_required_spec_claims(&["iss"]);
        rules.set_issuer(&["Vonage"]);
        Some(Receipts {
            key: DecodingKey::from_secret(secret.as_bytes()),
            rules,
            application: settings.application.clone(),
            api_key: settings.api_key.clone(),
            seen: Seen::default(),
        })
    }

    pub(super) fn read(
        &self,
        request: &ReceiptRequest<'_>,
        now: Time,
    ) -> Result<Receipt, ReceiptError> {
        let once = Some(self.check(request, now)?);
        let body = json(request.body)?;
        let arrived = |arrival| Receipt {
            arrival,
            reason: String::new(),
            once: None,
        };
        let receipt = match body["status"].as_str() {
            Some("delivered" | "read") => Ok(arrived(Arrival::Delivered)),
            Some("rejected" | "undeliverable") => {
                let code = codes::code_of(&body["error"]);
                let says = code.map_or_else(String::new, |code| format!("Vonage's code {code}"));
                let class = code.and_then(codes::class).unwrap_or(Class::Phone);
                Ok(class.receipt(&says))
            }
            Some(_) => Ok(arrived(Arrival::OnTheWay)),
            None => Err(ReceiptError::Malformed("it has no status")),
        };
        receipt.map(|receipt| Receipt { once, ..receipt })
    }

    /// What somebody wrote back. Pictures and the like have no text, and say nothing.
    pub(super) fn read_inbound(
        &self,
        request: &ReceiptRequest<'_>,
        now: Time,
    ) -> Result<Inbound, ReceiptError> {
        let once = Some(self.check(request, now)?);
        let body = json(request.body)?;
        let from = body["from"].as_str();
        let from = from.ok_or(ReceiptError::Malformed("it has no from"))?;
        if body["message_type"].is_null() && body["text"].is_null() {
            return Err(ReceiptError::Malformed(
                "it has neither text nor message_type",
            ));
        }
        let by_text = matches!(body["channel"].as_str(), Some("sms") | None);
        let keyword = body["text"]
            .as_str()
            .filter(|_| by_text)
            .and_then(Keyword::read);
        Ok(Inbound {
            once,
            ..Inbound::of(from, keyword)
        })
    }

    /// Remembers a receipt, so that a repeat is refused.
    pub(super) fn noted(&self, id: String) {
        self.seen.add(id);
    }

    /// Who it is from; its id.
    fn check(&self, request: &ReceiptRequest<'_>, now: Time) -> Result<String, ReceiptError> {
        let wrong = |says| Err(ReceiptError::Signature(says));
        let header = request.headers.get(AUTHORIZATION);
        let header = header.and_then(|value| value.to_str().ok());
        let Some(token) = header.and_then(|value| value.strip_prefix("Bearer ")) else {
            return wrong("there is no token in Authorization");
        };
        let Ok(token) = jsonwebtoken::decode::<Claims>(token.trim(), &self.key, &self.rules) else {
            return wrong("the token does not fit signature_secret");
        };
        let Claims {
            iat,
            jti,
            payload_hash,
            application_id,
            api_key,
        } = token.claims;
        if now.0.div_euclid(1_000_000).abs_diff(iat) > AGE_SECONDS.unsigned_abs() {
            return wrong("it is too old or from the future");
        }
        let hash: String = Sha256::digest(request.body)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        if !payload_hash.eq_ignore_ascii_case(&hash) {
            return wrong("payload_hash does not fit the body");
        }
        let other = |ours: &str, theirs: Option<String>| {
            !ours.is_empty() && theirs.is_some_and(|theirs| theirs != ours)
        };
        if other(&self.application, application_id) || other(&self.api_key, api_key) {
            return wrong("it is of another application or account");
        }
        if self.seen.has(&jti) {
            return wrong("it came before");
        }
        Ok(jti)
    }
}

fn json(body: &[u8]) -> Result<Value, ReceiptError> {
    serde_json::from_slice(body).map_err(|_| ReceiptError::Malformed("it is not JSON"))
}
