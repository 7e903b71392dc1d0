//! `ringback export` and `ringback import`: whole, beside a server, and killed in the middle.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::harness::{Ended, Program, Server, Setup, admin, end_user, number, until};
use crate::database::Database;

crate::on_both! {
    an_import_that_is_killed_is_started_again_and_exported_alike,
    users_move_to_another_installation,
    what_is_wrong_with_a_file_is_said,
}

/// More than one page and many batches.
const USERS: usize = 10_000;

/// Users of every sort, an object a line, in the order of an export.
fn users(count: usize) -> String {
    let mut all: Vec<(String, Value)> = (0..count).map(user).collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all.into_iter()
        .map(|(_, user)| format!("{user}\n"))
        .collect()
}

fn user(n: usize) -> (String, Value) {
    let id = format!("user-{}", n * 7_919 % 100_003);
    let date = |second: usize| format!("2024-05-{:02}T10:20:{:02}.{:06}Z", n % 28 + 1, second, n);
    let phone = |nth: usize, primary: bool| {
        let verified = nth == 0 && !n.is_multiple_of(3);
        let mut phone = json!({
            "phone": number((n + nth * 200_003) % 1_000_000), "isPrimary": primary,
            "isVerified": verified, "creationDate": date(nth), "changeDate": date(nth + 10),
        });
        match (nth, verified) {
            (4, _) => phone["pending"] = "joins".into(),
            (_, true) => phone["verificationDate"] = date(nth + 10).into(),
            _ => {}
        }
        phone
    };
    let phones: Vec<Value> = (0..n % 6)
        .map(|nth| phone(nth, nth == 0 && !n.is_multiple_of(5)))
        .collect();
    let user = json!({
        "organizationId": if n.is_multiple_of(4) { "acme" } else { "default" }, "userId": id,
        "username": format!("name, {n}"), "givenName": if n.is_multiple_of(7) { "=1+1" } else { "'Ann" }, "familyName": "\"Ex\"\n",
        "preferredLanguage": "de", "gender": n % 4, "email": format!("{n}@example.com"),
        "isEmailVerified": n.is_multiple_of(2), "creationDate": date(0), "changeDate": date(20),
        "sequence": n + 1, "phones": phones,
    });
    (id, user)
}

fn file(name: &str, content: &str) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join(name);
    fs::write(&path, content).expect("a file");
    (directory, path)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

/// Another database of the same sort.
async fn another(database: &Database) -> (Database, Setup) {
    let other = database.another().await;
    let setup = Setup::new(&other.url);
    migrate(&setup).await;
    (other, setup)
}

async fn migrate(setup: &Setup) {
    let ended = setup.run("migrate").await;
    assert!(ended.status.success(), "{}", ended.errors);
}

#[track_caller]
fn done(ended: &Ended) -> &str {
    assert!(ended.status.success(), "{}{}", ended.output, ended.errors);
    &ended.output
}

async fn export(setup: &Setup, format: &str) -> String {
    let ended = setup.run_with(&["export", "--format", format]).await;
    done(&ended).to_owned()
}

async fn an_import_that_is_killed_is_started_again_and_exported_alike(database: Database) {
    let setup = Setup::new(&database.url);
    migrate(&setup).await;
    let (_directory, source) = file("users.ndjson", &users(USERS));
    let import = ["import", text(&source)];
    let mut program = Program::start(&import, Some(&setup));
    until("some users", async || {
        (database.count("accounts").await > 1_000).then_some(())
    })
    .await;
    program.kill();
    let there = database.count("accounts").await;
    assert!(there < USERS, "killed too late");
    assert_eq!(
        database.count("events").await,
        there,
        "a batch is whole or not there"
    );

    let ended = setup.run_with(&import).await;
    let added = USERS - there;
    let told = format!("{added} added, {there} there already, 0 skipped, 0 wrong\n");
    assert_eq!(done(&ended), told);
    let ended = setup.run_with(&import).await;
    assert_eq!(
        done(&ended),
        format!("0 added, {USERS} there already, 0 skipped, 0 wrong\n")
    );

    let first = export(&setup, "ndjson").await;
    assert_eq!(first.lines().count(), USERS);
    for form in ["ndjson", "csv"] {
        let (directory, _) = file("unused", "");
        let moved = directory.path().join("export");
        let ended = setup
            .run_with(&["export", "--format", form, "--output", text(&moved)])
            .await;
        done(&ended);
        let mode = fs::metadata(&moved).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let (_database, other) = another(&database).await;
        done(&other.run_with(&["import", text(&moved)]).await);
        assert!(
            export(&other, "ndjson").await == first,
            "another after {form}"
        );
        if form == "csv" {
            let whole = fs::read_to_string(&moved).expect("the file");
            assert!(export(&other, form).await == whole, "another table");
        }
    }
}

