//! Messages: each is given out once for as long as its lease, with its code, while it matters; and what is kept.

use std::collections::BTreeSet;
use std::time::Duration;

use ringback_core::delivery::State;
use ringback_core::{Action, Change, Delivery, Id, MessageKind, Profile, Time, Which};
use ringback_store::{Claimed, Settled, Settlement, Store};

use crate::requests::*;
use crate::world::World;

on_both!(
    a_claimed_code_verifies,
    a_lease_hides_a_message_until_it_ends,
    two_workers_never_get_the_same_message,
    what_is_done_is_gone,
    what_is_to_be_tried_again_comes_back_when_it_is_due,
    a_worker_that_lost_its_lease_postpones_nothing,
    many_settlements_at_once,
    codes_of_dead_challenges_are_dropped,
    notices_outlive_the_number,
    what_is_too_old_is_dropped,
    what_cannot_be_read_holds_up_nothing,
    a_commit_wakes_the_worker,
    idle_budgets_are_purged,
);

const LEASE: Duration = Duration::from_secs(30);
const HANDED: Settled = Settled::Ended(State::Handed);

fn again(at: Time) -> Settled {
    let route = String::new();
    Settled::Waits { route, at }
}

async fn claim(store: &Store) -> Vec<Claimed> {
    store.claim("", 100, LEASE).await.expect("must claim")
}

async fn rows(world: &World) -> i64 {
    world.count("SELECT count(*) FROM messages").await
}

/// Sends a code to each of some new accounts.
async fn send(store: &Store, many: u32) {
    for n in 0..many {
        let caller = own(&format!("user {n}"));
        let sent = act(store, &caller, &caller.user, set(&number(n), SEND)).await;
        sent.expect("must send");
    }
}

async fn settle(store: &Store, claimed: &Claimed, outcome: Settled) {
    let settlement = Settlement {
        message: claimed.message.clone(),
        attempt: claimed.attempt,
        trail: claimed.trail.clone(),
        outcome,
        country: None,
    };
    store.settle(&[settlement]).await.expect("must settle");
}

async fn a_claimed_code_verifies(world: &World) {
    let store = world.store().await;
    let profile = Profile {
        preferred_language: "fr".into(),
        ..Profile::default()
    };
    does(&store, "ann", register(profile, None)).await;
    let sent = act(&store, &own("ann"), "ann", set(&number(1), SEND)).await;
    assert_eq!(sent.expect("must send").code, None);
    let claimed = claim(&store).await;
    let [one] = claimed.as_slice() else {
        panic!("must be one: {claimed:?}");
    };
    assert_eq!(one.attempt, 1);
    assert_eq!(one.message.number, number(1));
    assert_eq!(one.message.account, "ann");
    assert_eq!(one.message.language, "fr,de");
    assert_eq!(one.message.created_at, world.now());
    assert_eq!(
        one.message.expires_at,
        world.now() + Duration::from_secs(600)
    );
    let code = one.code.as_ref().expect("a code").reveal();
    let verified = act(&store, &own("ann"), "ann", guess(code)).await;
    assert!(verified.is_ok(), "{verified:?}");
}

async fn a_lease_hides_a_message_until_it_ends(world: &World) {
    let store = world.store().await;
    send(&store, 1).await;
    let first = claim(&store).await;
    assert_eq!(first.len(), 1);
    assert!(claim(&store).await.is_empty());
    world.pass(29);
    assert!(claim(&store).await.is_empty());
    world.pass(1);
    let second = claim(&store).await;
    assert_eq!(second[0].message.id, first[0].message.id);
    assert_eq!(second[0].message.kind, first[0].message.kind);
    assert_eq!(second[0].code, first[0].code);
    assert_eq!(second[0].attempt, 2);
}

async fn two_workers_never_get_the_same_message(world: &World) {
    let stores = [world.store().await, world.store().await];
    send(&stores[0], 40).await;
    let mut seen: Vec<Id> = Vec::new();
    loop {
        let rounds = (0..6).map(|n| stores[n % 2].claim("", 3, LEASE));
        let claimed = futures::future::join_all(rounds).await;
        let claimed: Vec<Claimed> = claimed
            .into_iter()
            .flat_map(|c| c.expect("must claim"))
            .collect();
        if claimed.is_empty() {
            break;
        }
        seen.extend(claimed.iter().map(|claimed| claimed.message.id));
    }
    assert_eq!(seen.len(), 40);
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 40);
    // No more than was asked for, oldest first.
    world.pass(30);
    assert_eq!(
        stores[0]
            .claim("", 7, LEASE)
            .await
            .expect("must claim")
            .len(),
        7
    );
    assert_eq!(
        stores[0]
            .claim("", 0, LEASE)
            .await
            .expect("must claim")
            .len(),
        0
    );
}

