//! Lanes: batches form, one bad command hurts only itself, and nothing is decided for nobody.

use std::time::{Duration, Instant};

use futures::future::join_all;
use ringback_core::Refusal;
use ringback_store::Settings;

use crate::requests::*;
use crate::world::{Kind, World};

on_both!(
    what_waits_is_committed_together,
    a_batch_has_a_bound,
    a_pile_is_worked_off_by_larger_batches,
    a_bad_command_hurts_only_itself,
    a_broken_row_hurts_only_its_account,
    a_panic_hurts_only_its_command,
    a_panic_alone_gives_the_connection_back,
    a_full_lane_says_so,
    what_comes_too_late_is_not_decided,
    what_nobody_waits_for_is_not_decided,
    readers_see_what_is_committed_only,
    a_store_outlives_a_busy_database,
);

/// PostgreSQL sees to its own log.
#[test]
fn a_log_is_copied_while_it_is_small() {
    crate::world::run(Kind::Sqlite, 2, async |world| {
        let store = world.single_lane().await;
        let file = world.url.strip_prefix("sqlite:").expect("a file");
        let size = |name: &str| std::fs::metadata(name).map_or(0, |file| file.len());
        let before = size(file);
        let end = Instant::now() + Duration::from_secs(60);
        let mut round = 0;
        // Each user is a row and an event, each hundred a commit.
        while size(file) < before + 64 * 1024 {
            assert!(Instant::now() < end, "no commit was copied");
            let user = |n: u32| format!("user {round}.{n}");
            join_all((0..100).map(|n| does(&store, &user(n), named("")))).await;
            round += 1;
        }
        let log = size(&format!("{file}-wal"));
        assert!(log < 8_192 * 4_096, "a commit may have copied it: {log}");
    });
}

async fn what_waits_is_committed_together(world: &World) {
    let store = world.single_lane().await;
    does(&store, "alone", named("")).await;
    assert_eq!(world.batches.take(), [1]);
    let all = join_all((0..20).map(|n| does(&store, &format!("user {n}"), named(""))));
    all.await;
    assert_eq!(world.batches.take(), [20]);
    if world.kind == Kind::Postgres {
        let transactions = "SELECT count(DISTINCT xmin::text) FROM events";
        assert_eq!(world.count(transactions).await, 2);
    }
    assert_eq!(world.count("SELECT count(*) FROM accounts").await, 21);
}

async fn a_batch_has_a_bound(world: &World) {
    let settings = Settings {
        lanes: 1,
        batch: 8,
        ..world.settings.clone()
    };
    let store = world.store_with(&settings).await;
    let all = join_all((0..20).map(|n| does(&store, &format!("user {n}"), named(""))));
    all.await;
    assert_eq!(world.batches.take(), [8, 8, 4]);
}

async fn a_pile_is_worked_off_by_larger_batches(world: &World) {
    let settings = Settings {
        lanes: 1,
        lane_bound: 16,
        batch: 4,
        ..world.settings.clone()
    };
    let store = world.store_with(&settings).await;
    let all = join_all((0..13).map(|n| does(&store, &format!("user {n}"), named(""))));
    all.await;
    // Nobody waits before the first; then nine do, and then one.
    assert_eq!(world.batches.take(), [4, 8, 1]);
}

async fn a_bad_command_hurts_only_itself(world: &World) {
    let store = world.single_lane().await;
    world
        .run_sql(match world.kind {
            Kind::Sqlite => {
                "CREATE TRIGGER no BEFORE INSERT ON accounts WHEN NEW.username = 'bad' \
                 BEGIN SELECT RAISE(ABORT, 'no'); END"
            }
            Kind::Postgres => "ALTER TABLE accounts ADD CONSTRAINT no CHECK (username <> 'bad')",
        })
        .await;
    let caller = service();
    let results = join_all((0..9).map(|n| {
        let name = if n == 4 { "bad" } else { "good" };
        act(&store, &caller, &format!("user {n}"), named(name))
    }));
    let results = results.await;
    assert_eq!(world.batches.take(), [9]);
    for (n, result) in results.iter().enumerate() {
        match n {
            4 => assert_eq!(*result, Err(Refusal::Internal)),
            _ => assert!(result.is_ok(), "{n}: {result:?}"),
        }
    }
    assert_eq!(world.count("SELECT count(*) FROM accounts").await, 8);
    assert_eq!(world.count("SELECT count(*) FROM events").await, 8);
    // And a bad one that is alone gives the connection back.
    for _ in 0..5 {
        let alone = act(&store, &caller, "alone", named("bad")).await;
        assert_eq!(alone, Err(Refusal::Internal));
    }
    does(&store, "alone", named("good")).await;
}

