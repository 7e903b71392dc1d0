//! One port, every API: what a request speaks and which service it is for, once; then who calls, then the call.

mod keyed;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, Method, header, request::Parts};
use http_body_util::BodyExt;
use ringback_core::{Caller, Refusal};
use tonic::Status;
use tower::{Service, ServiceExt};
use tracing::Instrument;

use super::body::Room;
use super::call::{self, Deadline, Reply};
use super::connect::{self, Codec};
use super::content_type::ContentType;
use super::cors::Cors;
use super::grpc;
use super::health::{self, Readiness};
use super::installed::{Installed, RpcService, Services};
use super::once::{self, Once};
use super::protocol::Protocol;
use super::quiet::Quiet;
use super::rest::{self, Failure};
use super::routes::{Label, Routes, Rpc};
use super::shown::Shown;
use super::{client, drain_body, error, files, openapi};
use crate::auth::Auth;
use crate::config::{Config, Network, ServerSection};

/// Where a request came from, put into its extensions by the listener.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// Every API, behind one port. Clones share it.
#[derive(Clone)]
pub struct Server(Arc<Inner>);

struct Inner {
    auth: Arc<Auth>,
    cors: Cors,
    /// In the order in which `routes` counts them.
    services: Vec<RpcService>,
    routes: Routes,
    /// gRPC's own services, which are open to everybody.
    open: Router,
    /// Every other path.
    paths: Router,
    room: Arc<Room>,
    proxies: Vec<Network>,
    /// Calls with an idempotency key; `None` where nothing remembers them.
    once: Option<Once>,
}

impl Server {
    /// Serves these APIs, health, reflection and the contract. Only what an API hands over needs a token.
    pub async fn open(
        services: &Services,
        readiness: &Readiness,
        apis: Vec<Installed>,
        config: &Config,
    ) -> Server {
        let cors = Cors::new(
            config.cors.clone(),
            apis.iter().flat_map(|api| api.cors_headers).copied(),
        );
        let mut rpcs: Vec<RpcService> = Vec::new();
        let mut paths = readiness.paths();
        let mut pages = files::router();
        for api in apis {
            rpcs.extend(api.rpcs.into_iter().map(|make| make(services)));
            if let Some(make) = api.paths {
                paths = paths.merge(make(services));
            }
            if let Some(make) = api.pages {
                pages = pages.merge(make(services));
            }
        }
        let names: Vec<&'static str> = rpcs.iter().map(|service| service.name).collect();
        let (paths, told) = paths.into_parts();
        let services_told = rpcs.iter().map(|service| (service.name, service.told));
        let (contract, _) = openapi::paths(services_told.collect(), told).into_parts();
        let paths = paths.merge(contract).merge(pages);
        let open = health::grpc_services(readiness.clone(), names);
        let auth = services.auth.clone();
        let store = services.store.clone();
        Server::of(&config.server, auth, cors, rpcs, open, paths).with(Once::new(store))
    }

    /// From its parts.
    pub(super) fn of(
        section: &ServerSection,
        auth: Arc<Auth>,
        cors: Cors,
        services: Vec<RpcService>,
        open: Router,
        paths: Router,
    ) -> Server {
        let names: Vec<&str> = services.iter().map(|service| service.name).collect();
        let not_found = || async { error::status(&Status::not_found("Not Found")) };
        Server(Arc::new(Inner {
            auth,
            cors,
            routes: Routes::of_services(&names),
            services,
            open,
            paths: paths
                .fallback(not_found)
                .method_not_allowed_fallback(async || error::wrong_method()),
            room: Arc::new(Room::new(section.body_mib * 1024 * 1024)),
            proxies: section.trusted_proxies.clone(),
            once: None,
        }))
    }

    /// The same, which carries calls with a key out once.
    fn with(self, once: Once) -> Server {
        let mut inner = self.0;
        if let Some(inner) = Arc::get_mut(&mut inner) {
            inner.once = Some(once);
        }
        Server(inner)
    }

