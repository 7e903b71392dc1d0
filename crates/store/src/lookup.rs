//! Reads of one account: what is asked for while a question is under way is asked together in the next.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use ringback_core::{Account, Refusal};
use tokio::sync::{mpsc, oneshot};

use crate::fault::Fault;
use crate::lane::{QUIET, bounded};
use crate::line::Line;
use crate::share::Place;
use crate::{Shared, load};

/// Accounts in one question at most.
const MOST: usize = 256;

/// Somebody who waits for an account.
pub(crate) struct Lookup {
    pub(crate) id: String,
    pub(crate) queued_at: Instant,
    /// What its account and its caller take up of the queue, until it is answered.
    pub(crate) place: Option<Place>,
    pub(crate) reply: oneshot::Sender<Result<Option<Arc<Account>>, Refusal>>,
}

/// Answers one queue of lookups until every sender is gone. Like a lane, it takes what waits and never waits
/// for more, so that alone a lookup is a question of its own.
pub(crate) async fn run(shared: Arc<Shared>, mut line: Line, mut queue: mpsc::Receiver<Lookup>) {
    let mut waiting = Vec::with_capacity(MOST);
    loop {
        tokio::select! {
            biased;
            count = queue.recv_many(&mut waiting, MOST) => {
                if count == 0 {
                    return;
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
    let ids: BTreeSet<&str> = waiting.iter().map(|lookup| lookup.id.as_str()).collect();
    if ids.is_empty() {
        return;
    }
    let health = &shared.dialer.health;
    let found = match bounded(shared, find(shared, line, &ids)).await {
        Ok(found) => Ok(found),
        // One account that cannot be read must not hide the others.
        Err(Fault::Failed(_)) if ids.len() > 1 => {
            for lookup in waiting.drain(..) {
                let Lookup {
                    id, place, reply, ..
                } = lookup;
                let only = BTreeSet::from([id.as_str()]);
                let alone = find(shared, line, &only);
                let alone = bounded(shared, alone).await;
                let alone = alone.map(|mut found| found.remove(&id));
                drop(place);
                let _ =
                    reply.send(alone.map_err(|fault| health.report(&fault, "reading an account")));
            }
            return;
        }
        Err(fault) => Err(health.report(&fault, "reading accounts")),
    };
    for lookup in waiting.drain(..) {
        let Lookup {
            id, place, reply, ..
        } = lookup;
        let answer = match &found {
            Ok(found) => Ok(found.get(&id).cloned()),
            Err(refusal) => Err(refusal.clone()),
        };
        drop(place);
        // Somebody who has gone meanwhile does not want to know.
        let _ = reply.send(answer);
    }
}

/// Some accounts with their numbers, by user id, as they were at one moment.
async fn find(
    shared: &Shared,
    line: &mut Line,
    ids: &BTreeSet<&str>,
) -> Result<HashMap<String, Arc<Account>>, Fault> {
    let found = loop {
        let taken = line.take().await?;
        let found = load::accounts(shared, &taken.session, ids.iter().copied());
        let found = taken.within(found).await;
        if let Some(found) = line.read(taken, found) {
            break found?;
        }
    };
    Ok(found
        .into_iter()
        .map(|(id, account)| (id, Arc::new(account)))
        .collect())
}
