//! The service over a store of its own: who asks, what is told, what is missing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ringback_core::rights::Rights;
use ringback_core::{Keys, Policies, Time};
use ringback_store::{Rules, Settings, Source};
use tempfile::TempDir;
use tonic::Code;

use ringback_core::Caller;

use super::*;
use crate::proto::zitadel::user::v2::{
    ReturnPhoneVerificationCode, SetHumanPhone, User, create_user_request, set_human_phone,
    set_phone_request, update_user_request, user::Type,
};

const NOW: Time = Time(1_700_000_000_000_000);

/// The directory goes with the api.
async fn api() -> (UserApi, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        url: format!("sqlite:{}", dir.path().join("test.db").display()),
        lanes: 0,
        lane_bound: 16,
        batch: 16,
        readers: 2,
        timeout: std::time::Duration::from_secs(5),
        list_timeout: std::time::Duration::from_secs(5),
        lists_per_organization: 2,
        keep_messages: std::time::Duration::ZERO,
    };
    let rules = Rules {
        policies: Policies::default(),
        keys: Keys::for_tests(),
    };
    let draws = AtomicU64::new(0);
    let source = Source {
        now: Arc::new(|| NOW),
        seed: Arc::new(move || {
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&draws.fetch_add(1, Ordering::Relaxed).to_be_bytes());
            seed
        }),
    };
    let store = Store::open(&settings, rules, source).await.unwrap();
    store.migrate().await.unwrap();
    (UserApi::new(store), dir)
}

fn service() -> Caller {
    Caller {
        everywhere: Rights::ALL,
        ..Caller::new("svc", "acme")
    }
}

fn owner() -> Caller {
    Caller::new("ann", "acme")
}

fn by<T>(caller: Caller, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(caller);
    request
}

fn ann() -> String {
    "ann".into()
}

fn set(verification: Option<set_phone_request::Verification>) -> SetPhoneRequest {
    SetPhoneRequest {
        user_id: ann(),
        phone: "+41791234567".into(),
        verification,
    }
}

fn returned() -> Option<set_phone_request::Verification> {
    Some(set_phone_request::Verification::ReturnCode(
        ReturnPhoneVerificationCode {},
    ))
}

async fn read(api: &UserApi) -> User {
    let request = GetUserByIdRequest { user_id: ann() };
    let answer = api.get_user_by_id(by(service(), request)).await;
    answer.unwrap().into_inner().user.unwrap()
}

async fn phone(api: &UserApi) -> (String, bool) {
    match read(api).await.r#type {
        Some(Type::Human(human)) => human.phone.map(|phone| (phone.phone, phone.is_verified)),
        other => panic!("not a human: {other:?}"),
    }
    .unwrap()
}

