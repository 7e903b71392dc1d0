//! `EraseUser` and `ExportUser`, by call and by command, while everything runs.

use serde_json::{Value, json};

use super::harness::{Ended, Program, Server, Setup, admin, end_user, number, until};
use crate::database::Database;

crate::on_both! {
    a_user_is_forgotten_while_everything_runs,
    all_that_is_kept_about_a_user_is_shown,
}

/// What tells of nobody.
const OF_NOBODY: [&str; 5] = [
    "seaql_migrations",
    "schema_version",
    "liveness",
    "cursors",
    "checkpoints",
];

#[tokio::test]
async fn every_table_has_a_row_in_the_page_about_privacy() {
    let database = Database::sqlite().await;
    let ended = Setup::new(&database.url).run("migrate").await;
    assert!(ended.status.success(), "{}", ended.errors);
    let page = include_str!("../../../docs/PRIVACY.md");
    let rows: String = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    let tables = database.tables().await;
    assert!(tables.len() > 8, "{tables:?}");
    for table in tables {
        let told = OF_NOBODY.contains(&table.as_str()) || rows.contains(&format!("`{table}`"));
        assert!(
            told,
            "docs/PRIVACY.md does not say how long {table} is kept"
        );
    }
}

const USER: &str = "usr-kqzzv";
const TRACES: [&str; 6] = [
    USER,
    "Qvarnlund",
    "qvx@example.org",
    "791553311",
    "+4179•••••11",
    "+4179•••••22",
];

async fn plant(server: &Server) {
    let body = json!({
        "userId": USER, "profile": {"givenName": "Zeb", "familyName": "Qvarnlund"},
        "email": {"email": "qvx@example.org"}, "phone": {"phone": "+41791553311"},
    });
    let before = server.inbox("+41791553311").await.len();
    let made = server.post("/v2/users/human", &admin(), body).await;
    assert_eq!(made.status, 200, "{made:?}");
    let message = until("the message", async || {
        let messages = server.inbox("+41791553311").await;
        (messages.len() > before).then(|| messages[0].clone())
    })
    .await;
    let path = format!("/v2/users/{USER}/phone/verify");
    let wrong = json!({"verificationCode": "000000"});
    assert_eq!(server.post(&path, &end_user(USER), wrong).await.status, 400);
    let right = json!({"verificationCode": message["code"]});
    assert_eq!(server.post(&path, &end_user(USER), right).await.status, 200);
    let path = format!("/v2/users/{USER}/phones");
    let second = json!({"phone": "+41791553322"});
    assert_eq!(
        server.post(&path, &end_user(USER), second).await.status,
        200
    );
}

fn left(database: &Database) -> Vec<&'static str> {
    let bytes = database.bytes();
    let has = |text: &str| {
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    TRACES.into_iter().filter(|trace| has(trace)).collect()
}

async fn ended(arguments: &[&str], setup: Option<&Setup>) -> Ended {
    Program::start(arguments, setup).end().await
}

