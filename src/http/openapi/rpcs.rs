//! The operations that `proto/` gives paths with `google.api.http`.

use http::Method;
use prost_reflect::{FieldDescriptor, MethodDescriptor};
use serde_json::{Value, json};

use super::answers::Refused;
use super::messages::{Messages, Way};
use super::{Document, Service, refused_bodies};
use crate::http::body::Unread;
use crate::http::contract::{self, RpcTold, reference};
use crate::http::rest::{self, Failure};
use crate::http::routes::{Binding, Body as BodyRule, Routes, Rule};
use crate::http::{error, json};
use crate::proto;

/// Tells every rule of these services.
pub(super) fn tell(document: &mut Document, services: &[Service]) {
    let names: Vec<&str> = services.iter().map(|(name, _)| *name).collect();
    let routes = Routes::of_services(&names);
    let mut messages = Messages::new(proto::pool());
    for service in proto::pool().services() {
        if names.contains(&service.full_name()) {
            let about = messages.comment(service.parent_file().name(), service.path());
            document.tag(service.name(), &about);
        }
    }
    if !services.is_empty() {
        document.scheme("bearer", contract::bearer());
    }
    for rule in routes.rules() {
        let (service, told) = services[rule.binding.rpc.service];
        let Some(method) = method(&rule.binding) else {
            continue;
        };
        let told = told(method.name());
        let mut telling = Telling {
            messages: &mut messages,
            document,
            rule,
            told: &told,
            schema: format!("{service}.Refusal"),
        };
        let operation = telling.operation(&method, &routes);
        document.add(&json_template(rule), &rule.method, operation);
    }
    document.schemas.extend(messages.schemas);
}

struct Telling<'a, 'p> {
    messages: &'a mut Messages<'p>,
    document: &'a mut Document,
    rule: &'a Rule,
    told: &'a RpcTold,
    /// The schema of the service's refusals.
    schema: String,
}

impl Telling<'_, '_> {
    fn operation(&mut self, method: &MethodDescriptor, routes: &Routes) -> Value {
        let binding = &self.rule.binding;
        let comment = self
            .messages
            .comment(method.parent_file().name(), method.path());
        let (summary, description) = comment.split_once("\n\n").unwrap_or((&comment, ""));
        let service = method.parent_service();
        let mut operation = json!({
            "tags": [service.name()],
            "operationId": format!("{}_{}", service.name(), method.name()),
            "summary": summary,
            "description": description,
            "security": [{ "bearer": [] }],
        });
        operation["parameters"] = self.parameters(binding).into();
        if let Some(body) = self.body(binding) {
            operation["requestBody"] = body;
        }
        let output = self.messages.message(&binding.rpc.output, Way::Out);
        let mut success = json!({
            "description": "Done.",
            "content": { "application/json": { "schema": output } },
        });
        for name in self.told.headers {
            success["headers"][name] = contract::header(name, false);
        }
        let api = service.name();
        let refused = self.refused(binding, routes);
        self.refusal_schema();
        let schema = reference(&self.schema);
        let mut responses = refused.tell(api, &schema, &mut self.document.examples);
        responses.insert("200".to_owned(), success);
        operation["responses"] = responses.into();
        operation
    }

    fn parameters(&mut self, binding: &Binding) -> Vec<Value> {
        let mut parameters = Vec::new();
        for path in &binding.variables {
            let Some(field) = path.last() else { continue };
            let name = json_name(path);
            let mut description = self.messages.field_comment(field);
            if field.name() == "user_id" {
                description.push_str(" \"me\" is whoever calls.");
            }
            parameters.push(json!({
                "name": name,
                "in": "path",
                "required": true,
                "description": description,
                "schema": self.messages.field(field, Way::In),
                "example": self.told.example[&name],
            }));
        }
        if !binding.rpc.reads {
            parameters.push(contract::idempotency());
        }
        parameters.extend([
            contract::organization(),
            contract::languages(),
            json!({
                "name": "grpc-timeout",
                "in": "header",
                "description": "How long the caller waits; gRPC's form.",
                "schema": { "type": "string", "pattern": "^[0-9]{1,8}[HMSmun]$" },
            }),
        ]);
        parameters
    }

