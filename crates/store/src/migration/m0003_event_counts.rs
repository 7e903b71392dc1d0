//! How often what an event tells of happened.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    /// Versions that do not know the column go on writing events that happened once.
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let number = match manager.get_database_backend() {
            DbBackend::Postgres => "bigint",
            _ => "integer",
        };
        let sql = format!("ALTER TABLE events ADD COLUMN count {number} NOT NULL DEFAULT 1");
        manager.get_connection().execute_unprepared(&sql).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let database = manager.get_connection();
        database
            .execute_unprepared("ALTER TABLE events DROP COLUMN count")
            .await?;
        Ok(())
    }
}
