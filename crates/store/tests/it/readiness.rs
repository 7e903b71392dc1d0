//! Readiness says whether a write would work, and asking for it slows nobody down.

use std::time::Duration;

use futures::future::join_all;
use ringback_core::Refusal;

use crate::requests::*;
use crate::world::{Kind, World};

on_both!(
    a_missing_table_is_not_ready,
    a_missing_column_is_not_ready,
    a_missing_liveness_row_is_not_ready,
    many_probes_write_once,
    a_locked_liveness_row_holds_nobody_up,
);

/// Every table that some write needs.
const NEEDED: [&str; 7] = [
    "accounts",
    "account_names",
    "phone_numbers",
    "budgets",
    "messages",
    "events",
    "liveness",
];

async fn a_missing_table_is_not_ready(world: &World) {
    for table in NEEDED {
        let store = world.store().await;
        assert_eq!(store.ping().await, Ok(()));
        let rename = |from: &str, to: &str| format!("ALTER TABLE {from} RENAME TO {to}");
        world.run_sql(&rename(table, "away")).await;
        // An answer stands for a second.
        tokio::time::sleep(Duration::from_millis(1_050)).await;
        assert_eq!(store.ping().await, Err(Refusal::Internal), "{table}");
        world.run_sql(&rename("away", table)).await;
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert_eq!(store.ping().await, Ok(()), "{table}");
    }
}

async fn a_missing_column_is_not_ready(world: &World) {
    let store = world.store().await;
    world
        .run_sql("ALTER TABLE events RENAME COLUMN count TO away")
        .await;
    assert_eq!(store.ping().await, Err(Refusal::Internal));
}

async fn a_missing_liveness_row_is_not_ready(world: &World) {
    let store = world.store().await;
    world.run_sql("DELETE FROM liveness").await;
    assert_eq!(store.ping().await, Err(Refusal::Internal));
}

async fn many_probes_write_once(world: &World) {
    let store = world.store().await;
    world
        .run_sql("CREATE TABLE touches (at bigint NOT NULL)")
        .await;
    let count = match world.kind {
        Kind::Sqlite => vec![
            "CREATE TRIGGER counts AFTER UPDATE ON liveness BEGIN INSERT INTO touches VALUES (1); END",
        ],
        Kind::Postgres => vec![
            "CREATE FUNCTION counts() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN INSERT INTO touches VALUES (1); RETURN NEW; END $$",
            "CREATE TRIGGER counts AFTER UPDATE ON liveness FOR EACH ROW EXECUTE FUNCTION counts()",
        ],
    };
    for sql in count {
        world.run_sql(sql).await;
    }
    for _ in 0..5 {
        let probes = join_all((0..100).map(|_| store.ping())).await;
        assert!(probes.iter().all(Result::is_ok));
    }
    assert_eq!(world.count("SELECT count(*) FROM touches").await, 1);
}

async fn a_locked_liveness_row_holds_nobody_up(world: &World) {
    if world.kind == Kind::Sqlite {
        // Whoever writes holds the whole file, so that nothing else can be written either.
        return;
    }
    let store = world.store().await;
    let outside = world.outside().await;
    let held = sea_orm::TransactionTrait::begin(&outside).await;
    let held = held.expect("a transaction");
    let lock = "UPDATE liveness SET touched_at = 1 WHERE id = 1";
    sea_orm::ConnectionTrait::execute_unprepared(&held, lock)
        .await
        .expect("must lock");
    let quick = async {
        assert_eq!(store.ping().await, Ok(()));
        does(&store, "ann", named("")).await;
    };
    tokio::time::timeout(Duration::from_secs(1), quick)
        .await
        .expect("must not wait");
    held.rollback().await.expect("must let go");
}
