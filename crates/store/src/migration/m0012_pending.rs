//! Numbers that wait to be proven are found by when they were announced.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};

use super::Step;

pub(super) struct Pending;

#[async_trait::async_trait]
impl Step for Pending {
    fn name(&self) -> &'static str {
        "m0012_pending"
    }

    async fn up(&self, database: &DatabaseTransaction) -> Result<(), DbErr> {
        let index = "CREATE INDEX phone_numbers_pending ON phone_numbers (changed_at) WHERE pending IS NOT NULL";
        database.execute_unprepared(index).await?;
        Ok(())
    }
}
