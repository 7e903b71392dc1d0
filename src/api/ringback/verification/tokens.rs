//! What this service signs for users: tokens of sessions, handles of pages, results for back ends.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use ringback_core::{Account, Caller, Id, Keys, Session, Time};
use serde::{Deserialize, Serialize};
use serde_json::json;
use subtle::ConstantTimeEq;

use crate::auth::{Lets, OwnIssuer, SESSION, SESSION_ORGANIZATION};

/// Who signs tokens of sessions.
const ISSUER: &str = "ringback:session";
/// Who signs results, and for whom.
const RESULTS: &str = "ringback:result";
/// Seconds that a result holds.
const RESULT_SECONDS: i64 = 300;
/// The bytes of a handle's tag.
const TAG: usize = 16;

/// What a user brings back.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Outcome {
    iss: String,
    aud: String,
    /// The user.
    pub(super) sub: String,
    /// The user's organisation.
    pub(super) org_id: String,
    /// The session.
    pub(super) sid: String,
    /// The id of the number that was proven.
    pub(super) phone_id: String,
    iat: i64,
    exp: i64,
}

/// Signs and reads them.
pub(super) struct Tokens {
    sessions: [u8; 32],
    results: [u8; 32],
    keys: Keys,
}

impl Tokens {
    pub(super) fn of(keys: &Keys) -> Tokens {
        Tokens {
            sessions: keys.tag("session", b""),
            results: keys.tag("result", b""),
            keys: keys.clone(),
        }
    }

    pub(super) fn issuer(&self) -> OwnIssuer {
        OwnIssuer {
            name: ISSUER.to_owned(),
            key: self.sessions,
            lets: Lets::Session,
        }
    }

    /// The token of a session; `None` where it cannot be signed, which does not happen.
    pub(super) fn session(
        &self,
        account: &Account,
        session: &Session,
        now: Time,
    ) -> Option<String> {
        let claims = json!({
            "iss": ISSUER,
            "aud": OwnIssuer::AUDIENCE,
            "sub": account.id,
            SESSION_ORGANIZATION: account.organization,
            SESSION: session.id.to_string(),
            "iat": seconds(now),
            "exp": seconds(session.until),
        });
        sign(&claims, &self.sessions)
    }

    /// What a page without scripts takes a session by: the session, whose it is, and a tag over both. It stands in
    /// an address, so it works once, and tells no number.
    pub(super) fn handle(&self, account: &Account, session: Id) -> String {
        let session = URL_SAFE_NO_PAD.encode(session.as_bytes());
        // The shape of a text is not lost on the way: no character stands for itself twice.
        let whose = json!([account.organization, account.id, session]).to_string();
        let tag = self.keys.tag("handle", whose.as_bytes());
        URL_SAFE_NO_PAD.encode([&tag[..TAG], whose.as_bytes()].concat())
    }

    /// Who comes with a handle; `None` where it is not of ours.
    pub(super) fn of_handle(&self, handle: &str) -> Option<Caller> {
        let bytes = URL_SAFE_NO_PAD.decode(handle).ok()?;
        let (tag, whose) = bytes.split_at_checked(TAG)?;
        let right = self.keys.tag("handle", whose);
        if !bool::from(right[..TAG].ct_eq(tag)) {
            return None;
        }
        let (organization, user, session): (String, String, String) =
            serde_json::from_slice(whose).ok()?;
        let session = URL_SAFE_NO_PAD.decode(session).ok()?.try_into().ok()?;
        Some(Caller {
            session: Some(Id::from_bytes(session)),
            ..Caller::new(user, organization)
        })
    }

    /// What a user brings back who has proven a number.
    pub(super) fn result(
        &self,
        account: &Account,
        session: &Session,
        phone: Id,
        now: Time,
    ) -> Option<String> {
        let outcome = Outcome {
            iss: RESULTS.to_owned(),
            aud: RESULTS.to_owned(),
            sub: account.id.clone(),
            org_id: account.organization.clone(),
            sid: session.id.to_string(),
            phone_id: phone.to_string(),
            iat: seconds(now),
            exp: seconds(now) + RESULT_SECONDS,
        };
        sign(&outcome, &self.results)
    }

    /// What such a text says; `None` where it is not of ours, or too old.
    pub(super) fn of_result(&self, text: &str, now: Time) -> Option<Outcome> {
        let mut rules = Validation::new(OwnIssuer::ALGORITHM);
        rules.set_audience(&[RESULTS]);
        rules.set_issuer(&[RESULTS]);
        // By the clock that everything is decided by.
        rules.validate_exp = false;
        let key = DecodingKey::from_secret(&self.results);
        let read = jsonwebtoken::decode::<Outcome>(text, &key, &rules).ok()?;
        (seconds(now) < read.claims.exp).then_some(read.claims)
    }
}

fn sign(claims: &impl Serialize, key: &[u8; 32]) -> Option<String> {
    let key = EncodingKey::from_secret(key);
    jsonwebtoken::encode(&Header::new(OwnIssuer::ALGORITHM), claims, &key).ok()
}

fn seconds(at: Time) -> i64 {
    at.0.div_euclid(1_000_000)
}
