//! The record's chain: what hashes, tags and checkpoints of events are made of, so that anybody can make them again.

use sha2::{Digest, Sha256};

use crate::Keys;

/// A SHA-256.
pub type Hash = [u8; 32];

/// What stands for the hash before the first one.
pub const NONE_BEFORE: Hash = [0; 32];

/// Bytes of a salt: half are random, half are a tag that only whoever has the keys can make.
pub const SALT: usize = 32;

/// Fields in an order, each preceded by its length: 4 bytes, the largest first, of which 0xFFFFFFFF stands for
/// a field that is absent. No two lists of fields read the same.
struct Fields(Vec<u8>);

impl Fields {
    fn new() -> Fields {
        Fields(Vec::with_capacity(256))
    }

    fn bytes(mut self, field: &[u8]) -> Fields {
        let length = u32::try_from(field.len()).unwrap_or(u32::MAX - 1);
        self.0.extend(length.to_be_bytes());
        self.0.extend(field);
        self
    }

    fn text(self, field: &str) -> Fields {
        self.bytes(field.as_bytes())
    }

    fn maybe(mut self, field: Option<&str>) -> Fields {
        match field {
            Some(field) => self.text(field),
            None => {
                self.0.extend([0xff; 4]);
                self
            }
        }
    }

    fn number(self, field: i64) -> Fields {
        self.text(&field.to_string())
    }
}

/// What stays of an event for good: it names nobody.
#[derive(Clone, Copy, Debug)]
pub struct Lasting<'a> {
    /// The event's id.
    pub id: &'a str,
    /// The account's organisation.
    pub organization: &'a str,
    /// The account's count of events, or 0.
    pub sequence: i64,
    /// Microseconds since 1970.
    pub at: i64,
    /// What happened.
    pub kind: &'a str,
    /// Why.
    pub cause: Option<&'a str>,
    /// How often.
    pub count: i64,
}

impl Lasting<'_> {
    fn fields(&self) -> Vec<u8> {
        Fields::new()
            .text(self.id)
            .text(self.organization)
            .number(self.sequence)
            .number(self.at)
            .text(self.kind)
            .maybe(self.cause)
            .number(self.count)
            .0
    }
}

/// What of an event can be erased without breaking the chain.
#[derive(Clone, Copy, Debug)]
pub struct Erasable<'a> {
    /// The account.
    pub user: &'a str,
    /// Whose token asked for it.
    pub actor: &'a str,
    /// [`Keys::pseudonym`] of the number that it was about.
    pub number_pseudonym: Option<&'a str>,
    /// [`crate::Number::masked`] of it.
    pub number_mask: Option<&'a str>,
    /// The detail, as the JSON text that is kept.
    pub detail: Option<&'a str>,
}

impl Erasable<'_> {
    fn fields(&self) -> Vec<u8> {
        Fields::new()
            .text(self.user)
            .text(self.actor)
            .maybe(self.number_pseudonym)
            .maybe(self.number_mask)
            .maybe(self.detail)
            .0
    }

    /// SHA-256(salt ‖ fields): it tells nothing once the salt is gone.
    pub fn commitment(&self, salt: &[u8]) -> Hash {
        Sha256::new()
            .chain_update(salt)
            .chain_update(self.fields())
            .finalize()
            .into()
    }
}

/// SHA-256(previous ‖ lasting fields ‖ commitment): `previous` is the hash of the same account's event before it.
pub fn event_hash(previous: &Hash, lasting: &Lasting<'_>, commitment: &Hash) -> Hash {
    Sha256::new()
        .chain_update(previous)
        .chain_update(lasting.fields())
        .chain_update(commitment)
        .finalize()
        .into()
}

/// One more hash after a chain: SHA-256(chain ‖ hash).
pub fn chained(chain: &Hash, hash: &Hash) -> Hash {
    Sha256::new()
        .chain_update(chain)
        .chain_update(hash)
        .finalize()
        .into()
}

/// The root of an organisation's events: SHA-256(root before ‖ hashes of the events since, in order).
#[derive(Clone)]
pub struct Root(Sha256);

impl Root {
    /// After the root before, which is [`NONE_BEFORE`] for the first.
    pub fn after(before: &Hash) -> Root {
        Root(Sha256::new().chain_update(before))
    }

    /// One more event.
    pub fn add(&mut self, hash: &Hash) {
        self.0.update(hash);
    }

    /// The root.
    pub fn finish(self) -> Hash {
        self.0.finalize().into()
    }
}

/// What a checkpoint says: these are the organisation's events up to a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The organisation.
    pub organization: String,
    /// The last position of the whole record that it covers.
    pub position: i64,
    /// When it was made, microseconds since 1970.
    pub at: i64,
    /// How many events the organisation has had up to there.
    pub count: i64,
    /// [`Root`] of those since its checkpoint before.
    pub root: Hash,
}

impl Checkpoint {
    /// What is signed.
    pub fn signed_bytes(&self) -> Vec<u8> {
        Fields::new()
            .text("ringback.checkpoint.1")
            .text(&self.organization)
            .number(self.position)
            .number(self.at)
            .number(self.count)
            .bytes(&self.root)
            .0
    }
}

