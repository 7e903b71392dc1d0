//! Many at once, in one process and in two on one database.

use futures::future::join_all;
use std::collections::BTreeSet;

use ringback_core::delivery::RouteRules;
use ringback_core::limit::{Amount, Limit};
use ringback_core::refusal::CodeFailure;
use ringback_core::{Action, Caller, Change, Delivery, Refusal, Which};

use ringback_store::Rules;

use crate::requests::*;
use crate::world::World;

on_both!(threads: 2;
    sequences_are_unique,
    sequences_are_unique_over_two_stores,
    wrong_guesses_at_once_are_looked_at_five_times,
    a_right_code_verifies_once,
    resends_at_once_put_one_message,
    wrong_guesses_count_for_an_account_over_stores,
    messages_add_up_when_the_budget_is_new,
    one_of_two_registrations_wins,
    nobody_starves_among_eight_on_one_account,
    a_new_account_of_an_old_id_is_another,
    many_new_accounts_and_numbers_over_two_stores,
    an_address_sends_as_often_as_it_may_over_stores,
    an_organization_sends_as_often_as_it_may_over_stores,
    an_organization_spends_as_much_as_it_may_over_stores,
);

async fn sequences_are_unique(world: &World) {
    let store = world.store().await;
    does(&store, "ann", named("")).await;
    let replies = join_all((0..100).map(|n| does(&store, "ann", set(&number(n), RETURN)))).await;
    let sequences: BTreeSet<u64> = replies.iter().map(|reply| reply.account.sequence).collect();
    assert_eq!(sequences.len(), 100);
    // One for the account, and for each of the hundred: set, and code returned.
    assert_eq!(sequences.last(), Some(&201));
    let distinct = "SELECT count(DISTINCT sequence) FROM events WHERE user_id = 'ann'";
    assert_eq!(world.count(distinct).await, 201);
    assert_eq!(world.count("SELECT count(*) FROM phone_numbers").await, 1);
}

async fn sequences_are_unique_over_two_stores(world: &World) {
    let stores = [world.store().await, world.store().await];
    does(&stores[0], "ann", named("")).await;
    let replies = join_all((0..100).map(|n| {
        let store = &stores[n as usize % 2];
        does(store, "ann", set(&number(n), RETURN))
    }));
    let sequences: BTreeSet<u64> = replies
        .await
        .iter()
        .map(|reply| reply.account.sequence)
        .collect();
    assert_eq!(sequences.len(), 100);
    assert_eq!(sequences.last(), Some(&201));
    assert_eq!(world.count("SELECT count(*) FROM events").await, 201);
    assert_eq!(world.count("SELECT count(*) FROM phone_numbers").await, 1);
}

/// Eight stores are eight processes: each has a lane of its own for the one account.
async fn nobody_starves_among_eight_on_one_account(world: &World) {
    let mut stores = Vec::new();
    for _ in 0..8 {
        stores.push(world.store().await);
    }
    does(&stores[0], "ann", named("")).await;
    // One after the other at each store, so that each has to win against the seven others every time.
    let each = stores
        .iter()
        .zip(0..)
        .map(|(store, nth): (_, u32)| async move {
            for n in 0..25 {
                does(store, "ann", rename(&format!("name {nth} {n}"))).await;
            }
        });
    join_all(each).await;
    let distinct = "SELECT count(DISTINCT sequence) FROM events WHERE user_id = 'ann'";
    assert_eq!(world.count(distinct).await, 201);
    let last = "SELECT CAST(sequence AS bigint) FROM accounts";
    assert_eq!(world.count(last).await, 201);
}

/// A guard that counted from one for each account would take a new one for the old one.
async fn a_new_account_of_an_old_id_is_another(world: &World) {
    let stores = [world.store().await, world.store().await];
    let mut versions = BTreeSet::new();
    for store in &stores {
        does(store, "ann", named("")).await;
        let version = "SELECT CAST(version AS bigint) FROM accounts";
        versions.insert(world.count(version).await);
        does(store, "ann", Action::Delete).await;
        world.pass(1);
    }
    assert_eq!(versions.len(), 2);
}

async fn wrong_guesses_at_once_are_looked_at_five_times(world: &World) {
    let stores = [world.store().await, world.store().await];
    does(&stores[0], "ann", named("")).await;
    let code = code_for(&stores[0], "ann", &number(1)).await;
    let bad = wrong(&code);
    let caller = own("ann");
    let results =
        join_all((0..200).map(|n| act(&stores[n % 2], &caller, "ann", guess(&bad)))).await;
    let looked_at = results
        .iter()
        .filter(|r| failed(r, CodeFailure::Wrong))
        .count();
    assert_eq!(looked_at, 5);
    let counted = "SELECT count(*) FROM events WHERE cause = 'wrong'";
    assert_eq!(world.count(counted).await, 5);
    for store in &stores {
        let late = act(store, &caller, "ann", guess(&code)).await;
        assert!(failed(&late, CodeFailure::Spent), "{late:?}");
    }
}

