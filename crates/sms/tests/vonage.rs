//! Vonage: what is sent, what each of its codes means, and which receipts are believed.

mod common;

use std::time::Duration;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use common::*;
use http::HeaderMap;
use ringback_core::delivery::{NumberFault, RouteFault, Verdict};
use ringback_core::{Number, Time};
use ringback_sms::{
    Arrival, Keyword, Lost, Provider, ReceiptError, ReceiptRequest, Report, RouteError, Vonage,
    VonageSettings,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use wiremock::ResponseTemplate;

const SECRET: &str = "a-signature-secret-of-32-letters";
const APPLICATION: &str = "aaaaaaaa-bbbb-4ccc-8ddd-0123456789ab";

fn settings(base: &str) -> VonageSettings {
    VonageSettings {
        api_key: "abcd1234".into(),
        api_secret: "s3cret-of-ours".into(),
        signature_secret: SECRET.into(),
        base_url: base.into(),
        allow_insecure: true,
        allow_private: true,
        ..VonageSettings::default()
    }
}

fn made(settings: &VonageSettings, timeout: Duration) -> Provider {
    Provider::Vonage(Vonage::new(settings, timeout).expect("settings in order"))
}

fn vonage(base: &str, timeout: Duration) -> Provider {
    made(&settings(base), timeout)
}

async fn sent(answer: ResponseTemplate) -> Report {
    let server = server(answer).await;
    let report = vonage(&server.uri(), TIMEOUT).send(&sms(), NOW).await;
    tells_nothing(&report, &["s3cret-of-ours", SECRET]);
    report
}

#[tokio::test]
async fn a_message_is_posted_as_json() {
    let answer = json!({"message_uuid": "u1"});
    let server = server(ResponseTemplate::new(202).set_body_json(answer)).await;
    let provider = vonage(&server.uri(), TIMEOUT);
    assert!(provider.sends_receipts() && !provider.tells_repeats());
    let report = provider.send(&sms(), NOW).await;
    assert_eq!(report, Report::taken(Some("u1".into())));
    let request = request(&server).await;
    assert_eq!(request.url.path(), "/v1/messages");
    assert_eq!(request.headers["content-type"], "application/json");
    let basic = STANDARD.encode("abcd1234:s3cret-of-ours");
    assert_eq!(request.headers["authorization"], format!("Basic {basic}"));
    let body: Value = serde_json::from_slice(&request.body).expect("json");
    let expected = json!({
        "channel": "sms", "message_type": "text", "to": "41791234567", "from": "Acme",
        "text": "\"1\" & 2 = {3} + é", "ttl": 600,
        "client_ref": "0190c5a0-0000-7000-8000-000000000001",
        "sms": {"encoding_type": "auto"}, "webhook_url": CALLBACK, "webhook_version": "v1",
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn an_application_signs_a_token_for_each_attempt() {
    let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key");
    let private = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).expect("der");
    let text = STANDARD.encode(private.as_ref());
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n");
    let server = server(ResponseTemplate::new(202)).await;
    let own = VonageSettings {
        application: APPLICATION.into(),
        private_key: pem.into(),
        api_key: String::new(),
        api_secret: "".into(),
        signature_secret: "".into(),
        ..settings(&server.uri())
    };
    let provider = made(&own, TIMEOUT);
    assert!(
        !provider.sends_receipts(),
        "there is nothing to check them with"
    );
    let mut message = sms();
    message.sender = Some("+41790000000".into());
    assert_eq!(provider.send(&message, NOW).await, Report::taken(None));
    let request = request(&server).await;
    let body: Value = serde_json::from_slice(&request.body).expect("json");
    assert_eq!(body["from"], "41790000000");
    assert!(body["webhook_url"].is_null());
    let token = request.headers["authorization"].to_str().expect("text");
    let token = token.strip_prefix("Bearer ").expect("a token");
    let (content, signature) = token.rsplit_once('.').expect("three parts");
    let key = aws_lc_rs::signature::UnparsedPublicKey::new(
        &aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256,
        pair.public_key().as_ref(),
    );
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64");
    key.verify(content.as_bytes(), &signature)
        .expect("it holds");
    let claims = content.split_once('.').expect("two parts").1;
    let claims = URL_SAFE_NO_PAD.decode(claims).expect("base64");
    let claims: Value = serde_json::from_slice(&claims).expect("json");
    let expected = json!({
        "application_id": APPLICATION, "iat": 1_700_000_000, "exp": 1_700_000_300,
        "jti": format!("{}.{}", message.id, NOW.0),
    });
    assert_eq!(claims, expected);
}

#[tokio::test]
async fn without_a_sender_nothing_is_sent() {
    let server = server(ResponseTemplate::new(202)).await;
    let mut message = sms();
    message.sender = None;
    let report = vonage(&server.uri(), TIMEOUT).send(&message, NOW).await;
    assert_eq!(report.verdict, unable(RouteFault::Sender));
    assert_eq!(
        server.received_requests().await.map(|all| all.len()),
        Some(0)
    );
}

/// Every code that is known, and whose fault it is.
fn codes() -> Vec<(&'static str, Verdict)> {
    let never = |fault| Verdict::Never { fault };
    let rows: [(&[&str], Verdict); 10] = [
        (&["1170", "1190"], never(NumberFault::Invalid)),
        (&["1240"], never(NumberFault::OptedOut)),
        (&["1250", "1260", "1160"], unable(RouteFault::Region)),
        (&["1060", "1080"], unable(RouteFault::Auth)),
        (&["1070", "low-balance"], unable(RouteFault::Credit)),
        (&["1000", "1241"], not_now(RouteFault::Throttled)),
        (&["1120"], unable(RouteFault::Sender)),
        (&["1150"], unable(RouteFault::Content)),
        (&["1022"], unable(RouteFault::Template)),
        (&["1030", "1100"], Verdict::Unknown),
    ];
    let rows = rows.into_iter();
    rows.flat_map(|(codes, verdict)| codes.iter().map(move |code| (*code, verdict)))
        .collect()
}

fn problem(code: &str) -> Value {
    json!({
        "type": format!("https://developer.vonage.com/api-errors/messages#{code}"),
        "title": "Not so", "detail": "+41791234567 is not", "instance": "x",
    })
}

#[tokio::test]
async fn each_code_says_whose_fault_it_was() {
    for (code, verdict) in codes() {
        let report = sent(ResponseTemplate::new(422).set_body_json(problem(code))).await;
        assert_eq!(report.verdict, verdict, "{code}");
        assert!(
            report.reason.contains(&format!("code {code}")),
            "{report:?}"
        );
    }
    for status in [400, 422] {
        // Codes of phones out of reach say nothing of an answer, and unknown ones never blame the number.
        for code in ["1180", "1220", "1230", "1360", "1999"] {
            let report = sent(ResponseTemplate::new(status).set_body_json(problem(code))).await;
            assert_eq!(report.verdict, unable(RouteFault::Protocol), "{code}");
        }
    }
    let report = sent(ResponseTemplate::new(500).set_body_json(problem("1999"))).await;
    assert_eq!(report.verdict, Verdict::Unknown);
}

#[tokio::test]
async fn statuses_and_faults_of_the_network_are_told_apart() {
    statuses(vonage).await;
    network_faults(vonage, &["s3cret-of-ours", SECRET, "abcd1234"]).await;
}

/// A token by the letter of RFC 7515, so that the code under test does not judge itself.
fn token(secret: &str, header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let content = format!("{}.{}", part(header), part(claims));
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
    let signature = aws_lc_rs::hmac::sign(&key, content.as_bytes());
    format!("Bearer {content}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn hs256() -> Value {
    json!({"alg": "HS256", "typ": "JWT"})
}

fn claims(jti: &str, body: &str) -> Value {
    let hash = Sha256::digest(body.as_bytes());
    let hash: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({
        "iat": 1_700_000_000, "jti": jti, "iss": "Vonage", "payload_hash": hash,
        "api_key": "abcd1234", "application_id": APPLICATION,
    })
}

fn receives(
    provider: &Provider,
    authorization: &str,
    body: &str,
    now: Time,
) -> Result<(Arrival, String), ReceiptError> {
    let headers: HeaderMap = headers(&[("authorization", authorization)]);
    let request = ReceiptRequest {
        method: "POST",
        url: CALLBACK,
        query: "",
        headers: &headers,
        body: body.as_bytes(),
    };
    let receipt = provider.read_receipt(&request, now);
    receipt.map(|receipt| {
        provider.noted(receipt.once.as_deref());
        (receipt.arrival, receipt.reason)
    })
}

#[test]
fn a_receipt_that_was_not_written_down_is_taken_again() {
    let provider = vonage("", TIMEOUT);
    let body = r#"{"status":"delivered"}"#;
    let authorization = token(SECRET, &hs256(), &claims("1", body));
    let headers = headers(&[("authorization", authorization.as_str())]);
    let request = ReceiptRequest {
        method: "POST",
        url: CALLBACK,
        query: "",
        headers: &headers,
        body: body.as_bytes(),
    };
    let read = || provider.read_receipt(&request, NOW);
    for _ in 0..3 {
        // The database was away.
        assert!(read().is_ok());
    }
    provider.noted(read().expect("from Vonage").once.as_deref());
    assert_eq!(read(), Err(ReceiptError::Signature("it came before")));
}

#[test]
fn a_receipt_is_believed_once_and_while_it_is_fresh() {
    let provider = vonage("", TIMEOUT);
    let body = r#"{"status":"delivered","to":"41791234567"}"#;
    let good = token(SECRET, &hs256(), &claims("1", body));
    let read = |authorization: &str| receives(&provider, authorization, body, NOW);
    assert_eq!(read(&good), Ok((Arrival::Delivered, String::new())));
    assert_eq!(read(&good), Err(ReceiptError::Signature("it came before")));

    let with = |change: &dyn Fn(&mut Value)| {
        let mut claims = claims("2", body);
        change(&mut claims);
        token(SECRET, &hs256(), &claims)
    };
    let refused: [(&str, String); 10] = [
        (
            "another secret",
            token("another", &hs256(), &claims("2", body)),
        ),
        ("another body", token(SECRET, &hs256(), &claims("2", "{}"))),
        (
            "no algorithm",
            token(SECRET, &json!({"alg": "none"}), &claims("2", body)),
        ),
        (
            "another algorithm",
            token(SECRET, &json!({"alg": "HS512"}), &claims("2", body)),
        ),
        ("old", with(&|claims| claims["iat"] = 1_699_999_699.into())),
        (
            "of the future",
            with(&|claims| claims["iat"] = 1_700_000_301.into()),
        ),
        (
            "another issuer",
            with(&|claims| claims["iss"] = "Vanage".into()),
        ),
        (
            "another account",
            with(&|claims| claims["api_key"] = "dcba4321".into()),
        ),
        (
            "no hash",
            with(&|claims| claims["payload_hash"] = Value::Null),
        ),
        ("no token", "Basic x".into()),
    ];
    for (name, authorization) in refused {
        let error = read(&authorization).expect_err(name);
        assert!(matches!(error, ReceiptError::Signature(_)), "{name}");
    }
    for iat in [1_699_999_700, 1_700_000_300] {
        let edge = with(&|claims| {
            claims["iat"] = iat.into();
            claims["jti"] = iat.to_string().into();
        });
        assert!(read(&edge).is_ok(), "{iat}");
    }
}

#[test]
fn each_state_says_what_became_of_the_message() {
    let provider = vonage("", TIMEOUT);
    let read = |jti: &str, body: Value| {
        let body = body.to_string();
        let authorization = token(SECRET, &hs256(), &claims(jti, &body));
        receives(&provider, &authorization, &body, NOW)
    };
    let state = |status: &str| read(status, json!({"status": status})).map(|(arrival, _)| arrival);
    assert_eq!(state("submitted"), Ok(Arrival::OnTheWay));
    assert_eq!(state("something-new"), Ok(Arrival::OnTheWay));
    assert_eq!(state("read"), Ok(Arrival::Delivered));
    assert_eq!(state("delivered"), Ok(Arrival::Delivered));
    assert_eq!(state("rejected"), Ok(Arrival::Undelivered(Lost::Phone)));
    assert_eq!(
        state("undeliverable"),
        Ok(Arrival::Undelivered(Lost::Phone))
    );
    assert!(read("none", json!({})).is_err());
    let phones = ["1180", "1220", "1230", "1360", "1999"].map(|code| (code, Lost::Phone));
    let known = codes().into_iter().map(|(code, verdict)| {
        let lost = match verdict {
            Verdict::Never { fault } => Lost::Number(fault),
            Verdict::NotNow { fault, .. } | Verdict::Unable { fault } => Lost::Route(fault),
            _ => Lost::Phone,
        };
        (code, lost)
    });
    for (at, (code, lost)) in known.chain(phones).enumerate() {
        let forms = [problem(code), json!({"code": code, "reason": "x"})];
        for (form, error) in forms.into_iter().enumerate() {
            let body = json!({"status": "rejected", "error": error});
            let (arrival, reason) = read(&format!("{at}.{form}"), body).expect("signed");
            assert_eq!(arrival, Arrival::Undelivered(lost), "{code}");
            assert!(
                reason.starts_with(&format!("Vonage's code {code}: ")),
                "{reason}"
            );
        }
    }
}

#[test]
fn what_people_write_back_is_read_when_it_is_signed() {
    let provider = vonage("", TIMEOUT);
    let read = |secret: &str, jti: &str, body: &Value| {
        let body = body.to_string();
        let authorization = token(secret, &hs256(), &claims(jti, &body));
        let headers = headers(&[("authorization", authorization.as_str())]);
        let request = ReceiptRequest {
            method: "POST",
            url: "https://sms.example.com/sms/inbound/main",
            query: "",
            headers: &headers,
            body: body.as_bytes(),
        };
        let inbound = provider.read_inbound(&request, NOW)?;
        provider.noted(inbound.once.as_deref());
        Ok(inbound.keyword)
    };
    let message = |text: &str| {
        json!({
            "channel": "sms", "message_uuid": "u1", "to": "41790000000", "from": "41791234567",
            "timestamp": "2026-01-01T00:00:00Z", "text": text, "message_type": "text",
            "sms": {"num_messages": "1", "keyword": "STOP"},
        })
    };
    let number = Number::from_stored(TO);
    let stop = Ok(Some((number.clone(), Keyword::Stop)));
    assert_eq!(read(SECRET, "1", &message("stop")), stop);
    let again = read(SECRET, "1", &message("stop"));
    assert_eq!(again, Err(ReceiptError::Signature("it came before")));
    assert_eq!(
        read(SECRET, "2", &message("START")),
        Ok(Some((number, Keyword::Start)))
    );
    assert_eq!(read(SECRET, "3", &message("how much?")), Ok(None));
    let picture =
        json!({"channel": "mms", "from": "41791234567", "message_type": "image", "image": {}});
    assert_eq!(read(SECRET, "4", &picture), Ok(None));
    let mut elsewhere = message("STOP");
    elsewhere["channel"] = "whatsapp".into();
    assert_eq!(read(SECRET, "5", &elsewhere), Ok(None));
    // A receipt of the application is no message.
    let receipt = json!({"message_uuid": "u1", "status": "delivered", "from": "Acme"});
    for (jti, body) in [
        ("6", receipt),
        ("7", json!({"text": "STOP"})),
        ("8", json!([])),
    ] {
        let error = read(SECRET, jti, &body).expect_err("no message");
        assert!(matches!(error, ReceiptError::Malformed(_)), "{body}");
    }
    let error = read("another", "9", &message("STOP")).expect_err("another secret");
    assert!(matches!(error, ReceiptError::Signature(_)), "{error}");
    let mut own = settings("");
    own.signature_secret = "".into();
    let without = Provider::Vonage(Vonage::new(&own, TIMEOUT).expect("settings in order"));
    assert!(provider.sends_inbound() && !without.sends_inbound());
}

#[test]
fn settings_that_are_wrong_are_told_by_their_key() {
    let wrong = |change: fn(&mut VonageSettings)| {
        let mut own = settings("");
        change(&mut own);
        let error = own.check().expect_err("must be refused");
        let RouteError::Setting { key, says } = error else {
            panic!("{error}")
        };
        assert!(!says.contains("s3cret"), "{says}");
        key
    };
    assert_eq!(settings("").check(), Ok(()));
    assert_eq!(wrong(|own| own.api_key = String::new()), "application");
    assert_eq!(wrong(|own| own.api_secret = "".into()), "api_secret");
    assert_eq!(wrong(|own| own.application = APPLICATION.into()), "api_key");
    assert_eq!(
        wrong(|own| {
            own.api_key = String::new();
            own.application = APPLICATION.into();
        }),
        "private_key"
    );
    assert_eq!(
        wrong(|own| {
            own.api_key = String::new();
            own.application = APPLICATION.into();
            own.private_key = "s3cret".into();
        }),
        "private_key"
    );
    assert_eq!(wrong(|own| own.base_url = "example".into()), "base_url");
    let shown = format!("{:?}", settings(""));
    assert!(!shown.contains("s3cret"), "{shown}");
}
