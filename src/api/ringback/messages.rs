//! ringback's messages service: what became of text messages.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ringback_core::delivery::write_cost;
use ringback_core::delivery::{Attempt as Tried, State};
use ringback_core::rights::{Right, Scope};
use ringback_core::{Id, Keys, Number, Refusal, Time};
use ringback_store::{MessageQuery, MessageRecord, NotRetried, Rules, Store};
use subtle::ConstantTimeEq;
use tonic::{Code, Request, Response, Status};

use super::contract;
use super::errors::{info, status, status_of_read};
use super::rules::{invalid, length};
use super::statistics;
use crate::api::shared::{self, caller, timestamp};
use crate::http::{BODY_LIMIT, RpcService, Services};
use crate::proto::ringback::sms::v1::message_service_server::{
    MessageService, MessageServiceServer,
};
use crate::proto::ringback::sms::v1::{
    Attempt, GetDeliveryStatisticsRequest, GetDeliveryStatisticsResponse, GetMessageRequest,
    GetMessageResponse, ListMessagesRequest, ListMessagesResponse, Message, MessageState,
    RetryMessageRequest, RetryMessageResponse,
};
use crate::proto::rules;
use crate::resting::Resting;
use crate::story::{blocked, fault, story};

const USUAL_PAGE: u32 = 50;
static LARGEST_PAGE: LazyLock<usize> =
    LazyLock::new(|| rules::most("ringback.sms.v1.ListMessagesRequest.limit"));
/// The request's name in `proto/`.
const MESSAGE: &str = "ListMessagesRequest";

/// Serves what became of messages.
pub(super) fn service(services: &Services) -> RpcService {
    let api = MessageApi {
        store: services.store.clone(),
        routes: services
            .routes
            .iter()
            .map(|route| route.name.to_string())
            .collect(),
        resting: services.resting.clone(),
    };
    let messages = MessageServiceServer::new(api);
    RpcService::new(
        messages.max_decoding_message_size(BODY_LIMIT),
        status,
        contract::of_messages,
    )
}

/// Serves `ringback.sms.v1.MessageService`. The caller is expected in the request's extensions.
#[derive(Clone)]
struct MessageApi {
    store: Store,
    /// The names of the routes.
    routes: Vec<String>,
    resting: Resting,
}

impl MessageApi {
    async fn list(
        &self,
        request: Request<ListMessagesRequest>,
    ) -> Result<ListMessagesResponse, Refusal> {
        let caller = caller(&request)?;
        let scope = caller.messages(Right::ReadMessages)?;
        let rules = self.store.rules();
        let place = match &scope {
            Scope::Organization(organization) => organization,
            Scope::Own { .. } | Scope::Everywhere => &caller.organization,
        };
        let numbers = &rules.policies.of(place).numbers;
        let request = request.into_inner();
        length(MESSAGE, "user_id", &request.user_id)?;
        length(MESSAGE, "phone", &request.phone)?;
        if request.limit as usize > *LARGEST_PAGE {
            let rule = format!("must not be more than {}", *LARGEST_PAGE);
            return Err(invalid("limit", rule));
        }
        let limit = match request.limit {
            0 => USUAL_PAGE,
            limit => limit,
        };
        let number = given(&request.phone);
        let number = number
            .map(|text| Number::parse(text, numbers))
            .transpose()?;
        let bound = bound(&scope, &request, number.as_ref());
        let query = MessageQuery {
            state: state(request.state)?,
            account: given(&request.user_id).map(str::to_owned),
            number,
            before: given(&request.page_token)
                .map(|token| last_of(&rules.keys, token, &bound))
                .transpose()?,
            // One more tells whether there is a next page.
            limit: limit + 1,
            scope,
        };
        let mut found = self.store.list_messages(&caller, &query).await?;
        let blocked = match query.before {
            Some(_) => None,
            None => blocked(&self.store, &caller, &query, &found).await?,
        };
        let more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let last = found.last().filter(|_| more);
        let now = self.store.now();
        Ok(ListMessagesResponse {
            next_page_token: last
                .map(|last| page_token(&rules.keys, last.id, &bound))
                .unwrap_or_default(),
            messages: found
                .into_iter()
                .map(|one| message(one, rules, now))
                .collect(),
            blocked: blocked.unwrap_or_default(),
        })
    }

