use std::collections::BTreeMap;

use ringback_core::delivery::{NumberFault, RouteFault, RouteRules, Routes};
use ringback_core::{Id, Number, Policies, Policy};
use ringback_sms::{Inbox, Provider, Senders, Webhook, WebhookSettings};
use serde_json::json;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;
use crate::config::Config;

const NOW: Time = Time(1_700_000_000_000_000);

fn id(n: u8) -> Id {
    Id::parse(&format!("0190c5a0-0000-7000-8000-0000000000{n:02x}")).expect("an id")
}

/// Routes `first` and `second`, in this order.
fn planner() -> Arc<Planner> {
    let rules = RouteRules {
        tells_repeats: true,
        ..RouteRules::default()
    };
    planner_of(rules, ["first", "second"])
}

fn planner_of<const N: usize>(rules: RouteRules, names: [&str; N]) -> Arc<Planner> {
    let routes = Routes {
        rules: names.map(|name| (name.to_owned(), rules.clone())).into(),
        default: names.map(str::to_owned).into(),
        by_country: BTreeMap::new(),
        ..Routes::default()
    };
    let policies = Policies::from(Policy {
        routes,
        ..Policy::default()
    });
    Arc::new(Planner::new(policies, names.into_iter()))
}

fn texts() -> Texts {
    let mut config = Config::load(None, []).expect("the defaults");
    config.messages.service_name = "Acme".into();
    config.texts().expect("texts in order")
}

fn carrier(name: &str, provider: Provider, planner: &Arc<Planner>) -> Carrier {
    Carrier {
        route: Route {
            name: name.into(),
            provider,
            senders: Senders::default(),
            max_in_flight: 10,
            per_second: None,
            cost_per_segment: 7_500,
        },
        texts: texts(),
        planner: planner.clone(),
        callbacks: None,
    }
}

fn claimed(attempt: u32) -> Claimed {
    Claimed {
        message: Message {
            id: id(1),
            account: "ann".into(),
            organization: "acme".into(),
            number: Number::from_stored("+41791234567"),
            kind: MessageKind::Removed,
            language: String::new(),
            route: Some("first".into()),
            round: 0,
            created_at: NOW,
            due_at: NOW,
            expires_at: NOW + Duration::from_secs(100),
            opted_out: Vec::new(),
        },
        code: None,
        attempt,
        trail: Trail::default(),
    }
}

/// The same of a code.
fn code_claimed(attempt: u32) -> Claimed {
    let mut claimed = claimed(attempt);
    claimed.message.kind = MessageKind::Code { challenge: id(2) };
    claimed
}

