//! Who and what is refused in the form of Frontegg's errors. Codes, limits and faults are in `api`.

use http::Method;
use serde_json::{Map, Value, json};

use super::{Answer, BROWSERS, Client, NUMBERS, send};
use crate::app::TestApp;
use crate::database::Database;

crate::on_both! {
    who_asks,
    which_number,
    what_form,
}

/// What was met, by name.
#[derive(Default)]
struct Met(Map<String, Value>);

impl Met {
    fn add(&mut self, name: &str, status: u16, answer: &Answer) {
        answer.refused(status);
        let shown = answer.shown();
        // Codes of the vendor's hold digits, too, and one text gives an example.
        let told = shown["body"]["errors"].to_string();
        let told = told.replace("such as +41791234567", "");
        let digits = told
            .split(|c: char| !c.is_ascii_digit())
            .map(str::len)
            .max();
        assert!(
            digits.is_none_or(|longest| longest < 6) && !told.contains("eyJ"),
            "{name} tells too much: {shown}"
        );
        self.0.insert(name.to_owned(), shown);
    }

    fn snapshot(self, name: &str) {
        insta::with_settings!({omit_expression => true, prepend_module_to_snapshot => false}, {
            insta::assert_json_snapshot!(format!("frontegg_{name}"), self.0);
        });
    }
}

/// Every route, with a body that is wrong for it.
fn routes() -> Vec<(Method, String)> {
    let routes = [
        (Method::POST, "/v1"),
        (Method::POST, "/v1/preverify"),
        (Method::POST, "/v1/verify"),
        (Method::DELETE, "/v1/x"),
        (Method::POST, "/v1/x/delete/verify"),
        (Method::GET, "/v1/me"),
        (Method::GET, "/v1?_limit=x"),
        (Method::GET, "/v2?_limit=x"),
        (Method::POST, "/v1/vendor/ann"),
        (Method::DELETE, "/v1/vendor/ann/x"),
    ];
    let both = [NUMBERS, BROWSERS].map(|root| {
        routes
            .clone()
            .map(|(method, path)| (method, format!("{root}{path}")))
    });
    both.concat()
}

async fn who_asks(database: Database) {
    let app = TestApp::start(database).await;
    let mut met = Met::default();
    for (method, path) in routes() {
        // No token beats a bad body.
        let headers = [("content-type", "application/json")];
        let answer = send(&app, method, &path, &headers, "{\"phoneNumber\": 1").await;
        met.add("token_missing", 401, &answer);
    }
    let (ann, reader) = (
        Client::user(&app, "ann"),
        Client::new(&app, &app.reader("acme")),
    );
    met.add(
        "token_invalid",
        401,
        &Client::new(&app, "x.y.z").get("/v1/me").await,
    );
    ann.holds(&app.number()).await;
    let body = || json!({"phoneNumber": app.number()});
    met.add(
        "permission_denied",
        403,
        &reader.post("/v1/vendor/ann", body()).await,
    );
    let unknown = Client::new(&app, &app.admin())
        .post("/v1/vendor/nobody", body())
        .await;
    met.add("account_not_found", 404, &unknown);
    // Another tenant's user is told apart from nobody by nothing, nor is one of the own tenant for who
    // may not know.
    for token in [app.manager("umbrella"), app.user("stranger", "acme")] {
        let other = Client::new(&app, &token)
            .post("/v1/vendor/ann", body())
            .await;
        assert_eq!((other.status, other.text), (404, unknown.text.clone()));
    }
    met.add(
        "user_missing",
        400,
        &Client::new(&app, &app.admin()).get("/v1/me").await,
    );
    let elsewhere = Client::user(&app, "stranger")
        .with("x-zitadel-orgid", "umbrella")
        .get("/v2")
        .await;
    met.add("organization_denied", 403, &elsewhere);
    met.snapshot("who");
}

async fn which_number(database: Database) {
    let app = TestApp::start(database).await;
    let ann = Client::user(&app, "ann");
    let mut met = Met::default();
    for (name, number) in [
        ("number_empty", ""),
        ("number_blank", " \u{200b}"),
        ("number_extension", "+41 79 123 45 67 ;ext=5"),
        ("number_malformed", "string"),
        ("number_not_international", "079 123 45 67"),
        ("number_length", "+4179"),
        ("number_nonexistent", "+41111111111"),
        ("number_kind_not_served", "+41900123456"),
    ] {
        let body = json!({"phoneNumber": number});
        let created = ann.post("/v1", body.clone()).await;
        assert_eq!(
            ann.post("/v1/preverify", body.clone()).await.text,
            created.text
        );
        met.add(name, 400, &created);
    }
    assert_eq!(
        app.database.count("accounts").await,
        0,
        "nobody came into being"
    );
    let number = app.number();
    ann.holds(&number).await;
    let again = ann.post("/v1", json!({"phoneNumber": number})).await;
    met.add("phone_unchanged", 409, &again);
    for _ in 0..4 {
        ann.post("/v1", json!({"phoneNumber": app.number(), "verify": false}))
            .await
            .ok(201);
    }
    let sixth = ann.post("/v1", json!({"phoneNumber": app.number()})).await;
    met.add("too_many_numbers", 400, &sixth);
    let nothing = "01940000-0000-7000-8000-000000000000";
    for id in [nothing, "undefined", "%ff", "%00"] {
        met.add(
            "phone_not_found",
            404,
            &ann.delete(&format!("/v1/{id}")).await,
        );
    }
    met.snapshot("number");
}

