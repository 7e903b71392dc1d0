//! What a message had taken of the limits comes back when nobody can have got it.

use std::time::Duration;

use ringback_core::delivery::{Attempt, RouteFault, RouteRules, State, Verdict};
use ringback_core::limit::{Amount, Limit};
use ringback_core::{Action, Change, Delivery, Refusal, Time, Which};
use ringback_store::{Claimed, Settled, Settlement, Store};

use crate::requests::*;
use crate::world::World;

on_both!(
    what_no_route_took_costs_nothing,
    what_may_have_come_out_stays_counted,
    who_lost_the_claim_gives_nothing_back,
    one_lost_claim_takes_nothing_from_the_others,
    what_was_too_late_comes_back_when_it_is_claimed,
    it_happens_beside_changes_of_the_same_account,
    what_nobody_got_costs_an_organization_nothing,
);

const LEASE: Duration = Duration::from_secs(30);
const UNABLE: Verdict = Verdict::Unable {
    fault: RouteFault::Auth,
};

fn resend() -> Action {
    Action::Change(Change::Resend {
        which: Which::Primary,
        delivery: Delivery::Send,
    })
}

async fn claimed(store: &Store) -> Claimed {
    let mut claimed = store.claim("a", 10, LEASE).await.expect("must claim");
    assert_eq!(claimed.len(), 1);
    claimed.remove(0)
}

fn settlement(claimed: &Claimed, at: Time, verdict: Verdict, state: State) -> Settlement {
    let mut trail = claimed.trail.clone();
    trail.add(Attempt {
        n: claimed.attempt,
        route: "a".into(),
        at,
        ms: 1,
        times: 1,
        verdict,
        reason: String::new(),
        reference: None,
        handed: false,
        segments: 0,
        cost: 0,
    });
    Settlement {
        message: claimed.message.clone(),
        attempt: claimed.attempt,
        trail,
        outcome: Settled::Ended(state),
        country: None,
    }
}

async fn limited(store: &Store) -> Option<Limit> {
    match act(store, &own("ann"), "ann", resend()).await {
        Ok(_) => None,
        Err(Refusal::Limited { limit, .. }) => Some(limit),
        Err(other) => panic!("{other:?}"),
    }
}

async fn what_no_route_took_costs_nothing(world: &World) {
    // With and without a record of what became of messages.
    for keep in [3_600, 0] {
        let mut settings = world.settings.clone();
        settings.keep_messages = Duration::from_secs(keep);
        let store = world.store_with_routes_and(&["a"], settings).await;
        world.run_sql("DELETE FROM messages").await;
        let user = format!("user {keep}");
        does(&store, &user, named("")).await;
        let number = number(u32::try_from(keep).expect("small"));
        does(&store, &user, set(&number, SEND)).await;
        // More often than any window allows.
        for _ in 0..25 {
            let message = claimed(&store).await;
            let failed = settlement(&message, world.now(), UNABLE, State::Failed);
            for _ in 0..2 {
                let settled = store.settle(std::slice::from_ref(&failed)).await;
                settled.expect("must settle");
            }
            world.pass(1);
            does(&store, &user, resend()).await;
        }
        let kept = world.count("SELECT count(*) FROM messages WHERE state = 'failed'");
        assert_eq!(kept.await, if keep == 0 { 0 } else { 25 });
    }
}

async fn what_may_have_come_out_stays_counted(world: &World) {
    for (verdict, state) in [
        (Verdict::Unknown, State::Failed),
        (Verdict::Taken, State::Handed),
        (UNABLE, State::Superseded),
    ] {
        let store = world.store_with_routes(&["a"]).await;
        let _ = act(&store, &own("ann"), "ann", Action::Delete).await;
        world.run_sql("DELETE FROM budgets").await;
        world.run_sql("DELETE FROM accounts").await;
        world.run_sql("DELETE FROM account_names").await;
        world.run_sql("DELETE FROM phone_numbers").await;
        does(&store, "ann", named("")).await;
        does(&store, "ann", set(&number(1), SEND)).await;
        let message = claimed(&store).await;
        let settled = settlement(&message, world.now(), verdict, state);
        store.settle(&[settled]).await.expect("must settle");
        world.pass(1);
        assert_eq!(limited(&store).await, Some(Limit::CoolDown), "{state:?}");
    }
}

async fn who_lost_the_claim_gives_nothing_back(world: &World) {
    let store = world.store_with_routes(&["a"]).await;
    does(&store, "ann", named("")).await;
    does(&store, "ann", set(&number(1), SEND)).await;
    let slow = claimed(&store).await;
    world.pass(31);
    let fast = claimed(&store).await;
    let failed = settlement(&slow, world.now(), UNABLE, State::Failed);
    store.settle(&[failed]).await.expect("must settle");
    assert_eq!(limited(&store).await, Some(Limit::CoolDown));
    // Nobody told of the first attempt: it may have been sent.
    let failed = Settlement {
        trail: fast.trail.clone(),
        ..settlement(&fast, world.now(), UNABLE, State::Failed)
    };
    store.settle(&[failed]).await.expect("must settle");
    assert_eq!(limited(&store).await, Some(Limit::CoolDown));
    let failed = "SELECT count(*) FROM messages WHERE state = 'failed'";
    assert_eq!(world.count(failed).await, 1);
}

