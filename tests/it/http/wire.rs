//! One call, six ways: what a client of each wire sends and reads, in canonical JSON on this side.

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::engine::{DecodePaddingMode, general_purpose};
use bytes::{Buf, BufMut, Bytes};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use prost::Message;
use prost_reflect::{DeserializeOptions, DynamicMessage, MessageDescriptor, MethodDescriptor};
use ringback::proto::{google::rpc, pool};
use serde_json::{Map, Value, json};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::{Code, Status};

use crate::app::TestApp;

/// A way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    Grpc,
    GrpcWeb,
    GrpcWebText,
    ConnectJson,
    ConnectProto,
    Json,
}

/// An error as a client of the wire reads it.
#[derive(Clone, Debug)]
pub struct Failure {
    pub wire: Wire,
    pub code: Code,
    pub message: String,
    /// Each with its `@type`.
    pub details: Vec<Value>,
    /// Where the wire has one that tells something.
    pub http: Option<u16>,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Wire {
    pub const ALL: [Wire; 6] = [
        Wire::Grpc,
        Wire::GrpcWeb,
        Wire::GrpcWebText,
        Wire::ConnectJson,
        Wire::ConnectProto,
        Wire::Json,
    ];

    /// Whether messages travel as protobuf.
    pub fn is_binary(self) -> bool {
        !matches!(self, Wire::ConnectJson | Wire::Json)
    }

    /// The short name, for ids of users.
    pub fn name(self) -> &'static str {
        match self {
            Wire::Grpc => "grpc",
            Wire::GrpcWeb => "grpc-web",
            Wire::GrpcWebText => "grpc-web-text",
            Wire::ConnectJson => "connect-json",
            Wire::ConnectProto => "connect-proto",
            Wire::Json => "json",
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Wire::Grpc => "application/grpc",
            Wire::GrpcWeb => "application/grpc-web+proto",
            Wire::GrpcWebText => "application/grpc-web-text+proto",
            Wire::ConnectJson | Wire::Json => "application/json",
            Wire::ConnectProto => "application/proto",
        }
    }

    /// Calls `rpc`, such as `SetPhone`, as the bearer of `token`.
    pub async fn call(
        self,
        app: &TestApp,
        rpc: &str,
        token: &str,
        body: Value,
    ) -> Result<Value, Failure> {
        let bearer = format!("Bearer {token}");
        self.call_with(app, rpc, &[("authorization", &bearer)], body)
            .await
    }

    /// [`Wire::call`] where success is expected.
    pub async fn ok(self, app: &TestApp, rpc: &str, token: &str, body: Value) -> Value {
        let answer = self.call(app, rpc, token, body).await;
        answer.unwrap_or_else(|failure| panic!("{self:?} {rpc}: {failure:?}"))
    }

    /// [`Wire::call`] where a refusal is expected.
    pub async fn refused(self, app: &TestApp, rpc: &str, token: &str, body: Value) -> Failure {
        match self.call(app, rpc, token, body).await {
            Ok(reply) => panic!("{self:?} {rpc} was not refused: {reply}"),
            Err(failure) => failure,
        }
    }

    /// Calls `rpc` with these headers.
    pub async fn call_with(
        self,
        app: &TestApp,
        rpc: &str,
        headers: &[(&str, &str)],
        mut body: Value,
    ) -> Result<Value, Failure> {
        let method = find_rpc(rpc);
        let path = path_values(&method, &body);
        let message = match self {
            Wire::Json => {
                if let Some(members) = body.as_object_mut() {
                    for (name, _) in &path {
                        members.remove(name.as_str());
                        members.remove(json_name(&method, name).as_str());
                    }
                }
                let empty = body.as_object().is_some_and(Map::is_empty);
                if empty {
                    Vec::new()
                } else {
                    body.to_string().into_bytes()
                }
            }
            Wire::ConnectJson => body.to_string().into_bytes(),
            Wire::Grpc | Wire::GrpcWeb | Wire::GrpcWebText | Wire::ConnectProto => {
                read(&method.input(), body).encode_to_vec()
            }
        };
        self.send_to(app, rpc, &path, headers, message).await
    }

    /// Calls `rpc` with a message that may be none. `user` fills the path of the JSON API.
    pub async fn send(
        self,
        app: &TestApp,
        rpc: &str,
        user: &str,
        headers: &[(&str, &str)],
        message: Vec<u8>,
    ) -> Result<Value, Failure> {
        let path = [("user_id".to_owned(), user.to_owned())];
        self.send_to(app, rpc, &path, headers, message).await
    }

