//! `ringback token`: prints a token for the service that `ringback dev` runs.

use std::path::PathBuf;
use std::time::Duration;

use crate::app::source;
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
    #[arg(long, value_name = "SECONDS", default_value_t = 3_600)]
    ttl: u64,
}

/// Prints a signed token and nothing else.
pub fn token(arguments: TokenArguments) -> anyhow::Result<()> {
    let home = DevHome::existing(&arguments.data_dir)?;
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
