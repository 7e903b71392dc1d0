//! Conditions, order and page of ListUsers.

use super::*;
use crate::proto::zitadel::object::v2::ListQuery;
use crate::proto::zitadel::user::v2::{
    AndQuery, EmailQuery, InUserEmailsQuery, InUserIdQuery, LoginNameQuery, MetadataKeyFilter,
    NotQuery, OrQuery, OrganizationIdQuery, PhoneQuery, StateQuery, TypeQuery, UserNameQuery,
};

fn list(queries: Vec<Query>) -> Result<AccountQuery, Refusal> {
    let request = ListUsersRequest {
        queries: queries.into_iter().map(search).collect(),
        ..ListUsersRequest::default()
    };
    query(request, Scope::Everywhere)
}

fn search(query: Query) -> SearchQuery {
    SearchQuery { query: Some(query) }
}

fn read(query: Query) -> AccountFilter {
    Reading::default().one(search(query), 0).unwrap()
}

fn said(result: Result<AccountQuery, Refusal>) -> String {
    result.map(|_| ()).unwrap_err().to_string()
}

fn phone(number: &str, method: i32) -> Query {
    Query::PhoneQuery(PhoneQuery {
        number: number.into(),
        method,
    })
}

#[test]
fn every_text_method_has_its_place() {
    let expected = [
        (TextPlace::Whole, false),
        (TextPlace::Whole, true),
        (TextPlace::Start, false),
        (TextPlace::Start, true),
        (TextPlace::Inside, false),
        (TextPlace::Inside, true),
        (TextPlace::End, false),
        (TextPlace::End, true),
    ];
    for (method, (place, ignore_case)) in (0..).zip(expected) {
        let AccountFilter::Phone(text) = read(phone("+4179", method)) else {
            panic!("not the phone");
        };
        assert_eq!(text.text, "+4179");
        assert_eq!((text.place, text.ignore_case), (place, ignore_case));
    }
    assert_eq!(
        said(list(vec![phone("+41", 8)])),
        "invalid field ListUsersRequest.Queries[0]: embedded message failed validation | caused by: \
         invalid PhoneQuery.Method: value must be one of the defined enum values"
    );
}

#[test]
fn a_phone_text_has_twenty_characters_at_most() {
    assert!(list(vec![phone(&"é".repeat(20), 0)]).is_ok());
    assert_eq!(
        said(list(vec![phone("", 0), phone(&"é".repeat(21), 0)])),
        "invalid field ListUsersRequest.Queries[1]: embedded message failed validation | caused by: \
         invalid PhoneQuery.Number: value length must be at most 20 runes"
    );
}

#[test]
fn conditions_nest() {
    let ids = Query::InUserIdsQuery(InUserIdQuery {
        user_ids: vec!["a".into(), "b".into()],
    });
    let organization = Query::OrganizationIdQuery(OrganizationIdQuery {
        organization_id: "acme".into(),
    });
    let not = Query::NotQuery(Box::new(NotQuery {
        query: Some(Box::new(search(organization))),
    }));
    let or = Query::OrQuery(OrQuery {
        queries: vec![search(ids), search(not)],
    });
    let filter = read(Query::AndQuery(AndQuery {
        queries: vec![search(or)],
    }));
    assert_eq!(
        format!("{filter:?}"),
        r#"All([Any([Ids(["a", "b"]), Not(Organization("acme"))])])"#
    );
}

#[test]
fn names_and_addresses_reach_their_column() {
    let username = read(Query::UserNameQuery(UserNameQuery {
        user_name: "ann".into(),
        method: 0,
    }));
    assert!(matches!(username, AccountFilter::Username(text) if text.text == "ann"));
    let login = read(Query::LoginNameQuery(LoginNameQuery {
        login_name: "ann".into(),
        method: 0,
    }));
    assert!(matches!(login, AccountFilter::Username(_)));
    let email = read(Query::EmailQuery(EmailQuery {
        email_address: "@example".into(),
        method: 4,
    }));
    assert!(matches!(email, AccountFilter::Email(text) if text.place == TextPlace::Inside));
    let emails = read(Query::InUserEmailsQuery(InUserEmailsQuery {
        user_emails: vec!["a@b".into(), "c@d".into()],
    }));
    assert!(matches!(emails, AccountFilter::Emails(emails) if emails == ["a@b", "c@d"]));
}

