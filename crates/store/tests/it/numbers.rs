//! Search across users: every filter, and pages by key.

use std::collections::BTreeSet;

use ringback_core::rights::Scope;
use ringback_core::{Id, Number};
use ringback_store::{PhoneQuery, PhoneRow, Store};

use crate::requests::*;
use crate::world::{Kind, World};

on_both!(
    every_filter_filters,
    pages_reach_the_end_while_rows_come,
    texts_are_ordered_by_bytes,
);

fn everything() -> PhoneQuery {
    PhoneQuery {
        scope: Scope::Everywhere,
        accounts: Vec::new(),
        number: None,
        prefix: None,
        verified: None,
        after: None,
        limit: 100,
    }
}

async fn add(store: &Store, organization: &str, user: &str, phone: &str, verified: bool) {
    let caller = service().acting_in(Some(organization)).expect("allowed");
    act(store, &caller, user, named(""))
        .await
        .expect("must register");
    let verification = if verified { TRUSTED } else { RETURN };
    let phone = Number::from_stored(phone);
    act(store, &caller, user, set(&phone, verification))
        .await
        .expect("must set");
}

async fn users(store: &Store, query: &PhoneQuery) -> Vec<String> {
    let page = store
        .search_phones(&service(), query)
        .await
        .expect("must search");
    assert_eq!(page.next, None);
    page.phones.into_iter().map(|row| row.account).collect()
}

async fn every_filter_filters(world: &World) {
    let store = world.store().await;
    for (organization, user, phone, verified) in [
        ("acme", "ann", "+41790000001", true),
        ("acme", "bob", "+41790000002", false),
        ("acme", "eve", "+41800000003", true),
        ("other", "cat", "+41790000001", false),
        ("other", "dan", "+41799999999", true),
    ] {
        add(&store, organization, user, phone, verified).await;
        world.pass(1);
    }
    // No number is as short; a prefix is found also where nothing follows.
    let short = "UPDATE phone_numbers SET number = '+4179' WHERE user_id = 'dan'";
    world.run_sql(short).await;
    let with = |change: fn(&mut PhoneQuery)| {
        let mut query = everything();
        change(&mut query);
        let store = store.clone();
        async move { users(&store, &query).await }
    };
    assert_eq!(with(|_| ()).await, ["ann", "bob", "eve", "cat", "dan"]);
    assert_eq!(
        with(|q| q.scope = Scope::Organization("other".into())).await,
        ["cat", "dan"]
    );
    let own = |account: &str| Scope::Own {
        account: account.into(),
        organization: "acme".into(),
    };
    for (account, found) in [("bob", vec!["bob"]), ("cat", vec![])] {
        let query = PhoneQuery {
            scope: own(account),
            ..everything()
        };
        assert_eq!(users(&store, &query).await, found);
    }
    assert_eq!(
        with(|q| q.accounts = vec!["dan".into(), "ann".into(), "zed".into()]).await,
        ["ann", "dan"]
    );
    assert_eq!(with(|q| q.accounts = vec!["\0".into()]).await, [""; 0]);
    assert_eq!(
        with(|q| q.number = Some(Number::from_stored("+41790000001"))).await,
        ["ann", "cat"]
    );
    assert_eq!(
        with(|q| q.prefix = Some("+4179".into())).await,
        ["ann", "bob", "cat", "dan"]
    );
    assert_eq!(
        with(|q| q.prefix = Some("+41790000002".into())).await,
        ["bob"]
    );
    assert_eq!(with(|q| q.prefix = Some("+4180".into())).await, ["eve"]);
    assert_eq!(with(|q| q.prefix = Some("+".into())).await.len(), 5);
    assert_eq!(with(|q| q.prefix = Some("%".into())).await.len(), 0);
    assert_eq!(with(|q| q.prefix = Some("\0".into())).await.len(), 0);
    assert_eq!(
        with(|q| q.verified = Some(true)).await,
        ["ann", "eve", "dan"]
    );
    assert_eq!(with(|q| q.verified = Some(false)).await, ["bob", "cat"]);
    let both = with(|q| {
        q.prefix = Some("+4179".into());
        q.verified = Some(true);
        q.scope = Scope::Organization("acme".into());
    });
    assert_eq!(both.await, ["ann"]);

    let page = store
        .search_phones(&service(), &everything())
        .await
        .expect("must search");
    let account = store
        .find_account("ann")
        .await
        .expect("must read")
        .expect("is there");
    let expected = PhoneRow {
        account: "ann".into(),
        organization: "acme".into(),
        phone: account.phones[0].clone(),
        primary: true,
    };
    assert_eq!(page.phones[0], expected);
}

async fn pages_reach_the_end_while_rows_come(world: &World) {
    let store = world.store().await;
    let mut there = BTreeSet::new();
    for n in 0..25 {
        let user = format!("user {n}");
        add(&store, "acme", &user, number(n).as_str(), false).await;
        there.insert(user);
        // Several in one millisecond, whose ids are in no particular order.
        if n % 4 == 0 {
            world.pass(1);
        }
    }
    world.pass(1);
    let mut query = PhoneQuery {
        limit: 4,
        ..everything()
    };
    let mut seen: Vec<(Id, String)> = Vec::new();
    for page_number in 0.. {
        let page = store
            .search_phones(&service(), &query)
            .await
            .expect("must search");
        assert!(page.phones.len() <= 4);
        seen.extend(
            page.phones
                .iter()
                .map(|row| (row.phone.id, row.account.clone())),
        );
        if page_number < 5 {
            let late = format!("late {page_number}");
            add(
                &store,
                "acme",
                &late,
                number(100 + page_number).as_str(),
                false,
            )
            .await;
        }
        match page.next {
            None => break,
            Some(next) => {
                assert_eq!(Some(next), page.phones.last().map(|row| row.phone.id));
                query.after = Some(next);
            }
        }
    }
    assert!(seen.is_sorted());
    let users: Vec<String> = seen.into_iter().map(|(_, user)| user).collect();
    let distinct: BTreeSet<String> = users.iter().cloned().collect();
    assert_eq!(users.len(), distinct.len());
    assert!(there.is_subset(&distinct));
    // A page that the rows fill exactly is the last.
    let exact = PhoneQuery {
        limit: 30,
        ..everything()
    };
    let page = store
        .search_phones(&service(), &exact)
        .await
        .expect("must search");
    assert_eq!((page.phones.len(), page.next), (30, None));
}

async fn texts_are_ordered_by_bytes(world: &World) {
    let store = world.store().await;
    if world.kind == Kind::Postgres {
        // The server itself sorts as people do, or this test would prove nothing.
        assert_eq!(world.texts("SELECT ('a' < 'B')::text").await, ["true"]);
    }
    let column = "SELECT user_id FROM accounts ORDER BY user_id";
    for user in ["a", "B", "ä", "Z", "_", "a b", "ab"] {
        does(&store, user, named("")).await;
    }
    assert_eq!(
        world.texts(column).await,
        ["B", "Z", "_", "a", "a b", "ab", "ä"]
    );
    // A plus, as in "+4179", has no weight of its own in many locales.
    add(&store, "acme", "one", "+41790000001", true).await;
    add(&store, "acme", "two", "+41790000002", true).await;
    for (user, number) in [("one", "+4179"), ("two", "+41790")] {
        let short =
            format!("UPDATE phone_numbers SET number = '{number}' WHERE user_id = '{user}'");
        world.run_sql(&short).await;
    }
    let query = PhoneQuery {
        prefix: Some("+4179".into()),
        ..everything()
    };
    assert_eq!(users(&store, &query).await.len(), 2);
}
