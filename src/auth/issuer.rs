//! One issuer: which keys, which algorithms, and whether a token of its holds.

use std::path::PathBuf;
use std::sync::Arc;

use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, Header, Validation};
use ringback_core::Time;
use secrecy::ExposeSecret;
use serde_json::Value;

use super::claims::Claims;
use super::fault::Fault;
use super::keyset::{KeySet, Source};
use crate::config::{ConfigError, IssuerSection, web_address};

/// An issuer whose tokens are accepted.
pub(super) struct Issuer {
    entry: String,
    name: String,
    audiences: Vec<String>,
    any_audience: bool,
    algorithms: Vec<Algorithm>,
    leeway: i64,
    keys: Keys,
}

enum Keys {
    /// The one key there is, whatever key id a token names.
    One(DecodingKey),
    Set(Arc<KeySet>),
}

impl Issuer {
    pub(super) fn read(
        entry: &str,
        section: &IssuerSection,
        leeway_seconds: u64,
        now: Time,
    ) -> Result<Issuer, ConfigError> {
        let place = |key: &str| format!("auth.issuers.{entry}.{key}");
        let keys = if !section.jwks_url.is_empty() {
            let wrong = |reason: String| ConfigError::new(place("jwks_url"), reason);
            let url = web_address(&section.jwks_url, section.allow_insecure)
                .map_err(|error| wrong(error.unless(&place("allow_insecure"))))?;
            let source = Source::at(url).map_err(|error| wrong(error.to_string()))?;
            Keys::Set(Arc::new(KeySet::new(entry, source)))
        } else if !section.jwks_file.is_empty() {
            let source = Source::File(PathBuf::from(&section.jwks_file));
            let set = KeySet::filled(entry, source, now)
                .map_err(|reason| ConfigError::new(place("jwks_file"), reason))?;
            Keys::Set(Arc::new(set))
        } else if !section.public_key_file.is_empty() {
            public_key(&section.public_key_file, &section.algorithms)
                .map(Keys::One)
                .map_err(|reason| ConfigError::new(place("public_key_file"), reason))?
        } else {
            let secret = section.secret.expose_secret();
            if secret.is_empty() {
                // Anybody can sign with an empty key.
                return Err(ConfigError::new(place("secret"), "is missing"));
            }
            Keys::One(DecodingKey::from_secret(secret.as_bytes()))
        };
        Ok(Issuer {
            entry: entry.to_owned(),
            name: section.issuer.clone(),
            audiences: section.audiences.clone(),
            any_audience: section.takes_any_audience(),
            algorithms: section.algorithms.clone(),
            leeway: i64::try_from(leeway_seconds).unwrap_or(i64::MAX),
            keys,
        })
    }

    /// An issuer of ours, whose tokens are signed with a secret that nobody else has.
    pub(super) fn of_secret(
        name: &str,
        audience: &str,
        algorithm: Algorithm,
        secret: &[u8],
        leeway_seconds: u64,
    ) -> Issuer {
        Issuer {
            entry: name.to_owned(),
            name: name.to_owned(),
            audiences: vec![audience.to_owned()],
            any_audience: false,
            algorithms: vec![algorithm],
            leeway: i64::try_from(leeway_seconds).unwrap_or(i64::MAX),
            keys: Keys::One(DecodingKey::from_secret(secret)),
        }
    }

    /// The audiences that are accepted, and the algorithms.
    pub(super) fn accepts(&self) -> (&[String], &[Algorithm]) {
        (&self.audiences, &self.algorithms)
    }

    /// The name in the configuration.
    pub(super) fn entry(&self) -> &str {
        &self.entry
    }

    /// Whether the keys can be had, or why not.
    pub(super) async fn reach(&self, now: Time) -> Result<(), String> {
        match &self.keys {
            Keys::One(_) => Ok(()),
            Keys::Set(set) => set.reach(now).await,
        }
    }

