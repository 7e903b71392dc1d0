//! What became of messages: kept without the number, listed, tried again, and moved forward by receipts.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ringback_core::delivery::{Arrival, Attempt, Lost, NumberFault, RouteFault, State, Verdict};
use ringback_core::rights::Scope;
use ringback_core::{Id, Time};
use ringback_store::{
    Claimed, MessageQuery, MessageRecord, NotRetried, Noted, Settled, Settlement, Store,
};

use crate::requests::*;
use crate::world::World;

on_both!(
    what_became_of_a_message_is_kept_without_its_number,
    messages_are_listed_by_whom_they_concern,
    a_list_is_of_one_moment,
    a_message_is_tried_again_while_it_is_of_use,
    receipts_in_any_order_come_to_the_same_end,
    what_is_not_delivered_goes_over_the_next_route,
    a_message_is_found_by_what_its_route_calls_it,
    old_messages_are_purged,
);

const LEASE: Duration = Duration::from_secs(30);

/// One message that waits for the route `a`, claimed.
async fn sent(world: &World, store: &Store, n: u32) -> Claimed {
    let user = format!("user {n}");
    does(store, &user, named("")).await;
    does(store, &user, set(&number(n), SEND)).await;
    let mut claimed = store.claim("a", 10, LEASE).await.expect("must claim");
    assert_eq!(claimed.len(), 1, "at {:?}", world.now());
    claimed.remove(0)
}

fn attempt(claimed: &Claimed, at: Time, verdict: Verdict) -> Attempt {
    Attempt {
        n: claimed.attempt,
        route: claimed.message.route.clone().expect("a route"),
        at,
        ms: 12,
        times: 1,
        verdict,
        reason: "because".into(),
        reference: Some("ref-1".into()),
        handed: false,
        segments: 0,
        cost: 0,
    }
}

async fn settle(store: &Store, claimed: &Claimed, verdict: Verdict, outcome: Settled) {
    let mut trail = claimed.trail.clone();
    trail.add(attempt(claimed, store.now(), verdict));
    let settlement = Settlement {
        message: claimed.message.clone(),
        attempt: claimed.attempt,
        trail,
        outcome,
        country: None,
    };
    store.settle(&[settlement]).await.expect("must settle");
}

async fn found(store: &Store, id: Id) -> MessageRecord {
    let found = store.find_message(&Scope::Everywhere, id).await;
    found.expect("must read").expect("is there")
}

async fn what_became_of_a_message_is_kept_without_its_number(world: &World) {
    let store = world.store_with_routes(&["a", "b"]).await;
    let claimed = sent(world, &store, 1).await;
    let id = claimed.message.id;
    let before = found(&store, id).await;
    assert_eq!(
        (before.state, before.route.as_deref()),
        (State::Queued, Some("a"))
    );
    assert_eq!(before.mask, number(1).masked());
    let unable = Verdict::Unable {
        fault: RouteFault::Auth,
    };
    let at = world.now();
    let waits = Settled::Waits {
        route: "b".into(),
        at,
    };
    settle(&store, &claimed, unable, waits).await;
    assert!(
        store
            .claim("a", 10, LEASE)
            .await
            .expect("must claim")
            .is_empty()
    );
    let again = store.claim("b", 10, LEASE).await.expect("must claim");
    assert_eq!(again[0].trail.attempts().len(), 1);
    // Whoever had it before says nothing more of it.
    settle(&store, &claimed, unable, Settled::Ended(State::Failed)).await;
    assert_eq!(found(&store, id).await.state, State::Queued);
    settle(
        &store,
        &again[0],
        Verdict::Taken,
        Settled::Ended(State::Handed),
    )
    .await;
    let after = found(&store, id).await;
    assert_eq!(
        (after.state, after.route.as_deref()),
        (State::Handed, Some("b"))
    );
    assert_eq!(after.mask, number(1).masked());
    assert_eq!(after.reference.as_deref(), Some("ref-1"));
    assert_eq!((after.due_at, after.ended_at), (None, Some(world.now())));
    let verdicts: Vec<_> = after
        .trail
        .attempts()
        .iter()
        .map(|one| one.verdict)
        .collect();
    assert_eq!(verdicts, [unable, Verdict::Taken]);
    let numbers = "SELECT count(*) FROM messages WHERE number IS NOT NULL";
    assert_eq!(world.count(numbers).await, 0);
}

