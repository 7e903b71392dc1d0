//! The way to a provider: one HTTP client, bounded in time and size, that follows nothing and nobody.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, Url};
use ringback_core::delivery::{RouteFault, Verdict};
use tokio::net::{TcpStream, lookup_host};

use crate::guard::{NOT_PUBLIC, PublicOnly, bare, is_private_host, is_public};
use crate::{Report, RouteError};

/// Seconds that a provider may ask to be left alone; who asks for more is asked again after this.
const LONGEST_REST: u32 = 300;
/// How much of an answer is read.
const ANSWER_BYTES: usize = 16 * 1_024;

/// A client for one provider.
#[derive(Clone)]
pub(crate) struct Line {
    client: Client,
    timeout: Duration,
    private: bool,
}

/// What a provider answered.
pub(crate) struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Seconds for which it asks to be left alone; 0 when it does not.
    pub after: u32,
    /// What of the body came, up to 16 KiB.
    pub body: Vec<u8>,
}

impl Line {
    /// `private`: whether it may lead into a private network.
    pub(crate) fn new(timeout: Duration, private: bool) -> Result<Line, RouteError> {
        let mut builder = Client::builder()
            .user_agent(concat!("ringback/", env!("CARGO_PKG_VERSION")))
            .timeout(timeout)
            .connect_timeout(connecting(timeout))
            // A redirect would carry the code to an address that nobody configured.
            .redirect(Policy::none())
            // The address in the config is where the message goes, whatever the environment says.
            .no_proxy();
        if !private {
            builder = builder.dns_resolver(Arc::new(PublicOnly));
        }
        let client = builder.build().map_err(|error| RouteError::Client {
            cause: root(&error),
        })?;
        Ok(Line {
            client,
            timeout,
            private,
        })
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Asks once. The error is the whole outcome: no connection, or an answer that was lost.
    pub(crate) async fn ask(&self, request: RequestBuilder) -> Result<Answer, Report> {
        match request.send().await {
            Ok(response) => Ok(Answer {
                status: response.status().as_u16(),
                after: rest(response.headers()),
                body: read_answer(response).await,
            }),
            Err(error) => Err(fault(&error, self.timeout)),
        }
    }

    /// Whether something listens there.
    pub(crate) async fn check(&self, url: &Url) -> Result<(), RouteError> {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        let connect = async {
            let found: Vec<_> = lookup_host((bare(host), port)).await?.collect();
            let mut may = found
                .into_iter()
                .filter(|at| self.private || is_public(at.ip()));
            let first = may
                .next()
                .ok_or_else(|| std::io::Error::other(NOT_PUBLIC))?;
            let all: Vec<_> = std::iter::once(first).chain(may).collect();
            TcpStream::connect(&all[..]).await
        };
        let cause = match tokio::time::timeout(self.timeout, connect).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {:?}", self.timeout),
        };
        Err(RouteError::Unreachable {
            place: format!("{host}:{port}"),
            cause,
        })
    }

    /// Asks for something that only those are given who are known there.
    pub(crate) async fn check_known(&self, request: RequestBuilder) -> Result<(), RouteError> {
        let place = request.try_clone().and_then(|request| request.build().ok());
        let place = place.and_then(|request| request.url().host_str().map(str::to_owned));
        let place = place.unwrap_or_default();
        match self.ask(request).await {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
            Ok(Answer { status, .. }) => {
                let cause = match status {
                    401 | 403 => format!("it answers {status}: our credentials are wrong"),
                    404 => "it answers 404: there is no such account or address".to_owned(),
                    status => format!("it answers {status}"),
                };
                Err(RouteError::Refused { place, cause })
            }
            Err(Report { reason: cause, .. }) => Err(RouteError::Unreachable { place, cause }),
        }
    }
}

/// An address of a provider's, as a key of the configuration gives it.
pub(crate) fn address(
    key: &str,
    text: &str,
    insecure: bool,
    private: bool,
) -> Result<Url, RouteError> {
    let wrong = |says: &str| RouteError::setting(key, says);
    let url = Url::parse(text).ok().filter(Url::has_host);
    let url = url.ok_or_else(|| {
        wrong("must be an address that begins with https://, such as https://api.example.com/sms")
    })?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("holds a user name or a password; take it out"));
    }
    match url.scheme() {
        "https" => {}
        "http" if insecure => {}
        "http" => {
            return Err(wrong(
                "must begin with https://, or set allow_insecure = true: what is sent is not for others",
            ));
        }
        _ => return Err(wrong("must be an address that begins with https://")),
    }
    if !private && is_private_host(url.host_str().unwrap_or_default()) {
        return Err(wrong(
            "leads to this machine or into a private network; set allow_private = true if that is meant",
        ));
    }
    Ok(url)
}

/// Seconds for which the other end asks to be left alone, 0 when it does not. The header's other form, a date,
/// would depend on its clock.
pub(crate) fn rest(headers: &HeaderMap) -> u32 {
    let seconds = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    let seconds = seconds.map(str::trim);
    let seconds = seconds
        .filter(|seconds| !seconds.is_empty() && seconds.bytes().all(|c| c.is_ascii_digit()));
    seconds.map_or(0, |seconds| {
        seconds.parse().unwrap_or(LONGEST_REST).min(LONGEST_REST)
    })
}

/// How much of an attempt's time may go by until there is a connection, TLS included: less than all of it, so that it is
/// known that nothing was sent.
pub(crate) fn connecting(timeout: Duration) -> Duration {
    timeout.mul_f64(0.8)
}

/// As much as may come, within the time of the whole attempt. What it lacks shows when it is read.
pub(crate) async fn read_answer(mut response: Response) -> Vec<u8> {
    let mut read = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = ANSWER_BYTES - read.len();
        read.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if read.len() == ANSWER_BYTES {
            break;
        }
    }
    read
}

/// What it means that there is no answer: without a connection nothing was sent; else it may have been.
pub(crate) fn fault(error: &reqwest::Error, timeout: Duration) -> Report {
    if error.is_connect() {
        let (fault, after) = (RouteFault::Unreachable, 0);
        let reason = match error.is_timeout() {
            true => format!("no connection within {:?}", connecting(timeout)),
            false => format!("no connection: {}", root(error)),
        };
        return Report::failed(Verdict::NotNow { fault, after }, reason);
    }
    if error.is_builder() {
        let fault = RouteFault::Protocol;
        return Report::failed(Verdict::Unable { fault }, "the request cannot be written");
    }
    let reason = match error.is_timeout() {
        true => format!("no answer within {timeout:?}"),
        false => format!("the connection broke: {}", root(error)),
    };
    Report::failed(Verdict::Unknown, reason)
}

/// The innermost cause. The outer ones tell the whole address, which may hold a secret.
pub(crate) fn root(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(inner) = cause.and_then(Error::source) {
        cause = Some(inner);
    }
    cause.map_or_else(|| "unknown".to_owned(), ToString::to_string)
}
