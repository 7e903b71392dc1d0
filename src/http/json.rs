//! Canonical proto3 JSON in and out, and what is wrong with a body that does not fit.

use prost_reflect::{
    DeserializeOptions, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor,
};
use serde_json::{Value, error::Category};
use tonic::Status;

use super::routes::field;

const IN: DeserializeOptions = DeserializeOptions::new().deny_unknown_fields(false);

/// How deep objects and lists may nest. Below the 100 levels that the binary form may have, so that what is read
/// here can be read behind the gRPC API as well.
const DEPTH: usize = 64;

/// Reads a body. An empty one is an empty message; unknown fields are ignored.
pub(super) fn parse(message: &MessageDescriptor, body: &[u8]) -> Result<DynamicMessage, Status> {
    let text = std::str::from_utf8(body).map_err(|error| {
        Status::invalid_argument(format!(
            "request body is not valid UTF-8 at byte {}",
            error.valid_up_to()
        ))
    })?;
    if text.trim_ascii().is_empty() {
        return Ok(DynamicMessage::new(message.clone()));
    }
    if too_deep(text) {
        return Err(Status::invalid_argument(format!(
            "request body nests more than {DEPTH} levels deep"
        )));
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    DynamicMessage::deserialize_with_options(message.clone(), &mut reader, &IN)
        .and_then(|parsed| reader.end().map(|()| parsed))
        .map_err(|error| Status::invalid_argument(explain(message, text, &error)))
}

/// The JSON form of a message in binary form.
pub(super) fn write(message: &MessageDescriptor, binary: &[u8]) -> Result<Vec<u8>, Status> {
    let message = DynamicMessage::decode(message.clone(), binary)
        .map_err(|_| Status::internal("response message could not be decoded"))?;
    serde_json::to_vec(&message)
        .map_err(|_| Status::internal("response message could not be written as JSON"))
}

fn too_deep(text: &str) -> bool {
    if text.len() <= 2 * DEPTH {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > DEPTH {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// The text for a body that was refused. It names fields and places and never repeats a value of the body, which may
/// be a number or a code.
fn explain(message: &MessageDescriptor, text: &str, error: &serde_json::Error) -> String {
    let place = format!("line {} column {}", error.line(), error.column());
    match error.classify() {
        Category::Syntax | Category::Eof => format!("request body is not valid JSON: {error}"),
        Category::Data | Category::Io => {
            let fault = serde_json::from_str(text)
                .ok()
                .and_then(|body: Value| fault_in(message, &body, ""));
            match fault {
                Some(fault) => format!("{fault} ({place})"),
                None => match repeated(error) {
                    Some(name) => format!("{name} is given more than once ({place})"),
                    None => format!("request body does not fit {} ({place})", message.name()),
                },
            }
        }
    }
}

/// The oneof or optional field that was given twice under one name.
fn repeated(error: &serde_json::Error) -> Option<String> {
    let text = error.to_string();
    let name = text.split_once("for oneof '")?.1.split_once('\'')?.0;
    Some(name.trim_start_matches('_').to_owned())
}

/// The first fault of `value` as `message`, with the path of the field.
fn fault_in(message: &MessageDescriptor, value: &Value, path: &str) -> Option<String> {
    let Value::Object(members) = value else {
        let what = if path.is_empty() {
            "request body"
        } else {
            path
        };
        return Some(format!(
            "invalid value for {what}: expected an object, found {}",
            found(value)
        ));
    };
    let mut seen: Vec<FieldDescriptor> = Vec::new();
    for (name, value) in members {
        let Some(field) = field(message, name) else {
            continue;
        };
        if value.is_null() {
            continue;
        }
        let path = if path.is_empty() {
            field.json_name().to_owned()
        } else {
            format!("{path}.{}", field.json_name())
        };
        if seen.contains(&field) {
            return Some(format!("{path} is given more than once"));
        }
        if let Some(fault) = fault_in_field(message, &field, name, value, &path) {
            return Some(fault);
        }
        seen.push(field);
    }
    message
        .oneofs()
        .find(|oneof| {
            !oneof.is_synthetic() && oneof.fields().filter(|arm| seen.contains(arm)).count() > 1
        })
        .map(|oneof| choose_one(&oneof, &subject(message, path)))
}

fn fault_in_field(
    message: &MessageDescriptor,
    field: &FieldDescriptor,
    name: &str,
    value: &Value,
    path: &str,
) -> Option<String> {
    let kind = field.kind();
    let nested = match &kind {
        Kind::Message(inner) if !field.is_map() && !is_well_known(inner) => Some(inner),
        _ => None,
    };
    if field.is_list() {
        let Value::Array(items) = value else {
            return Some(format!(
                "invalid value for {path}: expected a list, found {}",
                found(value)
            ));
        };
        return items.iter().enumerate().find_map(|(index, item)| {
            let path = format!("{path}[{index}]");
            match nested {
                Some(inner) => fault_in(inner, item, &path),
                None => fault_in_value(
                    message,
                    &kind,
                    name,
                    Value::from(vec![item.clone()]),
                    item,
                    &path,
                ),
            }
        });
    }
    match nested {
        Some(inner) => fault_in(inner, value, path),
        None => fault_in_value(message, &kind, name, value.clone(), value, path),
    }
}

/// Tries one member on its own.
fn fault_in_value(
    message: &MessageDescriptor,
    kind: &Kind,
    name: &str,
    member: Value,
    value: &Value,
    path: &str,
) -> Option<String> {
    let alone = Value::from_iter([(name, member)]);
    DynamicMessage::deserialize_with_options(message.clone(), alone, &IN)
        .is_err()
        .then(|| {
            format!(
                "invalid value for {path}: expected {}, found {}",
                expected(kind),
                found(value)
            )
        })
}

/// What a value of the kind looks like.
pub(super) fn expected(kind: &Kind) -> String {
    match kind {
        Kind::String => "a text".to_owned(),
        Kind::Bool => "true or false".to_owned(),
        Kind::Int32
        | Kind::Sint32
        | Kind::Sfixed32
        | Kind::Int64
        | Kind::Sint64
        | Kind::Sfixed64
        | Kind::Uint32
        | Kind::Fixed32
        | Kind::Uint64
        | Kind::Fixed64 => "a whole number in range".to_owned(),
        Kind::Float | Kind::Double => "a number".to_owned(),
        Kind::Bytes => "bytes in base64".to_owned(),
        Kind::Enum(names) => format!("a name of {}", names.name()),
        Kind::Message(message) => match message.full_name() {
            "google.protobuf.Timestamp" => "a time such as 2025-01-31T12:00:00Z".to_owned(),
            "google.protobuf.Duration" => "a duration such as 1.5s".to_owned(),
            _ => "an object".to_owned(),
        },
    }
}

/// What a value is, without saying what it holds.
fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Whether the message has a JSON form of its own.
pub(super) fn is_well_known(message: &MessageDescriptor) -> bool {
    message.package_name() == "google.protobuf"
}

/// The text that refuses two arms of one oneof, such as
/// `phone verification: choose one of sendCode, returnCode, isVerified`.
pub(super) fn choose_one(oneof: &OneofDescriptor, subject: &str) -> String {
    let arms: Vec<_> = oneof
        .fields()
        .map(|arm| arm.json_name().to_owned())
        .collect();
    let name = oneof.name().replace('_', " ");
    let space = if subject.is_empty() { "" } else { " " };
    format!("{subject}{space}{name}: choose one of {}", arms.join(", "))
}

/// What a oneof in `message` is about: the field that holds the message (`phone`), or at the top the request's name
/// without its verb (`SetPhoneRequest`: phone).
fn subject(message: &MessageDescriptor, path: &str) -> String {
    if let Some(last) = path.rsplit('.').next().filter(|last| !last.is_empty()) {
        return last.to_owned();
    }
    let mut words: Vec<String> = Vec::new();
    for letter in message.name().trim_end_matches("Request").chars() {
        if letter.is_uppercase() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.extend(letter.to_lowercase());
        }
    }
    words.get(1..).unwrap_or_default().join(" ")
}

#[cfg(test)]
mod tests;
