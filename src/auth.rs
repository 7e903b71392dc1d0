//! Bearer token → [`Caller`]: the only reader of credentials.

mod claims;
mod explain;
mod fault;
mod issuer;
mod jwk;
mod keyset;
mod refusals;
mod token_cache;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::header::{ACCEPT_LANGUAGE, AUTHORIZATION};
use jsonwebtoken::Algorithm;
use jsonwebtoken::dangerous::insecure_decode;
use ringback_core::{Caller, Refusal, Time};
use serde::Deserialize;

use crate::config::{AuthSection, ConfigError};
use claims::Grants;
use fault::Fault;
use issuer::Issuer;
use refusals::Refusals;
use token_cache::TokenCache;

/// Tells the time. The program's reads the system clock, a test's is set by the test.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// The header in which callers with rights elsewhere name the organisation that they act in.
const ORGANIZATION: &str = "x-zitadel-orgid";

/// Where the server says which address a request came from, in a header that it takes away from everybody else;
/// it says nothing where that tells nobody from another.
pub const CLIENT_ADDRESS: &str = "ringback-client-address";

/// Longer tokens are not read.
const TOKEN_BYTES: usize = 16 * 1024;

/// How much of an Accept-Language header is kept.
const LANGUAGE_BYTES: usize = 200;

/// The longest id of a user or an organisation, in characters.
pub const ID_CHARACTERS: usize = 200;

/// Reads credentials. One for each process: it keeps the issuers' keys.
pub struct Auth {
    issuers: HashMap<String, Trusted>,
    leeway_seconds: u64,
    default_organization: String,
    cache: TokenCache,
    refusals: Refusals,
    clock: Clock,
}

/// An issuer whose tokens this service gives out itself.
pub struct OwnIssuer {
    /// As `iss` names it.
    pub name: String,
    /// What signs its tokens.
    pub key: [u8; 32],
    /// What they let their bearer do.
    pub lets: Lets,
}

/// What tokens of our own let their bearer do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lets {
    /// Everything, in every organisation.
    Everything,
    /// What a session is for, on the account of its user in the organisation of [`SESSION_ORGANIZATION`].
    /// Which session it is, the claim [`SESSION`] says.
    Session,
}

/// The claim of a session's id.
pub const SESSION: &str = "sid";
/// The claim of its account's organisation.
pub const SESSION_ORGANIZATION: &str = "org_id";

impl OwnIssuer {
    /// What its tokens are for: their `aud`.
    pub const AUDIENCE: &str = "ringback";
    /// What they are signed with.
    pub const ALGORITHM: Algorithm = Algorithm::HS256;
}

/// An issuer, and how far its tokens are believed.
struct Trusted {
    issuer: Issuer,
    grants: Arc<Grants>,
}

/// What can be read of a token before it is verified: whose keys would tell.
#[derive(Deserialize)]
struct Unverified {
    iss: String,
}

impl Auth {
    /// Prepares the issuers of a configuration that [`crate::config::Config::check`] found right. Files
    /// with keys are read now; keys at addresses when the first token needs them.
    /// `default_organization` is that of tokens that name none.
    pub fn new(
        section: &AuthSection,
        default_organization: &str,
        clock: Clock,
    ) -> Result<Auth, ConfigError> {
        let now = clock();
        let mut issuers = HashMap::new();
        let mut error = ConfigError::default();
        for (name, issuer) in &section.issuers {
            match Issuer::read(name, issuer, section.leeway_seconds, now) {
                Ok(read) => {
                    let grants = Grants::new(section, name, issuer, default_organization);
                    let trusted = Trusted {
                        issuer: read,
                        grants: Arc::new(grants),
                    };
                    issuers.insert(issuer.issuer.clone(), trusted);
                }
                Err(wrong) => error.append(wrong),
            }
        }
        error.or_ok()?;
        Ok(Auth {
            issuers,
            leeway_seconds: section.leeway_seconds,
            default_organization: default_organization.to_owned(),
            cache: TokenCache::default(),
            refusals: Refusals::default(),
            clock,
        })
    }

    /// Accepts tokens that this service gives out itself.
    pub fn with_own(mut self, issuers: Vec<OwnIssuer>) -> Auth {
        for OwnIssuer { name, key, lets } in issuers {
            let issuer = Issuer::of_secret(
                &name,
                OwnIssuer::AUDIENCE,
                OwnIssuer::ALGORITHM,
                &key,
                self.leeway_seconds,
            );
            let grants = Arc::new(Grants::of_ours(lets, &self.default_organization));
            self.issuers.insert(name, Trusted { issuer, grants });
        }
        self
    }

