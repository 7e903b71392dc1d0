//! Vonage's codes, in answers and in receipts: whose fault each is.

use ringback_core::delivery::{NumberFault, RouteFault};
use serde_json::Value;

use crate::class::{Class, is_code};

/// The code of an error: what is after `#` in its `type`, or, in receipts of the first form, its `code`; else its
/// `title` where that is a number.
pub(super) fn code_of(error: &Value) -> Option<&str> {
    let kind = error["type"]
        .as_str()
        .and_then(|kind| kind.rsplit_once('#'));
    let title = error["title"].as_str();
    let title = title.filter(|title| title.bytes().all(|byte| byte.is_ascii_digit()));
    let found = kind
        .map(|(_, code)| code)
        .or(error["code"].as_str())
        .or(title)?;
    is_code(found).then_some(found)
}

/// `None` for a code that says nothing of whose fault it is.
pub(super) fn class(code: &str) -> Option<Class> {
    let number = |fault| Some(Class::Number(fault));
    let route = |fault| Some(Class::Route(fault));
    match code {
        "1170" | "1190" => number(NumberFault::Invalid),
        "1240" => number(NumberFault::OptedOut),
        "1160" | "1250" | "1260" => route(RouteFault::Region),
        "1060" | "1080" => route(RouteFault::Auth),
        "1070" | "low-balance" => route(RouteFault::Credit),
        "1000" | "1241" => route(RouteFault::Throttled),
        "1120" => route(RouteFault::Sender),
        "1150" => route(RouteFault::Content),
        "1022" => route(RouteFault::Template),
        "1180" | "1220" | "1230" | "1360" => Some(Class::Phone),
        "1030" | "1100" => Some(Class::Unknown),
        _ => None,
    }
}
