//! Lists: conditions, order, pages and their ends.

use serde_json::{Value, json};
use tonic::Code;

use crate::app::TestApp;
use crate::database::Database;
use crate::http::wire::Wire;

crate::on_both! {
    users_are_found_by_their_number,
    conditions_can_be_combined,
    users_come_in_order_and_in_pages,
    numbers_are_searched,
    numbers_come_in_pages_to_the_end,
    a_page_token_continues_its_own_search,
    too_much_at_once_is_refused,
}

/// Five users with numbers that differ where it matters, and one without any.
const USERS: [(&str, &str, &str, bool); 6] = [
    ("ann", "acme", "+41791110001", true),
    ("bob", "acme", "+41791110002", false),
    ("cleo", "acme", "+41792220001", true),
    ("dan", "other", "+493012345678", true),
    ("eve", "other", "+41791110001", false),
    ("fay", "other", "", false),
];

async fn peopled(database: Database) -> TestApp {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    for (user, organization, number, verified) in USERS {
        let mut add = json!({
            "userId": user, "username": format!("{user}@example.com"),
            "organization": {"orgId": organization},
            "profile": {"givenName": user.to_uppercase(), "familyName": "100%_Sure"},
        });
        if !number.is_empty() {
            add["phone"] = json!({"phone": number, "returnCode": {}});
        }
        if verified {
            add["phone"] = json!({"phone": number, "isVerified": true});
        }
        Wire::Grpc.ok(&app, "AddHumanUser", &admin, add).await;
        app.seconds(1);
    }
    app
}

fn ids(items: &Value) -> Vec<String> {
    let items = items.as_array().cloned().unwrap_or_default();
    items
        .iter()
        .map(|item| item["userId"].as_str().expect("an id").to_owned())
        .collect()
}

/// The ids of the users that meet all conditions, oldest first.
async fn users(app: &TestApp, wire: Wire, queries: Value) -> Vec<String> {
    let body = json!({"query": {"asc": true}, "queries": queries});
    let found = wire.ok(app, "ListUsers", &app.admin(), body).await;
    let listed = ids(&found["result"]);
    let total = found["details"]["totalResult"].as_str().unwrap_or("0");
    assert_eq!(total, listed.len().to_string());
    listed
}

async fn users_are_found_by_their_number(database: Database) {
    let app = peopled(database).await;
    let table = [
        ("EQUALS", "+41791110001", vec!["ann", "eve"]),
        ("EQUALS", "41791110001", vec![]),
        ("EQUALS", "+4179111%", vec![]),
        ("EQUALS_IGNORE_CASE", "+41791110002", vec!["bob"]),
        ("STARTS_WITH", "+4179111", vec!["ann", "bob", "eve"]),
        ("STARTS_WITH_IGNORE_CASE", "+49", vec!["dan"]),
        ("STARTS_WITH", "4179", vec![]),
        ("STARTS_WITH", "_4179", vec![]),
        ("CONTAINS", "222", vec!["cleo"]),
        ("CONTAINS_IGNORE_CASE", "1110", vec!["ann", "bob", "eve"]),
        ("CONTAINS", "%", vec![]),
        ("ENDS_WITH", "0001", vec!["ann", "cleo", "eve"]),
        ("ENDS_WITH_IGNORE_CASE", "0002", vec!["bob"]),
        ("ENDS_WITH", "\\", vec![]),
    ];
    for wire in Wire::ALL {
        for (method, number, expected) in &table {
            let query = json!({"number": number, "method": format!("TEXT_QUERY_METHOD_{method}")});
            let found = users(&app, wire, json!([{"phoneQuery": query}])).await;
            assert_eq!(found, *expected, "{wire:?} {method} {number}");
        }
        let found = users(
            &app,
            wire,
            json!([{"phoneQuery": {"number": "+41792220001"}}]),
        )
        .await;
        assert_eq!(
            found,
            ["cleo"],
            "equality is what is meant when nothing is said"
        );
    }
}

