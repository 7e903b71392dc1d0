//! The webhook: a signed POST to an address of the operator's, as the Standard Webhooks specification says.

mod answer;

use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use ringback_core::Time;
use ringback_core::delivery::{RouteFault, Verdict};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use crate::guard::bare;
use crate::hook::Secrets;
use crate::line::{connecting, fault, read_answer, rest, root};
use crate::{
    Inbound, Keyword, Receipt, ReceiptError, ReceiptRequest, Report, RouteError, Sms, rfc3339,
};

/// Seconds that a receipt may be old.
const RECEIPT_AGE_SECONDS: u64 = 300;
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
    /// Whether the receiver tells later what became of a message, and what people write back.
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
            .connect_timeout(connecting(settings.timeout))
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
                answer::judge(status, after, &body)
            }
            Err(error) => fault(&error, self.timeout),
        }
    }

    pub(crate) fn sends_receipts(&self) -> bool {
        self.receipts
    }

    /// Signed like our own posts, with one of our secrets.
    fn check_signature(&self, request: &ReceiptRequest<'_>, now: Time) -> Result<(), ReceiptError> {
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
        if now.0.div_euclid(1_000_000).abs_diff(at) > RECEIPT_AGE_SECONDS {
            return Err(ReceiptError::Signature("it is too old or from the future"));
        }
        match self.secrets.verify(id, at, request.body, signatures) {
            true => Ok(()),
            false => Err(ReceiptError::Signature("none fits a secret of the route")),
        }
    }

    pub(crate) fn read_receipt(
        &self,
        request: &ReceiptRequest<'_>,
        now: Time,
    ) -> Result<Receipt, ReceiptError> {
        self.check_signature(request, now)?;
        answer::read_receipt(request.body)
    }

    pub(crate) fn read_inbound(
        &self,
        request: &ReceiptRequest<'_>,
        now: Time,
    ) -> Result<Inbound, ReceiptError> {
        if !self.receipts {
            return Err(ReceiptError::NoInbound);
        }
        self.check_signature(request, now)?;
        let written: Written = serde_json::from_slice(request.body)
            .map_err(|_| ReceiptError::Malformed("it is not {\"from\": …, \"text\": …}"))?;
        let keyword = Keyword::read(&written.text);
        // Sent once more it has the same ones: all of it is signed.
        let header = |name| {
            request
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let once = header("webhook-id")
            .zip(header("webhook-timestamp"))
            .map(|(id, at)| format!("{id} {at} {} {}", written.from, written.text));
        Ok(Inbound {
            once,
            ..Inbound::of(&written.from, keyword)
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

/// What somebody wrote back.
#[derive(Deserialize)]
struct Written {
    from: String,
    text: String,
}
