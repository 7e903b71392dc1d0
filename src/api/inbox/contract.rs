//! What the contract says of the inbox.

use axum::http::StatusCode;
use axum::response::IntoResponse;
use ringback_core::Refusal;
use serde_json::{Value, json};

use super::{LONGEST_WAIT, missing, not_local, refused, unreadable};
use crate::http::Unread;
use crate::http::contract::refusals::number;
use crate::http::contract::{About, Operation, Words, bearer, reference};

pub(super) fn about() -> About {
    About {
        name: "Inbox",
        description: "Messages that nobody else gets, to try it out. Only where the inbox is one of sms.routes.",
        // A token, or a request from this machine.
        security: json!([{}, { "bearer": [] }]),
        parameters: Vec::new(),
        schemes: json!({ "bearer": bearer() }),
        schemas: schemas(),
        refusal: "inbox.Refusal",
        words: Words {
            refusal: |refusal| super::words(refusal).into_response(),
            of_read: |refusal| super::words(refusal).into_response(),
            unread: |unread: Unread| refused(unread.http(), 3, &unread.to_string()).into_response(),
            media_type: None,
            wrong_method: || {
                refused(StatusCode::METHOD_NOT_ALLOWED, 12, "Method Not Allowed").into_response()
            },
        },
    }
}

fn schemas() -> Value {
    json!({
        "inbox.Refusal": {
            "type": "object",
            "description": "Why a call was refused.",
            "required": ["code", "message"],
            "properties": {
                "code": { "type": "integer", "description": "The gRPC status code." },
                "message": { "type": "string" },
            },
        },
        "inbox.Message": {
            "type": "object",
            "required": ["id", "to", "text", "code", "sentAt"],
            "properties": {
                "id": { "type": "string" },
                "to": { "type": "string", "description": "The number in E.164." },
                "text": { "type": "string" },
                "code": { "type": ["string", "null"], "description": "Null in a notice." },
                "sentAt": { "type": "string", "format": "date-time" },
            },
        },
    })
}

/// Who is not let in, and a number that is none.
fn refusals() -> Vec<Refusal> {
    let entry = vec![
        Refusal::TokenInvalid,
        Refusal::PermissionDenied,
        Refusal::IssuerUnavailable,
    ];
    [entry, number()].concat()
}

pub(super) fn messages() -> Operation {
    let list = json!({
        "type": "object",
        "required": ["messages"],
        "properties": { "messages": { "type": "array", "items": reference("inbox.Message") } },
    });
    let text = json!({ "type": "string" });
    let seconds = json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX, "default": 0 });
    let waits = format!(
        "For how many seconds to wait for a message; {} at most.",
        LONGEST_WAIT.as_secs()
    );
    Operation::new("messages", "Read messages")
        .query("to", "Only those to this number, in any spelling.", &text)
        .query(
            "after",
            "Only those that are newer than the message of this id.",
            &text,
        )
        .query("wait", &waits, &seconds)
        .answers(200, "The messages, newest first.", list)
        .refuses(refusals())
        .also("not_local", || not_local().into_response())
        .also("unreadable", || unreadable().into_response())
}

pub(super) fn forget() -> Operation {
    let text = json!({ "type": "string", "minLength": 1 });
    Operation::new("forget", "Throw messages away")
        .needed_query(
            "to",
            "Those to this number, in any spelling.",
            &text,
            "+41791234567",
        )
        .answers(200, "They are gone.", json!({ "type": "object" }))
        .refuses(refusals())
        .also("not_local", || not_local().into_response())
        .also("unreadable", || unreadable().into_response())
        .also("missing", || missing().into_response())
}

pub(super) fn about_dev() -> Operation {
    let told = json!({
        "type": "object",
        "required": ["version", "token"],
        "properties": {
            "version": { "type": "string" },
            "token": { "type": ["string", "null"], "description": "It may do everything." },
        },
    });
    Operation::new("about", "What runs, and a token to try it out")
        .about("For this machine alone.")
        .open()
        .answers(200, "Version and token.", told)
        .also("not_local", || not_local().into_response())
}
