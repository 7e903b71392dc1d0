//! What a receiver of webhooks says of a message: in its answer, and later in a receipt.

use reqwest::StatusCode;
use ringback_core::delivery::{NumberFault, RouteFault, Verdict};
use serde::Deserialize;
use serde_json::Value;

use crate::{Arrival, Lost, Receipt, ReceiptError, Report};

/// Characters that are kept of what a receiver calls a message.
const REFERENCE_LENGTH: usize = 100;

/// What the body of a receipt says.
pub(super) fn read_receipt(body: &[u8]) -> Result<Receipt, ReceiptError> {
    let answer = Answer::read(body);
    let answer = answer.ok_or(ReceiptError::Malformed("it is not {\"result\": …}"))?;
    let arrival = match answer.result {
        // As in an answer, a word that is not known says nothing.
        AnswerResult::Unknown => {
            return Ok(Receipt {
                arrival: Arrival::OnTheWay,
                reason: "the receipt has a result that is not known".into(),
                once: None,
            });
        }
        AnswerResult::Delivered => Arrival::Delivered,
        AnswerResult::Taken => Arrival::OnTheWay,
        AnswerResult::Undelivered => Arrival::Undelivered(Lost::Phone),
        other => Arrival::Undelivered(match (other.number_fault(), other.route_fault()) {
            (Some(fault), _) => Lost::Number(fault),
            (None, Some(fault)) => Lost::Route(fault),
            (None, None) => Lost::Phone,
        }),
    };
    Ok(Receipt {
        arrival,
        reason: arrival_reason(arrival).to_owned(),
        once: None,
    })
}

/// What a receiver may say beside its status, or in a receipt.
#[derive(Deserialize)]
struct Answer {
    result: AnswerResult,
    /// What the receiver calls the message: a text or a number.
    #[serde(default)]
    id: Value,
}

impl Answer {
    /// `None` when it is no object that says a result.
    fn read(body: &[u8]) -> Option<Answer> {
        let said: Value = serde_json::from_slice(body).ok()?;
        said.is_object()
            .then_some(said)
            .and_then(|said| serde_json::from_value(said).ok())
    }

    fn reference(self) -> Option<String> {
        let id = match self.id {
            Value::String(id) => id,
            Value::Number(id) => id.to_string(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
        };
        Some(id.chars().take(REFERENCE_LENGTH).collect())
    }
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AnswerResult {
    Taken,
    Delivered,
    Undelivered,
    InvalidNumber,
    OptedOut,
    Landline,
    NotAllowed,
    Sender,
    Content,
    Auth,
    Credit,
    Throttled,
    Down,
    #[serde(other)]
    Unknown,
}

impl AnswerResult {
    fn number_fault(self) -> Option<NumberFault> {
        match self {
            AnswerResult::InvalidNumber => Some(NumberFault::Invalid),
            AnswerResult::OptedOut => Some(NumberFault::OptedOut),
            AnswerResult::Landline => Some(NumberFault::Landline),
            _ => None,
        }
    }

    fn route_fault(self) -> Option<RouteFault> {
        match self {
            AnswerResult::NotAllowed => Some(RouteFault::Region),
            AnswerResult::Sender => Some(RouteFault::Sender),
            AnswerResult::Content => Some(RouteFault::Content),
            AnswerResult::Auth => Some(RouteFault::Auth),
            AnswerResult::Credit => Some(RouteFault::Credit),
            AnswerResult::Throttled => Some(RouteFault::Throttled),
            AnswerResult::Down => Some(RouteFault::Down),
            _ => None,
        }
    }
}

fn arrival_reason(arrival: Arrival) -> &'static str {
    match arrival {
        Arrival::OnTheWay | Arrival::Delivered => "",
        Arrival::Undelivered(lost) => lost.reason(),
    }
}

/// What an answer means for the message: what its body says, else what its status says.
pub(super) fn judge(status: StatusCode, after: u32, body: &[u8]) -> Report {
    let code = status.as_u16();
    if let Some(said) = Answer::read(body)
        && let Some(verdict) = said_verdict(said.result, after)
    {
        let reference = said.reference();
        let reason = match verdict {
            Verdict::Taken => String::new(),
            Verdict::Never { fault } => fault.reason().to_owned(),
            Verdict::NotNow { fault, .. } | Verdict::Unable { fault } => {
                format!("answered {code}: {}", fault.reason())
            }
            Verdict::Unknown | Verdict::Skipped => format!("answered {code}: unknown"),
        };
        return Report {
            verdict,
            reason,
            reference,
        };
    }
    let reason = format!("answered {code}");
    let not_now = |fault| Verdict::NotNow { fault, after };
    let unable = |fault| Verdict::Unable { fault };
    match code {
        200..=299 => Report::taken(None),
        300..=399 => Report::failed(
            unable(RouteFault::Protocol),
            format!(
                "{reason}, a redirect, which is not followed: configure the address that it leads to"
            ),
        ),
        401 | 403 | 407 => Report::failed(unable(RouteFault::Auth), reason),
        402 => Report::failed(unable(RouteFault::Credit), reason),
        429 => Report::failed(not_now(RouteFault::Throttled), reason),
        // A receiver tells a repeated message by its id, so whatever it did it may be asked again.
        408 | 425 | 500..=599 => Report::failed(not_now(RouteFault::Down), reason),
        _ => Report::failed(unable(RouteFault::Protocol), reason),
    }
}

/// `None` when the word says nothing about sending.
fn said_verdict(result: AnswerResult, after: u32) -> Option<Verdict> {
    if let Some(fault) = result.number_fault() {
        return Some(Verdict::Never { fault });
    }
    match (result, result.route_fault()) {
        (AnswerResult::Taken | AnswerResult::Delivered, _) => Some(Verdict::Taken),
        (_, Some(fault @ (RouteFault::Throttled | RouteFault::Down))) => {
            Some(Verdict::NotNow { fault, after })
        }
        (_, Some(fault)) => Some(Verdict::Unable { fault }),
        (_, None) => None,
    }
}
