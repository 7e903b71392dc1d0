//! Users as Auth0, Firebase, Cognito and Clerk export them: ids, names, addresses and numbers. What is for a login
//! stays behind.

use ringback_core::{Profile, Time};
use serde_json::Value;

use super::draft::{Draft, DraftPhone};
use super::fields::{Fields, shown};
use super::{Object, Wrong};

/// The columns of Firebase's table, which has no head.
pub(super) const FIREBASE_COLUMNS: &[&str] = &[
    "localId",
    "email",
    "emailVerified",
    "passwordHash",
    "salt",
    "displayName",
    "photoUrl",
    "google.id",
    "google.email",
    "google.name",
    "google.photo",
    "facebook.id",
    "facebook.email",
    "facebook.name",
    "facebook.photo",
    "twitter.id",
    "twitter.email",
    "twitter.name",
    "twitter.photo",
    "github.id",
    "github.email",
    "github.name",
    "github.photo",
    "createdAt",
    "lastSignedInAt",
    "phoneNumber",
    "disabled",
    "customAttributes",
    // One more comma ends a line.
    "",
];

fn one(number: Option<String>, verified: bool) -> Vec<DraftPhone> {
    let phone = number.map(|number| DraftPhone::new(number, verified));
    phone.into_iter().collect()
}

/// A user of Auth0's users export.
pub(super) fn auth0(object: Object) -> Result<Draft, Wrong> {
    let mut fields = Fields::new(object);
    let id = fields.needed("user_id")?;
    let number = fields.text("phone_number")?;
    let verified = fields.flag("phone_verified")?.unwrap_or(false);
    Ok(Draft {
        id,
        profile: Profile {
            username: fields.some("username")?,
            given_name: fields.some("given_name")?,
            family_name: fields.some("family_name")?,
            nick_name: fields.some("nickname")?,
            display_name: fields.some("name")?,
            preferred_language: fields.some("locale")?,
            email: fields.some("email")?,
            email_verified: fields.flag("email_verified")?.unwrap_or(false),
            ..Profile::default()
        },
        created_at: fields.any_time("created_at")?,
        changed_at: fields.any_time("updated_at")?,
        phones: one(number, verified),
        ..Draft::default()
    })
}

/// A user of Firebase's `auth:export`. A number is there because its user has signed in by it, or because a
/// service has said so.
pub(super) fn firebase(object: Object) -> Result<Draft, Wrong> {
    let mut fields = Fields::new(object);
    let id = fields.needed("localId")?;
    let number = fields.text("phoneNumber")?;
    Ok(Draft {
        id,
        profile: Profile {
            display_name: fields.some("displayName")?,
            email: fields.some("email")?,
            email_verified: fields.flag("emailVerified")?.unwrap_or(false),
            ..Profile::default()
        },
        created_at: fields.any_time("createdAt")?,
        phones: one(number, true),
        ..Draft::default()
    })
}

/// A user of Cognito's `list-users`, or a row of the table that it imports.
pub(super) fn cognito(mut object: Object) -> Result<Draft, Wrong> {
    let attributes = object.remove("Attributes");
    let mut outer = Fields::new(object);
    // Only its table has this column, and has no `sub`.
    let of_table = outer.text("cognito:username")?;
    let username = match &of_table {
        None => outer.some("Username")?,
        Some(username) => username.clone(),
    };
    let created_at = outer.any_time("UserCreateDate")?;
    let changed_at = outer.any_time("UserLastModifiedDate")?;
    let mut fields = match attributes {
        None => outer,
        Some(Value::Array(list)) => Fields::new(attributes_of(list)?),
        Some(_) => return Err("Attributes must be a list".to_owned()),
    };
    let id = match fields.text("sub")?.or(of_table) {
        Some(id) => id,
        None => {
            return Err(
                "sub is missing, by which tokens name users; list users with all their attributes"
                    .to_owned(),
            );
        }
    };
    let number = fields.text("phone_number")?;
    let verified = fields.flag("phone_number_verified")?.unwrap_or(false);
    Ok(Draft {
        id,
        profile: Profile {
            username,
            given_name: fields.some("given_name")?,
            family_name: fields.some("family_name")?,
            nick_name: fields.some("nickname")?,
            display_name: fields.some("name")?,
            preferred_language: fields.some("locale")?,
            email: fields.some("email")?,
            email_verified: fields.flag("email_verified")?.unwrap_or(false),
            ..Profile::default()
        },
        created_at,
        changed_at,
        phones: one(number, verified),
        ..Draft::default()
    })
}

/// `[{"Name": …, "Value": …}]` as an object.
fn attributes_of(list: Vec<Value>) -> Result<Object, Wrong> {
    let mut object = Object::new();
    for value in list {
        let mut attribute = Fields::of(value, "Attributes")?;
        let name = attribute.needed("Name")?;
        let value = Value::String(attribute.some("Value")?);
        if object.insert(name.clone(), value).is_some() {
            let name = shown(&name);
            return Err(format!("Attributes: {name} is there twice; take one out"));
        }
    }
    Ok(object)
}

