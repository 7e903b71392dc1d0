//! Telling an endpoint again, and how it stands.

use std::time::{Duration, Instant};

use ringback_core::{Refusal, Time};
use sea_orm::FromQueryResult;

use super::{cursor_name, removed};
use crate::Store;
use crate::entity::{cursors, journal};
use crate::fault::Fault;
use crate::journal::signed::changed_cursor;
use crate::journal::statements::{self, with};

/// How an endpoint stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EndpointState {
    /// Events after its cursor, of any kind.
    pub behind: u64,
    /// Events that wait to be tried again.
    pub parked: u64,
    /// Events that were given up.
    pub given_up: u64,
    /// When the oldest event happened that it was not told of.
    pub oldest: Option<Time>,
}

impl Store {
    /// Has an endpoint told again: of all that was given up, or of everything from a position on. Says how many events
    /// were given up before, or how many there are from there on. `None` for an endpoint that was never told anything.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn redeliver(
        &self,
        endpoint: &str,
        from: Option<i64>,
    ) -> Result<Option<u64>, Refusal> {
        let health = &self.shared.dialer.health;
        let until = Instant::now() + self.shared.dialer.limits.statement;
        loop {
            match self.try_redeliver(endpoint, from).await {
                // Whoever tells it now writes now and then.
                Err(Fault::Conflict(_)) if Instant::now() < until => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                done => {
                    return done.map_err(|fault| health.report(&fault, "setting an endpoint back"));
                }
            }
        }
    }

    async fn try_redeliver(&self, endpoint: &str, from: Option<i64>) -> Result<Option<u64>, Fault> {
        let backend = self.shared.sql.backend;
        let Some(row) = self.cursor_row(&cursor_name(endpoint)).await? else {
            return Ok(None);
        };
        let Some(from) = from else {
            let again = "UPDATE event_deliveries SET due_at = $2, since_at = $2, attempts = 0 \
                         WHERE endpoint = $1 AND due_at IS NULL";
            let values = vec![endpoint.into(), self.now().0.into()];
            return Ok(Some(self.change(with(backend, again, values), &[]).await?));
        };
        let head = self.cursor_row("journal").await?;
        let end = head.map_or(0, |head| head.position);
        let row = cursors::Model {
            position: (from - 1).clamp(0, end),
            version: row.version + 1,
            ..row
        };
        // What is parked there comes again by itself.
        let parked = "SELECT position FROM event_deliveries WHERE endpoint = $1 AND position > $2";
        let values = vec![endpoint.into(), row.position.into()];
        let parked = self.rows_of(with(backend, parked, values)).await?;
        let parked = parked.iter().map(|row| row.try_get_by_index(0));
        let parked = parked.collect::<Result<Vec<i64>, _>>()?;
        let mut writes = vec![changed_cursor(&row)?];
        if !parked.is_empty() {
            writes.push(removed(endpoint, &parked)?);
        }
        self.write_all(writes).await?;
        Ok(Some(u64::try_from(end - row.position).unwrap_or(0)))
    }

    /// How an endpoint stands.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn endpoint_state(&self, endpoint: &str) -> Result<EndpointState, Refusal> {
        let health = &self.shared.dialer.health;
        let state = self.look_at_endpoint(endpoint).await;
        state.map_err(|fault| health.report(&fault, "looking at an endpoint"))
    }

    async fn look_at_endpoint(&self, endpoint: &str) -> Result<EndpointState, Fault> {
        let backend = self.shared.sql.backend;
        let Some(row) = self.cursor_row(&cursor_name(endpoint)).await? else {
            return Ok(EndpointState::default());
        };
        let head = self.cursor_row("journal").await?;
        let end = head.map_or(0, |head| head.position);
        let counts = "SELECT count(due_at), count(*), min(CASE WHEN due_at IS NOT NULL THEN position END) \
                      FROM event_deliveries WHERE endpoint = $1";
        let rows = self
            .rows_of(with(backend, counts, vec![endpoint.into()]))
            .await?;
        let counts = rows.first().map(|row| row.try_get_many_by_index());
        let (parked, all, first): (i64, i64, Option<i64>) = counts.transpose()?.unwrap_or_default();
        let count = |count: i64| u64::try_from(count).unwrap_or(0);
        let oldest = match first {
            Some(first) => first - 1,
            None => row.position,
        };
        let oldest = statements::after(backend, oldest, end, 1);
        let oldest = self.rows_of(oldest).await?;
        let oldest = oldest
            .first()
            .map(|row| journal::Model::from_query_result(row, ""));
        Ok(EndpointState {
            behind: count(end - row.position),
            parked: count(parked),
            given_up: count(all - parked),
            oldest: oldest.transpose()?.map(|row| Time(row.at)),
        })
    }
}
