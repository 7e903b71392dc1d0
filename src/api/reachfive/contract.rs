//! What the contract says of ReachFive's paths.

use ringback_core::Refusal;
use serde_json::{Value, json};

use super::errors::Problem;
use super::form::TEXT;
use super::{CUSTOM_LOCALE, PHONE_NUMBER, VERIFICATION_CODE};
use crate::http::contract::refusals::{account, any, change, guess, new_number, number, sent};
use crate::http::contract::{
    About, Operation, PHONE, Words, bearer, languages, organization, reference,
};

pub(super) fn about() -> About {
    About {
        name: "ReachFive",
        description: "ReachFive's phone calls. Users change something with a fresh token that has the scope for it.",
        security: json!([{ "bearer": [] }]),
        parameters: vec![
            json!({
                "name": CUSTOM_LOCALE,
                "in": "header",
                "description": "The language of messages to the user, before those of accept-language.",
                "schema": { "type": "string" },
            }),
            organization(),
            languages(),
        ],
        schemes: json!({ "bearer": bearer() }),
        schemas: schemas(),
        refusal: "reachfive.Refusal",
        words: Words {
            refusal: |refusal| Problem::from(refusal.clone()).told(),
            of_read: |refusal| Problem::of_read(refusal.clone()).told(),
            unread: |unread| Problem::unread(unread).told(),
            media_type: Some(|| Problem::media_type().told()),
            wrong_method: || Problem::wrong_method().told(),
        },
    }
}

fn schemas() -> Value {
    let text = json!({ "type": "string" });
    let flag = json!({ "type": "boolean" });
    let time = json!({ "type": "string", "format": "date-time" });
    json!({
        "reachfive.Refusal": {
            "type": "object",
            "description": "Why a call was refused.",
            "required": ["error_id", "error", "error_description", "error_user_msg"],
            "properties": {
                "error_id": { "type": "string", "description": "What the log calls it." },
                "error": text,
                "error_description": { "type": "string", "description": "For developers." },
                "error_message_key": { "type": "string", "description": "ReachFive's key, where it publishes one." },
                "error_user_msg": { "type": "string", "description": "For the user." },
                "error_details": {
                    "type": "array",
                    "description": "Which fields are wrong.",
                    "items": {
                        "type": "object",
                        "required": ["field", "message", "code"],
                        "properties": {
                            "field": text,
                            "message": text,
                            "code": { "enum": ["missing", "invalid"] },
                        },
                    },
                },
            },
        },
        "reachfive.Profile": {
            "type": "object",
            "description": "What is known of the user; what is not known is absent.",
            "required": ["id", "sub"],
            "properties": {
                "id": text, "sub": text, "username": text, "given_name": text, "family_name": text,
                "name": text, "nickname": text, "locale": text, "email": text, "email_verified": flag,
                "phone_number": text, "phone_number_verified": flag, "created_at": time, "updated_at": time,
            },
        },
        "reachfive.Credential": {
            "type": "object",
            "description": "A verified number as a second factor.",
            "required": ["type", "phone_number", "friendly_name", "created_at"],
            "properties": {
                "type": { "const": "sms" },
                "phone_number": text,
                "friendly_name": text,
                "created_at": time,
            },
        },
        "reachfive.Number": form(&[PHONE_NUMBER]),
        "reachfive.Sent": {
            "type": "object",
            "required": ["verification_sms_sent"],
            "properties": { "verification_sms_sent": { "const": true } },
        },
    })
}

/// A body with these members, which are texts.
fn form(members: &[&str]) -> Value {
    let text = json!({ "type": "string", "minLength": 1, "maxLength": TEXT });
    let properties = members.iter().map(|name| {
        let mut schema = text.clone();
        if *name == PHONE_NUMBER {
            schema["format"] = PHONE.into();
        }
        ((*name).to_owned(), schema)
    });
    json!({
        "type": "object",
        "required": members,
        "properties": properties.collect::<serde_json::Map<_, _>>(),
    })
}

fn malformed() -> axum::response::Response {
    Problem::body("it must be a JSON object").told()
}

fn missing() -> axum::response::Response {
    Problem::missing(PHONE_NUMBER).told()
}

fn number_example() -> Value {
    json!({ PHONE_NUMBER: "+41791234567" })
}

