//! Numbers that were announced and never proven are forgotten, also where their account is never changed again.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use ringback_core::rights::Rights;
use ringback_core::{Caller, Change, Command, Refusal, Time};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::Store;
use crate::entity::phone_numbers;

/// No code lives longer (`codes.validity_seconds`).
const LONGEST_CODE: Duration = Duration::from_secs(86_400);
/// Numbers that are looked at in one go.
const SOME: u64 = 100;

impl Store {
    /// Forgets some of the numbers whose codes have ended, and says how many.
    pub(crate) async fn tidy(&self, now: Time) -> Result<u64, Refusal> {
        use phone_numbers::Column;
        let old = phone_numbers::Entity::find()
            .filter(Column::Pending.is_not_null())
            .filter(Column::ChangedAt.lte((now - LONGEST_CODE).0))
            .order_by_asc(Column::ChangedAt)
            .limit(SOME);
        let rows = self.ask(&old).await?;
        let accounts: BTreeSet<_> = rows
            .into_iter()
            .map(|row| (row.organization_id, row.user_id))
            .collect();
        let tidied = accounts.into_iter().map(|(organization, account)| {
            let rights = Rights {
                write: true,
                ..Rights::NONE
            };
            let command = Command {
                caller: Caller::new("ringback", organization).with_rights(rights),
                account,
                action: Change::Tidy.into(),
            };
            self.execute(command, None)
        });
        let mut forgotten = 0;
        for done in join_all(tidied).await {
            match done {
                Ok(reply) => {
                    forgotten +=
                        u64::from(!reply.account.phones.iter().any(|phone| phone.pending()))
                }
                // It was deleted meanwhile.
                Err(Refusal::AccountNotFound) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(forgotten)
    }
}