    /// [`Wire::send`] with a value for each variable of the JSON API's path.
    async fn send_to(
        self,
        app: &TestApp,
        rpc: &str,
        values: &[(String, String)],
        headers: &[(&str, &str)],
        message: Vec<u8>,
    ) -> Result<Value, Failure> {
        let method = find_rpc(rpc);
        let output = method.output();
        let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
        let headers = header_map(headers);
        match self {
            Wire::Grpc => {
                let reply = grpc(app, &path, headers, message).await?;
                Ok(write(&output, &reply))
            }
            Wire::GrpcWeb | Wire::GrpcWebText => {
                let reply = self.grpc_web(app, &path, headers, message).await?;
                Ok(write(&output, &reply))
            }
            Wire::ConnectProto | Wire::ConnectJson | Wire::Json => {
                let (verb, path) = match self {
                    Wire::Json => http_rule(&method, values),
                    _ => (Method::POST, path),
                };
                let kind = self.content_type();
                let mut request = app.http.request(verb, app.url(&path)).headers(headers);
                if !(self == Wire::Json && message.is_empty()) {
                    request = request.header("content-type", kind);
                }
                let answer = request.body(message).send().await.expect("an answer");
                let (http, headers) = (answer.status().as_u16(), answer.headers().clone());
                let body = answer.bytes().await.expect("a whole answer");
                if http != 200 {
                    return Err(self.failure(http, headers, body));
                }
                assert_eq!(headers["content-type"], kind, "{self:?} {rpc}");
                assert_eq!(headers["cache-control"], "no-store", "{self:?} {rpc}");
                if self == Wire::ConnectProto {
                    return Ok(write(&output, &body));
                }
                let reply: Value = serde_json::from_slice(&body).expect("JSON");
                let canonical = write(&output, &read(&output, reply.clone()).encode_to_vec());
                assert_eq!(reply, canonical, "{self:?} {rpc} answers canonical JSON");
                Ok(reply)
            }
        }
    }

    async fn grpc_web(
        self,
        app: &TestApp,
        path: &str,
        headers: HeaderMap,
        message: Vec<u8>,
    ) -> Result<Bytes, Failure> {
        let mut framed = vec![0];
        framed.put_u32(u32::try_from(message.len()).expect("a length"));
        framed.extend(message);
        if self == Wire::GrpcWebText {
            framed = STANDARD.encode(framed).into_bytes();
        }
        let request = app.http.post(app.url(path)).headers(headers);
        let request = request
            .header("content-type", self.content_type())
            .header("accept", self.content_type())
            .header("x-grpc-web", "1");
        let answer = request.body(framed).send().await.expect("an answer");
        let (http, headers) = (answer.status().as_u16(), answer.headers().clone());
        let raw = answer.bytes().await.expect("a whole answer");
        if http != 200 {
            return Err(self.failure(http, headers, raw));
        }
        let mut frames = match self {
            Wire::GrpcWebText => text_to_bytes(&raw),
            _ => raw.clone(),
        };
        let (mut message, mut trailers) = (None, headers.clone());
        while !frames.is_empty() {
            let flags = frames.get_u8();
            let length = frames.get_u32() as usize;
            let frame = frames.split_to(length);
            match flags {
                0 => message = Some(frame),
                0x80 => read_trailers(&frame, &mut trailers),
                other => panic!("a frame with flags {other}"),
            }
        }
        let status = Status::from_header_map(&trailers).expect("a status");
        match (status.code(), message) {
            (Code::Ok, Some(message)) => Ok(message),
            (Code::Ok, None) => panic!("{self:?}: success without a message"),
            _ => Err(Failure {
                body: raw,
                ..of_status(self, &status, trailers)
            }),
        }
    }

    /// The error of an HTTP answer that is none of gRPC's.
    fn failure(self, http: u16, headers: HeaderMap, body: Bytes) -> Failure {
        let members: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        let code = match &members["code"] {
            Value::Number(number) => Code::from(number.as_i64().unwrap_or(2) as i32),
            Value::String(name) => connect_code(name),
            _ => Code::Unknown,
        };
        let details = members["details"].as_array().cloned().unwrap_or_default();
        Failure {
            wire: self,
            code,
            message: members["message"].as_str().unwrap_or_default().to_owned(),
            details: match self {
                Wire::ConnectJson | Wire::ConnectProto => {
                    details.iter().map(connect_detail).collect()
                }
                _ => details,
            },
            http: Some(http),
            headers,
            body,
        }
    }
}

