//! Calls that are carried out once: one caller has them, and the others find what it left.

use std::time::Duration;

use ringback_store::{Known, Store};

use crate::world::World;

on_both!(
    one_of_many_has_a_call,
    an_answer_is_found_until_it_ends,
    another_request_under_the_same_name_is_told,
    who_is_gone_loses_the_call,
    what_has_ended_is_purged,
);

const LEASE: Duration = Duration::from_secs(60);
const KEPT: Duration = Duration::from_secs(86_400);

async fn take(store: &Store, call: &str, request: &str) -> Known {
    store
        .take_call(call, request, LEASE)
        .await
        .expect("must look")
}

async fn taken(store: &Store, call: &str, request: &str) -> String {
    match take(store, call, request).await {
        Known::Nothing { claim } => claim,
        other => panic!("{other:?}"),
    }
}

async fn leave(store: &Store, call: &str, claim: &str, answer: Option<&str>) {
    let until = store.now() + KEPT;
    let answer = answer.map(|answer| (answer.to_owned(), until));
    store
        .leave_answer(call, claim, answer)
        .await
        .expect("must leave");
}

async fn one_of_many_has_a_call(world: &World) {
    let stores = [world.store().await, world.store().await];
    let asked = (0..50).map(|n| take(&stores[n % 2], "c", "r"));
    let asked = futures::future::join_all(asked).await;
    let has = asked
        .iter()
        .filter(|known| matches!(known, Known::Nothing { .. }));
    assert_eq!(has.count(), 1);
    let waits = asked.iter().filter(|known| **known == Known::UnderWay);
    assert_eq!(waits.count(), 49);
    assert!(matches!(
        take(&stores[0], "d", "r").await,
        Known::Nothing { .. }
    ));
}

async fn an_answer_is_found_until_it_ends(world: &World) {
    let store = world.store().await;
    let claim = taken(&store, "c", "r").await;
    leave(&store, "c", &claim, Some("the answer")).await;
    world.pass(86_399);
    let answer = Known::Answered("the answer".into());
    assert_eq!(take(&store, "c", "r").await, answer);
    world.pass(1);
    let again = taken(&store, "c", "r").await;
    assert_ne!(again, claim);
    // What is not to be kept is carried out again.
    leave(&store, "c", &again, None).await;
    taken(&store, "c", "r").await;
}

async fn another_request_under_the_same_name_is_told(world: &World) {
    let store = world.store().await;
    let claim = taken(&store, "c", "r").await;
    assert_eq!(take(&store, "c", "s").await, Known::Another, "under way");
    leave(&store, "c", &claim, Some("a")).await;
    assert_eq!(take(&store, "c", "s").await, Known::Another, "answered");
    assert_eq!(take(&store, "c", "r").await, Known::Answered("a".into()));
}

async fn who_is_gone_loses_the_call(world: &World) {
    let store = world.store().await;
    let gone = taken(&store, "c", "r").await;
    world.pass(59);
    assert_eq!(take(&store, "c", "r").await, Known::UnderWay);
    world.pass(1);
    let next = taken(&store, "c", "r").await;
    leave(&store, "c", &gone, Some("too late")).await;
    leave(&store, "c", &gone, None).await;
    assert_eq!(take(&store, "c", "r").await, Known::UnderWay);
    leave(&store, "c", &next, Some("in time")).await;
    assert_eq!(
        take(&store, "c", "r").await,
        Known::Answered("in time".into())
    );
}

async fn what_has_ended_is_purged(world: &World) {
    let store = world.store().await;
    for n in 0..3 {
        let claim = taken(&store, &format!("c{n}"), "r").await;
        if n < 2 {
            leave(&store, &format!("c{n}"), &claim, Some("a")).await;
        }
    }
    world.pass(61);
    store.purge().await.expect("must purge");
    assert_eq!(world.count("SELECT count(*) FROM idempotency").await, 2);
    world.pass(86_400);
    store.purge().await.expect("must purge");
    assert_eq!(world.count("SELECT count(*) FROM idempotency").await, 0);
}
