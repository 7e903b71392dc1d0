//! SIGKILL in the middle of work: what was acknowledged is there, and what was claimed still goes out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt;
use reqwest::Method;
use sea_orm::{ConnectionTrait, Database as Connection, Statement};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::harness::{Server, Setup, admin, number, until};
use super::receiver::{Receiver, Taken};
use crate::database::Database;

/// What was acknowledged for a user, the last word only.
#[derive(Clone, Debug)]
struct Acknowledged {
    number: String,
    code: String,
    sequence: u64,
    verified: bool,
}

async fn acknowledged_work_survives(database: Database) {
    const TASKS: usize = 16;
    const ENOUGH: usize = 200;
    let setup = Setup::new(&database.url);
    let mut server = Server::start(&setup).await;
    let (acknowledge, mut acknowledgements) = mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (base, acknowledge) = (server.base.clone(), acknowledge.clone());
        tasks.spawn(async move {
            // Each task stops at the first call that gets no answer.
            let client = reqwest::Client::builder()
                .no_proxy()
                .build()
                .expect("a client");
            for turn in 0.. {
                let n = turn * TASKS + task;
                if flow(&client, &base, n, &acknowledge).await.is_err() {
                    return;
                }
            }
        });
    }
    drop(acknowledge);
    let mut known: BTreeMap<usize, Acknowledged> = BTreeMap::new();
    let mut count = 0;
    while let Some((n, word)) = acknowledgements.recv().await {
        known.insert(n, word);
        count += 1;
        if count == ENOUGH {
            server.program.kill();
        }
    }
    tasks.join_all().await;
    assert!(count >= ENOUGH, "the load ended before the kill: {count}");

    let server = Arc::new(Server::start(&setup).await);
    let proven = known.values().filter(|word| word.verified).count();
    assert!(
        proven > 0 && proven < known.len(),
        "{proven} of {}",
        known.len()
    );
    let checks = known
        .into_iter()
        .map(|(n, word)| holds(server.clone(), n, word));
    futures::stream::iter(checks)
        .buffer_unordered(8)
        .collect::<Vec<()>>()
        .await;
}

/// Sets a number and verifies it; each answer is put on record as soon as it is here.
async fn flow(
    client: &reqwest::Client,
    base: &str,
    n: usize,
    acknowledge: &mpsc::UnboundedSender<(usize, Acknowledged)>,
) -> reqwest::Result<()> {
    let token = admin();
    let post = async |path: String, body: Value| {
        super::harness::call(client, base, Method::POST, &path, &token, body).await
    };
    let body = json!({"userId": name(n), "phone": {"phone": number(n), "returnCode": {}}});
    let answer = post("/v2/users/human".into(), body).await?;
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut word = Acknowledged {
        number: number(n),
        code: text(&answer.body["phoneCode"]),
        sequence: sequence(&answer.body),
        verified: false,
    };
    // The receiver is gone when enough is known; then there is nothing left to tell.
    let _ = acknowledge.send((n, word.clone()));
    let path = format!("/v2/users/{}/phone/verify", name(n));
    let answer = post(path, json!({"verificationCode": word.code})).await?;
    assert_eq!(answer.status, 200, "{answer:?}");
    word.sequence = sequence(&answer.body);
    word.verified = true;
    let _ = acknowledge.send((n, word));
    Ok(())
}

/// Nothing that was acknowledged is lost, and no code verifies twice.
async fn holds(server: Arc<Server>, n: usize, word: Acknowledged) {
    let path = format!("/v2/users/{}", name(n));
    let answer = server.get(&path, &admin()).await;
    assert_eq!(answer.status, 200, "{word:?}: {answer:?}");
    let phone = &answer.body["user"]["human"]["phone"];
    let verified = phone["isVerified"] == true;
    assert_eq!(phone["phone"], word.number.as_str(), "{answer:?}");
    assert!(
        sequence(&answer.body) >= word.sequence,
        "{word:?}: {answer:?}"
    );
    assert!(verified || !word.verified, "{word:?}: {answer:?}");
    // Verified without an answer: the process died between the commit and the answer.
    let first = server.verify(&name(n), &word.code).await;
    assert_eq!(
        first.status,
        if verified { 400 } else { 200 },
        "{word:?}: {first:?}"
    );
    let again = server.verify(&name(n), &word.code).await;
    assert_eq!(again.status, 400, "{word:?}: {again:?}");
}

async fn claimed_messages_go_out_after_the_lease(database: Database) {
    const MESSAGES: usize = 20;
    let receiver = Receiver::silent().await;
    let setup = Setup::new(&database.url).with_webhook(&receiver.url);
    let mut server = Server::start(&setup).await;
    for n in 0..MESSAGES {
        let body = json!({"userId": name(n), "phone": {"phone": number(n)}});
        let answer = server.post("/v2/users/human", &admin(), body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    until("all messages on their way", async || {
        (receiver.taken().len() >= MESSAGES).then_some(())
    })
    .await;
    server.program.kill();
    let before = receiver.taken();
    assert_eq!(
        database.count("messages WHERE due_at IS NOT NULL").await,
        MESSAGES
    );

    // The receiver speaks again, but the leases of the dead process still hold.
    receiver.answer();
    let server = Server::start(&setup).await;
    let body = json!({"userId": "bob", "phone": {"phone": number(MESSAGES)}});
    server.post("/v2/users/human", &admin(), body).await;
    until("a message that was claimed by nobody", async || {
        let taken = receiver.taken();
        taken[before.len()..]
            .iter()
            .any(|sms| sms.to == number(MESSAGES))
            .then_some(())
    })
    .await;
    assert_eq!(receiver.taken().len(), before.len() + 1);

    // A lease is a time in the row: this is its end.
    end_leases(&database.url).await;
    until("no message that waits", async || {
        (database.count("messages WHERE due_at IS NOT NULL").await == 0).then_some(())
    })
    .await;
    let sms = |taken: &[Taken]| -> BTreeSet<(String, String, String)> {
        let parts = taken.iter().cloned().map(|sms| (sms.to, sms.id, sms.code));
        parts.filter(|(to, ..)| *to != number(MESSAGES)).collect()
    };
    let after = &receiver.taken()[before.len()..];
    assert_eq!(after.len(), MESSAGES + 1);
    assert_eq!(sms(after).len(), MESSAGES);
    assert_eq!(
        sms(after),
        sms(&before),
        "number, id and code stay the same"
    );
    for (n, (_, _, code)) in (0..MESSAGES).zip(sms(after)) {
        assert_eq!(server.verify(&name(n), &code).await.status, 200, "{n}");
    }
}

async fn end_leases(url: &str) {
    let connection = Connection::connect(url).await.expect("the test's database");
    let sql = "UPDATE messages SET due_at = 0 WHERE attempts > 0 AND due_at IS NOT NULL";
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let result = connection.execute_raw(statement).await.expect("an update");
    assert!(result.rows_affected() > 0, "no row was claimed");
    connection.close().await.expect("closing");
}

/// Names sort as their numbers do.
fn name(n: usize) -> String {
    format!("user-{n:06}")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn sequence(body: &Value) -> u64 {
    text(&body["details"]["sequence"])
        .parse()
        .expect("a sequence")
}

crate::on_both!(
    acknowledged_work_survives,
    claimed_messages_go_out_after_the_lease
);
