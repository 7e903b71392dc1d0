//! The OpenAPI document of the JSON API, made from `proto/` and its `google.api.http` rules.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::http::header;
use axum::routing::get;
use prost_reflect::{
    DescriptorPool, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor,
};
use serde_json::{Map, Value, json};

use super::routes::{Binding, Body as BodyRule, Routes, Rule};
use crate::proto;

/// `/openapi.json` for these services, by their full names; made when it is first asked for.
pub(super) fn router(services: Vec<&'static str>) -> Router {
    let text = LazyLock::new(move || format!("{}\n", document(&services)));
    let text = Arc::new(text);
    Router::new().route(
        "/openapi.json",
        get(move || async move {
            let text = text.as_str().to_owned();
            ([(header::CONTENT_TYPE, "application/json")], text)
        }),
    )
}

/// The OpenAPI 3.1 document of these services.
fn document(services: &[&str]) -> Value {
    Document::new(proto::pool()).build(&Routes::of_services(services), services)
}

const ERROR: &str = "google.rpc.Status";

struct Document<'a> {
    pool: &'a DescriptorPool,
    /// The comment before each element, by file and path in it.
    comments: HashMap<(String, Vec<i32>), String>,
    schemas: BTreeMap<String, Value>,
}

impl<'a> Document<'a> {
    fn new(pool: &'a DescriptorPool) -> Self {
        let mut comments = HashMap::new();
        for file in pool.files() {
            let locations = file
                .file_descriptor_proto()
                .source_code_info
                .iter()
                .flat_map(|info| &info.location);
            for location in locations {
                if let Some(text) = &location.leading_comments {
                    comments.insert((file.name().to_owned(), location.path.clone()), tidy(text));
                }
            }
        }
        Self {
            pool,
            comments,
            schemas: BTreeMap::new(),
        }
    }

