//! Path variables and query parameters become fields of the request message.

use percent_encoding::percent_decode_str;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage, Value};
use tonic::Status;

use super::{
    json,
    routes::{Binding, Body, field_path},
};

/// Sets what the path's variables say. They win over the body.
pub(super) fn bind_path(
    message: &mut DynamicMessage,
    binding: &Binding,
    values: &[&str],
) -> Result<(), Status> {
    for (path, raw) in binding.variables.iter().zip(values) {
        let Some(field) = path.last() else { continue };
        let text = percent_decode_str(raw).decode_utf8().map_err(|_| {
            Status::invalid_argument(format!(
                "{} in the path is not valid UTF-8",
                field.json_name()
            ))
        })?;
        let value = parse(field.json_name(), field, &text)?;
        set(message, path, value);
    }
    Ok(())
}

/// Sets what the query says about fields that neither path nor body bind; other parameters are ignored.
pub(super) fn bind_query(
    message: &mut DynamicMessage,
    binding: &Binding,
    query: &str,
) -> Result<(), Status> {
    if matches!(binding.body, Body::Whole) {
        return Ok(());
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(name)?;
        let Ok(path) = field_path(&message.descriptor(), &name) else {
            continue;
        };
        let of_body = matches!(&binding.body, Body::Field(body) if path.first() == Some(body));
        if of_body || binding.variables.contains(&path) {
            continue;
        }
        let Some(field) = path.last() else { continue };
        let value = parse(&name, field, &decode(value)?)?;
        if let Some(oneof) = field.containing_oneof()
            && !oneof.is_synthetic()
            && let Some(holder) = holder(message, &path)
            && oneof.fields().any(|arm| holder.has_field(&arm))
        {
            return Err(Status::invalid_argument(json::choose_one(&oneof, "")));
        }
        set(message, &path, value);
    }
    Ok(())
}

/// A name or value of a query.
pub(super) fn decode(text: &str) -> Result<String, Status> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced)
        .decode_utf8()
        .map(|text| text.into_owned())
        .map_err(|_| Status::invalid_argument("the query is not valid UTF-8"))
}

/// The message that the last field of `path` is in, as far as it exists.
fn holder(message: &DynamicMessage, path: &[FieldDescriptor]) -> Option<DynamicMessage> {
    match path {
        [] => None,
        [_] => Some(message.clone()),
        [first, rest @ ..] => holder(message.get_field(first).as_message()?, rest),
    }
}

fn set(message: &mut DynamicMessage, path: &[FieldDescriptor], value: Value) {
    match path {
        [] => {}
        [field] if field.is_list() => {
            if let Value::List(list) = message.get_field_mut(field) {
                list.push(value);
            }
        }
        [field] => message.set_field(field, value),
        [first, rest @ ..] => {
            if let Value::Message(inner) = message.get_field_mut(first) {
                set(inner, rest, value);
            }
        }
    }
}

