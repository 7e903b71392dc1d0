//! What checkpoints say of the events that are gone through.

use std::collections::HashMap;

use ringback_core::audit::Hash;
use sea_orm::FromQueryResult;

use super::{Finding, PAGE, Verified, Walk, Wrong};
use crate::entity::checkpoints;
use crate::fault::Fault;
use crate::journal::signed::{Progress, checkpoint_of, is_signed, last_checkpoint};
use crate::journal::statements::with;

/// What organisations' checkpoints say, while their events are gone through.
pub(super) struct Signed {
    start: i64,
    organizations: HashMap<String, Progress>,
    /// The checkpoints of the next positions.
    next: Vec<checkpoints::Model>,
    looked: i64,
    /// The position of checkpoints that sign events of which some are forgotten.
    in_part: Option<i64>,
    /// The last position that checkpoints cover.
    covered: i64,
}

impl Signed {
    pub(super) async fn after(
        walk: &mut Walk<'_>,
        start: i64,
        covered: i64,
    ) -> Result<Signed, Fault> {
        let backend = walk.store.shared.sql.backend;
        let sql = "SELECT position FROM checkpoints WHERE position >= $1 ORDER BY position LIMIT 1";
        let rows = walk.ask(&with(backend, sql, vec![start.into()])).await?;
        let first: Option<i64> = rows
            .first()
            .map(|row| row.try_get_by_index(0))
            .transpose()?;
        Ok(Signed {
            start,
            organizations: HashMap::new(),
            next: Vec::new(),
            looked: start,
            in_part: first.filter(|first| start > 0 && *first > start),
            covered,
        })
    }

    /// One more event, and the checkpoints that end with it.
    pub(super) async fn add(
        &mut self,
        walk: &mut Walk<'_>,
        organization: &str,
        hash: &Hash,
        position: i64,
        verified: &mut Verified,
    ) -> Result<Option<Finding>, Fault> {
        let backend = walk.store.shared.sql.backend;
        if !self.organizations.contains_key(organization) {
            let asked = last_checkpoint(backend, organization, self.start);
            let rows = walk.ask(&asked).await?;
            let row = rows
                .first()
                .map(|row| checkpoints::Model::from_query_result(row, ""));
            let progress = Progress::after(row.transpose()?.as_ref())?;
            self.organizations.insert(organization.to_owned(), progress);
        }
        if let Some(progress) = self.organizations.get_mut(organization) {
            progress.add(hash);
        }
        if self.looked < position {
            let until = self.covered.min(position + PAGE);
            self.next = due(walk, position, until).await?;
            self.next.reverse();
            self.looked = position + PAGE;
        }
        while let Some(row) = self.next.pop_if(|row| row.position <= position) {
            let checkpoint = checkpoint_of(&row)?;
            let progress = self.organizations.remove(&row.organization_id);
            let keys = &walk.store.shared.rules.keys;
            let signed = is_signed(keys, &checkpoint, &row.signature)?;
            let in_part = self.in_part == Some(row.position);
            let holds = progress.is_some_and(|progress| {
                progress.count == row.count && progress.root.finish() == checkpoint.root
            });
            if !signed || !(holds || in_part) {
                let wrong = Wrong::Unsigned;
                return Ok(Some(Finding { position, wrong }));
            }
            verified.checkpoints += 1;
            let progress = Progress::after(Some(&row))?;
            self.organizations
                .insert(row.organization_id.clone(), progress);
        }
        Ok(None)
    }
}

/// The checkpoints from one position to another, in order.
async fn due(walk: &mut Walk<'_>, from: i64, to: i64) -> Result<Vec<checkpoints::Model>, Fault> {
    let sql = "SELECT organization_id, position, at, count, root, signature FROM checkpoints \
               WHERE position >= $1 AND position <= $2 ORDER BY position";
    let asked = with(
        walk.store.shared.sql.backend,
        sql,
        vec![from.into(), to.into()],
    );
    let rows = walk.ask(&asked).await?;
    let rows = rows
        .iter()
        .map(|row| checkpoints::Model::from_query_result(row, ""));
    Ok(rows.collect::<Result<_, _>>()?)
}
