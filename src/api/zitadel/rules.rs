//! Rules for the form of a field, told in the words of protoc-gen-validate, which clients of Zitadel know.

use std::ops::RangeInclusive;

use ringback_core::Refusal;

/// What ids, names and addresses may measure, in characters.
pub(super) const TEXT: RangeInclusive<usize> = 1..=200;
/// The same for texts that may be empty.
pub(super) const TEXT_OR_NONE: RangeInclusive<usize> = 0..=200;

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

/// Lengths are counted in characters, not in bytes.
pub(super) fn length(field: &str, text: &str, range: RangeInclusive<usize>) -> Result<(), Refusal> {
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

pub(super) fn length_if_given(
    field: &str,
    text: Option<&String>,
    range: RangeInclusive<usize>,
) -> Result<(), Refusal> {
    text.map_or(Ok(()), |text| length(field, text, range))
}

pub(super) fn email(field: &str, text: &str) -> Result<(), Refusal> {
    length(field, text, TEXT)?;
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
        assert_eq!(length(field, &"é".repeat(200), TEXT), Ok(()));
        let long = invalid(
            field,
            "value length must be between 1 and 200 runes, inclusive",
        );
        assert_eq!(length(field, &"é".repeat(201), TEXT), Err(long.clone()));
        assert_eq!(length(field, "", TEXT), Err(long));
        assert_eq!(length(field, "", TEXT_OR_NONE), Ok(()));
        assert_eq!(
            length(field, &"é".repeat(201), TEXT_OR_NONE),
            Err(invalid(field, "value length must be at most 200 runes"))
        );
        assert!(length(field, "a\0b", TEXT).is_err());
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
