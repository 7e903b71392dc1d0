//! The APIs beside the calls: health, reflection, the contract, CORS, the inbox.

use ringback::config::Api;
use ringback::proto::pool;
use serde_json::{Value, json};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::{v1, v1alpha};

use crate::app::TestApp;
use crate::database::Database;
use crate::http::wire::Wire;

crate::on_both! {
    health_needs_no_token,
    reflection_names_every_service_that_is_served,
    the_contract_has_every_path,
    pages_of_allowed_origins_may_call,
    the_inbox_is_for_this_machine,
    the_inbox_waits_and_is_emptied_by_number,
    whatever_can_be_read_has_a_head,
    me_is_whoever_calls_in_paths,
    one_port_speaks_http_1_and_2,
}

async fn text(app: &TestApp, path: &str) -> (u16, String) {
    let answer = app.http.get(app.url(path)).send().await.expect("an answer");
    (
        answer.status().as_u16(),
        answer.text().await.expect("a text"),
    )
}

async fn health_needs_no_token(database: Database) {
    let app = TestApp::start(database).await;
    assert_eq!(text(&app, "/healthz").await.0, 200);
    assert_eq!(text(&app, "/readyz").await.0, 200);
    let mut health = HealthClient::new(app.channel.clone());
    for service in [
        "",
        "zitadel.user.v2.UserService",
        "ringback.phone.v1.PhoneService",
    ] {
        let request = HealthCheckRequest {
            service: service.into(),
        };
        let answer = health.check(request).await.expect("a state").into_inner();
        assert_eq!(answer.status().as_str_name(), "SERVING", "{service:?}");
    }
    let request = HealthCheckRequest {
        service: "nobody.knows.Service".into(),
    };
    let unknown = health.check(request).await.expect_err("no such service");
    assert_eq!(unknown.code(), tonic::Code::NotFound);
}

/// The services that reflection lists.
async fn listed(app: &TestApp) -> Vec<String> {
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(app.channel.clone());
    let ask = v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1::server_reflection_request::MessageRequest::ListServices(
            String::new(),
        )),
    };
    let mut stream = client
        .server_reflection_info(futures::stream::iter([ask]))
        .await
        .expect("an answer")
        .into_inner();
    let answer = stream
        .message()
        .await
        .expect("a message")
        .expect("one message");
    let Some(v1::server_reflection_response::MessageResponse::ListServicesResponse(list)) =
        answer.message_response
    else {
        panic!("no list: {answer:?}");
    };
    let names = list.service.into_iter().map(|service| service.name);
    names
        .filter(|name| !name.starts_with("grpc.reflection."))
        .collect()
}

async fn reflection_names_every_service_that_is_served(database: Database) {
    let one = TestApp::start_with(database.another().await, |config| {
        config.apis = vec![Api::Zitadel];
    });
    let mut names = listed(&one.await).await;
    names.sort();
    assert_eq!(
        names,
        ["grpc.health.v1.Health", "zitadel.user.v2.UserService"]
    );

    let app = TestApp::start(database).await;
    let mut expected: Vec<String> = pool()
        .services()
        .map(|s| s.full_name().to_owned())
        .chain(["grpc.health.v1.Health".to_owned()])
        .collect();
    expected.sort();
    let mut names = listed(&app).await;
    names.sort();
    assert_eq!(names, expected);

    let mut client =
        v1alpha::server_reflection_client::ServerReflectionClient::new(app.channel.clone());
    let ask = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(
            v1alpha::server_reflection_request::MessageRequest::FileContainingSymbol(
                "zitadel.user.v2.UserService".into(),
            ),
        ),
    };
    let mut stream = client
        .server_reflection_info(futures::stream::iter([ask]))
        .await
        .expect("an answer")
        .into_inner();
    let answer = stream
        .message()
        .await
        .expect("a message")
        .expect("one message");
    let Some(v1alpha::server_reflection_response::MessageResponse::FileDescriptorResponse(files)) =
        answer.message_response
    else {
        panic!("no file: {answer:?}");
    };
    assert!(!files.file_descriptor_proto.is_empty());
}

