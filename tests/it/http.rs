//! How requests arrive: what every wire carries, TLS, and what clients may hold.

mod bounds;
mod conformance;
mod contract;
mod early_answers;
pub mod tls;
pub mod wire;
