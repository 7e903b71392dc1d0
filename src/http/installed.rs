//! What an API hands over to be served.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use ringback_core::Refusal;
use ringback_sms::{Inbox, Route};
use ringback_store::Store;
use tonic::Status;
use tonic::server::NamedService;
use tower::Service;
use tower::util::BoxCloneSyncService;

use super::contract::{Paths, RpcTold};
use crate::auth::{Auth, OwnIssuer};
use crate::config::Setting;
use crate::resting::Resting;

/// What every API works with.
#[derive(Clone)]
pub struct Services {
    /// Where commands and questions go.
    pub store: Store,
    /// Who reads tokens.
    pub auth: Arc<Auth>,
    /// Messages to look at, while the inbox route is on.
    pub inbox: Option<Inbox>,
    /// What carries messages, for those that tell later what became of one.
    pub routes: Arc<[Route]>,
    /// Which of them are left alone for a while.
    pub resting: Resting,
    /// How the program is set up, without secrets.
    pub settings: Arc<[Setting]>,
    /// A token that may do everything, shown to whoever tries the program out.
    pub trial_token: Option<String>,
}

/// One API: what it adds to the server.
#[derive(Default)]
pub struct Installed {
    /// The issuers of tokens that the API gives out itself.
    pub issuers: Vec<OwnIssuer>,
    /// Request headers that its published clients send from a browser.
    pub cors_headers: &'static [&'static str],
    /// Its gRPC services, each of which is served over Connect and as JSON, too.
    pub rpcs: Vec<MakeService>,
    /// Its own paths.
    pub paths: Option<MakePaths>,
    /// Pages for people, which the contract does not tell.
    pub pages: Option<MakePages>,
}

/// Makes a gRPC service.
pub type MakeService = Box<dyn FnOnce(&Services) -> RpcService + Send>;

/// Makes an API's own paths.
pub type MakePaths = Box<dyn FnOnce(&Services) -> Paths + Send>;

/// Makes pages.
pub type MakePages = Box<dyn FnOnce(&Services) -> Router + Send>;

type Rpcs = BoxCloneSyncService<Request, http::Response<tonic::body::Body>, Infallible>;

/// A gRPC service as `build.rs` generates it, and how it words refusals. It finds the caller and the deadline
/// in a request's extensions.
#[derive(Clone)]
pub struct RpcService {
    /// `package.Service`
    pub name: &'static str,
    /// A refusal in the service's own words.
    pub refuse: fn(&Refusal) -> Status,
    /// What the contract says of a method, beside what `proto/` says.
    pub told: fn(&str) -> RpcTold,
    pub(super) rpcs: Rpcs,
}

impl RpcService {
    /// From the generated server.
    pub fn new<S>(
        service: S,
        refuse: fn(&Refusal) -> Status,
        told: fn(&str) -> RpcTold,
    ) -> RpcService
    where
        S: NamedService
            + Service<Request, Response = http::Response<tonic::body::Body>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        RpcService {
            name: S::NAME,
            refuse,
            told,
            rpcs: BoxCloneSyncService::new(service),
        }
    }
}
