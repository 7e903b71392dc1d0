//! Reads a JSON body, and says everything that is wrong with it at once.

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use serde_json::{Map, Value};

use super::errors::{Detail, Problem};
use crate::http::{BODY_LIMIT, read_body};

/// The longest text that a field may hold, in characters.
pub(super) const TEXT: usize = 200;

/// The members of a body. What is not asked for is not looked at.
pub(super) struct Form {
    members: Map<String, Value>,
    wrong: Vec<Detail>,
}

impl Form {
    /// No body at all is an empty one: what is missing is then told by name.
    pub(super) async fn read(request: Request) -> Result<Form, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::media_type());
        }
        let bytes = read_body(request.into_body(), BODY_LIMIT).await;
        let bytes = bytes.map_err(Problem::unread)?;
        let members = if bytes.is_empty() {
            Map::new()
        } else {
            match serde_json::from_slice(&bytes) {
                Ok(Value::Object(members)) => members,
                Ok(_) => return Err(Problem::body("it must be a JSON object")),
                Err(error) => {
                    let place = format!("line {} column {}", error.line(), error.column());
                    return Err(Problem::body(&format!("it is not valid JSON at {place}")));
                }
            }
        };
        Ok(Form {
            members,
            wrong: Vec::new(),
        })
    }

    /// A text that must be there. When it is not, [`Form::done`] says so.
    pub(super) fn text(&mut self, field: &'static str) -> String {
        let wrong = match self.members.remove(field) {
            None | Some(Value::Null) => Detail::missing(field),
            Some(Value::String(text)) if text.is_empty() => Detail::missing(field),
            Some(Value::String(text)) if text.chars().count() <= TEXT => return text,
            Some(Value::String(_)) => {
                Detail::invalid(field, format!("must have at most {TEXT} characters"))
            }
            Some(Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                Detail::invalid(field, "must be a string".into())
            }
        };
        self.wrong.push(wrong);
        String::new()
    }

    /// Whether everything that was asked for was there.
    pub(super) fn done(self) -> Result<(), Problem> {
        if self.wrong.is_empty() {
            Ok(())
        } else {
            Err(Problem::fields(self.wrong))
        }
    }
}

/// No content type is as good as the right one.
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
    let suffixed = essence.starts_with("application/") && essence.ends_with("+json");
    essence == "application/json" || suffixed
}
