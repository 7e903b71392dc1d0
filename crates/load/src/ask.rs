//! Requests, in each of the forms that a wire wants.

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

/// Which language is spoken with the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Wire {
    /// gRPC over HTTP/2
    Grpc,
    /// gRPC-web over HTTP/1.1
    GrpcWeb,
    /// Connect with JSON over HTTP/1.1
    Connect,
    /// Connect with protobuf over HTTP/1.1
    ConnectProto,
    /// The JSON paths over HTTP/1.1
    Json,
}

impl Wire {
    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Wire::Grpc => "grpc",
            Wire::GrpcWeb => "grpc-web",
            Wire::Connect => "connect",
            Wire::ConnectProto => "connect-proto",
            Wire::Json => "json",
        }
    }

    /// Whether messages are JSON and not protobuf.
    pub(crate) fn is_json(self) -> bool {
        matches!(self, Wire::Connect | Wire::Json)
    }
}

/// One request. Users, numbers and codes are ours, so none holds what JSON or a path would escape.
#[derive(Clone, Copy)]
pub(crate) enum Ask<'a> {
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

impl Ask<'_> {
    /// The path of the method, the same for gRPC, gRPC-web and Connect.
    pub(crate) fn method(&self) -> &'static str {
        match self {
            Ask::Register { .. } => "/zitadel.user.v2.UserService/AddHumanUser",
            Ask::SetReturned { .. } | Ask::SetSent { .. } => {
                "/zitadel.user.v2.UserService/SetPhone"
            }
            Ask::Verify { .. } => "/zitadel.user.v2.UserService/VerifyPhone",
            Ask::Get { .. } => "/zitadel.user.v2.UserService/GetUserByID",
            Ask::List { .. } => "/ringback.phone.v1.PhoneService/ListUserPhones",
            Ask::Search { .. } => "/ringback.phone.v1.PhoneService/SearchPhones",
            Ask::Users { .. } | Ask::Filter => "/zitadel.user.v2.UserService/ListUsers",
            Ask::Echo { .. } => "/ringback.load.v1.EchoService/Echo",
        }
    }

    /// Verb and path of the JSON door.
    pub(crate) fn route(&self) -> (Method, String) {
        match self {
            Ask::Register { .. } => (Method::POST, "/v2/users/human".to_owned()),
            Ask::SetReturned { user, .. } | Ask::SetSent { user, .. } => {
                (Method::POST, format!("/v2/users/{user}/phone"))
            }
            Ask::Verify { user, .. } => (Method::POST, format!("/v2/users/{user}/phone/verify")),
            Ask::Get { user } => (Method::GET, format!("/v2/users/{user}")),
            Ask::List { user } => (Method::GET, format!("/v2/users/{user}/phone")),
            Ask::Search { .. } => (Method::POST, "/v2/phones/search".to_owned()),
            Ask::Users { .. } | Ask::Filter => (Method::POST, "/v2/users".to_owned()),
            Ask::Echo { .. } => (Method::POST, self.method().to_owned()),
        }
    }

    /// Appends the message in protobuf.
    pub(crate) fn write_proto(&self, out: &mut Vec<u8>) {
        match *self {
            Ask::Register { user } => put(out, &registration(user)),
            Ask::SetReturned { user, number } => {
                let verification =
                    set_phone_request::Verification::ReturnCode(ReturnPhoneVerificationCode {});
                put(out, &set(user, number, verification));
            }
            Ask::SetSent { user, number } => {
                let verification =
                    set_phone_request::Verification::SendCode(SendPhoneVerificationCode {});
                put(out, &set(user, number, verification));
            }
            Ask::Verify { user, code } => {
                let request = VerifyPhoneRequest {
                    user_id: user.to_owned(),
                    verification_code: code.to_owned(),
                };
                put(out, &request);
            }
            Ask::Get { user } => {
                let user_id = user.to_owned();
                put(out, &GetUserByIdRequest { user_id });
            }
            Ask::List { user } => {
                let user_id = user.to_owned();
                put(out, &ListUserPhonesRequest { user_id });
            }
            Ask::Search { page_token } => {
                let request = SearchPhonesRequest {
                    page_size: PAGE,
                    page_token: page_token.to_owned(),
                    ..SearchPhonesRequest::default()
                };
                put(out, &request);
            }
            Ask::Users { offset } => put(out, &users::page(offset)),
            Ask::Filter => put(out, &users::filter()),
            Ask::Echo { text } => {
                let text = text.to_owned();
                put(out, &EchoRequest { text });
            }
        }
    }

    /// The message in JSON, whole: the JSON door takes a user id from the path and minds no second one.
    pub(crate) fn json(&self) -> String {
        match self {
            Ask::Register { user } => format!(
                r#"{{"userId":"{user}","profile":{{"givenName":"Ann","familyName":"Example"}},"email":{{"email":"{user}@example.com"}}}}"#
            ),
            Ask::SetReturned { user, number } => {
                format!(r#"{{"userId":"{user}","phone":"{number}","returnCode":{{}}}}"#)
            }
            Ask::SetSent { user, number } => {
                format!(r#"{{"userId":"{user}","phone":"{number}","sendCode":{{}}}}"#)
            }
            Ask::Verify { user, code } => {
                format!(r#"{{"userId":"{user}","verificationCode":"{code}"}}"#)
            }
            Ask::Get { user } | Ask::List { user } => format!(r#"{{"userId":"{user}"}}"#),
            Ask::Search { page_token } => {
                format!(r#"{{"pageSize":{PAGE},"pageToken":"{page_token}"}}"#)
            }
            Ask::Users { offset } => users::page_json(*offset),
            Ask::Filter => users::filter_json(),
            Ask::Echo { text } => format!(r#"{{"text":"{text}"}}"#),
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
        for ask in [
            Ask::Register { user: "u" },
            Ask::SetReturned {
                user: "u",
                number: "+4175",
            },
            Ask::SetSent {
                user: "u",
                number: "+4175",
            },
            Ask::Verify {
                user: "u",
                code: "1",
            },
            Ask::Get { user: "u" },
            Ask::List { user: "u" },
            Ask::Search { page_token: "t" },
            Ask::Users { offset: 100 },
            Ask::Filter,
            Ask::Echo { text: "t" },
        ] {
            let value: serde_json::Value = serde_json::from_str(&ask.json()).unwrap();
            assert!(value.is_object());
        }
    }

    #[test]
    fn protobuf_says_the_same() {
        let mut out = Vec::new();
        Ask::SetReturned {
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
