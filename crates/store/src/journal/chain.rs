//! Events with their places in the chain.

use std::collections::HashMap;

use ringback_core::audit::{
    Erasable, Hash, Lasting, NONE_BEFORE, SALT, chained, event_hash, hex, unhex,
};
use sha2::{Digest, Sha256};

use crate::Store;
use crate::entity::{cursors, events};
use crate::fault::Fault;

/// Where the journal ends.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) position: i64,
    pub(crate) version: i64,
    /// Of all events up to there.
    pub(crate) chain: String,
    pub(crate) seal: String,
}

/// An event with its place in the chain.
pub(crate) struct Chained {
    /// Where it waited, on SQLite.
    pub(crate) place: i64,
    pub(crate) row: events::Model,
    pub(crate) salt: String,
    pub(crate) commitment: String,
    pub(crate) previous: String,
    pub(crate) hash: String,
}

impl Store {
    /// Chains events after the head, and says where it is then.
    pub(super) fn chain(
        &self,
        head: &Head,
        mut previous: HashMap<(String, String), Hash>,
        rows: Vec<(i64, events::Model)>,
    ) -> Result<(Vec<Chained>, Head), Fault> {
        let keys = &self.shared.rules.keys;
        let seed = (self.shared.source.seed)();
        let mut chain = read_hash(&head.chain)?;
        let mut position = head.position;
        let mut all = Vec::with_capacity(rows.len());
        for (place, row) in rows {
            position += 1;
            let account = (row.organization_id.clone(), row.user_id.clone());
            let before = previous.get(&account).copied().unwrap_or(NONE_BEFORE);
            let (lasting, erasable) = parts(&row);
            let salt = keys.event_salt(
                fresh(&seed, position),
                position,
                &before,
                (&lasting, &erasable),
            );
            let commitment = erasable.commitment(&salt);
            let hash = event_hash(&before, &lasting, &commitment);
            chain = chained(&chain, &hash);
            previous.insert(account, hash);
            all.push(Chained {
                place,
                salt: hex(&salt),
                commitment: hex(&commitment),
                previous: hex(&before),
                hash: hex(&hash),
                row,
            });
        }
        let end = Head {
            position,
            version: head.version + 1,
            chain: hex(&chain),
            seal: hex(&keys.seal(position, &chain)),
        };
        Ok((all, end))
    }
}

impl Head {
    pub(super) fn of(row: cursors::Model) -> Head {
        Head {
            position: row.position,
            version: row.version,
            chain: row.chain.unwrap_or_else(|| hex(&NONE_BEFORE)),
            seal: row.seal.unwrap_or_default(),
        }
    }
}

/// What of an event stays, and what can be erased.
fn parts(row: &events::Model) -> (Lasting<'_>, Erasable<'_>) {
    let lasting = Lasting {
        id: &row.id,
        organization: &row.organization_id,
        sequence: row.sequence,
        at: row.at,
        kind: &row.kind,
        cause: row.cause.as_deref(),
        count: row.count,
    };
    let erasable = Erasable {
        user: &row.user_id,
        actor: &row.actor,
        number_pseudonym: row.number_pseudonym.as_deref(),
        number_mask: row.number_mask.as_deref(),
        detail: row.detail.as_deref(),
    };
    (lasting, erasable)
}

/// Fresh bytes for the salt of an event.
fn fresh(seed: &[u8; 32], position: i64) -> [u8; SALT / 2] {
    let block = Sha256::new()
        .chain_update(seed)
        .chain_update(position.to_be_bytes())
        .finalize();
    let mut fresh = [0; SALT / 2];
    fresh.copy_from_slice(&block[..SALT / 2]);
    fresh
}

pub(crate) fn read_hash(text: &str) -> Result<Hash, Fault> {
    unhex(text).ok_or_else(|| Fault::Failed(format!("{text:?} is no hash")))
}
