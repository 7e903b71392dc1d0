//! What the contract says of receipts.

use ringback_sms::ReceiptError;
use serde_json::json;

use super::{LIMIT, away, refused, unexpected, unread_answer};
use crate::http::contract::{About, Operation, Words, status_schema, wrong_method};

pub(super) fn about() -> About {
    About {
        name: "Receipts",
        description: "What SMS providers tell of messages that they took, and what people write back to them, in each \
                      provider's own form.",
        security: json!([]),
        parameters: Vec::new(),
        schemes: json!({}),
        schemas: json!({ "receipts.Refusal": status_schema() }),
        refusal: "receipts.Refusal",
        words: Words {
            refusal: |_| away(),
            of_read: |_| away(),
            unread: unread_answer,
            media_type: None,
            wrong_method,
        },
    }
}

pub(super) fn posted() -> Operation {
    told("post").any_body_up_to(LIMIT)
}

pub(super) fn asked() -> Operation {
    told("get")
}

pub(super) fn written() -> Operation {
    inbound("postInbound").any_body_up_to(LIMIT)
}

pub(super) fn written_by_query() -> Operation {
    inbound("getInbound")
}

fn told(id: &'static str) -> Operation {
    let text = json!({ "type": "string", "minLength": 1 });
    let operation = Operation::new(id, "Take a receipt")
        .about("At the address that a message gave its route. The token says which message.")
        .open()
        .path("route", "The route's name.", &text, "first")
        .path(
            "token",
            "What the message's address ends in.",
            &text,
            "AAAA",
        );
    answered(operation)
}

fn inbound(id: &'static str) -> Operation {
    let text = json!({ "type": "string", "minLength": 1 });
    let operation = Operation::new(id, "Take what somebody wrote back")
        .about("STOP and START, as the provider of a route signs them. All else is taken and forgotten.")
        .open()
        .path("route", "The route's name.", &text, "first");
    answered(operation)
}

fn answered(operation: Operation) -> Operation {
    operation
        .empty(200, "Noted.")
        .also("unexpected", unexpected)
        .also("signature", || refused(&ReceiptError::Signature("wrong")))
        .also("malformed", || refused(&ReceiptError::Malformed("unknown")))
        .also("away", away)
}
