//! Rules for the form of a field.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use prost_reflect::FieldDescriptor;
use ringback_core::Refusal;

use crate::proto::rules;

/// How many characters each text may have, by message and field.
static LENGTHS: LazyLock<HashMap<String, RangeInclusive<usize>>> =
    LazyLock::new(|| rules::lengths("ringback.", name));

/// `SearchPhonesRequest.phone`
fn name(field: &FieldDescriptor) -> String {
    format!("{}.{}", field.parent_message().name(), field.name())
}

pub(super) fn invalid(field: &str, rule: impl Into<String>) -> Refusal {
    Refusal::FieldInvalid {
        field: field.to_owned(),
        rule: rule.into(),
    }
}

/// Whether a text is as long as `proto/` says. `field` is one of `message`, or one of a list: `user_ids[3]`.
pub(super) fn length(message: &str, field: &str, text: &str) -> Result<(), Refusal> {
    let whole = field.split('[').next().unwrap_or(field);
    // A field that `proto/` does not bound has no room for anything: a mistake that is met at once.
    let range = LENGTHS.get(&format!("{message}.{whole}")).cloned();
    let range = range.unwrap_or(0..=0);
    if !range.contains(&text.chars().count()) {
        let (least, most) = (range.start(), range.end());
        return Err(invalid(
            field,
            format!("must have {least} to {most} characters"),
        ));
    }
    // PostgreSQL has no room for it in a text, and no name has a use for it.
    if text.contains('\0') {
        return Err(invalid(field, "must not contain a NUL character"));
    }
    Ok(())
}