async fn conditions_can_be_combined(database: Database) {
    let app = peopled(database).await;
    let phone = |start: &str| json!({"phoneQuery": {"number": start, "method": "TEXT_QUERY_METHOD_STARTS_WITH"}});
    let of = |organization: &str| json!({"organizationIdQuery": {"organizationId": organization}});
    let these = |ids: &[&str]| json!({"inUserIdsQuery": {"userIds": ids}});
    let or = |queries: Value| json!({"orQuery": {"queries": queries}});
    let and = |queries: Value| json!({"andQuery": {"queries": queries}});
    let not = |query: Value| json!({"notQuery": {"query": query}});
    let family = json!({"lastNameQuery": {"lastName": "%_s", "method": "TEXT_QUERY_METHOD_CONTAINS_IGNORE_CASE"}});
    let table: Vec<(Value, Vec<&str>)> = vec![
        (json!([]), vec!["ann", "bob", "cleo", "dan", "eve", "fay"]),
        (
            json!([these(&["bob", "nobody", "fay"])]),
            vec!["bob", "fay"],
        ),
        (json!([these(&[])]), vec![]),
        (json!([of("other")]), vec!["dan", "eve", "fay"]),
        (json!([of("other"), phone("+41")]), vec!["eve"]),
        (
            json!([or(json!([phone("+49"), of("acme")]))]),
            vec!["ann", "bob", "cleo", "dan"],
        ),
        (
            json!([and(json!([phone("+4179"), of("acme")]))]),
            vec!["ann", "bob", "cleo"],
        ),
        (json!([not(phone("+4179111"))]), vec!["cleo", "dan", "fay"]),
        (
            json!([not(or(json!([phone("+49"), of("acme")])))]),
            vec!["eve", "fay"],
        ),
        (json!([or(json!([]))]), vec![]),
        (
            json!([and(json!([]))]),
            vec!["ann", "bob", "cleo", "dan", "eve", "fay"],
        ),
        (json!([family, not(of("acme"))]), vec!["dan", "eve", "fay"]),
        (
            json!([{"userNameQuery": {"userName": "BOB@EXAMPLE.COM", "method": "TEXT_QUERY_METHOD_EQUALS_IGNORE_CASE"}}]),
            vec!["bob"],
        ),
        (
            json!([{"userNameQuery": {"userName": "BOB@EXAMPLE.COM"}}]),
            vec![],
        ),
        (
            json!([{"stateQuery": {"state": "USER_STATE_ACTIVE"}}, of("acme")]),
            vec!["ann", "bob", "cleo"],
        ),
        (
            json!([{"stateQuery": {"state": "USER_STATE_LOCKED"}}]),
            vec![],
        ),
        (json!([{"typeQuery": {"type": "TYPE_MACHINE"}}]), vec![]),
    ];
    for wire in Wire::ALL {
        for (queries, expected) in &table {
            assert_eq!(
                users(&app, wire, queries.clone()).await,
                *expected,
                "{wire:?} {queries}"
            );
        }
    }
    // A condition does not widen what a caller may see.
    let query = json!({"queries": [or(json!([of("other"), these(&["dan", "ann"])]))]});
    let found = Wire::Json
        .ok(&app, "ListUsers", &app.manager("acme"), query)
        .await;
    assert_eq!(ids(&found["result"]), ["ann"]);
}

async fn users_come_in_order_and_in_pages(database: Database) {
    let app = peopled(database).await;
    let admin = app.admin();
    for wire in Wire::ALL {
        let body = json!({});
        let newest = wire.ok(&app, "ListUsers", &admin, body).await;
        assert_eq!(
            ids(&newest["result"]),
            ["fay", "eve", "dan", "cleo", "bob", "ann"]
        );
        let mut seen = Vec::new();
        for offset in [0, 2, 4, 6, 8] {
            let query = json!({"offset": offset.to_string(), "limit": 2, "asc": true});
            let body = json!({"query": query, "sortingColumn": "USER_FIELD_NAME_FIRST_NAME"});
            let page = wire.ok(&app, "ListUsers", &admin, body).await;
            assert_eq!(
                page["details"]["totalResult"], "6",
                "the total is not the page's"
            );
            assert_eq!(page["sortingColumn"], "USER_FIELD_NAME_FIRST_NAME");
            seen.extend(ids(&page["result"]));
        }
        assert_eq!(
            seen,
            ["ann", "bob", "cleo", "dan", "eve", "fay"],
            "{wire:?}"
        );
        let far = json!({"query": {"offset": u64::MAX.to_string()}});
        let page = wire.ok(&app, "ListUsers", &admin, far).await;
        assert!(page.get("result").is_none());
    }
}

