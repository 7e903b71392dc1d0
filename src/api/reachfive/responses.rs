//! Accounts and numbers as ReachFive's profiles and credentials.

use prost_types::Timestamp;
use ringback_core::{Account, Phone, PhoneState, Time};
use serde::Serialize;
use serde_json::{Map, Value};

/// What is told whatever fields are asked for.
pub(super) const ALWAYS: [&str; 2] = ["id", "sub"];

#[derive(Default, Serialize)]
struct Profile<'a> {
    id: &'a str,
    sub: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    username: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    given_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    family_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    nickname: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    locale: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    email: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number_verified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<String>,
}

/// A verified number as a second factor.
#[derive(Serialize)]
pub(super) struct Credential {
    r#type: &'static str,
    phone_number: String,
    friendly_name: String,
    created_at: String,
}

/// What is known of an account. A number that is announced but not proven is not part of it.
pub(super) fn of(account: &Account) -> Map<String, Value> {
    let known = &account.profile;
    let phone = account.primary_phone();
    members(&Profile {
        id: &account.id,
        sub: &account.id,
        username: &known.username,
        given_name: &known.given_name,
        family_name: &known.family_name,
        name: &known.display_name,
        nickname: &known.nick_name,
        locale: &known.preferred_language,
        email: &known.email,
        email_verified: (!known.email.is_empty()).then_some(known.email_verified),
        phone_number: phone.map(|phone| phone.number.as_str()),
        phone_number_verified: phone.map(Phone::verified),
        created_at: Some(written(account.created_at)),
        updated_at: Some(written(account.changed_at)),
    })
}

/// What is known of a user that has no account.
pub(super) fn bare(user: &str) -> Map<String, Value> {
    members(&Profile {
        id: user,
        sub: user,
        ..Profile::default()
    })
}

fn members(profile: &Profile<'_>) -> Map<String, Value> {
    match serde_json::to_value(profile) {
        Ok(Value::Object(members)) => members,
        // A struct of texts and flags becomes nothing else.
        Ok(_) | Err(_) => Map::new(),
    }
}

/// The verified numbers, the one that the profile shows first.
pub(super) fn credentials(account: &Account) -> Vec<Credential> {
    let is_primary = |phone: &&Phone| account.primary == Some(phone.id);
    let (first, others): (Vec<&Phone>, Vec<&Phone>) = account.phones.iter().partition(is_primary);
    first
        .into_iter()
        .chain(others)
        .filter_map(credential)
        .collect()
}

/// The credential that a number is, once it is proven.
pub(super) fn credential(phone: &Phone) -> Option<Credential> {
    match phone.state {
        PhoneState::Verified { at } => Some(Credential {
            r#type: "sms",
            phone_number: phone.number.as_str().to_owned(),
            // Nobody names theirs, and a list that is shown should not spell numbers out.
            friendly_name: phone.number.masked(),
            created_at: written(at),
        }),
        PhoneState::Unverified | PhoneState::Pending(_) => None,
    }
}

/// RFC 3339, in UTC.
fn written(time: Time) -> String {
    const SECOND: i64 = 1_000_000;
    let time = Timestamp {
        seconds: time.0.div_euclid(SECOND),
        nanos: i32::try_from(time.0.rem_euclid(SECOND) * 1_000).unwrap_or_default(),
    };
    time.to_string()
}
