//! A database that is newer, older, empty or not ours to change: the program serves it or says what to do.

use std::path::Path;
use std::time::Instant;

use sea_orm::{ConnectionTrait, Database as Connection, Statement};

use super::cluster::Cluster;
use super::load::{Ask, Load};
use crate::database::Database;
use crate::process::harness::{Program, Server, Setup, admin, number, until};

/// Calls of each kind that are served before and after something changes.
const CALLS: usize = 100;

/// The older and the newer program over one database, under load, from one to the other and back.
async fn a_newer_program_comes_and_goes(database: Database) {
    let setup = Setup::new(&database.url);
    let old = Server::start(&setup).await;
    let on = |server: &Server, round| {
        let load = |ask, round| Load::start(&server.base, ask, 3, round);
        [
            load(Ask::Register, round),
            load(Ask::Read, 0),
            load(Ask::List, 0),
        ]
    };
    let on_old = on(&old, 0);
    served_more(&on_old).await;
    let steps = count(&database, "seaql_migrations").await;

    // It migrates beside the old one, and serves beside it.
    let migrated = Program::start_newer(&["migrate"], &setup).end().await;
    assert!(migrated.status.success(), "{}", migrated.errors);
    assert_eq!(count(&database, "seaql_migrations").await, steps + 1);
    assert_eq!(count(&database, "later").await, 0);
    served_more(&on_old).await;
    let arguments = ["serve", "--no-migrate"];
    let mut new = Server::serving(Program::start_newer(&arguments, &setup)).await;
    let on_new = on(&new, 1);
    served_more(&on_new).await;
    served_more(&on_old).await;

    // It is rolled back while it serves, and the old one is started again.
    let stopped = Instant::now();
    new.program.signal("TERM");
    assert_eq!(new.program.exit().await.code(), Some(0));
    served_more(&on_old).await;
    assert!(setup.run("migrate").await.status.success());
    let again = Server::start(&setup).await;
    let on_again = on(&again, 2);
    served_more(&on_again).await;

    for load in on_old.into_iter().chain(on_again) {
        all_served(load, None, &database).await;
    }
    for load in on_new {
        all_served(load, Some(stopped), &database).await;
    }
}

/// Asserts that a load's calls were served and what they wrote is kept; what was in flight when a server was
/// stopped, or came later, may have failed.
async fn all_served(load: Load, until: Option<Instant>, database: &Database) {
    let calls = load.end().await;
    for call in &calls.0 {
        // What is read may not be registered yet.
        let early = call.user == "load-0" && call.status == Some(404);
        let late = until.is_some_and(|stopped| call.ended() >= stopped);
        assert!(call.served() || early || late, "{call:?}");
    }
    calls.are_kept(&database.url).await;
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
    let encrypted = match database.url.starts_with("postgres") {
        true => ", not encrypted",
        false => "",
    };
    for part in [
        place,
        &format!("tables of version {migrations}"),
        "2 accounts",
        encrypted,
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
    a_newer_program_comes_and_goes,
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
