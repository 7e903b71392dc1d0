//! How requests arrive: what every wire carries, and TLS.

pub mod tls;
pub mod wire;
