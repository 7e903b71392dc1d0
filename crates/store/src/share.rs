//! Shares of a queue: what waits for one account, or for one caller, never takes all of it.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

/// Who waits in one queue, and how many places each takes.
pub(crate) struct Shares {
    /// Both kinds of names are kept as hashes, keyed at random so that nobody can aim at another's.
    hasher: RandomState,
    most: [usize; 2],
    waiting: Mutex<[HashMap<u64, usize>; 2]>,
}

/// A place in a queue, given back when it is dropped.
pub(crate) struct Place {
    shares: Arc<Shares>,
    keys: [u64; 2],
}

impl Shares {
    /// For a queue of so many places: a quarter of it for one account, half of it for one caller.
    pub(crate) fn of(places: usize) -> Arc<Shares> {
        Arc::new(Shares {
            hasher: RandomState::new(),
            most: [(places / 4).max(1), (places / 2).max(1)],
            waiting: Mutex::default(),
        })
    }

    /// A place for one more, unless the account's or the caller's share is used up.
    pub(crate) fn enter(self: &Arc<Shares>, account: &str, caller: [&str; 2]) -> Option<Place> {
        let keys = [self.hasher.hash_one(account), self.hasher.hash_one(caller)];
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let full = (0..2).any(|kind| {
            let count = waiting[kind].get(&keys[kind]).copied().unwrap_or(0);
            count >= self.most[kind]
        });
        if full {
            return None;
        }
        for kind in 0..2 {
            *waiting[kind].entry(keys[kind]).or_default() += 1;
        }
        Some(Place {
            shares: self.clone(),
            keys,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let waiting = self.shares.waiting.lock();
        let mut waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        for (waiting, key) in waiting.iter_mut().zip(self.keys) {
            match waiting.get_mut(&key) {
                Some(count) if *count > 1 => *count -= 1,
                _ => {
                    waiting.remove(&key);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_takes_its_share_and_no_more() {
        let shares = Shares::of(8);
        let first = shares.enter("ann", ["a", "o"]);
        let second = shares.enter("ann", ["b", "o"]);
        assert!(first.is_some() && second.is_some());
        assert!(shares.enter("ann", ["c", "o"]).is_none());
        assert!(shares.enter("bob", ["c", "o"]).is_some());
        drop(first);
        assert!(shares.enter("ann", ["c", "o"]).is_some());
    }

    #[test]
    fn one_caller_takes_its_share_and_no_more() {
        let shares = Shares::of(8);
        let places: Vec<_> = (0..4)
            .map(|n| shares.enter(&n.to_string(), ["service", "o"]))
            .collect();
        assert!(places.iter().all(Option::is_some));
        assert!(shares.enter("9", ["service", "o"]).is_none());
        assert!(shares.enter("9", ["service", "other"]).is_some());
        drop(places);
        assert!(shares.enter("9", ["service", "o"]).is_some());
        let empty = |kind: &HashMap<u64, usize>| kind.is_empty();
        assert!(
            shares
                .waiting
                .lock()
                .expect("not poisoned")
                .iter()
                .all(empty)
        );
    }
}
