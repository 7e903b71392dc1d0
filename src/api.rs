//! What is served: one module for each API, which knows `http` and `shared` and no other API.

pub mod frontegg;
pub mod inbox;
pub mod reachfive;
pub mod receipts;
pub mod ringback;
pub mod shared;
pub mod zitadel;
