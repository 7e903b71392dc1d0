//! Which APIs are served: what is off is as unknown as any path.

use ringback::config::Api;
use serde_json::{Value, json};
use tonic::Code;

use crate::app::TestApp;
use crate::database::Database;
use crate::http::wire::Wire;

crate::on_both! {
    a_path_of_an_api_that_is_off_is_unknown,
}

/// A path of each API, how it is called, and whether it wants a token before all else.
const PATHS: [(Api, &str, &str); 9] = [
    (Api::Zitadel, "POST", "/v2/users/ann/phone"),
    (
        Api::Zitadel,
        "POST",
        "/zitadel.user.v2.UserService/SetPhone",
    ),
    (Api::Ringback, "GET", "/v2/users/ann/phone"),
    (
        Api::Ringback,
        "POST",
        "/ringback.phone.v1.PhoneService/ListUserPhones",
    ),
    (
        Api::Frontegg,
        "GET",
        "/identity/resources/users/phone-numbers/v1/me",
    ),
    (
        Api::Frontegg,
        "POST",
        "/frontegg/identity/resources/users/phone-numbers/v1",
    ),
    (Api::Frontegg, "POST", "/auth/vendor"),
    (Api::ReachFive, "GET", "/identity/v1/userinfo"),
    (
        Api::ReachFive,
        "POST",
        "/api/v2/users/ann/verify-phone-number",
    ),
];

async fn a_path_of_an_api_that_is_off_is_unknown(database: Database) {
    for served in [
        vec![Api::Zitadel, Api::Ringback],
        vec![Api::Frontegg],
        vec![Api::Ringback, Api::ReachFive],
    ] {
        let apis = served.clone();
        let app = TestApp::start_with(database.another().await, |config| config.apis = apis).await;
        for (api, method, path) in PATHS {
            let method = method.parse().expect("a method");
            let request = app.http.request(method, app.url(path));
            let request = request
                .header("content-type", "application/json")
                .body("{}");
            let answer = request.send().await.expect("an answer");
            let on = served.contains(&api);
            // Zitadel's and ringback's own share the path of a user's number.
            let shared = path == "/v2/users/ann/phone" && answer.status() == 405;
            let off = answer.status() == 404 || shared;
            assert_eq!(off, !on, "{served:?} {path}: {}", answer.status());
        }
        let told = app.http.get(app.url("/openapi.json")).send().await;
        let told: Value = told.expect("an answer").json().await.expect("JSON");
        let tags = told["tags"].as_array().expect("tags");
        for (api, name, schemas) in [
            (Api::Zitadel, "UserService", "zitadel."),
            (Api::Ringback, "PhoneService", "ringback."),
            (Api::Frontegg, "Frontegg", "frontegg."),
            (Api::ReachFive, "ReachFive", "reachfive."),
        ] {
            let on = served.contains(&api);
            let tagged = tags.iter().any(|tag| tag["name"] == name);
            assert_eq!(tagged, on, "{served:?} {name}");
            let mut all = told["components"]["schemas"]
                .as_object()
                .expect("schemas")
                .keys();
            assert_eq!(
                all.any(|it| it.starts_with(schemas)),
                on,
                "{served:?} {schemas}"
            );
        }
        for (api, rpc) in [
            (Api::Zitadel, "SetPhone"),
            (Api::Ringback, "ListUserPhones"),
        ] {
            let body = json!({"userId": "ann", "phone": app.number()});
            for wire in [Wire::Grpc, Wire::GrpcWeb] {
                let answer = wire.call(&app, rpc, &app.admin(), body.clone()).await;
                let unknown = answer.is_err_and(|refused| refused.code == Code::Unimplemented);
                assert_eq!(unknown, !served.contains(&api), "{served:?} {wire:?} {rpc}");
            }
        }
    }
}
