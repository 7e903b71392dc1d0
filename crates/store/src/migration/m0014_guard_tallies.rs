//! What the guard knows of countries and of numbers that begin alike.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr};

use super::Step;

pub(super) struct GuardTallies;

#[async_trait::async_trait]
impl Step for GuardTallies {
    fn name(&self) -> &'static str {
        "m0014_guard_tallies"
    }

    async fn up(&self, database: &DatabaseTransaction) -> Result<(), DbErr> {
        let (text, big) = match database.get_database_backend() {
            DbBackend::Postgres => ("text COLLATE \"C\"", "bigint"),
            _ => ("text", "integer"),
        };
        let table = format!(
            "CREATE TABLE guard_tallies (name {text} NOT NULL PRIMARY KEY, state {text} NOT NULL, \
             version {big} NOT NULL, changed_at {big} NOT NULL, idle_at {big} NOT NULL)"
        );
        let index = "CREATE INDEX guard_tallies_changed ON guard_tallies (changed_at)";
        for statement in [table.as_str(), index] {
            database.execute_unprepared(statement).await?;
        }
        Ok(())
    }
}
