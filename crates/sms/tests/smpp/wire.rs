//! What goes over the wire, as the npm package smpp reads it.

use serde_json::{Value, json};

use super::*;

#[tokio::test]
async fn a_bind_says_who_we_are() {
    let mut centre = Centre::smpp().await;
    let route = route(settings(&centre));
    assert_eq!(route.check().await, Ok(()));
    let bind = centre.hear("bind").await;
    assert_eq!(bind["command"], "bind_transceiver");
    assert_eq!(bind["system_id"], "ringback");
    assert_eq!(bind["system_type"], "sms");
    assert_eq!(bind["interface_version"], 0x34);
    assert_eq!(
        centre.hear("unbind").await,
        true,
        "a session for looking is ended"
    );
}

#[tokio::test]
async fn a_bind_that_hears_nothing_is_a_transmitter() {
    let mut centre = Centre::smpp().await;
    let route = route(SmppSettings {
        bind: Bind::Transmitter,
        receipts: false,
        ..settings(&centre)
    });
    assert_eq!(send(&route, "hello").await.verdict, Verdict::Taken);
    assert_eq!(centre.hear("bind").await["command"], "bind_transmitter");
    assert!(!route.tells_by_reference());
}

#[tokio::test]
async fn a_text_of_gsm_arrives_with_all_that_belongs_to_it() {
    let mut centre = Centre::smpp().await;
    let route = route(settings(&centre));
    let text = "Grüße: 5€ [1] {2} ~ ^ \\ | äöüñ ΔΩ @£$";
    assert_eq!(send(&route, text).await, Report::taken(Some("1".into())));
    let submit = centre.hear("submit").await;
    assert_eq!(submit["short_message"], text);
    assert_eq!(submit["data_coding"], 0);
    assert_eq!(submit["esm_class"], 0x00);
    assert_eq!(submit["registered_delivery"], 1);
    assert_eq!(submit["source_addr"], "Acme");
    assert_eq!(
        (&submit["source_addr_ton"], &submit["source_addr_npi"]),
        (&json!(5), &json!(0))
    );
    assert_eq!(submit["destination_addr"], "41791234567");
    assert_eq!(
        (&submit["dest_addr_ton"], &submit["dest_addr_npi"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(submit["protocol_id"], 0);
    assert_eq!(submit["schedule_delivery_time"], "");
}

#[tokio::test]
async fn types_of_numbers_are_as_configured_and_validity_is_left_out() {
    let mut centre = Centre::smpp().await;
    let route = route(SmppSettings {
        source_ton: Some(0),
        source_npi: Some(9),
        dest_ton: 2,
        dest_npi: 8,
        validity: false,
        receipts: false,
        ..settings(&centre)
    });
    assert_eq!(send(&route, "hello").await.verdict, Verdict::Taken);
    let submit = centre.hear("submit").await;
    assert_eq!(
        (&submit["source_addr_ton"], &submit["source_addr_npi"]),
        (&json!(0), &json!(9))
    );
    assert_eq!(
        (&submit["dest_addr_ton"], &submit["dest_addr_npi"]),
        (&json!(2), &json!(8))
    );
    assert_eq!(submit["registered_delivery"], 0);
    assert_eq!(submit["validity_period"], "");
}

/// The header and the text of each part.
async fn parts(centre: &mut Centre, count: usize) -> Vec<(Value, String)> {
    let mut parts = Vec::new();
    for _ in 0..count {
        let submit = centre.hear("submit").await;
        assert_eq!(submit["esm_class"], 0x40);
        let text = submit["short_message"].as_str().expect("a text").to_owned();
        parts.push((submit["udh"].clone(), text));
    }
    parts
}

#[tokio::test]
async fn three_parts_put_together_are_the_text() {
    let mut centre = Centre::smpp().await;
    let route = route(settings(&centre));
    for text in [
        "Ваш код 123456 😀 ".repeat(10),
        "ten € and [more] ".repeat(22),
    ] {
        let report = send(&route, &text).await;
        assert_eq!(report.verdict, Verdict::Taken);
        let parts = parts(&mut centre, 3).await;
        let whole: String = parts.iter().map(|(_, part)| part.as_str()).collect();
        assert_eq!(whole, text);
        let reference = &parts[0].0[0].as_str().expect("a header")[4..6];
        for (at, (header, _)) in parts.iter().enumerate() {
            assert_eq!(*header, json!([format!("0003{reference}03{:02x}", at + 1)]));
        }
    }
}

#[tokio::test]
async fn a_long_text_arrives_in_one_piece_where_the_centre_cuts_it() {
    let mut centre = Centre::smpp().await;
    let long_messages = LongMessages::Payload;
    let route = route(SmppSettings {
        long_messages,
        ..settings(&centre)
    });
    let text = "Ваш код 123456. ".repeat(12);
    assert_eq!(send(&route, &text).await.verdict, Verdict::Taken);
    let submit = centre.hear("submit").await;
    assert_eq!(submit["message_payload"], text);
    assert_eq!(submit["esm_class"], 0x00);
    assert_eq!(submit["data_coding"], 8);
}

#[tokio::test]
async fn there_are_as_many_binds_as_configured_and_each_is_ended() {
    let mut centre = Centre::smpp().await;
    centre.order(json!({"rest": {"silent": true}})).await;
    let (binds, window) = (3, 1);
    let three = SmppSettings {
        binds,
        window,
        ..settings(&centre)
    };
    let route = patient_route(three, 3);
    let message = sms("hello");
    let sending = (0..3).map(|_| route.send(&message, NOW));
    for report in futures::future::join_all(sending).await {
        assert_eq!(
            report.verdict,
            Verdict::Unknown,
            "each has a window of its own"
        );
    }
    let clone = route.clone();
    clone.close().await;
    for _ in 0..3 {
        centre.hear("unbind").await;
    }
    let report = send(&route, "hello").await;
    assert_eq!(report.verdict, not_now(RouteFault::Unreachable));
}

#[tokio::test]
async fn binds_end_with_the_last_route_that_uses_them() {
    let mut centre = Centre::smpp().await;
    let route = route(settings(&centre));
    assert_eq!(send(&route, "hello").await.verdict, Verdict::Taken);
    drop(route);
    assert_eq!(centre.hear("unbind").await, true);
}
