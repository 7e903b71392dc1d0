//! Requests as files of the corpus have them, answered by the whole program in this process.
//!
//! The first line is the method and the path, then header fields, an empty line, and the body. `{token}` stands for a
//! token of whoever may do everything, `{own}` for one of an end user, `{receipt}` for the secret of a receipt's address;
//! a field `x-sign: twilio` or `x-sign: webhook` asks for a signature over the body as it is then, and `x-body: base64`
//! says that the body is written so.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderName, HeaderValue, Method, Request, Version};
use http_body_util::BodyExt;
use ringback::http::Server;
use ringback_core::Id;
use serde_json::json;
use sha2::Sha256;

use crate::app::TestApp;
use crate::database::Database;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const PUBLIC: &str = "https://phones.example.com";
const WEBHOOK: [u8; 32] = [3; 32];

/// The program, and what stands in place of names in braces.
pub(super) struct Target {
    app: TestApp,
    server: Server,
    places: [(&'static str, String); 3],
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    status: u16,
    grpc: Option<String>,
    body: String,
}

impl Answer {
    /// Whether it says that the server is at fault.
    pub(super) fn blames_us(&self) -> bool {
        // INTERNAL is also what the protocol says of frames that make no sense.
        let unknown = matches!(self.grpc.as_deref(), Some("2" | "14" | "15"));
        let own = self.body.contains("An internal error occurred");
        self.status >= 500 && self.status != 501 && self.status != 505 || unknown || own
    }

    /// What tells one kind of answer from another: not what it repeats of the request.
    pub(super) fn kind(&self) -> (u16, Option<String>, String) {
        let words = self.body.split(|c: char| !c.is_ascii_alphabetic());
        let words = words
            .filter(|word| word.len() > 2 && word.len() < 15)
            .take(8);
        (
            self.status,
            self.grpc.clone(),
            words.collect::<Vec<_>>().join(" "),
        )
    }
}

impl Target {
    pub(super) async fn start(database: Database) -> Target {
        let (app, server) = TestApp::start_in_process(database, |config| {
            config.server.public_url = PUBLIC.into();
            let secret = format!("whsec_{}", STANDARD.encode(WEBHOOK));
            let routes = json!({
                "relay": {
                    "type": "webhook", "url": "https://relay.example.com/", "secrets": [secret], "receipts": true,
                },
                "twilio": {
                    "type": "twilio", "account": "AC0123456789abcdef0123456789abcdef", "auth_token": TOKEN,
                },
                "form": {
                    "type": "http", "url": "https://sms.example.com/",
                    "receipt": {"status": "form.s", "error": "form.e", "values": {"d": "delivered", "*": "undelivered"}},
                    "inbound": {
                        "from": "form.from", "text": "form.text", "signed": "header", "header": "x-token",
                        "secret": "s3cret",
                    },
                },
                "pointer": {
                    "type": "http", "url": "https://sms.example.com/",
                    "receipt": {"status": "/a/0/s", "values": {"d": "delivered", "u": "undelivered"}},
                    "inbound": {
                        "from": "/from", "text": "/text", "signed": "header", "header": "x-token",
                        "secret": "s3cret",
                    },
                },
            });
            let routes: std::collections::BTreeMap<String, _> =
                serde_json::from_value(routes).expect("routes");
            config.sms.routes.extend(routes);
            config.sms.order.insert("default".into(), vec!["inbox".into()]);
        })
        .await;
        let id = Id::parse("01900000-0000-7000-8000-000000000001").expect("an id");
        let token = app.receipt_token(id, 1);
        let places = [
            ("{token}", app.admin()),
            ("{own}", app.token(json!({
                "sub": "ann", "org_id": "acme", "tenantId": "acme", "type": "userToken", "iat": app.now(),
                "scope": "openid full_write",
            }))),
            ("{receipt}", URL_SAFE_NO_PAD.encode(token)),
        ];
        Target {
            app,
            server,
            places,
        }
    }

    /// `None` for what is no request that HTTP could bring.
    pub(super) async fn ask(&self, input: &[u8]) -> Option<Answer> {
        // Pauses would hide what comes after them.
        self.app.seconds(1);
        let request = self.request(input)?;
        let response = self.server.clone().answer(request).await;
        let status = response.status().as_u16();
        let head = response.headers().get("grpc-status").cloned();
        let body = response.into_body().collect().await.ok()?;
        let grpc = body
            .trailers()
            .and_then(|trailers| trailers.get("grpc-status"))
            .cloned();
        let grpc = grpc
            .or(head)
            .and_then(|code| code.to_str().ok().map(str::to_owned));
        let body = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        Some(Answer { status, grpc, body })
    }

    fn request(&self, input: &[u8]) -> Option<Request<axum::body::Body>> {
        let (head, body) = match input.windows(2).position(|window| window == b"\n\n") {
            Some(at) => (&input[..at], input[at + 2..].to_vec()),
            None => (input, Vec::new()),
        };
        let mut head = std::str::from_utf8(head).ok()?.to_owned();
        for (name, value) in &self.places {
            head = head.replace(name, value);
        }
        let mut lines = head.lines();
        let (method, path) = lines.next()?.split_once(' ')?;
        let mut body = body;
        let mut request = Request::new(());
        *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
        *request.uri_mut() = path.parse().ok()?;
        request.uri().path().strip_prefix('/')?;
        let mut sign = None;
        for line in lines {
            let (name, value) = line.split_once(':')?;
            match (name, value.trim()) {
                ("x-sign", way) => sign = Some(way.to_owned()),
                ("x-body", _) => body = base64(&body),
                (name, value) => {
                    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
                    let value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
                    request.headers_mut().append(name, value);
                }
            }
        }
        if request
            .headers()
            .get("content-type")
            .is_some_and(|kind| kind == "application/grpc")
        {
            *request.version_mut() = Version::HTTP_2;
        }
        let path = request.uri().path().to_owned();
        for (name, value) in self.signature(sign.as_deref(), &path, &body) {
            request.headers_mut().insert(name, value.parse().ok()?);
        }
        Some(request.map(|()| body.into()))
    }

    /// As the provider of a route signs it.
    fn signature(&self, way: Option<&str>, path: &str, body: &[u8]) -> Vec<(&'static str, String)> {
        match way {
            Some("twilio") => {
                let mut pairs: Vec<(String, String)> =
                    form_urlencoded::parse(body).into_owned().collect();
                pairs.sort();
                pairs.dedup();
                let content: String = pairs
                    .into_iter()
                    .map(|(name, value)| name + &value)
                    .collect();
                let key = aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY;
                let key = aws_lc_rs::hmac::Key::new(key, TOKEN.as_bytes());
                let told = format!("{PUBLIC}{path}{content}");
                let signature = aws_lc_rs::hmac::sign(&key, told.as_bytes());
                vec![("x-twilio-signature", STANDARD.encode(signature))]
            }
            Some(_) => {
                let at = self.app.now();
                let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&WEBHOOK).expect("a key");
                mac.update(format!("r1.{at}.").as_bytes());
                mac.update(body);
                let signature = STANDARD.encode(mac.finalize().into_bytes());
                vec![
                    ("webhook-id", "r1".to_owned()),
                    ("webhook-timestamp", at.to_string()),
                    ("webhook-signature", format!("v1,{signature}")),
                ]
            }
            None => Vec::new(),
        }
    }
}

/// What of a text is base64.
fn base64(text: &[u8]) -> Vec<u8> {
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let mut letters: Vec<u8> = text.iter().copied().filter(letter).collect();
    if letters.len() % 4 == 1 {
        letters.pop();
    }
    base64::engine::general_purpose::STANDARD_NO_PAD
        .decode(&letters)
        .unwrap_or(letters)
}
