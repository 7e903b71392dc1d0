//! Tokens that were verified a moment ago, so that a caller's next request costs no signature.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ringback_core::{Caller, Time};
use sha2::{Digest, Sha256};

/// A token is verified anew after this time, so that a key that its issuer withdraws ends its tokens.
const LONGEST: Duration = Duration::from_secs(300);

/// How many tokens each of the two generations holds.
const GENERATION: usize = 8_192;

/// What verified tokens said, by their hash: the tokens themselves are not kept.
#[derive(Default)]
pub(super) struct TokenCache(Mutex<Generations>);

/// Two maps instead of one with an order: when the young one is full it becomes the old one, whose
/// entries that nobody has asked for since are gone with it.
#[derive(Default)]
struct Generations {
    young: HashMap<[u8; 32], Entry>,
    old: HashMap<[u8; 32], Entry>,
}

#[derive(Clone)]
struct Entry {
    caller: Arc<Caller>,
    until: Time,
}

impl TokenCache {
    /// What a token said, when it was verified and still holds.
    pub(super) fn find(&self, token: &str, now: Time) -> Option<Arc<Caller>> {
        let key = key(token);
        let mut generations = self.lock();
        let entry = match generations.young.get(&key) {
            Some(entry) => entry.clone(),
            None => {
                let entry = generations.old.remove(&key)?;
                generations.keep(key, entry.clone());
                entry
            }
        };
        (now < entry.until).then_some(entry.caller)
    }

    /// Keeps what a token said that holds until `expires_at`.
    pub(super) fn keep(&self, token: &str, caller: Arc<Caller>, expires_at: Time, now: Time) {
        let until = expires_at.min(now + LONGEST);
        self.lock().keep(key(token), Entry { caller, until });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Generations> {
        // Nothing that is done under the lock can leave half of it done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn keep(&mut self, key: [u8; 32], entry: Entry) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, entry);
    }
}

fn key(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_800_000_000_000_000);

    fn caller(user: &str) -> Arc<Caller> {
        Arc::new(Caller::new(user, "acme"))
    }

    fn user(known: &TokenCache, token: &str, now: Time) -> Option<String> {
        known.find(token, now).map(|caller| caller.user.clone())
    }

    #[test]
    fn a_token_is_known_until_it_expires_and_no_longer_than_five_minutes() {
        let known = TokenCache::default();
        let second = Duration::from_secs(1);
        known.keep("short", caller("ann"), NOW + 10 * second, NOW);
        known.keep("long", caller("bob"), NOW + 10_000 * second, NOW);
        assert_eq!(
            user(&known, "short", NOW + 9 * second).as_deref(),
            Some("ann")
        );
        assert_eq!(user(&known, "short", NOW + 10 * second), None);
        assert_eq!(
            user(&known, "long", NOW + 299 * second).as_deref(),
            Some("bob")
        );
        assert_eq!(user(&known, "long", NOW + 300 * second), None);
        assert_eq!(user(&known, "other", NOW), None);
    }

    #[test]
    fn what_is_asked_for_stays_and_the_rest_is_bounded() {
        let known = TokenCache::default();
        let later = NOW + Duration::from_secs(60);
        known.keep("kept", caller("ann"), later, NOW);
        known.keep("forgotten", caller("bob"), later, NOW);
        for n in 0..GENERATION * 3 {
            known.keep(&n.to_string(), caller("eve"), later, NOW);
            if n % 1_000 == 0 {
                assert!(known.find("kept", NOW).is_some(), "after {n}");
            }
        }
        assert!(known.find("forgotten", NOW).is_none());
        let generations = known.lock();
        assert!(generations.young.len() <= GENERATION && generations.old.len() <= GENERATION);
    }
}
