//! Replies, read and checked: an answer that is fast and wrong counts as none.

mod users;

use prost::Message;
use serde::Deserialize;

use crate::proto::ringback::load::v1::EchoResponse;
use crate::proto::ringback::phone::v1::SearchPhonesResponse;
use crate::proto::zitadel::object::v2::Details;
use crate::proto::zitadel::user::v2::{
    AddHumanUserResponse, GetUserByIdResponse, SetPhoneResponse, VerifyPhoneResponse, user,
};
use crate::reply::Reply;

pub(crate) use users::{filtered, users};

/// Status of a code that is not right (gRPC's INVALID_ARGUMENT).
const INVALID_ARGUMENT: i32 = 3;
/// Status of what took longer than it may (gRPC's DEADLINE_EXCEEDED).
const DEADLINE_EXCEEDED: i32 = 4;
/// Status of what is too much (gRPC's RESOURCE_EXHAUSTED).
const RESOURCE_EXHAUSTED: i32 = 8;

/// Why an operation does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Miss {
    /// The server has more waiting than it can do soon, and said so.
    Overloaded,
    /// The server gave up, because it took longer than it may.
    Late,
    /// Another answer than the right one.
    Wrong(String),
    /// No answer: the connection is gone.
    Broken(String),
    /// There are no fresh users left.
    Exhausted,
}

pub(crate) fn wrong(text: impl Into<String>) -> Miss {
    Miss::Wrong(text.into())
}

/// One number, as both forms tell it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Phone {
    pub(crate) id: String,
    pub(crate) user_id: String,
    pub(crate) phone: String,
    pub(crate) is_verified: bool,
    pub(crate) is_primary: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonDetails {
    sequence: String,
    change_date: String,
    resource_owner: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonChanged {
    details: JsonDetails,
    #[serde(default)]
    verification_code: Option<String>,
}

#[derive(Deserialize)]
struct JsonGot {
    user: JsonUser,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonUser {
    user_id: String,
    human: JsonHuman,
}

#[derive(Deserialize)]
struct JsonHuman {
    phone: Phone,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct JsonPage {
    phones: Vec<Phone>,
    next_page_token: String,
}

/// The user is registered.
pub(crate) fn registered(reply: &Reply) -> Result<(), Miss> {
    if reply.is_json {
        let read: JsonChanged = json(reply)?;
        return json_details(&read.details);
    }
    details(proto::<AddHumanUserResponse>(reply)?.details)
}

/// The number is set, and this is its code.
pub(crate) fn set_returned(reply: &Reply) -> Result<String, Miss> {
    let code = set(reply)?.ok_or_else(|| wrong("the reply holds no code"))?;
    if code.len() != 6 || !code.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong("the code in the reply is not of six digits"));
    }
    Ok(code)
}

/// The number is set, and its code is told to nobody.
pub(crate) fn set_sent(reply: &Reply) -> Result<(), Miss> {
    match set(reply)? {
        None => Ok(()),
        Some(_) => Err(wrong("the reply holds a code that was to be sent")),
    }
}

fn set(reply: &Reply) -> Result<Option<String>, Miss> {
    if reply.is_json {
        let read: JsonChanged = json(reply)?;
        json_details(&read.details)?;
        return Ok(read.verification_code);
    }
    let read: SetPhoneResponse = proto(reply)?;
    details(read.details)?;
    Ok(read.verification_code)
}

/// The number is verified.
pub(crate) fn verified(reply: &Reply) -> Result<(), Miss> {
    if reply.is_json {
        let read: JsonChanged = json(reply)?;
        return json_details(&read.details);
    }
    details(proto::<VerifyPhoneResponse>(reply)?.details)
}

/// The code is refused, as it must be.
pub(crate) fn code_refused(reply: &Reply) -> Result<(), Miss> {
    if reply.code == INVALID_ARGUMENT && reply.text.contains("COMMAND-eis9R") {
        return Ok(());
    }
    succeeded(reply)?;
    Err(wrong("a wrong code was accepted"))
}

/// The user and its number are those that were asked for.
pub(crate) fn got(reply: &Reply, user: &str, number: &str, verified: bool) -> Result<(), Miss> {
    let (id, phone, is_verified) = if reply.is_json {
        let JsonUser { user_id, human } = json::<JsonGot>(reply)?.user;
        (user_id, human.phone.phone, human.phone.is_verified)
    } else {
        let read = proto::<GetUserByIdResponse>(reply)?.user;
        let read = read.ok_or_else(|| wrong("the reply holds no user"))?;
        let Some(user::Type::Human(human)) = read.r#type else {
            return Err(wrong("the reply holds no human"));
        };
        let phone = human.phone.unwrap_or_default();
        (read.user_id, phone.phone, phone.is_verified)
    };
    if id != user {
        return Err(wrong("the reply is about another user"));
    }
    if phone != number || is_verified != verified {
        return Err(wrong("the user's number is not what it was set to"));
    }
    Ok(())
}

