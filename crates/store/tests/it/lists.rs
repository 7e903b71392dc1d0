//! Lists of accounts: scope, order, pages and conditions put together.

use ringback_core::Profile;
use ringback_core::rights::Scope;
use ringback_store::{AccountFilter, AccountQuery, AccountSort, Store, TextMatch, TextPlace};

use crate::requests::*;
use crate::world::World;

on_both!(
    scopes_narrow,
    sorts_and_directions,
    pages_and_totals,
    conditions_nest,
    every_condition_reads_its_own_column,
    accounts_are_listed_whole,
);

pub fn all() -> AccountQuery {
    AccountQuery {
        scope: Scope::Everywhere,
        filter: AccountFilter::All(Vec::new()),
        sort: AccountSort::CreatedAt,
        ascending: true,
        offset: 0,
        limit: 100,
    }
}

pub async fn ids(store: &Store, query: &AccountQuery) -> Vec<String> {
    let page = store
        .list_accounts(&service(), query)
        .await
        .expect("must list");
    page.accounts
        .into_iter()
        .map(|account| account.id)
        .collect()
}

pub async fn filtered(store: &Store, filter: AccountFilter) -> Vec<String> {
    let query = AccountQuery { filter, ..all() };
    let page = store
        .list_accounts(&service(), &query)
        .await
        .expect("must list");
    assert_eq!(page.total, page.accounts.len() as u64);
    page.accounts
        .into_iter()
        .map(|account| account.id)
        .collect()
}

fn whole(text: &str) -> TextMatch {
    TextMatch {
        text: text.into(),
        place: TextPlace::Whole,
        ignore_case: false,
    }
}

/// Five accounts in two organisations whose every text sorts differently.
async fn five(world: &World) -> Store {
    let store = world.store().await;
    for (n, id) in ["e", "a", "d", "b", "c"].iter().enumerate() {
        let shifted = |by: usize| format!("{}", (n + by) % 5);
        let profile = Profile {
            username: shifted(1),
            given_name: shifted(2),
            family_name: shifted(3),
            nick_name: shifted(4),
            display_name: format!("{}", 4 - n),
            email: "same".into(),
            ..Profile::default()
        };
        let organization = if n < 3 { "acme" } else { "other" };
        let caller = service().acting_in(Some(organization)).expect("allowed");
        act(&store, &caller, id, register(profile, None))
            .await
            .expect("must register");
        let done = act(&store, &caller, id, set(&number(n as u32), TRUSTED)).await;
        done.expect("must set");
        world.pass(1);
    }
    store
}

async fn scopes_narrow(world: &World) {
    let store = five(world).await;
    let own = |account: &str, organization: &str| Scope::Own {
        account: account.into(),
        organization: organization.into(),
    };
    for (scope, found) in [
        (Scope::Everywhere, "e a d b c"),
        (Scope::Organization("acme".into()), "e a d"),
        (Scope::Organization("other".into()), "b c"),
        (Scope::Organization("none".into()), ""),
        (own("a", "acme"), "a"),
        (own("a", "other"), ""),
        (own("z", "acme"), ""),
    ] {
        let query = AccountQuery { scope, ..all() };
        assert_eq!(ids(&store, &query).await.join(" "), found);
        let wider = AccountQuery {
            filter: AccountFilter::Any(vec![
                AccountFilter::Organization("acme".into()),
                AccountFilter::Organization("other".into()),
            ]),
            ..query
        };
        // A filter never widens a scope.
        assert_eq!(ids(&store, &wider).await.join(" "), found);
    }
}

async fn sorts_and_directions(world: &World) {
    let store = five(world).await;
    for (sort, order) in [
        (AccountSort::CreatedAt, "e a d b c"),
        (AccountSort::Username, "c e a d b"),
        (AccountSort::GivenName, "b c e a d"),
        (AccountSort::FamilyName, "d b c e a"),
        (AccountSort::NickName, "a d b c e"),
        (AccountSort::DisplayName, "c b d a e"),
        // All the same: by id.
        (AccountSort::Email, "a b c d e"),
    ] {
        let up = AccountQuery { sort, ..all() };
        assert_eq!(ids(&store, &up).await.join(" "), order, "{sort:?}");
        let down = AccountQuery {
            ascending: false,
            ..up
        };
        let backwards: Vec<&str> = order.split(' ').rev().collect();
        assert_eq!(ids(&store, &down).await, backwards, "{sort:?}");
    }
}

