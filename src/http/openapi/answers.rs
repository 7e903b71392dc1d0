//! What an operation answers when it refuses: by status, with the bodies that the service itself makes.

use std::collections::BTreeMap;

use axum::response::Response;
use futures::FutureExt;
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Map, Value, json};

use crate::api::shared::LIMIT;
use crate::http::contract;

/// Headers that tell something, in the order in which they are told.
const TOLD: [header::HeaderName; 4] = [
    header::WWW_AUTHENTICATE,
    header::RETRY_AFTER,
    header::HeaderName::from_static(LIMIT),
    header::ALLOW,
];

/// Refusals of one operation, by status.
#[derive(Default)]
pub(super) struct Refused(BTreeMap<u16, Vec<One>>);

struct One {
    name: String,
    headers: HeaderMap,
    /// The media type, and the body.
    body: Option<(String, Value)>,
}

impl Refused {
    /// One more, as the service answers it.
    pub(super) fn add(&mut self, name: &str, response: Response) {
        let (mut head, body) = response.into_parts();
        if head.status == StatusCode::METHOD_NOT_ALLOWED {
            // The router names the methods of each path.
            let any = http::HeaderValue::from_static("GET");
            head.headers.entry(header::ALLOW).or_insert(any);
        }
        // A body of ours is in memory and is there at once.
        let bytes = match body.collect().now_or_never() {
            Some(Ok(whole)) => whole.to_bytes(),
            Some(Err(_)) | None => return,
        };
        let kind = head
            .headers
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .map(|kind| kind.split(';').next().unwrap_or(kind).to_owned());
        let body = kind.filter(|_| !bytes.is_empty()).map(|kind| {
            let text = || Value::from(String::from_utf8_lossy(&bytes).into_owned());
            let value = match kind.as_str() {
                "application/json" => serde_json::from_slice(&bytes).unwrap_or_else(|_| text()),
                _ => text(),
            };
            (kind, value)
        });
        let all = self.0.entry(head.status.as_u16()).or_default();
        if all.iter().all(|one| one.name != name) {
            all.push(One {
                name: name.to_owned(),
                headers: head.headers,
                body,
            });
        }
    }

    /// The members of `responses`. Bodies in JSON are of `schema`; each becomes an example of `api` once.
    pub(super) fn tell(
        self,
        api: &str,
        schema: &Value,
        examples: &mut Map<String, Value>,
    ) -> Map<String, Value> {
        let told = self.0.into_iter().map(|(status, all)| {
            let names: Vec<&str> = all.iter().map(|one| one.name.as_str()).collect();
            let reason = StatusCode::from_u16(status).ok();
            let reason = reason.and_then(|status| status.canonical_reason());
            let reason = reason.unwrap_or("Refused");
            let description = format!("{reason}: {}.", names.join(", "));
            let mut response = json!({ "description": description });
            for name in &TOLD {
                let with = all.iter().filter(|one| one.headers.contains_key(name));
                let with = with.count();
                if with > 0 {
                    let header = contract::header(name.as_str(), with == all.len());
                    response["headers"][name.as_str()] = header;
                }
            }
            for one in all {
                let Some((kind, value)) = one.body else {
                    continue;
                };
                let schema = match value {
                    Value::String(_) => json!({ "type": "string" }),
                    _ => schema.clone(),
                };
                let content = &mut response["content"][kind];
                content["schema"] = schema;
                let key = keep(examples, &format!("{api}.{}", one.name), value);
                content["examples"][one.name] =
                    json!({ "$ref": format!("#/components/examples/{key}") });
            }
            (status.to_string(), response)
        });
        told.collect()
    }
}

/// Keeps an example under its name, or under the next one when another has it.
fn keep(examples: &mut Map<String, Value>, name: &str, value: Value) -> String {
    let mut key = name.to_owned();
    let example = json!({ "value": value });
    for number in 2.. {
        match examples.get(&key) {
            Some(same) if *same == example => break,
            Some(_) => key = format!("{name}_{number}"),
            None => {
                examples.insert(key.clone(), example);
                break;
            }
        }
    }
    key
}