/// The user's one number is the one that was asked for.
pub(crate) fn listed(reply: &Reply, user: &str, number: &str, verified: bool) -> Result<(), Miss> {
    let (phones, _) = page(reply)?;
    let [phone] = phones.as_slice() else {
        return Err(wrong("the user has not exactly one number"));
    };
    let right = phone.user_id == user
        && phone.phone == number
        && phone.is_primary
        && phone.is_verified == verified;
    if right {
        Ok(())
    } else {
        Err(wrong("the user's number is not what it was set to"))
    }
}

/// The page holds numbers in the order of their ids, and this is what the next one is asked for with.
pub(crate) fn searched(reply: &Reply, most: usize) -> Result<String, Miss> {
    let (phones, next) = page(reply)?;
    if phones.is_empty() || phones.len() > most {
        return Err(wrong(format!("a page of {} numbers", phones.len())));
    }
    if !next.is_empty() && phones.len() < most {
        return Err(wrong("a page that is not the last one is not full"));
    }
    if !phones.is_sorted_by(|a, b| a.id < b.id) {
        return Err(wrong("the numbers of a page are not in order"));
    }
    let whole = |phone: &Phone| !phone.user_id.is_empty() && phone.phone.starts_with('+');
    if !phones.iter().all(whole) {
        return Err(wrong("a number without its user or its digits"));
    }
    Ok(next)
}

fn page(reply: &Reply) -> Result<(Vec<Phone>, String), Miss> {
    if reply.is_json {
        let read: JsonPage = json(reply)?;
        return Ok((read.phones, read.next_page_token));
    }
    // A list is a page without a token, field for field.
    let SearchPhonesResponse {
        phones,
        next_page_token: next,
    } = proto(reply)?;
    let phones = phones.into_iter().map(|phone| Phone {
        id: phone.id,
        user_id: phone.user_id,
        phone: phone.phone,
        is_verified: phone.is_verified,
        is_primary: phone.is_primary,
    });
    Ok((phones.collect(), next))
}

/// The yardstick said what it was told.
pub(crate) fn echoed(reply: &Reply, text: &str) -> Result<(), Miss> {
    match proto::<EchoResponse>(reply)?.text == text {
        true => Ok(()),
        false => Err(wrong("the echo is another text")),
    }
}

fn succeeded(reply: &Reply) -> Result<(), Miss> {
    match reply.code {
        0 => Ok(()),
        RESOURCE_EXHAUSTED if reply.text.contains("RINGBACK-overloaded") => Err(Miss::Overloaded),
        DEADLINE_EXCEEDED => Err(Miss::Late),
        code => Err(wrong(format!("status {code}: {}", reply.text))),
    }
}

fn proto<T: Message + Default>(reply: &Reply) -> Result<T, Miss> {
    succeeded(reply)?;
    T::decode(reply.body.clone()).map_err(|_| wrong("the reply is not valid protobuf"))
}

fn json<'a, T: Deserialize<'a>>(reply: &'a Reply) -> Result<T, Miss> {
    succeeded(reply)?;
    // What serde says may quote the reply, and a reply may hold a code.
    serde_json::from_slice(&reply.body).map_err(|_| wrong("the reply lacks a field or is no JSON"))
}

