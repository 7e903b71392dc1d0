//! One account's, one caller's and one organisation's flood leaves room for others, and a list that takes
//! too long ends.

use std::time::Duration;

use futures::FutureExt;
use futures::future::join_all;
use ringback_core::Refusal;
use ringback_core::rights::Scope;
use ringback_store::{AccountFilter, AccountQuery, Settings, Store, TextMatch, TextPlace};

use crate::lists::all;
use crate::requests::*;
use crate::world::{Kind, World};

on_both!(
    a_flood_for_one_account_leaves_room_for_others,
    a_flood_of_one_caller_leaves_room_for_others,
    a_list_that_takes_too_long_ends,
    lists_that_nobody_waits_for_cost_nothing,
    lists_of_one_organization_leave_room_for_others,
    lists_of_one_caller_leave_room_in_its_organization,
    lists_of_one_caller_with_rights_everywhere_leave_room_for_another,
);

async fn narrow(world: &World) -> Store {
    let settings = Settings {
        lanes: 1,
        lane_bound: 16,
        batch: 1,
        ..world.settings.clone()
    };
    world.store_with(&settings).await
}

async fn a_flood_for_one_account_leaves_room_for_others(world: &World) {
    let store = narrow(world).await;
    does(&store, "ann", named("")).await;
    let flood = (0..32).map(|n| {
        let caller = service_named(&format!("caller {n}"));
        act(&store, &caller, "ann", rename(&n.to_string()))
    });
    let bob = act(&store, &service(), "bob", named(""));
    let (flood, bob) = futures::future::join(join_all(flood), bob).await;
    let done = flood.iter().filter(|result| result.is_ok()).count();
    assert_eq!(done, 4, "a quarter of what may wait");
    let refused = flood.iter().filter_map(|result| result.as_ref().err());
    assert!(
        refused
            .clone()
            .all(|refusal| *refusal == Refusal::Overloaded)
    );
    assert!(bob.is_ok(), "{bob:?}");
}

async fn a_flood_of_one_caller_leaves_room_for_others(world: &World) {
    let store = narrow(world).await;
    let flood = (0..32).map(|n| act(&store, &service(), &format!("user {n}"), named("")));
    let other = act(&store, &service_named("other"), "bob", named(""));
    let (flood, other) = futures::future::join(join_all(flood), other).await;
    let done = flood.iter().filter(|result| result.is_ok()).count();
    assert_eq!(done, 14, "what leaves room for others");
    assert!(other.is_ok(), "{other:?}");
}

/// Users enough, and a condition heavy enough, for a list that takes seconds.
async fn crowded(world: &World, list_timeout: Duration) -> Store {
    let settings = Settings {
        list_timeout,
        ..world.settings.clone()
    };
    let store = world.store_with(&settings).await;
    let long = "x".repeat(400);
    world
        .run_sql(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) \
             INSERT INTO accounts (user_id, organization_id, sequence, created_at, changed_at, username, \
             given_name, family_name, nick_name, display_name, preferred_language, gender, email, \
             email_verified, challenges, limits) \
             SELECT 'u' || i, 'acme', 1, i, i, '{long}', '', '', '', '', '', 0, '', false, '[]', '{{}}' FROM n"
        ))
        .await;
    store
}

fn heavy(scope: Scope) -> AccountQuery {
    let condition = |n: u32| {
        AccountFilter::Username(TextMatch {
            text: format!("{}{n}", "x".repeat(100)),
            place: TextPlace::Inside,
            ignore_case: false,
        })
    };
    AccountQuery {
        scope,
        filter: AccountFilter::Any((0..200).map(condition).collect()),
        ..all()
    }
}

/// How many statements of lists run on the server, or how many threads work for SQLite.
async fn at_work(world: &World) -> usize {
    match world.kind {
        Kind::Postgres => {
            let running = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                           AND application_name = 'ringback' AND state = 'active'";
            usize::try_from(world.count(running).await).expect("a count")
        }
        Kind::Sqlite => {
            let tasks = std::fs::read_dir("/proc/self/task").expect("tasks");
            let names = tasks.filter_map(|task| {
                let file = task.ok()?.path().join("stat");
                std::fs::read_to_string(file).ok()
            });
            // Of all tests in this process: a thread that computes for SQLite is running.
            names
                .filter(|stat| stat.contains("sqlx-sqlite") && stat.contains(") R "))
                .count()
        }
    }
}

