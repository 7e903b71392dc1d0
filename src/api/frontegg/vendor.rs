//! Environment tokens: what a back end gets for its client id and secret at Frontegg's `/auth/vendor`.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::Extension;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Json};
use jsonwebtoken::{EncodingKey, Header};
use ringback_core::limit::network;
use ringback_core::limit::{Times, Window};
use ringback_core::{Keys, Time};
use secrecy::ExposeSecret;
use serde_json::json;
use subtle::ConstantTimeEq;

use super::members::Members;
use super::{Answer, Frontegg, responses};
use crate::auth::{Lets, OwnIssuer};
use crate::config::VendorSection;
use crate::http::ClientAddress;

/// Wrong secrets of one address that are answered as such and written to the log; more are told to wait. A secret
/// of 32 characters is not found by guessing, so this bounds what guessing costs us, and the right one is never
/// refused: behind a proxy all callers may share an address.
const FAILURES: [Window; 1] = [Window {
    count: 10,
    seconds: 600,
}];
/// How many addresses are remembered.
const MOST_REMEMBERED: usize = 10_000;

/// The longest body that is read, in bytes: nobody has shown yet who they are.
pub(super) const BODY: usize = 4 * 1024;

/// A token and how long it lives.
pub(super) struct VendorToken {
    /// A JWT.
    pub(super) token: String,
    /// From now on.
    pub(super) lives: Duration,
}

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VendorRefusal {
    /// No such client, or another secret.
    Wrong,
    /// Too many wrong ones before.
    Limited {
        /// When to try again.
        retry_after: Duration,
    },
}

/// `POST /auth/vendor`
pub(super) async fn answer(
    State(api): State<Frontegg>,
    client: Option<Extension<ClientAddress>>,
    request: Request,
) -> Answer {
    let members = Members::read_up_to(BODY, request).await?;
    let (id, secret) = (members.text("clientId")?, members.text("secret")?);
    // Only a request that came through no listener has no address.
    let from = client.map_or(
        IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        |Extension(ClientAddress(address))| address,
    );
    let vendors = api.vendors.as_ref().ok_or(VendorRefusal::Wrong)?;
    let token = vendors.token(&id, &secret, from, api.store.now())?;
    let body = responses::VendorToken {
        token: token.token,
        expires_in: token.lives.as_secs(),
    };
    Ok(Json(body).into_response())
}

/// The clients of a configuration, and who guesses at their secrets.
pub(super) struct Vendors {
    keys: Keys,
    /// What signs a client's tokens. It is derived from the secret, so that a client that is taken out or
    /// gets another secret has no valid tokens left, on every replica.
    clients: HashMap<String, [u8; 32]>,
    life: Duration,
    failures: Mutex<HashMap<IpAddr, Times>>,
}

impl Vendors {
    pub(super) fn new(section: &VendorSection, keys: &Keys) -> Vendors {
        let clients = section.clients.values().map(|client| {
            let key = signing_key(keys, &client.client_id, client.secret.expose_secret());
            (client.client_id.clone(), key)
        });
        Vendors {
            keys: keys.clone(),
            clients: clients.collect(),
            life: Duration::from_secs(section.token_seconds),
            failures: Mutex::default(),
        }
    }

    /// The issuers that the clients' tokens name, each with its own key.
    pub(super) fn issuers(&self) -> Vec<OwnIssuer> {
        let own = |(client, key): (&String, &[u8; 32])| OwnIssuer {
            name: issuer(client),
            key: *key,
            lets: Lets::Everything,
        };
        self.clients.iter().map(own).collect()
    }

    pub(super) fn token(
        &self,
        client: &str,
        secret: &str,
        from: IpAddr,
        now: Time,
    ) -> Result<VendorToken, VendorRefusal> {
        // The same work for a client that is unknown.
        let shown = signing_key(&self.keys, client, secret);
        let known = self.clients.get(client);
        let right = shown.ct_eq(known.unwrap_or(&[0; 32]));
        if known.is_some() && bool::from(right) {
            return self.sign(client, &shown, now);
        }
        Err(self.wrong(network(from), now))
    }

    /// Counts a wrong secret.
    fn wrong(&self, from: IpAddr, now: Time) -> VendorRefusal {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = failures
            .get(&from)
            .and_then(|times| times.wait(&FAILURES, now));
        if let Some(retry_after) = wait {
            return VendorRefusal::Limited { retry_after };
        }
        if !failures.contains_key(&from) {
            make_room(&mut failures, now);
        }
        failures.entry(from).or_default().take(&FAILURES, now);
        tracing::info!(%from, "a wrong client id or secret at /auth/vendor");
        VendorRefusal::Wrong
    }

