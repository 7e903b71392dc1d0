//! `ringback token`: prints a token for the service that `ringback dev` runs.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;

use super::of_data_dir;
use crate::app::source;
use crate::config::Permission;
use crate::dev::{DevHome, TokenRequest};

/// `ringback token`
#[derive(clap::Args)]
pub struct TokenArguments {
    /// The data directory that `ringback dev` made
    #[arg(long, value_name = "DIR", default_value = "./ringback-data")]
    data_dir: PathBuf,
    /// The user id
    #[arg(long, value_name = "ID")]
    sub: String,
    /// The user's organisation
    #[arg(long, value_name = "ORG")]
    org: Option<String>,
    /// A role, such as ORG_OWNER; may be given more than once
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// A permission, such as user.read; may be given more than once
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Vec<String>,
    /// A scope; may be given more than once
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// How long the token lives
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600, value_parser = clap::value_parser!(u64).range(1..=315_360_000))]
    ttl: u64,
}

/// Refuses roles and permissions that would give nothing; of a scope, which others may read, it only says so.
fn check_rights(arguments: &TokenArguments) -> anyhow::Result<()> {
    let (roles, scopes) = (&arguments.roles, &arguments.scopes);
    let permissions = Permission::ALL.map(Permission::name);
    let known = permissions.join(", ");
    for permission in &arguments.permissions {
        if !permissions.contains(&permission.as_str()) {
            bail!("--permission: there is no {permission:?}; there are {known}");
        }
    }
    if roles.is_empty() && scopes.is_empty() {
        return Ok(());
    }
    let config = of_data_dir(&arguments.data_dir)?;
    for role in roles {
        if !config.auth.roles.contains_key(role) {
            let known: Vec<_> = config.auth.roles.keys().map(String::as_str).collect();
            let known = known.join(", ");
            bail!(
                "--role: there is no {role:?}; there are {known}, and those of RINGBACK_AUTH__ROLES__NAME"
            );
        }
    }
    let required = &config.reachfive.required_scope;
    for scope in scopes {
        if !permissions.contains(&scope.as_str()) && scope != required {
            eprintln!(
                "--scope {scope} gives no right here: {known} do, and {required} at ReachFive's API"
            );
        }
    }
    Ok(())
}

/// Prints a signed token and nothing else.
pub fn token(arguments: TokenArguments) -> anyhow::Result<()> {
    let home = DevHome::existing(&arguments.data_dir)?;
    check_rights(&arguments)?;
    let request = TokenRequest {
        sub: arguments.sub,
        org: arguments.org,
        roles: arguments.roles,
        permissions: arguments.permissions,
        scopes: arguments.scopes,
        ttl: Duration::from_secs(arguments.ttl),
    };
    println!("{}", home.token(&request, (source().now)())?);
    Ok(())
}
