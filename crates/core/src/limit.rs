//! Limits: how much may be sent and changed and how often may be guessed, as values that a row can hold.

mod address;
mod budget;
mod cool_down;
mod failures;
mod number;
mod rules;
mod share;
mod spend;
mod window;

pub(crate) use address::AddressUse;
pub use address::{AddressBudget, network};
pub use budget::{Budget, Budgets};
pub use cool_down::CoolDown;
pub use failures::{Failures, Guessing, RefusedGuesses};
pub use number::NumberBudget;
pub(crate) use number::Sender;
pub use rules::LimitRules;
pub use share::Share;
pub(crate) use share::{Pool, SHARES, Use, keep_shares, shares};
pub use spend::{Amount, Segments};
pub use window::{Times, Window};

use crate::guard::Reason;

/// Which limit a refusal came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The pause between two messages of one account to one number.
    CoolDown,
    /// Messages of one account to one number.
    NumberSends,
    /// A limit that others have filled, which nobody is told more of.
    Others,
    /// Messages of one account.
    AccountSends,
    /// Numbers set by one account.
    AccountSets,
    /// Changes of any kind that one account made by self-service.
    AccountChanges,
    /// Codes sent to users at one client address.
    AddressSends,
    /// Codes submitted by users at one client address.
    AddressVerifications,
    /// Messages of one organisation.
    OrganizationSends,
    /// Messages of one organisation to one country.
    CountrySends,
    /// What messages of one organisation cost.
    OrganizationSpend,
    /// The guard lets no codes go to such numbers for now, or not for users at this address.
    Guard(Reason),
    /// The guesses of a challenge are used up, and a new message would not bring new ones.
    Guesses,
    /// The pause after wrong codes of one account for one number.
    WrongCodes,
}

impl Limit {
    /// Every limit; the guard's with one of its reasons.
    pub const ALL: [Limit; 14] = [
        Limit::CoolDown,
        Limit::NumberSends,
        Limit::Others,
        Limit::AccountSends,
        Limit::AccountSets,
        Limit::AccountChanges,
        Limit::AddressSends,
        Limit::AddressVerifications,
        Limit::OrganizationSends,
        Limit::CountrySends,
        Limit::OrganizationSpend,
        Limit::Guard(Reason::CountryDay),
        Limit::Guesses,
        Limit::WrongCodes,
    ];

    /// The stable name of this limit.
    pub fn code(self) -> &'static str {
        match self {
            Limit::CoolDown => "cool_down",
            Limit::NumberSends => "sends_per_number",
            Limit::Others => "try_again_later",
            Limit::AccountSends => "sends_per_account",
            Limit::AccountSets => "sets_per_account",
            Limit::AccountChanges => "changes_per_account",
            Limit::AddressSends => "sends_per_address",
            Limit::AddressVerifications => "verifications_per_address",
            Limit::OrganizationSends => "sends_per_organization",
            Limit::CountrySends => "sends_per_country",
            Limit::OrganizationSpend => "spend_per_organization",
            Limit::Guard(_) => "guard",
            Limit::Guesses => "guesses",
            Limit::WrongCodes => "wrong_codes",
        }
    }

    /// Why, where there is more to say than its name.
    pub fn reason(self) -> Option<&'static str> {
        match self {
            Limit::Guard(reason) => Some(reason.code()),
            _ => None,
        }
    }
}