impl Failure {
    /// What every wire says alike.
    pub fn said(&self) -> (Code, &str, &[Value]) {
        (self.code, &self.message, &self.details)
    }

    /// The id of the first detail; empty without one.
    pub fn id(&self) -> &str {
        self.details
            .first()
            .and_then(|detail| detail["id"].as_str().or(detail["reason"].as_str()))
            .unwrap_or_default()
    }

    /// The whole answer to look at, without what differs from call to call.
    pub fn shown(&self) -> Value {
        let Some(http) = self.http else {
            let mut shown = json!({
                "code": format!("{:?}", self.code),
                "message": self.message,
                "details": self.details,
            });
            self.show(&["ringback-limit"], &mut shown);
            return shown;
        };
        let mut shown = json!({ "http": http });
        let told = [
            "allow",
            "accept-post",
            "retry-after",
            "ringback-limit",
            "www-authenticate",
        ];
        self.show(&told, &mut shown);
        shown["body"] = serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| String::from_utf8_lossy(&self.body).into());
        shown
    }

    fn show(&self, headers: &[&str], shown: &mut Value) {
        for name in headers {
            if let Some(value) = self.headers.get(*name) {
                shown[*name] = value.to_str().expect("a text").into();
            }
        }
    }
}

fn find_rpc(name: &str) -> MethodDescriptor {
    let mut rpcs = pool()
        .services()
        .flat_map(|service| service.methods().collect::<Vec<_>>());
    rpcs.find(|rpc| rpc.name() == name)
        .unwrap_or_else(|| panic!("no method {name}"))
}

/// Reads a message as a client's library would: it knows no unknown fields.
fn read(message: &MessageDescriptor, body: Value) -> DynamicMessage {
    let options = DeserializeOptions::new().deny_unknown_fields(false);
    DynamicMessage::deserialize_with_options(message.clone(), body, &options)
        .expect("a message of the right form")
}

fn write(message: &MessageDescriptor, bytes: &[u8]) -> Value {
    let message = DynamicMessage::decode(message.clone(), bytes).expect("a message");
    assert_eq!(
        message.unknown_fields().count(),
        0,
        "fields that proto/ does not name"
    );
    serde_json::to_value(message).expect("JSON")
}

/// The verb and the path of the `google.api.http` rule.
fn http_rule(rpc: &MethodDescriptor, values: &[(String, String)]) -> (Method, String) {
    let http = pool()
        .get_extension_by_name("google.api.http")
        .expect("the annotation");
    let options = rpc.options();
    let rule = options.get_extension(&http);
    let rule = rule.as_message().expect("a rule");
    let verbs = [
        ("get", Method::GET),
        ("put", Method::PUT),
        ("post", Method::POST),
        ("delete", Method::DELETE),
        ("patch", Method::PATCH),
    ];
    let found = verbs.into_iter().find_map(|(name, verb)| {
        let path = rule.get_field_by_name(name)?.as_str()?.to_owned();
        (!path.is_empty()).then_some((verb, path))
    });
    let (verb, template) = found.expect("a path");
    let path = values.iter().fold(template, |path, (name, value)| {
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC).to_string();
        path.replace(&format!("{{{name}}}"), &value)
    });
    (verb, path)
}

/// What a body gives for each variable of the path; nothing for what it leaves out.
fn path_values(rpc: &MethodDescriptor, body: &Value) -> Vec<(String, String)> {
    let (_, template) = http_rule(rpc, &[]);
    let names = template.split('/').filter_map(|segment| {
        segment
            .strip_prefix('{')
            .and_then(|segment| segment.strip_suffix('}'))
    });
    let value = |name: &str| {
        let found = [name, &json_name(rpc, name)]
            .iter()
            .find_map(|name| body[*name].as_str());
        (name.to_owned(), found.unwrap_or_default().to_owned())
    };
    names.map(value).collect()
}

fn json_name(rpc: &MethodDescriptor, name: &str) -> String {
    let field = rpc
        .input()
        .get_field_by_name(name)
        .expect("a field of the path");
    field.json_name().to_owned()
}

fn header_map(headers: &[(&str, &str)]) -> HeaderMap {
    let named = headers.iter().map(|(name, value)| {
        let name: HeaderName = name.parse().expect("a name");
        (
            name,
            HeaderValue::from_bytes(value.as_bytes()).expect("a value"),
        )
    });
    named.collect()
}

