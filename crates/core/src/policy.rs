//! The rules in force, as figures. Each is a key of the configuration; the defaults are here.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::code::{Alphabet, Shape};
use crate::delivery::Routes;
use crate::guard::GuardRules;
use crate::limit::{LimitRules, Segments, Window};
use crate::number::{NumberRules, is_region};

mod guard;
mod test_numbers;

pub use test_numbers::{TestNumber, TestNumbers};

/// The rules of every organisation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policies {
    /// Of those that have none of their own.
    pub default: Policy,
    /// Of those that have.
    pub by_organization: BTreeMap<String, Policy>,
}

impl Policies {
    /// The rules for accounts of an organisation.
    pub fn of(&self, organization: &str) -> &Policy {
        let own = self.by_organization.get(organization);
        own.unwrap_or(&self.default)
    }
}

impl From<Policy> for Policies {
    /// The same rules for every organisation.
    fn from(default: Policy) -> Policies {
        Policies {
            default,
            by_organization: BTreeMap::new(),
        }
    }
}

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
    /// What may be sent where.
    pub guard: GuardRules,
    /// Who is told of what.
    pub notify: NotifyRules,
    /// What users may do by themselves.
    pub self_service: SelfServiceRules,
    /// Which routes carry messages.
    pub routes: Routes,
    /// As how many text messages one goes out.
    pub segments: Segments,
    /// Numbers for tests.
    pub test_numbers: TestNumbers,
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

/// What becomes of parts of a request that are for a login and not kept here, such as a password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unkept {
    /// The request is refused, and told which part it is.
    #[default]
    Refuse,
    /// They are left out, and named in the response.
    Ignore,
}

/// Rules for accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountRules {
    /// When a user that we have not seen gets an account.
    pub register: Registration,
    /// The organisation of a token that names none.
    pub default_organization: String,
    /// Seconds that the oldest tokens of users live: for as long, one that was issued before its user was
    /// deleted does not bring the user back.
    pub longest_token_seconds: u64,
    /// What becomes of parts of a request that are for a login and not kept here.
    pub unkept: Unkept,
}

impl Default for AccountRules {
    fn default() -> Self {
        AccountRules {
            register: Registration::OnFirstToken,
            default_organization: "default".into(),
            longest_token_seconds: 2_592_000,
            unkept: Unkept::Refuse,
        }
    }
}

impl AccountRules {
    /// How long the oldest tokens of users live.
    pub(crate) fn longest_token(&self) -> Duration {
        Duration::from_secs(self.longest_token_seconds)
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

/// A figure that cannot be, named by its key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {reason}")]
pub struct PolicyError {
    /// The key in the configuration, such as `codes.length`.
    pub key: &'static str,
    /// What is wrong and what would be right.
    pub reason: String,
}

type Checked = Result<(), PolicyError>;

fn fail(key: &'static str, reason: &str) -> Checked {
    Err(PolicyError {
        key,
        reason: reason.into(),
    })
}

impl Policy {
    /// Says the first figure that cannot be.
    ///
    /// # Errors
    /// Its key, and what would be right.
    pub fn check(&self) -> Result<(), PolicyError> {
        check_numbers(&self.numbers)?;
        check_accounts(&self.accounts)?;
        // RFC 6749, section 3.3: a name never holds a space.
        let scope = &self.self_service.required_scope;
        if scope.contains(char::is_whitespace) {
            return fail("self_service.required_scope", "must be one scope, or none");
        }
        check_codes(&self.codes)?;
        check_windows(&self.limits)?;
        check_limits(&self.limits)?;
        guard::check(&self.guard)
    }
}

fn check_numbers(numbers: &NumberRules) -> Checked {
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
    Ok(())
}

fn check_accounts(accounts: &AccountRules) -> Checked {
    let organization = &accounts.default_organization;
    if organization.is_empty() || organization.chars().count() > 200 {
        return fail(
            "accounts.default_organization",
            "must have 1 to 200 characters",
        );
    }
    if accounts.longest_token_seconds > 315_360_000 {
        return fail(
            "accounts.longest_token_seconds",
            "must be at most 315360000",
        );
    }
    Ok(())
}

fn check_codes(codes: &CodeRules) -> Checked {
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
    Ok(())
}

fn check_windows(limits: &LimitRules) -> Checked {
    let windows = [
        ("limits.sends_per_number", &limits.sends_per_number),
        ("limits.sends_per_account", &limits.sends_per_account),
        ("limits.sets_per_account", &limits.sets_per_account),
        ("limits.changes_per_account", &limits.changes_per_account),
        ("limits.sends_per_address", &limits.sends_per_address),
        (
            "limits.verifications_per_address",
            &limits.verifications_per_address,
        ),
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
    Ok(())
}

/// More in a day than any organisation sends; sums of it are far from where integers end.
const LARGEST_DAY: u64 = 1_000_000_000;

fn check_days(limits: &LimitRules) -> Checked {
    if limits.sends_per_organization_per_day > LARGEST_DAY {
        return fail(
            "limits.sends_per_organization_per_day",
            "must be at most 1000000000",
        );
    }
    for (country, most) in &limits.sends_per_country_per_day {
        if *most > LARGEST_DAY {
            return fail(
                "limits.sends_per_country_per_day",
                "each must be at most 1000000000",
            );
        }
        if country != LimitRules::OTHER_COUNTRIES && !is_region(&country.to_ascii_uppercase()) {
            return fail(
                "limits.sends_per_country_per_day",
                "each must be \"default\" or a country of two letters, such as CH (ISO 3166-1 alpha-2)",
            );
        }
    }
    Ok(())
}

fn check_limits(limits: &LimitRules) -> Checked {
    check_days(limits)?;
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
    // NIST SP 800-63B-4 allows no more before the pair is disabled.
    if limits.lock_at_failures > 100 {
        return fail("limits.lock_at_failures", "must be at most 100");
    }
    if limits.refused_event_seconds > 86_400 {
        return fail("limits.refused_event_seconds", "must be at most 86400");
    }
    Ok(())
}

#[cfg(test)]
mod tests;
