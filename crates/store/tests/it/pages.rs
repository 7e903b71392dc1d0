//! Lists of numbers by place: long ones to their end, in every order.

use ringback_core::rights::Scope;
use ringback_core::{Action, Change, Number, PhoneState};
use ringback_store::{PhoneListQuery, PhoneRow, PhoneSort, Store};

use crate::requests::*;
use crate::world::World;

on_both!(
    a_hundred_thousand_numbers_page_right_to_the_end,
    a_list_shows_what_was_asked_for,
);

const MANY: u32 = 100_000;

/// Numbers past the store: ids, users and numbers are in three orders, and each user has two.
async fn fill(world: &World) {
    let padded =
        |value: &str| format!("substr('000000' || ({value}), length('000000' || ({value})) - 5)");
    let sql = format!(
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {MANY}) \
         INSERT INTO phone_numbers \
         (id, user_id, organization_id, number, primary_number, verified_at, created_at, changed_at) \
         SELECT '01940000-0000-7000-8000-000000' || {id}, 'u' || {user}, \
                CASE i % 2 WHEN 0 THEN 'acme' ELSE 'umbrella' END, '+41791' || {number}, false, i, i, i FROM n",
        id = padded("CAST(i AS TEXT)"),
        user = padded(&format!("CAST((i % {}) * 7 AS TEXT)", MANY / 2)),
        number = padded(&format!("CAST((i * 7919) % {MANY} AS TEXT)")),
    );
    world.run_sql(&sql).await;
    world.run_sql("ANALYZE").await;
}

fn everything() -> PhoneListQuery {
    PhoneListQuery {
        scope: Scope::Everywhere,
        accounts: None,
        number: None,
        sort: PhoneSort::Added,
        ascending: true,
        offset: 0,
        limit: 1_000,
    }
}

async fn read(store: &Store, mut query: PhoneListQuery, total: u64) -> Vec<PhoneRow> {
    let mut read = Vec::new();
    while (read.len() as u64) < total {
        query.offset = read.len() as u64;
        let page = store
            .list_phones(&service(), &query)
            .await
            .expect("must list");
        assert_eq!(page.total, total);
        assert!(!page.phones.is_empty(), "ends early at {}", read.len());
        read.extend(page.phones);
    }
    query.offset = total;
    let beyond = store
        .list_phones(&service(), &query)
        .await
        .expect("must list");
    assert!(beyond.phones.is_empty());
    read
}

async fn a_hundred_thousand_numbers_page_right_to_the_end(world: &World) {
    let store = world.store().await;
    fill(world).await;
    for sort in [PhoneSort::Added, PhoneSort::Account, PhoneSort::Number] {
        let query = PhoneListQuery {
            sort,
            limit: 10_000,
            ..everything()
        };
        let up = read(&store, query.clone(), u64::from(MANY)).await;
        let mut down = read(
            &store,
            PhoneListQuery {
                ascending: false,
                ..query
            },
            u64::from(MANY),
        )
        .await;
        down.reverse();
        assert!(up == down, "{sort:?}");
        let key = |row: &PhoneRow| match sort {
            PhoneSort::Added => (String::new(), row.phone.id),
            PhoneSort::Account => (row.account.clone(), row.phone.id),
            PhoneSort::Number => (row.phone.number.as_str().to_owned(), row.phone.id),
        };
        assert!(up.is_sorted_by(|a, b| key(a) < key(b)), "{sort:?}");
    }
    // The pages of an API's size, at the far end.
    let query = PhoneListQuery {
        scope: Scope::Organization("acme".into()),
        sort: PhoneSort::Account,
        offset: 49_750,
        limit: 250,
        ..everything()
    };
    let page = store
        .list_phones(&service(), &query)
        .await
        .expect("must list");
    assert_eq!((page.total, page.phones.len()), (50_000, 250));
    assert!(page.phones.iter().all(|row| row.organization == "acme"));
}

async fn a_list_shows_what_was_asked_for(world: &World) {
    let store = world.store().await;
    for (user, n) in [("ann", 1), ("ann", 2), ("bob", 3)] {
        let action = Action::Change(Change::Add {
            number: number(n).as_str().into(),
            verification: Some(TRUSTED),
        });
        if n != 2 {
            does(&store, user, named(user)).await;
        }
        does(&store, user, action).await;
        // Ids are in the order of time.
        world.pass(1);
    }
    // What waits to be proven is nobody's yet.
    does(
        &store,
        "bob",
        Action::Change(Change::Preverify {
            number: number(4).as_str().into(),
        }),
    )
    .await;
    let list = async |query: PhoneListQuery| {
        let page = store
            .list_phones(&service(), &query)
            .await
            .expect("must list");
        assert_eq!(page.total, page.phones.len() as u64);
        page.phones
    };
    let numbers = |rows: &[PhoneRow]| -> Vec<Number> {
        rows.iter().map(|row| row.phone.number.clone()).collect()
    };
    let all = list(everything()).await;
    assert_eq!(numbers(&all), [number(1), number(2), number(3)]);
    assert_eq!(
        all.iter().map(|row| row.primary).collect::<Vec<_>>(),
        [true, false, true]
    );
    assert!(
        all.iter()
            .all(|row| matches!(row.phone.state, PhoneState::Verified { .. }))
    );
    let of = |users: &[&str]| PhoneListQuery {
        accounts: Some(users.iter().map(|user| (*user).to_owned()).collect()),
        ..everything()
    };
    assert_eq!(
        numbers(&list(of(&["bob", "nobody", "\0"])).await),
        [number(3)]
    );
    assert!(list(of(&[])).await.is_empty());
    let one = PhoneListQuery {
        number: Some(number(2)),
        ..everything()
    };
    assert_eq!(numbers(&list(one).await), [number(2)]);
    let own = Scope::Own {
        account: "ann".into(),
        organization: "acme".into(),
    };
    let own = PhoneListQuery {
        scope: own,
        ascending: false,
        ..everything()
    };
    assert_eq!(numbers(&list(own).await), [number(2), number(1)]);
    let elsewhere = Scope::Organization("umbrella".into());
    assert!(
        list(PhoneListQuery {
            scope: elsewhere,
            ..everything()
        })
        .await
        .is_empty()
    );
}
