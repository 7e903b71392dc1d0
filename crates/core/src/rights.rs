//! Who may do what: the one place where it is decided.

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
    fn holds(&self, right: Right) -> bool {
        match right {
            Right::Read => self.may_read,
            Right::Write => self.may_write,
            Right::Delete => self.may_delete,
        }
    }

    /// Whether the caller acts on an account of their own.
    fn owns(&self, account: &str, organization: &str) -> bool {
        self.user == account && self.organization == organization
    }

    /// In what capacity the caller acts on an account that exists in `organization`. An account in an
    /// organisation that is not the caller's is refused like one that does not exist.
    pub fn capacity(
        &self,
        account: &str,
        organization: &str,
        right: Right,
    ) -> Result<Capacity, Refusal> {
        let reaches = self.everywhere || self.organization == organization;
        match (
            self.holds(right) && reaches,
            self.owns(account, organization),
        ) {
            (true, _) => Ok(Capacity::Service),
            (false, true) => Ok(Capacity::Own),
            (false, false) if reaches => Err(Refusal::PermissionDenied),
            (false, false) => Err(Refusal::AccountNotFound),
        }
    }

    /// The organisation that the caller acts in when a request names one: another than the caller's own
    /// only for callers whose rights hold everywhere.
    pub fn acting_in(mut self, organization: Option<&str>) -> Result<Caller, Refusal> {
        match organization {
            None => Ok(self),
            Some(named) if named == self.organization => Ok(self),
            Some(named) if self.everywhere => {
                self.organization = named.to_owned();
                Ok(self)
            }
            Some(_) => Err(Refusal::OrganizationDenied),
        }
    }

    /// Which accounts a list may show: with `user.read` those of the caller's reach, narrowed to
    /// `organization` when the request names one; without it the caller's own.
    pub fn scope(&self, organization: Option<&str>) -> Result<Scope, Refusal> {
        let own = || Scope::Own {
            account: self.user.clone(),
            organization: self.organization.clone(),
        };
        match (self.may_read, organization) {
            (true, None) if self.everywhere => Ok(Scope::Everywhere),
            (true, None) => Ok(Scope::Organization(self.organization.clone())),
            (true, Some(named)) if self.everywhere || named == self.organization => {
                Ok(Scope::Organization(named.to_owned()))
            }
            (false, None) => Ok(own()),
            (false, Some(named)) if named == self.organization => Ok(own()),
            (true | false, Some(_)) => Err(Refusal::OrganizationDenied),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(everywhere: bool, rights: bool) -> Caller {
        Caller {
            user: "ann".into(),
            organization: "acme".into(),
            everywhere,
            may_read: rights,
            may_write: rights,
            may_delete: rights,
            language: String::new(),
        }
    }

    #[test]
    fn capacity_by_right_and_reach() {
        let write = |c: Caller, account: &str, org: &str| c.capacity(account, org, Right::Write);
        assert_eq!(
            write(caller(false, false), "ann", "acme"),
            Ok(Capacity::Own)
        );
        assert_eq!(
            write(caller(false, true), "ann", "acme"),
            Ok(Capacity::Service)
        );
        assert_eq!(
            write(caller(false, true), "bob", "acme"),
            Ok(Capacity::Service)
        );
        assert_eq!(
            write(caller(true, true), "bob", "other"),
            Ok(Capacity::Service)
        );
        assert_eq!(
            write(caller(false, false), "bob", "acme"),
            Err(Refusal::PermissionDenied)
        );
        for rights in [false, true] {
            for account in ["ann", "bob"] {
                assert_eq!(
                    write(caller(false, rights), account, "other"),
                    Err(Refusal::AccountNotFound)
                );
            }
        }
    }

    #[test]
    fn other_organizations_are_for_those_who_act_everywhere() {
        assert!(
            caller(true, true)
                .acting_in(Some("other"))
                .is_ok_and(|c| c.organization == "other")
        );
        assert!(caller(false, true).acting_in(Some("acme")).is_ok());
        assert_eq!(
            caller(false, true).acting_in(Some("other")),
            Err(Refusal::OrganizationDenied)
        );
    }

    #[test]
    fn lists_show_what_the_caller_may_see() {
        let own = Scope::Own {
            account: "ann".into(),
            organization: "acme".into(),
        };
        assert_eq!(caller(false, false).scope(None), Ok(own.clone()));
        assert_eq!(caller(false, false).scope(Some("acme")), Ok(own));
        assert_eq!(
            caller(false, true).scope(None),
            Ok(Scope::Organization("acme".into()))
        );
        assert_eq!(caller(true, true).scope(None), Ok(Scope::Everywhere));
        assert_eq!(
            caller(true, true).scope(Some("other")),
            Ok(Scope::Organization("other".into()))
        );
        for rights in [false, true] {
            assert_eq!(
                caller(false, rights).scope(Some("other")),
                Err(Refusal::OrganizationDenied)
            );
        }
    }
}
