//! What can be asked of the store, in terms of no particular API.

use ringback_core::rights::Scope;
use ringback_core::{Account, Id, Number, Phone};

/// A question for accounts.
#[derive(Clone, Debug)]
pub struct AccountQuery {
    /// Which accounts the caller may see at all.
    pub scope: Scope,
    /// Which of them are wanted.
    pub filter: AccountFilter,
    /// In which order; ties by user id.
    pub sort: AccountSort,
    /// Smallest first, or largest.
    pub ascending: bool,
    /// How many to pass over.
    pub offset: u64,
    /// How many at most.
    pub limit: u32,
}

/// A condition on accounts.
#[derive(Clone, Debug)]
pub enum AccountFilter {
    /// Every one of these; everything when there are none.
    All(Vec<AccountFilter>),
    /// At least one of these; nothing when there are none.
    Any(Vec<AccountFilter>),
    /// Not this.
    Not(Box<AccountFilter>),
    /// One of these user ids.
    Ids(Vec<String>),
    /// This organisation.
    Organization(String),
    /// The primary number.
    Phone(TextMatch),
    /// The name to log in with.
    Username(TextMatch),
    /// First name.
    GivenName(TextMatch),
    /// Last name.
    FamilyName(TextMatch),
    /// Nickname.
    NickName(TextMatch),
    /// The name to show.
    DisplayName(TextMatch),
    /// E-mail address.
    Email(TextMatch),
    /// One of these e-mail addresses, letter by letter.
    Emails(Vec<String>),
}

/// A condition on a text.
#[derive(Clone, Debug)]
pub struct TextMatch {
    /// What to look for, literally.
    pub text: String,
    /// Where.
    pub place: TextPlace,
    /// Whether `A` and `a` are the same, and so on in every script.
    pub ignore_case: bool,
}

/// Where in a text something is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextPlace {
    /// It is the whole text.
    Whole,
    /// The text begins with it.
    Start,
    /// The text holds it.
    Inside,
    /// The text ends with it.
    End,
}

/// What accounts are ordered by; names and addresses without regard to case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountSort {
    /// When they were registered.
    CreatedAt,
    /// The name to log in with.
    Username,
    /// First name.
    GivenName,
    /// Last name.
    FamilyName,
    /// Nickname.
    NickName,
    /// The name to show.
    DisplayName,
    /// E-mail address.
    Email,
}

/// Some of the accounts that were asked for.
#[derive(Clone, Debug)]
pub struct AccountPage {
    /// The accounts, whole.
    pub accounts: Vec<Account>,
    /// How many there are in all.
    pub total: u64,
}

/// A question for numbers, answered in pages by key.
#[derive(Clone, Debug)]
pub struct PhoneQuery {
    /// Which accounts the caller may see at all.
    pub scope: Scope,
    /// Only of these user ids; of all when empty.
    pub accounts: Vec<String>,
    /// Only this number.
    pub number: Option<Number>,
    /// Only numbers that begin so: a plus and digits.
    pub prefix: Option<String>,
    /// Only verified ones, or only others.
    pub verified: Option<bool>,
    /// The last row of the page before.
    pub after: Option<Id>,
    /// How many at most.
    pub limit: u32,
}

/// A number and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhoneRow {
    /// The user's id.
    pub account: String,
    /// The account's organisation.
    pub organization: String,
    /// The number.
    pub phone: Phone,
    /// Whether it is the account's primary number.
    pub primary: bool,
}

/// Some of the numbers that were asked for, oldest first.
#[derive(Clone, Debug)]
pub struct PhonePage {
    /// The numbers.
    pub phones: Vec<PhoneRow>,
    /// Where the next page begins, when there is one.
    pub next: Option<Id>,
}

/// A question for numbers, answered in pages by place.
#[derive(Clone, Debug)]
pub struct PhoneListQuery {
    /// Which accounts the caller may see at all.
    pub scope: Scope,
    /// Only of these user ids, of nobody when there are none; of all when `None`.
    pub accounts: Option<Vec<String>>,
    /// Only this number.
    pub number: Option<Number>,
    /// In which order; ties by the number's name.
    pub sort: PhoneSort,
    /// Smallest first, or largest.
    pub ascending: bool,
    /// How many to pass over.
    pub offset: u64,
    /// How many at most.
    pub limit: u32,
}

/// What numbers are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PhoneSort {
    /// When they were added.
    Added,
    /// The user's id.
    Account,
    /// The number.
    Number,
}

/// Some of the numbers that were asked for. Those that wait to be proven are not among them.
#[derive(Clone, Debug)]
pub struct PhoneListPage {
    /// The numbers.
    pub phones: Vec<PhoneRow>,
    /// How many there are in all.
    pub total: u64,
}
