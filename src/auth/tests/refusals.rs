//! What the log says of refused tokens.

use std::io::{self, Write};
use std::sync::Mutex;

use super::*;

/// A log that can be read.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn begin(&self) -> tracing::subscriber::DefaultGuard {
        let writer = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_max_level(tracing::Level::INFO)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    /// The lines since the last time: issuer, reason, and how many were kept back.
    fn lines(&self) -> Vec<(Value, Value, Value)> {
        let text = std::mem::take(&mut *self.0.lock().unwrap());
        let text = String::from_utf8(text).unwrap();
        for secret in ["ann", "mallory", "evil", "elsewhere", "eyJ"] {
            assert!(!text.contains(secret), "{text}");
        }
        let read = |line: &str| {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["level"], "INFO");
            (
                line["issuer"].clone(),
                line["reason"].clone(),
                line["more"].clone(),
            )
        };
        text.lines().map(read).collect()
    }
}

#[tokio::test]
async fn each_reason_is_said_once_and_then_now_and_then() {
    let hands = Hands::new();
    let auth = auth(with_secret(), &hands);
    let paper = Paper::default();
    let _log = paper.begin();
    for n in 0..5 {
        let expired = ask_with(&auth, json!({"exp": START - 100 - n, "sub": "mallory"})).await;
        assert_eq!(expired, Err(Refusal::TokenInvalid));
    }
    let line = |issuer: Value, reason: &str, more: u64| (issuer, json!(reason), json!(more));
    assert_eq!(paper.lines(), [line(json!("main"), "expired", 0)]);
    hands.forward(seconds(9));
    let _ = ask_with(&auth, json!({"exp": START - 100})).await;
    assert_eq!(paper.lines(), []);
    hands.forward(seconds(1));
    let _ = ask_with(&auth, json!({"exp": START - 100})).await;
    assert_eq!(paper.lines(), [line(json!("main"), "expired", 5)]);

    // An issuer is named only when it is one of the configuration.
    for n in 0..3 {
        let _ = ask_with(&auth, json!({"iss": format!("https://evil-{n}.example")})).await;
    }
    assert_eq!(paper.lines(), [line(Value::Null, "unknown issuer", 0)]);
    let _ = ask_with(&auth, json!({"aud": "elsewhere"})).await;
    let _ = ask_with(&auth, json!({"sub": ""})).await;
    let _ = ask(&auth, "eyJx").await;
    let forged = hmac(
        Algorithm::HS256,
        b"another secret of more than 32 characters",
        &claims(json!({})),
    );
    let _ = ask(&auth, &forged).await;
    let _ = ask(&auth, &"x".repeat(TOKEN_BYTES + 1)).await;
    let said = paper.lines();
    let reasons: Vec<&str> = said
        .iter()
        .filter_map(|(_, reason, _)| reason.as_str())
        .collect();
    assert_eq!(
        reasons,
        [
            "another audience",
            "no subject",
            "no JWT with an issuer",
            "signature or form",
            "too long"
        ]
    );
    assert!(ask_with(&auth, json!({})).await.is_ok());
    assert_eq!(paper.lines(), []);
}

#[tokio::test]
async fn what_is_remembered_is_bounded_whatever_comes() {
    let hands = Hands::new();
    let auth = auth(with_secret(), &hands);
    for n in 0..500 {
        let _ = ask_with(&auth, json!({"iss": format!("https://evil-{n}.example")})).await;
        let _ = ask_with(&auth, json!({"sub": "", "jti": n})).await;
        let _ = ask_with(&auth, json!({"aud": n.to_string()})).await;
        hands.forward(seconds(1));
    }
    assert_eq!(auth.refusals.remembered(), 3);
}
