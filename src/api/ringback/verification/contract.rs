//! What the contract says of the verification service.

use ringback_core::Refusal;
use serde_json::json;

use super::super::contract::{changes, reads};
use crate::http::contract::RpcTold;
use crate::http::contract::refusals::{account, any, field, number};

/// What is told of a method.
pub(in super::super) fn told(method: &str) -> RpcTold {
    match method {
        "CreateVerificationSession" => {
            let example = json!({ "userId": "ann", "phone": "+41791234567" });
            let off = Refusal::Unsupported {
                what: "sessions and their page".into(),
            };
            changes(example, &[], [number(), vec![off]].concat())
        }
        "GetVerification" => reads(json!({ "userId": "ann" }), account()),
        // CheckVerificationResult, and whatever comes to be.
        _ => {
            let rule = "is no result of this service, or older than five minutes; ask for the user's numbers";
            let refusals = vec![Refusal::AccountNotFound, field("result", rule)];
            reads(json!({ "result": "eyJ…" }), [any(), refusals].concat())
        }
    }
}