    /// Answers a request: one span and one measurement for each.
    pub async fn answer(self, request: Request) -> Response {
        let started = Instant::now();
        // The query is left out: it may hold a number.
        let span = tracing::info_span!(
            "request",
            method = %request.method(),
            path = %Shown(request.uri().path()),
        );
        let response = self.0.respond(request).instrument(span.clone()).await;
        let took = started.elapsed();
        let status = response.status().as_u16();
        let grpc = response
            .headers()
            .get("grpc-status")
            .and_then(|value| value.to_str().ok());
        measure(response.extensions().get(), status, grpc, took);
        let micros = took.as_micros() as u64;
        span.in_scope(|| tracing::debug!(status, grpc, micros, "answered"));
        response
    }
}

impl Inner {
    async fn respond(self: &Arc<Self>, request: Request) -> Response {
        let (mut head, body) = request.into_parts();
        client::note(&mut head, &self.proxies);
        if let Some(response) = self.cors.preflight(&head) {
            return response;
        }
        let origin = head.headers.get(header::ORIGIN).cloned();
        let is_head = head.method == Method::HEAD;
        let mut response = drain_body::around(head, body, &self.room, |head, body| {
            self.by_protocol(head, body)
        })
        .await;
        self.cors.let_read(origin.as_ref(), &mut response);
        // Numbers and tokens are for the one who asked.
        let kept = response.headers_mut().entry(header::CACHE_CONTROL);
        kept.or_insert(HeaderValue::from_static("no-store"));
        match is_head {
            true => without_body(response),
            false => response,
        }
    }

    async fn by_protocol(self: &Arc<Self>, head: Parts, body: Body) -> Response {
        match (&self.once, once::key(&head.headers)) {
            (Some(_), Some(key)) => {
                let key = key.map(str::to_owned);
                // Few calls have one, and each waiting connection would have room for it.
                Box::pin(self.under_key(key, head, body)).await
            }
            (None, _) | (_, None) => self.plainly(head, body).await,
        }
    }

    async fn plainly(&self, head: Parts, body: Body) -> Response {
        // The path borrows nothing of the head, which moves on.
        let uri = head.uri.clone();
        let protocol = Protocol::classify(&self.routes, &head, uri.path());
        let label = protocol.label();
        let mut response = self.answer(protocol, head, body).await;
        response.extensions_mut().insert(label);
        response
    }

    async fn answer(&self, protocol: Protocol<'_, '_>, head: Parts, body: Body) -> Response {
        match protocol {
            Protocol::Unknown(response) => *response,
            Protocol::Open => {
                let running = head.extensions.get::<Quiet>().map(Quiet::running);
                let response = through(self.open.clone(), Request::from_parts(head, body)).await;
                // These may go on for as long as the client listens.
                response.map(|body| {
                    Body::new(body.map_frame(move |frame| {
                        let _ = &running;
                        frame
                    }))
                })
            }
            Protocol::Path => {
                // A `HEAD` loses its body when the whole response is known.
                let mut request = Request::from_parts(head, body);
                if request.method() == Method::HEAD {
                    *request.method_mut() = Method::GET;
                }
                end_of_line(through(self.paths.clone(), request).await).await
            }
            Protocol::Grpc(framing, rpc) => {
                let timeout = grpc::timeout(&head.headers)
                    .map_err(|refusal| (self.service(rpc).refuse)(&refusal));
                let message = async |_: &Caller| grpc::read(framing, &head.headers, body).await;
                match self.call(rpc, &head, timeout, message).await {
                    Ok(reply) => grpc::write(framing, reply),
                    Err(status) => grpc::refuse(framing, &status),
                }
            }
            Protocol::Connect(codec, rpc) => {
                let message =
                    async |_: &Caller| connect::read(codec, rpc, &head.headers, body).await;
                self.connect(codec, rpc, &head, message).await
            }
            Protocol::ConnectGet(codec, rpc, query) => {
                let message = async |_: &Caller| query.message(codec, rpc);
                self.connect(codec, rpc, &head, message).await
            }
            Protocol::Rest(binding, values) => {
                let timeout = grpc::timeout(&head.headers)
                    .map_err(|refusal| (self.service(&binding.rpc).refuse)(&refusal).into());
                let message = async |caller: &Caller| {
                    rest::read(binding, &values, &head, body, &caller.user).await
                };
                let outcome = self.call(&binding.rpc, &head, timeout, message).await;
                let response = outcome.and_then(|reply| Ok(rest::write(binding, &reply)?));
                response.unwrap_or_else(rest_refusal)
            }
        }
    }

