//! Receipts: what a provider tells later of a message that it took.

use http::HeaderMap;
use ringback_core::delivery::Arrival;

/// A request to the address that a provider was given for receipts, whose token was checked already: it says
/// which message, and which attempt, the receipt is about. Or one to the address of what people write back.
#[derive(Clone, Copy)]
pub struct ReceiptRequest<'a> {
    /// `GET`, `POST`, ….
    pub method: &'a str,
    /// The address as the provider was given it, with what it has appended: what some sign.
    pub url: &'a str,
    /// The query, without its question mark; may be empty.
    pub query: &'a str,
    /// The header fields.
    pub headers: &'a HeaderMap,
    /// The body; may be empty.
    pub body: &'a [u8],
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// What became of it.
    pub arrival: Arrival,
    /// Why, in plain words; may be empty. Never holds a number or a text.
    pub reason: String,
    /// What tells it from another one, where the provider says; a repeat is refused once it was noted.
    pub once: Option<String>,
}

/// Why a receipt was not taken, or what somebody wrote back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// The route sends none.
    #[error("this route sends no receipts")]
    NoReceipts,
    /// The route cannot show that what people write back is from its provider.
    #[error(
        "this route takes nothing that people write back: it has no way to know that it is from the provider"
    )]
    NoInbound,
    /// It is not signed by the provider, or too long ago.
    #[error("the signature does not hold: {0}")]
    Signature(&'static str),
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Malformed(&'static str),
}
