//! Who is told of events: how far each endpoint is, and what it did not take yet.
//!
//! An endpoint's row of `cursors` says up to where it was told, and which process tells it now. What it did not take
//! is parked in `event_deliveries`, so that the others are not held up.

mod again;

use std::time::Duration;

use ringback_core::{Refusal, Time};
use sea_orm::{
    ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};

pub use again::EndpointState;

use super::list::{EventRecord, record};
use super::signed::changed_cursor;
use super::statements::{self, with};
use crate::Store;
use crate::changes::{Kind, Target, Write};
use crate::entity::{cursors, event_deliveries, journal};
use crate::fault::Fault;

/// The right to tell an endpoint, for a while.
#[derive(Clone, Debug)]
pub struct Turn {
    row: cursors::Model,
    endpoint: String,
}

impl Turn {
    /// The position up to which it was told.
    pub fn position(&self) -> i64 {
        self.row.position
    }

    /// When it ends, unless it is kept.
    pub fn ends_at(&self) -> Time {
        Time(self.row.until_at.unwrap_or(0))
    }
}

/// An event that an endpoint did not take yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The event.
    pub event: EventRecord,
    /// How often it was tried.
    pub attempts: u32,
    /// No earlier it is tried again; `None` once it was given up.
    pub due_at: Option<Time>,
    /// When it was first parked.
    pub since: Time,
    /// Why it was not taken.
    pub reason: String,
}

/// What an endpoint is to be told.
#[derive(Clone, Debug, Default)]
pub struct Backlog {
    /// What it did not take yet, in order, without what was given up.
    pub parked: Vec<Parked>,
    /// What comes after its cursor, in order.
    pub next: Vec<EventRecord>,
    /// Where the journal ends.
    pub end: i64,
}

/// What came of telling an endpoint.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// The position up to which all is told or parked.
    pub position: i64,
    /// What is parked from now on.
    pub parked: Vec<Parked>,
    /// What was parked and is still not taken, as it is now.
    pub again: Vec<Parked>,
    /// The positions of what was parked and is taken.
    pub taken: Vec<i64>,
}

fn cursor_name(endpoint: &str) -> String {
    format!("endpoint:{endpoint}")
}

