//! The verification service: requests in, sessions and results out.

use std::sync::Arc;

use reqwest::Url;
use ringback_core::{Action, Caller, Change, Command, Id, NewSession, Proof, Refusal, Session};
use ringback_store::Store;
use tonic::{Request, Response, Status};

use super::super::errors::{status, status_of_read};
use super::super::rules::{invalid, length};
use super::tokens::Tokens;
use super::{Settings, returns};
use crate::api::shared::{caller, timestamp};
use crate::http::{BODY_LIMIT, Deadline, RpcService};
use crate::proto::ringback::verification::v1::verification_service_server::{
    VerificationService, VerificationServiceServer,
};
use crate::proto::ringback::verification::v1::{
    CheckVerificationResultRequest, CheckVerificationResultResponse,
    CreateVerificationSessionRequest, CreateVerificationSessionResponse, GetVerificationRequest,
    GetVerificationResponse, VerificationStep,
};
use ringback_core::code::Alphabet;

/// Serves `ringback.verification.v1.VerificationService`. The caller is expected in the request's extensions.
#[derive(Clone)]
pub(super) struct Verifications {
    store: Store,
    settings: Arc<Settings>,
}

impl Verifications {
    pub(super) fn service(store: Store, settings: Arc<Settings>) -> RpcService {
        let service = VerificationServiceServer::new(Verifications { store, settings });
        let service = service.max_decoding_message_size(BODY_LIMIT);
        RpcService::new(service, status, super::contract::told)
    }

    async fn create(
        &self,
        request: Request<CreateVerificationSessionRequest>,
    ) -> Result<CreateVerificationSessionResponse, Refusal> {
        let caller = caller(&request)?;
        let deadline = request.extensions().get::<Deadline>().map(|d| d.0);
        let request = request.into_inner();
        let new = self.asked(&request)?;
        let organization = Some(request.organization_id.as_str()).filter(|it| !it.is_empty());
        let command = Command {
            caller: caller.acting_in(organization)?,
            account: request.user_id,
            action: Action::Change(Change::OpenSession(new)),
        };
        let reply = self.store.execute(command, deadline).await?;
        let session = reply.account.limits.sessions.last();
        let session = session.ok_or(Refusal::Internal)?;
        let tokens = Tokens::of(&self.store.rules().keys);
        let token = tokens.session(&reply.account, session, self.store.now());
        let token = token.ok_or(Refusal::Internal)?;
        let handle = tokens.handle(&reply.account, session.id);
        Ok(CreateVerificationSessionResponse {
            session_id: session.id.to_string(),
            url: self
                .address(&handle, &token, &session.language)
                .ok_or(Refusal::Internal)?,
            token,
            expires_at: Some(timestamp(session.until)),
        })
    }

    /// The session that a request asks for.
    fn asked(&self, request: &CreateVerificationSessionRequest) -> Result<NewSession, Refusal> {
        const NAME: &str = "CreateVerificationSessionRequest";
        let fields = [
            ("user_id", &request.user_id),
            ("organization_id", &request.organization_id),
            ("phone", &request.phone),
            ("return_url", &request.return_url),
            ("language", &request.language),
        ];
        for (field, text) in fields {
            length(NAME, field, text)?;
        }
        if !self.settings.enabled {
            let what = "sessions and their page: set verify.enabled".to_owned();
            return Err(Refusal::Unsupported { what });
        }
        let symbol = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if !request.language.chars().all(symbol) {
            return Err(invalid(
                "language",
                "must be a language tag such as de or pt-BR",
            ));
        }
        let returns = &self.settings.returns;
        let return_url = match request.return_url.as_str() {
            "" => String::new(),
            text => returns::allowed(text, returns).ok_or_else(|| {
                let rule =
                    "must be a whole address below one of verify.return_urls, without a fragment";
                invalid("return_url", rule)
            })?,
        };
        let phone = Some(&request.phone).filter(|phone| !phone.is_empty());
        Ok(NewSession {
            number: phone.map(|phone| phone.clone().into()),
            return_url,
            language: request.language.clone(),
            life: self.settings.life,
        })
    }

    /// The page's address. What scripts need is behind the `#`, which no server gets to see and no log holds.
    fn address(&self, handle: &str, token: &str, language: &str) -> Option<String> {
        let base = self.settings.base.trim_end_matches('/');
        let mut url = Url::parse(&format!("{base}/verify")).ok()?;
        url.query_pairs_mut().append_pair("h", handle);
        if !language.is_empty() {
            url.query_pairs_mut().append_pair("lang", language);
        }
        url.set_fragment(Some(token));
        Some(url.to_string())
    }

