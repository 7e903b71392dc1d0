//! What the guard knows: heard of what was committed, told to other processes, and there after a restart.

use std::time::Duration;

use futures::future::join_all;
use ringback_core::guard::{Mode, Place, Reason};
use ringback_core::limit::Limit;
use ringback_core::rights::Scope;
use ringback_core::{Number, Refusal};
use ringback_store::{Rules, Store};

use crate::requests::*;
use crate::world::World;

on_both!(
    a_range_that_does_not_answer_is_held_back_by_every_process,
    commands_of_one_batch_count_one_another,
    processes_that_write_the_same_at_once_lose_nothing,
    what_was_heard_is_there_after_a_restart,
    an_operator_s_word_reaches_every_process,
    organizations_are_looked_at_each_by_itself,
    answers_count_once_a_day_for_each_number,
    an_account_s_refusals_make_one_event_a_minute,
    what_says_nothing_any_more_is_purged,
    nothing_is_heard_where_the_guard_is_off,
);

/// Numbers that differ in their last four digits.
fn alike(n: u32) -> Number {
    Number::from_stored(format!("+4179123{n:04}"))
}

fn enforcing(world: &World) -> Rules {
    let mut rules = world.rules.clone();
    let policy = &mut rules.policies.default;
    policy.guard.mode = Mode::Enforce;
    policy.guard.unverified_floor = 1_000;
    rules
}

async fn exchange(stores: &[&Store]) {
    for store in stores {
        store.exchange_guard().await.expect("must exchange");
    }
}

async fn send(store: &Store, user: &str, number: &Number) -> Result<(), Refusal> {
    act(store, &own(user), user, set(number, SEND))
        .await
        .map(drop)
}

fn held(reason: Reason) -> impl Fn(Result<(), Refusal>) {
    move |outcome| match outcome {
        Err(Refusal::Limited {
            limit: Limit::Guard(met),
            ..
        }) => assert_eq!(met, reason),
        other => panic!("{other:?}"),
    }
}

/// What is known of a place: sent, answered, and whether it is held back.
fn known(store: &Store, place: &Place) -> Option<(u32, u32, bool)> {
    let all = store.guard_standings(&Scope::Organization("acme".into()));
    let found = all.into_iter().find(|(_, one)| one.place == *place);
    found.map(|(_, one)| (one.sent, one.answered, !one.reasons.is_empty()))
}

fn prefix() -> Place {
    Place::Prefix("+4179123".into())
}

fn country() -> Place {
    Place::Country("CH".into())
}

async fn a_range_that_does_not_answer_is_held_back_by_every_process(world: &World) {
    let rules = enforcing(world);
    let (one, two) = (
        world.store_under(&rules).await,
        world.store_under(&rules).await,
    );
    for n in 0..20 {
        let store = if n % 2 == 0 { &one } else { &two };
        send(store, &format!("user {n}"), &alike(n))
            .await
            .expect("not too many yet");
    }
    // Neither has seen twenty itself.
    exchange(&[&one, &two, &one]).await;
    for store in [&one, &two] {
        held(Reason::Prefix)(send(store, "ann", &alike(50)).await);
        assert_eq!(known(store, &prefix()), Some((20, 0, true)));
        assert_eq!(known(store, &country()), Some((20, 0, false)));
    }
    // Other numbers are free, and so are these an hour later.
    send(&one, "bob", &number(1_240_000))
        .await
        .expect("another range");
    world.pass(3_600);
    send(&two, "ann", &alike(50)).await.expect("an hour later");
}

async fn commands_of_one_batch_count_one_another(world: &World) {
    let store = world.store_under(&enforcing(world)).await;
    let all = (0..60).map(|n| {
        let user = format!("user {n}");
        act(&store, &own(&user), &user, set(&alike(n), SEND))
    });
    let done = join_all(all).await;
    let sent = done.iter().filter(|outcome| outcome.is_ok()).count();
    // As many lanes may decide at once, each on what was committed before.
    assert!((20..=40).contains(&sent), "{sent}");
    assert!(world.batches.take().into_iter().any(|batch| batch > 1));
}

