//! What a token is worth here, in words, for who holds it and wonders.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ringback_core::rights::Rights;
use ringback_core::{Caller, Time};
use serde_json::Value;

use super::fault::Fault;
use super::issuer::Issuer;
use super::{Auth, TOKEN_BYTES, Unverified};

impl Auth {
    /// Who a token's bearer is and what they may, one line for each; or why it is refused. Tells what the
    /// token says, and neither the token nor a key.
    pub async fn explain(&self, token: &str) -> Result<Vec<String>, String> {
        let now = (self.clock)();
        let token = token.trim();
        let issuer = self.issuer_of(token);
        match self.verify(token, now).await {
            Ok((caller, expires_at)) => Ok(lines(&caller, issuer, expires_at)),
            Err(fault) => Err(self.in_words(&fault, token, issuer)),
        }
    }

    /// The issuer that a token claims to be of.
    pub(super) fn issuer_of(&self, token: &str) -> Option<&Issuer> {
        if token.len() > TOKEN_BYTES {
            return None;
        }
        let unverified = jsonwebtoken::dangerous::insecure_decode::<Unverified>(token).ok()?;
        let trusted = self.issuers.get(&unverified.claims.iss)?;
        Some(&trusted.issuer)
    }

    fn in_words(&self, fault: &Fault, token: &str, issuer: Option<&Issuer>) -> String {
        let (audiences, algorithms) = issuer.map(Issuer::accepts).unwrap_or_default();
        let entry = issuer.map_or("", Issuer::entry);
        match fault {
            Fault::Unavailable => {
                format!("the keys of the issuer {entry} cannot be read now, so nobody can tell")
            }
            Fault::TooLong => format!("it has more than {TOKEN_BYTES} characters"),
            Fault::NoJwt => no_jwt(token),
            Fault::UnknownIssuer(there) => {
                let mut known: Vec<&str> = self.issuers.keys().map(String::as_str).collect();
                known.sort_unstable();
                format!(
                    "its issuer (`iss`) is {}, which is not configured; expected is {}, letter by letter",
                    shown(there),
                    any_of(&known)
                )
            }
            Fault::Algorithm(there) => {
                let expected: Vec<String> = algorithms.iter().map(|a| format!("{a:?}")).collect();
                let place = format!("auth.issuers.{entry}.algorithms");
                format!(
                    "its algorithm is {there:?}; {place} has {}",
                    any_of(&expected)
                )
            }
            Fault::CriticalHeader => {
                "its header has `crit`: it asks for an extension that is not understood".to_owned()
            }
            Fault::UnknownKey(Some(id)) => format!(
                "its key id (`kid`) {} is not among the keys of the issuer {entry}, or is of a key that does \
                 not fit its algorithm",
                shown(id)
            ),
            Fault::UnknownKey(None) => format!(
                "it names no key id (`kid`), and the issuer {entry} has no key that fits its algorithm"
            ),
            Fault::Signature => format!(
                "its signature is not by the key of the issuer {entry}, or it was changed after it was signed"
            ),
            Fault::AnotherIssuer => "its issuer (`iss`) is given in more than one way".to_owned(),
            Fault::AnotherAudience(there) => {
                let place = format!("auth.issuers.{entry}.audiences");
                let there = match there.is_empty() {
                    true => "it has no audience (`aud`)".to_owned(),
                    false => format!("its audience (`aud`) is {}", any_of(there)),
                };
                format!("{there}; {place} has {}", any_of(audiences))
            }
            Fault::NoExpiry => "it has no expiry (`exp`)".to_owned(),
            Fault::ExpiryForm => "its expiry (`exp`) is no number".to_owned(),
            Fault::Expired(since) => format!("it expired at {}", date(*since)),
            Fault::BeginningForm => "its beginning (`nbf`) is no number".to_owned(),
            Fault::NotYet(from) => format!("it is not valid before {}", date(*from)),
            Fault::Claims(reason) => claims_in_words(reason),
        }
    }
}

