//! Twilio: its Messages API, and its signed receipts.

mod codes;
mod signature;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use ringback_core::Time;
use ringback_core::delivery::{RouteFault, Verdict};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use crate::class::Class;
use crate::line::{Answer, Line, address};
use crate::{
    Arrival, Inbound, Keyword, Receipt, ReceiptError, ReceiptRequest, Report, RouteError, Sms,
};

const BASE: &str = "https://api.twilio.com";
/// Seconds that a message may wait at Twilio.
const VALIDITY: (u64, u64) = (1, 36_000);

/// `type = "twilio"`. `Debug` shows no secret.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TwilioSettings {
    /// The account: `AC…`.
    pub account: String,
    /// The account's primary token: signs receipts, and sends where there is no API key.
    pub auth_token: SecretString,
    /// An API key to send with: `SK…`; empty for none.
    pub api_key: String,
    /// Its secret.
    pub api_secret: SecretString,
    /// The Messaging Service (`MG…`) that chooses the sender where the route has none; empty for none.
    pub messaging_service: String,
    /// Where Twilio is; empty for its own address.
    pub base_url: String,
    /// Lets `base_url` begin with http.
    pub allow_insecure: bool,
    /// Lets `base_url` be of this machine or of a private network.
    pub allow_private: bool,
}

impl fmt::Debug for TwilioSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TwilioSettings").finish_non_exhaustive()
    }
}

/// A route to Twilio.
#[derive(Clone)]
pub struct Twilio {
    own: Arc<TwilioSettings>,
    base: Url,
    line: Line,
}

impl TwilioSettings {
    /// Whether a route can be made of them.
    ///
    /// # Errors
    /// [`RouteError::Setting`] with the first key that is wrong.
    pub fn check(&self) -> Result<(), RouteError> {
        self.read().map(|_| ())
    }

    fn read(&self) -> Result<Url, RouteError> {
        let wrong = |key, says: &str| Err(RouteError::setting(key, says));
        if !is_sid(&self.account, "AC") {
            return wrong(
                "account",
                "must be the account's SID: AC and 32 of 0 to 9 and a to f",
            );
        }
        let empty = |secret: &SecretString| secret.expose_secret().is_empty();
        match (self.api_key.as_str(), empty(&self.api_secret)) {
            ("", true) if empty(&self.auth_token) => {
                return wrong(
                    "auth_token",
                    "is missing; set it, or api_key and api_secret",
                );
            }
            ("", true) => {}
            ("", false) => return wrong("api_key", "is missing beside api_secret"),
            (key, _) if !is_sid(key, "SK") => {
                return wrong(
                    "api_key",
                    "must be the key's SID: SK and 32 of 0 to 9 and a to f",
                );
            }
            (_, true) => return wrong("api_secret", "is missing beside api_key"),
            (_, false) => {}
        }
        if !self.messaging_service.is_empty() && !is_sid(&self.messaging_service, "MG") {
            return wrong(
                "messaging_service",
                "must be the service's SID: MG and 32 of 0 to 9 and a to f",
            );
        }
        let base = match self.base_url.as_str() {
            "" => BASE,
            base => base,
        };
        address("base_url", base, self.allow_insecure, self.allow_private)
    }
}

fn is_sid(text: &str, kind: &str) -> bool {
    let rest = text.strip_prefix(kind).unwrap_or_default();
    rest.len() == 32 && rest.bytes().all(|byte| byte.is_ascii_hexdigit())
}

impl Twilio {
    /// `timeout`: how long a whole attempt may take.
    ///
    /// # Errors
    /// [`RouteError::Setting`] with the first key that is wrong.
    pub fn new(settings: &TwilioSettings, timeout: Duration) -> Result<Twilio, RouteError> {
        Ok(Twilio {
            base: settings.read()?,
            line: Line::new(timeout, settings.allow_private)?,
            own: Arc::new(settings.clone()),
        })
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.line.timeout()
    }

    /// Only the account's token tells that a receipt is from Twilio.
    pub(crate) fn sends_receipts(&self) -> bool {
        !self.own.auth_token.expose_secret().is_empty()
    }

    pub(crate) async fn send(&self, sms: &Sms, now: Time) -> Report {
        let sender = match (sms.sender.as_deref(), self.own.messaging_service.as_str()) {
            (Some(from), _) => ("From", from),
            (None, "") => {
                let fault = RouteFault::Sender;
                let reason = "there is neither a sender for this country nor a messaging_service";
                return Report::failed(Verdict::Unable { fault }, reason);
            }
            (None, service) => ("MessagingServiceSid", service),
        };
        let url = self.address(&format!("/Accounts/{}/Messages.json", self.own.account));
        let request = self
            .authenticated(self.line.client().post(url))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(self.form(sms, sender, now));
        match self.line.ask(request).await {
            Ok(answer) => judge(&answer),
            Err(report) => report,
        }
    }

