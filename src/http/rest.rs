//! JSON at `google.api.http` paths, with canonical proto3 JSON.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use prost_reflect::{DynamicMessage, Value, prost::Message};
use tonic::Status;

use super::body::{BODY_LIMIT, Unread, read_body};
use super::call::Reply;
use super::routes::{Binding, Body as BodyRule, FieldPath};
use super::{copy_metadata, error, json, parameters};

/// A status with the HTTP status that it is answered with.
pub(super) struct Failure {
    pub(super) status: Status,
    pub(super) http: StatusCode,
}

impl From<Status> for Failure {
    fn from(status: Status) -> Self {
        let http = error::http_status(status.code());
        Self { status, http }
    }
}

impl From<Unread> for Failure {
    fn from(unread: Unread) -> Self {
        Self {
            status: unread.status(),
            http: unread.http(),
        }
    }
}

/// Who calls, in a path that names a user: `/v2/users/me/phone`.
const ME: &str = "me";

/// The message of a request, in binary form: from its body, its query and the `values` of its path. `user` is
/// the caller's id.
pub(super) async fn read(
    binding: &Binding,
    values: &[&str],
    head: &Parts,
    body: Body,
    user: &str,
) -> Result<Bytes, Failure> {
    let bytes = match binding.body {
        BodyRule::Nothing => Bytes::new(),
        BodyRule::Whole | BodyRule::Field(_) => {
            refuse_encoding(&head.headers)?;
            read_body(body, BODY_LIMIT).await?
        }
    };
    let input = &binding.rpc.input;
    let mut message = match &binding.body {
        BodyRule::Nothing => DynamicMessage::new(input.clone()),
        BodyRule::Whole => json::parse(input, &bytes)?,
        BodyRule::Field(field) => {
            let mut message = DynamicMessage::new(input.clone());
            if let prost_reflect::Kind::Message(inner) = field.kind() {
                message.set_field(field, Value::Message(json::parse(&inner, &bytes)?));
            }
            message
        }
    };
    parameters::bind_query(&mut message, binding, head.uri.query().unwrap_or_default())?;
    let user = utf8_percent_encode(user, NON_ALPHANUMERIC).to_string();
    let names_user = |path: &FieldPath| path.last().is_some_and(|field| field.name() == "user_id");
    let values = binding.variables.iter().zip(values);
    let values: Vec<&str> = values
        .map(|(path, value)| match *value {
            ME if names_user(path) => user.as_str(),
            other => other,
        })
        .collect();
    parameters::bind_path(&mut message, binding, &values)?;
    Ok(message.encode_to_vec().into())
}

fn refuse_encoding(headers: &HeaderMap) -> Result<(), Failure> {
    match headers.get(header::CONTENT_ENCODING) {
        None => Ok(()),
        Some(value) if value.is_empty() || value.as_bytes().eq_ignore_ascii_case(b"identity") => {
            Ok(())
        }
        Some(_) => Err(compressed()),
    }
}

/// What a compressed body is refused with.
pub(super) fn compressed() -> Failure {
    Failure {
        status: Status::invalid_argument("compressed request bodies are not accepted"),
        http: StatusCode::UNSUPPORTED_MEDIA_TYPE,
    }
}

/// The response to a call that succeeded.
pub(super) fn write(binding: &Binding, reply: &Reply) -> Result<Response, Status> {
    let json = json::write(&binding.rpc.output, &reply.message())?;
    let mut response = Response::new(Body::from(json));
    copy_metadata(&reply.headers, response.headers_mut(), "");
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, error::APPLICATION_JSON);
    Ok(response)
}

/// The response for a path that takes other methods only.
pub(super) fn other_methods(methods: &[&Method]) -> Response {
    let mut names: Vec<_> = methods.iter().map(|method| method.as_str()).collect();
    if methods.contains(&&Method::GET) {
        names.push(Method::HEAD.as_str());
    }
    names.sort_unstable();
    names.dedup();
    let mut response = error::wrong_method();
    if let Ok(allow) = HeaderValue::try_from(names.join(", ")) {
        response.headers_mut().insert(header::ALLOW, allow);
    }
    response
}
