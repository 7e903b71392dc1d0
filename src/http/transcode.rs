//! Connect unary and `google.api.http` JSON, both handed to the same in-process gRPC router.

mod body;
mod call;
mod connect;
mod error;
mod json;
pub mod openapi;
mod parameters;
mod rest;
mod routes;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::{Router, extract::Request, response::Response};
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header, request::Parts};
use tonic::Status;

use routes::Routes;

/// Turns the head of a request into one that carries the caller in its extensions, or refuses it.
///
/// It runs as soon as the method is known and before the body is read, so that a missing token wins over a bad body.
pub type Authenticate =
    Arc<dyn Fn(Parts) -> BoxFuture<'static, Result<Parts, Status>> + Send + Sync>;

/// Serves every path that `proto/` names for these services: `/package.Service/Method` as Connect, and the
/// `google.api.http` paths as JSON.
///
/// `grpc` answers `application/grpc` at `/package.Service/Method`. Every other path is answered with 404, so this
/// router is a fallback: its own routes are all in its fallback handler.
pub fn router(grpc: Router, authenticate: Authenticate, services: &[&str]) -> Router {
    let transcoder = Arc::new(Transcoder {
        grpc,
        authenticate,
        routes: Routes::of_services(services),
    });
    Router::new().fallback(move |request: Request| {
        let transcoder = Arc::clone(&transcoder);
        async move { transcoder.answer(request).await }
    })
}

/// The full name of the service that a request is for, whichever kind of path it has.
pub(super) fn find_service<'p>(method: &Method, path: &'p str) -> Option<&'p str> {
    let routes = Routes::of_proto();
    if routes.service_of(path).is_some() {
        return path
            .strip_prefix('/')?
            .split_once('/')
            .map(|(service, _)| service);
    }
    match routes.find(method, path) {
        routes::Found::Binding(binding, _) => binding.rpc.name().map(|(service, _)| service),
        routes::Found::OtherMethods(_) | routes::Found::Nothing => None,
    }
}

/// What both APIs share.
struct Transcoder {
    grpc: Router,
    authenticate: Authenticate,
    routes: Routes,
}

impl Transcoder {
    async fn answer(&self, request: Request) -> Response {
        let routes = &self.routes;
        let mut response = match routes.service_of(request.uri().path()) {
            Some(rpc) => connect::answer(self, rpc, request).await,
            None => rest::answer(self, routes, request).await,
        };
        response
            .headers_mut()
            .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

/// Copies what a handler said beside its message, leaving out what belongs to gRPC's own framing.
fn copy_metadata(from: &HeaderMap, into: &mut HeaderMap, prefix: &str) {
    for (name, value) in from {
        let plain = name.as_str();
        let framing = plain.starts_with("grpc-")
            || matches!(
                plain,
                "content-type"
                    | "content-length"
                    | "content-encoding"
                    | "transfer-encoding"
                    | "connection"
                    | "trailer"
                    | "date"
            );
        if framing {
            continue;
        }
        if prefix.is_empty() {
            into.append(name.clone(), value.clone());
        } else if let Ok(name) = HeaderName::try_from(format!("{prefix}{plain}")) {
            into.append(name, value.clone());
        }
    }
}
