//! `/openapi.json`: every path that is served, as the routers, `proto/` and the APIs tell it.

mod answers;
mod messages;
mod rpcs;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use axum::http::header;
use http::Method;
use serde_json::{Map, Value, json};

use super::body::Unread;
use super::contract::{
    About, Entry, Operation, Paths, RpcTold, Words, idempotency, reference, status_schema,
    wrong_method,
};
use super::error;
use answers::Refused;

/// What the paths that belong to no API are called.
const SERVER: &str = "Server";
/// The schema of their refusals.
const STATUS: &str = "google.rpc.Status";

const DESCRIPTION: &str = "Users' phone numbers, proven.

Bodies of requests are JSON in UTF-8 of at most 1 MiB, and not compressed; what a schema does not name is passed over. \
`HEAD` is answered wherever `GET` is, without the body. Every answer says `cache-control: no-store`. Preflights of \
CORS are answered at every path.

What no operation names: a path that does not exist is 404, below `/identity/resources` and `/frontegg` in the form of \
the Frontegg API, below `/identity/v1` and `/api/v2` in that of the ReachFive API where these are served, elsewhere a \
`google.rpc.Status`. A head that is too large is 431, one that is no HTTP is 400, both without a body.

The calls of Zitadel's and of ringback's own service are also served as gRPC, gRPC-web and Connect, at \
`/package.Service/Method`; reflection describes them.";

/// A gRPC service by its full name, and what it says of each of its methods.
pub(super) type Service = (&'static str, fn(&str) -> RpcTold);

/// `/openapi.json` of these services and paths; made when it is first asked for.
pub(super) fn paths(services: Vec<Service>, mut entries: Vec<Entry>) -> Paths {
    let own = Paths::new(about);
    entries.push(Entry {
        method: Method::GET,
        path: "/openapi.json".to_owned(),
        suffix: "",
        about,
        operation: itself,
    });
    let text = LazyLock::new(move || format!("{}\n", document(&services, &entries)));
    let text = Arc::new(text);
    let answer = move || async move {
        let text = text.as_str().to_owned();
        ([(header::CONTENT_TYPE, "application/json")], text)
    };
    own.route(Method::GET, "/openapi.json", answer, itself)
}

fn itself() -> Operation {
    let schema = json!({
        "type": "object",
        "required": ["openapi", "info", "paths"],
        "properties": {
            "openapi": { "type": "string" },
            "info": { "type": "object" },
            "paths": { "type": "object" },
        },
    });
    Operation::new("openapi", "This document")
        .open()
        .answers(200, "What is served.", schema)
}

/// The server's own paths.
pub(super) fn about() -> About {
    About {
        name: SERVER,
        description: "Health, and what is served.",
        security: json!([]),
        parameters: Vec::new(),
        schemes: json!({}),
        schemas: json!({ STATUS: status_schema() }),
        refusal: STATUS,
        words: Words {
            refusal: |refusal| error::status(&tonic::Status::unknown(refusal.to_string())),
            of_read: |refusal| error::status(&tonic::Status::unknown(refusal.to_string())),
            unread: |unread| error::status_as(&unread.status(), unread.http()),
            media_type: None,
            wrong_method,
        },
    }
}

/// The document as it grows.
struct Document {
    tags: Vec<Value>,
    paths: BTreeMap<String, Map<String, Value>>,
    schemas: BTreeMap<String, Value>,
    schemes: Map<String, Value>,
    examples: Map<String, Value>,
}

/// The OpenAPI 3.1 document of these services and paths.
fn document(services: &[Service], entries: &[Entry]) -> Value {
    let mut document = Document {
        tags: Vec::new(),
        paths: BTreeMap::new(),
        schemas: BTreeMap::new(),
        schemes: Map::new(),
        examples: Map::new(),
    };
    rpcs::tell(&mut document, services);
    for entry in entries {
        document.tell(entry);
    }
    let Document {
        tags,
        paths,
        schemas,
        schemes,
        examples,
    } = document;
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "ringback",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "Wherever this document was read." }],
        "tags": tags,
        "paths": paths,
        "components": {
            "securitySchemes": schemes,
            "schemas": schemas,
            "examples": examples,
        },
    })
}

