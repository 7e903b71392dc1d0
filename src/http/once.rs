//! `Idempotency-Key`: a call that its caller sends again is carried out once, and answered alike.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use axum::body::{Body, HttpBody};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::iter;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use ringback_core::audit::hex;
use ringback_core::{Caller, Keys, Refusal};
use ringback_store::{Known, Store};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};
use tonic::Code;

use super::body::BODY_LIMIT;

/// The header, and the metadata of gRPC.
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer was given before.
pub(super) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// The longest key.
const LONGEST: usize = 255;
/// Calls with a key that are under way at once.
const UNDER_WAY: usize = 2_048;
/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// A call that tells nothing for so long has died with its process: the next one is carried out.
const LEASE: Duration = Duration::from_secs(60);
/// How long one call waits for another of the same key.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long until it is looked again, the first time and at most.
const LOOK: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(200));
/// A longer body or answer has no key. gRPC-web may write a body in base64.
const MOST: usize = 2 * BODY_LIMIT;
/// Besides path and body, what says whom a call is about.
const ABOUT: [&str; 5] = [
    "content-type",
    "x-zitadel-orgid",
    "frontegg-tenant-id",
    "frontegg-scoped-tenant",
    "frontegg-user-id",
];

/// What calls with a key need.
pub(super) struct Once {
    pub(super) store: Store,
    /// For calls under way: they go on when their callers have gone.
    pub(super) room: Arc<Semaphore>,
}

impl Once {
    pub(super) fn new(store: Store) -> Once {
        Once {
            store,
            room: Arc::new(Semaphore::new(UNDER_WAY)),
        }
    }
}

