//! Which account is meant: an account is an organisation and a user id, and a caller may leave the first open.

use crate::refusal::Refusal;

/// The account that a caller means by a user id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The user id.
    pub id: &'a str,
    /// The organisation; `None` for whichever has such a user.
    pub organization: Option<&'a str>,
    /// The organisation where none has one.
    pub(crate) otherwise: &'a str,
}

impl<'a> Target<'a> {
    /// The organisation where the account most likely is.
    pub fn first_guess(self) -> &'a str {
        self.organization.unwrap_or(self.otherwise)
    }

    /// The organisation that is meant, when these have a user of the id. To know that several have one, two
    /// of them are enough.
    ///
    /// # Errors
    /// [`Refusal::AccountAmbiguous`] when several have one and none was named.
    pub fn resolve<'b>(self, found: impl IntoIterator<Item = &'b str>) -> Result<&'b str, Refusal>
    where
        'a: 'b,
    {
        if let Some(organization) = self.organization {
            return Ok(organization);
        }
        let mut found = found.into_iter();
        match (found.next(), found.next()) {
            (None, _) => Ok(self.otherwise),
            (Some(only), None) => Ok(only),
            (Some(_), Some(_)) => Err(Refusal::AccountAmbiguous),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rights::Rights;
    use crate::{Action, Caller, Command};

    fn service(everywhere: bool) -> Caller {
        let service = Caller::new("service", "acme").with_rights(Rights::ALL);
        let everywhere = match everywhere {
            true => Rights::ALL,
            false => Rights::NONE,
        };
        Caller {
            everywhere,
            ..service
        }
    }

    #[test]
    fn who_acts_everywhere_means_the_only_one_or_says_where() {
        let caller = service(true);
        let target = caller.target("ann");
        assert_eq!(target.resolve([]), Ok("acme"));
        assert_eq!(target.resolve(["other"]), Ok("other"));
        let several = target.resolve(["acme", "other"]);
        assert_eq!(several, Err(Refusal::AccountAmbiguous));
        for organization in ["acme", "third"] {
            let there = caller.clone().acting_in(Some(organization)).expect("may");
            let target = there.target("ann");
            assert_eq!(target.resolve(["acme", "other"]), Ok(organization));
        }
    }

    #[test]
    fn who_acts_in_one_organization_means_nobody_elsewhere() {
        let caller = service(false);
        for found in [&[][..], &["other"], &["acme", "other"]] {
            let target = caller.target("ann");
            assert_eq!(target.resolve(found.iter().copied()), Ok("acme"));
        }
    }

    #[test]
    fn a_registration_is_about_one_organization() {
        let register = |organization: Option<&str>| Command {
            caller: service(true),
            account: "ann".into(),
            action: Action::Register {
                organization: organization.map(str::to_owned),
                profile: Box::default(),
                phone: None,
            },
        };
        let found = ["third", "fourth"];
        assert_eq!(register(None).target().resolve(found), Ok("acme"));
        assert_eq!(register(Some("x")).target().resolve(found), Ok("x"));
    }
}
