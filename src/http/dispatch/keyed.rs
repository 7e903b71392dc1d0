//! A call under an idempotency key: its first request is carried out, the others wait for its answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::request::Parts;
use ringback_core::{Caller, Refusal};
use ringback_store::with_cost;
use tonic::Status;
use tracing::Instrument;

use super::{Inner, connect_refusal, end_of_line, rest_refusal, through};
use crate::http::once::{self, Call, Turn, Worded};
use crate::http::protocol::Protocol;
use crate::http::routes::Rpc;
use crate::http::{error, grpc};

/// The headers that say how long a caller waits.
const TIMEOUTS: [&str; 2] = ["grpc-timeout", "connect-timeout-ms"];

impl Inner {
    /// Carries a call out once, if it changes something and its caller is known; an API refuses the others itself.
    pub(super) async fn under_key(
        self: &Arc<Self>,
        key: Result<String, Refusal>,
        head: Parts,
        body: Body,
    ) -> Response {
        let uri = head.uri.clone();
        let protocol = Protocol::classify(&self.routes, &head, uri.path());
        let Some(once) = self
            .once
            .as_ref()
            .filter(|_| protocol.changes(&head.method))
        else {
            return self.plainly(head, body).await;
        };
        let Ok(caller) = self.auth.caller(&head.headers).await else {
            return self.plainly(head, body).await;
        };
        let body = match once::whole(body).await {
            Ok(body) => body,
            Err(body) => return self.plainly(head, body).await,
        };
        // Its time is up, or cannot be read: it is not begun.
        let timeout = match protocol.timeout(&head.headers) {
            Ok(timeout) if timeout != Some(Duration::ZERO) => timeout,
            Ok(_) | Err(_) => return self.plainly(head, Body::from(body)).await,
        };
        let Ok(room) = once.room.clone().try_acquire_owned() else {
            return self.refuse(protocol, head, Refusal::Overloaded).await;
        };
        let (inner, asked) = (self.clone(), head.clone());
        // It goes on when its caller has gone, or waits no longer: that is when a call comes again.
        #[expect(
            clippy::disallowed_methods,
            reason = "they are counted, and each waits for what has a limit only"
        )]
        let carried_out = tokio::spawn(
            async move {
                let _room = room;
                inner.once_for_all(key, caller, asked, body).await
            }
            .in_current_span(),
        );
        let answered = match timeout {
            None => carried_out.await,
            Some(timeout) => match tokio::time::timeout(timeout, carried_out).await {
                Ok(answered) => answered,
                Err(_) => Ok(Err(Refusal::DeadlineExceeded)),
            },
        };
        match answered {
            Ok(Ok(response)) => response,
            Ok(Err(refusal)) => self.refuse(protocol, head, refusal).await,
            Err(_) => error::status(&Status::internal("An internal error occurred")),
        }
    }

    /// Claims the call, carries it out to its end whatever its deadline was, and keeps the answer; or has the answer
    /// that is kept.
    async fn once_for_all(
        &self,
        key: Result<String, Refusal>,
        caller: Caller,
        mut head: Parts,
        body: Bytes,
    ) -> Result<Response, Refusal> {
        let Some(once) = &self.once else {
            return Ok(self.plainly(head, Body::from(body)).await);
        };
        let call = Call::new(&once.store.rules().keys, &caller, &key?, &head, &body);
        match once.turn(&call).await? {
            Turn::Ours(claim) => {
                for name in TIMEOUTS {
                    head.headers.remove(name);
                }
                let told = with_cost(self.plainly(head, Body::from(body))).await;
                Ok(once.keep(&call, &claim, told).await)
            }
            Turn::Answered(mut response) => {
                let uri = head.uri.clone();
                let protocol = Protocol::classify(&self.routes, &head, uri.path());
                response.extensions_mut().insert(protocol.label());
                Ok(*response)
            }
        }
    }

    /// A refusal in the words of whom a request is for.
    async fn refuse(&self, protocol: Protocol<'_, '_>, head: Parts, refusal: Refusal) -> Response {
        let label = protocol.label();
        let status = |rpc: &Rpc| (self.service(rpc).refuse)(&refusal);
        let mut response = match protocol {
            Protocol::Grpc(framing, rpc) => grpc::refuse(framing, &status(rpc)),
            Protocol::Connect(codec, rpc) | Protocol::ConnectGet(codec, rpc, _) => {
                connect_refusal(codec, status(rpc))
            }
            Protocol::Rest(binding, _) => rest_refusal(status(&binding.rpc).into()),
            Protocol::Open | Protocol::Path | Protocol::Unknown(_) => {
                let mut request = Request::from_parts(head, Body::empty());
                request.extensions_mut().insert(Worded(Arc::new(refusal)));
                end_of_line(through(self.paths.clone(), request).await).await
            }
        };
        response.extensions_mut().insert(label);
        response
    }
}
