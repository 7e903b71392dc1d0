//! A service as `build.rs` generates it.

use super::*;

/// A service as `build.rs` generates it, to see that tonic takes calls that came over no wire.
struct Phones;

/// Methods that answer, and the rest, which do not.
macro_rules! phone_service {
    ({ $($own:tt)* } $($name:ident($request:ident) -> $reply:ident;)+) => {
        #[tonic::async_trait]
        impl phone_service_server::PhoneService for Phones {
            $($own)*
            $(async fn $name(
                &self,
                _: tonic::Request<phone::$request>,
            ) -> Result<tonic::Response<phone::$reply>, Status> {
                Err(Status::unimplemented(stringify!($name)))
            })+
        }
    };
}

phone_service! {
    {
    async fn list_user_phones(
        &self,
        request: tonic::Request<phone::ListUserPhonesRequest>,
    ) -> Result<tonic::Response<phone::ListUserPhonesResponse>, Status> {
        let Some(caller) = request.extensions().get::<Caller>().cloned() else {
            return Err(Status::unauthenticated("no caller"));
        };
        let number = phone::PhoneNumber {
            user_id: request.into_inner().user_id,
            organization_id: caller.user,
            ..Default::default()
        };
        Ok(tonic::Response::new(phone::ListUserPhonesResponse {
            phones: vec![number],
        }))
    }

    async fn search_phones(
        &self,
        request: tonic::Request<phone::SearchPhonesRequest>,
    ) -> Result<tonic::Response<phone::SearchPhonesResponse>, Status> {
        Err(Status::out_of_range(request.into_inner().page_token))
    }
    }
    add_user_phone(AddUserPhoneRequest) -> AddUserPhoneResponse;
    preverify_user_phone(PreverifyUserPhoneRequest) -> PreverifyUserPhoneResponse;
    verify_user_phone(VerifyUserPhoneRequest) -> VerifyUserPhoneResponse;
    request_user_phone_removal(RequestUserPhoneRemovalRequest) -> RequestUserPhoneRemovalResponse;
    confirm_user_phone_removal(ConfirmUserPhoneRemovalRequest) -> ConfirmUserPhoneRemovalResponse;
    remove_user_phone(RemoveUserPhoneRequest) -> RemoveUserPhoneResponse;
    change_user_phone(ChangeUserPhoneRequest) -> ChangeUserPhoneResponse;
    resend_user_phone_change(ResendUserPhoneChangeRequest) -> ResendUserPhoneChangeResponse;
    set_primary_user_phone(SetPrimaryUserPhoneRequest) -> SetPrimaryUserPhoneResponse;
    get_user_phone_status(GetUserPhoneStatusRequest) -> GetUserPhoneStatusResponse;
    unlock_user(UnlockUserRequest) -> UnlockUserResponse;
    export_user(ExportUserRequest) -> ExportUserResponse;
    erase_user(EraseUserRequest) -> EraseUserResponse;
}

#[tokio::test]
async fn a_generated_service_answers_connect_and_json() {
    let phones = phone_service_server::PhoneServiceServer::new(Phones);
    let server = server_of(vec![RpcService::new(phones, refuse, told)]);
    let expected = json!({"phones": [{"userId": "u1", "organizationId": "anna"}]});
    for (method, path, body) in [
        (Method::GET, "/v2/users/u1/phone", ""),
        (
            Method::POST,
            "/ringback.phone.v1.PhoneService/ListUserPhones",
            r#"{"userId":"u1"}"#,
        ),
    ] {
        let response = server.clone().answer(request(method, path, body)).await;
        assert_eq!(response.status(), StatusCode::OK);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected);
    }
    let sent = request(Method::POST, "/v2/phones/search", r#"{"pageToken":"t"}"#);
    let response = server.clone().answer(sent).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    // A service that is not served.
    let sent = request(Method::POST, SET_PHONE, "{}");
    assert_eq!(server.answer(sent).await.status(), StatusCode::NOT_FOUND);
}
