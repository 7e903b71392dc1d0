//! A database that is newer, older, empty or not ours to change: the program serves it or says what to do.

use std::path::Path;

use sea_orm::{ConnectionTrait, Database as Connection, Statement};

use super::cluster::Cluster;
use super::load::{Ask, Load};
use crate::database::Database;
use crate::process::harness::{Program, Server, Setup, admin, number, until};

/// What a newer version does to the tables, as its migrations would.
const NEWER: [&str; 4] = [
    "ALTER TABLE accounts ADD COLUMN later text NOT NULL DEFAULT ''",
    "ALTER TABLE phone_numbers ADD COLUMN later bigint NOT NULL DEFAULT 0",
    "ALTER TABLE outbox ADD COLUMN later text",
    "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 0)",
];

/// Calls of each kind that are served before and after something changes.
const CALLS: usize = 100;

async fn a_newer_schema_is_served(database: Database) {
    let setup = Setup::new(&database.url);
    let running = Server::start(&setup).await;
    let load = |ask| Load::start(&running.base, ask, 3, 0);
    let loads = [load(Ask::Register), load(Ask::Read), load(Ask::List)];
    served_more(&loads).await;
    for sql in NEWER {
        database.execute(sql).await;
    }
    served_more(&loads).await;

    // One that was there goes on, and one of the same version can still be started.
    let started = Server::start(&setup).await;
    let more = [Load::start(&started.base, Ask::Register, 3, 1)];
    served_more(&more).await;
    for load in loads.into_iter().chain(more) {
        for call in &load.end().await.0 {
            // What is read may not be registered yet.
            let early = call.user == "load-0" && call.status == Some(404);
            assert!(call.served() || early, "{call:?}");
        }
    }
}

/// Waits until more of each kind of call was served.
async fn served_more(loads: &[Load]) {
    for load in loads {
        let before = load.served();
        until("calls that are served", async || {
            (load.served() >= before + CALLS).then_some(())
        })
        .await;
    }
}

async fn a_schema_that_is_too_new_is_refused(database: Database) {
    let setup = Setup::new(&database.url);
    assert!(setup.run("migrate").await.status.success());
    drop(Server::start(&setup).await);
    database
        .execute("UPDATE schema_version SET needs_at_least = 9000")
        .await;
    for subcommand in ["serve", "worker", "migrate", "check"] {
        setup
            .run(subcommand)
            .await
            .refuses(&["database", "9000", "newer"]);
    }
    let ended = Program::start(&["serve", "--no-migrate"], Some(&setup));
    ended.end().await.refuses(&["9000", "newer"]);
}

async fn an_empty_database_is_not_touched(database: Database) {
    let setup = Setup::new(&database.url);
    let ended = Program::start(&["serve", "--no-migrate"], Some(&setup));
    ended.end().await.refuses(&["ringback migrate"]);
    let migrated = setup.run("migrate").await;
    assert!(migrated.status.success(), "{}", migrated.errors);
    let server = Server::start_with(&["serve", "--no-migrate"], &setup).await;
    server.register("ann", &number(1)).await;
}

async fn check_tells_of_the_schema(database: Database) {
    let setup = Setup::new(&database.url);
    if let Some(file) = database.url.strip_prefix("sqlite:") {
        std::fs::write(file, "").expect("an empty file");
    }
    let ended = setup.run("check").await;
    assert!(ended.output.contains("no tables yet"), "{}", ended.output);

    let server = Server::start(&setup).await;
    server.register("ann", &number(1)).await;
    server.register("bob", &number(2)).await;
    let ended = setup.run("check").await;
    assert!(ended.status.success(), "{}", ended.errors);
    let (_, place) = database.url.rsplit_once('/').expect("a path");
    let migrations = count(&database, "seaql_migrations").await;
    for part in [
        place,
        &format!("tables of version {migrations}"),
        "2 accounts",
    ] {
        assert!(ended.output.contains(part), "not {part}: {}", ended.output);
    }
}