    async fn get(
        &self,
        request: Request<GetVerificationRequest>,
    ) -> Result<GetVerificationResponse, Refusal> {
        let caller = caller(&request)?;
        let id = request.into_inner().user_id;
        length("GetVerificationRequest", "user_id", &id)?;
        let (step, proof) = self.proof(&caller, &id).await?;
        let open = proof.open.as_ref();
        let session = proof.session.as_ref();
        let only = proof.only.as_ref();
        let seconds = proof.resend_after.as_millis().div_ceil(1_000);
        Ok(GetVerificationResponse {
            step: step.into(),
            phone_hint: open
                .map(|open| hint(open.number.as_str()))
                .unwrap_or_default(),
            challenge_id: open
                .map(|open| open.challenge.to_string())
                .unwrap_or_default(),
            code_expires_at: open.map(|open| timestamp(open.expires_at)),
            resend_after: open.map(|_| prost_types::Duration {
                seconds: i64::try_from(seconds).unwrap_or(i64::MAX),
                nanos: 0,
            }),
            code_length: proof.shape.length.into(),
            code_is_numeric: proof.shape.alphabet == Alphabet::Digits,
            phone: only
                .map(|number| number.as_str().to_owned())
                .unwrap_or_default(),
            language: session
                .map(|session| session.language.clone())
                .unwrap_or_default(),
            can_change: session.is_none_or(|session| session.proven.is_none()),
            return_url: proof.return_url,
        })
    }

    async fn proof(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<(VerificationStep, Standing), Refusal> {
        let standing = standing(&self.store, caller, id).await?;
        let step = match (&standing.open, standing.proven) {
            (Some(_), _) => VerificationStep::Code,
            (None, Some(_)) => VerificationStep::Verified,
            (None, None) => VerificationStep::Number,
        };
        Ok((step, standing))
    }

    async fn check(
        &self,
        request: Request<CheckVerificationResultRequest>,
    ) -> Result<CheckVerificationResultResponse, Refusal> {
        let caller = caller(&request)?;
        let text = request.into_inner().result;
        length("CheckVerificationResultRequest", "result", &text)?;
        let tokens = Tokens::of(&self.store.rules().keys);
        let outcome = tokens.of_result(&text, self.store.now()).ok_or_else(|| {
            let rule = "is no result of this service, or older than five minutes; ask for the user's numbers";
            invalid("result", rule)
        })?;
        let caller = caller.acting_in(Some(&outcome.org_id))?;
        let account = self.store.read(&caller, &outcome.sub).await?;
        let phone = Id::parse(&outcome.phone_id).and_then(|id| account.phone(id));
        Ok(CheckVerificationResultResponse {
            phone: phone
                .map(|phone| phone.number.as_str().to_owned())
                .unwrap_or_default(),
            is_verified: phone.is_some_and(|phone| phone.verified()),
            user_id: outcome.sub,
            organization_id: outcome.org_id,
            session_id: outcome.sid,
            phone_id: outcome.phone_id,
        })
    }
}

/// How far a proof has come, with the address to go back to.
pub(super) struct Standing {
    proof: Proof,
    /// With the result of a session that has succeeded; empty for nowhere.
    pub(super) return_url: String,
}

impl std::ops::Deref for Standing {
    type Target = Proof;
    fn deref(&self) -> &Proof {
        &self.proof
    }
}

/// Looks at a user's proof.
pub(super) async fn standing(
    store: &Store,
    caller: &Caller,
    id: &str,
) -> Result<Standing, Refusal> {
    let (account, proof) = store.proof(caller, id).await?;
    let tokens = Tokens::of(&store.rules().keys);
    let back = |session: &Session| {
        let signed = |phone| tokens.result(&account, session, phone, store.now());
        let with = |result: String| returns::with_result(&session.return_url, &result);
        let with_result = session.proven.and_then(signed).and_then(with);
        with_result.unwrap_or_else(|| session.return_url.clone())
    };
    let session = proof.session.as_ref();
    let session = session.filter(|session| !session.return_url.is_empty());
    let return_url = session.map(back).unwrap_or_default();
    Ok(Standing { proof, return_url })
}

/// The end of a number, enough to know one's own by.
pub(super) fn hint(number: &str) -> String {
    let digits: Vec<char> = number.chars().collect();
    let end: String = digits[digits.len().saturating_sub(2)..].iter().collect();
    format!("••• {end}")
}

#[tonic::async_trait]
impl VerificationService for Verifications {
    async fn create_verification_session(
        &self,
        request: Request<CreateVerificationSessionRequest>,
    ) -> Result<Response<CreateVerificationSessionResponse>, Status> {
        let created = self.create(request).await;
        created
            .map(Response::new)
            .map_err(|refusal| status(&refusal))
    }

    async fn get_verification(
        &self,
        request: Request<GetVerificationRequest>,
    ) -> Result<Response<GetVerificationResponse>, Status> {
        let found = self.get(request).await;
        found
            .map(Response::new)
            .map_err(|refusal| status_of_read(&refusal))
    }

    async fn check_verification_result(
        &self,
        request: Request<CheckVerificationResultRequest>,
    ) -> Result<Response<CheckVerificationResultResponse>, Status> {
        let checked = self.check(request).await;
        checked
            .map(Response::new)
            .map_err(|refusal| status_of_read(&refusal))
    }
}
