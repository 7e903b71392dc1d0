//! Connect: codecs, errors, and what is refused.

use super::*;

#[tokio::test]
async fn connect_errors_have_their_own_form() {
    let (status, headers, answer) = send_json(request(
        Method::POST,
        "/zitadel.user.v2.UserService/ResendPhoneCode",
        "{}",
    ))
    .await;
    assert_eq!(status, 400);
    assert_eq!(headers["retry-after"], "42");
    assert_eq!(answer["code"], "failed_precondition");
    assert_eq!(
        answer["message"],
        "Phone nicht geändert 50% (COMMAND-Uch5e)"
    );
    let details = answer["details"].as_array().unwrap();
    assert_eq!(details.len(), 3);
    assert_eq!(details[0]["type"], "zitadel.v1.ErrorDetail");
    assert_eq!(
        details[0]["debug"],
        json!({"id": "COMMAND-Uch5e", "message": "Phone not changed"})
    );
    assert_eq!(
        details[1],
        json!({"type": "somewhere.Unknown", "value": "AQID"})
    );
    let value = details[0]["value"].as_str().unwrap();
    assert!(!value.contains('='));
    let padded = format!("{value}{}", "=".repeat((4 - value.len() % 4) % 4));
    let detail = ErrorDetail::decode(STANDARD.decode(padded).unwrap().as_slice()).unwrap();
    assert_eq!(detail.id, "COMMAND-Uch5e");
}

#[tokio::test]
async fn connect_speaks_json_and_binary() {
    let mut sent = request(Method::POST, SET_PHONE, r#"{"userId":"u1","phone":"+41"}"#);
    sent.headers_mut()
        .insert("connect-protocol-version", HeaderValue::from_static("1"));
    sent.headers_mut()
        .insert("connect-timeout-ms", HeaderValue::from_static("9999999999"));
    sent.headers_mut()
        .insert("grpc-timeout", HeaderValue::from_static("1n"));
    let (status, headers, answer) = send_json(sent).await;
    assert_eq!(status, 200);
    assert_eq!(headers["x-request-id"], "r1");
    assert_eq!(headers["trailer-x-cost"], "3");
    assert_eq!(answer["verificationCode"], "u1|+41|None|true");

    let message = user::SetPhoneRequest {
        user_id: "u2".to_owned(),
        phone: "+42".to_owned(),
        verification: None,
    };
    let mut sent = request(Method::POST, SET_PHONE, message.encode_to_vec());
    sent.headers_mut().insert(
        "content-type",
        HeaderValue::from_static("application/proto"),
    );
    let (status, headers, body) = send(sent).await;
    assert_eq!(
        (status, &headers["content-type"]),
        (
            StatusCode::OK,
            &HeaderValue::from_static("application/proto")
        )
    );
    let answer = user::SetPhoneResponse::decode(body).unwrap();
    assert_eq!(answer.verification_code.unwrap(), "u2|+42|None|false");
}

#[tokio::test]
async fn connect_refuses_what_it_cannot_read() {
    let json = HeaderValue::from_static("application/json");
    let proto = HeaderValue::from_static("application/proto");
    let plain = ("x-none", "-");
    for (content_type, header, body, http, code, text) in [
        (
            &json,
            ("connect-protocol-version", "2"),
            &b"{}"[..],
            400,
            "invalid_argument",
            "connect-protocol-version must be \"1\"",
        ),
        (
            &json,
            ("connect-timeout-ms", "12345678901"),
            b"{}",
            400,
            "invalid_argument",
            "connect-timeout-ms must be",
        ),
        (
            &json,
            ("connect-timeout-ms", "-1"),
            b"{}",
            400,
            "invalid_argument",
            "connect-timeout-ms must be",
        ),
        (
            &json,
            ("content-encoding", "br"),
            b"{}",
            501,
            "unimplemented",
            "unknown compression",
        ),
        (
            &json,
            plain,
            b"{\"phone\":1}",
            400,
            "invalid_argument",
            "invalid value for phone: expected a text",
        ),
        (
            &json,
            plain,
            b"{\"sendCode\":{},\"isVerified\":true}",
            400,
            "invalid_argument",
            "phone verification: choose one of sendCode, returnCode, isVerified",
        ),
        (
            &json,
            plain,
            b"\xff",
            400,
            "invalid_argument",
            "request body is not valid UTF-8 at byte 0",
        ),
        (
            &proto,
            plain,
            b"\x0a\x01\xff",
            400,
            "invalid_argument",
            "request body is not a valid SetPhoneRequest",
        ),
        (
            &proto,
            plain,
            b"\x0a\x7f",
            400,
            "invalid_argument",
            "request body is not a valid SetPhoneRequest",
        ),
    ] {
        let mut sent = request(Method::POST, SET_PHONE, body);
        sent.headers_mut()
            .insert("content-type", content_type.clone());
        sent.headers_mut()
            .insert(header.0, HeaderValue::from_static(header.1));
        let (status, _, answer) = send_json(sent).await;
        assert_eq!(
            (status, answer["code"].as_str().unwrap()),
            (http, code),
            "{answer}"
        );
        assert!(
            answer["message"].as_str().unwrap().starts_with(text),
            "{answer}"
        );
    }
}