fn query(scope: Scope) -> MessageQuery {
    MessageQuery {
        scope,
        account: None,
        number: None,
        state: None,
        before: None,
        limit: 10,
    }
}

async fn messages_are_listed_by_whom_they_concern(world: &World) {
    let store = world.store_with_routes(&["a"]).await;
    let mut ids = Vec::new();
    for n in 0..4 {
        world.pass(1);
        let claimed = sent(world, &store, n).await;
        if n < 2 {
            settle(
                &store,
                &claimed,
                Verdict::Taken,
                Settled::Ended(State::Handed),
            )
            .await;
        }
        ids.insert(0, claimed.message.id);
    }
    let list = async |query: MessageQuery| -> Vec<Id> {
        let found = store.list_messages(&service(), &query).await;
        let found = found.expect("must list");
        found.into_iter().map(|one| one.id).collect()
    };
    let everywhere = || query(Scope::Everywhere);
    assert_eq!(list(everywhere()).await, ids, "newest first");
    let page = MessageQuery {
        limit: 3,
        ..everywhere()
    };
    assert_eq!(list(page.clone()).await, ids[..3]);
    let next = MessageQuery {
        before: Some(ids[2]),
        ..page
    };
    assert_eq!(list(next).await, ids[3..]);
    for n in 0..4 {
        let by_number = MessageQuery {
            number: Some(number(n)),
            ..everywhere()
        };
        let expected = [ids[3 - n as usize]];
        assert_eq!(list(by_number).await, expected, "waiting or not");
        let by_account = MessageQuery {
            account: Some(format!("user {n}")),
            ..everywhere()
        };
        assert_eq!(list(by_account).await, expected);
    }
    let handed = MessageQuery {
        state: Some(State::Handed),
        ..everywhere()
    };
    assert_eq!(list(handed).await, ids[2..]);
    let here = found(&store, ids[0]).await.organization;
    assert_eq!(list(query(Scope::Organization(here))).await, ids);
    let other = Scope::Organization("other".into());
    assert!(list(query(other.clone())).await.is_empty());
    assert_eq!(store.find_message(&other, ids[0]).await, Ok(None));
}

/// What stops waiting while it is listed is in the list once.
async fn a_list_is_of_one_moment(world: &World) {
    const MESSAGES: u32 = 60;
    let store = world.store_with_routes(&["a"]).await;
    let mut waiting = Vec::new();
    for n in 0..MESSAGES {
        waiting.push(sent(world, &store, n).await);
    }
    let settled = AtomicBool::new(false);
    let settling = async {
        for claimed in &waiting {
            settle(
                &store,
                claimed,
                Verdict::Taken,
                Settled::Ended(State::Handed),
            )
            .await;
        }
        settled.store(true, Ordering::SeqCst);
    };
    let listing = async {
        while !settled.load(Ordering::SeqCst) {
            let query = MessageQuery {
                limit: 2 * MESSAGES,
                ..query(Scope::Everywhere)
            };
            let found = store.list_messages(&service(), &query).await;
            let found = found.expect("must list").into_iter();
            let ids: BTreeSet<Id> = found.clone().map(|one| one.id).collect();
            assert_eq!((found.len(), ids.len()), (waiting.len(), waiting.len()));
        }
    };
    tokio::join!(settling, listing);
}

