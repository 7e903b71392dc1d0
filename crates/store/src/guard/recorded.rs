//! What the guard was asked, as it is on record.

use ringback_core::guard::{Destination, Recorded, What};
use ringback_core::{EventDetail, Id, Refusal, Time};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::Store;
use crate::entity::{events, journal};

const SENT: &str = "phone.code_sent";
const VERIFIED: &str = "phone.verified";
const REFUSED: &str = "guard.refused";
/// Events that are read at once.
const PAGE: u64 = 5_000;

/// Some of what is on record, oldest first.
#[derive(Debug)]
pub struct RecordedPage {
    /// What can be decided again.
    pub records: Vec<Recorded>,
    /// Codes of which it is not known where they were to go.
    pub unread: u64,
    /// Where the next ones are; `None` for no more.
    pub next: Option<RecordedPlace>,
}

/// Where what is on record is read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordedPlace {
    /// After a position of the journal.
    Journal(i64),
    /// After an event that is not in the journal yet.
    Inbox(Id),
}

/// An event, wherever it is kept.
struct Row {
    organization_id: String,
    user_id: String,
    at: i64,
    kind: String,
    number_pseudonym: Option<String>,
    count: i64,
    detail: Option<String>,
}

macro_rules! row {
    ($model:expr) => {{
        let model = $model;
        Row {
            organization_id: model.organization_id,
            user_id: model.user_id,
            at: model.at,
            kind: model.kind,
            number_pseudonym: model.number_pseudonym,
            count: model.count,
            detail: model.detail,
        }
    }};
}

impl Store {
    /// What the guard was asked since `from`, and which codes were handed in: a page of it, in the order of time.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn recorded_decisions(
        &self,
        from: Time,
        after: Option<RecordedPlace>,
    ) -> Result<RecordedPage, Refusal> {
        let (rows, next) = match after.unwrap_or(RecordedPlace::Journal(0)) {
            RecordedPlace::Journal(position) => self.journalled(from, position).await?,
            RecordedPlace::Inbox(id) => self.not_journalled(id).await?,
        };
        let mut page = RecordedPage {
            records: Vec::with_capacity(rows.len()),
            unread: 0,
            next,
        };
        for row in rows {
            let sent = row.kind == SENT;
            match recorded(row) {
                Some(one) => page.records.push(one),
                None => page.unread += u64::from(sent),
            }
        }
        Ok(page)
    }
}

impl Store {
    async fn journalled(
        &self,
        from: Time,
        position: i64,
    ) -> Result<(Vec<Row>, Option<RecordedPlace>), Refusal> {
        use journal::Column;
        let find = journal::Entity::find()
            .filter(Column::Position.gt(position))
            .filter(Column::At.gte(from.0))
            .filter(Column::Kind.is_in([SENT, VERIFIED, REFUSED]))
            .order_by_asc(Column::Position)
            .limit(PAGE);
        let rows = self.ask(&find).await?;
        let whole = rows.len() as u64 == PAGE;
        let last = rows.last().filter(|_| whole).map(|row| row.position);
        let inbox = RecordedPlace::Inbox(Id::first_at(from));
        let next = last.map_or(inbox, RecordedPlace::Journal);
        Ok((rows.into_iter().map(|row| row!(row)).collect(), Some(next)))
    }

    async fn not_journalled(
        &self,
        after: Id,
    ) -> Result<(Vec<Row>, Option<RecordedPlace>), Refusal> {
        use events::Column;
        let find = events::Entity::find()
            .filter(Column::Id.gt(after.to_string()))
            .filter(Column::Kind.is_in([SENT, VERIFIED, REFUSED]))
            .order_by_asc(Column::Id)
            .limit(PAGE);
        let rows = self.ask(&find).await?;
        let whole = rows.len() as u64 == PAGE;
        let next = rows.last().filter(|_| whole);
        let next = next.and_then(|row| Id::parse(&row.id));
        let rows = rows.into_iter().map(|row| row!(row)).collect();
        Ok((rows, next.map(RecordedPlace::Inbox)))
    }
}

fn recorded(row: Row) -> Option<Recorded> {
    let detail: EventDetail = serde_json::from_str(row.detail.as_deref()?).ok()?;
    let (country, prefix) = (detail.country?, detail.guard.prefix?);
    let what = match row.kind.as_str() {
        VERIFIED => What::Answered { country, prefix },
        kind => What::Asked {
            to: Destination {
                country,
                prefix,
                kind: detail.guard.kind?,
            },
            address: detail.guard.address,
            known: detail.guard.known,
            sent: kind == SENT,
            count: u32::try_from(row.count).unwrap_or(1),
        },
    };
    Some(Recorded {
        at: Time(row.at),
        organization: row.organization_id,
        account: row.user_id,
        number: row.number_pseudonym?,
        what,
    })
}
