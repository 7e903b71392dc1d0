//! ReachFive's phone calls: its JSON in, commands through the store, its JSON and errors out.

mod contract;
mod credentials;
mod errors;
mod form;
mod paths;
mod responses;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::uri::Uri;
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::map_response_with_state;
use axum::response::{IntoResponse, Json, Response};
use axum::{Router, body::Body};
use ringback_core::policy::Registration;
use ringback_core::rights::Right;
use ringback_core::{
    Account, Action, Caller, Change, Command, Delivery, Guess, NumberText, Refusal, Reply, Which,
};
use ringback_store::Store;
use serde_json::{Map, Value, json};

use crate::api::shared;
use crate::auth::Auth;
use crate::config::{Config, ReachFiveSection};
use crate::http::Installed;
use errors::Problem;
use form::Form;

const PHONE_NUMBER: &str = "phone_number";
const VERIFICATION_CODE: &str = "verification_code";

/// The header that goes before Accept-Language in the choice of a message's language.
const CUSTOM_LOCALE: &str = "custom-locale";

/// The longest language tag (RFC 5646, section 4.4.1).
const LANGUAGE_BYTES: usize = 35;

/// Request headers of ReachFive's browser clients.
const CORS_HEADERS: [&str; 2] = [CUSTOM_LOCALE, "x-r5-correlation-id"];

/// Both of ReachFive's APIs. Whatever else is below their paths is answered in ReachFive's error form.
pub fn install(config: &Config) -> Installed {
    let section = config.reachfive.clone();
    Installed {
        cors_headers: &CORS_HEADERS,
        paths: Some(Box::new(|services| paths::all(services, section))),
        ..Installed::default()
    }
}

#[derive(Clone)]
struct ReachFive {
    store: Store,
    auth: Arc<Auth>,
    section: Arc<ReachFiveSection>,
}

/// What every handler gives; [`finish`] makes the answer of it.
type HandlerResult = Result<Response, Problem>;

impl ReachFive {
    /// A router that leaves nothing below its path to others.
    fn closed(&self, router: Router<ReachFive>) -> Router {
        router
            .fallback(|| async { Problem::unknown_path() })
            .method_not_allowed_fallback(|| async { Problem::wrong_method() })
            .layer(map_response_with_state(self.store.clone(), finish))
            .with_state(self.clone())
    }

    /// Who reads.
    async fn reader(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        Ok(self.auth.caller(headers).await?)
    }

    /// Who changes something: an end user only with the scope for it and a young token, so that one that
    /// leaked changes little. Whoever holds `user.write` could do the same at another API, and is asked
    /// for neither.
    async fn writer(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let caller = self.auth.caller(headers).await?;
        if !caller.may(Right::Write) {
            let required = &self.section.required_scope;
            if !required.is_empty() && !caller.scopes.contains(required) {
                return Err(Problem::scope(required));
            }
            let limit = Duration::from_secs(self.section.fresh_token_seconds);
            let now = self.store.now();
            // A token that does not say its age may be of any.
            let young = caller.issued_at.is_some_and(|at| now.since(at) < limit);
            if !limit.is_zero() && !young {
                return Err(Problem::stale());
            }
        }
        Ok(speaking(caller, headers))
    }

    async fn execute(
        &self,
        caller: Caller,
        account: &str,
        action: Action,
    ) -> Result<Reply, Refusal> {
        let command = Command {
            caller,
            account: account.to_owned(),
            action,
        };
        self.store.execute(command, None).await
    }

    /// Does something to the caller's own account.
    async fn execute_own(&self, caller: &Caller, action: Action) -> Result<Reply, Refusal> {
        self.execute(caller.clone(), &caller.user, action).await
    }

    /// Whether a user's first token makes an account.
    fn registers_users(&self, caller: &Caller) -> bool {
        let policy = self.store.rules().policies.of(&caller.home);
        policy.accounts.register != Registration::Explicit
    }

