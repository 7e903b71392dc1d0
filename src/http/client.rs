//! Where a request came from: its peer, or whom a trusted proxy speaks for.

use std::net::IpAddr;
use std::sync::Once;

use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use super::Peer;
use crate::auth::CLIENT_ADDRESS;
use crate::config::Network;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The address of whoever sent a request, in its extensions.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

/// Notes where a request came from, in its extensions, and for whoever reads tokens in a header. There only where it
/// is somebody's own: a proxy that does not say for whom it asks may ask for everybody.
pub(super) fn note(head: &mut Parts, trusted: &[Network]) {
    head.headers.remove(CLIENT_ADDRESS);
    let Some(Peer(peer)) = head.extensions.get::<Peer>().copied() else {
        return;
    };
    if !is_among(peer.ip(), trusted) {
        warn_of_unlisted(peer.ip(), &head.headers);
    }
    let client = address(peer.ip(), &head.headers, trusted);
    head.extensions.insert(client);
    let ClientAddress(client) = client;
    let text = HeaderValue::try_from(client.to_string());
    if let Some(text) = text.ok().filter(|_| !is_among(client, trusted)) {
        head.headers.insert(CLIENT_ADDRESS, text);
    }
}

/// Says once that users behind a proxy are all counted as one.
fn warn_of_unlisted(peer: IpAddr, headers: &HeaderMap) {
    static SAID: Once = Once::new();
    let near = match peer.to_canonical() {
        IpAddr::V4(peer) => peer.is_loopback() || peer.is_private() || peer.is_link_local(),
        IpAddr::V6(peer) => peer.is_loopback() || peer.is_unique_local(),
    };
    if near && headers.contains_key(FORWARDED_FOR) {
        SAID.call_once(|| {
            tracing::warn!(
                %peer,
                "sends X-Forwarded-For and is not listed in server.trusted_proxies: all who come through it count \
                 as one address"
            );
        });
    }
}

fn is_among(address: IpAddr, networks: &[Network]) -> bool {
    networks.iter().any(|network| network.contains(address))
}

/// The last address in `X-Forwarded-For` that is no trusted proxy, if the peer is one. Each proxy adds whom it
/// talks to at the end, so what stands before that is anybody's word.
fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> ClientAddress {
    let mut client = peer.to_canonical();
    let values = headers.get_all(FORWARDED_FOR).iter();
    let lists: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    let entries = lists.iter().rev().flat_map(|list| list.rsplit(','));
    for entry in entries {
        if !is_among(client, trusted) {
            break;
        }
        match of_entry(entry.trim()) {
            Some(address) => client = address.to_canonical(),
            // A proxy that hides it.
            None => break,
        }
    }
    ClientAddress(client)
}

/// Some proxies add the port.
fn of_entry(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<std::net::SocketAddr>().ok();
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(|| Some(with_port()?.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_speak_for_others() {
        let trusted = ["10.0.0.0/8", "2001:db8::1"].map(|text| Network::parse(text).unwrap());
        let from = |peer: &str, forwarded: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for list in forwarded {
                headers.append(FORWARDED_FOR, list.parse().unwrap());
            }
            let ClientAddress(address) = address(peer.parse().unwrap(), &headers, &trusted);
            address.to_string()
        };
        assert_eq!(from("192.0.2.1", &["198.51.100.1"]), "192.0.2.1");
        assert_eq!(from("10.1.2.3", &[]), "10.1.2.3");
        assert_eq!(from("10.1.2.3", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(from("::ffff:10.1.2.3", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(
            from("2001:db8::1", &["[2001:db8:9::1]:443"]),
            "2001:db8:9::1"
        );
        assert_eq!(from("10.1.2.3", &["198.51.100.1:5000"]), "198.51.100.1");
        // What the client itself wrote is not believed.
        assert_eq!(
            from("10.1.2.3", &["1.1.1.1, 198.51.100.1, 10.9.9.9"]),
            "198.51.100.1"
        );
        assert_eq!(
            from("10.1.2.3", &["1.1.1.1", "198.51.100.1"]),
            "198.51.100.1"
        );
        assert_eq!(from("10.1.2.3", &["198.51.100.1, unknown"]), "10.1.2.3");
    }
}
