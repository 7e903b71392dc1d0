//! Which routes the owners of numbers have told to stop.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr};

use super::Step;

pub(super) struct OptOuts;

#[async_trait::async_trait]
impl Step for OptOuts {
    fn name(&self) -> &'static str {
        "m0006_opt_outs"
    }

    async fn up(&self, database: &DatabaseTransaction) -> Result<(), DbErr> {
        let (text, big) = match database.get_database_backend() {
            DbBackend::Postgres => ("text COLLATE \"C\"", "bigint"),
            _ => ("text", "integer"),
        };
        for sql in [
            format!(
                "CREATE TABLE opt_outs (pseudonym {text} NOT NULL, route {text} NOT NULL, \
                 at {big} NOT NULL, until_at {big}, PRIMARY KEY (pseudonym, route))"
            ),
            "CREATE INDEX opt_outs_until ON opt_outs (until_at) WHERE until_at IS NOT NULL".into(),
        ] {
            database.execute_unprepared(&sql).await?;
        }
        Ok(())
    }
}
