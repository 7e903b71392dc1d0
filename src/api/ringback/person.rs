//! All that is kept about one user: shown, and forgotten.

use ringback_core::challenge::{Challenge, Purpose};
use ringback_core::rights::{Call, Capacity};
use ringback_core::{Id, Refusal};
use ringback_store::{Kept, MessageRecord, RecordedEvent, Store};
use tonic::Request;

use super::responses::numbers;
use super::rules::{invalid, length};
use crate::api::shared::{caller, timestamp};
use crate::http::Deadline;
use crate::proto::ringback::phone::v1::{
    Details, EraseUserRequest, EraseUserResponse, ExportUserRequest, ExportUserResponse,
    UserChallenge, UserEvent, UserMessage, UserProfile,
};

pub(super) async fn erase(
    store: &Store,
    request: Request<EraseUserRequest>,
) -> Result<EraseUserResponse, Refusal> {
    let caller = caller(&request)?;
    let deadline = request.extensions().get::<Deadline>().map(|d| d.0);
    let id = request.into_inner().user_id;
    length("EraseUserRequest", "user_id", &id)?;
    let erased = store.erase(&caller, &id, deadline).await?;
    Ok(EraseUserResponse {
        erasure_date: Some(timestamp(erased.at)),
        organization_id: erased.organization,
        was_known: erased.was_there,
    })
}

pub(super) async fn export(
    store: &Store,
    request: Request<ExportUserRequest>,
) -> Result<ExportUserResponse, Refusal> {
    let caller = caller(&request)?;
    let ExportUserRequest {
        user_id,
        page_token,
    } = request.into_inner();
    length("ExportUserRequest", "user_id", &user_id)?;
    let after = match page_token.as_str() {
        "" => None,
        token => {
            let rule = "must be the next_page_token of the page before, or empty";
            Some(Id::parse(token).ok_or_else(|| invalid("page_token", rule))?)
        }
    };
    let kept = store.kept_of(&caller, &user_id, after).await?;
    let account = &kept.account;
    let capacity = caller.capacity(&account.id, &account.organization, Call::Read)?;
    Ok(page(&kept, capacity, after.is_none()))
}

fn page(kept: &Kept, capacity: Capacity, is_first: bool) -> ExportUserResponse {
    let next = kept.next.map(|last| last.to_string());
    let events = kept.events.iter();
    let mut page = ExportUserResponse {
        events: events
            .map(|one| event(one, &kept.account.id, capacity))
            .collect(),
        next_page_token: next.unwrap_or_default(),
        ..ExportUserResponse::default()
    };
    if is_first {
        let account = &kept.account;
        page.details = Some(Details {
            sequence: account.sequence,
            change_date: Some(timestamp(account.changed_at)),
            organization_id: account.organization.clone(),
            creation_date: Some(timestamp(account.created_at)),
        });
        let profile = account.profile.clone();
        page.profile = Some(UserProfile {
            username: profile.username,
            given_name: profile.given_name,
            family_name: profile.family_name,
            nick_name: profile.nick_name,
            display_name: profile.display_name,
            preferred_language: profile.preferred_language,
            gender: profile.gender,
            email: profile.email,
            is_email_verified: profile.email_verified,
        });
        page.phones = numbers(account);
        page.challenges = account.challenges.iter().map(challenge).collect();
        page.limits = serde_json::to_string(&account.limits).unwrap_or_default();
        page.messages = kept.messages.iter().map(message).collect();
    }
    page
}

fn challenge(challenge: &Challenge) -> UserChallenge {
    UserChallenge {
        id: challenge.id.to_string(),
        phone_id: challenge.phone.to_string(),
        purpose: match challenge.purpose {
            Purpose::Verify => "verify".to_owned(),
            Purpose::Remove => "remove".to_owned(),
        },
        expiration_date: Some(timestamp(challenge.expires_at)),
        guesses_left: challenge.guesses_left.into(),
    }
}

fn message(record: &MessageRecord) -> UserMessage {
    UserMessage {
        id: record.id.to_string(),
        masked_phone: record.mask.clone(),
        kind: record.kind.clone(),
        state: record.state.code().to_owned(),
        route: record.route.clone().unwrap_or_default(),
        language: record.language.clone(),
        creation_date: Some(timestamp(record.created_at)),
        end_date: record.ended_at.map(timestamp),
    }
}

/// Users are not told who works for whom.
fn event(event: &RecordedEvent, user: &str, capacity: Capacity) -> UserEvent {
    let tells = capacity == Capacity::Service || event.actor == user;
    UserEvent {
        id: event.id.to_string(),
        sequence: event.sequence,
        date: Some(timestamp(event.at)),
        kind: event.kind.clone(),
        cause: event.cause.clone().unwrap_or_default(),
        actor: if tells {
            event.actor.clone()
        } else {
            String::new()
        },
        masked_phone: event.mask.clone().unwrap_or_default(),
        count: event.count,
        detail: event.detail.clone().unwrap_or_default(),
    }
}
