//! What must hold at every API, written once: what users do, in the calls of each API's clients.

mod answer;
mod codes;
mod faults;
mod frontegg;
mod limits;
mod numbers;
mod once;
mod opt_outs;
mod reachfive;
mod registration;
mod rights;
mod ringback;
mod silence;
mod times;
mod unkept;
mod user;
mod zitadel;

use http::Method;
use serde_json::{Value, json};

pub use answer::{Answer, Kind, Refused};
pub use user::{User, answer, send};

/// Whose client somebody uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    Zitadel,
    Frontegg,
    ReachFive,
}

/// One call, as a client of the API sends it.
#[derive(Clone, Debug)]
pub struct Call {
    pub api: Api,
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<Value>,
}

/// A number that a code was sent to, and what else is handed in with the code.
#[derive(Clone, Debug)]
pub struct Question {
    /// As it was typed.
    pub number: String,
    /// Frontegg's `otcToken`; the other APIs have none.
    pub otc: Option<String>,
}

const FRONTEGG: &str = "/identity/resources/users/phone-numbers";
const REACHFIVE: &str = "/identity/v1";

impl Api {
    pub const ALL: [Api; 3] = [Api::Zitadel, Api::Frontegg, Api::ReachFive];

    /// The short name, for ids of users.
    pub fn name(self) -> &'static str {
        match self {
            Api::Zitadel => "zitadel",
            Api::Frontegg => "frontegg",
            Api::ReachFive => "reachfive",
        }
    }

    /// What the vendor's tokens say of an end user. ReachFive's changes ask for a scope and a young token.
    pub fn claims(self, user: &str, organization: &str, now: i64) -> Value {
        match self {
            Api::Zitadel => {
                json!({
                    "sub": user, "urn:zitadel:iam:user:resourceowner:id": organization, "iat": now,
                })
            }
            Api::Frontegg => {
                json!({"sub": user, "tenantId": organization, "type": "userToken", "iat": now})
            }
            Api::ReachFive => {
                json!({"sub": user, "org_id": organization, "scope": "openid full_write", "iat": now})
            }
        }
    }

    fn call(self, method: Method, path: String, body: impl Into<Option<Value>>) -> Call {
        Call {
            api: self,
            method,
            path,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// Gives the user a number, which gets a code. Frontegg adds it to those that are there.
    pub fn set(self, user: &str, number: &str) -> Call {
        match self {
            Api::Zitadel => {
                let path = format!("/v2/users/{user}/phone");
                self.call(Method::POST, path, json!({"phone": number}))
            }
            Api::Frontegg => {
                let path = format!("{FRONTEGG}/v1");
                self.call(Method::POST, path, json!({"phoneNumber": number}))
            }
            Api::ReachFive => {
                let path = format!("{REACHFIVE}/update-phone-number");
                self.call(Method::POST, path, json!({"phone_number": number}))
            }
        }
    }

    /// Every way to have the code of a number sent again. Frontegg has no call by that name: its users ask
    /// to verify the number, or add it once more. ReachFive's may also repeat the update.
    pub fn resends(self, user: &str, number: &str) -> Vec<Call> {
        match self {
            Api::Zitadel => {
                let path = format!("/v2/users/{user}/phone/resend");
                vec![self.call(Method::POST, path, json!({"sendCode": {}}))]
            }
            Api::Frontegg => {
                let path = format!("{FRONTEGG}/v1/preverify");
                let preverify = self.call(Method::POST, path, json!({"phoneNumber": number}));
                vec![preverify, self.set(user, number)]
            }
            Api::ReachFive => {
                let path = format!("{REACHFIVE}/send-phone-number-verification");
                let send = self.call(Method::POST, path, None);
                vec![send, self.set(user, number)]
            }
        }
    }

    /// Which of [`Api::resends`] there are.
    pub fn ways(self) -> std::ops::Range<usize> {
        0..self.resends("", "").len()
    }

    /// Hands a code in.
    pub fn submit(self, user: &str, question: &Question, code: &str) -> Call {
        match self {
            Api::Zitadel => {
                let path = format!("/v2/users/{user}/phone/verify");
                self.call(Method::POST, path, json!({"verificationCode": code}))
            }
            Api::Frontegg => {
                let body = json!({"otcToken": question.otc, "code": code});
                self.call(Method::POST, format!("{FRONTEGG}/v1/verify"), body)
            }
            Api::ReachFive => {
                let body = json!({"phone_number": question.number, "verification_code": code});
                let path = format!("{REACHFIVE}/verify-phone-number");
                self.call(Method::POST, path, body)
            }
        }
    }

    /// Shows what the user holds: see [`Api::held`].
    pub fn read(self, user: &str) -> Call {
        let path = match self {
            Api::Zitadel => format!("/v2/users/{user}"),
            Api::Frontegg => format!("{FRONTEGG}/v1/me"),
            Api::ReachFive => format!("{REACHFIVE}/userinfo"),
        };
        self.call(Method::GET, path, None)
    }

    /// Takes a number away. Frontegg names it by its id, and removes nothing before a code that goes to the
    /// number is confirmed. ReachFive has no call for it but the one that deletes a second factor.
    pub fn remove(self, user: &str, number: &str, id: &str) -> Call {
        match self {
            Api::Zitadel => self.call(Method::DELETE, format!("/v2/users/{user}/phone"), None),
            Api::Frontegg => self.call(Method::DELETE, format!("{FRONTEGG}/v1/{id}"), None),
            Api::ReachFive => {
                let path = format!("{REACHFIVE}/mfa/credentials/phone-numbers");
                self.call(Method::DELETE, path, json!({"phone_number": number}))
            }
        }
    }

    /// Hands in the code of a removal, which only Frontegg has.
    pub fn confirm_removal(self, id: &str, otc: &str, code: &str) -> Call {
        assert_eq!(self, Api::Frontegg);
        let path = format!("{FRONTEGG}/v1/{id}/delete/verify");
        self.call(Method::POST, path, json!({"otcToken": otc, "code": code}))
    }

    /// Every call that changes a user whom it names. At ReachFive that is the one of the management API; at
    /// Frontegg those of back ends.
    pub fn naming(self, user: &str, number: &str, id: &str) -> Vec<Call> {
        match self {
            Api::Zitadel => {
                let mut calls = self.resends(user, number);
                let question = Question::of(number);
                calls.push(self.set(user, number));
                calls.push(self.submit(user, &question, "123456"));
                calls.push(self.remove(user, number, id));
                calls
            }
            Api::Frontegg => {
                let path = format!("{FRONTEGG}/v1/vendor/{user}");
                let remove = self.call(Method::DELETE, format!("{path}/{id}"), None);
                let add = self.call(Method::POST, path, json!({"phoneNumber": number}));
                vec![add, remove]
            }
            Api::ReachFive => {
                let path = format!("/api/v2/users/{user}/verify-phone-number");
                vec![self.call(Method::POST, path, None)]
            }
        }
    }

    /// Every call that users make for themselves.
    pub fn own(self, user: &str, question: &Question, id: &str) -> Vec<Call> {
        let mut calls = self.resends(user, &question.number);
        calls.push(self.set(user, &question.number));
        calls.push(self.submit(user, question, "123456"));
        calls.push(self.read(user));
        calls.push(self.remove(user, &question.number, id));
        calls
    }

    /// The numbers in an answer to [`Api::read`], each with whether it is verified. Zitadel and ReachFive
    /// show one, Frontegg all.
    pub fn held(self, shown: &Value) -> Vec<(String, bool)> {
        let one = |number: &Value, verified: &Value| {
            let number = number.as_str()?.to_owned();
            Some((number, verified.as_bool().unwrap_or_default()))
        };
        match self {
            Api::Zitadel => {
                let phone = &shown["user"]["human"]["phone"];
                one(&phone["phone"], &phone["isVerified"])
                    .into_iter()
                    .collect()
            }
            Api::Frontegg => {
                let numbers = shown.as_array().expect("a bare array").iter();
                numbers
                    .map(|held| one(&held["phoneNumber"], &held["verified"]).expect("a number"))
                    .collect()
            }
            Api::ReachFive => one(&shown["phone_number"], &shown["phone_number_verified"])
                .into_iter()
                .collect(),
        }
    }
}

impl Question {
    /// About a number that no code was sent to.
    pub fn of(number: &str) -> Question {
        Question {
            number: number.to_owned(),
            otc: Some("x".to_owned()),
        }
    }

    /// What is asked when a call that sends a code was answered.
    pub fn read(number: &str, reply: &Value) -> Question {
        Question {
            number: number.to_owned(),
            otc: reply["otcToken"].as_str().map(str::to_owned),
        }
    }
}

impl Call {
    /// The same with a header.
    pub fn with(mut self, name: &'static str, value: &str) -> Call {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Sends it to whoever listens at `base`.
    pub async fn send(
        &self,
        client: &reqwest::Client,
        base: &str,
        token: Option<&str>,
    ) -> reqwest::Result<Answer> {
        let mut request = client.request(self.method.clone(), format!("{base}{}", self.path));
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        // Frontegg's browser client names the type of every body, also of none; ReachFive's its charset.
        let kind = match self.api {
            Api::Zitadel | Api::Frontegg => "application/json",
            Api::ReachFive => "application/json;charset=UTF-8",
        };
        if self.body.is_some() || self.api == Api::Frontegg {
            request = request.header("content-type", kind);
        }
        let body = self.body.as_ref().map(Value::to_string);
        let response = request.body(body.unwrap_or_default()).send().await?;
        Ok(Answer {
            api: self.api,
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await?,
        })
    }
}

/// A code that is not this one.
pub fn another(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

/// Makes one test at each API and on each database of `async fn name(api: Api, database: Database)`.
#[macro_export]
macro_rules! at_each_api {
    ($($name:ident),+ $(,)?) => {
        $crate::at_each_api!(zitadel Zitadel: $($name),+);
        $crate::at_each_api!(frontegg Frontegg: $($name),+);
        $crate::at_each_api!(reachfive ReachFive: $($name),+);
    };
    ($module:ident $api:ident: $($name:ident),+) => {
        mod $module {
            $(async fn $name(database: $crate::database::Database) {
                super::$name($crate::api::Api::$api, database).await;
            })+
            $crate::on_both! { $($name),+ }
        }
    };
}
