//! Keys, what tells calls apart, and answers as they are kept.

use ringback_core::rights::Rights;

use super::*;

fn headers(values: &[&'static [u8]]) -> HeaderMap {
    let values = values.iter();
    let values = values.map(|value| (KEY, HeaderValue::from_bytes(value).unwrap()));
    values.collect()
}

#[test]
fn a_key_is_visible_ascii() {
    assert!(key(&HeaderMap::new()).is_none());
    let longest: &'static [u8] = &[b'x'; LONGEST];
    for good in [b"k".as_slice(), b"6f1c-!~", longest] {
        assert!(matches!(key(&headers(&[good])), Some(Ok(_))), "{good:?}");
    }
    let longer: &'static [u8] = &[b'x'; LONGEST + 1];
    for bad in [b"".as_slice(), b"a b", b"\xc3\xa9", longer] {
        assert!(matches!(key(&headers(&[bad])), Some(Err(_))), "{bad:?}");
    }
    assert!(matches!(key(&headers(&[b"a", b"b"])), Some(Err(_))));
}

fn call(change: impl FnOnce(&mut Caller, &mut Parts), key: &str, body: &[u8]) -> Call {
    let mut caller = Caller::new("ann", "acme");
    let (mut head, ()) = http::Request::post("/a?b=c").body(()).unwrap().into_parts();
    change(&mut caller, &mut head);
    Call::new(&Keys::for_tests(), &caller, key, &head, body)
}

#[test]
fn a_call_is_told_by_caller_path_and_key_and_its_request_by_the_rest() {
    let plain = call(|_, _| {}, "k", b"x");
    let others = [
        call(|caller, _| caller.user = "bob".into(), "k", b"x"),
        call(|caller, _| caller.home = "other".into(), "k", b"x"),
        call(|caller, _| caller.organization = "other".into(), "k", b"x"),
        call(|caller, _| caller.everywhere.write = true, "k", b"x"),
        call(
            |caller, _| caller.local = vec![("acme".to_owned(), Rights::NONE)].into(),
            "k",
            b"x",
        ),
        call(
            |caller, _| caller.scopes = vec!["phone".to_owned()].into(),
            "k",
            b"x",
        ),
        call(|caller, _| caller.spoken_for = true, "k", b"x"),
        call(
            |caller, _| caller.session = Some(ringback_core::Id::from_bytes([1; 16])),
            "k",
            b"x",
        ),
        call(|_, head| head.uri = "/a?b=d".parse().unwrap(), "k", b"x"),
        call(|_, head| head.method = http::Method::PUT, "k", b"x"),
        call(|_, _| {}, "l", b"x"),
    ];
    for other in others {
        assert_ne!(other.name, plain.name);
        assert_ne!(other.sealing, plain.sealing);
    }
    let with = |name, value| {
        call(
            move |_, head| {
                head.headers.insert(name, HeaderValue::from_static(value));
            },
            "k",
            b"x",
        )
    };
    for other in [call(|_, _| {}, "k", b"y"), with("frontegg-user-id", "bob")] {
        assert_eq!(other.name, plain.name);
        assert_ne!(other.request, plain.request);
    }
    assert_eq!(with("traceparent", "00-1").request, plain.request);
}

#[tokio::test]
async fn an_answer_comes_back_as_it_was_and_only_to_its_call() {
    let own = call(|_, _| {}, "k", b"x");
    let trailers = HeaderMap::from_iter([(
        HeaderName::from_static("grpc-status"),
        HeaderValue::from_static("0"),
    )]);
    let answer = Answer {
        status: 200,
        headers: vec![("x-a".into(), STANDARD.encode(b"\xe9"))],
        trailers: written(&trailers),
        body: STANDARD.encode("code 123456"),
    };
    let sealed = seal(&own, &answer).unwrap();
    let clear = STANDARD.decode(&sealed).unwrap();
    let holds = |part: &[u8]| clear.windows(part.len()).any(|window| window == part);
    assert!(!holds(b"123456") && !holds(STANDARD.encode("code 123456").as_bytes()));
    let response = open(&own, &sealed).unwrap();
    assert_eq!(response.headers()["x-a"].as_bytes(), b"\xe9");
    assert_eq!(response.headers()[REPLAYED], "true");
    let body = response.into_body().collect().await.unwrap();
    assert_eq!(body.trailers(), Some(&trailers));
    assert_eq!(body.to_bytes(), "code 123456");
    for other in [
        call(|caller, _| caller.user = "bob".into(), "k", b"x"),
        call(|_, _| {}, "k", b"y"),
    ] {
        assert!(open(&other, &sealed).is_none());
    }
    assert!(open(&own, &sealed[..8]).is_none());
}

#[test]
fn only_what_did_or_cost_something_is_kept() {
    let none = HeaderMap::new();
    for status in 200..600 {
        let code = StatusCode::from_u16(status).unwrap();
        assert_eq!(stays(code, [&none, &none], false), status < 400, "{status}");
        assert!(stays(code, [&none, &none], true), "{status}");
    }
    for code in (0..17)
        .map(|code: i32| code.to_string())
        .chain(["x".to_owned()])
    {
        let grpc = HeaderMap::from_iter([(
            HeaderName::from_static("grpc-status"),
            HeaderValue::try_from(&code).unwrap(),
        )]);
        for headers in [[&grpc, &none], [&none, &grpc]] {
            assert_eq!(stays(StatusCode::OK, headers, false), code == "0", "{code}");
            assert!(stays(StatusCode::OK, headers, true), "{code}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_handed_on_as_it_came() {
    let small = whole(Body::from("abc")).await;
    assert_eq!(small.unwrap(), "abc");
    let piece = Bytes::from(vec![b'x'; 1_000_000]);
    let pieces = iter(std::iter::repeat_n(piece, 4).map(Ok::<_, std::io::Error>));
    let large = whole(Body::from_stream(pieces)).await.unwrap_err();
    assert_eq!(large.collect().await.unwrap().to_bytes().len(), 4_000_000);
    let pieces = iter([Ok(Bytes::from("ab")), Err(std::io::Error::other("gone"))]);
    let broken = whole(Body::from_stream(pieces)).await.unwrap_err();
    assert!(broken.collect().await.is_err());
}
