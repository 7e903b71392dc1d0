//! A JSON value as a message, or what is wrong with it.

use std::collections::HashSet;

use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine, alphabet};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

use super::number::whole;
use super::tree::Json;
use super::{choose_one, expected, is_condition, is_well_known, subject};
use crate::http::routes::field;

/// Padding or none. The URL-safe alphabet is mapped onto this one.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A value as a message. `path` leads to it, as the caller spelt the names.
pub(super) fn message(
    descriptor: &MessageDescriptor,
    value: &Json,
    path: &str,
) -> Result<DynamicMessage, String> {
    let Json::Object(members) = value else {
        let what = if path.is_empty() {
            "request body"
        } else {
            path
        };
        let found = value.kind();
        return Err(format!(
            "invalid value for {what}: expected an object, found {found}"
        ));
    };
    let mut message = DynamicMessage::new(descriptor.clone());
    let (mut names, mut fields) = (HashSet::new(), HashSet::new());
    for (name, value) in members {
        let path = match path {
            "" => name.clone(),
            path => format!("{path}.{name}"),
        };
        let field = field(descriptor, name);
        let number = field.as_ref().map(FieldDescriptor::number);
        // Under one name or under both of its names.
        let first = number.is_none_or(|number| fields.insert(number));
        if !names.insert(name) || !first {
            return Err(match field {
                Some(_) => format!("{path} is given more than once"),
                // Nobody knows what an unknown name may hold.
                None => "a member of the request body is given more than once".to_owned(),
            });
        }
        let Some(field) = field.filter(|_| *value != Json::Null) else {
            continue;
        };
        if let Some(oneof) = field.containing_oneof()
            && !oneof.is_synthetic()
            && oneof.fields().any(|arm| message.has_field(&arm))
        {
            let about = match path.rsplit_once('.') {
                Some((holder, _)) => holder,
                None => "",
            };
            return Err(choose_one(&oneof, &subject(descriptor, about)));
        }
        if !is_newer(&field, value, &path) {
            message.set_field(&field, of_field(&field, value, &path)?);
        }
    }
    Ok(message)
}

/// Whether a value is the name of an enumerator that nobody knows here: outside conditions it changes nothing, like
/// a field that nobody knows.
fn is_newer(field: &FieldDescriptor, value: &Json, path: &str) -> bool {
    let (Kind::Enum(names), Json::Text(name)) = (field.kind(), value) else {
        return false;
    };
    let in_a_condition = path.contains('[') || is_condition(field);
    !in_a_condition && names.get_value_by_name(name).is_none()
}

fn of_field(field: &FieldDescriptor, value: &Json, path: &str) -> Result<Value, String> {
    let kind = field.kind();
    if !field.is_list() {
        return one(&kind, value, path);
    }
    let Json::List(items) = value else {
        let found = value.kind();
        return Err(format!(
            "invalid value for {path}: expected a list, found {found}"
        ));
    };
    let items = items.iter().enumerate();
    let items = items.map(|(index, item)| one(&kind, item, &format!("{path}[{index}]")));
    Ok(Value::List(items.collect::<Result<_, _>>()?))
}

fn one(kind: &Kind, value: &Json, path: &str) -> Result<Value, String> {
    if let Kind::Message(inner) = kind
        && !is_well_known(inner)
    {
        return message(inner, value, path).map(Value::Message);
    }
    scalar(kind, value).ok_or_else(|| {
        let (expected, found) = (expected(kind), value.kind());
        format!("invalid value for {path}: expected {expected}, found {found}")
    })
}

pub(super) fn scalar(kind: &Kind, value: &Json) -> Option<Value> {
    match (kind, value) {
        (Kind::Bool, Json::Bool(value)) => Some(Value::Bool(*value)),
        (Kind::String, Json::Text(text)) => Some(Value::String(text.clone())),
        (Kind::Bytes, Json::Text(text)) => {
            let text = text.replace('-', "+").replace('_', "/");
            Some(Value::Bytes(BASE64.decode(text).ok()?.into()))
        }
        (Kind::Enum(names), Json::Text(name)) => {
            let value = names.get_value_by_name(name)?;
            Some(Value::EnumNumber(value.number()))
        }
        (Kind::Enum(_), Json::Whole(_) | Json::Negative(_) | Json::Float(_)) => {
            Some(Value::EnumNumber(i32::try_from(whole(value)?).ok()?))
        }
        (Kind::Int32 | Kind::Sint32 | Kind::Sfixed32, _) => {
            Some(Value::I32(i32::try_from(whole(value)?).ok()?))
        }
        (Kind::Int64 | Kind::Sint64 | Kind::Sfixed64, _) => {
            Some(Value::I64(i64::try_from(whole(value)?).ok()?))
        }
        (Kind::Uint32 | Kind::Fixed32, _) => {
            Some(Value::U32(u32::try_from(whole(value)?).ok()?))
        }
        (Kind::Uint64 | Kind::Fixed64, _) => {
            Some(Value::U64(u64::try_from(whole(value)?).ok()?))
        }
        // Timestamps and their kin are written as a text.
        (Kind::Message(known), Json::Text(text)) => {
            let text = serde_json::Value::from(text.as_str());
            let read = DynamicMessage::deserialize(known.clone(), text).ok()?;
            Some(Value::Message(read))
        }
        (
            Kind::Bool
            | Kind::String
            | Kind::Bytes
            | Kind::Enum(_)
            | Kind::Message(_)
            // No request has fractions; a test holds that.
            | Kind::Float
            | Kind::Double,
            _,
        ) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto;

    /// Every message that a request can hold.
    fn visit(message: &MessageDescriptor, seen: &mut HashSet<String>) {
        if is_well_known(message) || !seen.insert(message.full_name().to_owned()) {
            return;
        }
        for field in message.fields() {
            let name = field.full_name().to_owned();
            assert!(!field.is_map(), "{name} is a map, which is not read yet");
            match field.kind() {
                Kind::Message(inner) => visit(&inner, seen),
                Kind::Float | Kind::Double => panic!("{name} has fractions, which are not read"),
                _ => {}
            }
        }
    }

    #[test]
    fn requests_hold_nothing_that_is_not_read() {
        let mut seen = HashSet::new();
        for service in proto::pool().services() {
            for method in service.methods() {
                visit(&method.input(), &mut seen);
            }
        }
        assert!(seen.len() > 50, "{}", seen.len());
    }
}
