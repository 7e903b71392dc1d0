//! Requests that are none: broken bodies, wrong paths, methods and types, at each API.

use http::Method;
use serde_json::{Value, json};
use tonic::Code;

use super::snapshot;
use crate::app::TestApp;
use crate::database::Database;
use crate::http::wire::{Failure, Wire, grpc};

crate::on_both! {
    broken_messages,
    a_token_comes_before_the_body,
    two_ways_to_prove_one_number,
    wrong_paths_methods_and_types,
    methods_that_are_not_served,
    frames_that_are_none,
}

const SET: &str = "/zitadel.user.v2.UserService/SetPhone";

/// What is wrong, as each kind of message spells it.
fn broken(kind: &str, wire: Wire) -> Vec<u8> {
    match (kind, wire.is_binary()) {
        ("syntax", true) => vec![0x12, 0x20, b'+', b'4', b'1'],
        ("syntax", false) => br#"{"phone": "+41"#.to_vec(),
        ("utf8", true) => vec![0x12, 0x03, b'+', 0xff, 0xfe],
        ("utf8", false) => b"{\"phone\": \"+\xff\xfe\"}".to_vec(),
        ("type", true) => vec![0x10, 0x01],
        ("type", false) => br#"{"phone": 41791234567}"#.to_vec(),
        ("large", true) => {
            // One phone of two MiB.
            let mut message = vec![0x12, 0x80, 0x80, 0x80, 0x01];
            message.resize(message.len() + 2 * 1024 * 1024, b'1');
            message
        }
        ("large", false) => {
            format!("{{\"phone\": \"{}\"}}", "1".repeat(2 * 1024 * 1024)).into_bytes()
        }
        (kind, _) => panic!("{kind} is unknown here"),
    }
}

async fn still_serves(app: &TestApp, wire: Wire) {
    let id = format!("fine-{}", app.number());
    wire.ok(app, "AddHumanUser", &app.admin(), json!({"userId": id}))
        .await;
}

async fn broken_messages(database: Database) {
    let app = TestApp::start(database).await;
    let bearer = format!("Bearer {}", app.user("ann", "acme"));
    let headers = [("authorization", bearer.as_str())];
    for kind in ["syntax", "utf8", "type", "large"] {
        let mut shown = json!({});
        for wire in Wire::ALL {
            let answer = wire
                .send(&app, "SetPhone", "ann", &headers, broken(kind, wire))
                .await;
            let refused = answer.expect_err(kind);
            let expected = if kind == "large" {
                Code::ResourceExhausted
            } else {
                Code::InvalidArgument
            };
            assert_eq!(refused.code, expected, "{kind} {wire:?}: {refused:?}");
            shown[wire.name()] = refused.shown();
            still_serves(&app, wire).await;
        }
        snapshot(&format!("body_{kind}"), &shown);
    }
}

async fn a_token_comes_before_the_body(database: Database) {
    let app = TestApp::start(database).await;
    let tables: [(&[(&str, &str)], &str); 3] = [
        (&[], "auth header missing"),
        (
            &[("authorization", "Basic x")],
            "invalid auth header (AUTH-toLo1)",
        ),
        (
            &[("authorization", "Bearer x")],
            "Token is invalid (AUTH-7fs1e)",
        ),
    ];
    for wire in Wire::ALL {
        for (headers, message) in tables {
            for kind in ["syntax", "utf8", "type", "large"] {
                let answer = wire
                    .send(&app, "SetPhone", "ann", headers, broken(kind, wire))
                    .await;
                let refused = answer.expect_err("no token");
                assert_eq!(
                    (refused.code, refused.message.as_str()),
                    (Code::Unauthenticated, message),
                    "{wire:?} {kind}"
                );
                assert!(
                    refused.http.is_none_or(|status| status == 401),
                    "{refused:?}"
                );
            }
        }
        still_serves(&app, wire).await;
    }
}

async fn two_ways_to_prove_one_number(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    let both = json!({"sendCode": {}, "returnCode": {}, "isVerified": true});
    let with = |mut body: Value, number: &str| {
        body["phone"] = number.into();
        body
    };
    let number = app.number();
    let (top, inner) = (
        with(both.clone(), &number),
        json!({"phone": with(both, &number)}),
    );
    for wire in [Wire::Json, Wire::ConnectJson] {
        for (rpc, mut body) in [
            ("SetPhone", top.clone()),
            ("AddHumanUser", inner.clone()),
            ("UpdateHumanUser", inner.clone()),
            ("UpdateUser", json!({"human": inner})),
            ("CreateUser", json!({"human": inner})),
        ] {
            body["userId"] = "root".into();
            let refused = wire.refused(&app, rpc, &admin, body).await;
            assert_eq!(refused.code, Code::InvalidArgument);
            let choice = "phone verification: choose one of sendCode, returnCode, isVerified";
            assert!(
                refused.message.starts_with(choice),
                "{rpc}: {}",
                refused.message
            );
            assert_eq!(refused.http, Some(400));
        }
    }
    assert_eq!(app.sent().await, 0);
    // In protobuf the last arm is the one that counts; there is no way to tell.
    let mut message = b"\x0a\x04root\x12\x0c".to_vec();
    message.extend(number.as_bytes());
    message.extend(b"\x1a\x00\x28\x01\x22\x00");
    let bearer = format!("Bearer {admin}");
    let headers = [("authorization", bearer.as_str())];
    let reply = Wire::Grpc
        .send(&app, "SetPhone", "root", &headers, message)
        .await;
    assert!(reply.expect("one arm")["verificationCode"].is_string());
}

