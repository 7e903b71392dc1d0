//! ringback's own service: reading phone numbers, of one user and across users, and changing several.

mod requests;

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use prost::Message;
use ringback_core::moment::Id;
use ringback_core::number::NumberRules;
use ringback_core::rights::Scope;
use ringback_core::{
    Account, Caller, CodeTimes, Command, Keys, Number, Phone, PhoneState, Refusal, Reply,
};
use ringback_store::{PhoneQuery, PhoneRow, Store};
use subtle::ConstantTimeEq;
use tonic::{Code, Request, Response, Status};

use crate::api::shared::{respond, timestamp};
use crate::config::Config;
use crate::http::{BODY_LIMIT, Deadline, Installed, RpcService, Services};
use crate::proto::google::rpc;
use crate::proto::ringback::phone::v1::phone_service_server::{PhoneService, PhoneServiceServer};
use crate::proto::ringback::phone::v1::{
    AddUserPhoneRequest, AddUserPhoneResponse, ChangeUserPhoneRequest, ChangeUserPhoneResponse,
    ConfirmUserPhoneRemovalRequest, ConfirmUserPhoneRemovalResponse, Details,
    ListUserPhonesRequest, ListUserPhonesResponse, PhoneNumber, PreverifyUserPhoneRequest,
    PreverifyUserPhoneResponse, RemoveUserPhoneRequest, RemoveUserPhoneResponse,
    RequestUserPhoneRemovalRequest, RequestUserPhoneRemovalResponse, ResendUserPhoneChangeRequest,
    ResendUserPhoneChangeResponse, SearchPhonesRequest, SearchPhonesResponse,
    SetPrimaryUserPhoneRequest, SetPrimaryUserPhoneResponse, UnlockUserRequest, UnlockUserResponse,
    VerifyUserPhoneRequest, VerifyUserPhoneResponse,
};
use crate::proto::zitadel::v1::ErrorDetail;
use requests::Wish;

const USUAL_PAGE: u32 = 100;
const LARGEST_PAGE: u32 = 1_000;
/// How many users one search may name.
const MOST_USERS: usize = 1_000;

/// ringback's phone service.
pub fn install(_: &Config) -> Installed {
    let rpcs = |services: &Services| {
        let phones = PhoneServiceServer::new(PhoneApi::new(services.store.clone()));
        RpcService::new(phones.max_decoding_message_size(BODY_LIMIT), status)
    };
    Installed {
        rpcs: Some(rpcs),
        ..Installed::default()
    }
}

/// Serves `ringback.phone.v1.PhoneService`. The caller is expected in the request's extensions.
#[derive(Clone)]
struct PhoneApi {
    store: Store,
}

impl PhoneApi {
    /// The service for the numbers of `store`.
    fn new(store: Store) -> PhoneApi {
        PhoneApi { store }
    }

    fn rules(&self) -> &NumberRules {
        &self.store.rules().policy.numbers
    }

    /// Does what the request requests. The caller comes first, so that no rule of the form is told without one.
    async fn run<T>(
        &self,
        request: Request<T>,
        wish: impl FnOnce(T) -> Result<Wish, Refusal>,
    ) -> Result<Reply, Status> {
        let tell = |refusal| status(&refusal);
        let caller = caller(&request).map_err(tell)?;
        let deadline = request.extensions().get::<Deadline>().map(|d| d.0);
        let Wish { account, action } = wish(request.into_inner()).map_err(tell)?;
        let command = Command {
            caller,
            account,
            action,
        };
        self.store.execute(command, deadline).await.map_err(tell)
    }

    async fn list(
        &self,
        request: Request<ListUserPhonesRequest>,
    ) -> Result<ListUserPhonesResponse, Refusal> {
        let caller = caller(&request)?;
        let id = request.into_inner().user_id;
        length("user_id", &id, 1)?;
        let account = self.store.read(&caller, &id).await?;
        Ok(ListUserPhonesResponse {
            phones: numbers(&account),
        })
    }

    async fn search(
        &self,
        request: Request<SearchPhonesRequest>,
    ) -> Result<SearchPhonesResponse, Refusal> {
        let caller = caller(&request)?;
        let rules = self.store.rules();
        let search = Search::of(
            request.into_inner(),
            &caller,
            &rules.policy.numbers,
            &rules.keys,
        )?;
        let page = self.store.search_phones(&search.query).await?;
        Ok(SearchPhonesResponse {
            next_page_token: page
                .next
                .map(|last| page_token(&rules.keys, last, &search.bound))
                .unwrap_or_default(),
            phones: page.phones.iter().map(found).collect(),
        })
    }
}

