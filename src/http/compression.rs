//! Compressed messages: gzip, with the size limit on what comes out.

use std::io::Read;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, HeaderName, HeaderValue};
use tonic::Status;

use super::body::{BODY_LIMIT, Unread};

/// What is read, for the header that says so.
pub(super) const ACCEPTED: HeaderValue = HeaderValue::from_static("gzip");

/// How a message is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
}

impl Encoding {
    /// The encoding of this name, in any case; none is identity.
    pub(super) fn named(name: &[u8]) -> Result<Encoding, Status> {
        if name.is_empty() || name.eq_ignore_ascii_case(b"identity") {
            Ok(Encoding::Identity)
        } else if name.eq_ignore_ascii_case(b"gzip") {
            Ok(Encoding::Gzip)
        } else {
            Err(Status::unimplemented(
                "unknown compression: supported encodings are identity, gzip",
            ))
        }
    }

    /// The encoding that a header names.
    pub(super) fn of(headers: &HeaderMap, name: HeaderName) -> Result<Encoding, Status> {
        Encoding::named(headers.get(name).map_or(b"", |value| value.as_bytes()))
    }

    /// The message as it was before.
    pub(super) fn unpack(self, message: Bytes) -> Result<Bytes, Status> {
        if self == Encoding::Identity {
            return Ok(message);
        }
        let mut whole = Vec::new();
        let most = BODY_LIMIT as u64 + 1;
        MultiGzDecoder::new(&message[..])
            .take(most)
            .read_to_end(&mut whole)
            .map_err(|_| Status::invalid_argument("request body is not valid gzip"))?;
        if whole.len() > BODY_LIMIT {
            return Err(Unread::TooLarge(BODY_LIMIT).status());
        }
        Ok(whole.into())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tonic::Code;

    use super::*;

    fn packed(bytes: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap().into()
    }

    #[test]
    fn what_comes_out_is_bounded() {
        let gzip = Encoding::Gzip;
        assert_eq!(gzip.unpack(packed(b"abc")).unwrap(), "abc");
        assert_eq!(gzip.unpack(packed(b"")).unwrap(), "");
        let most = vec![b' '; BODY_LIMIT];
        assert_eq!(gzip.unpack(packed(&most)).unwrap().len(), BODY_LIMIT);
        let bomb = packed(&vec![0; 64 * BODY_LIMIT]);
        assert!(bomb.len() < BODY_LIMIT);
        let code = |bytes| gzip.unpack(bytes).unwrap_err().code();
        assert_eq!(code(bomb), Code::ResourceExhausted);
        assert_eq!(code(Bytes::from_static(b"abc")), Code::InvalidArgument);
        let cut = packed(b"abc").slice(..12);
        assert_eq!(code(cut), Code::InvalidArgument);
    }

    #[test]
    fn names_are_read_in_any_case() {
        for identity in [&b""[..], b"identity", b"Identity"] {
            assert_eq!(Encoding::named(identity).unwrap(), Encoding::Identity);
        }
        assert_eq!(Encoding::named(b"GZIP").unwrap(), Encoding::Gzip);
        let unknown = Encoding::named(b"br").unwrap_err();
        assert_eq!(unknown.code(), Code::Unimplemented);
    }
}
