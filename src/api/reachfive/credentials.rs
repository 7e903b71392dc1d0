//! Second factors: a user's numbers under another name.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json};
use ringback_core::{Action, Change, Guess, Number, NumberText, Phone, Refusal, Which};
use serde_json::json;

use super::errors::Problem;
use super::form::Form;
use super::{HandlerResult, PHONE_NUMBER, ReachFive, VERIFICATION_CODE, responses, timed};

pub(super) async fn list(State(api): State<ReachFive>, headers: HeaderMap) -> HandlerResult {
    let caller = api.reader(&headers).await?;
    let account = api.find_own(&caller).await.map_err(Problem::of_read)?;
    let listed = account
        .as_deref()
        .map(responses::credentials)
        .unwrap_or_default();
    Ok(Json(json!({"credentials": listed})).into_response())
}

/// A number that the user has proven needs no code to become a second factor.
pub(super) async fn start(State(api): State<ReachFive>, request: Request) -> HandlerResult {
    let caller = api.writer(request.headers()).await?;
    let mut form = Form::read(request).await?;
    let number = form.text(PHONE_NUMBER);
    form.done()?;
    let number = NumberText(number);
    let action = Action::Change(Change::Preverify {
        number: number.clone(),
    });
    let told = match api.execute_own(&caller, action).await {
        Ok(reply) => {
            return Ok(timed(&reply, Json(json!({"status": "sms_sent"}))));
        }
        Err(Refusal::PhoneUnchanged) => {
            let account = api.changed(&caller).await?;
            let policy = api.store.rules().policies.of(&account.organization);
            let number = Number::parse(&number.0, &policy.numbers).map_err(Refusal::from)?;
            let own = |phone: &&Phone| phone.number == number;
            let credential = account
                .phones
                .iter()
                .find(own)
                .and_then(responses::credential);
            let credential = credential.ok_or(Refusal::PhoneUnchanged)?;
            json!({"status": "enabled", "credential": credential})
        }
        Err(refusal) => return Err(refusal.into()),
    };
    Ok(Json(told).into_response())
}

/// Names no number: the code is for the one that was asked about last.
pub(super) async fn verify(State(api): State<ReachFive>, request: Request) -> HandlerResult {
    let caller = api.writer(request.headers()).await?;
    let mut form = Form::read(request).await?;
    let code = form.text(VERIFICATION_CODE);
    form.done()?;
    let which = Which::Latest;
    let reply = api
        .execute_own(
            &caller,
            Action::Change(Change::Verify {
                which,
                guess: Guess(code),
            }),
        )
        .await?;
    let phone = reply.phone.and_then(|id| reply.account.phone(id));
    let credential = phone
        .and_then(responses::credential)
        .ok_or(Refusal::PhoneNotFound)?;
    Ok(Json(credential).into_response())
}

/// Second factors and verified numbers are one list here, so what is deleted is the number, also when it
/// is the one that the profile shows; its owner is told at that number.
pub(super) async fn delete(State(api): State<ReachFive>, request: Request) -> HandlerResult {
    let caller = api.writer(request.headers()).await?;
    let mut form = Form::read(request).await?;
    let number = form.text(PHONE_NUMBER);
    form.done()?;
    let number = NumberText(number);
    api.execute_own(
        &caller,
        Action::Change(Change::Remove {
            which: Which::Number(number),
        }),
    )
    .await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
