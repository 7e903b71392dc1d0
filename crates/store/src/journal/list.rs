//! Events on record: listed, and followed.

use ringback_core::rights::Scope;
use ringback_core::{Caller, Number, Refusal, Time};
use sea_orm::sea_query::Condition;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::statements;
use crate::Store;
use crate::entity::{checkpoints, cursors, journal};
use crate::fault::Fault;
use crate::matching::within;
use crate::session::Session;

/// How far clocks that stamp events may be from those that sign checkpoints.
const SKEW: i64 = 600_000_000;

/// What is on record of an event. It holds no whole number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventRecord {
    /// Its place among all events.
    pub position: i64,
    /// Its id.
    pub id: String,
    /// The account.
    pub account: String,
    /// The account's organisation.
    pub organization: String,
    /// The account's count of events, or 0.
    pub sequence: i64,
    /// When.
    pub at: Time,
    /// Whose token asked for it.
    pub actor: String,
    /// What happened.
    pub kind: String,
    /// Why.
    pub cause: Option<String>,
    /// A stable name for the number that does not tell it.
    pub number_pseudonym: Option<String>,
    /// Enough of the number to recognise it.
    pub mask: Option<String>,
    /// How often it happened.
    pub count: i64,
    /// What more there is to know: a JSON object.
    pub detail: Option<String>,
    /// Hexadecimal, like the hashes; `None` once it was made anonymous.
    pub salt: Option<String>,
    /// Of what can be erased.
    pub commitment: String,
    /// The hash of the account's event before it.
    pub previous: String,
    /// Its hash.
    pub hash: String,
}

/// Some events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPage {
    /// In the order that was asked for.
    pub events: Vec<EventRecord>,
    /// After which position to go on; `None` when there is nothing more, newest first. The oldest first it goes on for
    /// ever.
    pub next: Option<i64>,
}

/// Which events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventQuery {
    /// Whose.
    pub scope: Scope,
    /// Of this account only.
    pub account: Option<String>,
    /// About this number only.
    pub number: Option<Number>,
    /// Of these kinds only, such as `phone.verified`, or `phone.*` for all that begin so; empty for all.
    pub kinds: Vec<String>,
    /// Not before this time.
    pub from: Option<Time>,
    /// Before this time.
    pub until: Option<Time>,
    /// The oldest first, else the newest first.
    pub oldest_first: bool,
    /// After this position in that order.
    pub after: Option<i64>,
    /// At most so many.
    pub limit: u32,
}

impl Store {
    /// Events on record. Bounded like other lists.
    ///
    /// # Errors
    /// [`Refusal::Overloaded`], [`Refusal::DeadlineExceeded`], [`Refusal::Unavailable`].
    pub async fn list_events(
        &self,
        caller: &Caller,
        query: &EventQuery,
    ) -> Result<EventPage, Refusal> {
        let health = &self.shared.dialer.health;
        let page = async {
            let mut admitted = self.lists.enter(caller, &query.scope).await?;
            loop {
                let taken = admitted.line().take().await?;
                let page = self.events_found(&taken.session, query);
                let page = taken.within(taken.session.at_one_moment(page)).await;
                if let Some(page) = admitted.line().read(taken, page) {
                    return page;
                }
            }
        };
        self.lists
            .bounded(page)
            .await
            .map_err(|fault: Fault| health.report(&fault, "listing events"))
    }

    async fn events_found(
        &self,
        session: &Session,
        query: &EventQuery,
    ) -> Result<EventPage, Fault> {
        use journal::Column;
        // Whatever comes to be meanwhile comes after it.
        let end = cursors::Entity::find_by_id("journal").one(session).await?;
        let end = end.map_or(0, |end| end.position);
        let mut wanted = within(&query.scope, Column::UserId, Column::OrganizationId);
        if let Some(account) = &query.account {
            wanted = wanted.add(Column::UserId.eq(account));
        }
        if let (Scope::Everywhere, Some(account)) = (&query.scope, &query.account) {
            // The index of an account's events begins with the organisation.
            let asked = statements::organizations_of(session.get_database_backend(), account);
            let rows = session.query_all_raw(asked).await?;
            let organizations = rows.iter().map(|row| row.try_get_by_index::<String>(0));
            let organizations = organizations.collect::<Result<Vec<_>, _>>()?;
            wanted = wanted.add(Column::OrganizationId.is_in(organizations));
        }
        if let Some(number) = &query.number {
            let pseudonym = self.shared.rules.keys.pseudonym(number);
            wanted = wanted.add(Column::NumberPseudonym.eq(pseudonym));
        }
        if let Some(kinds) = of_kinds(&query.kinds) {
            wanted = wanted.add(kinds);
        }
        if let Some(from) = query.from {
            wanted = wanted.add(Column::At.gte(from.0));
            // What was signed long before is older.
            let signed = checkpoints::Entity::find()
                .filter(checkpoints::Column::At.lt(from.0.saturating_sub(SKEW)))
                .order_by_desc(checkpoints::Column::Position)
                .limit(1);
            if let Some(signed) = signed.one(session).await? {
                wanted = wanted.add(Column::Position.gt(signed.position));
            }
        }
        if let Some(until) = query.until {
            wanted = wanted.add(Column::At.lt(until.0));
        }
        let found = journal::Entity::find();
        let found = match (query.oldest_first, query.after) {
            (true, Some(after)) => found.filter(Column::Position.gt(after)),
            (false, Some(after)) => found.filter(Column::Position.lt(after)),
            (_, None) => found,
        };
        let found = found.filter(wanted);
        let found = match query.oldest_first {
            true => found.order_by_asc(Column::Position),
            false => found.order_by_desc(Column::Position),
        };
        // One more tells whether there is a next page.
        let most = query.limit as usize;
        let found = found.limit(u64::from(query.limit) + 1);
        let mut rows = found.all(session).await?;
        let more = rows.len() > most;
        rows.truncate(most);
        let last = rows.last().map(|row| row.position);
        Ok(EventPage {
            next: match (query.oldest_first, more) {
                (_, true) => last,
                (true, false) => Some(end.max(last.unwrap_or(0)).max(query.after.unwrap_or(0))),
                (false, false) => None,
            },
            events: rows.into_iter().map(record).collect(),
        })
    }
}

/// Whether an event is of one of these kinds; nothing for any.
fn of_kinds(kinds: &[String]) -> Option<Condition> {
    use journal::Column;
    let all = kinds.iter().map(|kind| match kind.strip_suffix('*') {
        // The next character after the dot is the slash.
        Some(group) => Condition::all()
            .add(Column::Kind.gte(group))
            .add(Column::Kind.lt(format!("{}/", group.trim_end_matches('.')))),
        None => Condition::all().add(Column::Kind.eq(kind)),
    });
    let any = all.fold(Condition::any(), Condition::add);
    (!kinds.is_empty()).then_some(any)
}

pub(super) fn record(row: journal::Model) -> EventRecord {
    EventRecord {
        position: row.position,
        id: row.id,
        account: row.user_id,
        organization: row.organization_id,
        sequence: row.sequence,
        at: Time(row.at),
        actor: row.actor,
        kind: row.kind,
        cause: row.cause,
        number_pseudonym: row.number_pseudonym,
        mask: row.number_mask,
        count: row.count,
        detail: row.detail,
        salt: row.salt,
        commitment: row.commitment,
        previous: row.previous,
        hash: row.hash,
    }
}
