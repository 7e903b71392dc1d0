//! What happens without a request.

pub mod delivery;
mod messages;

pub use delivery::{Delivery, DeliverySettings};
pub use messages::Texts;
