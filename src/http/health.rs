//! Whether the process runs and requests shall come to it, over HTTP and gRPC; and gRPC's reflection.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response as HttpResponse};
use futures::Stream;
use futures::stream::unfold;
use ringback_store::Store;
use serde_json::json;
use tonic::server::NamedService;
use tonic::{Request, Response, Status};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tower::ServiceExt;

use super::contract::{Operation, Paths};
use super::openapi;
use crate::proto;

/// How often a watcher's answer is looked at anew.
const LOOK: Duration = Duration::from_secs(1);

/// Why nothing shall come, each a line.
const STARTING: &str = "starting\n";
const STOPPING: &str = "stopping\n";
const DATABASE_AWAY: &str = "the database does not answer\n";

/// Whether work shall come to this process: not before it has started, not while the database does not
/// answer, and not once the process is about to end. Clones share it.
#[derive(Clone, Default)]
pub struct Readiness(Arc<State>);

#[derive(Default)]
struct State {
    store: OnceLock<Store>,
    leaving: AtomicBool,
}

impl Readiness {
    /// It has started, and works on this database.
    pub fn start(&self, store: Store) {
        // Who starts twice has the same database.
        let _ = self.0.store.set(store);
    }

    /// From now on nothing shall come any more; what comes all the same is served until the end.
    pub fn leave(&self) {
        self.0.leaving.store(true, Ordering::Relaxed);
    }

    /// Why nothing shall come, as a line for whoever looks.
    async fn look(&self) -> Result<(), &'static str> {
        if self.0.leaving.load(Ordering::Relaxed) {
            return Err(STOPPING);
        }
        let Some(store) = self.0.store.get() else {
            return Err(STARTING);
        };
        store.ping().await.map_err(|_| DATABASE_AWAY)
    }

    /// `/healthz` and `/readyz`.
    pub fn router(&self) -> Router {
        self.paths().into_parts().0
    }

    /// The same with what the contract says of them.
    pub(super) fn paths(&self) -> Paths {
        Paths::new(openapi::about)
            .route(
                Method::GET,
                "/healthz",
                async || "ok\n",
                || text("healthz", "Whether the process runs"),
            )
            .route(Method::GET, "/readyz", ready, || {
                text("readyz", "Whether requests shall come to this process")
                    .also("database_away", || away(DATABASE_AWAY))
                    .also("starting", || away(STARTING))
                    .also("stopping", || away(STOPPING))
            })
            .map(|router| router.with_state(self.clone()))
    }
}

fn text(id: &'static str, summary: &'static str) -> Operation {
    let ok = json!({ "type": "string", "const": "ok\n" });
    Operation::new(id, summary)
        .open()
        .answers_with(200, "It does.", "text/plain", ok)
}

async fn ready(extract::State(readiness): extract::State<Readiness>) -> HttpResponse {
    match readiness.look().await {
        Ok(()) => "ok\n".into_response(),
        Err(reason) => away(reason),
    }
}

fn away(reason: &'static str) -> HttpResponse {
    (StatusCode::SERVICE_UNAVAILABLE, reason).into_response()
}

/// `grpc.health.v1`, for these services and for the server as a whole, and `grpc.reflection`.
pub(super) fn grpc_services(readiness: Readiness, services: Vec<&'static str>) -> Router {
    let named = [&services[..], &[HealthServer::<GrpcHealth>::NAME]].concat();
    let health = HealthServer::new(GrpcHealth {
        readiness,
        services,
    });
    let health = tonic::service::Routes::new(health).into_axum_router();
    health.merge(reflection(named))
}

/// `grpc.reflection` of these services. What it tells is made for the first who asks: few do, and it takes 2 MiB.
fn reflection(services: Vec<&'static str>) -> Router {
    let told = Arc::new((services, OnceLock::new()));
    let answer = tower::service_fn(move |request| {
        let told = told.clone();
        async move {
            let (services, made) = &*told;
            let router: &Router = made.get_or_init(|| reflection_of(services));
            router.clone().oneshot(request).await
        }
    });
    Router::new()
        .route_service(
            "/grpc.reflection.v1.ServerReflection/{*rpc}",
            answer.clone(),
        )
        .route_service("/grpc.reflection.v1alpha.ServerReflection/{*rpc}", answer)
}

fn reflection_of(services: &[&'static str]) -> Router {
    // What is not served is not listed, although its messages are in the same set.
    let reflection = || {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::COMMENTED)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
        let named = services.iter().copied();
        named.fold(builder, |builder, name| builder.with_service_name(name))
    };
    let mut routes = tonic::service::Routes::default();
    // The descriptor set is our own: that it can be read is proven by tests.
    if let Ok(service) = reflection().build_v1() {
        routes = routes.add_service(service);
    }
    if let Ok(service) = reflection().build_v1alpha() {
        routes = routes.add_service(service);
    }
    routes.into_axum_router()
}

/// The same answer as `/readyz`, to clients that ask over gRPC.
struct GrpcHealth {
    readiness: Readiness,
    services: Vec<&'static str>,
}

impl GrpcHealth {
    fn knows(&self, service: &str) -> bool {
        service.is_empty()
            || service == HealthServer::<Self>::NAME
            || self.services.contains(&service)
    }
}

async fn status(readiness: &Readiness) -> ServingStatus {
    match readiness.look().await {
        Ok(()) => ServingStatus::Serving,
        Err(_) => ServingStatus::NotServing,
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status as i32,
    }
}

#[tonic::async_trait]
impl Health for GrpcHealth {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if !self.knows(&request.get_ref().service) {
            return Err(Status::not_found("service not registered"));
        }
        Ok(Response::new(response(status(&self.readiness).await)))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    /// The status, and each change of it.
    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        if !self.knows(&request.get_ref().service) {
            return Err(Status::not_found("service not registered"));
        }
        let changes = unfold(
            (self.readiness.clone(), None),
            |(readiness, last)| async move {
                loop {
                    let now = status(&readiness).await;
                    if last != Some(now) {
                        return Some((Ok(response(now)), (readiness, Some(now))));
                    }
                    tokio::time::sleep(LOOK).await;
                }
            },
        );
        Ok(Response::new(Box::pin(changes)))
    }
}
