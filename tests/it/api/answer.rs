//! What a API says, read into the same words for every API.

use bytes::Bytes;
use http::HeaderMap;
use ringback_core::guard::Reason;
use ringback_core::limit::Limit;
use serde_json::Value;

use super::Api;

/// What a client reads.
#[derive(Clone, Debug)]
pub struct Answer {
    pub api: Api,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A refusal.
#[derive(Clone, Debug)]
pub struct Refused {
    pub kind: Kind,
    /// Seconds.
    pub retry_after: Option<u64>,
    answer: Box<Answer>,
}

/// Why, as far as the API tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Token,
    Denied,
    NoUser,
    NoNumber,
    NumberInvalid,
    OptedOut,
    /// To a country that is denied.
    Guarded,
    NumberUnchanged,
    TooManyNumbers,
    CodeRefused,
    NothingToSend,
    Limited(Limit),
    Overloaded,
    Unavailable,
    Internal,
}

impl Answer {
    /// The body as JSON; null when there is none.
    pub fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The reply, or why there is none.
    pub fn outcome(self) -> Result<Value, Refused> {
        if (200..300).contains(&self.status) {
            return Ok(self.json());
        }
        let wait = self.headers.get("retry-after").map(|value| {
            let text = value.to_str().expect("a text");
            text.parse().expect("whole seconds")
        });
        assert_eq!(
            wait.is_some(),
            self.status == 429,
            "whoever asked too much, and nobody else, is told for how long: {self:?}"
        );
        assert_ne!(wait, Some(0), "{self:?}");
        let kind = match self.api {
            Api::Zitadel => zitadel(&self),
            Api::Frontegg => frontegg(&self),
            Api::ReachFive => reachfive(&self),
        };
        let kind = kind.unwrap_or_else(|| panic!("no refusal of this api: {self:?}"));
        let named = self.headers.get("ringback-limit");
        let named = named.map(|value| value.to_str().expect("a text").to_owned());
        let expected = match kind {
            Kind::Limited(limit @ Limit::Guard(_)) => {
                let reason = limit.reason().expect("has one");
                Some(format!("{}; reason={reason}", limit.code()))
            }
            Kind::Limited(limit) => Some(limit.code().to_owned()),
            Kind::Guarded => Some("guard; reason=country".to_owned()),
            _ => None,
        };
        assert_eq!(named, expected, "{self:?}");
        Err(Refused {
            kind,
            retry_after: wait,
            answer: Box::new(self),
        })
    }
}

impl Refused {
    /// All that a client can see of it: status, names of headers, body. The one thing that is each
    /// refusal's own is taken out, ReachFive's `error_id`.
    pub fn look(&self) -> (u16, Vec<String>, String) {
        let names = self.answer.headers.keys();
        let mut names: Vec<String> = names.map(ToString::to_string).collect();
        names.sort_unstable();
        let mut body = String::from_utf8(self.answer.body.to_vec()).expect("a text");
        if self.answer.api == Api::ReachFive {
            let told = self.answer.json();
            let id = told["error_id"].as_str().expect("an id");
            assert_eq!(id.len(), 10, "{body}");
            body = body.replace(id, "(id)");
        }
        (self.answer.status, names, body)
    }
}

/// Zitadel's refusals have ids.
fn zitadel(answer: &Answer) -> Option<Kind> {
    let body = answer.json();
    let id = body["details"][0]["id"].as_str().unwrap_or_default();
    Some(match (answer.status, id) {
        (401, "" | "AUTH-toLo1" | "AUTH-7fs1e") => Kind::Token,
        (403, "AUTH-AWfge") => Kind::Denied,
        (404, "COMMAND-ieJ2e" | "QUERY-Dfbg2") => Kind::NoUser,
        (400, "COMMAND-ieJ2e") => Kind::NoNumber,
        (400, "PHONE-so0wa" | "PHONE-Zt0NV" | "RINGBACK-number_kind_not_served") => {
            Kind::NumberInvalid
        }
        (400, "RINGBACK-number_opted_out") => Kind::OptedOut,
        (400, "RINGBACK-guarded") => Kind::Guarded,
        (400, "COMMAND-Uch5e") => Kind::NumberUnchanged,
        (400, "COMMAND-eis9R") => Kind::CodeRefused,
        (400, "PHONE-5xrra88eq8") => Kind::NothingToSend,
        (400, "RINGBACK-too_many_numbers") => Kind::TooManyNumbers,
        (429, "RINGBACK-limited") => Kind::Limited(limit(body["message"].as_str()?)?),
        (429, "RINGBACK-overloaded") => Kind::Overloaded,
        (503, "RINGBACK-unavailable" | "RINGBACK-issuer_unavailable") => Kind::Unavailable,
        (500, "RINGBACK-internal") => Kind::Internal,
        _ => return None,
    })
}