/// The key of a request, if it has one.
pub(super) fn key(headers: &HeaderMap) -> Option<Result<&str, Refusal>> {
    let mut values = headers.get_all(KEY).iter();
    let value = values.next()?;
    let text = value.to_str().ok().filter(|_| values.next().is_none());
    let holds = |text: &&str| {
        (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    Some(
        text.filter(holds)
            .ok_or_else(|| refusal("must be 1 to 255 visible ASCII characters")),
    )
}

fn refusal(rule: &str) -> Refusal {
    Refusal::FieldInvalid {
        field: KEY.as_str().to_owned(),
        rule: rule.to_owned(),
    }
}

/// A call under a key.
pub(super) struct Call {
    /// What it is called in the database: the caller with all rights, the method, the path and the key, hashed.
    name: String,
    /// What tells it from another under the same name.
    request: String,
    sealing: [u8; 32],
}

impl Call {
    pub(super) fn new(keys: &Keys, caller: &Caller, key: &str, head: &Parts, body: &[u8]) -> Call {
        let mut name = Vec::new();
        let path = head.uri.path_and_query().map_or("", |path| path.as_str());
        for part in [
            caller.home.as_str(),
            &caller.user,
            &caller.organization,
            head.method.as_str(),
            path,
            key,
            // An answer is for whoever may do the same, and acts in the same way.
            &format!("{:?}", caller.everywhere),
            &format!("{:?}", caller.local),
            &format!("{:?}", caller.scopes),
            &format!("{:?}", (caller.spoken_for, caller.session)),
        ] {
            push(&mut name, part.as_bytes());
        }
        let mut request = Vec::new();
        for name in ABOUT {
            let value = head.headers.get(name).map(HeaderValue::as_bytes);
            push(&mut request, value.unwrap_or_default());
        }
        push(&mut request, body);
        let name = keys.tag("idempotency call", &name);
        Call {
            name: hex(&name),
            request: hex(&keys.tag("idempotency request", &request)),
            sealing: keys.tag("idempotency answer", &name),
        }
    }
}

/// So that parts cannot be shifted.
fn push(into: &mut Vec<u8>, part: &[u8]) {
    into.extend((part.len() as u64).to_be_bytes());
    into.extend(part);
}

/// What comes of a call under a key.
pub(super) enum Turn {
    /// It is carried out, under this claim.
    Ours(String),
    /// It was, and answered so.
    Answered(Box<Response>),
}

impl Once {
    /// Waits while the same call is under way elsewhere.
    pub(super) async fn turn(&self, call: &Call) -> Result<Turn, Refusal> {
        let until = Instant::now() + PATIENCE;
        let mut pause = LOOK.0;
        loop {
            let known = self
                .store
                .take_call(&call.name, &call.request, LEASE)
                .await?;
            match known {
                Known::Nothing { claim } => return Ok(Turn::Ours(claim)),
                Known::Another => {
                    return Err(refusal(
                        "was used for another request within 24 hours; use a new one for each",
                    ));
                }
                Known::Answered(sealed) => match open(call, &sealed) {
                    Some(response) => return Ok(Turn::Answered(Box::new(response))),
                    // Of another key of the operator's, or of a newer version.
                    None => return Err(Refusal::Internal),
                },
                Known::UnderWay if Instant::now() >= until => return Err(Refusal::UnderWay),
                Known::UnderWay => {
                    sleep(pause).await;
                    pause = (2 * pause).min(LOOK.1);
                }
            }
        }
    }

    /// Keeps the answer for those who come later, if it did or `cost` something.
    pub(super) async fn keep(
        &self,
        call: &Call,
        claim: &str,
        (response, cost): (Response, bool),
    ) -> Response {
        let (head, body) = response.into_parts();
        let body = match body.collect().await {
            Ok(body) => body,
            // Bodies of ours are in memory and do not break off.
            Err(_) => return Response::from_parts(head, Body::empty()),
        };
        let trailers = body.trailers().cloned().unwrap_or_default();
        let answer = Answer {
            status: head.status.as_u16(),
            headers: written(&head.headers),
            trailers: written(&trailers),
            body: STANDARD.encode(body.to_bytes()),
        };
        let stays = stays(head.status, [&head.headers, &trailers], cost);
        let sealed = stays.then(|| seal(call, &answer)).flatten();
        let until = self.store.now() + KEPT;
        let left = sealed.map(|sealed| (sealed, until));
        // What could not be noted is carried out again by whoever comes later than the lease; the store has said why.
        let _ = self.store.leave_answer(&call.name, claim, left).await;
        let extensions = head.extensions;
        let mut response = answer.response().unwrap_or_default();
        *response.extensions_mut() = extensions;
        *response.version_mut() = head.version;
        response
    }
}

/// Whether an answer is kept: what did something, and a refusal that has cost something. Any other refusal has changed
/// nothing, and is found again when the call comes again; nobody can fill the table with them.
fn stays(status: StatusCode, headers: [&HeaderMap; 2], cost: bool) -> bool {
    let mut grpc = headers
        .into_iter()
        .filter_map(|headers| headers.get("grpc-status"));
    let done = match grpc.next() {
        Some(code) => Code::from_bytes(code.as_bytes()) == Code::Ok,
        None => status.is_success() || status.is_redirection(),
    };
    done || cost
}

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    trailers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn did_something(&self) -> bool {
        let status = StatusCode::from_u16(self.status).unwrap_or_default();
        let headers = [&self.headers, &self.trailers].map(|headers| read(headers));
        let [Some(headers), Some(trailers)] = headers else {
            return false;
        };
        stays(status, [&headers, &trailers], false)
    }

    fn response(&self) -> Option<Response> {
        let body = Bytes::from(STANDARD.decode(&self.body).ok()?);
        let trailers = read(&self.trailers)?;
        let body = match trailers.is_empty() {
            true => Body::from(body),
            false => {
                let data = Some(body).filter(|body| !body.is_empty()).map(Frame::data);
                let frames = data.into_iter().chain([Frame::trailers(trailers)]);
                Body::new(StreamBody::new(iter(frames.map(Ok::<_, axum::Error>))))
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(self.status).ok()?;
        *response.headers_mut() = read(&self.headers)?;
        Some(response)
    }
}

fn written(headers: &HeaderMap) -> Vec<(String, String)> {
    let headers = headers.iter().filter(|(name, _)| *name != header::DATE);
    headers
        .map(|(name, value)| (name.as_str().to_owned(), STANDARD.encode(value)))
        .collect()
}

fn read(headers: &[(String, String)]) -> Option<HeaderMap> {
    let headers = headers.iter().map(|(name, value)| {
        let value = HeaderValue::from_bytes(&STANDARD.decode(value).ok()?).ok()?;
        Some((HeaderName::try_from(name).ok()?, value))
    });
    headers.collect()
}

/// An answer may hold a code or a token: it is sealed with a key that is bound to the caller and the call.
fn seal(call: &Call, answer: &Answer) -> Option<String> {
    let mut text = serde_json::to_vec(answer).ok()?;
    if text.len() > MOST {
        return None;
    }
    let key = RandomizedNonceKey::new(&AES_256_GCM, &call.sealing).ok()?;
    let aad = Aad::from(call.request.as_bytes());
    let nonce = key.seal_in_place_append_tag(aad, &mut text).ok()?;
    let whole = [nonce.as_ref().as_slice(), &text].concat();
    Some(STANDARD.encode(whole))
}

fn open(call: &Call, sealed: &str) -> Option<Response> {
    let mut whole = STANDARD.decode(sealed).ok()?;
    let (nonce, text) = whole.split_at_mut_checked(NONCE_LEN)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let key = RandomizedNonceKey::new(&AES_256_GCM, &call.sealing).ok()?;
    let aad = Aad::from(call.request.as_bytes());
    let text = key.open_in_place(nonce, aad, text).ok()?;
    let answer: Answer = serde_json::from_slice(text).ok()?;
    let mut response = answer.response()?;
    // Only wrong codes are kept of what is refused, and a mark would tell them from those that are spent or expired.
    if answer.did_something() {
        let replayed = HeaderValue::from_static("true");
        response.headers_mut().insert(REPLAYED, replayed);
    }
    Some(response)
}

/// The whole body; one that is too large, or breaks off, as it came, for whoever refuses it.
pub(super) async fn whole(mut body: Body) -> Result<Bytes, Body> {
    if body.size_hint().lower() > MOST as u64 {
        return Err(body);
    }
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let broken = match frame.map(Frame::into_data) {
            Ok(Ok(data)) => {
                read.extend_from_slice(&data);
                (read.len() > MOST).then_some(None)
            }
            Ok(Err(_)) => None,
            Err(error) => Some(Some(Err(error))),
        };
        if let Some(error) = broken {
            let before = iter([Ok(read.freeze())].into_iter().chain(error));
            let rest = body.into_data_stream();
            return Err(Body::from_stream(before.chain(rest)));
        }
    }
    Ok(read.freeze())
}

/// Asks a path's own API to word a refusal.
#[derive(Clone)]
pub(super) struct Worded(pub(super) Arc<Refusal>);

#[cfg(test)]
mod tests;
