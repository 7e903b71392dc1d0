//! What more there is to know of an event.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr};

use super::Step;

pub(super) struct EventDetails;

#[async_trait::async_trait]
impl Step for EventDetails {
    fn name(&self) -> &'static str {
        "m0008_event_details"
    }

    /// Versions that do not know the column go on writing events without it.
    async fn up(&self, database: &DatabaseTransaction) -> Result<(), DbErr> {
        let text = match database.get_database_backend() {
            DbBackend::Postgres => "text COLLATE \"C\"",
            _ => "text",
        };
        let sql = format!("ALTER TABLE events ADD COLUMN detail {text}");
        database.execute_unprepared(&sql).await?;
        Ok(())
    }
}
