//! The journal: events in one order, chained, with who has read how far.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr};

use super::Step;

pub(super) struct Journal;

#[async_trait::async_trait]
impl Step for Journal {
    fn name(&self) -> &'static str {
        "m0010_journal"
    }

    /// New events are still added to `events`, by older versions, too; they go to the journal from there.
    async fn up(&self, database: &DatabaseTransaction) -> Result<(), DbErr> {
        let (text, big) = match database.get_database_backend() {
            DbBackend::Postgres => ("text COLLATE \"C\"", "bigint"),
            _ => ("text", "integer"),
        };
        for sql in [
            format!(
                "CREATE TABLE journal (position {big} NOT NULL PRIMARY KEY, id {text} NOT NULL, \
                 user_id {text} NOT NULL, organization_id {text} NOT NULL, sequence {big} NOT NULL, \
                 at {big} NOT NULL, actor {text} NOT NULL, kind {text} NOT NULL, cause {text}, \
                 number_pseudonym {text}, number_mask {text}, count {big} NOT NULL, detail {text}, \
                 salt {text}, commitment {text} NOT NULL, previous {text} NOT NULL, hash {text} NOT NULL)"
            ),
            "CREATE INDEX journal_by_account ON journal (organization_id, user_id, position)"
                .into(),
            "CREATE INDEX journal_by_organization ON journal (organization_id, position)".into(),
            "CREATE INDEX journal_by_number ON journal (number_pseudonym, position) \
             WHERE number_pseudonym IS NOT NULL"
                .into(),
            format!(
                "CREATE TABLE cursors (name {text} NOT NULL PRIMARY KEY, position {big} NOT NULL, \
                 version {big} NOT NULL, chain {text}, seal {text}, owner {text}, until_at {big})"
            ),
            "INSERT INTO cursors (name, position, version) VALUES ('journal', 0, 0), \
             ('checkpoints', 0, 0), ('forgotten', 0, 0)"
                .into(),
            format!(
                "CREATE TABLE checkpoints (organization_id {text} NOT NULL, position {big} NOT NULL, \
                 at {big} NOT NULL, count {big} NOT NULL, root {text} NOT NULL, signature {text} NOT NULL, \
                 PRIMARY KEY (organization_id, position))"
            ),
            "CREATE INDEX checkpoints_by_position ON checkpoints (position)".into(),
            format!(
                "CREATE TABLE event_deliveries (endpoint {text} NOT NULL, position {big} NOT NULL, \
                 attempts {big} NOT NULL, due_at {big}, since_at {big} NOT NULL, reason {text} NOT NULL, \
                 PRIMARY KEY (endpoint, position))"
            ),
        ] {
            database.execute_unprepared(&sql).await?;
        }
        Ok(())
    }
}
