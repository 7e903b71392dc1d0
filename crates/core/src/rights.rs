//! Who may do what: the one place where it is decided.

use std::sync::Arc;

use crate::command::Caller;
use crate::refusal::Refusal;

/// In what capacity a caller acts on an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// On their own account, without rights over others.
    Own,
    /// With the right that the action asks for.
    Service,
}

/// The rights that an action can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// `user.read`
    Read,
    /// `user.write`
    Write,
    /// `user.delete`
    Delete,
}

/// A set of rights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// `user.read`
    pub read: bool,
    /// `user.write`
    pub write: bool,
    /// `user.delete`
    pub delete: bool,
}

impl Rights {
    /// Not one.
    pub const NONE: Rights = Rights {
        read: false,
        write: false,
        delete: false,
    };
    /// Every one.
    pub const ALL: Rights = Rights {
        read: true,
        write: true,
        delete: true,
    };

    /// Whether this one is among them.
    pub fn holds(self, right: Right) -> bool {
        match right {
            Right::Read => self.read,
            Right::Write => self.write,
            Right::Delete => self.delete,
        }
    }

    /// These and those.
    #[must_use]
    pub fn or(self, other: Rights) -> Rights {
        Rights {
            read: self.read || other.read,
            write: self.write || other.write,
            delete: self.delete || other.delete,
        }
    }

    /// Those that are in both.
    #[must_use]
    pub fn and(self, other: Rights) -> Rights {
        Rights {
            read: self.read && other.read,
            write: self.write && other.write,
            delete: self.delete && other.delete,
        }
    }

    /// Whether there is one at all.
    pub fn any(self) -> bool {
        self != Rights::NONE
    }

    /// Whether who has them may know which accounts there are.
    fn may_know(self) -> bool {
        self.read || self.write
    }
}

impl FromIterator<Right> for Rights {
    fn from_iter<I: IntoIterator<Item = Right>>(rights: I) -> Rights {
        let mut all = Rights::NONE;
        for right in rights {
            match right {
                Right::Read => all.read = true,
                Right::Write => all.write = true,
                Right::Delete => all.delete = true,
            }
        }
        all
    }
}

/// Which accounts a list may show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One account.
    Own {
        /// Its id.
        account: String,
        /// Its organisation.
        organization: String,
    },
    /// One organisation.
    Organization(String),
    /// All.
    Everywhere,
}

impl Caller {
    /// A user of an organisation, who acts there and has no rights over others.
    pub fn new(user: impl Into<String>, organization: impl Into<String>) -> Caller {
        let home = organization.into();
        Caller {
            user: user.into(),
            organization: home.clone(),
            home,
            everywhere: Rights::NONE,
            local: Arc::default(),
            language: String::new(),
            issued_at: None,
            scopes: Arc::default(),
            spoken_for: false,
        }
    }

    /// The same with these rights, and no others, in the organisation that the caller acts in.
    #[must_use]
    pub fn with_rights(mut self, rights: Rights) -> Caller {
        self.local = Arc::new([(self.organization.clone(), rights)]);
        self
    }

    /// The rights that hold in an organisation, for who acts there.
    pub fn rights_at(&self, organization: &str) -> Rights {
        let local = self.local.iter().filter(|(name, _)| name == organization);
        local.fold(self.everywhere, |all, (_, rights)| all.or(*rights))
    }

    /// The rights over accounts of an organisation that the caller has now: those of one organisation
    /// count for who acts in it.
    fn rights_over(&self, organization: &str) -> Rights {
        if organization == self.organization {
            self.rights_at(organization)
        } else {
            self.everywhere
        }
    }

    /// Whether the caller has a right in the organisation that it acts in.
    pub fn may(&self, right: Right) -> bool {
        self.rights_at(&self.organization).holds(right)
    }

    /// Whether the caller acts in the organisation that it belongs to, where its own account is.
    pub fn is_home(&self) -> bool {
        self.organization == self.home
    }

