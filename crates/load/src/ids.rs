//! Users and numbers without end, all made from one counter.

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::request::FILTERED_BY;

/// How many different ids there are.
pub(crate) const ID_COUNT: u64 = 10_000_000_000;
/// Multiplying by it modulo [`ID_COUNT`] visits every id once, in an order that spreads over an index as ids
/// of real users do. The product of both fits 63 bits, so that a database can compute it too.
pub(crate) const STRIDE: u64 = 618_033_989;
/// How many different numbers there are: the Swiss mobile range from +41 75 to +41 79.
pub(crate) const NUMBER_COUNT: u64 = 50_000_000;
/// The first of them, without the country code.
pub(crate) const FIRST_NUMBER: u64 = 750_000_000;

/// Users of runs lie above this; those that are seeded once and read by everyone lie below.
const FIRST_FRESH: u64 = 1_000_000_000;
/// What one second of the clock is worth: no run uses as many.
const PER_SECOND: u64 = 20_000;

/// The id of user `n`.
pub(crate) fn user(n: u64) -> String {
    format!("user-{:010}", n * STRIDE % ID_COUNT)
}

/// The number of user `n`, in E.164.
pub(crate) fn number(n: u64) -> String {
    format!("+41{}", FIRST_NUMBER + n % NUMBER_COUNT)
}

/// The address of user `n`: a proxy is believed to have seen it.
pub(crate) fn address(n: u64) -> String {
    let [_, _, _, _, _, b, c, d] = n.to_be_bytes();
    format!("10.{b}.{c}.{d}")
}

/// Whether the number of a seeded user is verified.
pub(crate) fn is_verified(n: u64) -> bool {
    n.is_multiple_of(2)
}

/// Seconds since 1970.
pub(crate) fn unix_seconds() -> u64 {
    #[expect(
        clippy::disallowed_methods,
        reason = "nothing is decided by it: it makes ids new and tokens valid"
    )]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// `count` users that no earlier run on the same database has used, because the clock is what counts.
pub(crate) fn fresh(count: u64) -> Range<u64> {
    let turns = (ID_COUNT - 2 * FIRST_FRESH) / PER_SECOND;
    let first = FIRST_FRESH + unix_seconds() % turns * PER_SECOND;
    first..first + count
}

/// What the connections of a run draw from.
#[derive(Debug)]
pub(crate) struct Ids {
    fresh: Range<u64>,
    next: AtomicU64,
    known: u64,
    drawn: AtomicU64,
    filtered: OnceLock<u64>,
}

impl Ids {
    /// `fresh`: registered users without a number. `known`: how many seeded users there are.
    pub(crate) fn new(fresh: Range<u64>, known: u64) -> Ids {
        Ids {
            next: AtomicU64::new(fresh.start),
            fresh,
            known,
            drawn: AtomicU64::new(0),
            filtered: OnceLock::new(),
        }
    }

    /// A user that nobody drew before; `None` when all are used up.
    pub(crate) fn next_fresh(&self) -> Option<u64> {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        self.fresh.contains(&n).then_some(n)
    }

    /// The fresh users that were drawn.
    pub(crate) fn used(&self) -> Range<u64> {
        let next = self.next.load(Ordering::Relaxed);
        self.fresh.start..next.min(self.fresh.end)
    }

    /// How many seeded users there are.
    pub(crate) fn known(&self) -> u64 {
        self.known
    }

    /// How many of them the filter finds.
    pub(crate) fn known_filtered(&self) -> u64 {
        let finds = |n: &u64| user(*n).contains(FILTERED_BY);
        let count = || (0..self.known).filter(finds).count() as u64;
        *self.filtered.get_or_init(count)
    }

    /// Any of the seeded users.
    pub(crate) fn any_known(&self) -> u64 {
        let drawn = self.drawn.fetch_add(1, Ordering::Relaxed);
        // A fixed permutation is as good as chance, and costs nothing (Knuth's multiplicative hashing).
        (drawn.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 16) % self.known.max(1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_users_share_an_id_and_neighbours_lie_apart() {
        let ids: HashSet<_> = (0..10_000).chain(fresh(10_000)).map(user).collect();
        assert_eq!(ids.len(), 20_000);
        assert_eq!(user(0), "user-0000000000");
        assert_eq!(user(1), "user-0618033989");
        assert!(
            (ID_COUNT - 1)
                .checked_mul(STRIDE)
                .is_some_and(|p| p < i64::MAX as u64)
        );
    }

    #[test]
    fn numbers_stay_in_their_range() {
        assert_eq!(number(0), "+41750000000");
        assert_eq!(number(NUMBER_COUNT - 1), "+41799999999");
        assert_eq!(number(NUMBER_COUNT), number(0));
    }

    #[test]
    fn fresh_users_end_and_are_drawn_once() {
        let ids = Ids::new(7..9, 0);
        assert_eq!(ids.next_fresh(), Some(7));
        assert_eq!(ids.used(), 7..8);
        assert_eq!(ids.next_fresh(), Some(8));
        assert_eq!(ids.next_fresh(), None);
        assert_eq!(ids.used(), 7..9);
    }

    #[test]
    fn what_the_filter_finds_is_counted() {
        // 0000000000, 0618033989, 1236067978
        assert_eq!(Ids::new(0..0, 3).known_filtered(), 1);
        assert_eq!(Ids::new(0..0, 0).known_filtered(), 0);
    }

    #[test]
    fn fresh_users_never_reach_the_end_of_the_ids() {
        assert!(fresh(FIRST_FRESH / 2).end < ID_COUNT);
        assert!(fresh(1).start >= FIRST_FRESH);
    }
}
