//! A row of the journal, and what its content says of it.

use ringback_core::audit::{Erasable, Hash, Lasting, SALT, event_hash, unhex};

use crate::Store;
use crate::entity::journal;

/// How far from its place a row is looked for.
pub(super) const NEAR: i64 = 1_000;

/// A row, and what its content says of it.
pub(super) struct Row {
    pub(super) row: journal::Model,
    previous: Option<Hash>,
    pub(super) hash: Option<Hash>,
    /// Hash and commitment are those of the content.
    pub(super) whole: bool,
    pub(super) erased: bool,
}

impl Row {
    pub(super) fn of(row: journal::Model) -> Row {
        let (previous, hash) = (unhex(&row.previous), unhex::<32>(&row.hash));
        let salt = row.salt.as_deref().map(unhex::<SALT>);
        let commitment = unhex::<32>(&row.commitment);
        let (lasting, erasable) = parts(&row);
        let whole = match (&previous, &commitment, salt) {
            (Some(previous), Some(commitment), salt) => {
                let holds = match salt {
                    Some(Some(salt)) => erasable.commitment(&salt) == *commitment,
                    Some(None) => false,
                    None => true,
                };
                holds && hash == Some(event_hash(previous, &lasting, commitment))
            }
            _ => false,
        };
        Row {
            previous,
            hash,
            whole,
            erased: row.salt.is_none(),
            row,
        }
    }

    /// Whether its salt says that it was written for this place; nothing says so of an erased one.
    pub(super) fn belongs_at(&self, store: &Store, position: i64) -> bool {
        let (Some(previous), Some(salt)) = (
            self.previous,
            self.row.salt.as_deref().and_then(unhex::<SALT>),
        ) else {
            return false;
        };
        let (lasting, erasable) = parts(&self.row);
        let mut fresh = [0; SALT / 2];
        fresh.copy_from_slice(&salt[..SALT / 2]);
        let keys = &store.shared.rules.keys;
        keys.event_salt(fresh, position, &previous, (&lasting, &erasable)) == salt
    }

    /// Where it was written for, as far as that is near.
    pub(super) fn place(&self, store: &Store) -> Option<i64> {
        let here = self.row.position;
        let near = (1..=NEAR).flat_map(|far| [here - far, here + far]);
        std::iter::once(here)
            .chain(near)
            .find(|position| self.belongs_at(store, *position))
    }
}

fn parts(row: &journal::Model) -> (Lasting<'_>, Erasable<'_>) {
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