    /// Whether the caller acts on an account of their own.
    fn owns(&self, account: &str, organization: &str) -> bool {
        self.user == account && self.home == organization && self.is_home()
    }

    /// In what capacity the caller acts on an account that exists in `organization`. Whoever may neither
    /// read nor write there is told the same of it as of one that does not exist.
    pub fn capacity(
        &self,
        account: &str,
        organization: &str,
        right: Right,
    ) -> Result<Capacity, Refusal> {
        let rights = self.rights_over(organization);
        if rights.holds(right) {
            Ok(Capacity::Service)
        } else if self.owns(account, organization) {
            Ok(Capacity::Own)
        } else if rights.may_know() {
            Err(Refusal::PermissionDenied)
        } else {
            Err(Refusal::AccountNotFound)
        }
    }

    /// The organisation that the caller acts in when a request names one: the caller's own, or one where
    /// the caller has a right.
    pub fn acting_in(mut self, organization: Option<&str>) -> Result<Caller, Refusal> {
        match organization {
            None => Ok(self),
            Some(named) if named == self.organization => Ok(self),
            Some(named) if named == self.home || self.rights_at(named).any() => {
                self.organization = named.to_owned();
                Ok(self)
            }
            Some(_) => Err(Refusal::OrganizationDenied),
        }
    }

