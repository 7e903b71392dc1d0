//! Keys as issuers publish them: JSON Web Keys (RFC 7517, RFC 7518).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

const MOST_KEYS: usize = 200;

/// A public key of an issuer's.
pub(super) struct Key {
    pub(super) id: Option<String>,
    kind: Kind,
    /// The only algorithm that the key is for, when the set says so.
    algorithm: Option<String>,
    pub(super) key: Arc<DecodingKey>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl Key {
    /// Whether signatures of this algorithm can be its.
    pub(super) fn serves(&self, algorithm: Algorithm) -> bool {
        let kind = match (self.kind, algorithm) {
            (Kind::Rsa, algorithm) => algorithm.family() == AlgorithmFamily::Rsa,
            (Kind::P256, algorithm) => algorithm == Algorithm::ES256,
            (Kind::P384, algorithm) => algorithm == Algorithm::ES384,
            (Kind::Ed25519, algorithm) => algorithm == Algorithm::EdDSA,
        };
        let named = self.algorithm.as_ref().is_none_or(|name| {
            // RFC 9864 names the curve, RFC 8037 does not.
            let ed25519 = self.kind == Kind::Ed25519 && name == "Ed25519";
            ed25519 || name.parse() == Ok(algorithm)
        });
        kind && named
    }

    /// `None` for what cannot verify a signature here: shared secrets, other curves, encryption keys.
    fn read(value: &Value) -> Option<Key> {
        let algorithm = value.get("alg").and_then(Value::as_str).map(str::to_owned);
        let mut jwk = Jwk::deserialize(value).ok()?;
        straighten(&mut jwk.algorithm)?;
        let kind = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => Kind::Rsa,
            AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => Kind::P256,
            AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P384 => Kind::P384,
            AlgorithmParameters::OctetKeyPair(ed) if ed.curve == EllipticCurve::Ed25519 => {
                Kind::Ed25519
            }
            _ => return None,
        };
        let common = &jwk.common;
        let signs = common
            .public_key_use
            .as_ref()
            .is_none_or(|purpose| *purpose == PublicKeyUse::Signature);
        let verifies = common
            .key_operations
            .as_ref()
            .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
        if !signs || !verifies {
            return None;
        }
        Some(Key {
            id: common.key_id.clone(),
            kind,
            algorithm,
            key: Arc::new(DecodingKey::from_jwk(&jwk).ok()?),
        })
    }
}

/// Numbers as RFC 7518 writes them, from how issuers do: with zeros or padding that do not belong there, or
/// without zeros that do.
fn straighten(parameters: &mut AlgorithmParameters) -> Option<()> {
    match parameters {
        AlgorithmParameters::RSA(rsa) => {
            rsa.n = number(&rsa.n, 0)?;
            rsa.e = number(&rsa.e, 0)?;
        }
        AlgorithmParameters::EllipticCurve(ec) => {
            let length = match ec.curve {
                EllipticCurve::P256 => 32,
                EllipticCurve::P384 => 48,
                _ => return None,
            };
            ec.x = number(&ec.x, length)?;
            ec.y = number(&ec.y, length)?;
        }
        _ => {}
    }
    Some(())
}

/// A number in base64url, of so many bytes at least and no zeros before more than that.
fn number(text: &str, length: usize) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = &bytes[zeros..];
    let mut whole = vec![0; length.saturating_sub(digits.len())];
    whole.extend_from_slice(digits);
    Some(URL_SAFE_NO_PAD.encode(whole))
}

/// Keys of kinds that we do not know are left out (RFC 7517, section 5), so that an issuer may add some.
pub(super) fn parse(content: &[u8]) -> Result<Vec<Key>, String> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    let set: Set = serde_json::from_slice(content)
        .map_err(|_| "is no JSON Web Key Set, which is {\"keys\": [...]}".to_owned())?;
    let keys: Vec<Key> = set
        .keys
        .iter()
        .take(MOST_KEYS)
        .filter_map(Key::read)
        .collect();
    if keys.is_empty() {
        return Err("holds no public key that signatures can be verified with".to_owned());
    }
    Ok(keys)
}
