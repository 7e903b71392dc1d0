//! Which pages of other sites may call, and what they may send and read (the Fetch standard, "CORS protocol").

use std::collections::BTreeSet;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, Method, header, request::Parts};

use crate::api::shared;
use crate::config::CorsSection;

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
/// Seconds that a browser may remember what it was allowed.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");
const VARY: HeaderValue = HeaderValue::from_static(
    "origin, access-control-request-method, access-control-request-headers",
);

/// Request headers of the published clients of Zitadel, gRPC-web and Connect, and of what is wrapped around
/// clients: tracing, and names of requests.
const HEADERS: [&str; 26] = [
    "accept",
    "accept-language",
    "authorization",
    "baggage",
    "cache-control",
    "connect-accept-encoding",
    "connect-content-encoding",
    "connect-protocol-version",
    "connect-timeout-ms",
    "content-encoding",
    "content-type",
    "grpc-accept-encoding",
    "grpc-encoding",
    "grpc-timeout",
    "idempotency-key",
    "pragma",
    "sentry-trace",
    "traceparent",
    "tracestate",
    "x-client-info",
    "x-correlation-id",
    "x-grpc-web",
    "x-request-id",
    "x-requested-with",
    "x-user-agent",
    "x-zitadel-orgid",
];

/// Response headers that pages may read.
const EXPOSED: [&str; 10] = [
    "content-length",
    "deprecation",
    "grpc-message",
    "grpc-status",
    "grpc-status-details-bin",
    "idempotency-replayed",
    "link",
    "retry-after",
    "www-authenticate",
    "allow",
];

/// The rules of a server.
pub(super) struct Cors {
    allowed: CorsSection,
    headers: HeaderValue,
    exposed: HeaderValue,
}

impl Cors {
    /// `more` are request headers of the APIs that are served.
    pub(super) fn new(allowed: CorsSection, more: impl Iterator<Item = &'static str>) -> Cors {
        let known = HEADERS.into_iter().chain(more).map(str::to_owned);
        let own = allowed.allowed_headers.iter().cloned();
        let headers: BTreeSet<String> = known.chain(own).collect();
        let headers = list(headers.iter().map(String::as_str));
        let exposed = [
            &EXPOSED[..],
            &[
                shared::EXPIRES_AT,
                shared::RESEND_AFTER,
                shared::IGNORED,
                shared::LIMIT,
            ],
        ]
        .concat();
        Cors {
            allowed,
            headers,
            exposed: list(exposed),
        }
    }

    /// The answer to a browser that asks before it calls; `None` for any other request.
    pub(super) fn preflight(&self, head: &Parts) -> Option<Response> {
        let asks = head
            .headers
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let origin = head.headers.get(header::ORIGIN);
        if head.method != Method::OPTIONS || !asks || origin.is_none() {
            return None;
        }
        let mut response = Response::new(Body::empty());
        if self.allows(origin) {
            let headers = response.headers_mut();
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, self.headers.clone());
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        }
        self.let_read(origin, &mut response);
        Some(response)
    }

    /// Lets pages of an allowed origin read the response.
    pub(super) fn let_read(&self, origin: Option<&HeaderValue>, response: &mut Response) {
        let headers = response.headers_mut();
        // A cache must keep apart what differs from site to site.
        headers.append(header::VARY, VARY);
        let Some(origin) = origin.filter(|_| self.allows(origin)) else {
            return;
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, self.exposed.clone());
    }

    fn allows(&self, origin: Option<&HeaderValue>) -> bool {
        let origin = origin.map(HeaderValue::to_str);
        matches!(origin, Some(Ok(origin)) if self.allowed.allows(origin))
    }
}

fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> HeaderValue {
    let names: Vec<&str> = names.into_iter().collect();
    // Names of headers, commas and spaces make a header always.
    HeaderValue::try_from(names.join(", ")).unwrap_or(HeaderValue::from_static(""))
}
