//! One port, every API: who may enter, what may be carried in, how long it may take.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Version, header};
use axum::middleware::from_fn;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::FutureExt;
use ringback_sms::Inbox;
use ringback_store::Store;
use tower::{Layer, Service, ServiceExt};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::Instrument;

use super::grpc::{self, Grpc};
use super::{drain_body, transcode};
use crate::api::{frontegg, inbox, reachfive, shared};
use crate::auth::Auth;
use crate::config::{Api, CorsSection, ReachFiveSection};

/// A request message, and a body at any API, may have this many bytes.
pub const BODY_LIMIT: usize = 1024 * 1024;

/// Where a request came from, put into its extensions by the listener.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// What the APIs lead to.
#[derive(Clone)]
pub struct Services {
    /// Where commands and questions go.
    pub store: Store,
    /// Who reads tokens.
    pub auth: Arc<Auth>,
    /// Messages to look at, while the inbox route is on.
    pub inbox: Option<Inbox>,
    /// Which APIs are served.
    pub apis: Vec<Api>,
    /// Which pages may call.
    pub cors: CorsSection,
    /// What the ReachFive API asks for and tells.
    pub reachfive: ReachFiveSection,
}

/// Every API, behind one port. Clones share them.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    grpc: Grpc,
    /// Whatever is not gRPC over HTTP/2, and so all that a browser may speak and CORS is about.
    others: Router,
}

impl Server {
    /// Opens them. `reflection` and health need no token; everything else does.
    pub async fn open(given: Services) -> Server {
        let serves = |api| given.apis.contains(&api);
        let services = grpc::services(&given.apis);
        let grpc = Grpc::open(&given.store, &given.auth, &services).await;
        let auth = given.auth.clone();
        let authenticate: transcode::Authenticate = Arc::new(move |mut parts: Parts| {
            let auth = auth.clone();
            async move {
                let caller = auth.caller(&parts.headers).await;
                let caller = caller
                    .map_err(|refusal| grpc::status(&parts.method, parts.uri.path(), &refusal))?;
                parts.extensions.insert(caller);
                Ok(parts)
            }
            .boxed()
        });
        let called = Router::new().fallback_service(grpc.clone());
        let mut others = transcode::router(called.clone(), authenticate, &services)
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready).with_state(given.store.clone()))
            .route(
                "/openapi.json",
                get(contract).with_state(document(services)),
            );
        if serves(Api::Frontegg) {
            let (store, auth) = (given.store.clone(), given.auth.clone());
            others = others.merge(frontegg::router(store, auth));
        }
        if serves(Api::ReachFive) {
            let router = reachfive::router(given.store, given.auth, given.reachfive);
            others = others.merge(router);
        }
        if let Some(inbox) = given.inbox {
            others = others.merge(inbox::router(inbox));
        }
        let web = tonic_web::GrpcWebLayer::new().layer(called);
        let others = Router::new()
            .fallback(move |request: Request| by_wire(web.clone(), others.clone(), request))
            .layer(from_fn(drain_body::discard))
            .layer(cors(given.cors));
        Server(Arc::new(Inner { grpc, others }))
    }

    /// Answers a request: one span and one measurement for each.
    pub async fn answer(self, request: Request) -> Response {
        let started = Instant::now();
        // The query is left out: it may hold a number.
        let span = tracing::info_span!(
            "request",
            method = %request.method(),
            path = request.uri().path(),
        );
        let response = self.pass(request).instrument(span.clone()).await;
        let took = started.elapsed();
        metrics::histogram!("ringback_request_seconds").record(took.as_secs_f64());
        let status = response.status().as_u16();
        let grpc = response
            .headers()
            .get("grpc-status")
            .and_then(|value| value.to_str().ok());
        let micros = took.as_micros() as u64;
        span.in_scope(|| tracing::debug!(status, grpc, micros, "answered"));
        response
    }

    async fn pass(self, request: Request) -> Response {
        match wire(&request) {
            Wire::Grpc if request.version() == Version::HTTP_2 => self.0.grpc.answer(request).await,
            Wire::Grpc | Wire::GrpcWeb | Wire::Other => {
                through(self.0.others.clone(), request).await
            }
        }
    }
}

/// What a request speaks.
enum Wire {
    Grpc,
    GrpcWeb,
    Other,
}

/// At `/package.Service/Method` the content type says which wire a request speaks; whatever is not gRPC's own
/// is for the others.
fn wire(request: &Request) -> Wire {
    let path = request.uri().path().strip_prefix('/').unwrap_or_default();
    let is_rpc = path
        .split_once('/')
        .is_some_and(|(service, _)| service.contains('.'));
    let kind = request.headers().get(header::CONTENT_TYPE);
    match kind.map(HeaderValue::as_bytes).filter(|_| is_rpc) {
        Some(kind) if kind.starts_with(b"application/grpc-web") => Wire::GrpcWeb,
        Some(kind) if kind.starts_with(b"application/grpc") => Wire::Grpc,
        Some(_) | None => Wire::Other,
    }
}

async fn by_wire(
    web: tonic_web::GrpcWebService<Router>,
    others: Router,
    request: Request,
) -> Response {
    match wire(&request) {
        // gRPC over HTTP/1 would lose its trailers, and with them every status.
        Wire::Grpc => (
            StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            "gRPC needs HTTP/2\n",
        )
            .into_response(),
        Wire::GrpcWeb => through(web, request).await.map(Body::new),
        Wire::Other => through(others, request).await,
    }
}

/// What a service that cannot fail answers.
pub(super) async fn through<S: Service<Request, Error = Infallible>>(
    service: S,
    request: Request,
) -> S::Response {
    match service.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
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

/// The contract of some services, made when it is first asked for.
type Contract = Arc<LazyLock<String, Box<dyn FnOnce() -> String + Send>>>;

fn document(services: Vec<&'static str>) -> Contract {
    let text = move || transcode::openapi::document(&services).to_string();
    Arc::new(LazyLock::new(Box::new(text)))
}

async fn contract(State(text): State<Contract>) -> Response {
    let text = text.as_str().to_owned();
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
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
            shared::EXPIRES_AT,
            shared::RESEND_AFTER,
            shared::IGNORED,
            "www-authenticate",
        ]))
        .max_age(Duration::from_secs(600))
}
