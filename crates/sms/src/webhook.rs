//! The webhook: a signed POST to an address of the operator's, as the Standard Webhooks specification says.

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode, Url};
use ringback_core::Time;
use ringback_core::delivery::{NumberFault, RouteFault, Verdict};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use crate::guard::bare;
use crate::hook::Secrets;
use crate::line::{fault, rest, root};
use crate::{
    Arrival, Lost, Receipt, ReceiptError, ReceiptRequest, Report, RouteError, Sms, rfc3339,
};

/// Seconds that a receipt may be old.
const RECEIPT_AGE_SECONDS: i64 = 300;
/// Characters that are kept of what a receiver calls a message.
const REFERENCE_LENGTH: usize = 100;
/// How much of an answer is read away, so that the connection can serve the next message.
const ANSWER_BYTES: usize = 16 * 1_024;
/// How long that may take.
const ANSWER_TIME: Duration = Duration::from_millis(250);

/// What a webhook needs to know.
#[derive(Clone)]
pub struct WebhookSettings {
    /// Where to post to. Whoever configures it has judged that codes may travel there.
    pub url: Url,
    /// `whsec_` and base64, or base64 alone, of 24 to 64 bytes. Each signs; two while one is exchanged
    /// for the other.
    pub secrets: Vec<String>,
    /// How long a whole attempt may take.
    pub timeout: Duration,
    /// Whether the receiver tells later what became of a message.
    pub receipts: bool,
}

/// A route that posts each message to an address.
#[derive(Clone)]
pub struct Webhook {
    url: Url,
    secrets: Secrets,
    timeout: Duration,
    receipts: bool,
    client: Client,
}

/// What the receiver reads.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Payload<'a> {
    id: &'a str,
    to: &'a str,
    text: &'a str,
    text_language: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    kind: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    language: &'a str,
    expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipts: Option<&'a str>,
}

impl Webhook {
    /// The settings must name at least one secret.
    pub fn new(settings: WebhookSettings) -> Result<Webhook, RouteError> {
        let secrets = Secrets::read(&settings.secrets)?;
        let client = Client::builder()
            .user_agent(concat!("ringback/", env!("CARGO_PKG_VERSION")))
            .timeout(settings.timeout)
            // A redirect would carry the code to an address that nobody configured.
            .redirect(Policy::none())
            // The address in the config is where the message goes, whatever the environment says.
            .no_proxy()
            .build()
            .map_err(|error| RouteError::Client {
                cause: root(&error),
            })?;
        Ok(Webhook {
            url: settings.url,
            secrets,
            timeout: settings.timeout,
            receipts: settings.receipts,
            client,
        })
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) async fn send(&self, sms: &Sms, now: Time) -> Report {
        let payload = Payload {
            id: &sms.id,
            to: sms.to.as_str(),
            text: &sms.text,
            text_language: &sms.text_language,
            code: sms.code.as_ref().map(|code| code.reveal()),
            kind: sms.kind,
            language: &sms.language,
            expires_at: rfc3339(sms.expires_at),
            sender: sms.sender.as_deref(),
            receipts: sms.callback.as_deref(),
        };
        let Ok(body) = serde_json::to_string(&payload) else {
            let fault = RouteFault::Protocol;
            return Report::failed(Verdict::Unable { fault }, "it cannot be written as JSON");
        };
        let timestamp = now.0.div_euclid(1_000_000);
        let answer = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &sms.id)
            .header("webhook-timestamp", timestamp)
            .header(
                "webhook-signature",
                self.secrets.sign(&sms.id, timestamp, &body),
            )
            .body(body)
            .send()
            .await;
        match answer {
            Ok(response) => {
                let (status, after) = (response.status(), rest(response.headers()));
                let body = read_answer(response).await;
                judge(status, after, &body)
            }
            Err(error) => fault(&error, self.timeout),
        }
    }

    pub(crate) fn sends_receipts(&self) -> bool {
        self.receipts
    }

    /// Signed like our own posts, with one of our secrets.
    pub(crate) fn read_receipt(
        &self,
        request: &ReceiptRequest<'_>,
        now: Time,
    ) -> Result<Receipt, ReceiptError> {
        let header = |name| {
            let value = request.headers.get(name)?;
            value.to_str().ok()
        };
        let (Some(id), Some(timestamp), Some(signatures)) = (
            header("webhook-id"),
            header("webhook-timestamp"),
            header("webhook-signature"),
        ) else {
            return Err(ReceiptError::Signature("a header field is missing"));
        };
        let at: i64 = timestamp
            .parse()
            .map_err(|_| ReceiptError::Signature("its time is no number"))?;
        if (now.0.div_euclid(1_000_000) - at).abs() > RECEIPT_AGE_SECONDS {
            return Err(ReceiptError::Signature("it is too old or from the future"));
        }
        let holds = self.secrets.verify(id, at, request.body, signatures);
        if !holds {
            return Err(ReceiptError::Signature("none fits a secret of the route"));
        }
        let answer: Answer = serde_json::from_slice(request.body)
            .map_err(|_| ReceiptError::Malformed("it is not {\"result\": …}"))?;
        let arrival = match answer.result {
            AnswerResult::Delivered => Arrival::Delivered,
            AnswerResult::Taken => Arrival::OnTheWay,
            AnswerResult::Undelivered | AnswerResult::Unknown => Arrival::Undelivered(Lost::Phone),
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

    pub(crate) async fn check(&self) -> Result<(), RouteError> {
        let host = self.url.host_str().unwrap_or_default();
        let port = self.url.port_or_known_default().unwrap_or_default();
        let connect = TcpStream::connect((bare(host), port));
        let cause = match tokio::time::timeout(self.timeout, connect).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {:?}", self.timeout),
        };
        Err(RouteError::Unreachable {
            place: format!("{host}:{port}"),
            cause,
        })
    }
}

/// What a receiver may say beside its status, or in a receipt.
#[derive(Deserialize)]
struct Answer {
    result: AnswerResult,
    /// What the receiver calls the message.
    #[serde(default)]
    id: Option<String>,
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
fn judge(status: StatusCode, after: u32, body: &[u8]) -> Report {
    let said: Option<Answer> = serde_json::from_slice(body).ok();
    let code = status.as_u16();
    if let Some(Answer { result, id }) = said
        && let Some(verdict) = said_verdict(result, after)
    {
        let reference = id.map(|id| id.chars().take(REFERENCE_LENGTH).collect());
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

/// Reads what little a receiver may say: a connection with unread bytes must be closed.
async fn read_answer(mut response: Response) -> Vec<u8> {
    let mut read = Vec::new();
    let reading = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = ANSWER_BYTES - read.len();
            read.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if read.len() == ANSWER_BYTES {
                break;
            }
        }
    };
    // The status stands, however the rest of the answer fares.
    let _ = tokio::time::timeout(ANSWER_TIME, reading).await;
    read
}