async fn a_user_is_forgotten_while_everything_runs(database: Database) {
    let setup = Setup::new(&database.url);
    let server = Server::start(&setup).await;
    for n in 0..20 {
        // None ends like the user's numbers, whose masks are looked for.
        server.register(&format!("user-{n}"), &number(30 + n)).await;
    }
    let token = admin();
    let by_command: [&[&str]; 3] = [
        &[],
        &["erase", "--user", USER],
        &[
            "erase",
            "--user",
            USER,
            "--org",
            "default",
            "--url",
            &server.base,
            "--token",
            &token,
        ],
    ];
    for arguments in by_command {
        plant(&server).await;
        until("all traces", async || {
            (left(&database).len() == TRACES.len()).then_some(())
        })
        .await;
        match arguments {
            [] => {
                let path = format!("/v2/users/{USER}/erase");
                let denied = server.post(&path, &end_user(USER), json!({})).await;
                assert_eq!(denied.status, 403, "not by themselves: {denied:?}");
                let erased = server.post(&path, &admin(), json!({})).await;
                assert_eq!(erased.status, 200, "{erased:?}");
                assert_eq!(erased.body["organizationId"], "default");
            }
            _ => {
                let setup = (!arguments.contains(&"--url")).then_some(&setup);
                let ended = ended(arguments, setup).await;
                assert!(ended.status.success(), "{}", ended.errors);
                assert_eq!(ended.output, format!("{USER} is forgotten\n"));
            }
        }
        // Whoever reads SQLite's log keeps it for a moment.
        until("the end of all traces", async || {
            left(&database).is_empty().then_some(())
        })
        .await;
        let gone = server.get(&format!("/v2/users/{USER}"), &admin()).await;
        assert_eq!(gone.status, 404);
    }
    assert_eq!(database.events(&["account.erased"]).await, 3);
    assert_eq!(database.events(&["ringback erase"]).await, 1);
    let again = server
        .post(&format!("/v2/users/{USER}/erase"), &admin(), json!({}))
        .await;
    assert_eq!(again.status, 200, "{again:?}");
    let missing = ended(&["erase"], Some(&setup)).await;
    assert_eq!(missing.status.code(), Some(2), "{}", missing.errors);
}

async fn all_that_is_kept_about_a_user_is_shown(database: Database) {
    let setup = Setup::new(&database.url);
    let server = Server::start(&setup).await;
    plant(&server).await;
    let waiting = "messages WHERE due_at IS NOT NULL";
    until("both messages", async || {
        (database.count(waiting).await == 0).then_some(())
    })
    .await;
    let path = format!("/v2/users/{USER}/export");
    let shown = server.get(&path, &admin()).await;
    assert_eq!(shown.status, 200, "{shown:?}");
    let body = &shown.body;
    assert_eq!(body["profile"]["familyName"], "Qvarnlund");
    assert_eq!(body["phones"][0]["phone"], "+41791553311");
    assert_eq!(body["challenges"].as_array().map(Vec::len), Some(1));
    assert_eq!(body["messages"].as_array().map(Vec::len), Some(2));
    let kinds = |body: &Value| -> Vec<String> {
        let events = body["events"].as_array().expect("events").iter();
        events
            .map(|event| event["kind"].as_str().expect("a kind").to_owned())
            .collect()
    };
    assert_eq!(
        kinds(body).first().map(String::as_str),
        Some("account.registered")
    );
    assert_eq!(body["events"][0]["actor"], "operator");
    let message = server.inbox("+41791553322").await.pop().expect("a message");
    let code = message["code"].as_str().expect("a code");
    assert!(!body.to_string().contains(code), "no code");
    // Users see their own, and not who works for whom.
    let own = server.get(&path, &end_user(USER)).await;
    assert_eq!(own.status, 200, "{own:?}");
    assert_eq!(kinds(&own.body), kinds(body));
    assert!(!own.body.to_string().contains("operator"), "{:?}", own.body);
    assert_eq!(server.get(&path, &end_user("other")).await.status, 404);

    let token = admin();
    let by_url = [
        "export",
        "--user",
        USER,
        "--url",
        &server.base,
        "--token",
        &token,
    ];
    let by_url = ended(&by_url, None).await;
    assert!(by_url.status.success(), "{}", by_url.errors);
    let by_database = ended(&["export", "--user", USER], Some(&setup)).await;
    assert!(by_database.status.success(), "{}", by_database.errors);
    let read = |ended: &Ended| -> Value { serde_json::from_str(&ended.output).expect("JSON") };
    assert_eq!(read(&by_url), read(&by_database));
    assert_eq!(read(&by_url)["profile"], body["profile"]);
    assert_eq!(kinds(&read(&by_url)), kinds(body));
    ended(&["export", "--user", "nobody"], Some(&setup))
        .await
        .refuses(&["user nobody"]);
}
