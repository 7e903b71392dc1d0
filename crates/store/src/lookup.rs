//! Reads of one account: what is asked for while a question is under way is asked together in the next.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use ringback_core::{Account, Refusal};
use sea_orm::ConnectionTrait;
use tokio::sync::{mpsc, oneshot};

use crate::Shared;
use crate::entity::{accounts, phone_numbers};
use crate::fault::Fault;
use crate::rows;

/// Accounts in one question at most.
const MOST: usize = 256;

/// Somebody who waits for an account.
pub(crate) struct Lookup {
    pub(crate) id: String,
    pub(crate) reply: oneshot::Sender<Result<Option<Arc<Account>>, Refusal>>,
}

/// Answers one line of lookups until every sender is gone. Like a lane, it takes what waits and never waits
/// for more, so that alone a lookup is a question of its own.
pub(crate) async fn run(shared: Arc<Shared>, mut line: mpsc::Receiver<Lookup>) {
    let mut waiting = Vec::with_capacity(MOST);
    while line.recv_many(&mut waiting, MOST).await > 0 {
        waiting.retain(|lookup: &Lookup| !lookup.reply.is_closed());
        let ids: BTreeSet<&str> = waiting.iter().map(|lookup| lookup.id.as_str()).collect();
        if ids.is_empty() {
            continue;
        }
        let mut found = match find(&shared, ids.iter().copied()).await {
            Ok(found) => Ok(found),
            // One account that cannot be read must not hide the others.
            Err(Fault::Broken(_)) if ids.len() > 1 => {
                for Lookup { id, reply } in waiting.drain(..) {
                    let alone = find(&shared, std::iter::once(id.as_str())).await;
                    let alone = alone.map(|mut found| found.remove(&id));
                    let _ = reply.send(alone.map_err(|fault| fault.report("reading an account")));
                }
                continue;
            }
            Err(fault) => Err(fault.report("reading accounts")),
        };
        for Lookup { id, reply } in waiting.drain(..) {
            let answer = match &mut found {
                Ok(found) => Ok(found.get(&id).cloned()),
                Err(refusal) => Err(refusal.clone()),
            };
            // Somebody who has gone meanwhile does not want to know.
            let _ = reply.send(answer);
        }
    }
}

/// Some accounts with their numbers, by user id, as they were at one moment.
async fn find(
    shared: &Shared,
    ids: impl Iterator<Item = &str>,
) -> Result<HashMap<String, Arc<Account>>, Fault> {
    let row = shared
        .finder
        .query_one_raw(shared.sql.find_whole_accounts(ids)?)
        .await?
        .ok_or_else(|| Fault::Broken("a list came without a row".into()))?;
    let text: String = row.try_get_by_index(0)?;
    let found: Vec<(accounts::Model, Vec<phone_numbers::Model>)> = serde_json::from_str(&text)?;
    found
        .into_iter()
        .map(|(account, mut phones)| {
            // As the database would, at less cost than if it did.
            phones.sort_unstable_by(|a, b| a.id.cmp(&b.id));
            let id = account.user_id.clone();
            Ok((id, Arc::new(rows::account(account, phones)?)))
        })
        .collect()
}
