//! Accounts, numbers and times as the phone service tells them.

use std::time::Duration;

use ringback_core::{Account, CodeTimes, Id, Phone, PhoneState, Reply};
use ringback_store::PhoneRow;

use crate::api::shared::timestamp;
use crate::proto::ringback::phone::v1::{Details, PhoneNumber};

/// The primary number first, then the others, oldest first.
pub(super) fn numbers(account: &Account) -> Vec<PhoneNumber> {
    let is_primary = |phone: &Phone| account.primary == Some(phone.id);
    let (first, rest): (Vec<&Phone>, Vec<&Phone>) =
        account.phones.iter().partition(|phone| is_primary(phone));
    first
        .into_iter()
        .chain(rest)
        .map(|phone| number(&account.id, &account.organization, phone, is_primary(phone)))
        .collect()
}

pub(super) fn found(row: &PhoneRow) -> PhoneNumber {
    number(&row.account, &row.organization, &row.phone, row.primary)
}

pub(super) fn number(
    account: &str,
    organization: &str,
    phone: &Phone,
    primary: bool,
) -> PhoneNumber {
    PhoneNumber {
        id: phone.id.to_string(),
        user_id: account.to_owned(),
        organization_id: organization.to_owned(),
        phone: phone.number.as_str().to_owned(),
        is_verified: phone.verified(),
        is_primary: primary,
        is_pending: phone.pending(),
        creation_date: Some(timestamp(phone.created_at)),
        change_date: Some(timestamp(phone.changed_at)),
        verification_date: match phone.state {
            PhoneState::Unverified | PhoneState::Pending(_) => None,
            PhoneState::Verified { at } => Some(timestamp(at)),
        },
    }
}

pub(super) fn details(reply: &Reply) -> Details {
    details_of(&reply.account)
}

pub(super) fn details_of(account: &Account) -> Details {
    Details {
        sequence: account.sequence,
        change_date: Some(timestamp(account.changed_at)),
        organization_id: account.organization.clone(),
        creation_date: Some(timestamp(account.created_at)),
    }
}

/// As the wire spells a name; empty for none.
pub(super) fn id(name: Option<Id>) -> String {
    name.map(|name| name.to_string()).unwrap_or_default()
}

pub(super) fn expires_at(times: Option<CodeTimes>) -> Option<prost_types::Timestamp> {
    times.map(|times| timestamp(times.expires_at))
}

/// In whole seconds, rounded up: whoever waits as long has waited long enough.
pub(super) fn resend_after(times: Option<CodeTimes>) -> Option<prost_types::Duration> {
    Some(whole_seconds(times?.resend_after))
}

pub(super) fn whole_seconds(span: Duration) -> prost_types::Duration {
    let seconds = span.as_millis().div_ceil(1_000);
    prost_types::Duration {
        seconds: i64::try_from(seconds).unwrap_or(i64::MAX),
        nanos: 0,
    }
}
