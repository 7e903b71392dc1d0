//! The secrets: versioned keys that codes are derived with, and one that makes numbers unreadable.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::audit::hex;
use crate::limit::network;
use crate::{Id, Number};

/// The secrets of an installation. `Debug` shows versions only.
#[derive(Clone)]
pub struct Keys {
    codes: BTreeMap<u32, [u8; 32]>,
    current: u32,
    pseudonyms: [u8; 32],
}

/// Bytes of a receipt's token: the message's id, the attempt, and half of a tag.
const RECEIPT_TOKEN: usize = 36;

/// Why a set of keys cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// The version that new codes shall use has no key.
    #[error("there is no code key of version {0}, which is to be the current one")]
    CurrentMissing(u32),
}

impl Keys {
    /// `codes`: 256-bit keys by version, of which `current` makes new codes and the others still verify
    /// codes that they made; `pseudonyms`: 256 bits that stay the same over rotations.
    pub fn new(
        codes: BTreeMap<u32, [u8; 32]>,
        current: u32,
        pseudonyms: [u8; 32],
    ) -> Result<Keys, KeysError> {
        if !codes.contains_key(&current) {
            return Err(KeysError::CurrentMissing(current));
        }
        Ok(Keys {
            codes,
            current,
            pseudonyms,
        })
    }

    /// The version that new challenges are made with.
    pub fn current(&self) -> u32 {
        self.current
    }

    /// The code key of a version; `None` once an operator has taken it away.
    pub(crate) fn code_key(&self, version: u32) -> Option<&[u8; 32]> {
        self.codes.get(&version)
    }

    /// A stable name for a number that does not tell the number: 32 hexadecimal digits, the first half
    /// of HMAC-SHA-256 over its E.164 form.
    pub fn pseudonym(&self, number: &Number) -> String {
        let mac = keyed(&self.pseudonyms, &[b"number", number.as_str().as_bytes()]);
        hex(&mac[..16])
    }

    /// A stable name for an account that does not tell it: as of a number.
    pub fn account_pseudonym(&self, organization: &str, account: &str) -> String {
        let parts: [&[u8]; 3] = [b"deleted", organization.as_bytes(), account.as_bytes()];
        let mac = keyed(&self.pseudonyms, &parts);
        hex(&mac[..16])
    }

    /// A stable name for a client address that does not tell it: as of a number. One for all that
    /// [`crate::limit::network`] takes for the same.
    pub fn address_pseudonym(&self, address: IpAddr) -> String {
        let mac = match network(address) {
            IpAddr::V4(address) => keyed(&self.pseudonyms, &[b"address", &address.octets()]),
            IpAddr::V6(address) => keyed(&self.pseudonyms, &[b"address", &address.octets()]),
        };
        hex(&mac[..16])
    }

    /// A stable name for numbers that begin alike, which does not tell how: 16 hexadecimal digits. Beside the mask of a
    /// number how it begins would leave two digits to be guessed.
    pub fn prefix_pseudonym(&self, prefix: &str) -> String {
        let mac = keyed(&self.pseudonyms, &[b"prefix", prefix.as_bytes()]);
        hex(&mac[..8])
    }

    /// A stable name for one share of an organisation's budgets: as of a number.
    pub fn share_pseudonym(&self, organization: &str, share: u32) -> String {
        let parts: [&[u8]; 3] = [
            b"organization",
            organization.as_bytes(),
            &share.to_be_bytes(),
        ];
        let mac = keyed(&self.pseudonyms, &parts);
        hex(&mac[..16])
    }

    /// A short name for an account among those that send to one number: 32 bits of HMAC-SHA-256. It tells
    /// neither the account nor that two numbers know the same one.
    pub(crate) fn account_tag(
        &self,
        organization: &str,
        account: &str,
        number: &Number,
    ) -> AccountTag {
        let parts = [
            organization.as_bytes(),
            account.as_bytes(),
            number.as_str().as_bytes(),
        ];
        let mac = keyed(
            &self.pseudonyms,
            &[b"account", parts[0], parts[1], parts[2]],
        );
        AccountTag(u32::from_be_bytes([mac[0], mac[1], mac[2], mac[3]]))
    }

    /// An HMAC-SHA-256 tag over something that a client carries for us and must not alter, such as the
    /// token of a next page. `purpose` keeps tags of one use from serving another.
    pub fn tag(&self, purpose: &str, content: &[u8]) -> [u8; 32] {
        keyed(&self.pseudonyms, &[b"tag", purpose.as_bytes(), content])
    }