/// The ids of all users whose numbers a search finds, oldest first.
async fn search(app: &TestApp, wire: Wire, body: Value) -> Vec<String> {
    ids(&wire.ok(app, "SearchPhones", &app.admin(), body).await["phones"])
}

async fn numbers_are_searched(database: Database) {
    let app = peopled(database).await;
    let table: Vec<(Value, Vec<&str>)> = vec![
        (json!({}), vec!["ann", "bob", "cleo", "dan", "eve"]),
        (json!({"phone": "+41 79 111 00 01"}), vec!["ann", "eve"]),
        (json!({"phone": "+41791110009"}), vec![]),
        (
            json!({"phonePrefix": "+4179111"}),
            vec!["ann", "bob", "eve"],
        ),
        (
            json!({"phonePrefix": "+"}),
            vec!["ann", "bob", "cleo", "dan", "eve"],
        ),
        (json!({"isVerified": true}), vec!["ann", "cleo", "dan"]),
        (json!({"isVerified": false}), vec!["bob", "eve"]),
        (json!({"organizationId": "other"}), vec!["dan", "eve"]),
        (json!({"organizationId": "nowhere"}), vec![]),
        (
            json!({"userIds": ["eve", "fay", "ann", "nobody"]}),
            vec!["ann", "eve"],
        ),
        (
            json!({"phonePrefix": "+41", "isVerified": true, "organizationId": "acme", "userIds": ["ann", "bob"]}),
            vec!["ann"],
        ),
    ];
    for wire in Wire::ALL {
        for (body, expected) in &table {
            assert_eq!(
                search(&app, wire, body.clone()).await,
                *expected,
                "{wire:?} {body}"
            );
        }
        for (body, field) in [
            (
                json!({"phone": "079 111 00 01"}),
                "NUMBER_NOT_INTERNATIONAL",
            ),
            (json!({"phonePrefix": "41"}), "FIELD_INVALID"),
            (json!({"phonePrefix": "+41%"}), "FIELD_INVALID"),
            (json!({"phonePrefix": "+1234567890123456"}), "FIELD_INVALID"),
            (json!({"userIds": [""]}), "FIELD_INVALID"),
        ] {
            let refused = wire.refused(&app, "SearchPhones", &app.admin(), body).await;
            assert_eq!((refused.code, refused.id()), (Code::InvalidArgument, field));
        }
    }
}

async fn numbers_come_in_pages_to_the_end(database: Database) {
    let app = peopled(database).await;
    let admin = app.admin();
    for wire in Wire::ALL {
        for size in [1, 2, 5, 7] {
            let (mut seen, mut token, mut pages) = (Vec::new(), Value::Null, 0);
            loop {
                let mut body = json!({"pageSize": size});
                if token.is_string() {
                    body["pageToken"] = token;
                }
                let page = wire.ok(&app, "SearchPhones", &admin, body).await;
                let listed = ids(&page["phones"]);
                assert!(listed.len() <= size);
                seen.extend(listed);
                pages += 1;
                token = page["nextPageToken"].clone();
                if token.is_null() {
                    break;
                }
            }
            assert_eq!(
                seen,
                ["ann", "bob", "cleo", "dan", "eve"],
                "{wire:?} by {size}"
            );
            assert!(
                pages <= 5usize.div_ceil(size) + 1,
                "{wire:?} by {size}: {pages}"
            );
        }
    }
    // What comes between two pages is not lost and nothing comes twice.
    let first = Wire::Grpc
        .ok(&app, "SearchPhones", &admin, json!({"pageSize": 2}))
        .await;
    Wire::Grpc
        .ok(&app, "DeleteUser", &admin, json!({"userId": "bob"}))
        .await;
    let set = json!({"userId": "fay", "phone": app.number(), "isVerified": true});
    Wire::Grpc.ok(&app, "SetPhone", &admin, set).await;
    let rest = json!({"pageToken": first["nextPageToken"]});
    let rest = Wire::Grpc.ok(&app, "SearchPhones", &admin, rest).await;
    assert_eq!(ids(&rest["phones"]), ["cleo", "dan", "eve", "fay"]);
}

