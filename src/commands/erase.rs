//! `ringback erase`: forgets a user.

use anyhow::Context;
use ringback_core::rights::Rights;
use serde_json::json;

use super::place::DatabaseArguments;
use super::remote::ServerArguments;
use crate::config::Config;

/// `ringback erase`
#[derive(clap::Args)]
pub struct EraseArguments {
    /// The user id
    #[arg(long, value_name = "ID")]
    user: String,
    /// The user's organisation
    #[arg(long, value_name = "ORG")]
    org: Option<String>,
    #[command(flatten)]
    database: DatabaseArguments,
    /// Writes an SQLite file of more than 64 MiB anew, too: nobody writes meanwhile, for a second or so each 64 MiB
    #[arg(long, conflicts_with = "url")]
    compact: bool,
    #[command(flatten)]
    server: ServerArguments,
}

/// Deletes the account and every trace of its user.
pub async fn erase(arguments: EraseArguments) -> anyhow::Result<()> {
    let EraseArguments {
        user,
        org,
        database,
        compact,
        server,
    } = arguments;
    let known = if let Some(server) = server.server(org.as_deref())? {
        let asked = json!({ "userId": user });
        let path = "/ringback.phone.v1.PhoneService/EraseUser";
        let told = server.ask(path, &asked).await?;
        told["wasKnown"] == true
    } else {
        let (config, store) = database.open(Config::check_database).await?;
        let rights = Rights {
            delete: true,
            ..Rights::NONE
        };
        let default = &config.accounts.default_organization;
        let caller = super::operator("ringback erase", org, default, rights);
        let erased = store.erase(&caller, &user, None).await;
        let erased = erased.map_err(|refusal| super::about_user(&user, refusal))?;
        if compact && !erased.is_whole {
            store.compact().await.context("--compact")?;
        } else if !erased.is_whole {
            eprintln!(
                "the database's file is large: parts of what was erased may stay in unused room of it until \
                 somebody writes there, or --compact writes it anew"
            );
        }
        erased.was_there
    };
    match known {
        true => println!("{user} is forgotten"),
        false => println!("no user {user} is known; what was left of one is forgotten"),
    }
    Ok(())
}
