//! ringback's audit service: what happened to accounts.

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prost_types::Timestamp;
use ringback_core::rights::{Right, Scope};
use ringback_core::{Keys, Number, Refusal, Time};
use ringback_store::{EventPage, EventQuery, EventRecord, Store};
use subtle::ConstantTimeEq;
use tokio::time::Instant;
use tonic::{Request, Response, Status};

use super::contract;
use super::errors::{status, status_of_read};
use super::rules::{invalid, length};
use crate::api::shared::{caller, timestamp};
use crate::http::{BODY_LIMIT, RpcService, Services};
use crate::proto::ringback::audit::v1::audit_service_server::{AuditService, AuditServiceServer};
use crate::proto::ringback::audit::v1::{Chain, Event, ListEventsRequest, ListEventsResponse};
use crate::proto::rules;

const USUAL_PAGE: u32 = 50;
static LARGEST_PAGE: LazyLock<usize> =
    LazyLock::new(|| rules::most("ringback.audit.v1.ListEventsRequest.limit"));
static MOST_KINDS: LazyLock<usize> =
    LazyLock::new(|| rules::most("ringback.audit.v1.ListEventsRequest.kinds"));
static LONGEST_WAIT: LazyLock<usize> =
    LazyLock::new(|| rules::most("ringback.audit.v1.ListEventsRequest.wait_seconds"));
/// The request's name in `proto/`.
const MESSAGE: &str = "ListEventsRequest";
/// How often whoever waits looks again.
const LOOK: Duration = Duration::from_millis(500);

/// Serves what happened.
pub(super) fn service(services: &Services) -> RpcService {
    let api = AuditApi {
        store: services.store.clone(),
    };
    let events = AuditServiceServer::new(api);
    RpcService::new(
        events.max_decoding_message_size(BODY_LIMIT),
        status,
        contract::of_events,
    )
}

/// Serves `ringback.audit.v1.AuditService`. The caller is expected in the request's extensions.
#[derive(Clone)]
struct AuditApi {
    store: Store,
}

impl AuditApi {
    async fn list(
        &self,
        request: Request<ListEventsRequest>,
    ) -> Result<ListEventsResponse, Refusal> {
        let caller = caller(&request)?;
        let scope = caller.messages(Right::ReadAudit)?;
        let rules = self.store.rules();
        let place = match &scope {
            Scope::Organization(organization) => organization,
            Scope::Own { .. } | Scope::Everywhere => &caller.organization,
        };
        let numbers = &rules.policies.of(place).numbers;
        let request = request.into_inner();
        check_form(&request)?;
        let number = given(&request.phone)
            .map(|text| Number::parse(text, numbers))
            .transpose()?;
        let bound = bound(&scope, &request, number.as_ref());
        let limit = match request.limit {
            0 => USUAL_PAGE,
            limit => limit,
        };
        let mut query = EventQuery {
            account: given(&request.user_id).map(str::to_owned),
            number,
            kinds: request.kinds,
            from: request
                .from_date
                .map(|at| time("from_date", at))
                .transpose()?,
            until: request
                .until_date
                .map(|at| time("until_date", at))
                .transpose()?,
            oldest_first: request.oldest_first,
            after: given(&request.page_token)
                .map(|token| last_of(&rules.keys, token, &bound))
                .transpose()?,
            limit,
            scope,
        };
        let until = Instant::now() + Duration::from_secs(request.wait_seconds.into());
        let page = loop {
            let page = self.store.list_events(&caller, &query).await?;
            let waits = query.oldest_first && Instant::now() < until;
            if !page.events.is_empty() || !waits {
                break page;
            }
            // What was looked through need not be looked through again.
            query.after = page.next.or(query.after);
            tokio::time::sleep_until(until.min(Instant::now() + LOOK)).await;
        };
        Ok(answer(page, &rules.keys, &bound))
    }
}

#[tonic::async_trait]
impl AuditService for AuditApi {
    async fn list_events(
        &self,
        request: Request<ListEventsRequest>,
    ) -> Result<Response<ListEventsResponse>, Status> {
        let listed = self.list(request).await;
        listed
            .map(Response::new)
            .map_err(|refusal| status_of_read(&refusal))
    }
}