async fn what_form(database: Database) {
    let app = TestApp::start(database).await;
    let bearer = format!("Bearer {}", app.user("ann", "acme"));
    let mut met = Met::default();
    let json_type = "application/json; charset=utf-8";
    let post = async |path: &str, kind: &str, body: Vec<u8>| {
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend((!kind.is_empty()).then_some(("content-type", kind)));
        send(
            &app,
            Method::POST,
            &format!("{NUMBERS}{path}"),
            &headers,
            body,
        )
        .await
    };
    for (name, path, body) in [
        ("body_missing", "/v1", ""),
        ("body_empty_object", "/v1", "{}"),
        ("body_syntax", "/v1", "{\"phoneNumber\": \"+4179"),
        ("body_array", "/v1", "[]"),
        ("body_text", "/v1", "\"x\""),
        ("number_type", "/v1", "{\"phoneNumber\": 41791234567}"),
        ("number_null", "/v1/preverify", "{\"phoneNumber\": null}"),
        (
            "verify_type",
            "/v1",
            "{\"phoneNumber\": \"+41791234567\", \"verify\": \"no\"}",
        ),
        (
            "token_field_missing",
            "/v1/verify",
            "{\"code\": \"123456\"}",
        ),
        (
            "token_field_type",
            "/v1/verify",
            "{\"code\": \"123456\", \"otcToken\": {}}",
        ),
        ("code_missing", "/v1/verify", "{\"otcToken\": \"x\"}"),
        (
            "code_type",
            "/v1/verify",
            "{\"otcToken\": \"x\", \"code\": 123456}",
        ),
        (
            "removal_code_missing",
            "/v1/01940000-0000-7000-8000-000000000000/delete/verify",
            "{\"otcToken\": \"x\", \"code\": \"\"}",
        ),
    ] {
        met.add(name, 400, &post(path, json_type, body.into()).await);
    }
    met.add(
        "body_utf8",
        400,
        &post("/v1", json_type, b"{\"phoneNumber\": \"\xff\"}".to_vec()).await,
    );
    let form = b"phoneNumber=%2B41791234567&verify=true".to_vec();
    for kind in [
        "application/x-www-form-urlencoded",
        "text/plain",
        "multipart/form-data; boundary=x",
    ] {
        met.add("body_not_json", 415, &post("/v1", kind, form.clone()).await);
    }
    let large = json!({"phoneNumber": "x".repeat(2 * 1024 * 1024)}).to_string();
    met.add(
        "body_large",
        413,
        &post("/v1", json_type, large.into()).await,
    );
    let edge = format!("{{\"phoneNumber\": 1{}}}", " ".repeat(1024 * 1024 - 20));
    assert!(edge.len() <= 1024 * 1024);
    post("/v1", json_type, edge.into()).await.refused(400);

    let ann = Client::user(&app, "ann");
    for (name, query) in [
        ("limit_zero", "_limit=0"),
        ("limit_large", "_limit=251"),
        ("limit_no_number", "_limit=ten"),
        ("offset_negative", "_offset=-1"),
        ("sort_unknown", "_sortBy=createdAt"),
        ("order_unknown", "_order=up"),
        ("phone_filter", "_phoneNumber=x"),
        ("users_no_texts", "userIds=%5B1%5D"),
    ] {
        met.add(name, 400, &ann.get(&format!("/v2?{query}")).await);
    }
    met.add("limit_large_in_v1", 400, &ann.get("/v1?_limit=1001").await);

    for path in [
        "/identity/resources",
        "/identity/resources/users/v1/phone",
        "/frontegg/x",
    ] {
        let answer = send(&app, Method::GET, path, &[], "").await;
        met.add("path_unknown", 404, &answer);
    }
    met.add("path_unknown_below", 404, &ann.get("/v3").await);
    met.add(
        "method_wrong",
        405,
        &ann.call(Method::PUT, "/v1", Some(json!({}))).await,
    );
    met.add(
        "method_wrong_for_one",
        405,
        &ann.get("/v1/01940000-0000-7000-8000-000000000000").await,
    );
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let form = "clientId=a&secret=b";
    met.add(
        "vendor_not_json",
        415,
        &send(&app, Method::POST, "/auth/vendor", &headers, form).await,
    );
    met.add(
        "vendor_method",
        405,
        &send(&app, Method::GET, "/auth/vendor", &[], "").await,
    );
    met.snapshot("form");

    // What is not asked for, and a body that does not say what it is, are no mistakes.
    let body = b"{\"phoneNumber\": \"+41791234567\", \"verify\": null, \"x\": [1]}".to_vec();
    post("/v1", "", body).await.ok(201);
}