#[tonic::async_trait]
impl PhoneService for PhoneApi {
    async fn list_user_phones(
        &self,
        request: Request<ListUserPhonesRequest>,
    ) -> Result<Response<ListUserPhonesResponse>, Status> {
        let answer = self.list(request).await;
        answer
            .map(Response::new)
            .map_err(|refusal| status(&refusal))
    }

    async fn search_phones(
        &self,
        request: Request<SearchPhonesRequest>,
    ) -> Result<Response<SearchPhonesResponse>, Status> {
        let answer = self.search(request).await;
        answer
            .map(Response::new)
            .map_err(|refusal| status(&refusal))
    }

    async fn add_user_phone(
        &self,
        request: Request<AddUserPhoneRequest>,
    ) -> Result<Response<AddUserPhoneResponse>, Status> {
        let wish = |request| requests::add(request, self.rules());
        let reply = self.run(request, wish).await?;
        Ok(respond(
            reply.times,
            AddUserPhoneResponse {
                details: Some(details(&reply)),
                phone_id: id(reply.phone),
                challenge_id: id(reply.challenge),
                verification_code: reply.code.map(|code| code.reveal().to_owned()),
                code_expires_at: expires_at(reply.times),
                resend_after: resend_after(reply.times),
            },
        ))
    }

    async fn preverify_user_phone(
        &self,
        request: Request<PreverifyUserPhoneRequest>,
    ) -> Result<Response<PreverifyUserPhoneResponse>, Status> {
        let wish = |request| requests::preverify(request, self.rules());
        let reply = self.run(request, wish).await?;
        Ok(respond(
            reply.times,
            PreverifyUserPhoneResponse {
                details: Some(details(&reply)),
                phone_id: id(reply.phone),
                challenge_id: id(reply.challenge),
                code_expires_at: expires_at(reply.times),
                resend_after: resend_after(reply.times),
            },
        ))
    }

    async fn verify_user_phone(
        &self,
        request: Request<VerifyUserPhoneRequest>,
    ) -> Result<Response<VerifyUserPhoneResponse>, Status> {
        let wish = |request| requests::verify(request, self.rules());
        let reply = self.run(request, wish).await?;
        Ok(Response::new(VerifyUserPhoneResponse {
            details: Some(details(&reply)),
            phone_id: id(reply.phone),
        }))
    }

    async fn request_user_phone_removal(
        &self,
        request: Request<RequestUserPhoneRemovalRequest>,
    ) -> Result<Response<RequestUserPhoneRemovalResponse>, Status> {
        let reply = self.run(request, requests::request_removal).await?;
        Ok(respond(
            reply.times,
            RequestUserPhoneRemovalResponse {
                details: Some(details(&reply)),
                challenge_id: id(reply.challenge),
                code_expires_at: expires_at(reply.times),
                resend_after: resend_after(reply.times),
            },
        ))
    }

    async fn confirm_user_phone_removal(
        &self,
        request: Request<ConfirmUserPhoneRemovalRequest>,
    ) -> Result<Response<ConfirmUserPhoneRemovalResponse>, Status> {
        let reply = self.run(request, requests::confirm_removal).await?;
        Ok(Response::new(ConfirmUserPhoneRemovalResponse {
            details: Some(details(&reply)),
        }))
    }

    async fn remove_user_phone(
        &self,
        request: Request<RemoveUserPhoneRequest>,
    ) -> Result<Response<RemoveUserPhoneResponse>, Status> {
        let reply = self.run(request, requests::remove).await?;
        Ok(Response::new(RemoveUserPhoneResponse {
            details: Some(details(&reply)),
        }))
    }

    async fn change_user_phone(
        &self,
        request: Request<ChangeUserPhoneRequest>,
    ) -> Result<Response<ChangeUserPhoneResponse>, Status> {
        let wish = |request| requests::change(request, self.rules());
        let reply = self.run(request, wish).await?;
        Ok(respond(
            reply.times,
            ChangeUserPhoneResponse {
                details: Some(details(&reply)),
                phone_id: id(reply.phone),
                challenge_id: id(reply.challenge),
                code_expires_at: expires_at(reply.times),
                resend_after: resend_after(reply.times),
            },
        ))
    }

    async fn resend_user_phone_change(
        &self,
        request: Request<ResendUserPhoneChangeRequest>,
    ) -> Result<Response<ResendUserPhoneChangeResponse>, Status> {
        let reply = self.run(request, requests::resend_change).await?;
        Ok(respond(
            reply.times,
            ResendUserPhoneChangeResponse {
                details: Some(details(&reply)),
                phone_id: id(reply.phone),
                challenge_id: id(reply.challenge),
                code_expires_at: expires_at(reply.times),
                resend_after: resend_after(reply.times),
            },
        ))
    }