    fn sign(&self, client: &str, key: &[u8; 32], now: Time) -> Result<VendorToken, VendorRefusal> {
        let seconds = |at: Time| at.0.div_euclid(1_000_000);
        let claims = json!({
            "iss": issuer(client),
            "aud": OwnIssuer::AUDIENCE,
            "sub": client,
            "type": "vendor",
            "vendorId": client,
            "scopes": ["user.read", "user.write", "user.delete"],
            "iat": seconds(now),
            "exp": seconds(now + self.life),
        });
        let key = EncodingKey::from_secret(key);
        // Signing a handful of texts with a key of the right length does not fail.
        let token = jsonwebtoken::encode(&Header::new(OwnIssuer::ALGORITHM), &claims, &key)
            .map_err(|_| VendorRefusal::Wrong)?;
        Ok(VendorToken {
            token,
            lives: self.life,
        })
    }
}

fn issuer(client: &str) -> String {
    format!("ringback:vendor:{client}")
}

fn signing_key(keys: &Keys, client: &str, secret: &str) -> [u8; 32] {
    let length = (client.len() as u64).to_be_bytes();
    keys.tag(
        "vendor",
        &[&length, client.as_bytes(), secret.as_bytes()].concat(),
    )
}

fn make_room(failures: &mut HashMap<IpAddr, Times>, now: Time) {
    if failures.len() < MOST_REMEMBERED {
        return;
    }
    failures.retain(|_, times| times.over(&FAILURES) > now);
    if failures.len() >= MOST_REMEMBERED {
        let oldest = failures
            .iter()
            .min_by_key(|(_, times)| times.over(&FAILURES));
        if let Some(oldest) = oldest.map(|(from, _)| *from) {
            failures.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::VendorClient;

    const NOW: Time = Time(1_700_000_000_000_000);
    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn vendors() -> Vendors {
        let client = VendorClient {
            client_id: "backend".into(),
            secret: SECRET.into(),
        };
        let section = VendorSection {
            token_seconds: 3_600,
            clients: [("one".to_owned(), client)].into(),
        };
        Vendors::new(&section, &Keys::for_tests())
    }

    fn from(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn outcome(
        vendors: &Vendors,
        client: &str,
        secret: &str,
        at: &str,
        now: Time,
    ) -> Option<VendorRefusal> {
        vendors.token(client, secret, from(at), now).err()
    }

    #[test]
    fn each_client_is_the_issuer_of_its_tokens() {
        let issuers = vendors().issuers();
        let names: Vec<&str> = issuers.iter().map(|issuer| issuer.name.as_str()).collect();
        assert_eq!(names.len(), 1);
        assert!(names[0].ends_with("backend"), "{names:?}");
    }

    #[test]
    fn guesses_are_limited_and_the_right_secret_is_never_refused() {
        let vendors = vendors();
        let wrong = Some(VendorRefusal::Wrong);
        for n in 0..10 {
            let client = if n % 2 == 0 { "backend" } else { "nobody" };
            assert_eq!(outcome(&vendors, client, "x", "192.0.2.1", NOW), wrong);
        }
        let retry_after = Duration::from_secs(600);
        let limited = Some(VendorRefusal::Limited { retry_after });
        for client in ["backend", "nobody"] {
            assert_eq!(outcome(&vendors, client, "x", "192.0.2.1", NOW), limited);
        }
        assert_eq!(outcome(&vendors, "backend", SECRET, "192.0.2.1", NOW), None);
        assert_eq!(outcome(&vendors, "backend", "x", "192.0.2.2", NOW), wrong);
        let later = NOW + Duration::from_secs(600);
        assert_eq!(outcome(&vendors, "backend", "x", "192.0.2.1", later), wrong);
    }

    #[test]
    fn what_is_remembered_has_an_end() {
        let vendors = vendors();
        for n in 0..MOST_REMEMBERED + 5 {
            let from = Ipv4Addr::from_bits(u32::try_from(n).unwrap()).to_string();
            outcome(&vendors, "client", "x", &from, NOW);
        }
        let remembered = || vendors.failures.lock().unwrap().len();
        assert_eq!(remembered(), MOST_REMEMBERED);
        let later = NOW + Duration::from_secs(600);
        outcome(&vendors, "one more", "x", "192.0.2.1", later);
        assert_eq!(remembered(), 1);
    }
}
