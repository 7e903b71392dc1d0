//! How often events tell of codes that the guard refused: of one account once a minute.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

use ringback_core::Time;

/// An account's refusals make one event in so long.
const PAUSE: Duration = Duration::from_secs(60);
/// Accounts that are told apart; of more nothing is told until others' pauses are over.
const MOST: usize = 10_000;

/// Whom was told of, when, and how often it happened since.
#[derive(Default)]
pub(super) struct Gate {
    hasher: RandomState,
    told: HashMap<u64, (Time, u32)>,
}

impl Gate {
    /// How many refusals of an account an event of one would tell of; `None` where none is to be written.
    pub(super) fn tells_of(&mut self, account: (&str, &str), now: Time) -> Option<u32> {
        match self.told.get(&self.hasher.hash_one(account)) {
            Some((at, _)) if now.since(*at) < PAUSE => None,
            Some((_, since)) => Some(since.saturating_add(1)),
            None if self.told.len() < MOST => Some(1),
            None => {
                self.told.retain(|_, (at, _)| now.since(*at) < PAUSE);
                (self.told.len() < MOST).then_some(1)
            }
        }
    }

    /// Notes one more.
    pub(super) fn refused(&mut self, account: (&str, &str), told: bool, now: Time) {
        let account = self.hasher.hash_one(account);
        if told {
            self.told.insert(account, (now, 0));
        } else if let Some((_, since)) = self.told.get_mut(&account) {
            *since = since.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time(1_700_000_000_000_000);

    #[test]
    fn an_account_makes_one_event_a_minute_with_its_count() {
        let mut gate = Gate::default();
        let after = |seconds| START + Duration::from_secs(seconds);
        let ann = ("acme", "ann");
        assert_eq!(gate.tells_of(ann, START), Some(1));
        gate.refused(ann, true, START);
        for _ in 0..5 {
            assert_eq!(gate.tells_of(ann, after(59)), None);
            gate.refused(ann, false, after(59));
        }
        assert_eq!(gate.tells_of(("acme", "bob"), after(59)), Some(1));
        assert_eq!(gate.tells_of(ann, after(60)), Some(6));
        gate.refused(ann, true, after(60));
        assert_eq!(gate.tells_of(ann, after(120)), Some(1));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut gate = Gate::default();
        for n in 0..MOST * 2 {
            let user = n.to_string();
            let told = gate.tells_of(("acme", &user), START);
            assert_eq!(told.is_some(), n < MOST);
            gate.refused(("acme", &user), told.is_some(), START);
        }
        assert_eq!(gate.told.len(), MOST);
        assert_eq!(gate.tells_of(("acme", "new"), START + PAUSE), Some(1));
    }
}
