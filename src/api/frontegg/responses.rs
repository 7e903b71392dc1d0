//! Frontegg's messages: their names are the vendor's, so they end here.

use prost_types::Timestamp;
use ringback_core::{Account, Phone, Time};
use ringback_store::PhoneRow;
use serde::Serialize;

/// `UserPhoneNumberResponseDto`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PhoneNumber {
    id: String,
    user_id: String,
    phone_number: String,
    verified: bool,
    created_at: String,
    updated_at: String,
}

impl PhoneNumber {
    /// The numbers of an account, oldest first. One that waits to be proven is not the account's yet.
    pub(super) fn all_of(account: &Account) -> impl Iterator<Item = PhoneNumber> {
        let phones = account.phones.iter().filter(|phone| !phone.pending());
        phones.map(|phone| PhoneNumber::of(&account.id, phone))
    }

    fn of(user: &str, phone: &Phone) -> PhoneNumber {
        PhoneNumber {
            id: phone.id.to_string(),
            user_id: user.to_owned(),
            phone_number: phone.number.as_str().to_owned(),
            verified: phone.verified(),
            created_at: date_time(phone.created_at),
            updated_at: date_time(phone.changed_at),
        }
    }
}

impl From<&PhoneRow> for PhoneNumber {
    fn from(row: &PhoneRow) -> PhoneNumber {
        PhoneNumber::of(&row.account, &row.phone)
    }
}

/// `UserPhoneNumberCreatedResponseDto`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CodeSent {
    /// Absent when no code was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) otc_token: Option<String>,
}

/// `UserPhoneNumberDeleteCodeResponseDto`
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RemovalAsked {
    pub(super) phone_id: String,
    pub(super) otc_token: Option<String>,
}

/// A page of a list.
#[derive(Serialize)]
pub(super) struct NumberPage {
    pub(super) items: Vec<PhoneNumber>,
    #[serde(rename = "_links")]
    pub(super) links: Links,
    #[serde(rename = "_metadata")]
    pub(super) metadata: Metadata,
}

/// Where the neighbours of a page are; empty where there is none.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Links {
    pub(super) next: String,
    pub(super) prev: String,
    pub(super) first: String,
    pub(super) last: String,
}

/// How long a list is.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) total_items: u64,
    pub(super) total_pages: u64,
}

/// What `/auth/vendor` answers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VendorToken {
    pub(super) token: String,
    pub(super) expires_in: u64,
}

/// As JavaScript writes a date: always with milliseconds.
fn date_time(at: Time) -> String {
    let seconds = at.0.div_euclid(1_000_000);
    let millis = at.0.rem_euclid(1_000_000) / 1_000;
    let whole = Timestamp { seconds, nanos: 0 }.to_string();
    format!("{}.{millis:03}Z", whole.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_look_as_from_javascript() {
        assert_eq!(
            date_time(Time(1_700_000_000_000_000)),
            "2023-11-14T22:13:20.000Z"
        );
        assert_eq!(
            date_time(Time(1_700_000_000_045_678)),
            "2023-11-14T22:13:20.045Z"
        );
    }
}
