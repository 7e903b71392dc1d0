//! The changing keys of an issuer: a JSON Web Key Set (RFC 7517), kept and fetched again with care.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::{Client, Url};
use ringback_core::Time;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::fault::Fault;
use super::jwk::{Key, parse};
use crate::config::is_loopback;

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
/// How many keys a token is tried against that does not say which is its own.
const MOST_TRIED: usize = 8;

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

/// What the kept keys say about a token.
enum Found {
    /// Those that may be its own: one where it names one.
    Keys {
        fitting: Vec<Arc<DecodingKey>>,
        stale: bool,
    },
    Nothing,
    NoKeys,
}

impl Source {
    /// Keys at an address. Redirects are not followed: the address in the configuration is the trusted one.
    pub(super) fn at(url: Url) -> reqwest::Result<Source> {
        let client = Client::builder()
            .timeout(TIME_OUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("ringback/", env!("CARGO_PKG_VERSION")));
        // What is asked of this machine goes to no other one.
        let client = match is_loopback(&url) {
            true => client.no_proxy(),
            false => client,
        };
        Ok(Source::Address(client.build()?, url))
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

    /// What `verify` finds with a key that a token of this key id and algorithm may be signed with.
    pub(super) async fn verified<T>(
        self: &Arc<Self>,
        id: Option<&str>,
        algorithm: Algorithm,
        now: Time,
        verify: impl Fn(&DecodingKey) -> Option<T>,
    ) -> Result<T, Fault> {
        let seen = self.fetches.load(Ordering::Acquire);
        let first = self.find(id, algorithm, now);
        if let Found::Keys { fitting, stale } = &first {
            // The token at hand need not wait for an issuer that may be slow.
            if *stale
                && self.may_fetch(now)
                && let Ok(turn) = Arc::clone(&self.turn).try_lock_owned()
            {
                drop(self.fetch(turn, now));
            }
            match fitting.iter().find_map(|key| verify(key)) {
                Some(verified) => return Ok(verified),
                None if id.is_some() => return Err(Fault::Signature),
                // It may be signed with a key that is not known yet.
                None => {}
            }
        }
        if self.may_fetch(now) {
            let turn = Arc::clone(&self.turn).lock_owned().await;
            // Whoever had the turn before has fetched for all who waited.
            if self.fetches.load(Ordering::Acquire) == seen {
                // An aborted or panicked task leaves the set as it was, which the next lines judge.
                let _ = self.fetch(turn, now).await;
            }
        }
        let as_before = self.fetches.load(Ordering::Acquire) == seen;
        match self.find(id, algorithm, now) {
            Found::Keys { .. } if as_before && matches!(first, Found::Keys { .. }) => {
                Err(Fault::Signature)
            }
            Found::Keys { fitting, .. } => fitting
                .iter()
                .find_map(|key| verify(key))
                .ok_or(Fault::Signature),
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
        let fits = |key: &&Key| {
            let named = id.is_none() || key.id.as_deref() == id;
            named && key.serves(algorithm)
        };
        let fitting = state.keys.iter().filter(fits).take(MOST_TRIED);
        let fitting: Vec<_> = fitting.map(|key| Arc::clone(&key.key)).collect();
        match fitting.is_empty() {
            true => Found::Nothing,
            false => Found::Keys {
                fitting,
                stale: age >= FRESH,
            },
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
