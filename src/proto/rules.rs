//! What `proto/` says of the form of fields (`validate.rules`): the services hold to it, the contract tells it.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use prost_reflect::{DynamicMessage, FieldDescriptor, OneofDescriptor};
use serde_json::Value;

use super::pool;

/// What a field must be like.
#[derive(Debug, Default, PartialEq)]
pub struct Form {
    /// The least characters of a text.
    pub least: usize,
    /// The most characters of a text, the most items of a list, or the largest number.
    pub most: Option<usize>,
    /// A text's form as a regular expression.
    pub pattern: Option<String>,
    /// Whether a text must be an e-mail address.
    pub email: bool,
    /// Whether a text must be a UUID.
    pub uuid: bool,
    /// The only value of a yes or no.
    pub only: Option<bool>,
    /// Whether a name must be one that the enumeration has.
    pub defined: bool,
    /// Whether a message must be there.
    pub required: bool,
    /// What each item of a list must be like.
    pub items: Option<Box<Form>>,
}

impl Form {
    /// The rules of one field; none of them holds for a field without any.
    pub fn of(field: &FieldDescriptor) -> Form {
        option(&field.options(), "validate.rules").map_or_else(Form::default, |rules| read(&rules))
    }

    /// Whether what is not given breaks a rule. `field` is the field of these rules.
    pub fn must_be_given(&self, field: &FieldDescriptor) -> bool {
        let empty_is_wrong = self.least > 0 || self.uuid;
        self.required || (!field.supports_presence() && !field.is_list() && empty_is_wrong)
    }
}

/// Whether one arm of a oneof must be chosen.
pub fn needs_arm(oneof: &OneofDescriptor) -> bool {
    option(&oneof.options(), "validate.required") == Some(Value::Bool(true))
}

/// How many characters each text of a package may have. `name` makes the keys: how the package's service calls a
/// field.
pub fn lengths(
    package: &str,
    name: fn(&FieldDescriptor) -> String,
) -> HashMap<String, RangeInclusive<usize>> {
    let messages = pool().all_messages();
    let messages = messages.filter(|message| message.package_name().starts_with(package));
    let fields = messages.flat_map(|message| message.fields().collect::<Vec<_>>());
    let texts = fields.filter_map(|field| {
        let form = Form::of(&field);
        let text = form.items.as_deref().unwrap_or(&form);
        let is_text = field.kind() == prost_reflect::Kind::String;
        let most = text.most.filter(|_| is_text)?;
        Some((name(&field), text.least..=most))
    });
    texts.collect()
}

/// The largest number or the most items of a field, such as `zitadel.object.v2.ListQuery.limit`.
pub fn most(field: &str) -> usize {
    let (message, name) = field.rsplit_once('.').unwrap_or_default();
    let field = pool()
        .get_message_by_name(message)
        .and_then(|message| message.get_field_by_name(name));
    field
        .and_then(|field| Form::of(&field).most)
        .expect("proto/ bounds it, as a test shows")
}

/// An option in its JSON form.
fn option(options: &DynamicMessage, name: &str) -> Option<Value> {
    let extension = pool().get_extension_by_name(name)?;
    if !options.has_extension(&extension) {
        return None;
    }
    match options.get_extension(&extension).as_ref() {
        prost_reflect::Value::Message(message) => serde_json::to_value(message).ok(),
        prost_reflect::Value::Bool(flag) => Some(Value::Bool(*flag)),
        _ => None,
    }
}

fn read(rules: &Value) -> Form {
    let text = &rules["string"];
    let list = &rules["repeated"];
    // 64-bit numbers are texts in JSON.
    let figure = |value: &Value| match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|it| usize::try_from(it).ok()),
    };
    let bounds = [&text["maxLen"], &rules["uint32"]["lte"], &list["maxItems"]];
    Form {
        least: figure(&text["minLen"]).unwrap_or_default(),
        most: bounds.into_iter().find_map(figure),
        pattern: text["pattern"].as_str().map(str::to_owned),
        email: text["email"] == true,
        uuid: text["uuid"] == true,
        only: rules["bool"]["const"].as_bool(),
        defined: rules["enum"]["definedOnly"] == true,
        required: rules["message"]["required"] == true,
        items: list.get("items").map(|items| Box::new(read(items))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(message: &str, field: &str) -> Form {
        let message = pool().get_message_by_name(message).unwrap();
        Form::of(&message.get_field_by_name(field).unwrap())
    }

    #[test]
    fn rules_are_read_off_the_options() {
        let phone = form("zitadel.user.v2.SetPhoneRequest", "phone");
        assert_eq!((phone.least, phone.most), (1, Some(200)));
        let email = form("zitadel.user.v2.SetHumanEmail", "email");
        assert!(email.email && email.most == Some(200));
        let only = form("zitadel.user.v2.SetPhoneRequest", "is_verified").only;
        assert_eq!(only, Some(true));
        let ids = form("zitadel.user.v2.InUserIDQuery", "user_ids");
        assert_eq!(ids.most, Some(1_000));
        assert_eq!(
            ids.items.map(|id| (id.least, id.most)),
            Some((1, Some(200)))
        );
        assert!(form("ringback.phone.v1.RemoveUserPhoneRequest", "phone_id").uuid);
        assert!(form("zitadel.user.v2.NotQuery", "query").required);
        assert!(form("zitadel.user.v2.StateQuery", "state").defined);
        assert_eq!(form("zitadel.user.v2.HumanPhone", "phone"), Form::default());
    }

    #[test]
    fn what_must_be_given_is_known() {
        let must = |message: &str, field: &str| {
            let message = pool().get_message_by_name(message).unwrap();
            let field = message.get_field_by_name(field).unwrap();
            Form::of(&field).must_be_given(&field)
        };
        assert!(must("zitadel.user.v2.SetPhoneRequest", "phone"));
        assert!(must("zitadel.user.v2.NotQuery", "query"));
        assert!(
            !must("zitadel.user.v2.CreateUserRequest", "user_id"),
            "it may be left out"
        );
        assert!(
            !must("zitadel.user.v2.SetHumanPhone", "phone"),
            "it may be empty"
        );
        let query = pool()
            .get_message_by_name("zitadel.user.v2.SearchQuery")
            .unwrap();
        assert!(query.oneofs().all(|oneof| needs_arm(&oneof)));
        let set = pool()
            .get_message_by_name("zitadel.user.v2.SetPhoneRequest")
            .unwrap();
        assert!(!set.oneofs().any(|oneof| needs_arm(&oneof)));
    }
}
