//! Connect and JSON in front of tiny gRPC services that echo, fail or hang.

mod bodies;
mod connect;
mod fake;
mod generated;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt;
use prost::Message;
use ringback_core::{Caller, Refusal, Time};
use serde_json::{Value, json};
use tonic::{Code, Status};
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

use super::cors::Cors;
use super::*;
use crate::auth::{Auth, Clock, OwnIssuer};
use crate::config::Config;
use crate::proto::{
    ringback::phone::v1::{self as phone, phone_service_server},
    zitadel::{user::v2 as user, v1::ErrorDetail},
};

const SERVICES: [&str; 2] = [
    "zitadel.user.v2.UserService",
    "ringback.phone.v1.PhoneService",
];
const SET_PHONE: &str = "/zitadel.user.v2.UserService/SetPhone";
const SET_PHONE_JSON: &str = "/v2/users/u1/phone";

const KEY: [u8; 32] = [7; 32];

fn server_of(services: Vec<RpcService>) -> Server {
    let config = Config::load(None, []).unwrap();
    let clock: Clock = Arc::new(|| Time(1_700_000_000_000_000));
    let auth = Auth::new(&config.auth, "default", clock).unwrap();
    let ours = OwnIssuer {
        lets: crate::auth::Lets::Everything,
        name: "ours".into(),
        key: KEY,
    };
    let auth = Arc::new(auth.with_own(vec![ours]));
    let cors = Cors::new(config.cors, std::iter::empty());
    Server::of(
        &config.server,
        auth,
        cors,
        services,
        Router::new(),
        Router::new(),
    )
}

fn token() -> String {
    let claims = json!({"iss": "ours", "aud": "ringback", "sub": "anna", "exp": 1_700_000_100});
    let key = jsonwebtoken::EncodingKey::from_secret(&KEY);
    let header = jsonwebtoken::Header::new(OwnIssuer::ALGORITHM);
    jsonwebtoken::encode(&header, &claims, &key).unwrap()
}

fn refuse(refusal: &Refusal) -> Status {
    match refusal {
        Refusal::TokenMissing => Status::unauthenticated("auth header missing"),
        Refusal::DeadlineExceeded => Status::deadline_exceeded("the deadline has passed"),
        other => Status::unknown(other.to_string()),
    }
}

/// Nothing is told of a method but what `proto/` says.
fn told(_: &str) -> contract::RpcTold {
    contract::RpcTold {
        example: json!({}),
        refusals: Vec::new(),
        headers: &[],
        details: &[],
    }
}

/// Both services, each by the same router.
fn server() -> Server {
    let service = |name| {
        let rpcs = ServiceExt::<Request>::map_response(fake::grpc(), |response: Response| {
            response.map(tonic::body::Body::new)
        });
        RpcService {
            name,
            refuse,
            told,
            rpcs: BoxCloneSyncService::new(rpcs),
        }
    };
    server_of(SERVICES.map(service).to_vec())
}