async fn webhook(answer: ResponseTemplate) -> (MockServer, Provider) {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    let settings = WebhookSettings {
        url: server.uri().parse().expect("an address"),
        secrets: vec!["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()],
        timeout: Duration::from_secs(5),
        receipts: false,
    };
    let webhook = Webhook::new(settings).expect("settings in order");
    (server, Provider::Webhook(webhook))
}

fn waits(route: &str, at: Time) -> Settled {
    let route = route.into();
    Settled::Waits { route, at }
}

async fn after(answer: ResponseTemplate) -> (Settlement, Arc<Planner>) {
    let planner = planner();
    let (_server, provider) = webhook(answer).await;
    let carrier = carrier("first", provider, &planner);
    (carrier.deliver(claimed(1), || NOW).await, planner)
}

#[test]
fn minutes_are_rounded_and_never_none() {
    let told = [600_u64, 599, 571, 569, 90, 89, 29, 0]
        .map(|seconds| minutes(Duration::from_secs(seconds)));
    assert_eq!(told, [10, 10, 10, 9, 2, 1, 1, 1]);
}

#[tokio::test]
async fn a_route_that_takes_a_message_is_the_last_one_asked() {
    let inbox = Inbox::default();
    let carrier = carrier("first", Provider::Inbox(inbox.clone()), &planner());
    let settlement = carrier.deliver(claimed(1), || NOW).await;
    assert_eq!(settlement.outcome, Settled::Ended(State::Handed));
    assert_eq!((settlement.message.id, settlement.attempt), (id(1), 1));
    assert!(inbox.messages(None)[0].text.contains("Acme"));
    let attempt = settlement.trail.last().expect("an attempt");
    assert_eq!((attempt.n, &*attempt.route), (1, "first"));
    assert_eq!(attempt.verdict, Verdict::Taken);
    assert_eq!((attempt.segments, attempt.cost), (1, 7_500));
}

#[tokio::test]
async fn what_is_not_taken_costs_nothing() {
    let (settlement, _) = after(ResponseTemplate::new(503)).await;
    let attempt = settlement.trail.last().expect("an attempt");
    assert_eq!((attempt.segments, attempt.cost), (0, 0));
}

#[tokio::test]
async fn what_is_a_routes_fault_leads_to_the_next_one_and_says_why() {
    for (status, verdict) in [
        (
            503,
            Verdict::NotNow {
                fault: RouteFault::Down,
                after: 0,
            },
        ),
        (
            401,
            Verdict::Unable {
                fault: RouteFault::Auth,
            },
        ),
        (
            400,
            Verdict::Unable {
                fault: RouteFault::Protocol,
            },
        ),
    ] {
        let (settlement, _) = after(ResponseTemplate::new(status)).await;
        assert_eq!(settlement.outcome, waits("second", NOW), "{status}");
        let attempt = settlement.trail.last().expect("an attempt");
        assert_eq!(attempt.verdict, verdict);
        assert_eq!(attempt.reason, format!("answered {status}"));
    }
}

#[tokio::test]
async fn what_is_the_numbers_fault_ends_the_message() {
    let body = serde_json::json!({ "result": "landline" });
    let (settlement, _) = after(ResponseTemplate::new(400).set_body_json(body)).await;
    assert_eq!(settlement.outcome, Settled::Ended(State::Refused));
    let attempt = settlement.trail.last().expect("an attempt");
    let fault = NumberFault::Landline;
    assert_eq!(attempt.verdict, Verdict::Never { fault });
    assert_eq!(attempt.reason, "the number takes no texts");
}

#[tokio::test]
async fn a_route_that_does_not_know_us_is_left_alone_at_once() {
    let (_, planner) = after(ResponseTemplate::new(401)).await;
    let inbox = Inbox::default();
    let carrier = carrier("first", Provider::Inbox(inbox.clone()), &planner);
    let settlement = carrier.deliver(claimed(1), || NOW).await;
    assert_eq!(settlement.outcome, waits("second", NOW));
    assert_eq!(inbox.received(), 0, "it is not asked");
    let attempt = settlement.trail.last().expect("an entry");
    assert_eq!(attempt.verdict, Verdict::Skipped);
    let later = NOW + Duration::from_secs(60);
    let settlement = carrier.deliver(claimed(2), || later).await;
    assert_eq!(settlement.outcome, Settled::Ended(State::Handed));
}

#[tokio::test]
async fn who_dies_again_and_again_does_not_send_again_and_again() {
    let inbox = Inbox::default();
    let planner = planner_of(RouteRules::default(), ["first"]);
    let carrier = carrier("first", Provider::Inbox(inbox.clone()), &planner);
    // Four were claimed before, of which nothing is known.
    let settlement = carrier.deliver(code_claimed(5), || NOW).await;
    assert_eq!(inbox.received(), 0);
    assert_eq!(settlement.outcome, Settled::Ended(State::Failed));
    let lost = &settlement.trail.attempts()[0];
    assert_eq!((lost.n, lost.times, lost.verdict), (4, 4, Verdict::Unknown));
    // One may be repeated.
    let settlement = carrier.deliver(code_claimed(2), || NOW).await;
    assert_eq!(inbox.received(), 1);
    assert_eq!(settlement.outcome, Settled::Ended(State::Handed));
}

#[tokio::test]
async fn what_a_route_calls_a_message_tells_neither_code_nor_number() {
    for (id, kept) in [
        (json!("ref-1"), Some("ref-1")),
        (json!(17), Some("17")),
        (json!("+41791234567"), None),
        (json!("079 123 45 67"), None),
        (json!(["a"]), None),
    ] {
        let body = json!({ "result": "taken", "id": id });
        let (settlement, _) = after(ResponseTemplate::new(200).set_body_json(body)).await;
        let attempt = settlement.trail.last().expect("an attempt");
        assert_eq!(attempt.reference.as_deref(), kept);
    }
}

#[tokio::test]
async fn an_attempt_that_nobody_told_of_is_on_the_trail_as_unknown() {
    let inbox = Inbox::default();
    let carrier = carrier("first", Provider::Inbox(inbox.clone()), &planner());
    let mut claimed = claimed(2);
    claimed.message.due_at = NOW + Duration::from_secs(15);
    let settlement = carrier.deliver(claimed, || NOW).await;
    assert_eq!(settlement.outcome, Settled::Ended(State::Handed));
    let attempts = settlement.trail.attempts().iter();
    assert!(attempts.clone().is_sorted_by_key(|attempt| attempt.at));
    let verdicts: Vec<_> = attempts
        .map(|attempt| (attempt.n, attempt.verdict))
        .collect();
    assert_eq!(verdicts, [(1, Verdict::Unknown), (2, Verdict::Taken)]);
}
