//! What the contract says of Zitadel's calls, beside what `proto/` says.

use ringback_core::Refusal;
use serde_json::{Value, json};

use super::errors::{Missing, removal_verified, status_of};
use crate::api::shared::{EXPIRES_AT, IGNORED, RESEND_AFTER};
use crate::http::contract::RpcTold;
use crate::http::contract::refusals::{account, any, change, field, guess, name, new_number, sent};

/// What the details of a refusal may be.
const DETAILS: [&str; 3] = [
    "zitadel.v1.ErrorDetail",
    "google.rpc.RetryInfo",
    "google.rpc.QuotaFailure",
];
const TIMES: &[&str] = &[EXPIRES_AT, RESEND_AFTER];
const TIMES_AND_IGNORED: &[&str] = &[EXPIRES_AT, RESEND_AFTER, IGNORED];

/// What is told of a method.
pub(super) fn told(method: &str) -> RpcTold {
    let id = json!({ "userId": "ann" });
    let number = json!({ "userId": "ann", "phone": "+41791234567" });
    let code = json!({ "userId": "ann", "verificationCode": "123456" });
    match method {
        "SetPhone" => told_of(Missing::Phone, number, TIMES, [change(), new_number()]),
        "ResendPhoneCode" => {
            let again = [sent(), vec![Refusal::CodeAbsent]].concat();
            told_of(Missing::Phone, id, TIMES, [change(), again])
        }
        "VerifyPhone" => told_of(Missing::Phone, code, &[], [change(), guess()]),
        "RemovePhone" => told_of(Missing::Phone, id, &[], [change(), removed()]),
        "AddHumanUser" => registered(json!({
            "userId": "bob",
            "profile": { "givenName": "Bob", "familyName": "Example" },
            "email": { "email": "bob@example.com" },
            "phone": { "phone": "+41791234568" },
        })),
        "CreateUser" => registered(json!({
            "userId": "bob",
            "human": {
                "profile": { "givenName": "Bob", "familyName": "Example" },
                "email": { "email": "bob@example.com" },
                "phone": { "phone": "+41791234568" },
            },
        })),
        "UpdateUser" => {
            let parts = [new_number(), removed(), vec![unkept()]].concat();
            let human =
                json!({ "userId": "ann", "human": { "phone": { "phone": "+41791234567" } } });
            let refused = [change(), parts];
            let mut told = told_of(Missing::UserToChange, human, TIMES_AND_IGNORED, refused);
            let proven = ("removal_verified".to_owned(), removal_verified());
            told.refusals.push(proven);
            told
        }
        "UpdateHumanUser" => {
            let parts = [new_number(), vec![unkept()]].concat();
            let human = json!({ "userId": "ann", "phone": { "phone": "+41791234567" } });
            told_of(
                Missing::UserToChange,
                human,
                TIMES_AND_IGNORED,
                [change(), parts],
            )
        }
        "GetUserByID" => told_of(Missing::UserToRead, id, &[], [account(), vec![]]),
        "ListUsers" => {
            let list = json!({
                "query": { "limit": 10, "asc": true },
                "sortingColumn": "USER_FIELD_NAME_USER_NAME",
                "queries": [{ "inUserIdsQuery": { "userIds": ["ann", "bob"] } }],
            });
            told_of(Missing::UserToRead, list, &[], [any(), vec![unkept()]])
        }
        // DeleteUser, and whatever comes to be.
        _ => told_of(Missing::UserToDelete, id, &[], [account(), vec![]]),
    }
}

fn registered(example: Value) -> RpcTold {
    let parts = [new_number(), vec![Refusal::AccountExists, unkept()]].concat();
    told_of(
        Missing::UserToChange,
        example,
        TIMES_AND_IGNORED,
        [any(), parts],
    )
}

/// A number goes.
fn removed() -> Vec<Refusal> {
    vec![Refusal::PhoneNotFound, Refusal::RemovalUnconfirmed]
}

/// The request holds a part that is not kept.
fn unkept() -> Refusal {
    Refusal::Unsupported {
        what: "password".into(),
    }
}

fn told_of(
    missing: Missing,
    example: Value,
    headers: &'static [&'static str],
    refusals: [Vec<Refusal>; 2],
) -> RpcTold {
    let rule = "value length must be between 1 and 200 runes, inclusive";
    let form = field("GetUserByIDRequest.UserId", rule);
    let all = refusals.into_iter().flatten().chain([form]);
    RpcTold {
        example,
        refusals: all
            .map(|refusal| (name(&refusal), status_of(&refusal, missing)))
            .collect(),
        headers,
        details: &DETAILS,
    }
}