async fn plain(app: &TestApp, verb: Method, path: &str, kind: &str) -> Value {
    let request = app
        .http
        .request(verb, app.url(path))
        .bearer_auth(app.admin());
    let answer = request
        .header("content-type", kind)
        .body("{}")
        .send()
        .await
        .expect("an answer");
    let (http, headers) = (answer.status().as_u16(), answer.headers().clone());
    let failure = Failure {
        wire: Wire::Json,
        code: Code::Unknown,
        message: String::new(),
        details: vec![],
        http: Some(http),
        headers,
        body: answer.bytes().await.expect("a body"),
    };
    failure.shown()
}

async fn wrong_paths_methods_and_types(database: Database) {
    let app = TestApp::start(database).await;
    let (json, post) = ("application/json", Method::POST);
    let mut shown = json!({});
    for (name, verb, path, kind) in [
        ("unknown path", post.clone(), "/v2/users/ann/fax", json),
        ("empty id", post.clone(), "/v2/users//phone", json),
        ("unknown root", Method::GET, "/v1", json),
        (
            "unknown service",
            post.clone(),
            "/zitadel.user.v2.NoService/SetPhone",
            json,
        ),
        (
            "unknown connect method",
            post.clone(),
            "/zitadel.user.v2.UserService/SetFax",
            json,
        ),
        ("wrong method", Method::PUT, "/v2/users/ann/phone", json),
        (
            "wrong method for an operation",
            Method::DELETE,
            "/v2/users/ann/phone/verify",
            json,
        ),
        ("wrong connect method", Method::GET, SET, json),
        ("wrong connect type", post.clone(), SET, "text/plain"),
        (
            "wrong charset",
            post.clone(),
            SET,
            "application/json; charset=latin1",
        ),
        (
            "streaming connect type",
            post.clone(),
            SET,
            "application/connect+json",
        ),
        ("wrong method for health", post, "/healthz", json),
    ] {
        let answer = plain(&app, verb, path, kind).await;
        assert!(
            answer["http"]
                .as_u64()
                .is_some_and(|status| (400..=501).contains(&status))
        );
        shown[name] = answer;
    }
    snapshot("wrong_path_method_type", &shown);
    for wire in Wire::ALL {
        still_serves(&app, wire).await;
    }
}

async fn methods_that_are_not_served(database: Database) {
    let app = TestApp::start(database).await;
    let bearer = format!("Bearer {}", app.admin());
    for name in [
        "LockUser",
        "PasswordReset",
        "AddOTPSMS",
        "ListAuthenticationFactors",
        "Nonsense",
    ] {
        let path = format!("/zitadel.user.v2.UserService/{name}");
        let mut headers = http::HeaderMap::new();
        headers.insert("authorization", bearer.parse().expect("a value"));
        let refused = grpc(&app, &path, headers, vec![])
            .await
            .expect_err("not served");
        assert_eq!(refused.code, Code::Unimplemented, "{refused:?}");
        let connect = plain(&app, Method::POST, &path, "application/json").await;
        assert_eq!(
            (&connect["http"], &connect["body"]["code"]),
            (&json!(501), &json!("unimplemented"))
        );
        let web = app
            .http
            .post(app.url(&path))
            .header("authorization", &bearer);
        let web = web
            .header("content-type", "application/grpc-web")
            .body(vec![0; 5]);
        let web = web.send().await.expect("an answer");
        assert_eq!(web.headers()["grpc-status"], "12");
    }
    let mut headers = http::HeaderMap::new();
    headers.insert("authorization", bearer.parse().expect("a value"));
    let refused = grpc(&app, "/nobody.Service/Method", headers, vec![]).await;
    assert_eq!(refused.expect_err("not served").code, Code::Unimplemented);
}

async fn frames_that_are_none(database: Database) {
    let app = TestApp::start(database).await;
    let bearer = format!("Bearer {}", app.admin());
    let web = "application/grpc-web+proto";
    for (name, code, kind, body) in [
        ("nothing", "12", web, &b""[..]),
        ("half a prefix", "3", web, &b"\0\0\0"[..]),
        ("half a message", "3", web, &b"\0\0\0\0\x09\x0a"[..]),
        (
            "an endless message",
            "8",
            web,
            &b"\0\xff\xff\xff\xff\x0a"[..],
        ),
        (
            "compression that was not offered",
            "13",
            web,
            &b"\x01\0\0\0\0"[..],
        ),
        ("no user", "3", web, &b"\0\0\0\0\0"[..]),
        ("no base64", "3", "application/grpc-web-text", &b"!!!!"[..]),
    ] {
        let request = app.http.post(app.url(SET)).header("authorization", &bearer);
        let request = request
            .header("content-type", kind)
            .header("x-grpc-web", "1");
        let answer = request.body(body).send().await.expect("an answer");
        assert_eq!(answer.headers()["grpc-status"], code, "{name}");
    }
    for wire in Wire::ALL {
        still_serves(&app, wire).await;
    }
}
