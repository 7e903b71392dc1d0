//! What waits for the lanes and the lookups, for how long, and how much of it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ringback_core::{Account, Caller, Command, Refusal, Reply};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::{mpsc, oneshot};

use crate::Shared;
use crate::lane::{self, Job, LaneLine, Ping};
use crate::line::Line;
use crate::lookup::{self, Lookup};
use crate::share::{Place, Shares, who};

/// Commands wait here, and whoever asks whether the lane's connection answers.
pub(crate) struct Lane {
    queue: mpsc::Sender<Job>,
    shares: Arc<Shares>,
    pings: mpsc::Sender<Ping>,
    patience: Patience,
}

/// Reads of one account wait here.
pub(crate) struct Lookups {
    queue: mpsc::Sender<Lookup>,
    shares: Arc<Shares>,
    patience: Patience,
}

/// How long anybody waits for a queue: as long as three statements may take, one in front and two of its own.
struct Patience(Duration);

impl Patience {
    fn of(shared: &Shared) -> Patience {
        Patience(shared.dialer.limits.statement * 3)
    }

    async fn wait<T>(&self, answer: oneshot::Receiver<Result<T, Refusal>>) -> Result<T, Refusal> {
        match tokio::time::timeout(self.0, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) | Err(_) => Err(Refusal::Unavailable),
        }
    }
}

impl Lane {
    pub(crate) fn start(shared: Arc<Shared>, line: LaneLine, bound: usize) -> Lane {
        let (queue, waiting) = mpsc::channel(bound);
        let (pings, asked) = mpsc::channel(1);
        let patience = Patience::of(&shared);
        start_apart(lane::run(shared, line, waiting, asked));
        Lane {
            queue,
            shares: Shares::of(bound),
            pings,
            patience,
        }
    }

    pub(crate) async fn execute(
        &self,
        command: Command,
        deadline: Option<Instant>,
    ) -> Result<Reply, Refusal> {
        let place = self
            .shares
            .enter(&command.account, who(&command.caller))
            .ok_or(Refusal::Overloaded)?;
        let (reply, answer) = oneshot::channel();
        let job = Job {
            command,
            deadline,
            queued_at: Instant::now(),
            place,
            reply,
        };
        sent(self.queue.try_send(job))?;
        self.patience.wait(answer).await
    }

    /// Whether a command waits, or is being carried out.
    pub(crate) fn has_work(&self) -> bool {
        !self.shares.is_empty()
    }

    pub(crate) async fn ping(&self) -> Result<(), Refusal> {
        let (reply, answer) = oneshot::channel();
        sent(self.pings.try_send(reply))?;
        self.patience.wait(answer).await
    }
}

impl Lookups {
    pub(crate) fn start(shared: Arc<Shared>, line: Line, bound: usize) -> Lookups {
        let (queue, waiting) = mpsc::channel(bound);
        let patience = Patience::of(&shared);
        start(lookup::run(shared, line, waiting));
        Lookups {
            queue,
            shares: Shares::of(bound),
            patience,
        }
    }

    /// Finds the accounts that this caller may mean by a user id, in the caller's share of the queue.
    pub(crate) async fn find_for(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<Vec<Arc<Account>>, Refusal> {
        let place = self
            .shares
            .enter(id, who(caller))
            .ok_or(Refusal::Overloaded)?;
        let organization = caller.target(id).organization;
        self.find(organization, id, Some(place)).await
    }

    pub(crate) async fn find(
        &self,
        organization: Option<&str>,
        id: &str,
        place: Option<Place>,
    ) -> Result<Vec<Arc<Account>>, Refusal> {
        let (reply, answer) = oneshot::channel();
        let lookup = Lookup {
            id: id.to_owned(),
            organization: organization.map(str::to_owned),
            queued_at: Instant::now(),
            place,
            reply,
        };
        sent(self.queue.try_send(lookup))?;
        self.patience.wait(answer).await
    }
}

/// What is refused when a queue is full, or its task has ended.
pub(crate) fn sent<T>(sent: Result<(), mpsc::error::TrySendError<T>>) -> Result<(), Refusal> {
    sent.map_err(|error| match error {
        mpsc::error::TrySendError::Full(_) => Refusal::Overloaded,
        mpsc::error::TrySendError::Closed(_) => Refusal::Unavailable,
    })
}

/// Starts one of the store's tasks.
pub(crate) fn start(work: impl Future<Output = ()> + Send + 'static) {
    #[expect(
        clippy::disallowed_methods,
        reason = "lanes, lookups and the log are the store's few tasks"
    )]
    tokio::spawn(work);
}

/// Starts a task on a thread of its own. A lane goes to the database and back several times for each batch: each time,
/// it would wait behind whatever requests there are, and all of them wait for it. Where all runs on one thread anyway it
/// stays there.
fn start_apart(work: impl Future<Output = ()> + Send + 'static) {
    if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
        return start(work);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime.inspect_err(|error| tracing::error!(%error, "no lane")) else {
        return;
    };
    let thread = std::thread::Builder::new().name("lane".to_owned());
    let started = thread.spawn(move || runtime.block_on(work));
    // Without it every command is refused, and readiness says so.
    if let Err(error) = started {
        tracing::error!(%error, "no thread for a lane");
    }
}

/// Which of so many queues an account's commands or lookups wait in.
pub(crate) fn queue_of(account: &str, queues: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    account.hash(&mut hasher);
    (hasher.finish() % queues as u64) as usize
}
