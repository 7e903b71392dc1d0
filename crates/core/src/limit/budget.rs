//! What others share: the budget of a number, of a client address, and of an organisation, each in rows.

use std::collections::{BTreeMap, BTreeSet};

use super::address::AddressBudget;
use super::number::NumberBudget;
use super::rules::LimitRules;
use super::share::Share;
use crate::keys::AccountTag;
use crate::moment::Time;

/// The budgets that a command may touch, by their pseudonyms: see [`crate::Keys`].
pub type Budgets = BTreeMap<String, Budget>;

/// What of something was used up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Budget {
    /// Nothing.
    #[default]
    Fresh,
    /// Of a number.
    Number(NumberBudget),
    /// Of a client address.
    Address(AddressBudget),
    /// Of one share of an organisation's budget.
    Organization(Share),
}

/// Of what is no number.
static NO_ROUTES: BTreeSet<String> = BTreeSet::new();

impl Budget {
    /// The same, of a number whose owner has told these routes to stop.
    #[must_use]
    pub fn with_opted_out(self, routes: impl IntoIterator<Item = String>) -> Budget {
        let routes: BTreeSet<String> = routes.into_iter().collect();
        match self {
            Budget::Fresh if routes.is_empty() => Budget::Fresh,
            Budget::Fresh => NumberBudget::default().with_opted_out(routes).into(),
            Budget::Number(budget) => budget.with_opted_out(routes).into(),
            other @ (Budget::Address(_) | Budget::Organization(_)) => other,
        }
    }

    /// The routes that the number's owner has told to stop.
    pub(crate) fn opted_out(&self) -> &BTreeSet<String> {
        match self {
            Budget::Number(budget) => budget.opted_out(),
            Budget::Fresh | Budget::Address(_) | Budget::Organization(_) => &NO_ROUTES,
        }
    }

    /// Notes a code of an account to a number.
    pub(crate) fn take(&mut self, rules: &LimitRules, by: AccountTag, now: Time) {
        let mut budget = self.number();
        budget.take(rules, by, now);
        *self = budget.into();
    }

    /// Notes a notice to a number that goes out at `at`, which is `now` or later.
    pub(crate) fn take_notice(&mut self, rules: &LimitRules, at: Time, now: Time) {
        let mut budget = self.number();
        budget.take_notice(rules, at, now);
        *self = budget.into();
    }

    /// Forgets a message of this time to a number.
    pub(crate) fn give_back(&mut self, rules: &LimitRules, by: Option<AccountTag>, at: Time) {
        if let Budget::Number(budget) = self {
            budget.give_back(rules, by, at);
            *self = budget.clone().into();
        }
    }

    /// When this budget says no more than a fresh one; `None` where it never does by itself.
    pub fn idle_at(&self) -> Option<Time> {
        match self {
            Budget::Fresh => Some(Time::default()),
            Budget::Number(budget) => Some(budget.idle_at()),
            Budget::Address(budget) => Some(budget.idle_at()),
            // What one share gave to another must not be forgotten by one of the two.
            Budget::Organization(_) => None,
        }
    }

    pub(crate) fn number(&self) -> NumberBudget {
        match self {
            Budget::Number(budget) => budget.clone(),
            Budget::Fresh | Budget::Address(_) | Budget::Organization(_) => Default::default(),
        }
    }

    pub(crate) fn address(&self) -> AddressBudget {
        match self {
            Budget::Address(budget) => budget.clone(),
            Budget::Fresh | Budget::Number(_) | Budget::Organization(_) => Default::default(),
        }
    }

    pub(crate) fn share(&self) -> Share {
        match self {
            Budget::Organization(share) => share.clone(),
            Budget::Fresh | Budget::Number(_) | Budget::Address(_) => Default::default(),
        }
    }
}

impl From<NumberBudget> for Budget {
    fn from(budget: NumberBudget) -> Budget {
        match budget == NumberBudget::default() {
            true => Budget::Fresh,
            false => Budget::Number(budget),
        }
    }
}

impl From<AddressBudget> for Budget {
    fn from(budget: AddressBudget) -> Budget {
        match budget == AddressBudget::default() {
            true => Budget::Fresh,
            false => Budget::Address(budget),
        }
    }
}

impl From<Share> for Budget {
    fn from(share: Share) -> Budget {
        match share == Share::default() {
            true => Budget::Fresh,
            false => Budget::Organization(share),
        }
    }
}
