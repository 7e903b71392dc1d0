//! Starts that are refused say what is wrong, by key, and show no secret; `check` and `migrate` too.

use serde_json::json;
use tokio::net::TcpListener;

use super::harness::{Program, Server, Setup, admin, number, run, until};
use super::receiver::Receiver;
use crate::database::Database;

/// A configuration whose database is never reached, because something else is wrong.
fn setup() -> Setup {
    Setup::new("sqlite:unused.db")
}

#[tokio::test]
async fn a_missing_key_is_named() {
    for (key, says) in [
        ("secrets.code_keys.1", "secrets.code_keys"),
        ("secrets.pseudonym_key", "secrets.pseudonym_key"),
        ("auth.issuers", "auth.issuers"),
        ("auth.issuers.main.audiences", "auth.issuers.main.audiences"),
    ] {
        setup()
            .without(key)
            .run("serve")
            .await
            .refuses(&[says, "missing"]);
    }
    let ended = setup().without("sms.routes").run("serve").await;
    ended.refuses(&["sms.routes", "at least one route"]);
    // Everything at once, and without any file.
    let keys = [
        "secrets.code_keys",
        "secrets.pseudonym_key",
        "auth.issuers",
        "sms.routes",
    ];
    run(&["serve"]).await.refuses(&keys);
}

#[tokio::test]
async fn an_unknown_key_is_named() {
    let ended = setup()
        .with("server.lisen", "127.0.0.1:0")
        .run("serve")
        .await;
    ended.refuses(&["server.lisen", "ringback.toml"]);
    let ended = setup()
        .with_variable("RINGBACK_SERVER__LISEN", "hunter2")
        .run("serve")
        .await;
    ended.refuses(&["RINGBACK_SERVER__LISEN"]);
    let ended = setup()
        .with_variable("RINGBACK_LISTEN", "hunter2")
        .run("serve")
        .await;
    ended.refuses(&["RINGBACK_LISTEN"]);
    for subcommand in ["worker", "migrate", "check"] {
        let ended = setup().with("sms.rutes", json!([])).run(subcommand).await;
        ended.refuses(&["sms.rutes"]);
    }
}

#[tokio::test]
async fn a_wrong_secret_is_named_and_not_shown() {
    let ended = setup()
        .with("secrets.code_keys.1", "hunter2")
        .run("serve")
        .await;
    ended.refuses(&["secrets.code_keys.1", "base64"]);
    let ended = setup()
        .with("auth.issuers.main.secret", "hunter2")
        .run("serve")
        .await;
    ended.refuses(&["auth.issuers.main.secret", "32"]);
    let webhook = setup().with_webhook("https://sms.example.com/");
    let ended = webhook
        .with("sms.routes.relay.secrets", json!(["hunter2"]))
        .run("serve")
        .await;
    ended.refuses(&["sms.routes.relay", "secret"]);
    for subcommand in ["serve", "check"] {
        let loud = setup().with("log.level", "loud");
        loud.run(subcommand)
            .await
            .refuses(&["log.level: is no log filter"]);
    }
    let ended = run(&["serve", "--config", "nowhere.toml"]).await;
    ended.refuses(&["nowhere.toml"]);
}

#[tokio::test]
async fn a_database_that_is_away_is_named_without_its_password() {
    // Held and not listened on, so that nobody else can begin to.
    let taken = tokio::net::TcpSocket::new_v4().expect("a socket");
    taken
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("a port");
    let away = taken.local_addr().expect("an address").to_string();
    let url = format!("postgres://ringback:hunter2@{away}/numbers");
    for subcommand in ["serve", "worker", "migrate", "check"] {
        let ended = setup()
            .with("database.url", url.as_str())
            .run(subcommand)
            .await;
        ended.refuses(&["database", &away]);
    }
    for (url, says) in [
        (
            "sqlite:no/such/directory/ringback.db",
            "no/such/directory/ringback.db",
        ),
        ("mysql://ringback:hunter2@localhost/numbers", "database.url"),
        // No address at all, and one whose password should have been encoded.
        (
            "postgres://ringback:hunter2@localhost:port/numbers",
            "postgres://localhost:port/numbers",
        ),
        (
            "postgres://ringback:hunter2/@localhost/numbers",
            "database.url",
        ),
        (
            "postgres://localhost/numbers?password=@hunter2",
            "database.url",
        ),
        ("sqlite::memory:", "sqlite::memory:"),
    ] {
        setup()
            .with("database.url", url)
            .run("serve")
            .await
            .refuses(&["database", says]);
    }
}

#[tokio::test]
async fn dev_stays_on_this_machine() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let data = directory.path().join("data");
    for listen in ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:8080"] {
        let path = data.to_str().expect("a path");
        let ended = run(&["dev", "--listen", listen, "--data-dir", path]).await;
        ended.refuses(&["--listen", listen, "ringback serve"]);
        assert!(!data.exists(), "nothing was begun");
    }
}

