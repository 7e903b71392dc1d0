//! What each subcommand does.

mod audit;
mod backup;
mod check;
mod config;
mod dev;
mod erase;
mod events;
mod export;
mod guard;
mod import;
mod messages;
mod migrate;
mod person;
mod place;
mod remote;
mod serve;
mod sms_test;
mod token;
mod unlock;
mod worker;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ringback_core::rights::Rights;
use ringback_core::{Caller, Refusal};
use tokio::net::TcpListener;

use crate::app;
use crate::config::{Config, ConfigError, environment, log_passed_over};
use crate::dev::DevHome;
use crate::telemetry;
pub use audit::{AuditCommand, audit};
pub use backup::{BackupArguments, backup};
pub use check::{check, check_token};
pub use config::config;
pub use dev::dev;
pub use erase::{EraseArguments, erase};
pub use events::{EventsArguments, events};
pub use export::{ExportArguments, export};
pub use guard::{GuardCommand, guard};
pub use import::{ImportArguments, import};
pub use messages::{MessagesArguments, messages};
pub use migrate::migrate;
pub use serve::serve;
pub use sms_test::{SmsTestArguments, sms_test};
pub use token::{TokenArguments, token};
pub use unlock::{UnlockArguments, unlock};
pub use worker::worker;

/// One line in the log, because a database that was not asked for is found by nobody.
fn say_which_database(config: &Config) {
    let database = ringback_store::describe(&app::settings(config));
    tracing::info!(database, "using the database that database.url names");
}

fn load(file: Option<PathBuf>) -> anyhow::Result<Config> {
    Ok(Config::load(file.as_deref(), environment())?)
}

/// Whoever works on the database itself, as events name them: in one organisation, or in any.
fn operator(name: &str, organization: Option<String>, default: &str, rights: Rights) -> Caller {
    let Some(organization) = organization else {
        let mut caller = Caller::new(name, default);
        caller.everywhere = rights;
        return caller;
    };
    Caller::new(name, organization).with_rights(rights)
}

/// Why nothing can be done about a user, as a command says it.
fn about_user(user: &str, refusal: Refusal) -> anyhow::Error {
    match refusal {
        Refusal::AccountAmbiguous => anyhow::anyhow!(
            "user {user}: users of several organisations have this id; name one with --org"
        ),
        refusal => anyhow::Error::from(refusal).context(format!("user {user}")),
    }
}

/// A text for one line of a terminal: ids may hold what would move its cursor or begin another line.
fn on_a_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
    }
    line
}

/// The configuration of a data directory that `ringback dev` made.
fn of_data_dir(dir: &Path) -> anyhow::Result<Config> {
    let home = DevHome::existing(dir)?;
    of_dev(home.config(SocketAddr::from(([127, 0, 0, 1], 0)), None))
}

/// The configuration of `ringback dev`, which the environment may have spoilt.
fn of_dev(config: Result<Config, ConfigError>) -> anyhow::Result<Config> {
    let set: Vec<_> = environment()
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("RINGBACK_"))
        .collect();
    match config {
        Err(error) if !set.is_empty() => Err(anyhow::Error::from(error).context(format!(
            "the environment counts for `ringback dev`, too: unset what is meant for another configuration ({})",
            set.join(", ")
        ))),
        config => Ok(config?),
    }
}

fn begin_log(config: &Config) -> anyhow::Result<()> {
    telemetry::init(&config.log)?;
    log_passed_over(environment());
    Ok(())
}

/// Listens where `named`, an option or a key, says.
async fn bind(listen: SocketAddr, named: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(listen).await.map_err(|error| {
        let advice = match error.kind() {
            ErrorKind::AddrInUse => {
                "another program listens there, perhaps another ringback: end it, or choose another port"
            }
            ErrorKind::AddrNotAvailable => {
                "this machine has no such address: use one of its own, or 0.0.0.0 for all"
            }
            ErrorKind::PermissionDenied => "choose a port of 1024 or more, or run it with the right to",
            _ => "choose another address",
        };
        anyhow::anyhow!("{named}: cannot listen on {listen}: {error}; {advice}")
    })
}
