//! gRPC itself: whose token it is, how long the caller waits, and which service is meant.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Method};
use axum::response::Response;
use futures::future::{BoxFuture, FutureExt};
use ringback_core::{Caller, Refusal};
use ringback_store::Store;
use tonic::server::NamedService;
use tonic::service::Routes;
use tower::Service;

use super::dispatch::through;
use super::health::DatabaseHealth;
use super::{BODY_LIMIT, transcode};
use crate::api::{ringback, zitadel};
use crate::auth::Auth;
use crate::config::Api;
use crate::proto;
use crate::proto::ringback::phone::v1::phone_service_server::PhoneServiceServer;
use crate::proto::zitadel::user::v2::user_service_server::UserServiceServer;

type Users = UserServiceServer<zitadel::UserApi>;
type Phones = PhoneServiceServer<ringback::PhoneApi>;

/// When the caller stops waiting, put into the extensions of a gRPC request.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(pub Instant);

/// The full names of the gRPC services of these APIs.
pub(super) fn services(apis: &[Api]) -> Vec<&'static str> {
    let service = |api: &Api| match api {
        Api::Zitadel => Some(Users::NAME),
        Api::Ringback => Some(Phones::NAME),
        Api::Frontegg | Api::ReachFive => None,
    };
    apis.iter().filter_map(service).collect()
}

/// The gRPC services, behind the check of tokens and deadlines.
#[derive(Clone)]
pub(super) struct Grpc {
    auth: Arc<Auth>,
    users: Option<Users>,
    phones: Option<Phones>,
    /// Health and reflection, which are open to everybody, and whatever has no name.
    others: Router,
}

impl Grpc {
    /// Serves those of `services` that it knows.
    pub(super) async fn open(store: &Store, auth: &Arc<Auth>, services: &[&'static str]) -> Grpc {
        let health = DatabaseHealth::service(store.clone(), services.to_vec());
        let mut others = Routes::new(health);
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(proto::DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        // The descriptor set is our own: that it can be read is proven by every start.
        if let Ok(service) = reflection().build_v1() {
            others = others.add_service(service);
        }
        if let Ok(service) = reflection().build_v1alpha() {
            others = others.add_service(service);
        }
        let users = || {
            UserServiceServer::new(zitadel::UserApi::new(store.clone()))
                .max_decoding_message_size(BODY_LIMIT)
        };
        let phones = || {
            PhoneServiceServer::new(ringback::PhoneApi::new(store.clone()))
                .max_decoding_message_size(BODY_LIMIT)
        };
        Grpc {
            auth: auth.clone(),
            users: services.contains(&Users::NAME).then(users),
            phones: services.contains(&Phones::NAME).then(phones),
            others: others.into_axum_router(),
        }
    }

    /// Lets in who has a valid token, before the message is read, and holds the caller's deadline.
    pub(super) async fn answer(&self, mut request: Request) -> Response {
        let path = request.uri().path();
        if path.starts_with("/grpc.health.") || path.starts_with("/grpc.reflection.") {
            return through(self.others.clone(), request).await;
        }
        // Whoever comes over another wire may be known already.
        if request.extensions().get::<Caller>().is_none() {
            match self.auth.caller(request.headers()).await {
                Ok(caller) => {
                    request.extensions_mut().insert(caller);
                }
                Err(refusal) => return refused(request.uri().path(), &refusal),
            }
        }
        let timeout = request
            .headers()
            .get("grpc-timeout")
            .map(|value| timeout(value.as_bytes()));
        let response = match timeout {
            None => self.call(request).await,
            Some(None) => {
                let refusal = Refusal::FieldInvalid {
                    field: "grpc-timeout".into(),
                    rule: "must be up to 8 digits and one of H, M, S, m, u, n".into(),
                };
                return refused(request.uri().path(), &refusal);
            }
            Some(Some(timeout)) => {
                request
                    .extensions_mut()
                    .insert(Deadline(Instant::now() + timeout));
                let path = request.uri().path().to_owned();
                match tokio::time::timeout(timeout, self.call(request)).await {
                    Ok(response) => response,
                    Err(_) => refused(&path, &Refusal::DeadlineExceeded),
                }
            }
        };
        malformed_as_invalid(response)
    }

    async fn call(&self, request: Request) -> Response {
        let path = request.uri().path().strip_prefix('/').unwrap_or_default();
        match (path.split_once('/'), &self.users, &self.phones) {
            (Some((Users::NAME, _)), Some(users), _) => {
                through(users.clone(), request).await.map(Body::new)
            }
            (Some((Phones::NAME, _)), _, Some(phones)) => {
                through(phones.clone(), request).await.map(Body::new)
            }
            (Some(_) | None, _, _) => through(self.others.clone(), request).await,
        }
    }
}

impl Service<Request> for Grpc {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let grpc = self.clone();
        async move { Ok(grpc.answer(request).await) }.boxed()
    }
}

fn refused(path: &str, refusal: &Refusal) -> Response {
    status(&Method::POST, path, refusal).into_http()
}

/// tonic reports a message that is no protobuf as its own internal error; it is the caller's mistake.
fn malformed_as_invalid(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let internal = headers
        .get("grpc-status")
        .is_some_and(|status| status == "13");
    let decoding = headers
        .get("grpc-message")
        .is_some_and(|text| text.as_bytes().starts_with(b"failed%20to%20decode"));
    if internal && decoding {
        headers.insert("grpc-status", HeaderValue::from_static("3"));
        headers.insert(
            "grpc-message",
            HeaderValue::from_static("the message is not valid protobuf"),
        );
    }
    response
}

/// Which of the two packages a request is for decides how a refusal reads.
pub(super) fn status(method: &Method, path: &str, refusal: &Refusal) -> tonic::Status {
    let service = transcode::find_service(method, path);
    let ours = service.is_some_and(|service| service.starts_with("ringback."));
    if ours {
        ringback::status(refusal)
    } else {
        zitadel::status(refusal)
    }
}

/// `grpc-timeout`: up to 8 digits and a unit (the gRPC protocol's "Requests").
fn timeout(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    let digits = std::str::from_utf8(digits).ok()?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        b'H' => Duration::from_secs(count * 3_600),
        b'M' => Duration::from_secs(count * 60),
        b'S' => Duration::from_secs(count),
        b'm' => Duration::from_millis(count),
        b'u' => Duration::from_micros(count),
        b'n' => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        assert_eq!(timeout(b"5S"), Some(Duration::from_secs(5)));
        assert_eq!(
            timeout(b"99999999H"),
            Some(Duration::from_secs(99_999_999 * 3_600))
        );
        assert_eq!(timeout(b"20m"), Some(Duration::from_millis(20)));
        for wrong in [
            &b""[..],
            b"S",
            b"5",
            b"5s",
            b"123456789S",
            b"-1S",
            b"+1S",
            b"1.5S",
        ] {
            assert_eq!(timeout(wrong), None, "{wrong:?}");
        }
    }
}