async fn a_page_token_continues_its_own_search(database: Database) {
    let app = peopled(database).await;
    let admin = app.admin();
    for wire in Wire::ALL {
        let body = json!({"pageSize": 1, "phonePrefix": "+41"});
        let page = wire.ok(&app, "SearchPhones", &admin, body).await;
        let token = page["nextPageToken"]
            .as_str()
            .expect("another page")
            .to_owned();
        // The size of a page is no part of the question.
        let body = json!({"pageSize": 3, "phonePrefix": "+41", "pageToken": token});
        let page = wire.ok(&app, "SearchPhones", &admin, body).await;
        assert_eq!(ids(&page["phones"]), ["bob", "cleo", "eve"]);
        let mut forged = token.clone().into_bytes();
        forged[3] = if forged[3] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).expect("a text");
        for body in [
            json!({"pageToken": token}),
            json!({"pageToken": token, "phonePrefix": "+4"}),
            json!({"pageToken": token, "phonePrefix": "+41", "isVerified": true}),
            json!({"pageToken": token, "phonePrefix": "+41", "organizationId": "acme"}),
            json!({"pageToken": token, "phonePrefix": "+41", "userIds": ["ann"]}),
            json!({"pageToken": forged, "phonePrefix": "+41"}),
            json!({"pageToken": "x", "phonePrefix": "+41"}),
        ] {
            let refused = wire
                .refused(&app, "SearchPhones", &admin, body.clone())
                .await;
            assert_eq!(refused.code, Code::InvalidArgument, "{wire:?} {body}");
            // As the wire names fields.
            let name = if wire.is_binary() {
                "page_token"
            } else {
                "pageToken"
            };
            assert!(refused.message.contains(name), "{}", refused.message);
        }
        let other = json!({"pageToken": token, "phonePrefix": "+41"});
        let refused = wire
            .refused(&app, "SearchPhones", &app.manager("acme"), other)
            .await;
        assert_eq!(
            refused.code,
            Code::InvalidArgument,
            "another caller's search"
        );
    }
}

async fn too_much_at_once_is_refused(database: Database) {
    let app = TestApp::start(database).await;
    let admin = app.admin();
    let many: Vec<String> = (0..1_001).map(|index| format!("u{index}")).collect();
    let mut nested = json!({"phoneQuery": {"number": "+"}});
    for _ in 0..21 {
        nested = json!({"notQuery": {"query": nested}});
    }
    let crowd = vec![json!({"phoneQuery": {"number": "+"}}); 201];
    for wire in Wire::ALL {
        wire.ok(&app, "ListUsers", &admin, json!({"query": {"limit": 1000}}))
            .await;
        wire.ok(&app, "SearchPhones", &admin, json!({"pageSize": 1000}))
            .await;
        for (rpc, body, says) in [
            (
                "ListUsers",
                json!({"query": {"limit": 1001}}),
                "less than or equal to 1000",
            ),
            (
                "ListUsers",
                json!({"queries": [{"inUserIdsQuery": {"userIds": many}}]}),
                "1000 ids",
            ),
            (
                "ListUsers",
                json!({"queries": [nested]}),
                "nested more than 20",
            ),
            ("ListUsers", json!({"queries": crowd}), "200 conditions"),
            (
                "ListUsers",
                json!({"queries": [{"phoneQuery": {"number": "1".repeat(21)}}]}),
                "20 runes",
            ),
            ("ListUsers", json!({"queries": [{}]}), "value is required"),
            (
                "ListUsers",
                json!({"queries": [{"metadataKeyFilter": {"key": "k"}}]}),
                "not supported",
            ),
            (
                "SearchPhones",
                json!({"pageSize": 1001}),
                "not be more than 1000",
            ),
            (
                "SearchPhones",
                json!({"userIds": many}),
                "not name more than 1000",
            ),
        ] {
            let refused = wire.refused(&app, rpc, &admin, body).await;
            assert_eq!(
                refused.code,
                Code::InvalidArgument,
                "{wire:?} {says}: {refused:?}"
            );
            assert!(
                refused.message.contains(says),
                "{says} in {}",
                refused.message
            );
        }
    }
}