    async fn get(&self, request: Request<GetMessageRequest>) -> Result<Message, Status> {
        let tell = |refusal| status_of_read(&refusal);
        let caller = caller(&request).map_err(tell)?;
        let scope = caller.messages(Right::ReadMessages).map_err(tell)?;
        let id = Id::parse(&request.into_inner().message_id).ok_or_else(not_found)?;
        let found = self.store.find_message(&scope, id).await.map_err(tell)?;
        let found = found.ok_or_else(not_found)?;
        Ok(message(found, self.store.rules(), self.store.now()))
    }

    async fn retry(&self, request: Request<RetryMessageRequest>) -> Result<Message, Status> {
        let tell = |refusal| status(&refusal);
        let caller = caller(&request).map_err(tell)?;
        let scope = caller.messages(Right::WriteMessages).map_err(tell)?;
        let id = Id::parse(&request.into_inner().message_id).ok_or_else(not_found)?;
        let retried = self.store.retry_message(&scope, id).await.map_err(tell)?;
        let retried = retried.map_err(not_retried)?;
        Ok(message(retried, self.store.rules(), self.store.now()))
    }
}

#[tonic::async_trait]
impl MessageService for MessageApi {
    async fn list_messages(
        &self,
        request: Request<ListMessagesRequest>,
    ) -> Result<Response<ListMessagesResponse>, Status> {
        let listed = self.list(request).await;
        listed
            .map(Response::new)
            .map_err(|refusal| status_of_read(&refusal))
    }

    async fn get_message(
        &self,
        request: Request<GetMessageRequest>,
    ) -> Result<Response<GetMessageResponse>, Status> {
        let message = Some(self.get(request).await?);
        Ok(Response::new(GetMessageResponse { message }))
    }

    async fn get_delivery_statistics(
        &self,
        request: Request<GetDeliveryStatisticsRequest>,
    ) -> Result<Response<GetDeliveryStatisticsResponse>, Status> {
        let answer = statistics::tell(&self.store, &self.routes, &self.resting, request).await;
        answer
            .map(Response::new)
            .map_err(|refusal| status_of_read(&refusal))
    }

    async fn retry_message(
        &self,
        request: Request<RetryMessageRequest>,
    ) -> Result<Response<RetryMessageResponse>, Status> {
        let message = Some(self.retry(request).await?);
        Ok(Response::new(RetryMessageResponse { message }))
    }
}

fn not_found() -> Status {
    not_retried(NotRetried::NotFound)
}

pub(super) fn not_retried(why: NotRetried) -> Status {
    let (code, reason) = match why {
        NotRetried::NotFound => (Code::NotFound, "MESSAGE_NOT_FOUND"),
        NotRetried::Handed => (Code::FailedPrecondition, "MESSAGE_HANDED"),
        NotRetried::UnderWay => (Code::FailedPrecondition, "MESSAGE_UNDER_WAY"),
        NotRetried::Expired => (Code::FailedPrecondition, "MESSAGE_EXPIRED"),
        NotRetried::NumberGone => (Code::FailedPrecondition, "NUMBER_GONE"),
        NotRetried::OptedOut => (Code::FailedPrecondition, "NUMBER_OPTED_OUT"),
        NotRetried::NoRoute => (Code::FailedPrecondition, "NO_ROUTE"),
    };
    shared::status(code, why.to_string(), vec![info(reason)])
}

fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn state(number: i32) -> Result<Option<State>, Refusal> {
    let known = MessageState::try_from(number);
    let known = known.map_err(|_| invalid("state", "must be one of those of MessageState"))?;
    Ok(match known {
        MessageState::Unspecified => None,
        MessageState::Queued => Some(State::Queued),
        MessageState::Handed => Some(State::Handed),
        MessageState::Expired => Some(State::Expired),
        MessageState::Superseded => Some(State::Superseded),
        MessageState::Refused => Some(State::Refused),
        MessageState::Failed => Some(State::Failed),
        MessageState::Undelivered => Some(State::Undelivered),
        MessageState::Delivered => Some(State::Delivered),
    })
}

fn told(state: State) -> MessageState {
    match state {
        State::Queued => MessageState::Queued,
        State::Handed => MessageState::Handed,
        State::Expired => MessageState::Expired,
        State::Superseded => MessageState::Superseded,
        State::Refused => MessageState::Refused,
        State::Failed => MessageState::Failed,
        State::Undelivered => MessageState::Undelivered,
        State::Delivered => MessageState::Delivered,
    }
}

fn message(record: MessageRecord, rules: &Rules, now: Time) -> Message {
    let attempts = record.trail.attempts().iter().map(attempt).collect();
    let waits = record.under_way_until(now).is_none();
    Message {
        story: story(&record, rules, now),
        message_id: record.id.to_string(),
        user_id: record.account,
        organization_id: record.organization,
        masked_phone: record.mask,
        kind: record.kind,
        state: told(record.state).into(),
        route: record.route.unwrap_or_default(),
        creation_date: Some(timestamp(record.created_at)),
        expiration_date: Some(timestamp(record.expires_at)),
        next_attempt_date: record.due_at.filter(|_| waits).map(timestamp),
        end_date: record.ended_at.map(timestamp),
        attempts,
        cost: written(record.trail.cost()),
        reference: record.reference.unwrap_or_default(),
    }
}

fn attempt(tried: &Tried) -> Attempt {
    let ms = tried.ms.cast_signed();
    Attempt {
        number: tried.n,
        route: tried.route.clone(),
        date: Some(timestamp(tried.at)),
        duration: Some(prost_types::Duration {
            seconds: (ms / 1_000).into(),
            nanos: ms % 1_000 * 1_000_000,
        }),
        times: tried.times,
        result: tried.verdict.code().to_owned(),
        fault: fault(tried.verdict),
        reason: tried.reason.clone(),
        segments: tried.segments,
        cost: written(tried.cost),
    }
}

/// A cost in words; empty where nobody counts.
pub(super) fn written(cost: u64) -> String {
    match cost {
        0 => String::new(),
        cost => write_cost(cost),
    }
}

/// What a page belongs to: a token continues the list that it came from and no other.
fn bound(scope: &Scope, request: &ListMessagesRequest, number: Option<&Number>) -> Vec<u8> {
    let scope = match scope {
        Scope::Everywhere => ["everywhere", ""],
        Scope::Organization(organization) => ["organization", organization],
        Scope::Own { account, .. } => ["own", account],
    };
    let number = number.map_or("", Number::as_str);
    let state = request.state.to_string();
    let parts = [scope[0], scope[1], &request.user_id, number, &state];
    let parts = parts.iter().flat_map(|part| {
        let length = (part.len() as u64).to_be_bytes();
        length.into_iter().chain(part.bytes())
    });
    parts.collect()
}

const PURPOSE: &str = "list_messages";

fn page_token(keys: &Keys, last: Id, bound: &[u8]) -> String {
    let id = last.as_bytes();
    let tag = keys.tag(PURPOSE, &[id, bound].concat());
    URL_SAFE_NO_PAD.encode([&id[..], &tag].concat())
}

fn last_of(keys: &Keys, token: &str, bound: &[u8]) -> Result<Id, Refusal> {
    let last = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| {
        let (id, tag) = bytes.split_first_chunk::<16>()?;
        let expected = keys.tag(PURPOSE, &[&id[..], bound].concat());
        bool::from(expected[..].ct_eq(tag)).then(|| Id::from_bytes(*id))
    });
    last.ok_or_else(|| {
        invalid(
            "page_token",
            "must be the next_page_token of the same list, or empty",
        )
    })
}