#[tokio::test]
async fn a_caller_comes_before_every_rule() {
    let (api, _dir) = api().await;
    let bad = Request::new(SetPhoneRequest::default());
    let refused = api.set_phone(bad).await.unwrap_err();
    assert_eq!(
        (refused.code(), refused.message()),
        (Code::Unauthenticated, "auth header missing")
    );
    let removal = UpdateUserRequest::default();
    let refused = api.update_user(Request::new(removal)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let bad = api.set_phone(by(owner(), SetPhoneRequest::default())).await;
    assert_eq!(
        bad.unwrap_err().message(),
        "invalid SetPhoneRequest.UserId: value length must be between 1 and 200 runes, inclusive"
    );
}

#[tokio::test]
async fn a_number_is_set_verified_and_removed() {
    let (api, _dir) = api().await;
    let request = AddHumanUserRequest {
        user_id: Some(ann()),
        ..AddHumanUserRequest::default()
    };
    let added = api.add_human_user(by(service(), request)).await.unwrap();
    assert_eq!(added.get_ref().user_id, "ann");
    assert_eq!(phone(&api).await, (String::new(), false));

    let refused = api.set_phone(by(owner(), set(returned()))).await;
    assert_eq!(
        refused.unwrap_err().message(),
        "No matching permissions found (AUTH-AWfge)"
    );
    let answer = api.set_phone(by(service(), set(returned()))).await;
    let answer = answer.unwrap().into_inner();
    let details = answer.details.unwrap();
    assert_eq!(details.resource_owner, "acme");
    assert_eq!(
        details.creation_date.map(|at| at.seconds),
        Some(NOW.0 / 1_000_000)
    );
    assert_eq!(phone(&api).await, ("+41791234567".into(), false));

    let verify = |code: String| VerifyPhoneRequest {
        user_id: ann(),
        verification_code: code,
    };
    let wrong = api.verify_phone(by(owner(), verify("x".into()))).await;
    assert_eq!(
        wrong.unwrap_err().message(),
        "Code is invalid (COMMAND-eis9R)"
    );
    let code = answer.verification_code.unwrap();
    api.verify_phone(by(owner(), verify(code))).await.unwrap();
    assert_eq!(phone(&api).await, ("+41791234567".into(), true));

    let again = api.set_phone(by(owner(), set(None))).await.unwrap_err();
    assert_eq!(again.message(), "Phone not changed (COMMAND-Uch5e)");
    let remove = || by(owner(), RemovePhoneRequest { user_id: ann() });
    api.remove_phone(remove()).await.unwrap();
    assert_eq!(phone(&api).await, (String::new(), false));
    let gone = api.remove_phone(remove()).await.unwrap_err();
    assert_eq!(
        (gone.code(), gone.message()),
        (Code::FailedPrecondition, "Phone not found (COMMAND-ieJ2e)")
    );
}

#[tokio::test]
async fn a_user_is_created_updated_listed_and_deleted() {
    let (api, _dir) = api().await;
    let human = create_user_request::Human {
        phone: Some(SetHumanPhone {
            phone: "+41791234567".into(),
            verification: Some(set_human_phone::Verification::ReturnCode(
                ReturnPhoneVerificationCode {},
            )),
        }),
        ..Default::default()
    };
    let request = CreateUserRequest {
        user_type: Some(create_user_request::UserType::Human(human)),
        ..CreateUserRequest::default()
    };
    let created = api.create_user(by(service(), request)).await.unwrap();
    let created = created.into_inner();
    assert!(!created.id.is_empty());
    assert!(created.phone_code.is_some());

    let update = |phone| UpdateUserRequest {
        user_id: created.id.clone(),
        username: Some("annie".into()),
        user_type: Some(update_user_request::UserType::Human(
            update_user_request::Human {
                phone: Some(phone),
                ..Default::default()
            },
        )),
    };
    let verified = SetHumanPhone {
        phone: String::new(),
        verification: Some(set_human_phone::Verification::IsVerified(true)),
    };
    let refused = api.update_user(by(service(), update(verified))).await;
    assert_eq!(
        refused.unwrap_err().message(),
        "Verifying phone removal is not supported (USERv2-4f3d6)"
    );
    let removal = update(SetHumanPhone::default());
    let changed = api.update_user(by(service(), removal)).await.unwrap();
    assert!(changed.get_ref().change_date.is_some());

    let request = || by(service(), ListUsersRequest::default());
    let listed = api.list_users(request()).await.unwrap().into_inner();
    assert_eq!(listed.details.map(|details| details.total_result), Some(1));
    assert_eq!(listed.result[0].username, "annie");

    let delete = || DeleteUserRequest {
        user_id: created.id.clone(),
    };
    api.delete_user(by(service(), delete())).await.unwrap();
    let listed = api.list_users(request()).await.unwrap().into_inner();
    assert!(listed.result.is_empty());
    let gone = api.delete_user(by(service(), delete())).await.unwrap_err();
    assert_eq!(
        gone.message(),
        "User could not be found (COMMAND-bd4ir1mblj)"
    );
}

#[tokio::test]
async fn an_account_out_of_reach_looks_like_none() {
    let (api, _dir) = api().await;
    let request = AddHumanUserRequest {
        user_id: Some(ann()),
        ..AddHumanUserRequest::default()
    };
    api.add_human_user(by(service(), request)).await.unwrap();
    let stranger = || Caller::new("svc", "other").with_rights(Rights::ALL);
    let ask = |user_id: &str| {
        by(
            stranger(),
            GetUserByIdRequest {
                user_id: user_id.into(),
            },
        )
    };
    let there = api.get_user_by_id(ask("ann")).await.unwrap_err();
    let absent = api.get_user_by_id(ask("nobody")).await.unwrap_err();
    assert_eq!(there.code(), Code::NotFound);
    assert_eq!(there.message(), "User could not be found (QUERY-Dfbg2)");
    assert_eq!(
        (there.code(), there.message(), there.details()),
        (absent.code(), absent.message(), absent.details())
    );
    let set_there = api.set_phone(by(stranger(), set(None))).await.unwrap_err();
    assert_eq!(
        set_there.message(),
        "User could not be found (COMMAND-ieJ2e)"
    );
}
