//! Canonical proto3 JSON in and out, and what is wrong with a body that does not fit.

mod number;
mod read;
mod tree;

use prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor, Value,
};
use tonic::Status;

use tree::Json;

/// How deep objects and lists may nest. Below the 100 levels that the binary form may have, so that what is read
/// here can be read by the services as well.
const DEPTH: usize = 64;

/// Reads a body. An empty one is an empty message; unknown fields are ignored. What is refused is told by fields and
/// places, and never with a value of the body, which may be a number or a code.
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
    let body: Json = serde_json::from_str(text).map_err(|error| {
        Status::invalid_argument(format!("request body is not valid JSON: {error}"))
    })?;
    read::message(message, &body, "").map_err(Status::invalid_argument)
}

/// Whether what the field holds is a condition of a list, which is longer without the condition: an unknown name of
/// an enumerator is refused there, and passed over elsewhere. What a list holds is a condition, and requests of
/// ringback's own services hold enumerators as conditions only.
pub(super) fn is_condition(field: &FieldDescriptor) -> bool {
    let message = field.parent_message();
    field.is_list() || message.package_name().starts_with("ringback.")
}

/// A value of the kind, written as a text.
pub(super) fn of_text(kind: &Kind, text: &str) -> Option<Value> {
    match kind {
        Kind::Message(message) if !is_well_known(message) => None,
        _ => read::scalar(kind, &Json::Text(text.to_owned())),
    }
}

/// The JSON form of a message in binary form.
pub(super) fn write(message: &MessageDescriptor, binary: &[u8]) -> Result<Vec<u8>, Status> {
    let message = DynamicMessage::decode(message.clone(), binary)
        .map_err(|_| Status::internal("response message could not be decoded"))?;
    let mut text = serde_json::to_vec(&message)
        .map_err(|_| Status::internal("response message could not be written as JSON"))?;
    // For whoever reads it in a terminal.
    text.push(b'\n');
    Ok(text)
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

/// Whether the message has a JSON form of its own.
fn is_well_known(message: &MessageDescriptor) -> bool {
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
