//! Checkpoints: what an organisation's events were up to a position, signed, and what is forgotten after them.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use ringback_core::audit::{Checkpoint, Hash, NONE_BEFORE, Root, chained, hex, unhex};
use ringback_core::{Keys, Refusal, Time};
use sea_orm::{DbBackend, FromQueryResult, Statement};

use super::statements::{self, with};
use super::{Sequencer, read_hash};
use crate::Store;
use crate::changes::{Kind, Target, Write};
use crate::entity::{checkpoints, cursors};
use crate::fault::Fault;

/// Rows that are read at once.
const PAGE: i64 = 1_000;
/// Positions that one checkpoint covers at most.
const MOST: i64 = 1_000_000;
/// Rows that are deleted at once.
const PURGE: i64 = 500;

/// Signs checkpoints with the installation's key.
pub(crate) fn sign(keys: &Keys, checkpoint: &Checkpoint) -> Result<String, Fault> {
    let pair = pair(keys)?;
    Ok(hex(pair.sign(&checkpoint.signed_bytes()).as_ref()))
}

/// The public key that checkpoints are verified with: 32 bytes, as hexadecimal digits.
///
/// # Errors
/// [`Refusal::Internal`], which is a fault of the library.
pub fn audit_key(keys: &Keys) -> Result<String, Refusal> {
    let pair = pair(keys).map_err(|_| Refusal::Internal)?;
    Ok(hex(pair.public_key().as_ref()))
}

/// Whether a checkpoint was signed with the installation's key.
pub(super) fn is_signed(
    keys: &Keys,
    checkpoint: &Checkpoint,
    signature: &str,
) -> Result<bool, Fault> {
    let key = UnparsedPublicKey::new(&ED25519, pair(keys)?.public_key().as_ref().to_vec());
    let signature = unhex::<64>(signature);
    Ok(signature
        .is_some_and(|signature| key.verify(&checkpoint.signed_bytes(), &signature).is_ok()))
}

fn pair(keys: &Keys) -> Result<Ed25519KeyPair, Fault> {
    Ed25519KeyPair::from_seed_unchecked(&keys.checkpoint_seed())
        .map_err(|error| Fault::Failed(format!("the key for checkpoints: {error}")))
}

/// A row as what was signed.
pub(super) fn checkpoint_of(row: &checkpoints::Model) -> Result<Checkpoint, Fault> {
    Ok(Checkpoint {
        organization: row.organization_id.clone(),
        position: row.position,
        at: row.at,
        count: row.count,
        root: read_hash(&row.root)?,
    })
}

/// What is known of an organisation's events while they are gone through.
pub(super) struct Progress {
    pub(super) count: i64,
    pub(super) root: Root,
}

impl Progress {
    /// After its last checkpoint, or from the beginning.
    pub(super) fn after(last: Option<&checkpoints::Model>) -> Result<Progress, Fault> {
        let before: Hash = match last {
            Some(last) => read_hash(&last.root)?,
            None => NONE_BEFORE,
        };
        Ok(Progress {
            count: last.map_or(0, |last| last.count),
            root: Root::after(&before),
        })
    }

    pub(super) fn add(&mut self, hash: &Hash) {
        self.count += 1;
        self.root.add(hash);
    }
}

/// The last checkpoint of an organisation up to a position.
pub(super) fn last_checkpoint(backend: DbBackend, organization: &str, until: i64) -> Statement {
    let sql = "SELECT organization_id, position, at, count, root, signature FROM checkpoints \
               WHERE organization_id = $1 AND position <= $2 ORDER BY organization_id DESC, position DESC \
               LIMIT 1";
    with(backend, sql, vec![organization.into(), until.into()])
}

