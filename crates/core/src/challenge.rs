//! A challenge: that a code was asked for, kept without the code.

use serde::{Deserialize, Serialize};

use crate::Keys;
use crate::code::{Code, Shape};
use crate::moment::{Id, Moment, SeededIds, Time};
use crate::policy::CodeRules;

/// What a right answer brings about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// The number is verified.
    Verify,
    /// The number is removed.
    Remove,
}

impl Purpose {
    fn name(self) -> &'static [u8] {
        match self {
            Purpose::Verify => b"verify",
            Purpose::Remove => b"remove",
        }
    }
}

/// That a code was asked for one number. Holds what its code is derived from besides the key, so whoever reads
/// it learns no code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// Its id.
    pub id: Id,
    /// What a right answer brings about.
    pub purpose: Purpose,
    /// Which of the account's numbers it is about.
    pub phone: Id,
    /// Random, new for each challenge.
    nonce: u128,
    /// Which key its code is derived with.
    key_version: u32,
    /// What its code looks like.
    pub shape: Shape,
    /// From this time on no answer is right.
    pub expires_at: Time,
    /// Wrong guesses that are left.
    pub guesses_left: u8,
    /// Messages that its code was sent in.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sends: u32,
}

fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl Challenge {
    pub(crate) fn open(
        phone: Id,
        purpose: Purpose,
        guesses: u8,
        rules: &CodeRules,
        at: &Moment<'_>,
        ids: &mut SeededIds,
    ) -> Challenge {
        Challenge {
            id: ids.id(),
            purpose,
            phone,
            nonce: u128::from_be_bytes(ids.bytes()),
            key_version: at.keys.current(),
            shape: rules.shape(),
            expires_at: at.now + rules.validity(),
            guesses_left: guesses,
            sends: 0,
        }
    }

    /// The code that answers this challenge; `None` when its key was taken away.
    pub fn code(&self, keys: &Keys) -> Option<Code> {
        let key = keys.code_key(self.key_version)?;
        let nonce = self.nonce.to_be_bytes();
        let parts: [&[u8]; 3] = [self.purpose.name(), self.id.as_bytes(), &nonce];
        Some(Code::derive(key, self.shape, &parts))
    }

    /// Whether an answer can still be right.
    pub fn is_open(&self, now: Time) -> bool {
        now < self.expires_at && self.guesses_left > 0
    }
}
