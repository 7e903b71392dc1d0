//! The JSON transcoder: `google.api.http` paths with canonical proto3 JSON.

use axum::{extract::Request, response::Response};
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header, request::Parts};
use prost_reflect::{DynamicMessage, Value};
use tonic::{Code, Status};

use super::{
    Transcoder, body, call, copy_metadata, error, json, parameters,
    routes::{Binding, Body, Found, Routes},
};

pub(super) async fn answer(transcoder: &Transcoder, routes: &Routes, request: Request) -> Response {
    let (head, body) = request.into_parts();
    // The path borrows nothing of the head, which moves on.
    let uri = head.uri.clone();
    match routes.find(&head.method, uri.path()) {
        Found::Nothing => error::status(&Status::not_found("Not Found")),
        Found::OtherMethods(methods) => other_methods(&methods),
        Found::Binding(binding, values) => {
            let query = uri.query().unwrap_or_default();
            match serve(transcoder, binding, &values, query, head, body).await {
                Ok(response) => response,
                Err(refusal) => error::status_as(&refusal.status, refusal.http),
            }
        }
    }
}

fn other_methods(methods: &[&Method]) -> Response {
    let mut names: Vec<_> = methods.iter().map(|method| method.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let mut response = error::status_as(
        &Status::unimplemented("Method Not Allowed"),
        StatusCode::METHOD_NOT_ALLOWED,
    );
    if let Ok(allow) = HeaderValue::try_from(names.join(", ")) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}

/// A status with the HTTP status that it is answered with.
struct Refusal {
    status: Status,
    http: StatusCode,
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        let http = error::http_status(status.code());
        Self { status, http }
    }
}

async fn serve(
    transcoder: &Transcoder,
    binding: &Binding,
    values: &[&str],
    query: &str,
    head: Parts,
    body: axum::body::Body,
) -> Result<Response, Refusal> {
    let head = (transcoder.authenticate)(head).await?;
    let bytes = match binding.body {
        Body::Nothing => Bytes::new(),
        Body::Whole | Body::Field(_) => {
            refuse_encoding(&head)?;
            body::read(body).await.map_err(unread)?
        }
    };

    let input = &binding.rpc.input;
    let mut message = match &binding.body {
        Body::Nothing => DynamicMessage::new(input.clone()),
        Body::Whole => json::parse(input, &bytes)?,
        Body::Field(field) => {
            let mut message = DynamicMessage::new(input.clone());
            if let prost_reflect::Kind::Message(inner) = field.kind() {
                message.set_field(field, Value::Message(json::parse(&inner, &bytes)?));
            }
            message
        }
    };
    parameters::bind_query(&mut message, binding, query)?;
    parameters::bind_path(&mut message, binding, values)?;

    let framed = call::frame(&message)?;
    let reply = call::unary(transcoder.grpc.clone(), &binding.rpc, head, None, framed).await?;
    let json = json::write(&binding.rpc.output, &reply.message)?;
    let mut response = Response::new(axum::body::Body::from(json));
    copy_metadata(&reply.headers, response.headers_mut(), "");
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, error::APPLICATION_JSON);
    Ok(response)
}

fn refuse_encoding(head: &Parts) -> Result<(), Refusal> {
    match head.headers.get(header::CONTENT_ENCODING) {
        None => Ok(()),
        Some(value) if value.is_empty() || value.as_bytes().eq_ignore_ascii_case(b"identity") => {
            Ok(())
        }
        Some(_) => Err(Refusal {
            status: Status::invalid_argument("compressed request bodies are not accepted"),
            http: StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }),
    }
}

fn unread(unread: body::Unread) -> Refusal {
    match unread {
        body::Unread::TooLarge => Refusal {
            status: Status::new(Code::OutOfRange, "request body is larger than 1 MiB"),
            http: StatusCode::PAYLOAD_TOO_LARGE,
        },
        body::Unread::Broken => Status::invalid_argument("request body broke off").into(),
    }
}