impl Store {
    /// Signs what each organisation's events are, where there is something new since the last time, which must be at
    /// least this long ago. Says how many checkpoints it made.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn checkpoint(&self, every: Duration) -> Result<usize, Refusal> {
        let mut sequencer = self.sequencer.lock().await;
        let health = &self.shared.dialer.health;
        match self.checkpoint_with(&mut sequencer, every).await {
            // Another process makes it.
            Err(Fault::Conflict(_)) => Ok(0),
            made => made.map_err(|fault| health.report(&fault, "signing a checkpoint")),
        }
    }

    async fn checkpoint_with(
        &self,
        sequencer: &mut Sequencer,
        every: Duration,
    ) -> Result<usize, Fault> {
        let (backend, now) = (self.shared.sql.backend, self.now());
        let done = sequencer.cursor(backend, "checkpoints").await?;
        let last = done.until_at.unwrap_or(i64::MIN);
        if now < Time(last.saturating_add(1)) + every.saturating_sub(Duration::from_micros(1)) {
            return Ok(0);
        }
        let end = sequencer.cursor(backend, "journal").await?.position;
        let end = end.min(done.position + MOST);
        let mut all: BTreeMap<String, Progress> = BTreeMap::new();
        let mut position = done.position;
        while position < end {
            let asked = statements::hashes(backend, position, end, PAGE);
            let rows = sequencer.ask(&asked).await?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                let (at, organization, hash): (i64, String, String) =
                    row.try_get_many_by_index()?;
                position = at;
                if !all.contains_key(&organization) {
                    let asked = last_checkpoint(backend, &organization, done.position);
                    let found = sequencer.ask(&asked).await?;
                    let found = found
                        .first()
                        .map(|row| checkpoints::Model::from_query_result(row, ""));
                    let progress = Progress::after(found.transpose()?.as_ref())?;
                    all.insert(organization.clone(), progress);
                }
                if let Some(progress) = all.get_mut(&organization) {
                    progress.add(&read_hash(&hash)?);
                }
            }
        }
        if all.is_empty() {
            return Ok(0);
        }
        let keys = &self.shared.rules.keys;
        let rows = all.into_iter().map(|(organization, progress)| {
            let checkpoint = Checkpoint {
                organization,
                position: end,
                at: now.0,
                count: progress.count,
                root: progress.root.finish(),
            };
            Ok(checkpoints::Model {
                signature: sign(keys, &checkpoint)?,
                organization_id: checkpoint.organization,
                position: end,
                at: now.0,
                count: checkpoint.count,
                root: hex(&checkpoint.root),
            })
        });
        let rows = rows.collect::<Result<Vec<_>, Fault>>()?;
        let moved = cursors::Model {
            position: end,
            version: done.version + 1,
            until_at: Some(now.0),
            ..done
        };
        self.write_all(vec![added(&rows)?, changed_cursor(&moved)?])
            .await?;
        Ok(rows.len())
    }

    /// Deletes some of the events that were signed before this time, the oldest first, and the checkpoints that no
    /// longer begin anything. Says how many events.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn forget_events(&self, before: Time) -> Result<u64, Refusal> {
        let mut sequencer = self.sequencer.lock().await;
        let health = &self.shared.dialer.health;
        match self.forget_with(&mut sequencer, before).await {
            Err(Fault::Conflict(_)) => Ok(0),
            done => done.map_err(|fault| health.report(&fault, "forgetting events")),
        }
    }

    async fn forget_with(&self, sequencer: &mut Sequencer, before: Time) -> Result<u64, Fault> {
        let backend = self.shared.sql.backend;
        let done = sequencer.cursor(backend, "forgotten").await?;
        let signed = "SELECT position FROM checkpoints WHERE position > $1 AND at < $2 \
                      ORDER BY position LIMIT 1";
        let signed = with(backend, signed, vec![done.position.into(), before.0.into()]);
        let rows = sequencer.ask(&signed).await?;
        let Some(row) = rows.first() else {
            return Ok(0);
        };
        let until: i64 = row.try_get_by_index(0)?;
        let rows = sequencer
            .ask(&statements::hashes(backend, done.position, until, PURGE))
            .await?;
        let mut chain = match &done.chain {
            Some(chain) => read_hash(chain)?,
            None => NONE_BEFORE,
        };
        let mut position = done.position;
        for row in &rows {
            let (at, _, hash): (i64, String, String) = row.try_get_many_by_index()?;
            chain = chained(&chain, &read_hash(&hash)?);
            position = at;
        }
        if rows.len() < PURGE as usize {
            position = until;
        }
        let keys = &self.shared.rules.keys;
        let moved = cursors::Model {
            position,
            version: done.version + 1,
            chain: Some(hex(&chain)),
            seal: Some(hex(&keys.seal(position, &chain))),
            ..done
        };
        // The place first: what is deleted after it is known to be forgotten.
        self.write_all(vec![changed_cursor(&moved)?]).await?;
        let forget = "DELETE FROM journal WHERE position <= $1";
        let forgotten = self
            .change(with(backend, forget, vec![position.into()]), &[])
            .await?;
        let untold = "DELETE FROM event_deliveries WHERE position <= $1";
        self.change(with(backend, untold, vec![position.into()]), &[])
            .await?;
        let old = "DELETE FROM checkpoints WHERE position <= $1 AND EXISTS (SELECT 1 FROM checkpoints AS later \
                   WHERE later.organization_id = checkpoints.organization_id \
                   AND later.position > checkpoints.position AND later.position <= $1)";
        self.change(with(backend, old, vec![position.into()]), &[])
            .await?;
        Ok(forgotten)
    }

    /// Writes rows, guarded like those of a batch, whole or not at all.
    pub(crate) async fn write_all(&self, writes: Vec<Write>) -> Result<(), Fault> {
        let sql = &self.shared.sql;
        if sql.backend != DbBackend::Postgres {
            let rows = writes.iter().map(|write| write.rows).sum::<u64>();
            let rows = usize::try_from(rows).unwrap_or(usize::MAX);
            let all = vec![(sql.writes.all(writes), Some(rows))];
            self.in_one_transaction(all).await?;
            return Ok(());
        }
        let mut line = self.jobs.lock().await;
        let taken = line.take().await?;
        let writing = sql.writes.write(&taken.session, writes);
        let (epoch, written) = (taken.epoch, taken.within(writing).await);
        let touched = line.done(taken, written)?;
        self.shared.wrote(epoch, touched, &[]);
        Ok(())
    }
}

fn added(rows: &[checkpoints::Model]) -> Result<Write, Fault> {
    Ok(Write {
        target: Target::Checkpoints,
        kind: Kind::Add,
        rows: rows.len() as u64,
        json: serde_json::to_string(rows)?,
    })
}

/// A cursor's row as it is after a change, its version one more than before.
pub(super) fn changed_cursor(row: &cursors::Model) -> Result<Write, Fault> {
    Ok(Write {
        target: Target::Cursors,
        kind: Kind::Change,
        rows: 1,
        json: serde_json::to_string(&[row])?,
    })
}
