//! Lists of users, checked against what was seeded.

use serde::Deserialize;

use super::{JsonUser, Miss, json, proto, wrong};
use crate::ids;
use crate::proto::zitadel::user::v2::{ListUsersResponse, user};
use crate::reply::Reply;
use crate::request::{FILTERED_BY, PAGE};

/// A page of users and how many there are on all pages.
struct Users {
    total: u64,
    page: Vec<User>,
}

#[derive(Debug, PartialEq, Eq)]
struct User {
    id: String,
    number: String,
    is_verified: bool,
}

#[derive(Deserialize)]
struct JsonUsers {
    details: JsonListDetails,
    #[serde(default)]
    result: Vec<JsonUser>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JsonListDetails {
    total_result: String,
}

/// The page holds the seeded users from place `offset` on, each with its number; `known` were seeded.
pub(crate) fn users(reply: &Reply, offset: u64, known: u64) -> Result<(), Miss> {
    let Users { total, page } = read(reply)?;
    if total < known {
        return Err(wrong("the list does not count all users"));
    }
    whole(total.saturating_sub(offset), &page)?;
    let seeded = (offset..known).map(|n| User {
        id: ids::user(n),
        number: ids::number(n),
        is_verified: ids::is_verified(n),
    });
    if page
        .iter()
        .zip(seeded)
        .all(|(found, seeded)| *found == seeded)
    {
        Ok(())
    } else {
        Err(wrong(
            "the page holds other users than were made at its place",
        ))
    }
}

/// What is found is what was filtered by, in the order of e-mail addresses, the last one first; so many of the
/// seeded users have to be found.
pub(crate) fn filtered(reply: &Reply, seeded: u64) -> Result<(), Miss> {
    let Users { total, page } = read(reply)?;
    if total < seeded {
        return Err(wrong("the filter does not find all users"));
    }
    whole(total, &page)?;
    if !page.iter().all(|user| user.id.contains(FILTERED_BY)) {
        return Err(wrong("the filter finds a user that it is not about"));
    }
    // The address begins with the id.
    match page.is_sorted_by(|a, b| a.id > b.id) {
        true => Ok(()),
        false => Err(wrong("the users of a page are not in order")),
    }
}

/// The page has what is left from its place on, or is full.
fn whole(left: u64, page: &[User]) -> Result<(), Miss> {
    match page.len() as u64 == left.min(PAGE.into()) {
        true => Ok(()),
        false => Err(wrong(format!("a page of {} users", page.len()))),
    }
}

fn read(reply: &Reply) -> Result<Users, Miss> {
    if reply.is_json {
        let JsonUsers { details, result } = json(reply)?;
        let total = details.total_result.parse();
        let page = result.into_iter().map(|user| User {
            id: user.user_id,
            number: user.human.phone.phone,
            is_verified: user.human.phone.is_verified,
        });
        return Ok(Users {
            total: total.map_err(|_| wrong("the list has no count"))?,
            page: page.collect(),
        });
    }
    let ListUsersResponse {
        details, result, ..
    } = proto(reply)?;
    let details = details.ok_or_else(|| wrong("the reply holds no details"))?;
    let page = result.into_iter().map(|read| {
        let Some(user::Type::Human(human)) = read.r#type else {
            return Err(wrong("the list holds one who is no human"));
        };
        let phone = human.phone.unwrap_or_default();
        Ok(User {
            id: read.user_id,
            number: phone.phone,
            is_verified: phone.is_verified,
        })
    });
    Ok(Users {
        total: details.total_result,
        page: page.collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(total: u64, users: &[(String, String, bool)]) -> Reply {
        let users: Vec<_> = users
            .iter()
            .map(|(id, number, verified)| {
                let phone = format!(r#"{{"phone":"{number}","isVerified":{verified}}}"#);
                format!(r#"{{"userId":"{id}","human":{{"phone":{phone}}}}}"#)
            })
            .collect();
        let body = format!(
            r#"{{"details":{{"totalResult":"{total}"}},"result":[{}]}}"#,
            users.join(",")
        );
        Reply {
            code: 0,
            text: String::new(),
            body: body.into(),
            is_json: true,
        }
    }

    fn seeded(n: u64) -> (String, String, bool) {
        (ids::user(n), ids::number(n), ids::is_verified(n))
    }

    #[test]
    fn a_page_must_hold_who_was_made_at_its_place() {
        let right: Vec<_> = (3..6).map(seeded).collect();
        assert_eq!(users(&said(6, &right), 3, 6), Ok(()));
        assert!(users(&said(6, &right), 2, 6).is_err(), "another place");
        assert!(users(&said(5, &right), 3, 6).is_err(), "too few counted");
        assert!(users(&said(7, &right), 3, 6).is_err(), "one is missing");
        let mut other = right;
        other[1].2 = !other[1].2;
        assert!(users(&said(6, &other), 3, 6).is_err(), "another number");
    }

    #[test]
    fn who_came_later_is_not_known_and_no_fault() {
        let mut page: Vec<_> = (3..6).map(seeded).collect();
        page.push(("later".to_owned(), String::new(), false));
        assert_eq!(users(&said(7, &page), 3, 6), Ok(()));
    }

    #[test]
    fn a_filter_must_find_what_it_is_about_from_the_last_one_on() {
        let user = |id: &str| (id.to_owned(), String::new(), false);
        let found = |total, ids: &[&str]| {
            let page: Vec<_> = ids.iter().map(|id| user(id)).collect();
            filtered(&said(total, &page), 2)
        };
        assert_eq!(found(2, &["user-79", "user-17"]), Ok(()));
        assert!(found(2, &["user-17", "user-79"]).is_err(), "the order");
        assert!(found(2, &["user-79", "user-18"]).is_err(), "another one");
        assert!(found(3, &["user-79", "user-17"]).is_err(), "one is missing");
        assert!(found(1, &["user-79"]).is_err(), "too few counted");
    }
}
