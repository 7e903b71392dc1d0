//! Lines that break, centres that start again, and TLS.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use ringback_sms::{Arrival, ProviderEvent, Receipt};
use serde_json::json;

use super::*;

/// Sends until it is taken. What comes before was not, or broke off with the line.
async fn send_until_taken(route: &Provider) {
    for _ in 0..200 {
        let report = send(route, "hello").await;
        match report.verdict {
            Verdict::Taken => return,
            Verdict::Unknown => assert!(
                report.reason.starts_with("the line broke"),
                "{}",
                report.reason
            ),
            verdict => assert_eq!(
                verdict,
                not_now(RouteFault::Unreachable),
                "{}",
                report.reason
            ),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("never taken");
}

#[tokio::test]
async fn when_a_line_is_dropped_only_what_was_not_answered_is_in_doubt() {
    let mut centre = Centre::smpp().await;
    let route = route(SmppSettings {
        window: 20,
        ..settings(&centre)
    });
    assert_eq!(send(&route, "first").await.verdict, Verdict::Taken);
    centre.hear("submit").await;
    let mut acts = vec![json!({}); 17];
    acts.push(json!({"drop": true}));
    centre.order(json!({"next": acts})).await;
    let messages: Vec<_> = (0..20).map(|n| sms(&format!("message {n}"))).collect();
    let sending = messages.iter().map(|message| route.send(message, NOW));
    let reports = futures::future::join_all(sending).await;
    let of = |wanted| {
        let all = messages.iter().zip(&reports);
        let those = all.filter(|(_, report)| report.verdict == wanted);
        those
            .map(|(message, _)| message.text.clone())
            .collect::<Vec<_>>()
    };
    let (taken, unknown) = (of(Verdict::Taken), of(Verdict::Unknown));
    let waiting = of(not_now(RouteFault::Unreachable));
    assert_eq!(
        taken.len() + unknown.len() + waiting.len(),
        20,
        "{reports:?}"
    );
    assert_eq!(taken.len(), 17, "{reports:?}");
    // What goes out again is what is not known to be taken: then the centre has read each at least once.
    for text in unknown.iter().chain(&waiting) {
        while send(&route, text).await.verdict != Verdict::Taken {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let mut read = std::collections::BTreeMap::new();
    while read.len() < 20 {
        let submit = centre.hear("submit").await;
        let text = submit["short_message"].as_str().expect("a text").to_owned();
        *read.entry(text).or_insert(0) += 1;
    }
    for text in &taken {
        assert_eq!(read[text], 1, "{text} was taken and comes once");
    }
}

#[tokio::test]
async fn a_centre_that_starts_again_is_found_again() {
    let mut centre = Centre::smpp().await;
    let port = centre.port;
    let route = route(settings(&centre));
    assert_eq!(send(&route, "hello").await.verdict, Verdict::Taken);
    centre.hear("submit").await;
    centre.stop().await;
    loop {
        let report = send(&route, "hello").await;
        match report.verdict {
            // It was written before the line was found dead.
            Verdict::Unknown | Verdict::Taken => {}
            verdict => {
                assert_eq!(verdict, not_now(RouteFault::Unreachable));
                break;
            }
        }
    }
    let mut centre = Centre::smpp_at(port, &[]).await;
    send_until_taken(&route).await;
    centre.hear("bind").await;
    centre.hear("submit").await;
}

#[tokio::test]
async fn a_centre_that_says_goodbye_is_answered_and_found_again() {
    let mut centre = Centre::smpp().await;
    let route = route(settings(&centre));
    assert_eq!(send(&route, "hello").await.verdict, Verdict::Taken);
    centre.hear("bind").await;
    centre.order(json!({"unbind": true})).await;
    centre.hear("unbind_resp").await;
    centre.hear("bind").await;
    send_until_taken(&route).await;
}

#[tokio::test]
async fn a_line_that_answers_nothing_any_more_is_given_up() {
    let mut centre = Centre::smpp().await;
    let enquire_link_seconds = 1;
    let asking = SmppSettings {
        enquire_link_seconds,
        ..settings(&centre)
    };
    let route = patient_route(asking, 2);
    assert_eq!(send(&route, "hello").await.verdict, Verdict::Taken);
    centre.hear("bind").await;
    centre.hear("enquire_link").await;
    centre.hear("enquire_link").await;
    centre.order(json!({"rest": {"deaf": true}})).await;
    centre.hear("bind").await;
}

#[tokio::test]
async fn what_is_no_smpp_ends_the_line_and_nothing_else() {
    let mut centre = Centre::smpp().await;
    let route = route(settings(&centre));
    let wrong = [
        // A length of 3; one of 4 GiB; a command that there is not.
        "00000003",
        "ffffffff00000005",
        "00000010000000630000000000000009",
    ];
    for bytes in wrong {
        send_until_taken(&route).await;
        centre.order(json!({"bytes": bytes})).await;
    }
    assert_eq!(centre.hear("nack").await, 0x03, "the last one is answered");
    send_until_taken(&route).await;
}

#[tokio::test]
async fn what_is_not_quite_smpp_is_read_all_the_same() {
    let mut centre = Centre::smpp().await;
    let route = route(settings(&centre));
    let mut events = route.events().expect("the first who asks");
    assert_eq!(send(&route, "hello").await.verdict, Verdict::Taken);
    centre.hear("bind").await;
    for bytes in [
        // Without its fields; a receipt whose id has no zero byte; one from a sender that is not ASCII.
        "00000011000000050000000000000001ff",
        "000000300000000500000000000000020001013134000101310004000000000000000000001e00033130340427000102",
        "00000031000000050000000000000003000101c462000101310004000000000000000000001e0004313035000427000102",
    ] {
        centre.order(json!({"bytes": bytes})).await;
    }
    for id in ["104", "105"] {
        let told = events.recv().await.expect("the route is there");
        let Receipt { arrival, .. } = match &told.event {
            ProviderEvent::Receipt { reference, receipt } if reference == id => receipt,
            other => panic!("{other:?}"),
        };
        assert_eq!(*arrival, Arrival::Delivered);
        told.noted();
    }
    for _ in 0..3 {
        assert_eq!(centre.hear("deliver_resp").await, 0);
    }
    // An answer whose id is neither ended nor of ASCII.
    centre.order(json!({"next": [{"raw": "c439"}]})).await;
    assert_eq!(
        send(&route, "hello").await,
        Report::taken(Some("?9".into()))
    );
    assert_eq!(
        send(&route, "hello").await.verdict,
        Verdict::Taken,
        "over the same line"
    );
}

/// An authority, and a key and a certificate of 127.0.0.1 that it has signed, as files.
fn certificates(place: &std::path::Path) -> (PathBuf, PathBuf, PathBuf) {
    let write = |name: &str, text: String| {
        std::fs::write(place.join(name), text).expect("a file");
        place.join(name)
    };
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let authority = params.self_signed(&key).expect("a certificate");
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["127.0.0.1".into()]).expect("an address");
    let certificate = params.signed_by(&key, &issuer).expect("a certificate");
    (
        write("authority.pem", authority.pem()),
        write("key.pem", key.serialize_pem()),
        write("certificate.pem", certificate.pem()),
    )
}

#[tokio::test]
async fn over_tls_the_centre_must_be_who_it_should_be() {
    let place = tempfile::tempdir().expect("a directory");
    let (authority, key, certificate) = certificates(place.path());
    let mut centre = Centre::smpp_at(0, &[&key, &certificate]).await;
    let secure = SmppSettings {
        tls: true,
        ca_file: authority,
        ..settings(&centre)
    };
    let trusting = route(secure.clone());
    assert_eq!(send(&trusting, "hello").await.verdict, Verdict::Taken);
    assert_eq!(centre.hear("submit").await["short_message"], "hello");
    // One that this machine has never heard of, another name, and no TLS at all.
    let (ca_file, host) = (PathBuf::new(), "localhost".to_owned());
    for wrong in [
        SmppSettings {
            ca_file,
            ..secure.clone()
        },
        SmppSettings {
            host,
            ..secure.clone()
        },
        SmppSettings {
            tls: false,
            ca_file: PathBuf::new(),
            ..secure
        },
    ] {
        let tls = wrong.tls;
        let report = send(&patient_route(wrong, 1), "hello").await;
        assert_eq!(report.verdict, not_now(RouteFault::Unreachable));
        assert_eq!(
            report.reason.starts_with("no connection: TLS: "),
            tls,
            "{}",
            report.reason
        );
    }
}

#[tokio::test]
async fn a_window_is_filled_before_anything_is_answered() {
    let mut centre = Centre::smpp().await;
    let window = 50;
    let wide = SmppSettings {
        window,
        ..settings(&centre)
    };
    let route = patient_route(wide, 4);
    assert_eq!(send(&route, "hello").await.verdict, Verdict::Taken);
    centre.order(json!({"rest": {"silent": true}})).await;
    let message = sms("hello");
    let sending = (0..50).map(|_| route.send(&message, NOW));
    for _ in 0..2 {
        let sending = sending.clone();
        let reports = futures::future::join_all(sending).await;
        let unknown = |report: &Report| report.verdict == Verdict::Unknown;
        assert!(reports.iter().all(unknown), "{reports:?}");
        for _ in 0..50 {
            centre.hear("submit").await;
        }
    }
}
