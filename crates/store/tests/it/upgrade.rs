//! Rows that an older version wrote are carried over, and go on working.

use ringback_core::refusal::CodeFailure;
use ringback_store::{AccountFilter, AccountQuery, AccountSort, TextMatch, TextPlace};

use crate::lists::{all, filtered, ids};
use crate::requests::*;
use crate::world::{Kind, World};

on_both!(
    rows_without_guards_are_carried_over,
    rows_without_organisations_are_carried_over,
    messages_of_the_outbox_are_carried_over,
    events_that_wait_are_carried_over_in_order,
    tables_that_are_ready_need_no_rights
);

/// Takes the fifth step of the tables back.
async fn as_the_fourth_version_had_it(world: &World) {
    let (text, big) = match world.kind {
        Kind::Postgres => ("text COLLATE \"C\"", "bigint"),
        Kind::Sqlite => ("text", "integer"),
    };
    let outbox = format!(
        "CREATE TABLE outbox (id {text} NOT NULL PRIMARY KEY, user_id {text} NOT NULL, \
         number {text} NOT NULL, kind {text} NOT NULL, language {text} NOT NULL, challenge_id {text}, \
         created_at {big} NOT NULL, expires_at {big} NOT NULL, due_at {big} NOT NULL, \
         attempts integer NOT NULL, organization_id {text} NOT NULL DEFAULT '')"
    );
    for sql in [
        &*outbox,
        "INSERT INTO outbox (id, user_id, number, kind, language, challenge_id, created_at, expires_at, \
         due_at, attempts, organization_id) SELECT id, user_id, number, kind, language, challenge_id, \
         created_at, expires_at, due_at, attempts, organization_id FROM messages",
        "CREATE INDEX outbox_by_due_at ON outbox (due_at)",
        "DROP TABLE messages",
        "UPDATE schema_version SET needs_at_least = 4",
        "DELETE FROM seaql_migrations WHERE version = 'm0005_messages'",
    ] {
        world.run_sql(sql).await;
    }
}

/// Takes the fourth step back, too, so far as its rows go.
async fn as_the_third_version_had_it(world: &World) {
    as_the_fourth_version_had_it(world).await;
    let names = match world.kind {
        Kind::Postgres => &[
            "ALTER TABLE accounts DROP CONSTRAINT accounts_pkey",
            "ALTER TABLE accounts ADD PRIMARY KEY (user_id)",
            "ALTER TABLE account_names DROP COLUMN organization_id",
            "ALTER TABLE account_names ADD CONSTRAINT account_names_pkey PRIMARY KEY (user_id)",
        ][..],
        Kind::Sqlite => &[
            "CREATE TABLE names AS SELECT user_id, username, given_name, family_name, nick_name, \
             display_name, email FROM account_names",
            "DROP TABLE account_names",
            "ALTER TABLE names RENAME TO account_names",
        ],
    };
    let others = [
        "ALTER TABLE outbox DROP COLUMN organization_id",
        "DROP INDEX phone_numbers_by_account",
        "CREATE INDEX phone_numbers_by_user ON phone_numbers (user_id)",
        "DROP TABLE deleted_accounts",
        "UPDATE schema_version SET needs_at_least = 2",
        "DELETE FROM seaql_migrations WHERE version = 'm0004_organizations'",
    ];
    for sql in names.iter().chain(&others) {
        world.run_sql(sql).await;
    }
}

/// Takes the second step of the tables back, too, which leaves what the first version had.
async fn as_the_first_version_had_it(world: &World) {
    as_the_third_version_had_it(world).await;
    for sql in [
        "DROP TABLE liveness",
        "DROP TABLE schema_version",
        "DROP TABLE account_names",
        "ALTER TABLE phone_numbers DROP COLUMN pseudonym",
        "ALTER TABLE budgets DROP COLUMN kind",
        "ALTER TABLE budgets DROP COLUMN version",
        "ALTER TABLE accounts DROP COLUMN version",
        "DELETE FROM seaql_migrations WHERE version = 'm0002_versions'",
    ] {
        world.run_sql(sql).await;
    }
}

async fn rows_without_guards_are_carried_over(world: &World) {
    let store = world.store().await;
    for (id, name) in [("ann", "ANN"), ("zoe", "Ζωή ΟΔΥΣΣΕΥΣ"), ("bob", "bob")] {
        does(&store, id, named(name)).await;
    }
    let code = code_for(&store, "ann", &number(1)).await;
    let bad = wrong(&code);
    for _ in 0..2 {
        let failed_guess = act(&store, &own("ann"), "ann", guess(&bad)).await;
        assert!(failed(&failed_guess, CodeFailure::Wrong));
    }
    drop(store);
    as_the_first_version_had_it(world).await;

    let store = world.store().await;
    let query = AccountQuery {
        sort: AccountSort::Username,
        ..all()
    };
    assert_eq!(ids(&store, &query).await, ["ann", "bob", "zoe"]);
    let named = AccountFilter::Username(TextMatch {
        text: "οδυσσευς".into(),
        place: TextPlace::End,
        ignore_case: true,
    });
    assert_eq!(filtered(&store, named).await, ["zoe"]);
    // What was counted before still counts, although no row says under which pseudonym.
    for _ in 0..3 {
        let failed_guess = act(&store, &own("ann"), "ann", guess(&bad)).await;
        assert!(failed(&failed_guess, CodeFailure::Wrong));
    }
    let spent = act(&store, &own("ann"), "ann", guess(&code)).await;
    assert!(failed(&spent, CodeFailure::Spent), "{spent:?}");
    let unnamed = "SELECT count(*) FROM phone_numbers WHERE pseudonym = ''";
    assert_eq!(
        world.count(unnamed).await,
        0,
        "written with the next change"
    );
    let guarded = "SELECT count(*) FROM accounts WHERE version > 0 AND user_id = 'ann'";
    assert_eq!(world.count(guarded).await, 1);
}

