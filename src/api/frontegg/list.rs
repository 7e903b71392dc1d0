//! The lists: Frontegg's query parameters in, a page with links to its neighbours out.

use axum::extract::Query;
use axum::http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ringback_core::number::NumberRules;
use ringback_core::rights::Scope;
use ringback_core::{Number, Refusal};
use ringback_store::{PhoneListPage, PhoneListQuery, PhoneSort};

use super::members::invalid;
use super::responses::{Links, Metadata, NumberPage, PhoneNumber};

const LIMIT: &str = "_limit";
const OFFSET: &str = "_offset";
const SORT_BY: &str = "_sortBy";
const ORDER: &str = "_order";
const NUMBER: &str = "_phoneNumber";
const USERS: &str = "userIds";

/// No default is published. This one holds the numbers of all users that a screen of the vendor's shows:
/// its client asks for them without a limit.
pub(super) const USUAL_PAGE: u32 = 250;
/// Far beyond any list, and far from where a row's place could overflow.
pub(super) const LAST_PAGE: u64 = 1_000_000_000;
/// How many users one request may name.
pub(super) const MOST_USERS: usize = 1_000;

/// Which of the two lists.
#[derive(Clone, Copy)]
pub(super) enum Version {
    One,
    Two,
}

impl Version {
    /// The second list's is published. The first has none there; one is needed all the same.
    pub(super) fn largest_page(self) -> u32 {
        match self {
            Version::One => 1_000,
            Version::Two => 250,
        }
    }
}

/// What a request for a list wants.
pub(super) struct ListRequest {
    pub(super) query: PhoneListQuery,
    page: u64,
    path: String,
    /// The parameters that a neighbouring page is asked for with, too.
    kept: Vec<(String, String)>,
}

/// Reads the parameters of a list. Unknown ones are ignored.
pub(super) fn request(
    uri: &Uri,
    version: Version,
    scope: Scope,
    rules: &NumberRules,
) -> Result<ListRequest, Refusal> {
    let parameters = Query::<Vec<(String, String)>>::try_from_uri(uri);
    let Query(mut parameters) = parameters.map_err(|_| invalid("the query", "cannot be read"))?;
    // The vendor's client writes what it has no value for as this word.
    parameters.retain(|(_, value)| value != "undefined");
    let find = |name: &str| {
        let found = parameters
            .iter()
            .find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    };
    let largest = version.largest_page();
    let limit = match find(LIMIT).map(str::parse) {
        None => USUAL_PAGE,
        Some(Ok(limit)) if (1..=largest).contains(&limit) => limit,
        Some(Ok(0) | Err(_)) => {
            return Err(invalid(
                LIMIT,
                format!("must be a number from 1 to {largest}"),
            ));
        }
        Some(Ok(_)) => {
            return Err(invalid(
                LIMIT,
                format!("must not be greater than {largest}"),
            ));
        }
    };
    let page = match find(OFFSET).map(str::parse) {
        None => 0,
        Some(Ok(page)) if page <= LAST_PAGE => page,
        Some(Ok(_) | Err(_)) => {
            return Err(invalid(
                OFFSET,
                "must be the number of a page: 0 for the first one",
            ));
        }
    };
    let sort = match find(SORT_BY) {
        None => PhoneSort::Added,
        Some("userId") => PhoneSort::Account,
        Some("phoneNumber") => PhoneSort::Number,
        Some(_) => return Err(invalid(SORT_BY, "must be userId or phoneNumber")),
    };
    let ascending = match find(ORDER) {
        None | Some("ASC") => true,
        Some("DESC") => false,
        Some(_) => return Err(invalid(ORDER, "must be ASC or DESC")),
    };
    let number = find(NUMBER)
        .map(|text| Number::parse(&with_plus(text), rules))
        .transpose()?;
    let accounts = users(&parameters)?;
    let kept = [LIMIT, SORT_BY, ORDER, NUMBER, USERS];
    parameters.retain(|(name, _)| kept.contains(&name.as_str()));
    Ok(ListRequest {
        query: PhoneListQuery {
            scope,
            accounts,
            number,
            sort,
            ascending,
            offset: page * u64::from(limit),
            limit,
        },
        page,
        path: uri.path().to_owned(),
        kept: parameters,
    })
}

/// A plus that was not encoded arrives as a space.
fn with_plus(text: &str) -> String {
    match text.strip_prefix(' ') {
        Some(digits) if digits.starts_with(|c: char| c.is_ascii_digit()) => format!("+{digits}"),
        Some(_) | None => text.to_owned(),
    }
}

/// The users that `userIds` names: as JSON text, separated by commas, repeated, or all of it. A list
/// without names finds nothing; `None` is no list.
fn users(parameters: &[(String, String)]) -> Result<Option<Vec<String>>, Refusal> {
    let mut named: Option<Vec<String>> = None;
    let values = parameters
        .iter()
        .filter(|(name, _)| name == USERS || name == "userIds[]");
    for (_, value) in values {
        let users = named.get_or_insert_default();
        if value.trim_start().starts_with('[') {
            let list: Vec<String> = serde_json::from_str(value)
                .map_err(|_| invalid("each value in userIds", "must be a string"))?;
            users.extend(list);
        } else {
            users.extend(value.split(',').map(|user| user.trim().to_owned()));
        }
        users.retain(|user| !user.is_empty());
        if users.len() > MOST_USERS {
            return Err(invalid(
                USERS,
                format!("must not name more than {MOST_USERS} users"),
            ));
        }
    }
    Ok(named)
}

