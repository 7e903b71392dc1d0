//! The page's forms, for browsers without scripts. The token stands in each form: no other site can post one.

use std::collections::HashMap;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use reqwest::Url;
use ringback_core::{Action, Caller, Change, Command, Delivery, Guess, NumberText, Refusal, Which};

use super::page::{Page, Problem};
use super::service::standing;
use super::tokens::Tokens;
use crate::http::read_body;

/// The longest form, in bytes.
const LIMIT: usize = 8 * 1024;

/// `POST /verify`: a button was pressed.
pub(super) async fn submit(State(page): State<Page>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let fields = match read_body(body, LIMIT).await {
        Ok(body) => fields(&body),
        Err(unread) => return (unread.http(), format!("{unread}\n")).into_response(),
    };
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let words = page.words(Some(field("lang")), &head.headers);
    let token = match field("handle") {
        "" => Some(field("token").to_owned()),
        handle => page.take(handle).await,
    };
    let Some(token) = token else {
        return page.over(words, "ended");
    };
    let caller = match page.caller(&token, &head.headers, words.tag).await {
        Ok(caller) => caller,
        Err(refusal) => return page.over(words, problem(&refusal).name),
    };
    let action = field("do");
    let done = match action {
        "send" | "resend" | "check" => page.act(&caller, action, &field).await,
        _ => Ok(()),
    };
    let problem = done.err().map(|refusal| problem(&refusal));
    if let Some(problem) = problem.filter(|problem| problem.name == "ended") {
        return page.over(words, problem.name);
    }
    let wants_number = action == "number" || action == "send" && problem.is_some();
    match standing(&page.store, &caller, &caller.user).await {
        Ok(standing) => page.step(words, &token, &standing, wants_number, problem),
        Err(refusal) => page.over(words, self::problem(&refusal).name),
    }
}

/// `POST /verify/taken`: the page runs with scripts, and its handle shall be of no use to whoever reads it in a log.
pub(super) async fn taken(State(page): State<Page>, request: Request) -> StatusCode {
    if let Ok(body) = read_body(request.into_body(), LIMIT).await {
        let fields = fields(&body);
        page.take(fields.get("handle").map_or("", String::as_str))
            .await;
    }
    StatusCode::NO_CONTENT
}

impl Page {
    /// The token of the session that a handle is for, once.
    async fn take(&self, handle: &str) -> Option<String> {
        let tokens = Tokens::of(&self.store.rules().keys);
        let caller = tokens.of_handle(handle)?;
        let id = caller.session?;
        let command = Command {
            account: caller.user.clone(),
            caller,
            action: Action::Change(Change::TakeSession),
        };
        let reply = self.store.execute(command, None).await.ok()?;
        let now = self.store.now();
        let session = reply.account.session(id, now)?;
        tokens.session(&reply.account, session, now)
    }

    /// Who comes by a session; its messages are in the page's language.
    async fn caller(
        &self,
        token: &str,
        headers: &HeaderMap,
        language: &str,
    ) -> Result<Caller, Refusal> {
        let caller = self.auth.identify(token, headers).await?;
        match caller.session {
            Some(_) => Ok(Caller {
                language: language.to_owned(),
                ..caller
            }),
            None => Err(Refusal::TokenInvalid),
        }
    }

    async fn act<'a>(
        &self,
        caller: &Caller,
        action: &str,
        field: &impl Fn(&str) -> &'a str,
    ) -> Result<(), Refusal> {
        let change = match action {
            "send" => Change::Replace {
                number: NumberText::from(field("phone")),
            },
            "resend" => Change::Resend {
                which: Which::Next,
                delivery: Delivery::Send,
            },
            _ => {
                let standing = standing(&self.store, caller, &caller.user).await?;
                let open = standing.open.as_ref().ok_or(Refusal::CodeAbsent)?;
                Change::Verify {
                    which: Which::Challenge(open.challenge),
                    guess: Guess(field("code").to_owned()),
                }
            }
        };
        let command = Command {
            caller: caller.clone(),
            account: caller.user.clone(),
            action: Action::Change(change),
        };
        self.store.execute(command, None).await.map(drop)
    }
}

/// What the page says of a refusal.
fn problem(refusal: &Refusal) -> Problem {
    let (name, seconds) = match refusal {
        Refusal::CodeRefused(_) | Refusal::CodeAbsent => ("wrong", 0),
        Refusal::Limited { retry_after, .. } => {
            let seconds = retry_after.as_millis().div_ceil(1_000);
            ("wait", u64::try_from(seconds).unwrap_or(u64::MAX))
        }
        Refusal::NumberInvalid(ringback_core::number::NumberError::Empty) => ("number_missing", 0),
        Refusal::NumberInvalid(_)
        | Refusal::NumberKindNotServed(_)
        | Refusal::Guarded(_)
        | Refusal::PhoneUnchanged
        | Refusal::PermissionDenied => ("number_invalid", 0),
        Refusal::NumberOptedOut => ("opted_out", 0),
        Refusal::TokenMissing
        | Refusal::TokenMalformed
        | Refusal::TokenInvalid
        | Refusal::AccountNotFound => ("ended", 0),
        _ => ("failed", 0),
    };
    Problem { name, seconds }
}

/// The fields of a form, as browsers write them.
fn fields(body: &[u8]) -> HashMap<String, String> {
    let query = String::from_utf8_lossy(body);
    let read = Url::parse(&format!("form:?{}", query.replace('#', "%23")));
    let pairs = read.iter().flat_map(|url| url.query_pairs());
    pairs
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}
