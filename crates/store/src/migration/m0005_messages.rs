//! Messages with their state, route and trail, in place of the outbox.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr};

use super::Step;

pub(super) struct Messages;

/// What waits is found by route; what does not, by account, organisation, number, or what its route calls it.
const AFTER: [&str; 9] = [
    // No route: whoever delivers finds them one.
    "INSERT INTO messages (id, user_id, organization_id, number, kind, challenge_id, round, language, \
     created_at, expires_at, route, due_at, attempts) \
     SELECT id, user_id, organization_id, number, kind, challenge_id, 0, language, \
     created_at, expires_at, '', due_at, attempts FROM outbox",
    "DROP TABLE outbox",
    "CREATE INDEX messages_waiting ON messages (route, due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX messages_by_account ON messages (organization_id, user_id, id) WHERE due_at IS NULL",
    "CREATE INDEX messages_by_organization ON messages (organization_id, id) WHERE due_at IS NULL",
    "CREATE INDEX messages_by_number ON messages (number_pseudonym, id) WHERE number_pseudonym IS NOT NULL",
    "CREATE INDEX messages_handed ON messages (expires_at) WHERE due_at IS NULL AND number IS NOT NULL",
    "CREATE INDEX messages_by_reference ON messages (reference, id) WHERE reference IS NOT NULL",
    // What was there before reads and writes the outbox.
    "UPDATE schema_version SET needs_at_least = 5",
];

#[async_trait::async_trait]
impl Step for Messages {
    fn name(&self) -> &'static str {
        "m0005_messages"
    }

    async fn up(&self, database: &DatabaseTransaction) -> Result<(), DbErr> {
        let (text, big) = match database.get_database_backend() {
            DbBackend::Postgres => ("text COLLATE \"C\"", "bigint"),
            _ => ("text", "integer"),
        };
        let table = format!(
            "CREATE TABLE messages (id {text} NOT NULL PRIMARY KEY, user_id {text} NOT NULL, \
             organization_id {text} NOT NULL, number {text}, number_mask {text}, \
             number_pseudonym {text}, kind {text} NOT NULL, challenge_id {text}, \
             round integer NOT NULL, language {text} NOT NULL, created_at {big} NOT NULL, \
             expires_at {big} NOT NULL, route {text} NOT NULL, due_at {big}, \
             attempts integer NOT NULL DEFAULT 0, state {text} NOT NULL DEFAULT 'queued', \
             ended_at {big}, trail {text} NOT NULL DEFAULT '[]', reference {text})"
        );
        database.execute_unprepared(&table).await?;
        for sql in AFTER {
            database.execute_unprepared(sql).await?;
        }
        Ok(())
    }
}
