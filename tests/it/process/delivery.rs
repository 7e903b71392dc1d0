//! Delivery by a real process over routes that fail: nothing is lost, and each message has a story.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::harness::{Server, Setup, admin, end_user, number, until};
use super::receiver::Receiver;
use crate::database::Database;

crate::on_both!(
    no_message_is_lost_over_dead_hanging_and_refusing_routes,
    every_message_has_a_story,
    whose_fault_it_was_is_in_the_story,
    a_list_says_why_no_code_goes_out,
    receipts_move_a_message_forward_only,
    a_message_is_tried_again_when_asked_to,
    a_hanging_route_holds_back_no_other_country,
    who_has_opted_out_is_told_so_and_what_fails_costs_nothing,
);

/// Messages in the test of routes that fail.
const MESSAGES: usize = 2_000;
/// Microseconds from the time when a message is there to the time when it must be at the working route.
const LATEST: u64 = 10_000_000;
/// How many may be under way at once on one route, by default.
const IN_FLIGHT: usize = 64;

fn name(n: usize) -> String {
    format!("user {n}")
}

async fn send(server: &Server, n: usize) {
    let body = json!({"userId": name(n), "phone": {"phone": number(n)}});
    let answer = server.post("/v2/users/human", &admin(), body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

async fn messages(server: &Server, query: Value) -> Vec<Value> {
    let answer = server.post("/v2/messages/search", &admin(), query).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let found = answer.body["messages"].as_array();
    found.cloned().unwrap_or_default()
}

/// Every message there is, page by page.
async fn all_messages(server: &Server) -> Vec<Value> {
    let (mut all, mut token) = (Vec::new(), Value::Null);
    loop {
        let query = json!({"limit": 500, "pageToken": token});
        let mut answer = server.post("/v2/messages/search", &admin(), query).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        if let Value::Array(page) = answer.body["messages"].take() {
            all.extend(page);
        }
        token = answer.body["nextPageToken"].take();
        if token.as_str().is_none_or(str::is_empty) {
            return all;
        }
    }
}

/// The one message of a user, once it has come to this state.
async fn message(server: &Server, n: usize, state: &str) -> Value {
    let wanted = format!("MESSAGE_STATE_{state}");
    until(&wanted, async || {
        let found = messages(server, json!({"userId": name(n)})).await;
        let one = found.into_iter().next()?;
        (one["state"] == *wanted).then_some(one)
    })
    .await
}

fn results(message: &Value) -> Vec<String> {
    let attempts = message["attempts"].as_array().cloned().unwrap_or_default();
    let attempts = attempts.iter().map(|attempt| {
        let text = |key: &str| attempt[key].as_str().unwrap_or_default().to_owned();
        format!("{} {} {}", text("route"), text("result"), text("fault"))
    });
    attempts.map(|text| text.trim().to_owned()).collect()
}

/// An address at which nobody listens.
fn nowhere() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}/sms", listener.local_addr().expect("an address"))
}

async fn no_message_is_lost_over_dead_hanging_and_refusing_routes(database: Database) {
    let hanging = Receiver::silent().await;
    let refusing = [401, 402, 404].map(Receiver::refusing);
    let refusing = futures::future::join_all(refusing).await;
    let working = Receiver::answering().await;
    let setup = Setup::new(&database.url)
        .without("sms.routes.inbox")
        .with_route("dead", &nowhere())
        .with_route("hanging", &hanging.url)
        .with("sms.routes.hanging.timeout_seconds", 2)
        .with_route("stranger", &refusing[0].url)
        .with_route("poor", &refusing[1].url)
        .with_route("moved", &refusing[2].url)
        .with_route("working", &working.url)
        .with(
            "sms.order.default",
            json!(["dead", "hanging", "stranger", "poor", "moved", "working"]),
        );
    let server = Server::start(&setup).await;
    let sends = (0..MESSAGES).map(|n| send(&server, n));
    futures::stream::iter(sends)
        .buffer_unordered(32)
        .collect::<Vec<()>>()
        .await;
    until("all messages at the working route", async || {
        (working.taken().len() >= MESSAGES).then_some(())
    })
    .await;
    until("no message that waits", async || {
        (database.count("messages WHERE due_at IS NOT NULL").await == 0).then_some(())
    })
    .await;
    let taken = working.taken();
    let mut by_number: BTreeMap<&str, usize> = BTreeMap::new();
    for sms in &taken {
        *by_number.entry(&sms.to).or_default() += 1;
    }
    assert_eq!(by_number.len(), MESSAGES, "none lost");
    assert_eq!(taken.len(), MESSAGES, "none twice over the same route");
    // Those in front of the breaker, each twice at most, and a probe now and then.
    let asked = hanging.taken();
    assert!(asked.len() <= 2 * IN_FLIGHT + 10, "{}", asked.len());
    let ids: Vec<&String> = asked.iter().map(|sms| &sms.id).collect();
    let listed = all_messages(&server).await;
    assert_eq!(listed.len(), MESSAGES);
    for one in &listed {
        assert_eq!(one["state"], "MESSAGE_STATE_HANDED", "{one}");
        assert_eq!(one["route"], "working");
        let results = results(one);
        let id = one["messageId"].as_str().expect("an id").to_owned();
        let unknown = results.iter().any(|result| result == "hanging unknown");
        assert_eq!(unknown, ids.contains(&&id), "its trail tells: {one}");
        assert_eq!(results.last().map(String::as_str), Some("working taken"));
        let taken = one["attempts"].as_array().and_then(|all| all.last());
        let waited = micros(&taken.expect("an attempt")["date"]) - micros(&one["creationDate"]);
        assert!(waited <= LATEST, "{one}");
    }
    // Once the route that did not know us does, it is asked again; nobody has to restart anything.
    let printed = server.program.printed();
    assert!(
        printed.contains("the provider refuses our credentials"),
        "{printed}"
    );
    assert!(!printed.contains(&number(1)), "no whole number in the log");
}

