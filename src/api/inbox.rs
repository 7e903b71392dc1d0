//! The inbox: messages that a developer would have got.

mod contract;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Json, Response};
use ringback_core::number::NumberRules;
use ringback_core::rights::Right;
use ringback_core::{Number, Refusal};
use ringback_sms::Inbox;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::auth::Auth;
use crate::config::Config;
use crate::http::contract::Paths;
use crate::http::{Installed, Peer, Services};

/// The longest that a request may wait for a message.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Headers of proxies, which speak for somebody else.
const FORWARDED: [&str; 8] = [
    "forwarded",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
];

/// `/dev/inbox`, and `/dev/about` where there is a token to tell.
pub fn install(_: &Config) -> Installed {
    Installed {
        paths: Some(Box::new(paths)),
        ..Installed::default()
    }
}

fn paths(services: &Services) -> Paths {
    let Some(inbox) = services.inbox.clone() else {
        return Paths::new(contract::about);
    };
    let mut paths = Paths::new(contract::about)
        .route(Method::GET, "/dev/inbox", messages, contract::messages)
        .route(Method::DELETE, "/dev/inbox", forget, contract::forget);
    if services.trial_token.is_some() {
        paths = paths.route(Method::GET, "/dev/about", about, contract::about_dev);
    }
    let api = InboxApi {
        inbox,
        auth: services.auth.clone(),
        token: services.trial_token.as_deref().map(Arc::from),
    };
    paths.map(|router| router.with_state(api))
}

#[derive(Clone)]
struct InboxApi {
    inbox: Inbox,
    auth: Arc<Auth>,
    /// What there is to tell.
    token: Option<Arc<str>>,
}

#[derive(Deserialize)]
struct Wanted {
    to: Option<String>,
    after: Option<String>,
    wait: Option<u64>,
}

async fn messages(
    State(api): State<InboxApi>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    head: Parts,
) -> Result<Response, Refused> {
    api.admit(&head).await?;
    let wanted = read(wanted)?;
    let to = number(wanted.to.as_deref())?;
    let wait = Duration::from_secs(wanted.wait.unwrap_or_default()).min(LONGEST_WAIT);
    let gone = tokio::time::sleep(wait);
    let after = wanted.after.as_deref();
    let found = api.inbox.next_messages(to.as_ref(), after, gone).await;
    Ok(Json(json!({ "messages": found })).into_response())
}

async fn forget(
    State(api): State<InboxApi>,
    wanted: Result<Query<Wanted>, QueryRejection>,
    head: Parts,
) -> Result<Response, Refused> {
    api.admit(&head).await?;
    let wanted = read(wanted)?;
    let Some(to) = number(wanted.to.as_deref())? else {
        return Err(missing());
    };
    api.inbox.forget(&to);
    Ok(Json(json!({})).into_response())
}

fn read(wanted: Result<Query<Wanted>, QueryRejection>) -> Result<Wanted, Refused> {
    wanted.map(|Query(wanted)| wanted).map_err(|_| unreadable())
}

/// What runs, and a token to try it out. Only for this machine.
async fn about(State(api): State<InboxApi>, head: Parts) -> Result<Json<Value>, Refused> {
    if !is_local(&head) {
        return Err(not_local());
    }
    let token = api.token.as_deref();
    Ok(Json(
        json!({"version": env!("CARGO_PKG_VERSION"), "token": token}),
    ))
}

impl InboxApi {
    /// Lets in who is on this machine, or has a token that may write.
    async fn admit(&self, head: &Parts) -> Result<(), Refused> {
        if !head.headers.contains_key(header::AUTHORIZATION) {
            return match is_local(head) {
                true => Ok(()),
                false => Err(not_local()),
            };
        }
        match self.auth.caller(&head.headers).await {
            Ok(caller) if caller.may(Right::Write) => Ok(()),
            Ok(_) => Err(words(&Refusal::PermissionDenied)),
            Err(refusal) => Err(words(&refusal)),
        }
    }
}