async fn what_was_too_late_comes_back_when_it_is_claimed(world: &World) {
    let store = world.store_with_routes(&["a"]).await;
    does(&store, "ann", named("")).await;
    does(&store, "ann", set(&number(1), SEND)).await;
    let uses = "SELECT count(*) FROM budgets WHERE state LIKE '%\"uses\":[]%'";
    assert_eq!(world.count(uses).await, 0);
    world.pass(601);
    let late = store.claim("a", 10, LEASE).await.expect("must claim");
    assert!(late.is_empty());
    assert_eq!(world.count(uses).await, 1);
    let sent = world.texts("SELECT limits FROM accounts").await;
    assert!(sent[0].contains("\"sent\":[]"), "{sent:?}");
}

async fn it_happens_beside_changes_of_the_same_account(world: &World) {
    let store = world.store_with_routes(&["a"]).await;
    does(&store, "ann", named("")).await;
    does(&store, "ann", set(&number(1), SEND)).await;
    let message = claimed(&store).await;
    let failed = [settlement(&message, world.now(), UNABLE, State::Failed)];
    let names = (0..20).map(|n| act(&store, &own("ann"), "ann", rename(&format!("n{n}"))));
    let changes = futures::future::join_all(names);
    let (settled, _) = futures::future::join(store.settle(&failed), changes).await;
    settled.expect("must settle");
    let ended = "SELECT count(*) FROM messages WHERE state = 'failed'";
    assert_eq!(world.count(ended).await, 1);
    world.pass(1);
    assert_eq!(limited(&store).await, None);
}

async fn one_lost_claim_takes_nothing_from_the_others(world: &World) {
    let store = world.store_with_routes(&["a"]).await;
    for user in ["ann", "bob", "eve"] {
        does(&store, user, named("")).await;
    }
    does(&store, "bob", set(&number(2), SEND)).await;
    let lost = claimed(&store).await;
    world.pass(31);
    let _ = claimed(&store).await;
    does(&store, "ann", set(&number(1), SEND)).await;
    does(&store, "eve", set(&number(3), SEND)).await;
    let mut all = store.claim("a", 10, LEASE).await.expect("must claim");
    all.push(lost);
    let failed = all
        .iter()
        .map(|one| settlement(one, world.now(), UNABLE, State::Failed));
    let failed: Vec<_> = failed.collect();
    store.settle(&failed).await.expect("must settle");
    world.pass(1);
    for (user, waits) in [("ann", false), ("bob", true), ("eve", false)] {
        let again = act(&store, &own(user), user, resend()).await;
        assert_eq!(again.is_err(), waits, "{user}");
    }
}

async fn what_nobody_got_costs_an_organization_nothing(world: &World) {
    let mut rules = world.rules.clone();
    let policy = &mut rules.policies.default;
    policy.limits.sends_per_organization_per_day = 3;
    policy.limits.sends_per_country_per_day = [("CH".to_owned(), 3)].into();
    policy.limits.spend_per_organization_per_day = Amount(30_000);
    let route = RouteRules {
        cost_per_segment: 10_000,
        ..RouteRules::default()
    };
    policy.routes.rules = [("a".to_owned(), route)].into();
    policy.routes.default = vec!["a".to_owned()];
    let (store, other) = (
        world.store_under(&rules).await,
        world.store_under(&rules).await,
    );
    let mut users = 0;
    let mut send = async |store: &Store| {
        users += 1;
        let user = format!("user {users}");
        act(store, &own(&user), &user, set(&number(users), SEND)).await
    };
    // Over an hour, so that what is given back is of different ones.
    for _ in 0..30 {
        send(&store).await.expect("room for it");
        let lost = claimed(&store).await;
        world.pass(900);
        let failed = settlement(&lost, world.now(), UNABLE, State::Failed);
        for _ in 0..2 {
            let settled = other.settle(std::slice::from_ref(&failed)).await;
            settled.expect("must settle");
        }
    }
    for _ in 0..3 {
        send(&other).await.expect("room for it");
        let taken = store.claim("a", 1, LEASE).await.expect("must claim");
        let done = settlement(&taken[0], world.now(), Verdict::Taken, State::Handed);
        store.settle(&[done]).await.expect("must settle");
    }
    for store in [&store, &other] {
        let refused = send(store).await.expect_err("three are the most");
        assert!(matches!(refused, Refusal::Limited { .. }), "{refused:?}");
    }
}
