//! What ringback decides, as pure functions: no clock, no randomness, no input or output of its own.
//!
//! What a caller asks for is a [`Command`]. [`decide()`] applies it to what is kept of the account, a [`Slot`],
//! and to [`Budgets`] at a [`Moment`] and says what comes of it; [`view()`] does so for reads. Everything that a rule can depend on is an argument, so every
//! rule can be tested without a server, and a decision that has to be repeated repeats exactly.

pub mod account;
pub mod audit;
mod caller;
pub mod challenge;
pub mod code;
pub mod command;
mod decide;
pub mod delivery;
pub mod event;
pub mod guard;
pub mod keys;
pub mod limit;
pub mod moment;
pub mod number;
mod plan;
pub mod policy;
mod profile;
pub mod refusal;
pub mod rights;
pub mod session;
mod target;
mod typed;
mod view;

pub use account::{Account, Deleted, Phone, PhoneState, Profile, Slot};
pub use caller::Caller;
pub use challenge::Challenge;
pub use code::Code;
pub use command::{
    Action, Change, CodeTimes, Command, Delivery, Guess, NumberText, Reply, Verification, Which,
};
pub use decide::{Decision, decide};
pub use event::{Event, EventDetail, Message, MessageKind};
pub use keys::Keys;
pub use limit::{Budget, Budgets};
pub use moment::{Id, Moment, Time};
pub use number::Number;
pub use policy::{Policies, Policy};
pub use refusal::Refusal;
pub use session::{NewSession, Proof, Session};
pub use target::Target;
pub use view::{view, view_proof};