async fn a_message_is_tried_again_while_it_is_of_use(world: &World) {
    let store = world.store_with_routes(&["a", "b"]).await;
    let claimed = sent(world, &store, 1).await;
    let id = claimed.message.id;
    let retry = async |scope: &Scope| store.retry_message(scope, id).await.expect("must try");
    let fault = RouteFault::Protocol;
    settle(
        &store,
        &claimed,
        Verdict::Unable { fault },
        Settled::Ended(State::Failed),
    )
    .await;
    let other = Scope::Organization("other".into());
    assert_eq!(retry(&other).await, Err(NotRetried::NotFound));
    let again = retry(&Scope::Everywhere).await.expect("must be tried");
    assert_eq!(
        (again.state, again.route.as_deref()),
        (State::Queued, Some("a"))
    );
    let claimed = store.claim("a", 10, LEASE).await.expect("must claim");
    assert_eq!(
        claimed[0].message.number,
        number(1),
        "the account still has it"
    );
    assert!(claimed[0].code.is_some());
    let twice = retry(&Scope::Everywhere).await;
    assert_eq!(twice, Err(NotRetried::UnderWay), "a route is being asked");
    settle(
        &store,
        &claimed[0],
        Verdict::Taken,
        Settled::Ended(State::Handed),
    )
    .await;
    assert_eq!(retry(&Scope::Everywhere).await, Err(NotRetried::Handed));

    let claimed = sent(world, &store, 2).await;
    let id = claimed.message.id;
    settle(
        &store,
        &claimed,
        Verdict::Unknown,
        Settled::Ended(State::Failed),
    )
    .await;
    world.pass(600);
    let late = store.retry_message(&Scope::Everywhere, id).await;
    assert_eq!(late.expect("must try"), Err(NotRetried::Expired));
    let claimed = sent(world, &store, 3).await;
    let id = claimed.message.id;
    settle(
        &store,
        &claimed,
        Verdict::Unknown,
        Settled::Ended(State::Failed),
    )
    .await;
    does(&store, "user 3", set(&number(4), RETURN)).await;
    let gone = store.retry_message(&Scope::Everywhere, id).await;
    assert_eq!(gone.expect("must try"), Err(NotRetried::NumberGone));
}

/// The numbers below `n` in another order for each `seed`.
fn shuffled(n: usize, mut seed: u64) -> Vec<usize> {
    let mut all: Vec<usize> = (0..n).collect();
    for at in (1..n).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        all.swap(at, (seed >> 33) as usize % (at + 1));
    }
    all
}

async fn receipts_in_any_order_come_to_the_same_end(world: &World) {
    let store = world.store_with_routes(&["a"]).await;
    let phone = Arrival::Undelivered(Lost::Phone);
    let told = [
        Some(Arrival::OnTheWay),
        Some(Arrival::Delivered),
        Some(Arrival::Delivered),
        Some(phone),
        // Our own note of the hand-over, which may come after all of them.
        None,
    ];
    for seed in 0..40 {
        let claimed = sent(world, &store, seed).await;
        let id = claimed.message.id;
        let mut order = VecDeque::from(shuffled(told.len(), seed.into()));
        while let Some(at) = order.pop_front() {
            match told[at] {
                Some(arrival) => {
                    let of = ("a", claimed.attempt);
                    let noted = store.note_receipt(id, of, arrival, "", seed % 2 == 0).await;
                    if noted == Ok(Noted::TooEarly) {
                        // It is told again.
                        order.push_back(at);
                    }
                    noted.expect("must note");
                }
                None => settle(&store, &claimed, Verdict::Taken, Settled::Handed).await,
            }
        }
        let end = found(&store, id).await;
        assert_eq!(end.state, State::Delivered, "{seed}");
        assert_eq!(end.due_at, None, "{seed}");
    }
    let numbers = "SELECT count(*) FROM messages WHERE number IS NOT NULL";
    assert_eq!(world.count(numbers).await, 0);
    assert!(
        store
            .claim("a", 100, LEASE)
            .await
            .expect("must claim")
            .is_empty()
    );
    let unknown = Id::first_at(world.now());
    let noted = store
        .note_receipt(unknown, ("a", 1), Arrival::Delivered, "", true)
        .await;
    assert_eq!(noted, Ok(Noted::Nothing), "what nobody knows of");
}

