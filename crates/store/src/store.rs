//! The store: opened once, shared by everything that serves requests.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Instant;

use ringback_core::audit::hex;
use ringback_core::{
    Account, Action, Caller, Command, Proof, Refusal, Reply, Time, view, view_proof,
};
use sea_orm::DbBackend;
use tokio::sync::Mutex;

use crate::admission::Lists;
use crate::conversion::prefers_conversion;
use crate::dial::{Dialer, Purpose, SharedDialer, other_encoding};
use crate::fault::Fault;
use crate::guard::guards_any;
use crate::idempotency::note_cost;
use crate::journal::Sequencer;
use crate::lane::LaneLine;
use crate::line::Line;
use crate::pooler::{self, Between};
use crate::queues::{Lane, Lookups, queue_of, start};
use crate::readiness::Readiness;
use crate::reserve::Reserve;
use crate::{OpenError, Rules, Settings, Shared, Source, checkpoint, schema, sql};

/// The memory of one installation. Clones share it.
#[derive(Clone)]
pub struct Store {
    pub(crate) shared: Arc<Shared>,
    pub(crate) lists: Arc<Lists>,
    /// For what is not a command: messages, purging, looking at the tables.
    pub(crate) jobs: LaneLine,
    pub(crate) sequencer: Arc<Mutex<Sequencer>>,
    /// For calls that are carried out once.
    pub(crate) once: LaneLine,
    settings: Arc<Settings>,
    pub(crate) lanes: Arc<[Lane]>,
    lookups: Arc<[Lookups]>,
    readiness: Arc<Readiness>,
}

/// Queues for reads of one account, each with a connection: while one waits for the database, the other has
/// work for the processor.
const LOOKUPS: usize = 2;

impl Store {
    /// Connects and starts the lanes. [`Store::migrate`] makes the tables.
    ///
    /// # Errors
    /// When the address is none, nobody answers there within some seconds, or the database cannot be worked
    /// with.
    pub async fn open(
        settings: &Settings,
        rules: Rules,
        source: Source,
    ) -> Result<Store, OpenError> {
        let dialer = ready_dialer(settings).await?;
        let backend = dialer.backend();
        let lanes = match (settings.lanes, backend) {
            (0, DbBackend::Postgres) => usual_lanes(),
            (0, _) => 1,
            (lanes, _) => lanes,
        };
        let line =
            || -> LaneLine { Arc::new(Mutex::new(Line::new(dialer.clone(), Purpose::Keys))) };
        // Others who write to the database at the same time are likely to begin elsewhere.
        let share = RandomState::new().hash_one(&settings.url) as u32;
        let jobs: LaneLine = {
            let mut line = Line::new(dialer.clone(), Purpose::Keys);
            // What is given back goes to a share that no lane of this process uses first.
            line.share = share.wrapping_add(u32::try_from(lanes).unwrap_or(0));
            Arc::new(Mutex::new(line))
        };
        let copied = dialer.file().map(|database| {
            let line = Line::new(dialer.clone(), Purpose::Keys);
            checkpoint::Log::new(line, jobs.clone(), database)
        });
        let (log, copying) = copied.unzip();
        let prefers = prefers_conversion(&rules.policies);
        let guarded = guards_any(&rules.policies);
        let shared = Arc::new(Shared {
            dialer: dialer.clone(),
            sql: sql::Sql::new(backend),
            rules,
            source,
            batch: settings.batch.max(1),
            wakeups: Default::default(),
            senders: Default::default(),
            commands: Default::default(),
            events: Default::default(),
            conversions: Default::default(),
            guards: Default::default(),
            guarded,
            prefers,
            keep: settings.keep_messages,
            log,
        });
        if let Some(copying) = copying {
            start(copying.run());
        }
        let bound = settings.lane_bound.max(1);
        let lanes = (0_u32..).take(lanes).map(|nth| {
            // SQLite has one writer, so all that writes shares its line and waits there in order.
            let line = match backend {
                DbBackend::Sqlite => jobs.clone(),
                _ => {
                    let mut line = Line::new(dialer.clone(), Purpose::Keys);
                    line.share = share.wrapping_add(nth);
                    Arc::new(Mutex::new(line))
                }
            };
            Lane::start(shared.clone(), line, bound)
        });
        let lanes: Arc<[Lane]> = lanes.collect();
        let lookups = (0..LOOKUPS).map(|_| {
            let line = Line::new(dialer.clone(), Purpose::Keys);
            Lookups::start(shared.clone(), line, bound)
        });
        let lookups: Arc<[Lookups]> = lookups.collect();
        let readiness = {
            let line = match backend {
                DbBackend::Sqlite => jobs.clone(),
                _ => line(),
            };
            Readiness::start(shared.clone(), line, lanes.clone(), lookups.clone())
        };
        Ok(Store {
            lists: Arc::new(Lists::new(
                dialer.clone(),
                settings.readers.try_into().unwrap_or(usize::MAX >> 4),
                settings.lists_per_organization,
            )),
            lanes,
            lookups,
            once: match backend {
                DbBackend::Sqlite => jobs.clone(),
                _ => line(),
            },
            jobs,
            sequencer: Arc::new(Mutex::new(Sequencer::new(dialer.clone()))),
            settings: Arc::new(settings.clone()),
            shared,
            readiness: Arc::new(readiness),
        })
    }

