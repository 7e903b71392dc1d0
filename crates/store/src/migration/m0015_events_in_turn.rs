//! Events wait for the journal in the order in which they were committed.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr};

use super::Step;

pub(super) struct EventsInTurn;

#[async_trait::async_trait]
impl Step for EventsInTurn {
    fn name(&self) -> &'static str {
        "m0015_events_in_turn"
    }

    /// SQLite numbers rows as they are added (`rowid`), and that is all that whoever puts them on record needs: a key
    /// by user cost a page at a random place for every event, once when it came and once when it went. PostgreSQL
    /// commits side by side, so that no number of a row is the order of commits, and keeps the key.
    async fn up(&self, database: &DatabaseTransaction) -> Result<(), DbErr> {
        if database.get_database_backend() == DbBackend::Postgres {
            return Ok(());
        }
        let columns = "id, user_id, organization_id, sequence, at, actor, kind, cause, number_pseudonym, \
                       number_mask, count, detail";
        for sql in [
            "CREATE TABLE events_in_turn (id text NOT NULL, user_id text NOT NULL, \
             organization_id text NOT NULL, sequence integer NOT NULL, at integer NOT NULL, \
             actor text NOT NULL, kind text NOT NULL, cause text, number_pseudonym text, \
             number_mask text, count integer NOT NULL DEFAULT 1, detail text)"
                .to_owned(),
            format!(
                "INSERT INTO events_in_turn ({columns}) SELECT {columns} FROM events ORDER BY rowid"
            ),
            "DROP TABLE events".to_owned(),
            "ALTER TABLE events_in_turn RENAME TO events".to_owned(),
        ] {
            database.execute_unprepared(&sql).await?;
        }
        Ok(())
    }
}