async fn processes_that_write_the_same_at_once_lose_nothing(world: &World) {
    let mut rules = enforcing(world);
    rules.policies.default.guard.prefix_sends = 1_000;
    let stores = [
        world.store_under(&rules).await,
        world.store_under(&rules).await,
        world.store_under(&rules).await,
    ];
    for round in 0..10 {
        for (nth, store) in stores.iter().enumerate() {
            for n in 0..4 {
                let user = format!("user {round} {nth} {n}");
                let number = alike(round * 100 + u32::try_from(nth).expect("few") * 10 + n);
                send(store, &user, &number).await.expect("allowed");
            }
        }
        let all = join_all(stores.iter().map(Store::exchange_guard)).await;
        assert!(all.iter().all(Result::is_ok));
    }
    for store in &stores {
        store.leave_guard().await.expect("must write");
    }
    for store in &stores {
        exchange(&[store]).await;
        assert_eq!(known(store, &country()), Some((120, 0, false)));
        let sends = world.texts("SELECT state FROM guard_tallies WHERE name LIKE 'prefix:%'");
        assert!(sends.await[0].contains("\"sent\":120"));
    }
}

async fn what_was_heard_is_there_after_a_restart(world: &World) {
    let rules = enforcing(world);
    let store = world.store_under(&rules).await;
    for n in 0..20 {
        send(&store, &format!("user {n}"), &alike(n))
            .await
            .expect("allowed");
    }
    // One that says little is not written down at once, but at the end.
    send(&store, "bob", &number(1_240_000))
        .await
        .expect("another range");
    exchange(&[&store]).await;
    assert_eq!(world.count("SELECT count(*) FROM guard_tallies").await, 2);
    store.leave_guard().await.expect("must write");
    assert_eq!(world.count("SELECT count(*) FROM guard_tallies").await, 3);
    drop(store);
    let again = world.store_under(&rules).await;
    exchange(&[&again]).await;
    assert_eq!(known(&again, &country()), Some((21, 0, false)));
    held(Reason::Prefix)(send(&again, "ann", &alike(50)).await);
}

async fn an_operator_s_word_reaches_every_process(world: &World) {
    let mut rules = enforcing(world);
    rules.policies.default.guard.unverified_floor = 10;
    let (one, two) = (
        world.store_under(&rules).await,
        world.store_under(&rules).await,
    );
    for n in 0..5 {
        send(&one, &format!("user {n}"), &alike(n))
            .await
            .expect("allowed");
    }
    held(Reason::CountryHour)(send(&one, "ann", &alike(50)).await);
    exchange(&[&one, &two]).await;
    held(Reason::CountryHour)(send(&two, "ann", &alike(50)).await);
    let until = world.now() + Duration::from_secs(600);
    let operator = world.store_under(&rules).await;
    let count = operator.guard_allow("acme", &country(), until).await;
    assert_eq!(count, Ok(1));
    exchange(&[&one, &two]).await;
    for (store, user, n) in [(&one, "ann", 50), (&two, "bob", 51)] {
        send(store, user, &alike(n))
            .await
            .expect("the operator says so");
    }
    world.pass(600);
    held(Reason::CountryHour)(send(&one, "carl", &alike(52)).await);
    // The beginning of a number stands for all that are known to begin so.
    let begin = Place::Prefix("+4179".into());
    let until = world.now() + Duration::from_secs(600);
    assert_eq!(operator.guard_allow("acme", &begin, until).await, Ok(2));
    exchange(&[&one]).await;
    send(&one, "carl", &alike(52))
        .await
        .expect("the operator says so");
}

async fn organizations_are_looked_at_each_by_itself(world: &World) {
    let store = world.store_under(&enforcing(world)).await;
    for n in 0..20 {
        send(&store, &format!("user {n}"), &alike(n))
            .await
            .expect("allowed");
    }
    held(Reason::Prefix)(send(&store, "ann", &alike(50)).await);
    let elsewhere = ringback_core::Caller::new("ann", "other");
    let sent = act(&store, &elsewhere, "ann", set(&alike(50), SEND)).await;
    sent.expect("what one organisation's users do is none of the other's");
    let all = store.guard_standings(&Scope::Everywhere);
    let organizations: Vec<_> = all
        .iter()
        .map(|(id, one)| (id.as_str(), &one.place))
        .collect();
    assert_eq!(
        organizations,
        [
            ("acme", &country()),
            ("acme", &prefix()),
            ("other", &country())
        ]
    );
    assert_eq!(
        store.guard_standings(&Scope::Organization("third".into())),
        []
    );
}