async fn pages_and_totals(world: &World) {
    let store = five(world).await;
    for (offset, limit, found) in [
        (0, 2, "e a"),
        (2, 2, "d b"),
        (4, 2, "c"),
        (5, 2, ""),
        (0, 5, "e a d b c"),
        (0, 0, ""),
        (u64::from(u32::MAX), 1, ""),
    ] {
        let query = AccountQuery {
            offset,
            limit,
            ..all()
        };
        let page = store
            .list_accounts(&service(), &query)
            .await
            .expect("must list");
        let ids: Vec<&str> = page
            .accounts
            .iter()
            .map(|account| account.id.as_str())
            .collect();
        assert_eq!(ids.join(" "), found);
        assert_eq!(page.total, 5);
    }
}

async fn conditions_nest(world: &World) {
    use AccountFilter::{All, Any, Ids, Not, Organization};
    let store = five(world).await;
    let some = |ids: &str| Ids(ids.split(' ').map(str::to_owned).collect());
    let not = |inner| Not(Box::new(inner));
    for (filter, found) in [
        (All(vec![]), "e a d b c"),
        (Any(vec![]), ""),
        (not(All(vec![])), ""),
        (not(Any(vec![])), "e a d b c"),
        (Any(vec![All(vec![])]), "e a d b c"),
        (Any(vec![All(vec![]), some("a")]), "e a d b c"),
        (Any(vec![Any(vec![]), some("a")]), "a"),
        (All(vec![Any(vec![]), some("a")]), ""),
        (All(vec![All(vec![]), some("a")]), "a"),
        (Ids(vec![]), ""),
        (not(Ids(vec![])), "e a d b c"),
        (some("a z c"), "a c"),
        (not(some("a c")), "e d b"),
        (not(not(some("a c"))), "a c"),
        (All(vec![some("a b"), Organization("acme".into())]), "a"),
        (
            Any(vec![some("a b"), Organization("acme".into())]),
            "e a d b",
        ),
        (
            not(All(vec![some("a b"), Organization("acme".into())])),
            "e d b c",
        ),
        (
            not(Any(vec![some("a b"), Organization("acme".into())])),
            "c",
        ),
        (
            Any(vec![
                All(vec![Organization("acme".into()), not(some("a"))]),
                All(vec![
                    Organization("other".into()),
                    not(Any(vec![some("b"), some("e")])),
                ]),
            ]),
            "e d c",
        ),
    ] {
        let shown = format!("{filter:?}");
        assert_eq!(filtered(&store, filter).await.join(" "), found, "{shown}");
    }
    let mut deep = some("a");
    for _ in 0..20 {
        deep = not(All(vec![deep]));
    }
    assert_eq!(filtered(&store, deep).await, ["a"]);
}

async fn every_condition_reads_its_own_column(world: &World) {
    let store = five(world).await;
    for (filter, found) in [
        (AccountFilter::Username(whole("0")), "c"),
        (AccountFilter::GivenName(whole("0")), "b"),
        (AccountFilter::FamilyName(whole("0")), "d"),
        (AccountFilter::NickName(whole("0")), "a"),
        (AccountFilter::DisplayName(whole("0")), "c"),
        (AccountFilter::Email(whole("same")), "e a d b c"),
        (AccountFilter::Phone(whole(number(3).as_str())), "b"),
        (AccountFilter::Organization("acme".into()), "e a d"),
    ] {
        let shown = format!("{filter:?}");
        assert_eq!(filtered(&store, filter).await.join(" "), found, "{shown}");
    }
    // The primary number only.
    world
        .run_sql("UPDATE phone_numbers SET primary_number = false WHERE user_id = 'b'")
        .await;
    let secondary = AccountFilter::Phone(whole(number(3).as_str()));
    assert!(filtered(&store, secondary).await.is_empty());
    // Whoever has no number is found by no number, not even by an empty part of one.
    does(&store, "nobody", named("")).await;
    let any = AccountFilter::Phone(TextMatch {
        place: TextPlace::Inside,
        ..whole("")
    });
    assert_eq!(filtered(&store, any).await.join(" "), "e a d c");
}

async fn accounts_are_listed_whole(world: &World) {
    let store = five(world).await;
    does(&store, "a", set(&number(77), SEND)).await;
    let page = store
        .list_accounts(&service(), &all())
        .await
        .expect("must list");
    for listed in page.accounts {
        let found = store.find_account(&listed.id).await.expect("must read");
        assert_eq!(Some(&listed), found.as_deref());
    }
}
