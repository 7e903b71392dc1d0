//! The rules in force, as figures. Each is a key of the configuration; the defaults are here.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::code::{Alphabet, Shape};
use crate::limit::Window;
use crate::number::{NumberKind, NumberRules, Validation, is_region};

/// Every figure that a decision depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// How numbers are read.
    pub numbers: NumberRules,
    /// Who has an account, and where.
    pub accounts: AccountRules,
    /// What codes look like and how long they live.
    pub codes: CodeRules,
    /// How much may be sent and guessed.
    pub limits: LimitRules,
    /// Who is told of what.
    pub notify: NotifyRules,
    /// What users may do by themselves.
    pub self_service: SelfServiceRules,
}

/// When a user that we have not seen gets an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Registration {
    /// A valid token of the user proves that the user exists: the first self-service call that sets a
    /// number registers.
    #[default]
    OnFirstToken,
    /// Only a call with `user.write` registers.
    Explicit,
}

/// Rules for accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountRules {
    /// When a user that we have not seen gets an account.
    pub register: Registration,
    /// The organisation of a token that names none.
    pub default_organization: String,
}

impl Default for AccountRules {
    fn default() -> Self {
        AccountRules {
            register: Registration::OnFirstToken,
            default_organization: "default".into(),
        }
    }
}

/// Rules for codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CodeRules {
    /// Symbols in a code, 6 to 10.
    pub length: u8,
    /// Which symbols.
    pub alphabet: Alphabet,
    /// Seconds that a code is valid; more than 600 only with `allow_long_validity`
    /// (NIST SP 800-63B-4: ten minutes at most).
    pub validity_seconds: u64,
    /// Lets `validity_seconds` exceed 600.
    pub allow_long_validity: bool,
    /// Wrong guesses that end a challenge.
    pub guesses: u8,
    /// A resend repeats the same code while at least this many seconds of it remain.
    pub reuse_seconds: u64,
}

impl Default for CodeRules {
    fn default() -> Self {
        CodeRules {
            length: 6,
            alphabet: Alphabet::Digits,
            validity_seconds: 600,
            allow_long_validity: false,
            guesses: 5,
            reuse_seconds: 120,
        }
    }
}

impl CodeRules {
    /// The shape of new codes.
    pub fn shape(&self) -> Shape {
        Shape {
            length: self.length,
            alphabet: self.alphabet,
        }
    }

    /// How long new codes live.
    pub fn validity(&self) -> Duration {
        Duration::from_secs(self.validity_seconds)
    }
}

/// Rules for limits. A window lets no stretch of `seconds` hold more than `count`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitRules {
    /// Messages to one number, of all accounts together.
    pub sends_per_number: Vec<Window>,
    /// How much of each window of a number one account may use, in percent, rounded up.
    pub account_share_percent: u32,
    /// How much of each window of a number is kept for accounts that hold it verified, in percent, rounded
    /// down.
    pub owner_share_percent: u32,
    /// Messages of one account.
    pub sends_per_account: Vec<Window>,
    /// Numbers that one account sets by self-service.
    pub sets_per_account: Vec<Window>,
    /// Changes of any kind that one account makes by self-service.
    pub changes_per_account: Vec<Window>,
    /// Seconds between two messages of one account to one number: after the first, the second, and every
    /// later one.
    pub cool_down_seconds: Vec<u64>,
    /// The consecutive wrong guess of one account for one number from which on each costs a wait.
    pub free_failures: u32,
    /// The longest wait after wrong guesses, in seconds; it is never longer than what is left of the code.
    pub longest_wait_seconds: u64,
    /// Consecutive wrong guesses of one account for one number after which only an operator helps.
    pub lock_at_failures: u32,
    /// Seconds in which at most one event tells of guesses that were refused without being looked at.
    pub refused_event_seconds: u64,
}

impl Default for LimitRules {
    fn default() -> Self {
        let window = |count, seconds| Window { count, seconds };
        LimitRules {
            sends_per_number: vec![window(5, 600), window(10, 3_600), window(20, 86_400)],
            sends_per_account: vec![window(5, 600), window(20, 86_400)],
            sets_per_account: vec![window(25, 86_400)],
            changes_per_account: vec![window(120, 3_600)],
            account_share_percent: 50,
            owner_share_percent: 25,
            cool_down_seconds: vec![60, 120, 240],
            free_failures: 5,
            longest_wait_seconds: 900,
            lock_at_failures: 100,
            refused_event_seconds: 60,
        }
    }
}