async fn a_right_code_verifies_once(world: &World) {
    let stores = [world.store().await, world.store().await];
    does(&stores[0], "ann", named("")).await;
    let code = code_for(&stores[0], "ann", &number(1)).await;
    let caller = own("ann");
    let results =
        join_all((0..64).map(|n| act(&stores[n % 2], &caller, "ann", guess(&code)))).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    let absent = results
        .iter()
        .filter(|r| failed(r, CodeFailure::Absent))
        .count();
    assert_eq!(absent, 63);
    let verified = "SELECT count(*) FROM events WHERE kind = 'phone.verified'";
    assert_eq!(world.count(verified).await, 1);
}

async fn resends_at_once_put_one_message(world: &World) {
    let stores = [world.store().await, world.store().await];
    does(&stores[0], "ann", named("")).await;
    does(&stores[0], "ann", set(&number(1), SEND)).await;
    assert_eq!(world.count("SELECT count(*) FROM messages").await, 1);
    world.pass(61);
    let caller = own("ann");
    let results = join_all((0..50).map(|n| {
        let again = Action::Change(Change::Resend {
            which: Which::Primary,
            delivery: Delivery::Send,
        });
        act(&stores[n % 2], &caller, "ann", again)
    }));
    let sent = results.await.iter().filter(|result| result.is_ok()).count();
    assert_eq!(sent, 1);
    assert_eq!(world.count("SELECT count(*) FROM messages").await, 2);
}

/// Accounts that hold one number, each with a code of its own that was returned and so spent no budget.
async fn holders(
    world: &World,
    stores: &[ringback_store::Store],
    many: usize,
) -> Vec<(String, String)> {
    let mut holders = Vec::new();
    for n in 0..many {
        let id = format!("user {n}");
        does(&stores[0], &id, named("")).await;
        let code = code_for(&stores[0], &id, &number(1)).await;
        holders.push((id, code));
    }
    assert_eq!(world.count("SELECT count(*) FROM budgets").await, 0);
    holders
}

async fn wrong_guesses_count_for_an_account_over_stores(world: &World) {
    let stores = [world.store().await, world.store().await];
    let holders = holders(world, &stores, 2).await;
    let (id, code) = &holders[0];
    let caller = own(id);
    let results =
        join_all((0..20).map(|n| act(&stores[n % 2], &caller, id, guess(&wrong(code))))).await;
    let count = |failure| results.iter().filter(|r| failed(r, failure)).count();
    assert_eq!(count(CodeFailure::Wrong), 5);
    assert_eq!(count(CodeFailure::Spent), 15);
    let right = act(&stores[1], &caller, id, guess(code)).await;
    assert!(failed(&right, CodeFailure::Spent), "{right:?}");
    // Another account that has the same number is not slowed down.
    let (id, code) = &holders[1];
    let right = act(&stores[1], &own(id), id, guess(code)).await;
    assert!(right.is_ok(), "{right:?}");
}

async fn messages_add_up_when_the_budget_is_new(world: &World) {
    let stores = [world.single_lane().await, world.single_lane().await];
    for round in 0..10 {
        let phone = number(100 + round);
        let ids = [format!("a{round}"), format!("b{round}")];
        // Both stores look for a row that is not there and make it: neither may start from nothing.
        let both =
            join_all((0..2).map(|n| act(&stores[n], &own(&ids[n]), &ids[n], set(&phone, SEND))));
        assert!(both.await.iter().all(Result::is_ok));
        let state = format!(
            "SELECT state FROM budgets WHERE pseudonym = '{}'",
            world.rules.keys.pseudonym(&phone)
        );
        let states = world.texts(&state).await;
        let state: serde_json::Value = serde_json::from_str(&states[0]).expect("is JSON");
        assert_eq!(state["uses"].as_array().map(Vec::len), Some(2), "{state}");
    }
}

async fn one_of_two_registrations_wins(world: &World) {
    let stores = [world.store().await, world.store().await];
    for round in 0..10 {
        let id = format!("user {round}");
        let caller = service();
        let results = join_all(
            (0..8).map(|n| act(&stores[n % 2], &caller, &id, named(&format!("name {n}")))),
        );
        let results = results.await;
        let winners: Vec<usize> = (0..8).filter(|n| results[*n].is_ok()).collect();
        assert_eq!(winners.len(), 1);
        let refused = results
            .iter()
            .filter(|r| **r == Err(Refusal::AccountExists))
            .count();
        assert_eq!(refused, 7);
        let account = stores[0]
            .find_account(&id)
            .await
            .expect("must read")
            .expect("is there");
        assert_eq!(account.profile.username, format!("name {}", winners[0]));
    }
    assert_eq!(world.count("SELECT count(*) FROM events").await, 10);
}

