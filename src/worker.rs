//! What happens without a request.

mod breaker;
mod callbacks;
mod carrier;
pub mod delivery;
mod endpoint;
mod hearing;
mod lane;
mod pace;
mod planner;
mod record;
mod routes;

pub use callbacks::Callbacks;
pub use delivery::{Delivery, DeliverySettings};
pub use endpoint::{Endpoint, endpoints};
pub use record::Recorder;
pub use routes::routes;
