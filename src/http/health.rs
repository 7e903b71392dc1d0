//! `grpc.health.v1`: the same answer as `/readyz`, to clients that ask over gRPC.

use std::pin::Pin;
use std::time::Duration;

use futures::Stream;
use futures::stream::unfold;
use ringback_store::Store;
use tonic::server::NamedService;
use tonic::{Request, Response, Status};
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// How often a watcher's answer is looked at anew.
const LOOK: Duration = Duration::from_secs(1);

/// Says whether the database can be reached and written to.
pub(super) struct DatabaseHealth {
    store: Store,
    services: Vec<&'static str>,
}

impl DatabaseHealth {
    /// For these services, and for the server as a whole.
    pub(super) fn service(store: Store, services: Vec<&'static str>) -> HealthServer<Self> {
        HealthServer::new(DatabaseHealth { store, services })
    }

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