    /// The caller's own account. `None` for a user that is not registered and needs not be.
    async fn find_own(&self, caller: &Caller) -> Result<Option<Arc<Account>>, Refusal> {
        match self.store.read(caller, &caller.user).await {
            Ok(account) => Ok(Some(account)),
            Err(Refusal::AccountNotFound | Refusal::PermissionDenied)
                if self.registers_users(caller) =>
            {
                Ok(None)
            }
            Err(Refusal::PermissionDenied) => Err(Refusal::AccountNotFound),
            Err(refusal) => Err(refusal),
        }
    }

    /// The caller's account after a change.
    async fn changed(&self, caller: &Caller) -> Result<Arc<Account>, Refusal> {
        self.find_own(caller).await?.ok_or(Refusal::AccountNotFound)
    }
}

/// A caller whose client may have named a language of its own.
fn speaking(mut caller: Caller, headers: &HeaderMap) -> Caller {
    let locale = headers
        .get(CUSTOM_LOCALE)
        .and_then(|value| value.to_str().ok());
    if let Some(locale) = locale.map(str::trim).filter(|text| is_language(text)) {
        caller.language = match caller.language.as_str() {
            "" => locale.to_owned(),
            others => format!("{locale},{others}"),
        };
    }
    caller
}

fn is_language(text: &str) -> bool {
    let symbol = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (2..=LANGUAGE_BYTES).contains(&text.len()) && text.chars().all(symbol)
}

/// Gives a problem its name.
async fn finish(State(store): State<Store>, mut response: Response) -> Response {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        // Ten symbols, as ReachFive's own.
        let id: String = store.fresh_id().chars().take(10).collect();
        tracing::debug!(error_id = id, error = problem.error, "refused");
        *response.body_mut() = Body::from(problem.body_named(&id));
    }
    response
}

/// The first value of a name in the query.
fn asked(uri: &Uri, name: &str) -> Option<String> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).ok()?;
    pairs
        .into_iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value)
}

/// What a client reads before its first call. It never waits for more than these: the published one is
/// content with an empty object.
async fn config(State(api): State<ReachFive>, uri: Uri) -> Response {
    let language = asked(&uri, "lang").filter(|text| is_language(text));
    let mut told = json!({
        "sso": false,
        "sms": true,
        "web_authn": false,
        "language": language.as_ref().unwrap_or(&api.section.language),
        "pkce_enforced": false,
        "is_public": true,
        "social_providers": [],
        "password_policy": {"min_length": 0, "min_strength": 0, "allow_update_with_access_token_only": true},
        "consents": [],
        "custom_fields": [],
        "resource_base_url": "",
        "mfa_sms_enabled": true,
        "mfa_email_enabled": false,
        "rba_enabled": false,
        "is_implicit_flow_forbidden": false,
        "login_type_allowed": {"email": false, "phone_number": true, "custom_identifier": false},
    });
    let region = &api.store.rules().policies.default.numbers.default_region;
    if !region.is_empty() {
        told["country_code"] = region.to_ascii_uppercase().into();
    }
    Json(told).into_response()
}

async fn userinfo(State(api): State<ReachFive>, request: Request) -> HandlerResult {
    let caller = api.reader(request.headers()).await?;
    // A token proves that its user exists, also before ringback has heard of them.
    let account = api.find_own(&caller).await.map_err(Problem::of_read)?;
    let mut told = account.map_or_else(
        || responses::bare(&caller.user),
        |account| responses::of(&account),
    );
    if let Some(fields) = asked(request.uri(), "fields").filter(|text| !text.trim().is_empty()) {
        told = only(told, &fields);
    }
    Ok(Json(told).into_response())
}

/// The members that a comma-separated list names. Who it is about is always told (OpenID Connect Core,
/// section 5.3.2, asks for `sub`).
fn only(told: Map<String, Value>, fields: &str) -> Map<String, Value> {
    let wanted: Vec<&str> = fields
        .split(',')
        .map(str::trim)
        .chain(responses::ALWAYS)
        .collect();
    told.into_iter()
        .filter(|(name, _)| wanted.contains(&name.as_str()))
        .collect()
}