impl Document {
    fn tag(&mut self, name: &str, description: &str) {
        if self.tags.iter().all(|tag| tag["name"] != name) {
            self.tags
                .push(json!({ "name": name, "description": description }));
        }
    }

    fn scheme(&mut self, name: &str, scheme: Value) {
        self.schemes.insert(name.to_owned(), scheme);
    }

    fn add(&mut self, path: &str, method: &Method, operation: Value) {
        let at = self.paths.entry(path.to_owned()).or_default();
        at.insert(method.as_str().to_ascii_lowercase(), operation);
    }

    /// An operation of an API's own paths, and what its API adds to the document.
    fn tell(&mut self, entry: &Entry) {
        let (about, operation) = ((entry.about)(), (entry.operation)());
        self.tag(about.name, about.description);
        for (name, schema) in members(&about.schemas) {
            self.schemas.insert(name, schema);
        }
        for (name, scheme) in members(&about.schemes) {
            self.schemes.insert(name, scheme);
        }
        let refused = refused(&operation, &about.words);
        let schema = reference(about.refusal);
        let mut responses = refused.tell(about.name, &schema, &mut self.examples);
        for (status, answer) in operation.answers {
            responses.insert(status.to_string(), answer);
        }
        let mut told = json!({
            "tags": [about.name],
            "operationId": format!("{}_{}{}", about.name, operation.id, entry.suffix),
            "summary": operation.summary,
            "security": operation.security.as_ref().unwrap_or(&about.security),
            "responses": responses,
        });
        if operation.deprecated {
            told["deprecated"] = true.into();
        }
        if !operation.description.is_empty() {
            told["description"] = operation.description.into();
        }
        let mut parameters = operation.parameters;
        let is_open = told["security"].as_array().is_some_and(Vec::is_empty);
        if !entry.method.is_safe() && !operation.reads && !is_open {
            parameters.push(idempotency());
        }
        if operation.security.is_none() {
            parameters.extend(about.parameters);
        }
        if !parameters.is_empty() {
            told["parameters"] = parameters.into();
        }
        if let Some(body) = operation.body {
            let mut content = json!({ "schema": body.schema });
            if let Some(example) = body.example {
                content["example"] = example;
            }
            let content = Map::from_iter([(body.media_type.to_owned(), content)]);
            told["requestBody"] = json!({ "required": body.required, "content": content });
        }
        self.add(&entry.path, &entry.method, told);
    }
}

/// What an operation is refused with, in its API's words.
fn refused(operation: &Operation, words: &Words) -> Refused {
    let mut all = Refused::default();
    let tell = match operation.reads {
        true => words.of_read,
        false => words.refusal,
    };
    for refusal in &operation.refusals {
        all.add(&super::contract::refusals::name(refusal), tell(refusal));
    }
    for (name, make) in &operation.others {
        all.add(name, make());
    }
    if let Some(body) = &operation.body {
        refused_bodies(body.limit, |name, unread| {
            all.add(name, (words.unread)(unread));
        });
        if let Some(media_type) = words.media_type {
            all.add("media_type", media_type());
        }
    }
    all.add("wrong_method", (words.wrong_method)());
    all
}

/// Why a body of an operation cannot be had, each with its name.
fn refused_bodies(limit: usize, mut add: impl FnMut(&str, Unread)) {
    let all = [
        ("body_too_large", Unread::TooLarge(limit)),
        ("body_broke_off", Unread::Broken),
        ("body_too_slow", Unread::TooSlow),
        ("bodies_too_many", Unread::Crowded),
    ];
    all.into_iter().for_each(|(name, why)| add(name, why));
}

fn members(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests;
