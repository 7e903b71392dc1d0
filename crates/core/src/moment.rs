//! When something is decided, and what is fresh at that moment.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::delivery::Conversion;
use crate::guard::Known;
use crate::{Keys, Policies};

/// A point in time: whole microseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Time(pub i64);

impl Time {
    /// The time that has passed since `earlier`; zero when `earlier` is later.
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0).max(0).unsigned_abs())
    }
}

impl Add<Duration> for Time {
    type Output = Time;
    fn add(self, span: Duration) -> Time {
        Time(self.0.saturating_add(micros(span)))
    }
}

impl Sub<Duration> for Time {
    type Output = Time;
    fn sub(self, span: Duration) -> Time {
        Time(self.0.saturating_sub(micros(span)))
    }
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// The id of a number, a challenge, a message or an event: 128 bits, ordered by time (UUID version 7).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(uuid::Uuid);

impl Id {
    /// Reads the hyphenated or the plain spelling; `None` for anything else.
    pub fn parse(text: &str) -> Option<Id> {
        uuid::Uuid::try_parse(text).ok().map(Id)
    }

    /// An id that comes before all those made from this time on, and after all those made before, to the
    /// millisecond.
    pub fn first_at(time: Time) -> Id {
        let millis = u64::try_from(time.0 / 1_000).unwrap_or(0);
        Id(uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid())
    }

    /// A new id of this time with fresh randomness, of which all but a few bits are used.
    pub fn new(time: Time, random: [u8; 10]) -> Id {
        let millis = u64::try_from(time.0 / 1_000).unwrap_or(0);
        Id(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }

    /// The id of 16 bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Id {
        Id(uuid::Uuid::from_bytes(bytes))
    }

    /// The 16 bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(f)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Everything that a decision depends on besides what was asked and what is stored.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The current time.
    pub now: Time,
    /// 32 fresh bytes of a cryptographic generator, never used for two moments.
    pub seed: [u8; 32],
    /// The rules in force.
    pub policies: &'a Policies,
    /// The secrets that codes and pseudonyms are derived with.
    pub keys: &'a Keys,
    /// How routes have done lately, where that says which comes first.
    pub conversion: Option<&'a Conversion>,
    /// What the guard knows of countries and of numbers that begin alike; `None` for nothing.
    pub guard: Option<&'a dyn Known>,
    /// Which share of an organisation's budgets is used first: one that others who decide at the same time do not
    /// use, as far as that can be. Any number will do.
    pub share: u32,
}

/// Fresh bytes, stretched from a moment's seed: block n is SHA-256(seed ‖ n).
pub struct SeededIds {
    now: Time,
    seed: [u8; 32],
    drawn: u32,
}

impl SeededIds {
    pub(crate) fn new(at: &Moment<'_>) -> SeededIds {
        SeededIds::of(at.now, at.seed)
    }

    /// From 32 fresh bytes, for ids of this time.
    pub fn of(now: Time, seed: [u8; 32]) -> SeededIds {
        SeededIds {
            now,
            seed,
            drawn: 0,
        }
    }

    pub(crate) fn bytes(&mut self) -> [u8; 16] {
        let block = Sha256::new()
            .chain_update(self.seed)
            .chain_update(self.drawn.to_be_bytes())
            .finalize();
        self.drawn += 1;
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&block[..16]);
        bytes
    }

    /// A new id of the present time.
    pub fn id(&mut self) -> Id {
        let bytes = self.bytes();
        let mut random = [0; 10];
        random.copy_from_slice(&bytes[..10]);
        Id::new(self.now, random)
    }

    /// A new id of another time, the `nth` of those that belong together, which come in this order.
    pub fn id_at(&mut self, time: Time, nth: usize) -> Id {
        let bytes = self.bytes();
        let mut random = [0; 10];
        random.copy_from_slice(&bytes[..10]);
        random[0] = u8::try_from(nth).unwrap_or(u8::MAX);
        Id::new(time, random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_overflow() {
        assert_eq!(Time(i64::MAX) + Duration::from_secs(1), Time(i64::MAX));
        assert_eq!(Time(1).since(Time(5)), Duration::ZERO);
        assert_eq!(Time(5_000_000) - Duration::from_secs(2), Time(3_000_000));
    }

    #[test]
    fn ids_differ_and_repeat_for_the_same_seed() {
        let policies = Policies::default();
        let keys = Keys::for_tests();
        let at = Moment {
            now: Time(1_700_000_000_000_000),
            seed: [7; 32],
            policies: &policies,
            keys: &keys,
            conversion: None,
            guard: None,
            share: 0,
        };
        let (mut a, mut b) = (SeededIds::new(&at), SeededIds::new(&at));
        let first = a.id();
        assert_eq!(first, b.id());
        assert_ne!(first, a.id());
        assert_eq!(Id::parse(&first.to_string()), Some(first));
        assert_eq!(Id::parse("not an id"), None);
    }
}
