//! Reads of one account: what is asked for while a question is under way is asked together in the next.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use ringback_core::{Account, Refusal};
use tokio::sync::{mpsc, oneshot};

use crate::fault::Fault;
use crate::lane::{QUIET, bounded};
use crate::line::Line;
use crate::share::Place;
use crate::sql::Wanted;
use crate::{Shared, load};

/// Accounts in one question at most.
const MOST: usize = 256;

/// Somebody who waits for an account.
pub(crate) struct Lookup {
    pub(crate) id: String,
    /// None for whichever have a user of the id: two of them at most.
    pub(crate) organization: Option<String>,
    pub(crate) queued_at: Instant,
    /// What its account and its caller take up of the queue, until it is answered.
    pub(crate) place: Option<Place>,
    pub(crate) reply: oneshot::Sender<Result<Vec<Arc<Account>>, Refusal>>,
}

/// Answers one queue of lookups until every sender is gone. It takes what waits and never waits for more, so that alone a
/// lookup is a question of its own.
pub(crate) async fn run(shared: Arc<Shared>, mut line: Line, mut queue: mpsc::Receiver<Lookup>) {
    let mut waiting = Vec::with_capacity(MOST);
    loop {
        tokio::select! {
            biased;
            count = queue.recv_many(&mut waiting, MOST) => {
                if count == 0 {
                    return;
                }
                // The first of them woke this task. Requests that are ready to run ask before it does, so that one
                // question answers them all.
                tokio::task::yield_now().await;
                while waiting.len() < MOST && let Ok(lookup) = queue.try_recv() {
                    waiting.push(lookup);
                }
                answer(&shared, &mut line, &mut waiting).await;
            }
            () = tokio::time::sleep(QUIET) => line.keep_alive().await,
        }
    }
}

async fn answer(shared: &Shared, line: &mut Line, waiting: &mut Vec<Lookup>) {
    let now = Instant::now();
    let longest = shared.dialer.limits.statement;
    let late = |lookup: &mut Lookup| now.duration_since(lookup.queued_at) > longest;
    for late in waiting.extract_if(.., late) {
        let _ = late.reply.send(Err(Refusal::Unavailable));
    }
    waiting.retain(|lookup: &Lookup| !lookup.reply.is_closed());
    if waiting.is_empty() {
        return;
    }
    let wanted = wanted(waiting);
    let health = &shared.dialer.health;
    let found = match bounded(shared, find(shared, line, &wanted)).await {
        Ok(found) => Ok(found),
        // One account that cannot be read must not hide the others.
        Err(Fault::Failed(_)) if wanted.exact.len() + wanted.anywhere.len() > 1 => {
            one_by_one(shared, line, waiting).await;
            return;
        }
        Err(fault) => Err(health.report(&fault, "reading accounts")),
    };
    for lookup in waiting.drain(..) {
        let answer = match &found {
            Ok(found) => Ok(lookup.of(found)),
            Err(refusal) => Err(refusal.clone()),
        };
        lookup.answer(answer);
    }
}

async fn one_by_one(shared: &Shared, line: &mut Line, waiting: &mut Vec<Lookup>) {
    for lookup in waiting.drain(..) {
        let wanted = wanted(std::slice::from_ref(&lookup));
        let found = bounded(shared, find(shared, line, &wanted)).await;
        let health = &shared.dialer.health;
        let answer = match found {
            Ok(found) => Ok(lookup.of(&found)),
            Err(fault) => Err(health.report(&fault, "reading an account")),
        };
        lookup.answer(answer);
    }
}

fn wanted(lookups: &[Lookup]) -> Wanted<'_> {
    let mut wanted = Wanted::default();
    for lookup in lookups {
        match &lookup.organization {
            Some(organization) => wanted.exact.insert((organization, &lookup.id)),
            None => wanted.anywhere.insert(&lookup.id),
        };
    }
    wanted
}

impl Lookup {
    /// What was looked for, among what was found for all.
    fn of(&self, found: &HashMap<String, Vec<Arc<Account>>>) -> Vec<Arc<Account>> {
        let same_id = found.get(&self.id).into_iter().flatten();
        let meant = same_id.filter(|account| match &self.organization {
            Some(organization) => account.organization == *organization,
            None => true,
        });
        meant.cloned().collect()
    }

    /// Somebody who has gone meanwhile does not want to know.
    fn answer(self, answer: Result<Vec<Arc<Account>>, Refusal>) {
        drop(self.place);
        let _ = self.reply.send(answer);
    }
}

/// Some accounts with their numbers, by user id, as they were at one moment.
async fn find(
    shared: &Shared,
    line: &mut Line,
    wanted: &Wanted<'_>,
) -> Result<HashMap<String, Vec<Arc<Account>>>, Fault> {
    let found = loop {
        let taken = line.take().await?;
        let found = load::accounts(shared, &taken.session, wanted);
        let found = taken.within(found).await;
        if let Some(found) = line.read(taken, found) {
            break found?;
        }
    };
    let mut by_id: HashMap<String, Vec<Arc<Account>>> = HashMap::new();
    for account in found {
        let same_id = by_id.entry(account.id.clone()).or_default();
        same_id.push(Arc::new(account));
    }
    Ok(by_id)
}
