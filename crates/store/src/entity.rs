//! The tables as sea-orm sees them.

pub(crate) mod accounts;
pub(crate) mod budgets;
pub(crate) mod events;
pub(crate) mod outbox;
pub(crate) mod phone_numbers;
