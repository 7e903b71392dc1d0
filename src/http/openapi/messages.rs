//! The messages of `proto/` as schemas of their JSON: as requests may spell them, and as answers do.

use std::collections::{BTreeMap, HashMap};

use prost::Message as _;
use prost_reflect::{
    DescriptorPool, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, OneofDescriptor,
};
use prost_types::FileDescriptorSet;
use serde_json::{Map, Value, json};

use crate::http::contract::{PHONE, reference};
use crate::http::json;
use crate::proto::COMMENTED;
use crate::proto::rules::{Form, needs_arm};

/// No text that is kept may hold a NUL character.
const NO_NUL: &str = r"^[^\u0000]*$";
/// Something, an at sign and something, without space.
const EMAIL: &str = r"^[^\s\u0000-\u001f\u007f-\u009f]+@[^\s@\u0000-\u001f\u007f-\u009f]+$";
/// Base64 of either alphabet, with padding or without.
const BASE64: &str =
    r"^([A-Za-z0-9+/_-]{4})*([A-Za-z0-9+/_-][AQgw](==)?|[A-Za-z0-9+/_-]{2}[AEIMQUYcgkosw048]=?)?$";

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// As proto3's JSON may be read: null is nothing given, numbers may be texts.
    In,
    /// As it is written.
    Out,
}

/// The schemas of messages, made as they are met.
pub(super) struct Messages<'a> {
    pub(super) pool: &'a DescriptorPool,
    /// The comment before each element, by file and path in it.
    comments: HashMap<(String, Vec<i32>), String>,
    pub(super) schemas: BTreeMap<String, Value>,
    /// Within a condition of a list an unknown name is refused; elsewhere it is passed over.
    in_condition: bool,
}

impl<'a> Messages<'a> {
    pub(super) fn new(pool: &'a DescriptorPool) -> Self {
        let mut comments = HashMap::new();
        // It is our own, and a test holds that comments are told.
        let commented = FileDescriptorSet::decode(COMMENTED).unwrap_or_default();
        for file in commented.file {
            let locations = file.source_code_info.map(|info| info.location);
            for location in locations.unwrap_or_default() {
                if let Some(text) = &location.leading_comments {
                    comments.insert(
                        (file.name.clone().unwrap_or_default(), location.path),
                        tidy(text),
                    );
                }
            }
        }
        Self {
            pool,
            comments,
            schemas: BTreeMap::new(),
            in_condition: false,
        }
    }

    /// A reference to the message's schema, which is made when it is first met.
    pub(super) fn message(&mut self, message: &MessageDescriptor, way: Way) -> Value {
        if let Some(schema) = well_known(message) {
            return schema;
        }
        let name = message.full_name();
        if !self.schemas.contains_key(name) {
            // Stands in while the fields are described: messages may hold themselves.
            self.schemas.insert(name.to_owned(), Value::Null);
            let schema = self.object(message, way, &[]);
            self.schemas.insert(name.to_owned(), schema);
        }
        reference(name)
    }