    async fn set_primary_user_phone(
        &self,
        request: Request<SetPrimaryUserPhoneRequest>,
    ) -> Result<Response<SetPrimaryUserPhoneResponse>, Status> {
        let reply = self.run(request, requests::make_primary).await?;
        Ok(Response::new(SetPrimaryUserPhoneResponse {
            details: Some(details(&reply)),
        }))
    }

    async fn unlock_user(
        &self,
        request: Request<UnlockUserRequest>,
    ) -> Result<Response<UnlockUserResponse>, Status> {
        let reply = self.run(request, requests::unlock).await?;
        Ok(Response::new(UnlockUserResponse {
            details: Some(details(&reply)),
        }))
    }
}

fn caller<T>(request: &Request<T>) -> Result<Caller, Refusal> {
    let caller = request.extensions().get::<Caller>().cloned();
    caller.ok_or(Refusal::TokenMissing)
}

/// A search, and the bytes that tell it from every other one.
#[derive(Debug)]
struct Search {
    query: PhoneQuery,
    bound: Vec<u8>,
}

impl Search {
    fn of(
        request: SearchPhonesRequest,
        caller: &Caller,
        rules: &NumberRules,
        keys: &Keys,
    ) -> Result<Search, Refusal> {
        if request.user_ids.len() > MOST_USERS {
            let rule = format!("must not name more than {MOST_USERS} users");
            return Err(invalid("user_ids", rule));
        }
        for (index, id) in request.user_ids.iter().enumerate() {
            length(&format!("user_ids[{index}]"), id, 1)?;
        }
        length("phone", &request.phone, 0)?;
        length("organization_id", &request.organization_id, 0)?;
        check_prefix(&request.phone_prefix)?;
        if request.page_size > LARGEST_PAGE {
            let rule = format!("must not be more than {LARGEST_PAGE}");
            return Err(invalid("page_size", rule));
        }
        let organization = given(request.organization_id);
        let scope = caller.scope(organization.as_deref())?;
        let number = given(request.phone)
            .map(|text| Number::parse(&text, rules))
            .transpose()?;
        let mut query = PhoneQuery {
            scope,
            accounts: request.user_ids,
            number,
            prefix: given(request.phone_prefix),
            verified: request.is_verified,
            after: None,
            limit: if request.page_size == 0 {
                USUAL_PAGE
            } else {
                request.page_size
            },
        };
        let bound = binding(&query);
        query.after = given(request.page_token)
            .map(|token| last_of(keys, &token, &bound))
            .transpose()?;
        Ok(Search { query, bound })
    }
}

fn given(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn invalid(field: &str, rule: impl Into<String>) -> Refusal {
    Refusal::FieldInvalid {
        field: field.to_owned(),
        rule: rule.into(),
    }
}

fn length(field: &str, text: &str, least: usize) -> Result<(), Refusal> {
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

fn check_prefix(prefix: &str) -> Result<(), Refusal> {
    let digits = prefix.strip_prefix('+');
    let fits = digits.is_some_and(|d| d.len() <= 15 && d.bytes().all(|b| b.is_ascii_digit()));
    if prefix.is_empty() || fits {
        Ok(())
    } else {
        Err(invalid(
            "phone_prefix",
            "must be a plus and at most 15 digits, such as +4179",
        ))
    }
}

/// Everything that decides which numbers a search finds and who asks, but not the page: a token continues
/// the search that it came from and no other. Each part is preceded by its length, so no two searches
/// read the same.
fn binding(query: &PhoneQuery) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut part = |part: &[u8]| {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(part);
    };
    match &query.scope {
        Scope::Own {
            account,
            organization,
        } => {
            part(b"own");
            part(account.as_bytes());
            part(organization.as_bytes());
        }
        Scope::Organization(organization) => {
            part(b"organization");
            part(organization.as_bytes());
        }
        Scope::Everywhere => part(b"everywhere"),
    }
    part(&(query.accounts.len() as u64).to_be_bytes());
    for account in &query.accounts {
        part(account.as_bytes());
    }
    part(query.number.as_ref().map_or("", Number::as_str).as_bytes());
    part(query.prefix.as_deref().unwrap_or_default().as_bytes());
    part(match query.verified {
        None => b"",
        Some(true) => b"verified",
        Some(false) => b"unverified",
    });
    bytes
}

const ID_BYTES: usize = 16;

fn page_token(keys: &Keys, last: Id, bound: &[u8]) -> String {
    let id = last.as_bytes();
    let tag = keys.tag("search_phones", &[id, bound].concat());
    URL_SAFE_NO_PAD.encode([&id[..], &tag].concat())
}

/// The last number of the page before.
fn last_of(keys: &Keys, token: &str, bound: &[u8]) -> Result<Id, Refusal> {
    let last = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| {
        let (id, tag) = bytes.split_at_checked(ID_BYTES)?;
        let expected = keys.tag("search_phones", &[id, bound].concat());
        if !bool::from(expected[..].ct_eq(tag)) {
            return None;
        }
        let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        Id::parse(&hex)
    });
    last.ok_or_else(|| {
        invalid(
            "page_token",
            "is not from a page of this search; begin again without a token",
        )
    })
}

