//! What the contract says of Frontegg's paths.

use axum::http::Method;
use axum::response::IntoResponse;
use ringback_core::Refusal;
use serde_json::{Value, json};

use super::errors::{Failure, wrong_method};
use super::list::{LAST_PAGE, MOST_USERS, USUAL_PAGE, Version};
use super::vendor::{BODY, VendorRefusal};
use super::{TENANT, USER};
use crate::auth::ID_CHARACTERS;
use crate::http::contract::refusals::{any, change, field, guess, new_number, number, sent};
use crate::http::contract::{
    About, Operation, PHONE, Words, bearer, languages, organization, reference,
};

/// An id of a number.
const ID: &str = "0190a5d2-0000-7000-8000-000000000001";
/// The form of an `otcToken`; this one is nobody's.
const OTC: &str = "AZCl0gAAcACAAAAAAAAAAQGQpdIAAHAAgAAAAAAAAAI";

pub(super) fn about() -> About {
    let header = |name: &str, about: &str| {
        let description = format!("{about} An id of at most {ID_CHARACTERS} printable characters.");
        let text = json!({ "type": "string" });
        json!({ "name": name, "in": "header", "description": description, "schema": text })
    };
    About {
        name: "Frontegg",
        description: "Frontegg's phone numbers, and its environment tokens.",
        security: json!([{ "bearer": [] }, { "accessToken": [] }]),
        parameters: vec![
            header(
                USER,
                "As whom a back end acts: needed with an environment token, and ignored with a user's.",
            ),
            header(
                TENANT,
                "In which organisation a caller acts whose rights hold everywhere.",
            ),
            organization(),
            languages(),
        ],
        schemes: json!({
            "bearer": bearer(),
            "accessToken": {
                "type": "apiKey",
                "in": "header",
                "name": "x-access-token",
                "description": "The same token, as clients for back ends send it.",
            },
        }),
        schemas: schemas(),
        refusal: "frontegg.Refusal",
        words: Words {
            refusal: |refusal| Failure::Refused(refusal.clone()).into_response(),
            of_read: |refusal| Failure::Unread(refusal.clone()).into_response(),
            unread: |unread| Failure::Body(unread).into_response(),
            media_type: Some(|| Failure::MediaType.into_response()),
            wrong_method: || wrong_method(&Method::PUT),
        },
    }
}

fn schemas() -> Value {
    let text = json!({ "type": "string" });
    let time = json!({ "type": "string", "format": "date-time" });
    let uuid = json!({ "type": "string", "format": "uuid" });
    let count = json!({ "type": "integer", "minimum": 0 });
    json!({
        "frontegg.Refusal": {
            "type": "object",
            "description": "Why a call was refused.",
            "required": ["errors"],
            "properties": {
                "errors": { "type": "array", "minItems": 1, "items": text },
                "errorCode": { "type": "string", "description": "Frontegg's code, where it publishes one that fits." },
            },
        },
        "frontegg.PhoneNumber": {
            "type": "object",
            "required": ["id", "userId", "phoneNumber", "verified", "createdAt", "updatedAt"],
            "properties": {
                "id": uuid,
                "userId": text,
                "phoneNumber": { "type": "string", "description": "In E.164." },
                "verified": { "type": "boolean" },
                "createdAt": time,
                "updatedAt": time,
            },
        },
        "frontegg.Page": {
            "type": "object",
            "required": ["items", "_links", "_metadata"],
            "properties": {
                "items": { "type": "array", "items": reference("frontegg.PhoneNumber") },
                "_links": {
                    "type": "object",
                    "description": "Paths without a host; empty where there is no such page.",
                    "required": ["next", "prev", "first", "last"],
                    "properties": { "next": text, "prev": text, "first": text, "last": text },
                },
                "_metadata": {
                    "type": "object",
                    "required": ["totalItems", "totalPages"],
                    "properties": { "totalItems": count, "totalPages": count },
                },
            },
        },
        "frontegg.CodeSent": {
            "type": "object",
            "properties": {
                "otcToken": { "type": "string", "description": "Goes along with the code; absent where none was sent." },
            },
        },
        "frontegg.Code": {
            "type": "object",
            "required": ["otcToken", "code"],
            "properties": {
                "otcToken": needed("What the answer named that asked for the code."),
                "code": needed("The code."),
            },
        },
        "frontegg.Number": {
            "type": "object",
            "required": ["phoneNumber"],
            "properties": { "phoneNumber": phone() },
        },
    })
}

