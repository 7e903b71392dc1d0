//! The changing keys of an issuer: a JSON Web Key Set (RFC 7517), kept and fetched again with care.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use reqwest::{Client, Url};
use ringback_core::Time;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::fault::Fault;

/// Keys older than this are fetched again when they are used.
const FRESH: Duration = Duration::from_secs(600);
/// Keys older than this are not used: by then a withdrawn key must be gone.
const LAST: Duration = Duration::from_secs(86_400);
/// The pause between two fetches while there are keys: tokens with made-up key ids must not become a
/// flood at the issuer.
const PAUSE: Duration = Duration::from_secs(30);
/// The pause between two fetches while there are none, and everybody waits.
const EMPTY_PAUSE: Duration = Duration::from_secs(5);

const TIME_OUT: Duration = Duration::from_secs(5);
const MOST_BYTES: usize = 1024 * 1024;
const MOST_KEYS: usize = 200;

/// Where a key set comes from.
pub(super) enum Source {
    Address(Client, Url),
    File(PathBuf),
}

/// A key set that is kept.
pub(super) struct KeySet {
    /// The issuer's name in the configuration, for logs.
    entry: String,
    source: Source,
    state: RwLock<State>,
    /// Held by whoever fetches; the others wait for what comes of it.
    turn: Arc<Mutex<()>>,
    /// How many fetches have ended.
    fetches: AtomicU64,
}

#[derive(Default)]
struct State {
    keys: Arc<[Key]>,
    fetched_at: Option<Time>,
    tried_at: Option<Time>,
}

struct Key {
    id: Option<String>,
    kind: Kind,
    /// The only algorithm that the key is for, when the set says so.
    algorithm: Option<String>,
    key: Arc<DecodingKey>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

/// What the kept keys say about a token.
enum Found {
    Key(Arc<DecodingKey>),
    Stale(Arc<DecodingKey>),
    Nothing,
    NoKeys,
}

impl Source {
    /// Keys at an address. Redirects are not followed: the address in the configuration is the trusted one.
    pub(super) fn at(url: Url) -> reqwest::Result<Source> {
        let client = Client::builder()
            .timeout(TIME_OUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("ringback/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Source::Address(client, url))
    }

    async fn read(&self) -> Result<Vec<Key>, String> {
        match self {
            Source::File(path) => read_file(path),
            Source::Address(client, url) => {
                let content = fetch(client, url.clone())
                    .await
                    .map_err(|error| chain(&error.without_url()))?;
                parse(&content?)
            }
        }
    }
}

impl KeySet {
    /// A set that is fetched when it is first needed.
    pub(super) fn new(entry: &str, source: Source) -> KeySet {
        KeySet {
            entry: entry.to_owned(),
            source,
            state: RwLock::default(),
            turn: Arc::default(),
            fetches: AtomicU64::new(0),
        }
    }

    /// A set that is read from its file now.
    pub(super) fn filled(entry: &str, source: Source, now: Time) -> Result<KeySet, String> {
        let set = KeySet::new(entry, source);
        if let Source::File(path) = &set.source {
            let keys = read_file(path)?;
            set.put(Some(keys), now);
        }
        Ok(set)
    }

    /// The key that a token of this key id and algorithm must be signed with.
    pub(super) async fn key(
        self: &Arc<Self>,
        id: Option<&str>,
        algorithm: Algorithm,
        now: Time,
    ) -> Result<Arc<DecodingKey>, Fault> {
        let seen = self.fetches.load(Ordering::Acquire);
        match self.find(id, algorithm, now) {
            Found::Key(key) => return Ok(key),
            Found::Stale(key) => {
                // The token at hand need not wait for an issuer that may be slow.
                if self.may_fetch(now)
                    && let Ok(turn) = Arc::clone(&self.turn).try_lock_owned()
                {
                    drop(self.fetch(turn, now));
                }
                return Ok(key);
            }
            Found::Nothing | Found::NoKeys => {}
        }
        if self.may_fetch(now) {
            let turn = Arc::clone(&self.turn).lock_owned().await;
            // Whoever had the turn before has fetched for all who waited.
            if self.fetches.load(Ordering::Acquire) == seen {
                // An aborted or panicked task leaves the set as it was, which the next lines judge.
                let _ = self.fetch(turn, now).await;
            }
        }
        match self.find(id, algorithm, now) {
            Found::Key(key) | Found::Stale(key) => Ok(key),
            Found::Nothing => Err(Fault::UnknownKey(id.map(str::to_owned))),
            Found::NoKeys => Err(Fault::Unavailable),
        }
    }

    /// Whether the keys can be had now, or why not.
    pub(super) async fn reach(&self, now: Time) -> Result<(), String> {
        let keys = self.source.read().await?;
        self.put(Some(keys), now);
        Ok(())
    }

    fn find(&self, id: Option<&str>, algorithm: Algorithm, now: Time) -> Found {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let age = match state.fetched_at {
            Some(at) if now.since(at) < LAST => now.since(at),
            Some(_) | None => return Found::NoKeys,
        };
        let mut fitting = state.keys.iter().filter(|key| {
            let named = id.is_none() || key.id.as_deref() == id;
            named && key.serves(algorithm)
        });
        match (fitting.next(), fitting.next()) {
            (Some(key), None) if age < FRESH => Found::Key(Arc::clone(&key.key)),
            (Some(key), None) => Found::Stale(Arc::clone(&key.key)),
            // Two keys that fit: the token does not say which, and we do not guess.
            (Some(_), Some(_)) | (None, _) => Found::Nothing,
        }
    }

    fn may_fetch(&self, now: Time) -> bool {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let usable = state.fetched_at.is_some_and(|at| now.since(at) < LAST);
        let pause = if usable { PAUSE } else { EMPTY_PAUSE };
        state.tried_at.is_none_or(|at| now.since(at) >= pause)
    }

    /// Fetches in a task of its own, which holds the turn: a caller that hangs up must not take the keys
    /// from those who wait with it.
    #[expect(
        clippy::disallowed_methods,
        reason = "the task ends within the time-out, and what it brings may be lost at shutdown"
    )]
    fn fetch(
        self: &Arc<Self>,
        turn: OwnedMutexGuard<()>,
        now: Time,
    ) -> tokio::task::JoinHandle<()> {
        let set = Arc::clone(self);
        tokio::spawn(async move {
            let keys = match set.source.read().await {
                Ok(keys) => Some(keys),
                Err(reason) => {
                    tracing::warn!(
                        issuer = set.entry,
                        reason,
                        "the issuer's keys cannot be read"
                    );
                    None
                }
            };
            set.put(keys, now);
            drop(turn);
        })
    }