    /// Who sends a request with these headers (or this metadata), in the organisation that they name.
    pub async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        self.identify(bearer(headers)?, headers).await
    }

    /// [`Auth::caller`], for a token that was found elsewhere.
    pub async fn identify(&self, token: &str, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let now = (self.clock)();
        let said = match self.cache.find(token, now) {
            Some(said) => said,
            None => self.read(token, now).await?,
        };
        let caller = Caller {
            language: language(headers),
            address: address(headers),
            ..Caller::clone(&said)
        };
        caller.acting_in(organization(headers)?)
    }

    /// Verifies a token, and keeps what it says.
    async fn read(&self, token: &str, now: Time) -> Result<Arc<Caller>, Refusal> {
        let (caller, expires_at) = self.verify(token, now).await.map_err(|fault| {
            let issuer = self.issuer_of(token).map(Issuer::entry);
            self.refusals.say(issuer, &fault, now);
            match fault {
                Fault::Unavailable => Refusal::IssuerUnavailable,
                _ => Refusal::TokenInvalid,
            }
        })?;
        let caller = Arc::new(caller);
        if let Some(expires_at) = expires_at {
            let until = expires_at + Duration::from_secs(self.leeway_seconds);
            self.cache.keep(token, caller.clone(), until, now);
        }
        Ok(caller)
    }

    /// Whether each issuer's keys can be had, by its name in the configuration. Fetches what is fetched.
    pub async fn check(&self) -> Vec<(String, Result<(), String>)> {
        let now = (self.clock)();
        let mut reached = Vec::new();
        for Trusted { issuer, .. } in self.issuers.values() {
            reached.push((issuer.entry().to_owned(), issuer.reach(now).await));
        }
        reached.sort();
        reached
    }

    /// The bearer of a token that holds now, and until when. Depends on nothing but the token, the time
    /// and the issuers' keys.
    async fn verify(&self, token: &str, now: Time) -> Result<(Caller, Option<Time>), Fault> {
        if token.len() > TOKEN_BYTES {
            return Err(Fault::TooLong);
        }
        let unverified = insecure_decode::<Unverified>(token).map_err(|_| Fault::NoJwt)?;
        let Unverified { iss } = unverified.claims;
        let Some(Trusted { issuer, grants }) = self.issuers.get(&iss) else {
            return Err(Fault::UnknownIssuer(iss));
        };
        let claims = issuer.verify(token, &unverified.header, now).await?;
        let caller = grants.caller(&claims).map_err(Fault::Claims)?;
        Ok((caller, claims::expires_at(&claims)))
    }
}

/// The token of an Authorization header.
pub fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Refusal::TokenMissing)?;
    if values.next().is_some() {
        return Err(Refusal::TokenMalformed);
    }
    let text = value.to_str().map_err(|_| Refusal::TokenMalformed)?;
    let (scheme, token) = text.trim().split_once(' ').ok_or(Refusal::TokenMalformed)?;
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
        return Err(Refusal::TokenMalformed);
    }
    Ok(token)
}

/// The organisation that the request asks for; a name that none can have is one that nobody may act in.
fn organization(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let Some(value) = headers.get(ORGANIZATION) else {
        return Ok(None);
    };
    let name = value
        .to_str()
        .map_err(|_| Refusal::OrganizationDenied)?
        .trim();
    match name.len() {
        0 => Ok(None),
        length if length <= ID_CHARACTERS => Ok(Some(name)),
        _ => Err(Refusal::OrganizationDenied),
    }
}

/// Where the request came from.
fn address(headers: &HeaderMap) -> Option<IpAddr> {
    headers.get(CLIENT_ADDRESS)?.to_str().ok()?.parse().ok()
}

/// The languages asked for. What is too long loses its least wanted, which come last by custom.
fn language(headers: &HeaderMap) -> String {
    let text = headers.get(ACCEPT_LANGUAGE).map(|value| value.to_str());
    let Some(Ok(text)) = text else {
        return String::new();
    };
    let text = text.trim();
    if text.len() <= LANGUAGE_BYTES {
        return text.to_owned();
    }
    // The text is ASCII, or it would not have become one.
    let kept = &text[..LANGUAGE_BYTES];
    kept.rsplit_once(',')
        .map_or("", |(kept, _)| kept)
        .to_owned()
}

#[cfg(test)]
mod tests;
