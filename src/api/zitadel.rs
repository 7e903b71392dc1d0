//! Zitadel's user service: its messages in, commands through the store, its messages and errors out.

mod contract;
mod errors;
mod list;
mod requests;
mod responses;
mod rules;
mod unkept;

use ringback_core::{Refusal, Reply};
use ringback_store::Store;
use tonic::{Request, Response, Status};

use errors::{Missing, status, status_of};

use crate::api::shared::{self, Asked, caller, respond};
use crate::config::Config;
use crate::http::{BODY_LIMIT, Installed, RpcService, Services};
use crate::proto::zitadel::object::v2::ListDetails;
use crate::proto::zitadel::user::v2::user_service_server::{UserService, UserServiceServer};
use crate::proto::zitadel::user::v2::{
    AddHumanUserRequest, AddHumanUserResponse, CreateUserRequest, CreateUserResponse,
    DeleteUserRequest, DeleteUserResponse, GetUserByIdRequest, GetUserByIdResponse,
    ListUsersRequest, ListUsersResponse, RemovePhoneRequest, RemovePhoneResponse,
    ResendPhoneCodeRequest, ResendPhoneCodeResponse, SetPhoneRequest, SetPhoneResponse,
    UpdateHumanUserRequest, UpdateHumanUserResponse, UpdateUserRequest, UpdateUserResponse,
    VerifyPhoneRequest, VerifyPhoneResponse,
};
use unkept::Unkept;

/// Zitadel's user service.
pub fn install(_: &Config) -> Installed {
    let rpcs = |services: &Services| {
        let users = UserServiceServer::new(UserApi::new(services.store.clone()));
        RpcService::new(
            users.max_decoding_message_size(BODY_LIMIT),
            status,
            contract::told,
        )
    };
    Installed {
        rpcs: vec![Box::new(rpcs)],
        ..Installed::default()
    }
}

/// Serves `zitadel.user.v2.UserService`. The caller is expected in the request's extensions.
#[derive(Clone)]
struct UserApi {
    store: Store,
}

impl UserApi {
    /// The service for the accounts of `store`.
    fn new(store: Store) -> UserApi {
        UserApi { store }
    }

    async fn run<T>(
        &self,
        request: Request<T>,
        missing: Missing,
        read: impl FnOnce(T) -> Result<Asked, Refusal>,
    ) -> Result<Reply, Status> {
        let done = shared::run(&self.store, request, read).await;
        done.map_err(|refusal| status_of(&refusal, missing))
    }

    fn unkept(&self) -> Unkept {
        Unkept::new(self.store.rules().policies.default.accounts.unkept)
    }

    async fn read(
        &self,
        request: Request<GetUserByIdRequest>,
    ) -> Result<GetUserByIdResponse, Refusal> {
        let caller = caller(&request)?;
        let id = request.into_inner().user_id;
        rules::length("GetUserByIDRequest.UserId", &id)?;
        let account = self.store.read(&caller, &id).await?;
        Ok(GetUserByIdResponse {
            details: Some(responses::account_details(&account)),
            user: Some(responses::user(&account)),
        })
    }

    async fn list(&self, request: Request<ListUsersRequest>) -> Result<ListUsersResponse, Refusal> {
        let caller = caller(&request)?;
        let scope = caller.scope(None)?;
        let request = request.into_inner();
        let sorting_column = request.sorting_column;
        let query = list::query(request, scope)?;
        let page = self.store.list_accounts(&caller, &query).await?;
        Ok(ListUsersResponse {
            details: Some(ListDetails {
                total_result: page.total,
                processed_sequence: 0,
                timestamp: Some(responses::timestamp(self.store.now())),
            }),
            sorting_column,
            result: page.accounts.iter().map(responses::user).collect(),
        })
    }
}

#[tonic::async_trait]
impl UserService for UserApi {
    async fn set_phone(
        &self,
        request: Request<SetPhoneRequest>,
    ) -> Result<Response<SetPhoneResponse>, Status> {
        let reply = self
            .run(request, Missing::Phone, requests::set_phone)
            .await?;
        Ok(respond(
            reply.times,
            SetPhoneResponse {
                details: Some(responses::details(&reply)),
                verification_code: responses::code(&reply),
            },
        ))
    }

