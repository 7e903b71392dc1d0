//! What the tests of several providers need: a message, a code, a server that answers.

#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each test takes what it needs"
)]

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use ringback_core::command::SetPhone;
use ringback_core::delivery::{RouteFault, Verdict};
use ringback_core::rights::Rights;
use ringback_core::{
    Action, Budgets, Caller, Code, Command, Delivery, Keys, Moment, Number, Policies, Slot, Time,
    Verification, decide,
};
use ringback_sms::{Provider, Report, Sms};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

pub const NOW: Time = Time(1_700_000_000_900_000);
pub const TO: &str = "+41791234567";
pub const CALLBACK: &str = "https://sms.example.com/sms/receipts/main/dG9rZW4";
pub const TIMEOUT: Duration = Duration::from_secs(5);

pub fn sms() -> Sms {
    Sms {
        id: "0190c5a0-0000-7000-8000-000000000001".into(),
        to: Number::from_stored(TO),
        text: "\"1\" & 2 = {3} + é".into(),
        text_language: "en".into(),
        code: Some(code()),
        kind: "code",
        language: "de-CH,en".into(),
        expires_at: NOW + Duration::from_secs(600),
        sender: Some("Acme".into()),
        callback: Some(CALLBACK.into()),
    }
}

/// A real code: there is no other way to have one than to ask for it.
pub fn code() -> Code {
    let (policies, keys) = (Policies::default(), Keys::for_tests());
    let caller = Caller::new("service", "acme").with_rights(Rights::ALL);
    let command = Command {
        caller,
        account: "ann".into(),
        action: Action::Register {
            organization: None,
            profile: Box::default(),
            phone: Some(SetPhone {
                number: TO.into(),
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
    let mut slot = Slot::empty("acme");
    let reply = decide(&mut slot, &mut Budgets::default(), &command, &at).result;
    reply.expect("it is allowed").code.expect("it is returned")
}

/// A server that answers everything so.
pub async fn server(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

/// The only request that came.
pub async fn request(server: &MockServer) -> Request {
    let mut requests = server.received_requests().await.expect("they are recorded");
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

/// The pairs of a form or a query.
pub fn pairs(text: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(text).into_owned().collect()
}

pub fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pairs = pairs.iter();
    let pairs = pairs.map(|(name, value)| {
        let value = HeaderValue::from_str(value).expect("a value");
        (HeaderName::from_static(name), value)
    });
    pairs.collect()
}

pub fn unable(fault: RouteFault) -> Verdict {
    Verdict::Unable { fault }
}

pub fn not_now(fault: RouteFault) -> Verdict {
    Verdict::NotNow { fault, after: 0 }
}

/// No reason may show what is secret, or whom it is about.
pub fn tells_nothing(report: &Report, secrets: &[&str]) {
    let shown = format!("{report:?}");
    for secret in secrets
        .iter()
        .chain(&["1234567", "dG9rZW4", "/sms/receipts"])
    {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// What becomes of a message when the network fails, at each place where it may.
pub async fn network_faults(provider: impl Fn(&str, Duration) -> Provider, secrets: &[&str]) {
    // Whoever takes the connection and never ends the handshake has got nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let place = silent.local_addr().expect("an address");
    let provider_of = provider(&format!("https://{place}"), Duration::from_millis(500));
    let report = provider_of.send(&sms(), NOW).await;
    assert_eq!(
        report.verdict,
        not_now(RouteFault::Unreachable),
        "{}",
        report.reason
    );
    assert_eq!(report.reason, "no connection within 400ms");

    // Nobody listens.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let nobody = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let report = provider(&nobody, TIMEOUT).send(&sms(), NOW).await;
    assert_eq!(
        report.verdict,
        not_now(RouteFault::Unreachable),
        "{report:?}"
    );
    tells_nothing(&report, secrets);

    // No answer comes.
    let silent = server(ResponseTemplate::new(200).set_delay(Duration::from_secs(60))).await;
    let short = Duration::from_millis(300);
    let report = provider(&silent.uri(), short).send(&sms(), NOW).await;
    assert_eq!(report.verdict, Verdict::Unknown, "{report:?}");
    assert_eq!(report.reason, "no answer within 300ms");
    tells_nothing(&report, secrets);

    // The connection breaks once the request was read, and once in the middle of the answer's head.
    for answer in ["", "HTTP/1.1 20"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let breaking = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut read = [0; 64];
            assert!(stream.read(&mut read).await.expect("a request") > 0);
            stream.write_all(answer.as_bytes()).await.expect("written");
            // What was not read makes the closing a reset.
        };
        let provider = provider(&address, TIMEOUT);
        let message = sms();
        let (report, ()) = tokio::join!(provider.send(&message, NOW), breaking);
        assert_eq!(report.verdict, Verdict::Unknown, "{answer:?} {report:?}");
        assert!(
            report.reason.starts_with("the connection broke"),
            "{report:?}"
        );
        tells_nothing(&report, secrets);
    }

    // A redirect is not followed, and a flood is not read.
    let moved = ResponseTemplate::new(307).insert_header("location", silent.uri().as_str());
    let server_moved = server(moved).await;
    let report = provider(&server_moved.uri(), TIMEOUT)
        .send(&sms(), NOW)
        .await;
    assert_eq!(report.verdict, unable(RouteFault::Protocol), "{report:?}");
    let flood = server(ResponseTemplate::new(403).set_body_string("x".repeat(4_000_000))).await;
    let report = provider(&flood.uri(), TIMEOUT).send(&sms(), NOW).await;
    assert_eq!(report.verdict, unable(RouteFault::Auth), "{report:?}");
}

/// What a status means where its body says no more.
pub async fn statuses(provider: impl Fn(&str, Duration) -> Provider) {
    let cases: [(&[u16], Verdict); 6] = [
        (&[401, 403], unable(RouteFault::Auth)),
        (&[402], unable(RouteFault::Credit)),
        (
            &[429],
            Verdict::NotNow {
                fault: RouteFault::Throttled,
                after: 7,
            },
        ),
        (
            &[408, 503],
            Verdict::NotNow {
                fault: RouteFault::Down,
                after: 7,
            },
        ),
        (&[500, 502, 504, 599], Verdict::Unknown),
        (
            &[304, 400, 404, 409, 410, 413, 422],
            unable(RouteFault::Protocol),
        ),
    ];
    for (statuses, verdict) in cases {
        for status in statuses {
            let answer = ResponseTemplate::new(*status).insert_header("retry-after", "7");
            let server = server(answer.set_body_string("<html>4179 1234567</html>")).await;
            let report = provider(&server.uri(), TIMEOUT).send(&sms(), NOW).await;
            assert_eq!(report.verdict, verdict, "{status}");
            assert!(
                report.reason.contains(&format!("answered {status}")),
                "{report:?}"
            );
            tells_nothing(&report, &[]);
        }
    }
}
