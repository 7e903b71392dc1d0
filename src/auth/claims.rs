//! What a verified token says about its bearer, as far as its issuer is believed.

use std::collections::{BTreeMap, HashMap, HashSet};

use ringback_core::rights::Rights;
use ringback_core::{Caller, Id, Time};
use serde_json::{Map, Value};

use super::{ID_CHARACTERS, Lets, SESSION, SESSION_ORGANIZATION};
use crate::config::{AuthSection, IssuerSection, Permission, Trust};

/// The claims of a verified token.
pub(super) type Claims = Map<String, Value>;

/// Where a token may name its organisation; the first found counts.
const ORGANIZATION_CLAIMS: [&str; 3] = [
    "urn:zitadel:iam:user:resourceowner:id",
    "tenantId",
    "org_id",
];
const ROLES: &str = "roles";
/// Roles by name, each with the organisations that it was given in.
const ROLES_BY_NAME: &str = "urn:zitadel:iam:org:project:roles";

/// What tokens of one issuer allow here.
pub(super) struct Grants {
    roles: Roles,
    trust: Trust,
    /// Of tokens that this service gives out itself.
    ours: Option<Lets>,
}

/// What roles stand for.
#[derive(Default)]
struct Roles {
    rights: HashMap<String, Rights>,
    everywhere: HashSet<String>,
}

impl Grants {
    /// Those of an issuer of a configuration.
    pub(super) fn new(
        section: &AuthSection,
        name: &str,
        issuer: &IssuerSection,
        default_organization: &str,
    ) -> Grants {
        let rights = section.roles.iter().map(|(role, permissions)| {
            let rights = permissions.iter().map(|permission| permission.right());
            (role.clone(), rights.collect())
        });
        Grants {
            roles: Roles {
                rights: rights.collect(),
                everywhere: section.everywhere_roles.iter().cloned().collect(),
            },
            trust: section.trust(name, issuer, default_organization),
            ours: None,
        }
    }

    /// Those of the tokens that this service gives out itself.
    pub(super) fn of_ours(lets: Lets, default_organization: &str) -> Grants {
        let trust = match lets {
            Lets::Everything => Trust {
                organization: Some(default_organization.to_owned()),
                ..Trust::default()
            },
            Lets::Session => Trust {
                organization_claim: Some(SESSION_ORGANIZATION.to_owned()),
                ..Trust::default()
            },
        };
        Grants {
            roles: Roles::default(),
            trust,
            ours: Some(lets),
        }
    }

    /// The caller that the claims speak of, with no language yet; or what is wrong with them.
    pub(super) fn caller(&self, claims: &Claims) -> Result<Caller, &'static str> {
        let user = id(claims.get("sub"))?.ok_or("no subject")?;
        let home = self.home(claims)?;
        let caller = Caller {
            issued_at: issued_at(claims),
            scopes: scopes_of(claims).map(str::to_owned).collect(),
            ..Caller::new(user, home)
        };
        match self.ours {
            None => {}
            Some(Lets::Everything) => {
                return Ok(Caller {
                    everywhere: Rights::ALL,
                    ..caller
                });
            }
            Some(Lets::Session) => {
                let session = claims.get(SESSION).and_then(Value::as_str);
                let session = session.and_then(Id::parse).ok_or("no session")?;
                return Ok(Caller {
                    session: Some(session),
                    ..caller
                });
            }
        }
        let (everywhere, local) = self.rights(claims, home);
        let most = self.trust.may_grant;
        let local = local
            .into_iter()
            .map(|(organization, rights)| (organization.to_owned(), rights.and(most)));
        Ok(Caller {
            everywhere: everywhere.and(most),
            local: local.filter(|(_, rights)| rights.any()).collect(),
            ..caller
        })
    }

    /// Where the user belongs.
    fn home<'a>(&'a self, claims: &'a Claims) -> Result<&'a str, &'static str> {
        let trust = &self.trust;
        if let Some(organization) = &trust.organization {
            return Ok(organization);
        }
        let said = match &trust.organization_claim {
            Some(claim) => id(find(claims, claim))?,
            None => first_organization(claims)?,
        };
        let default = trust.default_organization.as_deref();
        let home = said.or(default).ok_or("no organisation")?;
        if trust.foreign.contains(home) {
            return Err("an organisation of another issuer");
        }
        Ok(home)
    }

    /// The rights that hold everywhere, and those that hold in single organisations. `home` is the
    /// token's.
    fn rights<'a>(&self, claims: &'a Claims, home: &'a str) -> (Rights, BTreeMap<&'a str, Rights>) {
        let trust = &self.trust;
        let scopes = scopes_of(claims).filter(|_| trust.scopes_grant);
        let named = items(claims.get("permissions")).chain(scopes);
        let mut here: Rights = named
            .filter_map(Permission::find)
            .map(Permission::right)
            .collect();
        let mut everywhere = Rights::NONE;
        let plain = find(claims, trust.roles_claim.as_deref().unwrap_or(ROLES));
        for role in items(plain) {
            let all = if self.is_everywhere(role) {
                &mut everywhere
            } else {
                &mut here
            };
            *all = all.or(self.of_role(role));
        }
        let mut local = BTreeMap::from([(home, here)]);
        // Zitadel has a claim of that form for each project too, which roles_claim may name.
        let listed = [claims.get(ROLES_BY_NAME), plain];
        for (role, places) in listed.into_iter().flat_map(entries) {
            let rights = self.of_role(role);
            let places = || entries(Some(places)).map(|(place, _)| place);
            let is_home = |place: &str| trust.home_organizations.contains(place);
            if self.is_everywhere(role) && places().any(is_home) {
                everywhere = everywhere.or(rights);
                continue;
            }
            for place in places().filter(|place| rights.any() && self.reaches(place, home)) {
                let all = local.entry(place).or_default();
                *all = all.or(rights);
            }
        }
        (everywhere, local)
    }

    fn of_role(&self, role: &str) -> Rights {
        self.roles.rights.get(role).copied().unwrap_or_default()
    }

    fn is_everywhere(&self, role: &str) -> bool {
        self.trust.everywhere && self.roles.everywhere.contains(role)
    }

    /// Whether the issuer may give roles in an organisation: in those of its own users, and in others
    /// where its roles may hold everywhere.
    fn reaches(&self, place: &str, home: &str) -> bool {
        let trust = &self.trust;
        let free = trust.organization.is_none() && !trust.foreign.contains(place);
        place == home || trust.everywhere || free
    }
}

