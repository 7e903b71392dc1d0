//! Numbers that were announced and never proven.

use ringback_core::Change;

use crate::requests::*;
use crate::world::World;

on_both!(
    what_was_announced_and_never_proven_is_forgotten,
    what_still_waits_is_kept,
);

const DAY: u64 = 86_400;

fn announce(n: u32) -> ringback_core::Action {
    Change::Preverify {
        number: number(n).as_str().into(),
    }
    .into()
}

async fn what_was_announced_and_never_proven_is_forgotten(world: &World) {
    let store = world.store().await;
    for n in 0..3 {
        let user = format!("user {n}");
        does(&store, &user, named("")).await;
        does(&store, &user, announce(n)).await;
        does(&store, &user, set(&number(10 + n), TRUSTED)).await;
    }
    assert_eq!(world.database.count("phone_numbers").await, 6);
    store.purge().await.expect("must purge");
    assert_eq!(world.database.count("phone_numbers").await, 6);
    world.pass(DAY);
    let events = world.database.count("events").await;
    store.purge().await.expect("must purge");
    assert_eq!(world.database.count("phone_numbers").await, 3);
    assert_eq!(
        world
            .database
            .count("phone_numbers WHERE pending IS NOT NULL")
            .await,
        0
    );
    assert_eq!(
        world.database.count("events").await,
        events,
        "nothing happened to anybody"
    );
    let account = store.find_account("user 0").await.expect("can be read");
    let account = account.expect("is there");
    assert!(account.challenges.is_empty() && account.primary_phone().is_some());
    assert_eq!(store.purge().await, Ok(0));
}

async fn what_still_waits_is_kept(world: &World) {
    let store = world.store().await;
    does(&store, "ann", named("")).await;
    does(&store, "ann", announce(1)).await;
    world.pass(DAY - 60);
    // Its code is sent again.
    does(&store, "ann", announce(1)).await;
    world.pass(60);
    store.purge().await.expect("must purge");
    assert_eq!(world.database.count("phone_numbers").await, 1);
    world.pass(600);
    store.purge().await.expect("must purge");
    assert_eq!(world.database.count("phone_numbers").await, 0);
}
