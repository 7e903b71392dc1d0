//! The same with the PyPI packages smpp34 and smppy, which read SMPP each in its own way.

use ringback_sms::{Arrival, ProviderEvent};
use serde_json::{Value, json};

use super::*;

fn hex(text: &Value) -> Vec<u8> {
    let text = text.as_str().expect("a text");
    let digits = text.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(str::from_utf8(pair).expect("digits"), 16);
    digits.map(|pair| byte(pair).expect("a byte")).collect()
}

/// The text of parts in UTF-16, put together by their headers.
async fn three_parts(centre: &mut Centre) -> String {
    let mut parts = Vec::new();
    for _ in 0..3 {
        let bytes = hex(&centre.hear("submit").await["text"]);
        assert_eq!((bytes[..3].to_vec(), bytes[4]), (vec![5, 0, 3], 3));
        parts.push((bytes[5], bytes[6..].to_vec()));
    }
    parts.sort();
    let bytes: Vec<u8> = parts.into_iter().flat_map(|(_, bytes)| bytes).collect();
    let units: Vec<u16> = bytes
        .chunks(2)
        .map(|unit| u16::from_be_bytes([unit[0], unit[1]]))
        .collect();
    String::from_utf16(&units).expect("a text")
}

#[tokio::test]
async fn smpp34_reads_what_we_send() {
    let mut centre = Centre::smpp34().await;
    let route = route(settings(&centre));
    let report = send(&route, "5€ [1]").await;
    assert_eq!(
        report,
        Report::taken(Some("1".into())),
        "written as 0000000001"
    );
    let bind = centre.hear("bind").await;
    assert_eq!(bind, json!({"system_id": "ringback", "can_receive": true}));
    let submit = centre.hear("submit").await;
    let expected = json!({
        "source_addr": "Acme", "source_addr_ton": 5, "source_addr_npi": 0,
        "destination_addr": "41791234567", "dest_addr_ton": 1, "dest_addr_npi": 1,
        "esm_class": 0, "data_coding": 0, "registered_delivery": 1, "tlvs": {},
        "text": "351b65201b3c311b3e",
    });
    assert_eq!(submit, expected);
    let text = "Ваш код 123456 😀 ".repeat(10);
    assert_eq!(send(&route, &text).await.verdict, Verdict::Taken);
    assert_eq!(three_parts(&mut centre).await, text);
    let statuses = [
        (0x58, not_now(RouteFault::Throttled)),
        (0x14, not_now(RouteFault::Throttled)),
        (0x0A, unable(RouteFault::Sender)),
        (0x08, Verdict::Unknown),
    ];
    for (status, verdict) in statuses {
        centre.order(json!({"next": [{"status": status}]})).await;
        assert_eq!(send(&route, "hello").await.verdict, verdict, "{status:#x}");
    }
    route.close().await;
    assert_eq!(centre.hear("unbind").await, true);
}

#[tokio::test]
async fn smpp34_tells_what_became_of_it() {
    let mut centre = Centre::smpp34().await;
    let route = route(settings(&centre));
    let mut events = route.events().expect("the first who asks");
    let sent = send(&route, "hello").await.reference.expect("an id");
    let by_text =
        json!({"text": hex_of("id:0000000001 sub:001 dlvrd:001 stat:DELIVRD err:000 text:hello")});
    let by_parameters =
        json!({"text": "", "tlvs": [[0x1E, hex_of("0000000001\0")], [0x427, "02"]]});
    for mut told in [by_text, by_parameters] {
        told["esm_class"] = json!(4);
        // It waits until it is answered.
        let hearing = async {
            let told = events.recv().await.expect("the route is there");
            let event = told.event.clone();
            told.noted();
            event
        };
        let (event, ()) = tokio::join!(hearing, centre.order(json!({"deliver": told})));
        assert_eq!(centre.hear("deliver_resp").await, 0);
        let ProviderEvent::Receipt { reference, receipt } = event else {
            panic!("a receipt");
        };
        assert_eq!((&reference, receipt.arrival), (&sent, Arrival::Delivered));
    }
}

fn hex_of(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn smppy_reads_what_we_send_and_gives_no_ids() {
    let mut centre = Centre::smppy().await;
    let route = route(settings(&centre));
    let report = send(&route, "5€ [1]").await;
    assert_eq!(report, Report::taken(None));
    assert_eq!(
        centre.hear("bind").await,
        json!({"system_id": "ringback", "interface_version": 52})
    );
    let submit = centre.hear("submit").await;
    assert_eq!(submit["text"], "351b65201b3c311b3e");
    assert_eq!(submit["source_addr_ton"], "ALPHANUMERIC");
    assert_eq!(submit["source_addr_npi"], "UNKNOWN");
    assert_eq!(submit["dest_addr_ton"], "INTERNATIONAL");
    assert_eq!(submit["dest_addr_npi"], "ISDN");
    let validity = submit["validity_period"].as_str().expect("a time");
    assert!(
        validity.starts_with(
            "SMPPRelativeTime(years=0, months=0, days=0, hours=0, minutes=10, seconds=0"
        ),
        "{validity}"
    );
    let esm_class = submit["esm_class"].as_str().expect("a class");
    assert_eq!(
        esm_class,
        "EsmClass[mode: DEFAULT, type: DEFAULT, gsm_features: set()]"
    );
    let text = "Ваш код 123456 😀 ".repeat(10);
    assert_eq!(send(&route, &text).await.verdict, Verdict::Taken);
    assert_eq!(three_parts(&mut centre).await, text);
    route.close().await;
    assert_eq!(centre.hear("unbind").await, true);
}

#[tokio::test]
async fn smppy_lets_nobody_in_with_a_wrong_password_and_hands_on_what_people_write() {
    let mut centre = Centre::smppy().await;
    let password = "wrong".into();
    let wrong = route(SmppSettings {
        password,
        ..settings(&centre)
    });
    let report = send(&wrong, "hello").await;
    assert_eq!(report.verdict, unable(RouteFault::Auth));
    assert_eq!(
        report.reason,
        "the bind was refused: 0x0000000D ESME_RBINDFAIL"
    );
    let route = route(settings(&centre));
    let mut events = route.events().expect("the first who asks");
    assert_eq!(send(&route, "hello").await.verdict, Verdict::Taken);
    centre
        .order(json!({"write": {"from": "41791234567", "text": "stop"}}))
        .await;
    let number = Number::from_stored("+41791234567");
    let told = events.recv().await.expect("the route is there");
    assert_eq!(
        told.event,
        ProviderEvent::Keyword {
            number,
            keyword: ringback_sms::Keyword::Stop
        }
    );
    told.noted();
    assert_eq!(centre.hear("deliver_resp").await, 0);
}