fn details(details: Option<Details>) -> Result<(), Miss> {
    let details = details.ok_or_else(|| wrong("the reply holds no details"))?;
    match details.sequence > 0
        && details.change_date.is_some()
        && !details.resource_owner.is_empty()
    {
        true => Ok(()),
        false => Err(wrong("the details of the reply are not whole")),
    }
}

fn json_details(details: &JsonDetails) -> Result<(), Miss> {
    let counted = details
        .sequence
        .parse::<u64>()
        .is_ok_and(|sequence| sequence > 0);
    match counted && !details.change_date.is_empty() && !details.resource_owner.is_empty() {
        true => Ok(()),
        false => Err(wrong("the details of the reply are not whole")),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn said(code: i32, text: &str, body: &'static str) -> Reply {
        Reply {
            code,
            text: text.to_owned(),
            body: Bytes::from_static(body.as_bytes()),
            is_json: true,
        }
    }

    #[test]
    fn a_code_must_be_there_when_it_was_asked_for_and_only_then() {
        let with = said(
            0,
            "",
            r#"{"details":{"sequence":"3","changeDate":"x","resourceOwner":"o"},"verificationCode":"012345"}"#,
        );
        assert_eq!(set_returned(&with), Ok("012345".to_owned()));
        assert!(matches!(set_sent(&with), Err(Miss::Wrong(_))));
        let without = said(
            0,
            "",
            r#"{"details":{"sequence":"3","changeDate":"x","resourceOwner":"o"}}"#,
        );
        assert_eq!(set_sent(&without), Ok(()));
        assert!(matches!(set_returned(&without), Err(Miss::Wrong(_))));
    }

    #[test]
    fn details_must_be_whole() {
        let zero = said(
            0,
            "",
            r#"{"details":{"sequence":"0","changeDate":"x","resourceOwner":"o"}}"#,
        );
        assert!(matches!(verified(&zero), Err(Miss::Wrong(_))));
        assert!(matches!(verified(&said(0, "", "{}")), Err(Miss::Wrong(_))));
    }

    #[test]
    fn overload_is_told_from_limits_and_from_faults() {
        assert_eq!(
            verified(&said(8, "too much (RINGBACK-overloaded)", "")),
            Err(Miss::Overloaded)
        );
        assert!(matches!(
            verified(&said(8, "limit (RINGBACK-limited)", "")),
            Err(Miss::Wrong(_))
        ));
        assert_eq!(verified(&said(4, "too late", "")), Err(Miss::Late));
        assert_eq!(code_refused(&said(3, "no (COMMAND-eis9R)", "")), Ok(()));
        assert!(code_refused(&said(3, "something else", "")).is_err());
        assert!(code_refused(&said(0, "", "{}")).is_err());
    }

    #[test]
    fn a_page_must_be_full_and_in_order() {
        let page = |ids: &[&str], next: &str| {
            let phones: Vec<_> = ids
                .iter()
                .map(|id| format!(r#"{{"id":"{id}","userId":"u","phone":"+41"}}"#))
                .collect();
            let body = format!(
                r#"{{"phones":[{}],"nextPageToken":"{next}"}}"#,
                phones.join(",")
            );
            let reply = Reply {
                body: body.into(),
                ..said(0, "", "")
            };
            searched(&reply, 2)
        };
        assert_eq!(page(&["a", "b"], "t"), Ok("t".to_owned()));
        assert_eq!(page(&["a"], ""), Ok(String::new()));
        for (ids, next) in [
            (&["a"][..], "t"),
            (&["b", "a"], "t"),
            (&[], ""),
            (&["a", "b", "c"], ""),
        ] {
            assert!(page(ids, next).is_err(), "{ids:?}");
        }
    }

    #[test]
    fn a_user_must_be_the_right_one_with_the_right_number() {
        let reply = said(
            0,
            "",
            r#"{"user":{"userId":"u","human":{"phone":{"phone":"+41","isVerified":true}}}}"#,
        );
        assert_eq!(got(&reply, "u", "+41", true), Ok(()));
        assert!(got(&reply, "v", "+41", true).is_err());
        assert!(got(&reply, "u", "+42", true).is_err());
        assert!(got(&reply, "u", "+41", false).is_err());
    }
}