/// One value of the field's kind. `name` is how the caller spelt it.
fn parse(name: &str, field: &FieldDescriptor, text: &str) -> Result<Value, Status> {
    let kind = field.kind();
    let value = match &kind {
        _ if field.is_map() => None,
        Kind::Bool => text.parse().ok().map(Value::Bool),
        Kind::Enum(names) => names
            .get_value_by_name(text)
            .map(|value| value.number())
            .or_else(|| text.parse().ok())
            .map(Value::EnumNumber),
        // As a text in JSON; messages without a text form are reached by their fields.
        _ => json::of_text(&kind, text),
    };
    value.ok_or_else(|| {
        Status::invalid_argument(format!(
            "invalid value for {name}: expected {}",
            json::expected(&kind)
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::Uri;

    use super::*;
    use crate::http::routes::{Label, Rpc};
    use crate::proto;

    fn binding(message: &str, body: Body, variables: &[&str]) -> Binding {
        let input = proto::pool().get_message_by_name(message).unwrap();
        Binding {
            variables: variables
                .iter()
                .map(|path| field_path(&input, path).unwrap())
                .collect(),
            rpc: Arc::new(Rpc {
                service: 0,
                reads: false,
                uri: Uri::from_static("/test"),
                label: Label {
                    api: "".into(),
                    method: "".into(),
                },
                output: input.clone(),
                input,
            }),
            body,
        }
    }

    fn query(message: &str, query: &str) -> Result<String, Status> {
        let binding = binding(message, Body::Nothing, &[]);
        let mut message = DynamicMessage::new(binding.rpc.input.clone());
        bind_query(&mut message, &binding, query)?;
        Ok(serde_json::to_string(&message).unwrap())
    }

    #[test]
    fn query_parameters_fill_nested_repeated_and_either_spelling() {
        let search = "ringback.phone.v1.SearchPhonesRequest";
        assert_eq!(
            query(
                search,
                "user_ids=a&userIds=b+c&pageSize=5&is_verified=false&other=1&phone=%2B41"
            )
            .unwrap(),
            r#"{"userIds":["a","b c"],"phone":"+41","isVerified":false,"pageSize":5}"#
        );
        assert_eq!(
            query("zitadel.user.v2.ListUsersRequest", "query.offset=18446744073709551615&query.asc=true&sorting_column=USER_FIELD_NAME_EMAIL").unwrap(),
            r#"{"query":{"offset":"18446744073709551615","asc":true},"sortingColumn":"USER_FIELD_NAME_EMAIL"}"#
        );
        assert_eq!(
            query(
                "ringback.phone.v1.PhoneNumber",
                "creationDate=2025-01-02T03:04:05.5Z"
            )
            .unwrap(),
            r#"{"creationDate":"2025-01-02T03:04:05.500Z"}"#
        );
        assert_eq!(
            query("zitadel.user.v2.Metadata", "value=_-8").unwrap(),
            r#"{"value":"/+8="}"#
        );
    }

    #[test]
    fn bad_query_values_name_the_field() {
        let search = "ringback.phone.v1.SearchPhonesRequest";
        for (text, says) in [
            (
                "pageSize=-1",
                "invalid value for pageSize: expected a whole number",
            ),
            (
                "isVerified=yes",
                "invalid value for isVerified: expected true or false",
            ),
            ("phone=%FF", "the query is not valid UTF-8"),
        ] {
            let status = query(search, text).unwrap_err();
            assert_eq!(status.code(), tonic::Code::InvalidArgument);
            assert!(status.message().starts_with(says), "{}", status.message());
        }
        let status = query("zitadel.user.v2.ListUsersRequest", "query=1").unwrap_err();
        assert!(status.message().contains("expected an object"));
    }

    #[test]
    fn two_arms_in_a_query_are_refused() {
        let status = query("zitadel.object.v2.Organization", "orgId=a&orgDomain=b").unwrap_err();
        assert_eq!(status.message(), "org: choose one of orgId, orgDomain");
    }

    #[test]
    fn path_variables_are_decoded_and_win() {
        let binding = binding("zitadel.user.v2.SetPhoneRequest", Body::Whole, &["user_id"]);
        let mut message = DynamicMessage::new(binding.rpc.input.clone());
        message.set_field_by_name("user_id", Value::String("body".to_owned()));
        bind_path(&mut message, &binding, &["a%2Fb%20%C3%A4+c"]).unwrap();
        assert_eq!(
            message.get_field_by_name("user_id").unwrap().as_str(),
            Some("a/b ä+c")
        );
        let status = bind_path(&mut message, &binding, &["%FF"]).unwrap_err();
        assert_eq!(status.message(), "userId in the path is not valid UTF-8");
        // A query has nothing to add where the body is everything.
        bind_query(&mut message, &binding, "phone=%2B41").unwrap();
        assert!(!message.has_field_by_name("phone"));
    }
}
