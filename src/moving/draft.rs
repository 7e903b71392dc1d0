//! A user as a file tells it, before numbers are read and rules are held to.

use ringback_core::{Id, Number, Profile, Time};
use ringback_store::{Incoming, IncomingPhone, IncomingState};

use super::{Reading, Wrong};

/// Characters that ids and names may have at most.
const LONGEST_TEXT: usize = 200;

/// A user as a file tells it.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) organization: Option<String>,
    pub(super) id: String,
    pub(super) profile: Profile,
    pub(super) sequence: Option<u64>,
    pub(super) created_at: Option<Time>,
    pub(super) changed_at: Option<Time>,
    pub(super) phones: Vec<DraftPhone>,
}

/// A number of it.
pub(super) struct DraftPhone {
    pub(super) text: String,
    pub(super) id: Option<Id>,
    pub(super) state: IncomingState,
    pub(super) primary: Option<bool>,
    pub(super) created_at: Option<Time>,
    pub(super) changed_at: Option<Time>,
}

impl DraftPhone {
    /// A number of which is known whether it is verified, and when it was added and changed.
    pub(super) fn new(text: String, verified: bool) -> DraftPhone {
        DraftPhone {
            text,
            id: None,
            state: match verified {
                true => IncomingState::Verified(None),
                false => IncomingState::Unverified,
            },
            primary: None,
            created_at: None,
            changed_at: None,
        }
    }
}

impl Draft {
    /// The account, read by the rules of its organisation.
    pub(super) fn finish(self, reading: &Reading) -> Result<Incoming, Wrong> {
        let organization = self
            .organization
            .unwrap_or_else(|| reading.organization.clone());
        hold("the organisation", &organization)?;
        if organization.is_empty() {
            return Err("the organisation is empty".to_owned());
        }
        hold("the user id", &self.id)?;
        if self.id.is_empty() {
            return Err("the user id is missing".to_owned());
        }
        let profile = &self.profile;
        for (name, text) in [
            ("the username", &profile.username),
            ("the given name", &profile.given_name),
            ("the family name", &profile.family_name),
            ("the nickname", &profile.nick_name),
            ("the display name", &profile.display_name),
            ("the language", &profile.preferred_language),
            ("the e-mail address", &profile.email),
        ] {
            hold(name, text)?;
        }
        if self.sequence == Some(0) {
            return Err("sequence must be 1 or more".to_owned());
        }
        let rules = &reading.policies.of(&organization).numbers;
        let most = rules.most_per_account;
        if self.phones.len() > most {
            let has = self.phones.len();
            return Err(format!(
                "has {has} numbers, and a user may have {most} (numbers.most_per_account)"
            ));
        }
        let primary = primary(&self.phones)?;
        let mut phones: Vec<IncomingPhone> = Vec::with_capacity(self.phones.len());
        for (nth, phone) in (1..).zip(self.phones) {
            let number = Number::parse(&phone.text, rules)
                .map_err(|error| format!("number {nth}: {error}"))?;
            if phones.iter().any(|other| other.number == number) {
                return Err(format!("number {nth}: is there twice; take one out"));
            }
            let state = match phone.state {
                IncomingState::Verified(_) if reading.unverified => IncomingState::Unverified,
                state => state,
            };
            phones.push(IncomingPhone {
                id: phone.id,
                number,
                state,
                created_at: phone.created_at,
                changed_at: phone.changed_at,
            });
        }
        Ok(Incoming {
            organization,
            id: self.id,
            profile: self.profile,
            sequence: self.sequence,
            created_at: self.created_at,
            changed_at: self.changed_at,
            phones,
            primary,
        })
    }
}

fn hold(what: &str, text: &str) -> Result<(), Wrong> {
    if text.chars().count() > LONGEST_TEXT {
        return Err(format!("{what} has more than {LONGEST_TEXT} characters"));
    }
    if text.contains('\0') {
        return Err(format!("{what} contains a NUL character"));
    }
    Ok(())
}

/// The primary number: the one that is said to be, or where nothing is said of any the first verified one, or else
/// the first one that is the user's.
fn primary(phones: &[DraftPhone]) -> Result<Option<usize>, Wrong> {
    let own = |phone: &DraftPhone| !matches!(phone.state, IncomingState::Pending(_));
    let said: Vec<usize> = (0..phones.len())
        .filter(|nth| phones[*nth].primary == Some(true))
        .collect();
    match said[..] {
        [] if phones.iter().any(|phone| phone.primary.is_some()) => Ok(None),
        [] => {
            let verified = |phone: &DraftPhone| matches!(phone.state, IncomingState::Verified(_));
            let first = phones.iter().position(verified);
            Ok(first.or_else(|| phones.iter().position(own)))
        }
        [only] if own(&phones[only]) => Ok(Some(only)),
        [_] => Err("the primary number cannot be pending".to_owned()),
        _ => Err("several numbers are primary; one may be".to_owned()),
    }
}
