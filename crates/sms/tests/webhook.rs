//! The webhook against a receiver: what it sends, and what it makes of each answer.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ringback_core::command::SetPhone;
use ringback_core::delivery::{NumberFault, RouteFault, Verdict};
use ringback_core::rights::Rights;
use ringback_core::{
    Action, Budgets, Caller, Code, Command, Delivery, Keys, Moment, Number, Policies, Slot, Time,
    Verification, decide,
};
use ringback_sms::{
    Keyword, Provider, ReceiptError, ReceiptRequest, Report, RouteError, Sms, Webhook,
    WebhookSettings,
};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

/// The example secret of the Standard Webhooks specification.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NOW: Time = Time(1_700_000_000_900_000);

fn settings(url: &str, secrets: &[&str]) -> WebhookSettings {
    WebhookSettings {
        url: url.parse().expect("an address"),
        secrets: secrets.iter().map(|secret| (*secret).into()).collect(),
        timeout: Duration::from_secs(5),
        receipts: false,
    }
}

fn route(url: &str) -> Provider {
    Provider::Webhook(Webhook::new(settings(url, &[SECRET])).expect("settings in order"))
}

fn refused(settings: WebhookSettings) -> RouteError {
    Webhook::new(settings).err().expect("must be refused")
}

fn sms(code: Option<Code>) -> Sms {
    Sms {
        id: "0190c5a0-0000-7000-8000-000000000001".into(),
        to: Number::from_stored("+41791234567"),
        text: "a text with \"quotes\" and an é".into(),
        text_language: "de".into(),
        code,
        kind: "code",
        language: "de-CH,en".into(),
        expires_at: NOW + Duration::from_secs(600),
        sender: None,
        callback: None,
    }
}

/// A real code: there is no other way to have one than to ask for it.
fn code() -> Code {
    let (policies, keys) = (Policies::default(), Keys::for_tests());
    let caller = Caller::new("service", "acme").with_rights(Rights::ALL);
    let command = Command {
        caller,
        account: "ann".into(),
        action: Action::Register {
            organization: None,
            profile: Box::default(),
            phone: Some(SetPhone {
                number: "+41791234567".into(),
                verification: Verification::Code(Delivery::Return),
            }),
        },
    };
    let at = Moment {
        now: NOW,
        seed: [7; 32],
        policies: &policies,
        keys: &keys,
        conversion: None,
        guard: None,
        share: 0,
    };
    decide(
        &mut Slot::empty("acme"),
        &mut Budgets::default(),
        &command,
        &at,
    )
    .result
    .expect("the command is allowed")
    .code
    .expect("the code is returned")
}

/// HMAC-SHA-256 by the letter of RFC 2104, so that the code under test does not judge itself.
fn hmac(key: &[u8], content: &[u8]) -> Vec<u8> {
    let mut block = [0; 64];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x36))
        .chain_update(content)
        .finalize();
    Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x5c))
        .chain_update(inner)
        .finalize()
        .to_vec()
}

fn signature(secret: &str, request: &Request) -> String {
    let key = STANDARD
        .decode(secret.trim_start_matches("whsec_"))
        .expect("base64");
    let mut content = format!(
        "{}.{}.",
        header(request, "webhook-id"),
        header(request, "webhook-timestamp")
    )
    .into_bytes();
    content.extend_from_slice(&request.body);
    format!("v1,{}", STANDARD.encode(hmac(&key, &content)))
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    let value = request.headers.get(name).expect("the header is there");
    value.to_str().expect("text")
}

async fn receiver(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/sms"))
        .respond_with(answer)
        .mount(&server)
        .await;
    server
}

async fn requests(server: &MockServer) -> Vec<Request> {
    server.received_requests().await.expect("they are recorded")
}

