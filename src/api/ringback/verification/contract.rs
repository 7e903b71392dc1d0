//! What the contract says of the verification service.

use ringback_core::Refusal;
use serde_json::json;

use super::super::contract::{changes, reads};
use super::super::errors::{status, status_of_read};
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
            let mut told = changes(example, &[], [number(), vec![off]].concat());
            let rule =
                "must be a whole address below one of verify.return_urls, without a fragment";
            let refused = status(&field("return_url", rule));
            told.refusals
                .push(("return_url_refused".to_owned(), refused));
            let rule = "must be a language tag such as de or pt-BR";
            let language = status(&field("language", rule));
            told.refusals
                .push(("language_refused".to_owned(), language));
            told
        }
        "GetVerification" => reads(json!({ "userId": "ann" }), account()),
        // CheckVerificationResult, and whatever comes to be.
        _ => {
            let rule = "is no result of this service, or older than five minutes; ask for the user's numbers";
            let refusals = [any(), vec![Refusal::AccountNotFound]].concat();
            let mut told = reads(json!({ "result": "eyJ…" }), refusals);
            let unknown = status_of_read(&field("result", rule));
            told.refusals.push(("result_unknown".to_owned(), unknown));
            told
        }
    }
}
