//! What ringback decides, as pure functions: no clock, no randomness, no input or output of its own.
//!
//! A caller's wish is a [`Command`]. [`decide`] applies it to an [`Account`] and its [`Budgets`] at a
//! [`Moment`] and says what comes of it. Everything that a rule can depend on is an argument, so every
//! rule can be tested without a server, and a decision that has to be repeated repeats exactly.

pub mod account;
pub mod challenge;
pub mod code;
pub mod command;
mod decide;
pub mod event;
pub mod keys;
pub mod limit;
pub mod moment;
pub mod number;
pub mod policy;
pub mod refusal;
pub mod rights;
mod typed;

pub use account::{Account, Phone, PhoneState, Profile};
pub use challenge::Challenge;
pub use code::Code;
pub use command::{Action, Caller, CodeTimes, Command, Delivery, Reply, Verification};
pub use decide::{Decision, decide};
pub use event::{Event, Message, MessageKind};
pub use keys::Keys;
pub use limit::{Budget, Budgets};
pub use moment::{Id, Moment, Time};
pub use number::Number;
pub use policy::Policy;
pub use refusal::Refusal;
