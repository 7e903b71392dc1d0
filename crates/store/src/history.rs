//! What became of messages: listed, and looked at.

use ringback_core::delivery::{State, Trail};
use ringback_core::rights::Scope;
use ringback_core::{Caller, Id, Number, Refusal, Time};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QueryResult, QuerySelect, QueryTrait, Select, Statement,
};

use crate::entity::messages;
use crate::fault::Fault;
use crate::matching::within;
use crate::session::Session;
use crate::{Store, rows};

/// The states of messages that did not arrive.
const GONE_WRONG: [State; 5] = [
    State::Undelivered,
    State::Expired,
    State::Superseded,
    State::Refused,
    State::Failed,
];

/// What is known of a message. It holds neither text nor code, and no whole number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRecord {
    /// Its id.
    pub id: Id,
    /// The account that it is about.
    pub account: String,
    /// The account's organisation.
    pub organization: String,
    /// Enough of the number to recognise it.
    pub mask: String,
    /// `code`, `removal_code`, `replaced`, `removed`.
    pub kind: String,
    /// The languages that were asked for.
    pub language: String,
    /// Where it stands.
    pub state: State,
    /// The route that it waits for, or that was asked last.
    pub route: Option<String>,
    /// When it was asked for.
    pub created_at: Time,
    /// From this time on it is of no use.
    pub expires_at: Time,
    /// No earlier the next attempt is made; `None` when it waits for none.
    pub due_at: Option<Time>,
    /// When nothing more was to be tried.
    pub ended_at: Option<Time>,
    /// How often a worker has taken it up.
    pub attempts: u32,
    /// What was tried.
    pub trail: Trail,
    /// What the route that has it calls it.
    pub reference: Option<String>,
}

impl MessageRecord {
    /// Until when a worker has it that has not told yet what came of it.
    pub fn under_way_until(&self, now: Time) -> Option<Time> {
        let told = self.trail.last().map_or(0, |attempt| attempt.n);
        let lease = self.due_at.filter(|lease| *lease > now);
        lease.filter(|_| self.attempts > told)
    }
}

/// Which messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageQuery {
    /// Whose.
    pub scope: Scope,
    /// Of this account only.
    pub account: Option<String>,
    /// To this number only.
    pub number: Option<Number>,
    /// In this state only.
    pub state: Option<State>,
    /// Older than this one.
    pub before: Option<Id>,
    /// At most so many, newest first.
    pub limit: u32,
}

impl Store {
    /// Messages, newest first. Bounded like other lists.
    ///
    /// # Errors
    /// [`Refusal::Overloaded`], [`Refusal::Unavailable`].
    pub async fn list_messages(
        &self,
        caller: &Caller,
        query: &MessageQuery,
    ) -> Result<Vec<MessageRecord>, Refusal> {
        let health = &self.shared.dialer.health;
        let page = async {
            let mut admitted = self.lists.enter(caller, &query.scope).await?;
            loop {
                let taken = admitted.line().take().await?;
                let page = self.messages_found(&taken.session, query);
                let page = taken.within(taken.session.at_one_moment(page)).await;
                if let Some(page) = admitted.line().read(taken, page) {
                    return page;
                }
            }
        };
        self.lists
            .bounded(page)
            .await
            .map_err(|fault: Fault| health.report(&fault, "listing messages"))
    }