    fn body(&mut self, binding: &Binding) -> Option<Value> {
        let bound: Vec<u32> = binding
            .variables
            .iter()
            .filter(|path| path.len() == 1)
            .filter_map(|path| path.first().map(FieldDescriptor::number))
            .collect();
        let input = &binding.rpc.input;
        let (schema, example) = match &binding.body {
            BodyRule::Nothing => return None,
            BodyRule::Field(field) => {
                let example = self.told.example[field.json_name()].clone();
                (self.messages.field(field, Way::In), example)
            }
            BodyRule::Whole if bound.is_empty() => (
                self.messages.message(input, Way::In),
                self.told.example.clone(),
            ),
            BodyRule::Whole => {
                // What the path says is not asked for twice.
                let name = format!("{}.Body", input.full_name());
                let schema = self.messages.object(input, Way::In, &bound);
                self.messages.schemas.insert(name.clone(), schema);
                let mut example = self.told.example.clone();
                if let Value::Object(members) = &mut example {
                    let path = binding.variables.iter().map(|path| json_name(path));
                    path.for_each(|name| drop(members.remove(&name)));
                }
                (reference(&name), example)
            }
        };
        let required = match &binding.body {
            BodyRule::Whole => {
                let whole = self.messages.object(input, Way::In, &bound);
                let needs_arm = input.oneofs().any(|it| proto::rules::needs_arm(&it));
                whole.get("required").is_some() || needs_arm
            }
            BodyRule::Field(_) | BodyRule::Nothing => false,
        };
        Some(json!({
            "required": required,
            "content": { "application/json": { "schema": schema, "example": example } },
        }))
    }

    /// Every refusal, made as the service makes it.
    fn refused(&self, binding: &Binding, routes: &Routes) -> Refused {
        let answer = |failure: Failure| {
            error::status_as(&error::in_json_names(failure.status), failure.http)
        };
        let mut refused = Refused::default();
        for (name, status) in &self.told.refusals {
            refused.add(name, answer(status.clone().into()));
        }
        if !matches!(binding.body, BodyRule::Nothing) {
            if let Err(status) = json::parse(&binding.rpc.input, b"[]") {
                refused.add("not_an_object", answer(status.into()));
            }
            refused_bodies(crate::http::BODY_LIMIT, |name, unread: Unread| {
                refused.add(name, answer(unread.into()));
            });
            refused.add("compressed", answer(rest::compressed()));
        }
        let methods: Vec<&Method> = routes
            .rules()
            .iter()
            .filter(|other| other.template == self.rule.template)
            .map(|other| &other.method)
            .collect();
        refused.add("wrong_method", rest::other_methods(&methods));
        refused
    }

    /// The schema of the service's refusals: a status, with these messages as its details.
    fn refusal_schema(&mut self) {
        if self.document.schemas.contains_key(&self.schema) {
            return;
        }
        let mut kinds = Vec::new();
        for name in self.told.details {
            let Some(message) = self.messages.pool.get_message_by_name(name) else {
                continue;
            };
            kinds.push(json!({
                "title": message.name(),
                "allOf": [
                    self.messages.message(&message, Way::Out),
                    {
                        "type": "object",
                        "required": ["@type"],
                        "properties": { "@type": { "const": format!("type.googleapis.com/{name}") } },
                    },
                ],
            }));
        }
        let mut schema = contract::status_schema();
        schema["properties"]["details"] = json!({
            "type": "array",
            "description": "What else is known, for programs.",
            "items": { "oneOf": kinds },
        });
        self.document.schemas.insert(self.schema.clone(), schema);
    }
}

fn method(binding: &Binding) -> Option<MethodDescriptor> {
    let (service, method) = binding.rpc.name()?;
    proto::pool()
        .get_service_by_name(service)?
        .methods()
        .find(|candidate| candidate.name() == method)
}

/// The path with its variables named as in JSON.
fn json_template(rule: &Rule) -> String {
    let mut names = rule.binding.variables.iter();
    let segments: Vec<_> = rule
        .template
        .split('/')
        .map(
            |segment| match segment.strip_prefix('{').and_then(|_| names.next()) {
                Some(path) => format!("{{{}}}", json_name(path)),
                None => segment.to_owned(),
            },
        )
        .collect();
    segments.join("/")
}

fn json_name(path: &[FieldDescriptor]) -> String {
    let names: Vec<_> = path.iter().map(FieldDescriptor::json_name).collect();
    names.join(".")
}