async fn what_is_done_is_gone(world: &World) {
    let store = world.store().await;
    send(&store, 2).await;
    let claimed = claim(&store).await;
    settle(&store, &claimed[0], HANDED).await;
    assert_eq!(rows(world).await, 1);
    // Whoever holds the lease by now says what becomes of it.
    world.pass(31);
    let second = claim(&store).await;
    assert_eq!(second[0].attempt, 2);
    settle(&store, &claimed[1], HANDED).await;
    assert_eq!(rows(world).await, 1);
    settle(&store, &second[0], HANDED).await;
    assert_eq!(rows(world).await, 0);
    store.settle(&[]).await.expect("nothing to settle is fine");
}

async fn what_is_to_be_tried_again_comes_back_when_it_is_due(world: &World) {
    let store = world.store().await;
    send(&store, 1).await;
    let claimed = claim(&store).await;
    let at = world.now() + Duration::from_secs(5);
    settle(&store, &claimed[0], again(at)).await;
    world.pass(4);
    assert!(claim(&store).await.is_empty());
    world.pass(1);
    assert_eq!(claim(&store).await[0].attempt, 2);
}

async fn a_worker_that_lost_its_lease_postpones_nothing(world: &World) {
    let stores = [world.store().await, world.store().await];
    send(&stores[0], 1).await;
    let slow = claim(&stores[0]).await;
    world.pass(30);
    let fast = claim(&stores[1]).await;
    assert_eq!(fast[0].attempt, 2);
    // Both directions: neither earlier nor later than the second worker's lease.
    for seconds in [0, 500] {
        let at = world.now() + Duration::from_secs(seconds);
        settle(&stores[0], &slow[0], again(at)).await;
        assert!(claim(&stores[0]).await.is_empty());
    }
    world.pass(30);
    assert_eq!(claim(&stores[0]).await[0].attempt, 3);
}

async fn many_settlements_at_once(world: &World) {
    let store = world.store().await;
    send(&store, 5).await;
    let at = world.now() + Duration::from_secs(1);
    let settlements: Vec<Settlement> = claim(&store)
        .await
        .iter()
        .enumerate()
        .map(|(n, claimed)| Settlement {
            message: claimed.message.clone(),
            attempt: claimed.attempt,
            trail: claimed.trail.clone(),
            outcome: if n % 2 == 0 { HANDED } else { again(at) },
            country: None,
        })
        .collect();
    store.settle(&settlements).await.expect("must settle");
    assert_eq!(rows(world).await, 2);
    world.pass(1);
    let left: Vec<Id> = claim(&store).await.iter().map(|c| c.message.id).collect();
    assert_eq!(left, [settlements[1].message.id, settlements[3].message.id]);
}

async fn codes_of_dead_challenges_are_dropped(world: &World) {
    let store = world.store().await;
    for (n, end) in ["replaced", "removed", "deleted", "verified", "spent"]
        .iter()
        .enumerate()
    {
        let phone = number(10 * n as u32);
        does(&store, end, named("")).await;
        does(&store, end, set(&phone, SEND)).await;
        let action = match *end {
            "replaced" => set(&number(1), RETURN),
            "removed" => Action::Change(Change::Remove {
                which: Which::Primary,
            }),
            "deleted" => Action::Delete,
            _ => Action::Change(Change::Resend {
                which: Which::Primary,
                delivery: Delivery::Return,
            }),
        };
        let reply = does(&store, end, action).await;
        if let ("verified" | "spent", Some(code)) = (*end, &reply.code) {
            let wrongs = if *end == "spent" { 5 } else { 0 };
            for _ in 0..wrongs {
                let _ = act(&store, &own(end), end, guess(&wrong(code.reveal()))).await;
            }
            let _ = act(&store, &own(end), end, guess(code.reveal())).await;
        }
    }
    assert_eq!(rows(world).await, 5);
    assert!(claim(&store).await.is_empty());
    assert_eq!(rows(world).await, 0);

    // A resend with a new code leaves the message of the old one behind.
    does(&store, "again", named("")).await;
    does(&store, "again", set(&number(99), SEND)).await;
    world.pass(500);
    does(
        &store,
        "again",
        Action::Change(Change::Resend {
            which: Which::Primary,
            delivery: Delivery::Send,
        }),
    )
    .await;
    assert_eq!(rows(world).await, 2);
    let claimed = claim(&store).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].message.created_at, world.now());
    assert_eq!(rows(world).await, 1);
}

