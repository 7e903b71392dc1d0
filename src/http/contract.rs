//! What an API says of itself in `/openapi.json`: each operation stands beside the handler that carries it out.

mod paths;
pub mod refusals;

use axum::response::Response;
use ringback_core::Refusal;
use serde_json::{Map, Value, json};
use tonic::Status;

use super::body::{BODY_LIMIT, Unread};
use super::error;
use crate::api::shared;
use crate::auth::ID_CHARACTERS;

pub(super) use paths::Entry;
pub use paths::Paths;

/// An API as a whole.
pub struct About {
    /// Its tag, and what its parts of the document are named after.
    pub name: &'static str,
    /// What it is.
    pub description: &'static str,
    /// What an operation asks for unless it says otherwise: alternatives, each naming schemes.
    pub security: Value,
    /// Headers that every operation reads that asks for something.
    pub parameters: Vec<Value>,
    /// Its security schemes, by name.
    pub schemes: Value,
    /// Its schemas, by name.
    pub schemas: Value,
    /// Which of them the body of a refusal has.
    pub refusal: &'static str,
    /// How it words what it refuses.
    pub words: Words,
}

/// How an API words what it refuses.
pub struct Words {
    /// A refusal.
    pub refusal: fn(&Refusal) -> Response,
    /// A refusal of what only reads.
    pub of_read: fn(&Refusal) -> Response,
    /// A body that could not be had.
    pub unread: fn(Unread) -> Response,
    /// A body that is no JSON; `None` where the content type is not looked at.
    pub media_type: Option<fn() -> Response>,
    /// Another method of a path. Its `Allow` is the router's.
    pub wrong_method: fn() -> Response,
}

/// The format of a text that is a number as people write it. Whether it is one no schema can say.
pub const PHONE: &str = "phone";

/// A scheme that a bearer token is shown with.
pub fn bearer() -> Value {
    json!({
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token of an issuer that the configuration trusts.",
    })
}

/// The header that names an organisation.
pub fn organization() -> Value {
    json!({
        "name": "x-zitadel-orgid",
        "in": "header",
        "description": "The organisation that a caller with rights elsewhere acts in.",
        "schema": { "type": "string", "maxLength": ID_CHARACTERS },
    })
}

/// The header that makes a change happen once.
pub(super) fn idempotency() -> Value {
    json!({
        "name": "idempotency-key",
        "in": "header",
        "description": "The same key and request within 24 hours are answered alike and change nothing more; the answer has \
                        idempotency-replayed then.",
        "schema": { "type": "string", "pattern": "^[!-~]{1,255}$" },
    })
}

/// The header that names languages.
pub fn languages() -> Value {
    json!({
        "name": "accept-language",
        "in": "header",
        "description": "The languages of messages to the user.",
        "schema": { "type": "string" },
    })
}

/// The schema of a component.
pub fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// A `google.rpc.Status` without details.
pub fn status_schema() -> Value {
    json!({
        "type": "object",
        "description": "Why a call was refused.",
        "required": ["code", "message"],
        "properties": {
            "code": {
                "type": "integer",
                "format": "int32",
                "minimum": 1,
                "maximum": 16,
                "description": "The gRPC status code.",
            },
            "message": { "type": "string", "description": "The text for a human." },
        },
    })
}

/// Another method of a path, as a `google.rpc.Status`.
pub fn wrong_method() -> Response {
    error::wrong_method()
}

/// One operation of an API's own paths.
pub struct Operation {
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) description: &'static str,
    pub(super) deprecated: bool,
    /// In place of the API's.
    pub(super) security: Option<Value>,
    pub(super) parameters: Vec<Value>,
    pub(super) body: Option<Body>,
    pub(super) answers: Vec<(u16, Value)>,
    pub(super) refusals: Vec<Refusal>,
    pub(super) reads: bool,
    /// What it refuses in other ways: a name and the response.
    pub(super) others: Vec<(&'static str, Answer)>,
}

/// Makes a response that the contract shows.
pub(super) type Answer = fn() -> Response;

pub(super) struct Body {
    pub(super) media_type: &'static str,
    pub(super) schema: Value,
    pub(super) example: Option<Value>,
    pub(super) required: bool,
    pub(super) limit: usize,
}

impl Operation {
    /// One without parameters, body and answers. `id` is unique in its API.
    pub fn new(id: &'static str, summary: &'static str) -> Operation {
        Operation {
            id,
            summary,
            description: "",
            deprecated: false,
            security: None,
            parameters: Vec::new(),
            body: None,
            answers: Vec::new(),
            refusals: Vec::new(),
            reads: false,
            others: Vec::new(),
        }
    }

    /// What else is to be known.
    pub fn about(self, description: &'static str) -> Operation {
        Operation {
            description,
            ..self
        }
    }

    /// There is a better one.
    pub fn deprecated(self) -> Operation {
        let deprecated = true;
        Operation { deprecated, ..self }
    }

    /// Needs no token.
    pub fn open(self) -> Operation {
        self.secured(json!([]))
    }

    /// Asks for something else than the API's other operations.
    pub fn secured(self, security: Value) -> Operation {
        let security = Some(security);
        Operation { security, ..self }
    }

    /// A part of the path.
    pub fn path(self, name: &str, description: &str, schema: &Value, example: &str) -> Operation {
        self.parameter("path", name, description, schema, Some(example))
    }