impl ListRequest {
    /// The page in the vendor's form.
    pub(super) fn page(&self, found: PhoneListPage) -> NumberPage {
        let pages = found.total.div_ceil(u64::from(self.query.limit));
        NumberPage {
            items: found.phones.iter().map(PhoneNumber::from).collect(),
            links: self.links(pages),
            metadata: Metadata {
                total_items: found.total,
                total_pages: pages,
            },
        }
    }

    fn links(&self, pages: u64) -> Links {
        let last = pages.saturating_sub(1);
        let some = |there: bool, page: u64| {
            if there {
                self.link(page)
            } else {
                String::new()
            }
        };
        Links {
            next: some(self.page < last, self.page.saturating_add(1)),
            prev: some(self.page > 0, self.page.saturating_sub(1).min(last)),
            first: self.link(0),
            last: self.link(last),
        }
    }

    /// Without a host: the caller knows best by which name it reached us.
    fn link(&self, page: u64) -> String {
        let mut link = format!("{}?", self.path);
        for (name, value) in &self.kept {
            let value = utf8_percent_encode(value, PLAIN);
            link.push_str(&format!("{name}={value}&"));
        }
        link.push_str(&format!("{OFFSET}={page}"));
        link
    }
}

/// What RFC 3986 calls unreserved stays as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<ListRequest, Refusal> {
        let uri: Uri = format!("/p/v2?{query}").parse().unwrap();
        request(
            &uri,
            Version::Two,
            Scope::Everywhere,
            &NumberRules::default(),
        )
    }

    fn accounts(query: &str) -> Option<Vec<String>> {
        read(query).ok().and_then(|request| request.query.accounts)
    }

    #[test]
    fn users_are_named_in_any_of_the_ways() {
        let two = Some(vec!["a".to_owned(), "b".to_owned()]);
        for query in [
            "userIds=a&userIds=b",
            "userIds=a%2Cb",
            "userIds=a,b,",
            "userIds=%5B%22a%22%2C%22b%22%5D",
            "userIds[]=a&userIds%5B%5D=b",
            "userIds=undefined&userIds=a&userIds=%20b",
        ] {
            assert_eq!(accounts(query), two, "{query}");
        }
        assert_eq!(accounts(""), None);
        assert_eq!(accounts("userIds=undefined"), None);
        assert_eq!(accounts("userIds="), Some(vec![]));
        assert_eq!(accounts("userIds=%5B%5D"), Some(vec![]));
        for wrong in [
            "userIds=%5B1%5D",
            "userIds=%5B%22a%22",
            &format!("userIds={}", "a,".repeat(1_001)),
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_rest_is_read_as_published() {
        let request = read(
            "_limit=10&_offset=3&_sortBy=phoneNumber&_order=DESC&_phoneNumber=%2B41791234567&x=1",
        );
        let request = request.ok().unwrap();
        assert_eq!((request.query.offset, request.query.limit), (30, 10));
        assert_eq!(
            (request.query.sort, request.query.ascending),
            (PhoneSort::Number, false)
        );
        assert_eq!(request.query.number.unwrap().as_str(), "+41791234567");
        let unset = "_limit=undefined&_offset=undefined&_sortBy=undefined&_order=&_phoneNumber=";
        for query in ["", unset] {
            let request = read(query).ok().unwrap();
            assert_eq!((request.query.offset, request.query.limit), (0, USUAL_PAGE));
            assert_eq!(
                (request.query.sort, request.query.ascending),
                (PhoneSort::Added, true)
            );
            assert_eq!(request.query.number, None);
        }
        assert!(
            read("_phoneNumber=+41791234567").is_ok(),
            "a plus that was not encoded"
        );
        for wrong in [
            "_limit=0",
            "_limit=251",
            "_limit=-1",
            "_limit=x",
            "_limit=99999999999",
            "_offset=-1",
            "_offset=x",
            "_offset=1000000001",
            "_sortBy=createdAt",
            "_order=asc",
            "_phoneNumber=x",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn links_lead_to_the_neighbours() {
        let links = |query: &str, pages| read(query).ok().unwrap().links(pages);
        let query = "_limit=2&userIds=a%2Cb&userIds=c&_phoneNumber=%2B41791234567&_offset=";
        let kept = "/p/v2?_limit=2&userIds=a%2Cb&userIds=c&_phoneNumber=%2B41791234567&_offset=";
        let at = |page: u64| format!("{kept}{page}");
        let expected = |next: String, prev: String| Links {
            next,
            prev,
            first: at(0),
            last: at(2),
        };
        assert_eq!(
            links(&format!("{query}0"), 3),
            expected(at(1), String::new())
        );
        assert_eq!(links(&format!("{query}1"), 3), expected(at(2), at(0)));
        assert_eq!(
            links(&format!("{query}2"), 3),
            expected(String::new(), at(1))
        );
        assert_eq!(
            links(&format!("{query}9"), 3),
            expected(String::new(), at(2))
        );
        let empty = links("", 0);
        assert_eq!((empty.next.as_str(), empty.prev.as_str()), ("", ""));
        assert_eq!(empty.last, "/p/v2?_offset=0");
    }
}
