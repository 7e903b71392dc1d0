//! Who asks, as proven by a token, and what that lets them do to whom.

use std::net::IpAddr;
use std::sync::Arc;

use crate::refusal::Refusal;
use crate::rights::{Call, Capacity, Own, Right, Rights, Scope};
use crate::target::Target;
use crate::{Id, Time};

/// Who asks, as proven by a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The token's subject.
    pub user: String,
    /// The organisation that the user belongs to: the caller's own account is nowhere else.
    pub home: String,
    /// The organisation that the caller acts in.
    pub organization: String,
    /// Whether the request names that organisation.
    pub names_organization: bool,
    /// The rights that hold in every organisation.
    pub everywhere: Rights,
    /// The rights that hold in one organisation, besides those that hold in every one.
    pub local: Arc<[(String, Rights)]>,
    /// The languages that the caller's client asked for, in the form of an Accept-Language header.
    pub language: String,
    /// When the token was issued, if it says so.
    pub issued_at: Option<Time>,
    /// The scopes that the token names.
    pub scopes: Arc<[String]>,
    /// Whether a service speaks for the user, so that there is no token of the user's.
    pub spoken_for: bool,
    /// Where the request came from, where that tells users apart: not where a service speaks for them.
    pub address: Option<IpAddr>,
    /// The session that the caller acts by: for the own account, and for what [`Call::is_of_session`] says.
    pub session: Option<Id>,
}

