//! When a code ends and when the next may be asked for, as headers that replies of every API carry.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use prost_types::Timestamp;
use ringback_core::{CodeTimes, Time};
use tonic::Response;
use tonic::metadata::MetadataMap;

/// When the code ends: RFC 3339.
pub const EXPIRES_AT: &str = "ringback-code-expires-at";
/// In how many seconds the next code may be asked for, rounded up.
pub const RESEND_AFTER: &str = "ringback-resend-after";

/// Which parts of a request were left out, where the configuration says so.
pub const IGNORED: &str = "ringback-ignored";

/// A gRPC reply with the times of the code that it tells of; the other wires make headers of them.
pub fn respond<T>(times: Option<CodeTimes>, message: T) -> Response<T> {
    let mut response = Response::new(message);
    if let Some(times) = times {
        let mut headers = HeaderMap::new();
        put(times, &mut headers);
        *response.metadata_mut() = MetadataMap::from_headers(headers);
    }
    response
}

/// The same for a reply over HTTP.
pub fn add(times: Option<CodeTimes>, response: &mut axum::response::Response) {
    if let Some(times) = times {
        put(times, response.headers_mut());
    }
}

fn put(times: CodeTimes, headers: &mut HeaderMap) {
    let expires_at = timestamp(times.expires_at).to_string();
    // Digits, hyphens, colons and letters make a header always.
    if let Ok(value) = HeaderValue::try_from(expires_at) {
        headers.insert(HeaderName::from_static(EXPIRES_AT), value);
    }
    let seconds = times.resend_after.as_millis().div_ceil(1_000);
    let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
    headers.insert(HeaderName::from_static(RESEND_AFTER), seconds.into());
}

/// As protobuf writes a time.
pub fn timestamp(time: Time) -> Timestamp {
    const SECOND: i64 = 1_000_000;
    Timestamp {
        seconds: time.0.div_euclid(SECOND),
        nanos: i32::try_from(time.0.rem_euclid(SECOND) * 1_000).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_rfc_3339_and_whole_seconds() {
        let times = CodeTimes {
            expires_at: Time(1_767_226_200_000_000),
            resend_after: Duration::from_millis(59_001),
        };
        let response = respond(Some(times), ());
        let shown = |name| {
            response
                .metadata()
                .get(name)
                .and_then(|it| it.to_str().ok())
        };
        assert_eq!(shown(EXPIRES_AT), Some("2026-01-01T00:10:00Z"));
        assert_eq!(shown(RESEND_AFTER), Some("60"));
        assert!(respond(None, ()).metadata().is_empty());
    }
}