async fn count(database: &Database, table: &str) -> i64 {
    let connection = Connection::connect(&database.url)
        .await
        .expect("the test's database");
    let sql = format!("SELECT count(*) FROM {table}");
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let row = connection.query_one_raw(statement).await.expect("a row");
    connection.close().await.expect("closing");
    row.expect("a row").try_get_by_index(0).expect("a number")
}

crate::on_both!(
    a_newer_schema_is_served,
    a_schema_that_is_too_new_is_refused,
    an_empty_database_is_not_touched,
    check_tells_of_the_schema,
);

#[tokio::test]
async fn check_makes_no_file_on_sqlite() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("ringback.db");
    let setup = Setup::new(&format!("sqlite:{}", file.display()));
    let ended = setup.run("check").await;
    assert!(ended.output.contains("not there yet"), "{}", ended.output);
    assert_eq!(count_files(directory.path()), 0);
}

fn count_files(directory: &Path) -> usize {
    std::fs::read_dir(directory).expect("a directory").count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_says_which_file_it_uses_on_sqlite() {
    let setup = Setup::new("").without("database.url");
    let mut server = Server::start(&setup).await;
    server.program.says("ringback.db").await;
    assert_eq!(
        server.get("/v2/users/none", &admin()).await.status,
        404,
        "it works"
    );
}

/// A server with a database `numbers` whose tables are up to date, and an address of it for a role that may
/// only read and write rows.
async fn without_rights() -> (Cluster, String) {
    let cluster = Cluster::start().await;
    cluster.execute(&["CREATE DATABASE numbers"]).await;
    let migrated = Setup::new(&cluster.url("numbers")).run("migrate").await;
    assert!(migrated.status.success(), "{}", migrated.errors);
    cluster.execute(&["CREATE ROLE clerk LOGIN"]).await;
    cluster
        .execute_on(
            "numbers",
            &[
                "REVOKE ALL ON SCHEMA public FROM PUBLIC",
                "REVOKE ALL ON DATABASE numbers FROM PUBLIC",
                "GRANT CONNECT ON DATABASE numbers TO clerk",
                "GRANT USAGE ON SCHEMA public TO clerk",
                "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clerk",
            ],
        )
        .await;
    let url = cluster.url("numbers").replace("postgres@", "clerk@");
    (cluster, url)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_without_rights_on_tables_serves_on_postgres() {
    let (_cluster, url) = without_rights().await;
    let setup = Setup::new(&url);
    for (n, arguments) in [&["serve"][..], &["serve", "--no-migrate"]]
        .into_iter()
        .enumerate()
    {
        let server = Server::start_with(arguments, &setup).await;
        let user = format!("user-{n}");
        let code = server.register(&user, &number(n)).await;
        assert_eq!(server.verify(&user, &code).await.status, 200);
    }
    let ended = setup.run("check").await;
    assert!(ended.status.success(), "{}", ended.errors);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_without_rights_cannot_make_tables_on_postgres() {
    let (cluster, url) = without_rights().await;
    cluster
        .execute(&[
            "CREATE DATABASE fresh",
            "REVOKE ALL ON DATABASE fresh FROM PUBLIC",
        ])
        .await;
    cluster
        .execute_on("fresh", &["REVOKE CREATE ON SCHEMA public FROM PUBLIC"])
        .await;
    cluster
        .execute(&["GRANT CONNECT ON DATABASE fresh TO clerk"])
        .await;
    let fresh = Setup::new(&url.replace("/numbers", "/fresh"));
    let ended = fresh.run("serve").await;
    ended.refuses(&["database", "permission denied"]);
}

#[tokio::test]
async fn an_encoding_that_cannot_hold_every_name_is_refused_on_postgres() {
    let cluster = Cluster::start().await;
    cluster
        .execute(&["CREATE DATABASE numbers ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"])
        .await;
    let setup = Setup::new(&cluster.url("numbers"));
    for subcommand in ["serve", "migrate"] {
        setup
            .run(subcommand)
            .await
            .refuses(&["database", "LATIN1", "UTF8"]);
    }
}
