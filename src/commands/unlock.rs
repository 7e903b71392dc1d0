//! `ringback unlock`: lets a locked account guess again.

use std::path::PathBuf;

use ringback_core::rights::Rights;
use ringback_core::{Action, Change, Command};
use serde_json::json;

use super::remote::ServerArguments;
use super::{load, operator};
use crate::app::{self, Tables, source};

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
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArguments,
}

/// Forgets wrong codes and pauses of all the account's numbers, and puts that on record.
pub async fn unlock(arguments: UnlockArguments) -> anyhow::Result<()> {
    let UnlockArguments {
        user,
        org,
        config,
        server,
    } = arguments;
    match server.server(org.as_deref())? {
        Some(server) => {
            let path = "/ringback.phone.v1.PhoneService/UnlockUser";
            server.ask(path, &json!({ "userId": user })).await?;
        }
        None => change_database(config, &user, org).await?,
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
    let rights = Rights {
        write: true,
        ..Rights::NONE
    };
    let default = &config.accounts.default_organization;
    let caller = operator("ringback unlock", organization, default, rights);
    let command = Command {
        caller,
        account: user.to_owned(),
        action: Action::Change(Change::Unlock),
    };
    let done = store.execute(command, None).await;
    done.map_err(|refusal| super::about_user(user, refusal))?;
    Ok(())
}
