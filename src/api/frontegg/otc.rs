//! The `otcToken`: names a challenge to whoever it was opened for, and means nothing to anybody else.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ringback_core::audit::hex;
use ringback_core::{Id, Keys};
use subtle::ConstantTimeEq;

/// What the code that comes with a token shall bring about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Verify,
    Remove,
}

impl Purpose {
    /// What tags are made for: a token of one purpose has no tag of the other.
    fn tagged(self) -> &'static str {
        match self {
            Purpose::Verify => "otc verify",
            Purpose::Remove => "otc remove",
        }
    }
}

/// What a token is about. It dies with the challenge, which the account alone keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Otc {
    pub(super) challenge: Id,
    pub(super) phone: Id,
}

const ID_BYTES: usize = 16;

impl Otc {
    /// The token for one user. The user's id is not in it, only bound by the tag.
    pub(super) fn write(self, keys: &Keys, purpose: Purpose, user: &str) -> String {
        let ids = [self.challenge.as_bytes().as_slice(), self.phone.as_bytes()].concat();
        let tag = keys.tag(purpose.tagged(), &[&ids, user.as_bytes()].concat());
        URL_SAFE_NO_PAD.encode([&ids[..], &tag].concat())
    }

    /// What a token of this user and purpose is about; `None` for any other text.
    pub(super) fn find(keys: &Keys, purpose: Purpose, user: &str, token: &str) -> Option<Otc> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (ids, tag) = bytes.split_at_checked(2 * ID_BYTES)?;
        let expected = keys.tag(purpose.tagged(), &[ids, user.as_bytes()].concat());
        if !bool::from(expected[..].ct_eq(tag)) {
            return None;
        }
        let (challenge, phone) = ids.split_at(ID_BYTES);
        Some(Otc {
            challenge: id(challenge)?,
            phone: id(phone)?,
        })
    }
}

fn id(bytes: &[u8]) -> Option<Id> {
    Id::parse(&hex(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_one_user_and_one_purpose() {
        let keys = Keys::for_tests();
        let otc = Otc {
            challenge: Id::parse("01940000000070008000000000000001").unwrap(),
            phone: Id::parse("01940000000070008000000000000002").unwrap(),
        };
        let token = otc.write(&keys, Purpose::Verify, "ann");
        let find = |purpose, user, token: &str| Otc::find(&keys, purpose, user, token);
        assert_eq!(find(Purpose::Verify, "ann", &token), Some(otc));
        assert_eq!(find(Purpose::Remove, "ann", &token), None);
        assert_eq!(find(Purpose::Verify, "bob", &token), None);
        assert_eq!(find(Purpose::Verify, "", &token), None);
        for at in 0..token.len() {
            let mut tampered = token.clone();
            let other = if &token[at..=at] == "A" { "B" } else { "A" };
            tampered.replace_range(at..=at, other);
            assert_eq!(find(Purpose::Verify, "ann", &tampered), None, "{at}");
        }
        for wrong in [
            "",
            "AAAA",
            &token[..40],
            &format!("{token}AAAA"),
            "not base64!",
        ] {
            assert_eq!(find(Purpose::Verify, "ann", wrong), None, "{wrong}");
        }
    }
}