/// Frontegg's have codes, where it publishes one, and texts.
fn frontegg(answer: &Answer) -> Option<Kind> {
    let body = answer.json();
    let code = body["errorCode"].as_str().unwrap_or_default();
    let text = body["errors"][0].as_str()?;
    let texts = [
        ("a code was sent to this number", Limit::CoolDown),
        (
            "too many codes were sent to this number",
            Limit::NumberSends,
        ),
        (
            "too many codes were sent for this user",
            Limit::AccountSends,
        ),
        ("the user set too many phone numbers", Limit::AccountSets),
        ("try again later", Limit::Others),
        ("the user changed too much", Limit::AccountChanges),
        (
            "too many codes were sent to users at this address",
            Limit::AddressSends,
        ),
        ("too many codes were tried", Limit::AddressVerifications),
        (
            "too many messages were sent for this organization",
            Limit::OrganizationSends,
        ),
        (
            "too many messages were sent to this country",
            Limit::CountrySends,
        ),
        (
            "messages of this organization cost too much",
            Limit::OrganizationSpend,
        ),
        ("codes are held back for now", Limit::Guard(Reason::Prefix)),
        ("too many wrong codes", Limit::Guesses),
        ("the last codes were wrong", Limit::WrongCodes),
    ];
    let limited = texts.iter().find(|(begin, _)| text.starts_with(begin));
    Some(match (answer.status, code, text) {
        (401, "ER-01013", _) => Kind::Token,
        (403, "", "the token does not allow this") => Kind::Denied,
        (404, "", "user not found") => Kind::NoUser,
        (404, "", "phone number not found") => Kind::NoNumber,
        (400, "ER-000b32220f" | "ER-005a0fec63", _) => Kind::NumberInvalid,
        (409, "", _) => Kind::NumberUnchanged,
        (400, "ER-01011", "Invalid code") => Kind::CodeRefused,
        (400, "", _) if text.contains("opted out") => Kind::OptedOut,
        (400, "", _) if text.contains("of this country") => Kind::Guarded,
        (400, "", _) if text.contains("as many phone numbers") => Kind::TooManyNumbers,
        (429, "", _) if text.starts_with("more is waiting") => Kind::Overloaded,
        (429, "", _) => Kind::Limited(limited?.1),
        (503, "", _) => Kind::Unavailable,
        (500, "", _) => Kind::Internal,
        _ => return None,
    })
}

/// ReachFive's have names, and texts.
fn reachfive(answer: &Answer) -> Option<Kind> {
    let body = answer.json();
    let text = body["error_description"].as_str()?;
    Some(match (answer.status, body["error"].as_str()?) {
        // A token that is not fresh, or without the scope, is read as none of these on purpose.
        (401, "invalid_request") => Kind::Token,
        (401, "invalid_grant") if text.contains("not valid here") => Kind::Token,
        (403, "access_denied") => Kind::Denied,
        (404, "resource_not_found") if text.contains("no such user") => Kind::NoUser,
        (404, "resource_not_found") => Kind::NoNumber,
        (400, "invalid_request") if text.contains("of this country") => Kind::Guarded,
        (400, "invalid_request") if body["error_details"][0]["field"] == "phone_number" => {
            Kind::NumberInvalid
        }
        (400, "invalid_grant") => Kind::CodeRefused,
        (400, "invalid_state") if text.contains("waits to be verified") => Kind::NothingToSend,
        (400, "invalid_state") if text.contains("verified already") => Kind::NumberUnchanged,
        (400, "invalid_state") if text.contains("opted out") => Kind::OptedOut,
        (400, "invalid_state") if text.contains("as many phone numbers") => Kind::TooManyNumbers,
        (429, "rate_limit_reached") => Kind::Limited(limit(text)?),
        (429, "temporarily_unavailable") => Kind::Overloaded,
        (503, "temporarily_unavailable") => Kind::Unavailable,
        (500, "server_error") => Kind::Internal,
        _ => return None,
    })
}

/// The limit in `limit NAME reached; …`. One that others have filled is not named.
fn limit(text: &str) -> Option<Limit> {
    if text.starts_with("try again later, in ") {
        return Some(Limit::Others);
    }
    if text.starts_with("codes are held back for now; ") {
        return Some(Limit::Guard(Reason::Prefix));
    }
    let (name, _) = text.strip_prefix("limit ")?.split_once(' ')?;
    Limit::ALL.into_iter().find(|limit| limit.code() == name)
}
