//! ringback's own forms: an object a line, or a table with a row a number.

use ringback_core::Profile;
use ringback_core::account::Pending;
use ringback_store::IncomingState;
use serde_json::Value;

use super::draft::{Draft, DraftPhone};
use super::fields::{Fields, shown};
use super::table::{as_it_was, each_once};
use super::{Object, Wrong};

/// The columns of a table, in the order in which they are written.
pub(super) const COLUMNS: [&str; 22] = [
    "organizationId",
    "userId",
    "username",
    "givenName",
    "familyName",
    "nickName",
    "displayName",
    "preferredLanguage",
    "gender",
    "email",
    "isEmailVerified",
    "creationDate",
    "changeDate",
    "sequence",
    "phone",
    "phoneId",
    "isPrimary",
    "isVerified",
    "pending",
    "verificationDate",
    "phoneCreationDate",
    "phoneChangeDate",
];
/// So many of them are about the user, in each row.
pub(super) const OF_USER: usize = 14;

/// The columns of a number and their names in an object.
const OF_NUMBER: [(&str, &str); 8] = [
    ("phone", "phone"),
    ("phoneId", "id"),
    ("isPrimary", "isPrimary"),
    ("isVerified", "isVerified"),
    ("pending", "pending"),
    ("verificationDate", "verificationDate"),
    ("phoneCreationDate", "creationDate"),
    ("phoneChangeDate", "changeDate"),
];

/// Gender's enumeration ends here: unspecified, female, male, diverse.
const LAST_GENDER: u64 = 3;

/// A column by its name, however it is spelt: `user_id`, `User ID`, `userId`.
fn column(name: &str) -> Option<&'static str> {
    let letters = |text: &str| -> String {
        let letters = text.chars().filter(|c| !matches!(c, '_' | '-' | ' '));
        letters.map(|c| c.to_ascii_lowercase()).collect()
    };
    let name = letters(name);
    COLUMNS.into_iter().find(|column| letters(column) == name)
}

/// Fails where a column is not known, or is there twice, in whatever spelling.
pub(super) fn check_columns(names: &[String]) -> Result<(), Wrong> {
    let unknown = |name: &&String| !name.is_empty() && column(name).is_none();
    if let Some(name) = names.iter().find(unknown) {
        let name = shown(name);
        return Err(format!(
            "the column {name} is not known here; take it out, see docs/MOVING.md"
        ));
    }
    each_once(names, |name| column(name).unwrap_or_default().to_owned())
}

pub(super) fn is_user_column(name: &str) -> bool {
    column(name) == Some("userId")
}

/// What rows say of one user.
pub(super) struct Rows {
    user: Object,
    phones: Vec<Value>,
}

/// What one row says.
pub(super) fn row(row: Object) -> Result<Rows, Wrong> {
    let (mut user, mut phone) = (Object::new(), Object::new());
    for (name, value) in row {
        let value = match value {
            Value::String(text) => Value::String(as_it_was(&text).to_owned()),
            value => value,
        };
        let known = column(&name);
        let of_number = OF_NUMBER.iter().find(|(column, _)| Some(*column) == known);
        match (known, of_number) {
            (_, Some((_, name))) => phone.insert((*name).to_owned(), value),
            (Some(name), None) => user.insert(name.to_owned(), value),
            // Refused by its name later, as in an object.
            (None, None) => user.insert(name, value),
        };
    }
    let phones = match phone.is_empty() {
        true => Vec::new(),
        false => vec![Value::Object(phone)],
    };
    Ok(Rows { user, phones })
}

impl Rows {
    /// Whether another row is of the same user.
    pub(super) fn is_same(&self, next: &Rows) -> bool {
        let same = |name| self.user.get(name) == next.user.get(name);
        same("userId") && same("organizationId")
    }

    /// With the number of the next row. What that says of the user besides is what this one says.
    pub(super) fn and(mut self, next: Rows) -> Rows {
        self.phones.extend(next.phones);
        self
    }

    pub(super) fn into_object(mut self) -> Object {
        self.user
            .insert("phones".to_owned(), Value::Array(self.phones));
        self.user
    }
}

/// A user of ringback's own form.
pub(super) fn draft(object: Object) -> Result<Draft, Wrong> {
    let mut fields = Fields::new(object);
    let mut draft = Draft {
        organization: fields.text("organizationId")?,
        id: fields.needed("userId")?,
        profile: Profile {
            username: fields.some("username")?,
            given_name: fields.some("givenName")?,
            family_name: fields.some("familyName")?,
            nick_name: fields.some("nickName")?,
            display_name: fields.some("displayName")?,
            preferred_language: fields.some("preferredLanguage")?,
            gender: gender(&mut fields)?,
            email: fields.some("email")?,
            email_verified: fields.flag("isEmailVerified")?.unwrap_or(false),
        },
        sequence: fields.count("sequence")?,
        created_at: fields.time("creationDate")?,
        changed_at: fields.time("changeDate")?,
        phones: Vec::new(),
    };
    let phones = fields.list("phones")?.unwrap_or_default();
    fields.end()?;
    for (nth, value) in (1..).zip(phones) {
        let mut fields = Fields::of(value, &format!("number {nth}"))?;
        draft.phones.push(phone(&mut fields)?);
        fields.end()?;
    }
    let replaces = |phone: &&DraftPhone| phone.state == IncomingState::Pending(Pending::Replaces);
    if draft.phones.iter().filter(replaces).count() > 1 {
        return Err("several numbers are to replace the primary one; one may be".to_owned());
    }
    Ok(draft)
}

fn gender(fields: &mut Fields) -> Result<i32, Wrong> {
    match fields.count("gender")? {
        None => Ok(0),
        Some(gender @ 0..=LAST_GENDER) => Ok(i32::try_from(gender).unwrap_or_default()),
        Some(_) => Err(fields.wrong("gender", "must be 0 to 3")),
    }
}

fn phone(fields: &mut Fields) -> Result<DraftPhone, Wrong> {
    let text = fields.needed("phone")?;
    let verified = fields.flag("isVerified")?;
    let verified_at = fields.time("verificationDate")?;
    let pending = match fields.text("pending")?.as_deref() {
        None => None,
        Some("joins") => Some(Pending::Joins),
        Some("replaces") => Some(Pending::Replaces),
        Some(_) => return Err(fields.wrong("pending", "must be joins or replaces, or be left out")),
    };
    let state = match (pending, verified, verified_at) {
        (None, Some(true), at) | (None, None, at @ Some(_)) => IncomingState::Verified(at),
        (None, Some(false) | None, None) => IncomingState::Unverified,
        (Some(pending), Some(false) | None, None) => IncomingState::Pending(pending),
        (None, Some(false), Some(_)) => {
            return Err(fields.wrong("verificationDate", "is given, and isVerified is false"));
        }
        (Some(_), _, _) => return Err(fields.wrong("pending", "is given of a verified number")),
    };
    Ok(DraftPhone {
        text,
        id: fields.id("id")?,
        state,
        primary: fields.flag("isPrimary")?,
        created_at: fields.time("creationDate")?,
        changed_at: fields.time("changeDate")?,
    })
}
