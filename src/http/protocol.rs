//! What a request speaks and which method it is for, found out once.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header, request::Parts,
};
use tonic::Status;

use super::connect::{self, Codec, Query};
use super::content_type::ContentType;
use super::error;
use super::grpc::{self, Framing};
use super::rest;
use super::routes::{Binding, Found, Known, Label, Routes, Rpc};

/// Every content type that is served at `/package.Service/Method`.
const ACCEPTED: HeaderValue = HeaderValue::from_static(
    "application/grpc, application/grpc+proto, application/grpc-web, application/grpc-web+proto, \
     application/grpc-web-text, application/grpc-web-text+proto, application/json, application/proto",
);

/// A header that cannot be read.
#[derive(Debug)]
pub(super) struct Unreadable;

/// What a request speaks, and what it is for.
pub(super) enum Protocol<'a, 'p> {
    Grpc(Framing, &'a Rpc),
    Connect(Codec, &'a Rpc),
    /// Connect's `GET`.
    ConnectGet(Codec, &'a Rpc, Query),
    /// With the values in the path.
    Rest(&'a Binding, Vec<&'p str>),
    /// gRPC's health and reflection.
    Open,
    /// A path of its own, or none that is known.
    Path,
    /// Nothing that is served here; the answer says why.
    Unknown(Box<Response>),
}

impl<'a, 'p> Protocol<'a, 'p> {
    /// Whether it may change something.
    pub(super) fn changes(&self, method: &Method) -> bool {
        match self {
            Protocol::Grpc(_, rpc) | Protocol::Connect(_, rpc) => !rpc.reads,
            Protocol::Rest(binding, _) => !binding.rpc.reads,
            Protocol::Path => !method.is_safe(),
            Protocol::ConnectGet(..) | Protocol::Open | Protocol::Unknown(_) => false,
        }
    }

    /// How long its caller waits, if that is said.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn timeout(&self, headers: &HeaderMap) -> Result<Option<Duration>, Unreadable> {
        match self {
            Protocol::Grpc(..) | Protocol::Rest(..) => {
                grpc::timeout(headers).map_err(|_| Unreadable)
            }
            Protocol::Connect(..) | Protocol::ConnectGet(..) => {
                connect::timeout(headers).map_err(|_| Unreadable)
            }
            Protocol::Open | Protocol::Path | Protocol::Unknown(_) => Ok(None),
        }
    }

    /// What metrics call it.
    pub(super) fn label(&self) -> Label {
        match self {
            Protocol::Grpc(_, rpc)
            | Protocol::Connect(_, rpc)
            | Protocol::ConnectGet(_, rpc, _) => rpc.label.clone(),
            Protocol::Rest(binding, _) => binding.rpc.label.clone(),
            Protocol::Open => Label::part("grpc"),
            Protocol::Path => Label::part("http"),
            Protocol::Unknown(_) => Label::part("none"),
        }
    }

    /// At `/package.Service/Method` the content type says which protocol a request speaks.
    pub(super) fn classify(routes: &'a Routes, head: &Parts, path: &'p str) -> Self {
        let kind = ContentType::of(&head.headers, header::CONTENT_TYPE);
        let names_rpc = path
            .strip_prefix('/')
            .and_then(|path| path.split_once('/'))
            .is_some_and(|(service, _)| service.contains('.'));
        let framing = match kind {
            ContentType::Grpc if names_rpc => Some(Framing::Plain),
            ContentType::GrpcWeb { text } if names_rpc => Some(Framing::web(text, &head.headers)),
            _ => None,
        };
        let is_open = path.starts_with("/grpc.health.") || path.starts_with("/grpc.reflection.");
        let known = routes.service_of(path);
        let method = match head.method {
            Method::HEAD => &Method::GET,
            ref other => other,
        };
        if framing == Some(Framing::Plain) && head.version < Version::HTTP_2 {
            // Its trailers would be lost, and with them every status.
            let text = "gRPC needs HTTP/2\n";
            return Protocol::refuse(
                (StatusCode::HTTP_VERSION_NOT_SUPPORTED, text).into_response(),
            );
        }
        let Some(known) = known else {
            return match (framing, routes.find(method, path)) {
                (Some(Framing::Plain), _) if is_open => Protocol::Open,
                (Some(framing), _) => Protocol::refuse(grpc::refuse(framing, &no_such_rpc(path))),
                (None, Found::Binding(binding, values)) => Protocol::Rest(binding, values),
                (None, Found::OtherMethods(methods)) => {
                    Protocol::refuse(rest::other_methods(&methods))
                }
                (None, Found::Nothing) => Protocol::Path,
            };
        };
        // These two are HTTP's own refusals and have no form in gRPC or Connect.
        if let Known::Rpc(rpc) = known
            && rpc.reads
            && *method == Method::GET
        {
            return match Query::read(head.uri.query().unwrap_or_default()) {
                Err(status) => Protocol::refuse(error::connect(&status)),
                Ok(query) => match query.codec() {
                    Some(codec) => Protocol::ConnectGet(codec, rpc, query),
                    None => Protocol::refuse(not_accepted()),
                },
            };
        }
        if head.method != Method::POST {
            let allowed = match known {
                Known::Rpc(rpc) if rpc.reads => HeaderValue::from_static("GET, HEAD, POST"),
                Known::Rpc(_) | Known::NoSuchRpc => HeaderValue::from_static("POST"),
            };
            return Protocol::refuse(bare(StatusCode::METHOD_NOT_ALLOWED, header::ALLOW, allowed));
        }
        let codec = match kind {
            ContentType::Json => Some(Codec::Json),
            ContentType::Proto => Some(Codec::Proto),
            _ => None,
        };
        match (framing, codec, known) {
            (Some(framing), _, Known::Rpc(rpc)) => Protocol::Grpc(framing, rpc),
            (Some(framing), _, Known::NoSuchRpc) => {
                Protocol::refuse(grpc::refuse(framing, &no_such_rpc(path)))
            }
            (None, Some(codec), Known::Rpc(rpc)) => Protocol::Connect(codec, rpc),
            (None, Some(_), Known::NoSuchRpc) => {
                Protocol::refuse(error::connect(&no_such_rpc(path)))
            }
            (None, None, _) => Protocol::refuse(not_accepted()),
        }
    }

    fn refuse(response: Response) -> Self {
        Protocol::Unknown(Box::new(response))
    }
}

fn not_accepted() -> Response {
    bare(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        HeaderName::from_static("accept-post"),
        ACCEPTED,
    )
}

fn no_such_rpc(path: &str) -> Status {
    Status::unimplemented(format!("{path} is not implemented"))
}

fn bare(status: StatusCode, name: HeaderName, value: HeaderValue) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(name, value);
    response
}