    /// Brings the tables up to date, unless they are. Several processes may do it at once.
    ///
    /// # Errors
    /// [`OpenError::Migrate`], [`OpenError::TooNew`].
    pub async fn migrate(&self) -> Result<(), OpenError> {
        let mut line = self.jobs.lock().await;
        schema::migrate(&self.settings, &self.shared.dialer, &mut line).await
    }

    /// Fails unless the tables are up to date.
    ///
    /// # Errors
    /// [`OpenError::Behind`], [`OpenError::TooNew`].
    pub async fn require_tables(&self) -> Result<(), OpenError> {
        schema::require(&mut *self.jobs.lock().await).await
    }

    /// Decides a command and commits what comes of it. A command that is still in the queue at `deadline`, or
    /// whose future is dropped while it is, is not decided.
    ///
    /// # Errors
    /// What [`ringback_core::decide`] refuses; [`Refusal::Overloaded`] when the queue, or the account's or the
    /// caller's share of it, is full; [`Refusal::Unavailable`] when the database is away, in which case it is
    /// not known whether the change was made.
    pub async fn execute(
        &self,
        command: Command,
        deadline: Option<Instant>,
    ) -> Result<Reply, Refusal> {
        // PostgreSQL keeps no NUL in a text; the APIs refuse it by name wherever it could be kept.
        if command.account.contains('\0') {
            return Err(Refusal::AccountNotFound);
        }
        let name = command.name();
        let lane = &self.lanes[queue_of(&command.account, self.lanes.len())];
        let registers = matches!(command.action, Action::Register { .. });
        let result = match command.caller.is_stranger_to(&command.account) && !registers {
            true => Err(Refusal::AccountNotFound),
            false => lane.execute(command, deadline).await,
        };
        if let Err(refusal) = &result {
            note_cost(refusal);
        }
        let outcome = match &result {
            Ok(_) => "ok",
            Err(Refusal::CodeRefused(failure)) => failure.code(),
            Err(refusal) => refusal.code(),
        };
        metrics::counter!("ringback_commands_total", "command" => name, "result" => outcome)
            .increment(1);
        result
    }

    /// One account, whole, as far as this caller may know of it. Whoever asks for it at the same time may get
    /// the same one.
    ///
    /// # Errors
    /// What [`ringback_core::view`] refuses; [`Refusal::Overloaded`]; [`Refusal::Unavailable`].
    pub async fn read(&self, caller: &Caller, id: &str) -> Result<Arc<Account>, Refusal> {
        view(caller, id, self.look_up(caller, id).await?)
    }

