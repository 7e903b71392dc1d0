//! What a centre tells by itself: receipts, and what people write back.

use ringback_sms::{Arrival, Keyword, Lost, ProviderEvent, Receipt, UnackedEvent};
use serde_json::json;
use tokio::sync::mpsc;

use super::*;

async fn told(events: &mut mpsc::Receiver<UnackedEvent>) -> UnackedEvent {
    let told = tokio::time::timeout(Duration::from_secs(20), events.recv()).await;
    told.expect("something is told")
        .expect("the route is there")
}

/// The same, noted.
async fn next(events: &mut mpsc::Receiver<UnackedEvent>) -> ProviderEvent {
    let told = told(events).await;
    let event = told.event.clone();
    told.noted();
    event
}

fn receipt(reference: &str, arrival: Arrival, reason: &str) -> ProviderEvent {
    let (reference, reason) = (reference.to_owned(), reason.to_owned());
    ProviderEvent::Receipt {
        reference,
        receipt: Receipt {
            arrival,
            reason,
            once: None,
        },
    }
}

#[tokio::test]
async fn receipts_come_by_parameters_and_by_text() {
    let mut centre = Centre::smpp().await;
    let route = route(settings(&centre));
    let mut events = route.events().expect("the first who asks");
    assert!(route.events().is_none(), "and no other");
    assert!(route.tells_by_reference());
    let reference = send(&route, "hello").await.reference.expect("an id");
    let lost = Arrival::Undelivered(Lost::Phone);
    let by_parameters = json!({"deliver": {
        "esm_class": 4, "receipted_message_id": reference, "message_state": 2, "short_message": ""
    }});
    centre.order(by_parameters).await;
    assert_eq!(
        next(&mut events).await,
        receipt(&reference, Arrival::Delivered, "")
    );
    assert_eq!(centre.hear("deliver_resp").await, 0);
    let text = format!(
        "id:000{reference} sub:001 dlvrd:000 submit date:2611261200 done date:2611261201 stat:UNDELIV err:027 \
         text:hello"
    );
    centre
        .order(json!({"deliver": {"esm_class": 4, "short_message": text}}))
        .await;
    let reason = "the provider says UNDELIV, error 027";
    assert_eq!(next(&mut events).await, receipt(&reference, lost, reason));
    centre
        .order(json!({"deliver": {"esm_class": 4, "message_payload": text}}))
        .await;
    assert_eq!(next(&mut events).await, receipt(&reference, lost, reason));
}

#[tokio::test]
async fn an_id_in_two_bases_is_one() {
    let mut centre = Centre::smpp().await;
    let hex_ids = HexIds::Answers;
    let route = route(SmppSettings {
        hex_ids,
        ..settings(&centre)
    });
    let mut events = route.events().expect("the first who asks");
    centre.order(json!({"next": [{"id": "4A3B"}]})).await;
    let reference = send(&route, "hello").await.reference.expect("an id");
    let text = "id:0000019003 stat:DELIVRD err:000 text:";
    centre
        .order(json!({"deliver": {"esm_class": 4, "short_message": text}}))
        .await;
    assert_eq!(
        next(&mut events).await,
        receipt(&reference, Arrival::Delivered, "")
    );
}

#[tokio::test]
async fn the_receipt_of_a_long_message_names_it() {
    let mut centre = Centre::smpp().await;
    let route = route(settings(&centre));
    let text = "Ваш код 123456 ".repeat(10);
    let reference = send(&route, &text).await.reference;
    let mut asked = Vec::new();
    for _ in 0..3 {
        asked.push(centre.hear("submit").await["registered_delivery"].clone());
    }
    assert_eq!(asked, [0, 0, 1]);
    assert_eq!(
        reference,
        Some("3".to_owned()),
        "the part that was asked for"
    );
}

#[tokio::test]
async fn people_stop_and_start() {
    let mut centre = Centre::smpp().await;
    let route = route(settings(&centre));
    let mut events = route.events().expect("the first who asks");
    centre.hear("bind").await;
    let number = Number::from_stored("+41791234567");
    let wrote = |text: &str| json!({"deliver": {"source_addr": "41791234567", "source_addr_ton": 1, "short_message": text}});
    // The centre has said so before it let us in.
    send(&route, "hello").await;
    centre.order(wrote("what is this?")).await;
    centre.order(wrote("id:1 stat:UNDELIV err:000")).await;
    centre.order(wrote("Stop")).await;
    centre.order(wrote("START")).await;
    assert_eq!(
        next(&mut events).await,
        ProviderEvent::Keyword {
            number: number.clone(),
            keyword: Keyword::Stop
        }
    );
    let keyword = Keyword::Start;
    assert_eq!(
        next(&mut events).await,
        ProviderEvent::Keyword { number, keyword }
    );
    for _ in 0..4 {
        assert_eq!(centre.hear("deliver_resp").await, 0, "all are answered");
    }
}

#[tokio::test]
async fn what_nobody_has_noted_stays_with_the_centre() {
    const NOT_NOW: u32 = 0x64;
    let mut centre = Centre::smpp().await;
    let route = route(settings(&centre));
    let fields = json!({"esm_class": 4, "short_message": "id:1 stat:DELIVRD", "times": 3});
    // Nobody has asked to be told.
    send(&route, "hello").await;
    centre.order(json!({"deliver": fields})).await;
    for _ in 0..3 {
        assert_eq!(centre.hear("deliver_resp").await, NOT_NOW);
    }
    let mut events = route.events().expect("the first who asks");
    centre.order(json!({"deliver": fields})).await;
    told(&mut events).await.noted();
    drop(told(&mut events).await);
    told(&mut events).await.noted();
    for status in [0, NOT_NOW, 0] {
        assert_eq!(centre.hear("deliver_resp").await, status);
    }
    drop(events);
    centre.order(json!({"deliver": fields})).await;
    assert_eq!(centre.hear("deliver_resp").await, NOT_NOW);
}

#[tokio::test]
async fn there_is_room_for_a_thousand() {
    let mut centre = Centre::smpp().await;
    let route = route(settings(&centre));
    let mut events = route.events().expect("the first who asks");
    send(&route, "hello").await;
    let fields = json!({"esm_class": 4, "short_message": "id:1 stat:DELIVRD", "times": 1_001});
    centre.order(json!({"deliver": fields})).await;
    assert_eq!(centre.hear("deliver_resp").await, 0x14, "the last one");
    for _ in 0..1_000 {
        next(&mut events).await;
    }
    for _ in 0..1_000 {
        assert_eq!(centre.hear("deliver_resp").await, 0);
    }
}