#[tokio::test]
async fn a_token_needs_a_directory_that_dev_made() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for data in [directory.path().to_owned(), directory.path().join("none")] {
        let path = data.to_str().expect("a path");
        let ended = run(&["token", "--data-dir", path, "--sub", "ann"]).await;
        ended.refuses(&["ringback dev --data-dir", path]);
        assert_eq!(ended.output, "");
    }
    assert_eq!(
        std::fs::read_dir(directory.path())
            .expect("a directory")
            .count(),
        0
    );
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let database = Database::sqlite().await;
    let setup = Setup::new(&database.url).with("server.listen", address.as_str());
    setup
        .run("serve")
        .await
        .refuses(&["cannot listen on", &address]);
    let setup = Setup::new(&database.url).with("metrics.listen", address.as_str());
    setup
        .run("serve")
        .await
        .refuses(&["metrics.listen", &address]);
}

#[tokio::test]
async fn every_subcommand_explains_itself() {
    for subcommand in ["dev", "serve", "worker", "migrate", "check", "token"] {
        let ended = run(&[subcommand, "--help"]).await;
        assert!(ended.status.success(), "{subcommand}: {}", ended.errors);
        assert!(
            ended.output.contains(&format!("ringback {subcommand}")),
            "{}",
            ended.output
        );
    }
    let ended = run(&["--help"]).await;
    for subcommand in ["dev", "serve", "worker", "migrate", "check", "token"] {
        assert!(ended.output.contains(subcommand), "{}", ended.output);
    }
    let ended = run(&["--version"]).await;
    assert_eq!(
        ended.output.trim(),
        concat!("ringback ", env!("CARGO_PKG_VERSION"))
    );
    let ended = run(&["serve", "--no-such-flag"]).await;
    assert_eq!(ended.status.code(), Some(2), "{}", ended.errors);
}

async fn check_says_what_is_wrong_and_sends_nothing(database: Database) {
    let receiver = Receiver::answering().await;
    let setup = Setup::new(&database.url).with_webhook(&receiver.url);
    let ended = setup.run("migrate").await;
    assert!(ended.status.success(), "{}", ended.errors);

    // A message that waits, so that there would be something to send.
    let server = Server::start_with(&["serve", "--no-worker"], &setup).await;
    let body = json!({"userId": "ann", "phone": {"phone": number(1)}});
    assert_eq!(
        server.post("/v2/users/human", &admin(), body).await.status,
        200
    );
    drop(server);
    let ended = setup.run("check").await;
    assert!(ended.status.success(), "{}", ended.errors);
    for part in [
        "configuration: ok",
        "messages: ok: 36 languages, en for readers of others",
        "database: ok",
        "issuer main: ok",
        "route relay: ok",
    ] {
        assert!(ended.output.contains(part), "not {part}: {}", ended.output);
    }
    assert_eq!(receiver.taken().len(), 0);
    assert_eq!(database.count("messages WHERE due_at IS NOT NULL").await, 1);

    let taken = tokio::net::TcpSocket::new_v4().expect("a socket");
    taken
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("a port");
    let away = taken.local_addr().expect("an address").to_string();
    let nobody = setup
        .clone()
        .with_webhook(&format!("http://{away}/sms"))
        .without("auth.issuers.main.secret")
        .with("auth.issuers.main.algorithms", json!(["RS256"]))
        .with("auth.issuers.main.jwks_url", format!("http://{away}/keys"));
    let ended = nobody.run("check").await;
    ended.refuses(&["route relay", "issuer main", &away]);
    assert!(
        ended.output.contains("database: ok"),
        "all is looked at: {}",
        ended.output
    );
}

async fn migrate_needs_only_a_database(database: Database) {
    let setup = Setup::new(&database.url)
        .without("secrets")
        .without("auth")
        .without("sms");
    for _ in 0..2 {
        let ended = setup.run("migrate").await;
        assert!(ended.status.success(), "{}", ended.errors);
    }
    assert_eq!(database.dump().await, "");
}

async fn a_worker_delivers_what_another_process_accepted(database: Database) {
    let receiver = Receiver::answering().await;
    let setup = Setup::new(&database.url).with_webhook(&receiver.url);
    let server = Server::start_with(&["serve", "--no-worker"], &setup).await;
    let body = json!({"userId": "ann", "phone": {"phone": number(1)}});
    assert_eq!(
        server.post("/v2/users/human", &admin(), body).await.status,
        200
    );
    assert_eq!(database.count("messages WHERE due_at IS NOT NULL").await, 1);

    // A worker accepts no token and needs no issuer.
    let mut worker = Program::start(&["worker"], Some(&setup.without("auth")));
    until("the message", async || {
        assert!(worker.running(), "ended: {}", worker.printed());
        (!receiver.taken().is_empty()).then_some(())
    })
    .await;
    until("no message that waits", async || {
        (database.count("messages WHERE due_at IS NOT NULL").await == 0).then_some(())
    })
    .await;
    let taken = receiver.taken();
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0].to, number(1));
    assert_eq!(server.verify("ann", &taken[0].code).await.status, 200);
    worker.signal("TERM");
    assert_eq!(worker.exit().await.code(), Some(0), "{}", worker.printed());
}

crate::on_both!(
    check_says_what_is_wrong_and_sends_nothing,
    migrate_needs_only_a_database,
    a_worker_delivers_what_another_process_accepted,
);
