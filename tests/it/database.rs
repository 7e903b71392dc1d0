//! A database of its own for each test, and an end.

use std::time::Duration;

pub use ringback_testing::Database;

/// How long a test may take, most of it waiting for what has bounds of its own.
const LONGEST: Duration = Duration::from_mins(5);

/// Runs a test, which fails if it doesn't end.
pub async fn bounded(test: impl Future<Output = ()>) {
    let ended = tokio::time::timeout(LONGEST, test).await;
    ended.expect("the test hangs");
}

/// Makes one test on each database of `async fn name(database: Database)`.
#[macro_export]
macro_rules! on_both {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {
        mod on_sqlite {
            $($(#[$meta])* #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let database = $crate::database::Database::sqlite().await;
                $crate::database::bounded(super::$name(database)).await;
            })+
        }
        mod on_postgres {
            $($(#[$meta])* #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                let database = $crate::database::Database::postgres().await;
                $crate::database::bounded(super::$name(database)).await;
            })+
        }
    };
}