/// How users remove a number of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Removal {
    /// By asking.
    #[default]
    AtOnce,
    /// With a code that is sent to it.
    Confirmed,
}

/// Rules for what users do by themselves, whichever API they use. An API can ask for more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SelfServiceRules {
    /// A user's token that is as many seconds old changes nothing; 0 for any age.
    pub fresh_token_seconds: u64,
    /// The scope without which a user's token changes nothing; empty for none.
    pub required_scope: String,
    /// How a number is removed.
    pub removal: Removal,
}
impl LimitRules {
    /// How many messages of a number's window one account may use: at least one.
    pub(crate) fn share(&self, window: Window) -> u32 {
        let share = u64::from(window.count) * u64::from(self.account_share_percent);
        u32::try_from(share.div_ceil(100))
            .unwrap_or(u32::MAX)
            .max(1)
    }

    /// How many messages of a number's window are kept for accounts that hold it verified: never all.
    pub(crate) fn kept(&self, window: Window) -> u32 {
        let kept = u64::from(window.count) * u64::from(self.owner_share_percent) / 100;
        u32::try_from(kept)
            .unwrap_or(u32::MAX)
            .min(window.count.saturating_sub(1))
    }
}

/// What a row can hold of one window.
const LARGEST_COUNT: u32 = 1_000;

/// Rules for notices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotifyRules {
    /// Tells a verified number that it was replaced or removed.
    pub old_number: bool,
}

impl Default for NotifyRules {
    fn default() -> Self {
        NotifyRules { old_number: true }
    }
}

impl Default for NumberRules {
    fn default() -> Self {
        NumberRules {
            validation: Validation::Valid,
            default_region: String::new(),
            kinds: NumberKind::DEFAULT.to_vec(),
            most_per_account: 5,
        }
    }
}

/// A figure that cannot be, named by its key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {reason}")]
pub struct PolicyError {
    /// The key in the configuration, such as `codes.length`.
    pub key: &'static str,
    /// What is wrong and what would be right.
    pub reason: String,
}

