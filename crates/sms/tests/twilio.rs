//! Twilio: what is sent, what each of its codes means, and which receipts are believed.

mod common;

use std::time::Duration;

use common::*;
use http::HeaderMap;
use ringback_core::Number;
use ringback_core::delivery::{NumberFault, RouteFault, Verdict};
use ringback_sms::{
    Arrival, Inbound, Keyword, Lost, Provider, ReceiptError, ReceiptRequest, Report, RouteError,
    Twilio, TwilioSettings,
};
use serde_json::json;
use wiremock::ResponseTemplate;

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const KEY: &str = "SK0123456789abcdef0123456789abcdef";
const SERVICE: &str = "MG0123456789abcdef0123456789abcdef";

fn settings(base: &str) -> TwilioSettings {
    TwilioSettings {
        account: ACCOUNT.into(),
        auth_token: "t0ken-of-ours".into(),
        base_url: base.into(),
        allow_insecure: true,
        allow_private: true,
        ..TwilioSettings::default()
    }
}

fn made(settings: &TwilioSettings, timeout: Duration) -> Provider {
    Provider::Twilio(Twilio::new(settings, timeout).expect("settings in order"))
}

fn twilio(base: &str, timeout: Duration) -> Provider {
    made(&settings(base), timeout)
}

async fn sent(answer: ResponseTemplate) -> Report {
    let server = server(answer).await;
    let report = twilio(&server.uri(), TIMEOUT).send(&sms(), NOW).await;
    tells_nothing(&report, &["t0ken-of-ours"]);
    report
}