/// A text that must not be empty.
fn needed(description: &str) -> Value {
    json!({ "type": "string", "minLength": 1, "description": description })
}

fn phone() -> Value {
    let mut number =
        needed("The number, in international form or as numbers.default_region reads it.");
    number["format"] = PHONE.into();
    number
}

fn wrong(name: &str) -> Refusal {
    field(name, "should not be empty")
}

fn malformed() -> axum::response::Response {
    Failure::Malformed.into_response()
}

/// Refusals of self-service, which a back end may act in.
fn own(more: Vec<Refusal>) -> Vec<Refusal> {
    let rule = "header should not be empty: an environment token must say whom it acts as";
    [change(), more, vec![field(USER, rule)]].concat()
}

fn number_id(operation: Operation) -> Operation {
    let text = json!({ "type": "string", "minLength": 1 });
    operation.path("id", "The id of the number.", &text, ID)
}

fn user_id(operation: Operation) -> Operation {
    let text = json!({ "type": "string", "minLength": 1 });
    operation.path("user", "The user's id.", &text, "ann")
}

pub(super) fn create() -> Operation {
    let body = json!({
        "type": "object",
        "required": ["phoneNumber"],
        "properties": {
            "phoneNumber": phone(),
            "verify": { "type": ["boolean", "null"], "default": true, "description": "Whether a code is sent." },
        },
    });
    Operation::new("create", "Add a number and send a code")
        .body(body, json!({ "phoneNumber": "+41791234567" }))
        .answers(
            201,
            "The number is the user's, and not verified.",
            reference("frontegg.CodeSent"),
        )
        .tells_times()
        .refuses(own([new_number(), vec![wrong("phoneNumber")]].concat()))
        .also("not_an_object", malformed)
}

pub(super) fn preverify() -> Operation {
    Operation::new("preverify", "Send a code before the number counts")
        .about("The number becomes the user's when it is verified.")
        .body(
            reference("frontegg.Number"),
            json!({ "phoneNumber": "+41791234567" }),
        )
        .answers(
            200,
            "The code is on its way.",
            reference("frontegg.CodeSent"),
        )
        .tells_times()
        .refuses(own([new_number(), vec![wrong("phoneNumber")]].concat()))
        .also("not_an_object", malformed)
}

pub(super) fn verify() -> Operation {
    Operation::new("verify", "Submit the code of a number")
        .body(
            reference("frontegg.Code"),
            json!({ "otcToken": OTC, "code": "123456" }),
        )
        .empty(200, "The number is verified.")
        .refuses(own([guess(), vec![wrong("code")]].concat()))
        .also("not_an_object", malformed)
}

pub(super) fn own_numbers() -> Operation {
    let list = json!({ "type": "array", "items": reference("frontegg.PhoneNumber") });
    Operation::new("own", "List the user's own numbers")
        .answers(
            200,
            "The numbers; none of a user who is not known yet.",
            list,
        )
        .refuses([any(), own(vec![])].concat())
        .reads()
}

pub(super) fn ask_removal() -> Operation {
    let asked = json!({
        "type": "object",
        "required": ["phoneId", "otcToken"],
        "properties": {
            "phoneId": { "type": "string", "format": "uuid" },
            "otcToken": { "type": ["string", "null"] },
        },
    });
    number_id(Operation::new(
        "askRemoval",
        "Ask for a number to be removed",
    ))
    .about("A code is sent to the number, and nothing is removed yet.")
    .answers(200, "The code is on its way.", asked)
    .tells_times()
    .refuses(own([sent(), vec![Refusal::PhoneNotFound]].concat()))
}

pub(super) fn remove() -> Operation {
    number_id(Operation::new("remove", "Remove a number with its code"))
        .body(
            reference("frontegg.Code"),
            json!({ "otcToken": OTC, "code": "123456" }),
        )
        .empty(200, "The number is gone.")
        .refuses(own(
            [guess(), vec![Refusal::PhoneNotFound, wrong("code")]].concat()
        ))
        .also("not_an_object", malformed)
}