/// Why a request is not answered: HTTP status, gRPC code, text.
struct Refused(StatusCode, u8, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Refused(status, code, text) = self;
        let mut response = (status, Json(json!({"code": code, "message": text}))).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let headers = response.headers_mut();
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// A refusal of a token or of a number, in the inbox's words.
fn words(refusal: &Refusal) -> Refused {
    match refusal {
        Refusal::NumberInvalid(error) => {
            refused(StatusCode::BAD_REQUEST, 3, &format!("to: {error}"))
        }
        Refusal::PermissionDenied => {
            let text = "the inbox is for tokens with user.write";
            refused(StatusCode::FORBIDDEN, 7, text)
        }
        Refusal::IssuerUnavailable => {
            let text = "the keys of the token's issuer cannot be read now; try again";
            refused(StatusCode::SERVICE_UNAVAILABLE, 14, text)
        }
        _ => refused(StatusCode::UNAUTHORIZED, 16, "the token is refused"),
    }
}

fn missing() -> Refused {
    let text = "to: is missing; say whose messages shall go, as ?to=%2B41791234567";
    refused(StatusCode::BAD_REQUEST, 3, text)
}

fn unreadable() -> Refused {
    let text =
        "the query cannot be read: wait is a number of seconds, and each name stands there once";
    refused(StatusCode::BAD_REQUEST, 3, text)
}

fn not_local() -> Refused {
    let text = "the inbox is for requests from this machine, or with a token that has user.write";
    refused(StatusCode::FORBIDDEN, 7, text)
}

fn refused(status: StatusCode, code: u8, text: &str) -> Refused {
    Refused(status, code, text.to_owned())
}

/// A number of the query; `None` when there is none.
fn number(text: Option<&str>) -> Result<Option<Number>, Refused> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    // A plus that was not encoded arrives as a space; the parser does not mind either.
    let text = match text.strip_prefix(' ') {
        Some(digits) if digits.starts_with(|c: char| c.is_ascii_digit()) => format!("+{digits}"),
        _ => text.to_owned(),
    };
    let read = Number::parse(&text, &NumberRules::default());
    read.map(Some).map_err(|error| words(&error.into()))
}

fn is_local(head: &Parts) -> bool {
    let peer = head.extensions.get::<Peer>().copied();
    is_from_here(peer, &head.uri, &head.headers)
}

/// A peer on this machine that speaks for itself: a proxy here would lend its address to the whole
/// world, and a page that made its name point here would lend its visitor's browser.
fn is_from_here(peer: Option<Peer>, uri: &Uri, headers: &HeaderMap) -> bool {
    let loopback = peer.is_some_and(|Peer(address)| address.ip().to_canonical().is_loopback());
    let forwarded = FORWARDED.iter().any(|name| headers.contains_key(*name));
    // Over HTTP/2 the name is the `:authority` of the address.
    let named = headers.get_all(header::HOST).iter();
    let mut named = named.map(|host| host.to_str().unwrap_or_default());
    let names_here = named.all(is_name_of_here) && uri.host().is_none_or(is_name_of_here);
    loopback && !forwarded && names_here
}

/// Whether a host, with a port or without, is this machine for itself.
fn is_name_of_here(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(peer: &str, header: (&'static str, &'static str)) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header.0, header.1.parse().unwrap());
        is_from_here(
            Some(Peer(peer.parse().unwrap())),
            &Uri::from_static("/"),
            &headers,
        )
    }

    #[test]
    fn only_this_machine_needs_no_token() {
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
        for name in FORWARDED {
            assert!(!local("127.0.0.1:5000", (name, "10.0.0.1")), "{name}");
        }
        let none = HeaderMap::new();
        assert!(!is_from_here(None, &Uri::from_static("/"), &none));
        let peer = Some(Peer("127.0.0.1:5000".parse().unwrap()));
        for (uri, expected) in [
            ("http://localhost:8080/dev/inbox", true),
            ("http://[::1]:8080/dev/inbox", true),
            ("http://evil.example/dev/inbox", false),
        ] {
            assert_eq!(
                is_from_here(peer, &Uri::from_static(uri), &none),
                expected,
                "{uri}"
            );
        }
    }
}
