//! Whether the process runs and reaches its database, over HTTP and gRPC; and gRPC's reflection.

use std::pin::Pin;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response as HttpResponse};
use axum::routing::get;
use futures::Stream;
use futures::stream::unfold;
use ringback_store::Store;
use tonic::server::NamedService;
use tonic::{Request, Response, Status};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::proto;

/// How often a watcher's answer is looked at anew.
const LOOK: Duration = Duration::from_secs(1);

/// `/healthz` and `/readyz`.
pub(super) fn router(store: Store) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready).with_state(store))
}

async fn ready(State(store): State<Store>) -> HttpResponse {
    match store.ping().await {
        Ok(()) => "ok\n".into_response(),
        Err(_) => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the database does not answer\n",
        )
            .into_response(),
    }
}

/// `grpc.health.v1`, for these services and for the server as a whole, and `grpc.reflection`.
pub(super) fn grpc_services(store: Store, services: Vec<&'static str>) -> Router {
    let named = [&services[..], &[HealthServer::<DatabaseHealth>::NAME]].concat();
    let health = HealthServer::new(DatabaseHealth { store, services });
    let mut routes = tonic::service::Routes::new(health);
    // What is not served is not listed, although its messages are in the same set.
    let reflection = || {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
        let named = named.iter().copied();
        named.fold(builder, |builder, name| builder.with_service_name(name))
    };
    // The descriptor set is our own: that it can be read is proven by every start.
    if let Ok(service) = reflection().build_v1() {
        routes = routes.add_service(service);
    }
    if let Ok(service) = reflection().build_v1alpha() {
        routes = routes.add_service(service);
    }
    routes.into_axum_router()
}

/// The same answer as `/readyz`, to clients that ask over gRPC.
struct DatabaseHealth {
    store: Store,
    services: Vec<&'static str>,
}

impl DatabaseHealth {
    fn knows(&self, service: &str) -> bool {
        service.is_empty()
            || service == HealthServer::<Self>::NAME
            || self.services.contains(&service)
    }
}

async fn status(store: &Store) -> ServingStatus {
    match store.ping().await {
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
impl Health for DatabaseHealth {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        if !self.knows(&request.get_ref().service) {
            return Err(Status::not_found("service not registered"));
        }
        Ok(Response::new(response(status(&self.store).await)))
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
        let changes = unfold((self.store.clone(), None), |(store, last)| async move {
            loop {
                let now = status(&store).await;
                if last != Some(now) {
                    return Some((Ok(response(now)), (store, Some(now))));
                }
                tokio::time::sleep(LOOK).await;
            }
        });
        Ok(Response::new(Box::pin(changes)))
    }
}
