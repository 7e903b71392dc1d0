//! How often what an event tells of happened.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr};

use super::Step;

pub(super) struct EventCounts;

#[async_trait::async_trait]
impl Step for EventCounts {
    fn name(&self) -> &'static str {
        "m0003_event_counts"
    }

    /// Versions that do not know the column go on writing events that happened once.
    async fn up(&self, database: &DatabaseTransaction) -> Result<(), DbErr> {
        let number = match database.get_database_backend() {
            DbBackend::Postgres => "bigint",
            _ => "integer",
        };
        let sql = format!("ALTER TABLE events ADD COLUMN count {number} NOT NULL DEFAULT 1");
        database.execute_unprepared(&sql).await?;
        Ok(())
    }
}
