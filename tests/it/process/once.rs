//! One idempotency key from many callers at once, over two processes: one change, one text, one answer.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::http::Method;
use serde_json::json;
use tokio::task::JoinSet;

use super::harness::{Server, Setup, admin, number};
use crate::database::Database;

crate::on_both!(
    one_key_from_fifty_callers_is_one_text_and_fifty_equal_answers,
    a_returned_code_is_answered_again_and_kept_sealed,
    a_deadline_ends_the_wait_and_not_the_call,
);

const CALLERS: usize = 50;

/// Status, whether it was given before, and the body.
type Answered = (u16, bool, String);

async fn ask(base: &str, path: &str, key: &str, body: serde_json::Value) -> Answered {
    let client = reqwest::Client::builder().no_proxy().build();
    let request = client
        .expect("a client")
        .request(Method::POST, format!("{base}{path}"));
    let request = request.bearer_auth(admin()).header("idempotency-key", key);
    let answer = request.json(&body).send().await.expect("an answer");
    let replayed = answer.headers().contains_key("idempotency-replayed");
    let status = answer.status().as_u16();
    (status, replayed, answer.text().await.expect("a body"))
}

async fn one_key_from_fifty_callers_is_one_text_and_fifty_equal_answers(database: Database) {
    let setup = Setup::new(&database.url);
    let servers = [Server::start(&setup).await, Server::start(&setup).await];
    let user = json!({"userId": "ann"});
    assert_eq!(
        servers[0]
            .post("/v2/users/human", &admin(), user)
            .await
            .status,
        200
    );
    let bases: Arc<Vec<String>> = Arc::new(servers.iter().map(|one| one.base.clone()).collect());
    let mut callers = JoinSet::new();
    for n in 0..CALLERS {
        let bases = bases.clone();
        callers.spawn(async move {
            let body = json!({"phone": number(1), "sendCode": {}});
            ask(&bases[n % 2], "/v2/users/ann/phone", "one", body).await
        });
    }
    let told: Vec<Answered> = callers.join_all().await;
    let answers: BTreeSet<_> = told
        .iter()
        .map(|(status, _, body)| (*status, body))
        .collect();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert!(told.iter().all(|(status, ..)| *status == 200), "{told:?}");
    let replayed = told.iter().filter(|(_, replayed, _)| *replayed).count();
    assert_eq!(replayed, CALLERS - 1);
    // What is on record has left the table of new events in the same write.
    let sent = "(SELECT kind FROM events UNION ALL SELECT kind FROM journal) AS all_of_them \
                WHERE kind = 'phone.code_sent'";
    assert_eq!(database.count(sent).await, 1);
    let mut texts = 0;
    for _ in 0..50 {
        texts = 0;
        for server in &servers {
            texts += server.inbox(&number(1)).await.len();
        }
        if texts > 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(texts, 1);
    // Another path is another call, which meets the pause.
    let body = json!({"userId": "ann", "phone": number(1), "sendCode": {}});
    let path = "/zitadel.user.v2.UserService/SetPhone";
    let (status, replayed, text) = ask(&servers[0].base, path, "one", body).await;
    assert!(status != 200 && !replayed, "{status} {text}");
}

async fn a_deadline_ends_the_wait_and_not_the_call(database: Database) {
    let server = Server::start(&Setup::new(&database.url)).await;
    let path = "/zitadel.user.v2.UserService/AddHumanUser";
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.expect("a client");
    let (mut late, mut replayed) = (0, 0);
    for n in 0..60 {
        let key = format!("key-{n}");
        let body = json!({"userId": format!("user-{n}")});
        let request = client.post(format!("{}{path}", server.base));
        let request = request.bearer_auth(admin()).header("idempotency-key", &key);
        let request = request.header("connect-timeout-ms", (n % 3 + 1).to_string());
        let first = request.json(&body).send().await.expect("an answer");
        late += usize::from(first.status() == 504);
        // Whatever the first caller was told, the next one hears what came of it.
        let (status, again, text) = ask(&server.base, path, &key, body).await;
        assert_eq!(status, 200, "{n}: {text}");
        replayed += usize::from(again);
    }
    assert!(late > 0, "no call was late");
    assert_eq!(replayed, 60);
}

async fn a_returned_code_is_answered_again_and_kept_sealed(database: Database) {
    let setup = Setup::new(&database.url);
    let servers = [Server::start(&setup).await, Server::start(&setup).await];
    let body = json!({"userId": "ann", "phone": {"phone": number(1), "returnCode": {}}});
    let path = "/v2/users/human";
    let (status, _, first) = ask(&servers[0].base, path, "two", body.clone()).await;
    assert_eq!(status, 200, "{first}");
    let (status, replayed, again) = ask(&servers[1].base, path, "two", body).await;
    assert_eq!((status, replayed, &again), (200, true, &first));
    let told: serde_json::Value = serde_json::from_str(&first).expect("JSON");
    let code = told["phoneCode"].as_str().expect("a code");
    let dump = database.dump().await;
    let kept: Vec<&str> = dump
        .lines()
        .filter(|line| line.starts_with("idempotency "))
        .collect();
    assert_eq!(kept.len(), 1);
    assert!(!kept[0].contains(code) && kept[0].len() > 40, "{kept:?}");
    for server in &servers {
        assert!(!server.program.printed().contains(code));
    }
}