/// The primary number first, then the others, oldest first.
fn numbers(account: &Account) -> Vec<PhoneNumber> {
    let is_primary = |phone: &Phone| account.primary == Some(phone.id);
    let (first, rest): (Vec<&Phone>, Vec<&Phone>) =
        account.phones.iter().partition(|phone| is_primary(phone));
    first
        .into_iter()
        .chain(rest)
        .map(|phone| number(&account.id, &account.organization, phone, is_primary(phone)))
        .collect()
}

fn found(row: &PhoneRow) -> PhoneNumber {
    number(&row.account, &row.organization, &row.phone, row.primary)
}

fn number(account: &str, organization: &str, phone: &Phone, primary: bool) -> PhoneNumber {
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

fn details(reply: &Reply) -> Details {
    Details {
        sequence: reply.sequence,
        change_date: Some(timestamp(reply.changed_at)),
        organization_id: reply.organization.clone(),
        creation_date: Some(timestamp(reply.created_at)),
    }
}

/// As the wire spells a name; empty for none.
fn id(name: Option<Id>) -> String {
    name.map(|name| name.to_string()).unwrap_or_default()
}

fn expires_at(times: Option<CodeTimes>) -> Option<prost_types::Timestamp> {
    times.map(|times| timestamp(times.expires_at))
}

/// In whole seconds, rounded up: whoever waits as long has waited long enough.
fn resend_after(times: Option<CodeTimes>) -> Option<prost_types::Duration> {
    let seconds = times?.resend_after.as_millis().div_ceil(1_000);
    Some(prost_types::Duration {
        seconds: i64::try_from(seconds).unwrap_or(i64::MAX),
        nanos: 0,
    })
}

/// A refusal in ringback's own words, with its stable name as the detail's id.
#[deny(clippy::wildcard_enum_match_arm)]
fn status(refusal: &Refusal) -> Status {
    let (code, retry_after) = match refusal {
        Refusal::TokenMissing
        | Refusal::TokenMalformed
        | Refusal::TokenInvalid
        | Refusal::TokenStale => (Code::Unauthenticated, None),
        Refusal::OrganizationDenied | Refusal::PermissionDenied | Refusal::ScopeMissing(_) => {
            (Code::PermissionDenied, None)
        }
        Refusal::AccountNotFound => (Code::NotFound, None),
        Refusal::AccountExists => (Code::AlreadyExists, None),
        Refusal::PhoneNotFound
        | Refusal::PhoneUnchanged
        | Refusal::PhoneUnverified
        | Refusal::RemovalUnconfirmed
        | Refusal::TooManyNumbers
        | Refusal::CodeAbsent => (Code::FailedPrecondition, None),
        Refusal::NumberInvalid(_)
        | Refusal::NumberKindNotServed(_)
        | Refusal::CodeRefused(_)
        | Refusal::FieldInvalid { .. }
        | Refusal::Unsupported { .. } => (Code::InvalidArgument, None),
        Refusal::Limited { retry_after, .. } => (Code::ResourceExhausted, Some(*retry_after)),
        Refusal::Overloaded => (Code::ResourceExhausted, Some(Duration::from_secs(1))),
        Refusal::DeadlineExceeded => (Code::DeadlineExceeded, None),
        Refusal::IssuerUnavailable | Refusal::Unavailable => (Code::Unavailable, None),
        Refusal::Internal => (Code::Internal, None),
    };
    // Its own text says why the code was refused, which is for logs only.
    let message = if matches!(refusal, Refusal::CodeRefused(_)) {
        "code refused".to_owned()
    } else {
        refusal.to_string()
    };
    let named = ErrorDetail {
        id: refusal.code().to_owned(),
        message: message.clone(),
    };
    let retry = retry_after.map(|wait| rpc::RetryInfo {
        retry_delay: prost_types::Duration::try_from(wait).ok(),
    });
    let mut details = vec![any("zitadel.v1.ErrorDetail", &named)];
    details.extend(retry.map(|retry| any("google.rpc.RetryInfo", &retry)));
    let whole = rpc::Status {
        code: code.into(),
        message: message.clone(),
        details,
    };
    Status::with_details(code, message, whole.encode_to_vec().into())
}

fn any(name: &str, message: &impl Message) -> prost_types::Any {
    prost_types::Any {
        type_url: format!("type.googleapis.com/{name}"),
        value: message.encode_to_vec(),
    }
}

#[cfg(test)]
mod tests;