impl Store {
    /// Takes a turn at telling an endpoint, or keeps it, for so long; `None` while another process has it. An endpoint
    /// that is new is told from now on. `owner` tells processes apart.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn take_turn(
        &self,
        endpoint: &str,
        owner: &str,
        lease: Duration,
    ) -> Result<Option<Turn>, Refusal> {
        let health = &self.shared.dialer.health;
        match self.try_turn(endpoint, owner, lease).await {
            Err(Fault::Conflict(_)) => Ok(None),
            turn => turn.map_err(|fault| health.report(&fault, "looking at an endpoint")),
        }
    }

    async fn try_turn(
        &self,
        endpoint: &str,
        owner: &str,
        lease: Duration,
    ) -> Result<Option<Turn>, Fault> {
        let name = cursor_name(endpoint);
        let mut row = self.cursor_row(&name).await?;
        if row.is_none() {
            let new = "INSERT INTO cursors (name, position, version) SELECT $1, position, 0 FROM cursors \
                       WHERE name = 'journal' ON CONFLICT DO NOTHING";
            let new = with(self.shared.sql.backend, new, vec![name.as_str().into()]);
            self.change(new, &[]).await?;
            row = self.cursor_row(&name).await?;
        }
        let Some(row) = row else {
            return Ok(None);
        };
        let now = self.now();
        let ours = row.owner.as_deref() == Some(owner);
        if !ours && row.until_at.is_some_and(|until| until > now.0) {
            return Ok(None);
        }
        let row = cursors::Model {
            version: row.version + 1,
            owner: Some(owner.to_owned()),
            until_at: Some((now + lease).0),
            ..row
        };
        self.write_all(vec![changed_cursor(&row)?]).await?;
        Ok(Some(Turn {
            row,
            endpoint: endpoint.to_owned(),
        }))
    }

    async fn cursor_row(&self, name: &str) -> Result<Option<cursors::Model>, Fault> {
        let asked = statements::cursor(self.shared.sql.backend, name);
        let rows = self.rows_of(asked).await?;
        let row = rows
            .first()
            .map(|row| cursors::Model::from_query_result(row, ""));
        Ok(row.transpose()?)
    }

    /// What an endpoint is to be told: of what is parked and of what comes next at most so much. `None`: somebody else
    /// has the turn, or set the endpoint back.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn untold(
        &self,
        turn: &Turn,
        (parked, next): (u32, u32),
    ) -> Result<Option<Backlog>, Refusal> {
        let health = &self.shared.dialer.health;
        let untold = self.look_for_untold(turn, parked, next).await;
        untold.map_err(|fault| health.report(&fault, "looking at an endpoint"))
    }

    async fn look_for_untold(
        &self,
        turn: &Turn,
        most_parked: u32,
        most: u32,
    ) -> Result<Option<Backlog>, Fault> {
        use event_deliveries::Column;
        let backend = self.shared.sql.backend;
        let row = self.cursor_row(&turn.row.name).await?;
        if row.is_none_or(|row| row.version != turn.row.version) {
            return Ok(None);
        }
        let head = self.cursor_row("journal").await?;
        let end = head.map_or(0, |head| head.position);
        let parked = event_deliveries::Entity::find()
            .filter(Column::Endpoint.eq(&turn.endpoint))
            .filter(Column::DueAt.is_not_null())
            .order_by_asc(Column::Position)
            .limit(u64::from(most_parked))
            .build(backend);
        let parked = self.rows_of(parked).await?;
        let parked = parked
            .iter()
            .map(|row| event_deliveries::Model::from_query_result(row, ""))
            .collect::<Result<Vec<_>, _>>()?;
        let parked = match parked.is_empty() {
            true => Vec::new(),
            false => self.with_events(parked).await?,
        };
        let next = match end > turn.row.position {
            true => {
                let after = statements::after(backend, turn.row.position, end, most.into());
                let rows = self.rows_of(after).await?;
                let rows = rows
                    .iter()
                    .map(|row| journal::Model::from_query_result(row, "").map(record));
                rows.collect::<Result<_, _>>()?
            }
            false => Vec::new(),
        };
        Ok(Some(Backlog { parked, next, end }))
    }

    /// Those of which the event is still kept.
    async fn with_events(
        &self,
        parked: Vec<event_deliveries::Model>,
    ) -> Result<Vec<Parked>, Fault> {
        let positions = parked.iter().map(|row| row.position);
        let events = journal::Entity::find()
            .filter(journal::Column::Position.is_in(positions))
            .build(self.shared.sql.backend);
        let events = self.rows_of(events).await?;
        let mut events = events
            .iter()
            .map(|row| {
                let event = journal::Model::from_query_result(row, "").map(record)?;
                Ok((event.position, event))
            })
            .collect::<Result<std::collections::HashMap<_, _>, Fault>>()?;
        let parked = parked.into_iter().filter_map(|row| {
            Some(Parked {
                event: events.remove(&row.position)?,
                attempts: u32::try_from(row.attempts).unwrap_or(0),
                due_at: row.due_at.map(Time),
                since: Time(row.since_at),
                reason: row.reason,
            })
        });
        Ok(parked.collect())
    }

    /// Writes down what came of a turn, whole or not at all, and keeps the turn for so long. `None`: somebody else has
    /// the turn, or set the endpoint back, and nothing was written.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn told(
        &self,
        turn: Turn,
        told: &Progress,
        lease: Duration,
    ) -> Result<Option<Turn>, Refusal> {
        let health = &self.shared.dialer.health;
        match self.write_told(turn, told, lease).await {
            Err(Fault::Conflict(_)) => Ok(None),
            turn => turn
                .map(Some)
                .map_err(|fault| health.report(&fault, "noting what an endpoint was told")),
        }
    }

    async fn write_told(
        &self,
        turn: Turn,
        told: &Progress,
        lease: Duration,
    ) -> Result<Turn, Fault> {
        let Turn { row, endpoint } = turn;
        let row = cursors::Model {
            position: told.position.max(row.position),
            version: row.version + 1,
            until_at: Some((self.now() + lease).0),
            ..row
        };
        let rows_of = |parked: &[Parked]| -> Vec<event_deliveries::Model> {
            let row = |parked: &Parked| row_of(&endpoint, parked);
            parked.iter().map(row).collect()
        };
        let (added, changed) = (rows_of(&told.parked), rows_of(&told.again));
        let mut writes = vec![changed_cursor(&row)?];
        let all = [
            (Kind::Add, added.len(), serde_json::to_string(&added)?),
            (
                Kind::Change,
                changed.len(),
                serde_json::to_string(&changed)?,
            ),
        ];
        for (kind, rows, json) in all {
            if rows > 0 {
                writes.push(Write {
                    target: Target::Deliveries,
                    kind,
                    rows: rows as u64,
                    json,
                });
            }
        }
        if !told.taken.is_empty() {
            writes.push(removed(&endpoint, &told.taken)?);
        }
        self.write_all(writes).await?;
        Ok(Turn { row, endpoint })
    }

    /// Gives a turn back, so that another process need not wait for its end.
    pub async fn give_back_turn(&self, turn: Turn) {
        let row = cursors::Model {
            version: turn.row.version + 1,
            until_at: None,
            owner: None,
            ..turn.row
        };
        if let Ok(write) = changed_cursor(&row) {
            // Else it ends by itself.
            let _ = self.write_all(vec![write]).await;
        }
    }
}

fn removed(endpoint: &str, positions: &[i64]) -> Result<Write, Fault> {
    let rows: Vec<_> = positions
        .iter()
        .map(|position| serde_json::json!({ "endpoint": endpoint, "position": position }))
        .collect();
    Ok(Write {
        target: Target::Deliveries,
        kind: Kind::Remove,
        rows: rows.len() as u64,
        json: serde_json::to_string(&rows)?,
    })
}

fn row_of(endpoint: &str, parked: &Parked) -> event_deliveries::Model {
    event_deliveries::Model {
        endpoint: endpoint.to_owned(),
        position: parked.event.position,
        attempts: parked.attempts.into(),
        due_at: parked.due_at.map(|at| at.0),
        since_at: parked.since.0,
        reason: parked.reason.clone(),
    }
}
