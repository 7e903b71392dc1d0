//! Request bodies: JSON objects whose members are asked for by name, with Frontegg's words for what is wrong.

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use ringback_core::Refusal;
use serde_json::{Map, Value};

use super::errors::Failure;
use crate::http::{BODY_LIMIT, read_body};

/// The members of a JSON object. Those that nobody asks for are ignored.
pub(super) struct Members(Map<String, Value>);

impl Members {
    /// Reads a body. None at all is an object without members, so that what is missing is named.
    pub(super) async fn read(request: Request) -> Result<Members, Failure> {
        Members::read_up_to(BODY_LIMIT, request).await
    }

    /// The same for a body of at most so many bytes.
    pub(super) async fn read_up_to(limit: usize, request: Request) -> Result<Members, Failure> {
        let (head, body) = request.into_parts();
        let bytes = read_body(body, limit).await.map_err(Failure::Body)?;
        if bytes.is_empty() {
            return Ok(Members(Map::new()));
        }
        if !is_json(&head.headers) {
            return Err(Failure::MediaType);
        }
        serde_json::from_slice(&bytes)
            .map(Members)
            .map_err(|_| Failure::Malformed)
    }

    /// A text that must be there.
    pub(super) fn text(&self, name: &str) -> Result<String, Refusal> {
        match self.0.get(name) {
            Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
            None | Some(Value::Null | Value::String(_)) => {
                Err(invalid(name, "should not be empty"))
            }
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                Err(invalid(name, "must be a string"))
            }
        }
    }

    /// A yes or no that may be missing.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
                Err(invalid(name, "must be a boolean value"))
            }
        }
    }
}

pub(super) fn invalid(field: &str, rule: impl Into<String>) -> Refusal {
    Refusal::FieldInvalid {
        field: field.to_owned(),
        rule: rule.into(),
    }
}

/// Whether the body says to be JSON, or does not say what it is.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else {
        return true;
    };
    let kind = kind.to_str().unwrap_or_default();
    let essence = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_known_by_its_name() {
        let is = |kind: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
            is_json(&headers)
        };
        assert!(is_json(&HeaderMap::new()));
        for kind in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/merge+json",
        ] {
            assert!(is(kind), "{kind}");
        }
        for kind in [
            "application/x-www-form-urlencoded",
            "text/json",
            "text/plain",
            "json",
            "",
        ] {
            assert!(!is(kind), "{kind}");
        }
    }
}
