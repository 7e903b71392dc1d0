//! Receipts of any provider: where they say what became of a message, and how they are signed.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderName;
use http::header::AUTHORIZATION;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::rules::scalar;
use super::settings::{HttpReceiptSettings, Signed};
use crate::class::{Class, is_code};
use crate::{Arrival, Receipt, ReceiptError, ReceiptRequest};

/// Stands for every state that is not listed.
const OTHERS: &str = "*";

/// How receipts are read.
#[derive(Clone)]
pub(super) struct Receipts {
    status: Place,
    values: BTreeMap<String, Meaning>,
    error: Option<Place>,
    errors: BTreeMap<String, Class>,
    proof: Proof,
}

#[derive(Clone)]
enum Place {
    Query(String),
    Form(String),
    Pointer(String),
}

#[derive(Clone, Copy)]
enum Meaning {
    OnTheWay,
    Delivered,
    Undelivered(Option<Class>),
}

#[derive(Clone)]
enum Proof {
    None,
    Is(HeaderName, SecretString),
    Hmac {
        header: HeaderName,
        prefix: String,
        key: Hmac<Sha256>,
    },
}

impl Receipts {
    /// The error says which key is wrong, and what with it.
    pub(super) fn parse(own: &HttpReceiptSettings) -> Result<Receipts, (&'static str, String)> {
        let place = |key: &'static str, text: &str| {
            Place::parse(text).ok_or_else(|| {
                let says = "must be query.NAME, form.NAME or a JSON pointer such as /status";
                (key, says.to_owned())
            })
        };
        let mut values = BTreeMap::new();
        for (state, meaning) in &own.values {
            let meaning = Meaning::parse(meaning).ok_or_else(|| {
                let names = Class::lost_names();
                let says = "a meaning that is none of on_the_way, delivered, undelivered, or undelivered: and one of";
                ("receipt.values", format!("gives {state} {says} {names}"))
            })?;
            values.insert(state.clone(), meaning);
        }
        if !values
            .values()
            .any(|meaning| matches!(meaning, Meaning::Delivered))
        {
            let says =
                "must say which state means delivered, such as { delivered = \"delivered\" }";
            return Err(("receipt.values", says.into()));
        }
        let mut errors = BTreeMap::new();
        for (code, name) in &own.errors {
            let class = Class::lost(name).ok_or_else(|| {
                let names = Class::lost_names();
                (
                    "receipt.errors",
                    format!("gives {code} a meaning that is none of {names}"),
                )
            })?;
            errors.insert(code.clone(), class);
        }
        Ok(Receipts {
            status: place("receipt.status", &own.status)?,
            values,
            error: match own.error.as_str() {
                "" => None,
                error => Some(place("receipt.error", error)?),
            },
            errors,
            proof: Proof::parse(own)?,
        })
    }

    pub(super) fn read(&self, request: &ReceiptRequest<'_>) -> Result<Receipt, ReceiptError> {
        self.proof.check(request)?;
        // Empty where there is nothing to say yet, such as null.
        let status = self.status.find(request)?.unwrap_or_default();
        let code = match &self.error {
            Some(place) => place.find(request).unwrap_or_default(),
            None => None,
        };
        let says = match code
            .as_deref()
            .or(Some(&status))
            .filter(|code| is_code(code))
        {
            Some(code) => format!("the receipt says {code}"),
            None => String::new(),
        };
        let class = code.and_then(|code| self.errors.get(&code).copied());
        let arrived = |arrival| Receipt {
            arrival,
            reason: String::new(),
            once: None,
        };
        let others = self.values.get(OTHERS).filter(|_| !status.is_empty());
        let meaning = self.values.get(&status).or(others);
        Ok(match meaning {
            Some(Meaning::Delivered) => arrived(Arrival::Delivered),
            Some(Meaning::Undelivered(own)) => {
                class.or(*own).unwrap_or(Class::Phone).receipt(&says)
            }
            Some(Meaning::OnTheWay) | None => arrived(Arrival::OnTheWay),
        })
    }
}

impl Place {
    fn parse(text: &str) -> Option<Place> {
        if text.starts_with('/') {
            return Some(Place::Pointer(text.to_owned()));
        }
        let (kind, name) = text.split_once('.').filter(|(_, name)| !name.is_empty())?;
        match kind {
            "query" => Some(Place::Query(name.to_owned())),
            "form" => Some(Place::Form(name.to_owned())),
            _ => None,
        }
    }

