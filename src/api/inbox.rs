//! The inbox: messages that a developer would have got, for eyes on the same machine only.

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use ringback_core::Number;
use ringback_core::number::NumberRules;
use ringback_sms::Inbox;
use serde::Deserialize;
use serde_json::json;

use crate::http::{Installed, Peer};

/// `GET /dev/inbox`.
pub fn install(inbox: Inbox) -> Installed {
    let router = Router::new()
        .route("/dev/inbox", get(messages))
        .with_state(inbox);
    Installed {
        paths: Some(Box::new(|_| router)),
        ..Installed::default()
    }
}

#[derive(Deserialize)]
struct Wanted {
    to: Option<String>,
}

async fn messages(
    State(inbox): State<Inbox>,
    Query(wanted): Query<Wanted>,
    request: Request,
) -> Response {
    let peer = request.extensions().get::<Peer>().copied();
    if !is_local(peer, request.headers()) {
        let text = "the inbox is for requests from this machine only";
        return (
            StatusCode::FORBIDDEN,
            Json(json!({"code": 7, "message": text})),
        )
            .into_response();
    }
    let to = match wanted.to.as_deref() {
        None | Some("") => None,
        // A plus that was not encoded arrives as a space; the parser does not mind either.
        Some(text) => match Number::parse(&with_plus(text), &NumberRules::default()) {
            Ok(number) => Some(number),
            Err(error) => {
                let text = format!("to: {error}");
                let body = Json(json!({"code": 3, "message": text}));
                return (StatusCode::BAD_REQUEST, body).into_response();
            }
        },
    };
    let found = inbox.messages(to.as_ref());
    (
        [(header::CACHE_CONTROL, "no-store")],
        Json(json!({ "messages": found })),
    )
        .into_response()
}

fn with_plus(text: &str) -> String {
    match text.strip_prefix(' ') {
        Some(digits) if digits.starts_with(|c: char| c.is_ascii_digit()) => format!("+{digits}"),
        _ => text.to_owned(),
    }
}

/// A peer on this machine that speaks for itself: a proxy here would lend its address to the whole
/// world, and a page that made its name point here would lend its visitor's browser.
fn is_local(peer: Option<Peer>, headers: &HeaderMap) -> bool {
    let loopback = peer.is_some_and(|Peer(address)| address.ip().to_canonical().is_loopback());
    let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip"];
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let named_local = host.is_none_or(|host| {
        let name = host.rsplit_once(':').map_or(host, |(name, port)| {
            if port.bytes().all(|b| b.is_ascii_digit()) {
                name
            } else {
                host
            }
        });
        let name = name.trim_start_matches('[').trim_end_matches(']');
        name == "localhost"
            || name
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.is_loopback())
    });
    loopback && named_local && forwarded.iter().all(|name| !headers.contains_key(*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(peer: &str, header: (&'static str, &'static str)) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header.0, header.1.parse().unwrap());
        is_local(Some(Peer(peer.parse().unwrap())), &headers)
    }

    #[test]
    fn only_this_machine_reads_the_inbox() {
        for host in [
            "localhost:8080",
            "127.0.0.1:8080",
            "[::1]:8080",
            "localhost",
        ] {
            assert!(local("127.0.0.1:5000", ("host", host)), "{host}");
        }
        assert!(local("[::ffff:127.0.0.1]:5000", ("host", "localhost")));
        assert!(!local("10.0.0.1:5000", ("host", "localhost")));
        assert!(!local("127.0.0.1:5000", ("host", "evil.example")));
        assert!(!local("127.0.0.1:5000", ("host", "evil.example:80")));
        assert!(!local("127.0.0.1:5000", ("x-forwarded-for", "10.0.0.1")));
        assert!(!is_local(None, &HeaderMap::new()));
    }
}