    /// The message without some of its fields.
    pub(super) fn object(
        &mut self,
        message: &MessageDescriptor,
        way: Way,
        without: &[u32],
    ) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for field in message.fields() {
            let in_oneof = field
                .containing_oneof()
                .is_some_and(|it| !it.is_synthetic());
            if without.contains(&field.number()) || in_oneof {
                continue;
            }
            let must = Form::of(&field).must_be_given(&field);
            let schema = match way {
                Way::In if !must => or_null(self.field(&field, way)),
                Way::In | Way::Out => self.field(&field, way),
            };
            if must {
                required.push(field.json_name().to_owned());
            }
            properties.insert(field.json_name().to_owned(), self.described(schema, &field));
        }
        let mut object = json!({
            "type": "object",
            "description": self.comment(message.parent_file().name(), message.path()),
            "properties": properties,
        });
        if !required.is_empty() {
            object["required"] = required.into();
        }
        let oneofs = message.oneofs().filter(|oneof| !oneof.is_synthetic());
        let mut choices: Vec<Value> = oneofs.map(|oneof| self.choice(&oneof, way)).collect();
        match choices.len() {
            0 => {}
            1 => object["oneOf"] = choices.remove(0),
            _ => {
                let all = choices.into_iter().map(|arms| json!({ "oneOf": arms }));
                object["allOf"] = all.collect();
            }
        }
        object
    }

    /// One schema for each arm of a oneof, and one for none where none needs to be chosen.
    fn choice(&mut self, oneof: &OneofDescriptor, way: Way) -> Value {
        let about = self.comment(oneof.parent_file().name(), oneof.path());
        let nothing = match way {
            Way::In => json!({ "type": "null" }),
            Way::Out => json!({ "not": {} }),
        };
        let arms: Vec<FieldDescriptor> = oneof.fields().collect();
        let others = |chosen: Option<&FieldDescriptor>| {
            let others = arms.iter().filter(|arm| Some(*arm) != chosen);
            let others = others.map(|arm| (arm.json_name().to_owned(), nothing.clone()));
            others.collect::<Map<_, _>>()
        };
        let mut schemas = Vec::new();
        for arm in &arms {
            let schema = self.field(arm, way);
            let mut properties = others(Some(arm));
            let name = arm.json_name().to_owned();
            properties.insert(name.clone(), self.described(schema, arm));
            schemas.push(json!({
                "title": name,
                "description": about,
                // Follows from the next line, and tells linters that arms exclude each other.
                "minProperties": 1,
                "required": [name],
                "properties": properties,
            }));
        }
        if !needs_arm(oneof) {
            schemas.push(json!({
                "title": format!("no {}", oneof.name().replace('_', " ")),
                "description": about,
                "properties": others(None),
            }));
        }
        schemas.into()
    }

    /// A value of the field, as a body or a query holds it.
    pub(super) fn field(&mut self, field: &FieldDescriptor, way: Way) -> Value {
        let condition = self.in_condition || json::is_condition(field);
        let before = std::mem::replace(&mut self.in_condition, condition);
        let schema = self.values(field, way);
        self.in_condition = before;
        schema
    }

    fn values(&mut self, field: &FieldDescriptor, way: Way) -> Value {
        let form = Form::of(field);
        if field.is_map() {
            let kind = field.kind();
            let value = kind
                .as_message()
                .map(|it| it.map_entry_value_field().kind());
            let values = value.map(|value| self.value(&value, &form, way));
            return json!({ "type": "object", "additionalProperties": values.unwrap_or_default() });
        }
        if !field.is_list() {
            let mut schema = self.value(&field.kind(), &form, way);
            if way == Way::In && field.name() == "phone" && field.kind() == Kind::String {
                schema["format"] = PHONE.into();
            }
            return schema;
        }
        let none = Form::default();
        let of_item = form.items.as_deref().unwrap_or(&none);
        let item = self.value(&field.kind(), of_item, way);
        let mut list = json!({ "type": "array", "items": item });
        if let Some(most) = form.most {
            list["maxItems"] = most.into();
        }
        list
    }

    fn value(&mut self, kind: &Kind, form: &Form, way: Way) -> Value {
        match (kind, way) {
            (Kind::String, _) => text(form, way),
            (Kind::Bool, _) => match form.only {
                Some(only) => json!({ "type": "boolean", "const": only }),
                None => json!({ "type": "boolean" }),
            },
            (Kind::Int32 | Kind::Sint32 | Kind::Sfixed32, _) => {
                json!({ "type": "integer", "format": "int32" })
            }
            (Kind::Uint32 | Kind::Fixed32, Way::In) => {
                let most = form.most.unwrap_or(u32::MAX as usize);
                whole(
                    &json!({ "type": "integer", "minimum": 0, "maximum": most }),
                    9,
                    most,
                )
            }
            (Kind::Uint32 | Kind::Fixed32, Way::Out) => {
                json!({ "type": "integer", "minimum": 0 })
            }
            // Texts, because JSON's numbers lose digits in many readers.
            (Kind::Int64 | Kind::Sint64 | Kind::Sfixed64, _) => {
                json!({ "type": "string", "format": "int64", "pattern": "^-?[0-9]+$" })
            }
            (Kind::Uint64 | Kind::Fixed64, Way::In) => whole(
                &json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX }),
                19,
                usize::MAX,
            ),
            (Kind::Uint64 | Kind::Fixed64, Way::Out) => {
                json!({ "type": "string", "format": "uint64", "pattern": "^[0-9]+$" })
            }
            (Kind::Float, _) => json!({ "type": "number", "format": "float" }),
            (Kind::Double, _) => json!({ "type": "number", "format": "double" }),
            (Kind::Bytes, Way::In) => {
                json!({ "type": "string", "contentEncoding": "base64", "pattern": BASE64 })
            }
            (Kind::Bytes, Way::Out) => json!({ "type": "string", "contentEncoding": "base64" }),
            (Kind::Enum(names), _) => self.names(names, form, way),
            (Kind::Message(message), _) => self.message(message, way),
        }
    }

    fn names(&mut self, names: &EnumDescriptor, form: &Form, way: Way) -> Value {
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
        let name = reference(names.full_name());
        if way == Way::Out {
            return name;
        }
        let numbers: Vec<_> = names.values().map(|value| value.number()).collect();
        let number = match form.defined {
            true => json!({ "type": "integer", "enum": numbers, "description": "Its number." }),
            false => json!({ "type": "integer", "format": "int32", "description": "Its number." }),
        };
        let mut spellings = vec![name, number];
        if !self.in_condition {
            let newer = "A name that is not known here is passed over.";
            spellings.push(json!({ "type": "string", "description": newer }));
        }
        json!({ "anyOf": spellings })
    }

    fn described(&self, mut schema: Value, field: &FieldDescriptor) -> Value {
        let comment = self.field_comment(field);
        if !comment.is_empty() {
            schema["description"] = comment.into();
        }
        schema
    }

    pub(super) fn field_comment(&self, field: &FieldDescriptor) -> String {
        self.comment(field.parent_file().name(), field.path())
    }

    pub(super) fn comment(&self, file: &str, path: &[i32]) -> String {
        self.comments
            .get(&(file.to_owned(), path.to_vec()))
            .cloned()
            .unwrap_or_default()
    }
}