async fn answers_count_once_a_day_for_each_number(world: &World) {
    let store = world.store_under(&enforcing(world)).await;
    for round in 0..3 {
        for n in 0..2 {
            let user = format!("user {round} {n}");
            act(&store, &service(), &user, named(""))
                .await
                .expect("registered");
            let sent = act(&store, &own(&user), &user, set(&number(n), SEND)).await;
            sent.expect("allowed");
            let claimed = store
                .claim("", 10, Duration::from_secs(30))
                .await
                .expect("claimed");
            let code = claimed[0]
                .code
                .as_ref()
                .expect("a code")
                .reveal()
                .to_owned();
            act(&store, &own(&user), &user, guess(&code))
                .await
                .expect("right");
        }
    }
    assert_eq!(known(&store, &country()), Some((6, 2, false)));
    world.pass(86_400);
    act(&store, &service(), "ann", named(""))
        .await
        .expect("registered");
    act(&store, &own("ann"), "ann", set(&number(0), SEND))
        .await
        .expect("allowed");
    let claimed = store
        .claim("", 10, Duration::from_secs(30))
        .await
        .expect("claimed");
    let code = claimed[0]
        .code
        .as_ref()
        .expect("a code")
        .reveal()
        .to_owned();
    act(&store, &own("ann"), "ann", guess(&code))
        .await
        .expect("right");
    assert_eq!(known(&store, &country()), Some((7, 3, false)));
}

async fn an_account_s_refusals_make_one_event_a_minute(world: &World) {
    let mut rules = enforcing(world);
    rules.policies.default.guard.deny_countries = ["CH".to_owned()].into();
    let store = world.store_under(&rules).await;
    let refused = "SELECT count(*) FROM events WHERE kind = 'guard.refused'";
    for _ in 0..4 {
        let outcome = send(&store, "ann", &alike(1)).await;
        assert_eq!(outcome, Err(Refusal::Guarded(Reason::Country)));
    }
    assert_eq!(world.count(refused).await, 1);
    send(&store, "bob", &alike(1)).await.expect_err("refused");
    assert_eq!(world.count(refused).await, 2);
    world.pass(60);
    send(&store, "ann", &alike(1)).await.expect_err("refused");
    let counts = "SELECT CAST(count AS text) FROM events WHERE user_id = 'ann' ORDER BY id";
    assert_eq!(world.texts(counts).await, ["1", "4"]);
    let details = world
        .texts("SELECT detail FROM events WHERE user_id = 'bob'")
        .await;
    assert!(
        details[0].contains(r#""reasons":["country"]"#),
        "{details:?}"
    );
    assert_eq!(world.count("SELECT count(*) FROM accounts").await, 0);
    assert_eq!(
        store.guard_standings(&Scope::Everywhere),
        [],
        "nothing was sent"
    );
}

async fn what_says_nothing_any_more_is_purged(world: &World) {
    let store = world.store_under(&enforcing(world)).await;
    send(&store, "ann", &alike(1)).await.expect("allowed");
    store.leave_guard().await.expect("must write");
    assert_eq!(world.count("SELECT count(*) FROM guard_tallies").await, 2);
    store.purge().await.expect("must purge");
    assert_eq!(world.count("SELECT count(*) FROM guard_tallies").await, 2);
    world.pass(15 * 86_400);
    store.purge().await.expect("must purge");
    assert_eq!(world.count("SELECT count(*) FROM guard_tallies").await, 0);
    // A process that remembers it writes it down again.
    send(&store, "bob", &alike(2)).await.expect("allowed");
    store.leave_guard().await.expect("must write");
    assert_eq!(world.count("SELECT count(*) FROM guard_tallies").await, 2);
}

async fn nothing_is_heard_where_the_guard_is_off(world: &World) {
    let mut rules = enforcing(world);
    rules.policies.default.guard.mode = Mode::Off;
    let store = world.store_under(&rules).await;
    for n in 0..30 {
        send(&store, &format!("user {n}"), &alike(n))
            .await
            .expect("sent");
    }
    exchange(&[&store]).await;
    assert_eq!(world.count("SELECT count(*) FROM guard_tallies").await, 0);
    let details = world
        .texts("SELECT detail FROM events WHERE kind = 'phone.code_sent'")
        .await;
    assert!(
        details.iter().all(|detail| !detail.contains("prefix")),
        "{details:?}"
    );
}