pub(super) fn config() -> Operation {
    let (flag, text) = (json!({ "type": "boolean" }), json!({ "type": "string" }));
    let schema = json!({
        "type": "object",
        "required": ["sso", "sms", "language", "is_public"],
        "properties": {
            "sso": flag,
            "sms": flag,
            "language": text,
            "is_public": flag,
            "country_code": text,
            "login_type_allowed": { "type": "object", "additionalProperties": flag },
        },
    });
    Operation::new("config", "What clients read at start")
        .open()
        .query(
            "lang",
            "The language that is wanted.",
            &json!({ "type": "string" }),
        )
        .answers(200, "What is on and what is off.", schema)
}

pub(super) fn userinfo() -> Operation {
    Operation::new("userinfo", "Read the profile")
        .query(
            "fields",
            "The members that are wanted, separated by commas; all unless it is said.",
            &json!({ "type": "string" }),
        )
        .answers(200, "The profile.", reference("reachfive.Profile"))
        .refuses(account())
        .reads()
}

pub(super) fn verify() -> Operation {
    let example = json!({ PHONE_NUMBER: "+41791234567", VERIFICATION_CODE: "123456" });
    Operation::new("verifyPhoneNumber", "Submit the code of a number")
        .body(form(&[PHONE_NUMBER, VERIFICATION_CODE]), example)
        .empty(204, "The number is verified.")
        .refuses([change(), number(), guess()].concat())
        .also("not_an_object", malformed)
        .also("missing", missing)
}

pub(super) fn update() -> Operation {
    Operation::new("updatePhoneNumber", "Change the profile's number")
        .about("A verified one stays until the code of the new one was submitted.")
        .body(reference("reachfive.Number"), number_example())
        .answers(200, "The profile.", reference("reachfive.Profile"))
        .tells_times()
        .refuses([change(), new_number()].concat())
        .also("not_an_object", malformed)
        .also("missing", missing)
}

pub(super) fn send() -> Operation {
    Operation::new(
        "sendPhoneNumberVerification",
        "Send the code of the number that waits again",
    )
    .answers(200, "The code is on its way.", reference("reachfive.Sent"))
    .tells_times()
    .refuses([change(), sent(), vec![Refusal::CodeAbsent]].concat())
}

pub(super) fn user_send() -> Operation {
    let text = json!({ "type": "string", "minLength": 1 });
    Operation::new(
        "sendUserPhoneNumberVerification",
        "Send a user's code again",
    )
    .about("For callers with user.write.")
    .path("user_id", "The user's id.", &text, "ann")
    .answers(200, "The code is on its way.", reference("reachfive.Sent"))
    .tells_times()
    .refuses([change(), sent(), vec![Refusal::CodeAbsent]].concat())
}

pub(super) fn credentials() -> Operation {
    let schema = json!({
        "type": "object",
        "required": ["credentials"],
        "properties": {
            "credentials": { "type": "array", "items": reference("reachfive.Credential") },
        },
    });
    Operation::new("credentials", "List the second factors")
        .answers(200, "The verified numbers.", schema)
        .refuses(account())
        .reads()
}

pub(super) fn start() -> Operation {
    let schema = json!({
        "type": "object",
        "required": ["status"],
        "oneOf": [
            { "title": "sent", "required": ["status"], "properties": { "status": { "const": "sms_sent" } } },
            {
                "title": "enabled",
                "required": ["status", "credential"],
                "properties": {
                    "status": { "const": "enabled" },
                    "credential": reference("reachfive.Credential"),
                },
            },
        ],
    });
    Operation::new("startCredential", "Begin to add a second factor")
        .about("A number that is verified already needs no code.")
        .body(reference("reachfive.Number"), number_example())
        .answers(
            200,
            "The code is on its way, or the factor is there.",
            schema,
        )
        .tells_times()
        .refuses([any(), change(), new_number()].concat())
        .also("not_an_object", malformed)
        .also("missing", missing)
}

pub(super) fn verify_credential() -> Operation {
    Operation::new("verifyCredential", "Submit the code of a second factor")
        .about("The code of the number that was asked about last.")
        .body(
            form(&[VERIFICATION_CODE]),
            json!({ VERIFICATION_CODE: "123456" }),
        )
        .answers(200, "The second factor.", reference("reachfive.Credential"))
        .refuses([change(), guess(), vec![Refusal::PhoneNotFound]].concat())
        .also("not_an_object", malformed)
        .also("missing", missing)
}

pub(super) fn delete_credential() -> Operation {
    let gone = vec![Refusal::PhoneNotFound, Refusal::RemovalUnconfirmed];
    Operation::new("deleteCredential", "Remove a second factor")
        .about("The number goes from the account, the profile's own too.")
        .body(reference("reachfive.Number"), number_example())
        .empty(204, "It is gone.")
        .refuses([change(), number(), gone].concat())
        .also("not_an_object", malformed)
        .also("missing", missing)
}
