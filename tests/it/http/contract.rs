//! `/openapi.json` against the service: what it tells is what is met.

mod schema;

use std::collections::BTreeSet;

use http::Method;
use ringback::config::VendorClient;
use serde_json::{Map, Value, json};

use crate::app::TestApp;
use crate::database::Database;
use schema::misfits;

crate::on_both! {
    every_example_is_answered_as_told,
    paths_have_the_methods_that_are_told,
    what_must_be_given_is_asked_for,
    texts_are_as_long_as_is_told,
    refusals_are_of_the_form_that_is_told,
}

/// What is met by an operation's own example, where it is no success: `ann` exists and has no number, nobody was
/// sent a code, and the caller's rights hold in one organisation.
const REFUSED: [(&str, u16); 27] = [
    ("AdminService_GetConfig", 403),
    ("MessageService_GetDeliveryStatistics", 403),
    ("MessageService_GetMessage", 404),
    ("MessageService_RetryMessage", 404),
    ("UserService_ResendPhoneCode", 400),
    ("UserService_VerifyPhone", 400),
    ("UserService_RemovePhone", 400),
    ("PhoneService_VerifyUserPhone", 400),
    ("PhoneService_RequestUserPhoneRemoval", 400),
    ("PhoneService_ConfirmUserPhoneRemoval", 400),
    ("PhoneService_RemoveUserPhone", 400),
    ("PhoneService_ResendUserPhoneChange", 400),
    ("PhoneService_SetPrimaryUserPhone", 400),
    ("VerificationService_CheckVerificationResult", 400),
    ("Frontegg_verify", 400),
    ("Frontegg_askRemoval", 404),
    ("Frontegg_remove", 400),
    ("Frontegg_removeAtOnce", 404),
    ("Frontegg_verify_browser", 400),
    ("Frontegg_askRemoval_browser", 404),
    ("Frontegg_remove_browser", 400),
    ("Frontegg_removeAtOnce_browser", 404),
    ("ReachFive_verifyPhoneNumber", 400),
    ("ReachFive_sendPhoneNumberVerification", 400),
    ("ReachFive_sendUserPhoneNumberVerification", 400),
    ("ReachFive_verifyCredential", 400),
    ("ReachFive_deleteCredential", 404),
];

/// A service with the user and the client of the examples, and what it tells.
struct Service {
    app: TestApp,
    contract: Value,
    /// The user `ann`, who may also manage the organisation.
    token: String,
}

/// One operation of the contract.
struct Operation<'a> {
    path: &'a str,
    method: Method,
    told: &'a Value,
}

/// What came back.
struct Answer {
    status: u16,
    headers: http::HeaderMap,
    kind: Option<String>,
    text: String,
}

impl Service {
    async fn start(database: Database) -> Service {
        let app = TestApp::start_with(database, |config| {
            let client = VendorClient {
                client_id: "backend".into(),
                secret: "0123456789abcdef0123456789abcdef".into(),
            };
            config.vendor.clients.insert("one".into(), client);
            config.verify.enabled = true;
        });
        let app = app.await;
        let contract = app.http.get(app.url("/openapi.json")).send().await;
        let contract = contract.expect("an answer").json().await.expect("JSON");
        let claims = json!({
            "sub": "ann", "org_id": "acme", "roles": ["ORG_OWNER"], "iat": app.now(),
        });
        let token = app.token(claims);
        let user = json!({ "userId": "ann" });
        let register = app.http.post(app.url("/v2/users/human"));
        let answer = register.bearer_auth(&token).json(&user).send().await;
        assert_eq!(answer.expect("an answer").status(), 200);
        Service {
            app,
            contract,
            token,
        }
    }