/// A user of Clerk's table, or of its API.
pub(super) fn clerk(object: Object) -> Result<Draft, Wrong> {
    let is_row = !object.contains_key("phone_numbers") && !object.contains_key("email_addresses");
    let mut fields = Fields::new(object);
    let id = fields.needed("id")?;
    let (email, phones) = match is_row {
        true => clerk_row(&mut fields)?,
        false => clerk_lists(&mut fields)?,
    };
    let (email, email_verified) = email.unwrap_or_default();
    let (given_name, family_name) = (fields.some("first_name")?, fields.some("last_name")?);
    Ok(Draft {
        id,
        profile: Profile {
            username: fields.some("username")?,
            display_name: format!("{given_name} {family_name}").trim().to_owned(),
            given_name,
            family_name,
            email,
            email_verified,
            ..Profile::default()
        },
        created_at: fields.any_time("created_at")?,
        changed_at: fields.any_time("updated_at")?,
        phones,
        ..Draft::default()
    })
}

/// An e-mail address and whether it is verified, and numbers.
type Contacts = (Option<(String, bool)>, Vec<DraftPhone>);

/// A row names the primary ones, and lists which are verified and which are not.
fn clerk_row(fields: &mut Fields) -> Result<Contacts, Wrong> {
    let mut list = |name| -> Result<Vec<String>, Wrong> {
        let text = fields.some(name)?;
        let parts = text.split([',', '|', ';']).map(str::trim);
        let parts = parts.filter(|part| !part.is_empty());
        Ok(parts.map(str::to_owned).collect())
    };
    let mut of = |primary, verified, unverified| -> Result<Vec<(String, bool)>, Wrong> {
        let primary = list(primary)?.into_iter().next();
        let (verified, unverified) = (list(verified)?, list(unverified)?);
        let all = verified.into_iter().map(|one| (one, true));
        let mut all: Vec<_> = all
            .chain(unverified.into_iter().map(|one| (one, false)))
            .collect();
        if let Some(primary) = primary {
            let known = all.iter().position(|(one, _)| *one == primary);
            let first = known.map_or((primary, false), |at| all.remove(at));
            all.insert(0, first);
        }
        Ok(all)
    };
    let email = of(
        "primary_email_address",
        "verified_email_addresses",
        "unverified_email_addresses",
    )?;
    let phones = of(
        "primary_phone_number",
        "verified_phone_numbers",
        "unverified_phone_numbers",
    )?;
    let phones = (0..)
        .zip(phones)
        .map(|(nth, (number, verified))| DraftPhone {
            primary: Some(nth == 0),
            ..DraftPhone::new(number, verified)
        });
    Ok((email.into_iter().next(), phones.collect()))
}

/// The API's users hold lists, and the ids of the primary ones.
fn clerk_lists(fields: &mut Fields) -> Result<Contacts, Wrong> {
    let verified = |fields: &mut Fields| -> Result<bool, Wrong> {
        let verification = fields.take("verification");
        let status = verification
            .as_ref()
            .and_then(|value| value["status"].as_str());
        Ok(status == Some("verified"))
    };
    let primary = fields.text("primary_email_address_id")?;
    let mut found = primary.is_none();
    let mut email = None;
    for value in fields.list("email_addresses")?.unwrap_or_default() {
        let mut one = Fields::of(value, "email_addresses")?;
        let is_primary = one.text("id")?.is_some_and(|id| Some(id) == primary);
        found |= is_primary;
        if email.is_none() || is_primary {
            email = Some((one.some("email_address")?, verified(&mut one)?));
        }
    }
    if !found {
        return Err(none_of("primary_email_address_id", "email_addresses"));
    }
    let primary = fields.text("primary_phone_number_id")?;
    let mut phones = Vec::new();
    for (nth, value) in (1..).zip(fields.list("phone_numbers")?.unwrap_or_default()) {
        let mut one = Fields::of(value, &format!("number {nth}"))?;
        let is_primary = one
            .text("id")?
            .is_some_and(|id| Some(&id) == primary.as_ref());
        let created_at: Option<Time> = one.any_time("created_at")?;
        phones.push(DraftPhone {
            primary: primary.is_some().then_some(is_primary),
            created_at,
            changed_at: one.any_time("updated_at")?,
            ..DraftPhone::new(one.needed("phone_number")?, verified(&mut one)?)
        });
    }
    if primary.is_some() && !phones.iter().any(|phone| phone.primary == Some(true)) {
        return Err(none_of("primary_phone_number_id", "phone_numbers"));
    }
    Ok((email, phones))
}

fn none_of(id: &str, list: &str) -> Wrong {
    format!("{id} names none of {list}; export the user once more")
}