async fn the_contract_has_every_path(database: Database) {
    let app = TestApp::start(database).await;
    let (status, body) = text(&app, "/openapi.json").await;
    assert_eq!(status, 200);
    let contract: Value = serde_json::from_str(&body).expect("JSON");
    assert!(
        contract["openapi"]
            .as_str()
            .is_some_and(|version| version.starts_with("3."))
    );
    let mut listed: Vec<String> = Vec::new();
    for (path, verbs) in contract["paths"].as_object().expect("paths") {
        for (verb, operation) in verbs.as_object().expect("verbs") {
            let answers = operation["responses"].as_object().expect("answers");
            assert!(
                answers.keys().any(|it| it.starts_with('2')),
                "{verb} {path}"
            );
            listed.push(format!("{verb} {path}"));
        }
    }
    listed.sort_unstable();
    assert_eq!(
        listed,
        [
            "delete /dev/inbox",
            "delete /frontegg/identity/resources/users/phone-numbers/v1/vendor/{user}/{id}",
            "delete /frontegg/identity/resources/users/phone-numbers/v1/{id}",
            "delete /identity/resources/users/phone-numbers/v1/vendor/{user}/{id}",
            "delete /identity/resources/users/phone-numbers/v1/{id}",
            "delete /identity/v1/mfa/credentials/phone-numbers",
            "delete /v2/users/{userId}",
            "delete /v2/users/{userId}/phone",
            "delete /v2/users/{userId}/phones/{phoneId}",
            "get /dev/inbox",
            "get /frontegg/identity/resources/users/phone-numbers/v1",
            "get /frontegg/identity/resources/users/phone-numbers/v1/me",
            "get /frontegg/identity/resources/users/phone-numbers/v2",
            "get /healthz",
            "get /identity/resources/users/phone-numbers/v1",
            "get /identity/resources/users/phone-numbers/v1/me",
            "get /identity/resources/users/phone-numbers/v2",
            "get /identity/v1/config",
            "get /identity/v1/mfa/credentials",
            "get /identity/v1/userinfo",
            "get /openapi.json",
            "get /readyz",
            "get /v2/caller",
            "get /v2/config",
            "get /v2/guard/status",
            "get /v2/messages/statistics",
            "get /v2/messages/{messageId}",
            "get /v2/users/{userId}",
            "get /v2/users/{userId}/export",
            "get /v2/users/{userId}/phone",
            "get /v2/users/{userId}/phone/status",
            "get /v2/users/{userId}/verification",
            "patch /v2/users/{userId}",
            "post /api/v2/users/{user_id}/verify-phone-number",
            "post /auth/vendor",
            "post /auth/vendor/",
            "post /frontegg/identity/resources/users/phone-numbers/v1",
            "post /frontegg/identity/resources/users/phone-numbers/v1/preverify",
            "post /frontegg/identity/resources/users/phone-numbers/v1/vendor/{user}",
            "post /frontegg/identity/resources/users/phone-numbers/v1/verify",
            "post /frontegg/identity/resources/users/phone-numbers/v1/{id}/delete/verify",
            "post /identity/resources/users/phone-numbers/v1",
            "post /identity/resources/users/phone-numbers/v1/preverify",
            "post /identity/resources/users/phone-numbers/v1/vendor/{user}",
            "post /identity/resources/users/phone-numbers/v1/verify",
            "post /identity/resources/users/phone-numbers/v1/{id}/delete/verify",
            "post /identity/v1/mfa/credentials/phone-numbers",
            "post /identity/v1/mfa/credentials/phone-numbers/verify",
            "post /identity/v1/send-phone-number-verification",
            "post /identity/v1/update-phone-number",
            "post /identity/v1/verify-phone-number",
            "post /v2/events/search",
            "post /v2/guard/allow",
            "post /v2/messages/search",
            "post /v2/messages/{messageId}/retry",
            "post /v2/phones/search",
            "post /v2/users",
            "post /v2/users/human",
            "post /v2/users/new",
            "post /v2/users/{userId}/erase",
            "post /v2/users/{userId}/phone",
            "post /v2/users/{userId}/phone/change",
            "post /v2/users/{userId}/phone/change/resend",
            "post /v2/users/{userId}/phone/resend",
            "post /v2/users/{userId}/phone/unlock",
            "post /v2/users/{userId}/phone/verify",
            "post /v2/users/{userId}/phones",
            "post /v2/users/{userId}/phones/preverify",
            "post /v2/users/{userId}/phones/verify",
            "post /v2/users/{userId}/phones/{phoneId}/primary",
            "post /v2/users/{userId}/phones/{phoneId}/removal",
            "post /v2/users/{userId}/phones/{phoneId}/removal/confirm",
            "post /v2/users/{userId}/verification_sessions",
            "post /v2/verification_results/check",
            "put /v2/users/human/{userId}",
        ]
    );
    // Whatever it points at is there.
    for (at, _) in body.match_indices("\"$ref\":\"#/") {
        let rest = &body[at + "\"$ref\":\"#".len()..];
        let pointer = &rest[..rest.find('"').expect("an end")];
        assert!(contract.pointer(pointer).is_some(), "{pointer}");
    }
}

