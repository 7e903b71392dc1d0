//! A database of its own for each test.

pub use ringback_testing::Database;

/// Makes one test on each database of `async fn name(database: Database)`.
#[macro_export]
macro_rules! on_both {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {
        mod on_sqlite {
            $($(#[$meta])* #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::database::Database::sqlite().await).await;
            })+
        }
        mod on_postgres {
            $($(#[$meta])* #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name($crate::database::Database::postgres().await).await;
            })+
        }
    };
}
