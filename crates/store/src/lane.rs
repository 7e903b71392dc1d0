//! A lane: commands wait in a queue, and whatever waits is decided and committed together.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ringback_core::{Command, Refusal};
use sea_orm::ConnectionTrait;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::Shared;
use crate::batch::{Outcome, commit};
use crate::fault::Fault;
use crate::line::Line;
use crate::share::Place;

/// A command in the queue.
pub(crate) struct Job {
    pub(crate) command: Command,
    pub(crate) deadline: Option<Instant>,
    pub(crate) queued_at: Instant,
    /// What its account and its caller take up of the queue, until the command is answered.
    pub(crate) place: Place,
    pub(crate) reply: oneshot::Sender<Outcome>,
}

/// Somebody who asks whether this lane's connection answers.
pub(crate) type Ping = oneshot::Sender<Result<(), Refusal>>;

/// The line of a lane. On SQLite whatever else writes has the same, because a second writing connection
/// would wait for the first inside the file's lock instead of in order.
pub(crate) type LaneLine = Arc<Mutex<Line>>;

/// How long a lane may have nothing to do before it says something to the database.
pub(crate) const QUIET: Duration = Duration::from_secs(15);

/// Serves one lane until every sender is gone.
pub(crate) async fn run(
    shared: Arc<Shared>,
    line: LaneLine,
    mut queue: mpsc::Receiver<Job>,
    mut pings: mpsc::Receiver<Ping>,
) {
    let mut jobs = Vec::with_capacity(shared.batch);
    loop {
        let most = most_of(shared.batch, queue.len(), queue.max_capacity());
        tokio::select! {
            ping = pings.recv() => match ping {
                Some(ping) => {
                    let _ = ping.send(answers(&shared, &line).await);
                }
                None => return,
            },
            // Takes what waits and never waits for more: alone, a command is a batch of one.
            count = queue.recv_many(&mut jobs, most) => {
                if count == 0 {
                    return;
                }
                serve(&shared, &line, &mut jobs).await;
            }
            () = tokio::time::sleep(QUIET) => line.lock().await.keep_alive().await,
        }
    }
}

/// How many commands are taken together: twice as many as usual while more than half of the queue is taken up. What a
/// batch costs however long it is weighs most when refusals keep the processors busy, too.
fn most_of(batch: usize, waiting: usize, places: usize) -> usize {
    if waiting > places / 2 {
        batch.saturating_mul(2)
    } else {
        batch
    }
}

/// Answers commands that waited together.
async fn serve(shared: &Shared, line: &LaneLine, jobs: &mut Vec<Job>) {
    let batch = worth_doing(jobs.drain(..), shared.dialer.limits.statement);
    if batch.is_empty() {
        return;
    }
    metrics::histogram!("ringback_batch_commands").record(batch.len() as f64);
    let decided = u64::try_from(batch.len()).unwrap_or(0);
    shared.commands.fetch_add(decided, Ordering::Relaxed);
    let commands: Vec<&Command> = batch.iter().map(|job| &job.command).collect();
    let mut line = line.lock().await;
    let outcomes = match bounded(shared, commit(shared, &mut line, &commands)).await {
        Ok(outcomes) => outcomes,
        Err(Fault::Failed(reason)) if commands.len() > 1 => {
            tracing::debug!(reason, "a batch failed; doing its commands one by one");
            one_by_one(shared, &mut line, &commands).await
        }
        Err(fault) => {
            let refusal = shared.dialer.health.report(&fault, "committing a batch");
            vec![Err(refusal); commands.len()]
        }
    };
    drop(line);
    for (job, outcome) in batch.into_iter().zip(outcomes) {
        drop(job.place);
        // A caller that has gone meanwhile does not want to know.
        let _ = job.reply.send(outcome);
    }
}

/// Waits for work of several steps, each of which has a limit of its own, for as long as two may take.
pub(crate) async fn bounded<T>(
    shared: &Shared,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let limit = shared.dialer.limits.statement * 2;
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(Fault::Unavailable(format!("not done within {limit:?}"))),
    }
}

/// Leaves out, and answers, what nobody waits for any more and what has waited for too long.
fn worth_doing(jobs: impl Iterator<Item = Job>, longest: Duration) -> Vec<Job> {
    let now = Instant::now();
    let mut batch = Vec::with_capacity(jobs.size_hint().0);
    for job in jobs {
        if job.reply.is_closed() {
            continue;
        }
        let late = if job.deadline.is_some_and(|deadline| deadline <= now) {
            Some(Refusal::DeadlineExceeded)
        } else if now.duration_since(job.queued_at) > longest {
            // The database has been away meanwhile, or is far too slow for what comes.
            Some(Refusal::Unavailable)
        } else {
            None
        };
        match late {
            Some(refusal) => {
                let _ = job.reply.send(Err(refusal));
            }
            None => batch.push(job),
        }
    }
    batch
}

async fn one_by_one(shared: &Shared, line: &mut Line, commands: &[&Command]) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(commands.len());
    let mut away = false;
    for command in commands {
        if away {
            // Each of the rest would wait as long only to learn the same.
            outcomes.push(Err(Refusal::Unavailable));
            continue;
        }
        let outcome = match bounded(shared, commit(shared, line, &[command])).await {
            Ok(mut single) => single.pop().unwrap_or(Err(Refusal::Internal)),
            Err(fault) => {
                away = matches!(fault, Fault::Unavailable(_));
                Err(shared.dialer.health.report(&fault, command.name()))
            }
        };
        outcomes.push(outcome);
    }
    outcomes
}

/// Asks something through the lane's own line, which no lock of anybody can hold up.
async fn answers(shared: &Shared, line: &LaneLine) -> Result<(), Refusal> {
    let mut line = line.lock().await;
    let answered = loop {
        let taken = match line.take().await {
            Ok(taken) => taken,
            Err(fault) => break Err(fault),
        };
        let asking = async {
            taken.session.execute_unprepared("SELECT 1").await?;
            Ok(())
        };
        let answered = taken.within(asking).await;
        if let Some(answered) = line.read(taken, answered) {
            break answered;
        }
    };
    let health = &shared.dialer.health;
    answered.map_err(|fault| health.report(&fault, "looking for the database"))
}
