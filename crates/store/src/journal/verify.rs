//! Going through the whole journal: whether it is what was written.

mod row;
mod signed;

use std::fmt;

use ringback_core::Refusal;
use ringback_core::audit::{Hash, NONE_BEFORE, chained, hex};
use sea_orm::{ConnectionTrait, FromQueryResult, QueryResult, Statement};

use super::erase::ERASED;
use super::{Head, read_hash, statements};
use crate::Store;
use crate::dial::Purpose;
use crate::entity::{cursors, journal};
use crate::fault::Fault;
use crate::line::Line;
use row::{NEAR, Row};
use signed::Signed;

/// Rows that are read at once.
const PAGE: i64 = 2_000;
/// How often it begins again because events were forgotten meanwhile.
const TRIES: usize = 5;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The position before the first event that is kept.
    pub forgotten: i64,
    /// The last position.
    pub last: i64,
    /// How many of the events were made anonymous.
    pub erased: u64,
    /// How many checkpoints were compared.
    pub checkpoints: u64,
    /// The first thing that is wrong.
    pub wrong: Option<Finding>,
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The position.
    pub position: i64,
    /// How.
    pub wrong: Wrong,
}

/// How something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// The row does not hold what was written.
    Changed,
    /// The row that was there is gone.
    Removed,
    /// The row was not written by ringback.
    Inserted,
    /// The row belongs to another place.
    Reordered,
    /// The row does not follow from the account's row before it.
    Unchained,
    /// The rows up to here are not those that the checkpoint signed.
    Unsigned,
    /// The end of the journal, or what was forgotten of it, is not as it was sealed.
    Unsealed,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Wrong::Changed => "changed: the row does not hold what was written",
            Wrong::Removed => "removed: the row that was there is gone",
            Wrong::Inserted => "inserted: the row was not written by ringback",
            Wrong::Reordered => "reordered: the row belongs to another place",
            Wrong::Unchained => {
                "unchained: the row does not follow from its account's row before it"
            }
            Wrong::Unsigned => {
                "unsigned: the rows up to here are not those that the checkpoint signed"
            }
            Wrong::Unsealed => {
                "unsealed: the row that says where the journal begins or ends was changed"
            }
        })
    }
}

impl Store {
    /// Goes through the whole journal and says the first thing that is wrong. Reads much; writes nothing.
    ///
    /// # Errors
    /// [`Refusal::Unavailable`].
    pub async fn verify_events(&self) -> Result<Verified, Refusal> {
        let mut walk = Walk {
            store: self,
            line: Line::new(self.shared.dialer.clone(), Purpose::Lists),
        };
        let health = &self.shared.dialer.health;
        let mut tries = 0;
        loop {
            let verified = walk.verify().await;
            let verified = verified.map_err(|fault| health.report(&fault, "verifying events"))?;
            let forgotten = walk.cursor("forgotten").await;
            let forgotten = forgotten.map_err(|fault| health.report(&fault, "verifying events"))?;
            tries += 1;
            // Rows that were forgotten meanwhile look as if somebody had removed them.
            let moved = forgotten.position != verified.forgotten;
            if verified.wrong.is_none() || !moved || tries == TRIES {
                return Ok(verified);
            }
        }
    }
}

struct Walk<'a> {
    store: &'a Store,
    line: Line,
}