/// A message's time, in microseconds since 1970.
fn micros(time: &Value) -> u64 {
    let time = time.as_str().expect("a time");
    let time: prost_types::Timestamp = time.parse().expect("RFC 3339");
    u64::try_from(time.seconds).expect("after 1970") * 1_000_000
        + u64::try_from(time.nanos).expect("not negative") / 1_000
}

async fn a_hanging_route_holds_back_no_other_country(database: Database) {
    const EACH: usize = 200;
    let (hanging, working) = (Receiver::silent().await, Receiver::answering().await);
    let setup = Setup::new(&database.url)
        .without("sms.routes.inbox")
        .with_route("hanging", &hanging.url)
        .with("sms.routes.hanging.countries", json!(["FR"]))
        .with("sms.routes.hanging.timeout_seconds", 30)
        .with("sms.routes.hanging.max_in_flight", 8)
        .with_route("working", &working.url)
        .with("sms.routes.working.countries", json!(["CH"]))
        .with("sms.order.default", json!(["hanging", "working"]));
    let server = Server::start(&setup).await;
    for n in 0..EACH {
        let phone = json!({"phone": format!("+336123{n:05}")});
        let body = json!({"userId": format!("elsewhere {n}"), "phone": phone});
        let answer = server.post("/v2/users/human", &admin(), body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    for n in 0..EACH {
        send(&server, n).await;
    }
    until("all messages of the other country", async || {
        (working.taken().len() >= EACH).then_some(())
    })
    .await;
    // Those of the first are still where they were: as many on their way as may be.
    assert_eq!(hanging.taken().len(), 8);
    let waiting = messages(&server, json!({"phone": "+33612300000"})).await;
    assert_eq!(waiting[0]["story"], "The route hanging is being asked.");
    assert!(waiting[0].get("nextAttemptDate").is_none(), "{waiting:?}");
}

async fn every_message_has_a_story(database: Database) {
    let relay = Receiver::refusing(400).await;
    let setup = Setup::new(&database.url)
        .with_webhook(&relay.url)
        .with("sms.routes.relay.countries", json!(["CH"]))
        .with("sms.routes.relay.timeout_seconds", 1);
    let server = Server::start(&setup).await;
    send(&server, 1).await;
    let told = message(&server, 1, "FAILED").await;
    assert_eq!(results(&told), ["relay unable protocol"]);
    assert!(told["story"].to_string().contains("answered 400"), "{told}");
    assert_eq!(told["maskedPhone"], "+4179•••••01");

    relay.refuse(503);
    send(&server, 2).await;
    until("an attempt", async || {
        let found = messages(&server, json!({"userId": name(2)})).await;
        let story = found[0]["story"].as_str()?.to_owned();
        story.contains("answered 503").then_some(())
    })
    .await;
    relay.refuse(0);
    message(&server, 2, "HANDED").await;

    // Nobody serves this country.
    let body = json!({"userId": name(3), "phone": {"phone": "+33612345678"}});
    let answer = server.post("/v2/users/human", &admin(), body).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let told = message(&server, 3, "FAILED").await;
    assert!(
        told["story"]
            .to_string()
            .contains("No route serves this number"),
        "{told}"
    );

    relay.refuse(401);
    send(&server, 4).await;
    let told = message(&server, 4, "FAILED").await;
    assert_eq!(results(&told), ["relay unable auth"]);
    // The next one is not even tried: it waits until the route may be asked again.
    send(&server, 5).await;
    until("a message that waits", async || {
        let found = messages(&server, json!({"userId": name(5)})).await;
        let story = found[0]["story"].as_str()?.to_owned();
        story.contains("left alone").then_some(())
    })
    .await;

    // By number, by state, page by page; and by the command.
    let by_number = messages(&server, json!({"phone": number(2)})).await;
    assert_eq!(by_number.len(), 1);
    assert_eq!(by_number[0]["userId"], name(2));
    let failed = messages(&server, json!({"state": "MESSAGE_STATE_FAILED"})).await;
    assert_eq!(failed.len(), 3);
    let first = server
        .post("/v2/messages/search", &admin(), json!({"limit": 2}))
        .await;
    let token = first.body["nextPageToken"]
        .as_str()
        .expect("more")
        .to_owned();
    let rest = json!({"limit": 2, "pageToken": token});
    let rest = messages(&server, rest).await;
    assert_eq!(rest.len(), 2);
    let wrong = json!({"limit": 2, "pageToken": token, "userId": name(1)});
    let wrong = server.post("/v2/messages/search", &admin(), wrong).await;
    assert_eq!(wrong.status, 400, "{wrong:?}");
    let printed = setup.run_with(&["messages", "--user", &name(1)]).await;
    assert!(printed.status.success(), "{}", printed.errors);
    assert!(
        printed.output.contains("failed code to +4179•••••01"),
        "{}",
        printed.output
    );
    assert!(!printed.output.contains(&number(1)));

    // Worker down: whoever asks is told.
    drop(server);
    let server = Server::start_with(&["serve", "--no-worker"], &setup).await;
    send(&server, 6).await;
    until("the story of a message that nobody takes up", async || {
        let found = messages(&server, json!({"userId": name(6)})).await;
        let story = found[0]["story"].as_str()?.to_owned();
        story.contains("Is a worker running?").then_some(())
    })
    .await;
}

/// What a list says of whether another code would go out.
async fn blocked(server: &Server, query: Value) -> String {
    let answer = server.post("/v2/messages/search", &admin(), query).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["blocked"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

async fn whose_fault_it_was_is_in_the_story(database: Database) {
    let (relay, hanging) = (Receiver::answering().await, Receiver::silent().await);
    let setup = Setup::new(&database.url)
        .with_webhook(&relay.url)
        .with("sms.routes.relay.countries", json!(["CH"]))
        .with_route("hanging", &hanging.url)
        .with("sms.routes.hanging.countries", json!(["FR"]))
        .with("sms.routes.hanging.timeout_seconds", 1)
        .with_route("dead", &nowhere())
        .with("sms.routes.dead.countries", json!(["DE"]))
        .with("sms.order.default", json!(["relay", "hanging", "dead"]));
    let server = Server::start(&setup).await;
    let told = [
        ("invalid_number", "no such number"),
        ("opted_out", "asked the sender to stop"),
        ("landline", "takes no texts"),
    ];
    for (n, (result, words)) in told.into_iter().enumerate() {
        relay.say(&json!({"result": result}));
        send(&server, n).await;
        let told = message(&server, n, "REFUSED").await;
        let story = told["story"].to_string();
        assert!(story.contains(words), "{result}: {told}");
    }
    // A route may call a message as it likes; its number stays out of what is kept.
    for (n, id, kept) in [(7, number(7), ""), (8, "m 8".to_owned(), "m 8")] {
        relay.say(&json!({"result": "taken", "id": id}));
        send(&server, n).await;
        let told = message(&server, n, "HANDED").await;
        assert_eq!(told["reference"].as_str().unwrap_or_default(), kept);
        assert!(!told.to_string().contains(&number(n)[1..]), "{told}");
    }
    for (phone, words) in [
        ("+33612345678", "no answer"),
        ("+4915112345678", "no connection"),
    ] {
        let body = json!({"userId": phone, "phone": {"phone": phone}});
        let answer = server.post("/v2/users/human", &admin(), body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        until(words, async || {
            let found = messages(&server, json!({ "phone": phone })).await;
            let story = found[0]["story"].as_str()?.to_owned();
            story.contains(words).then_some(())
        })
        .await;
    }
}

async fn a_list_says_why_no_code_goes_out(database: Database) {
    let relay = Receiver::answering().await;
    let setup = Setup::new(&database.url)
        .with_webhook(&relay.url)
        .with("limits.cool_down_seconds", json!([0]))
        .with_variable(
            "RINGBACK_LIMITS__SENDS_PER_ACCOUNT",
            "[{ count = 2, seconds = 600 }]",
        );
    let server = Server::start(&setup).await;
    send(&server, 1).await;
    assert_eq!(blocked(&server, json!({"userId": name(1)})).await, "");
    let path = format!("/v2/users/{}/phone/resend", name(1));
    let again = server.post(&path, &end_user(&name(1)), json!({})).await;
    assert_eq!(again.status, 200, "{again:?}");
    let refused = server.post(&path, &end_user(&name(1)), json!({})).await;
    assert_eq!(refused.status, 429, "{refused:?}");
    let sent = messages(&server, json!({"userId": name(1)})).await.len();
    for query in [
        json!({"userId": name(1)}),
        json!({"phone": number(1)}),
        json!({"userId": name(1), "phone": number(2)}),
    ] {
        let why = blocked(&server, query).await;
        assert!(
            why.starts_with("No code goes out to this user for another ")
                && why.ends_with(
                        " seconds: the user has got as many messages as one user gets (sends_per_account)."
                    ),
            "{why}"
        );
    }
    // Asking sends nothing, spends nothing and brings nobody into being.
    assert_eq!(
        messages(&server, json!({"userId": name(1)})).await.len(),
        sent
    );
    assert_eq!(blocked(&server, json!({"userId": "nobody"})).await, "");
    let nobody = json!({"userId": "nobody", "phone": number(3)});
    assert_eq!(blocked(&server, nobody).await, "");
    let nobody = server.get("/v2/users/nobody", &admin()).await;
    assert_eq!(nobody.status, 404, "{nobody:?}");
    // Of everybody nothing can be said.
    assert_eq!(blocked(&server, json!({})).await, "");
    let printed = setup.run_with(&["messages", "--user", &name(1)]).await;
    assert!(
        printed.output.contains("(sends_per_account)."),
        "{}",
        printed.output
    );
}

/// Signed as the receiver of our webhooks signs its receipts: by the Standard Webhooks specification.
pub(super) fn signed(secret: [u8; 32], body: &str) -> Vec<(&'static str, String)> {
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).expect("a clock");
    let at = now.as_secs().to_string();
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&secret).expect("a key");
    mac.update(format!("r1.{at}.{body}").as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes());
    vec![
        ("webhook-id", "r1".to_owned()),
        ("webhook-timestamp", at),
        ("webhook-signature", format!("v1,{signature}")),
    ]
}

async fn tell(url: &str, secret: [u8; 32], result: &str) -> u16 {
    let body = json!({ "result": result }).to_string();
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a client");
    let mut request = client.post(url);
    for (name, value) in signed(secret, &body) {
        request = request.header(name, value);
    }
    let answer = request.body(body).send().await.expect("an answer");
    answer.status().as_u16()
}

async fn receipts_move_a_message_forward_only(database: Database) {
    const SECRET: [u8; 32] = [3; 32];
    let (first, second) = (Receiver::answering().await, Receiver::answering().await);
    let setup = Setup::new(&database.url)
        .without("sms.routes.inbox")
        .with("server.public_url", "https://phones.example.com/")
        .with_route("first", &first.url)
        .with("sms.routes.first.receipts", true)
        .with_route("second", &second.url)
        .with("sms.order.default", json!(["first", "second"]));
    let server = Server::start(&setup).await;
    send(&server, 1).await;
    message(&server, 1, "HANDED").await;
    // What a proxy in front would make of it.
    let receipts = |at: usize| {
        let url = first.taken()[at].receipts.clone();
        assert!(
            url.starts_with("https://phones.example.com/sms/receipts/first/"),
            "{url}"
        );
        url.replace("https://phones.example.com", &server.base)
    };
    let url = receipts(0);
    // Neither a wrong signature nor a wrong address says anything.
    assert_eq!(tell(&url, [4; 32], "delivered").await, 401);
    let mut other = url.clone();
    let last = if other.pop() == Some('A') { 'E' } else { 'A' };
    other.push(last);
    assert_eq!(tell(&other, SECRET, "delivered").await, 404);
    message(&server, 1, "HANDED").await;
    for result in ["taken", "delivered", "undelivered", "delivered", "landline"] {
        assert_eq!(tell(&url, SECRET, result).await, 200, "{result}");
    }
    message(&server, 1, "DELIVERED").await;

    // What did not arrive goes over the next route.
    send(&server, 2).await;
    message(&server, 2, "HANDED").await;
    let url = receipts(1);
    assert_eq!(tell(&url, SECRET, "not_allowed").await, 200);
    until("the message at the second route", async || {
        second
            .taken()
            .iter()
            .any(|sms| sms.to == number(2))
            .then_some(())
    })
    .await;
    let told = message(&server, 2, "HANDED").await;
    assert_eq!(results(&told), ["first unable region", "second taken"]);
    // And a late word of the first route's counts if it says that it arrived after all.
    assert_eq!(tell(&url, SECRET, "undelivered").await, 200);
    message(&server, 2, "HANDED").await;
    assert_eq!(tell(&url, SECRET, "delivered").await, 200);
    message(&server, 2, "DELIVERED").await;
    // A number that takes none is told of and not tried elsewhere.
    send(&server, 3).await;
    message(&server, 3, "HANDED").await;
    let url = receipts(2);
    assert_eq!(tell(&url, SECRET, "landline").await, 200);
    let told = message(&server, 3, "UNDELIVERED").await;
    let why = "first: taken, and not delivered: the number takes no texts.";
    assert!(told["story"].to_string().contains(why), "{told}");
    let kept = "messages WHERE number IS NOT NULL AND state IN ('delivered', 'undelivered')";
    assert_eq!(
        database.count(kept).await,
        0,
        "the number is erased at the end"
    );
}

async fn a_message_is_tried_again_when_asked_to(database: Database) {
    let relay = Receiver::refusing(400).await;
    let setup = Setup::new(&database.url).with_webhook(&relay.url);
    let server = Server::start(&setup).await;
    send(&server, 1).await;
    let told = message(&server, 1, "FAILED").await;
    let id = told["messageId"].as_str().expect("an id").to_owned();
    relay.refuse(0);
    let path = format!("/v2/messages/{id}/retry");
    let answer = server.post(&path, &admin(), json!({})).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let told = message(&server, 1, "HANDED").await;
    assert_eq!(results(&told), ["relay unable protocol", "relay taken"]);
    let taken = relay.taken();
    assert_eq!(taken[0].id, taken[1].id, "the same message");
    let code = &taken[1].code;
    assert_eq!(server.verify(&name(1), code).await.status, 200);
    let answer = server.post(&path, &admin(), json!({})).await;
    assert_eq!(answer.status, 400, "a route has it: {answer:?}");
    let nobody = server
        .get(
            "/v2/messages/01900000-0000-7000-8000-000000000001",
            &admin(),
        )
        .await;
    assert_eq!(nobody.status, 404, "{nobody:?}");
    let plain = end_user(&name(1));
    let denied = server.get(&format!("/v2/messages/{id}"), &plain).await;
    assert_eq!(denied.status, 403, "{denied:?}");
}

async fn who_has_opted_out_is_told_so_and_what_fails_costs_nothing(database: Database) {
    let relay = Receiver::answering().await;
    let setup = Setup::new(&database.url)
        .without("sms.routes.inbox")
        .with_route("relay", &relay.url)
        .with("sms.routes.relay.cost_per_segment", "0.0075");
    let server = Server::start(&setup).await;
    let again = async |n: usize| {
        let path = format!("/v2/users/user%20{n}/phone/resend");
        server.post(&path, &admin(), json!({})).await
    };

    send(&server, 1).await;
    let taken = message(&server, 1, "HANDED").await;
    assert_eq!(taken["cost"], "0.0075", "{taken}");
    assert_eq!(taken["attempts"][0]["segments"], 1, "{taken}");
    assert_eq!(again(1).await.status, 429, "the pause");

    relay.say(&json!({"result": "not_allowed"}));
    send(&server, 2).await;
    let failed = message(&server, 2, "FAILED").await;
    assert_eq!(failed["cost"], Value::Null, "{failed}");
    assert_eq!(again(2).await.status, 200, "no pause");

    relay.say(&json!({"result": "opted_out"}));
    send(&server, 3).await;
    let refused = message(&server, 3, "REFUSED").await;
    let story = refused["story"].as_str().unwrap_or_default();
    assert!(story.contains("relay: opted out"), "{story}");
    let answer = again(3).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    let id = &answer.body["details"][0]["id"];
    assert_eq!(id, "RINGBACK-number_opted_out", "{answer:?}");
    let why = blocked(&server, json!({"userId": name(3)})).await;
    assert!(why.contains("text START"), "{why}");
}
