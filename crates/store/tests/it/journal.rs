//! Events on record: in order, without a gap, chained, signed, forgotten, and what a stranger did to them found.

use std::time::Duration;

use futures::future::join_all;
use ringback_core::rights::Scope;
use ringback_core::{Action, Time};
use ringback_store::{EventQuery, Finding, Store, Verified, Wrong, audit_key};

use crate::requests::*;
use crate::world::{Kind, World};

on_both!(threads: 2;
    events_go_on_record_in_order_by_two_sequencers,
    what_two_sequencers_cut_off_lose_is_nothing,
    an_accounts_life_is_recorded_in_order,
    more_events_than_a_batch_are_recorded_once,
    whoever_waits_is_wanting_something,
    a_users_events_are_found_in_every_organisation,
    a_changed_row_is_found,
    a_removed_row_is_found,
    an_inserted_row_is_found,
    reordered_rows_are_found,
    a_changed_checkpoint_is_found,
    erasing_keeps_the_chain_whole,
    an_erasure_that_was_killed_goes_on,
    what_is_forgotten_was_signed,
);

/// Puts all that waits on record.
async fn record(store: &Store) -> usize {
    let mut all = 0;
    loop {
        let turn = store.sequence().await.expect("must record");
        all += turn.events;
        if !turn.more {
            return all;
        }
    }
}

async fn wrong(store: &Store) -> Option<(i64, Wrong)> {
    let verified = store.verify_events().await.expect("must verify");
    verified.wrong.map(|found| (found.position, found.wrong))
}

async fn is_whole(world: &World, store: &Store) -> Verified {
    let verified = store.verify_events().await.expect("must verify");
    assert_eq!(verified.wrong, None);
    let gapless = "SELECT count(*) FROM journal, cursors WHERE cursors.name = 'journal' \
                   AND journal.position <= cursors.position";
    let all = world.count("SELECT count(*) FROM journal").await;
    assert_eq!(world.count(gapless).await, all);
    assert_eq!(all, verified.last - verified.forgotten);
    verified
}

/// Ann and Bob do something in turn, and all of it goes on record: ten events.
async fn recorded(world: &World) -> Store {
    let store = world.store().await;
    for user in ["ann", "bob"] {
        does(&store, user, named(user)).await;
    }
    for n in 1..=4 {
        for user in ["ann", "bob"] {
            world.pass(1);
            does(&store, user, rename(&format!("{user} {n}"))).await;
        }
    }
    assert_eq!(record(&store).await, 10);
    is_whole(world, &store).await;
    store
}

async fn an_accounts_life_is_recorded_in_order(world: &World) {
    let store = world.store().await;
    does(&store, "ann", named("")).await;
    does(&store, "ann", set(&number(1), SEND)).await;
    does(&store, "ann", Action::Delete).await;
    world.pass(1);
    does(&store, "ann", named("")).await;
    does(&store, "ann", rename("Ann")).await;
    assert_eq!(record(&store).await, 6);
    let rows = "SELECT position || ' ' || sequence || ' ' || kind FROM journal ORDER BY position";
    assert_eq!(
        world.texts(rows).await,
        [
            "1 1 account.registered",
            "2 2 phone.set",
            "3 3 phone.code_sent",
            "4 4 account.deleted",
            "5 1 account.registered",
            "6 2 account.profile_changed",
        ]
    );
    assert_eq!(world.count("SELECT count(*) FROM events").await, 0);
    let detail = "SELECT count(*) FROM journal WHERE detail LIKE '{\"message\":%'";
    assert_eq!(world.count(detail).await, 1);
    is_whole(world, &store).await;
    assert_eq!(record(&store).await, 0);
}

