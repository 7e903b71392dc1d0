//! Why a token is not accepted.

use jsonwebtoken::Algorithm;
use ringback_core::Time;

/// Why a token is not accepted. What it holds of the token is for who checks a token of their own, never
/// for the log: see [`Fault::reason`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The keys that would tell cannot be had now.
    Unavailable,
    TooLong,
    NoJwt,
    UnknownIssuer(String),
    Algorithm(Algorithm),
    CriticalHeader,
    /// The key id that the token names, if it names one.
    UnknownKey(Option<String>),
    Signature,
    AnotherIssuer,
    /// Those that are there.
    AnotherAudience(Vec<String>),
    NoExpiry,
    ExpiryForm,
    Expired(Time),
    BeginningForm,
    NotYet(Time),
    /// The token is valid, and says something about its bearer that cannot be.
    Claims(&'static str),
}

impl Fault {
    /// For the log; names no part of the token.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Fault::Unavailable => "keys away",
            Fault::TooLong => "too long",
            Fault::NoJwt => "no JWT with an issuer",
            Fault::UnknownIssuer(_) => "unknown issuer",
            Fault::Algorithm(_) => "algorithm not accepted",
            Fault::CriticalHeader => "critical header",
            Fault::UnknownKey(_) => "unknown key",
            Fault::Signature => "signature or form",
            Fault::AnotherIssuer => "another issuer",
            Fault::AnotherAudience(_) => "another audience",
            Fault::NoExpiry => "no expiry",
            Fault::ExpiryForm => "an expiry that is no number",
            Fault::Expired(_) => "expired",
            Fault::BeginningForm => "a beginning that is no number",
            Fault::NotYet(_) => "not valid yet",
            Fault::Claims(reason) => reason,
        }
    }
}