/// A claim by its name, or by a path with dots between names: `realm_access.roles`. Names may hold dots
/// themselves.
fn find<'a>(claims: &'a Claims, path: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(path) {
        return Some(value);
    }
    path.match_indices('.').find_map(|(at, _)| {
        let below = claims.get(&path[..at])?.as_object()?;
        find(below, &path[at + 1..])
    })
}

fn first_organization(claims: &Claims) -> Result<Option<&str>, &'static str> {
    for claim in ORGANIZATION_CLAIMS {
        if let Some(organization) = id(claims.get(claim))? {
            return Ok(Some(organization));
        }
    }
    Ok(None)
}

/// An id of 1 to 200 characters; `None` when the claim is absent, null or empty. One that could not be
/// stored is wrong rather than absent, so that it never becomes somebody else's.
fn id(claim: Option<&Value>) -> Result<Option<&str>, &'static str> {
    match claim {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text))
            if text.chars().count() <= ID_CHARACTERS && !text.chars().any(char::is_control) =>
        {
            Ok(Some(text))
        }
        Some(_) => Err("a subject or organisation that is no id"),
    }
}

/// The texts in a list, as they are: a role's name may hold spaces.
fn items(claim: Option<&Value>) -> impl Iterator<Item = &str> {
    let list = match claim {
        Some(Value::Array(list)) => list.as_slice(),
        Some(_) | None => &[],
    };
    list.iter().filter_map(Value::as_str)
}

/// Every scope that the claims name.
fn scopes_of(claims: &Claims) -> impl Iterator<Item = &str> {
    scopes(claims.get("scope")).chain(scopes(claims.get("scopes")))
}

/// When the token ends, without leeway.
pub(super) fn expires_at(claims: &Claims) -> Option<Time> {
    let seconds = claims.get("exp")?.as_f64()?;
    Some(Time((seconds * 1e6) as i64))
}

/// When the token was issued (RFC 7519, section 4.1.6); `None` when it does not say so in numbers.
fn issued_at(claims: &Claims) -> Option<Time> {
    // Fractions of seconds are allowed; a number too large for a clock becomes the end of time.
    let seconds = claims.get("iat")?.as_f64()?;
    Some(Time((seconds * 1e6) as i64))
}

/// The names in a list, or in one text with spaces between them (RFC 6749, section 3.3).
fn scopes(claim: Option<&Value>) -> impl Iterator<Item = &str> {
    let text = claim.and_then(Value::as_str).unwrap_or_default();
    items(claim).chain(text.split_whitespace())
}

/// The members of an object.
fn entries(claim: Option<&Value>) -> impl Iterator<Item = (&str, &Value)> {
    claim
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|map| map.iter().map(|(name, value)| (name.as_str(), value)))
}