    async fn resend_phone_code(
        &self,
        request: Request<ResendPhoneCodeRequest>,
    ) -> Result<Response<ResendPhoneCodeResponse>, Status> {
        let reply = self.run(request, Missing::Phone, requests::resend).await?;
        Ok(respond(
            reply.times,
            ResendPhoneCodeResponse {
                details: Some(responses::details(&reply)),
                verification_code: responses::code(&reply),
            },
        ))
    }

    async fn verify_phone(
        &self,
        request: Request<VerifyPhoneRequest>,
    ) -> Result<Response<VerifyPhoneResponse>, Status> {
        let reply = self.run(request, Missing::Phone, requests::verify).await?;
        Ok(Response::new(VerifyPhoneResponse {
            details: Some(responses::details(&reply)),
        }))
    }

    async fn remove_phone(
        &self,
        request: Request<RemovePhoneRequest>,
    ) -> Result<Response<RemovePhoneResponse>, Status> {
        let reply = self.run(request, Missing::Phone, requests::remove).await?;
        Ok(Response::new(RemovePhoneResponse {
            details: Some(responses::details(&reply)),
        }))
    }

    async fn add_human_user(
        &self,
        request: Request<AddHumanUserRequest>,
    ) -> Result<Response<AddHumanUserResponse>, Status> {
        let mut unkept = self.unkept();
        let read = |request| requests::add_human(request, &mut unkept, || self.store.fresh_id());
        let reply = self.run(request, Missing::UserToChange, read).await?;
        Ok(unkept.named(respond(
            reply.times,
            AddHumanUserResponse {
                details: Some(responses::details(&reply)),
                email_code: None,
                phone_code: responses::code(&reply),
                user_id: reply.account.id,
            },
        )))
    }

    async fn create_user(
        &self,
        request: Request<CreateUserRequest>,
    ) -> Result<Response<CreateUserResponse>, Status> {
        let mut unkept = self.unkept();
        let read = |request| requests::create_user(request, &mut unkept, || self.store.fresh_id());
        let reply = self.run(request, Missing::UserToChange, read).await?;
        Ok(unkept.named(respond(
            reply.times,
            CreateUserResponse {
                creation_date: Some(responses::timestamp(reply.account.created_at)),
                email_code: None,
                phone_code: responses::code(&reply),
                id: reply.account.id,
            },
        )))
    }

    async fn update_user(
        &self,
        request: Request<UpdateUserRequest>,
    ) -> Result<Response<UpdateUserResponse>, Status> {
        caller(&request).map_err(|refusal| status(&refusal))?;
        if requests::verifies_removal(request.get_ref()) {
            return Err(errors::removal_verified());
        }
        let mut unkept = self.unkept();
        let read = |request| requests::update_user(request, &mut unkept);
        let reply = self.run(request, Missing::UserToChange, read).await?;
        Ok(unkept.named(respond(
            reply.times,
            UpdateUserResponse {
                change_date: Some(responses::timestamp(reply.account.changed_at)),
                email_code: None,
                phone_code: responses::code(&reply),
            },
        )))
    }

    async fn update_human_user(
        &self,
        request: Request<UpdateHumanUserRequest>,
    ) -> Result<Response<UpdateHumanUserResponse>, Status> {
        let mut unkept = self.unkept();
        let read = |request| requests::update_human(request, &mut unkept);
        let reply = self.run(request, Missing::UserToChange, read).await?;
        Ok(unkept.named(respond(
            reply.times,
            UpdateHumanUserResponse {
                details: Some(responses::details(&reply)),
                email_code: None,
                phone_code: responses::code(&reply),
            },
        )))
    }

    async fn get_user_by_id(
        &self,
        request: Request<GetUserByIdRequest>,
    ) -> Result<Response<GetUserByIdResponse>, Status> {
        let answer = self.read(request).await;
        answer
            .map(Response::new)
            .map_err(|refusal| status_of(&refusal, Missing::UserToRead))
    }

    async fn list_users(
        &self,
        request: Request<ListUsersRequest>,
    ) -> Result<Response<ListUsersResponse>, Status> {
        let answer = self.list(request).await;
        answer
            .map(Response::new)
            .map_err(|refusal| status_of(&refusal, Missing::UserToRead))
    }

    async fn delete_user(
        &self,
        request: Request<DeleteUserRequest>,
    ) -> Result<Response<DeleteUserResponse>, Status> {
        let reply = self
            .run(request, Missing::UserToDelete, requests::delete)
            .await?;
        Ok(Response::new(DeleteUserResponse {
            details: Some(responses::details(&reply)),
        }))
    }
}

#[cfg(test)]
mod tests;