    pub(crate) async fn check(&self) -> Result<(), RouteError> {
        let url = self.address(&format!("/Accounts/{}.json", self.own.account));
        let request = self.authenticated(self.line.client().get(url));
        self.line.check_known(request).await
    }

    pub(crate) fn read_receipt(
        &self,
        request: &ReceiptRequest<'_>,
    ) -> Result<Receipt, ReceiptError> {
        let token = self.own.auth_token.expose_secret();
        if token.is_empty() {
            return Err(ReceiptError::NoReceipts);
        }
        signature::check(request, token)?;
        let field = |wanted: &str| field(request.body, wanted);
        let status = field("MessageStatus").or_else(|| field("SmsStatus"));
        let code = field("ErrorCode").and_then(|code| code.parse().ok());
        match status.as_deref() {
            Some("delivered" | "read") => Ok(Receipt {
                arrival: Arrival::Delivered,
                reason: String::new(),
                once: None,
            }),
            Some("undelivered" | "failed" | "canceled") => {
                let says =
                    code.map_or_else(String::new, |code: u32| format!("Twilio's code {code}"));
                let class = code.and_then(codes::class).unwrap_or(Class::Phone);
                Ok(class.receipt(&says))
            }
            // Whatever else there is, or will be, comes before an end.
            Some(_) => Ok(Receipt {
                arrival: Arrival::OnTheWay,
                reason: String::new(),
                once: None,
            }),
            None => Err(ReceiptError::Malformed("it has no MessageStatus")),
        }
    }

    /// What Twilio's own list has made of a message says more than its words, where it keeps one.
    pub(crate) fn read_inbound(
        &self,
        request: &ReceiptRequest<'_>,
    ) -> Result<Inbound, ReceiptError> {
        let token = self.own.auth_token.expose_secret();
        if token.is_empty() {
            return Err(ReceiptError::NoInbound);
        }
        signature::check(request, token)?;
        // A GET has its fields in the query.
        let form = match request.method {
            "GET" => request.query.as_bytes(),
            _ => request.body,
        };
        let from = field(form, "From").ok_or(ReceiptError::Malformed("it has no From"))?;
        let keyword = match field(form, "OptOutType").as_deref() {
            Some("STOP") => Some(Keyword::Stop),
            Some("START") => Some(Keyword::Start),
            Some("HELP") => None,
            _ => {
                let body = field(form, "Body");
                Keyword::read(&body.ok_or(ReceiptError::Malformed("it has no Body"))?)
            }
        };
        Ok(Inbound {
            once: field(form, "MessageSid").map(|id| id.to_string()),
            ..Inbound::of(&from, keyword)
        })
    }

    /// The message, with its sender as the field that says it.
    fn form(&self, sms: &Sms, sender: (&str, &str), now: Time) -> String {
        let left = sms.expires_at.since(now).as_secs();
        let left = left.clamp(VALIDITY.0, VALIDITY.1).to_string();
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("To", sms.to.as_str())
            .append_pair(sender.0, sender.1)
            .append_pair("Body", &sms.text)
            .append_pair("ValidityPeriod", &left);
        if let Some(callback) = sms.callback.as_deref().filter(|_| self.sends_receipts()) {
            form.append_pair("StatusCallback", callback);
        }
        form.finish()
    }

    fn address(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("/2010-04-01{path}"));
        url
    }

    fn authenticated(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let (name, secret) = match self.own.api_key.as_str() {
            "" => (&self.own.account, &self.own.auth_token),
            _ => (&self.own.api_key, &self.own.api_secret),
        };
        request.basic_auth(name, Some(secret.expose_secret()))
    }
}

/// A field of a form.
fn field(form: &[u8], wanted: &str) -> Option<String> {
    let mut fields = form_urlencoded::parse(form);
    let found = fields.find(|(name, _)| name == wanted);
    found.map(|(_, value)| value.into_owned())
}

/// What an answer means: a code in it says more than its status, and may stand in a good one, too.
fn judge(answer: &Answer) -> Report {
    let status = answer.status;
    let good = (200..300).contains(&status);
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let code = body[if good { "error_code" } else { "code" }].as_u64();
    let code = code.and_then(|code| u32::try_from(code).ok());
    let ended = good
        && matches!(
            body["status"].as_str(),
            Some("failed" | "undelivered" | "canceled")
        );
    let reference = body["sid"].as_str().map(str::to_owned);
    let says = match code {
        Some(code) => format!("Twilio answered {status}, code {code}{}", codes::hint(code)),
        None => format!("Twilio answered {status}"),
    };
    let class = match code {
        Some(code) => codes::class(code),
        None => None,
    };
    let class = class.unwrap_or(match ended || (good && code.is_some()) {
        true => Class::Route(RouteFault::Protocol),
        false => Class::of_status(status),
    });
    class.report(&says, answer.after, reference)
}
