//! Opt-outs: remembered by number and route, for as long as they are believed.

use std::time::Duration;

use ringback_core::delivery::{Arrival, Attempt, Lost, NumberFault, State, Verdict};
use ringback_core::rights::Scope;
use ringback_core::{Change, Delivery, Refusal, Which};
use ringback_store::{Claimed, NotRetried, Noted, Settled, Settlement, Store};

use crate::requests::*;
use crate::world::World;

on_both!(
    what_a_provider_says_is_remembered_for_a_while,
    a_stop_holds_until_a_start,
    a_route_that_was_told_to_stop_is_not_asked,
    a_receipt_says_it_too,
    who_has_opted_out_is_not_tried_again,
);

const LEASE: Duration = Duration::from_secs(30);
const STOP: Verdict = Verdict::Never {
    fault: NumberFault::OptedOut,
};

async fn claimed(store: &Store, route: &str) -> Claimed {
    let mut claimed = store.claim(route, 10, LEASE).await.expect("must claim");
    assert_eq!(claimed.len(), 1, "{route}");
    claimed.remove(0)
}

async fn settle(store: &Store, claimed: Claimed, verdict: Verdict, outcome: Settled) {
    let mut trail = claimed.trail;
    trail.add(Attempt {
        n: claimed.attempt,
        route: claimed.message.route.clone().expect("a route"),
        at: store.now(),
        ms: 1,
        times: 1,
        verdict,
        reason: String::new(),
        reference: None,
        handed: false,
        segments: 0,
        cost: 0,
    });
    let settlement = Settlement {
        message: claimed.message,
        attempt: claimed.attempt,
        trail,
        outcome,
        country: None,
    };
    store.settle(&[settlement]).await.expect("must settle");
}

fn resend() -> ringback_core::Action {
    ringback_core::Action::Change(Change::Resend {
        which: Which::Primary,
        delivery: Delivery::Send,
    })
}

async fn rows(world: &World) -> i64 {
    world.count("SELECT count(*) FROM opt_outs").await
}

async fn what_a_provider_says_is_remembered_for_a_while(world: &World) {
    let store = world.store_with_routes(&["a"]).await;
    does(&store, "ann", named("")).await;
    does(&store, "ann", set(&number(1), SEND)).await;
    let refused = Settled::Ended(State::Refused);
    settle(&store, claimed(&store, "a").await, STOP, refused).await;
    let kept = world
        .texts("SELECT pseudonym || ' ' || route FROM opt_outs")
        .await;
    let pseudonym = world.rules.keys.pseudonym(&number(1));
    assert_eq!(kept, [format!("{pseudonym} a")]);
    world.pass(300);
    let again = act(&store, &own("ann"), "ann", resend()).await;
    assert_eq!(again.err(), Some(Refusal::NumberOptedOut));
    let other = act(&store, &own("bob"), "bob", set(&number(1), SEND)).await;
    assert_eq!(other.err(), Some(Refusal::NumberOptedOut));
    does(&store, "ann", set(&number(2), SEND)).await;
    does(&store, "ann", set(&number(1), RETURN)).await;
    // The provider may have heard of a START since: it is asked again.
    world.pass(300);
    store.purge().await.expect("must purge");
    assert_eq!(rows(world).await, 0);
    does(&store, "ann", resend()).await;
    assert_eq!(rows(world).await, 0);
}

async fn a_stop_holds_until_a_start(world: &World) {
    let store = world.store_with_routes(&["a"]).await;
    does(&store, "ann", named("")).await;
    does(&store, "ann", set(&number(1), SEND)).await;
    let message = claimed(&store, "a").await;
    for _ in 0..2 {
        store.opted_out(&number(1), "a").await.expect("noted");
    }
    // What the provider adds takes nothing away from what the owner said.
    settle(&store, message, STOP, Settled::Ended(State::Refused)).await;
    world.pass(86_400);
    store.purge().await.expect("must purge");
    assert_eq!(rows(world).await, 1);
    let again = act(&store, &own("ann"), "ann", resend()).await;
    assert_eq!(again.err(), Some(Refusal::NumberOptedOut));
    store.opted_in(&number(1), "b").await.expect("noted");
    assert_eq!(rows(world).await, 1, "another route");
    store.opted_in(&number(1), "a").await.expect("noted");
    assert_eq!(rows(world).await, 0);
    does(&store, "ann", resend()).await;
}

async fn a_route_that_was_told_to_stop_is_not_asked(world: &World) {
    let store = world.store_with_routes(&["a", "b"]).await;
    does(&store, "ann", named("")).await;
    store.opted_out(&number(1), "a").await.expect("noted");
    does(&store, "ann", set(&number(1), SEND)).await;
    let waits = store.claim("a", 10, LEASE).await.expect("must claim");
    assert!(waits.is_empty());
    let message = claimed(&store, "b").await;
    let known = message.trail.attempts();
    assert_eq!(
        (known[0].n, &*known[0].route, known[0].verdict),
        (0, "a", STOP)
    );
    // The number that is held is looked up, too.
    store.opted_out(&number(1), "b").await.expect("noted");
    world.pass(60);
    let again = act(&store, &own("ann"), "ann", resend()).await;
    assert_eq!(again.err(), Some(Refusal::NumberOptedOut));
}

async fn a_receipt_says_it_too(world: &World) {
    let store = world.store_with_routes(&["a", "b"]).await;
    does(&store, "ann", named("")).await;
    does(&store, "ann", set(&number(1), SEND)).await;
    let message = claimed(&store, "a").await;
    let id = message.message.id;
    settle(&store, message, Verdict::Taken, Settled::Handed).await;
    let lost = Arrival::Undelivered(Lost::Number(NumberFault::OptedOut));
    let noted = store.note_receipt(id, ("a", 1), lost, "", true).await;
    assert_eq!(
        noted,
        Ok(Noted::Stands(State::Queued)),
        "over the next route"
    );
    assert_eq!(rows(world).await, 1);
    let message = claimed(&store, "b").await;
    settle(&store, message, Verdict::Taken, Settled::Handed).await;
    let noted = store.note_receipt(id, ("b", 2), lost, "", true).await;
    assert_eq!(noted, Ok(Noted::Stands(State::Undelivered)));
    world.pass(60);
    let again = act(&store, &own("ann"), "ann", resend()).await;
    assert_eq!(again.err(), Some(Refusal::NumberOptedOut));
}

async fn who_has_opted_out_is_not_tried_again(world: &World) {
    let store = world.store_with_routes(&["a", "b"]).await;
    does(&store, "ann", named("")).await;
    does(&store, "ann", set(&number(1), SEND)).await;
    let message = claimed(&store, "a").await;
    let id = message.message.id;
    settle(&store, message, STOP, Settled::Ended(State::Refused)).await;
    let retried = store.retry_message(&Scope::Everywhere, id).await;
    let retried = retried.expect("must read").expect("over the other route");
    assert_eq!(retried.route.as_deref(), Some("b"));
    let message = claimed(&store, "b").await;
    settle(&store, message, STOP, Settled::Ended(State::Refused)).await;
    let retried = store.retry_message(&Scope::Everywhere, id).await;
    assert_eq!(
        retried.expect("must read").err(),
        Some(NotRetried::OptedOut)
    );
}