impl Policy {
    /// Says the first figure that cannot be.
    pub fn check(&self) -> Result<(), PolicyError> {
        let fail = |key, reason: &str| {
            Err(PolicyError {
                key,
                reason: reason.into(),
            })
        };
        let (numbers, codes, limits) = (&self.numbers, &self.codes, &self.limits);
        if !numbers.default_region.is_empty() && !is_region(&numbers.default_region) {
            return fail(
                "numbers.default_region",
                "is no country code; use two letters such as \"CH\", or \"\" for none",
            );
        }
        if numbers.kinds.is_empty() {
            return fail(
                "numbers.kinds",
                "must list at least one kind, such as \"mobile\"",
            );
        }
        if !(1..=100).contains(&numbers.most_per_account) {
            return fail("numbers.most_per_account", "must be 1 to 100");
        }
        let organization = &self.accounts.default_organization;
        if organization.is_empty() || organization.chars().count() > 200 {
            return fail(
                "accounts.default_organization",
                "must have 1 to 200 characters",
            );
        }
        // RFC 6749, section 3.3: a name never holds a space.
        let scope = &self.self_service.required_scope;
        if scope.contains(char::is_whitespace) {
            return fail("self_service.required_scope", "must be one scope, or none");
        }
        if !(6..=10).contains(&codes.length) {
            return fail("codes.length", "must be 6 to 10");
        }
        if !(1..=10).contains(&codes.guesses) {
            return fail("codes.guesses", "must be 1 to 10");
        }
        if codes.validity_seconds < 60 {
            return fail("codes.validity_seconds", "must be at least 60");
        }
        if codes.validity_seconds > 600 && !codes.allow_long_validity {
            return fail(
                "codes.validity_seconds",
                "is more than 600; set codes.allow_long_validity = true if codes shall live longer",
            );
        }
        if codes.validity_seconds > 86_400 {
            return fail("codes.validity_seconds", "must be at most 86400");
        }
        if codes.reuse_seconds > codes.validity_seconds {
            return fail(
                "codes.reuse_seconds",
                "must be at most codes.validity_seconds",
            );
        }
        let windows = [
            ("limits.sends_per_number", &limits.sends_per_number),
            ("limits.sends_per_account", &limits.sends_per_account),
            ("limits.sets_per_account", &limits.sets_per_account),
            ("limits.changes_per_account", &limits.changes_per_account),
        ];
        for (key, windows) in windows {
            let sane = |w: &Window| {
                (1..=LARGEST_COUNT).contains(&w.count) && (1..=31_536_000).contains(&w.seconds)
            };
            if !windows.iter().all(sane) {
                return fail(
                    key,
                    "each count must be 1 to 1000, each seconds 1 to 31536000",
                );
            }
        }
        if !(1..=100).contains(&limits.account_share_percent) {
            return fail("limits.account_share_percent", "must be 1 to 100");
        }
        if limits.owner_share_percent > 90 {
            return fail("limits.owner_share_percent", "must be at most 90");
        }
        if limits.cool_down_seconds.iter().any(|s| *s > 86_400) {
            return fail("limits.cool_down_seconds", "each must be at most 86400");
        }
        if limits.free_failures == 0 {
            return fail("limits.free_failures", "must be at least 1");
        }
        if limits.lock_at_failures <= limits.free_failures {
            return fail(
                "limits.lock_at_failures",
                "must be more than limits.free_failures",
            );
        }
        if limits.refused_event_seconds > 86_400 {
            return fail("limits.refused_event_seconds", "must be at most 86400");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_hold() {
        assert_eq!(Policy::default().check(), Ok(()));
    }

    #[test]
    fn shares_leave_something_to_everybody() {
        let limits = LimitRules::default();
        for count in 1..=1_000 {
            let window = Window { count, seconds: 60 };
            let (share, kept) = (limits.share(window), limits.kept(window));
            assert!(share >= 1 && kept < count);
            // One account cannot take all that is left to those who do not hold the number.
            assert!(count == 1 || share + kept < count, "{count}");
        }
        let shares = [5, 10, 20].map(|count| Window { count, seconds: 60 });
        assert_eq!(shares.map(|window| limits.share(window)), [3, 5, 10]);
        assert_eq!(shares.map(|window| limits.kept(window)), [1, 2, 5]);
    }

    #[test]
    fn what_cannot_be_is_named() {
        let key_of = |change: fn(&mut Policy)| {
            let mut policy = Policy::default();
            change(&mut policy);
            policy.check().expect_err("must be refused").key
        };
        assert_eq!(key_of(|p| p.codes.length = 5), "codes.length");
        assert_eq!(key_of(|p| p.codes.length = 11), "codes.length");
        assert_eq!(
            key_of(|p| p.codes.validity_seconds = 601),
            "codes.validity_seconds"
        );
        assert_eq!(key_of(|p| p.codes.guesses = 0), "codes.guesses");
        assert_eq!(
            key_of(|p| p.numbers.default_region = "Swiss".into()),
            "numbers.default_region"
        );
        assert_eq!(key_of(|p| p.numbers.kinds.clear()), "numbers.kinds");
        assert_eq!(
            key_of(|p| p.limits.lock_at_failures = 5),
            "limits.lock_at_failures"
        );
        assert_eq!(
            key_of(|p| p.limits.sends_per_number[0].count = 0),
            "limits.sends_per_number"
        );
        assert_eq!(
            key_of(|p| p.limits.changes_per_account[0].count = 1_001),
            "limits.changes_per_account"
        );
        assert_eq!(
            key_of(|p| p.limits.account_share_percent = 0),
            "limits.account_share_percent"
        );
        assert_eq!(
            key_of(|p| p.limits.owner_share_percent = 91),
            "limits.owner_share_percent"
        );
        let mut long = Policy::default();
        long.codes.validity_seconds = 3_600;
        long.codes.allow_long_validity = true;
        assert_eq!(long.check(), Ok(()));
    }
}
