//! How requests arrive: what every wire carries, TLS, and what clients may hold.

mod bounds;
pub mod tls;
pub mod wire;
