//! Tallies written down and read: what processes learn from each other, and what outlives them.

use std::sync::{PoisonError, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use ringback_core::guard::{Observation, Place, Tally};
use ringback_core::{Refusal, Time};
use sea_orm::sea_query::{Expr, OnConflict, Query};
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    Select, Statement,
};

use super::memory::{At, MOST, Memory};
use crate::Store;
use crate::entity::guard_tallies::{self, Column};
use crate::fault::Fault;

/// Tallies that one statement writes.
const ROWS: usize = 500;
/// By so much the clocks of two processes may differ.
const CLOCKS: Duration = Duration::from_secs(5);
/// Tallies that one question reads of those that changed.
const READ: u64 = 20_000;
/// How often a tally is written against others who write it.
const TRIES: usize = 3;
/// Rows that are deleted at once.
const PURGE: u32 = 500;

/// What is to be written of a place, with what it was told.
type Ripe = (At, Vec<(Observation, Time)>);

impl Store {
    /// Writes down what this process has counted for the guard, and learns what others have: to be called about once a
    /// second while commands are decided, and once before.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`]; nothing is lost, and the next call tries again.
    pub async fn exchange_guard(&self) -> Result<(), Refusal> {
        if !self.shared.guarded {
            return Ok(());
        }
        let _exchanging = self.shared.guards.exchanging.lock().await;
        self.write_tallies_down(false).await?;
        self.learn_tallies().await
    }

    /// Writes down all that this process has counted for the guard: for its end.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`]; what was not written down is lost with the process, as it is statistics.
    pub async fn leave_guard(&self) -> Result<(), Refusal> {
        if !self.shared.guarded {
            return Ok(());
        }
        let _exchanging = self.shared.guards.exchanging.lock().await;
        self.write_tallies_down(true).await
    }

    pub(super) async fn write_tallies_down(&self, all: bool) -> Result<(), Refusal> {
        for _ in 0..TRIES {
            let ripe = self.known().ripe(all, self.now());
            if ripe.is_empty() {
                break;
            }
            for some in ripe.chunks(ROWS) {
                self.write_some(some).await?;
            }
        }
        Ok(())
    }

    /// Adds what was told to what is there, and writes it unless somebody else did so meanwhile.
    async fn write_some(&self, ripe: &[Ripe]) -> Result<(), Refusal> {
        let names = ripe.iter().map(|(at, _)| name(at));
        let rows = self.ask(&tallies_named(names)).await?;
        let now = self.now();
        let mut written = Vec::with_capacity(ripe.len());
        for (at, told) in ripe {
            let name = name(at);
            let rules = &self.shared.rules.policies.of(&at.0).guard;
            let row = rows.iter().find(|row| row.name == name);
            let mut tally = row.and_then(|row| read(&at.1, &row.state));
            let tally = tally.get_or_insert_with(|| Tally::fresh(&at.1));
            for (told, at) in told {
                tally.tell(rules, *told, *at);
            }
            // A row that was purged and made again counts from another time.
            let version = row.map_or(now.0, |row| row.version + 1);
            written.push((at, told.len(), tally.clone(), version));
        }
        let rows = written
            .iter()
            .map(|(at, _, tally, version)| guard_tallies::Model {
                name: name(at),
                state: state(tally),
                version: *version,
                changed_at: now.0,
                idle_at: tally.idle_at().0,
            });
        let health = &self.shared.dialer.health;
        let statement = self.put(rows.collect());
        let done = self.put_names(statement).await;
        let done = done.map_err(|fault| health.report(&fault, "writing what the guard knows"))?;
        for (at, told, tally, version) in written {
            if done.contains(&name(at)) {
                let rules = &self.shared.rules.policies.of(&at.0).guard;
                let mut memory = self.memory();
                memory.learn(at, rules, (tally, version), told, now);
            }
        }
        Ok(())
    }

    /// Each row where it is new, or still as it was read.
    fn put(&self, rows: Vec<guard_tallies::Model>) -> Statement {
        let mut known = OnConflict::column(Column::Name);
        known.update_columns([
            Column::State,
            Column::Version,
            Column::ChangedAt,
            Column::IdleAt,
        ]);
        known.action_and_where(Expr::cust("guard_tallies.version = excluded.version - 1"));
        let rows = rows.into_iter().map(guard_tallies::ActiveModel::from);
        let mut insert = guard_tallies::Entity::insert_many(rows)
            .on_conflict(known)
            .into_query();
        insert.returning(Query::returning().column(Column::Name));
        self.shared.sql.backend.build(&insert)
    }