#[tokio::test]
async fn a_message_is_posted_as_a_form() {
    let answer = json!({"sid": "SM1", "status": "queued", "error_code": null});
    let server = server(ResponseTemplate::new(201).set_body_json(answer)).await;
    let provider = twilio(&server.uri(), TIMEOUT);
    assert!(provider.sends_receipts() && !provider.tells_repeats());
    let report = provider.send(&sms(), NOW).await;
    assert_eq!(report, Report::taken(Some("SM1".into())));
    let request = request(&server).await;
    assert_eq!(
        request.url.path(),
        format!("/2010-04-01/Accounts/{ACCOUNT}/Messages.json")
    );
    assert_eq!(
        request.headers["content-type"],
        "application/x-www-form-urlencoded"
    );
    // Basic, of the account and the token.
    assert_eq!(
        request.headers["authorization"],
        "Basic QUMwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjp0MGtlbi1vZi1vdXJz"
    );
    let expected = [
        ("To", TO),
        ("From", "Acme"),
        ("Body", "\"1\" & 2 = {3} + é"),
        ("ValidityPeriod", "600"),
        ("StatusCallback", CALLBACK),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(pairs(&request.body), expected);
}

#[tokio::test]
async fn a_service_chooses_the_sender_and_a_key_sends() {
    let server = server(ResponseTemplate::new(201)).await;
    let mut own = settings(&server.uri());
    own.auth_token = "".into();
    own.api_key = KEY.into();
    own.api_secret = "s3cret".into();
    own.messaging_service = SERVICE.into();
    let provider = made(&own, TIMEOUT);
    assert!(
        !provider.sends_receipts(),
        "there is nothing to check them with"
    );
    let mut message = sms();
    message.sender = None;
    message.expires_at = NOW + Duration::from_secs(86_400);
    assert_eq!(provider.send(&message, NOW).await, Report::taken(None));
    let request = request(&server).await;
    let form = pairs(&request.body);
    let field = |wanted: &str| {
        let found = form.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(field("MessagingServiceSid"), Some(SERVICE));
    assert_eq!(field("ValidityPeriod"), Some("36000"));
    assert_eq!((field("From"), field("StatusCallback")), (None, None));
    assert!(request.url.path().contains(ACCOUNT));
    assert_eq!(
        request.headers["authorization"],
        "Basic U0swMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjpzM2NyZXQ="
    );
    own.messaging_service = String::new();
    let report = made(&own, TIMEOUT).send(&message, NOW).await;
    assert_eq!(report.verdict, unable(RouteFault::Sender));
}

/// Every code that is known, of answers and of receipts, and whose fault it is.
fn codes() -> Vec<(u32, Verdict)> {
    let never = |fault| Verdict::Never { fault };
    let rows: [(&[u32], Verdict); 11] = [
        (
            &[21211, 21217, 21401, 21604, 30005],
            never(NumberFault::Invalid),
        ),
        (&[21614, 21635, 30006], never(NumberFault::Landline)),
        (&[21610], never(NumberFault::OptedOut)),
        (
            &[21408, 21612, 30004, 30450, 60410, 21219, 21608],
            unable(RouteFault::Region),
        ),
        (&[20003, 20005, 10001], unable(RouteFault::Auth)),
        (&[30002], unable(RouteFault::Credit)),
        (
            &[20429, 21611, 14107, 30001, 30022, 30023, 30027],
            not_now(RouteFault::Throttled),
        ),
        (
            &[
                21212, 21603, 21606, 21659, 21703, 21704, 30018, 30024, 30032, 30034,
            ],
            unable(RouteFault::Sender),
        ),
        (&[21617, 21618, 30007, 30038], unable(RouteFault::Content)),
        (&[30003, 30008, 30036], not_now(RouteFault::Down)),
        (&[30410], Verdict::Unknown),
    ];
    let rows = rows.into_iter();
    rows.flat_map(|(codes, verdict)| codes.iter().map(move |code| (*code, verdict)))
        .collect()
}

#[tokio::test]
async fn each_code_says_whose_fault_it_was() {
    for (code, verdict) in codes() {
        let body = json!({"code": code, "message": "to +41791234567", "status": 400});
        let report = sent(ResponseTemplate::new(400).set_body_json(body)).await;
        assert_eq!(report.verdict, verdict, "{code}");
        assert!(
            report.reason.contains(&format!("code {code}")),
            "{report:?}"
        );
        // The same in an answer that sounds well.
        let body = json!({"sid": "SM1", "status": "failed", "error_code": code});
        let report = sent(ResponseTemplate::new(201).set_body_json(body)).await;
        assert_eq!(report.verdict, verdict, "{code} in a 201");
    }
    // One that nobody knows is never the number's fault.
    let unknown = |status| ResponseTemplate::new(status).set_body_json(json!({"code": 29999}));
    assert_eq!(
        sent(unknown(400)).await.verdict,
        unable(RouteFault::Protocol)
    );
    assert_eq!(sent(unknown(500)).await.verdict, Verdict::Unknown);
    let failed = json!({"sid": "SM1", "status": "failed", "error_code": 29999});
    let report = sent(ResponseTemplate::new(201).set_body_json(failed)).await;
    assert_eq!(report.verdict, unable(RouteFault::Protocol));
    let taken = json!({"sid": "SM1", "status": "accepted"});
    let report = sent(ResponseTemplate::new(200).set_body_json(taken)).await;
    assert_eq!(report, Report::taken(Some("SM1".into())));
}

#[tokio::test]
async fn statuses_and_faults_of_the_network_are_told_apart() {
    statuses(twilio).await;
    network_faults(twilio, &["t0ken-of-ours", ACCOUNT]).await;
}

#[tokio::test]
async fn a_check_asks_whether_the_account_is_known() {
    let good = server(ResponseTemplate::new(200)).await;
    assert_eq!(twilio(&good.uri(), TIMEOUT).check().await, Ok(()));
    let asked = request(&good).await;
    assert_eq!(asked.method.as_str(), "GET");
    assert_eq!(
        asked.url.path(),
        format!("/2010-04-01/Accounts/{ACCOUNT}.json")
    );
    let bad = server(ResponseTemplate::new(401)).await;
    let error = twilio(&bad.uri(), TIMEOUT)
        .check()
        .await
        .expect_err("refused");
    assert!(matches!(error, RouteError::Refused { .. }), "{error}");
}

/// The example of Twilio's documentation: token 12345.
const DOCUMENTED: &str = "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";
const DOCUMENTED_URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
const DOCUMENTED_SIGNATURE: &str = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";

fn receives(
    token: &str,
    url: &str,
    body: &str,
    headers: &HeaderMap,
) -> Result<(Arrival, String), ReceiptError> {
    let own = TwilioSettings {
        account: ACCOUNT.into(),
        auth_token: token.into(),
        ..TwilioSettings::default()
    };
    let request = ReceiptRequest {
        method: "POST",
        url,
        query: url.split_once('?').map_or("", |(_, query)| query),
        headers,
        body: body.as_bytes(),
    };
    let receipt = made(&own, TIMEOUT).read_receipt(&request, NOW);
    receipt.map(|receipt| (receipt.arrival, receipt.reason))
}

fn signed(signature: &str) -> HeaderMap {
    headers(&[("x-twilio-signature", signature)])
}

/// A form, signed by the letter of Twilio's description over the address and the form in order.
fn sign(token: &str, content: &str) -> String {
    use base64::Engine;
    let key = aws_lc_rs::hmac::Key::new(
        aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        token.as_bytes(),
    );
    let signature = aws_lc_rs::hmac::sign(&key, content.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(signature)
}

#[test]
fn the_documented_signature_holds() {
    let malformed = Err(ReceiptError::Malformed("it has no MessageStatus"));
    let good = signed(DOCUMENTED_SIGNATURE);
    assert_eq!(
        receives("12345", DOCUMENTED_URL, DOCUMENTED, &good),
        malformed
    );
    for (token, url, body) in [
        ("12346", DOCUMENTED_URL, DOCUMENTED),
        (
            "12345",
            "http://mycompany.com/myapp.php?foo=1&bar=2",
            DOCUMENTED,
        ),
        (
            "12345",
            "https://mycompany.org/myapp.php?foo=1&bar=2",
            DOCUMENTED,
        ),
        (
            "12345",
            "https://mycompany.com/myapp.php?foo=1&bar=3",
            DOCUMENTED,
        ),
        (
            "12345",
            DOCUMENTED_URL,
            &DOCUMENTED.replace("Digits=1234", "Digits=1235"),
        ),
        ("12345", DOCUMENTED_URL, &format!("{DOCUMENTED}&More=1")),
        ("12345", DOCUMENTED_URL, ""),
    ] {
        let error = receives(token, url, body, &good).expect_err("must be refused");
        assert!(matches!(error, ReceiptError::Signature(_)), "{url} {body}");
    }
    for signature in ["", "RSOYDt4T1cUTdK1PDd93/VVr8B9=", "x"] {
        assert!(receives("12345", DOCUMENTED_URL, DOCUMENTED, &signed(signature)).is_err());
    }
    assert!(receives("12345", DOCUMENTED_URL, DOCUMENTED, &HeaderMap::new()).is_err());
    let mut newer = good;
    newer.extend(headers(&[(
        "x-twilio-webhooks-signature-settings",
        "key=1,algorithm=HMAC_SHA256",
    )]));
    let error = receives("12345", DOCUMENTED_URL, DOCUMENTED, &newer).expect_err("refused");
    assert!(error.to_string().contains("newer way"), "{error}");
}

#[test]
fn ports_orders_and_repeated_names_are_signed_in_every_way_that_there_is() {
    let body = "b=2&a=1&MessageStatus=sent&b=1&b=2";
    let content = "MessageStatussenta1b1b2";
    let given = "https://sms.example.com/sms/receipts/a/b";
    for url in [given, "https://sms.example.com:443/sms/receipts/a/b"] {
        let signature = signed(&sign("12345", &format!("{url}{content}")));
        let receipt = receives("12345", given, body, &signature);
        assert_eq!(receipt, Ok((Arrival::OnTheWay, String::new())), "{url}");
    }
    // The other way about: we say the port, they leave it out.
    let given_port = "https://sms.example.com:8443/r";
    for url in [given_port, "https://sms.example.com/r"] {
        let signature = signed(&sign("12345", &format!("{url}{content}")));
        assert!(
            receives("12345", given_port, body, &signature).is_ok(),
            "{url}"
        );
    }
    let other = signed(&sign(
        "12345",
        &format!("https://sms.example.com:444/sms/receipts/a/b{content}"),
    ));
    assert!(receives("12345", given, body, &other).is_err());
    // A query that was written anew.
    let (given, anew) = (
        "https://sms.example.com/r?a=b c",
        "https://sms.example.com/r?a=b+c",
    );
    let signature = signed(&sign("12345", &format!("{anew}{content}")));
    assert!(receives("12345", given, body, &signature).is_ok());
}

#[test]
fn a_body_that_is_no_form_is_signed_by_its_hash() {
    // The SHA-256 of an empty object.
    let hash = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    let url = format!("https://sms.example.com/r?bodySHA256={hash}");
    let signature = signed(&sign("12345", &url));
    let malformed = Err(ReceiptError::Malformed("it has no MessageStatus"));
    assert_eq!(receives("12345", &url, "{}", &signature), malformed);
    let error = receives("12345", &url, "{ }", &signature).expect_err("refused");
    assert_eq!(
        error,
        ReceiptError::Signature("bodySHA256 does not fit the body")
    );
}

#[test]
fn each_state_says_what_became_of_the_message() {
    let url = "https://sms.example.com/r";
    let read = |status: &str, code: Option<u32>| {
        let code = code.map(|code| code.to_string());
        let (mut body, mut content) = (String::new(), String::new());
        if let Some(code) = &code {
            body = format!("ErrorCode={code}&");
            content = format!("ErrorCode{code}");
        }
        let body = format!("{body}MessageStatus={status}&To=%2B41791234567");
        let signature = sign(
            "12345",
            &format!("{url}{content}MessageStatus{status}To+41791234567"),
        );
        receives("12345", url, &body, &signed(&signature)).expect("it is signed")
    };
    for status in [
        "queued",
        "accepted",
        "sending",
        "sent",
        "scheduled",
        "partially_delivered",
    ] {
        assert_eq!(read(status, None).0, Arrival::OnTheWay, "{status}");
    }
    for status in ["delivered", "read"] {
        assert_eq!(read(status, None).0, Arrival::Delivered, "{status}");
    }
    for status in ["undelivered", "failed", "canceled"] {
        assert_eq!(
            read(status, None).0,
            Arrival::Undelivered(Lost::Phone),
            "{status}"
        );
        for (code, verdict) in codes() {
            let lost = match verdict {
                Verdict::Never { fault } => Lost::Number(fault),
                Verdict::NotNow {
                    fault: RouteFault::Down,
                    ..
                }
                | Verdict::Unknown => Lost::Phone,
                Verdict::NotNow { fault, .. } | Verdict::Unable { fault } => Lost::Route(fault),
                other => panic!("{other:?}"),
            };
            let (arrival, reason) = read(status, Some(code));
            assert_eq!(arrival, Arrival::Undelivered(lost), "{status} {code}");
            assert!(
                reason.starts_with(&format!("Twilio's code {code}: ")),
                "{reason}"
            );
        }
        assert_eq!(
            read(status, Some(29999)).0,
            Arrival::Undelivered(Lost::Phone)
        );
    }
}

/// What comes in when this form is posted, signed over these fields in order.
fn comes_in(
    method: &str,
    token: &str,
    form: &[(&str, &str)],
    signature: &str,
) -> Result<Inbound, ReceiptError> {
    let own = TwilioSettings {
        account: ACCOUNT.into(),
        auth_token: token.into(),
        api_key: KEY.into(),
        api_secret: "s3cret".into(),
        ..TwilioSettings::default()
    };
    let mut encoded = form_urlencoded::Serializer::new(String::new());
    let encoded = encoded.extend_pairs(form).finish();
    let (url, query, body) = match method {
        "GET" => (format!("{INBOUND}?{encoded}"), encoded.as_str(), ""),
        _ => (INBOUND.to_owned(), "", encoded.as_str()),
    };
    let headers = signed(signature);
    let request = ReceiptRequest {
        method,
        url: &url,
        query,
        headers: &headers,
        body: body.as_bytes(),
    };
    made(&own, TIMEOUT).read_inbound(&request, NOW)
}

const INBOUND: &str = "https://sms.example.com/sms/inbound/main";

#[test]
fn what_people_write_back_is_read_when_it_is_signed() {
    let keyword = |keyword: Option<Keyword>| {
        Ok(Inbound {
            keyword: keyword.map(|keyword| (Number::from_stored(TO), keyword)),
            once: None,
        })
    };
    let read = |form: &[(&str, &str)]| {
        let content: String = form
            .iter()
            .map(|(name, value)| format!("{name}{value}"))
            .collect();
        comes_in(
            "POST",
            "12345",
            form,
            &sign("12345", &format!("{INBOUND}{content}")),
        )
    };
    let says = |body: &'static str| read(&[("Body", body), ("From", TO), ("To", "+41790000000")]);
    assert_eq!(says("Stop"), keyword(Some(Keyword::Stop)));
    assert_eq!(says("YES"), keyword(Some(Keyword::Start)));
    assert_eq!(says("what is this?"), keyword(None));
    // Twilio's own list goes before the words.
    let list = |told: &'static str, body: &'static str| {
        read(&[("Body", body), ("From", TO), ("OptOutType", told)])
    };
    assert_eq!(list("STOP", "genug"), keyword(Some(Keyword::Stop)));
    assert_eq!(list("START", "STOP"), keyword(Some(Keyword::Start)));
    assert_eq!(list("HELP", "STOP"), keyword(None));
    // Other channels have other senders.
    assert_eq!(
        read(&[("Body", "STOP"), ("From", "whatsapp:+41791234567")]),
        keyword(None)
    );
    for form in [&[("Body", "STOP")][..], &[("From", TO)]] {
        assert!(matches!(read(form), Err(ReceiptError::Malformed(_))));
    }

    // By GET the fields are in the address, which is signed.
    let form = [("Body", "STOP"), ("From", TO)];
    let asked = format!("{INBOUND}?Body=STOP&From=%2B41791234567");
    assert_eq!(
        comes_in("GET", "12345", &form, &sign("12345", &asked)),
        keyword(Some(Keyword::Stop))
    );

    let good = sign("12345", &format!("{INBOUND}BodySTOPFrom{TO}"));
    assert_eq!(
        comes_in("POST", "12345", &form, &good),
        keyword(Some(Keyword::Stop))
    );
    for (token, form, signature) in [
        ("12346", form, &*good),
        ("12345", [("Body", "START"), ("From", TO)], &good),
        ("12345", [("Body", "STOP"), ("From", "+41791234568")], &good),
        ("12345", form, "x"),
        // The signature of a receipt.
        (
            "12345",
            form,
            &sign("12345", &format!("{CALLBACK}BodySTOPFrom{TO}")),
        ),
    ] {
        let error = comes_in("POST", token, &form, signature).expect_err("must be refused");
        assert!(matches!(error, ReceiptError::Signature(_)), "{form:?}");
    }
    assert_eq!(
        comes_in("POST", "", &form, &good),
        Err(ReceiptError::NoInbound)
    );
}

#[test]
fn settings_that_are_wrong_are_told_by_their_key() {
    let wrong = |change: fn(&mut TwilioSettings)| {
        let mut own = settings("");
        change(&mut own);
        let error = own.check().expect_err("must be refused");
        let RouteError::Setting { key, says } = error else {
            panic!("{error}")
        };
        assert!(!says.contains("t0ken"), "{says}");
        key
    };
    assert_eq!(settings("").check(), Ok(()));
    assert_eq!(wrong(|own| own.account = "AC12".into()), "account");
    assert_eq!(wrong(|own| own.account = KEY.into()), "account");
    assert_eq!(wrong(|own| own.auth_token = "".into()), "auth_token");
    assert_eq!(wrong(|own| own.api_key = KEY.into()), "api_secret");
    assert_eq!(wrong(|own| own.api_secret = "x".into()), "api_key");
    assert_eq!(
        wrong(|own| own.messaging_service = "x".into()),
        "messaging_service"
    );
    assert_eq!(wrong(|own| own.base_url = "ftp://x".into()), "base_url");
    let mut public = settings("http://127.0.0.1:1");
    public.allow_private = false;
    assert!(matches!(public.check(), Err(RouteError::Setting { key, .. }) if key == "base_url"));
    let shown = format!("{:?}", settings(""));
    assert!(!shown.contains("t0ken"), "{shown}");
}