pub(super) fn create_verified() -> Operation {
    let more = vec![
        Refusal::PhoneUnchanged,
        Refusal::TooManyNumbers,
        wrong("phoneNumber"),
    ];
    user_id(Operation::new(
        "createVerified",
        "Add a verified number to a user",
    ))
    .about("For callers with user.write.")
    .body(
        reference("frontegg.Number"),
        json!({ "phoneNumber": "+41791234567" }),
    )
    .empty(201, "The number is the user's and verified.")
    .refuses([own(number()), more].concat())
    .also("not_an_object", malformed)
}

pub(super) fn remove_at_once() -> Operation {
    let more = vec![Refusal::PhoneNotFound];
    number_id(user_id(Operation::new(
        "removeAtOnce",
        "Remove a user's number at once",
    )))
    .about("For callers with user.write.")
    .empty(200, "The number is gone.")
    .refuses(own(more))
}

pub(super) fn list_v1() -> Operation {
    list(
        "listV1",
        "List numbers of all users (deprecated)",
        Version::One,
    )
    .with_header("deprecation", true)
    .with_header("link", true)
    .deprecated()
}

pub(super) fn list_v2() -> Operation {
    list("list", "List numbers of all users", Version::Two)
}

fn list(id: &'static str, summary: &'static str, version: Version) -> Operation {
    // The vendor's client writes what it has no value for as this word.
    let or_none = |schema: Value| json!({ "anyOf": [schema, { "enum": ["", "undefined"] }] });
    let (largest, none) = (version.largest_page(), ["", "undefined"]);
    let limit =
        json!({ "type": "integer", "minimum": 1, "maximum": largest, "default": USUAL_PAGE });
    let page = json!({ "type": "integer", "minimum": 0, "maximum": LAST_PAGE, "default": 0 });
    let choice = |names: [&str; 2]| {
        let names = [names, none].concat();
        json!({ "type": "string", "enum": names })
    };
    let users = json!({
        "type": "array",
        "maxItems": MOST_USERS,
        "items": {
            "type": "string",
            "pattern": r#"^([ \t\r\n]*\[("[^"\\\u0000-\u001f]*"(,"[^"\\\u0000-\u001f]*")*)?\][ \t\r\n]*$|\s*([^\s\[]|$))"#,
        },
    });
    Operation::new(id, summary)
        .about("Numbers of everybody whom the caller may read.")
        .query("_limit", "How many numbers a page holds.", &or_none(limit))
        .query("_offset", "Which page; 0 is the first one.", &or_none(page))
        .query(
            "_sortBy",
            "By what; by when numbers were added unless it is said.",
            &choice(["userId", "phoneNumber"]),
        )
        .query(
            "_order",
            "Which way; ASC unless it is said.",
            &choice(["ASC", "DESC"]),
        )
        .query(
            "_phoneNumber",
            "Only this number, in any spelling.",
            &json!({ "type": "string" }),
        )
        .query(
            "userIds",
            "Only numbers of these users: repeated, separated by commas, or as a JSON array.",
            &users,
        )
        .answers(200, "One page.", reference("frontegg.Page"))
        .refuses(
            [
                any(),
                number(),
                vec![field("_limit", "must be a number from 1 to 250")],
            ]
            .concat(),
        )
        .reads()
}

pub(super) fn vendor_token() -> Operation {
    let body = json!({
        "type": "object",
        "required": ["clientId", "secret"],
        "properties": { "clientId": needed("The client's id."), "secret": needed("Its secret.") },
    });
    let token = json!({
        "type": "object",
        "required": ["token", "expiresIn"],
        "properties": {
            "token": { "type": "string", "description": "An environment token." },
            "expiresIn": { "type": "integer", "description": "For how many seconds." },
        },
    });
    let example = json!({ "clientId": "backend", "secret": "0123456789abcdef0123456789abcdef" });
    Operation::new("vendorToken", "Get an environment token")
        .open()
        .body_up_to(BODY, body, example)
        .answers(200, "A token for a back end.", token)
        .refuses(vec![Refusal::TokenInvalid, wrong("clientId")])
        .also("limited", || {
            let retry_after = std::time::Duration::from_secs(600);
            Failure::Vendor(VendorRefusal::Limited { retry_after }).into_response()
        })
        .also("not_an_object", malformed)
}
