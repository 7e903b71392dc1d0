//! Bearer token → [`Caller`]: the only reader of credentials.

mod claims;
mod explain;
mod fault;
mod issuer;
mod keyset;
mod token_cache;
mod vendor;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT_LANGUAGE, AUTHORIZATION};
use http::{HeaderMap, HeaderName};
use jsonwebtoken::dangerous::insecure_decode;
use ringback_core::{Caller, Keys, Refusal, Time};
use serde::Deserialize;

use crate::config::{AuthSection, ConfigError, VendorSection};
use claims::Grants;
use fault::Fault;
use issuer::Issuer;
use token_cache::TokenCache;
use vendor::Vendors;

pub use vendor::{VendorRefusal, VendorToken};

/// Tells the time. The program's reads the system clock, a test's is set by the test.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// The header in which callers with rights elsewhere name the organisation that they act in.
const ORGANIZATION: &str = "x-zitadel-orgid";

/// The header in which Frontegg's clients for back ends send an environment token.
const ENVIRONMENT_TOKEN: &str = "x-access-token";

/// Longer tokens are not read.
const TOKEN_BYTES: usize = 16 * 1024;

/// How much of an Accept-Language header is kept.
const LANGUAGE_BYTES: usize = 200;

/// The longest id of a user or an organisation, in characters.
const ID_CHARACTERS: usize = 200;

/// Reads credentials. One for each process: it keeps the issuers' keys.
pub struct Auth {
    issuers: HashMap<String, Trusted>,
    vendors: Option<Vendors>,
    leeway_seconds: u64,
    default_organization: String,
    known: TokenCache,
    clock: Clock,
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
            vendors: None,
            leeway_seconds: section.leeway_seconds,
            default_organization: default_organization.to_owned(),
            known: TokenCache::default(),
            clock,
        })
    }

    /// Gives environment tokens to these clients, and accepts them. `keys` are those of the store, so that
    /// every process of an installation accepts what another one gave.
    pub fn with_vendors(mut self, section: &VendorSection, keys: &Keys) -> Auth {
        let vendors = Vendors::new(section, keys);
        let grants = Arc::new(Grants::of_ours(&self.default_organization));
        let ours = vendors.issuers(self.leeway_seconds).map(|(name, issuer)| {
            let grants = grants.clone();
            (name, Trusted { issuer, grants })
        });
        self.issuers.extend(ours);
        self.vendors = Some(vendors);
        self
    }

    /// An environment token for a client of the configuration. `from` is where the request came from.
    pub fn vendor_token(
        &self,
        client: &str,
        secret: &str,
        from: IpAddr,
    ) -> Result<VendorToken, VendorRefusal> {
        let vendors = self.vendors.as_ref().ok_or(VendorRefusal::Wrong)?;
        vendors.token(client, secret, from, (self.clock)())
    }

    /// Who sends a request with these headers (or this metadata), in the organisation that they name.
    pub async fn caller(&self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        self.identify(bearer(headers)?, headers).await
    }

    /// [`Auth::caller`], for a token in any of the ways in which Frontegg's clients send it.
    pub async fn frontegg_caller(&self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        self.identify(frontegg_token(headers)?, headers).await
    }

    /// The caller as this request has it.
    async fn identify(&self, token: &str, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let now = (self.clock)();
        let said = match self.known.find(token, now) {
            Some(said) => said,
            None => self.read(token, now).await?,
        };
        let caller = Caller {
            language: language(headers),
            ..Caller::clone(&said)
        };
        caller.acting_in(organization(headers)?)
    }

    /// Verifies a token, and keeps what it says.
    async fn read(&self, token: &str, now: Time) -> Result<Arc<Caller>, Refusal> {
        let (caller, expires_at) = self.verify(token, now).await.map_err(|fault| {
            tracing::debug!(reason = fault.reason(), "token refused");
            match fault {
                Fault::Unavailable => Refusal::IssuerUnavailable,
                _ => Refusal::TokenInvalid,
            }
        })?;
        let caller = Arc::new(caller);
        if let Some(expires_at) = expires_at {
            let until = expires_at + Duration::from_secs(self.leeway_seconds);
            self.known.keep(token, caller.clone(), until, now);
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

fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
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

/// The token as Frontegg's clients send it: that for back ends in a header of its own, that for browsers in
/// places without the scheme.
fn frontegg_token(headers: &HeaderMap) -> Result<&str, Refusal> {
    let text = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        let value = values.next().filter(|_| values.next().is_none())?;
        value
            .to_str()
            .ok()
            .map(str::trim)
            .filter(|text| !text.is_empty() && !text.contains(' '))
    };
    if headers.contains_key(AUTHORIZATION) {
        return text(&AUTHORIZATION).map_or_else(|| bearer(headers), Ok);
    }
    let name = HeaderName::from_static(ENVIRONMENT_TOKEN);
    match text(&name) {
        Some(token) => Ok(token),
        None if headers.contains_key(&name) => Err(Refusal::TokenMalformed),
        None => Err(Refusal::TokenMissing),
    }
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