async fn rows_without_organisations_are_carried_over(world: &World) {
    let store = world.store().await;
    for (organization, id) in [("acme", "ann"), ("other", "bob")] {
        let caller = service().acting_in(Some(organization)).expect("may");
        let made = act(&store, &caller, id, named(id)).await;
        assert!(made.is_ok(), "{made:?}");
        let sent = act(&store, &caller, id, set(&number(1), SEND)).await;
        assert!(sent.is_ok(), "{sent:?}");
    }
    drop(store);
    as_the_third_version_had_it(world).await;

    let store = world.store().await;
    let query = AccountQuery {
        sort: AccountSort::Username,
        ..all()
    };
    assert_eq!(ids(&store, &query).await, ["ann", "bob"]);
    // Messages that waited find their challenges.
    let claimed = store
        .claim("", 10, std::time::Duration::from_secs(60))
        .await;
    let claimed = claimed.expect("must claim");
    assert_eq!(claimed.len(), 2);
    for claimed in claimed {
        let organization = match claimed.message.account.as_str() {
            "ann" => "acme",
            _ => "other",
        };
        assert_eq!(claimed.message.organization, organization);
        assert!(claimed.code.is_some());
    }
    // And the same id is free elsewhere.
    let there = service().acting_in(Some("other")).expect("may");
    let made = act(&store, &there, "ann", named("Ann")).await;
    assert!(made.is_ok(), "{made:?}");
}

async fn messages_of_the_outbox_are_carried_over(world: &World) {
    let store = world.store().await;
    does(&store, "ann", named("")).await;
    does(&store, "ann", set(&number(1), SEND)).await;
    let minute = std::time::Duration::from_secs(60);
    let before = store.claim("", 10, minute).await.expect("must claim");
    drop(store);
    as_the_fourth_version_had_it(world).await;

    let store = world.store().await;
    let waiting = store.waiting().await.expect("must look");
    let waiting: Vec<_> = waiting.iter().map(|one| (&*one.route, one.count)).collect();
    assert_eq!(waiting, [("", 1)]);
    world.pass(60);
    let claimed = store.claim("", 10, minute).await.expect("must claim");
    let [one] = claimed.as_slice() else {
        panic!("must be one: {claimed:?}");
    };
    assert_eq!(one.message.id, before[0].message.id);
    assert_eq!(one.message.number, number(1));
    assert_eq!((one.message.route.as_deref(), one.message.round), (None, 0));
    assert_eq!(one.attempt, 2);
    assert!(one.trail.attempts().is_empty());
    assert_eq!(one.code, before[0].code);
}

async fn events_that_wait_are_carried_over_in_order(world: &World) {
    let store = world.store().await;
    // At one time, so that neither times nor ids say what came first.
    for user in ["bob", "ann"] {
        does(&store, user, named(user)).await;
    }
    for turn in 0..3 {
        for user in ["bob", "ann"] {
            does(&store, user, rename(&format!("{turn}"))).await;
        }
    }
    drop(store);
    let mut committed = "SELECT user_id || sequence FROM events ORDER BY user_id, sequence";
    if world.kind == Kind::Sqlite {
        committed = "SELECT user_id || sequence FROM events ORDER BY rowid";
        let columns = "id, user_id, organization_id, sequence, at, actor, kind, cause, number_pseudonym, \
                       number_mask, count, detail";
        for sql in [
            &*format!(
                "CREATE TABLE older ({}, PRIMARY KEY (user_id, id))",
                columns.replace("count", "count integer NOT NULL DEFAULT 1")
            ),
            &*format!("INSERT INTO older SELECT {columns} FROM events ORDER BY rowid"),
            "DROP TABLE events",
            "ALTER TABLE older RENAME TO events",
            "DELETE FROM seaql_migrations WHERE version = 'm0015_events_in_turn'",
        ] {
            world.run_sql(sql).await;
        }
    }
    let committed = world.texts(committed).await;
    assert_eq!(committed.len(), 8);

    let store = world.store().await;
    while store.sequence().await.expect("must record").more {}
    let order = match world.kind {
        Kind::Postgres => "user_id, position",
        Kind::Sqlite => "position",
    };
    let recorded = format!("SELECT user_id || sequence FROM journal ORDER BY {order}");
    assert_eq!(world.texts(&recorded).await, committed);
}

async fn tables_that_are_ready_need_no_rights(world: &World) {
    let store = world.open(&world.settings).await;
    let said = store.require_tables().await.expect_err("there are none");
    assert!(said.to_string().contains("ringback migrate"), "{said}");
    store.migrate().await.expect("must migrate");
    store.require_tables().await.expect("are there");
    // A row of a newer version hurts nobody; one that says that it would is obeyed.
    world
        .run_sql("INSERT INTO seaql_migrations VALUES ('m9999_later', 1)")
        .await;
    store.migrate().await.expect("nothing is to be done");
    world
        .run_sql("UPDATE schema_version SET needs_at_least = 999")
        .await;
    let said = store.migrate().await.expect_err("too new");
    assert!(said.to_string().contains("run a newer ringback"), "{said}");
}