/// A text within its bounds.
pub(super) fn text(form: &Form, way: Way) -> Value {
    let mut schema = json!({ "type": "string" });
    if way == Way::Out {
        return schema;
    }
    if form.uuid {
        schema["format"] = "uuid".into();
        return schema;
    }
    if form.least > 0 {
        schema["minLength"] = form.least.into();
    }
    if let Some(most) = form.most {
        schema["maxLength"] = most.into();
    }
    match (&form.pattern, form.email, form.most) {
        (Some(pattern), _, _) => schema["pattern"] = pattern.as_str().into(),
        (None, true, _) => schema["pattern"] = EMAIL.into(),
        (None, false, Some(_)) => schema["pattern"] = NO_NUL.into(),
        (None, false, None) => {}
    }
    schema
}

/// A whole number, which may be written as a text, too: up to `digits` of them, and no more than `most`.
fn whole(number: &Value, digits: usize, most: usize) -> Value {
    let text = most.to_string();
    let (first, zeros) = text.split_at(1);
    let below = match first {
        "1" => String::new(),
        first => format!(
            "|[1-{}][0-9]{{{}}}",
            first.parse().unwrap_or(1) - 1,
            zeros.len()
        ),
    };
    let pattern = match zeros.trim_matches('0') {
        // One digit.
        "" if zeros.is_empty() => format!("^[0-{most}]$"),
        // A round one.
        "" => format!("^(0|[1-9][0-9]{{0,{}}}{below}|{most})$", zeros.len() - 1),
        _ => format!("^(0|[1-9][0-9]{{0,{}}})$", digits - 1),
    };
    json!({ "anyOf": [number, { "type": "string", "pattern": pattern }] })
}

/// The same, or null, which is as good as nothing.
fn or_null(schema: Value) -> Value {
    let null = json!({ "type": "null" });
    match schema {
        Value::Object(mut members) if members.get("type").is_some_and(Value::is_string) => {
            let kind = members.get("type").cloned();
            members.insert("type".to_owned(), json!([kind, "null"]));
            Value::Object(members)
        }
        Value::Object(mut members) => {
            match members.get_mut("anyOf").and_then(Value::as_array_mut) {
                Some(spellings) => {
                    spellings.push(null);
                    Value::Object(members)
                }
                None => Value::from_iter([("anyOf", Value::from(vec![members.into(), null]))]),
            }
        }
        other => other,
    }
}

/// The schema of a message that JSON spells in its own way.
fn well_known(message: &MessageDescriptor) -> Option<Value> {
    if message.package_name() != "google.protobuf" {
        return None;
    }
    Some(match message.name() {
        "Timestamp" => json!({ "type": "string", "format": "date-time" }),
        "Duration" => json!({ "type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?s$" }),
        "FieldMask" => json!({ "type": "string" }),
        _ => json!({}),
    })
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