fn lines(caller: &Caller, issuer: Option<&Issuer>, expires_at: Option<Time>) -> Vec<String> {
    let mut lines = vec![
        format!("issuer: {}", issuer.map_or("", Issuer::entry)),
        format!("user: {}", shown(&caller.user)),
        format!("organisation: {}", shown(&caller.home)),
    ];
    if caller.everywhere.any() {
        lines.push(format!(
            "may in every organisation: {}",
            named(caller.everywhere)
        ));
    }
    for (organization, rights) in caller.local.iter() {
        lines.push(format!(
            "may in {}: {}",
            shown(organization),
            named(*rights)
        ));
    }
    if !caller.everywhere.any() && caller.local.is_empty() {
        let may = match caller.session {
            None => "may: act on the own account, and nothing else",
            Some(_) => "may: set, resend and verify the own number by a session, and nothing else",
        };
        lines.push(may.to_owned());
    }
    if !caller.scopes.is_empty() {
        lines.push(format!("scopes: {}", shown(&caller.scopes.join(" "))));
    }
    match caller.issued_at {
        Some(at) => lines.push(format!("issued at: {}", date(at))),
        None => lines.push("issued at: not said (`iat`)".to_owned()),
    }
    lines.extend(expires_at.map(|at| format!("expires at: {}", date(at))));
    lines
}

fn named(rights: Rights) -> String {
    let all = [
        ("user.read", rights.read),
        ("user.write", rights.write),
        ("user.delete", rights.delete),
        ("sms.read", rights.read_messages),
        ("sms.write", rights.write_messages),
        ("guard.read", rights.read_guard),
        ("guard.write", rights.write_guard),
        ("audit.read", rights.read_audit),
    ];
    let held: Vec<&str> = all
        .iter()
        .filter(|(_, held)| *held)
        .map(|(name, _)| *name)
        .collect();
    held.join(" ")
}

/// What is wrong with a text that could not be read as a token.
fn no_jwt(token: &str) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, _] = parts.as_slice() else {
        return format!(
            "it is no JWT: it has {} parts between dots, not 3",
            if token.is_empty() { 0 } else { parts.len() }
        );
    };
    let read = |part: &str| -> Option<Value> {
        let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
        serde_json::from_slice(&bytes).ok()
    };
    let (header, claims) = (read(header), read(claims));
    match (header, claims) {
        (None, _) => "it is no JWT: its first part is no base64url of JSON".to_owned(),
        (_, None) => "it is no JWT: its second part is no base64url of JSON".to_owned(),
        (Some(header), Some(claims)) if claims["iss"].is_string() => match header["alg"].as_str() {
            Some(algorithm) => format!(
                "its algorithm is {}, which is not accepted",
                shown(algorithm)
            ),
            None => "its header names no algorithm (`alg`)".to_owned(),
        },
        (Some(_), Some(_)) => "it names no issuer (`iss`)".to_owned(),
    }
}

fn claims_in_words(reason: &str) -> String {
    match reason {
        "no subject" => "it names no user (`sub`)".to_owned(),
        "no organisation" => {
            "it names no organisation, and another issuer's users may be those of the default \
             one; see organization and organization_claim of its issuer"
                .to_owned()
        }
        "an organisation of another issuer" => {
            "it names an organisation that is the organization of another issuer".to_owned()
        }
        other => format!("it holds {other}"),
    }
}

fn any_of(texts: &[impl AsRef<str>]) -> String {
    let all: Vec<String> = texts.iter().map(|text| shown(text.as_ref())).collect();
    all.join(" or ")
}

/// A text of a stranger's, so that it cannot pass for another line or move the cursor.
fn shown(text: &str) -> String {
    let short: String = text.chars().take(200).collect();
    format!("\"{}\"", short.escape_debug())
}

/// As RFC 3339 writes it.
fn date(time: Time) -> String {
    let seconds = time.0.div_euclid(1_000_000);
    prost_types::Timestamp { seconds, nanos: 0 }.to_string()
}
