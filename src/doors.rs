//! One port, every door: who may enter, what may be carried in, how long it may take.

pub mod frontegg;
pub mod inbox;
mod leftover;
pub mod phones;
pub mod reachfive;
pub mod transcode;
pub mod zitadel;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::FutureExt;
use ringback_core::{Caller, Refusal};
use ringback_sms::Inbox;
use ringback_store::Store;
use tonic::service::Routes;
use tower::{Layer, ServiceExt};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::Instrument;

use crate::auth::Auth;
use crate::config::{CorsSection, ReachFiveSection};
use crate::proto;
use crate::proto::ringback::phone::v1::phone_service_server::PhoneServiceServer;
use crate::proto::zitadel::user::v2::user_service_server::UserServiceServer;

/// A request message, and a body at any door, may have this many bytes.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// Where a request came from, put into its extensions by the listener.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// When the caller stops waiting, put into the extensions of a gRPC request.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(pub Instant);

/// What the doors lead to.
#[derive(Clone)]
pub struct House {
    /// Where commands and questions go.
    pub store: Store,
    /// Who reads tokens.
    pub auth: Arc<Auth>,
    /// Messages to look at, while the inbox route is on.
    pub inbox: Option<Inbox>,
    /// Which pages may call.
    pub cors: CorsSection,
    /// What the ReachFive door asks for and tells.
    pub reachfive: ReachFiveSection,
}

/// Every door on one router. `reflection` and health need no token; everything else does.
pub async fn router(house: House) -> Router {
    let cors = cors(house.cors.clone());
    let grpc = grpc(&house).await;
    let auth = house.auth.clone();
    let authenticate: transcode::Authenticate = Arc::new(move |mut parts: Parts| {
        let auth = auth.clone();
        async move {
            let caller = auth.caller(&parts.headers).await;
            let caller =
                caller.map_err(|refusal| status(&parts.method, parts.uri.path(), &refusal))?;
            parts.extensions.insert(caller);
            Ok(parts)
        }
        .boxed()
    });
    let mut others = transcode::router(grpc.clone(), authenticate)
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready).with_state(house.store.clone()))
        .route("/openapi.json", get(contract))
        .merge(frontegg::router(house.store.clone(), house.auth.clone()))
        .merge(reachfive::router(house.store, house.auth, house.reachfive));
    if let Some(inbox) = house.inbox {
        others = others.merge(inbox::router(inbox));
    }
    let doors = Doors {
        web: tonic_web::GrpcWebLayer::new().layer(grpc.clone()),
        others,
        grpc,
    };
    Router::new()
        .fallback(move |request: Request| doors.clone().answer(request))
        .layer(from_fn(leftover::discard))
        .layer(cors)
        .layer(from_fn(observe))
}

#[derive(Clone)]
struct Doors {
    grpc: Router,
    web: tonic_web::GrpcWebService<Router>,
    others: Router,
}

impl Doors {
    /// At `/package.Service/Method` the content type says which wire a request speaks; whatever is not
    /// gRPC's own is for the others.
    async fn answer(self, request: Request) -> Response {
        let path = request.uri().path().strip_prefix('/').unwrap_or_default();
        let is_rpc = path
            .split_once('/')
            .is_some_and(|(service, _)| service.contains('.'));
        let kind = request.headers().get(header::CONTENT_TYPE);
        let kind = kind.map(HeaderValue::as_bytes).filter(|_| is_rpc);
        match kind {
            Some(kind) if kind.starts_with(b"application/grpc-web") => {
                match self.web.oneshot(request).await {
                    Ok(response) => response.map(Body::new),
                    Err(never) => match never {},
                }
            }
            Some(kind) if kind.starts_with(b"application/grpc") => {
                // gRPC over HTTP/1 would lose its trailers, and with them every status.
                if request.version() != axum::http::Version::HTTP_2 {
                    return (
                        StatusCode::HTTP_VERSION_NOT_SUPPORTED,
                        "gRPC needs HTTP/2\n",
                    )
                        .into_response();
                }
                answer(self.grpc, request).await
            }
            _ => answer(self.others, request).await,
        }
    }
}

