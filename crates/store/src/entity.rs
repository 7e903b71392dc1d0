//! The tables as sea-orm sees them.

pub(crate) mod account_names;
pub(crate) mod accounts;
pub(crate) mod budgets;
pub(crate) mod checkpoints;
pub(crate) mod conversion;
pub(crate) mod cursors;
pub(crate) mod deleted_accounts;
pub(crate) mod event_deliveries;
pub(crate) mod events;
pub(crate) mod guard_tallies;
pub(crate) mod journal;
pub(crate) mod messages;
pub(crate) mod opt_outs;
pub(crate) mod phone_numbers;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use sea_orm::sea_query::ColumnType;
    use sea_orm::{
        ColumnTrait, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend,
        EntityTrait, Iterable, Statement, TransactionTrait,
    };

    /// By column: its kind, and whether it may be empty.
    type Columns = BTreeMap<String, (String, bool)>;

    fn expected<E: EntityTrait>(backend: DbBackend) -> Columns {
        E::Column::iter()
            .map(|column| {
                let definition = column.def();
                let kind = match definition.get_column_type() {
                    ColumnType::Text => "text",
                    // SQLite has one kind of integer, of up to eight bytes.
                    ColumnType::BigInteger if backend == DbBackend::Sqlite => "integer",
                    ColumnType::BigInteger => "bigint",
                    ColumnType::Integer => "integer",
                    ColumnType::Boolean => "boolean",
                    other => panic!("no table has a column of this kind: {other:?}"),
                };
                let name = sea_orm::IdenStatic::as_str(&column).to_owned();
                (name, (kind.to_owned(), definition.is_null()))
            })
            .collect()
    }

    async fn actual(database: &impl ConnectionTrait, table: &str) -> Columns {
        let backend = database.get_database_backend();
        let sql = match backend {
            DbBackend::Postgres => format!(
                "SELECT column_name::text, data_type::text, \
                        CASE is_nullable WHEN 'YES' THEN 1 ELSE 0 END, \
                        coalesce(collation_name::text, '') \
                 FROM information_schema.columns \
                 WHERE table_name = '{table}' AND table_schema = current_schema()"
            ),
            _ => format!(
                "SELECT name, lower(type), 1 - \"notnull\", '' FROM pragma_table_info('{table}')"
            ),
        };
        let rows = database
            .query_all_raw(Statement::from_string(backend, sql))
            .await;
        rows.expect("must describe")
            .iter()
            .map(|row| {
                let (name, kind, null, collation): (String, String, i32, String) =
                    row.try_get_many_by_index().expect("four columns");
                let bytewise = backend != DbBackend::Postgres || kind != "text" || collation == "C";
                assert!(bytewise, "{table}.{name} is not ordered by bytes");
                (name, (kind, null == 1))
            })
            .collect()
    }

    async fn compare(database: &impl ConnectionTrait) {
        let backend = database.get_database_backend();
        let tables = [
            (
                "account_names",
                expected::<super::account_names::Entity>(backend),
            ),
            ("accounts", expected::<super::accounts::Entity>(backend)),
            ("budgets", expected::<super::budgets::Entity>(backend)),
            (
                "checkpoints",
                expected::<super::checkpoints::Entity>(backend),
            ),
            ("cursors", expected::<super::cursors::Entity>(backend)),
            (
                "event_deliveries",
                expected::<super::event_deliveries::Entity>(backend),
            ),
            ("journal", expected::<super::journal::Entity>(backend)),
            ("conversion", expected::<super::conversion::Entity>(backend)),
            (
                "deleted_accounts",
                expected::<super::deleted_accounts::Entity>(backend),
            ),
            ("events", expected::<super::events::Entity>(backend)),
            (
                "guard_tallies",
                expected::<super::guard_tallies::Entity>(backend),
            ),
            ("messages", expected::<super::messages::Entity>(backend)),
            ("opt_outs", expected::<super::opt_outs::Entity>(backend)),
            (
                "phone_numbers",
                expected::<super::phone_numbers::Entity>(backend),
            ),
        ];
        for (table, columns) in tables {
            assert_eq!(actual(database, table).await, columns, "{table}");
        }
    }

    async fn connect(url: &str) -> DatabaseConnection {
        let mut options = ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        Database::connect(options).await.expect("must connect")
    }

    #[tokio::test]
    async fn migrations_make_what_the_entities_say_on_sqlite() {
        let database = connect("sqlite::memory:").await;
        let transaction = database.begin().await.expect("must begin");
        let migrated = crate::migration::up(&transaction).await;
        migrated.expect("must migrate");
        compare(&transaction).await;
    }

    #[tokio::test]
    async fn migrations_make_what_the_entities_say_on_postgres() {
        let database = connect(&ringback_testing::server()).await;
        // A schema that is never committed, so that nothing is left behind.
        let transaction = database.begin().await.expect("must begin");
        for sql in ["CREATE SCHEMA fresh", "SET LOCAL search_path TO fresh"] {
            transaction.execute_unprepared(sql).await.expect(sql);
        }
        let migrated = crate::migration::up(&transaction).await;
        migrated.expect("must migrate");
        compare(&transaction).await;
        transaction.rollback().await.expect("must roll back");
    }
}
