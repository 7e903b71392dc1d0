//! An account as another place tells it.

use std::collections::HashSet;

use ringback_core::account::{AccountLimits, Pending};
use ringback_core::moment::SeededIds;
use ringback_core::{Account, Id, Number, Phone, PhoneState, Profile, Time};

/// An account as another place tells it. What it does not tell is `None`, or an empty text of the profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Its organisation.
    pub organization: String,
    /// Its user id.
    pub id: String,
    /// Who the user is; an empty username stands for the user id.
    pub profile: Profile,
    /// How many events it has had.
    pub sequence: Option<u64>,
    /// When it was registered.
    pub created_at: Option<Time>,
    /// When its last event was.
    pub changed_at: Option<Time>,
    /// Its numbers, each once.
    pub phones: Vec<IncomingPhone>,
    /// Which of `phones` is the primary one.
    pub primary: Option<usize>,
}

/// A number of such an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingPhone {
    /// Its id; it gets a new one where another number has that already.
    pub id: Option<Id>,
    /// The number.
    pub number: Number,
    /// Whether it is proven.
    pub state: IncomingState,
    /// When it was added.
    pub created_at: Option<Time>,
    /// When its state last changed.
    pub changed_at: Option<Time>,
}

/// Whether a number is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncomingState {
    /// Not yet.
    Unverified,
    /// It is, since then if that is known.
    Verified(Option<Time>),
    /// Not yet, and until then it is not the account's.
    Pending(Pending),
}

impl Incoming {
    fn username(&self) -> &str {
        match self.profile.username.is_empty() {
            true => &self.id,
            false => &self.profile.username,
        }
    }

    /// Whether an account is what is told here, as far as it is told.
    pub(super) fn is(&self, account: &Account) -> bool {
        let told = |told: Option<Time>, is: Time| told.is_none_or(|told| told == is);
        let profile = Profile {
            username: self.username().to_owned(),
            ..self.profile.clone()
        };
        let primary = self.primary.map(|nth| &self.phones[nth].number);
        profile == account.profile
            && self
                .sequence
                .is_none_or(|sequence| sequence == account.sequence)
            && told(self.created_at, account.created_at)
            && told(self.changed_at, account.changed_at)
            && primary == account.primary_phone().map(|phone| &phone.number)
            && self.phones.len() == account.phones.len()
            && self.phones.iter().all(|phone| {
                let same = account.phones.iter().find(|one| one.number == phone.number);
                same.is_some_and(|same| phone.is(same))
            })
    }

    pub(super) fn account(
        &self,
        now: Time,
        fresh: &mut SeededIds,
        taken: &mut HashSet<Id>,
    ) -> Account {
        let created_at = self.created_at.unwrap_or(now);
        let phones: Vec<Phone> = (0..)
            .zip(&self.phones)
            .map(|(nth, phone)| {
                let created_at = phone.created_at.unwrap_or(created_at);
                let id = phone.id.filter(|id| taken.insert(*id));
                Phone {
                    id: id.unwrap_or_else(|| fresh.id_at(created_at, nth)),
                    number: phone.number.clone(),
                    state: match phone.state {
                        IncomingState::Unverified => PhoneState::Unverified,
                        IncomingState::Verified(at) => PhoneState::Verified {
                            at: at.unwrap_or(now),
                        },
                        IncomingState::Pending(pending) => PhoneState::Pending(pending),
                    },
                    created_at,
                    changed_at: phone.changed_at.unwrap_or(created_at),
                }
            })
            .collect();
        Account {
            id: self.id.clone(),
            organization: self.organization.clone(),
            sequence: self.sequence.unwrap_or(1),
            created_at,
            changed_at: self.changed_at.unwrap_or(created_at),
            profile: Profile {
                username: self.username().to_owned(),
                ..self.profile.clone()
            },
            primary: self.primary.map(|nth| phones[nth].id),
            phones,
            challenges: Vec::new(),
            limits: AccountLimits::default(),
        }
    }
}

impl IncomingPhone {
    fn is(&self, phone: &Phone) -> bool {
        let told = |told: Option<Time>, is: Time| told.is_none_or(|told| told == is);
        let same = match (self.state, phone.state) {
            (IncomingState::Unverified, PhoneState::Unverified) => true,
            (IncomingState::Verified(at), PhoneState::Verified { at: is }) => told(at, is),
            (IncomingState::Pending(one), PhoneState::Pending(other)) => one == other,
            _ => false,
        };
        same && told(self.created_at, phone.created_at) && told(self.changed_at, phone.changed_at)
    }
}