async fn answer(router: Router, request: Request) -> Response {
    match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// The gRPC services, behind the check of tokens and deadlines.
async fn grpc(house: &House) -> Router {
    let users = UserServiceServer::new(zitadel::UserDoor::new(house.store.clone()))
        .max_decoding_message_size(BODY_LIMIT);
    let phones = PhoneServiceServer::new(phones::PhoneDoor::new(house.store.clone()))
        .max_decoding_message_size(BODY_LIMIT);
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter
        .set_serving::<UserServiceServer<zitadel::UserDoor>>()
        .await;
    reporter
        .set_serving::<PhoneServiceServer<phones::PhoneDoor>>()
        .await;
    let mut services = Routes::new(users).add_service(phones).add_service(health);
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    // The descriptor set is our own: that it can be read is proven by every start.
    if let Ok(service) = reflection().build_v1() {
        services = services.add_service(service);
    }
    if let Ok(service) = reflection().build_v1alpha() {
        services = services.add_service(service);
    }
    services
        .into_axum_router()
        .layer(from_fn_with_state(house.auth.clone(), guard))
}

/// Lets in who has a valid token, before the message is read, and holds the caller's deadline. Health and
/// reflection are open to everybody.
async fn guard(State(auth): State<Arc<Auth>>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    if path.starts_with("/grpc.health.") || path.starts_with("/grpc.reflection.") {
        return next.run(request).await;
    }
    if request.extensions().get::<Caller>().is_none() {
        match auth.caller(request.headers()).await {
            Ok(caller) => {
                request.extensions_mut().insert(caller);
            }
            Err(refusal) => return status(&Method::POST, &path, &refusal).into_http(),
        }
    }
    let timeout = request
        .headers()
        .get("grpc-timeout")
        .map(|value| timeout(value.as_bytes()));
    let response = match timeout {
        None => next.run(request).await,
        Some(None) => {
            let refusal = Refusal::FieldInvalid {
                field: "grpc-timeout".into(),
                rule: "must be up to 8 digits and one of H, M, S, m, u, n".into(),
            };
            return status(&Method::POST, &path, &refusal).into_http();
        }
        Some(Some(timeout)) => {
            request
                .extensions_mut()
                .insert(Deadline(Instant::now() + timeout));
            match tokio::time::timeout(timeout, next.run(request)).await {
                Ok(response) => response,
                Err(_) => status(&Method::POST, &path, &Refusal::DeadlineExceeded).into_http(),
            }
        }
    };
    malformed_as_invalid(response)
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
fn status(method: &Method, path: &str, refusal: &Refusal) -> tonic::Status {
    let service = transcode::find_service(method, path);
    let ours = service.is_some_and(|service| service.starts_with("ringback."));
    if ours {
        phones::status(refusal)
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

async fn ready(State(store): State<Store>) -> Response {
    match store.ping().await {
        Ok(()) => "ok\n".into_response(),
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the database does not answer\n",
        )
            .into_response(),
    }
}

async fn contract() -> Response {
    static TEXT: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| transcode::openapi::document().to_string());
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str()).into_response()
}

/// What the published clients of Zitadel, gRPC-web, Connect, Frontegg and ReachFive send, and read, from a browser.
fn cors(allowed: CorsSection) -> CorsLayer {
    let names = |names: &[&'static str]| -> Vec<HeaderName> {
        names
            .iter()
            .map(|name| HeaderName::from_static(name))
            .collect()
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(
            move |origin: &HeaderValue, _: &Parts| {
                origin.to_str().is_ok_and(|origin| allowed.allows(origin))
            },
        ))
        .allow_credentials(true)
        .allow_methods([
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
        ])
        .allow_headers(names(&[
            "accept",
            "accept-language",
            "authorization",
            "connect-protocol-version",
            "connect-timeout-ms",
            "content-type",
            "custom-locale",
            "frontegg-environment-id",
            "frontegg-login-alias",
            "frontegg-requested-application-id",
            "frontegg-scoped-tenant",
            "frontegg-source",
            "frontegg-tenant-id",
            "frontegg-user-id",
            "grpc-timeout",
            "x-access-token",
            "x-frontegg-framework",
            "x-frontegg-sdk",
            "x-grpc-web",
            "x-r5-correlation-id",
            "x-requested-with",
            "x-user-agent",
            "x-zitadel-orgid",
        ]))
        .expose_headers(names(&[
            "content-length",
            "deprecation",
            "grpc-message",
            "grpc-status",
            "grpc-status-details-bin",
            "link",
            "retry-after",
            "www-authenticate",
        ]))
        .max_age(Duration::from_secs(600))
}

/// One span and one measurement for each request. The query is left out: it may hold a number.
async fn observe(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let span = tracing::info_span!(
        "request",
        method = %request.method(),
        path = request.uri().path(),
    );
    let response = next.run(request).instrument(span.clone()).await;
    let took = started.elapsed();
    metrics::histogram!("ringback_request_seconds").record(took.as_secs_f64());
    let status = response.status().as_u16();
    let grpc = response
        .headers()
        .get("grpc-status")
        .and_then(|value| value.to_str().ok());
    span.in_scope(|| tracing::debug!(status, grpc, micros = took.as_micros() as u64, "answered"));
    response
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
