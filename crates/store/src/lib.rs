//! What ringback remembers, and how: commands are decided on lanes, many to a commit.
//!
//! [`Store::execute`] is the only way to change an account, [`Store::read`] the only way to see one. A command
//! waits on a lane, where whatever waits is read for, decided by [`ringback_core::decide`] and written
//! together, and answered only then. sea-orm, and with it the database, is known here and nowhere else.
//!
//! | job | where |
//! | --- | --- |
//! | connections: made, bounded in time, thrown away | `dial`, `session`, `line`, `health`, `pooler` |
//! | commands | `queues`, `lane`, `share`, `batch`, `meant`, `load`, `notes`, `changes` |
//! | whether all this works | `readiness` |
//! | statements | `sql`, `writes`, `table`, `rows`, `entity` |
//! | one account, lists | `lookup`, `lists`, `turns`, `matching`, `fold` |
//! | what the guard knows | `guard` |
//! | many accounts at once, one account no more | `moving`, `kept`, `erase` |
//! | messages | `messages`, `direct`, `settle`, `give_back`, `history`, `receipts`, `opt_outs`, `conversion`, `wakeups` |
//! | events on record | `journal` |
//! | what nobody waits for any more | `tidy` |
//! | tables and files | `schema`, `migration`, `inspect`, `files`, `backup`, `checkpoint`, `compact`, `reserve` |

mod address;
mod admission;
mod backup;
mod batch;
mod changes;
mod checkpoint;
mod compact;
mod conversion;
mod dial;
mod direct;
mod entity;
mod erase;
mod fault;
mod files;
mod fold;
mod give_back;
mod guard;
mod health;
mod history;
mod idempotency;
mod inspect;
mod journal;
mod kept;
mod lane;
mod line;
mod lists;
mod load;
mod lookup;
mod matching;
mod meant;
mod message_events;
mod messages;
mod migration;
mod moving;
mod notes;
mod opt_outs;
mod pooler;
mod query;
#[cfg(test)]
mod query_plans;
mod queues;
mod readiness;
mod receipts;
mod reserve;
mod retry;
mod rows;
mod sample;
mod schema;
mod session;
mod settle;
mod share;
mod sql;
mod store;
mod table;
mod tidy;
mod trial;
mod wakeups;
mod writes;

use std::sync::Arc;
use std::time::Duration;

use ringback_core::{Keys, Policies, Time};

use crate::fault::Fault;

pub use backup::{BackupError, backup};
pub use direct::{Direct, Place};
pub use erase::Erased;
pub use guard::{RecordedPage, RecordedPlace};
pub use health::Throttle;
pub use history::{MessageQuery, MessageRecord};
pub use idempotency::{Known, with_cost};
pub use inspect::{Inspection, describe, inspect, missing_file};
pub use journal::{
    Backlog, EndpointState, EventPage, EventQuery, EventRecord, Finding, Parked, Progress,
    Sequenced, Turn, Verified, Wrong, audit_key,
};
pub use kept::{Kept, RecordedEvent};
pub use messages::{Claimed, Waiting};
pub use migration::{LaterStep, take_later_steps};
pub use moving::{Accounts, Imported, Incoming, IncomingPhone, IncomingState};
pub use query::{
    AccountFilter, AccountPage, AccountQuery, AccountSort, PhoneListPage, PhoneListQuery,
    PhonePage, PhoneQuery, PhoneRow, PhoneSort, TextMatch, TextPlace,
};
pub use receipts::Noted;
pub use retry::NotRetried;
pub use settle::{Settled, Settlement};
pub use store::{Store, migrate};

/// What decisions depend on, the same for every command.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The rules and limits.
    pub policies: Policies,
    /// The secrets.
    pub keys: Keys,
}

/// Where time and randomness come from, so that tests can set both.
#[derive(Clone)]
pub struct Source {
    /// The current time.
    pub now: Arc<dyn Fn() -> Time + Send + Sync>,
    /// 32 bytes of a cryptographic generator, new at each call.
    pub seed: Arc<dyn Fn() -> [u8; 32] + Send + Sync>,
}

