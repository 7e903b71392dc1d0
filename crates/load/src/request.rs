//! Requests, in each of the forms that a protocol wants.

mod users;

use clap::ValueEnum;
use http::Method;
use prost::Message;

use crate::proto::ringback::load::v1::EchoRequest;
use crate::proto::ringback::phone::v1::{ListUserPhonesRequest, SearchPhonesRequest};
use crate::proto::zitadel::user::v2::{
    AddHumanUserRequest, GetUserByIdRequest, ReturnPhoneVerificationCode,
    SendPhoneVerificationCode, SetHumanEmail, SetHumanProfile, SetPhoneRequest, VerifyPhoneRequest,
    set_phone_request,
};

pub(crate) use users::FILTERED_BY;

/// How many numbers or users a page of a list has.
pub(crate) const PAGE: u32 = 100;

/// The protocol that a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Protocol {
    /// gRPC over HTTP/2
    Grpc,
    /// gRPC-web over HTTP/1.1
    GrpcWeb,
    /// Connect with JSON over HTTP/1.1
    Connect,
    /// Connect with protobuf over HTTP/1.1
    ConnectProto,
    /// The JSON API over HTTP/1.1
    Json,
}

impl Protocol {
    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Protocol::Grpc => "grpc",
            Protocol::GrpcWeb => "grpc-web",
            Protocol::Connect => "connect",
            Protocol::ConnectProto => "connect-proto",
            Protocol::Json => "json",
        }
    }

    /// Whether messages are JSON and not protobuf.
    pub(crate) fn is_json(self) -> bool {
        matches!(self, Protocol::Connect | Protocol::Json)
    }
}

