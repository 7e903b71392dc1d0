//! Where Frontegg's clients put their tokens.

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderName};
use ringback_core::{Caller, Refusal};

use crate::auth::{Auth, bearer};

/// The header in which clients for back ends send an environment token.
const ENVIRONMENT_TOKEN: &str = "x-access-token";

/// Who sends a request with these headers.
pub(super) async fn caller(auth: &Auth, headers: &HeaderMap) -> Result<Caller, Refusal> {
    auth.identify(find(headers)?, headers).await
}

/// That for back ends is in a header of its own, that for browsers in places without the scheme.
fn find(headers: &HeaderMap) -> Result<&str, Refusal> {
    let text = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        let value = values.next().filter(|_| values.next().is_none())?;
        value
            .to_str()
            .ok()
            .map(str::trim)
            .filter(|text| !text.is_empty() && !text.contains(' '))
    };
    if headers.contains_key(AUTHORIZATION) {
        return text(&AUTHORIZATION).map_or_else(|| bearer(headers), Ok);
    }
    let name = HeaderName::from_static(ENVIRONMENT_TOKEN);
    match text(&name) {
        Some(token) => Ok(token),
        None if headers.contains_key(&name) => Err(Refusal::TokenMalformed),
        None => Err(Refusal::TokenMissing),
    }
}
