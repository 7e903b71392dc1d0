//! Faults at the end of a transaction: what was not committed is never answered as done, and whoever comes
//! next finds a connection that works.

use ringback_core::Refusal;

use crate::requests::*;
use crate::world::{Kind, World};

on_both!(
    a_commit_that_fails_is_no_success,
    a_rollback_that_fails_ends_the_connection,
    faults_among_good_commands_lose_nothing_else,
    a_failed_commit_of_the_worker_hurts_nobody,
);

/// Makes the commit of whatever registers a user of this name fail, by a constraint that is looked at then.
async fn commits_fail_for(world: &World, username: &str) {
    let statements = match world.kind {
        Kind::Sqlite => vec![
            "CREATE TABLE parents (id integer PRIMARY KEY)".to_owned(),
            "CREATE TABLE children (parent integer REFERENCES parents (id) \
             DEFERRABLE INITIALLY DEFERRED)"
                .to_owned(),
            format!(
                "CREATE TRIGGER bad_commit AFTER INSERT ON accounts WHEN NEW.username = '{username}' \
                 BEGIN INSERT INTO children VALUES (1); END"
            ),
        ],
        Kind::Postgres => vec![
            format!(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS \
                 $$ BEGIN IF NEW.username = '{username}' THEN \
                 RAISE EXCEPTION 'the disk is full' USING ERRCODE = '53100'; END IF; \
                 RETURN NULL; END $$"
            ),
            "CREATE CONSTRAINT TRIGGER bad_commit AFTER INSERT ON accounts \
             DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()"
                .to_owned(),
        ],
    };
    for sql in statements {
        world.run_sql(&sql).await;
    }
}

async fn a_commit_that_fails_is_no_success(world: &World) {
    let store = world.store().await;
    does(&store, "before", named("before")).await;
    commits_fail_for(world, "bad").await;
    for round in 0..3 {
        // Several in a row, as on a disk that stays full.
        for n in 0..2 {
            let bad = format!("bad {round} {n}");
            let refused = act(&store, &service(), &bad, named("bad")).await;
            assert_eq!(refused, Err(Refusal::Unavailable));
        }
        let refused = act(&store, &service(), "before", named("again")).await;
        assert_eq!(refused, Err(Refusal::AccountExists));
        for n in 0..2 {
            does(&store, &format!("good {round} {n}"), named("good")).await;
        }
    }
    // From outside, where an open transaction of the store's would not be seen.
    let there = world
        .texts("SELECT user_id FROM accounts ORDER BY user_id")
        .await;
    let good: Vec<_> = (0..6)
        .map(|n| format!("good {} {}", n / 2, n % 2))
        .collect();
    assert_eq!(there, [vec!["before".to_owned()], good].concat());
    assert_eq!(store.ping().await, Ok(()));
}

/// A statement that ends the transaction itself leaves nothing to roll back.
async fn a_rollback_that_fails_ends_the_connection(world: &World) {
    let store = world.store().await;
    let statements = match world.kind {
        Kind::Sqlite => vec![
            "CREATE TRIGGER ends BEFORE INSERT ON accounts WHEN NEW.username = 'bad' \
             BEGIN SELECT RAISE(ROLLBACK, 'ended'); END",
        ],
        Kind::Postgres => vec![
            "CREATE FUNCTION ends() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN IF NEW.username = 'bad' THEN PERFORM pg_terminate_backend(pg_backend_pid()); \
             END IF; RETURN NEW; END $$",
            "CREATE TRIGGER ends BEFORE INSERT ON accounts FOR EACH ROW EXECUTE FUNCTION ends()",
        ],
    };
    for sql in statements {
        world.run_sql(sql).await;
    }
    for round in 0..3 {
        let refused = act(&store, &service(), "bad", named("bad")).await;
        assert_eq!(refused, Err(Refusal::Unavailable));
        does(&store, &format!("good {round}"), named("good")).await;
    }
    assert_eq!(world.count("SELECT count(*) FROM accounts").await, 3);
}

/// Exactly what was answered as done is there, whatever mixture came.
async fn faults_among_good_commands_lose_nothing_else(world: &World) {
    let store = world.single_lane().await;
    commits_fail_for(world, "bad").await;
    let mut expected = Vec::new();
    for round in 0..10_u32 {
        let commands = (0..8_u32).map(|n| {
            let bad = (round * 8 + n) % 23 == 0;
            let name = if bad { "bad" } else { "good" };
            let (store, id) = (store.clone(), format!("user {round:02} {n}"));
            async move {
                let done = act(&store, &service(), &id, named(name)).await;
                (id, done)
            }
        });
        for (id, done) in futures::future::join_all(commands).await {
            match done {
                Ok(_) => expected.push(id),
                Err(refusal) => assert_eq!(refusal, Refusal::Unavailable),
            }
        }
    }
    let there = world
        .texts("SELECT user_id FROM accounts ORDER BY user_id")
        .await;
    assert_eq!(there, expected);
    assert!(!expected.is_empty());
}

async fn a_failed_commit_of_the_worker_hurts_nobody(world: &World) {
    let store = world.store().await;
    does(&store, "ann", named("ann")).await;
    does(&store, "ann", set(&number(1), SEND)).await;
    let refuse = match world.kind {
        Kind::Sqlite => vec![
            "CREATE TRIGGER stays BEFORE DELETE ON messages BEGIN SELECT RAISE(ROLLBACK, 'full'); END",
        ],
        Kind::Postgres => vec![
            "CREATE FUNCTION stays() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END $$",
            "CREATE TRIGGER stays BEFORE DELETE ON messages FOR EACH ROW EXECUTE FUNCTION stays()",
        ],
    };
    for sql in refuse {
        world.run_sql(sql).await;
    }
    let lease = std::time::Duration::from_secs(60);
    let claimed = store.claim("", 10, lease).await.expect("must claim");
    let settlement = ringback_store::Settlement {
        message: claimed[0].message.clone(),
        attempt: claimed[0].attempt,
        trail: claimed[0].trail.clone(),
        outcome: ringback_store::Settled::Ended(ringback_core::delivery::State::Handed),
        country: None,
    };
    for _ in 0..2 {
        assert!(
            store
                .settle(std::slice::from_ref(&settlement))
                .await
                .is_err()
        );
        does(&store, "ann", rename("still here")).await;
    }
    let names = world.texts("SELECT username FROM accounts").await;
    assert_eq!(names, ["still here"]);
    world
        .run_sql(match world.kind {
            Kind::Sqlite => "DROP TRIGGER stays",
            Kind::Postgres => "DROP TRIGGER stays ON messages",
        })
        .await;
    store.settle(&[settlement]).await.expect("must settle");
    assert_eq!(world.count("SELECT count(*) FROM messages").await, 0);
}
