//! What was told already: the ids of the last ones, so that a repeat is known.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};

/// So many ids are remembered.
const REMEMBERED: usize = 10_000;
/// Bytes of an id that is remembered.
const LONGEST: usize = 256;

/// The last ids of what was noted, in this process.
#[derive(Debug, Default)]
pub struct Seen(Mutex<Ids>);

/// The oldest first.
#[derive(Debug, Default)]
struct Ids {
    order: VecDeque<String>,
    known: HashSet<String>,
}

impl Seen {
    /// Whether it is one of the last ones.
    pub fn has(&self, id: &str) -> bool {
        let ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ids.known.contains(id)
    }

    /// Remembers it. Ids are signed by their provider, and none has a longer one than 256 bytes.
    pub fn add(&self, id: String) {
        let mut ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if id.len() > LONGEST || !ids.known.insert(id.clone()) {
            return;
        }
        ids.order.push_back(id);
        if ids.order.len() > REMEMBERED
            && let Some(oldest) = ids.order.pop_front()
        {
            ids.known.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ids_are_known_and_no_more_are_kept() {
        let seen = Seen::default();
        for id in 0..REMEMBERED + 5 {
            seen.add(id.to_string());
            seen.add(id.to_string());
        }
        assert!(!seen.has("4") && seen.has("5") && seen.has("10004"));
        seen.add("x".repeat(LONGEST + 1));
        let ids = seen.0.lock().unwrap();
        assert_eq!((ids.order.len(), ids.known.len()), (REMEMBERED, REMEMBERED));
    }
}
