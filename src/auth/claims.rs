//! What a verified token says about its bearer.

use std::collections::{BTreeSet, HashMap, HashSet};

use ringback_core::{Caller, Time};
use serde_json::{Map, Value};

use super::ID_CHARACTERS;
use crate::config::{AuthSection, Permission};

/// The claims of a verified token.
pub(super) type Claims = Map<String, Value>;

/// Where a token may name its organisation; the first found counts.
const ORGANIZATION_CLAIMS: [&str; 3] = [
    "urn:zitadel:iam:user:resourceowner:id",
    "tenantId",
    "org_id",
];
const ROLES_BY_NAME: &str = "urn:zitadel:iam:org:project:roles";

/// What tokens allow here.
pub(super) struct Grants {
    roles: HashMap<String, Vec<Permission>>,
    everywhere: HashSet<String>,
    default_organization: String,
}

impl Grants {
    pub(super) fn new(section: &AuthSection, default_organization: &str) -> Grants {
        Grants {
            roles: section.roles.clone().into_iter().collect(),
            everywhere: section.everywhere_roles.iter().cloned().collect(),
            default_organization: default_organization.to_owned(),
        }
    }

    /// The caller that the claims speak of, with no language yet; or what is wrong with them.
    pub(super) fn caller(&self, claims: &Claims) -> Result<Caller, &'static str> {
        // An environment token of Frontegg stands for the customer's back end, not for a user.
        let vendor = claims.get("type").and_then(Value::as_str) == Some("vendor");
        let user = match (id(claims, "sub")?, vendor) {
            (Some(user), _) => user,
            (None, true) => id(claims, "vendorId")?.unwrap_or("vendor"),
            (None, false) => return Err("no subject"),
        };
        let organization = organization(claims)?.unwrap_or(&self.default_organization);

        let roles = items(claims.get("roles"))
            .chain(keys(claims.get(ROLES_BY_NAME)))
            .collect::<BTreeSet<&str>>();
        let named = items(claims.get("permissions"))
            .chain(scopes_of(claims))
            .filter_map(Permission::find);
        let permissions: HashSet<Permission> = roles
            .iter()
            .filter_map(|role| self.roles.get(*role))
            .flatten()
            .copied()
            .chain(named)
            .collect();
        Ok(Caller {
            user: user.to_owned(),
            organization: organization.to_owned(),
            everywhere: vendor || roles.iter().any(|role| self.everywhere.contains(*role)),
            may_read: permissions.contains(&Permission::Read),
            may_write: permissions.contains(&Permission::Write),
            may_delete: permissions.contains(&Permission::Delete),
            language: String::new(),
        })
    }
}

fn organization(claims: &Claims) -> Result<Option<&str>, &'static str> {
    for claim in ORGANIZATION_CLAIMS {
        if let Some(organization) = id(claims, claim)? {
            return Ok(Some(organization));
        }
    }
    Ok(None)
}

/// An id of 1 to 200 characters; `None` when the claim is absent, null or empty. One that could not be
/// stored is wrong rather than absent, so that it never becomes somebody else's.
fn id<'a>(claims: &'a Claims, claim: &str) -> Result<Option<&'a str>, &'static str> {
    match claims.get(claim) {
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
pub(super) fn scopes_of(claims: &Claims) -> impl Iterator<Item = &str> {
    scopes(claims.get("scope")).chain(scopes(claims.get("scopes")))
}

/// When the token ends, without leeway.
pub(super) fn expires_at(claims: &Claims) -> Option<Time> {
    let seconds = claims.get("exp")?.as_f64()?;
    Some(Time((seconds * 1e6) as i64))
}

/// When the token was issued (RFC 7519, section 4.1.6); `None` when it does not say so in numbers.
pub(super) fn issued_at(claims: &Claims) -> Option<Time> {
    // Fractions of seconds are allowed; a number too large for a clock becomes the end of time.
    let seconds = claims.get("iat")?.as_f64()?;
    Some(Time((seconds * 1e6) as i64))
}

/// The names in a list, or in one text with spaces between them (RFC 6749, section 3.3).
fn scopes(claim: Option<&Value>) -> impl Iterator<Item = &str> {
    let text = claim.and_then(Value::as_str).unwrap_or_default();
    items(claim).chain(text.split_whitespace())
}

fn keys(claim: Option<&Value>) -> impl Iterator<Item = &str> {
    claim
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|map| map.keys().map(String::as_str))
}