#[test]
fn the_check_of_signatures_knows_the_example_of_the_specification() {
    let key = STANDARD
        .decode(SECRET.trim_start_matches("whsec_"))
        .expect("base64");
    let content = br#"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}"#;
    assert_eq!(
        STANDARD.encode(hmac(&key, content)),
        "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    );
}

#[tokio::test]
async fn a_message_is_posted_and_signed() {
    let server = receiver(ResponseTemplate::new(200)).await;
    let route = route(&format!("{}/sms?token=t0k", server.uri()));
    let code = code();
    assert_eq!(route.check().await, Ok(()));
    assert_eq!(
        route.send(&sms(Some(code.clone())), NOW).await,
        Report::taken(None)
    );

    let requests = requests(&server).await;
    assert_eq!(requests.len(), 1, "the check sends nothing");
    let request = &requests[0];
    assert_eq!(header(request, "content-type"), "application/json");
    assert_eq!(
        header(request, "user-agent"),
        concat!("ringback/", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(
        header(request, "webhook-id"),
        "0190c5a0-0000-7000-8000-000000000001"
    );
    assert_eq!(header(request, "webhook-timestamp"), "1700000000");
    assert_eq!(
        header(request, "webhook-signature"),
        signature(SECRET, request)
    );
    let body: serde_json::Value = serde_json::from_slice(&request.body).expect("json");
    let expected = serde_json::json!({
        "id": "0190c5a0-0000-7000-8000-000000000001",
        "to": "+41791234567",
        "text": "a text with \"quotes\" and an é",
        "textLanguage": "de",
        "code": code.reveal(),
        "kind": "code",
        "language": "de-CH,en",
        "expiresAt": "2023-11-14T22:23:20.9Z",
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn what_there_is_not_is_left_out() {
    let server = receiver(ResponseTemplate::new(204)).await;
    let mut notice = sms(None);
    notice.language = String::new();
    let route = route(&format!("{}/sms", server.uri()));
    assert_eq!(route.send(&notice, NOW).await, Report::taken(None));
    let requests = requests(&server).await;
    let body: BTreeMap<String, String> =
        serde_json::from_slice(&requests[0].body).expect("json of texts");
    let keys: Vec<&str> = body.keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        ["expiresAt", "id", "kind", "text", "textLanguage", "to"]
    );
}

#[tokio::test]
async fn each_secret_signs() {
    let server = receiver(ResponseTemplate::new(200)).await;
    let other = STANDARD.encode([9; 64]);
    let webhook = Webhook::new(settings(
        &format!("{}/sms", server.uri()),
        &[SECRET, &other],
    ));
    let route = Provider::Webhook(webhook.expect("settings in order"));
    assert_eq!(route.send(&sms(None), NOW).await, Report::taken(None));
    let requests = requests(&server).await;
    let expected = format!(
        "{} {}",
        signature(SECRET, &requests[0]),
        signature(&other, &requests[0])
    );
    assert_eq!(header(&requests[0], "webhook-signature"), expected);
}

#[tokio::test]
async fn a_repeated_message_keeps_its_id_and_is_signed_anew() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(503))
        .up_to_n_times(1)
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .respond_with(ResponseTemplate::new(202))
        .mount(&server)
        .await;
    let route = route(&server.uri());
    let message = sms(None);
    assert_eq!(route.send(&message, NOW).await.verdict.code(), "not_now");
    let later = NOW + Duration::from_secs(2);
    assert_eq!(route.send(&message, later).await, Report::taken(None));

    let requests = requests(&server).await;
    assert_eq!(requests.len(), 2);
    assert_eq!(
        header(&requests[0], "webhook-id"),
        header(&requests[1], "webhook-id")
    );
    assert_eq!(requests[0].body, requests[1].body);
    assert_eq!(header(&requests[1], "webhook-timestamp"), "1700000002");
    assert_eq!(
        header(&requests[1], "webhook-signature"),
        signature(SECRET, &requests[1])
    );
}

#[tokio::test]
async fn each_status_says_whose_fault_it_was() {
    let unable = |fault| Verdict::Unable { fault };
    let not_now = |fault| Verdict::NotNow { fault, after: 0 };
    let cases: [(Verdict, &[u16]); 6] = [
        (Verdict::Taken, &[200, 201, 202, 204, 299]),
        (
            not_now(RouteFault::Down),
            &[408, 425, 500, 501, 502, 503, 504, 599],
        ),
        (not_now(RouteFault::Throttled), &[429]),
        (unable(RouteFault::Auth), &[401, 403, 407]),
        (unable(RouteFault::Credit), &[402]),
        (
            unable(RouteFault::Protocol),
            &[304, 400, 404, 409, 410, 413, 422, 451],
        ),
    ];
    for (verdict, statuses) in cases {
        for status in statuses {
            let server = receiver(ResponseTemplate::new(*status)).await;
            let route = route(&format!("{}/sms", server.uri()));
            let report = route.send(&sms(None), NOW).await;
            assert_eq!(report.verdict, verdict, "{status}");
            if verdict != Verdict::Taken {
                let begin = format!("answered {status}");
                assert!(report.reason.starts_with(&begin), "{}", report.reason);
            }
        }
    }
}

#[tokio::test]
async fn a_body_may_say_whose_fault_it_was() {
    let never = |fault| Verdict::Never { fault };
    let unable = |fault| Verdict::Unable { fault };
    let cases = [
        (400, "invalid_number", never(NumberFault::Invalid)),
        (200, "opted_out", never(NumberFault::OptedOut)),
        (422, "landline", never(NumberFault::Landline)),
        (400, "not_allowed", unable(RouteFault::Region)),
        (400, "sender", unable(RouteFault::Sender)),
        (400, "content", unable(RouteFault::Content)),
        (500, "auth", unable(RouteFault::Auth)),
        (200, "credit", unable(RouteFault::Credit)),
        (
            400,
            "throttled",
            Verdict::NotNow {
                fault: RouteFault::Throttled,
                after: 0,
            },
        ),
        (409, "taken", Verdict::Taken),
        (200, "unheard-of", Verdict::Taken),
        (401, "unknown", unable(RouteFault::Auth)),
    ];
    for (status, result, verdict) in cases {
        let body = serde_json::json!({ "result": result, "id": "ref-1" });
        let server = receiver(ResponseTemplate::new(status).set_body_json(body)).await;
        let route = route(&format!("{}/sms", server.uri()));
        let report = route.send(&sms(None), NOW).await;
        assert_eq!(report.verdict, verdict, "{status} {result}");
        if result == "taken" {
            assert_eq!(report, Report::taken(Some("ref-1".into())));
        }
    }
}

#[tokio::test]
async fn a_receiver_may_ask_for_rest_but_not_for_ever() {
    let cases = [
        ("7", 7),
        ("0", 0),
        ("86400", 300),
        ("99999999999999999999999", 300),
        ("-1", 0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 0),
    ];
    for (header, after) in cases {
        let answer = ResponseTemplate::new(429).insert_header("retry-after", header);
        let server = receiver(answer).await;
        let route = route(&format!("{}/sms", server.uri()));
        let report = route.send(&sms(None), NOW).await;
        let fault = RouteFault::Throttled;
        assert_eq!(report.verdict, Verdict::NotNow { fault, after }, "{header}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let target = receiver(ResponseTemplate::new(200)).await;
        let answer = ResponseTemplate::new(status)
            .insert_header("location", format!("{}/sms?secret", target.uri()));
        let server = receiver(answer).await;
        let sent = route(&format!("{}/sms", server.uri()))
            .send(&sms(None), NOW)
            .await;
        let fault = RouteFault::Protocol;
        assert_eq!(sent.verdict, Verdict::Unable { fault }, "{status}");
        let reason = sent.reason;
        assert!(reason.contains("redirect") && !reason.contains("secret"));
        assert!(requests(&target).await.is_empty());
    }
}

#[tokio::test]
async fn a_slow_receiver_is_not_waited_for() {
    let answer = ResponseTemplate::new(200).set_delay(Duration::from_secs(600));
    let server = receiver(answer).await;
    let webhook = Webhook::new(WebhookSettings {
        timeout: Duration::from_millis(50),
        ..settings(&format!("{}/sms", server.uri()), &[SECRET])
    });
    let route = Provider::Webhook(webhook.expect("settings in order"));
    assert_eq!(route.timeout(), Duration::from_millis(50));
    let expected = Report::failed(Verdict::Unknown, "no answer within 50ms");
    assert_eq!(route.send(&sms(None), NOW).await, expected);
}

#[tokio::test]
async fn what_an_answer_says_counts_when_it_comes_late() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let place = listener.local_addr().expect("an address");
    let answering = async {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut read = [0; 8_192];
        let read = stream.read(&mut read).await.expect("a request");
        assert!(read > 0);
        let body = r#"{"result": "down", "id": 17}"#;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.expect("written");
        tokio::time::sleep(Duration::from_millis(600)).await;
        stream.write_all(body.as_bytes()).await.expect("written");
        stream
    };
    let route = route(&format!("http://{place}/sms"));
    let message = sms(None);
    let (report, _stream) = tokio::join!(route.send(&message, NOW), answering);
    let (fault, after) = (RouteFault::Down, 0);
    assert_eq!(report.verdict, Verdict::NotNow { fault, after });
}

#[tokio::test]
async fn an_answer_that_is_too_long_to_read_still_counts() {
    let answer = ResponseTemplate::new(200).set_body_bytes(vec![b'x'; 8 << 20]);
    let server = receiver(answer).await;
    let route = route(&format!("{}/sms", server.uri()));
    assert_eq!(route.send(&sms(None), NOW).await, Report::taken(None));
    assert_eq!(route.send(&sms(None), NOW).await, Report::taken(None));
}

#[tokio::test]
async fn a_network_fault_is_tried_again_and_tells_no_secret() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let place = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let route = route(&format!("http://{place}/sms/p4th?token=t0k"));
    let sent = route.send(&sms(None), NOW).await;
    let (fault, after) = (RouteFault::Unreachable, 0);
    assert_eq!(sent.verdict, Verdict::NotNow { fault, after });
    let reason = sent.reason;
    assert!(reason.starts_with("no connection: "), "{reason}");
    for secret in ["t0k", "p4th", "1234567", "quotes"] {
        assert!(!reason.contains(secret), "{reason}");
    }
    let Err(RouteError::Unreachable { place: shown, .. }) = route.check().await else {
        panic!("the check must see it too");
    };
    assert_eq!(shown, place);
}

#[test]
fn secrets_must_be_long_enough_and_readable() {
    let with = |secrets: &[&str]| settings("https://example.com", secrets);
    assert_eq!(refused(with(&[])), RouteError::SecretMissing);
    for length in [0, 23, 65] {
        let secret = STANDARD.encode(vec![1; length]);
        let expected = RouteError::SecretInvalid { position: 2 };
        assert_eq!(refused(with(&[SECRET, &secret])), expected, "{length}");
    }
    let odd = "not base64, and it must not be shown!";
    let error = refused(with(&[odd]));
    assert_eq!(error, RouteError::SecretInvalid { position: 1 });
    assert!(!error.to_string().contains(odd));
    for bytes in [24, 25, 26, 64] {
        let padded = STANDARD.encode(vec![1; bytes]);
        let unpadded = format!("whsec_{}", STANDARD_NO_PAD.encode(vec![1; bytes]));
        assert!(Webhook::new(with(&[&padded, &unpadded])).is_ok(), "{bytes}");
    }
}

#[test]
fn what_people_write_back_is_signed_as_receipts_are() {
    let mut own = settings("https://relay.example.com/sms", &[SECRET]);
    own.receipts = true;
    let provider = Provider::Webhook(Webhook::new(own).expect("settings in order"));
    let read = |at: &str, body: &str, signature: &str| {
        let pairs = [
            ("webhook-id", "m1"),
            ("webhook-timestamp", at),
            ("webhook-signature", signature),
        ];
        let headers = pairs.map(|(name, value)| {
            (
                name.parse().expect("a name"),
                value.parse().expect("a value"),
            )
        });
        let request = ReceiptRequest {
            method: "POST",
            url: "https://sms.example.com/sms/inbound/relay",
            query: "",
            headers: &headers.into_iter().collect(),
            body: body.as_bytes(),
        };
        provider.read_inbound(&request, NOW)
    };
    // By the letter of the specification.
    let sign = |at: &str, body: &str| {
        let key = STANDARD
            .decode(SECRET.trim_start_matches("whsec_"))
            .expect("base64");
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key);
        let mac = aws_lc_rs::hmac::sign(&key, format!("m1.{at}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac))
    };
    let now = "1700000000";
    let stop = r#"{"from": "+41791234567", "text": "STOP", "more": 1}"#;
    let good = sign(now, stop);
    let keyword = read(now, stop, &good).expect("signed").keyword;
    assert_eq!(
        keyword,
        Some((Number::from_stored("+41791234567"), Keyword::Stop))
    );
    let old = "1699999699";
    let least = i64::MIN.to_string();
    for (at, body, signature) in [
        (now, stop.replace("STOP", "START"), good.clone()),
        (old, stop.to_owned(), sign(old, stop)),
        (&least, stop.to_owned(), sign(&least, stop)),
        (now, stop.to_owned(), "v1,".to_owned()),
    ] {
        let error = read(at, &body, &signature).expect_err("must be refused");
        assert!(matches!(error, ReceiptError::Signature(_)), "{at} {body}");
    }
    let receipt = r#"{"result": "delivered"}"#;
    let error = read(now, receipt, &sign(now, receipt)).expect_err("no message");
    assert!(matches!(error, ReceiptError::Malformed(_)), "{error}");
    let without = route("https://relay.example.com/sms");
    assert!(provider.sends_inbound() && !without.sends_inbound());
}
