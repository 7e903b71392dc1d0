//! What messages cost, by hour, route and country.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr};

use super::Step;

pub(super) struct ConversionCost;

#[async_trait::async_trait]
impl Step for ConversionCost {
    fn name(&self) -> &'static str {
        "m0016_conversion_cost"
    }

    /// Versions that do not know the column go on counting without it.
    async fn up(&self, database: &DatabaseTransaction) -> Result<(), DbErr> {
        let big = match database.get_database_backend() {
            DbBackend::Postgres => "bigint",
            _ => "integer",
        };
        let sql = format!("ALTER TABLE conversion ADD COLUMN cost {big} NOT NULL DEFAULT 0");
        database.execute_unprepared(&sql).await?;
        Ok(())
    }
}
