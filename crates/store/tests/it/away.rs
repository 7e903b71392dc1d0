//! A database that goes away and comes back: nobody is told Internal, and what was acknowledged is there.

use std::sync::atomic::{AtomicBool, Ordering};

use futures::FutureExt;
use futures::future::join_all;
use ringback_core::Refusal;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

use crate::requests::*;
use crate::world::{Kind, World, run};

mod on_postgres {
    use super::*;

    #[test]
    fn lost_connections_heal() {
        run(Kind::Postgres, 1, super::lost_connections_heal);
    }

    #[test]
    fn a_connection_lost_in_the_middle_is_unavailable() {
        run(
            Kind::Postgres,
            1,
            super::a_connection_lost_in_the_middle_is_unavailable,
        );
    }

    #[test]
    fn nothing_acknowledged_is_lost() {
        run(Kind::Postgres, 2, super::nothing_acknowledged_is_lost);
    }

    #[test]
    fn a_read_only_database_is_unavailable() {
        run(
            Kind::Postgres,
            1,
            super::a_read_only_database_is_unavailable,
        );
    }
}

/// Ends every connection of the stores, as a restart of the server does.
async fn end_connections(outside: &DatabaseConnection) -> usize {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
               WHERE datname = current_database() AND application_name = 'ringback'";
    let statement = Statement::from_string(DbBackend::Postgres, sql);
    outside
        .query_all_raw(statement)
        .await
        .expect("must end")
        .len()
}

/// Tries until it works; each connection that is dead may cost one try, and no more than that.
async fn heals<T: std::fmt::Debug, F: Future<Output = Result<T, Refusal>>>(
    tries: usize,
    attempt: impl Fn() -> F,
) -> T {
    for _ in 0..tries {
        match attempt().await {
            Ok(done) => return done,
            Err(Refusal::Unavailable) => {}
            Err(other) => panic!("must be unavailable: {other:?}"),
        }
    }
    attempt().await.expect("must have healed")
}

async fn lost_connections_heal(world: &World) {
    let store = world.store().await;
    let outside = world.outside().await;
    does(&store, "ann", named("")).await;
    // Uses all connections of both pools.
    let all = join_all((0..10).map(|n| act(&store, &service(), &format!("user {n}"), named(""))));
    assert!(all.await.iter().all(Result::is_ok));
    let reads = join_all((0..10).map(|_| store.find_account("ann"))).await;
    assert!(reads.iter().all(Result::is_ok));
    for round in 0..3 {
        let ended = end_connections(&outside).await;
        assert!(ended >= 2, "{ended}");
        let name = format!("name {round}");
        heals(ended, || act(&store, &service(), "ann", rename(&name))).await;
        let found = heals(ended, || store.find_account("ann")).await;
        assert_eq!(found.expect("is there").profile.username, name);
        heals(ended, || {
            store.claim("", 10, std::time::Duration::from_secs(1))
        })
        .await;
        heals(ended, || store.purge()).await;
        heals(ended, || store.ping()).await;
    }
}

async fn a_connection_lost_in_the_middle_is_unavailable(world: &World) {
    let store = world.single_lane().await;
    does(&store, "here", named("")).await;
    let outside = world.outside().await;
    let held = world.hold_up().await;
    let caller = service();
    let commands = join_all((0..5).map(|n| act(&store, &caller, &format!("user {n}"), named(""))));
    let cut = async {
        let waiting = "SELECT count(*) FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let statement = || Statement::from_string(DbBackend::Postgres, waiting);
        loop {
            let row = outside.query_one_raw(statement()).await.expect("must ask");
            let waiting: i64 = row.expect("a row").try_get_by_index(0).expect("a number");
            if waiting > 0 {
                break;
            }
        }
        end_connections(&outside).await;
        held.rollback().await.expect("must roll back");
    };
    let (results, ()) = futures::future::join(commands, cut).await;
    assert!(
        results.iter().all(|r| *r == Err(Refusal::Unavailable)),
        "{results:?}"
    );
    for n in 0..5 {
        let id = format!("user {n}");
        let done = heals(5, || act(&store, &caller, &id, named(""))).await;
        // Had it been done before, the account would exist.
        assert_eq!(done.account.sequence, 1);
    }
}

async fn nothing_acknowledged_is_lost(world: &World) {
    let store = world.store().await;
    let outside = world.outside().await;
    let registered = "SELECT count(*) FROM accounts";
    let finished = AtomicBool::new(false);
    let work = join_all((0..4).map(|worker| {
        let store = store.clone();
        async move {
            let mut acknowledged = Vec::new();
            for n in 0..60 {
                let id = format!("{worker} {n}");
                match act(&store, &service(), &id, named("")).await {
                    Ok(_) => acknowledged.push(id),
                    Err(Refusal::Unavailable) => {}
                    Err(other) => panic!("must be unavailable: {other:?}"),
                }
            }
            acknowledged
        }
    }))
    .inspect(|_| finished.store(true, Ordering::SeqCst));
    let cuts = async {
        for _ in 0..6 {
            end_connections(&outside).await;
            let before = world.count(registered).await;
            // Until something has been done in between.
            loop {
                let done = world.count(registered).await > before;
                if done || finished.load(Ordering::SeqCst) {
                    break;
                }
            }
        }
    };
    let (acknowledged, ()) = futures::future::join(work, cuts).await;
    let ids: Vec<String> = acknowledged.into_iter().flatten().collect();
    assert!(!ids.is_empty());
    for id in ids {
        let found = heals(10, || store.find_account(&id)).await;
        assert!(found.is_some(), "{id} was acknowledged");
    }
}

async fn a_read_only_database_is_unavailable(world: &World) {
    let store = world.store().await;
    let outside = world.outside().await;
    let name = world.url.rsplit('/').next().expect("a name").to_owned();
    // What a connection to a replica meets after a failover.
    let read_only = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    outside
        .execute_unprepared(&read_only)
        .await
        .expect("must alter");
    end_connections(&outside).await;
    for _ in 0..4 {
        let refused = act(&store, &service(), "ann", named("")).await;
        assert_eq!(refused, Err(Refusal::Unavailable));
    }
    let again = format!("ALTER DATABASE {name} RESET default_transaction_read_only");
    // This session was there before, so it may still write.
    outside
        .execute_unprepared(&again)
        .await
        .expect("must alter");
    end_connections(&outside).await;
    heals(5, || act(&store, &service(), "ann", named(""))).await;
}