    fn operations(&self) -> Vec<Operation<'_>> {
        let mut all = Vec::new();
        for (path, methods) in members(&self.contract["paths"]) {
            for (method, told) in members(methods) {
                let method = method.to_ascii_uppercase().parse().expect("a method");
                all.push(Operation { path, method, told });
            }
        }
        assert!(all.len() > 50, "{}", all.len());
        all
    }

    async fn call(&self, operation: &Operation<'_>, body: Option<&Value>) -> Answer {
        let path = operation.address();
        let request = self
            .app
            .http
            .request(operation.method.clone(), self.app.url(&path));
        let mut request = request;
        if operation.told["security"] != json!([]) {
            request = request.bearer_auth(&self.token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        Answer::of(request.send().await.expect("an answer")).await
    }

    /// Whether an answer is one that the operation tells.
    fn judge(&self, operation: &Operation<'_>, answer: &Answer) {
        let about = format!("{}: {} {}", operation.id(), answer.status, answer.text);
        let told = &operation.told["responses"][answer.status.to_string()];
        assert!(told.is_object(), "no such status is told: {about}");
        for (name, header) in members(&told["headers"]) {
            let is_there = answer.headers.contains_key(name.as_str());
            assert!(is_there || header["required"] != true, "no {name}: {about}");
        }
        let Some(kind) = &answer.kind else {
            assert!(told.get("content").is_none(), "no body: {about}");
            return;
        };
        let content = &told["content"][kind.as_str()];
        assert!(
            content.is_object(),
            "no such content is told: {kind} {about}"
        );
        let body = match kind.as_str() {
            "application/json" => serde_json::from_str(&answer.text).expect("JSON"),
            _ => Value::from(answer.text.as_str()),
        };
        let wrong = misfits(&self.contract, &content["schema"], &body);
        assert_eq!(wrong, Vec::<String>::new(), "{about}");
    }
}

impl Operation<'_> {
    fn id(&self) -> &str {
        self.told["operationId"].as_str().expect("an id")
    }

    /// The path with the examples of its parameters, and with the query that must be.
    fn address(&self) -> String {
        let (mut path, mut query) = (self.path.to_owned(), String::new());
        for parameter in self.told["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().expect("a name").to_owned();
            let example = parameter["example"].as_str().unwrap_or_default().to_owned();
            if parameter["in"] == "path" {
                path = path.replace(&format!("{{{name}}}"), &example);
            } else if parameter["in"] == "query" && parameter["required"] == true {
                query = format!("?{name}={}", example.replace('+', "%2B"));
            }
        }
        path + &query
    }

    fn content(&self) -> Option<&Value> {
        let body = self.told.get("requestBody")?;
        body["content"].get("application/json")
    }

    fn example(&self) -> Option<&Value> {
        self.content().map(|content| &content["example"])
    }

    /// The schema of the body, looked up.
    fn body<'a>(&'a self, contract: &'a Value) -> Option<&'a Value> {
        let schema = &self.content()?["schema"];
        match schema["$ref"].as_str() {
            Some(target) => contract.pointer(target.strip_prefix('#')?),
            None => Some(schema),
        }
    }
}

impl Answer {
    async fn of(response: reqwest::Response) -> Answer {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let kind = headers.get("content-type").map(|kind| {
            let kind = kind.to_str().expect("a text");
            kind.split(';').next().expect("a type").to_owned()
        });
        let text = response.text().await.expect("a text");
        Answer {
            status,
            headers,
            kind,
            text,
        }
    }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

async fn every_example_is_answered_as_told(database: Database) {
    let first = Service::start(database.another().await).await;
    let mut refused = BTreeSet::new();
    for index in 0..first.operations().len() {
        // What reads leaves all as it was.
        let changes = first.operations()[index].method != Method::GET;
        let fresh = match changes {
            true => Some(Service::start(database.another().await).await),
            false => None,
        };
        let service = fresh.as_ref().unwrap_or(&first);
        let operation = &service.operations()[index];
        if let (Some(schema), Some(example)) =
            (operation.body(&service.contract), operation.example())
        {
            let wrong = misfits(&service.contract, schema, example);
            assert_eq!(wrong, Vec::<String>::new(), "{}", operation.id());
        }
        let answer = service.call(operation, operation.example()).await;
        service.judge(operation, &answer);
        if answer.status >= 300 {
            refused.insert((operation.id().to_owned(), answer.status));
        }
    }
    let expected = REFUSED.map(|(id, status)| (id.to_owned(), status));
    assert_eq!(refused, expected.into());
}

async fn paths_have_the_methods_that_are_told(database: Database) {
    let service = Service::start(database).await;
    let all = service.operations();
    for operation in &all {
        let of_path = all.iter().filter(|other| other.path == operation.path);
        let mut told: BTreeSet<&str> = of_path.map(|other| other.method.as_str()).collect();
        if told.contains("GET") {
            told.insert("HEAD");
        }
        let path = operation.address();
        let request = service
            .app
            .http
            .request(Method::TRACE, service.app.url(&path));
        let answer = Answer::of(request.send().await.expect("an answer")).await;
        assert_eq!(answer.status, 405, "{path}: {}", answer.text);
        service.judge(operation, &answer);
        let allow = answer.headers["allow"].to_str().expect("a text").to_owned();
        let allowed: BTreeSet<&str> = allow.split(',').map(str::trim).collect();
        assert_eq!(allowed, told, "{path}");
    }
}

async fn what_must_be_given_is_asked_for(database: Database) {
    let service = Service::start(database).await;
    let mut asked = 0;
    for operation in service.operations() {
        let Some(schema) = operation.body(&service.contract) else {
            continue;
        };
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().expect("a name");
            for without in [None, Some(Value::Null)] {
                let mut body = operation.example().expect("an example").clone();
                let body_members = body.as_object_mut().expect("an object");
                body_members.remove(name);
                body_members.extend(without.map(|null| (name.to_owned(), null)));
                let answer = service.call(&operation, Some(&body)).await;
                assert_eq!(
                    answer.status,
                    400,
                    "{} {name}: {}",
                    operation.id(),
                    answer.text
                );
                service.judge(&operation, &answer);
                asked += 1;
            }
        }
    }
    assert!(asked > 40, "{asked}");
}