    /// A parameter that may be left out.
    pub fn query(self, name: &str, description: &str, schema: &Value) -> Operation {
        self.parameter("query", name, description, schema, None)
    }

    /// A parameter that must be there.
    pub fn needed_query(
        mut self,
        name: &str,
        description: &str,
        schema: &Value,
        example: &str,
    ) -> Operation {
        self = self.parameter("query", name, description, schema, Some(example));
        if let Some(parameter) = self.parameters.last_mut() {
            parameter["required"] = true.into();
        }
        self
    }

    /// A header that may be left out.
    pub fn header(self, name: &str, description: &str, schema: &Value) -> Operation {
        self.parameter("header", name, description, schema, None)
    }

    fn parameter(
        mut self,
        place: &str,
        name: &str,
        description: &str,
        schema: &Value,
        example: Option<&str>,
    ) -> Operation {
        let mut parameter = json!({
            "name": name,
            "in": place,
            "required": place == "path",
            "description": description,
            "schema": schema,
        });
        if let Some(example) = example {
            parameter["example"] = example.into();
        }
        self.parameters.push(parameter);
        self
    }

    /// A JSON body.
    pub fn body(self, schema: Value, example: Value) -> Operation {
        self.body_up_to(BODY_LIMIT, schema, example)
    }

    /// A JSON body of at most so many bytes.
    pub fn body_up_to(mut self, limit: usize, schema: Value, example: Value) -> Operation {
        self.body = Some(Body {
            media_type: "application/json",
            schema,
            example: Some(example),
            required: true,
            limit,
        });
        self
    }

    /// A body of any kind, or none, of at most so many bytes.
    pub fn any_body_up_to(mut self, limit: usize) -> Operation {
        self.body = Some(Body {
            media_type: "*/*",
            schema: json!({}),
            example: None,
            required: false,
            limit,
        });
        self
    }

    /// A success with JSON.
    pub fn answers(self, status: u16, description: &str, schema: Value) -> Operation {
        self.answers_with(status, description, "application/json", schema)
    }

    /// A success with another content.
    pub fn answers_with(
        mut self,
        status: u16,
        description: &str,
        media_type: &str,
        schema: Value,
    ) -> Operation {
        let content = Map::from_iter([(media_type.to_owned(), json!({ "schema": schema }))]);
        let answer = json!({ "description": description, "content": content });
        self.answers.push((status, answer));
        self
    }

    /// A success without a body.
    pub fn empty(mut self, status: u16, description: &str) -> Operation {
        self.answers
            .push((status, json!({ "description": description })));
        self
    }

    /// Every success so far has this header, where `always`, or may have it.
    pub fn with_header(mut self, name: &str, always: bool) -> Operation {
        for (_, answer) in &mut self.answers {
            answer["headers"][name] = header(name, always);
        }
        self
    }

    /// Every success so far tells the times of the code, where one was sent.
    pub fn tells_times(self) -> Operation {
        self.with_header(shared::EXPIRES_AT, false)
            .with_header(shared::RESEND_AFTER, false)
    }

    /// What it can be refused with.
    pub fn refuses(self, refusals: Vec<Refusal>) -> Operation {
        Operation { refusals, ..self }
    }

    /// It only reads, and is refused so.
    pub fn reads(self) -> Operation {
        Operation {
            reads: true,
            ..self
        }
    }

    /// Something else that it answers; `name` is its example's.
    pub fn also(mut self, name: &'static str, response: fn() -> Response) -> Operation {
        self.others.push((name, response));
        self
    }
}

/// How the contract describes a response header.
pub(super) fn header(name: &str, always: bool) -> Value {
    let (description, schema) = match name {
        shared::EXPIRES_AT => (
            "When the code ends; absent where none was sent.",
            json!({ "type": "string", "format": "date-time" }),
        ),
        shared::RESEND_AFTER => (
            "In how many seconds the next code may be asked for; absent where none was sent.",
            json!({ "type": "integer", "minimum": 0 }),
        ),
        shared::IGNORED => (
            "Which parts of the request were left out, where accounts.unkept is ignore.",
            json!({ "type": "string" }),
        ),
        shared::LIMIT => (
            "The limit that was met, such as sends_per_number or \"guard; reason=prefix\".",
            json!({ "type": "string" }),
        ),
        "retry-after" => (
            "In how many seconds to try again.",
            json!({ "type": "integer", "minimum": 0 }),
        ),
        "allow" => (
            "The methods that the path has.",
            json!({ "type": "string" }),
        ),
        "www-authenticate" => ("How to authenticate.", json!({ "const": "Bearer" })),
        "deprecation" => (
            "Since when the path is deprecated (RFC 9745).",
            json!({ "type": "string", "pattern": "^@[0-9]+$" }),
        ),
        _ => ("A header of the answer.", json!({ "type": "string" })),
    };
    json!({ "description": description, "required": always, "schema": schema })
}

/// What a method of a gRPC service says of itself, beside what `proto/` says.
pub struct RpcTold {
    /// A request that can be tried, in JSON, with what goes into the path.
    pub example: Value,
    /// What it refuses: names and statuses.
    pub refusals: Vec<(String, Status)>,
    /// Response headers that a success may have.
    pub headers: &'static [&'static str],
    /// The messages that the details of its statuses may be.
    pub details: &'static [&'static str],
}
