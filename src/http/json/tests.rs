//! What JSON is read, and what is said of the rest.

use prost_reflect::prost::Message;

use super::*;
use crate::proto;

fn message(name: &str) -> MessageDescriptor {
    proto::pool().get_message_by_name(name).unwrap()
}

fn set_phone() -> MessageDescriptor {
    message("zitadel.user.v2.SetPhoneRequest")
}

fn back(message: &MessageDescriptor, body: &str) -> String {
    let parsed = parse(message, body.as_bytes()).unwrap();
    let written = String::from_utf8(write(message, &parsed.encode_to_vec()).unwrap()).unwrap();
    let line = written.strip_suffix('\n').expect("JSON ends its line");
    line.to_owned()
}

fn refusal(message: &MessageDescriptor, body: &[u8]) -> String {
    let status = parse(message, body).unwrap_err();
    assert_eq!(status.code(), tonic::Code::InvalidArgument);
    status.message().to_owned()
}

#[test]
fn both_spellings_come_in_and_camel_case_goes_out() {
    let phone = set_phone();
    for body in [
        r#"{"user_id":"u","is_verified":false}"#,
        r#"{"userId":"u","isVerified":false,"unknown":{"a":[1]},"phone":null}"#,
    ] {
        // A oneof arm that is set to its zero value is set.
        assert_eq!(back(&phone, body), r#"{"userId":"u","isVerified":false}"#);
    }
    assert_eq!(back(&phone, ""), "{}");
    assert_eq!(back(&phone, " \n"), "{}");
    assert_eq!(back(&phone, r#"{"phone":""}"#), "{}");
}

#[test]
fn sixty_four_bits_are_text_and_times_end_in_z() {
    let details = message("zitadel.object.v2.Details");
    assert_eq!(
        back(
            &details,
            r#"{"sequence":18446744073709551615,"changeDate":"2025-03-31T12:00:00.123456+02:00","creationDate":"2025-03-31T12:00:00Z"}"#
        ),
        r#"{"sequence":"18446744073709551615","changeDate":"2025-03-31T10:00:00.123456Z","creationDate":"2025-03-31T12:00:00Z"}"#
    );
    assert_eq!(back(&details, r#"{"sequence":"7"}"#), r#"{"sequence":"7"}"#);
}

#[test]
fn present_messages_stay_and_enums_are_names() {
    let user = message("zitadel.user.v2.HumanUser");
    assert_eq!(
        back(&user, r#"{"phone":{},"state":1}"#),
        r#"{"state":"USER_STATE_ACTIVE","phone":{}}"#
    );
}

#[test]
fn two_arms_are_refused_with_the_choice() {
    let text = "phone verification: choose one of sendCode, returnCode, isVerified";
    for body in [
        r#"{"phone":"+41","sendCode":{},"returnCode":{},"isVerified":true}"#,
        r#"{"return_code":{},"is_verified":false}"#,
    ] {
        let refusal = refusal(&set_phone(), body.as_bytes());
        assert!(refusal.starts_with(text), "{refusal}");
    }
    let add = message("zitadel.user.v2.AddHumanUserRequest");
    let text_in_add = refusal(&add, br#"{"phone":{"sendCode":{},"isVerified":true}}"#);
    assert!(text_in_add.starts_with(text), "{text_in_add}");
    let resend = message("zitadel.user.v2.ResendPhoneCodeRequest");
    let text = refusal(&resend, br#"{"sendCode":{},"returnCode":{}}"#);
    assert!(
        text.starts_with("phone code verification: choose one of sendCode, returnCode"),
        "{text}"
    );
    // One arm and a null are one arm.
    parse(&resend, br#"{"sendCode":{},"returnCode":null}"#).unwrap();
}

#[test]
fn one_field_under_two_names_is_refused() {
    let update = message("zitadel.user.v2.UpdateUserRequest");
    let text = refusal(
        &update,
        br#"{"human":{"profile":{"nickName":"a","nick_name":"b"}}}"#,
    );
    assert!(
        text.starts_with("human.profile.nick_name is given more than once"),
        "{text}"
    );
    for twice in [
        r#"{"phone":"a","phone":"a"}"#,
        r#"{"phone":null,"phone":"a"}"#,
    ] {
        let text = refusal(&set_phone(), twice.as_bytes());
        assert_eq!(text, "phone is given more than once");
    }
    let text = refusal(&set_phone(), br#"{"unknown":1,"unknown":2}"#);
    assert_eq!(text, "a member of the request body is given more than once");
    let text = refusal(&set_phone(), br#"{"sendCode":{},"sendCode":{}}"#);
    assert!(
        text.starts_with("sendCode is given more than once"),
        "{text}"
    );
}

#[test]
fn wrong_types_name_the_field_and_not_the_value() {
    let secret = "secret-value-4711";
    let list = message("zitadel.user.v2.ListUsersRequest");
    let update = message("zitadel.user.v2.UpdateUserRequest");
    for (message, body, says) in [
        (
            set_phone(),
            format!(r#"{{"phone":["{secret}"]}}"#),
            "invalid value for phone: expected a text, found a list",
        ),
        (
            set_phone(),
            format!(r#"{{"isVerified":"{secret}"}}"#),
            "invalid value for isVerified: expected true or false, found a text",
        ),
        (
            set_phone(),
            format!(r#"["{secret}"]"#),
            "invalid value for request body: expected an object, found a list",
        ),
        (
            update,
            format!(r#"{{"human":{{"phone":{{"sendCode":"{secret}"}}}}}}"#),
            "invalid value for human.phone.sendCode: expected an object, found a text",
        ),
        (
            list.clone(),
            format!(r#"{{"queries":[{{"inUserIdsQuery":{{"userIds":["a",4711,"{secret}"]}}}}]}}"#),
            "invalid value for queries[0].inUserIdsQuery.userIds[1]: expected a text, found a number",
        ),
        (
            list.clone(),
            format!(r#"{{"query":{{"limit":-1}},"x":"{secret}"}}"#),
            "invalid value for query.limit: expected a whole number in range, found a number",
        ),
        (
            list,
            format!(r#"{{"queries":"{secret}"}}"#),
            "invalid value for queries: expected a list, found a text",
        ),
    ] {
        let text = refusal(&message, body.as_bytes());
        assert!(text.starts_with(says), "{text}");
        assert!(!text.contains(secret), "{text}");
    }
    let text = refusal(
        &message("zitadel.object.v2.Details"),
        br#"{"changeDate":"yesterday"}"#,
    );
    assert!(
        text.starts_with("invalid value for changeDate: expected a time such as"),
        "{text}"
    );
}

#[test]
fn broken_bodies_say_where() {
    let phone = set_phone();
    for (body, says) in [
        (
            &b"{\"phone\":\"+41"[..],
            "request body is not valid JSON: EOF while parsing a string at line 1 column",
        ),
        (
            b"{phone:1}",
            "request body is not valid JSON: key must be a string at line 1 column 2",
        ),
        (
            b"{} {}",
            "request body is not valid JSON: trailing characters at line 1 column 4",
        ),
        (
            b"{\"phone\":\"\xff\"}",
            "request body is not valid UTF-8 at byte 10",
        ),
        (
            b"{\"unknown\":\"\xff\"}",
            "request body is not valid UTF-8 at byte 12",
        ),
    ] {
        let text = refusal(&phone, body);
        assert!(text.starts_with(says), "{text}");
    }
}

#[test]
fn deep_nesting_is_refused_before_anything_recurses() {
    let list = message("zitadel.user.v2.ListUsersRequest");
    for (open, close) in [
        ("[", "]"),
        ("{\"queries\":[{\"notQuery\":", "}]}"),
        ("{\"x\":", "}"),
    ] {
        let body = format!("{}1{}", open.repeat(40_000), close.repeat(40_000));
        assert_eq!(
            refusal(&list, body.as_bytes()),
            "request body nests more than 64 levels deep"
        );
    }
    // Brackets in texts nest nothing.
    let body = serde_json::json!({"phone": "[{\\\"".repeat(100)}).to_string();
    parse(&set_phone(), body.as_bytes()).unwrap();
}

#[test]
fn whole_numbers_are_read_in_every_spelling_and_kept_in_range() {
    let details = message("zitadel.object.v2.Details");
    for spelled in ["7", "\"7\"", "7.0", "\"7.0\"", "0.7e1", "\"70e-1\""] {
        let body = format!(r#"{{"sequence":{spelled}}}"#);
        assert_eq!(back(&details, &body), r#"{"sequence":"7"}"#, "{spelled}");
    }
    for spelled in [
        "18446744073709551616",
        "\"18446744073709551616\"",
        "1.8446744073709551616e19",
        "\"1.8446744073709551616e19\"",
        "18446744073709551616.0",
        "-1",
        "\"-1\"",
        "1.5",
        "\"1.5\"",
        "\" 1\"",
        "\"\"",
        "true",
    ] {
        let body = format!(r#"{{"sequence":{spelled}}}"#);
        let text = refusal(&details, body.as_bytes());
        assert!(
            text.starts_with("invalid value for sequence: expected a whole number in range"),
            "{spelled}: {text}"
        );
    }
}

#[test]
fn enums_are_names_or_numbers_and_nothing_else() {
    let user = message("zitadel.user.v2.HumanUser");
    for spelled in ["\"USER_STATE_ACTIVE\"", "1", "1.0"] {
        let body = format!(r#"{{"state":{spelled}}}"#);
        assert_eq!(back(&user, &body), r#"{"state":"USER_STATE_ACTIVE"}"#);
    }
    let list = message("zitadel.user.v2.ListUsersRequest");
    for spelled in ["\"NO_SUCH_STATE\"", "\"1\"", "\"\"", "true"] {
        let body = format!(r#"{{"queries":[{{"stateQuery":{{"state":{spelled}}}}}]}}"#);
        let text = refusal(&list, body.as_bytes());
        let says = "invalid value for queries[0].stateQuery.state: expected a name of UserState";
        assert!(text.starts_with(says), "{spelled}: {text}");
    }
}

#[test]
fn an_unknown_state_lengthens_no_list_of_messages() {
    let list = message("ringback.sms.v1.ListMessagesRequest");
    let text = refusal(&list, br#"{"state":"MESSAGE_STATE_FLYING"}"#);
    let says = "invalid value for state: expected a name of MessageState";
    assert!(text.starts_with(says), "{text}");
}

#[test]
fn an_enumerator_that_nobody_knows_changes_nothing_outside_of_conditions() {
    let list = message("zitadel.user.v2.ListUsersRequest");
    assert_eq!(back(&list, r#"{"sortingColumn":"SHOE_SIZE"}"#), "{}");
}