async fn a_broken_row_hurts_only_its_account(world: &World) {
    let store = world.single_lane().await;
    for id in ["ann", "bob"] {
        does(&store, id, named("")).await;
    }
    world
        .run_sql("UPDATE accounts SET challenges = '{' WHERE user_id = 'ann'")
        .await;
    let caller = service();
    let (ann, bob) = futures::future::join(
        act(&store, &caller, "ann", rename("x")),
        act(&store, &caller, "bob", rename("x")),
    )
    .await;
    assert_eq!(ann, Err(Refusal::Internal));
    assert!(bob.is_ok());
}

async fn a_panic_hurts_only_its_command(world: &World) {
    let store = world.single_lane().await;
    let caller = service();
    // The second of three panics in the batch, and again when they are done one by one.
    world.panic_at(&[2, 4]);
    let results = join_all((0..3).map(|n| act(&store, &caller, &format!("user {n}"), named(""))));
    let results = results.await;
    assert!(results[0].is_ok() && results[2].is_ok());
    assert_eq!(results[1], Err(Refusal::Internal));
    assert_eq!(world.count("SELECT count(*) FROM accounts").await, 2);
    does(&store, "user 1", named("")).await;
}

async fn a_panic_alone_gives_the_connection_back(world: &World) {
    let store = world.single_lane().await;
    for _ in 0..10 {
        world.panic_at(&[1]);
        let result = act(&store, &service(), "ann", named("")).await;
        assert_eq!(result, Err(Refusal::Internal));
    }
    does(&store, "ann", named("")).await;
}

async fn a_full_lane_says_so(world: &World) {
    let settings = Settings {
        lanes: 1,
        lane_bound: 4,
        ..world.settings.clone()
    };
    let store = world.store_with(&settings).await;
    let callers: Vec<_> = (0..10)
        .map(|n| service_named(&format!("service {n}")))
        .collect();
    let results = callers.iter().zip(0..).map(|(caller, n): (_, u32)| {
        let user = format!("user {n}");
        let store = &store;
        async move { act(store, caller, &user, named("")).await }
    });
    let results = join_all(results).await;
    assert!(results[..4].iter().all(Result::is_ok));
    assert!(results[4..].iter().all(|r| *r == Err(Refusal::Overloaded)));
    assert_eq!(world.count("SELECT count(*) FROM accounts").await, 4);
    does(&store, "user 9", named("")).await;
}

async fn what_comes_too_late_is_not_decided(world: &World) {
    let store = world.single_lane().await;
    let passed = Some(Instant::now());
    let (late, early) = futures::future::join(
        store.execute(command(&service(), "late", named("")), passed),
        store.execute(
            command(&service(), "early", named("")),
            Some(Instant::now() + Duration::from_secs(600)),
        ),
    )
    .await;
    assert_eq!(late, Err(Refusal::DeadlineExceeded));
    assert!(early.is_ok());
    assert_eq!(store.find_account("late").await, Ok(None));
    assert_eq!(world.batches.take(), [1]);
}

async fn what_nobody_waits_for_is_not_decided(world: &World) {
    let store = world.single_lane().await;
    // Asked once, so that it is in line, and then dropped.
    tokio::select! {
        biased;
        _ = act(&store, &service(), "gone", named("")) => panic!("must wait"),
        () = std::future::ready(()) => {}
    }
    does(&store, "here", named("")).await;
    assert_eq!(store.find_account("gone").await, Ok(None));
    assert_eq!(world.batches.take(), [1]);
}

async fn readers_see_what_is_committed_only(world: &World) {
    use sea_orm::{ConnectionTrait, TransactionTrait};
    let store = world.store().await;
    does(&store, "ann", named("before")).await;
    let outside = world.outside().await;
    let transaction = outside.begin().await.expect("must begin");
    transaction
        .execute_unprepared("UPDATE accounts SET username = 'after'")
        .await
        .expect("must write");
    let found = store
        .find_account("ann")
        .await
        .expect("must read")
        .expect("is there");
    assert_eq!(found.profile.username, "before");
    transaction.commit().await.expect("must commit");
    let found = store
        .find_account("ann")
        .await
        .expect("must read")
        .expect("is there");
    assert_eq!(found.profile.username, "after");
}

async fn a_store_outlives_a_busy_database(world: &World) {
    let store = world.store().await;
    let held = world.hold_up().await;
    let caller = service();
    let commands = join_all((0..30).map(|n| act(&store, &caller, &format!("user {n}"), named(""))));
    let release = async { held.rollback().await.expect("must roll back") };
    let (results, ()) = futures::future::join(commands, release).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(world.count("SELECT count(*) FROM accounts").await, 30);
}
