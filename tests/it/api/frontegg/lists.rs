//! Lists: pages with links, filters, and what each caller may see.

use serde_json::{Value, json};

use super::{BROWSERS, Client};
use crate::app::TestApp;
use crate::database::Database;

crate::on_both! {
    pages_lead_to_the_end_in_both_orders,
    each_caller_sees_what_it_may,
    filters_narrow_a_list,
    the_first_list_is_deprecated,
}

/// Verified numbers, past the program: user `n` of `acme` holds number `n`.
async fn fill(app: &TestApp, count: u32) {
    let rows = (0..count).map(|n| {
        // The order of the ids, of the users and of the numbers are three.
        let (user, number) = (n * 7 % count, n * 11 % count);
        format!(
            "('01940000-0000-7000-8000-{n:012}', 'u{user:04}', 'acme', '+4179100{number:04}', true, {n}, {n}, {n})"
        )
    });
    let rows: Vec<String> = rows.collect();
    let sql = format!(
        "INSERT INTO phone_numbers \
         (id, user_id, organization_id, number, primary_number, verified_at, created_at, changed_at) \
         VALUES {}",
        rows.join(", ")
    );
    app.database.execute(&sql).await;
}

fn items(page: &Value) -> &Vec<Value> {
    page["items"].as_array().expect("items")
}

async fn pages_lead_to_the_end_in_both_orders(database: Database) {
    let app = TestApp::start(database).await;
    fill(&app, 303).await;
    let admin = Client {
        root: BROWSERS,
        ..Client::new(&app, &app.admin())
    };
    for version in ["/v1", "/v2"] {
        for sort in ["userId", "phoneNumber", ""] {
            let mut whole: Vec<Vec<Value>> = Vec::new();
            for order in ["ASC", "DESC"] {
                let mut seen = Vec::new();
                let mut path = format!("{version}?_limit=50&_sortBy={sort}&_order={order}");
                let mut pages = 0;
                loop {
                    let page = admin.get(&path).await.ok(200);
                    assert_eq!(
                        page["_metadata"],
                        json!({"totalItems": 303, "totalPages": 7})
                    );
                    seen.extend(items(&page).clone());
                    pages += 1;
                    let next = page["_links"]["next"].as_str().expect("a link");
                    assert_eq!(next.is_empty(), pages == 7);
                    if next.is_empty() {
                        break;
                    }
                    assert!(next.contains(&format!("_offset={pages}")), "{next}");
                    path = next
                        .strip_prefix(BROWSERS)
                        .expect("a link to here")
                        .to_owned();
                }
                whole.push(seen);
            }
            whole[1].reverse();
            assert_eq!(whole[0].len(), 303);
            assert_eq!(whole[0], whole[1]);
            let key = if sort.is_empty() { "id" } else { sort };
            let keys: Vec<&str> = whole[0]
                .iter()
                .filter_map(|item| item[key].as_str())
                .collect();
            assert!(keys.is_sorted() && keys.len() == 303, "{sort}");
        }
    }
    let beyond = admin.get("/v2?_limit=50&_offset=1000").await.ok(200);
    assert_eq!(
        (items(&beyond).len(), &beyond["_links"]["next"]),
        (0, &json!(""))
    );
    let prev = beyond["_links"]["prev"].as_str().expect("a link");
    assert!(prev.ends_with("_offset=6"), "{prev}");
    let far = admin
        .get("/v1?_limit=1000&_offset=1000000000")
        .await
        .ok(200);
    assert!(items(&far).is_empty());
    let whole = admin
        .get("/v2?_limit=undefined&_offset=undefined")
        .await
        .ok(200);
    assert_eq!(items(&whole).len(), 250);
    let first = admin.get("/v1?_limit=1000").await.ok(200);
    assert_eq!(items(&first).len(), 303);
    assert_eq!(first["_links"]["next"], "");
}

async fn each_caller_sees_what_it_may(database: Database) {
    let app = TestApp::start(database).await;
    let (ann, bob) = (Client::user(&app, "ann"), Client::user(&app, "bob"));
    let eve = Client::new(&app, &app.user("eve", "umbrella"));
    for user in [&ann, &bob, &eve] {
        user.holds(&app.number()).await;
        user.preverify(&app.number()).await;
        // Ids are in the order of time.
        app.seconds(1);
    }
    let seen = async |client: Client<'_>| {
        let page = client.get("/v1?_limit=10&_offset=0").await.ok(200);
        let users = items(&page)
            .iter()
            .filter_map(|item| item["userId"].as_str());
        users.map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    let own = ann.numbers().await;
    let listed = ann.get("/v2?userIds=ann%2Cbob").await.ok(200);
    assert_eq!(
        items(&listed),
        &own,
        "an end user's list holds that user's own numbers"
    );
    assert_eq!(seen(ann).await, "ann");
    assert_eq!(
        seen(Client::new(&app, &app.manager("acme"))).await,
        "ann bob"
    );
    assert_eq!(
        seen(Client::new(&app, &app.manager("umbrella"))).await,
        "eve"
    );
    assert_eq!(seen(Client::new(&app, &app.admin())).await, "ann bob eve");
    let narrowed = Client::new(&app, &app.admin()).with("frontegg-tenant-id", "umbrella");
    assert_eq!(seen(narrowed).await, "eve");
    let blind = app.token(json!({"sub": "service", "type": "vendor"}));
    assert_eq!(seen(Client::new(&app, &blind)).await, "");
}

async fn filters_narrow_a_list(database: Database) {
    let app = TestApp::start(database).await;
    fill(&app, 20).await;
    let admin = Client::new(&app, &app.admin());
    let found = async |query: &str| {
        let page = admin
            .get(&format!("/v2?_sortBy=userId&{query}"))
            .await
            .ok(200);
        let found = items(&page)
            .iter()
            .filter_map(|item| item["userId"].as_str());
        found.map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    for query in [
        "userIds=u0003&userIds=u0005",
        "userIds=u0003%2Cu0005",
        "userIds=%5B%22u0003%22%2C%22u0005%22%5D",
        "userIds=u0003&userIds=u0005%2Cnobody",
    ] {
        assert_eq!(found(query).await, "u0003 u0005", "{query}");
    }
    assert_eq!(found("userIds=").await, "");
    assert_eq!(found("userIds=%00").await, "");
    assert_eq!(found("userIds=undefined").await.split(' ').count(), 20);
    let page = admin.get("/v2?userIds=u0003").await.ok(200);
    let number = items(&page)[0]["phoneNumber"].as_str().expect("a number");
    let encoded = number.replace('+', "%2B");
    assert_eq!(found(&format!("_phoneNumber={encoded}")).await, "u0003");
    assert_eq!(found(&format!("_phoneNumber={number}")).await, "u0003");
    assert_eq!(
        found(&format!("_phoneNumber={encoded}&userIds=u0005")).await,
        ""
    );
    // Exactly: a part of a number finds nothing.
    assert_eq!(found("_phoneNumber=%2B41791119999").await, "");
}

async fn the_first_list_is_deprecated(database: Database) {
    let app = TestApp::start(database).await;
    let ann = Client::user(&app, "ann");
    let first = ann.get("/v1").await;
    first.ok(200);
    assert_eq!(first.headers["deprecation"], "@1767225600");
    let link = first.headers["link"].to_str().expect("a text");
    assert!(
        link.ends_with("/phone-numbers/v2>; rel=\"successor-version\""),
        "{link}"
    );
    let second = ann.get("/v2").await;
    second.ok(200);
    assert!(!second.headers.contains_key("deprecation"));
}