    pub(super) async fn verify(
        &self,
        token: &str,
        header: &Header,
        now: Time,
    ) -> Result<Claims, Fault> {
        let algorithm = header.alg;
        if !self.algorithms.contains(&algorithm) {
            return Err(Fault::Algorithm(algorithm));
        }
        // RFC 7515, section 4.1.11: what is critical and not understood makes the token invalid. We
        // understand no extension.
        if header.crit.is_some() {
            return Err(Fault::CriticalHeader);
        }
        let claims = match &self.keys {
            Keys::One(key) => signed(token, key, algorithm).ok_or(Fault::Signature)?,
            Keys::Set(set) => {
                let id = header.kid.as_deref();
                let signed = |key: &DecodingKey| signed(token, key, algorithm);
                set.verified(id, algorithm, now, signed).await?
            }
        };
        self.check(&claims, now)?;
        Ok(claims)
    }

    /// What RFC 7519, section 4.1, asks of the registered claims, against the given time: the library
    /// would ask the system clock.
    fn check(&self, claims: &Claims, now: Time) -> Result<(), Fault> {
        if claims.get("iss").and_then(Value::as_str) != Some(&self.name) {
            return Err(Fault::AnotherIssuer);
        }
        let audiences = audiences_of(claims);
        let ours = |there: &&str| self.audiences.iter().any(|audience| audience == there);
        if !self.any_audience && !audiences.iter().any(ours) {
            let there = audiences.into_iter().map(str::to_owned);
            return Err(Fault::AnotherAudience(there.collect()));
        }
        // Fractions of seconds are allowed; 2^53 seconds are enough for any date.
        let now = now.0 as f64 / 1e6;
        let leeway = self.leeway as f64;
        match claims.get("exp").map(Value::as_f64) {
            None => return Err(Fault::NoExpiry),
            Some(None) => return Err(Fault::ExpiryForm),
            Some(Some(exp)) if now >= exp + leeway => return Err(Fault::Expired(at(exp))),
            Some(Some(_)) => {}
        }
        match claims.get("nbf").map(Value::as_f64) {
            None => Ok(()),
            Some(None) => Err(Fault::BeginningForm),
            Some(Some(nbf)) if now < nbf - leeway => Err(Fault::NotYet(at(nbf))),
            Some(Some(_)) => Ok(()),
        }
    }
}

/// Whom a token is for.
fn audiences_of(claims: &Claims) -> Vec<&str> {
    match claims.get("aud") {
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        Some(one) => one.as_str().into_iter().collect(),
        None => Vec::new(),
    }
}

fn at(seconds: f64) -> Time {
    Time((seconds * 1e6) as i64)
}

/// The claims of a token whose signature by this key and algorithm is right.
fn signed(token: &str, key: &DecodingKey, algorithm: Algorithm) -> Option<Claims> {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    let data = jsonwebtoken::decode::<Claims>(token, key, &validation).ok()?;
    Some(data.claims)
}

fn public_key(path: &str, algorithms: &[Algorithm]) -> Result<DecodingKey, String> {
    let pem = std::fs::read(path).map_err(|error| format!("{path} cannot be read: {error}"))?;
    // The library takes the public half out of a private key too, but a private key has no place here.
    let is_public = String::from_utf8_lossy(&pem).contains("PUBLIC KEY-----");
    let key = match algorithms.first().map(|algorithm| algorithm.family()) {
        Some(AlgorithmFamily::Rsa) => DecodingKey::from_rsa_pem(&pem).ok(),
        Some(AlgorithmFamily::Ec) => DecodingKey::from_ec_pem(&pem).ok(),
        Some(AlgorithmFamily::Ed) => DecodingKey::from_ed_pem(&pem).ok(),
        Some(AlgorithmFamily::Hmac) | None => None,
    };
    key.filter(|_| is_public).ok_or_else(|| {
        format!("{path} must hold one public key in PEM form (BEGIN PUBLIC KEY) that fits the algorithms")
    })
}

#[cfg(test)]
impl Issuer {
    /// Waits until no fetch of keys is under way.
    pub(super) async fn settled(&self) {
        if let Keys::Set(set) = &self.keys {
            set.settled().await;
        }
    }
}
