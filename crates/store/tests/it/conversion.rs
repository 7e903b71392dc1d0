//! How messages with codes went: counted by hour, route and country, and what orders routes then.

use std::time::Duration;

use ringback_core::delivery::{Arrival, Attempt, Lost, Prefer, RouteRules, Routes, State, Verdict};
use ringback_core::{Action, Change, Delivery, Which};
use ringback_store::{Claimed, Noted, Settled, Settlement, Store};

use crate::requests::*;
use crate::world::World;

on_both!(
    codes_are_counted_by_the_route_that_brought_them,
    counts_of_several_processes_add_up,
    what_messages_cost_is_counted,
    receipts_are_counted,
    a_route_that_brings_nothing_comes_last,
    old_counts_are_purged,
);

const LEASE: Duration = Duration::from_secs(30);

async fn claimed(store: &Store, route: &str) -> Claimed {
    let mut claimed = store.claim(route, 10, LEASE).await.expect("must claim");
    assert_eq!(claimed.len(), 1, "{route}");
    claimed.remove(0)
}

async fn taken(store: &Store, claimed: &Claimed, route: &str) {
    taken_for(store, claimed, route, 0).await;
}

/// The route takes it, for so many millionths.
async fn taken_for(store: &Store, claimed: &Claimed, route: &str, cost: u64) {
    let mut trail = claimed.trail.clone();
    trail.add(Attempt {
        n: claimed.attempt,
        route: route.into(),
        at: store.now(),
        ms: 1,
        times: 1,
        verdict: Verdict::Taken,
        reason: String::new(),
        reference: None,
        handed: false,
        segments: 0,
        cost,
    });
    let settlement = Settlement {
        message: claimed.message.clone(),
        attempt: claimed.attempt,
        trail,
        outcome: Settled::Handed,
        country: None,
    };
    store.settle(&[settlement]).await.expect("must settle");
}

async fn tally(store: &Store) {
    store.tally().await.expect("must count");
}

/// Route, country, sent, delivered, undelivered, verified.
async fn counts(world: &World) -> Vec<String> {
    let sql = "SELECT route || ' ' || country || ' ' || sum(sent) || ' ' || sum(delivered) || ' ' || \
               sum(undelivered) || ' ' || sum(verified) FROM conversion GROUP BY route, country ORDER BY 1";
    world.texts(sql).await
}

async fn codes_are_counted_by_the_route_that_brought_them(world: &World) {
    let store = world.store_with_routes(&["a", "b"]).await;
    does(&store, "ann", named("")).await;
    does(&store, "ann", set(&number(1), SEND)).await;
    let first = claimed(&store, "a").await;
    taken(&store, &first, "a").await;
    world.pass(60);
    let resend = Change::Resend {
        which: Which::Primary,
        delivery: Delivery::Send,
    };
    does(&store, "ann", Action::Change(resend)).await;
    let second = claimed(&store, "b").await;
    taken(&store, &second, "b").await;
    tally(&store).await;
    assert!(
        counts(world).await.is_empty(),
        "their reader has not had the time"
    );
    let code = second.code.as_ref().expect("a code").reveal();
    let wrong = act(&store, &own("ann"), "ann", guess(&wrong(code))).await;
    assert!(wrong.is_err());
    does(&store, "ann", guess(code)).await;
    tally(&store).await;
    assert_eq!(counts(world).await, ["b CH 0 0 0 1"]);
    world.pass(180);
    for _ in 0..2 {
        tally(&store).await;
        assert_eq!(counts(world).await, ["a CH 1 0 0 0", "b CH 1 0 0 1"]);
    }
}

async fn what_messages_cost_is_counted(world: &World) {
    let store = world.store_with_routes(&["a"]).await;
    for (n, cost) in [(1, 7_500), (2, 15_000)] {
        let user = format!("user {n}");
        does(&store, &user, named("")).await;
        does(&store, &user, set(&number(n), SEND)).await;
        let message = claimed(&store, "a").await;
        taken_for(&store, &message, "a", cost).await;
        tally(&store).await;
    }
    let hours = store.conversion_since(1).await.expect("must be read");
    let costs: Vec<_> = hours
        .iter()
        .map(|one| (&*one.route, one.tally.cost))
        .collect();
    assert_eq!(costs, [("a", 22_500)]);
    assert_eq!(hours[0].tally.sent, 0, "their reader has not had the time");
}