    /// Which accounts a list may show: with `user.read` those of the caller's reach, narrowed to
    /// `organization` when the request names one; without it the caller's own.
    pub fn scope(&self, organization: Option<&str>) -> Result<Scope, Refusal> {
        if organization.is_none() && self.everywhere.read {
            return Ok(Scope::Everywhere);
        }
        let place = organization.unwrap_or(&self.organization);
        let rights = self.rights_at(place);
        if rights.read {
            Ok(Scope::Organization(place.to_owned()))
        } else if place == self.home {
            Ok(Scope::Own {
                account: self.user.clone(),
                organization: self.home.clone(),
            })
        } else if rights.any() {
            Err(Refusal::PermissionDenied)
        } else {
            Err(Refusal::OrganizationDenied)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READ: Rights = Rights {
        read: true,
        ..Rights::NONE
    };
    const WRITE: Rights = Rights {
        write: true,
        ..Rights::NONE
    };
    const DELETE: Rights = Rights {
        delete: true,
        ..Rights::NONE
    };

    /// Ann of `acme`, with rights everywhere and in some organisations.
    fn ann(everywhere: Rights, local: &[(&str, Rights)]) -> Caller {
        let local = local
            .iter()
            .map(|(name, rights)| ((*name).to_owned(), *rights));
        Caller {
            everywhere,
            local: local.collect(),
            ..Caller::new("ann", "acme")
        }
    }

    #[test]
    fn capacity_by_right_and_reach() {
        let write = |c: Caller, account: &str, org: &str| c.capacity(account, org, Right::Write);
        let all = [("acme", Rights::ALL)];
        let (own, served) = (Ok(Capacity::Own), Ok(Capacity::Service));
        assert_eq!(write(ann(Rights::NONE, &[]), "ann", "acme"), own);
        assert_eq!(write(ann(Rights::NONE, &all), "ann", "acme"), served);
        assert_eq!(write(ann(Rights::NONE, &all), "bob", "acme"), served);
        assert_eq!(write(ann(Rights::ALL, &[]), "bob", "other"), served);
        let unseen = Err(Refusal::AccountNotFound);
        assert_eq!(write(ann(Rights::NONE, &[]), "bob", "acme"), unseen);
        for local in [&[][..], &all] {
            for account in ["ann", "bob"] {
                assert_eq!(write(ann(Rights::NONE, local), account, "other"), unseen);
            }
        }
    }

    #[test]
    fn only_who_may_read_or_write_is_told_that_there_is_an_account() {
        let capacity =
            |rights, right| ann(Rights::NONE, &[("acme", rights)]).capacity("bob", "acme", right);
        let denied = Err(Refusal::PermissionDenied);
        assert_eq!(capacity(READ, Right::Write), denied);
        assert_eq!(capacity(WRITE, Right::Read), denied);
        assert_eq!(capacity(WRITE, Right::Delete), denied);
        let unseen = Err(Refusal::AccountNotFound);
        assert_eq!(capacity(DELETE, Right::Read), unseen);
        assert_eq!(capacity(DELETE, Right::Write), unseen);
        assert_eq!(capacity(DELETE, Right::Delete), Ok(Capacity::Service));
    }

    #[test]
    fn rights_of_one_organisation_count_for_who_acts_there() {
        let caller = ann(Rights::NONE, &[("acme", READ), ("other", WRITE)]);
        let unseen = Err(Refusal::AccountNotFound);
        assert_eq!(caller.capacity("bob", "other", Right::Write), unseen);
        let there = caller.clone().acting_in(Some("other")).unwrap();
        let served = Ok(Capacity::Service);
        assert_eq!(there.capacity("bob", "other", Right::Write), served);
        let denied = Err(Refusal::PermissionDenied);
        assert_eq!(there.capacity("bob", "other", Right::Read), denied);
        assert_eq!(there.capacity("bob", "acme", Right::Read), unseen);
        // Somebody of the same id in another organisation is somebody else, who may be the own one nowhere.
        assert_eq!(there.capacity("ann", "other", Right::Read), denied);
        assert_eq!(there.capacity("ann", "acme", Right::Read), unseen);
        let back = there.acting_in(Some("acme")).unwrap();
        assert_eq!(back.capacity("bob", "acme", Right::Read), served);
        let deleter = ann(DELETE, &[]).acting_in(Some("other")).unwrap();
        assert_eq!(deleter.capacity("ann", "other", Right::Write), unseen);
    }

    #[test]
    fn other_organizations_are_for_those_who_have_a_right_there() {
        let acting = |caller: Caller, named| caller.acting_in(Some(named)).map(|c| c.organization);
        assert_eq!(acting(ann(READ, &[]), "other"), Ok("other".into()));
        let local = ann(Rights::NONE, &[("acme", Rights::ALL), ("other", DELETE)]);
        assert_eq!(acting(local.clone(), "acme"), Ok("acme".into()));
        assert_eq!(acting(local.clone(), "other"), Ok("other".into()));
        assert_eq!(acting(local, "third"), Err(Refusal::OrganizationDenied));
        let none = ann(Rights::NONE, &[("other", Rights::NONE)]);
        assert_eq!(acting(none, "other"), Err(Refusal::OrganizationDenied));
    }

    #[test]
    fn lists_show_what_the_caller_may_see() {
        let own = || {
            Ok(Scope::Own {
                account: "ann".into(),
                organization: "acme".into(),
            })
        };
        let of = |name: &str| Ok(Scope::Organization(name.into()));
        let plain = ann(Rights::NONE, &[]);
        assert_eq!(plain.scope(None), own());
        assert_eq!(plain.scope(Some("acme")), own());
        let reader = ann(Rights::NONE, &[("acme", READ), ("third", WRITE)]);
        assert_eq!(reader.scope(None), of("acme"));
        let third = reader.clone().acting_in(Some("third")).unwrap();
        assert_eq!(third.scope(None), Err(Refusal::PermissionDenied));
        assert_eq!(reader.scope(Some("third")), Err(Refusal::PermissionDenied));
        let everywhere = ann(Rights::ALL, &[]);
        assert_eq!(everywhere.scope(None), Ok(Scope::Everywhere));
        assert_eq!(everywhere.scope(Some("other")), of("other"));
        for caller in [plain, reader] {
            let denied = Err(Refusal::OrganizationDenied);
            assert_eq!(caller.scope(Some("other")), denied);
        }
    }
}
