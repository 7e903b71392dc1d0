//! Refusals of the methods for several numbers: the same over every wire, in ringback's words.

use serde_json::{Value, json};
use tonic::Code;

use super::{start, text};
use crate::database::Database;
use crate::http::wire::Wire;

crate::on_both! {
    refusals_are_the_same_over_every_wire,
    a_missing_token_is_told_before_a_bad_body,
}

async fn refusals_are_the_same_over_every_wire(database: Database) {
    let app = start(&database).await;
    let (admin, boss) = (app.admin(), app.manager("acme"));
    let body = json!({"userId": "ann", "phone": "+41791110001", "isVerified": true});
    Wire::Grpc
        .ok(
            &app,
            "AddUserPhone",
            &app.user("ann", "acme"),
            json!({"userId": "ann", "phone": "+41791110000", "later": {}}),
        )
        .await;
    Wire::Grpc.ok(&app, "AddUserPhone", &boss, body).await;
    let unknown = "0190a5d2-0000-7000-8000-000000000001";
    let (ann, reader, stranger) = (
        app.user("ann", "acme"),
        app.reader("acme"),
        app.manager("other"),
    );
    let long = "9".repeat(201);
    let table = [
        (
            "AddUserPhone",
            &ann,
            json!({"phone": "+41791110001"}),
            Code::FailedPrecondition,
            "PHONE_UNCHANGED",
        ),
        (
            "AddUserPhone",
            &ann,
            json!({"phone": "no number"}),
            Code::InvalidArgument,
            "NUMBER_MALFORMED",
        ),
        (
            "AddUserPhone",
            &ann,
            json!({"phone": ""}),
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
        (
            "AddUserPhone",
            &ann,
            json!({"phone": long}),
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
        (
            "AddUserPhone",
            &ann,
            json!({"phone": "+41791110003", "isVerified": false}),
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
        (
            "AddUserPhone",
            &reader,
            json!({"phone": "+41791110003"}),
            Code::PermissionDenied,
            "PERMISSION_DENIED",
        ),
        (
            "AddUserPhone",
            &stranger,
            json!({"phone": "+41791110003"}),
            Code::NotFound,
            "ACCOUNT_NOT_FOUND",
        ),
        (
            "PreverifyUserPhone",
            &ann,
            json!({"phone": "+41791110001"}),
            Code::FailedPrecondition,
            "PHONE_UNCHANGED",
        ),
        (
            "PreverifyUserPhone",
            &ann,
            json!({}),
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
        (
            "VerifyUserPhone",
            &ann,
            json!({"verificationCode": "123456"}),
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
        (
            "VerifyUserPhone",
            &ann,
            json!({"challengeId": "x", "verificationCode": "123456"}),
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
        (
            "VerifyUserPhone",
            &ann,
            json!({"challengeId": unknown}),
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
        (
            "VerifyUserPhone",
            &ann,
            json!({"challengeId": unknown, "verificationCode": "123456"}),
            Code::InvalidArgument,
            "CODE_REFUSED",
        ),
        (
            "VerifyUserPhone",
            &ann,
            json!({"phone": "+41791110009", "verificationCode": "123456"}),
            Code::InvalidArgument,
            "CODE_REFUSED",
        ),
        (
            "VerifyUserPhone",
            &reader,
            json!({"phone": "+41791110000", "verificationCode": "123456"}),
            Code::PermissionDenied,
            "PERMISSION_DENIED",
        ),
        (
            "RequestUserPhoneRemoval",
            &ann,
            json!({"phoneId": unknown}),
            Code::FailedPrecondition,
            "PHONE_NOT_FOUND",
        ),
        (
            "RequestUserPhoneRemoval",
            &ann,
            json!({"phoneId": "x"}),
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
        (
            "ConfirmUserPhoneRemoval",
            &ann,
            json!({"phoneId": unknown, "challengeId": unknown, "verificationCode": "123456"}),
            Code::FailedPrecondition,
            "PHONE_NOT_FOUND",
        ),
        (
            "RemoveUserPhone",
            &boss,
            json!({"phoneId": unknown}),
            Code::FailedPrecondition,
            "PHONE_NOT_FOUND",
        ),
        (
            "RemoveUserPhone",
            &stranger,
            json!({"phoneId": unknown}),
            Code::NotFound,
            "ACCOUNT_NOT_FOUND",
        ),
        (
            "ChangeUserPhone",
            &reader,
            json!({"phone": "+41791110003"}),
            Code::PermissionDenied,
            "PERMISSION_DENIED",
        ),
        (
            "ResendUserPhoneChange",
            &stranger,
            json!({}),
            Code::NotFound,
            "ACCOUNT_NOT_FOUND",
        ),
        (
            "SetPrimaryUserPhone",
            &ann,
            json!({"phoneId": unknown}),
            Code::FailedPrecondition,
            "PHONE_NOT_FOUND",
        ),
    ];
    for (rpc, token, body, code, id) in table {
        let mut body = body;
        body["userId"] = "ann".into();
        let mut told = Vec::new();
        for wire in Wire::ALL {
            let refused = wire.refused(&app, rpc, token, body.clone()).await;
            assert_eq!(
                (refused.code, refused.id()),
                (code, id),
                "{wire:?} {rpc} {body}"
            );
            told.push(refused);
        }
        // Fields are named as the wire names them, in the proto's spelling or in JSON's.
        let first = |binary| {
            let mut of_kind = told.iter().filter(|one| one.wire.is_binary() == binary);
            of_kind.next().expect("a wire of each kind")
        };
        for refused in &told {
            let alike = first(refused.wire.is_binary());
            assert_eq!(refused.said(), alike.said(), "{rpc} {body}");
            assert_eq!(refused.code, told[0].code);
        }
    }

    // A user has so many numbers and no more.
    for last in 4..=6 {
        let body = json!({"userId": "ann", "phone": format!("+4179111000{last}"), "later": {}});
        Wire::Grpc.ok(&app, "AddUserPhone", &admin, body).await;
    }
    for wire in Wire::ALL {
        let body = json!({"userId": "ann", "phone": "+41791110007", "later": {}});
        let refused = wire.refused(&app, "AddUserPhone", &ann, body).await;
        assert_eq!(
            (refused.code, refused.id()),
            (Code::FailedPrecondition, "TOO_MANY_NUMBERS")
        );
    }
}

async fn a_missing_token_is_told_before_a_bad_body(database: Database) {
    let app = start(&database).await;
    let id = "0190a5d2-0000-7000-8000-000000000001";
    let paths = [
        "/v2/users/ann/phones".to_owned(),
        "/v2/users/ann/phones/preverify".to_owned(),
        "/v2/users/ann/phones/verify".to_owned(),
        format!("/v2/users/ann/phones/{id}/removal"),
        format!("/v2/users/ann/phones/{id}/removal/confirm"),
        format!("/v2/users/ann/phones/{id}/primary"),
        "/v2/users/ann/phone/change".to_owned(),
        "/v2/users/ann/phone/change/resend".to_owned(),
        "/ringback.phone.v1.PhoneService/AddUserPhone".to_owned(),
    ];
    for path in paths {
        let post = |body: &'static str| {
            let request = app.http.post(app.url(&path));
            request
                .header("content-type", "application/json")
                .body(body)
        };
        let answer = post("{").send().await.expect("an answer");
        assert_eq!(answer.status(), 401, "{path}");
        let body: Value = answer.json().await.expect("JSON");
        assert_eq!(body["message"], "no token", "{path}: in ringback's words");
        let with_token = post("{").bearer_auth(app.user("ann", "acme"));
        assert_eq!(
            with_token.send().await.expect("an answer").status(),
            400,
            "{path}"
        );
    }
    // Zitadel's own method beside it speaks as Zitadel does.
    let answer = app.http.post(app.url("/v2/users/ann/phone")).send().await;
    let body: Value = answer.expect("an answer").json().await.expect("JSON");
    assert_eq!(body["message"], "auth header missing");

    let two = json!({"phone": app.number(), "sendCode": {}, "later": {}});
    let request = app.http.post(app.url("/v2/users/ann/phones")).json(&two);
    let answer = request.bearer_auth(app.user("ann", "acme")).send().await;
    let body: Value = answer.expect("an answer").json().await.expect("JSON");
    let message = text(&body, "message");
    for arm in ["sendCode", "returnCode", "isVerified", "later"] {
        assert!(message.contains(arm), "{message}");
    }
}