fn request(method: Method, path: &str, body: impl Into<Body>) -> Request {
    let mut request = Request::new(body.into());
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap();
    let headers = request.headers_mut();
    headers.insert(
        "authorization",
        format!("Bearer {}", token()).parse().unwrap(),
    );
    headers.insert("x-zitadel-orgid", HeaderValue::from_static("org"));
    headers.insert(
        "content-type",
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    request
}

async fn send(request: Request) -> (StatusCode, HeaderMap, Bytes) {
    let response = server().answer(request).await;
    let (head, body) = response.into_parts();
    assert_eq!(head.headers["cache-control"], "no-store");
    (
        head.status,
        head.headers,
        body.collect().await.unwrap().to_bytes(),
    )
}

async fn send_json(request: Request) -> (u16, HeaderMap, Value) {
    let (status, headers, body) = send(request).await;
    assert_eq!(headers["content-type"], "application/json");
    (
        status.as_u16(),
        headers,
        serde_json::from_slice(&body).unwrap(),
    )
}

#[tokio::test]
async fn json_paths_answer_canonical_json() {
    let body = r#"{"phone":"+41791234567","userId":"other","return_code":{}}"#;
    let mut sent = request(Method::POST, "/v2/users/u%201/phone?phone=x", body);
    sent.headers_mut()
        .insert("accept-encoding", HeaderValue::from_static("gzip"));
    let (status, headers, answer) = send_json(sent).await;
    assert_eq!(status, 200);
    assert_eq!(headers["x-request-id"], "r1");
    assert!(!headers.contains_key("grpc-status"));
    assert_eq!(
        answer,
        json!({
            "details": {
                "sequence": "7",
                "changeDate": "2025-03-31T10:00:00.123456Z",
                "resourceOwner": "anna",
            },
            "verificationCode": "u 1|+41791234567|Some(ReturnCode(ReturnPhoneVerificationCode))|false",
        })
    );
}

#[tokio::test]
async fn an_empty_body_is_an_empty_message() {
    for body in ["", "{}", " "] {
        let (status, _, answer) = send_json(request(Method::POST, SET_PHONE_JSON, body)).await;
        assert_eq!(status, 200);
        assert_eq!(answer["verificationCode"], "u1||None|false");
    }
}

#[tokio::test]
async fn json_errors_are_a_google_rpc_status() {
    let (status, headers, answer) =
        send_json(request(Method::POST, "/v2/users/u1/phone/resend", "{}")).await;
    assert_eq!(status, 400);
    assert_eq!(headers["retry-after"], "42");
    assert_eq!(headers["x-request-id"], "r2");
    assert_eq!(
        answer,
        json!({
            "code": 9,
            "message": "Phone nicht geändert 50% (COMMAND-Uch5e)",
            "details": [
                {
                    "@type": "type.googleapis.com/zitadel.v1.ErrorDetail",
                    "id": "COMMAND-Uch5e",
                    "message": "Phone not changed",
                },
                { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "41.000000001s" },
            ],
        })
    );
    // The same from trailers.
    let (status, headers, answer) =
        send_json(request(Method::POST, "/v2/users/u1/phone/verify", "{}")).await;
    assert_eq!((status, &answer["code"]), (429, &json!(8)));
    assert_eq!(headers["retry-after"], "42");
    // Without details there is no member for them, and a GET's variable arrives.
    let (status, _, answer) = send_json(request(Method::GET, "/v2/users/u%2F9/phone", "")).await;
    assert_eq!(status, 404);
    assert_eq!(answer, json!({"code": 5, "message": "u/9"}));
}

#[tokio::test]
async fn rpc_paths_refuse_by_http() {
    let (status, headers, body) = send(request(Method::GET, SET_PHONE, "")).await;
    assert_eq!((status, body.len()), (StatusCode::METHOD_NOT_ALLOWED, 0));
    assert_eq!(headers["allow"], "POST");
    for content_type in [
        "text/plain",
        "application/connect+proto",
        "application/json; charset=latin1",
    ] {
        let mut sent = request(Method::POST, SET_PHONE, "{}");
        sent.headers_mut()
            .insert("content-type", HeaderValue::from_static(content_type));
        let (status, headers, _) = send(sent).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert!(
            headers["accept-post"]
                .to_str()
                .unwrap()
                .contains("application/json")
        );
    }
    let (status, _, answer) = send_json(request(
        Method::POST,
        "/zitadel.user.v2.UserService/SetEmail",
        "{}",
    ))
    .await;
    assert_eq!((status, &answer["code"]), (501, &json!("unimplemented")));
    let (status, _, answer) = send_json(request(Method::POST, "/other.v1.Service/Get", "{}")).await;
    assert_eq!(
        (status, answer),
        (404, json!({"code": 5, "message": "Not Found"}))
    );
}

#[tokio::test]
async fn deadlines_are_kept() {
    let path = "/zitadel.user.v2.UserService/RemovePhone";
    for millis in ["0", "1"] {
        let mut sent = request(Method::POST, path, "{}");
        sent.headers_mut()
            .insert("connect-timeout-ms", HeaderValue::from_static(millis));
        let (status, _, answer) = send_json(sent).await;
        assert_eq!(
            (status, &answer["code"]),
            (504, &json!("deadline_exceeded"))
        );
    }
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods() {
    for path in ["/", "/v2/other", "/v2/users//phone", "/v2/users/u1/phone/"] {
        let (status, _, answer) = send_json(request(Method::POST, path, "{}")).await;
        assert_eq!(
            (status, answer),
            (404, json!({"code": 5, "message": "Not Found"})),
            "{path}"
        );
    }
    let (status, headers, answer) = send_json(request(Method::PUT, SET_PHONE_JSON, "{}")).await;
    assert_eq!(
        (status, answer),
        (405, json!({"code": 12, "message": "Method Not Allowed"}))
    );
    assert_eq!(headers["allow"], "DELETE, GET, HEAD, POST");
}

#[tokio::test]
async fn every_code_has_its_http_status_and_name() {
    let expected = [
        (0, 200, "unknown"),
        (1, 499, "canceled"),
        (2, 500, "unknown"),
        (3, 400, "invalid_argument"),
        (4, 504, "deadline_exceeded"),
        (5, 404, "not_found"),
        (6, 409, "already_exists"),
        (7, 403, "permission_denied"),
        (8, 429, "resource_exhausted"),
        (9, 400, "failed_precondition"),
        (10, 409, "aborted"),
        (11, 400, "out_of_range"),
        (12, 501, "unimplemented"),
        (13, 500, "internal"),
        (14, 503, "unavailable"),
        (15, 500, "data_loss"),
        (16, 401, "unauthenticated"),
    ];
    for (code, http, name) in expected {
        let status = Status::new(Code::from_i32(code), "x");
        assert_eq!(error::status(&status).status().as_u16(), http);
        let connect = error::connect(&status);
        // An error is never a success, whatever it says.
        assert_eq!(
            connect.status().as_u16(),
            if code == 0 { 500 } else { http }
        );
        let body = connect.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(
            serde_json::from_slice::<Value>(&body).unwrap(),
            json!({"code": name, "message": "x"})
        );
    }
}

#[test]
fn fields_are_named_as_json_names_them() {
    let violation = crate::proto::google::rpc::bad_request::FieldViolation {
        field: "user_ids[1]".into(),
        description: "must not be empty".into(),
    };
    let bad = crate::proto::google::rpc::BadRequest {
        field_violations: vec![violation],
    };
    let detail = crate::api::shared::detail("google.rpc.BadRequest", &bad);
    let text = "user_ids[1] must not be empty".to_owned();
    let status = crate::api::shared::status(Code::InvalidArgument, text, vec![detail]);
    let named = error::in_json_names(status);
    assert_eq!(named.message(), "userIds[1] must not be empty");
    let plain = error::in_json_names(Status::not_found("user_id"));
    assert_eq!(plain.message(), "user_id");
}
