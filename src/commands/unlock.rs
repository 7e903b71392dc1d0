//! `ringback unlock`: lets a locked account guess again.

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use ringback_core::rights::Rights;
use ringback_core::{Action, Caller, Change, Command};
use serde_json::{Value, json};

use super::load;
use crate::app::{self, Tables, source};
use crate::config::{AddressError, is_loopback, web_address};

/// Who the events name when the command wrote to the database itself.
const ACTOR: &str = "ringback unlock";
/// How long a running server may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// `ringback unlock`
#[derive(clap::Args)]
pub struct UnlockArguments {
    /// The user id
    #[arg(long, value_name = "ID")]
    user: String,
    /// The user's organisation
    #[arg(long, value_name = "ORG")]
    org: Option<String>,
    /// As for `serve`: works on the database itself
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    config: Option<PathBuf>,
    /// A running server in place of the database, by its address
    #[arg(long, value_name = "https://HOST", requires = "token")]
    url: Option<String>,
    /// A token with user.write for it; `-` reads it from standard input
    #[arg(long, value_name = "TOKEN", requires = "url")]
    token: Option<String>,
    /// Lets --url begin with http, for another host than this one: the token can be read on the way
    #[arg(long, requires = "url")]
    allow_insecure: bool,
}

/// Forgets wrong codes and pauses of all the account's numbers, and puts that on record.
pub async fn unlock(arguments: UnlockArguments) -> anyhow::Result<()> {
    let UnlockArguments {
        user,
        org,
        config,
        url,
        token,
        allow_insecure,
    } = arguments;
    match (url, token) {
        (Some(url), Some(token)) => {
            let server = (url.as_str(), allow_insecure);
            ask_server(server, &token, &user, org.as_deref()).await?;
        }
        _ => change_database(config, &user, org).await?,
    }
    println!("{user} may guess again");
    Ok(())
}

async fn change_database(
    file: Option<PathBuf>,
    user: &str,
    organization: Option<String>,
) -> anyhow::Result<()> {
    let config = load(file)?;
    config.check_database()?;
    let store = app::open(&config, source()).await?;
    Tables::AsTheyAre.make_ready(&store).await?;
    let everywhere = organization.is_none();
    let home = organization.unwrap_or_else(|| config.accounts.default_organization.clone());
    let rights = Rights {
        write: true,
        ..Rights::NONE
    };
    let mut caller = Caller::new(ACTOR, home.clone());
    match everywhere {
        true => caller.everywhere = rights,
        false => caller.local = [(home, rights)].into(),
    }
    let command = Command {
        caller,
        account: user.to_owned(),
        action: Action::Change(Change::Unlock),
    };
    let done = store.execute(command, None).await;
    done.with_context(|| format!("user {user}"))?;
    Ok(())
}

async fn ask_server(
    (url, allow_insecure): (&str, bool),
    token: &str,
    user: &str,
    organization: Option<&str>,
) -> anyhow::Result<()> {
    let mut token = token.to_owned();
    if token == "-" {
        token.clear();
        std::io::stdin()
            .read_to_string(&mut token)
            .context("--token -")?;
    }
    let url = format!(
        "{}/ringback.phone.v1.PhoneService/UnlockUser",
        url.trim_end_matches('/')
    );
    // The token travels there.
    let address = web_address(&url, allow_insecure).map_err(|error| match error {
        AddressError::Insecure { .. } => anyhow!("--url {error}, or add --allow-insecure"),
        error => anyhow!("--url {error}"),
    })?;
    let mut client = reqwest::Client::builder().timeout(TIMEOUT);
    if is_loopback(&address) {
        client = client.no_proxy();
    }
    let mut request = client
        .build()?
        .post(address)
        .bearer_auth(token.trim())
        .json(&json!({ "userId": user }));
    if let Some(organization) = organization {
        request = request.header("x-zitadel-orgid", organization);
    }
    let response = request
        .send()
        .await
        .with_context(|| format!("--url: {url} cannot be reached"))?;
    let status = response.status();
    if status.is_success() {
        return Ok(());
    }
    let told: Value = response.json().await.unwrap_or_default();
    let reason = told["message"].as_str().unwrap_or("no reason was given");
    bail!("the server refused with {status}: {reason}")
}