async fn a_list_that_takes_too_long_ends(world: &World) {
    let store = crowded(world, Duration::from_millis(150)).await;
    for _ in 0..6 {
        let ended = store
            .list_accounts(&service(), &heavy(Scope::Everywhere))
            .await;
        assert_eq!(ended.err(), Some(Refusal::DeadlineExceeded));
    }
    // Each had a connection that is gone now, and there is one for the next.
    let light = AccountQuery {
        filter: AccountFilter::Ids(vec!["u1".into()]),
        ..all()
    };
    let page = store.list_accounts(&service(), &light).await;
    assert_eq!(page.expect("must list").total, 1);
    assert_eq!(store.ping().await, Ok(()));
    if world.kind == Kind::Postgres {
        settled(world).await;
    }
}

async fn settled(world: &World) {
    for _ in 0..100 {
        if at_work(world).await == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("statements go on that nobody waits for");
}

async fn lists_that_nobody_waits_for_cost_nothing(world: &World) {
    let store = crowded(world, Duration::from_secs(30)).await;
    for _ in 0..8 {
        let (caller, query) = (service(), heavy(Scope::Everywhere));
        let list = store.list_accounts(&caller, &query);
        let gone = tokio::time::timeout(Duration::from_millis(50), list).await;
        assert!(gone.is_err(), "the list must take longer");
    }
    if world.kind == Kind::Postgres {
        settled(world).await;
    }
    let pages = join_all((0..6).map(|n| {
        let query = AccountQuery {
            filter: AccountFilter::Ids(vec![format!("u{n}")]),
            ..all()
        };
        let store = store.clone();
        async move {
            store
                .list_accounts(&service(), &query)
                .await
                .map(|page| page.total)
        }
    }));
    assert_eq!(pages.await, vec![Ok(1); 6]);
}

async fn lists_of_one_organization_leave_room_for_others(world: &World) {
    let store = crowded(world, Duration::from_secs(30)).await;
    let query = heavy(Scope::Organization("acme".into()));
    let (caller, another) = (service(), service_named("other"));
    let mut flood: Vec<_> = (0..8)
        .map(|_| Box::pin(store.list_accounts(&caller, &query)))
        .collect();
    // All are under way, or wait: one at once of one caller, of three that may run in all.
    for list in &mut flood {
        assert!(list.now_or_never().is_none());
    }
    let other = AccountQuery {
        scope: Scope::Organization("umbrella".into()),
        ..all()
    };
    let mut flood = Box::pin(join_all(flood));
    tokio::select! {
        page = store.list_accounts(&another, &other) => assert_eq!(page.expect("must list").total, 0),
        _ = &mut flood => panic!("the flood must last longer"),
    }
}

async fn lists_of_one_caller_leave_room_in_its_organization(world: &World) {
    let scope = || Scope::Organization("acme".into());
    lists_of_one_caller_leave_room(world, scope()).await;
}

async fn lists_of_one_caller_with_rights_everywhere_leave_room_for_another(world: &World) {
    lists_of_one_caller_leave_room(world, Scope::Everywhere).await;
}

/// Asserts that a caller's lists are served while another one asks for heavy ones of the same scope.
async fn lists_of_one_caller_leave_room(world: &World, scope: Scope) {
    let store = crowded(world, Duration::from_secs(30)).await;
    let (query, caller) = (heavy(scope.clone()), service());
    let mut flood: Vec<_> = (0..12)
        .map(|_| Box::pin(store.list_accounts(&caller, &query)))
        .collect();
    for list in &mut flood {
        assert!(list.now_or_never().is_none());
    }
    let light = AccountQuery {
        scope,
        filter: AccountFilter::Ids(vec!["u1".into()]),
        ..all()
    };
    let mut flood = Box::pin(join_all(flood));
    let other = service_named("other");
    for _ in 0..3 {
        tokio::select! {
            page = store.list_accounts(&other, &light) => assert_eq!(page.expect("must list").total, 1),
            _ = &mut flood => panic!("the flood must last longer"),
        }
    }
}
