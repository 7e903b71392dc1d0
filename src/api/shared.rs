//! What APIs share: how a gRPC request is carried out, times, the details of a status.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message;
use prost_types::{Any, Timestamp};
use ringback_core::{Action, Caller, CodeTimes, Command, Refusal, Reply, Time};
use ringback_store::Store;
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status};

use crate::http::Deadline;
use crate::proto::google::rpc;

/// What a read is told when the database is away; nothing can have been changed.
pub const READ_UNAVAILABLE: &str = "the database cannot be reached now; try again";

/// Who calls, as the server found out.
pub fn caller<T>(request: &Request<T>) -> Result<Caller, Refusal> {
    let caller = request.extensions().get::<Caller>().cloned();
    caller.ok_or(Refusal::TokenMissing)
}

/// What a request asks for: to do this with that account.
#[derive(Debug, PartialEq)]
pub struct Asked {
    /// The user id.
    pub account: String,
    /// What is to be done.
    pub action: Action,
}

/// Does what a gRPC request asks for. The caller comes first, so that no rule of the form is told without one.
pub async fn run<T>(
    store: &Store,
    request: Request<T>,
    read: impl FnOnce(T) -> Result<Asked, Refusal>,
) -> Result<Reply, Refusal> {
    let caller = caller(&request)?;
    let deadline = request.extensions().get::<Deadline>().map(|d| d.0);
    let Asked { account, action } = read(request.into_inner())?;
    let command = Command {
        caller,
        account,
        action,
    };
    store.execute(command, deadline).await
}

/// A status with details for programs, which `google.rpc.Status` holds.
pub fn status(code: Code, message: String, details: Vec<Any>) -> Status {
    let whole = rpc::Status {
        code: code.into(),
        message: message.clone(),
        details,
    };
    Status::with_details(code, message, whole.encode_to_vec().into())
}

/// A detail of a status, by the full name of its message.
pub fn detail(name: &str, message: &impl Message) -> Any {
    Any {
        type_url: format!("type.googleapis.com/{name}"),
        value: message.encode_to_vec(),
    }
}

/// When it makes sense to try again, as a detail.
pub fn retry_info(wait: Duration) -> Any {
    let retry = rpc::RetryInfo {
        retry_delay: prost_types::Duration::try_from(wait).ok(),
    };
    detail("google.rpc.RetryInfo", &retry)
}

/// When the code ends: RFC 3339.
pub const EXPIRES_AT: &str = "ringback-code-expires-at";
/// In how many seconds the next code may be asked for, rounded up.
pub const RESEND_AFTER: &str = "ringback-resend-after";

/// Which parts of a request were left out, where the configuration says so.
pub const IGNORED: &str = "ringback-ignored";

/// The limit that a request has met, by its name, such as `guard; reason=prefix` (an item of RFC 9651).
pub const LIMIT: &str = "ringback-limit";

/// Names the limit that a refusal is about ([`Refusal::limit`]), for programs.
pub fn name_limit(limit: Option<(&str, Option<&str>)>, headers: &mut HeaderMap) {
    let Some((limit, reason)) = limit else {
        return;
    };
    let named = match reason {
        Some(reason) => format!("{limit}; reason={reason}"),
        None => limit.to_owned(),
    };
    // Names are of letters and underscores.
    if let Ok(value) = HeaderValue::try_from(named) {
        headers.insert(HeaderName::from_static(LIMIT), value);
    }
}

/// The same of a status.
pub fn named(refusal: &Refusal, mut status: Status) -> Status {
    if let limit @ Some(_) = refusal.limit() {
        let mut headers = status.metadata().clone().into_headers();
        name_limit(limit, &mut headers);
        *status.metadata_mut() = MetadataMap::from_headers(headers);
    }
    status
}

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
    use super::*;

    #[test]
    fn a_limit_is_named_with_its_reason() {
        use ringback_core::guard::Reason;
        use ringback_core::limit::Limit;
        let told = |refusal: &Refusal| {
            let status = named(refusal, Status::new(Code::Aborted, "no"));
            let name = status.metadata().get(LIMIT);
            name.and_then(|name| name.to_str().ok().map(str::to_owned))
        };
        let limited = |limit| Refusal::Limited {
            limit,
            retry_after: Duration::from_secs(1),
        };
        assert_eq!(
            told(&limited(Limit::CoolDown)).as_deref(),
            Some("cool_down")
        );
        let guard = limited(Limit::Guard(Reason::PrefixDay));
        assert_eq!(told(&guard).as_deref(), Some("guard; reason=prefix_day"));
        let guarded = Refusal::Guarded(Reason::Country);
        assert_eq!(told(&guarded).as_deref(), Some("guard; reason=country"));
        assert_eq!(told(&Refusal::Overloaded), None);
    }

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
