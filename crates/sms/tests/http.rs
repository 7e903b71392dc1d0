//! `type = "http"`: what a recipe sends, what it makes of answers, which receipts it believes, and what it refuses.

mod common;

use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::*;
use http::HeaderMap;
use ringback_core::Number;
use ringback_core::delivery::{NumberFault, RouteFault, Verdict};
use ringback_sms::{
    Arrival, Http, HttpSettings, Keyword, Lost, Provider, ReceiptError, ReceiptRequest, Report,
    RouteError, Sms,
};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

const SECRET: &str = "s3cret&of=ours";

/// Settings as a file gives them, with the address of a server in place of `URL`. What is no matter of a test may be left out.
fn settings(text: &str, url: &str) -> HttpSettings {
    let text = text.replace("URL", url);
    let text = format!("allow_insecure = true\nallow_private = true\n{text}");
    let mut own: HttpSettings = toml::from_str(&text).expect("settings");
    for (names, key) in [
        (["{to}", "{to_digits}"], "x-to"),
        (["{text}", "{code}"], "x-code"),
    ] {
        if !names.iter().any(|name| text.contains(name)) {
            own.headers.insert(key.into(), names[1].into());
        }
    }
    own
}

fn made(text: &str, url: &str) -> Provider {
    Provider::Http(Http::new(&settings(text, url), TIMEOUT).expect("settings in order"))
}

async fn send(text: &str, answer: ResponseTemplate, message: &Sms) -> (Report, wiremock::Request) {
    let server = server(answer).await;
    let report = made(text, &server.uri()).send(message, NOW).await;
    tells_nothing(&report, &[SECRET, "s3cret"]);
    (report, request(&server).await)
}

async fn judged(text: &str, status: u16, body: &str) -> Report {
    let answer = ResponseTemplate::new(status).set_body_string(body);
    send(&format!("url = \"URL/\"\n{text}"), answer, &sms())
        .await
        .0
}

const FORM: &str = r#"
url = "URL/send/{id}?fixed=1"
username = "ann"
password = "s3cret&of=ours"
secret = { key = "s3cret&of=ours" }
query = { key = "{secret.key}", callback = "{callback}?d=%d" }
headers = { x-key = "{secret.key}", x-language = "{language}" }
[form]
to = "{to}"
digits = "00{to_digits}"
text = "{text}"
code = "{code}"
from = "{sender}"
ttl = "{validity_seconds}"
minutes = "{validity_minutes}"
until = "{expires_at}"
kind = "{kind}"
coding = "2{unicode}"
braces = "{{}}"
"#;

#[tokio::test]
async fn a_form_carries_what_the_message_has() {
    let (report, request) = send(FORM, ResponseTemplate::new(200), &sms()).await;
    assert_eq!(report, Report::taken(None));
    assert_eq!(request.method.as_str(), "POST");
    assert_eq!(
        request.url.path(),
        "/send/0190c5a0-0000-7000-8000-000000000001"
    );
    let own = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter();
        let pairs = pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        pairs.collect::<Vec<_>>()
    };
    let query = request.url.query().expect("a query");
    let callback = format!("{CALLBACK}?d=%d");
    assert_eq!(
        pairs(query.as_bytes()),
        own(&[("fixed", "1"), ("callback", &callback), ("key", SECRET)])
    );
    assert_eq!(request.headers["x-key"], SECRET);
    assert_eq!(request.headers["x-language"], "de-CH");
    let basic = STANDARD.encode(format!("ann:{SECRET}"));
    assert_eq!(request.headers["authorization"], format!("Basic {basic}"));
    let code = code();
    let expected = own(&[
        ("braces", "{}"),
        ("code", code.reveal()),
        ("digits", "0041791234567"),
        ("from", "Acme"),
        ("kind", "code"),
        ("minutes", "10"),
        ("text", "\"1\" & 2 = {3} + é"),
        ("to", TO),
        ("ttl", "600"),
        ("until", "2023-11-14T22:23:20.9Z"),
    ]);
    assert_eq!(pairs(&request.body), expected, "GSM 03.38 has all of it");
}

