//! Rules for the form of a field.

use ringback_core::Refusal;

pub(super) fn invalid(field: &str, rule: impl Into<String>) -> Refusal {
    Refusal::FieldInvalid {
        field: field.to_owned(),
        rule: rule.into(),
    }
}

pub(super) fn length(field: &str, text: &str, least: usize) -> Result<(), Refusal> {
    if !(least..=200).contains(&text.chars().count()) {
        let rule = format!("must have {least} to 200 characters");
        return Err(invalid(field, rule));
    }
    // PostgreSQL has no room for it in a text, and no name has a use for it.
    if text.contains('\0') {
        return Err(invalid(field, "must not contain a NUL character"));
    }
    Ok(())
}
