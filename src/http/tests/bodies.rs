//! Bodies that are too large, broken or not read.

use super::*;

/// A body that counts how often it is asked for more.
fn counted(polls: &Arc<AtomicUsize>) -> Body {
    let polls = Arc::clone(polls);
    Body::from_stream(futures::stream::poll_fn(move |_| {
        polls.fetch_add(1, Ordering::SeqCst);
        std::task::Poll::Ready(Some(Ok::<_, std::convert::Infallible>(Bytes::from(
            vec![b' '; 100_000],
        ))))
    }))
}

#[tokio::test]
async fn no_token_beats_a_bad_body_which_is_not_read() {
    for (path, code) in [
        (SET_PHONE_JSON, json!(16)),
        (SET_PHONE, json!("unauthenticated")),
    ] {
        let polls = Arc::new(AtomicUsize::new(0));
        let mut sent = request(Method::POST, path, counted(&polls));
        sent.headers_mut().remove("authorization");
        sent.headers_mut()
            .insert("expect", HeaderValue::from_static("100-continue"));
        sent.headers_mut()
            .insert("connect-timeout-ms", HeaderValue::from_static("x"));
        let (status, headers, answer) = send_json(sent).await;
        assert_eq!((status, &answer["code"]), (401, &code));
        assert_eq!(answer["message"], "auth header missing");
        assert_eq!(headers["www-authenticate"], "Bearer");
        assert_eq!(polls.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn a_body_over_the_limit_is_not_read_to_its_end() {
    for (path, http, code) in [
        (SET_PHONE_JSON, 413, json!(8)),
        (SET_PHONE, 429, json!("resource_exhausted")),
    ] {
        let polls = Arc::new(AtomicUsize::new(0));
        let mut sent = request(Method::POST, path, counted(&polls));
        // What is left is not read for a client that waits to be asked.
        sent.headers_mut()
            .insert("expect", HeaderValue::from_static("100-continue"));
        let (status, _, answer) = send_json(sent).await;
        assert_eq!((status, &answer["code"]), (http, &code));
        assert_eq!(answer["message"], "request body is larger than 1 MiB");
        assert_eq!(polls.load(Ordering::SeqCst), 11);
        // A body that says its size.
        let sent = request(Method::POST, path, vec![b' '; BODY_LIMIT + 1]);
        assert_eq!(send_json(sent).await.0, http);
        // The limit itself is allowed.
        let sent = request(Method::POST, path, vec![b' '; BODY_LIMIT]);
        assert_eq!(send_json(sent).await.0, 200);
    }
}

#[tokio::test]
async fn bad_json_bodies_are_code_three() {
    for (path, body) in [
        (SET_PHONE_JSON, &b"{"[..]),
        (SET_PHONE_JSON, b"{\"phone\":{}}"),
        (SET_PHONE_JSON, b"{\"phone\":\"\xff\"}"),
        ("/v2/users/%FF/phone", b"{}"),
    ] {
        let (status, _, answer) = send_json(request(Method::POST, path, body)).await;
        assert_eq!((status, &answer["code"]), (400, &json!(3)), "{answer}");
        assert!(answer.get("details").is_none());
    }
    let mut sent = request(Method::POST, SET_PHONE_JSON, "{}");
    sent.headers_mut()
        .insert("content-encoding", HeaderValue::from_static("gzip"));
    assert_eq!(send_json(sent).await.0, 415);
}