    /// What is there, if anything is. One that cannot be looked into, or has no such place, is an error.
    fn find(&self, request: &ReceiptRequest<'_>) -> Result<Option<String>, ReceiptError> {
        let pair = |input: &[u8], wanted: &str| {
            let mut pairs = form_urlencoded::parse(input);
            let found = pairs.find(|(name, _)| name == wanted);
            found.map(|(_, value)| Some(value.into_owned()))
        };
        let found = match self {
            Place::Query(name) => pair(request.query.as_bytes(), name),
            Place::Form(name) => pair(request.body, name),
            Place::Pointer(pointer) => {
                let document: serde_json::Value = serde_json::from_slice(request.body)
                    .map_err(|_| ReceiptError::Malformed("its body is not JSON"))?;
                document.pointer(pointer).map(scalar)
            }
        };
        let found = found.ok_or(ReceiptError::Malformed(
            "it has nothing where it should say what became of the message",
        ))?;
        Ok(found.filter(|found| !found.is_empty()))
    }
}

impl Meaning {
    fn parse(text: &str) -> Option<Meaning> {
        match text {
            "on_the_way" => Some(Meaning::OnTheWay),
            "delivered" => Some(Meaning::Delivered),
            "undelivered" => Some(Meaning::Undelivered(None)),
            other => {
                let class = Class::lost(other.strip_prefix("undelivered:")?)?;
                Some(Meaning::Undelivered(Some(class)))
            }
        }
    }
}

impl Proof {
    fn parse(own: &HttpReceiptSettings) -> Result<Proof, (&'static str, String)> {
        let missing = |key: &'static str| (key, "is missing for receipts signed so".to_owned());
        let secret = own.secret.expose_secret();
        for (key, text) in [
            ("receipt.secret", secret),
            ("receipt.username", &own.username),
        ] {
            if text.contains("{secret.") {
                let says = "is taken as it is: names in braces do not stand for anything here";
                return Err((key, says.to_owned()));
            }
        }
        if own.signed != Signed::None && secret.is_empty() {
            return Err(missing("receipt.secret"));
        }
        let header = || match own.header.as_str() {
            "" => Err(missing("receipt.header")),
            name => HeaderName::try_from(name)
                .map_err(|_| ("receipt.header", "is no name of a header field".to_owned())),
        };
        Ok(match own.signed {
            Signed::None => Proof::None,
            Signed::Header => Proof::Is(header()?, format!("{}{secret}", own.prefix).into()),
            Signed::Basic => {
                let both = STANDARD.encode(format!("{}:{secret}", own.username));
                Proof::Is(AUTHORIZATION, format!("Basic {both}").into())
            }
            Signed::HmacSha256 => Proof::Hmac {
                header: header()?,
                prefix: own.prefix.clone(),
                key: Hmac::new_from_slice(secret.as_bytes())
                    .map_err(|_| missing("receipt.secret"))?,
            },
        })
    }

    fn check(&self, request: &ReceiptRequest<'_>) -> Result<(), ReceiptError> {
        let given = |header: &HeaderName| {
            let value = request.headers.get(header);
            value.ok_or(ReceiptError::Signature("a header field is missing"))
        };
        let holds = match self {
            Proof::None => true,
            Proof::Is(header, secret) => {
                // Compared by their hashes, so that the time tells nothing of the secret.
                let hash = |bytes: &[u8]| Sha256::digest(bytes);
                hash(given(header)?.as_bytes()) == hash(secret.expose_secret().as_bytes())
            }
            Proof::Hmac {
                header,
                prefix,
                key,
            } => {
                let given = given(header)?.to_str().unwrap_or_default().trim();
                let given = given.strip_prefix(prefix.as_str()).unwrap_or_default();
                let mac = key.clone().chain_update(request.body);
                let decoded = [
                    decode_hex(given),
                    STANDARD.decode(given).ok(),
                    URL_SAFE_NO_PAD.decode(given.trim_end_matches('=')).ok(),
                ];
                let mut decoded = decoded.into_iter().flatten();
                decoded.any(|given| mac.clone().verify_slice(&given).is_ok())
            }
        };
        match holds {
            true => Ok(()),
            false => Err(ReceiptError::Signature(
                "it does not fit the route's secret",
            )),
        }
    }
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let pairs = (0..text.len()).step_by(2).map(|at| &text[at..at + 2]);
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).ok())
        .collect()
}