async fn pages_of_allowed_origins_may_call(database: Database) {
    let app = TestApp::start_with(database, |config| {
        config.cors.allowed_headers = vec!["x-of-our-own".into()];
    });
    let app = app.await;
    for path in [
        "/v2/users/ann/phone",
        "/zitadel.user.v2.UserService/SetPhone",
    ] {
        let ask = |origin: &'static str| {
            let request = app.http.request(http::Method::OPTIONS, app.url(path));
            request
                .header("origin", origin)
                .header("access-control-request-method", "POST")
                .header(
                    "access-control-request-headers",
                    "authorization,content-type,x-grpc-web,x-zitadel-orgid,connect-protocol-version",
                )
                .send()
        };
        let allowed = ask("https://app.example.com").await.expect("an answer");
        assert_eq!(allowed.status(), 200);
        let header = |name: &str| {
            let value = allowed
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_ascii_lowercase()
        };
        assert_eq!(
            header("access-control-allow-origin"),
            "https://app.example.com"
        );
        assert_eq!(header("access-control-allow-credentials"), "true");
        assert!(header("access-control-allow-methods").contains("delete"));
        for name in [
            "authorization",
            "grpc-accept-encoding",
            "idempotency-key",
            "traceparent",
            "tracestate",
            "x-access-token",
            "x-grpc-web",
            "x-request-id",
            "x-of-our-own",
            "connect-timeout-ms",
            "x-zitadel-orgid",
        ] {
            assert!(
                header("access-control-allow-headers").contains(name),
                "{name}"
            );
        }
        let denied = ask("https://evil.example").await.expect("an answer");
        assert!(!denied.headers().contains_key("access-control-allow-origin"));
        assert!(
            !denied
                .headers()
                .contains_key("access-control-allow-credentials")
        );
    }
    // The answer itself, an error too, can be read by the page.
    for wire in [Wire::Json, Wire::ConnectJson, Wire::GrpcWeb] {
        let headers = [("origin", "https://app.example.com")];
        let refused = wire
            .call_with(&app, "SetPhone", &headers, json!({"userId": "a"}))
            .await;
        let refused = refused.expect_err("no token");
        assert_eq!(
            refused.headers["access-control-allow-origin"],
            "https://app.example.com"
        );
        let exposed = refused.headers["access-control-expose-headers"]
            .to_str()
            .expect("a text");
        for name in [
            "deprecation",
            "grpc-status",
            "grpc-message",
            "grpc-status-details-bin",
            "link",
            "retry-after",
        ] {
            assert!(exposed.contains(name), "{name} in {exposed}");
        }
    }
}

