//! The load generator's command line: one measurement, a flood, the yardstick, seeding, the cost of a number, or
//! all of the benchmark.

mod answer;
mod aside;
mod bench;
mod connection;
mod delay;
mod drain;
mod echo;
mod fetch;
mod fixture;
mod ids;
mod lists;
mod numbers;
mod overload;
mod process;
mod proto;
mod reply;
mod report;
mod request;
mod run;
mod scenario;
mod seed;
mod server;
mod silence;
mod single;
mod stub;

use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tokio::runtime::Builder;

use crate::bench::BenchArguments;
use crate::numbers::Cost;
use crate::overload::{Flood, overload};
use crate::report::two;
use crate::seed::{SeedDatabase, SeedWith};
use crate::server::Setup;
use crate::single::RunArguments;

/// Measures ringback: closed loops over many connections, every reply checked.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// One scenario, one protocol, one number of connections
    Run(RunArguments),
    /// More connections than a lane has room for
    Overload {
        /// The program to measure
        #[arg(long, value_name = "FILE", default_value = "target/release/ringback")]
        server: PathBuf,
        /// The database to use; a throw-away SQLite file unless given
        #[arg(long, value_name = "URL")]
        database_url: Option<String>,
        /// How many connections flood it
        #[arg(long, value_name = "N", default_value_t = 2_000)]
        connections: usize,
        /// How long the flood lasts
        #[arg(long, value_name = "SECONDS", default_value_t = 4)]
        seconds: u64,
        /// How long a refused caller waits; the server asks for 1,000
        #[arg(long, value_name = "MILLISECONDS", default_value_t = 100)]
        pause: u64,
    },
    /// Puts users with numbers into a database whose tables `ringback migrate` made
    Seed {
        /// As `database.url`
        #[arg(long, value_name = "URL")]
        database_url: String,
        /// How many
        #[arg(long, value_name = "N", default_value_t = 1_000_000)]
        accounts: u64,
    },
    /// The yardstick for the transport: serves a bare gRPC echo and prints its address
    Echo {
        /// Where to listen
        #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
        listen: SocketAddr,
    },
    /// A network between this machine and itself: hands on every connection, each way so much later
    Delay {
        /// Whom to hand on to, such as 127.0.0.1:5432
        #[arg(long, value_name = "ADDRESS:PORT")]
        to: SocketAddr,
        /// Where to listen
        #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// How much later
        #[arg(long, value_name = "MILLISECONDS", default_value_t = 1)]
        milliseconds: u64,
    },
    /// How long the reading of one phone number takes
    Numbers {
        /// How often each number of the mix is read
        #[arg(long, value_name = "N", default_value = "100000")]
        rounds: NonZeroU32,
    },
    /// Everything beside its yardsticks, as tables (scripts/bench runs it)
    Bench(BenchArguments),
}

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    let mut builder = match command {
        // The echo has what the server has. The generator makes do with one thread: it wakes no other.
        Command::Echo { .. } => Builder::new_multi_thread(),
        _ => Builder::new_current_thread(),
    };
    let done = match builder.enable_all().build() {
        Ok(runtime) => runtime.block_on(act(command)),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("ringback-load: some replies were wrong");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("ringback-load: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Says whether every reply was right.
async fn act(command: Command) -> anyhow::Result<bool> {
    match command {
        Command::Run(arguments) => single::run(arguments).await,
        Command::Bench(arguments) => bench::run(arguments).await,
        Command::Echo { listen } => echo::serve(listen).await.map(|()| true),
        Command::Delay {
            to,
            listen,
            milliseconds,
        } => {
            let listener = TcpListener::bind(listen)?;
            println!("{}", listener.local_addr()?);
            // Linux wakes sleepers up to 50 µs late, unless it is told otherwise; its word is enough.
            drop(std::fs::write("/proc/self/timerslack_ns", "1"));
            // Nothing else runs here that it could hold up.
            delay::serve(&listener, to, Duration::from_millis(milliseconds))?;
            Ok(true)
        }
        Command::Overload {
            server,
            database_url,
            connections,
            seconds,
            pause,
        } => {
            // One lane, so that one bound is what meets the flood.
            let setup =
                Setup::new(&fixture::program(&server)?, database_url.as_deref())?.with_lanes(1);
            let flood = Flood {
                connections,
                seconds: Duration::from_secs(seconds),
                pause: Duration::from_millis(pause),
            };
            let found = overload(&setup, flood).await?;
            print!("{}", found.table(connections));
            println!(
                "kept {} of the best, recovered to {}",
                two(found.kept()),
                two(found.recovered())
            );
            Ok(found.failures() == 0)
        }
        Command::Numbers { rounds } => {
            print!("{}", Cost::measure(rounds.get())?.table());
            Ok(true)
        }
        Command::Seed {
            database_url,
            accounts,
        } => {
            let mut database = SeedDatabase::open(&database_url).await?;
            let began = std::time::Instant::now();
            database.seed(0..accounts, SeedWith::Number).await?;
            database.settle().await?;
            database.close().await?;
            println!(
                "{accounts} accounts in {:.1} s",
                began.elapsed().as_secs_f64()
            );
            Ok(true)
        }
    }
}
