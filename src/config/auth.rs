//! `[auth]`: whose tokens are accepted, and what they allow.

use std::collections::{BTreeMap, BTreeSet};

use jsonwebtoken::Algorithm;
use ringback_core::rights::{Right, Rights};
use secrecy::SecretString;
use serde::Deserialize;

/// `[auth]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthSection {
    /// Seconds by which clocks may differ.
    pub leeway_seconds: u64,
    /// Roles whose permissions can hold in every organisation.
    pub everywhere_roles: Vec<String>,
    /// What a role stands for.
    pub roles: BTreeMap<String, Vec<Permission>>,
    /// Whose tokens are accepted, by name.
    pub issuers: BTreeMap<String, IssuerSection>,
}

/// What a role can stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
pub enum Permission {
    /// Reads accounts.
    #[serde(rename = "user.read")]
    Read,
    /// Makes and changes accounts and their numbers.
    #[serde(rename = "user.write")]
    Write,
    /// Deletes accounts.
    #[serde(rename = "user.delete")]
    Delete,
    /// Sees what became of messages.
    #[serde(rename = "sms.read")]
    ReadMessages,
    /// Has messages tried again.
    #[serde(rename = "sms.write")]
    WriteMessages,
    /// Sees what the guard holds back.
    #[serde(rename = "guard.read")]
    ReadGuard,
    /// Lets codes pass that the guard holds back.
    #[serde(rename = "guard.write")]
    WriteGuard,
    /// Sees what happened to accounts.
    #[serde(rename = "audit.read")]
    ReadAudit,
}

impl Permission {
    /// Every one.
    pub const ALL: [Permission; 8] = [
        Permission::Read,
        Permission::Write,
        Permission::Delete,
        Permission::ReadMessages,
        Permission::WriteMessages,
        Permission::ReadGuard,
        Permission::WriteGuard,
        Permission::ReadAudit,
    ];

    /// The permission of that name in a token.
    pub fn find(name: &str) -> Option<Permission> {
        Permission::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Its name in a token.
    pub fn name(self) -> &'static str {
        match self {
            Permission::Read => "user.read",
            Permission::Write => "user.write",
            Permission::Delete => "user.delete",
            Permission::ReadMessages => "sms.read",
            Permission::WriteMessages => "sms.write",
            Permission::ReadGuard => "guard.read",
            Permission::WriteGuard => "guard.write",
            Permission::ReadAudit => "audit.read",
        }
    }

    /// The right that it gives.
    pub fn right(self) -> Right {
        match self {
            Permission::Read => Right::Read,
            Permission::Write => Right::Write,
            Permission::Delete => Right::Delete,
            Permission::ReadMessages => Right::ReadMessages,
            Permission::WriteMessages => Right::WriteMessages,
            Permission::ReadGuard => Right::ReadGuard,
            Permission::WriteGuard => Right::WriteGuard,
            Permission::ReadAudit => Right::ReadAudit,
        }
    }
}

/// `[auth.issuers.NAME]`; an empty text is a key that is not set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IssuerSection {
    /// The token's `iss`.
    pub issuer: String,
    /// One of them must be in the token's `aud`.
    pub audiences: Vec<String>,
    /// Whether `audiences` must be set; it must unless this says no.
    pub audience_required: Option<bool>,
    /// The algorithms that are accepted, and no other.
    pub algorithms: Vec<Algorithm>,
    /// Where a JSON Web Key Set is fetched.
    pub jwks_url: String,
    /// Lets that address begin with http, for another host than this one.
    pub allow_insecure: bool,
    /// A file with a JSON Web Key Set.
    pub jwks_file: String,
    /// A PEM file with one public key.
    pub public_key_file: String,
    /// A shared secret.
    pub secret: SecretString,
    /// Where all its users belong.
    pub organization: String,
    /// The claim that says where a user belongs.
    pub organization_claim: String,
    /// What its tokens can carry at most; by default everything where there is no other issuer, else nothing.
    pub may_grant: Option<Vec<Permission>>,
    /// Whether roles of its tokens can hold in every organisation; the same default.
    pub everywhere: Option<bool>,
    /// The organisations in which a role must be given to hold in every one, where roles are listed with
    /// their organisations.
    pub home_organizations: Vec<String>,
    /// The claim with the roles.
    pub roles_claim: String,
    /// Whether scopes give rights.
    pub scopes_grant: bool,
}

impl IssuerSection {
    /// Whether tokens that are for nobody in particular are accepted.
    pub fn takes_any_audience(&self) -> bool {
        self.audiences.is_empty() && self.audience_required == Some(false)
    }

    /// Whether its tokens say where a user belongs.
    pub fn claim_decides(&self) -> bool {
        self.organization.is_empty()
    }
}

/// How far the tokens of one issuer are believed, beside the others that there are.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Where all its users belong, unless a claim says it.
    pub organization: Option<String>,
    /// Which claim, unless it is one of those that are looked for.
    pub organization_claim: Option<String>,
    /// Where a user belongs whose token does not say; `None` where it must.
    pub default_organization: Option<String>,
    /// Organisations whose users are all another issuer's.
    pub foreign: BTreeSet<String>,
    /// What its tokens can carry at most.
    pub may_grant: Rights,
    /// Whether roles can hold in every organisation.
    pub everywhere: bool,
    /// Where a role must be given for that.
    pub home_organizations: BTreeSet<String>,
    /// The claim with the roles, unless it is the usual one.
    pub roles_claim: Option<String>,
    /// Whether scopes give rights.
    pub scopes_grant: bool,
}

impl AuthSection {
    /// How far the tokens of an issuer are believed. `default_organization` is that of tokens that name
    /// none.
    pub fn trust(&self, name: &str, issuer: &IssuerSection, default_organization: &str) -> Trust {
        let alone = self.issuers.len() == 1;
        let others = || {
            let others = self.issuers.iter().filter(|(other, _)| *other != name);
            others.map(|(_, other)| other)
        };
        // Only one issuer's users can be those of the organisation that nobody names.
        let shares_default = |other: &IssuerSection| {
            other.claim_decides() || other.organization == default_organization
        };
        let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        Trust {
            organization: given(&issuer.organization),
            organization_claim: given(&issuer.organization_claim),
            default_organization: (!others().any(shares_default))
                .then(|| default_organization.to_owned()),
            foreign: others()
                .filter_map(|other| given(&other.organization))
                .collect(),
            may_grant: match &issuer.may_grant {
                Some(permissions) => permissions.iter().map(|p| p.right()).collect(),
                None if alone => Rights::ALL,
                None => Rights::NONE,
            },
            everywhere: issuer.everywhere.unwrap_or(alone),
            home_organizations: issuer.home_organizations.iter().cloned().collect(),
            roles_claim: given(&issuer.roles_claim),
            scopes_grant: issuer.scopes_grant,
        }
    }

    /// Pairs of issuers whose tokens could name the same organisations, which only they can rule out.
    pub fn overlaps(&self) -> Vec<(&str, &str)> {
        let deciding: Vec<&str> = self
            .issuers
            .iter()
            .filter(|(_, issuer)| issuer.claim_decides())
            .map(|(name, _)| name.as_str())
            .collect();
        deciding
            .iter()
            .enumerate()
            .flat_map(|(at, one)| deciding[at + 1..].iter().map(move |other| (*one, *other)))
            .collect()
    }
}