async fn whatever_can_be_read_has_a_head(database: Database) {
    let app = TestApp::start(database).await;
    let user = json!({"userId": "ann"});
    Wire::Json
        .ok(&app, "AddHumanUser", &app.admin(), user)
        .await;
    let over_2 = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge();
    let over_2 = over_2.build().expect("a client");
    for client in [&app.http, &over_2] {
        for path in [
            "/healthz",
            "/openapi.json",
            "/v2/users/ann",
            "/v2/users/ann/phone",
            "/identity/v1/config",
            "/ringback.phone.v1.PhoneService/ListUserPhones?encoding=json&message=%7B%22userId%22%3A%22ann%22%7D",
        ] {
            let ask = |method| {
                client
                    .request(method, app.url(path))
                    .bearer_auth(app.admin())
            };
            let get = ask(http::Method::GET).send().await.expect("an answer");
            let head = ask(http::Method::HEAD).send().await.expect("an answer");
            assert_eq!(get.status(), 200, "{path}");
            assert_eq!(head.status(), 200, "{path}");
            for name in ["content-type", "content-length"] {
                assert_eq!(
                    get.headers().get(name),
                    head.headers().get(name),
                    "{path} {name}"
                );
            }
            assert_eq!(head.bytes().await.expect("no body").len(), 0, "{path}");
        }
    }
}

async fn the_inbox_is_for_this_machine(database: Database) {
    let app = TestApp::start(database).await;
    let (token, number) = (app.user("ann", "acme"), app.number());
    Wire::Json
        .ok(
            &app,
            "SetPhone",
            &token,
            json!({"userId": "ann", "phone": number}),
        )
        .await;
    app.deliver().await;
    let path = format!("/dev/inbox?to={}", number.replace('+', "%2B"));
    let (status, body) = text(&app, &path).await;
    let shown: Value = serde_json::from_str(&body).expect("JSON");
    let code = app.code(&number).await;
    assert_eq!((status, &shown["messages"][0]["code"]), (200, &json!(code)));
    assert_eq!(shown["messages"][0]["to"], number);
    assert_eq!(shown["messages"][0]["sentAt"], "2027-01-15T08:00:00Z");
    assert_eq!(
        text(&app, "/dev/inbox?to=%2B41791234567").await,
        (200, "{\"messages\":[]}\n".into())
    );
    assert_eq!(text(&app, "/dev/inbox?to=me").await.0, 400);

    let foreign = [
        ("host", "evil.example"),
        ("x-forwarded-for", "192.0.2.1"),
        ("forwarded", "for=x"),
    ];
    for (name, value) in foreign {
        let request = app.http.get(app.url(&path)).header(name, value);
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 403, "{name}");
        assert!(
            !answer.text().await.expect("a text").contains(&code),
            "{name}"
        );
        // A token that may write lets in from anywhere.
        for (token, status) in [
            (app.admin(), 200),
            (app.manager("acme"), 200),
            (app.reader("acme"), 403),
            (app.user("ann", "acme"), 403),
            ("x".to_owned(), 401),
        ] {
            let request = app.http.get(app.url(&path)).header(name, value);
            let answer = request.bearer_auth(token).send().await.expect("an answer");
            assert_eq!(answer.status(), status, "{name}");
        }
    }
}