/// Which database, and how hard to use it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `sqlite:FILE` or `postgres://USER:PASSWORD@HOST/NAME`.
    pub url: String,
    /// Lanes; 0 for the best number: one on SQLite, where a second would only wait; on PostgreSQL one, or two
    /// where there are four processors or more.
    pub lanes: usize,
    /// Commands that may wait on one lane; one more is refused.
    pub lane_bound: usize,
    /// Commands in one commit at most; twice as many while more than half of [`Settings::lane_bound`] wait.
    pub batch: usize,
    /// Connections for lists. One account is read, and written, over others.
    pub readers: u32,
    /// How long one statement, or making a connection, may take before it is given up.
    pub timeout: Duration,
    /// How long one list may take.
    pub list_timeout: Duration,
    /// Lists of one organisation that run at once, and half as many of one caller; others wait.
    pub lists_per_organization: usize,
    /// How long what became of a message is kept, from the time when it was asked for; zero for not at all.
    pub keep_messages: Duration,
}

/// Why a store cannot be opened. Shows no password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The address is for no database that we know.
    #[error("the database address must begin with sqlite: or postgres://")]
    Scheme,
    /// A database in memory would lose what it acknowledged.
    #[error("the database must be a file: sqlite::memory: would forget everything at the end")]
    Memory,
    /// The database said no, or nothing.
    #[error("cannot open the database {place}: {reason}")]
    Connect {
        /// The address without user and password.
        place: String,
        /// What the driver said.
        reason: String,
    },
    /// A PostgreSQL database that cannot hold every text.
    #[error(
        "the database's encoding is {encoding}, which cannot hold every name: make one with ENCODING 'UTF8'"
    )]
    Encoding {
        /// What it has.
        encoding: String,
    },
    /// The tables could not be brought up to date.
    #[error("cannot migrate the database: {0}")]
    Migrate(String),
    /// The tables are older than this program needs, or not made yet.
    #[error(
        "{}: run `ringback migrate`",
        match taken {
            0 => "the database has no tables yet".to_owned(),
            taken => format!("the database's tables have version {taken} and this program needs {known}"),
        }
    )]
    Behind {
        /// The version that is there; 0 for no tables.
        taken: u32,
        /// The version that this program makes.
        known: u32,
    },
    /// The tables are newer than this program can use without doing harm.
    #[error(
        "the database's tables need a program of version {needs} of the tables or later, and this one knows {known}: run a newer ringback"
    )]
    TooNew {
        /// The version that they need at least.
        needs: u32,
        /// The version that this program makes.
        known: u32,
    },
}

/// What lanes, reads and deliveries have in common.
pub(crate) struct Shared {
    dialer: dial::SharedDialer,
    sql: sql::Sql,
    rules: Rules,
    source: Source,
    batch: usize,
    wakeups: wakeups::Wakeups,
    senders: direct::Senders,
    /// Commands that this process has decided.
    commands: std::sync::atomic::AtomicU64,
    /// Rings when this process has committed an event.
    events: tokio::sync::Notify,
    conversions: conversion::Conversions,
    guards: guard::Guards,
    /// Whether some organisation is guarded.
    guarded: bool,
    /// Whether some organisation's routes are ordered by how they do.
    prefers: bool,
    /// How long what became of a message is kept.
    keep: Duration,
    /// SQLite's; PostgreSQL sees to its own.
    log: Option<checkpoint::Log>,
}

impl Shared {
    /// A write failed over a connection. Whatever the log holds may be what takes up the room.
    fn failed(&self, fault: &Fault) {
        if let (Fault::Unavailable(_), Some(log)) = (fault, &self.log) {
            log.full();
        }
    }

    /// Something was committed over a connection of this epoch: so many rows, and messages for these routes.
    fn wrote(&self, epoch: u64, rows: u64, routes: &[String]) {
        self.dialer.health.wrote(epoch);
        if let Some(log) = &self.log {
            log.grew(rows);
        }
        self.wakeups.ring(routes);
    }
}
