//! A call under an idempotency key: its first request is carried out, the others wait for its answer.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::request::Parts;
use ringback_core::Refusal;
use tonic::Status;
use tracing::Instrument;

use super::{Inner, connect_refusal, end_of_line, rest_refusal, through};
use crate::http::once::{self, Turn, Worded};
use crate::http::protocol::Protocol;
use crate::http::routes::Rpc;
use crate::http::{error, grpc};

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
        let keys = &once.store.rules().keys;
        let turn = async {
            let call = once::Call::new(keys, &caller, &key?, &head, &body);
            let turn = once.turn(&call).await?;
            Ok((call, turn))
        };
        match turn.await {
            Ok((call, Turn::Ours(claim))) => {
                let inner = self.clone();
                // It goes on when its caller has gone: that is when a call comes again.
                #[expect(
                    clippy::disallowed_methods,
                    reason = "the caller waits for it, or its lease ends"
                )]
                let carried_out = tokio::spawn(
                    async move {
                        let response = inner.plainly(head, Body::from(body)).await;
                        match &inner.once {
                            Some(once) => once.keep(&call, &claim, response).await,
                            None => response,
                        }
                    }
                    .in_current_span(),
                );
                match carried_out.await {
                    Ok(response) => response,
                    Err(_) => error::status(&Status::internal("An internal error occurred")),
                }
            }
            Ok((_, Turn::Answered(mut response))) => {
                response.extensions_mut().insert(protocol.label());
                *response
            }
            Err(refusal) => self.refuse(protocol, head, refusal).await,
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