fn check_form(request: &ListEventsRequest) -> Result<(), Refusal> {
    length(MESSAGE, "user_id", &request.user_id)?;
    length(MESSAGE, "phone", &request.phone)?;
    if request.kinds.len() > *MOST_KINDS {
        let rule = format!("must have at most {} items", *MOST_KINDS);
        return Err(invalid("kinds", rule));
    }
    for (at, kind) in request.kinds.iter().enumerate() {
        length(MESSAGE, &format!("kinds[{at}]"), kind)?;
    }
    let most = [
        ("limit", request.limit, *LARGEST_PAGE),
        ("wait_seconds", request.wait_seconds, *LONGEST_WAIT),
    ];
    for (field, value, most) in most {
        if value as usize > most {
            return Err(invalid(field, format!("must not be more than {most}")));
        }
    }
    Ok(())
}

fn given(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn time(field: &str, at: Timestamp) -> Result<Time, Refusal> {
    let micros = at.seconds.checked_mul(1_000_000);
    let micros = micros.and_then(|micros| micros.checked_add(i64::from(at.nanos) / 1_000));
    let whole = (0..1_000_000_000).contains(&at.nanos);
    let micros = micros.filter(|_| whole);
    micros
        .map(Time)
        .ok_or_else(|| invalid(field, "must be a time, such as 2026-01-31T12:00:00Z"))
}

fn answer(page: EventPage, keys: &Keys, bound: &[u8]) -> ListEventsResponse {
    ListEventsResponse {
        next_page_token: page
            .next
            .map(|last| page_token(keys, last, bound))
            .unwrap_or_default(),
        events: page.events.into_iter().map(event).collect(),
    }
}

fn event(record: EventRecord) -> Event {
    Event {
        position: record.position,
        event_id: record.id,
        user_id: record.account,
        organization_id: record.organization,
        sequence: u64::try_from(record.sequence).unwrap_or(0),
        date: Some(timestamp(record.at)),
        actor: record.actor,
        kind: record.kind,
        cause: record.cause.unwrap_or_default(),
        masked_phone: record.mask.unwrap_or_default(),
        phone_pseudonym: record.number_pseudonym.unwrap_or_default(),
        count: u32::try_from(record.count).unwrap_or(u32::MAX),
        detail: record.detail.unwrap_or_default(),
        chain: Some(Chain {
            salt: record.salt.unwrap_or_default(),
            commitment: record.commitment,
            previous: record.previous,
            hash: record.hash,
        }),
    }
}

/// What a page belongs to: a token continues the list that it came from and no other.
fn bound(scope: &Scope, request: &ListEventsRequest, number: Option<&Number>) -> Vec<u8> {
    let scope = match scope {
        Scope::Everywhere => ["everywhere", ""],
        Scope::Organization(organization) => ["organization", organization],
        Scope::Own { account, .. } => ["own", account],
    };
    let dates = [request.from_date, request.until_date].map(|at| format!("{at:?}"));
    let order = if request.oldest_first {
        "oldest"
    } else {
        "newest"
    };
    let number = number.map_or("", Number::as_str);
    let parts = [
        scope[0],
        scope[1],
        &request.user_id,
        number,
        &dates[0],
        &dates[1],
        order,
    ];
    let parts = parts
        .into_iter()
        .chain(request.kinds.iter().map(String::as_str));
    let parts = parts.flat_map(|part| {
        let length = (part.len() as u64).to_be_bytes();
        length.into_iter().chain(part.bytes())
    });
    parts.collect()
}

const PURPOSE: &str = "list_events";

fn page_token(keys: &Keys, last: i64, bound: &[u8]) -> String {
    let last = last.to_be_bytes();
    let tag = keys.tag(PURPOSE, &[&last[..], bound].concat());
    URL_SAFE_NO_PAD.encode([&last[..], &tag].concat())
}

fn last_of(keys: &Keys, token: &str, bound: &[u8]) -> Result<i64, Refusal> {
    let last = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| {
        let (last, tag) = bytes.split_first_chunk::<8>()?;
        let expected = keys.tag(PURPOSE, &[&last[..], bound].concat());
        bool::from(expected[..].ct_eq(tag)).then(|| i64::from_be_bytes(*last))
    });
    last.ok_or_else(|| {
        invalid(
            "page_token",
            "must be the next_page_token of the same list, or empty",
        )
    })
}
