//! Tests of delivery: which route, how often, and when it is given up.

use super::*;
use ringback_core::{Id, Number};
use ringback_sms::{Inbox, Webhook, WebhookSettings};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

const NOW: Time = Time(1_700_000_000_000_000);

fn carrier(routes: Vec<Route>) -> Carrier {
    Carrier {
        routes,
        texts: Texts {
            service_name: "Acme".into(),
            domain: None,
            android_hash: None,
        },
    }
}

fn claimed(kind: MessageKind) -> Claimed {
    Claimed {
        message: Message {
            id: id(1),
            account: "ann".into(),
            organization: "acme".into(),
            number: Number::from_stored("+41791234567"),
            kind,
            language: String::new(),
            created_at: NOW,
            due_at: NOW,
            expires_at: NOW + Duration::from_secs(100),
        },
        code: None,
        attempt: 3,
    }
}

fn id(n: u8) -> Id {
    Id::parse(&format!("0190c5a0-0000-7000-8000-0000000000{n:02x}")).expect("an id")
}

async fn webhook(answer: ResponseTemplate) -> (MockServer, Route) {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    let settings = WebhookSettings {
        url: server.uri().parse().expect("an address"),
        secrets: vec!["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()],
        timeout: Duration::from_secs(5),
    };
    let webhook = Webhook::new(settings).expect("settings in order");
    (server, Route::Webhook(webhook))
}

fn done(settlement: &Settlement) -> bool {
    matches!(settlement.outcome, Settled::Done)
}

fn retry_at(settlement: &Settlement) -> Option<Time> {
    match settlement.outcome {
        Settled::Retry { at } => Some(at),
        Settled::Done => None,
    }
}

#[test]
fn pauses_grow_up_to_a_minute() {
    let seconds: Vec<u64> = (0..9).map(|attempt| pause(attempt).as_secs()).collect();
    assert_eq!(seconds, [1, 1, 2, 4, 8, 16, 32, 60, 60]);
    assert_eq!(pause(u32::MAX), LONGEST_PAUSE);
}

#[test]
fn a_message_is_tried_again_while_it_is_of_use() {
    let at = |attempt, asked, left| {
        let settled = again(
            attempt,
            Duration::from_secs(asked),
            NOW,
            NOW + Duration::from_secs(left),
        );
        match settled {
            Settled::Retry { at } => Some(at.since(NOW).as_secs()),
            Settled::Done => None,
        }
    };
    assert_eq!(at(1, 0, 600), Some(1));
    assert_eq!(at(3, 0, 600), Some(4));
    assert_eq!(at(3, 30, 600), Some(30), "what the route asks for counts");
    assert_eq!(at(6, 5, 600), Some(32), "but shortens nothing");
    assert_eq!(at(3, 0, 5), Some(4));
    assert_eq!(at(3, 0, 4), None);
    assert_eq!(at(1, 300, 120), None);
    assert_eq!(at(1, 0, 0), None);
}

#[test]
fn minutes_are_rounded_and_never_none() {
    let told = [600_u64, 599, 571, 569, 90, 89, 29, 0]
        .map(|seconds| minutes(Duration::from_secs(seconds)));
    assert_eq!(told, [10, 10, 10, 9, 2, 1, 1, 1]);
}

#[tokio::test]
async fn the_first_route_that_takes_a_message_is_the_last_one_asked() {
    let (first, second) = (Inbox::default(), Inbox::default());
    let carrier = carrier(vec![
        Route::Inbox(first.clone()),
        Route::Inbox(second.clone()),
    ]);
    let settlement = carrier.deliver(claimed(MessageKind::Removed), || NOW).await;
    assert!(done(&settlement));
    assert_eq!((settlement.message, settlement.attempt), (id(1), 3));
    assert_eq!((first.received(), second.received()), (1, 0));
    let messages = first.messages(None);
    assert_eq!(messages[0].id, id(1).to_string());
    assert!(messages[0].text.contains("Acme"));
}

#[tokio::test]
async fn a_route_that_cannot_now_hands_over_at_once() {
    let (server, failing) = webhook(ResponseTemplate::new(503)).await;
    let inbox = Inbox::default();
    let carrier = carrier(vec![failing, Route::Inbox(inbox.clone())]);
    let settlement = carrier
        .deliver(claimed(MessageKind::Replaced), || NOW)
        .await;
    assert!(done(&settlement));
    assert_eq!(inbox.received(), 1);
    assert_eq!(server.received_requests().await.map(|r| r.len()), Some(1));
}

#[tokio::test]
async fn a_final_refusal_asks_no_other_route() {
    let (_server, refusing) = webhook(ResponseTemplate::new(400)).await;
    let inbox = Inbox::default();
    let carrier = carrier(vec![refusing, Route::Inbox(inbox.clone())]);
    let settlement = carrier
        .deliver(claimed(MessageKind::Replaced), || NOW)
        .await;
    assert!(done(&settlement));
    assert_eq!(inbox.received(), 0);
}

#[tokio::test]
async fn the_route_that_is_ready_first_decides_the_pause() {
    let rest = |seconds| ResponseTemplate::new(429).insert_header("retry-after", seconds);
    let (_one, first) = webhook(rest("40")).await;
    let (_two, second) = webhook(rest("20")).await;
    let both = carrier(vec![first.clone(), second]);
    let settlement = both.deliver(claimed(MessageKind::Removed), || NOW).await;
    let expected = NOW + Duration::from_secs(20);
    assert_eq!(retry_at(&settlement), Some(expected));

    let (_three, unasked) = webhook(ResponseTemplate::new(500)).await;
    let both = carrier(vec![first, unasked]);
    let settlement = both.deliver(claimed(MessageKind::Removed), || NOW).await;
    let expected = NOW + pause(3);
    assert_eq!(retry_at(&settlement), Some(expected));
}

#[tokio::test]
async fn a_message_that_nobody_took_in_time_is_given_up() {
    let (_server, failing) = webhook(ResponseTemplate::new(500)).await;
    let late = || NOW + Duration::from_secs(98);
    let settlement = carrier(vec![failing])
        .deliver(claimed(MessageKind::Removed), late)
        .await;
    assert!(done(&settlement));
}

#[tokio::test]
async fn a_code_message_without_a_code_is_never_sent() {
    let inbox = Inbox::default();
    let kind = MessageKind::Code { challenge: id(2) };
    let settlement = carrier(vec![Route::Inbox(inbox.clone())])
        .deliver(claimed(kind), || NOW)
        .await;
    assert!(done(&settlement));
    assert_eq!(inbox.received(), 0);
}

#[tokio::test]
async fn a_lease_outlives_all_routes() {
    let (_one, first) = webhook(ResponseTemplate::new(200)).await;
    let (_two, second) = webhook(ResponseTemplate::new(200)).await;
    let routes = [first, second, Route::Inbox(Inbox::default())];
    assert_eq!(lease(&routes), Duration::from_secs(20));
}