    fn put(&self, keys: Option<Vec<Key>>, now: Time) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.tried_at = Some(now);
        if let Some(keys) = keys {
            state.keys = keys.into();
            state.fetched_at = Some(now);
        }
        drop(state);
        self.fetches.fetch_add(1, Ordering::Release);
    }
}

impl Key {
    fn serves(&self, algorithm: Algorithm) -> bool {
        let kind = match (self.kind, algorithm) {
            (Kind::Rsa, algorithm) => algorithm.family() == AlgorithmFamily::Rsa,
            (Kind::P256, algorithm) => algorithm == Algorithm::ES256,
            (Kind::P384, algorithm) => algorithm == Algorithm::ES384,
            (Kind::Ed25519, algorithm) => algorithm == Algorithm::EdDSA,
        };
        let named = self.algorithm.as_ref().is_none_or(|name| {
            // RFC 9864 names the curve, RFC 8037 does not.
            let ed25519 = self.kind == Kind::Ed25519 && name == "Ed25519";
            ed25519 || name.parse() == Ok(algorithm)
        });
        kind && named
    }

    /// `None` for what cannot verify a signature here: shared secrets, other curves, encryption keys.
    fn read(value: &Value) -> Option<Key> {
        let algorithm = value.get("alg").and_then(Value::as_str).map(str::to_owned);
        let jwk = Jwk::deserialize(value).ok()?;
        let kind = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Kind::Rsa,
            AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => Kind::P256,
            AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P384 => Kind::P384,
            AlgorithmParameters::OctetKeyPair(ed) if ed.curve == EllipticCurve::Ed25519 => {
                Kind::Ed25519
            }
            _ => return None,
        };
        let common = &jwk.common;
        let signs = common
            .public_key_use
            .as_ref()
            .is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
        let verifies = common
            .key_operations
            .as_ref()
            .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
        if !signs || !verifies {
            return None;
        }
        Some(Key {
            id: common.key_id.clone(),
            kind,
            algorithm,
            key: Arc::new(DecodingKey::from_jwk(&jwk).ok()?),
        })
    }
}

async fn fetch(client: &Client, url: Url) -> reqwest::Result<Result<Vec<u8>, String>> {
    let mut response = client.get(url).send().await?.error_for_status()?;
    if !response.status().is_success() {
        return Ok(Err(format!("the answer is {}", response.status())));
    }
    let mut content = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        content.extend_from_slice(&chunk);
        if content.len() > MOST_BYTES {
            return Ok(Err("the answer is longer than 1 MiB".to_owned()));
        }
    }
    Ok(Ok(content))
}

fn read_file(path: &PathBuf) -> Result<Vec<Key>, String> {
    let place = path.display();
    let read = || -> io::Result<Vec<u8>> {
        if std::fs::metadata(path)?.len() > MOST_BYTES as u64 {
            return Err(io::Error::other("it is longer than 1 MiB"));
        }
        std::fs::read(path)
    };
    let content = read().map_err(|error| format!("{place} cannot be read: {error}"))?;
    parse(&content).map_err(|reason| format!("{place}: {reason}"))
}

/// Keys of kinds that we do not know are left out (RFC 7517, section 5), so that an issuer may add some.
fn parse(content: &[u8]) -> Result<Vec<Key>, String> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    let set: Set = serde_json::from_slice(content)
        .map_err(|_| "is no JSON Web Key Set, which is {\"keys\": [...]}".to_owned())?;
    let keys: Vec<Key> = set
        .keys
        .iter()
        .take(MOST_KEYS)
        .filter_map(Key::read)
        .collect();
    if keys.is_empty() {
        return Err("holds no public key that signatures can be verified with".to_owned());
    }
    Ok(keys)
}

/// An error with its causes, which say more than the error itself.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
impl KeySet {
    /// Waits until no fetch is under way.
    pub(super) async fn settled(&self) {
        drop(self.turn.lock().await);
    }
}
