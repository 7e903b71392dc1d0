//! What the contract says of ringback's calls, beside what `proto/` says.

use ringback_core::Refusal;
use ringback_store::NotRetried;
use serde_json::{Value, json};

use super::errors::{status, status_of_read};
use super::{guard, messages};
use crate::api::shared::{EXPIRES_AT, RESEND_AFTER};
use crate::http::contract::RpcTold;
use crate::http::contract::refusals::{
    account, any, change, field, guess, name, new_number, number, sent,
};

/// What the details of a refusal may be.
const DETAILS: [&str; 3] = [
    "google.rpc.ErrorInfo",
    "google.rpc.RetryInfo",
    "google.rpc.BadRequest",
];
const TIMES: &[&str] = &[EXPIRES_AT, RESEND_AFTER];

/// An id of a number or a challenge.
const ID: &str = "0190a5d2-0000-7000-8000-000000000001";

/// What is told of a method.
pub(super) fn told(method: &str) -> RpcTold {
    let user = json!({ "userId": "ann" });
    let phone = json!({ "userId": "ann", "phone": "+41791234567" });
    let held = json!({ "userId": "ann", "phoneId": ID });
    let one = || vec![Refusal::PhoneNotFound];
    match method {
        "ListUserPhones" | "GetUserPhoneStatus" => reads(user, account()),
        "SearchPhones" => {
            let example = json!({ "phonePrefix": "+4179", "isVerified": true, "pageSize": 10 });
            let mut told = reads(example, [any(), number()].concat());
            let rule = "is not from a page of this search; begin again without a token";
            let token = status_of_read(&field("page_token", rule));
            told.refusals.push(("page_token_invalid".to_owned(), token));
            told
        }
        "AddUserPhone" | "PreverifyUserPhone" => changes(phone, TIMES, new_number()),
        "ChangeUserPhone" => changes(phone, TIMES, new_number()),
        "VerifyUserPhone" => {
            let example =
                json!({ "userId": "ann", "phone": "+41791234567", "verificationCode": "123456" });
            changes(example, &[], [guess(), number()].concat())
        }
        "RequestUserPhoneRemoval" => changes(held, TIMES, [one(), sent()].concat()),
        "ConfirmUserPhoneRemoval" => {
            let example = json!({
                "userId": "ann", "phoneId": ID, "challengeId": ID, "verificationCode": "123456",
            });
            changes(example, &[], [one(), guess()].concat())
        }
        "RemoveUserPhone" => changes(
            held,
            &[],
            [one(), vec![Refusal::RemovalUnconfirmed]].concat(),
        ),
        "ResendUserPhoneChange" => {
            changes(user, TIMES, [vec![Refusal::CodeAbsent], sent()].concat())
        }
        "SetPrimaryUserPhone" => {
            changes(held, &[], [one(), vec![Refusal::PhoneUnverified]].concat())
        }
        "ExportUser" => {
            let mut told = reads(user, account());
            let rule = "must be the next_page_token of the page before, or empty";
            let token = status_of_read(&field("page_token", rule));
            told.refusals.push(("page_token_invalid".to_owned(), token));
            told
        }
        // UnlockUser, EraseUser, and whatever comes to be.
        _ => changes(user, &[], vec![]),
    }
}

/// What is told of a method of the messages service.
pub(super) fn of_messages(method: &str) -> RpcTold {
    let not_retried = |name: &str, why| (name.to_owned(), messages::not_retried(why));
    let missing = || not_retried("message_not_found", NotRetried::NotFound);
    let one = json!({ "messageId": ID });
    match method {
        "ListMessages" => {
            let example = json!({ "userId": "ann", "state": "MESSAGE_STATE_FAILED", "limit": 10 });
            let mut told = reads(example, [any(), number()].concat());
            let rule = "must be the next_page_token of the same list, or empty";
            let token = status_of_read(&field("page_token", rule));
            told.refusals.push(("page_token_invalid".to_owned(), token));
            told
        }
        "GetDeliveryStatistics" => reads(json!({ "hours": 24 }), any()),
        "GetMessage" => {
            let mut told = reads(one, any());
            told.refusals.push(missing());
            told
        }
        // RetryMessage, and whatever comes to be.
        _ => {
            let mut told = told_of(one, &[], any(), status);
            told.refusals.extend([
                missing(),
                not_retried("message_handed", NotRetried::Handed),
                not_retried("message_under_way", NotRetried::UnderWay),
                not_retried("message_expired", NotRetried::Expired),
                not_retried("number_gone", NotRetried::NumberGone),
                not_retried("no_route", NotRetried::NoRoute),
            ]);
            told
        }
    }
}

/// What is told of a method of the guard's service.
pub(super) fn of_guard(method: &str) -> RpcTold {
    match method {
        "GetGuardStatus" => reads(json!({ "heldOnly": true }), any()),
        // AllowDestination, and whatever comes to be.
        _ => {
            let example = json!({ "prefix": "+4179123", "duration": "86400s" });
            let mut told = told_of(example, &[], any(), status);
            let of_form = guard::refusals_of_form();
            let of_form = of_form.map(|(name, refusal)| (name.to_owned(), status(&refusal)));
            told.refusals.extend(of_form);
            told
        }
    }
}

/// What is told of a method of the admin service.
pub(super) fn of_admin(_: &str) -> RpcTold {
    reads(json!({}), any())
}

/// What is told of a method of the audit service.
pub(super) fn of_events(_: &str) -> RpcTold {
    let example = json!({ "userId": "ann", "kinds": ["phone.*"], "limit": 10 });
    let mut told = reads(example, [any(), number()].concat());
    let rule = "must be the next_page_token of the same list, or empty";
    let token = status_of_read(&field("page_token", rule));
    told.refusals.push(("page_token_invalid".to_owned(), token));
    told
}

pub(super) fn reads(example: Value, refusals: Vec<Refusal>) -> RpcTold {
    told_of(example, &[], refusals, status_of_read)
}

pub(super) fn changes(
    example: Value,
    headers: &'static [&'static str],
    refusals: Vec<Refusal>,
) -> RpcTold {
    told_of(example, headers, [change(), refusals].concat(), status)
}

fn told_of(
    example: Value,
    headers: &'static [&'static str],
    refusals: Vec<Refusal>,
    status: fn(&Refusal) -> tonic::Status,
) -> RpcTold {
    let form = field("user_id", "must have 1 to 200 characters");
    let all = refusals.into_iter().chain([form]);
    RpcTold {
        example,
        refusals: all
            .map(|refusal| (name(&refusal), status(&refusal)))
            .collect(),
        headers,
        details: &DETAILS,
    }
}
