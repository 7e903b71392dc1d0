//! Frontegg's phone numbers: its paths and JSON in, commands through the store, its JSON and errors out.

mod callers;
mod contract;
mod errors;
mod list;
mod members;
mod otc;
mod paths;
mod responses;
mod token;
mod vendor;

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use ringback_core::refusal::CodeFailure;
use ringback_core::rights::Right;
use ringback_core::{
    Action, Caller, Change, Command, Delivery, Guess, Id, Refusal, Reply, Verification, Which,
};
use ringback_store::Store;

use crate::api::shared;
use crate::auth::Auth;
use crate::config::Config;
use crate::http::Installed;
use callers::{TENANT, USER};
use errors::Failure;
use list::Version;
use members::Members;
use otc::{Otc, Purpose};
use paths::{NUMBERS, NUMBERS_V2};
use responses::{CodeSent, NumberPage, PhoneNumber, RemovalAsked};
use vendor::Vendors;

/// The first list has been marked as deprecated since the vendor's document of January 2026 (RFC 9745
/// wants a date; no other is published).
const DEPRECATED_SINCE: &str = "@1767225600";

/// Request headers of Frontegg's browser clients.
const CORS_HEADERS: [&str; 10] = [
    "frontegg-environment-id",
    "frontegg-login-alias",
    "frontegg-requested-application-id",
    "frontegg-scoped-tenant",
    "frontegg-source",
    USER,
    TENANT,
    "x-access-token",
    "x-frontegg-framework",
    "x-frontegg-sdk",
];

/// Frontegg's phone-number routes and `/auth/vendor`. Without keys, as where somebody only looks at a
/// configuration, there are no environment tokens.
pub fn install(config: &Config) -> Installed {
    let keys = config.keys().ok();
    let vendors = keys.map(|keys| Vendors::new(&config.vendor, &keys));
    Installed {
        issuers: vendors.as_ref().map(Vendors::issuers).unwrap_or_default(),
        cors_headers: &CORS_HEADERS,
        paths: Some(Box::new(|services| paths::all(services, vendors))),
        ..Installed::default()
    }
}

#[derive(Clone)]
struct Frontegg {
    store: Store,
    auth: Arc<Auth>,
    vendors: Option<Arc<Vendors>>,
}

type Answer = Result<Response, Failure>;
type Named<T> = Result<Path<T>, PathRejection>;

impl Frontegg {
    async fn execute(&self, caller: Caller, action: Action) -> Result<Reply, Refusal> {
        let account = caller.user.clone();
        self.execute_on(account, caller, action).await
    }

    async fn execute_on(
        &self,
        account: String,
        caller: Caller,
        action: Action,
    ) -> Result<Reply, Refusal> {
        let command = Command {
            caller,
            account,
            action,
        };
        self.store.execute(command, None).await
    }

    /// The token of the challenge that a reply speaks of.
    fn otc_token(&self, purpose: Purpose, reply: &Reply) -> Option<String> {
        let otc = Otc {
            challenge: reply.challenge?,
            phone: reply.phone?,
        };
        Some(otc.write(&self.store.rules().keys, purpose, &reply.account.id))
    }

    /// What the token of a submitted code is about. One that was made up, for somebody else or for
    /// something else is a wrong code like any other, and reaches no account.
    fn otc(&self, purpose: Purpose, user: &str, token: &str) -> Result<Otc, Refusal> {
        Otc::find(&self.store.rules().keys, purpose, user, token)
            .ok_or(Refusal::CodeRefused(CodeFailure::Absent))
    }

    async fn list(&self, request: Request, version: Version) -> Result<NumberPage, Failure> {
        let caller = self.service(request.headers()).await?;
        let policies = &self.store.rules().policies;
        // As the organisation that is listed reads it.
        let numbers = &policies.of(&caller.organization).numbers;
        let asked = list::request(request.uri(), version, caller.scope(None)?, numbers)?;
        let found = self.store.list_phones(&caller, &asked.query).await;
        let found = found.map_err(Failure::Unread)?;
        Ok(asked.page(found))
    }
}

async fn create(State(api): State<Frontegg>, request: Request) -> Answer {
    let user = api.user(request.headers(), Right::Write).await?;
    let members = Members::read(request).await?;
    let number = members.text("phoneNumber")?.into();
    let verify = members.flag("verify")?.unwrap_or(true);
    let verification = verify.then_some(Verification::Code(Delivery::Send));
    let action = Action::Change(Change::Add {
        number,
        verification,
    });
    let reply = api.execute(user, action).await?;
    let sent = CodeSent {
        otc_token: api.otc_token(Purpose::Verify, &reply),
    };
    Ok(timed(&reply, (StatusCode::CREATED, Json(sent))))
}