/// One request. Users, numbers and codes are ours, so none holds what JSON or a path would escape.
#[derive(Clone, Copy)]
pub(crate) enum Request<'a> {
    /// Registers a user without a number.
    Register { user: &'a str },
    /// Sets a number; the code comes back.
    SetReturned { user: &'a str, number: &'a str },
    /// Sets a number; the code is sent.
    SetSent { user: &'a str, number: &'a str },
    /// Submits a code.
    Verify { user: &'a str, code: &'a str },
    /// Reads a user.
    Get { user: &'a str },
    /// Reads a user's numbers.
    List { user: &'a str },
    /// Reads the page of numbers after `page_token`.
    Search { page_token: &'a str },
    /// Reads the page of users from place `offset` on.
    Users { offset: u64 },
    /// Reads the first page of those users that a filter finds.
    Filter,
    /// Asks the yardstick.
    Echo { text: &'a str },
}

impl Request<'_> {
    /// The path of the method, the same for gRPC, gRPC-web and Connect.
    pub(crate) fn method(&self) -> &'static str {
        match self {
            Request::Register { .. } => "/zitadel.user.v2.UserService/AddHumanUser",
            Request::SetReturned { .. } | Request::SetSent { .. } => {
                "/zitadel.user.v2.UserService/SetPhone"
            }
            Request::Verify { .. } => "/zitadel.user.v2.UserService/VerifyPhone",
            Request::Get { .. } => "/zitadel.user.v2.UserService/GetUserByID",
            Request::List { .. } => "/ringback.phone.v1.PhoneService/ListUserPhones",
            Request::Search { .. } => "/ringback.phone.v1.PhoneService/SearchPhones",
            Request::Users { .. } | Request::Filter => "/zitadel.user.v2.UserService/ListUsers",
            Request::Echo { .. } => "/ringback.load.v1.EchoService/Echo",
        }
    }

    /// Verb and path of the JSON API.
    pub(crate) fn route(&self) -> (Method, String) {
        match self {
            Request::Register { .. } => (Method::POST, "/v2/users/human".to_owned()),
            Request::SetReturned { user, .. } | Request::SetSent { user, .. } => {
                (Method::POST, format!("/v2/users/{user}/phone"))
            }
            Request::Verify { user, .. } => {
                (Method::POST, format!("/v2/users/{user}/phone/verify"))
            }
            Request::Get { user } => (Method::GET, format!("/v2/users/{user}")),
            Request::List { user } => (Method::GET, format!("/v2/users/{user}/phone")),
            Request::Search { .. } => (Method::POST, "/v2/phones/search".to_owned()),
            Request::Users { .. } | Request::Filter => (Method::POST, "/v2/users".to_owned()),
            Request::Echo { .. } => (Method::POST, self.method().to_owned()),
        }
    }

    /// Appends the message in protobuf.
    pub(crate) fn write_proto(&self, out: &mut Vec<u8>) {
        match *self {
            Request::Register { user } => put(out, &registration(user)),
            Request::SetReturned { user, number } => {
                let verification =
                    set_phone_request::Verification::ReturnCode(ReturnPhoneVerificationCode {});
                put(out, &set(user, number, verification));
            }
            Request::SetSent { user, number } => {
                let verification =
                    set_phone_request::Verification::SendCode(SendPhoneVerificationCode {});
                put(out, &set(user, number, verification));
            }
            Request::Verify { user, code } => {
                let request = VerifyPhoneRequest {
                    user_id: user.to_owned(),
                    verification_code: code.to_owned(),
                };
                put(out, &request);
            }
            Request::Get { user } => {
                let user_id = user.to_owned();
                put(out, &GetUserByIdRequest { user_id });
            }
            Request::List { user } => {
                let user_id = user.to_owned();
                put(out, &ListUserPhonesRequest { user_id });
            }
            Request::Search { page_token } => {
                let request = SearchPhonesRequest {
                    page_size: PAGE,
                    page_token: page_token.to_owned(),
                    ..SearchPhonesRequest::default()
                };
                put(out, &request);
            }
            Request::Users { offset } => put(out, &users::page(offset)),
            Request::Filter => put(out, &users::filter()),
            Request::Echo { text } => {
                let text = text.to_owned();
                put(out, &EchoRequest { text });
            }
        }
    }

    /// The message in JSON, whole: the JSON API takes a user id from the path and minds no second one.
    pub(crate) fn json(&self) -> String {
        match self {
            Request::Register { user } => format!(
                r#"{{"userId":"{user}","profile":{{"givenName":"Ann","familyName":"Example"}},"email":{{"email":"{user}@example.com"}}}}"#
            ),
            Request::SetReturned { user, number } => {
                format!(r#"{{"userId":"{user}","phone":"{number}","returnCode":{{}}}}"#)
            }
            Request::SetSent { user, number } => {
                format!(r#"{{"userId":"{user}","phone":"{number}","sendCode":{{}}}}"#)
            }
            Request::Verify { user, code } => {
                format!(r#"{{"userId":"{user}","verificationCode":"{code}"}}"#)
            }
            Request::Get { user } | Request::List { user } => format!(r#"{{"userId":"{user}"}}"#),
            Request::Search { page_token } => {
                format!(r#"{{"pageSize":{PAGE},"pageToken":"{page_token}"}}"#)
            }
            Request::Users { offset } => users::page_json(*offset),
            Request::Filter => users::filter_json(),
            Request::Echo { text } => format!(r#"{{"text":"{text}"}}"#),
        }
    }
}

fn put(out: &mut Vec<u8>, message: &impl Message) {
    message
        .encode(out)
        .expect("a vector grows as far as it must");
}

fn set(user: &str, number: &str, verification: set_phone_request::Verification) -> SetPhoneRequest {
    SetPhoneRequest {
        user_id: user.to_owned(),
        phone: number.to_owned(),
        verification: Some(verification),
    }
}

fn registration(user: &str) -> AddHumanUserRequest {
    AddHumanUserRequest {
        user_id: Some(user.to_owned()),
        profile: Some(SetHumanProfile {
            given_name: "Ann".to_owned(),
            family_name: "Example".to_owned(),
            ..SetHumanProfile::default()
        }),
        email: Some(SetHumanEmail {
            email: format!("{user}@example.com"),
            ..SetHumanEmail::default()
        }),
        ..AddHumanUserRequest::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_json() {
        for request in [
            Request::Register { user: "u" },
            Request::SetReturned {
                user: "u",
                number: "+4175",
            },
            Request::SetSent {
                user: "u",
                number: "+4175",
            },
            Request::Verify {
                user: "u",
                code: "1",
            },
            Request::Get { user: "u" },
            Request::List { user: "u" },
            Request::Search { page_token: "t" },
            Request::Users { offset: 100 },
            Request::Filter,
            Request::Echo { text: "t" },
        ] {
            let value: serde_json::Value = serde_json::from_str(&request.json()).unwrap();
            assert!(value.is_object());
        }
    }

    #[test]
    fn protobuf_says_the_same() {
        let mut out = Vec::new();
        Request::SetReturned {
            user: "u",
            number: "+4175",
        }
        .write_proto(&mut out);
        let read = SetPhoneRequest::decode(out.as_slice()).unwrap();
        assert_eq!((read.user_id.as_str(), read.phone.as_str()), ("u", "+4175"));
        assert!(matches!(
            read.verification,
            Some(set_phone_request::Verification::ReturnCode(_))
        ));
    }
}
