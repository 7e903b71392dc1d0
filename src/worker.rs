//! What happens without a request.

mod breaker;
mod callbacks;
mod carrier;
pub mod delivery;
mod hearing;
mod lane;
mod pace;
mod planner;
mod routes;

pub use callbacks::Callbacks;
pub use delivery::{Delivery, DeliverySettings};
pub use routes::routes;