async fn preverify(State(api): State<Frontegg>, request: Request) -> Answer {
    let user = api.user(request.headers(), Right::Write).await?;
    let members = Members::read(request).await?;
    let number = members.text("phoneNumber")?.into();
    let reply = api
        .execute(user, Action::Change(Change::Preverify { number }))
        .await?;
    let sent = CodeSent {
        otc_token: api.otc_token(Purpose::Verify, &reply),
    };
    Ok(timed(&reply, Json(sent)))
}

async fn verify(State(api): State<Frontegg>, request: Request) -> Answer {
    let user = api.user(request.headers(), Right::Write).await?;
    let members = Members::read(request).await?;
    let (token, code) = (members.text("otcToken")?, members.text("code")?);
    let otc = api.otc(Purpose::Verify, &user.user, &token)?;
    let which = Which::Challenge(otc.challenge);
    api.execute(
        user,
        Action::Change(Change::Verify {
            which,
            guess: Guess(code),
        }),
    )
    .await?;
    Ok(StatusCode::OK.into_response())
}

async fn own(State(api): State<Frontegg>, request: Request) -> Answer {
    let user = api.user(request.headers(), Right::Read).await?;
    let account = match api.store.read(&user, &user.user).await {
        Ok(account) => Some(account),
        // Whoever has set no number yet is no account yet, and has no numbers all the same.
        Err(Refusal::AccountNotFound) => None,
        Err(refusal) => return Err(Failure::Unread(refusal)),
    };
    let numbers = account
        .iter()
        .flat_map(|account| PhoneNumber::all_of(account));
    Ok(Json(numbers.collect::<Vec<_>>()).into_response())
}

async fn ask_removal(State(api): State<Frontegg>, id: Named<String>, request: Request) -> Answer {
    let user = api.user(request.headers(), Right::Write).await?;
    let phone = phone(id.ok().map(|Path(id)| id))?;
    let reply = api
        .execute(user, Action::Change(Change::RequestRemoval { phone }))
        .await?;
    let asked = RemovalAsked {
        phone_id: phone.to_string(),
        otc_token: api.otc_token(Purpose::Remove, &reply),
    };
    Ok(timed(&reply, Json(asked)))
}

async fn remove(State(api): State<Frontegg>, id: Named<String>, request: Request) -> Answer {
    let user = api.user(request.headers(), Right::Write).await?;
    let members = Members::read(request).await?;
    let phone = phone(id.ok().map(|Path(id)| id))?;
    let (token, code) = (members.text("otcToken")?, members.text("code")?);
    let otc = api.otc(Purpose::Remove, &user.user, &token)?;
    if otc.phone != phone {
        return Err(Refusal::CodeRefused(CodeFailure::Absent).into());
    }
    let action = Action::Change(Change::ConfirmRemoval {
        phone,
        challenge: otc.challenge,
        guess: Guess(code),
    });
    api.execute(user, action).await?;
    Ok(StatusCode::OK.into_response())
}

async fn create_verified(
    State(api): State<Frontegg>,
    user: Named<String>,
    request: Request,
) -> Answer {
    let caller = api.service(request.headers()).await?;
    let members = Members::read(request).await?;
    let number = members.text("phoneNumber")?.into();
    let Path(user) = user.map_err(|_| Refusal::AccountNotFound)?;
    let action = Action::Change(Change::Add {
        number,
        verification: Some(Verification::Trusted),
    });
    api.execute_on(user, caller, action).await?;
    Ok(StatusCode::CREATED.into_response())
}

async fn remove_at_once(
    State(api): State<Frontegg>,
    path: Named<(String, String)>,
    request: Request,
) -> Answer {
    let caller = api.service(request.headers()).await?;
    let Path((user, id)) = path.map_err(|_| Refusal::PhoneNotFound)?;
    let phone = phone(Some(id))?;
    api.execute_on(
        user,
        caller,
        Action::Change(Change::Remove {
            which: Which::Phone(phone),
        }),
    )
    .await?;
    Ok(StatusCode::OK.into_response())
}

async fn list_v1(State(api): State<Frontegg>, request: Request) -> Answer {
    let path = request.uri().path();
    let successor = path.strip_suffix(NUMBERS).unwrap_or(path);
    let successor = format!("<{successor}{NUMBERS_V2}>; rel=\"successor-version\"");
    let page = api.list(request, Version::One).await?;
    let since = HeaderName::from_static("deprecation");
    Ok((
        [(since, DEPRECATED_SINCE), (header::LINK, &successor)],
        Json(page),
    )
        .into_response())
}

async fn list_v2(State(api): State<Frontegg>, request: Request) -> Answer {
    Ok(Json(api.list(request, Version::Two).await?).into_response())
}

/// A response with the times of the code that was sent.
fn timed(reply: &Reply, response: impl IntoResponse) -> Response {
    let mut response = response.into_response();
    shared::add(reply.times, &mut response);
    response
}

/// The number that a path names; what no number can be called, none is.
fn phone(id: Option<String>) -> Result<Id, Refusal> {
    id.and_then(|id| Id::parse(&id))
        .ok_or(Refusal::PhoneNotFound)
}
