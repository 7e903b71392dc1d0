//! The recipes that are shipped: each is read, sends what its provider documents, and reads what it answers.

mod common;

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use common::*;
use http::HeaderMap;
use ringback_core::delivery::{NumberFault, RouteFault, Verdict};
use ringback_sms::{Arrival, Http, HttpSettings, Lost, Provider, ReceiptRequest, Sms};
use serde::Deserialize;
use serde_json::{Value, json};
use wiremock::{Request, ResponseTemplate};

#[derive(Deserialize)]
struct File {
    sms: Section,
}

#[derive(Deserialize)]
struct Section {
    routes: BTreeMap<String, toml::Table>,
}

/// The settings of a recipe, with every secret filled in, and the path of its address.
fn recipe(name: &str) -> HttpSettings {
    let path = format!("{}/../../recipes/{name}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).expect("it is there");
    let file: File = toml::from_str(&text).expect("it is TOML");
    let mut routes = file.sms.routes.into_values();
    let mut route = routes.next().expect("a route");
    assert!(routes.next().is_none(), "{name} has one route");
    assert_eq!(route.remove("type"), Some("http".into()), "{name}");
    for common in ["kinds", "countries", "sender"] {
        route.remove(common);
    }
    let mut own: HttpSettings = route.try_into().expect("its keys are known");
    for secret in own.secret.values_mut() {
        *secret = "s3cret".into();
    }
    if let Some(receipt) = &mut own.receipt {
        receipt.secret = "s3cret".into();
    }
    own
}

fn with_base(own: &HttpSettings, base: &str) -> Provider {
    let path = own.url.splitn(4, '/').nth(3).expect("a path");
    let own = HttpSettings {
        url: format!("{base}/{path}"),
        allow_insecure: true,
        allow_private: true,
        ..own.clone()
    };
    Provider::Http(Http::new(&own, TIMEOUT).expect("settings in order"))
}

/// What a recipe makes of an answer, and the request that it answered.
async fn asked(name: &str, status: u16, body: &str) -> (Verdict, Option<String>, Request) {
    let server = server(ResponseTemplate::new(status).set_body_string(body)).await;
    let provider = with_base(&recipe(name), &server.uri());
    let report = provider.send(&sms(), NOW).await;
    tells_nothing(&report, &["s3cret"]);
    (report.verdict, report.reference, request(&server).await)
}

async fn taken(name: &str, status: u16, body: &str, reference: Option<&str>) -> Request {
    let (verdict, said, request) = asked(name, status, body).await;
    assert_eq!(verdict, Verdict::Taken, "{name}");
    assert_eq!(said.as_deref(), reference, "{name}");
    request
}

fn json_of(request: &Request) -> Value {
    serde_json::from_slice(&request.body).expect("json")
}

fn receives(name: &str, query: &str, body: &str) -> Arrival {
    receives_signed(name, query, &HeaderMap::new(), body)
}

fn receives_signed(name: &str, query: &str, headers: &HeaderMap, body: &str) -> Arrival {
    let request = ReceiptRequest {
        method: "POST",
        url: CALLBACK,
        query,
        headers,
        body: body.as_bytes(),
    };
    let provider = with_base(&recipe(name), "https://a.example.com");
    let receipt = provider.read_receipt(&request, NOW);
    receipt.expect("it is read").arrival
}

const PHONE: Arrival = Arrival::Undelivered(Lost::Phone);

#[test]
fn every_recipe_is_in_order() {
    let folder = format!("{}/../../recipes", env!("CARGO_MANIFEST_DIR"));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_stem()
            .expect("a name")
            .to_str()
            .expect("text")
            .to_owned();
        assert_eq!(recipe(&name).check(), Ok(()), "{name}");
        names.push(name);
    }
    names.sort();
    let tested = [
        "46elks",
        "gatewayapi",
        "infobip",
        "kannel",
        "messagebird",
        "messente",
        "plivo",
        "sinch",
        "telegram",
        "telnyx",
        "textlocal",
        "whatsapp",
    ];
    assert_eq!(names, tested);
}