async fn users_move_to_another_installation(database: Database) {
    let setup = Setup::new(&database.url);
    let server = Server::start(&setup).await;
    let code = server.register("ann", &number(1)).await;
    assert_eq!(server.verify("ann", &code).await.status, 200);
    server.register("bob", &number(2)).await;
    let add = json!({"phone": number(3)});
    let path = "/v2/users/ann/phones/preverify";
    assert_eq!(server.post(path, &end_user("ann"), add).await.status, 200);
    let before = server.get("/v2/users/ann/phone", &admin()).await.body;
    // Both run while the servers do.
    let exported = export(&setup, "ndjson").await;
    assert_eq!(exported.lines().count(), 2, "{exported}");
    let (_directory, moved) = file("users", &exported);
    let (other_database, other) = another(&database).await;
    let there = Server::start(&other).await;
    done(&other.run_with(&["import", text(&moved), "--dry-run"]).await);
    assert_eq!(other_database.count("accounts").await, 0);
    let ended = other.run_with(&["import", text(&moved)]).await;
    assert_eq!(
        done(&ended),
        "2 added, 0 there already, 0 skipped, 0 wrong\n"
    );
    let after = there.get("/v2/users/ann/phone", &admin()).await.body;
    assert_eq!(after, before);
    assert_eq!(
        other_database
            .events(&["account.imported", "ringback import"])
            .await,
        2
    );
    // They go on as users do.
    let set = json!({"phone": number(4), "returnCode": {}});
    assert_eq!(
        there
            .post("/v2/users/bob/phone", &admin(), set)
            .await
            .status,
        200
    );
    let ended = other.run_with(&["import", text(&moved)]).await;
    assert_eq!(
        done(&ended),
        "0 added, 1 there already, 1 skipped, 0 wrong\n"
    );
    assert!(ended.errors.contains("line 2: skipped"), "{}", ended.errors);
    // An organisation alone.
    let ended = other.run_with(&["export", "--org", "nowhere"]).await;
    assert_eq!(done(&ended), "");
    let lines = "{\"userId\":\"cleo\"}\n";
    let (_directory, lines) = file("cleo", lines);
    done(
        &other
            .run_with(&["import", text(&lines), "--org", "elsewhere"])
            .await,
    );
    let ended = other.run_with(&["export", "--org", "elsewhere"]).await;
    assert!(
        done(&ended).contains("\"userId\":\"cleo\""),
        "{}",
        ended.output
    );
}

async fn what_is_wrong_with_a_file_is_said(database: Database) {
    let setup = Setup::new(&database.url);
    let ended = setup.run_with(&["import", "missing.ndjson"]).await;
    ended.refuses(&["missing.ndjson"]);
    let lines = concat!(
        "{\"userId\":\"ann\",\"phones\":[{\"phone\":\"+41791234567\"}]}\n",
        "{\"userId\":\"bob\",\"phones\":[{\"phone\":\"+41791230000 ext 3\"}]}\n",
        "nonsense +41791230001\n",
        "{\"userId\":\"cleo\"}\n",
    );
    let (_directory, lines) = file("users.ndjson", lines);
    let ended = setup.run_with(&["import", text(&lines)]).await;
    ended.refuses(&["run `ringback migrate`"]);
    migrate(&setup).await;
    let ended = setup.run_with(&["import", text(&lines)]).await;
    ended.refuses(&[
        "line 2: number 1: the phone number has an extension",
        "line 3: is not JSON",
        ": 2 users;",
    ]);
    assert_eq!(
        ended.output,
        "2 added, 0 there already, 0 skipped, 2 wrong\n"
    );
    assert!(!ended.errors.contains("791230"), "{}", ended.errors);
    let (_directory, odd) = file("odd.txt", "hello\n");
    setup
        .run_with(&["import", text(&odd)])
        .await
        .refuses(&["--format", "docs/MOVING.md"]);
    let ended = setup
        .run_with(&["import", text(&odd), "--format", "excel"])
        .await;
    assert_eq!(ended.status.code(), Some(2), "{}", ended.errors);
    setup
        .run_with(&["export", "--output", text(&lines)])
        .await
        .refuses(&["exists already"]);
}
