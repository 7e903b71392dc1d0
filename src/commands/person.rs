//! All that is kept about one user, as the JSON that `ExportUser` answers with.

use ringback_core::challenge::{Challenge, Purpose};
use ringback_core::rights::Rights;
use ringback_core::{Account, Phone, PhoneState, Time};
use ringback_store::{MessageRecord, RecordedEvent, Store};
use serde_json::{Map, Value, json};

use super::operator;
use super::remote::Server;

/// What a running server tells, all pages as one.
pub(super) async fn asked(server: &Server, user: &str) -> anyhow::Result<Value> {
    let mut page_token = String::new();
    let mut whole = Value::Null;
    loop {
        let body = json!({ "userId": user, "pageToken": page_token });
        let mut page = server
            .ask("/ringback.phone.v1.PhoneService/ExportUser", &body)
            .await?;
        let next = page
            .as_object_mut()
            .and_then(|page| page.remove("nextPageToken"));
        match whole["events"].as_array_mut() {
            None => whole = page,
            Some(events) => {
                let more = page["events"].as_array_mut().map(std::mem::take);
                events.extend(more.unwrap_or_default());
            }
        }
        match next.as_ref().and_then(Value::as_str) {
            Some(next) if !next.is_empty() => next.clone_into(&mut page_token),
            _ => return Ok(whole),
        }
    }
}

/// The same from the database itself.
pub(super) async fn read(
    store: &Store,
    user: &str,
    organization: Option<String>,
    default: &str,
) -> anyhow::Result<Value> {
    let rights = Rights {
        read: true,
        ..Rights::NONE
    };
    let caller = operator("ringback export", organization, default, rights);
    let (mut whole, mut events, mut after) = (None, Vec::new(), None);
    loop {
        let page = store.kept_of(&caller, user, after).await;
        let page = page.map_err(|refusal| super::about_user(user, refusal))?;
        events.extend(page.events.iter().map(event));
        let whole = whole.get_or_insert_with(|| account(&page.account, &page.messages));
        after = page.next;
        if after.is_none() {
            whole["events"] = events.into();
            return Ok(whole.take());
        }
    }
}

fn account(account: &Account, messages: &[MessageRecord]) -> Value {
    let profile = &account.profile;
    plain(json!({
        "details": {
            "sequence": account.sequence.to_string(), "changeDate": time(account.changed_at),
            "organizationId": account.organization, "creationDate": time(account.created_at),
        },
        "profile": plain(json!({
            "username": profile.username, "givenName": profile.given_name, "familyName": profile.family_name,
            "nickName": profile.nick_name, "displayName": profile.display_name,
            "preferredLanguage": profile.preferred_language, "gender": profile.gender,
            "email": profile.email, "isEmailVerified": profile.email_verified,
        })),
        "phones": account.phones.iter().map(|one| phone(account, one)).collect::<Vec<_>>(),
        "challenges": account.challenges.iter().map(challenge).collect::<Vec<_>>(),
        "limits": serde_json::to_string(&account.limits).unwrap_or_default(),
        "messages": messages.iter().map(message).collect::<Vec<_>>(),
    }))
}

fn phone(account: &Account, phone: &Phone) -> Value {
    let verified_at = match phone.state {
        PhoneState::Verified { at } => Some(time(at)),
        PhoneState::Unverified | PhoneState::Pending(_) => None,
    };
    plain(json!({
        "id": phone.id.to_string(), "userId": account.id, "organizationId": account.organization,
        "phone": phone.number.as_str(), "isVerified": phone.verified(),
        "isPrimary": account.primary == Some(phone.id), "isPending": phone.pending(),
        "creationDate": time(phone.created_at), "changeDate": time(phone.changed_at),
        "verificationDate": verified_at,
    }))
}

fn challenge(challenge: &Challenge) -> Value {
    let purpose = match challenge.purpose {
        Purpose::Verify => "verify",
        Purpose::Remove => "remove",
    };
    plain(json!({
        "id": challenge.id.to_string(), "phoneId": challenge.phone.to_string(), "purpose": purpose,
        "expirationDate": time(challenge.expires_at), "guessesLeft": challenge.guesses_left,
    }))
}

fn message(record: &MessageRecord) -> Value {
    plain(json!({
        "id": record.id.to_string(), "maskedPhone": record.mask, "kind": record.kind,
        "state": record.state.code(), "route": record.route, "language": record.language,
        "creationDate": time(record.created_at), "endDate": record.ended_at.map(time),
    }))
}

fn event(event: &RecordedEvent) -> Value {
    // Numbers of 64 bits are texts, and 0 is left out, as everywhere in JSON of protos.
    let sequence = Some(event.sequence).filter(|sequence| *sequence != 0);
    let sequence = sequence.map(|sequence| sequence.to_string());
    plain(json!({
        "id": event.id.to_string(), "sequence": sequence, "date": time(event.at),
        "kind": event.kind, "cause": event.cause, "actor": event.actor, "maskedPhone": event.mask,
        "count": event.count.to_string(), "detail": event.detail,
    }))
}

/// Without what says nothing, as protobuf's JSON leaves it out.
fn plain(value: Value) -> Value {
    let says = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Number(number) => number.as_i64() != Some(0),
        Value::Bool(true) | Value::Object(_) => true,
    };
    match value {
        Value::Object(object) => {
            let kept = object.into_iter().filter(|(_, value)| says(value));
            Value::Object(kept.collect::<Map<_, _>>())
        }
        value => value,
    }
}

fn time(at: Time) -> String {
    crate::api::shared::timestamp(at).to_string()
}
