//! A tiny gRPC router by hand: one method echoes, two fail, one hangs.

use std::future::pending;

use axum::{Router, body::Body, extract::Request, response::Response, routing::post};
use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, HeaderValue};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use prost::{DecodeError, Message};
use prost_types::{Any, Duration, Timestamp};
use ringback_core::Caller;
use tonic::{Code, Status};

use super::SET_PHONE;
use crate::http::Deadline;
use crate::proto::{
    google::rpc,
    zitadel::{object::v2::Details, user::v2 as user, v1::ErrorDetail},
};

pub(super) fn grpc() -> Router {
    Router::new()
        .route(SET_PHONE, post(set_phone))
        .route(
            "/zitadel.user.v2.UserService/ResendPhoneCode",
            post(|| async { trailers_only(&failure(Code::FailedPrecondition)) }),
        )
        .route(
            "/zitadel.user.v2.UserService/VerifyPhone",
            post(|| async { with_trailers(Bytes::new(), &failure(Code::ResourceExhausted)) }),
        )
        .route(
            "/zitadel.user.v2.UserService/RemovePhone",
            post(|| async { pending::<Response>().await }),
        )
        .route(
            "/ringback.phone.v1.PhoneService/ListUserPhones",
            post(|request: Request| async move {
                let message: user::GetUserByIdRequest = message_of(request).await;
                let status = Status::not_found(message.user_id);
                trailers_only(&status)
            }),
        )
}

async fn message_of<M: Message + Default>(request: Request) -> M {
    try_message_of(request).await.unwrap()
}

async fn try_message_of<M: Message + Default>(request: Request) -> Result<M, DecodeError> {
    assert_eq!(request.headers()["content-type"], "application/grpc");
    let body = request.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body[0], 0);
    assert_eq!(
        u32::from_be_bytes(body[1..5].try_into().unwrap()) as usize,
        body.len() - 5
    );
    M::decode(&body[5..])
}

/// Answers with what it was asked, so that tests see both directions.
async fn set_phone(request: Request) -> Response {
    let caller = request.extensions().get::<Caller>().unwrap().user.clone();
    let deadline = request.extensions().get::<Deadline>().is_some();
    let Ok(message) = try_message_of::<user::SetPhoneRequest>(request).await else {
        // As tonic says it.
        return trailers_only(&Status::internal("failed to decode Protobuf message: x"));
    };
    let reply = user::SetPhoneResponse {
        details: Some(Details {
            sequence: 7,
            change_date: Some(Timestamp {
                seconds: 1_743_415_200,
                nanos: 123_456_000,
            }),
            resource_owner: caller,
            creation_date: None,
        }),
        verification_code: Some(format!(
            "{}|{}|{:?}|{deadline}",
            message.user_id, message.phone, message.verification,
        )),
    };
    let mut response = with_trailers(framed(&reply), &Status::new(Code::Ok, ""));
    response
        .headers_mut()
        .insert("x-request-id", HeaderValue::from_static("r1"));
    response
}

fn framed(message: &impl Message) -> Bytes {
    let mut framed = vec![0; 5];
    message.encode(&mut framed).unwrap();
    let length = u32::try_from(framed.len() - 5).unwrap();
    framed[1..5].copy_from_slice(&length.to_be_bytes());
    framed.into()
}

fn failure(code: Code) -> Status {
    let detail = ErrorDetail {
        id: "COMMAND-Uch5e".to_owned(),
        message: "Phone not changed".to_owned(),
    };
    let retry = rpc::RetryInfo {
        retry_delay: Some(Duration {
            seconds: 41,
            nanos: 1,
        }),
    };
    let any = |name: &str, value: Vec<u8>| Any {
        type_url: format!("type.googleapis.com/{name}"),
        value,
    };
    let details = rpc::Status {
        code: code as i32,
        message: String::new(),
        details: vec![
            any("zitadel.v1.ErrorDetail", detail.encode_to_vec()),
            any("somewhere.Unknown", vec![1, 2, 3]),
            any("google.rpc.RetryInfo", retry.encode_to_vec()),
        ],
    };
    let mut metadata = tonic::metadata::MetadataMap::new();
    metadata.insert("x-request-id", "r2".parse().unwrap());
    Status::with_details_and_metadata(
        code,
        "Phone nicht geändert 50% (COMMAND-Uch5e)",
        details.encode_to_vec().into(),
        metadata,
    )
}

fn trailers_only(status: &Status) -> Response {
    status.clone().into_http()
}

fn with_trailers(message: Bytes, status: &Status) -> Response {
    let mut trailers = HeaderMap::new();
    status.add_header(&mut trailers).unwrap();
    trailers.insert("x-cost", HeaderValue::from_static("3"));
    let frames = [Frame::data(message), Frame::trailers(trailers)];
    let body = StreamBody::new(stream::iter(frames.map(Ok::<_, std::convert::Infallible>)));
    let mut response = Response::new(Body::new(body));
    response
        .headers_mut()
        .insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}
