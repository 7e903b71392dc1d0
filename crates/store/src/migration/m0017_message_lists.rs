//! Lists of messages find what they show, however much is kept.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};

use super::Step;

pub(super) struct MessageLists;

#[async_trait::async_trait]
impl Step for MessageLists {
    fn name(&self) -> &'static str {
        "m0017_message_lists"
    }

    async fn up(&self, database: &DatabaseTransaction) -> Result<(), DbErr> {
        for sql in [
            // What waits is little of what is there, and the newest of it comes first.
            "CREATE INDEX messages_waiting_by_id ON messages (id) WHERE due_at IS NOT NULL",
            // By user first: whoever may see every organisation names a user, and no organisation.
            "CREATE INDEX messages_by_user ON messages (user_id, organization_id, id) WHERE due_at IS NULL",
            "DROP INDEX messages_by_account",
            // What went wrong is looked for among much that did not.
            "CREATE INDEX messages_gone_wrong ON messages (state, id) WHERE due_at IS NULL \
             AND state IN ('undelivered', 'expired', 'superseded', 'refused', 'failed')",
        ] {
            database.execute_unprepared(sql).await?;
        }
        Ok(())
    }
}