    async fn connect(
        &self,
        codec: Codec,
        rpc: &Rpc,
        head: &Parts,
        message: impl AsyncFnOnce(&Caller) -> Result<Bytes, Status>,
    ) -> Response {
        let timeout = connect::timeout(&head.headers);
        let outcome = self.call(rpc, head, timeout, message).await;
        let response = outcome.and_then(|reply| connect::write(codec, rpc, &reply));
        response.unwrap_or_else(|status| connect_refusal(codec, status))
    }

    fn service(&self, rpc: &Rpc) -> &RpcService {
        &self.services[rpc.service]
    }

    /// Lets in who has a valid token, before the message is read, and holds the caller's deadline.
    async fn call<E: From<Status>>(
        &self,
        rpc: &Rpc,
        head: &Parts,
        timeout: Result<Option<Duration>, E>,
        message: impl AsyncFnOnce(&Caller) -> Result<Bytes, E>,
    ) -> Result<Reply, E> {
        let service = self.service(rpc);
        let started = Instant::now();
        let caller = self.auth.caller(&head.headers).await;
        let caller = caller.map_err(|refusal| (service.refuse)(&refusal))?;
        let deadline = timeout?.map(|timeout| Deadline(started + timeout));
        let call = async {
            let message = message(&caller).await?;
            Ok(call::unary(service, rpc, caller, deadline, message).await?)
        };
        let Some(Deadline(end)) = deadline else {
            return call.await;
        };
        let passed = || Err((service.refuse)(&Refusal::DeadlineExceeded).into());
        // A call whose time is up is not begun, however fast it would be.
        if end <= Instant::now() {
            return passed();
        }
        let in_time = tokio::time::timeout_at(end.into(), call).await;
        in_time.unwrap_or_else(|_| passed())
    }
}

fn connect_refusal(codec: Codec, status: Status) -> Response {
    match codec {
        Codec::Json => error::connect(&error::in_json_names(status)),
        Codec::Proto => error::connect(&status),
    }
}

fn rest_refusal(Failure { status, http }: Failure) -> Response {
    error::status_as(&error::in_json_names(status), http)
}

/// Notes how long a request took. What has no label was answered before anybody looked at its path.
fn measure(label: Option<&Label>, status: u16, grpc: Option<&str>, took: Duration) {
    let nobody = || Label::part("none");
    let Label { api, method } = label.cloned().unwrap_or_else(nobody);
    // gRPC's own numbers are small, and HTTP's are not.
    let code = match grpc.and_then(|code| code.parse().ok()) {
        Some(code) => code,
        None => status,
    };
    metrics::histogram!(
        "ringback_request_duration_seconds",
        "api" => api, "method" => method, "code" => code.to_string()
    )
    .record(took.as_secs_f64());
}

/// What a `HEAD` is answered: what a `GET` would be, without its body.
fn without_body(mut response: Response) -> Response {
    if let Some(length) = response.body().size_hint().exact() {
        let headers = response.headers_mut();
        headers
            .entry(header::CONTENT_LENGTH)
            .or_insert(length.into());
    }
    *response.body_mut() = Body::empty();
    response
}

/// JSON ends with its line, for whoever reads it in a terminal.
async fn end_of_line(mut response: Response) -> Response {
    let kind = ContentType::of(response.headers(), header::CONTENT_TYPE);
    if kind != ContentType::Json || response.body().is_end_stream() {
        return response;
    }
    let Ok(whole) = std::mem::take(response.body_mut()).collect().await else {
        // Bodies of ours are in memory and do not break off.
        return response;
    };
    let mut text = Vec::from(whole.to_bytes());
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    response.headers_mut().remove(header::CONTENT_LENGTH);
    *response.body_mut() = Body::from(text);
    response
}

/// What a service that cannot fail answers.
async fn through<S: Service<Request, Error = Infallible>>(
    service: S,
    request: Request,
) -> S::Response {
    match service.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
