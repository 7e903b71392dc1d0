//! How requests arrive: the listener, what a request speaks and which service it is for, gRPC, Connect and JSON.

mod dispatch;
mod drain_body;
mod grpc;
mod health;
mod listener;
pub mod transcode;

pub use dispatch::{BODY_LIMIT, Peer, Server, Services};
pub use grpc::Deadline;
pub use listener::{GRACE, serve};
