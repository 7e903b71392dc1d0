//! Twilio's signature of what it posts: HMAC-SHA-1 of the address and the form.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::Url;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::{ReceiptError, ReceiptRequest};

const HEADER: &str = "x-twilio-signature";
/// Names a newer way of signing, with a key that we do not have.
const SETTINGS: &str = "x-twilio-webhooks-signature-settings";
const BODY_HASH: &str = "bodySHA256";

/// Whether a request is from whoever has the account's token.
pub(super) fn check(request: &ReceiptRequest<'_>, token: &str) -> Result<(), ReceiptError> {
    if request.headers.contains_key(SETTINGS) {
        return Err(ReceiptError::Signature(
            "it is signed in Twilio's newer way, with a shared key: switch that off for this account",
        ));
    }
    let given = request.headers.get(HEADER);
    let given = given.ok_or(ReceiptError::Signature("X-Twilio-Signature is missing"))?;
    let given = STANDARD.decode(given.as_bytes()).unwrap_or_default();
    let hash = body_hash(request.query);
    let form = match hash {
        Some(_) => String::new(),
        None => sorted(request.body),
    };
    let holds = addresses(request.url).into_iter().any(|address| {
        // A key may have any length.
        Hmac::<Sha1>::new_from_slice(token.as_bytes()).is_ok_and(|mac| {
            let mac = mac.chain_update(address).chain_update(&form);
            mac.verify_slice(&given).is_ok()
        })
    });
    if !holds {
        return Err(ReceiptError::Signature(
            "it does not fit auth_token and the address that Twilio was given",
        ));
    }
    match hash {
        Some(hash) if !hash.eq_ignore_ascii_case(&hex(&Sha256::digest(request.body))) => {
            Err(ReceiptError::Signature("bodySHA256 does not fit the body"))
        }
        Some(_) | None => Ok(()),
    }
}

/// What the address says of a body that is no form.
fn body_hash(query: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let found = pairs.find(|(name, _)| name == BODY_HASH);
    found.map(|(_, value)| value.into_owned())
}

/// Names and values of a form, without anything between them: names by their bytes, and each of the different
/// values of one name.
fn sorted(body: &[u8]) -> String {
    let mut fields: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        fields.entry(name).or_default().insert(value);
    }
    let pairs = fields.iter();
    let pairs = pairs.flat_map(|(name, values)| values.iter().map(move |value| [name, value]));
    pairs.flatten().map(AsRef::as_ref).collect()
}

/// How Twilio may have written an address: as it was given, with its port and without, and each with the query
/// written anew.
fn addresses(given: &str) -> Vec<String> {
    let mut all = vec![given.to_owned()];
    if let Ok(url) = Url::parse(given) {
        let port = url.port_or_known_default();
        let from = given.find("://").map_or(0, |at| at + 3);
        let end = given[from..]
            .find(['/', '?', '#'])
            .map_or(given.len(), |at| from + at);
        let (scheme, rest) = (&given[..from], &given[end..]);
        let host = url.host_str().unwrap_or_default();
        all.push(format!("{scheme}{host}{rest}"));
        all.extend(port.map(|port| format!("{scheme}{host}:{port}{rest}")));
    }
    let anew: Vec<String> = all
        .iter()
        .filter_map(|address| query_anew(address))
        .collect();
    all.extend(anew);
    all
}

/// An address with its query read and written again: a sender that does so encodes other characters.
fn query_anew(address: &str) -> Option<String> {
    let (before, query) = address.split_once('?')?;
    let mut again = form_urlencoded::Serializer::new(String::new());
    again.extend_pairs(form_urlencoded::parse(query.as_bytes()));
    Some(format!("{before}?{}", again.finish()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
