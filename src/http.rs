//! How requests arrive: the listener, then what a request speaks, which service it is for, who calls.

mod body;
mod call;
mod client;
mod compression;
mod connect;
mod connection;
mod content_type;
pub mod contract;
mod cors;
mod dispatch;
mod drain_body;
mod error;
pub mod files;
mod grpc;
mod health;
mod installed;
mod json;
mod listener;
mod once;
mod openapi;
mod parameters;
mod protocol;
mod quiet;
mod rest;
mod routes;
mod shown;
mod slots;
#[cfg(test)]
mod tests;

pub use body::{BODY_LIMIT, Unread, read_body};
pub use call::Deadline;
pub use client::ClientAddress;
pub use connection::GRACE;
pub use dispatch::{Peer, Server};
pub use health::Readiness;
pub use installed::{Installed, MakePages, MakePaths, RpcService, Services};
pub use listener::serve;

use http::{HeaderMap, HeaderName};

/// Copies what a handler said beside its message, leaving out what belongs to gRPC's own framing.
fn copy_metadata(from: &HeaderMap, into: &mut HeaderMap, prefix: &str) {
    for (name, value) in from {
        let plain = name.as_str();
        let framing = plain.starts_with("grpc-")
            || matches!(
                plain,
                "content-type"
                    | "content-length"
                    | "content-encoding"
                    | "transfer-encoding"
                    | "connection"
                    | "trailer"
                    | "date"
            );
        if framing {
            continue;
        }
        if prefix.is_empty() {
            into.append(name.clone(), value.clone());
        } else if let Ok(name) = HeaderName::try_from(format!("{prefix}{plain}")) {
            into.append(name, value.clone());
        }
    }
}
