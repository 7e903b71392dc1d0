//! Rules for the form of a field, told in the words of protoc-gen-validate, which clients of Zitadel know.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use prost_reflect::FieldDescriptor;
use ringback_core::Refusal;

use crate::proto::rules;

/// How many characters each text may have, by the name under which a refusal speaks of it.
static LENGTHS: LazyLock<HashMap<String, RangeInclusive<usize>>> =
    LazyLock::new(|| rules::lengths("zitadel.", name));

/// `UpdateUserRequest_Human_Profile.GivenName`, as protoc-gen-validate calls a field.
fn name(field: &FieldDescriptor) -> String {
    let message = field.parent_message();
    let package = message.package_name().len() + 1;
    let message = message.full_name()[package..].replace('.', "_");
    let words = field.name().split('_').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_ascii_uppercase() + rest
    });
    format!("{message}.{}", words.collect::<String>())
}

pub(super) fn invalid(field: &str, rule: impl Into<String>) -> Refusal {
    Refusal::FieldInvalid {
        field: field.to_owned(),
        rule: rule.into(),
    }
}

pub(super) fn required(field: &str) -> Refusal {
    invalid(field, "value is required")
}

pub(super) fn unsupported(what: &str) -> Refusal {
    Refusal::Unsupported {
        what: what.to_owned(),
    }
}

/// Whether a text is as long as `proto/` says, counted in characters. `field` may name one of a list:
/// `InUserIDQuery.UserIds[3]`.
pub(super) fn length(field: &str, text: &str) -> Result<(), Refusal> {
    let whole = field.split('[').next().unwrap_or(field);
    // A field that `proto/` does not bound has no room for anything: a mistake that is met at once.
    let range = LENGTHS.get(whole).cloned().unwrap_or(0..=0);
    let (least, most) = (range.start(), range.end());
    if !range.contains(&text.chars().count()) {
        return Err(invalid(
            field,
            if *least == 0 {
                format!("value length must be at most {most} runes")
            } else {
                format!("value length must be between {least} and {most} runes, inclusive")
            },
        ));
    }
    // PostgreSQL has no room for it in a text, and no name has a use for it.
    if text.contains('\0') {
        return Err(invalid(field, "value must not contain a NUL character"));
    }
    Ok(())
}

pub(super) fn length_if_given(field: &str, text: Option<&String>) -> Result<(), Refusal> {
    text.map_or(Ok(()), |text| length(field, text))
}

pub(super) fn email(field: &str, text: &str) -> Result<(), Refusal> {
    length(field, text)?;
    let plain = !text.chars().any(|c| c.is_whitespace() || c.is_control());
    match text.rsplit_once('@') {
        Some((local, domain)) if plain && !local.is_empty() && !domain.is_empty() => Ok(()),
        Some(_) | None => Err(invalid(field, "value must be a valid email address")),
    }
}

pub(super) fn always_true(field: &str, value: bool) -> Result<(), Refusal> {
    if value {
        Ok(())
    } else {
        Err(invalid(field, "value must equal true"))
    }
}

/// `E` is the enumeration of the wire that the number must be a member of.
pub(super) fn defined<E: TryFrom<i32>>(field: &str, number: i32) -> Result<E, Refusal> {
    E::try_from(number).map_err(|_| invalid(field, "value must be one of the defined enum values"))
}

/// Names the field whose message broke a rule of its own.
pub(super) fn within<T>(field: &str, result: Result<T, Refusal>) -> Result<T, Refusal> {
    result.map_err(|refusal| match refusal {
        Refusal::FieldInvalid { field: inner, rule } => invalid(
            field,
            format!("embedded message failed validation | caused by: invalid {inner}: {rule}"),
        ),
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_count_characters() {
        let field = "SetPhoneRequest.UserId";
        assert_eq!(length(field, &"é".repeat(200)), Ok(()));
        let long = invalid(
            field,
            "value length must be between 1 and 200 runes, inclusive",
        );
        assert_eq!(length(field, &"é".repeat(201)), Err(long.clone()));
        assert_eq!(length(field, ""), Err(long));
        let (empty, one) = ("SetHumanPhone.Phone", "InUserEmailsQuery.UserEmails[3]");
        for may_be_empty in [empty, one] {
            assert_eq!(length(may_be_empty, ""), Ok(()));
            assert_eq!(
                length(may_be_empty, &"é".repeat(201)),
                Err(invalid(
                    may_be_empty,
                    "value length must be at most 200 runes"
                ))
            );
        }
        assert!(length(field, "a\0b").is_err());
        let deep = "UpdateUserRequest_Human_Profile.PreferredLanguage";
        assert!(length(deep, &"é".repeat(10)).is_ok());
        assert!(length(deep, &"é".repeat(11)).is_err());
    }

    #[test]
    fn addresses_have_two_parts() {
        for good in ["ann@example.com", "a@b", "\"a@b\"@c"] {
            assert_eq!(email("SetHumanEmail.Email", good), Ok(()), "{good}");
        }
        for bad in ["", "ann", "@example.com", "ann@", "ann @example.com"] {
            assert!(email("SetHumanEmail.Email", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_inner_rule_names_both_fields() {
        let inner: Result<(), _> = always_true("SetHumanPhone.IsVerified", false);
        assert_eq!(
            within("AddHumanUserRequest.Phone", inner),
            Err(invalid(
                "AddHumanUserRequest.Phone",
                "embedded message failed validation | caused by: invalid SetHumanPhone.IsVerified: \
                 value must equal true"
            ))
        );
        let other: Result<(), _> = Err(unsupported("email.sendCode"));
        assert_eq!(within("AddHumanUserRequest.Email", other.clone()), other);
    }
}
