//! Messages that ended and gave back what they had taken of the limits: all of it in one write, or none.

use std::collections::BTreeSet;

use ringback_core::delivery::{budgets_of, give_back, gives_back};
use ringback_core::{Budgets, Time};
use sea_orm::DbBackend;

use crate::batch::{begin, end_as};
use crate::changes::{Changes, Kind, Target, Write};
use crate::fault::Fault;
use crate::load::{Key, World};
use crate::message_events::MessageEvent;
use crate::notes::{note_account, note_budget};
use crate::session::Session;
use crate::settle::{Settled, SettledRow, Settlement};
use crate::{Shared, Store};

/// How often it is tried against others who write the same rows.
const TRIES: u32 = 5;

impl Settlement {
    /// Whether the message ends, and nobody can have got it.
    pub(crate) fn gives_back(&self) -> bool {
        match self.outcome {
            Settled::Ended(state) => gives_back(state, &self.trail, self.attempt),
            Settled::Waits { .. } | Settled::Handed => false,
        }
    }
}

impl Store {
    /// Settles messages that give back what they had taken, together or else one by one, and says which are still
    /// to be settled: somebody else has claimed them, or changes their account all the time.
    pub(crate) async fn settle_giving_back<'a>(
        &self,
        settlements: Vec<&'a Settlement>,
        now: Time,
    ) -> Result<Vec<&'a Settlement>, Fault> {
        if self.try_giving_back(&settlements, now).await? {
            return Ok(Vec::new());
        }
        let mut left = Vec::new();
        let alone = settlements.len() == 1;
        for settlement in settlements {
            if alone || !self.try_giving_back(&[settlement], now).await? {
                left.push(settlement);
            }
        }
        Ok(left)
    }

    async fn try_giving_back(&self, settlements: &[&Settlement], now: Time) -> Result<bool, Fault> {
        for _ in 0..TRIES {
            let written = match self.shared.sql.backend {
                DbBackend::Postgres => self.at_once(settlements, now).await,
                _ => self.in_turn(settlements, now).await,
            };
            match written {
                Ok(()) => return Ok(true),
                Err(Fault::Conflict(_)) => {}
                Err(Fault::Failed(reason)) => {
                    tracing::error!(reason, "what a message had taken cannot be given back");
                    return Ok(false);
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(false)
    }

    /// One question and one guarded write.
    async fn at_once(&self, settlements: &[&Settlement], now: Time) -> Result<(), Fault> {
        let shared = &self.shared;
        let mut line = self.jobs.lock().await;
        let share = line.share;
        let taken = line.take().await?;
        let work = async {
            let writes = writes(shared, &taken.session, settlements, share, now).await?;
            shared.sql.writes.write(&taken.session, writes).await
        };
        let (epoch, written) = (taken.epoch, taken.within(work).await);
        let touched = line.done(taken, written)?;
        shared.wrote(epoch, touched, &[]);
        Ok(())
    }

    /// The same in a transaction that nobody else writes beside.
    async fn in_turn(&self, settlements: &[&Settlement], now: Time) -> Result<(), Fault> {
        let shared = &self.shared;
        let mut line = self.jobs.lock().await;
        let share = line.share;
        let taken = line.take().await?;
        let session = &taken.session;
        let transaction = async {
            begin(session).await?;
            let done = async {
                let writes = writes(shared, session, settlements, share, now).await?;
                shared.sql.writes.write(session, writes).await
            };
            end_as(session, done.await).await
        };
        let (epoch, done) = (taken.epoch, taken.within(transaction).await);
        if let Err(fault) = &done {
            shared.failed(fault);
        }
        let touched = line.done(taken, done)?;
        shared.wrote(epoch, touched, &[]);
        Ok(())
    }
}

/// What is written: accounts and budgets as they are then, and the messages, unless others have claimed them.
async fn writes(
    shared: &Shared,
    session: &Session,
    settlements: &[&Settlement],
    share: u32,
    now: Time,
) -> Result<Vec<Write>, Fault> {
    let (keys, policies) = (&shared.rules.keys, &shared.rules.policies);
    let key = |settlement: &Settlement| Key {
        organization: settlement.message.organization.clone(),
        id: settlement.message.account.clone(),
    };
    let accounts: BTreeSet<Key> = settlements.iter().map(|one| key(one)).collect();
    let named = settlements
        .iter()
        .flat_map(|one| budgets_of(&one.message, policies, keys));
    let pseudonyms: BTreeSet<String> = named.collect();
    let mut world = World::about(shared, session, &accounts, &pseudonyms).await?;
    let read = world.budgets.iter();
    let mut budgets: Budgets = read
        .map(|(name, (budget, _))| (name.clone(), budget.clone()))
        .collect();
    for settlement in settlements {
        let held = world.accounts.get_mut(&key(settlement));
        let account = held.and_then(|held| held.slot.account.as_mut());
        let (message, rules) = (&settlement.message, (policies, keys));
        give_back(message, account, &mut budgets, rules, share, now);
    }
    let mut changes = Changes::default();
    for (_, held) in world.accounts {
        note_account(shared, held, &mut changes)?;
    }
    for (pseudonym, budget) in &budgets {
        if let Some(before) = world.budgets.get(pseudonym) {
            note_budget(pseudonym, before, (budget, now), &mut changes)?;
        }
    }
    for settlement in settlements {
        let told = MessageEvent::of(shared, settlement, now)?;
        changes.events.added.extend(told.map(|told| told.row));
    }
    let mut writes = changes.writes()?;
    writes.push(match shared.keep.is_zero() {
        true => Write {
            target: Target::Messages,
            kind: Kind::Remove,
            rows: settlements.len() as u64,
            json: serde_json::to_string(
                &settlements
                    .iter()
                    .map(|one| one.claim())
                    .collect::<Vec<_>>(),
            )?,
        },
        false => {
            let rows = settlements.iter();
            let rows = rows.map(|one| SettledRow::of(one, keys, now));
            Write {
                target: Target::Messages,
                kind: Kind::Change,
                rows: settlements.len() as u64,
                json: serde_json::to_string(&rows.collect::<Result<Vec<_>, _>>()?)?,
            }
        }
    });
    Ok(writes)
}
