//! The command line: one arm for each subcommand, nothing else.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::commands;
use crate::config::ConfigError;
use clap::{Parser, Subcommand};

/// Phone numbers of users, proven: sets, verifies, resends, removes and lists them over gRPC, gRPC-web,
/// Connect and JSON.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Try it out: everything in one process, an SQLite database, messages in an inbox
    Dev {
        /// Where to listen; this machine only
        #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080", value_parser = listen)]
        listen: SocketAddr,
        /// Keys, database and dev.json; made at first start
        #[arg(long, value_name = "DIR", default_value = "./ringback-data")]
        data_dir: PathBuf,
        /// Another database, such as postgres://me@localhost/ringback
        #[arg(long, value_name = "URL")]
        database_url: Option<String>,
        /// Serve https, with a certificate for this machine that is made at first start
        #[arg(long)]
        tls: bool,
    },
    /// Serve every API, and deliver
    Serve {
        /// Comes over the defaults, which `ringback config` prints; RINGBACK_SECTION__KEY comes over both
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Leave delivering to `ringback worker`
        #[arg(long)]
        no_worker: bool,
        /// Start only on tables that are up to date, as `ringback migrate` leaves them; needs no right to
        /// make tables
        #[arg(long)]
        no_migrate: bool,
    },
    /// Only deliver
    Worker {
        /// As for `serve`
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Bring the database's tables up to date, and end
    Migrate {
        /// As for `serve`
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Copy an SQLite database into a new file while it is in use
    Backup(commands::BackupArguments),
    /// Write all users and their numbers to a file that `ringback import` reads
    Export(commands::ExportArguments),
    /// Forget a user: the account and every trace of it
    Erase(commands::EraseArguments),
    /// Bring users and their numbers over: of `ringback export`, Auth0, Firebase, Cognito or Clerk
    Import(commands::ImportArguments),
    /// Say what is wrong with configuration, database, issuers or routes; make nothing and send nothing
    Check {
        /// As for `serve`
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Say only who this token is and what it may, or why it is refused; "-" reads it from standard
        /// input
        #[arg(long, value_name = "TOKEN")]
        token: Option<String>,
    },
    /// List text messages and what became of them, or have one tried again
    Messages(commands::MessagesArguments),
    /// List what happened to accounts, or follow it
    Events(commands::EventsArguments),
    /// Say whether the record of events is as it was written, or print the key that it is signed with
    #[command(subcommand)]
    Audit(commands::AuditCommand),
    /// Send one text over one route, and say what came of it
    SmsTest(commands::SmsTestArguments),
    /// Print every key of the configuration with its default and what it means
    Config {
        /// Print the settings in effect instead, and where each came from: defaults, this file (/dev/null for
        /// none) and the environment. Secrets are hidden
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// See what the guard holds back, let it pass, or try other rules on what was decided before
    #[command(subcommand)]
    Guard(commands::GuardCommand),
    /// Let a user guess again who is locked after too many wrong codes; forgets wrong codes and pauses
    Unlock(commands::UnlockArguments),
    /// Print a token for the service that `ringback dev` runs
    Token(commands::TokenArguments),
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    let rule = "must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080, and no name";
    text.parse().map_err(|_| rule.to_owned())
}

/// Whoever reads our output may have had enough of it, such as `head`: then we end, too, without a word.
fn end_with_the_reader() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload().downcast_ref::<String>();
        let gone = |said: &String| {
            said.starts_with("failed printing to stdout") && said.contains("Broken pipe")
        };
        if said.is_some_and(gone) {
            std::process::exit(0);
        }
        usual(panic);
    }));
}

/// Reads the command line and does what it says.
#[tokio::main]
pub async fn main() -> ExitCode {
    end_with_the_reader();
    let done = match Arguments::parse().command {
        Command::Dev {
            listen,
            data_dir,
            database_url,
            tls,
        } => commands::dev(listen, data_dir, database_url, tls).await,
        Command::Serve {
            config,
            no_worker,
            no_migrate,
        } => commands::serve(config, !no_worker, !no_migrate).await,
        Command::Worker { config } => commands::worker(config).await,
        Command::Migrate { config } => commands::migrate(config).await,
        Command::Backup(arguments) => commands::backup(arguments).await,
        Command::Export(arguments) => commands::export(arguments).await,
        Command::Erase(arguments) => commands::erase(arguments).await,
        Command::Import(arguments) => commands::import(arguments).await,
        Command::Check {
            config,
            token: None,
        } => commands::check(config).await,
        Command::Check {
            config,
            token: Some(token),
        } => commands::check_token(config, token).await,
        Command::Messages(arguments) => commands::messages(arguments).await,
        Command::Events(arguments) => commands::events(arguments).await,
        Command::Audit(command) => commands::audit(command).await,
        Command::SmsTest(arguments) => commands::sms_test(arguments).await,
        Command::Config { config } => commands::config(config),
        Command::Guard(command) => commands::guard(command).await,
        Command::Unlock(arguments) => commands::unlock(arguments).await,
        Command::Token(arguments) => commands::token(arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ringback: {error:#}");
            if error.is::<ConfigError>() {
                eprintln!("`ringback config` explains every key");
            }
            ExitCode::FAILURE
        }
    }
}