async fn verify(State(api): State<ReachFive>, request: Request) -> HandlerResult {
    let caller = api.writer(request.headers()).await?;
    let mut form = Form::read(request).await?;
    let (number, code) = (form.text(PHONE_NUMBER), form.text(VERIFICATION_CODE));
    form.done()?;
    let which = Which::Number(NumberText(number));
    api.execute_own(
        &caller,
        Action::Change(Change::Verify {
            which,
            guess: Guess(code),
        }),
    )
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Answers the profile, which the mobile clients cannot do without. While a verified number waits to be
/// replaced, it is the one that the profile shows.
async fn update(State(api): State<ReachFive>, request: Request) -> HandlerResult {
    let caller = api.writer(request.headers()).await?;
    let mut form = Form::read(request).await?;
    let number = form.text(PHONE_NUMBER);
    form.done()?;
    let number = NumberText(number);
    let reply = api
        .execute_own(&caller, Action::Change(Change::Replace { number }))
        .await?;
    let told = responses::of(&reply.account);
    Ok(timed(&reply, Json(told)))
}

/// Has no body; one that comes along is not looked at.
async fn send(State(api): State<ReachFive>, headers: HeaderMap) -> HandlerResult {
    let caller = api.writer(&headers).await?;
    let reply = api
        .execute_own(
            &caller,
            Action::Change(Change::Resend {
                which: Which::Next,
                delivery: Delivery::Send,
            }),
        )
        .await?;
    Ok(timed(&reply, sent()))
}

/// Is for tokens with `user.write`, as all of the management API.
async fn user_send(
    State(api): State<ReachFive>,
    user: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> HandlerResult {
    let caller = speaking(api.reader(&headers).await?, &headers);
    // What is no text is no id.
    let Path(user) = user.map_err(|_| Refusal::AccountNotFound)?;
    // Whom else the caller may not write to is told by the core.
    if caller.user == user && !caller.may(Right::Write) {
        return Err(Refusal::PermissionDenied.into());
    }
    let reply = api
        .execute(
            caller,
            &user,
            Action::Change(Change::Resend {
                which: Which::Next,
                delivery: Delivery::Send,
            }),
        )
        .await?;
    Ok(timed(&reply, sent()))
}

/// ReachFive does not publish the answer of either call that sends; the one of the same call for e-mail is
/// `{"verification_email_sent": true}`. A client that expects no content minds it as little.
fn sent() -> Response {
    Json(json!({"verification_sms_sent": true})).into_response()
}

/// A response with the times of the code that was sent.
fn timed(reply: &Reply, response: impl IntoResponse) -> Response {
    let mut response = response.into_response();
    shared::add(reply.times, &mut response);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locale_of_the_client_s_own_goes_before_its_languages() {
        let speaks = |custom: &str, others: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CUSTOM_LOCALE, custom.parse().unwrap());
            let caller = Caller {
                language: others.into(),
                ..Caller::new("ann", "acme")
            };
            speaking(caller, &headers).language
        };
        assert_eq!(speaks("fr-CA", "de, en;q=0.5"), "fr-CA,de, en;q=0.5");
        assert_eq!(speaks("fr", ""), "fr");
        for odd in ["", "fr,de", "a tag", "x"] {
            assert_eq!(speaks(odd, "de"), "de", "{odd:?}");
        }
    }

    #[test]
    fn fields_choose_and_never_hide_who_it_is() {
        let told = responses::bare("ann");
        assert_eq!(only(told.clone(), "phone_number, nothing"), told);
        let Value::Object(full) = json!({"id": "a", "sub": "a", "email": "e", "name": "n"}) else {
            panic!("must be an object")
        };
        let chosen = Value::Object(only(full, " email,phone_number"));
        assert_eq!(chosen, json!({"id": "a", "sub": "a", "email": "e"}));
    }
}
