//! The addresses that providers tell of messages at.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ringback_core::{Id, Keys};

/// Addresses below one that providers reach.
#[derive(Clone, Debug)]
pub struct Callbacks {
    public_url: String,
}

impl Callbacks {
    /// Below this address.
    pub fn new(public_url: &str) -> Callbacks {
        Callbacks {
            public_url: public_url.trim_end_matches('/').to_owned(),
        }
    }

    /// Where a route tells of one attempt. It cannot be guessed.
    pub fn of(&self, keys: &Keys, route: &str, message: Id, attempt: u32) -> String {
        let token = URL_SAFE_NO_PAD.encode(keys.receipt_token(message, attempt));
        self.at(route, &token)
    }

    /// Where a route passes on what people write back.
    pub fn inbound(&self, route: &str) -> String {
        format!("{}/sms/inbound/{route}", self.public_url)
    }

    /// The address that has this token in it.
    pub fn at(&self, route: &str, token: &str) -> String {
        format!("{}/sms/receipts/{route}/{token}", self.public_url)
    }
}