#[tokio::test]
async fn kannel() {
    let request = taken("kannel", 202, "0: Accepted for delivery", None).await;
    assert_eq!(request.method.as_str(), "GET");
    assert_eq!(request.url.path(), "/cgi-bin/sendsms");
    let query: BTreeMap<_, _> = pairs(request.url.query().expect("a query").as_bytes())
        .into_iter()
        .collect();
    let callback = format!("{CALLBACK}?d=%d");
    let expected = [
        ("charset", "UTF-8"),
        ("dlr-mask", "31"),
        ("dlr-url", &callback),
        ("from", "Acme"),
        ("password", "s3cret"),
        ("text", "\"1\" & 2 = {3} + é"),
        ("to", TO),
        ("username", "s3cret"),
        ("validity", "10"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(query, BTreeMap::from(expected));
    for (status, body, verdict) in [
        (202, "3: Queued for later delivery", Verdict::Taken),
        (
            403,
            "Authorization failed for sendsms",
            unable(RouteFault::Auth),
        ),
        (
            400,
            "Sender missing and no global set, rejected",
            unable(RouteFault::Sender),
        ),
        (
            503,
            "Temporal failure, try again later.",
            not_now(RouteFault::Down),
        ),
        (202, "Sent?", Verdict::Unknown),
    ] {
        assert_eq!(asked("kannel", status, body).await.0, verdict, "{body}");
    }
    for (state, arrival) in [
        ("8", Arrival::OnTheWay),
        ("4", Arrival::OnTheWay),
        ("1", Arrival::Delivered),
        ("2", PHONE),
        (
            "16",
            Arrival::Undelivered(Lost::Route(RouteFault::Protocol)),
        ),
    ] {
        assert_eq!(
            receives("kannel", &format!("d={state}"), ""),
            arrival,
            "{state}"
        );
    }
}

#[tokio::test]
async fn elks() {
    let answer =
        r#"{"id": "s70df59406a1b4643b96f3f91e0bfb7b0", "status": "created", "cost": 3500}"#;
    let request = taken(
        "46elks",
        200,
        answer,
        Some("s70df59406a1b4643b96f3f91e0bfb7b0"),
    )
    .await;
    assert_eq!(request.url.path(), "/a1/sms");
    assert!(request.headers.contains_key("authorization"));
    let form = pairs(&request.body);
    let names: Vec<&str> = form.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["from", "message", "to", "whendelivered"]);
    assert_eq!(asked("46elks", 401, "").await.0, unable(RouteFault::Auth));
    assert_eq!(
        receives("46elks", "", "id=1&status=sent"),
        Arrival::OnTheWay
    );
    assert_eq!(
        receives("46elks", "", "id=1&status=delivered&delivered=x"),
        Arrival::Delivered
    );
    assert_eq!(receives("46elks", "", "id=1&status=failed"), PHONE);
}

#[tokio::test]
async fn infobip() {
    let answer = |group: u32, id: u32| {
        json!({"messages": [{"messageId": "m1", "status": {"groupId": group, "id": id}}]})
            .to_string()
    };
    let request = taken("infobip", 200, &answer(1, 26), Some("m1")).await;
    assert_eq!(request.headers["authorization"], "App s3cret");
    let expected = json!({"messages": [{
        "sender": "Acme",
        "destinations": [{"to": "41791234567", "messageId": "0190c5a0-0000-7000-8000-000000000001"}],
        "content": {"text": "\"1\" & 2 = {3} + é"},
        "options": {"validityPeriod": {"amount": 10, "timeUnit": "MINUTES"}},
        "webhooks": {"delivery": {"url": CALLBACK}},
    }]});
    assert_eq!(json_of(&request), expected);
    let never = |fault| Verdict::Never { fault };
    let rows: [(&[u32], Verdict); 9] = [
        (&[23], Verdict::Taken),
        (&[52, 51, 8], never(NumberFault::Invalid)),
        (&[10, 14], never(NumberFault::OptedOut)),
        (&[6, 19, 18, 87], unable(RouteFault::Region)),
        (&[12, 17], unable(RouteFault::Credit)),
        (&[20], not_now(RouteFault::Throttled)),
        (&[11, 13], unable(RouteFault::Sender)),
        (&[25], unable(RouteFault::Content)),
        (&[21, 100, 9999], Verdict::Unknown),
    ];
    for (ids, verdict) in rows {
        for id in ids {
            assert_eq!(
                asked("infobip", 200, &answer(5, *id)).await.0,
                verdict,
                "{id}"
            );
        }
    }
    let receipt = |id: u32, error: u32| {
        let body = json!({"results": [{"status": {"id": id}, "error": {"id": error}}]});
        receives("infobip", "", &body.to_string())
    };
    assert_eq!(receipt(5, 0), Arrival::Delivered);
    assert_eq!(receipt(2, 0), Arrival::OnTheWay);
    let number = |fault| Arrival::Undelivered(Lost::Number(fault));
    let route = |fault| Arrival::Undelivered(Lost::Route(fault));
    let rows: [(&[u32], Arrival); 8] = [
        (&[1, 9, 3041], number(NumberFault::Invalid)),
        (&[11, 568, 629], number(NumberFault::Landline)),
        (&[603, 573, 2050], number(NumberFault::OptedOut)),
        (&[608], route(RouteFault::Region)),
        (&[4099], route(RouteFault::Credit)),
        (&[4103, 541, 542], route(RouteFault::Throttled)),
        (&[368, 607, 561], route(RouteFault::Content)),
        (&[6, 27, 31, 32, 256, 4101, 9999], PHONE),
    ];
    for (errors, arrival) in rows {
        for error in errors {
            assert_eq!(receipt(9, *error), arrival, "{error}");
        }
    }
}

#[tokio::test]
async fn telnyx() {
    let request = taken("telnyx", 200, r#"{"data": {"id": "t1"}}"#, Some("t1")).await;
    assert_eq!(request.headers["authorization"], "Bearer s3cret");
    let expected = json!({
        "from": "Acme", "to": TO, "text": "\"1\" & 2 = {3} + é", "type": "SMS", "webhook_url": CALLBACK,
    });
    assert_eq!(json_of(&request), expected);
    let error = |code: &str| json!({"errors": [{"code": code}]}).to_string();
    assert_eq!(
        asked("telnyx", 401, &error("10009")).await.0,
        unable(RouteFault::Auth)
    );
    assert_eq!(
        asked("telnyx", 403, &error("10039")).await.0,
        unable(RouteFault::Region)
    );
    assert_eq!(
        asked("telnyx", 422, &error("10015")).await.0,
        unable(RouteFault::Protocol)
    );
    let receipt = |status: &str, code: &str| {
        let body =
            json!({"data": {"payload": {"to": [{"status": status}], "errors": [{"code": code}]}}});
        receives("telnyx", "", &body.to_string())
    };
    assert_eq!(receipt("sent", ""), Arrival::OnTheWay);
    assert_eq!(receipt("delivery_unconfirmed", ""), Arrival::OnTheWay);
    assert_eq!(receipt("delivered", ""), Arrival::Delivered);
    assert_eq!(receipt("expired", "40005"), PHONE);
    let landline = Arrival::Undelivered(Lost::Number(NumberFault::Landline));
    assert_eq!(receipt("delivery_failed", "40001"), landline);
}

#[tokio::test]
async fn sinch() {
    let request = taken("sinch", 201, r#"{"id": "b1"}"#, Some("b1")).await;
    let expected = json!({
        "from": "Acme", "to": ["41791234567"], "body": "\"1\" & 2 = {3} + é",
        "expire_at": "2023-11-14T22:23:20.9Z", "delivery_report": "per_recipient", "callback_url": CALLBACK,
        "client_reference": "0190c5a0-0000-7000-8000-000000000001",
    });
    assert_eq!(json_of(&request), expected);
    let receipt = |status: &str| {
        let body = json!({"type": "recipient_delivery_report_sms", "code": 401, "status": status});
        receives("sinch", "", &body.to_string())
    };
    for status in ["Queued", "DISPATCHED", "UNKNOWN"] {
        assert_eq!(receipt(status), Arrival::OnTheWay, "{status}");
    }
    assert_eq!(receipt("Delivered"), Arrival::Delivered);
    for status in [
        "Aborted",
        "CANCELLED",
        "Rejected",
        "DELETED",
        "FAILED",
        "Expired",
    ] {
        assert_eq!(receipt(status), PHONE, "{status}");
    }
}

#[tokio::test]
async fn messagebird() {
    let request = taken("messagebird", 201, r#"{"id": "m1"}"#, Some("m1")).await;
    assert_eq!(request.headers["authorization"], "AccessKey s3cret");
    let body = json_of(&request);
    assert_eq!(
        (&body["validity"], &body["recipients"]),
        (&json!(600), &json!(["41791234567"]))
    );
    assert_eq!(
        asked("messagebird", 401, "").await.0,
        unable(RouteFault::Auth)
    );
    assert_eq!(
        receives("messagebird", "id=1&status=buffered", ""),
        Arrival::OnTheWay
    );
    assert_eq!(
        receives("messagebird", "id=1&status=delivered", ""),
        Arrival::Delivered
    );
    assert_eq!(
        receives("messagebird", "id=1&status=delivery_failed", ""),
        PHONE
    );
}

#[tokio::test]
async fn messente() {
    let answer = json!({
        "messages": [{"message_id": "m1", "channel": "sms", "sender": "Acme"}],
        "omnimessage_id": "o1", "to": TO,
    });
    let request = taken("messente", 201, &answer.to_string(), Some("m1")).await;
    assert_eq!(request.url.path(), "/v1/omnimessage");
    assert_eq!(request.headers["accept"], "application/json");
    assert_eq!(request.headers["content-type"], "application/json");
    let basic = request.headers["authorization"].to_str().expect("text");
    assert!(basic.starts_with("Basic "), "{basic}");
    let expected = json!({
        "to": TO,
        "messages": [{
            "channel": "sms", "sender": "Acme", "text": "\"1\" & 2 = {3} + é", "ttl": 600, "autoconvert": "off",
        }],
        "priority": "high", "text_store": "nostore", "dlr_url": CALLBACK,
    });
    assert_eq!(json_of(&request), expected);
    let error = |code: &str, source: Option<&str>| {
        json!({"errors": [{"title": "x", "detail": "x", "code": code, "source": source}]})
            .to_string()
    };
    let never = Verdict::Never {
        fault: NumberFault::Invalid,
    };
    for (status, body, verdict) in [
        (400, error("105", Some("to")), never),
        (400, error("105", Some("ttl")), unable(RouteFault::Protocol)),
        (401, error("103", None), unable(RouteFault::Auth)),
        (403, error("102", None), unable(RouteFault::Auth)),
        (500, error("104", None), Verdict::Unknown),
        (200, "{}".into(), Verdict::Unknown),
    ] {
        assert_eq!(asked("messente", status, &body).await.0, verdict, "{body}");
    }
    let receipt = |status: &str, err: Value| {
        let body = json!({"status": status, "err": err, "channel": "sms", "message_id": "m1"});
        let body = body.to_string();
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"s3cret");
        let mac = hmac::sign(&key, body.as_bytes());
        let hex: String = mac
            .as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let signed = headers(&[("x-messente-signature", &hex)]);
        receives_signed("messente", "", &signed, &body)
    };
    for status in ["ACK", "ACCEPTD", "UNKNOWN"] {
        assert_eq!(receipt(status, Value::Null), Arrival::OnTheWay, "{status}");
    }
    assert_eq!(receipt("DELIVRD", json!(0)), Arrival::Delivered);
    assert_eq!(receipt("SEEN", json!(10)), Arrival::Delivered);
    for status in ["UNDELIV", "FAILED", "REJECTD", "DELETED", "EXPIRED", "NACK"] {
        assert_eq!(receipt(status, json!(1)), PHONE, "{status}");
    }
    let invalid = Arrival::Undelivered(Lost::Number(NumberFault::Invalid));
    let route = |fault| Arrival::Undelivered(Lost::Route(fault));
    for (err, arrival) in [
        (2, PHONE),
        (3, invalid),
        (4, route(RouteFault::Credit)),
        (5, invalid),
        (6, route(RouteFault::Throttled)),
        (7, route(RouteFault::Sender)),
        (8, route(RouteFault::Region)),
        (9, route(RouteFault::Region)),
        (999, route(RouteFault::Down)),
    ] {
        assert_eq!(receipt("REJECTD", json!(err)), arrival, "{err}");
    }
}

#[tokio::test]
async fn plivo() {
    let request = taken("plivo", 202, r#"{"message_uuid": ["p1"]}"#, Some("p1")).await;
    let body = json_of(&request);
    assert_eq!(
        (&body["message_expiry"], &body["dst"]),
        (&json!(600), &json!("41791234567"))
    );
    assert_eq!(receives("plivo", "", "Status=sent"), Arrival::OnTheWay);
    assert_eq!(
        receives("plivo", "", "Status=delivered"),
        Arrival::Delivered
    );
    assert_eq!(receives("plivo", "", "Status=rejected&ErrorCode=50"), PHONE);
}

#[tokio::test]
async fn gatewayapi() {
    let request = taken(
        "gatewayapi",
        200,
        r#"{"ids": [421332671]}"#,
        Some("421332671"),
    )
    .await;
    let body = json_of(&request);
    assert_eq!(request.headers["authorization"], "Basic czNjcmV0Og==");
    assert_eq!(body["recipients"], json!([{"msisdn": "41791234567"}]));
    assert_eq!(
        (&body["encoding"], &body["validity_period"]),
        (&Value::Null, &json!(600))
    );
    assert_eq!(
        receives("gatewayapi", "", r#"{"status": "ENROUTE"}"#),
        Arrival::OnTheWay
    );
    assert_eq!(
        receives("gatewayapi", "", r#"{"status": "DELIVERED"}"#),
        Arrival::Delivered
    );
    assert_eq!(
        receives("gatewayapi", "", r#"{"status": "EXPIRED"}"#),
        PHONE
    );
}

#[tokio::test]
async fn textlocal() {
    let answer = r#"{"status": "success", "messages": [{"id": "1"}]}"#;
    let request = taken("textlocal", 200, answer, Some("1")).await;
    let form = pairs(&request.body);
    assert!(form.contains(&("apikey".into(), "s3cret".into())));
    assert!(form.iter().all(|(name, _)| name != "unicode"));
    let failure = |code: u32| json!({"status": "failure", "errors": [{"code": code}]}).to_string();
    let never = Verdict::Never {
        fault: NumberFault::Invalid,
    };
    for (code, verdict) in [
        (3, unable(RouteFault::Auth)),
        (7, unable(RouteFault::Credit)),
        (43, unable(RouteFault::Sender)),
        (51, never),
        (99, unable(RouteFault::Protocol)),
    ] {
        assert_eq!(
            asked("textlocal", 200, &failure(code)).await.0,
            verdict,
            "{code}"
        );
    }
    assert_eq!(receives("textlocal", "", "status=D"), Arrival::Delivered);
    let invalid = Arrival::Undelivered(Lost::Number(NumberFault::Invalid));
    assert_eq!(receives("textlocal", "", "status=I"), invalid);
}

#[tokio::test]
async fn whatsapp() {
    let answer = r#"{"messages": [{"id": "wamid.1", "message_status": "accepted"}]}"#;
    let request = taken("whatsapp", 200, answer, Some("wamid.1")).await;
    let body = json_of(&request);
    let code = code();
    let parameters = json!([{"type": "text", "text": code.reveal()}]);
    assert_eq!(body["template"]["components"][0]["parameters"], parameters);
    assert_eq!(body["template"]["components"][1]["parameters"], parameters);
    assert!(
        !request.body.windows(3).any(|part| part == b"{3}"),
        "the text stays here"
    );
    let rows: [(&[u32], Verdict); 7] = [
        (
            &[131050],
            Verdict::Never {
                fault: NumberFault::OptedOut,
            },
        ),
        (&[131026, 130472, 131049], unable(RouteFault::Region)),
        (&[190, 0, 10, 200, 131031, 368], unable(RouteFault::Auth)),
        (&[131042], unable(RouteFault::Credit)),
        (&[130429, 131056, 80007], not_now(RouteFault::Throttled)),
        (&[132000, 132001, 132015], unable(RouteFault::Template)),
        (&[131000, 1, 2], Verdict::Unknown),
    ];
    for (codes, verdict) in rows {
        for code in codes {
            let body = json!({"error": {"message": "x", "code": code}}).to_string();
            assert_eq!(asked("whatsapp", 400, &body).await.0, verdict, "{code}");
        }
    }
}

#[tokio::test]
async fn telegram() {
    let answer = r#"{"ok": true, "result": {"request_id": "r1"}}"#;
    let request = taken("telegram", 200, answer, Some("r1")).await;
    let code = code();
    let expected = json!({
        "phone_number": TO, "code": code.reveal(), "ttl": 600, "callback_url": CALLBACK,
        "payload": "0190c5a0-0000-7000-8000-000000000001",
    });
    assert_eq!(json_of(&request), expected);
    let error = |error: &str| json!({"ok": false, "error": error}).to_string();
    let invalid = error("ACCESS_TOKEN_INVALID");
    assert_eq!(
        asked("telegram", 200, &invalid).await.0,
        unable(RouteFault::Auth)
    );
    assert_eq!(
        asked("telegram", 200, &error("X")).await.0,
        unable(RouteFault::Protocol)
    );
    let receipt = |status: &str| {
        let body = json!({"request_id": "r1", "delivery_status": {"status": status}});
        receives("telegram", "", &body.to_string())
    };
    assert_eq!(receipt("sent"), Arrival::OnTheWay);
    assert_eq!(receipt("read"), Arrival::Delivered);
    assert_eq!(receipt("revoked"), PHONE);
}

#[tokio::test]
async fn a_text_beyond_gsm_is_said_to_be_one() {
    for (name, says) in [
        ("kannel", "coding=2"),
        ("textlocal", "unicode=true"),
        ("gatewayapi", "\"UCS2\""),
    ] {
        let server = server(ResponseTemplate::new(500)).await;
        let message = Sms {
            text: "привет".into(),
            ..sms()
        };
        with_base(&recipe(name), &server.uri())
            .send(&message, NOW)
            .await;
        let request = request(&server).await;
        let sent = format!("{} {}", request.url, String::from_utf8_lossy(&request.body));
        assert!(sent.contains(says), "{name}: {sent}");
    }
}
