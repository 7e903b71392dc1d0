//! Lists of users: a page that an index finds, and a filter that none does.

use super::PAGE;
use crate::proto::zitadel::object::v2::{ListQuery, TextQueryMethod};
use crate::proto::zitadel::user::v2::search_query::Query;
use crate::proto::zitadel::user::v2::{
    EmailQuery, ListUsersRequest, NotQuery, PhoneQuery, SearchQuery, UserFieldName, UserNameQuery,
};

/// What the name of a user must hold to be found by the filter: two users of three do.
pub(crate) const FILTERED_BY: char = '7';

/// The users from place `offset` on, in the order in which they were made.
pub(super) fn page(offset: u64) -> ListUsersRequest {
    ListUsersRequest {
        query: Some(ListQuery {
            offset,
            limit: PAGE,
            asc: true,
        }),
        sorting_column: UserFieldName::CreationDate.into(),
        queries: Vec::new(),
    }
}

/// The last users by e-mail address of those whose name holds [`FILTERED_BY`]; the other two conditions are
/// true for everyone. Every user has to be looked at with its numbers, and what is found to be sorted.
pub(super) fn filter() -> ListUsersRequest {
    let name = Query::UserNameQuery(UserNameQuery {
        user_name: FILTERED_BY.into(),
        method: TextQueryMethod::Contains.into(),
    });
    let email = Query::EmailQuery(EmailQuery {
        email_address: "@EXAMPLE".to_owned(),
        method: TextQueryMethod::ContainsIgnoreCase.into(),
    });
    let number = Query::PhoneQuery(PhoneQuery {
        number: "x".to_owned(),
        method: TextQueryMethod::EndsWith.into(),
    });
    let number = Query::NotQuery(Box::new(NotQuery {
        query: Some(Box::new(condition(number))),
    }));
    ListUsersRequest {
        query: Some(ListQuery {
            offset: 0,
            limit: PAGE,
            asc: false,
        }),
        sorting_column: UserFieldName::Email.into(),
        queries: [name, email, number].map(condition).into(),
    }
}

fn condition(query: Query) -> SearchQuery {
    SearchQuery { query: Some(query) }
}

/// [`page`] in JSON.
pub(super) fn page_json(offset: u64) -> String {
    format!(
        r#"{{"query":{{"offset":"{offset}","limit":{PAGE},"asc":true}},"sortingColumn":"USER_FIELD_NAME_CREATION_DATE"}}"#
    )
}

/// [`filter`] in JSON.
pub(super) fn filter_json() -> String {
    let name = format!(
        r#"{{"userNameQuery":{{"userName":"{FILTERED_BY}","method":"TEXT_QUERY_METHOD_CONTAINS"}}}}"#
    );
    let email = r#"{"emailQuery":{"emailAddress":"@EXAMPLE","method":"TEXT_QUERY_METHOD_CONTAINS_IGNORE_CASE"}}"#;
    let number = r#"{"notQuery":{"query":{"phoneQuery":{"number":"x","method":"TEXT_QUERY_METHOD_ENDS_WITH"}}}}"#;
    format!(
        r#"{{"query":{{"limit":{PAGE}}},"sortingColumn":"USER_FIELD_NAME_EMAIL","queries":[{name},{email},{number}]}}"#
    )
}