#[tokio::test]
async fn what_a_message_has_not_is_left_out() {
    let message = Sms {
        code: None,
        sender: None,
        callback: None,
        language: String::new(),
        text: "привет".into(),
        expires_at: NOW,
        ..sms()
    };
    let (report, request) = send(FORM, ResponseTemplate::new(200), &message).await;
    assert_eq!(report, Report::taken(None));
    assert_eq!(
        pairs(request.url.query().expect("a query").as_bytes()).len(),
        2
    );
    assert!(!request.headers.contains_key("x-language"));
    let form = pairs(&request.body);
    let names: Vec<&str> = form.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "braces", "coding", "digits", "kind", "minutes", "text", "to", "ttl", "until"
        ]
    );
    let field = |wanted| {
        form.iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value.as_str())
    };
    assert_eq!(field("coding"), Some("2"));
    assert_eq!((field("ttl"), field("minutes")), (Some("1"), Some("1")));
}

#[tokio::test]
async fn json_is_written_so_that_nothing_breaks_out_of_a_text() {
    let text = r#"
url = "URL/"
most_validity_seconds = 300
json = '''{
  "to": ["{to_digits}"], "text": "{text}", "ttl": "{validity_seconds}", "ttl_text": "{validity_seconds}s",
  "hook": {"delivery": {"url": "{callback}"}}, "flags": [true, 1, null], "empty": {}, "code": "{{{code}}}"
}'''
"#;
    let (_, request) = send(text, ResponseTemplate::new(200), &sms()).await;
    assert_eq!(request.headers["content-type"], "application/json");
    let body: Value = serde_json::from_slice(&request.body).expect("json");
    let code = format!("{{{}}}", code().reveal());
    let expected = json!({
        "to": ["41791234567"], "text": "\"1\" & 2 = {3} + é", "ttl": 300, "ttl_text": "300s",
        "hook": {"delivery": {"url": CALLBACK}}, "flags": [true, 1, null], "empty": {}, "code": code,
    });
    assert_eq!(body, expected);

    // The same as a table, and a message without a callback.
    let table = r#"
url = "URL/"
headers = { content-type = "application/vnd.api+json" }
[json]
to = ["{to_digits}"]
nested = { url = "{callback}" }
count = 3
"#;
    let message = Sms {
        callback: None,
        ..sms()
    };
    let (_, request) = send(table, ResponseTemplate::new(200), &message).await;
    assert_eq!(request.headers["content-type"], "application/vnd.api+json");
    let body: Value = serde_json::from_slice(&request.body).expect("json");
    assert_eq!(body, json!({"to": ["41791234567"], "count": 3}));
}

#[tokio::test]
async fn what_comes_into_a_path_stays_one_part_of_it() {
    let message = Sms {
        text: "../a/b?c=d#e %41\\".into(),
        ..sms()
    };
    let text = "url = \"URL/x/{text}/y\"\nmethod = \"PUT\"";
    let (_, request) = send(text, ResponseTemplate::new(200), &message).await;
    assert_eq!(request.method.as_str(), "PUT");
    assert_eq!(request.url.path(), "/x/..%2Fa%2Fb%3Fc%3Dd%23e%20%2541%5C/y");
    assert_eq!(request.url.query(), None);
}

#[tokio::test]
async fn a_header_field_that_cannot_hold_it_sends_nothing() {
    let server = server(ResponseTemplate::new(200)).await;
    let message = Sms {
        text: "a\r\nx-other: b".into(),
        ..sms()
    };
    let provider = made(
        "url = \"URL/\"\nheaders = { x-text = \"{text}\" }",
        &server.uri(),
    );
    let report = provider.send(&message, NOW).await;
    assert_eq!(report.verdict, unable(RouteFault::Protocol));
    assert_eq!(
        server.received_requests().await.map(|all| all.len()),
        Some(0)
    );
}

