//! How messages with codes went, by hour, route and country.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr};

use super::Step;

pub(super) struct Conversion;

#[async_trait::async_trait]
impl Step for Conversion {
    fn name(&self) -> &'static str {
        "m0007_conversion"
    }

    async fn up(&self, database: &DatabaseTransaction) -> Result<(), DbErr> {
        let (text, big) = match database.get_database_backend() {
            DbBackend::Postgres => ("text COLLATE \"C\"", "bigint"),
            _ => ("text", "integer"),
        };
        let table = format!(
            "CREATE TABLE conversion (hour {big} NOT NULL, route {text} NOT NULL, \
             country {text} NOT NULL, sent {big} NOT NULL, delivered {big} NOT NULL, \
             undelivered {big} NOT NULL, verified {big} NOT NULL, \
             PRIMARY KEY (hour, route, country))"
        );
        database.execute_unprepared(&table).await?;
        Ok(())
    }
}
