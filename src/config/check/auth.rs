//! What must hold of whose tokens are accepted.

use std::collections::BTreeMap;

use jsonwebtoken::{Algorithm, AlgorithmFamily};
use secrecy::ExposeSecret;

use crate::config::address::web_address;
use crate::config::{Config, ConfigError, IssuerSection};

impl Config {
    pub(super) fn judge_auth(&self, error: &mut ConfigError) {
        let auth = &self.auth;
        if auth.leeway_seconds > 300 {
            error.add("auth.leeway_seconds", "must be at most 300");
        }
        for role in &auth.everywhere_roles {
            if !auth.roles.contains_key(role) {
                error.add(
                    "auth.everywhere_roles",
                    format!("names the role {role}, which auth.roles does not list"),
                );
            }
        }
        if auth.issuers.is_empty() {
            error.add(
                "auth.issuers",
                "is missing; add [auth.issuers.main] with issuer, audiences, algorithms and one of \
                 jwks_url, jwks_file, public_key_file and secret (RINGBACK_AUTH__ISSUERS__MAIN__ISSUER and so on)",
            );
        }
        for (name, issuer) in &auth.issuers {
            judge_issuer(&format!("auth.issuers.{name}"), issuer, error);
            let same = |(other, section): (&String, &IssuerSection)| {
                other < name && section.issuer == issuer.issuer
            };
            if !issuer.issuer.is_empty() && auth.issuers.iter().any(same) {
                error.add(
                    format!("auth.issuers.{name}.issuer"),
                    "is also that of another entry; each issuer can be configured once",
                );
            }
        }
        judge_organizations(&auth.issuers, error);
    }
}

/// Each organisation has one issuer: users of the same id from two of them would be one user.
fn judge_organizations(issuers: &BTreeMap<String, IssuerSection>, error: &mut ConfigError) {
    if issuers.len() < 2 {
        return;
    }
    for (name, issuer) in issuers {
        let place = format!("auth.issuers.{name}.organization");
        if issuer.organization.is_empty() && issuer.organization_claim.is_empty() {
            error.add(
                place,
                "is missing; with several issuers each says where its users belong: set organization to the \
                 one organisation that they all belong to, or organization_claim to the claim that says it",
            );
            continue;
        }
        let same = issuers.iter().find(|(other, section)| {
            *other < name
                && !issuer.organization.is_empty()
                && section.organization == issuer.organization
        });
        if let Some((other, _)) = same {
            error.add(
                place,
                format!(
                    "is also that of the issuer {other}, so that users of the same id would be one user; \
                     give one of the two another organization"
                ),
            );
        }
    }
}

fn judge_home(place: &str, issuer: &IssuerSection, error: &mut ConfigError) {
    if !issuer.organization.is_empty() && !issuer.organization_claim.is_empty() {
        error.add(
            format!("{place}.organization_claim"),
            "is not read where organization is set; leave out one of the two",
        );
    }
    let names = [&issuer.organization]
        .into_iter()
        .chain(&issuer.home_organizations);
    for name in names {
        if name.chars().count() > 200 || name.chars().any(char::is_control) {
            error.add(
                place,
                "an organisation must have 1 to 200 printable characters",
            );
        }
    }
    if issuer.home_organizations.iter().any(String::is_empty) {
        error.add(
            format!("{place}.home_organizations"),
            "holds an empty name; list organisations, or leave it out",
        );
    }
}

fn judge_issuer(place: &str, issuer: &IssuerSection, error: &mut ConfigError) {
    if issuer.issuer.is_empty() {
        error.add(
            format!("{place}.issuer"),
            "is missing; set it to the `iss` of the tokens",
        );
    }
    let no_audience = issuer.audiences.is_empty() && !issuer.takes_any_audience();
    if no_audience || issuer.audiences.iter().any(String::is_empty) {
        error.add(
            format!("{place}.audiences"),
            "is missing or empty; list what the tokens' `aud` may hold, or set audience_required = false \
             where tokens for anybody shall do",
        );
    }
    judge_home(place, issuer, error);
    judge_keys(place, issuer, error);
}

/// The algorithms, and the one source of keys that fits them.
fn judge_keys(place: &str, issuer: &IssuerSection, error: &mut ConfigError) {
    if issuer.algorithms.is_empty() {
        error.add(
            format!("{place}.algorithms"),
            "is missing; list the algorithms of the tokens, such as [\"RS256\"]",
        );
    }
    let secret = issuer.secret.expose_secret();
    let sources = [
        &issuer.jwks_url,
        &issuer.jwks_file,
        &issuer.public_key_file,
        secret,
    ];
    if sources.iter().filter(|source| !source.is_empty()).count() != 1 {
        error.add(
            place,
            "set exactly one of jwks_url, jwks_file, public_key_file and secret",
        );
        return;
    }
    if !issuer.jwks_url.is_empty()
        && let Err(wrong) = web_address(&issuer.jwks_url, issuer.allow_insecure)
    {
        let allow = format!("{place}.allow_insecure");
        error.add(format!("{place}.jwks_url"), wrong.unless(&allow));
    }
    if !secret.is_empty() && secret.len() < 32 {
        error.add(
            format!("{place}.secret"),
            "must have at least 32 characters (RFC 7518, section 3.2)",
        );
    }
    let fits =
        |algorithm: &Algorithm| (algorithm.family() == AlgorithmFamily::Hmac) != secret.is_empty();
    if !issuer.algorithms.iter().all(fits) {
        error.add(
            format!("{place}.algorithms"),
            "HS256, HS384 and HS512 go with secret, all others with public keys",
        );
    }
    let mut families = issuer.algorithms.iter().map(|algorithm| algorithm.family());
    let first = families.next();
    if !issuer.public_key_file.is_empty() && families.any(|family| Some(family) != first) {
        error.add(
            format!("{place}.algorithms"),
            "must all be of the kind of the one key in public_key_file",
        );
    }
}