async fn more_events_than_a_batch_are_recorded_once(world: &World) {
    let store = world.store().await;
    does(&store, "ann", named("")).await;
    // As an older version wrote them; some users have more than fit into a batch.
    let series = match world.kind {
        Kind::Postgres => "generate_series(1, 5000) AS s(n)",
        Kind::Sqlite => {
            "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 5000) \
             SELECT n FROM s)"
        }
    };
    world
        .run_sql(&format!(
            "INSERT INTO events (id, user_id, organization_id, sequence, at, actor, kind) \
             SELECT 'e' || (n * 7919 % 5003), CASE WHEN n > 2000 THEN 'many' ELSE 'u' || (n % 50) END, \
             'acme', n, n, 'service', 'k' FROM {series}"
        ))
        .await;
    assert_eq!(record(&store).await, 5_001);
    is_whole(world, &store).await;
    let inverted = "SELECT count(*) FROM journal AS a JOIN journal AS b \
                    ON a.user_id = b.user_id AND a.position < b.position AND a.sequence > b.sequence";
    assert_eq!(world.count(inverted).await, 0);
}

/// A batch of many may take longer than two turns, and begin in neither.
async fn whoever_waits_is_wanting_something(world: &World) {
    let store = world.store().await;
    does(&store, "ann", named("")).await;
    record(&store).await;
    let of_another_process = "INSERT INTO events (id, user_id, organization_id, sequence, at, \
                              actor, kind) VALUES ('e', 'bob', 'acme', 1, 1, 'service', 'k')";
    world.run_sql(of_another_process).await;
    let alone = store.sequence().await.expect("must record");
    assert_eq!((alone.events, alone.wanted), (1, false));
    world.run_sql(of_another_process).await;
    // Both begin at once: the command waits when the turn looks.
    let (_, beside) = tokio::join!(does(&store, "ann", rename("Ann")), store.sequence());
    assert!(beside.expect("must record").wanted);
    record(&store).await;
    world.run_sql(of_another_process).await;
    let after = store.sequence().await.expect("must record");
    assert_eq!((after.events, after.wanted), (1, false));
}