impl Walk<'_> {
    async fn ask(&mut self, statement: &Statement) -> Result<Vec<QueryResult>, Fault> {
        loop {
            let taken = self.line.take().await?;
            let asking = async { Ok(taken.session.query_all_raw(statement.clone()).await?) };
            let asked = taken.within(asking).await;
            if let Some(asked) = self.line.read(taken, asked) {
                return asked;
            }
        }
    }

    async fn cursor(&mut self, name: &str) -> Result<cursors::Model, Fault> {
        let asked = statements::cursor(self.store.shared.sql.backend, name);
        let rows = self.ask(&asked).await?;
        let missing = || Fault::Failed(format!("the table cursors lacks the row {name}"));
        let row = rows.first().ok_or_else(missing)?;
        Ok(cursors::Model::from_query_result(row, "")?)
    }

    async fn rows(&mut self, after: i64, until: i64, most: i64) -> Result<Vec<Row>, Fault> {
        let asked = statements::after(self.store.shared.sql.backend, after, until, most);
        let rows = self.ask(&asked).await?;
        rows.iter()
            .map(|row| Ok(Row::of(journal::Model::from_query_result(row, "")?)))
            .collect()
    }

    async fn verify(&mut self) -> Result<Verified, Fault> {
        let forgotten = self.cursor("forgotten").await?;
        let covered = self.cursor("checkpoints").await?.position;
        let head = Head::of(self.cursor("journal").await?);
        let mut verified = Verified {
            forgotten: forgotten.position,
            last: head.position,
            erased: 0,
            checkpoints: 0,
            wrong: None,
        };
        let start = Head::of(forgotten);
        for end in [&start, &head] {
            if !self.is_sealed(end)? {
                verified.wrong = Some(Finding {
                    position: end.position,
                    wrong: Wrong::Unsealed,
                });
            }
        }
        if let Some(wrong) = self
            .by_position((&start, covered, &head), &mut verified)
            .await?
        {
            verified.wrong = Some(wrong);
        } else if let Some(wrong) = self.by_account(&start, &head).await? {
            verified.wrong = verified.wrong.or(Some(wrong));
        }
        Ok(verified)
    }

    fn is_sealed(&self, end: &Head) -> Result<bool, Fault> {
        // As the tables were made.
        if end.position == 0 && end.seal.is_empty() {
            return Ok(true);
        }
        let keys = &self.store.shared.rules.keys;
        Ok(hex(&keys.seal(end.position, &read_hash(&end.chain)?)) == end.seal)
    }

    /// Each row for itself and at its place, what checkpoints sign, and the chain of all.
    async fn by_position(
        &mut self,
        (start, covered, head): (&Head, i64, &Head),
        verified: &mut Verified,
    ) -> Result<Option<Finding>, Fault> {
        let found = |position, wrong| Ok(Some(Finding { position, wrong }));
        let mut signed = Signed::after(self, start.position, covered).await?;
        let mut chain = read_hash(&start.chain)?;
        let mut position = start.position;
        while position < head.position {
            let rows = self.rows(position, head.position, PAGE).await?;
            if rows.is_empty() {
                return found(position + 1, Wrong::Removed);
            }
            for row in rows {
                let next = position + 1;
                let there = row.row.position == next && row.whole;
                let at_home = match row.erased {
                    true => {
                        row.row.user_id.starts_with(ERASED) || row.row.actor.starts_with(ERASED)
                    }
                    false => row.belongs_at(self.store, next),
                };
                let (true, true, Some(hash)) = (there, at_home, row.hash) else {
                    let wrong = self.wrong_at(next, &row).await?;
                    return found(next, wrong);
                };
                chain = chained(&chain, &hash);
                position = next;
                verified.erased += u64::from(row.erased);
                if let Some(wrong) = signed
                    .add(self, &row.row.organization_id, &hash, next, verified)
                    .await?
                {
                    return Ok(Some(wrong));
                }
            }
        }
        let beyond = self.rows(head.position, i64::MAX, 1).await?;
        let now = Head::of(self.cursor("journal").await?);
        if let Some(row) = beyond.first().filter(|row| row.row.position > now.position) {
            return found(row.row.position, Wrong::Inserted);
        }
        match verified.wrong.is_none() && hex(&chain) != head.chain {
            true => found(head.position, Wrong::Unsealed),
            false => Ok(None),
        }
    }

    /// What is wrong where this is the first row at or after a place that is not what it should be.
    async fn wrong_at(&mut self, place: i64, row: &Row) -> Result<Wrong, Fault> {
        if row.row.position != place {
            return Ok(Wrong::Removed);
        }
        let near = self
            .rows(place - NEAR - 1, place + NEAR, NEAR * 2 + 1)
            .await?;
        let store = self.store;
        let elsewhere = near
            .iter()
            .filter(|other| other.row.position != place)
            .any(|other| other.belongs_at(store, place));
        if !row.whole || row.erased {
            return Ok(if elsewhere {
                Wrong::Inserted
            } else {
                Wrong::Changed
            });
        }
        Ok(match row.place(store) {
            // It is nobody's: in the place of another, or before it.
            None if elsewhere => Wrong::Inserted,
            None => Wrong::Changed,
            Some(_) if elsewhere => {
                let copy = |other: &&Row| other.row.id == row.row.id;
                match near.iter().filter(copy).count() > 1 {
                    true => Wrong::Inserted,
                    false => Wrong::Reordered,
                }
            }
            Some(other) if other > place => Wrong::Removed,
            Some(_) => Wrong::Inserted,
        })
    }

    /// Each account's rows, one after the other.
    async fn by_account(&mut self, start: &Head, head: &Head) -> Result<Option<Finding>, Fault> {
        let backend = self.store.shared.sql.backend;
        let mut at = (String::new(), String::new(), 0);
        let mut last: Option<(String, String, Hash)> = None;
        let mut first: Option<i64> = None;
        loop {
            let asked = statements::by_account(backend, (&at.0, &at.1, at.2), PAGE);
            let rows = self.ask(&asked).await?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                let (organization, user, position, previous, hash): (
                    String,
                    String,
                    i64,
                    String,
                    String,
                ) = row.try_get_many_by_index()?;
                at = (organization, user, position);
                if position > head.position || position <= start.position {
                    continue;
                }
                let (previous, hash) = (read_hash(&previous)?, read_hash(&hash)?);
                let follows = match &last {
                    Some((organization, user, before))
                        if (organization, user) == (&at.0, &at.1) =>
                    {
                        previous == *before
                    }
                    // What is before the first one may have been forgotten.
                    _ => previous == NONE_BEFORE || start.position > 0,
                };
                if !follows {
                    first = Some(first.map_or(position, |first| first.min(position)));
                }
                last = Some((at.0.clone(), at.1.clone(), hash));
            }
        }
        Ok(first.map(|position| Finding {
            position,
            wrong: Wrong::Unchained,
        }))
    }
}
