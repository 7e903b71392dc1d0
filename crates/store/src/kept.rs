//! All that is kept about one user.

use std::collections::BTreeMap;
use std::sync::Arc;

use ringback_core::rights::Scope;
use ringback_core::{Account, Caller, Id, Refusal, Time};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::entity::{events, journal};
use crate::fault::Fault;
use crate::session::Session;
use crate::{MessageQuery, MessageRecord, Store, rows};

/// Events on one page.
const PAGE: u64 = 1_000;
/// Messages that are shown at most.
const MESSAGES: u32 = 1_000;

/// All that is kept about one user: a page of it.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The account.
    pub account: Arc<Account>,
    /// What became of messages, newest first; on the first page only.
    pub messages: Vec<MessageRecord>,
    /// What is on record, oldest first.
    pub events: Vec<RecordedEvent>,
    /// The last event of this page, where there are more.
    pub next: Option<Id>,
}

/// Something that is on record of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Its id.
    pub id: Id,
    /// The account's event counter.
    pub sequence: u64,
    /// When.
    pub at: Time,
    /// Who did it.
    pub actor: String,
    /// What happened.
    pub kind: String,
    /// Why.
    pub cause: Option<String>,
    /// Enough of the number to recognise it.
    pub mask: Option<String>,
    /// How often it happened.
    pub count: u64,
    /// What more there is to know, as JSON.
    pub detail: Option<String>,
}

impl Store {
    /// All that is kept about one user, as far as this caller may know of it; of what is on record, what came after
    /// an event.
    ///
    /// # Errors
    /// As of [`Store::read`] and [`Store::list_messages`].
    pub async fn kept_of(
        &self,
        caller: &Caller,
        id: &str,
        after: Option<Id>,
    ) -> Result<Kept, Refusal> {
        let account = self.read(caller, id).await?;
        let scope = Scope::Own {
            account: account.id.clone(),
            organization: account.organization.clone(),
        };
        let messages = match after {
            Some(_) => Vec::new(),
            None => {
                let query = MessageQuery {
                    scope: scope.clone(),
                    account: None,
                    number: None,
                    state: None,
                    before: None,
                    limit: MESSAGES,
                };
                self.list_messages(caller, &query).await?
            }
        };
        let health = &self.shared.dialer.health;
        let page = async {
            let mut admitted = self.lists.enter(caller, &scope).await?;
            loop {
                let taken = admitted.line().take().await?;
                let page = taken
                    .within(recorded(&taken.session, &account, after))
                    .await;
                if let Some(page) = admitted.line().read(taken, page) {
                    return page;
                }
            }
        };
        let page = self.lists.bounded(page).await;
        let mut events = page.map_err(|fault: Fault| health.report(&fault, "reading events"))?;
        let more = events.len() as u64 > PAGE;
        events.truncate(usize::try_from(PAGE).unwrap_or(usize::MAX));
        let next = events.last().map(|last| last.id).filter(|_| more);
        // Ids tell the order to the millisecond.
        events.sort_by_key(|event| (event.at, event.sequence));
        Ok(Kept {
            next,
            account,
            messages,
            events,
        })
    }
}

/// What waits to go on record first, since it may do so meanwhile.
async fn recorded(
    session: &Session,
    account: &Account,
    after: Option<Id>,
) -> Result<Vec<RecordedEvent>, Fault> {
    let after = after.map(|after| after.to_string()).unwrap_or_default();
    let waiting = events::Entity::find()
        .filter(events::Column::UserId.eq(&account.id))
        .filter(events::Column::OrganizationId.eq(&account.organization))
        .filter(events::Column::Id.gt(&after))
        .order_by_asc(events::Column::Id)
        .limit(PAGE + 1);
    let waiting = waiting.all(session).await?;
    let on_record = journal::Entity::find()
        .filter(journal::Column::OrganizationId.eq(&account.organization))
        .filter(journal::Column::UserId.eq(&account.id))
        .filter(journal::Column::Id.gt(&after))
        .order_by_asc(journal::Column::Id)
        .limit(PAGE + 1);
    let on_record = on_record.all(session).await?;
    let waiting = waiting.into_iter().map(|row| {
        let (at, count) = (Time(row.at), row.count);
        let told = (row.actor, row.kind, row.cause, row.number_mask, row.detail);
        event(&row.id, row.sequence, at, count, told)
    });
    let on_record = on_record.into_iter().map(|row| {
        let (at, count) = (Time(row.at), row.count);
        let told = (row.actor, row.kind, row.cause, row.number_mask, row.detail);
        event(&row.id, row.sequence, at, count, told)
    });
    let all = waiting
        .chain(on_record)
        .collect::<Result<Vec<_>, Fault>>()?;
    let all: BTreeMap<Id, RecordedEvent> = all.into_iter().map(|one| (one.id, one)).collect();
    Ok(all
        .into_values()
        .take(usize::try_from(PAGE + 1).unwrap_or(usize::MAX))
        .collect())
}

/// Who did it, what, why, about which number, and what more there is to know.
type Facts = (
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
);

fn event(
    id: &str,
    sequence: i64,
    at: Time,
    count: i64,
    told: Facts,
) -> Result<RecordedEvent, Fault> {
    let (actor, kind, cause, mask, detail) = told;
    Ok(RecordedEvent {
        id: rows::id(id)?,
        sequence: u64::try_from(sequence).unwrap_or(0),
        at,
        actor,
        kind,
        cause,
        mask,
        count: u64::try_from(count).unwrap_or(1),
        detail,
    })
}