/// New rows of every kind, made by both in opposite orders: nothing is lost and nobody waits in a circle.
async fn many_new_accounts_and_numbers_over_two_stores(world: &World) {
    let stores = [world.store().await, world.store().await];
    let register = |store: usize, n: u32| {
        let caller = own(&format!("user {n}"));
        act(
            &stores[store],
            &caller,
            &caller.user,
            set(&number(n % 40), SEND),
        )
    };
    let (up, down) = futures::future::join(
        join_all((0..80).map(|n| register(0, n))),
        join_all((0..80).rev().map(|n| register(1, n))),
    )
    .await;
    let answers: Vec<_> = up.into_iter().chain(down).collect();
    let done = answers.iter().filter(|answer| answer.is_ok()).count();
    let expected = |answer: &Result<_, _>| {
        matches!(
            answer,
            Ok(_) | Err(Refusal::Limited { .. } | Refusal::PhoneUnchanged)
        )
    };
    assert!(answers.iter().all(expected), "{answers:?}");
    // Forty numbers, each of which two accounts write to once.
    assert_eq!(done, 80);
    assert_eq!(world.count("SELECT count(*) FROM messages").await, 80);
    assert_eq!(world.count("SELECT count(*) FROM budgets").await, 40);
    assert_eq!(world.count("SELECT count(*) FROM accounts").await, 80);
}

/// From one address.
fn at_home(id: &str) -> Caller {
    Caller {
        address: Some([192, 0, 2, 1].into()),
        ..own(id)
    }
}

async fn an_address_sends_as_often_as_it_may_over_stores(world: &World) {
    let stores = [world.store().await, world.store().await];
    let answers = (0..100).map(|n| {
        let caller = at_home(&format!("user {n}"));
        let store = &stores[n as usize % 2];
        async move { act(store, &caller, &caller.user, set(&number(n), SEND)).await }
    });
    let answers = join_all(answers).await;
    let sent = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(sent, 10);
    let limited = |answer: &&Result<_, _>| {
        let limit = Limit::AddressSends;
        matches!(answer, Err(Refusal::Limited { limit: met, .. }) if *met == limit)
    };
    assert_eq!(answers.iter().filter(limited).count(), 90);
    assert_eq!(world.count("SELECT count(*) FROM messages").await, 10);
    let rows = "SELECT count(*) FROM budgets WHERE kind = 'address'";
    assert_eq!(world.count(rows).await, 1);
    let shown =
        "SELECT count(*) FROM budgets WHERE pseudonym LIKE '%192%2%1' OR state LIKE '%192.0%'";
    assert_eq!(world.count(shown).await, 0);
}

/// The rules of a store whose only route takes so much for a message.
fn priced(world: &World, most: u64, each: u64) -> Rules {
    let mut rules = world.rules.clone();
    let policy = &mut rules.policies.default;
    policy.limits.spend_per_organization_per_day = Amount(most * each);
    let route = RouteRules {
        cost_per_segment: each,
        ..RouteRules::default()
    };
    policy.routes.rules = [("a".to_owned(), route)].into();
    policy.routes.default = vec!["a".to_owned()];
    rules
}

async fn an_organization_spends_as_much_as_it_may_over_stores(world: &World) {
    const MOST: usize = 150;
    let rules = priced(world, MOST as u64, 7_500);
    as_often_as_it_may(world, &rules, MOST, Limit::OrganizationSpend).await;
}

async fn an_organization_sends_as_often_as_it_may_over_stores(world: &World) {
    const MOST: usize = 150;
    let mut rules = world.rules.clone();
    rules.policies.default.limits.sends_per_organization_per_day = MOST as u64;
    as_often_as_it_may(world, &rules, MOST, Limit::OrganizationSends).await;
}

/// Two processes, many callers at once, and a restart amid the day: as many as there may be, and not one more.
async fn as_often_as_it_may(world: &World, rules: &Rules, most: usize, met: Limit) {
    let open = async || {
        [
            world.store_under(rules).await,
            world.store_under(rules).await,
        ]
    };
    let mut sent = 0;
    for round in 0..2 {
        let stores = open().await;
        let answers = (0..100).map(|n| {
            let n = round * 100 + n;
            let id = format!("user {n}");
            let store = &stores[n as usize % 2];
            async move { act(store, &own(&id), &id, set(&number(n), SEND)).await }
        });
        let answers = join_all(answers).await;
        for answer in &answers {
            match answer {
                Ok(_) => sent += 1,
                Err(Refusal::Limited { limit, .. }) => assert_eq!(*limit, met),
                Err(other) => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(sent, most);
    let messages = world.count("SELECT count(*) FROM messages").await;
    assert_eq!(messages, most as i64);
    // A day later all of it is there again.
    world.pass(25 * 3_600);
    let stores = open().await;
    let again = (0..most as u32 + 1).map(|n| {
        let id = format!("later {n}");
        let store = &stores[n as usize % 2];
        async move { act(store, &own(&id), &id, set(&number(1_000 + n), SEND)).await }
    });
    let again = join_all(again).await;
    assert_eq!(again.iter().filter(|answer| answer.is_ok()).count(), most);
}