impl Caller {
    /// A user of an organisation, who acts there and has no rights over others.
    pub fn new(user: impl Into<String>, organization: impl Into<String>) -> Caller {
        let home = organization.into();
        Caller {
            user: user.into(),
            organization: home.clone(),
            names_organization: false,
            home,
            everywhere: Rights::NONE,
            local: Arc::default(),
            language: String::new(),
            issued_at: None,
            scopes: Arc::default(),
            spoken_for: false,
            address: None,
            session: None,
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

    /// Whether whatever is asked about an account of this id is answered as if there were none: it is not the
    /// caller's own, and the caller has no rights anywhere. Then nothing need be looked up, and the time that an answer
    /// takes tells nothing either.
    pub fn is_stranger_to(&self, account: &str) -> bool {
        let mut local = self.local.iter();
        self.user != account && !self.everywhere.any() && !local.any(|(_, rights)| rights.any())
    }

    /// In what capacity the caller acts on an account that exists in `organization`: the one place where
    /// [`Call::rule`] is applied. Whoever may neither read nor write there is told the same of it as of one
    /// that does not exist.
    ///
    /// # Errors
    /// [`Refusal::AccountNotFound`], [`Refusal::PermissionDenied`].
    pub fn capacity(
        &self,
        account: &str,
        organization: &str,
        call: Call,
    ) -> Result<Capacity, Refusal> {
        let rights = self.rights_over(organization);
        let rule = call.rule();
        let owns = self.owns(account, organization);
        if self.session.is_some() {
            return match owns {
                true if call.is_of_session() => Ok(Capacity::Own),
                true => Err(Refusal::PermissionDenied),
                false => Err(Refusal::AccountNotFound),
            };
        }
        match rule.own {
            _ if rights.holds(rule.right) => Ok(Capacity::Service),
            Own::Allowed if owns => Ok(Capacity::Own),
            Own::Denied if owns => Err(Refusal::PermissionDenied),
            _ if rights.may_know() => Err(Refusal::PermissionDenied),
            Own::Allowed | Own::Denied => Err(Refusal::AccountNotFound),
        }
    }

    /// Which of the accounts with a user id the caller means: of a caller whose rights hold everywhere and
    /// who names no organisation, whichever there is.
    pub fn target<'a>(&'a self, id: &'a str) -> Target<'a> {
        let anywhere = self.everywhere.any() && !self.names_organization;
        Target {
            id,
            organization: (!anywhere).then_some(&self.organization),
            otherwise: &self.organization,
        }
    }

    /// The organisation that the caller acts in when a request names one: the caller's own, or one where
    /// the caller has a right.
    pub fn acting_in(mut self, organization: Option<&str>) -> Result<Caller, Refusal> {
        match organization {
            None => Ok(self),
            Some(named)
                if named == self.organization
                    || named == self.home
                    || self.rights_at(named).any() =>
            {
                self.organization = named.to_owned();
                self.names_organization = true;
                Ok(self)
            }
            Some(_) => Err(Refusal::OrganizationDenied),
        }
    }

    /// Which accounts a list may show: with `user.read` those of the caller's reach, narrowed to
    /// `organization` when the request names one; without it the caller's own.
    pub fn scope(&self, organization: Option<&str>) -> Result<Scope, Refusal> {
        if self.session.is_some() {
            return Err(Refusal::PermissionDenied);
        }
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

impl Caller {
    /// Which messages the caller may see, or with [`Right::WriteMessages`] try again: those of one organisation,
    /// or for whoever has the right everywhere and names none, all. They are for services: whoever lists what
    /// was sent to an account need not be its user.
    ///
    /// # Errors
    /// [`Refusal::PermissionDenied`].
    pub fn messages(&self, right: Right) -> Result<Scope, Refusal> {
        self.reach(right)
    }

    /// Where the caller may use a right that is about no account: in one organisation, or for whoever has it everywhere
    /// and names none, in all.
    ///
    /// # Errors
    /// [`Refusal::PermissionDenied`].
    pub fn reach(&self, right: Right) -> Result<Scope, Refusal> {
        if self.everywhere.holds(right) && !self.names_organization {
            return Ok(Scope::Everywhere);
        }
        match self.rights_at(&self.organization).holds(right) {
            true => Ok(Scope::Organization(self.organization.clone())),
            false => Err(Refusal::PermissionDenied),
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

    #[test]
    fn a_stranger_has_no_rights_and_asks_of_others() {
        let ann = Caller::new("ann", "acme");
        assert!(ann.is_stranger_to("bob") && !ann.is_stranger_to("ann"));
        assert!(!ann.clone().with_rights(READ).is_stranger_to("bob"));
        let everywhere = Caller {
            everywhere: READ,
            ..ann.clone()
        };
        assert!(!everywhere.is_stranger_to("bob"));
        // Whatever decides says the same of them.
        for call in [Call::Read, Call::SendCode, Call::SubmitCode] {
            let refused = ann.capacity("bob", "acme", call);
            assert_eq!(refused, Err(Refusal::AccountNotFound));
        }
    }
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
        let write = |c: Caller, account: &str, org: &str| c.capacity(account, org, Call::SendCode);
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
            |rights, call| ann(Rights::NONE, &[("acme", rights)]).capacity("bob", "acme", call);
        let denied = Err(Refusal::PermissionDenied);
        assert_eq!(capacity(READ, Call::SendCode), denied);
        assert_eq!(capacity(WRITE, Call::Read), denied);
        assert_eq!(capacity(WRITE, Call::Delete), denied);
        let unseen = Err(Refusal::AccountNotFound);
        assert_eq!(capacity(DELETE, Call::Read), unseen);
        assert_eq!(capacity(DELETE, Call::SendCode), unseen);
        assert_eq!(capacity(DELETE, Call::Delete), Ok(Capacity::Service));
    }

    #[test]
    fn rights_of_one_organisation_count_for_who_acts_there() {
        let caller = ann(Rights::NONE, &[("acme", READ), ("other", WRITE)]);
        let unseen = Err(Refusal::AccountNotFound);
        assert_eq!(caller.capacity("bob", "other", Call::SendCode), unseen);
        let there = caller.clone().acting_in(Some("other")).unwrap();
        let served = Ok(Capacity::Service);
        assert_eq!(there.capacity("bob", "other", Call::SendCode), served);
        let denied = Err(Refusal::PermissionDenied);
        assert_eq!(there.capacity("bob", "other", Call::Read), denied);
        assert_eq!(there.capacity("bob", "acme", Call::Read), unseen);
        // Somebody of the same id in another organisation is somebody else, who may be the own one nowhere.
        assert_eq!(there.capacity("ann", "other", Call::Read), denied);
        assert_eq!(there.capacity("ann", "acme", Call::Read), unseen);
        let back = there.acting_in(Some("acme")).unwrap();
        assert_eq!(back.capacity("bob", "acme", Call::Read), served);
        let deleter = ann(DELETE, &[]).acting_in(Some("other")).unwrap();
        assert_eq!(deleter.capacity("ann", "other", Call::SendCode), unseen);
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
