//! What is made of each answer, and of none.

use ringback_core::delivery::NumberFault;
use ringback_sms::RouteError;
use serde_json::json;
use tokio::time::Instant;

use super::*;

#[tokio::test]
async fn every_answer_says_whose_fault_it_is() {
    let mut centre = Centre::smpp().await;
    let route = route(settings(&centre));
    let never = Verdict::Never {
        fault: NumberFault::Invalid,
    };
    let table = [
        (json!({"status": 0x58}), not_now(RouteFault::Throttled)),
        (json!({"bare": 0x58}), not_now(RouteFault::Throttled)),
        (json!({"status": 0x14}), not_now(RouteFault::Throttled)),
        (json!({"nack": 0x58}), not_now(RouteFault::Throttled)),
        (json!({"status": 0x0B}), never),
        (json!({"bare": 0x0B}), never),
        (json!({"status": 0x0A}), unable(RouteFault::Sender)),
        (json!({"status": 0x01}), unable(RouteFault::Content)),
        (json!({"status": 0x45}), unable(RouteFault::Region)),
        (json!({"status": 0x08}), Verdict::Unknown),
        (json!({"nack": 0x03}), unable(RouteFault::Protocol)),
        (json!({"status": 0x0412}), unable(RouteFault::Protocol)),
        (json!({"bare": 0}), Verdict::Taken),
        (json!({"id": ""}), Verdict::Taken),
        (json!({"id": "00AB"}), Verdict::Taken),
    ];
    let acts: Vec<_> = table.iter().map(|(act, _)| act).collect();
    centre.order(json!({"next": acts})).await;
    let mut reports = Vec::new();
    for (act, verdict) in &table {
        let report = send(&route, "hello").await;
        assert_eq!(report.verdict, *verdict, "{act}: {}", report.reason);
        assert!(!report.reason.contains("4179"), "{}", report.reason);
        reports.push(report);
    }
    assert_eq!(reports[4].reason, "refused: 0x0000000B ESME_RINVDSTADR");
    assert_eq!(
        reports[10].reason,
        "not understood: 0x00000003 ESME_RINVCMDID"
    );
    let references: Vec<_> = reports
        .into_iter()
        .rev()
        .map(|report| report.reference)
        .collect();
    assert_eq!(references[..3], [Some("00ab".to_owned()), None, None]);
}

#[tokio::test]
async fn a_refused_part_is_not_for_this_route_again() {
    let mut centre = Centre::smpp().await;
    let route = route(settings(&centre));
    let text = "Ваш код 123456 ".repeat(10);
    centre.order(json!({"next": [{}, {"status": 0x58}]})).await;
    assert_eq!(
        send(&route, &text).await.verdict,
        unable(RouteFault::Throttled)
    );
    centre.order(json!({"next": [{"status": 0x58}]})).await;
    let first = send(&route, &text).await.verdict;
    assert_eq!(first, not_now(RouteFault::Throttled), "it has none of it");
}

#[tokio::test]
async fn a_message_without_an_answer_may_have_been_taken() {
    let mut centre = Centre::smpp().await;
    let timeout = Duration::from_secs(2);
    let route = patient_route(settings(&centre), timeout.as_secs());
    assert_eq!(send(&route, "hello").await.verdict, Verdict::Taken);
    centre.order(json!({"next": [{"silent": true}]})).await;
    let begun = Instant::now();
    let report = send(&route, "hello").await;
    assert_eq!(report.verdict, Verdict::Unknown);
    assert!(
        begun.elapsed() < timeout + Duration::from_secs(1),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(
        send(&route, "hello").await.verdict,
        Verdict::Taken,
        "over the same line"
    );
}

#[tokio::test]
async fn a_full_window_holds_back_and_loses_nothing() {
    let mut centre = Centre::smpp().await;
    let window = 2;
    let narrow = SmppSettings {
        window,
        ..settings(&centre)
    };
    let route = patient_route(narrow, 3);
    assert_eq!(send(&route, "hello").await.verdict, Verdict::Taken);
    centre.order(json!({"rest": {"silent": true}})).await;
    let message = sms("hello");
    let sending = (0..5).map(|_| route.send(&message, NOW));
    let verdicts = futures::future::join_all(sending).await;
    let count = |verdict| {
        verdicts
            .iter()
            .filter(|report| report.verdict == verdict)
            .count()
    };
    assert_eq!(count(Verdict::Unknown), 2, "{verdicts:?}");
    assert_eq!(count(not_now(RouteFault::Throttled)), 3, "{verdicts:?}");
}

#[tokio::test]
async fn a_wrong_password_is_for_somebody_to_mend() {
    let centre = Centre::smpp().await;
    let password = "wrong".into();
    let route = route(SmppSettings {
        password,
        ..settings(&centre)
    });
    let report = send(&route, "hello").await;
    assert_eq!(report.verdict, unable(RouteFault::Auth));
    assert_eq!(
        report.reason,
        "the bind was refused: 0x0000000E ESME_RINVPASWD"
    );
    let Err(RouteError::Refused { cause, .. }) = route.check().await else {
        panic!("must not be let in");
    };
    assert_eq!(cause, report.reason);
}

#[tokio::test]
async fn a_bind_may_be_refused_for_now() {
    let mut centre = Centre::smpp().await;
    centre.order(json!({"bind": {"status": 0x05}})).await;
    let route = route(settings(&centre));
    assert_eq!(
        send(&route, "hello").await.verdict,
        not_now(RouteFault::Down)
    );
    centre.order(json!({"bind": {}})).await;
    loop {
        let report = send(&route, "hello").await;
        match report.verdict {
            Verdict::Taken => break,
            verdict => assert_eq!(verdict, not_now(RouteFault::Down)),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn where_nobody_listens_a_message_waits() {
    let centre = Centre::smpp().await;
    let settings = settings(&centre);
    centre.stop().await;
    let route = route(settings);
    let report = send(&route, "hello").await;
    assert_eq!(report.verdict, not_now(RouteFault::Unreachable));
    assert!(
        report.reason.starts_with("no connection: "),
        "{}",
        report.reason
    );
}
