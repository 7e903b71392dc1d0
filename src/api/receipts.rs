//! Receipts: what SMS providers tell of messages that they took, at the address that each message gave them; and
//! what people write back.

mod contract;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use metrics::counter;
use ringback_sms::{ReceiptError, ReceiptRequest, Route, Seen};
use ringback_store::{Store, Throttle};
use tracing::warn;

use crate::config::Config;
use crate::http::contract::Paths;
use crate::http::{Installed, Unread, read_body};
use crate::receipts::{count_receipt, note_keyword, note_receipt};
use crate::worker::Callbacks;

/// The largest receipt or message, in bytes.
const LIMIT: usize = 64 * 1024;
/// That something is refused is said at most so often for each route: anybody can send it.
const QUIET: Duration = Duration::from_secs(60);

/// `/sms/receipts/{route}/{token}`, for those of the routes that send receipts, and `/sms/inbound/{route}`, for those
/// that pass on what people write back.
pub fn install(config: &Config) -> Installed {
    let callbacks = Callbacks::new(&config.server.public_url);
    Installed {
        paths: Some(Box::new(move |services| {
            let api = ReceiptApi {
                store: services.store.clone(),
                routes: services.routes.clone(),
                heard: services.routes.iter().map(|_| Heard::default()).collect(),
                callbacks,
            };
            let receipts = "/sms/receipts/{route}/{token}";
            let inbound = "/sms/inbound/{route}";
            Paths::new(contract::about)
                .route(Method::POST, receipts, receive, contract::posted)
                .route(Method::GET, receipts, receive, contract::asked)
                .route(Method::POST, inbound, hear, contract::written)
                .route(Method::GET, inbound, hear, contract::written_by_query)
                .map(|router| router.with_state(api))
        })),
        ..Installed::default()
    }
}

#[derive(Clone)]
struct ReceiptApi {
    store: Store,
    routes: Arc<[Route]>,
    /// By route, in their order.
    heard: Arc<[Heard]>,
    callbacks: Callbacks,
}

/// What came for a route.
#[derive(Default)]
struct Heard {
    receipts_refused: Throttle,
    inbound_refused: Throttle,
    /// What people have written: sent once more it must not undo what they wrote later.
    inbound: Seen,
}

/// The token comes first, then the provider's own signature, then what it says. Whatever is known already, or is
/// about a message that is not kept any more, is taken as well: a provider would only repeat it.
async fn receive(
    State(api): State<ReceiptApi>,
    Path((route, token)): Path<(String, String)>,
    request: Request,
) -> Response {
    let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap_or_default();
    let of = api.store.rules().keys.receipt_of(&bytes);
    let (Some((message, attempt)), Some((route, heard))) = (of, api.route(&route)) else {
        return unexpected();
    };
    let told = match Posted::read(request, api.callbacks.at(&route.name, &token)).await {
        Ok(told) => told,
        Err(unread) => return unread_answer(unread),
    };
    let name = &*route.name;
    let receipt = route
        .provider
        .read_receipt(&told.request(), api.store.now());
    let receipt = match receipt {
        Ok(receipt) => receipt,
        Err(error) => {
            count_receipt(name, "refused");
            if let Some(more) = heard.receipts_refused.pass(QUIET) {
                warn!(route = name, message_id = %message, %error, more, "receipt refused");
            }
            return refused(&error);
        }
    };
    match note_receipt(&api.store, name, (message, attempt), &receipt).await {
        Ok(()) => {
            // Not before: what could not be written down comes again.
            route.provider.noted(receipt.once.as_deref());
            (StatusCode::OK, "").into_response()
        }
        Err(_) => away(),
    }
}

/// What somebody wrote back. The address is no secret: only the provider's signature says that it is so. What is no
/// keyword is taken and forgotten.
async fn hear(
    State(api): State<ReceiptApi>,
    Path(route): Path<String>,
    request: Request,
) -> Response {
    let sends = |(route, _): &(&Route, &Heard)| route.provider.sends_inbound();
    let Some((route, heard)) = api.route(&route).filter(sends) else {
        return unexpected();
    };
    let told = match Posted::read(request, api.callbacks.inbound(&route.name)).await {
        Ok(told) => told,
        Err(unread) => return unread_answer(unread),
    };
    let name = &*route.name;
    let read = route
        .provider
        .read_inbound(&told.request(), api.store.now());
    let inbound = match read {
        Ok(inbound) => inbound,
        Err(error) => {
            counter!("ringback_inbound_refused_total", "route" => name.to_owned()).increment(1);
            if let Some(more) = heard.inbound_refused.pass(QUIET) {
                warn!(route = name, %error, more, "what somebody wrote back is refused");
            }
            return refused(&error);
        }
    };
    if inbound
        .once
        .as_deref()
        .is_some_and(|id| heard.inbound.has(id))
    {
        return (StatusCode::OK, "").into_response();
    }
    let noted = match &inbound.keyword {
        Some((number, keyword)) => note_keyword(&api.store, name, number, *keyword).await,
        None => Ok(()),
    };
    match noted {
        Ok(()) => {
            route.provider.noted(inbound.once.as_deref());
            if let Some(id) = inbound.once {
                heard.inbound.add(id);
            }
            (StatusCode::OK, "").into_response()
        }
        Err(_) => away(),
    }
}

impl ReceiptApi {
    fn route(&self, name: &str) -> Option<(&Route, &Heard)> {
        let mut routes = self.routes.iter().zip(self.heard.iter());
        routes.find(|(one, _)| *one.name == *name)
    }
}

/// A request, read.
struct Posted {
    head: Parts,
    url: String,
    body: Bytes,
}

impl Posted {
    /// At an address as the provider was given it: what a proxy has made of it on the way is of no interest.
    async fn read(request: Request, mut url: String) -> Result<Posted, Unread> {
        let (head, body) = request.into_parts();
        let body = read_body(body, LIMIT).await?;
        if let Some(query) = head.uri.query().filter(|query| !query.is_empty()) {
            url = format!("{url}?{query}");
        }
        Ok(Posted { head, url, body })
    }

    fn request(&self) -> ReceiptRequest<'_> {
        ReceiptRequest {
            method: self.head.method.as_str(),
            url: &self.url,
            query: self.head.uri.query().unwrap_or_default(),
            headers: &self.head.headers,
            body: &self.body,
        }
    }
}

fn unexpected() -> Response {
    (StatusCode::NOT_FOUND, "nothing is expected here\n").into_response()
}

fn unread_answer(unread: Unread) -> Response {
    (unread.http(), format!("{unread}\n")).into_response()
}

fn refused(error: &ReceiptError) -> Response {
    let status = match error {
        ReceiptError::Signature(_) => StatusCode::UNAUTHORIZED,
        ReceiptError::Malformed(_) => StatusCode::BAD_REQUEST,
        ReceiptError::NoReceipts | ReceiptError::NoInbound => StatusCode::NOT_FOUND,
    };
    (status, format!("{error}\n")).into_response()
}

fn away() -> Response {
    let text = "the database cannot be reached now; send it again\n";
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}
