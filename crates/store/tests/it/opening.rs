//! Opening a store: tables that several make at once, and clear words when it cannot be opened.

use ringback_store::{OpenError, Settings, Store};

use crate::requests::*;
use crate::world::{Kind, World};

on_both!(
    migrating_twice_changes_nothing,
    several_migrate_at_once,
    a_migration_happens_whole_or_not_at_all,
    commands_before_the_tables_are_refused,
    what_cannot_be_opened_says_why,
);

async fn tables(world: &World) -> Vec<String> {
    world
        .texts(match world.kind {
            Kind::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name",
            Kind::Postgres => {
                "SELECT table_name::text FROM information_schema.tables \
                 WHERE table_schema = 'public' ORDER BY 1"
            }
        })
        .await
}

const TABLES: [&str; 18] = [
    "account_names",
    "accounts",
    "budgets",
    "checkpoints",
    "conversion",
    "cursors",
    "deleted_accounts",
    "event_deliveries",
    "events",
    "guard_tallies",
    "idempotency",
    "journal",
    "liveness",
    "messages",
    "opt_outs",
    "phone_numbers",
    "schema_version",
    "seaql_migrations",
];

async fn migrating_twice_changes_nothing(world: &World) {
    let store = world.store().await;
    does(&store, "ann", named("")).await;
    store.migrate().await.expect("must migrate again");
    world.store().await;
    assert_eq!(tables(world).await, TABLES);
    assert!(
        store
            .find_account("ann")
            .await
            .is_ok_and(|found| found.is_some())
    );
}

async fn several_migrate_at_once(world: &World) {
    let mut stores = Vec::new();
    for _ in 0..3 {
        stores.push(world.open(&world.settings).await);
    }
    let all = futures::future::join_all(stores.iter().map(Store::migrate)).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(tables(world).await, TABLES);
    // Each step has a file, and was taken once.
    let steps = std::fs::read_dir("src/migration").expect("must list");
    let taken = world.count("SELECT count(*) FROM seaql_migrations").await;
    assert_eq!(taken, i64::try_from(steps.count()).expect("few"));
    does(&stores[2], "ann", named("")).await;
}

async fn a_migration_happens_whole_or_not_at_all(world: &World) {
    let store = world.open(&world.settings).await;
    // The last table but one is in the way.
    world.run_sql("CREATE TABLE outbox (x INTEGER)").await;
    let failed = store.migrate().await;
    assert!(matches!(failed, Err(OpenError::Migrate(_))), "{failed:?}");
    assert_eq!(tables(world).await, ["outbox"]);
    world.run_sql("DROP TABLE outbox").await;
    store.migrate().await.expect("must migrate");
    assert_eq!(tables(world).await, TABLES);
}

async fn commands_before_the_tables_are_refused(world: &World) {
    let store = world.open(&world.settings).await;
    assert_eq!(store.ping().await, Err(ringback_core::Refusal::Internal));
    let refused = act(&store, &service(), "ann", named("")).await;
    assert_eq!(refused, Err(ringback_core::Refusal::Internal));
    store.migrate().await.expect("must migrate");
    does(&store, "ann", named("")).await;
}

async fn why(world: &World, url: &str) -> String {
    let settings = Settings {
        url: url.into(),
        ..world.settings.clone()
    };
    let opened = Store::open(&settings, world.rules.clone(), world.source.clone()).await;
    let Err(error) = opened else {
        panic!("must not open: {url}");
    };
    error.to_string()
}

async fn what_cannot_be_opened_says_why(world: &World) {
    match world.kind {
        Kind::Sqlite => {
            let directory = tempfile::tempdir().expect("a directory");
            let missing = directory.path().join("no/such/store.db");
            let said = why(world, &format!("sqlite:{}", missing.display())).await;
            assert!(said.contains("no/such does not exist; create it"), "{said}");
            let said = why(world, &format!("sqlite://{}?mode=rwc", missing.display())).await;
            assert!(said.contains("no/such does not exist; create it"), "{said}");
            let text = directory.path().join("letter.txt");
            std::fs::write(&text, "Dear Sir or Madam, ".repeat(100)).expect("must write");
            let said = why(world, &format!("sqlite:{}", text.display())).await;
            assert!(
                said.contains("letter.txt: ") && said.contains("file is not a database"),
                "{said}"
            );
            let said = why(world, &format!("sqlite:{}", directory.path().display())).await;
            assert!(said.contains("unable to open database file"), "{said}");
        }
        Kind::Postgres => {
            let (_, host) = world.url.split_once('@').expect("a user");
            let said = why(world, &format!("postgres://nobody:hunter2@{host}")).await;
            assert!(said.contains("role \"nobody\" does not exist"), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
            let (address, _) = host.split_once('/').expect("a name");
            let said = why(
                world,
                &format!("postgres://postgres:hunter2@{address}/missing"),
            )
            .await;
            assert!(
                said.contains("database \"missing\" does not exist"),
                "{said}"
            );
            assert!(!said.contains("hunter2"), "{said}");
            for host in ["127.0.0.1:port", "[::1", "a b", ""] {
                let said = why(world, &format!("postgres://me:hunter2@{host}/x")).await;
                assert!(!said.contains("hunter2"), "{said}");
            }
            let said = why(world, "postgres://me:hunter2@127.0.0.1:1/x").await;
            assert_eq!(
                said,
                "cannot open the database postgres://127.0.0.1:1/x: nobody answers there"
            );
            let said = why(world, "postgres://me:hunter2@no.invalid/x").await;
            assert!(said.contains("postgres://no.invalid/x: "), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
