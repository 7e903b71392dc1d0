//! Shares of a queue: what waits for one account, or for one caller, never takes all of it.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use ringback_core::Caller;

/// One caller may take so many times as many places as are left free. A flood of one caller fills seven
/// eighths of a queue; two leave each other half of it, and there is always room for somebody else.
const TIMES_FREE: usize = 7;

/// Who waits in one queue, and how many places each takes.
pub(crate) struct Shares {
    /// Names are kept as hashes, keyed at random so that nobody can aim at another's.
    hasher: RandomState,
    places: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    all: usize,
    accounts: HashMap<u64, usize>,
    callers: HashMap<u64, usize>,
}

/// A place in a queue, given back when it is dropped.
pub(crate) struct Place {
    shares: Arc<Shares>,
    account: u64,
    caller: u64,
}

/// Who a caller is, whichever organisation it acts in.
pub(crate) fn who(caller: &Caller) -> [&str; 2] {
    [&caller.user, &caller.home]
}

impl Shares {
    /// For a queue of so many places.
    pub(crate) fn of(places: usize) -> Arc<Shares> {
        Arc::new(Shares {
            hasher: RandomState::new(),
            places,
            waiting: Mutex::default(),
        })
    }

    /// A place for one more, unless the account's or the caller's share is used up. A quarter of the queue is
    /// one account's share.
    pub(crate) fn enter(self: &Arc<Shares>, account: &str, caller: [&str; 2]) -> Option<Place> {
        let (account, caller) = (self.hasher.hash_one(account), self.hasher.hash_one(caller));
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.places.saturating_sub(waiting.all);
        let count = |kind: &HashMap<u64, usize>, key| kind.get(&key).copied().unwrap_or(0);
        if count(&waiting.accounts, account) >= (self.places / 4).max(1)
            || count(&waiting.callers, caller) >= free * TIMES_FREE
        {
            return None;
        }
        waiting.all += 1;
        *waiting.accounts.entry(account).or_default() += 1;
        *waiting.callers.entry(caller).or_default() += 1;
        Some(Place {
            shares: self.clone(),
            account,
            caller,
        })
    }

    /// Whether nobody has a place.
    pub(crate) fn is_empty(&self) -> bool {
        let waiting = self.waiting.lock();
        waiting.unwrap_or_else(PoisonError::into_inner).all == 0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let waiting = self.shares.waiting.lock();
        let mut waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        waiting.all -= 1;
        leave(&mut waiting.accounts, self.account);
        leave(&mut waiting.callers, self.caller);
    }
}

fn leave(kind: &mut HashMap<u64, usize>, key: u64) {
    match kind.get_mut(&key) {
        Some(count) if *count > 1 => *count -= 1,
        _ => {
            kind.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many as a caller with an account for each command gets.
    fn flood(shares: &Arc<Shares>, caller: &str) -> Vec<Place> {
        let enter = |n: usize| shares.enter(&format!("{caller} {n}"), [caller, "o"]);
        (0..).map_while(enter).collect()
    }

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
        let shares = Shares::of(1_024);
        let places = flood(&shares, "service");
        assert_eq!(places.len(), 896);
        assert!(shares.enter("9", ["service", "other"]).is_some());
        drop(places);
        assert!(shares.enter("9", ["service", "o"]).is_some());
        let waiting = shares.waiting.lock().expect("not poisoned");
        assert!(waiting.accounts.is_empty() && waiting.callers.is_empty());
        assert_eq!(waiting.all, 0);
    }

    #[test]
    fn two_that_flood_share_and_leave_room_for_others() {
        let shares = Shares::of(1_024);
        let mut first = flood(&shares, "first");
        let second = flood(&shares, "second");
        assert_eq!((first.len(), second.len()), (896, 112));
        // The first takes no more until it has as little as the second.
        first.truncate(496);
        let more = flood(&shares, "second");
        assert_eq!(second.len() + more.len(), 462);
        assert!(shares.enter("ann", ["ann", "o"]).is_some());
    }

    #[test]
    fn the_smallest_queue_has_a_place() {
        assert_eq!(flood(&Shares::of(1), "service").len(), 1);
    }
}