    /// One message of this scope.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn find_message(
        &self,
        scope: &Scope,
        id: Id,
    ) -> Result<Option<MessageRecord>, Refusal> {
        let row = self.message_row(id).await?;
        let row = row.filter(|row| reaches(scope, row));
        let health = &self.shared.dialer.health;
        row.map(record)
            .transpose()
            .map_err(|fault| health.report(&fault, "reading a message"))
    }

    async fn messages_found(
        &self,
        session: &Session,
        query: &MessageQuery,
    ) -> Result<Vec<MessageRecord>, Fault> {
        let mut found = Vec::new();
        let number = query.number.as_ref();
        let pseudonym = number.map(|number| self.shared.rules.keys.pseudonym(number));
        for question in questions(query, pseudonym.as_deref()) {
            found.extend(question.all(session).await?);
        }
        found.sort_by(|one, other| other.id.cmp(&one.id));
        found.truncate(query.limit as usize);
        found.into_iter().map(record).collect()
    }

    pub(crate) async fn message_row(&self, id: Id) -> Result<Option<messages::Model>, Refusal> {
        let find = messages::Entity::find_by_id(id.to_string());
        let mut found = self.ask(&find).await?;
        Ok(found.pop())
    }

    /// The rows of a question, which is asked once more when its connection was dead.
    pub(crate) async fn ask<E>(&self, question: &Select<E>) -> Result<Vec<E::Model>, Refusal>
    where
        E: EntityTrait,
    {
        let statement = question.build(self.shared.sql.backend);
        let read = self.rows_of(statement).await.and_then(|rows| {
            let rows = rows.iter().map(|row| E::Model::from_query_result(row, ""));
            rows.collect::<Result<Vec<_>, _>>().map_err(Fault::from)
        });
        let health = &self.shared.dialer.health;
        read.map_err(|fault| health.report(&fault, "reading a message"))
    }

    /// The same for any question.
    pub(crate) async fn rows_of(&self, question: Statement) -> Result<Vec<QueryResult>, Fault> {
        let mut line = self.jobs.lock().await;
        loop {
            let taken = line.take().await?;
            let asked = async { Ok(taken.session.query_all_raw(question.clone()).await?) };
            let asked = taken.within(asked).await;
            if let Some(asked) = line.read(taken, asked) {
                return asked;
            }
        }
    }
}

/// The questions that find a list's messages: what waits and what does not have indexes of their own.
/// `pseudonym` is that of the number.
pub(crate) fn questions(
    query: &MessageQuery,
    pseudonym: Option<&str>,
) -> Vec<Select<messages::Entity>> {
    use messages::Column;
    let mut wanted = within(&query.scope, Column::UserId, Column::OrganizationId);
    if let Some(account) = &query.account {
        wanted = wanted.add(Column::UserId.eq(account));
    }
    if let Some(state) = query.state {
        wanted = wanted.add(Column::State.eq(state.code()));
        if GONE_WRONG.contains(&state) {
            // As the index says it: only so it is seen to fit.
            let all = GONE_WRONG.map(|state| format!("'{}'", state.code()));
            let any = format!("state IN ({})", all.join(", "));
            wanted = wanted.add(Expr::cust(any));
        }
    }
    if let Some(before) = query.before {
        wanted = wanted.add(Column::Id.lt(before.to_string()));
    }
    let (mut waits, mut rests) = (wanted.clone(), wanted);
    if let Some((number, pseudonym)) = query.number.as_ref().zip(pseudonym) {
        waits = waits.add(Column::Number.eq(number.as_str()));
        rests = rests.add(Column::NumberPseudonym.eq(pseudonym));
    }
    let waits = waits.add(Column::DueAt.is_not_null());
    let rests = rests.add(Column::DueAt.is_null());
    let may_wait = query.state.is_none_or(|state| state == State::Queued);
    let may_rest = query.state != Some(State::Queued);
    [(may_wait, waits), (may_rest, rests)]
        .into_iter()
        .filter_map(|(may, wanted)| {
            let question = messages::Entity::find().filter(wanted);
            let question = question.order_by_desc(Column::Id);
            may.then(|| question.limit(u64::from(query.limit)))
        })
        .collect()
}

pub(crate) fn reaches(scope: &Scope, row: &messages::Model) -> bool {
    match scope {
        Scope::Everywhere => true,
        Scope::Organization(organization) => row.organization_id == *organization,
        Scope::Own {
            account,
            organization,
        } => row.organization_id == *organization && row.user_id == *account,
    }
}

pub(crate) fn record(row: messages::Model) -> Result<MessageRecord, Fault> {
    let mask = match (&row.number, row.number_mask) {
        (_, Some(mask)) => mask,
        (Some(number), None) => Number::from_stored(number).masked(),
        (None, None) => String::new(),
    };
    let state = State::from_code(&row.state);
    Ok(MessageRecord {
        id: rows::id(&row.id)?,
        account: row.user_id,
        organization: row.organization_id,
        mask,
        kind: row.kind,
        language: row.language,
        state: state.ok_or_else(|| Fault::Failed(format!("{:?} is no state", row.state)))?,
        route: Some(row.route).filter(|route| !route.is_empty()),
        created_at: Time(row.created_at),
        expires_at: Time(row.expires_at),
        due_at: row.due_at.map(Time),
        ended_at: row.ended_at.map(Time),
        attempts: u32::try_from(row.attempts).unwrap_or(0),
        trail: serde_json::from_str(&row.trail).unwrap_or_default(),
        reference: row.reference,
    })
}
