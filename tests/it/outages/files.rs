//! SQLite's files: who may read them, and copies of them that are made while they are written.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;

use super::load::{Ask, Load};
use crate::process::harness::{
    Program, Server, Setup, admin, dev_json, fresh_data, number, run, until,
};

/// Callers that register while a copy is made.
const CALLERS: usize = 4;

fn mode(path: &Path) -> u32 {
    let metadata = fs::metadata(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    metadata.permissions().mode() & 0o777
}

/// The database, its log and the log's index.
fn files(database: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|end| PathBuf::from(format!("{}{end}", database.display())))
}

fn setup(database: &Path) -> Setup {
    Setup::new(&format!("sqlite:{}", database.display()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_their_owners_alone_on_sqlite() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let database = directory.path().join("ringback.db");
    let setup = setup(&database);
    let mut server = Server::start(&setup).await;
    server.register("ann", &number(1)).await;
    for file in files(&database) {
        assert_eq!(mode(&file), 0o600, "{file:?}");
    }

    // As an older version left them, the log included: it was killed.
    server.program.kill();
    for file in files(&database) {
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("a mode");
    }
    let server = Server::start(&setup).await;
    server.register("bob", &number(2)).await;
    for file in files(&database) {
        assert_eq!(mode(&file), 0o600, "{file:?}");
    }
    for user in ["ann", "bob"] {
        let answer = server.get(&format!("/v2/users/{user}"), &admin()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_holds_what_was_acknowledged_on_sqlite() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let database = directory.path().join("ringback.db");
    let copy = directory.path().join("copy.db");
    let name = copy.to_str().expect("a path in UTF-8");
    let server = Server::start(&setup(&database)).await;
    let load = Load::start(&server.base, Ask::Register, CALLERS, 0);
    until("users", async || (load.served() >= 100).then_some(())).await;

    let backup = || Program::start(&["backup", name], Some(&setup(&database)));
    let began = Instant::now();
    let ended = backup().end().await;
    assert!(ended.status.success(), "{}", ended.errors);
    let served = load.served();
    until("users after the copy", async || {
        (load.served() > served).then_some(())
    })
    .await;
    let calls = load.end().await;
    for call in &calls.0 {
        assert!(call.served(), "a copy holds nobody up: {call:?}");
    }
    assert_eq!(mode(&copy), 0o600);
    for beside in &files(&copy)[1..] {
        assert!(!beside.exists(), "the copy is one file: {beside:?}");
    }

    // It replaces nothing.
    let size = fs::metadata(&copy).expect("the copy").len();
    backup().end().await.refuses(&[name, "exists"]);
    assert_eq!(fs::metadata(&copy).expect("the copy").len(), size);

    let second = Server::start(&setup(&copy)).await;
    let before = calls.0.iter().filter(|call| call.ended() < began);
    let mut count = 0;
    for call in before {
        let path = format!("/v2/users/{}", call.user);
        let answer = second.get(&path, &admin()).await;
        assert_eq!(answer.status, 200, "{call:?}: {answer:?}");
        count += 1;
    }
    assert!(count >= 100, "{count}");
    second.register("someone-else", &number(900_000)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_directory_is_copied_on_sqlite() {
    let (directory, data) = fresh_data();
    let server = Server::dev(&data, None).await;
    let described = dev_json(&data).expect("dev.json");
    let token = described["adminToken"].as_str().expect("a token");
    let body = json!({"userId": "ann", "phone": {"phone": number(1), "returnCode": {}}});
    let answer = server.post("/v2/users/human", token, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    for file in files(&data.join("ringback.db")) {
        assert_eq!(mode(&file), 0o600, "{file:?}");
    }

    // As an operator does it: the copy of the database, and the keys beside it.
    let second = directory.path().join("second");
    fs::create_dir(&second).expect("a directory");
    let copy = second.join("ringback.db");
    let name = copy.to_str().expect("a path in UTF-8");
    let from = data.to_str().expect("a path in UTF-8");
    let ended = run(&["backup", name, "--data-dir", from]).await;
    assert!(ended.status.success(), "{}", ended.errors);
    assert_eq!(mode(&copy), 0o600);
    run(&["backup", name, "--data-dir", from])
        .await
        .refuses(&[name, "exists"]);
    fs::copy(data.join("keys.json"), second.join("keys.json")).expect("copying");
    let server = Server::dev(&second, None).await;
    let user = server.get("/v2/users/ann", token).await;
    assert_eq!(user.status, 200, "{user:?}");
}

#[tokio::test]
async fn a_copy_of_nothing_is_refused() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let database = directory.path().join("none.db");
    let copy = directory.path().join("copy.db");
    let name = copy.to_str().expect("a path in UTF-8");
    let ended = Program::start(&["backup", name], Some(&setup(&database)));
    ended.end().await.refuses(&["none.db"]);
    assert!(!database.exists() && !copy.exists(), "nothing was made");
}
