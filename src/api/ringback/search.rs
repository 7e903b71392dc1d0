//! SearchPhones: conditions as a query, and the tokens of its pages.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ringback_core::audit::hex;
use ringback_core::rights::Scope;
use ringback_core::{Caller, Id, Keys, Number, Policies, Refusal};
use ringback_store::PhoneQuery;
use subtle::ConstantTimeEq;

use super::rules::{invalid, length};
use crate::proto::ringback::phone::v1::SearchPhonesRequest;
use crate::proto::rules;

const USUAL_PAGE: u32 = 100;
static LARGEST_PAGE: LazyLock<usize> =
    LazyLock::new(|| rules::most("ringback.phone.v1.SearchPhonesRequest.page_size"));
/// How many users one search may name.
static MOST_USERS: LazyLock<usize> =
    LazyLock::new(|| rules::most("ringback.phone.v1.SearchPhonesRequest.user_ids"));
/// The request's name in `proto/`.
const MESSAGE: &str = "SearchPhonesRequest";

/// A search, and the bytes that tell it from every other one.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) query: PhoneQuery,
    pub(super) bound: Vec<u8>,
}

impl Search {
    pub(super) fn of(
        request: SearchPhonesRequest,
        caller: &Caller,
        policies: &Policies,
        keys: &Keys,
    ) -> Result<Search, Refusal> {
        if request.user_ids.len() > *MOST_USERS {
            let rule = format!("must not name more than {} users", *MOST_USERS);
            return Err(invalid("user_ids", rule));
        }
        for (index, id) in request.user_ids.iter().enumerate() {
            length(MESSAGE, &format!("user_ids[{index}]"), id)?;
        }
        length(MESSAGE, "phone", &request.phone)?;
        length(MESSAGE, "organization_id", &request.organization_id)?;
        check_prefix(&request.phone_prefix)?;
        if request.page_size as usize > *LARGEST_PAGE {
            let rule = format!("must not be more than {}", *LARGEST_PAGE);
            return Err(invalid("page_size", rule));
        }
        let organization = given(request.organization_id);
        let scope = caller.scope(organization.as_deref())?;
        // As the organisation that is searched reads it.
        let place = organization.as_deref().unwrap_or(&caller.organization);
        let rules = &policies.of(place).numbers;
        let number = given(request.phone)
            .map(|text| Number::parse(&text, rules))
            .transpose()?;
        let mut query = PhoneQuery {
            scope,
            accounts: request.user_ids,
            number,
            prefix: given(request.phone_prefix),
            verified: request.is_verified,
            after: None,
            limit: if request.page_size == 0 {
                USUAL_PAGE
            } else {
                request.page_size
            },
        };
        let bound = binding(&query);
        query.after = given(request.page_token)
            .map(|token| last_of(keys, &token, &bound))
            .transpose()?;
        Ok(Search { query, bound })
    }
}

fn given(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn check_prefix(prefix: &str) -> Result<(), Refusal> {
    let digits = prefix.strip_prefix('+');
    let fits = digits.is_some_and(|d| d.len() <= 15 && d.bytes().all(|b| b.is_ascii_digit()));
    if prefix.is_empty() || fits {
        Ok(())
    } else {
        Err(invalid(
            "phone_prefix",
            "must be a plus and at most 15 digits, such as +4179",
        ))
    }
}

/// Everything that decides which numbers a search finds and who asks, but not the page: a token continues
/// the search that it came from and no other. Each part is preceded by its length, so no two searches
/// read the same.
fn binding(query: &PhoneQuery) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut part = |part: &[u8]| {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(part);
    };
    match &query.scope {
        Scope::Own {
            account,
            organization,
        } => {
            part(b"own");
            part(account.as_bytes());
            part(organization.as_bytes());
        }
        Scope::Organization(organization) => {
            part(b"organization");
            part(organization.as_bytes());
        }
        Scope::Everywhere => part(b"everywhere"),
    }
    part(&(query.accounts.len() as u64).to_be_bytes());
    for account in &query.accounts {
        part(account.as_bytes());
    }
    part(query.number.as_ref().map_or("", Number::as_str).as_bytes());
    part(query.prefix.as_deref().unwrap_or_default().as_bytes());
    part(match query.verified {
        None => b"",
        Some(true) => b"verified",
        Some(false) => b"unverified",
    });
    bytes
}

const ID_BYTES: usize = 16;

pub(super) fn page_token(keys: &Keys, last: Id, bound: &[u8]) -> String {
    let id = last.as_bytes();
    let tag = keys.tag("search_phones", &[id, bound].concat());
    URL_SAFE_NO_PAD.encode([&id[..], &tag].concat())
}

/// The last number of the page before.
pub(super) fn last_of(keys: &Keys, token: &str, bound: &[u8]) -> Result<Id, Refusal> {
    let last = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| {
        let (id, tag) = bytes.split_at_checked(ID_BYTES)?;
        let expected = keys.tag("search_phones", &[id, bound].concat());
        if !bool::from(expected[..].ct_eq(tag)) {
            return None;
        }
        Id::parse(&hex(id))
    });
    last.ok_or_else(|| {
        invalid(
            "page_token",
            "is not from a page of this search; begin again without a token",
        )
    })
}