/// Whether an answer says that a text is too long.
fn is_too_long(answer: &Answer) -> bool {
    let says = ["length must be", "characters"];
    answer.status == 400 && says.iter().any(|says| answer.text.contains(says))
}

async fn texts_are_as_long_as_is_told(database: Database) {
    let service = Service::start(database).await;
    let mut tried = 0;
    for operation in service.operations() {
        let Some(schema) = operation.body(&service.contract) else {
            continue;
        };
        for (name, property) in members(&schema["properties"]) {
            let Some(most) = property["maxLength"].as_u64() else {
                continue;
            };
            let most = usize::try_from(most).expect("a length");
            for (length, expected) in [(most, false), (most + 1, true)] {
                let mut body = operation.example().expect("an example").clone();
                body[name] = "é".repeat(length).into();
                let answer = service.call(&operation, Some(&body)).await;
                let about = format!("{} {name} of {length}: {}", operation.id(), answer.text);
                // A number of so many characters is none, which is said otherwise.
                let met =
                    is_too_long(&answer) && !answer.text.contains("are not part of a phone number");
                assert_eq!(met, expected, "{about}");
                service.judge(&operation, &answer);
            }
            tried += 1;
        }
    }
    assert!(tried > 15, "{tried}");
}

async fn refusals_are_of_the_form_that_is_told(database: Database) {
    let service = Service::start(database).await;
    let large = " ".repeat(1024 * 1024 + 1);
    for operation in service.operations() {
        let path = operation.address();
        let ask = || {
            let url = service.app.url(&path);
            service.app.http.request(operation.method.clone(), url)
        };
        let mut requests = Vec::new();
        let security = operation.told["security"].as_array().expect("security");
        if !security.is_empty() {
            requests.push((401, ask().bearer_auth("x")));
            let needed = security.iter().all(|one| *one != json!({}));
            requests.extend(needed.then(|| (401, ask())));
        }
        if operation.content().is_some() {
            let known = || match security.is_empty() {
                true => ask(),
                false => ask().bearer_auth(&service.token),
            };
            let json = |request: reqwest::RequestBuilder| {
                request.header("content-type", "application/json")
            };
            requests.push((413, json(known()).body(large.clone())));
            requests.push((400, json(known()).body("[")));
            if operation.told["responses"].get("415").is_some() {
                let odd = known().header("content-type", "text/plain").body("{}");
                requests.push((415, odd.header("content-encoding", "br")));
            }
        }
        for (status, request) in requests {
            let answer = Answer::of(request.send().await.expect("an answer")).await;
            assert_eq!(answer.status, status, "{}: {}", operation.id(), answer.text);
            service.judge(&operation, &answer);
        }
    }
}