impl Keys {
    /// The seed of the Ed25519 key that checkpoints are signed with. It stays as long as the key for pseudonyms.
    pub fn checkpoint_seed(&self) -> [u8; 32] {
        self.tag("checkpoint", b"")
    }

    /// A salt for an event at a position: 16 fresh bytes, and a tag of them, the place and the content. Nobody
    /// without the keys can write an event that has such a salt, or put one elsewhere.
    pub fn event_salt(
        &self,
        fresh: [u8; 16],
        position: i64,
        previous: &Hash,
        (lasting, erasable): (&Lasting<'_>, &Erasable<'_>),
    ) -> [u8; SALT] {
        let tagged = Fields::new()
            .bytes(&fresh)
            .number(position)
            .bytes(previous)
            .bytes(&lasting.fields())
            .bytes(&erasable.fields());
        let mut salt = [0; SALT];
        salt[..16].copy_from_slice(&fresh);
        salt[16..].copy_from_slice(&self.tag("event", &tagged.0)[..16]);
        salt
    }

    /// What says that a chain over the whole record, up to a position, is our own.
    pub fn seal(&self, position: i64, chain: &Hash) -> Hash {
        self.tag("seal", &Fields::new().number(position).bytes(chain).0)
    }
}

/// As lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)].into());
        text.push(DIGITS[usize::from(byte & 15)].into());
    }
    text
}

/// Reads [`hex`] of so many bytes; `None` for anything else.
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let text = text.as_bytes();
    if text.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LASTING: Lasting<'_> = Lasting {
        id: "01900000-0000-7000-8000-000000000001",
        organization: "acme",
        sequence: 3,
        at: 1_700_000_000_000_000,
        kind: "phone.verified",
        cause: None,
        count: 1,
    };
    const ERASABLE: Erasable<'_> = Erasable {
        user: "ann",
        actor: "ann",
        number_pseudonym: Some("0123"),
        number_mask: Some("+4179•••••67"),
        detail: None,
    };

    /// Computed with Python's hashlib from what docs/AUDIT.md says.
    #[test]
    fn hashes_are_what_the_page_says() {
        let commitment = ERASABLE.commitment(&[7; SALT]);
        let hash = event_hash(&NONE_BEFORE, &LASTING, &commitment);
        let shown = [commitment, hash].map(|hash| hex(&hash));
        assert_eq!(
            shown,
            [
                "7f88b8541462c65dc6699427250438a093cccef4c3b72f7259f7e05f0635b4d1",
                "f7a1078c1b81bacff5923dd1c4348927ffa085d839d9a963ad6264fcb9cc9a85",
            ]
        );
        let mut root = Root::after(&NONE_BEFORE);
        root.add(&hash);
        assert_eq!(root.finish(), chained(&NONE_BEFORE, &hash));
    }

    #[test]
    fn every_field_counts() {
        let hash = |lasting: Lasting<'_>| event_hash(&NONE_BEFORE, &lasting, &NONE_BEFORE);
        let others = [
            Lasting { id: "x", ..LASTING },
            Lasting {
                organization: "x",
                ..LASTING
            },
            Lasting {
                sequence: 4,
                ..LASTING
            },
            Lasting { at: 0, ..LASTING },
            Lasting {
                kind: "x",
                ..LASTING
            },
            Lasting {
                cause: Some(""),
                ..LASTING
            },
            Lasting {
                count: 2,
                ..LASTING
            },
        ];
        for other in others {
            assert_ne!(hash(other), hash(LASTING), "{other:?}");
        }
        let others = [
            Erasable {
                user: "x",
                ..ERASABLE
            },
            Erasable {
                actor: "x",
                ..ERASABLE
            },
            Erasable {
                number_pseudonym: None,
                ..ERASABLE
            },
            Erasable {
                number_mask: None,
                ..ERASABLE
            },
            Erasable {
                detail: Some(""),
                ..ERASABLE
            },
        ];
        let keys = Keys::for_tests();
        let salt = |position, erasable: &Erasable<'_>| {
            keys.event_salt([1; 16], position, &NONE_BEFORE, (&LASTING, erasable))
        };
        for other in others {
            assert_ne!(
                other.commitment(&[1]),
                ERASABLE.commitment(&[1]),
                "{other:?}"
            );
            assert_ne!(salt(1, &other), salt(1, &ERASABLE), "{other:?}");
        }
        assert_ne!(salt(1, &ERASABLE), salt(2, &ERASABLE));
        assert_ne!(keys.seal(1, &NONE_BEFORE), keys.seal(2, &NONE_BEFORE));
    }

    #[test]
    fn hexadecimal_digits_are_read_back() {
        assert_eq!(hex(&[0, 0x9f, 0xff]), "009fff");
        assert_eq!(unhex("009fff"), Some([0, 0x9f, 0xff]));
        for wrong in ["009ff", "009FFF", "009ffg", ""] {
            assert_eq!(unhex::<3>(wrong), None, "{wrong}");
        }
    }
}