    fn build(mut self, routes: &Routes, services: &[&str]) -> Value {
        let mut paths: Map<String, Value> = Map::new();
        for rule in routes.rules() {
            let operation = self.operation(rule);
            let path = paths
                .entry(json_template(rule))
                .or_insert_with(|| Value::Object(Map::new()));
            path[rule.method.as_str().to_ascii_lowercase()] = operation;
        }
        let tags: Vec<_> = self
            .pool
            .services()
            .filter(|service| services.contains(&service.full_name()))
            .map(|service| {
                json!({
                    "name": service.name(),
                    "description": self.comment(service.parent_file().name(), service.path()),
                })
            })
            .collect();
        self.schemas.insert(ERROR.to_owned(), error_schema());
        json!({
            "openapi": "3.1.0",
            "info": {
                "title": "ringback",
                "version": env!("CARGO_PKG_VERSION"),
                "description": "Users' phone numbers, proven. The same calls are served as gRPC, gRPC-web and Connect.",
                "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            },
            "tags": tags,
            "security": [{ "bearer": [] }],
            "paths": paths,
            "components": {
                "securitySchemes": {
                    "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
                },
                "schemas": self.schemas,
            },
        })
    }

    fn operation(&mut self, rule: &Rule) -> Value {
        let Rule { binding, .. } = rule;
        let mut operation = Map::new();
        if let Some(method) = self.method(binding) {
            let comment = self.comment(method.parent_file().name(), method.path());
            let (summary, description) = comment.split_once("\n\n").unwrap_or((&comment, ""));
            operation.insert("tags".to_owned(), json!([method.parent_service().name()]));
            operation.insert(
                "operationId".to_owned(),
                json!(format!(
                    "{}_{}",
                    method.parent_service().name(),
                    method.name()
                )),
            );
            operation.insert("summary".to_owned(), json!(summary));
            operation.insert("description".to_owned(), json!(description));
        }
        let parameters = self.parameters(binding);
        if !parameters.is_empty() {
            operation.insert("parameters".to_owned(), Value::from(parameters));
        }
        if let Some(schema) = self.body(binding) {
            operation.insert(
                "requestBody".to_owned(),
                json!({ "content": { "application/json": { "schema": schema } } }),
            );
        }
        let output = self.message(&binding.rpc.output);
        operation.insert(
            "responses".to_owned(),
            json!({
                "200": {
                    "description": "Success.",
                    "content": { "application/json": { "schema": output } },
                },
                "default": {
                    "description": "A refusal; the HTTP status follows the code.",
                    "content": { "application/json": { "schema": reference(ERROR) } },
                },
            }),
        );
        Value::Object(operation)
    }

    fn method(&self, binding: &Binding) -> Option<MethodDescriptor> {
        let (service, method) = binding.rpc.name()?;
        self.pool
            .get_service_by_name(service)?
            .methods()
            .find(|candidate| candidate.name() == method)
    }

    fn parameters(&mut self, binding: &Binding) -> Vec<Value> {
        let mut parameters = Vec::new();
        for path in &binding.variables {
            let Some(field) = path.last() else { continue };
            parameters.push(json!({
                "name": json_name(path),
                "in": "path",
                "required": true,
                "description": self.field_comment(field),
                "schema": self.kind(&field.kind()),
            }));
        }
        let body = match &binding.body {
            BodyRule::Whole => return parameters,
            BodyRule::Field(field) => Some(field.number()),
            BodyRule::Nothing => None,
        };
        for field in binding.rpc.input.fields() {
            let bound = binding
                .variables
                .iter()
                .any(|path| path.as_slice() == [field.clone()]);
            // A message has no text form of its own; its fields can be given with dots all the same.
            let nested =
                matches!(field.kind(), Kind::Message(inner) if well_known(&inner).is_none());
            if bound || nested || Some(field.number()) == body {
                continue;
            }
            parameters.push(json!({
                "name": field.json_name(),
                "in": "query",
                "description": self.field_comment(&field),
                "schema": self.field(&field),
            }));
        }
        parameters
    }

    fn body(&mut self, binding: &Binding) -> Option<Value> {
        match &binding.body {
            BodyRule::Nothing => None,
            BodyRule::Field(field) => Some(self.field(field)),
            BodyRule::Whole => {
                let input = &binding.rpc.input;
                let bound: Vec<u32> = binding
                    .variables
                    .iter()
                    .filter(|path| path.len() == 1)
                    .filter_map(|path| path.first().map(FieldDescriptor::number))
                    .collect();
                if bound.is_empty() {
                    return Some(self.message(input));
                }
                // What the path says is not asked for twice.
                let name = format!("{}.Body", input.full_name());
                let schema = self.object(input, &bound);
                self.schemas.insert(name.clone(), schema);
                Some(reference(&name))
            }
        }
    }

    /// A reference to the message's schema, which is made when it is first met.
    fn message(&mut self, message: &MessageDescriptor) -> Value {
        if let Some(schema) = well_known(message) {
            return schema;
        }
        let name = message.full_name();
        if !self.schemas.contains_key(name) {
            // Stands in while the fields are described: messages may hold themselves.
            self.schemas.insert(name.to_owned(), Value::Null);
            let schema = self.object(message, &[]);
            self.schemas.insert(name.to_owned(), schema);
        }
        reference(name)
    }

    fn object(&mut self, message: &MessageDescriptor, without: &[u32]) -> Value {
        let mut properties = Map::new();
        for field in message.fields() {
            if without.contains(&field.number()) {
                continue;
            }
            let mut schema = self.field(&field);
            let mut description = self.field_comment(&field);
            if let Some(oneof) = field
                .containing_oneof()
                .filter(|oneof| !oneof.is_synthetic())
            {
                let arms: Vec<_> = oneof
                    .fields()
                    .map(|arm| arm.json_name().to_owned())
                    .collect();
                let about = self.comment(oneof.parent_file().name(), oneof.path());
                description = format!(
                    "{description}\n\n{about} At most one of {}.",
                    arms.join(", ")
                );
            }
            if !description.is_empty() {
                schema["description"] = Value::from(description);
            }
            properties.insert(field.json_name().to_owned(), schema);
        }
        json!({
            "type": "object",
            "description": self.comment(message.parent_file().name(), message.path()),
            "properties": properties,
        })
    }

    fn field(&mut self, field: &FieldDescriptor) -> Value {
        let kind = field.kind();
        if field.is_map() {
            let value = kind
                .as_message()
                .map(|entry| entry.map_entry_value_field().kind());
            let values = value.map_or_else(|| json!({}), |value| self.kind(&value));
            return json!({ "type": "object", "additionalProperties": values });
        }
        let schema = self.kind(&kind);
        if field.is_list() {
            json!({ "type": "array", "items": schema })
        } else {
            schema
        }
    }

    fn kind(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::String => json!({ "type": "string" }),
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
                json!({ "type": "integer", "format": "int32" })
            }
            Kind::Uint32 | Kind::Fixed32 => {
                json!({ "type": "integer", "format": "int64", "minimum": 0 })
            }
            // Texts, because JSON's numbers lose digits in many readers.
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
                json!({ "type": "string", "format": "int64" })
            }
            Kind::Uint64 | Kind::Fixed64 => json!({ "type": "string", "format": "uint64" }),
            Kind::Float => json!({ "type": "number", "format": "float" }),
            Kind::Double => json!({ "type": "number", "format": "double" }),
            Kind::Bytes => json!({ "type": "string", "contentEncoding": "base64" }),
            Kind::Enum(names) => self.names(names),
            Kind::Message(message) => self.message(message),
        }
    }

    fn names(&mut self, names: &EnumDescriptor) -> Value {
        let all: Vec<_> = names
            .values()
            .map(|value| value.name().to_owned())
            .collect();
        let schema = json!({
            "type": "string",
            "description": self.comment(names.parent_file().name(), names.path()),
            "enum": all,
        });
        self.schemas.insert(names.full_name().to_owned(), schema);
        reference(names.full_name())
    }

    fn field_comment(&self, field: &FieldDescriptor) -> String {
        self.comment(field.parent_file().name(), field.path())
    }

    fn comment(&self, file: &str, path: &[i32]) -> String {
        self.comments
            .get(&(file.to_owned(), path.to_vec()))
            .cloned()
            .unwrap_or_default()
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The schema of a message that JSON spells in its own way.
fn well_known(message: &MessageDescriptor) -> Option<Value> {
    if message.package_name() != "google.protobuf" {
        return None;
    }
    Some(match message.name() {
        "Timestamp" => json!({ "type": "string", "format": "date-time" }),
        "Duration" | "FieldMask" => json!({ "type": "string" }),
        _ => json!({}),
    })
}

fn error_schema() -> Value {
    json!({
        "type": "object",
        "description": "Why a call was refused.",
        "required": ["code", "message"],
        "properties": {
            "code": { "type": "integer", "format": "int32", "description": "The gRPC status code." },
            "message": { "type": "string", "description": "The text for a human." },
            "details": {
                "type": "array",
                "description": "What else is known, such as a zitadel.v1.ErrorDetail or a google.rpc.RetryInfo.",
                "items": {
                    "type": "object",
                    "required": ["@type"],
                    "properties": { "@type": { "type": "string" } },
                    "additionalProperties": true,
                },
            },
        },
    })
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

/// A comment without the space after its slashes, paragraphs kept.
fn tidy(comment: &str) -> String {
    let paragraphs: Vec<String> = comment
        .split("\n\n")
        .map(|paragraph| {
            let lines: Vec<_> = paragraph.lines().map(str::trim).collect();
            lines.join(" ").trim().to_owned()
        })
        .collect();
    // An empty comment line is a line with nothing but blanks.
    paragraphs.join("\n\n").trim().to_owned()
}

#[cfg(test)]
mod tests;
