//! What people write back over HTTP: STOP and START, when the provider has signed them.

use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::delivery::signed;
use super::harness::{Server, Setup, admin, number};
use super::receiver::Receiver;
use crate::database::Database;

crate::on_both!(
    stop_and_start_by_http_reach_whoever_asks_for_a_code,
    what_is_replayed_does_not_undo_what_came_later,
    what_nobody_signed_is_said_once_a_minute,
    nothing_is_taken_that_no_provider_has_signed,
    a_route_that_only_takes_what_people_write_back_is_heard,
);

const PUBLIC: &str = "https://phones.example.com";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A request with a form or JSON to an address below the server's.
async fn post(server: &Server, path: &str, headers: &[(&str, String)], body: &str) -> u16 {
    ask(server, Method::POST, path, headers, body).await
}

async fn ask(
    server: &Server,
    method: Method,
    path: &str,
    headers: &[(&str, String)],
    body: &str,
) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build();
    let client = client.expect("a client");
    let mut request = client.request(method, format!("{}{path}", server.base));
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let answer = request.body(body.to_owned()).send().await;
    answer.expect("an answer").status().as_u16()
}

/// As Twilio signs a form: over the address that it was given, and names and values in order.
fn twilio(form: &[(&str, &str)]) -> (String, Vec<(&'static str, String)>) {
    let mut pairs = form.to_vec();
    pairs.sort_unstable();
    let content: String = pairs
        .iter()
        .flat_map(|(name, value)| [*name, value])
        .collect();
    let key = aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY;
    let key = aws_lc_rs::hmac::Key::new(key, TOKEN.as_bytes());
    let told = format!("{PUBLIC}/sms/inbound/twilio{content}");
    let signature = STANDARD.encode(aws_lc_rs::hmac::sign(&key, told.as_bytes()));
    let body: Vec<String> = form
        .iter()
        .map(|(name, value)| format!("{name}={}", value.replace('+', "%2B")))
        .collect();
    let kind = "application/x-www-form-urlencoded".to_owned();
    (
        body.join("&"),
        vec![("content-type", kind), ("x-twilio-signature", signature)],
    )
}

async fn set(server: &Server, n: usize) -> (u16, Value) {
    let body = json!({"userId": format!("user {n}"), "phone": {"phone": number(n)}});
    let answer = server.post("/v2/users/human", &admin(), body).await;
    (answer.status, answer.body)
}

fn setup(database: &Database, relay: &Receiver) -> Setup {
    Setup::new(&database.url)
        .without("sms.routes.inbox")
        .with("server.public_url", PUBLIC)
        .with_route("relay", &relay.url)
        .with("sms.routes.relay.receipts", true)
        .with_route("silent", &relay.url)
        .with("sms.routes.twilio.type", "twilio")
        .with(
            "sms.routes.twilio.account",
            "AC0123456789abcdef0123456789abcdef",
        )
        .with("sms.routes.twilio.auth_token", TOKEN)
        .with("sms.routes.twilio.sender", "+41790000000")
        // Nobody is asked there.
        .with("sms.routes.twilio.base_url", "http://127.0.0.1:1")
        .with("sms.routes.twilio.allow_insecure", true)
        .with("sms.routes.twilio.allow_private", true)
        .with("sms.order.default", json!(["relay"]))
}

async fn stop_and_start_by_http_reach_whoever_asks_for_a_code(database: Database) {
    let relay = Receiver::answering().await;
    let setup = setup(&database, &relay);
    let server = Server::start(&setup).await;
    let write = async |n: usize, text: &str| {
        let body = json!({"from": number(n), "text": text}).to_string();
        post(
            &server,
            "/sms/inbound/relay",
            &signed([3; 32], &body),
            &body,
        )
        .await
    };
    assert_eq!(write(1, "Stop.").await, 200);
    // What is no keyword changes nothing.
    assert_eq!(write(2, "what is this?").await, 200);
    let (status, body) = set(&server, 1).await;
    assert_eq!(status, 400, "{body}");
    assert_eq!(
        body["details"][0]["id"], "RINGBACK-number_opted_out",
        "{body}"
    );
    assert_eq!(set(&server, 2).await.0, 200);
    assert_eq!(write(1, "START").await, 200);
    assert_eq!(set(&server, 1).await.0, 200);

    // The other route has its own list.
    let stop = |n: usize| {
        let from = number(n);
        twilio(&[("From", &from), ("Body", "genug"), ("OptOutType", "STOP")])
    };
    let (body, headers) = stop(3);
    assert_eq!(
        post(&server, "/sms/inbound/twilio", &headers, &body).await,
        200
    );
    let counted = "opt_outs WHERE route = 'twilio' AND until_at IS NULL";
    assert_eq!(database.count(counted).await, 1);
    assert_eq!(set(&server, 3).await.0, 200, "over the relay");
    let start = twilio(&[("Body", "yes"), ("From", &number(3))]);
    assert_eq!(
        post(&server, "/sms/inbound/twilio", &start.1, &start.0).await,
        200
    );
    assert_eq!(database.count(counted).await, 0);
}

async fn what_is_replayed_does_not_undo_what_came_later(database: Database) {
    let relay = Receiver::answering().await;
    let setup = setup(&database, &relay);
    let server = Server::start(&setup).await;
    let stopped = "opt_outs WHERE until_at IS NULL";
    let word = |word: &str| {
        let body = json!({"from": number(1), "text": word}).to_string();
        (signed([3; 32], &body), body)
    };
    let sid = |word: &str| twilio(&[("From", &number(1)), ("Body", word), ("MessageSid", word)]);
    let turned = |(body, headers)| (headers, body);
    for (path, stop, start) in [
        ("/sms/inbound/relay", word("STOP"), word("START")),
        (
            "/sms/inbound/twilio",
            turned(sid("STOP")),
            turned(sid("START")),
        ),
    ] {
        for (posted, left) in [(&stop, 1), (&start, 0), (&stop, 0), (&start, 0)] {
            assert_eq!(post(&server, path, &posted.0, &posted.1).await, 200);
            assert_eq!(database.count(stopped).await, left, "{path}");
        }
    }
    let (headers, body) = word("UNSUBSCRIBE");
    assert_eq!(
        post(&server, "/sms/inbound/relay", &headers, &body).await,
        200
    );
    assert_eq!(
        database.count(stopped).await,
        1,
        "another word is another one"
    );
}

async fn what_nobody_signed_is_said_once_a_minute(database: Database) {
    let relay = Receiver::answering().await;
    let setup = setup(&database, &relay);
    let server = Server::start(&setup).await;
    let body = json!({"from": number(1), "text": "STOP"}).to_string();
    for _ in 0..50 {
        let forged = signed([4; 32], &body);
        assert_eq!(
            post(&server, "/sms/inbound/relay", &forged, &body).await,
            401
        );
    }
    let printed = server.program.printed();
    let said = printed
        .matches("what somebody wrote back is refused")
        .count();
    assert_eq!(said, 1, "{printed}");
}

async fn nothing_is_taken_that_no_provider_has_signed(database: Database) {
    let relay = Receiver::answering().await;
    let setup = setup(&database, &relay);
    let server = Server::start(&setup).await;
    let body = json!({"from": number(1), "text": "STOP"}).to_string();
    let other = json!({"from": number(2), "text": "STOP"}).to_string();
    let good = signed([3; 32], &body);
    for (path, headers, body, status) in [
        ("/sms/inbound/relay", vec![], &body, 401),
        ("/sms/inbound/relay", signed([4; 32], &body), &body, 401),
        ("/sms/inbound/relay", good.clone(), &other, 401),
        // It is no message.
        (
            "/sms/inbound/relay",
            signed([3; 32], "{}"),
            &"{}".to_owned(),
            400,
        ),
        // No secret of its own, or no such route.
        ("/sms/inbound/silent", good.clone(), &body, 404),
        ("/sms/inbound/nobody", good.clone(), &body, 404),
        ("/sms/inbound/", good.clone(), &body, 404),
    ] {
        assert_eq!(
            post(&server, path, &headers, body).await,
            status,
            "{path} {headers:?}"
        );
    }
    let from = number(1);
    let (form, mut headers) = twilio(&[("From", &from), ("Body", "STOP")]);
    let changed = form.replace("STOP", "STOPALL");
    assert_eq!(
        post(&server, "/sms/inbound/twilio", &headers, &changed).await,
        401
    );
    headers.pop();
    assert_eq!(
        post(&server, "/sms/inbound/twilio", &headers, &form).await,
        401
    );
    let large = "x".repeat(70_000);
    assert_eq!(
        post(&server, "/sms/inbound/relay", &good, &large).await,
        413
    );
    let answer = ask(&server, Method::DELETE, "/sms/inbound/relay", &good, &body).await;
    assert_eq!(answer, 405);
    assert_eq!(database.count("opt_outs").await, 0);
    // By GET it is the same: what is signed is a body.
    let answer = ask(&server, Method::GET, "/sms/inbound/relay", &good, &body).await;
    assert_eq!(answer, 200);
}

async fn a_route_that_only_takes_what_people_write_back_is_heard(database: Database) {
    let relay = Receiver::answering().await;
    let only = |name: &str| {
        let mut setup = setup(&database, &relay).with("sms.order.default", json!([name]));
        for other in ["relay", "silent", "twilio"] {
            if other != name {
                setup = setup.without(&format!("sms.routes.{other}"));
            }
        }
        setup
    };
    let server = Server::start(&only("twilio")).await;
    let (body, headers) = twilio(&[("Body", "STOP"), ("From", &number(1))]);
    assert_eq!(
        post(&server, "/sms/inbound/twilio", &headers, &body).await,
        200
    );
    drop(server);
    let key = |key: &str| format!("sms.routes.recipe.{key}");
    let recipe = only("recipe")
        .with(&key("type"), "http")
        .with(&key("url"), "https://sms.example.com/")
        .with(&key("inbound.from"), "form.from")
        .with(&key("inbound.text"), "form.text")
        .with(&key("inbound.signed"), "header")
        .with(&key("inbound.header"), "x-token")
        .with(&key("inbound.secret"), "s3cret");
    let server = Server::start(&recipe).await;
    let form = format!("text=stop&from={}", number(2).replace('+', "%2B"));
    let token = |secret: &str| vec![("x-token", secret.to_owned())];
    assert_eq!(
        post(&server, "/sms/inbound/recipe", &token("s3cre"), &form).await,
        401
    );
    assert_eq!(
        post(&server, "/sms/inbound/recipe", &token("s3cret"), &form).await,
        200
    );
    assert_eq!(database.count("opt_outs WHERE until_at IS NULL").await, 2);
}