    /// A number that is kept where none shall be read, beside the id that it is kept under and nothing else is: each
    /// of its bytes with one of HMAC-SHA-256 over the id. The same again brings it back.
    pub(crate) fn veil(&self, id: Id, number: &[u8]) -> Vec<u8> {
        let mask = keyed(&self.pseudonyms, &[b"veil", id.as_bytes()]);
        number
            .iter()
            .zip(mask)
            .map(|(byte, mask)| byte ^ mask)
            .collect()
    }

    /// What stands in the address that a provider tells of an attempt at: it cannot be guessed, and
    /// [`Keys::receipt_of`] reads it.
    pub fn receipt_token(&self, message: Id, attempt: u32) -> [u8; RECEIPT_TOKEN] {
        let mut token = [0; RECEIPT_TOKEN];
        token[..16].copy_from_slice(message.as_bytes());
        token[16..20].copy_from_slice(&attempt.to_be_bytes());
        let tag = self.tag("receipt", &token[..20]);
        token[20..].copy_from_slice(&tag[..16]);
        token
    }

    /// The message and the attempt that a token is for; `None` for one that is not ours.
    pub fn receipt_of(&self, token: &[u8]) -> Option<(Id, u32)> {
        let token: &[u8; RECEIPT_TOKEN] = token.try_into().ok()?;
        let tag = self.tag("receipt", &token[..20]);
        if !bool::from(tag[..16].ct_eq(&token[20..])) {
            return None;
        }
        let (mut id, mut attempt) = ([0; 16], [0; 4]);
        id.copy_from_slice(&token[..16]);
        attempt.copy_from_slice(&token[16..20]);
        Some((Id::from_bytes(id), u32::from_be_bytes(attempt)))
    }

    /// Keys with known content, for tests only: whoever knows them can derive every code.
    pub fn for_tests() -> Keys {
        Keys {
            codes: BTreeMap::from([(1, [1; 32])]),
            current: 1,
            pseudonyms: [2; 32],
        }
    }
}

/// [`Keys::account_tag`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub(crate) struct AccountTag(pub(crate) u32);

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys")
            .field("versions", &self.codes.keys())
            .field("current", &self.current)
            .finish_non_exhaustive()
    }
}

/// HMAC-SHA-256 over parts, each preceded by its length so that no two lists of parts read the same.
pub(crate) fn keyed(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // A key shorter than the hash's block is filled up with zeros (RFC 2104), here so that it cannot fail.
    let mut block = [0; 64];
    block[..32].copy_from_slice(key);
    let mut mac = <Hmac<Sha256> as KeyInit>::new(&block.into());
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipts_token_is_for_one_attempt_of_one_message() {
        let keys = Keys::for_tests();
        let id = Id::parse("01900000-0000-7000-8000-000000000001").expect("is an id");
        let token = keys.receipt_token(id, 3);
        assert_eq!(keys.receipt_of(&token), Some((id, 3)));
        for at in 0..token.len() {
            let mut other = token;
            other[at] ^= 1;
            assert_eq!(keys.receipt_of(&other), None, "{at}");
        }
        assert_eq!(keys.receipt_of(&token[..35]), None);
        assert_eq!(keys.receipt_of(&[]), None);
    }

    #[test]
    fn the_current_version_must_exist() {
        let codes = BTreeMap::from([(1, [1; 32])]);
        assert!(Keys::new(codes.clone(), 1, [2; 32]).is_ok());
        assert_eq!(
            Keys::new(codes, 2, [2; 32]).map(|_| ()),
            Err(KeysError::CurrentMissing(2))
        );
    }

    #[test]
    fn debug_shows_no_key() {
        let shown = format!("{:?}", Keys::for_tests());
        assert!(shown.contains("current: 1"));
        assert!(!shown.contains("[1, 1") && !shown.contains("[2, 2"));
    }

    #[test]
    fn parts_cannot_be_shifted() {
        let key = [3; 32];
        assert_ne!(keyed(&key, &[b"ab", b"c"]), keyed(&key, &[b"a", b"bc"]));
    }

    #[test]
    fn tags_depend_on_purpose_and_pseudonyms_on_the_number() {
        let keys = Keys::for_tests();
        assert_ne!(keys.tag("a", b"x"), keys.tag("b", b"x"));
        let one = keys.pseudonym(&Number::from_stored("+41791234567"));
        let two = keys.pseudonym(&Number::from_stored("+41791234568"));
        assert_eq!(one.len(), 32);
        assert_ne!(one, two);
        let number = Number::from_stored("+41791234567");
        let tag = |organization, account| keys.account_tag(organization, account, &number);
        assert_eq!(tag("acme", "ann"), tag("acme", "ann"));
        assert_ne!(tag("acme", "ann"), tag("acme", "bob"));
        assert_ne!(tag("acme", "ann"), tag("acm", "eann"));
    }
}