#[test]
fn states_and_types_are_answered_truthfully() {
    let state = |state| format!("{:?}", read(Query::StateQuery(StateQuery { state })));
    let kind = |r#type| format!("{:?}", read(Query::TypeQuery(TypeQuery { r#type })));
    assert_eq!(state(UserState::Active.into()), "All([])");
    assert_eq!(state(UserState::Locked.into()), "Any([])");
    assert_eq!(kind(Type::Human.into()), "All([])");
    assert_eq!(kind(Type::Machine.into()), "Any([])");
}

#[test]
fn what_is_not_kept_is_refused_by_name() {
    let metadata = Query::MetadataKeyFilter(MetadataKeyFilter::default());
    assert_eq!(
        list(vec![metadata]).map(|_| ()),
        Err(unsupported("metadataKeyFilter"))
    );
}

#[test]
fn a_condition_without_content_is_refused() {
    let request = ListUsersRequest {
        queries: vec![SearchQuery { query: None }],
        ..ListUsersRequest::default()
    };
    assert!(
        said(query(request, Scope::Everywhere)).ends_with("SearchQuery.Query: value is required")
    );
    let not = Query::NotQuery(Box::default());
    assert!(said(list(vec![not])).ends_with("NotQuery.Query: value is required"));
}

#[test]
fn work_is_bounded() {
    let nested = |depth: u32| {
        (0..depth).fold(phone("+41", 0), |inner, _| {
            Query::NotQuery(Box::new(NotQuery {
                query: Some(Box::new(search(inner))),
            }))
        })
    };
    assert!(list(vec![nested(20)]).is_ok());
    assert!(said(list(vec![nested(21)])).ends_with("nested more than 20 deep"));

    assert!(list(vec![phone("+41", 0); 200]).is_ok());
    assert!(said(list(vec![phone("+41", 0); 201])).ends_with("more than 200 conditions"));
    let emails = |count| {
        Query::InUserEmailsQuery(InUserEmailsQuery {
            user_emails: vec!["a@b".into(); count],
        })
    };
    assert!(list(vec![emails(1_000)]).is_ok());
    assert!(said(list(vec![emails(1_001)])).ends_with("more than 1000 ids"));
    let ids = |count| {
        Query::InUserIdsQuery(InUserIdQuery {
            user_ids: vec!["a".into(); count],
        })
    };
    assert!(list(vec![ids(1_000)]).is_ok());
    assert!(said(list(vec![ids(1_001)])).ends_with("more than 1000 ids"));
    assert!(said(list(vec![ids(600), ids(401)])).ends_with("more than 1000 ids"));
}

#[test]
fn pages_have_a_default_and_a_limit() {
    let page = |limit| {
        let request = ListUsersRequest {
            query: Some(ListQuery {
                offset: 3,
                limit,
                asc: true,
            }),
            ..ListUsersRequest::default()
        };
        query(request, Scope::Everywhere)
    };
    let usual = page(0).unwrap();
    assert_eq!((usual.offset, usual.limit, usual.ascending), (3, 100, true));
    assert_eq!(page(1_000).unwrap().limit, 1_000);
    assert_eq!(
        said(page(1_001)),
        "invalid field ListUsersRequest.Query: embedded message failed validation | caused by: \
         invalid ListQuery.Limit: value must be less than or equal to 1000"
    );
    let far = ListUsersRequest {
        query: Some(ListQuery {
            offset: u64::MAX,
            ..ListQuery::default()
        }),
        ..ListUsersRequest::default()
    };
    let far = query(far, Scope::Everywhere).unwrap();
    assert!(i64::try_from(far.offset).is_ok());
    let plain = list(Vec::new()).unwrap();
    assert!(!plain.ascending);
    assert_eq!(plain.limit, 100);
}

#[test]
fn columns_order() {
    let sorted = |column: i32| {
        let request = ListUsersRequest {
            sorting_column: column,
            ..ListUsersRequest::default()
        };
        query(request, Scope::Everywhere).map(|query| query.sort)
    };
    let expected = [
        AccountSort::CreatedAt,
        AccountSort::Username,
        AccountSort::GivenName,
        AccountSort::FamilyName,
        AccountSort::NickName,
        AccountSort::DisplayName,
        AccountSort::Email,
        AccountSort::CreatedAt,
        AccountSort::CreatedAt,
        AccountSort::CreatedAt,
    ];
    for (column, sort) in (0..).zip(expected) {
        assert_eq!(sorted(column), Ok(sort), "column {column}");
    }
    assert!(sorted(10).is_err());
}
