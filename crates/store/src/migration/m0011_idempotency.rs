//! Calls with a key of their caller's, and what they were answered.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr};

use super::Step;

pub(super) struct Idempotency;

#[async_trait::async_trait]
impl Step for Idempotency {
    fn name(&self) -> &'static str {
        "m0011_idempotency"
    }

    async fn up(&self, database: &DatabaseTransaction) -> Result<(), DbErr> {
        let (text, big) = match database.get_database_backend() {
            DbBackend::Postgres => ("text COLLATE \"C\"", "bigint"),
            _ => ("text", "integer"),
        };
        for sql in [
            format!(
                "CREATE TABLE idempotency (call {text} NOT NULL PRIMARY KEY, request {text} NOT NULL, \
                 claim {text} NOT NULL, until_at {big} NOT NULL, answer {text})"
            ),
            "CREATE INDEX idempotency_until ON idempotency (until_at)".into(),
        ] {
            database.execute_unprepared(&sql).await?;
        }
        Ok(())
    }
}
