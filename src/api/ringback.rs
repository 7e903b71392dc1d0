//! ringback's own services: phone numbers, of one user and across users, several of them; what became of messages;
//! what happened to accounts; and what the guard holds back.

mod admin;
mod contract;
mod errors;
mod events;
mod guard;
mod messages;
mod person;
mod requests;
mod responses;
mod rules;
mod search;
mod statistics;
mod user_status;
mod verification;

use ringback_core::{Refusal, Reply};
use ringback_store::Store;
use tonic::{Request, Response, Status};

use crate::api::shared::{self, Asked, caller, respond};
use crate::config::Config;
use crate::http::{BODY_LIMIT, Installed, RpcService, Services};
use crate::proto::ringback::phone::v1::phone_service_server::{PhoneService, PhoneServiceServer};
use crate::proto::ringback::phone::v1::{
    AddUserPhoneRequest, AddUserPhoneResponse, ChangeUserPhoneRequest, ChangeUserPhoneResponse,
    ConfirmUserPhoneRemovalRequest, ConfirmUserPhoneRemovalResponse, EraseUserRequest,
    EraseUserResponse, ExportUserRequest, ExportUserResponse, GetUserPhoneStatusRequest,
    GetUserPhoneStatusResponse, ListUserPhonesRequest, ListUserPhonesResponse,
    PreverifyUserPhoneRequest, PreverifyUserPhoneResponse, RemoveUserPhoneRequest,
    RemoveUserPhoneResponse, RequestUserPhoneRemovalRequest, RequestUserPhoneRemovalResponse,
    ResendUserPhoneChangeRequest, ResendUserPhoneChangeResponse, SearchPhonesRequest,
    SearchPhonesResponse, SetPrimaryUserPhoneRequest, SetPrimaryUserPhoneResponse,
    UnlockUserRequest, UnlockUserResponse, VerifyUserPhoneRequest, VerifyUserPhoneResponse,
};
use errors::{status, status_of_read};
use responses::{details, expires_at, found, id, numbers, resend_after};
use search::{Search, page_token};

/// ringback's services, the widget and the page where users prove numbers.
pub fn install(config: &Config) -> Installed {
    let settings = verification::Settings::of(config);
    let for_pages = settings.clone();
    let phones = |services: &Services| {
        let phones = PhoneServiceServer::new(PhoneApi::new(services.store.clone()));
        RpcService::new(
            phones.max_decoding_message_size(BODY_LIMIT),
            status,
            contract::told,
        )
    };
    let verifications = move |services: &Services| verification::service(&settings, services);
    Installed {
        issuers: verification::issuer(config).into_iter().collect(),
        rpcs: vec![
            Box::new(phones),
            Box::new(messages::service),
            Box::new(admin::service),
            Box::new(events::service),
            Box::new(verifications),
            Box::new(guard::service),
        ],
        pages: Some(Box::new(move |services| {
            verification::pages(&for_pages, services)
        })),
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

    async fn run<T>(
        &self,
        request: Request<T>,
        read: impl FnOnce(T) -> Result<Asked, Refusal>,
    ) -> Result<Reply, Status> {
        let done = shared::run(&self.store, request, read).await;
        done.map_err(|refusal| status(&refusal))
    }

    async fn list(
        &self,
        request: Request<ListUserPhonesRequest>,
    ) -> Result<ListUserPhonesResponse, Refusal> {
        let caller = caller(&request)?;
        let id = request.into_inner().user_id;
        rules::length("ListUserPhonesRequest", "user_id", &id)?;
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
        let search = Search::of(request.into_inner(), &caller, &rules.policies, &rules.keys)?;
        let page = self.store.search_phones(&caller, &search.query).await?;
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
            .map_err(|refusal| status_of_read(&refusal))
    }

    async fn search_phones(
        &self,
        request: Request<SearchPhonesRequest>,
    ) -> Result<Response<SearchPhonesResponse>, Status> {
        let answer = self.search(request).await;
        answer
            .map(Response::new)
            .map_err(|refusal| status_of_read(&refusal))
    }

    async fn add_user_phone(
        &self,
        request: Request<AddUserPhoneRequest>,
    ) -> Result<Response<AddUserPhoneResponse>, Status> {
        let reply = self.run(request, requests::add).await?;
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
        let reply = self.run(request, requests::preverify).await?;
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
        let reply = self.run(request, requests::verify).await?;
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
        let reply = self.run(request, requests::change).await?;
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

    async fn get_user_phone_status(
        &self,
        request: Request<GetUserPhoneStatusRequest>,
    ) -> Result<Response<GetUserPhoneStatusResponse>, Status> {
        let answer = user_status::look(&self.store, request).await;
        answer
            .map(Response::new)
            .map_err(|refusal| status_of_read(&refusal))
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

    async fn export_user(
        &self,
        request: Request<ExportUserRequest>,
    ) -> Result<Response<ExportUserResponse>, Status> {
        let answer = person::export(&self.store, request).await;
        answer
            .map(Response::new)
            .map_err(|refusal| status_of_read(&refusal))
    }

    async fn erase_user(
        &self,
        request: Request<EraseUserRequest>,
    ) -> Result<Response<EraseUserResponse>, Status> {
        let answer = person::erase(&self.store, request).await;
        answer
            .map(Response::new)
            .map_err(|refusal| status(&refusal))
    }
}

#[cfg(test)]
mod tests;