async fn notices_outlive_the_number(world: &World) {
    let store = world.store().await;
    does(&store, "ann", named("")).await;
    does(&store, "ann", set(&number(1), TRUSTED)).await;
    does(&store, "ann", set(&number(2), TRUSTED)).await;
    does(
        &store,
        "ann",
        Action::Change(Change::Remove {
            which: Which::Primary,
        }),
    )
    .await;
    does(&store, "ann", Action::Delete).await;
    let claimed = claim(&store).await;
    let kinds: Vec<_> = claimed
        .iter()
        .map(|c| (c.message.kind, c.message.number.clone()))
        .collect();
    assert_eq!(kinds.len(), 2);
    assert!(kinds.contains(&(MessageKind::Replaced, number(1))));
    assert!(kinds.contains(&(MessageKind::Removed, number(2))));
    assert!(claimed.iter().all(|claimed| claimed.code.is_none()));
}

async fn what_is_too_old_is_dropped(world: &World) {
    let store = world.store().await;
    does(&store, "ann", named("")).await;
    does(&store, "ann", set(&number(1), TRUSTED)).await;
    does(&store, "ann", set(&number(2), SEND)).await;
    world.pass(599);
    assert_eq!(claim(&store).await.len(), 2);
    world.pass(86_400 - 600);
    // The code is too old by now, the notice of the replaced number is not.
    let left = claim(&store).await;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].message.kind, MessageKind::Replaced);
    world.pass(31);
    assert!(claim(&store).await.is_empty());
    assert_eq!(rows(world).await, 0);
}

async fn what_cannot_be_read_holds_up_nothing(world: &World) {
    let store = world.store().await;
    send(&store, 3).await;
    world
        .run_sql("UPDATE accounts SET challenges = '{' WHERE user_id = 'user 0'")
        .await;
    world
        .run_sql("UPDATE messages SET kind = 'newer' WHERE user_id = 'user 1'")
        .await;
    let claimed = claim(&store).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0].message.account, "user 2");
    assert_eq!(rows(world).await, 3);
    world.pass(600);
    assert!(claim(&store).await.is_empty());
    assert_eq!(rows(world).await, 0);
}

async fn a_commit_wakes_the_worker(world: &World) {
    let store = world.store().await;
    does(&store, "ann", named("")).await;
    // A message that comes before anybody waits is not missed.
    does(&store, "ann", set(&number(1), SEND)).await;
    store.wait_for_messages("").await;
    // And one that comes while somebody waits.
    let (_, ()) = futures::future::join(
        does(&store, "ann", set(&number(2), SEND)),
        store.wait_for_messages(""),
    )
    .await;
    // A commit without a message wakes nobody.
    does(&store, "ann", rename("x")).await;
    tokio::select! {
        biased;
        () = store.wait_for_messages("") => panic!("nothing to send"),
        () = std::future::ready(()) => {}
    }
}

async fn idle_budgets_are_purged(world: &World) {
    let store = world.store().await;
    send(&store, 3).await;
    let claimed = claim(&store).await;
    assert_eq!(world.count("SELECT count(*) FROM budgets").await, 3);
    world.pass(86_399);
    assert_eq!(store.purge().await, Ok(0));
    world.pass(2);
    assert_eq!(store.purge().await, Ok(3));
    assert_eq!(world.count("SELECT count(*) FROM budgets").await, 0);
    // A purged number begins anew.
    let other = &claimed[1].message;
    world.pass(1);
    let again = act(
        &store,
        &own(&other.account),
        &other.account,
        Action::Change(Change::Resend {
            which: Which::Primary,
            delivery: Delivery::Send,
        }),
    );
    assert!(again.await.is_ok());
    assert_eq!(world.count("SELECT count(*) FROM budgets").await, 1);
}
