//! `ringback dev` and its data directory: who may read it, and what a second start finds.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use super::harness::{Server, dev_json, fresh_data, number, run, until};
use crate::database::Database;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it exists").permissions().mode() & 0o777
}

fn admin_token(data: &Path) -> String {
    let found = dev_json(data).expect("dev.json");
    found["adminToken"].as_str().expect("a token").to_owned()
}

async fn a_second_start_finds_everything(database: Option<Database>) {
    let (_directory, data) = fresh_data();
    let url = database.as_ref().map(|database| database.url.as_str());
    let mut server = Server::dev(&data, url).await;
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("keys.json")), 0o600);
    assert_eq!(mode(&data.join("dev.json")), 0o600);
    let described = dev_json(&data).expect("dev.json");
    assert_eq!(described["baseUrl"], server.base.as_str());
    for key in ["clientId", "secret"] {
        assert!(
            described["vendor"][key]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
    }

    let token = admin_token(&data);
    let body = json!({"userId": "ann", "phone": {"phone": number(1), "returnCode": {}}});
    let answer = server.post("/v2/users/human", &token, body).await;
    let code = answer.body["phoneCode"]
        .as_str()
        .expect("a code")
        .to_owned();
    server.program.signal("INT");
    assert_eq!(
        server.program.exit().await.code(),
        Some(0),
        "{}",
        server.program.printed()
    );

    // Same accounts, same code key, same token key.
    let server = Server::dev(&data, url).await;
    let body = json!({"verificationCode": code});
    let answer = server
        .post("/v2/users/ann/phone/verify", &token, body)
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let user = server.get("/v2/users/ann", &admin_token(&data)).await;
    assert_eq!(
        user.body["user"]["human"]["phone"]["isVerified"], true,
        "{user:?}"
    );
    assert_eq!(
        dev_json(&data).expect("dev.json")["vendor"],
        described["vendor"]
    );
    assert_eq!(mode(&data.join("dev.json")), 0o600);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_start_finds_everything_on_sqlite() {
    a_second_start_finds_everything(None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_start_finds_everything_on_postgres() {
    a_second_start_finds_everything(Some(Database::postgres().await)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_printed_token_opens_the_doors() {
    let (_directory, data) = fresh_data();
    let server = Server::dev(&data, None).await;
    let path = data.to_str().expect("a path");
    let printed = run(&["token", "--data-dir", path, "--sub", "ann"]).await;
    assert!(printed.status.success(), "{}", printed.errors);
    assert_eq!(printed.errors, "");
    let token = printed.output.strip_suffix('\n').expect("a line");
    let alphabet = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    assert!(
        token.chars().all(alphabet),
        "the token and nothing else: {token}"
    );

    let body = json!({"phone": number(1)});
    let answer = server
        .post("/v2/users/ann/phone", token, body.clone())
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let message = until("a message", async || server.inbox(&number(1)).await.pop()).await;
    let body = json!({"verificationCode": message["code"]});
    let answer = server.post("/v2/users/ann/phone/verify", token, body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let body = json!({"phone": number(2), "isVerified": true});
    let answer = server
        .post("/v2/users/ann/phone", token, body.clone())
        .await;
    assert_eq!(
        answer.status, 403,
        "an end user proves nothing by saying so: {answer:?}"
    );

    let more = [
        "token",
        "--data-dir",
        path,
        "--sub",
        "ann",
        "--permission",
        "user.write",
    ];
    let printed = run(&more).await;
    let answer = server
        .post("/v2/users/ann/phone", printed.output.trim(), body)
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_has_one_dev() {
    let (_directory, data) = fresh_data();
    let server = Server::dev(&data, None).await;
    let before = dev_json(&data);
    let (_other, elsewhere) = fresh_data();
    for dir in [&elsewhere, &data] {
        let path = dir.to_str().expect("a path");
        let ended = run(&["dev", "--listen", server.address(), "--data-dir", path]).await;
        ended.refuses(&["cannot listen on", server.address()]);
    }
    assert_eq!(
        dev_json(&data),
        before,
        "dev.json speaks of the one that runs"
    );
    assert_eq!(
        server
            .get("/v2/users/none", &admin_token(&data))
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn a_page_shows_what_runs_to_this_machine_only() {
    let (_directory, data) = fresh_data();
    let server = Server::dev(&data, None).await;
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.expect("a client");
    let get = |path: &str| client.get(format!("{}{path}", server.base));
    let page = get("/").send().await.expect("an answer");
    assert_eq!(page.status(), 200);
    let page = page.text().await.expect("a page");
    assert!(page.contains("/console/app.js"), "{page}");
    assert!(!page.contains(&admin_token(&data)));
    let about = get("/dev/about").send().await.expect("an answer");
    let about: serde_json::Value = about.json().await.expect("JSON");
    assert_eq!(about["token"], admin_token(&data));
    let through = get("/dev/about").header("x-forwarded-for", "192.0.2.1");
    let refused = through.send().await.expect("an answer");
    assert_eq!(refused.status(), 403);
    let told = refused.text().await.expect("a text");
    assert!(!told.contains(&admin_token(&data)));
}