/// Stands for two processes that both write and both put on record.
async fn events_go_on_record_in_order_by_two_sequencers(world: &World) {
    let stores = [world.store().await, world.store().await];
    let stores = &stores;
    let writing = join_all((0..20).map(|n| {
        let store = &stores[n % 2];
        async move {
            let user = format!("user{n}");
            does(store, &user, named("")).await;
            for turn in 0..20 {
                // Whoever acts on the account may be another process each time.
                does(&stores[(n + turn) % 2], &user, rename(&format!("{turn}"))).await;
            }
        }
    }));
    let recording = join_all(stores.iter().map(|store| async move {
        let mut all = 0;
        while all < 1_000 {
            let turn = store.sequence().await.expect("must record");
            all += 1;
            if turn.lost {
                tokio::task::yield_now().await;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
            if world.count("SELECT count(*) FROM journal").await == 420 {
                break;
            }
        }
    }));
    tokio::join!(writing, recording);
    assert_eq!(is_whole(world, &stores[0]).await.last, 420);
    let orders = "SELECT count(*) FROM journal AS a JOIN journal AS b ON a.user_id = b.user_id \
                  AND a.position < b.position AND a.sequence >= b.sequence";
    assert_eq!(world.count(orders).await, 0);
    let distinct = "SELECT count(DISTINCT id) FROM journal";
    assert_eq!(world.count(distinct).await, 420);
}

/// Futures that are dropped in the middle of a turn stand for processes that are killed.
async fn what_two_sequencers_cut_off_lose_is_nothing(world: &World) {
    let store = world.store().await;
    for n in 0..40 {
        does(&store, &format!("user{n}"), named("")).await;
    }
    for micros in (0..40).map(|n| n * 150) {
        let turn = world.store().await;
        let cut = tokio::time::timeout(Duration::from_micros(micros), turn.sequence());
        let _ = cut.await;
        does(&store, "user1", rename(&format!("{micros}"))).await;
    }
    record(&store).await;
    assert_eq!(is_whole(world, &store).await.last, 80);
}

async fn a_users_events_are_found_in_every_organisation(world: &World) {
    let store = world.store().await;
    for organization in ["acme", "beta", "gamma"] {
        let there = service().acting_in(Some(organization)).expect("may");
        let users = if organization == "beta" {
            &["bob"][..]
        } else {
            &["ann", "bob"]
        };
        for user in users {
            let made = act(&store, &there, user, named(user)).await;
            assert!(made.is_ok(), "{made:?}");
        }
    }
    record(&store).await;
    for (user, organizations) in [("ann", &["acme", "gamma"][..]), ("nobody", &[])] {
        let query = EventQuery {
            scope: Scope::Everywhere,
            account: Some(user.into()),
            number: None,
            kinds: Vec::new(),
            from: None,
            until: None,
            oldest_first: true,
            after: None,
            limit: 10,
        };
        let page = store.list_events(&service(), &query).await.expect("a list");
        let mut found: Vec<_> = page.events.iter().map(|one| &*one.organization).collect();
        found.sort_unstable();
        assert_eq!(found, organizations, "{user}");
    }
}

async fn a_changed_row_is_found(world: &World) {
    let store = recorded(world).await;
    for (column, value) in [
        ("kind", "'account.unlocked'"),
        ("cause", "'wrong'"),
        ("at", "at + 1"),
        ("count", "2"),
        ("actor", "'mallory'"),
        ("user_id", "'mallory'"),
        ("number_mask", "'+4179•••••67'"),
        ("detail", "'{}'"),
        ("organization_id", "'other'"),
        ("salt", "NULL"),
        ("commitment", "previous"),
        ("previous", "commitment"),
        ("hash", "commitment"),
    ] {
        for place in [5, 10] {
            world
                .run_sql("CREATE TABLE kept AS SELECT * FROM journal")
                .await;
            let change = format!("UPDATE journal SET {column} = {value} WHERE position = {place}");
            world.run_sql(&change).await;
            assert_eq!(
                wrong(&store).await,
                Some((place, Wrong::Changed)),
                "{column}"
            );
            for sql in [
                "DELETE FROM journal",
                "INSERT INTO journal SELECT * FROM kept",
                "DROP TABLE kept",
            ] {
                world.run_sql(sql).await;
            }
        }
    }
    is_whole(world, &store).await;
}

async fn a_removed_row_is_found(world: &World) {
    for (place, closed) in [(5, false), (5, true), (10, false), (1, false), (1, true)] {
        let store = recorded(world).await;
        world
            .run_sql(&format!("DELETE FROM journal WHERE position = {place}"))
            .await;
        if closed {
            // One after the other: a key must not occur twice in between.
            for next in place + 1..=10 {
                let close =
                    format!("UPDATE journal SET position = {next} - 1 WHERE position = {next}");
                world.run_sql(&close).await;
            }
        }
        assert_eq!(
            wrong(&store).await,
            Some((place, Wrong::Removed)),
            "{closed}"
        );
        begin_anew(world).await;
    }
    // The end of the journal with what says where it is.
    let store = recorded(world).await;
    world
        .run_sql("DELETE FROM journal WHERE position = 10")
        .await;
    world
        .run_sql("UPDATE cursors SET position = 9 WHERE name = 'journal'")
        .await;
    assert_eq!(wrong(&store).await, Some((9, Wrong::Unsealed)));
}

async fn begin_anew(world: &World) {
    for table in [
        "journal",
        "checkpoints",
        "accounts",
        "account_names",
        "events",
        "deleted_accounts",
    ] {
        world.run_sql(&format!("DELETE FROM {table}")).await;
    }
    world
        .run_sql("UPDATE cursors SET position = 0, chain = NULL, seal = NULL, until_at = NULL")
        .await;
}

/// A copy of a row under another position.
fn copy(from: i64, to: i64) -> String {
    let columns = "id, user_id, organization_id, sequence, at, actor, kind, cause, number_pseudonym, \
                   number_mask, count, detail, salt, commitment, previous, hash";
    format!(
        "INSERT INTO journal (position, {columns}) SELECT {to}, {columns} FROM journal WHERE position = {from}"
    )
}

async fn an_inserted_row_is_found(world: &World) {
    // A copy in the middle, with room made for it.
    let store = recorded(world).await;
    for place in (6..=10).rev() {
        world
            .run_sql(&format!(
                "UPDATE journal SET position = {place} + 1 WHERE position = {place}"
            ))
            .await;
    }
    world.run_sql(&copy(5, 6)).await;
    assert_eq!(wrong(&store).await, Some((6, Wrong::Inserted)));
    // The same made to look like another.
    world
        .run_sql("UPDATE journal SET kind = 'account.unlocked', id = 'other' WHERE position = 6")
        .await;
    assert_eq!(wrong(&store).await, Some((6, Wrong::Inserted)));
    begin_anew(world).await;
    // At the end.
    let store = recorded(world).await;
    world.run_sql(&copy(10, 11)).await;
    assert_eq!(wrong(&store).await, Some((11, Wrong::Inserted)));
    world
        .run_sql("UPDATE cursors SET position = 11 WHERE name = 'journal'")
        .await;
    assert_eq!(wrong(&store).await, Some((11, Wrong::Inserted)));
}

async fn reordered_rows_are_found(world: &World) {
    // Of one account, and of two.
    for (one, other) in [(3, 5), (3, 4), (8, 10), (9, 10)] {
        let store = recorded(world).await;
        for (from, to) in [(one, 99), (other, one), (99, other)] {
            world
                .run_sql(&format!(
                    "UPDATE journal SET position = {to} WHERE position = {from}"
                ))
                .await;
        }
        assert_eq!(
            wrong(&store).await,
            Some((one, Wrong::Reordered)),
            "{other}"
        );
        begin_anew(world).await;
    }
}

async fn a_changed_checkpoint_is_found(world: &World) {
    let store = recorded(world).await;
    assert_eq!(store.checkpoint(Duration::from_secs(300)).await, Ok(1));
    assert_eq!(
        store.checkpoint(Duration::from_secs(300)).await,
        Ok(0),
        "nothing is new"
    );
    world.pass(1);
    does(&store, "ann", rename("x")).await;
    record(&store).await;
    assert_eq!(
        store.checkpoint(Duration::from_secs(300)).await,
        Ok(0),
        "too early"
    );
    world.pass(300);
    assert_eq!(store.checkpoint(Duration::from_secs(300)).await, Ok(1));
    assert_eq!(is_whole(world, &store).await.checkpoints, 2);
    for change in [
        "count = count + 1",
        "root = signature",
        "at = at + 1",
        "signature = root",
    ] {
        world
            .run_sql("CREATE TABLE kept AS SELECT * FROM checkpoints")
            .await;
        world
            .run_sql(&format!(
                "UPDATE checkpoints SET {change} WHERE position = 11"
            ))
            .await;
        match change {
            // No hash at all.
            "root = signature" => assert!(store.verify_events().await.is_err()),
            _ => assert_eq!(wrong(&store).await, Some((11, Wrong::Unsigned)), "{change}"),
        }
        for sql in [
            "DELETE FROM checkpoints",
            "INSERT INTO checkpoints SELECT * FROM kept",
            "DROP TABLE kept",
        ] {
            world.run_sql(sql).await;
        }
    }
    let key = audit_key(&world.rules.keys).expect("a key");
    assert!(key.len() == 64 && audit_key(&world.rules.keys) == Ok(key));
}

async fn erasing_keeps_the_chain_whole(world: &World) {
    let store = world.store().await;
    for user in ["ann", "bob"] {
        does(&store, user, named(user)).await;
        does(&store, user, set(&number(1), SEND)).await;
    }
    record(&store).await;
    store.checkpoint(Duration::ZERO).await.expect("must sign");
    let as_ann = ringback_core::Caller {
        everywhere: ringback_core::rights::Rights::ALL,
        ..own("ann")
    };
    act(&store, &as_ann, "bob", rename("Bob"))
        .await
        .expect("may");
    does(&store, "ann", rename("Ann")).await;
    record(&store).await;
    does(&store, "ann", Action::Delete).await;
    act(&store, &as_ann, "bob", rename("Bobby"))
        .await
        .expect("may");
    // Three and one are on record, one waits; and two that she did.
    assert_eq!(store.erase_events("acme", "ann").await, Ok(7));
    assert_eq!(store.erase_events("acme", "ann").await, Ok(0));
    record(&store).await;
    let verified = is_whole(world, &store).await;
    assert_eq!((verified.erased, verified.last), (5, 10));
    for table in ["journal", "events"] {
        for column in ["user_id", "actor"] {
            let traces = format!("SELECT count(*) FROM {table} WHERE {column} = 'ann'");
            assert_eq!(world.count(&traces).await, 0, "{table}.{column}");
        }
    }
    let names = "SELECT DISTINCT user_id FROM journal WHERE user_id <> 'bob'";
    let names = world.texts(names).await;
    assert!(
        matches!(&names[..], [name] if name.starts_with("erased-")),
        "{names:?}"
    );
    let left = "SELECT count(*) FROM journal WHERE user_id <> 'bob' AND (number_mask IS NOT NULL \
                OR number_pseudonym IS NOT NULL OR detail IS NOT NULL)";
    assert_eq!(world.count(left).await, 0);
    // Whoever comes back under the same id is another.
    world.pass(1);
    does(&store, "ann", named("")).await;
    record(&store).await;
    store.checkpoint(Duration::ZERO).await.expect("must sign");
    assert_eq!(is_whole(world, &store).await.last, 11);
}

async fn an_erasure_that_was_killed_goes_on(world: &World) {
    let store = recorded(world).await;
    does(&store, "ann", Action::Delete).await;
    // What a batch of one row had done when it was killed.
    world
        .run_sql(
            "UPDATE journal SET user_id = 'erased-1', actor = 'erased-1', salt = NULL \
             WHERE user_id = 'ann' AND sequence = 1",
        )
        .await;
    let erased = store.erase_events("acme", "ann").await.expect("must erase");
    assert_eq!(erased, 5);
    record(&store).await;
    let names = "SELECT DISTINCT user_id FROM journal WHERE user_id <> 'bob'";
    assert_eq!(world.texts(names).await, ["erased-1"]);
    is_whole(world, &store).await;
}

async fn what_is_forgotten_was_signed(world: &World) {
    let store = recorded(world).await;
    let before = || Time(world.now().0 + 1);
    assert_eq!(
        store.forget_events(before()).await,
        Ok(0),
        "nothing is signed"
    );
    store.checkpoint(Duration::ZERO).await.expect("must sign");
    let early = Time(world.now().0 - 1);
    assert_eq!(store.forget_events(early).await, Ok(0), "too young");
    world.pass(1);
    does(&store, "ann", rename("later")).await;
    record(&store).await;
    assert_eq!(store.forget_events(before()).await, Ok(10));
    assert_eq!(store.forget_events(before()).await, Ok(0), "not signed yet");
    let verified = is_whole(world, &store).await;
    assert_eq!((verified.forgotten, verified.last), (10, 11));
    // The chain goes on where it was, and so does what is signed.
    world.pass(1);
    does(&store, "bob", rename("later")).await;
    record(&store).await;
    store.checkpoint(Duration::ZERO).await.expect("must sign");
    assert_eq!(is_whole(world, &store).await.checkpoints, 1);
    // Whoever says that more was forgotten is found.
    world
        .run_sql("DELETE FROM journal WHERE position = 11")
        .await;
    world
        .run_sql("UPDATE cursors SET position = 11 WHERE name = 'forgotten'")
        .await;
    let found = store.verify_events().await.expect("must verify").wrong;
    assert!(
        matches!(
            found,
            Some(Finding {
                wrong: Wrong::Unsealed | Wrong::Unsigned,
                ..
            })
        ),
        "{found:?}"
    );
}