async fn counts_of_several_processes_add_up(world: &World) {
    let stores = [
        world.store_with_routes(&["a"]).await,
        world.store_with_routes(&["a"]).await,
    ];
    for (n, store) in (1..).zip(&stores) {
        let user = format!("user {n}");
        does(store, &user, named("")).await;
        does(store, &user, set(&number(n), SEND)).await;
        let message = claimed(store, "a").await;
        taken(store, &message, "a").await;
    }
    // A message without a code says nothing.
    does(&stores[0], "bob", named("")).await;
    does(&stores[0], "bob", set(&number(3), TRUSTED)).await;
    does(&stores[0], "bob", set(&number(4), TRUSTED)).await;
    let notice = claimed(&stores[0], "a").await;
    taken(&stores[0], &notice, "a").await;
    world.pass(180);
    for store in &stores {
        tally(store).await;
    }
    assert_eq!(counts(world).await, ["a CH 2 0 0 0"]);
}

async fn receipts_are_counted(world: &World) {
    let store = world.store_with_routes(&["a"]).await;
    for (n, arrival, state) in [
        (1, Arrival::Delivered, State::Delivered),
        (2, Arrival::Undelivered(Lost::Phone), State::Undelivered),
    ] {
        let user = format!("user {n}");
        does(&store, &user, named("")).await;
        does(&store, &user, set(&number(n), SEND)).await;
        let message = claimed(&store, "a").await;
        taken(&store, &message, "a").await;
        for told in [Noted::Stands(state), Noted::Nothing] {
            let of = ("a", 1);
            let noted = store
                .note_receipt(message.message.id, of, arrival, "", true)
                .await;
            assert_eq!(noted, Ok(told));
        }
    }
    tally(&store).await;
    assert_eq!(counts(world).await, ["a CH 0 1 1 0"]);
}

async fn a_route_that_brings_nothing_comes_last(world: &World) {
    for (prefer, first) in [(Prefer::Listed, "a"), (Prefer::Conversion, "b")] {
        let mut rules = world.rules.clone();
        rules.policies.default.routes = Routes {
            rules: ["a", "b"]
                .map(|name| (name.to_owned(), RouteRules::default()))
                .into(),
            default: vec!["a".into(), "b".into()],
            prefer,
            ..Routes::default()
        };
        let settings = ringback_store::Settings {
            keep_messages: Duration::from_secs(3_600),
            ..world.settings.clone()
        };
        let store = Store::open(&settings, rules, world.source.clone()).await;
        let store = store.expect("must open");
        store.migrate().await.expect("must migrate");
        let hour = world.now().0 / 3_600_000_000;
        world
            .run_sql(&format!(
                "INSERT INTO conversion (hour, route, country, sent, delivered, undelivered, verified) \
                 VALUES ({hour}, 'a', 'CH', 60, 60, 0, 0) ON CONFLICT DO NOTHING"
            ))
            .await;
        tally(&store).await;
        let mut first_of = 0;
        for n in 0..20 {
            let user = format!("{first} {n}");
            does(&store, &user, named("")).await;
            does(&store, &user, set(&number(100 + n), SEND)).await;
            world.pass(700);
        }
        let routes = world.texts("SELECT route FROM messages").await;
        first_of += routes.iter().filter(|route| *route == first).count();
        assert!(first_of >= 15, "{routes:?}");
        world.run_sql("DELETE FROM messages").await;
        world.run_sql("DELETE FROM budgets").await;
    }
}

async fn old_counts_are_purged(world: &World) {
    let store = world.store_with_routes(&["a"]).await;
    let hour = world.now().0 / 3_600_000_000;
    for ago in [0, 191, 193, 500] {
        let hour = hour - ago;
        let sql = format!(
            "INSERT INTO conversion (hour, route, country, sent, delivered, undelivered, verified) \
                 VALUES ({hour}, 'a', 'CH', 1, 0, 0, 0)"
        );
        world.run_sql(&sql).await;
    }
    assert_eq!(store.purge().await, Ok(2));
    assert_eq!(counts(world).await, ["a CH 2 0 0 0"]);
}