async fn what_is_not_delivered_goes_over_the_next_route(world: &World) {
    let store = world.store_with_routes(&["a", "b"]).await;
    let claimed = sent(world, &store, 1).await;
    let id = claimed.message.id;
    settle(&store, &claimed, Verdict::Taken, Settled::Handed).await;
    let lost = Arrival::Undelivered(Lost::Route(RouteFault::Region));
    let noted = store.note_receipt(id, ("a", 1), lost, "", true).await;
    assert_eq!(noted, Ok(Noted::Stands(State::Queued)));
    assert_eq!(
        store.note_receipt(id, ("a", 1), lost, "", true).await,
        Ok(Noted::Nothing),
        "once is enough"
    );
    let again = store.claim("b", 10, LEASE).await.expect("must claim");
    assert_eq!(again[0].message.number, number(1));
    settle(&store, &again[0], Verdict::Taken, Settled::Handed).await;
    let fault = NumberFault::OptedOut;
    let never = Arrival::Undelivered(Lost::Number(fault));
    for (route, n) in [("a", 2), ("b", 1), ("c", 1), ("b", 3)] {
        let noted = store
            .note_receipt(id, (route, n), Arrival::Delivered, "", true)
            .await;
        assert_eq!(noted, Ok(Noted::Nothing), "attempt {n} was not {route}'s");
    }
    assert_eq!(
        store.note_receipt(id, ("a", 1), never, "", true).await,
        Ok(Noted::Nothing),
        "of another attempt"
    );
    let attempt = again[0].attempt;
    let noted = store
        .note_receipt(id, ("b", attempt), never, "", true)
        .await;
    assert_eq!(noted, Ok(Noted::Stands(State::Undelivered)));
    let late = store
        .note_receipt(id, ("a", 1), Arrival::Delivered, "", true)
        .await;
    assert_eq!(
        late,
        Ok(Noted::Stands(State::Delivered)),
        "it came after all"
    );
    assert_eq!(
        found(&store, id).await.route.as_deref(),
        Some("a"),
        "it was the first one"
    );
}

async fn a_message_is_found_by_what_its_route_calls_it(world: &World) {
    let store = world.store_with_routes(&["a", "b"]).await;
    let of = async |route: &str, reference: &str| {
        let found = store.message_of_reference(route, reference).await;
        found.expect("must be looked up")
    };
    let first = sent(world, &store, 1).await;
    assert_eq!(of("a", "ref-1").await, None, "nothing is noted yet");
    settle(&store, &first, Verdict::Taken, Settled::Handed).await;
    let id = first.message.id;
    assert_eq!(of("a", "ref-1").await, Some((id, 1)));
    assert_eq!(of("b", "ref-1").await, None, "another provider's");
    assert_eq!(of("a", "ref-2").await, None);
    // It waits for another route, and is the first one's still.
    let lost = Arrival::Undelivered(Lost::Phone);
    let noted = store.note_receipt(id, ("a", 1), lost, "", true).await;
    assert_eq!(noted, Ok(Noted::Stands(State::Queued)));
    assert_eq!(of("a", "ref-1").await, Some((id, 1)));
    // A provider that counts anew means the newest.
    world.pass(1);
    let second = sent(world, &store, 2).await;
    settle(&store, &second, Verdict::Taken, Settled::Handed).await;
    assert_eq!(of("a", "ref-1").await, Some((second.message.id, 1)));
}

async fn old_messages_are_purged(world: &World) {
    let store = world.store_with_routes(&["a"]).await;
    let waits = sent(world, &store, 1).await;
    settle(&store, &waits, Verdict::Taken, Settled::Handed).await;
    let numbers = "SELECT count(*) FROM messages WHERE number IS NOT NULL";
    assert_eq!(world.count(numbers).await, 1, "a receipt may want it");
    world.pass(601);
    store.purge().await.expect("must purge");
    assert_eq!(
        world.count(numbers).await,
        0,
        "nothing will be heard any more"
    );
    assert_eq!(found(&store, waits.message.id).await.state, State::Handed);
    world.pass(3_000);
    store.purge().await.expect("must purge");
    assert_eq!(world.count("SELECT count(*) FROM messages").await, 0);
}
