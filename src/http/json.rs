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
mod tests {
    use prost_reflect::prost::Message;

    use super::*;
    use crate::proto;

    fn message(name: &str) -> MessageDescriptor {
        proto::pool().get_message_by_name(name).unwrap()
    }

    fn set_phone() -> MessageDescriptor {
        message("zitadel.user.v2.SetPhoneRequest")
    }

    fn back(message: &MessageDescriptor, body: &str) -> String {
        let parsed = parse(message, body.as_bytes()).unwrap();
        String::from_utf8(write(message, &parsed.encode_to_vec()).unwrap()).unwrap()
    }

    fn refusal(message: &MessageDescriptor, body: &[u8]) -> String {
        let status = parse(message, body).unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
        status.message().to_owned()
    }

    #[test]
    fn both_spellings_come_in_and_camel_case_goes_out() {
        let phone = set_phone();
        for body in [
            r#"{"user_id":"u","is_verified":false}"#,
            r#"{"userId":"u","isVerified":false,"unknown":{"a":[1]},"phone":null}"#,
        ] {
            // A oneof arm that is set to its zero value is set.
            assert_eq!(back(&phone, body), r#"{"userId":"u","isVerified":false}"#);
        }
        assert_eq!(back(&phone, ""), "{}");
        assert_eq!(back(&phone, " \n"), "{}");
        assert_eq!(back(&phone, r#"{"phone":""}"#), "{}");
    }

    #[test]
    fn sixty_four_bits_are_text_and_times_end_in_z() {
        let details = message("zitadel.object.v2.Details");
        assert_eq!(
            back(
                &details,
                r#"{"sequence":18446744073709551615,"changeDate":"2025-03-31T12:00:00.123456+02:00","creationDate":"2025-03-31T12:00:00Z"}"#
            ),
            r#"{"sequence":"18446744073709551615","changeDate":"2025-03-31T10:00:00.123456Z","creationDate":"2025-03-31T12:00:00Z"}"#
        );
        assert_eq!(back(&details, r#"{"sequence":"7"}"#), r#"{"sequence":"7"}"#);
    }

    #[test]
    fn present_messages_stay_and_enums_are_names() {
        let user = message("zitadel.user.v2.HumanUser");
        assert_eq!(
            back(&user, r#"{"phone":{},"state":1}"#),
            r#"{"state":"USER_STATE_ACTIVE","phone":{}}"#
        );
    }

    #[test]
    fn two_arms_are_refused_with_the_choice() {
        let text = "phone verification: choose one of sendCode, returnCode, isVerified";
        for body in [
            r#"{"phone":"+41","sendCode":{},"returnCode":{},"isVerified":true}"#,
            r#"{"return_code":{},"is_verified":false}"#,
        ] {
            let refusal = refusal(&set_phone(), body.as_bytes());
            assert!(refusal.starts_with(text), "{refusal}");
        }
        let add = message("zitadel.user.v2.AddHumanUserRequest");
        let text_in_add = refusal(&add, br#"{"phone":{"sendCode":{},"isVerified":true}}"#);
        assert!(text_in_add.starts_with(text), "{text_in_add}");
        let resend = message("zitadel.user.v2.ResendPhoneCodeRequest");
        let text = refusal(&resend, br#"{"sendCode":{},"returnCode":{}}"#);
        assert!(
            text.starts_with("phone code verification: choose one of sendCode, returnCode"),
            "{text}"
        );
        // One arm and a null are one arm.
        parse(&resend, br#"{"sendCode":{},"returnCode":null}"#).unwrap();
    }

    #[test]
    fn one_field_under_two_names_is_refused() {
        let update = message("zitadel.user.v2.UpdateUserRequest");
        let text = refusal(
            &update,
            br#"{"human":{"profile":{"nickName":"a","nick_name":"b"}}}"#,
        );
        assert!(
            text.starts_with("human.profile.nickName is given more than once"),
            "{text}"
        );
        let text = refusal(&set_phone(), br#"{"sendCode":{},"sendCode":{}}"#);
        assert!(
            text.starts_with("verification is given more than once"),
            "{text}"
        );
    }

    #[test]
    fn wrong_types_name_the_field_and_not_the_value() {
        let secret = "secret-value-4711";
        let list = message("zitadel.user.v2.ListUsersRequest");
        let update = message("zitadel.user.v2.UpdateUserRequest");
        for (message, body, says) in [
            (
                set_phone(),
                format!(r#"{{"phone":["{secret}"]}}"#),
                "invalid value for phone: expected a text, found a list (line 1 column ",
            ),
            (
                set_phone(),
                format!(r#"{{"isVerified":"{secret}"}}"#),
                "invalid value for isVerified: expected true or false, found a text",
            ),
            (
                set_phone(),
                format!(r#"["{secret}"]"#),
                "invalid value for request body: expected an object, found a list",
            ),
            (
                update,
                format!(r#"{{"human":{{"phone":{{"sendCode":"{secret}"}}}}}}"#),
                "invalid value for human.phone.sendCode: expected an object, found a text",
            ),
            (
                list.clone(),
                format!(
                    r#"{{"queries":[{{"inUserIdsQuery":{{"userIds":["a",4711,"{secret}"]}}}}]}}"#
                ),
                "invalid value for queries[0].inUserIdsQuery.userIds[1]: expected a text, found a number",
            ),
            (
                list.clone(),
                format!(r#"{{"query":{{"limit":-1}},"x":"{secret}"}}"#),
                "invalid value for query.limit: expected a whole number in range, found a number",
            ),
            (
                list,
                format!(r#"{{"queries":"{secret}"}}"#),
                "invalid value for queries: expected a list, found a text",
            ),
        ] {
            let text = refusal(&message, body.as_bytes());
            assert!(text.starts_with(says), "{text}");
            assert!(!text.contains(secret), "{text}");
        }
        let text = refusal(
            &message("zitadel.object.v2.Details"),
            br#"{"changeDate":"yesterday"}"#,
        );
        assert!(
            text.starts_with("invalid value for changeDate: expected a time such as"),
            "{text}"
        );
    }

    #[test]
    fn broken_bodies_say_where() {
        let phone = set_phone();
        for (body, says) in [
            (
                &b"{\"phone\":\"+41"[..],
                "request body is not valid JSON: EOF while parsing a string at line 1 column",
            ),
            (
                b"{phone:1}",
                "request body is not valid JSON: key must be a string at line 1 column 2",
            ),
            (
                b"{} {}",
                "request body is not valid JSON: trailing characters at line 1 column 4",
            ),
            (
                b"{\"phone\":\"\xff\"}",
                "request body is not valid UTF-8 at byte 10",
            ),
            (
                b"{\"unknown\":\"\xff\"}",
                "request body is not valid UTF-8 at byte 12",
            ),
        ] {
            let text = refusal(&phone, body);
            assert!(text.starts_with(says), "{text}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_before_anything_recurses() {
        let list = message("zitadel.user.v2.ListUsersRequest");
        for (open, close) in [
            ("[", "]"),
            ("{\"queries\":[{\"notQuery\":", "}]}"),
            ("{\"x\":", "}"),
        ] {
            let body = format!("{}1{}", open.repeat(40_000), close.repeat(40_000));
            assert_eq!(
                refusal(&list, body.as_bytes()),
                "request body nests more than 64 levels deep"
            );
        }
        // Brackets in texts nest nothing.
        let body = serde_json::json!({"phone": "[{\\\"".repeat(100)}).to_string();
        parse(&set_phone(), body.as_bytes()).unwrap();
    }
}
