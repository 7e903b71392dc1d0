//! Messages that the batch that commits them hands over: claimed like any other, and given to nobody else.

use std::sync::Arc;
use std::time::Duration;

use ringback_core::delivery::State;
use ringback_core::{Action, Change, MessageKind, Which};
use ringback_store::{Claimed, Direct, Place, Settled, Settlement, Store};
use tokio::sync::Semaphore;

use crate::requests::*;
use crate::world::World;

on_both!(
    what_is_handed_over_is_claimed_and_verifies,
    without_a_place_or_an_offer_a_message_waits,
    a_code_that_ended_with_its_batch_is_not_handed_over,
    what_was_handed_over_and_lost_is_claimed_again,
    a_batch_that_is_undone_hands_over_nothing_and_gives_its_places_back,
);

const LEASE: Duration = Duration::from_secs(30);
const ROUTE: &str = "first";
const WAITING: &str = "SELECT count(*) FROM messages WHERE due_at IS NOT NULL";

async fn store(world: &World) -> Store {
    world.store_with_routes(&[ROUTE]).await
}

fn offer(store: &Store, places: usize) -> (Direct, Arc<Semaphore>) {
    let places = Arc::new(Semaphore::new(places));
    let direct = store.hand_over(ROUTE, places.clone(), LEASE);
    direct.offer(true);
    (direct, places)
}

async fn send(store: &Store, user: &str, n: u32) {
    let caller = own(user);
    let sent = act(store, &caller, user, set(&number(n), SEND)).await;
    sent.expect("must send");
}

async fn next(direct: &mut Direct) -> Option<(Claimed, Place)> {
    let next = tokio::time::timeout(Duration::from_millis(100), direct.next());
    next.await.ok().flatten()
}

async fn claim(store: &Store) -> Vec<Claimed> {
    store.claim(ROUTE, 100, LEASE).await.expect("must claim")
}

async fn what_is_handed_over_is_claimed_and_verifies(world: &World) {
    let store = store(world).await;
    let (mut direct, places) = offer(&store, 2);
    send(&store, "ann", 1).await;
    let (claimed, place) = next(&mut direct).await.expect("is handed over");
    assert_eq!(places.available_permits(), 1);
    assert_eq!(claimed.attempt, 1);
    assert!(claimed.trail.last().is_none());
    assert_eq!(claimed.message.account, "ann");
    assert_eq!(claimed.message.number, number(1));
    assert_eq!(claimed.message.route.as_deref(), Some(ROUTE));
    assert!(claim(&store).await.is_empty(), "it is claimed");
    let code = claimed.code.as_ref().expect("a code").reveal();
    let verified = act(&store, &own("ann"), "ann", guess(code)).await;
    assert!(verified.is_ok(), "{verified:?}");
    let settlement = Settlement {
        message: claimed.message,
        attempt: claimed.attempt,
        trail: claimed.trail,
        outcome: Settled::Ended(State::Handed),
        country: None,
    };
    store.settle(&[settlement]).await.expect("must settle");
    drop(place);
    assert_eq!(places.available_permits(), 2);
    assert_eq!(world.count(WAITING).await, 0);
    // A notice carries no code.
    let removal = Change::Remove {
        which: Which::Primary,
    };
    does(&store, "ann", Action::Change(removal)).await;
    let (notice, _place) = next(&mut direct).await.expect("is handed over");
    assert_eq!(notice.message.kind, MessageKind::Removed);
    assert!(notice.code.is_none());
}

async fn without_a_place_or_an_offer_a_message_waits(world: &World) {
    let store = store(world).await;
    let (mut direct, _places) = offer(&store, 1);
    send(&store, "ann", 1).await;
    send(&store, "bob", 2).await;
    let handed = next(&mut direct).await.expect("is handed over");
    assert_eq!(handed.0.message.account, "ann");
    assert!(next(&mut direct).await.is_none());
    let waiting = claim(&store).await;
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].message.account, "bob");
    drop(handed);
    direct.offer(false);
    send(&store, "cat", 3).await;
    assert!(next(&mut direct).await.is_none());
    assert_eq!(claim(&store).await.len(), 1);
    direct.offer(true);
    drop(direct);
    send(&store, "dan", 4).await;
    assert_eq!(claim(&store).await.len(), 1, "nobody is there to take it");
}

async fn a_code_that_ended_with_its_batch_is_not_handed_over(world: &World) {
    let store = store(world).await;
    does(&store, "ann", named("ann")).await;
    let (mut direct, _places) = offer(&store, 8);
    let send = |n| {
        let store = store.clone();
        async move { act(&store, &own("ann"), "ann", set(&number(n), SEND)).await }
    };
    // They wait for one batch.
    let sent = tokio::join!(send(1), send(2));
    assert!(sent.0.is_ok() && sent.1.is_ok(), "{sent:?}");
    let mut handed = Vec::new();
    while let Some((claimed, _place)) = next(&mut direct).await {
        handed.push(claimed.message.number);
    }
    assert_eq!(handed, [number(2)]);
    assert_eq!(world.count(WAITING).await, 2);
    assert!(claim(&store).await.is_empty(), "it ends");
    assert_eq!(world.count(WAITING).await, 1);
}

async fn what_was_handed_over_and_lost_is_claimed_again(world: &World) {
    let store = store(world).await;
    let (mut direct, _places) = offer(&store, 8);
    send(&store, "ann", 1).await;
    let lost = next(&mut direct).await.expect("is handed over").0;
    world.pass(29);
    assert!(claim(&store).await.is_empty());
    // The commit may have taken as long as a statement may.
    world.pass(6);
    let again = claim(&store).await;
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].message.id, lost.message.id);
    assert_eq!(again[0].attempt, 2);
    assert_eq!(again[0].code, lost.code);
}

async fn a_batch_that_is_undone_hands_over_nothing_and_gives_its_places_back(world: &World) {
    let store = store(world).await;
    let (mut direct, places) = offer(&store, 8);
    world.run_sql("ALTER TABLE messages RENAME TO away").await;
    let sent = act(&store, &own("ann"), "ann", set(&number(1), SEND)).await;
    assert!(sent.is_err());
    assert!(next(&mut direct).await.is_none());
    assert_eq!(places.available_permits(), 8);
    world.run_sql("ALTER TABLE away RENAME TO messages").await;
    send(&store, "ann", 1).await;
    assert!(next(&mut direct).await.is_some());
}
