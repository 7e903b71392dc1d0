//! Receipts: what SMS providers tell of messages that they took, at the address that each message gave them.

mod contract;

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ringback_sms::{ReceiptError, ReceiptRequest, Route};
use ringback_store::Store;
use tracing::warn;

use crate::config::Config;
use crate::http::contract::Paths;
use crate::http::{Installed, Unread, read_body};
use crate::receipts::{count_receipt, note_receipt};
use crate::worker::Callbacks;

/// The largest receipt, in bytes.
const LIMIT: usize = 64 * 1024;

/// `/sms/receipts/{route}/{token}`, for those of the routes that send receipts.
pub fn install(config: &Config) -> Installed {
    let callbacks = Callbacks::new(&config.server.public_url);
    Installed {
        paths: Some(Box::new(move |services| {
            let api = ReceiptApi {
                store: services.store.clone(),
                routes: services.routes.clone(),
                callbacks,
            };
            let at = "/sms/receipts/{route}/{token}";
            Paths::new(contract::about)
                .route(Method::POST, at, receive, contract::posted)
                .route(Method::GET, at, receive, contract::asked)
                .map(|router| router.with_state(api))
        })),
        ..Installed::default()
    }
}

#[derive(Clone)]
struct ReceiptApi {
    store: Store,
    routes: Arc<[Route]>,
    callbacks: Callbacks,
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
    let known = api.routes.iter().find(|one| *one.name == *route);
    let (Some((message, attempt)), Some(route)) = (of, known) else {
        return unexpected();
    };
    let (head, body) = request.into_parts();
    let body = match read_body(body, LIMIT).await {
        Ok(body) => body,
        Err(unread) => return unread_answer(unread),
    };
    let query = head.uri.query().unwrap_or_default();
    // As the provider was given it: what a proxy has made of it on the way is of no interest.
    let mut url = api.callbacks.at(&route.name, &token);
    if !query.is_empty() {
        url = format!("{url}?{query}");
    }
    let told = ReceiptRequest {
        method: head.method.as_str(),
        url: &url,
        query,
        headers: &head.headers,
        body: &body,
    };
    let name = &*route.name;
    let receipt = match route.provider.read_receipt(&told, api.store.now()) {
        Ok(receipt) => receipt,
        Err(error) => {
            count_receipt(name, "refused");
            warn!(route = name, %message, %error, "receipt refused");
            return refused(&error);
        }
    };
    match note_receipt(&api.store, name, (message, attempt), &receipt).await {
        Ok(()) => {
            // Not before: what could not be written down comes again.
            route.provider.noted(&receipt);
            (StatusCode::OK, "").into_response()
        }
        Err(_) => away(),
    }
}

fn unexpected() -> Response {
    (StatusCode::NOT_FOUND, "no receipt is expected here\n").into_response()
}

fn unread_answer(unread: Unread) -> Response {
    (unread.http(), format!("{unread}\n")).into_response()
}

fn refused(error: &ReceiptError) -> Response {
    let status = match error {
        ReceiptError::Signature(_) => StatusCode::UNAUTHORIZED,
        ReceiptError::Malformed(_) => StatusCode::BAD_REQUEST,
        ReceiptError::NoReceipts => StatusCode::NOT_FOUND,
    };
    (status, format!("{error}\n")).into_response()
}

fn away() -> Response {
    let text = "the database cannot be reached now; send it again\n";
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}