async fn the_inbox_waits_and_is_emptied_by_number(database: Database) {
    let app = TestApp::start(database).await;
    let (number, other) = (app.number(), app.number());
    let set = |user: &'static str, number: &str| {
        let body = json!({"userId": user, "phone": number});
        let (app, token) = (&app, app.user(user, "acme"));
        async move { Wire::Json.ok(app, "SetPhone", &token, body).await }
    };
    let encoded = number.replace('+', "%2B");
    let ask = |query: String| {
        let app = &app;
        async move {
            let (status, body) = text(app, &format!("/dev/inbox?{query}")).await;
            assert_eq!(status, 200, "{body}");
            let shown: Value = serde_json::from_str(&body).expect("JSON");
            shown["messages"].as_array().expect("messages").clone()
        }
    };
    let waiting = ask(format!("to={encoded}&wait=10"));
    let sending = async {
        set("bob", &other).await;
        set("ann", &number).await;
        app.deliver().await;
    };
    let (found, ()) = tokio::join!(waiting, sending);
    assert_eq!((found.len(), &found[0]["to"]), (1, &json!(number)));
    let id = found[0]["id"].as_str().expect("an id");
    assert!(ask(format!("to={encoded}&after={id}")).await.is_empty());
    assert_eq!(ask("after=another".into()).await.len(), 2);

    let delete = |path: &str| app.http.delete(app.url(path)).send();
    assert_eq!(delete("/dev/inbox").await.expect("an answer").status(), 400);
    let path = format!("/dev/inbox?to={encoded}");
    assert_eq!(delete(&path).await.expect("an answer").status(), 200);
    assert!(ask(format!("to={encoded}")).await.is_empty());
    assert_eq!(ask(String::new()).await.len(), 1);
}

async fn me_is_whoever_calls_in_paths(database: Database) {
    let app = TestApp::start(database).await;
    let (token, number) = (app.user("ann/1", "acme"), app.number());
    let call = |method: http::Method, path: &str, body: Value| {
        let request = app.http.request(method, app.url(path)).bearer_auth(&token);
        let request = match body {
            Value::Null => request,
            body => request.json(&body),
        };
        async move {
            let answer = request.send().await.expect("an answer");
            let status = answer.status().as_u16();
            let text = answer.text().await.expect("a text");
            assert!(text.ends_with("}\n"), "JSON ends its line: {text}");
            (status, serde_json::from_str::<Value>(&text).expect("JSON"))
        }
    };
    let set = call(
        http::Method::POST,
        "/v2/users/me/phone",
        json!({"phone": number}),
    );
    assert_eq!(set.await.0, 200);
    let code = json!({"verificationCode": app.code(&number).await});
    let verify = call(http::Method::POST, "/v2/users/me/phone/verify", code);
    assert_eq!(verify.await.0, 200);
    let (_, shown) = call(http::Method::GET, "/v2/users/me/phone", Value::Null).await;
    assert_eq!(shown["phones"][0]["userId"], "ann/1");
    assert_eq!(shown["phones"][0]["isVerified"], true);
    let (_, user) = call(http::Method::GET, "/v2/users/me", Value::Null).await;
    assert_eq!(user["user"]["userId"], "ann/1");
    // Elsewhere it is a name like any other.
    let other = call(http::Method::GET, "/v2/users/bob/phone", Value::Null).await;
    assert_eq!(other.0, 404);
    let refused = Wire::ConnectJson
        .refused(&app, "ListUserPhones", &token, json!({"userId": "me"}))
        .await;
    assert_eq!(refused.code, tonic::Code::NotFound);
}

async fn one_port_speaks_http_1_and_2(database: Database) {
    let app = TestApp::start(database).await;
    let client = reqwest::Client::builder()
        .no_proxy()
        .http2_prior_knowledge();
    let client = client.build().expect("a client");
    let request = client
        .get(app.url("/v2/users/root"))
        .bearer_auth(app.admin());
    let answer = request.send().await.expect("an answer");
    assert_eq!(
        (answer.version(), answer.status().as_u16()),
        (http::Version::HTTP_2, 404)
    );

    // gRPC has its status in trailers, which HTTP/1.1 clients do not read.
    let request = app
        .http
        .post(app.url("/zitadel.user.v2.UserService/SetPhone"));
    // More than fits into a connection's buffers, so that the answer arrives only if it is read.
    let body = vec![0; 4 * 1024 * 1024];
    let request = request
        .header("content-type", "application/grpc")
        .header("origin", "https://app.example.com")
        .body(body);
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 505);
    // A page learns of its mistake.
    let allowed = answer.headers().get("access-control-allow-credentials");
    assert!(allowed.is_some());
}
