//! What a provider tells: where in a request it stands, and how it is known that the provider sent it.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use http::HeaderName;
use http::header::AUTHORIZATION;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::rules::scalar;
use super::settings::{HttpInboundSettings, HttpReceiptSettings, Signed};
use crate::{ReceiptError, ReceiptRequest};

/// Where something stands in a request.
#[derive(Clone)]
pub(super) enum Place {
    Query(String),
    Form(String),
    Pointer(String),
}

/// How it is known that a request is from the provider.
#[derive(Clone)]
pub(super) enum Proof {
    None,
    Is(HeaderName, SecretString),
    Hmac {
        header: HeaderName,
        prefix: String,
        key: Hmac<Sha256>,
    },
}

/// A key that is wrong, and what is wrong with it.
pub(super) type Wrong = (String, String);

impl Place {
    /// A place that a recipe names at `key`.
    pub(super) fn parse(key: &str, text: &str) -> Result<Place, Wrong> {
        let says = "must be query.NAME, form.NAME or a JSON pointer such as /status";
        Place::read(text).ok_or_else(|| (key.to_owned(), says.to_owned()))
    }

    fn read(text: &str) -> Option<Place> {
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

    /// Whether what stands there is of the body.
    pub(super) fn is_of_body(&self) -> bool {
        !matches!(self, Place::Query(_))
    }

    /// What is there, if anything is. A request that cannot be looked into, or has no such place, is an error:
    /// `missing` says what it is then.
    pub(super) fn find(
        &self,
        request: &ReceiptRequest<'_>,
        missing: &'static str,
    ) -> Result<Option<String>, ReceiptError> {
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
        let found = found.ok_or(ReceiptError::Malformed(missing))?;
        Ok(found.filter(|found| !found.is_empty()))
    }
}

/// The keys of a table that say how it is known who sent it.
pub(super) struct Signature<'a> {
    /// The table's name.
    pub(super) table: &'static str,
    pub(super) signed: Signed,
    pub(super) header: &'a str,
    pub(super) prefix: &'a str,
    pub(super) secret: &'a SecretString,
    pub(super) username: &'a str,
}

impl<'a> Signature<'a> {
    pub(super) fn of_receipts(own: &'a HttpReceiptSettings) -> Signature<'a> {
        Signature {
            table: "receipt",
            signed: own.signed,
            header: &own.header,
            prefix: &own.prefix,
            secret: &own.secret,
            username: &own.username,
        }
    }

    /// As the table itself says.
    pub(super) fn of_inbound(own: &'a HttpInboundSettings, signed: Signed) -> Signature<'a> {
        Signature {
            table: "inbound",
            signed,
            header: &own.header,
            prefix: &own.prefix,
            secret: &own.secret,
            username: &own.username,
        }
    }
}

impl Proof {
    pub(super) fn parse(own: &Signature<'_>) -> Result<Proof, Wrong> {
        let at = |key: &str| format!("{}.{key}", own.table);
        let missing = |key: &str| {
            let says = format!(
                "is missing: {}.signed = \"{}\" needs it",
                own.table,
                own.signed.name()
            );
            (at(key), says)
        };
        let secret = own.secret.expose_secret();
        for (key, text) in [("secret", secret), ("username", own.username)] {
            if text.contains("{secret.") {
                let says = "is taken as it is: names in braces do not stand for anything here";
                return Err((at(key), says.to_owned()));
            }
        }
        let has_header = matches!(own.signed, Signed::Header | Signed::HmacSha256);
        if has_header && own.header.is_empty() {
            return Err(missing("header"));
        }
        if own.signed != Signed::None && secret.is_empty() {
            return Err(missing("secret"));
        }
        let header = || match own.header {
            "" => Err(missing("header")),
            name => HeaderName::try_from(name)
                .map_err(|_| (at("header"), "is no name of a header field".to_owned())),
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
                prefix: own.prefix.to_owned(),
                key: Hmac::new_from_slice(secret.as_bytes()).map_err(|_| missing("secret"))?,
            },
        })
    }

    /// Whether it is from the provider.
    pub(super) fn check(&self, request: &ReceiptRequest<'_>) -> Result<(), ReceiptError> {
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
