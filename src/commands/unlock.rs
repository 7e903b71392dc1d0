//! `ringback unlock`: lets a locked account guess again.

use ringback_core::rights::Rights;
use ringback_core::{Action, Change, Command};
use serde_json::json;

use super::operator;
use super::place::DatabaseArguments;
use super::remote::ServerArguments;
use crate::config::Config;

/// `ringback unlock`
#[derive(clap::Args)]
pub struct UnlockArguments {
    /// The user id
    #[arg(long, value_name = "ID")]
    user: String,
    /// The user's organisation
    #[arg(long, value_name = "ORG")]
    org: Option<String>,
    #[command(flatten)]
    database: DatabaseArguments,
    #[command(flatten)]
    server: ServerArguments,
}

/// Forgets wrong codes and pauses of all the account's numbers, and puts that on record.
pub async fn unlock(arguments: UnlockArguments) -> anyhow::Result<()> {
    let UnlockArguments {
        user,
        org,
        database,
        server,
    } = arguments;
    match server.server(org.as_deref())? {
        Some(server) => {
            let path = "/ringback.phone.v1.PhoneService/UnlockUser";
            server.ask(path, &json!({ "userId": user })).await?;
        }
        None => change_database(&database, &user, org).await?,
    }
    println!("{user} may guess again");
    Ok(())
}

async fn change_database(
    database: &DatabaseArguments,
    user: &str,
    organization: Option<String>,
) -> anyhow::Result<()> {
    let (config, store) = database.open(Config::check_database).await?;
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
