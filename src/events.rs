//! An event on record as JSON.

use ringback_store::EventRecord;
use serde_json::{Map, Value, json};

use crate::api::shared::timestamp;

/// As `ringback.audit.v1.Event` is in JSON: what is empty is left out.
pub fn as_json(record: &EventRecord) -> Value {
    let mut event = fields(record);
    if let Some(detail) = &record.detail {
        event.insert("detail".into(), json!(detail));
    }
    let mut chain = json!({
        "commitment": record.commitment,
        "previous": record.previous,
        "hash": record.hash,
    });
    if let Some(salt) = &record.salt {
        chain["salt"] = json!(salt);
    }
    event.insert("chain".into(), chain);
    Value::Object(event)
}

/// As endpoints are told it: the detail is an object.
pub fn as_data(record: &EventRecord) -> Value {
    let mut event = fields(record);
    let detail = record.detail.as_deref();
    let detail: Option<Value> = detail.and_then(|detail| serde_json::from_str(detail).ok());
    if let Some(detail) = detail {
        event.insert("detail".into(), detail);
    }
    Value::Object(event)
}

fn fields(record: &EventRecord) -> Map<String, Value> {
    let mut event = Map::new();
    let mut add = |name: &str, value: Value| {
        event.insert(name.to_owned(), value);
    };
    // 64-bit numbers are texts.
    add("position", json!(record.position.to_string()));
    add("eventId", json!(record.id));
    add("userId", json!(record.account));
    add("organizationId", json!(record.organization));
    if record.sequence > 0 {
        add("sequence", json!(record.sequence.to_string()));
    }
    add("date", json!(timestamp(record.at).to_string()));
    add("actor", json!(record.actor));
    add("kind", json!(record.kind));
    let texts = [
        ("cause", &record.cause),
        ("maskedPhone", &record.mask),
        ("phonePseudonym", &record.number_pseudonym),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            add(name, json!(text));
        }
    }
    add("count", json!(record.count));
    event
}