#[tokio::test]
async fn each_class_is_a_verdict() {
    let never = |fault| Verdict::Never { fault };
    let classes = [
        ("taken", Verdict::Taken),
        ("invalid", never(NumberFault::Invalid)),
        ("landline", never(NumberFault::Landline)),
        ("opted_out", never(NumberFault::OptedOut)),
        ("region", unable(RouteFault::Region)),
        ("auth", unable(RouteFault::Auth)),
        ("credit", unable(RouteFault::Credit)),
        ("throttled", not_now(RouteFault::Throttled)),
        ("sender", unable(RouteFault::Sender)),
        ("content", unable(RouteFault::Content)),
        ("template", unable(RouteFault::Template)),
        ("down", not_now(RouteFault::Down)),
        ("protocol", unable(RouteFault::Protocol)),
        ("unknown", Verdict::Unknown),
    ];
    for (class, verdict) in classes {
        let text = format!("errors = {{ \"400 /code=7\" = \"{class}\" }}");
        let report = judged(&text, 400, r#"{"code": 7, "to": "+41791234567"}"#).await;
        assert_eq!(report.verdict, verdict, "{class}");
        let said = report.reason.starts_with("answered 400 (/code=7): ");
        assert!(said || verdict == Verdict::Taken, "{report:?}");
    }
}

#[tokio::test]
async fn conditions_are_read_from_the_closest_to_the_widest() {
    let text = r#"
success = ["201", "200 /result/0/state=queued", "200 body=OK*"]
reference = "/result/0/id"
[errors]
"4xx" = "content"
"400" = "sender"
"/code=1*" = "region"
"/code=12" = "credit"
"400 /code=12" = "auth"
"/error" = "template"
"#;
    let cases: [(u16, &str, Verdict); 14] = [
        (201, "", Verdict::Taken),
        (
            200,
            r#"{"result": [{"state": "queued", "id": 5}]}"#,
            Verdict::Taken,
        ),
        (200, " OK: 1\n", Verdict::Taken),
        // It sounds well, and does not say what it should say.
        (200, r#"{"result": [{"state": "maybe"}]}"#, Verdict::Unknown),
        (200, "", Verdict::Unknown),
        (202, "KO", Verdict::Unknown),
        (404, "", unable(RouteFault::Content)),
        (400, "not json", unable(RouteFault::Sender)),
        (400, r#"{"code": 12}"#, unable(RouteFault::Auth)),
        (402, r#"{"code": "12"}"#, unable(RouteFault::Credit)),
        (200, r#"{"code": 123}"#, unable(RouteFault::Region)),
        (201, r#"{"error": true}"#, unable(RouteFault::Template)),
        (201, r#"{"error": null}"#, Verdict::Taken),
        (500, r#"{"code": 9}"#, Verdict::Unknown),
    ];
    for (status, body, verdict) in cases {
        let report = judged(text, status, body).await;
        assert_eq!(report.verdict, verdict, "{status} {body}");
        if body.contains("\"id\"") {
            assert_eq!(report.reference.as_deref(), Some("5"));
        }
    }
    // A code that looks like a number of a phone is not repeated.
    let report = judged(text, 400, r#"{"code": "41791234567"}"#).await;
    assert_eq!(
        report.reason,
        "answered 400: the provider refuses the sender"
    );
}

#[tokio::test]
async fn a_reference_may_stand_in_a_text() {
    let report = judged("reference = \"ID: \"", 200, "OK ID: abc-1 \n").await;
    assert_eq!(report, Report::taken(Some("abc-1".into())));
    let report = judged("reference = \"ID: \"", 200, "OK").await;
    assert_eq!(report, Report::taken(None));
}

#[tokio::test]
async fn statuses_and_faults_of_the_network_are_told_apart() {
    let provider = |url: &str, timeout: Duration| {
        let own = settings(FORM, url);
        Provider::Http(Http::new(&own, timeout).expect("settings in order"))
    };
    statuses(provider).await;
    network_faults(provider, &[SECRET, "s3cret"]).await;
}

#[tokio::test]
async fn a_body_that_is_cut_off_is_no_success() {
    let long = format!("{{\"id\": \"1\", \"more\": \"{}\"}}", "x".repeat(20_000));
    assert_eq!(
        judged("success = [\"200 /id\"]", 200, &long).await.verdict,
        Verdict::Unknown
    );
    assert_eq!(judged("", 200, &long).await.verdict, Verdict::Taken);
}

#[tokio::test]
async fn a_check_asks_where_it_is_told_to() {
    let known = server(ResponseTemplate::new(204)).await;
    let text = "url = \"URL/\"\nsecret = { key = \"s3cret\" }\nheaders = { x-key = \"{secret.key}\", x-id = \"{id}\" }";
    let provider = made(text, &known.uri());
    assert_eq!(provider.check().await, Ok(()));
    assert_eq!(
        known.received_requests().await.map(|all| all.len()),
        Some(0)
    );
    let text = format!("{text}\ncheck_url = \"URL/me\"");
    assert_eq!(made(&text, &known.uri()).check().await, Ok(()));
    let asked = request(&known).await;
    assert_eq!((asked.method.as_str(), asked.url.path()), ("GET", "/me"));
    assert_eq!(asked.headers["x-key"], "s3cret");
    assert!(!asked.headers.contains_key("x-id"));
    let other = server(ResponseTemplate::new(403)).await;
    let error = made(&text, &other.uri())
        .check()
        .await
        .expect_err("refused");
    assert!(matches!(error, RouteError::Refused { .. }), "{error}");
    assert!(!error.to_string().contains("s3cret"));
}

#[tokio::test]
async fn a_private_network_is_left_alone_unless_it_is_meant() {
    let server = server(ResponseTemplate::new(200)).await;
    let port = server.address().port();
    for host in [
        "127.0.0.1",
        "[::1]",
        "localhost",
        "2130706433",
        "0x7f.1",
        "10.0.0.1",
        "169.254.169.254",
        "[::ffff:127.0.0.1]",
        "[fd00:ec2::254]",
        "0",
        "db.localhost",
    ] {
        let url = format!("http://{host}:{port}/");
        let own = HttpSettings {
            allow_private: false,
            ..settings("url = \"URL\"", &url)
        };
        let error = own.check().expect_err(host);
        assert!(
            matches!(&error, RouteError::Setting { key, .. } if key == "url"),
            "{host}: {error}"
        );
        let both = HttpSettings {
            allow_private: true,
            ..own
        };
        assert_eq!(both.check(), Ok(()), "{host}");
    }
    assert_eq!(
        server.received_requests().await.map(|all| all.len()),
        Some(0)
    );
}

#[test]
fn settings_that_are_wrong_are_told_by_their_key() {
    let cases = [
        ("", "url"),
        ("url = \"example\"", "url"),
        ("url = \"ftp://a.example.com/\"", "url"),
        ("url = \"https://ann:s3cret@a.example.com/\"", "url"),
        ("url = \"https://{to}.example.com/\"", "url"),
        (
            "url = \"https://a.example.com\\\\@b.example.com/{to}\"",
            "url",
        ),
        ("url = \"https://a.example.com/?to={to}\"", "url"),
        ("url = \"https://a.example.com/{code}\"", "url"),
        ("url = \"https://a.example.com/{s3cret}\"", "url"),
        ("method = \"DELETE\"", "method"),
        ("method = \"GET\"\nform = { to = \"{to}\" }", "method"),
        ("form = { to = \"{to\" }", "form.to"),
        ("form = { to = \"s3cret}\" }", "form.to"),
        ("form = { to = \"{secret.s3cret}\" }", "form.to"),
        ("query = { to = \"{s3cret}\" }", "query.to"),
        ("headers = { x = \"{s3cret}\" }", "headers.x"),
        ("headers = { \"a b\" = \"x\" }", "headers"),
        (
            "username = \"ann\"\nheaders = { Authorization = \"x\" }",
            "headers.authorization",
        ),
        ("password = \"s3cret\"", "username"),
        ("username = \"{to}\"", "username"),
        ("username = \"{secret.s3cret}\"", "username"),
        ("secret = { key = \"\" }", "secret.key"),
        ("json = \"{s3cret}\"", "json"),
        ("json = \"[1\"", "json"),
        ("json = '\"s3cret\"'", "json"),
        ("json = { a = [\"{s3cret}\"] }", "json"),
        ("json = {}\nform = { a = \"b\" }", "json"),
        ("least_validity_seconds = 0", "least_validity_seconds"),
        (
            "least_validity_seconds = 9\nmost_validity_seconds = 8",
            "least_validity_seconds",
        ),
        ("success = []", "success"),
        ("success = [\"nonsense\"]", "success"),
        ("success = [\"400 /a=b /c=d\"]", "success"),
        ("success = [\"600\"]", "success"),
        ("errors = { \"9xx\" = \"auth\" }", "errors"),
        ("errors = { \"400\" = \"s3cret\" }", "errors"),
        ("errors = { \"400 nonsense=1\" = \"auth\" }", "errors"),
        ("errors = { \"400\" = \"phone\" }", "errors"),
        ("check_url = \"https://10.0.0.1/\"", "check_url"),
        (
            "receipt = { status = \"s3cret\", values = { a = \"delivered\" } }",
            "receipt.status",
        ),
        (
            "receipt = { status = \"/a\", values = { a = \"s3cret\" } }",
            "receipt.values",
        ),
        (
            "receipt = { status = \"/a\", values = { a = \"undelivered:s3cret\" } }",
            "receipt.values",
        ),
        (
            "receipt = { status = \"/a\", values = { a = \"on_the_way\" } }",
            "receipt.values",
        ),
        (
            "receipt = { status = \"/a\", values = { a = \"delivered\", b = \"undelivered:taken\" } }",
            "receipt.values",
        ),
        (
            "receipt = { status = \"/a\", values = { a = \"delivered\" }, secret = \"{secret.s3cret}\" }",
            "receipt.secret",
        ),
        (
            "receipt = { status = \"/a\", error = \"s3cret\", values = { a = \"delivered\" } }",
            "receipt.error",
        ),
        (
            "receipt = { status = \"/a\", errors = { a = \"s3cret\" }, values = { a = \"delivered\" } }",
            "receipt.errors",
        ),
        (
            "receipt = { status = \"/a\", values = { a = \"delivered\" }, signed = \"basic\" }",
            "receipt.secret",
        ),
        (
            "receipt = { status = \"/a\", values = { a = \"delivered\" }, signed = \"header\", secret = \"s3cret\" }",
            "receipt.header",
        ),
        (
            "receipt = { status = \"/a\", values = { a = \"delivered\" }, signed = \"hmac_sha256\", secret = \"s3cret\", header = \"a b\" }",
            "receipt.header",
        ),
        (
            "receipt = { status = \"/a\", values = { a = \"delivered\" }, signed = \"header\" }",
            "receipt.header",
        ),
        (
            "receipt = { status = \"/a\", values = { a = \"delivered\" } }",
            "receipt",
        ),
        ("query = { text = \"{text}\" }", "query"),
        ("form = { to = \"{sender}\", text = \"{text}\" }", "form"),
        ("json = { to = \"{to_digits}\", text = \"{id}\" }", "json"),
    ];
    for (text, expected) in cases {
        let whole = match text.is_empty() || text.starts_with("url") {
            true => text.to_owned(),
            false => format!("url = \"https://a.example.com/\"\n{text}"),
        };
        let own: HttpSettings = toml::from_str(&whole).expect(text);
        let error = own.check().expect_err(text);
        let RouteError::Setting { key, says } = error else {
            panic!("{text}: {error}")
        };
        assert_eq!(key, expected, "{text}");
        assert!(!says.contains("s3cret"), "{text}: {says}");
        assert!(!format!("{own:?}").contains("s3cret"));
    }
    let own: HttpSettings =
        toml::from_str("url = \"https://a.example.com/\"\nform = { to = \"{recipient}\" }")
            .expect("settings");
    let says = own.check().expect_err("must be refused").to_string();
    assert!(
        says.contains("holds {recipient}, which is no name"),
        "{says}"
    );
    let plain: HttpSettings = toml::from_str("url = \"http://a.example.com/\"").expect("settings");
    assert!(matches!(plain.check(), Err(RouteError::Setting { key, .. }) if key == "url"));
}

fn receives(
    receipt: &str,
    query: &str,
    headers: &HeaderMap,
    body: &str,
) -> Result<(Arrival, String), ReceiptError> {
    let provider = made(
        &format!("url = \"URL/\"\nquery = {{ to = \"{{callback}}\" }}\n[receipt]\n{receipt}"),
        "https://a.example.com",
    );
    assert!(provider.sends_receipts());
    let request = ReceiptRequest {
        method: "POST",
        url: CALLBACK,
        query,
        headers,
        body: body.as_bytes(),
    };
    let receipt = provider.read_receipt(&request, NOW);
    receipt.map(|receipt| (receipt.arrival, receipt.reason))
}

#[test]
fn a_receipt_says_it_where_the_recipe_looks() {
    let none = HeaderMap::new();
    let values = "values = { 1 = \"delivered\", 8 = \"on_the_way\", 2 = \"undelivered\", 3 = \"undelivered:landline\" }";
    let delivered = Ok((Arrival::Delivered, String::new()));
    let with = |place: &str| format!("status = \"{place}\"\n{values}");
    assert_eq!(receives(&with("query.d"), "x=2&d=1", &none, ""), delivered);
    assert_eq!(
        receives(&with("form.d"), "d=2", &none, "x=2&d=1"),
        delivered
    );
    assert_eq!(
        receives(&with("/a/0/d"), "d=2", &none, r#"{"a": [{"d": 1}]}"#),
        delivered
    );
    for (place, query, body) in [
        ("query.d", "", "d=1"),
        ("form.d", "d=1", "{}"),
        ("/a/0/d", "", "[]"),
        ("/a/0/d", "", "d=1"),
    ] {
        let read = receives(&with(place), query, &none, body);
        assert!(matches!(read, Err(ReceiptError::Malformed(_))), "{place}");
    }
    let state = |query: &str| receives(&with("query.d"), query, &none, "").expect("read");
    assert_eq!(state("d=8").0, Arrival::OnTheWay);
    assert_eq!(state("d=9").0, Arrival::OnTheWay);
    // There is nothing to say yet.
    assert_eq!(state("d=").0, Arrival::OnTheWay);
    let null = receives(&with("/d"), "", &none, r#"{"d": null}"#).expect("read");
    assert_eq!(null.0, Arrival::OnTheWay);
    assert_eq!(state("d=2").0, Arrival::Undelivered(Lost::Phone));
    let (arrival, reason) = state("d=3");
    assert_eq!(
        arrival,
        Arrival::Undelivered(Lost::Number(NumberFault::Landline))
    );
    assert_eq!(reason, "the receipt says 3: the number takes no texts");

    let errors = format!(
        "{}\nerror = \"query.e\"\nerrors = {{ 7 = \"content\" }}",
        with("query.d")
    );
    let state = |query: &str| receives(&errors, query, &none, "").expect("read");
    let (arrival, reason) = state("d=2&e=7");
    assert_eq!(
        arrival,
        Arrival::Undelivered(Lost::Route(RouteFault::Content))
    );
    assert_eq!(reason, "the receipt says 7: the provider refuses the text");
    assert_eq!(state("d=2&e=6").0, Arrival::Undelivered(Lost::Phone));
    assert_eq!(state("d=1&e=7").0, Arrival::Delivered);
    assert_eq!(
        state("d=2&e=41791234567").1,
        "the phone could not be reached"
    );
    let others = "status = \"query.d\"\nvalues = { 1 = \"delivered\", \"*\" = \"undelivered\" }";
    let read = receives(others, "d=5", &none, "").expect("read");
    assert_eq!(read.0, Arrival::Undelivered(Lost::Phone));
}

#[test]
fn a_state_is_listed_whole_or_by_its_beginning_and_what_is_not_is_told() {
    let none = HeaderMap::new();
    let listed = "status = \"query.d\"\nvalues = { \"40*\" = \"delivered\", \"405*\" = \"undelivered\", \
                  405 = \"on_the_way\" }\nerror = \"query.e\"\nerrors = { \"7*\" = \"content\" }";
    let state = |query: &str| receives(listed, query, &none, "").expect("read");
    assert_eq!(state("d=404").0, Arrival::Delivered);
    assert_eq!(state("d=404%2C404").0, Arrival::Delivered);
    assert_eq!(state("d=405"), (Arrival::OnTheWay, String::new()));
    assert_eq!(state("d=4051").0, Arrival::Undelivered(Lost::Phone));
    let content = Arrival::Undelivered(Lost::Route(RouteFault::Content));
    assert_eq!(state("d=4051&e=73").0, content);
    for (query, says) in [
        (
            "d=9",
            "the receipt says 9, which receipt.values does not list",
        ),
        (
            "d=a%20b",
            "the receipt says something which receipt.values does not list",
        ),
        ("d=", ""),
    ] {
        assert_eq!(state(query), (Arrival::OnTheWay, says.to_owned()));
    }
}

#[tokio::test]
async fn until_when_a_message_is_of_use_stays_within_what_the_provider_takes() {
    let text = "url = \"URL/\"\nleast_validity_seconds = 1200\n\
                json = '{\"ttl\": \"{validity_seconds}\", \"at\": \"{expires_unix}\", \"until\": \"{expires_at}\"}'";
    let (_, request) = send(text, ResponseTemplate::new(200), &sms()).await;
    let body: Value = serde_json::from_slice(&request.body).expect("JSON");
    let until = NOW + Duration::from_secs(1200);
    assert_eq!(
        (&body["ttl"], &body["at"]),
        (&json!(1200), &json!(until.0 / 1_000_000))
    );
    assert_eq!(body["until"], "2023-11-14T22:33:20.9Z");
}

#[test]
fn a_receipt_is_believed_as_the_recipe_says() {
    let with = |more: &str| {
        format!("status = \"/s\"\nvalues = {{ d = \"delivered\" }}\nsecret = \"s3cret\"\n{more}")
    };
    let body = r#"{"s": "d"}"#;
    let read = |more: &str, pairs: &[(&'static str, &str)]| {
        receives(&with(more), "", &headers(pairs), body).map(|(arrival, _)| arrival)
    };
    let token = "signed = \"header\"\nheader = \"X-Token\"";
    assert_eq!(
        read(token, &[("x-token", "s3cret")]),
        Ok(Arrival::Delivered)
    );
    let bearer = "signed = \"header\"\nheader = \"authorization\"\nprefix = \"Bearer \"";
    assert_eq!(
        read(bearer, &[("authorization", "Bearer s3cret")]),
        Ok(Arrival::Delivered)
    );
    let basic = "signed = \"basic\"\nusername = \"ann\"";
    let given = format!("Basic {}", STANDARD.encode("ann:s3cret"));
    assert_eq!(
        read(basic, &[("authorization", &given)]),
        Ok(Arrival::Delivered)
    );

    let key = hmac::Key::new(hmac::HMAC_SHA256, b"s3cret");
    let mac = hmac::sign(&key, body.as_bytes());
    let hex: String = mac
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let base64 = STANDARD.encode(mac);
    let signed = "signed = \"hmac_sha256\"\nheader = \"x-sign\"\nprefix = \"sha256=\"";
    for good in [
        &hex,
        &hex.to_uppercase(),
        &base64,
        &base64.replace('+', "-").replace('/', "_"),
    ] {
        let given = format!("sha256={good}");
        assert_eq!(read(signed, &[("x-sign", &given)]), Ok(Arrival::Delivered));
    }
    let refused: [(&str, &[(&'static str, &str)]); 9] = [
        (token, &[]),
        (token, &[("x-token", "s3cret2")]),
        (token, &[("x-token", "")]),
        (bearer, &[("authorization", "s3cret")]),
        (basic, &[("authorization", "Basic YW5uOng=")]),
        (signed, &[("x-sign", &hex)]),
        (signed, &[("x-sign", "sha256=00")]),
        (signed, &[("x-sign", "sha256=")]),
        (signed, &[("x-sign", "sha256=\u{e9}")]),
    ];
    for (more, pairs) in refused {
        let error = read(more, pairs).expect_err(more);
        assert!(matches!(error, ReceiptError::Signature(_)), "{more}");
    }
    let changed = receives(
        &with(signed),
        "",
        &headers(&[("x-sign", &format!("sha256={hex}"))]),
        r#"{"s":"d"}"#,
    );
    assert!(changed.is_err());
    // Without a table for them there are none.
    let provider = made("url = \"URL/\"", "https://a.example.com");
    assert!(!provider.sends_receipts());
}

/// What comes in, by a recipe of these lines.
fn comes_in(
    recipe: &str,
    query: &str,
    headers: &HeaderMap,
    body: &str,
) -> Result<Option<(Number, Keyword)>, ReceiptError> {
    let provider = made(
        &format!("url = \"URL/\"\n{recipe}"),
        "https://a.example.com",
    );
    let request = ReceiptRequest {
        method: "POST",
        url: "https://sms.example.com/sms/inbound/main",
        query,
        headers,
        body: body.as_bytes(),
    };
    Ok(provider.read_inbound(&request, NOW)?.keyword)
}

#[test]
fn what_people_write_back_is_read_where_the_recipe_says_and_when_it_is_signed() {
    let number = Number::from_stored(TO);
    let stop = Ok(Some((number.clone(), Keyword::Stop)));
    let token = headers(&[("x-token", "s3cret")]);
    let signed = "signed = \"header\"\nheader = \"x-token\"\nsecret = \"s3cret\"";
    let form = format!("[inbound]\nfrom = \"form.from\"\ntext = \"form.text\"\n{signed}");
    assert_eq!(
        comes_in(&form, "", &token, "text=Stop&from=%2B41791234567"),
        stop
    );
    // A plus that was not escaped is a space.
    assert_eq!(
        comes_in(&form, "", &token, "text=Stop&from=+41791234567"),
        stop
    );
    let start = comes_in(&form, "", &token, "text=start&from=0041791234567");
    assert_eq!(start, Ok(Some((number, Keyword::Start))));
    assert_eq!(
        comes_in(&form, "", &token, "text=hello&from=41791234567"),
        Ok(None)
    );
    assert_eq!(
        comes_in(&form, "", &token, "text=STOP&from=12345"),
        Ok(None)
    );
    assert_eq!(comes_in(&form, "", &token, "text=STOP&from="), Ok(None));
    let missing = comes_in(&form, "", &token, "text=STOP");
    assert!(matches!(missing, Err(ReceiptError::Malformed(_))));
    for bad in [&[][..], &[("x-token", "s3cre")]] {
        let refused = comes_in(&form, "", &headers(bad), "text=STOP&from=41791234567");
        assert!(matches!(refused, Err(ReceiptError::Signature(_))));
    }
    // As the receipts of the same recipe are signed.
    let body = r#"{"from": 41791234567, "text": "STOP"}"#;
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"s3cret");
    let mac = STANDARD.encode(hmac::sign(&key, body.as_bytes()));
    let receipt = "[receipt]\nstatus = \"/s\"\nvalues = { d = \"delivered\" }\nsigned = \"hmac_sha256\"\n\
                   header = \"x-sign\"\nsecret = \"s3cret\"\n[inbound]\nfrom = \"/from\"\ntext = \"/text\"";
    let given = headers(&[("x-sign", mac.as_str())]);
    assert_eq!(comes_in(receipt, "", &given, body), stop);
    let changed = comes_in(receipt, "", &given, &body.replace("4567", "4568"));
    assert!(matches!(changed, Err(ReceiptError::Signature(_))));
    // Without a table for it there is none.
    assert_eq!(comes_in("", "", &token, ""), Err(ReceiptError::NoInbound));
}

#[test]
fn what_people_write_back_needs_a_signature() {
    let places = "from = \"/from\"\ntext = \"/text\"";
    for (lines, key) in [
        (places.to_owned(), "inbound.signed"),
        (format!("{places}\nsigned = \"none\""), "inbound.signed"),
        (format!("{places}\nsigned = \"basic\"\nusername = \"ann\""), "inbound.secret"),
        (format!("{places}\nsigned = \"header\"\nsecret = \"s3cret\""), "inbound.header"),
        (
            "from = \"query.from\"\ntext = \"/text\"\nsigned = \"hmac_sha256\"\nsecret = \"s3cret\"\nheader = \"x\""
                .to_owned(),
            "inbound.from",
        ),
        ("from = \"from\"\nsigned = \"basic\"\nsecret = \"s3cret\"".to_owned(), "inbound.from"),
    ] {
        let own: HttpSettings =
            toml::from_str(&format!("url = \"https://a.example.com/\"\n[inbound]\n{lines}"))
                .expect("settings");
        let Err(RouteError::Setting { key: found, says }) = own.check() else {
            panic!("{lines}")
        };
        assert_eq!(found, key, "{lines}");
        assert!(!says.contains("s3cret"), "{says}");
    }
}