    /// The names of the rows that were written.
    async fn put_names(&self, statement: Statement) -> Result<Vec<String>, Fault> {
        let mut line = self.jobs.lock().await;
        let taken = line.take().await?;
        let putting = async {
            let rows = taken.session.query_all_raw(statement).await?;
            let names = rows.iter().map(|row| row.try_get_by_index(0));
            Ok(names.collect::<Result<Vec<String>, _>>()?)
        };
        let (epoch, names) = (taken.epoch, taken.within(putting).await);
        if let Err(fault) = &names {
            self.shared.failed(fault);
        }
        let names = line.done(taken, names)?;
        if !names.is_empty() {
            self.shared.wrote(epoch, names.len() as u64, &[]);
        }
        Ok(names)
    }

    /// Reads what others have written since the last time: at first all, or as much as is kept.
    pub(super) async fn learn_tallies(&self) -> Result<(), Refusal> {
        let seen = self.known().seen;
        let since = (Time(seen) - CLOCKS).0;
        let find = match seen {
            0 => guard_tallies::Entity::find()
                .order_by_desc(Column::ChangedAt)
                .limit(MOST as u64),
            _ => tallies_since(since),
        };
        let rows = self.ask(&find).await?;
        let (now, policies) = (self.now(), &self.shared.rules.policies);
        let seen = rows.iter().map(|row| row.changed_at).max().unwrap_or(seen);
        let new: Vec<_> = {
            let memory = self.known();
            let new = rows.into_iter().filter_map(|row| {
                let at = place_of(&row.name)?;
                (row.version > memory.version(&at)).then_some((at, row))
            });
            new.collect()
        };
        // Read beforehand: decisions wait for nobody who changes what is known.
        let read = new.into_iter().filter_map(|(at, row)| {
            let tally = read(&at.1, &row.state)?;
            Some((at, (tally, row.version)))
        });
        let read: Vec<_> = read.collect();
        let mut memory = self.memory();
        memory.seen = memory.seen.max(seen);
        for (at, tally) in read {
            memory.learn(&at, &policies.of(&at.0).guard, tally, 0, now);
        }
        Ok(())
    }

    /// Deletes what says nothing any more.
    pub(crate) fn idle_guard_tallies(&self, now: Time) -> Statement {
        let idle = "SELECT name FROM guard_tallies WHERE idle_at <= $1 LIMIT $2";
        let delete = format!("DELETE FROM guard_tallies WHERE name IN ({idle}) AND idle_at <= $1");
        let values = [now.0.into(), i64::from(PURGE).into()];
        Statement::from_sql_and_values(self.shared.sql.backend, delete, values)
    }

    fn known(&self) -> RwLockReadGuard<'_, Memory> {
        let memory = self.shared.guards.memory.read();
        memory.unwrap_or_else(PoisonError::into_inner)
    }

    fn memory(&self) -> RwLockWriteGuard<'_, Memory> {
        let memory = self.shared.guards.memory.write();
        memory.unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn tallies_named(names: impl Iterator<Item = String>) -> Select<guard_tallies::Entity> {
    guard_tallies::Entity::find().filter(Column::Name.is_in(names))
}

/// Those that were written after a time, oldest first.
pub(crate) fn tallies_since(since: i64) -> Select<guard_tallies::Entity> {
    guard_tallies::Entity::find()
        .filter(Column::ChangedAt.gt(since))
        .order_by_asc(Column::ChangedAt)
        .limit(READ)
}

const COUNTRY: &str = "country";
const PREFIX: &str = "prefix";

/// A row's name. Neither a country nor a prefix holds a colon.
fn name((organization, place): &At) -> String {
    match place {
        Place::Country(country) => format!("{COUNTRY}:{country}:{organization}"),
        Place::Prefix(prefix) => format!("{PREFIX}:{prefix}:{organization}"),
    }
}

fn place_of(name: &str) -> Option<At> {
    let (kind, rest) = name.split_once(':')?;
    let (place, organization) = rest.split_once(':')?;
    let place = match kind {
        COUNTRY => Place::Country(place.to_owned()),
        PREFIX => Place::Prefix(place.to_owned()),
        _ => return None,
    };
    Some((organization.to_owned(), place))
}

fn state(tally: &Tally) -> String {
    let state = match tally {
        Tally::Country(tally) => serde_json::to_string(tally),
        Tally::Prefix(tally) => serde_json::to_string(tally),
    };
    state.unwrap_or_else(|_| "{}".to_owned())
}

/// What this version cannot read begins anew.
fn read(place: &Place, state: &str) -> Option<Tally> {
    let tally = match place {
        Place::Country(_) => serde_json::from_str(state).map(Tally::Country),
        Place::Prefix(_) => serde_json::from_str(state).map(Tally::Prefix),
    };
    tally
        .inspect_err(|error| tracing::warn!(%error, "what the guard knows cannot be read"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for place in [
            Place::Country("CH".into()),
            Place::Prefix("+4179123".into()),
        ] {
            for organization in ["acme", "a:b", ""] {
                let at = (organization.to_owned(), place.clone());
                assert_eq!(place_of(&name(&at)), Some(at));
            }
        }
        for other in ["", "country", "country:CH", "region:CH:acme"] {
            assert_eq!(place_of(other), None);
        }
    }
}