    /// How far the proof of a user's number has come.
    ///
    /// # Errors
    /// What [`ringback_core::view_proof`] and [`Account::proof`] refuse; [`Refusal::Overloaded`];
    /// [`Refusal::Unavailable`].
    pub async fn proof(&self, caller: &Caller, id: &str) -> Result<(Arc<Account>, Proof), Refusal> {
        let account = view_proof(caller, id, self.look_up(caller, id).await?)?;
        let rules = self.rules();
        let policy = rules.policies.of(&account.organization);
        let proof = account.proof(caller, policy, &rules.keys, self.now())?;
        Ok((account, proof))
    }

    async fn look_up(&self, caller: &Caller, id: &str) -> Result<Vec<Arc<Account>>, Refusal> {
        // PostgreSQL cannot even be asked for such a text, so no account has it.
        if id.contains('\0') || caller.is_stranger_to(id) {
            return Err(Refusal::AccountNotFound);
        }
        let lookups = &self.lookups[queue_of(id, self.lookups.len())];
        lookups.find_for(caller, id).await
    }

    /// Whether the database takes writes and answers reads, and the connections that requests use answer. Those
    /// who ask at the same time are told by one look, and a good answer stands for a second unless something
    /// fails meanwhile.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn ping(&self) -> Result<(), Refusal> {
        self.readiness.ask().await
    }

    /// Copies what was committed into an SQLite file, so that nothing is left beside it. For the end, when
    /// nothing is written any more; what cannot be copied stays in the log, where the next start finds it.
    pub async fn close(&self) {
        if let Some(file) = self.shared.dialer.file() {
            Reserve::beside(file).give_up();
            let _ = checkpoint::copy(&mut *self.jobs.lock().await, checkpoint::TO_ITS_END).await;
        }
    }

    /// The current time, from the clock that decisions are made by.
    pub fn now(&self) -> Time {
        (self.shared.source.now)()
    }

    /// Whether it is kept for a while what became of messages.
    pub fn keeps_messages(&self) -> bool {
        !self.shared.keep.is_zero()
    }

    /// A new user id: 32 hexadecimal digits that cannot be guessed.
    pub fn fresh_id(&self) -> String {
        let seed = (self.shared.source.seed)();
        hex(&seed[..16])
    }

    /// What decisions depend on.
    pub fn rules(&self) -> &Rules {
        &self.shared.rules
    }
}

/// PostgreSQL's lanes: a second one is of use where there are processors for it and for the server's side of
/// it; on two of them it only makes batches smaller.
fn usual_lanes() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (processors / 2).clamp(1, 2)
}

/// A dialer that has reached its database, knows what sits between, and can work with it.
async fn ready_dialer(settings: &Settings) -> Result<SharedDialer, OpenError> {
    let dialer = Dialer::new(settings)?;
    let failed = |fault: Fault| OpenError::Connect {
        place: crate::address::place(&settings.url),
        reason: match fault {
            Fault::Unavailable(reason) | Fault::Failed(reason) => reason,
            fault => fault.to_string(),
        },
    };
    if dialer.backend() != DbBackend::Postgres {
        let session = dialer.first(&settings.url).await?;
        dialer.keep(session);
        return Ok(Arc::new(dialer));
    }
    // Until it is known what sits between, nothing is set on a connection.
    let dialer = dialer.pooled(true);
    drop(dialer.first(&settings.url).await?);
    if let Some(encoding) = other_encoding(&dialer).await.map_err(failed)? {
        return Err(OpenError::Encoding { encoding });
    }
    let between = pooler::look(&dialer).await.map_err(failed)?;
    if between == Between::Pooler {
        tracing::info!(
            "a pooler in transaction mode sits before the database: set enable_seqscan, plan_cache_mode and \
             statement_timeout for the role, see docs/POSTGRESQL.md"
        );
    }
    Ok(Arc::new(dialer.pooled(between == Between::Pooler)))
}

/// Brings the tables of a database up to date without opening a store on it.
///
/// # Errors
/// As of [`Store::open`] and [`Store::migrate`].
pub async fn migrate(settings: &Settings) -> Result<(), OpenError> {
    let dialer = ready_dialer(settings).await?;
    let mut line = Line::new(dialer.clone(), Purpose::Keys);
    schema::migrate(settings, &dialer, &mut line).await
}