// ---------------------------------------------------------------- gRPC

/// A call over HTTP/2 with messages as they are.
pub async fn grpc(
    app: &TestApp,
    path: &str,
    headers: HeaderMap,
    message: Vec<u8>,
) -> Result<Bytes, Failure> {
    let mut client = tonic::client::Grpc::new(app.channel.clone());
    client.ready().await.expect("a connection");
    let mut request = tonic::Request::new(Bytes::from(message));
    *request.metadata_mut() = tonic::metadata::MetadataMap::from_headers(headers);
    let path = path.parse().expect("a path");
    match client.unary(request, path, Raw).await {
        Ok(reply) => Ok(reply.into_inner()),
        Err(status) => {
            let headers = status.metadata().clone().into_headers();
            let body = format!(
                "{:?} {} {:?}",
                status.code(),
                status.message(),
                status.details()
            );
            Err(Failure {
                body: body.into(),
                ..of_status(Wire::Grpc, &status, headers)
            })
        }
    }
}

#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Raw;
    type Decoder = Raw;

    fn encoder(&mut self) -> Raw {
        Raw
    }

    fn decoder(&mut self) -> Raw {
        Raw
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

fn of_status(wire: Wire, status: &Status, headers: HeaderMap) -> Failure {
    let details = rpc::Status::decode(status.details()).expect("google.rpc.Status");
    if !status.details().is_empty() {
        assert_eq!(details.code, status.code() as i32);
        assert_eq!(details.message, status.message());
    }
    let details = details.details.iter();
    Failure {
        wire,
        code: status.code(),
        message: status.message().to_owned(),
        details: details
            .map(|any| detail(&any.type_url, &any.value))
            .collect(),
        http: None,
        headers,
        body: Bytes::new(),
    }
}

fn detail(type_url: &str, value: &[u8]) -> Value {
    let name = type_url
        .strip_prefix("type.googleapis.com/")
        .expect("a type of ours");
    let mut members = write(
        &pool().get_message_by_name(name).expect("a known type"),
        value,
    );
    members["@type"] = type_url.into();
    members
}

// ---------------------------------------------------------------- gRPC-web and Connect

/// Base64 in pieces, each with its own padding.
fn text_to_bytes(text: &[u8]) -> Bytes {
    let groups = text
        .chunks(4)
        .map(|group| STANDARD.decode(group).expect("base64"));
    groups.flatten().collect()
}

fn read_trailers(frame: &[u8], into: &mut HeaderMap) {
    let text = std::str::from_utf8(frame).expect("a text");
    for line in text.split("\r\n").filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').expect("a header");
        let name: HeaderName = name.parse().expect("a name");
        into.insert(name, value.trim().parse().expect("a value"));
    }
}

/// Connect leaves the padding out.
const UNPADDED: GeneralPurpose = general_purpose::GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

fn connect_detail(shown: &Value) -> Value {
    let value = shown["value"].as_str().expect("a value");
    let value = UNPADDED.decode(value).expect("base64 without padding");
    let name = shown["type"].as_str().expect("a type");
    let read = detail(&format!("type.googleapis.com/{name}"), &value);
    let mut debug = shown["debug"].clone();
    debug["@type"] = read["@type"].clone();
    assert_eq!(debug, read, "debug shows what value holds");
    read
}

fn connect_code(name: &str) -> Code {
    let codes = [
        ("canceled", Code::Cancelled),
        ("unknown", Code::Unknown),
        ("invalid_argument", Code::InvalidArgument),
        ("deadline_exceeded", Code::DeadlineExceeded),
        ("not_found", Code::NotFound),
        ("already_exists", Code::AlreadyExists),
        ("permission_denied", Code::PermissionDenied),
        ("resource_exhausted", Code::ResourceExhausted),
        ("failed_precondition", Code::FailedPrecondition),
        ("aborted", Code::Aborted),
        ("out_of_range", Code::OutOfRange),
        ("unimplemented", Code::Unimplemented),
        ("internal", Code::Internal),
        ("unavailable", Code::Unavailable),
        ("data_loss", Code::DataLoss),
        ("unauthenticated", Code::Unauthenticated),
    ];
    let found = codes.into_iter().find(|(known, _)| *known == name);
    found
        .unwrap_or_else(|| panic!("{name} is no code of Connect"))
        .1
}
